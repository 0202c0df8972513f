//! What fragments may say in ways that packagers seldom use.

use super::build::*;
use super::*;
use crate::cenc::{Scheme, Subsample};
use crate::table::Sample;

fn movie() -> Vec<u8> {
    let entry = protected_entry(b"cenc", &encryption(0, 8, KID, &[]));
    fragmented(&[vec![entry.clone(), clear_entry()], vec![entry]], &[])
}

fn samples(bytes: &[u8], track: u32, check: impl FnOnce(&[Sample<'_>])) {
    let reader = SampleReader::parse(bytes, track).unwrap();
    check(&reader.samples().collect::<Vec<_>>());
}

#[test]
fn vectors_and_ranges_come_from_senc() {
    let start = movie().len() as u64;
    let fragment = moof(&[traf(1, &[trun(1000, &[50, 60]), senc(&[(1, 10, 40), (2, 0, 60)])])]);
    samples(&[movie(), fragment].concat(), 1, |samples| {
        assert_eq!((samples[0].offset, samples[0].size), (start + 1000, 50));
        assert_eq!((samples[1].offset, samples[1].size), (start + 1050, 60));
        let second = samples[1].protection.unwrap();
        assert_eq!(second.kid, Kid::new(KID));
        assert_eq!((second.info.scheme, second.info.iv), (Scheme::Cenc, &[2; 8][..]));
        assert_eq!(second.info.subsamples, [Subsample { clear: 0, encrypted: 60 }]);
    });
}

#[test]
fn a_clear_lead_is_clear_and_needs_no_table() {
    let tfhd = full(b"tfhd", 0, 0x02_0002, &[&words(&[1, 2])]);
    let lead = moof(&[mp4_box(b"traf", &[&tfhd, &trun(0, &[5, 6])])]);
    let main = moof(&[traf(1, &[trun(0, &[7]), senc(&[(1, 0, 7)])])]);
    samples(&[movie(), lead, main].concat(), 1, |samples| {
        assert_eq!(samples.iter().map(|sample| sample.protection.is_some()).collect::<Vec<_>>(), [false, false, true]);
    });
}

#[test]
fn a_sample_entry_that_is_not_there_is_refused() {
    let tfhd = full(b"tfhd", 0, 0x02_0002, &[&words(&[1, 3])]);
    let fragment = moof(&[mp4_box(b"traf", &[&tfhd, &trun(0, &[5])])]);
    let error = SampleReader::parse(&[movie(), fragment].concat(), 1).err().unwrap();
    assert!(matches!(error, HeaderError::BadValue { field: "sample_description_index", value: 3, .. }), "{error}");
}

#[test]
fn a_second_fragment_without_a_base_follows_the_first_ones_data() {
    let fragment = |track| {
        let tfhd = full(b"tfhd", 0, 0, &[&words(&[track])]);
        let run = full(b"trun", 0, 0, &[&words(&[3])]);
        mp4_box(b"traf", &[&tfhd, &run, &senc(&[(1, 0, 40), (2, 0, 40), (3, 0, 40)])])
    };
    let start = movie().len() as u64;
    samples(&[movie(), moof(&[fragment(1), fragment(2)])].concat(), 2, |samples| {
        assert_eq!(
            samples.iter().map(|sample| sample.offset).collect::<Vec<_>>(),
            [start + 120, start + 160, start + 200]
        );
        assert!(samples.iter().all(|sample| sample.size == 40), "the size of the movie's defaults holds");
    });
}

#[test]
fn sample_groups_change_the_key_within_a_track() {
    let shared = encryption(0, 8, OTHER_KID, &[]);
    let clear = [&[0, 0, 0, 0][..], &[0; 16]].concat();
    let local = encryption(0, 0, [0xC3; 16], &[9; 16]);
    let entry = protected_entry(b"cenc", &encryption(0, 8, [0; 16], &[]));
    let described = full(b"sgpd", 1, 0, &[b"seig", &words(&[20, 1]), &shared]);
    let local_groups = [
        full(b"sgpd", 1, 0, &[b"seig", &words(&[0, 2, 20]), &clear, &words(&[37]), &local]),
        full(b"sbgp", 0, 0, &[b"seig", &words(&[4, 1, 1, 1, 0x1_0001, 1, 0x1_0002, 1, 0])]),
    ];
    let senc = full(b"senc", 0, 0, &[&words(&[5]), &[1; 8], &[4; 8], &[5; 8]]);
    let file = [
        fragmented(&[vec![entry]], &described),
        moof(&[traf(1, &[trun(0, &[1, 2, 3, 4, 5]), local_groups.concat(), senc])]),
    ]
    .concat();
    samples(&file, 1, |samples| {
        let kids: Vec<_> =
            samples.iter().map(|sample| sample.protection.map(|known| known.kid.as_bytes()[0])).collect();
        assert_eq!(kids, [Some(0xB2), None, Some(0xC3), Some(0), Some(0)]);
        let ivs: Vec<_> = samples.iter().filter_map(|sample| sample.protection).map(|known| known.info.iv).collect();
        assert_eq!(ivs, [&[1; 8][..], &[9; 16], &[4; 8], &[5; 8]]);
    });
    let header = ContentHeader::parse(&file).unwrap();
    assert_eq!(header.kids(), [Kid::new(OTHER_KID), Kid::new([0xC3; 16])], "an all-zero default is no key ID");
}

#[test]
fn a_group_that_nothing_describes_is_refused() {
    for index in [1, 2, 0x1_0000, 0x1_0001, u32::MAX] {
        let assigned = full(b"sbgp", 0, 0, &[b"seig", &words(&[1, 1, index])]);
        let file = [movie(), moof(&[traf(1, &[trun(0, &[1]), assigned])])].concat();
        let error = SampleReader::parse(&file, 1).err().unwrap();
        assert!(matches!(error, HeaderError::BadValue { field: "sbgp group_description_index", .. }), "{error}");
    }
}

/// A fragment whose encryption data lies behind it, with `saio` of this version.
fn with_auxiliary(version: u8, sizes: &[u8], data: &[u8]) -> Vec<u8> {
    let build = |offset: u32| {
        let offset = if version == 1 { words(&[0, offset]) } else { words(&[offset]) };
        let saiz = full(b"saiz", 0, 1, &[b"cenc", &words(&[0]), &[0], &words(&[sizes.len() as u32]), sizes]);
        let saio = full(b"saio", version, 0, &[&words(&[1]), &offset]);
        moof(&[traf(1, &[trun(0, &[30, 30]), saiz, saio])])
    };
    let fragment = build(build(0).len() as u32 + 8);
    [movie(), fragment, mp4_box(b"mdat", &[data])].concat()
}

#[test]
fn auxiliary_information_stands_in_for_senc() {
    let one = [&[1; 8][..], &[0, 2, 0, 5, 0, 0, 0, 10, 0, 1, 0, 0, 0, 14]].concat();
    for version in [0, 1] {
        let file = with_auxiliary(version, &[22, 8], &[&one[..], &[2; 8]].concat());
        samples(&file, 1, |samples| {
            let first = samples[0].protection.unwrap().info;
            assert_eq!(first.iv, [1; 8]);
            assert_eq!(
                first.subsamples,
                [Subsample { clear: 5, encrypted: 10 }, Subsample { clear: 1, encrypted: 14 }]
            );
            let second = samples[1].protection.unwrap().info;
            assert_eq!((second.iv, second.subsamples), (&[2; 8][..], &[][..]));
        });
    }
}

#[test]
fn auxiliary_information_of_another_size_is_refused() {
    let error = SampleReader::parse(&with_auxiliary(0, &[8, 12], &[0; 20]), 1).err().unwrap();
    assert!(matches!(error, HeaderError::BadValue { field: "saiz sample_info_size", value: 12, .. }), "{error}");
    let error = SampleReader::parse(&with_auxiliary(0, &[8, 200], &[0; 20]), 1).err().unwrap();
    assert!(matches!(error, HeaderError::Truncated { field: "sample auxiliary information", .. }), "{error}");
    let error = SampleReader::parse(&with_auxiliary(0, &[8], &[0; 20]), 1).err().unwrap();
    assert!(matches!(error, HeaderError::SampleCountMismatch { field: "saiz", expected: 2, found: 1, .. }), "{error}");
}

#[test]
fn a_sample_without_ranges_is_protected_as_a_whole() {
    let table = full(b"senc", 0, 2, &[&words(&[1]), &[7; 8], &[0, 0]]);
    samples(&[movie(), moof(&[traf(1, &[trun(0, &[9]), table])])].concat(), 1, |samples| {
        let protection = samples[0].protection.unwrap();
        assert_eq!((protection.info.iv, protection.info.subsamples), (&[7; 8][..], &[][..]));
    });
}

#[test]
fn a_scheme_that_nobody_knows_is_named() {
    let entry = protected_entry(b"abcd", &encryption(0, 8, KID, &[]));
    let file = [fragmented(&[vec![entry]], &[]), moof(&[traf(1, &[trun(0, &[1])])])].concat();
    assert!(ContentHeader::parse(&file).unwrap().is_protected());
    let error = SampleReader::parse(&file, 1).err().unwrap();
    assert!(matches!(error, HeaderError::UnknownScheme { track: 1, scheme: FourCc([b'a', b'b', b'c', b'd']) }));
}

#[test]
fn of_two_schemes_the_one_that_can_be_decrypted_is_taken() {
    let known = sinf(b"cbcs", &encryption(0x19, 0, KID, &[3; 16]));
    let entry = mp4_box(b"encv", &[&[0; 78], &sinf(b"piff", &encryption(0, 8, OTHER_KID, &[])), &known]);
    let header = ContentHeader::parse(&fragmented(&[vec![entry]], &[])).unwrap();
    assert_eq!(header.scheme(), Some(FourCc(*b"cbcs")));
    assert_eq!(header.kids(), [Kid::new(KID)]);
}

#[test]
fn boxes_of_fragments_and_piff_are_protection_systems_too() {
    let pssh =
        ProtectionSystem { system: SystemId::COMMON, version: 1, kids: vec![Kid::new(OTHER_KID)], data: Vec::new() };
    let piff = mp4_box(b"uuid", &[&PIFF_PSSH, &pssh.to_bytes()[8..]]);
    for held in [pssh.to_bytes(), piff] {
        let header = ContentHeader::parse(&[movie(), moof(&[held])].concat()).unwrap();
        assert_eq!(header.systems(), std::slice::from_ref(&pssh));
        assert_eq!(header.kids(), [Kid::new(KID), Kid::new(OTHER_KID)]);
    }
}

#[test]
fn protection_systems_in_a_clear_movie_do_not_protect_it() {
    let pssh = ProtectionSystem { system: SystemId::COMMON, version: 1, kids: vec![Kid::new(KID)], data: Vec::new() };
    let movie = fragmented(&[vec![clear_entry()]], &[]);
    let header = ContentHeader::parse(&[movie, moof(&[pssh.to_bytes()])].concat()).unwrap();
    assert!(!header.is_protected());
    assert_eq!(header.kids().len(), 1);
}
