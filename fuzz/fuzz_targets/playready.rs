//! PlayReady Objects, bare and in a box: what the bare one names, the box names as well.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wmlicense_media::{Container, ContentHeader, ProtectionSystem, SystemId};

fuzz_target!(|data: &[u8]| {
    let _ = ContentHeader::parse(data);
    // The length is right, so that the records are reached.
    let object = [&(data.len() as u32 + 4).to_le_bytes()[..], data].concat();
    let bare = ContentHeader::parse(&object);
    let system = ProtectionSystem { system: SystemId::PLAYREADY, version: 0, kids: Vec::new(), data: object };
    let carried = ContentHeader::parse(&system.to_bytes());
    // Sixteen bytes that are no object are a key ID.
    let object = bare.as_ref().ok().filter(|bare| bare.container() == Container::PlayReadyObject);
    if let Some(bare) = object {
        let carried = carried.expect("a box may hold any object");
        assert_eq!(bare.kids(), carried.kids());
        assert_eq!(bare.wrm_headers(), carried.wrm_headers());
    }
    for key in bare.iter().flat_map(|header| header.wrm_headers()).flat_map(|header| &header.keys) {
        let _ = key.matches(&[7; 16]);
    }
});
