//! `device.key`: any bytes, and any content under a sum that is right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wmlicense_core::fuzzing::device::is_key_file;
use wmlicense_wire::id::Digest;

fuzz_target!(|data: &[u8]| {
    is_key_file(data);
    let Some((version, content)) = data.split_first() else { return };
    let mut file = b"WMDEVKEY".to_vec();
    file.extend_from_slice(&[version & 3, 1]);
    file.extend_from_slice(&(content.len() as u32).to_be_bytes());
    file.extend_from_slice(content);
    let sum = Digest::of(&file);
    file.extend_from_slice(sum.as_bytes());
    let good = is_key_file(&file);
    // The sum finds every change, whatever it is of.
    let last = file.len() - 1;
    file[last] ^= 1;
    assert!(!is_key_file(&file) && (!good || content.len() >= 32));
});
