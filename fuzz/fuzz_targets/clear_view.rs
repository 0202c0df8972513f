//! Clear views of MP4 files: no crash, the same length, and every range the same part of the whole view.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::Cursor;
use wmlicense_media::cenc::{SampleCipher, SampleError, SampleInfo};
use wmlicense_media::{ClearReader, ClearView};
use wmlicense_wire::id::Kid;

/// Bytes of a range; a few samples, or a part of one.
const STEP: usize = 997;

fuzz_target!(|data: &[u8]| {
    let Ok(view) = ClearView::read(Cursor::new(data)) else { return };
    assert_eq!(view.length(), data.len() as u64);
    let cipher = SampleCipher::new(&[7; 16]);
    let decrypt = |kid: Kid, info: &SampleInfo<'_>, bytes: &mut [u8]| -> Result<(), SampleError> {
        assert!(view.kids().contains(&kid));
        cipher.decrypt_in_place(info, bytes)
    };
    let mut reader = ClearReader::new(&view, Cursor::new(data));
    let mut whole = vec![1; data.len()];
    if reader.read_at(0, &mut whole, decrypt).is_err() {
        assert!(whole.iter().all(|byte| *byte == 0));
        return;
    }
    for (index, part) in whole.chunks(STEP).enumerate() {
        let mut range = vec![0; part.len()];
        reader.read_at((index * STEP) as u64, &mut range, decrypt).expect("a part of what can be read");
        assert_eq!(range, part);
    }
});
