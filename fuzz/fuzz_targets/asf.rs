//! The Header Object of ASF files: no crash, and what the objects say is within the limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wmlicense_media::{Container, ContentHeader};

const HEADER_OBJECT: [u8; 16] =
    [0x30, 0x26, 0xB2, 0x75, 0x8E, 0x66, 0xCF, 0x11, 0xA6, 0xD9, 0x00, 0xAA, 0x00, 0x62, 0xCE, 0x6C];

fuzz_target!(|data: &[u8]| {
    // As it is, and with a frame that is right, so that the objects inside are reached.
    let _ = ContentHeader::parse(data);
    let size = (data.len() as u64 + 24).to_le_bytes();
    let Ok(header) = ContentHeader::parse(&[&HEADER_OBJECT[..], &size, data].concat()) else { return };
    assert_eq!(header.container(), Container::Asf);
    let asf = header.asf().expect("an ASF header was read");
    assert!(asf.streams.len() <= 127 && header.attributes().len() <= 2048);
    assert_eq!(asf.content_encryption.is_some() && !header.is_protected(), false);
});
