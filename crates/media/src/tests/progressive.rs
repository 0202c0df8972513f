//! Movies without fragments, their encryption data in the sample table.

use super::build::*;
use super::*;
use crate::table::Sample;

/// A movie of five samples in three chunks, the last of them from a clear sample entry.
fn movie(extra: &[Vec<u8>]) -> Vec<u8> {
    let tables = [
        full(b"stsz", 0, 0, &[&words(&[0, 5, 10, 20, 30, 40, 50])]),
        full(b"stsc", 0, 0, &[&words(&[2, 1, 2, 1, 3, 1, 2])]),
        full(b"co64", 0, 0, &[&words(&[3, 0, 1000, 1, 0, 0, 5000])]),
        extra.concat(),
    ];
    let entries = [protected_entry(b"cenc", &encryption(0, 8, KID, &[])), clear_entry()];
    mp4_box(b"moov", &[&trak(7, &entries, &tables.concat())])
}

fn check(samples: &[Sample<'_>]) {
    let places: Vec<_> = samples.iter().map(|sample| (sample.offset, sample.size)).collect();
    let far = 1 << 32;
    assert_eq!(places, [(1000, 10), (1010, 20), (far, 30), (far + 30, 40), (5000, 50)]);
    let ivs: Vec<_> = samples.iter().map(|sample| sample.protection.map(|known| known.info.iv[0])).collect();
    assert_eq!(ivs, [Some(1), Some(2), Some(3), Some(4), None]);
}

#[test]
fn samples_follow_their_chunks_and_sample_entries() {
    let senc = full(b"senc", 0, 0, &[&words(&[5]), &[1; 8], &[2; 8], &[3; 8], &[4; 8]]);
    let bytes = movie(&[senc]);
    check(&SampleReader::parse(&bytes, 7).unwrap().samples().collect::<Vec<_>>());
}

#[test]
fn auxiliary_information_may_lie_apart_for_each_chunk() {
    let saiz = full(b"saiz", 0, 0, &[&[0], &words(&[5]), &[8, 8, 8, 8, 0]]);
    let build = |base: u32| {
        let offsets = words(&[3, base, base + 24, base + 40]);
        movie(&[saiz.clone(), full(b"saio", 0, 0, &[&offsets])])
    };
    let base = build(0).len() as u32 + 8;
    let data = [&[1; 8][..], &[2; 8], &[0; 8], &[3; 8], &[4; 8]].concat();
    let bytes = [build(base), mp4_box(b"mdat", &[&data])].concat();
    check(&SampleReader::parse(&bytes, 7).unwrap().samples().collect::<Vec<_>>());
    let two = movie(&[saiz.clone(), full(b"saio", 0, 0, &[&words(&[2, 0, 0])])]);
    let error = SampleReader::parse(&two, 7).err().unwrap();
    assert!(matches!(error, HeaderError::BadValue { field: "saio entry_count", value: 2, .. }), "{error}");
}

#[test]
fn auxiliary_information_of_another_kind_is_no_encryption_data() {
    let saiz = full(b"saiz", 0, 1, &[b"abcd", &words(&[0]), &[8], &words(&[5])]);
    let saio = full(b"saio", 0, 1, &[b"abcd", &words(&[0, 1, 0])]);
    let error = SampleReader::parse(&movie(&[saiz, saio]), 7).err().unwrap();
    assert!(matches!(error, HeaderError::NoSampleData { track: 7, .. }), "{error}");
}
