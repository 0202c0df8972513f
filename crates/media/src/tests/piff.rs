//! The forerunner of Common Encryption, alone and beside it, and other rare forms of MP4's tables.

use super::build::*;
use super::*;
use crate::cenc::Scheme;
use crate::table::Sample;

const TRACK: [u8; 16] = 0x8974_DBCE_7BE7_4C51_84F9_7148_F988_2554_u128.to_be_bytes();
const SAMPLES: [u8; 16] = 0xA239_4F52_5A9B_4F14_A244_6C42_7C64_8DF4_u128.to_be_bytes();

fn uuid(kind: [u8; 16], flags: u32, parts: &[&[u8]]) -> Vec<u8> {
    mp4_box(b"uuid", &[&kind, &words(&[flags]), &parts.concat()])
}

fn parameters(algorithm: u32, iv_size: u32, kid: [u8; 16]) -> Vec<u8> {
    [&words(&[algorithm << 8 | iv_size])[..], &kid].concat()
}

fn piff_sinf(parameters: &[u8]) -> Vec<u8> {
    let schm = full(b"schm", 0, 0, &[b"piff", &words(&[0x10001])]);
    let schi = mp4_box(b"schi", &[&uuid(TRACK, 0, &[parameters])]);
    mp4_box(b"sinf", &[&mp4_box(b"frma", &[b"avc1"]), &schm, &schi])
}

fn movie(sinfs: &[Vec<u8>]) -> Vec<u8> {
    fragmented(&[vec![mp4_box(b"encv", &[&[0; 78], &sinfs.concat()])]], &[])
}

/// One fragment of two samples with this data.
fn fragment(data: &[Vec<u8>]) -> Vec<u8> {
    moof(&[traf(1, &[vec![trun(0, &[9, 9])], data.to_vec()].concat())])
}

fn senc_body() -> Vec<u8> {
    senc(&[(3, 4, 5), (6, 9, 0)])[12..].to_vec()
}

fn check(bytes: &[u8], kid: [u8; 16]) {
    let reader = SampleReader::parse(bytes, 1).unwrap();
    let samples: Vec<Sample<'_>> = reader.samples().collect();
    assert_eq!(samples.len(), 2);
    for (sample, (iv, clear, encrypted)) in samples.iter().zip([(3, 4, 5), (6, 9, 0)]) {
        let protection = sample.protection.unwrap();
        assert_eq!(protection.kid, Kid::new(kid));
        assert_eq!((protection.info.scheme, protection.info.iv), (Scheme::Cenc, &[iv; 8][..]));
        let ranges: Vec<_> = protection.info.subsamples.iter().map(|range| (range.clear, range.encrypted)).collect();
        assert_eq!(ranges, [(clear, encrypted)]);
    }
}

#[test]
fn piff_boxes_alone_describe_the_samples() {
    let movie = movie(&[piff_sinf(&parameters(1, 8, KID))]);
    let header = ContentHeader::parse(&movie).unwrap();
    assert_eq!((header.kids(), header.scheme()), (&[Kid::new(KID)][..], Some(FourCc(*b"piff"))));
    let data = uuid(SAMPLES, 2, &[&senc_body()]);
    check(&[movie.clone(), fragment(&[data])].concat(), KID);
    let data = uuid(SAMPLES, 3, &[&parameters(1, 8, OTHER_KID), &senc_body()]);
    check(&[movie, fragment(&[data])].concat(), OTHER_KID);
}

#[test]
fn duplicates_for_old_players_are_not_counted_twice() {
    let both = movie(&[piff_sinf(&parameters(1, 8, OTHER_KID)), sinf(b"cenc", &encryption(0, 8, KID, &[]))]);
    let header = ContentHeader::parse(&both).unwrap();
    assert_eq!((header.kids(), header.scheme()), (&[Kid::new(KID)][..], Some(FourCc(*b"cenc"))));
    let old = uuid(SAMPLES, 2, &[&senc_body()]);
    let new = senc(&[(3, 4, 5), (6, 9, 0)]);
    check(&[both.clone(), fragment(&[old.clone(), new.clone()])].concat(), KID);
    check(&[both, fragment(&[new, old])].concat(), KID);
}

#[test]
fn piff_parameters_that_no_file_has_are_refused() {
    for (parameters, field) in [
        (parameters(3, 8, KID), "PIFF AlgorithmID"),
        (parameters(1, 0, KID), "PIFF IV_size"),
        (parameters(2, 8, KID), "PIFF IV_size"),
    ] {
        let error = ContentHeader::parse(&movie(&[piff_sinf(&parameters)])).unwrap_err();
        assert!(matches!(error, HeaderError::BadValue { field: named, .. } if named == field), "{error}");
    }
    let movie = movie(&[piff_sinf(&parameters(1, 8, KID))]);
    for (count, data) in [(1, senc(&[(3, 4, 5)])), (3, senc(&[(3, 4, 5); 3]))] {
        let bytes = [movie.clone(), fragment(&[uuid(SAMPLES, 2, &[&data[12..]])])].concat();
        let error = SampleReader::parse(&bytes, 1).err().unwrap();
        assert!(
            matches!(error, HeaderError::SampleCountMismatch { expected: 2, found, .. } if found == count),
            "{error}"
        );
    }
}

/// The sizes of the samples of a movie with this `stz2`.
fn compact_sizes(bits: u32, count: u32, entries: &[u8]) -> Result<Vec<u32>, HeaderError> {
    let tables = [
        full(b"stz2", 0, 0, &[&words(&[bits, count]), entries]),
        full(b"stsc", 0, 0, &[&words(&[1, 1, count, 1])]),
        full(b"stco", 0, 0, &[&words(&[1, 0])]),
    ];
    let moov = mp4_box(b"moov", &[&trak(1, &[clear_entry()], &tables.concat())]);
    Ok(SampleReader::parse(&moov, 1)?.samples().map(|sample| sample.size).collect())
}

#[test]
fn compact_sample_sizes_are_read() {
    assert_eq!(compact_sizes(4, 3, &[0x12, 0x30]).unwrap(), [1, 2, 3]);
    assert_eq!(compact_sizes(8, 3, &[1, 0, 255]).unwrap(), [1, 0, 255]);
    assert_eq!(compact_sizes(16, 2, &[1, 0, 0, 2]).unwrap(), [256, 2]);
    for (bits, count) in [(4, 5), (8, 3), (16, 2), (16, u32::MAX), (4, u32::MAX)] {
        let error = compact_sizes(bits, count, &[0, 0]).unwrap_err();
        assert!(matches!(error, HeaderError::Truncated { field: "stz2 sample_count", .. }), "{error}");
    }
    let error = compact_sizes(5, 1, &[0, 0]).unwrap_err();
    assert!(matches!(error, HeaderError::BadValue { field: "stz2 field_size", value: 5, .. }), "{error}");
}

#[test]
fn boxes_inside_others_may_have_64_bit_sizes() {
    let good = movie(&[sinf(b"cenc", &encryption(0, 8, KID, &[]))]);
    let moov = &good[24..];
    let trak_size = u32::from_be_bytes(moov[..4].try_into().unwrap()) as usize;
    let large = [&words(&[1])[..], b"trak", &words(&[0, trak_size as u32 + 8]), &moov[8..]].concat();
    let bytes = [&good[..16], &mp4_box(b"moov", &[&large])].concat();
    assert_eq!(ContentHeader::parse(&bytes).unwrap().kids(), [Kid::new(KID)]);
}
