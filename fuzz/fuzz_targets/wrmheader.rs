//! WRMHEADER in both encodings: the same text says the same, and no text is longer than what it came from.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wmlicense_media::ContentHeader;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let plain = ContentHeader::parse(text.as_bytes());
    let wide = ContentHeader::parse(&[b"\xFF\xFE", &wide[..]].concat());
    let _ = ContentHeader::parse(&[b"\xFF\xFE", data].concat());
    if !text.starts_with('<') || text.contains('\0') {
        return;
    }
    // With a NUL, what should be UTF-8 may be UTF-16 without a mark.
    match (&plain, &wide) {
        (Ok(plain), Ok(wide)) => {
            assert_eq!(plain.kids(), wide.kids());
            assert_eq!(plain.wrm_headers(), wide.wrm_headers());
            assert!(plain.attributes().iter().all(|(name, value)| name.len() + value.len() <= data.len() * 3));
        }
        (Err(_), Err(_)) => {}
        (plain, wide) => assert_eq!(plain.is_ok(), wide.is_ok(), "{plain:?} {wide:?}"),
    }
});
