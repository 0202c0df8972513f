//! Every sample of the packaged files equals the sample of the clear file that they were made from.

use super::*;
use crate::cenc::SampleCipher;

/// Key IDs and their keys.
const KEYS: [(&str, &str); 2] =
    [(VIDEO, "00112233445566778899aabbccddeeff"), (AUDIO, "ffeeddccbbaa99887766554433221100")];

fn read(name: &str) -> Vec<u8> {
    std::fs::read(media(name)).unwrap()
}

fn key_of(kid: Kid) -> [u8; 16] {
    let pair = KEYS.into_iter().find(|(known, _)| kid.to_hex() == *known).expect("a known key ID");
    *Kid::from_hex(pair.1).unwrap().as_bytes()
}

fn track_of(bytes: &[u8], handler: &[u8; 4]) -> u32 {
    ContentHeader::parse(bytes).unwrap().tracks().iter().find(|track| track.handler == *handler).unwrap().id
}

/// The samples of a track in the clear, and how many of them had been protected.
fn clear_samples(bytes: &[u8], handler: &[u8; 4]) -> (Vec<Vec<u8>>, usize) {
    let reader = SampleReader::parse(bytes, track_of(bytes, handler)).unwrap();
    let mut protected = 0;
    let samples = reader.samples().map(|sample| {
        let mut data = bytes[sample.offset as usize..][..sample.size as usize].to_vec();
        if let Some(protection) = sample.protection {
            protected += 1;
            SampleCipher::new(&key_of(protection.kid)).decrypt_in_place(&protection.info, &mut data).unwrap();
        }
        data
    });
    let samples = samples.collect();
    (samples, protected)
}

fn assert_equals_source(name: &str, handler: &[u8; 4]) {
    let (expected, none) = clear_samples(&read("src.mp4"), handler);
    let (found, protected) = clear_samples(&read(name), handler);
    assert_eq!(none, 0);
    assert_eq!(expected.len(), if handler == b"vide" { 20 } else { 88 });
    assert_eq!(protected, expected.len(), "all samples of {name} are protected");
    assert_eq!(found.len(), expected.len());
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert!(found == expected, "sample {index} of {name}");
    }
}

#[test]
fn packaged_cenc_files_decrypt_byte_for_byte() {
    assert_equals_source("packager-cenc-video.mp4", b"vide");
    assert_equals_source("packager-cenc-audio.mp4", b"soun");
}

#[test]
fn packaged_cbcs_files_decrypt_byte_for_byte() {
    assert_equals_source("packager-cbcs-video.mp4", b"vide");
    assert_equals_source("packager-cbcs-audio.mp4", b"soun");
}

#[test]
fn packaged_cens_files_decrypt_byte_for_byte() {
    assert_equals_source("packager-cens-video.mp4", b"vide");
    assert_equals_source("packager-cens-audio.mp4", b"soun");
}

#[test]
fn packaged_cbc1_files_decrypt_byte_for_byte() {
    assert_equals_source("packager-cbc1-video.mp4", b"vide");
    assert_equals_source("packager-cbc1-audio.mp4", b"soun");
}

#[test]
fn a_progressive_file_with_its_table_in_the_movie_decrypts_byte_for_byte() {
    assert_equals_source("ffmpeg-cenc-prog.mp4", b"vide");
    assert_equals_source("ffmpeg-cenc-prog.mp4", b"soun");
}

#[test]
fn a_good_track_beside_a_damaged_one_decrypts_byte_for_byte() {
    assert_equals_source("ffmpeg8-cenc-frag.mp4", b"vide");
}

#[test]
fn a_packaged_webm_file_decrypts_byte_for_byte() {
    let (expected, none) = clear_samples(&read("src.webm"), b"vide");
    let (found, protected) = clear_samples(&read("packager-webm-video.webm"), b"vide");
    assert_eq!((none, protected, expected.len()), (0, 20, 20));
    assert_eq!(found, expected);
}
