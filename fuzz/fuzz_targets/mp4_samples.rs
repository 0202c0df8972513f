//! The sample tables of MP4 files: no crash, and vectors of the length that the track's parameters say.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wmlicense_media::cenc::SampleCipher;
use wmlicense_media::{ContentHeader, SampleReader};

fuzz_target!(|data: &[u8]| {
    if data.starts_with(b"\x1A\x45\xDF\xA3") {
        return;
    }
    let Ok(header) = ContentHeader::parse(data) else { return };
    let cipher = SampleCipher::new(&[7; 16]);
    for track in header.tracks().iter().take(4) {
        let Ok(reader) = SampleReader::parse(data, track.id) else { continue };
        let mut count = 0;
        for sample in reader.samples() {
            count += 1;
            let Some(protection) = sample.protection else { continue };
            assert!(matches!(protection.info.iv.len(), 8 | 16));
            let end = sample.offset.saturating_add(sample.size.into());
            if count < 100 && end <= data.len() as u64 {
                let mut bytes = data[sample.offset as usize..end as usize].to_vec();
                let _ = cipher.decrypt_in_place(&protection.info, &mut bytes);
            }
        }
        assert_eq!(count, reader.len());
    }
});
