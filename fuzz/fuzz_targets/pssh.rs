//! Boxes of protection systems with any data: no crash, no key ID twice, and the key IDs that a box lists are all found.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;
use wmlicense_media::{ContentHeader, ProtectionSystem, SystemId};
use wmlicense_wire::id::Kid;

const SYSTEMS: [SystemId; 4] = [SystemId::WIDEVINE, SystemId::WMLICENSE, SystemId::COMMON, SystemId::FAIRPLAY];

fuzz_target!(|data: &[u8]| {
    let _ = ContentHeader::parse(data);
    let Some((choice, data)) = data.split_first() else { return };
    let system = SYSTEMS[usize::from(choice % 4)];
    let (list, data) = data.split_at(data.len().min(usize::from(choice >> 5) * 16));
    let kids = list.chunks_exact(16).filter_map(|kid| Kid::from_slice(kid).ok()).collect();
    let system = ProtectionSystem { system, version: choice >> 4 & 1, kids, data: data.to_vec() };
    let Ok(header) = ContentHeader::parse(&system.to_bytes()) else { return };
    let unique: BTreeSet<_> = header.kids().iter().collect();
    assert_eq!(unique.len(), header.kids().len());
    let zero = Kid::new([0; 16]);
    let listed = system.kids.iter().filter(|_| system.version == 1);
    assert!(listed.filter(|kid| **kid != zero).all(|kid| unique.contains(kid)));
    assert_eq!(header.systems().len(), 1);
});
