//! A backup's front, its encrypted stream, and the items in a stream as if their maker had gone mad.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::Write;
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::backup::{ContentKeys, Header, ItemView, MAX_ITEM_LEN, section_context};
use wmlicense_wire::chunked::{Opener, Sealer, sealed_len};
use wmlicense_wire::id::Digest;
use wmlicense_wire::policy::LicenseKind;
use zeroize::Zeroizing;

fuzz_target!(|data: &[u8]| {
    header(data);
    let key = SecretKey::new(Zeroizing::new([1; 32]));
    let context = section_context(0, Digest::of(b"header"));
    // Bytes from anywhere never open.
    if let Ok(mut opener) = Opener::new(&key, &context, data, data.len() as u64) {
        let mut plain = vec![0; data.len()];
        assert!(opener.read_up_to(&mut plain).is_err());
    }
    let mut sealer = Sealer::new(&key, &context, Vec::new()).expect("seals");
    sealer.write_all(data).expect("seals");
    let sealed = sealer.finish().expect("seals");
    assert_eq!(sealed.len() as u64, sealed_len(data.len() as u64));
    let mut opener = Opener::new(&key, &context, sealed.as_slice(), sealed.len() as u64).expect("opens");
    let mut plain = vec![0; data.len() + 1];
    assert_eq!(opener.read_up_to(&mut plain).expect("opens"), data.len());
    assert_eq!(&plain[..data.len()], data);
    items(&plain[..data.len()]);
});

fn header(data: &[u8]) {
    let Some(front) = data.first_chunk() else { return };
    let Ok(length) = Header::body_len(front) else { return };
    let Some(body) = data.get(12..12 + length) else { return };
    if let Ok(header) = Header::decode(body) {
        assert!(header.sections.len() <= 256);
    }
}

/// Reads items as long as there are any.
fn items(mut stream: &[u8]) {
    let key = ContentKeys::of(&SecretKey::new(Zeroizing::new([2; 32])));
    while let Some((front, rest)) = stream.split_first_chunk() {
        let length = u32::from_be_bytes(*front) as usize;
        let Some((item, rest)) = rest.split_at_checked(length.min(MAX_ITEM_LEN)) else { return };
        match ItemView::parse(item) {
            Ok(ItemView::Record(record)) => assert!(record.open(LicenseKind::Content, &key.records).is_err()),
            Ok(ItemView::Page(page)) => assert!(key.pages.open(0, page.wrapped_key).is_err()),
            _ => {}
        }
        stream = rest;
    }
}
