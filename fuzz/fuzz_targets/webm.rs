//! WebM files: no crash, and every frame that is found lies in the file with ranges that cover it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wmlicense_media::cenc::SampleCipher;
use wmlicense_media::{ContentHeader, SampleReader};

fuzz_target!(|data: &[u8]| {
    if !data.starts_with(b"\x1A\x45\xDF\xA3") {
        return;
    }
    let Ok(header) = ContentHeader::parse(data) else { return };
    let cipher = SampleCipher::new(&[7; 16]);
    for track in header.tracks().iter().take(4) {
        let Ok(reader) = SampleReader::parse(data, track.id) else { continue };
        let mut end = 0;
        for sample in reader.samples() {
            assert!(sample.offset >= end, "frames follow each other");
            end = sample.offset + u64::from(sample.size);
            let mut frame = data[sample.offset as usize..end as usize].to_vec();
            if let Some(protection) = sample.protection {
                cipher.decrypt_in_place(&protection.info, &mut frame).expect("a frame's ranges cover it");
            }
        }
    }
});
