//! The schemes written down once more, block by block as ISO/IEC 23001-7 has them, and compared on random samples.

use super::*;
use aes::Block;
use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt};
use proptest::prelude::*;

/// Offsets of the bytes that a scheme touches, in order, as blocks of up to 16.
fn touched(info: &SampleInfo<'_>, size: usize) -> Vec<Vec<usize>> {
    let whole = [Subsample { clear: 0, encrypted: size as u32 }];
    let subsamples = if info.subsamples.is_empty() { &whole } else { info.subsamples };
    let (crypt, skip) = (info.crypt_byte_block as usize, info.skip_byte_block as usize);
    let mut ranges = Vec::new();
    let mut at = 0;
    for part in subsamples {
        let start = at + part.clear as usize;
        at = start + part.encrypted as usize;
        let bytes: Vec<usize> = (start..at).collect();
        let blocks: Vec<Vec<usize>> = bytes.chunks_exact(16).map(<[usize]>::to_vec).collect();
        ranges.push(match info.scheme {
            Scheme::Cenc => bytes,
            _ if crypt == 0 => blocks.concat(),
            _ => blocks
                .chunks(crypt + skip)
                .filter(|group| group.len() >= crypt)
                .flat_map(|group| group[..crypt].concat())
                .collect(),
        });
    }
    ranges
}

fn model(info: &SampleInfo<'_>, data: &mut [u8]) {
    let (enc, dec) = (Aes128Enc::new(&KEY.into()), Aes128Dec::new(&KEY.into()));
    let mut first = [0; 16];
    first[..info.iv.len()].copy_from_slice(info.iv);
    let (mut stream, mut counter) = (Vec::new(), u64::from_be_bytes(first[8..].try_into().unwrap()));
    let mut previous = first;
    for range in touched(info, data.len()) {
        if info.scheme == Scheme::Cbcs {
            previous = first;
        }
        match info.scheme {
            Scheme::Cenc | Scheme::Cens => {
                for place in range {
                    if stream.is_empty() {
                        let mut block = Block::from(first);
                        block[8..].copy_from_slice(&counter.to_be_bytes());
                        counter = counter.wrapping_add(1);
                        enc.encrypt_block(&mut block);
                        stream = block.to_vec();
                    }
                    data[place] ^= stream.remove(0);
                }
            }
            Scheme::Cbc1 | Scheme::Cbcs => {
                for places in range.chunks(16) {
                    let cipher_text: [u8; 16] = std::array::from_fn(|index| data[places[index]]);
                    let mut block = Block::from(cipher_text);
                    dec.decrypt_block(&mut block);
                    for (index, place) in places.iter().enumerate() {
                        data[*place] = block[index] ^ previous[index];
                    }
                    previous = cipher_text;
                }
            }
        }
    }
}

fn check(info: &SampleInfo<'_>, size: usize) {
    let sample: Vec<u8> = (0..size).map(|index| (index * 7 + index / 256) as u8).collect();
    let (mut found, mut expected) = (sample.clone(), sample);
    SampleCipher::new(&KEY).decrypt_in_place(info, &mut found).unwrap();
    model(info, &mut expected);
    assert!(found == expected, "{info:?} on {size} bytes");
}

fn patterns(scheme: Scheme) -> &'static [(u32, u32)] {
    match scheme {
        Scheme::Cenc | Scheme::Cbc1 => &[(0, 0)],
        Scheme::Cens | Scheme::Cbcs => &[(0, 0), (1, 9), (2, 8), (5, 5), (10, 0), (1, 0), (15, 15)],
    }
}

#[test]
fn whole_samples_of_every_length_agree_with_the_model() {
    for scheme in [Scheme::Cenc, Scheme::Cens, Scheme::Cbc1, Scheme::Cbcs] {
        for (crypt, skip) in patterns(scheme) {
            for size in (0..80).chain(1000..1060).chain([4096, 16_384, 40_001]) {
                let sample =
                    SampleInfo { crypt_byte_block: *crypt, skip_byte_block: *skip, ..info(scheme, &[0x5A; 16]) };
                check(&sample, size);
            }
        }
    }
}

#[test]
fn the_block_counter_wraps_without_a_carry() {
    let mut iv = [0xFF; 16];
    iv[0] = 1;
    iv[15] = 0xFE;
    check(&info(Scheme::Cenc, &iv), 2000);
    check(&info(Scheme::Cens, &iv), 2000);
}

proptest! {
    #[test]
    fn any_sample_agrees_with_the_model(
        scheme in prop::sample::select(vec![Scheme::Cenc, Scheme::Cens, Scheme::Cbc1, Scheme::Cbcs]),
        short_iv in any::<bool>(),
        iv in any::<[u8; 16]>(),
        parts in prop::collection::vec((0u32..70, prop_oneof![0u32..100, 900u32..4000]), 0..12),
        pattern in 0usize..7,
    ) {
        let subsamples: Vec<Subsample> =
            parts.iter().map(|(clear, encrypted)| Subsample { clear: *clear, encrypted: *encrypted }).collect();
        let size = if parts.is_empty() { 777 } else { parts.iter().map(|(clear, encrypted)| clear + encrypted).sum() };
        let short = short_iv && matches!(scheme, Scheme::Cenc | Scheme::Cens);
        let (crypt_byte_block, skip_byte_block) = patterns(scheme)[pattern % patterns(scheme).len()];
        let iv = if short { &iv[..8] } else { &iv[..] };
        let sample = SampleInfo { scheme, iv, subsamples: &subsamples, crypt_byte_block, skip_byte_block };
        check(&sample, size as usize);
    }
}
