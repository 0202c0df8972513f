//! Samples with any subsample map, vector and pattern: no crash, and nothing but the bytes named as encrypted changes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wmlicense_media::cenc::{SampleCipher, SampleInfo, Scheme, Subsample};

fuzz_target!(|data: &[u8]| {
    let Some(([scheme, iv_len, maps, crypt, skip], rest)) = data.split_first_chunk() else { return };
    let codes = [*b"cenc", *b"cbcs", *b"cens", *b"cbc1"].map(u32::from_be_bytes);
    let Some(scheme) = codes.get(usize::from(scheme % 5)).and_then(|code| Scheme::from_fourcc(*code)) else { return };
    let Some((iv, rest)) = rest.split_at_checked(usize::from(iv_len % 20)) else { return };
    let (entries, sample) = rest.split_at(rest.len().min(usize::from(maps % 8) * 4));
    let subsamples: Vec<Subsample> = entries
        .chunks_exact(4)
        .map(|entry| Subsample {
            clear: u32::from(u16::from_be_bytes([entry[0], entry[1]])),
            encrypted: u32::from(u16::from_be_bytes([entry[2], entry[3]])),
        })
        .collect();
    let info = SampleInfo {
        scheme,
        iv,
        subsamples: &subsamples,
        crypt_byte_block: u32::from(*crypt),
        skip_byte_block: u32::from(*skip),
    };
    let mut decrypted = sample.to_vec();
    if SampleCipher::new(&[7; 16]).decrypt_in_place(&info, &mut decrypted).is_err() {
        return;
    }
    let mut at = 0;
    for subsample in &subsamples {
        let clear = at..at + subsample.clear as usize;
        assert_eq!(decrypted[clear.clone()], sample[clear]);
        at += (subsample.clear + subsample.encrypted) as usize;
    }
});
