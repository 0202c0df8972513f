//! Small files in the shape of what people report about other readers (`tests/data/reported`), with the right answers, and
//! what stands beside them in the documents: other versions, counts, places and combinations of the same boxes.

use super::build::*;
use super::*;
use crate::cenc::{SampleCipher, Scheme};
use crate::table::Sample;

const T1: &str = "11111111222233334444555555555501";
const T2: &str = "11111111222233334444555555555502";
const T3: &str = "11111111222233334444555555555503";

/// A file, its key IDs, its scheme, and how many notes there are. All of it is protected.
type Answer = (&'static str, &'static [&'static str], Option<&'static [u8; 4]>, usize);

fn reported(name: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/reported");
    let mut found = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let path = found.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{name}-")));
    std::fs::read(path.unwrap_or_else(|| panic!("no {name}"))).unwrap()
}

#[test]
fn what_is_reported_says_what_it_is() {
    let answers: [Answer; 20] = [
        ("G11b", &[T1, T2, T3], Some(b"cenc"), 0),
        ("G1s", &[T1], Some(b"cenc"), 0),
        ("I15b", &[T1], Some(b"cenc"), 1),
        ("I19", &[T1], Some(b"cenc"), 0),
        ("I1b", &[T1], Some(b"cenc"), 0),
        ("I21", &[T1], Some(b"cbcs"), 0),
        ("I22b", &[T1], Some(b"cbcs"), 0),
        ("I24b", &[T1], Some(b"cenc"), 0),
        ("I3", &[T1], Some(b"cenc"), 1),
        ("I32", &[T1], Some(b"cenc"), 0),
        ("I41", &[], None, 0),
        ("I43", &[], Some(b"cenc"), 0),
        ("I45", &[T1], Some(b"cenc"), 0),
        ("I5", &[T1], Some(b"cenc"), 1),
        ("M14", &[T1, T2], Some(b"cenc"), 0),
        ("M15b", &[T1], Some(b"cenc"), 0),
        ("M6", &[T1], Some(b"cbcs"), 0),
        ("M8b", &[T1], Some(b"cenc"), 0),
        ("Z1", &[T1], Some(b"cenc"), 0),
        ("Z2", &[T1], Some(b"piff"), 0),
    ];
    for (name, kids, scheme, notes) in answers {
        let header = ContentHeader::parse(&reported(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(header.is_protected(), "{name}");
        assert_eq!(header.kids(), kids.iter().map(|text| kid(text)).collect::<Vec<_>>(), "{name}");
        assert_eq!(header.scheme(), scheme.map(|scheme| FourCc(*scheme)), "{name}");
        assert_eq!(header.notes().count(), notes, "{name}");
    }
    let mut kids = ContentHeader::parse(&reported("I23")).unwrap().kids().to_vec();
    kids.sort();
    assert_eq!(kids, [kid(T1), kid(T2), kid(T3)]);
}

/// The samples of a file, each decrypted under the key that it names; an all-zero key ID stands for the only one.
fn decrypted(bytes: &[u8]) -> Result<Vec<u8>, HeaderError> {
    let header = ContentHeader::parse(bytes)?;
    let reader = SampleReader::parse(bytes, header.tracks()[0].id)?;
    let mut clear = Vec::new();
    for sample in reader.samples() {
        let protection = sample.protection.unwrap();
        let is_elsewhere = protection.kid == Kid::new([0; 16]);
        let named = if is_elsewhere { header.kids()[0] } else { protection.kid };
        let number = named.as_bytes()[15] - 1;
        let key: [u8; 16] = std::array::from_fn(|index| number * 16 + index as u8 + 1);
        let mut data = bytes[sample.offset as usize..][..sample.size as usize].to_vec();
        SampleCipher::new(&key).decrypt_in_place(&protection.info, &mut data).unwrap();
        clear.extend(data);
    }
    Ok(clear)
}

#[test]
fn what_is_reported_decrypts_to_its_clear_samples() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/reported");
    let clear = std::fs::read(folder.join("clear.bin")).unwrap();
    for name in ["G1s", "M14", "M15b", "M6", "M8b", "Z1", "Z2"] {
        assert_eq!(decrypted(&reported(name)).unwrap(), clear, "{name}");
    }
    assert_eq!(decrypted(&reported("G11b")).unwrap(), clear.repeat(2));
    assert!(!SampleReader::parse(&reported("S-opus"), 1).unwrap().is_empty());
}

fn one_entry(encryption: &[u8]) -> Vec<Vec<Vec<u8>>> {
    vec![vec![protected_entry(b"cenc", encryption)]]
}

fn default_movie() -> Vec<u8> {
    fragmented(&one_entry(&encryption(0, 8, KID, &[])), &[])
}

fn kids_of(bytes: &[u8]) -> Result<Vec<u8>, HeaderError> {
    let reader = SampleReader::parse(bytes, 1)?;
    Ok(reader.samples().map(|sample| sample.protection.map_or(0, |known| known.kid.as_bytes()[0])).collect())
}

#[test]
fn the_default_group_holds_where_nothing_is_assigned() {
    let (other, third) = (encryption(0, 8, OTHER_KID, &[]), encryption(0, 8, [0xC3; 16], &[]));
    let senc = full(b"senc", 0, 0, &[&words(&[3]), &[1; 24]]);
    let one = full(b"sbgp", 0, 0, &[b"seig", &words(&[1, 1, 0])]);
    for version in [2, 3] {
        // In the movie, for all fragments; a fragment's own goes before it, whether or not its index says so.
        let shared = full(b"sgpd", version, 0, &[b"seig", &words(&[20, 1, 1]), &other]);
        let movie = fragmented(&one_entry(&encryption(0, 8, KID, &[])), &shared);
        for (index, expected) in
            [(None, [0xA1, 0xB2, 0xB2]), (Some(1), [0xA1, 0xC3, 0xC3]), (Some(0x1_0001), [0xA1, 0xC3, 0xC3])]
        {
            let local = index.map(|index| full(b"sgpd", version, 0, &[b"seig", &words(&[20, index, 1]), &third]));
            let boxes = [vec![trun(0, &[1, 2, 3]), senc.clone(), one.clone()], local.into_iter().collect()].concat();
            assert_eq!(kids_of(&[movie.clone(), moof(&[traf(1, &boxes)])].concat()).unwrap(), expected);
        }
        let local = full(b"sgpd", version, 0, &[b"seig", &words(&[20, 7, 1]), &third]);
        let bytes = [movie, moof(&[traf(1, &[trun(0, &[1, 2, 3]), senc.clone(), local])])].concat();
        assert!(matches!(
            kids_of(&bytes),
            Err(HeaderError::BadValue { field: "sbgp group_description_index", value: 7, .. })
        ));
    }
}

#[test]
fn every_version_of_a_group_is_read_or_refused() {
    let entry = encryption(0, 8, OTHER_KID, &[]);
    let sized = [&words(&[20])[..], &entry].concat();
    let assigned = full(b"sbgp", 0, 0, &[b"seig", &words(&[1, 1, 0x1_0001])]);
    let senc = full(b"senc", 0, 0, &[&words(&[1]), &[1; 8]]);
    let file = |boxes: &[Vec<u8>]| {
        let boxes = [&[trun(0, &[9]), senc.clone()], boxes].concat();
        [default_movie(), moof(&[traf(1, &boxes)])].concat()
    };
    for described in [
        full(b"sgpd", 0, 0, &[b"seig", &words(&[1]), &entry]),
        full(b"sgpd", 1, 0, &[b"seig", &words(&[20, 1]), &entry]),
        full(b"sgpd", 1, 0, &[b"seig", &words(&[0, 1]), &sized]),
        full(b"sgpd", 2, 0, &[b"seig", &words(&[20, 0, 1]), &entry]),
        full(b"sgpd", 3, 0, &[b"seig", &words(&[0, 0, 1]), &sized]),
    ] {
        assert_eq!(kids_of(&file(&[described.clone(), assigned.clone()])).unwrap(), [0xB2]);
        let parameter = full(b"sbgp", 1, 0, &[b"seig", &words(&[0, 1, 1, 0x1_0001])]);
        assert_eq!(kids_of(&file(&[parameter, described])).unwrap(), [0xB2]);
    }
    let good = full(b"sgpd", 1, 0, &[b"seig", &words(&[20, 1]), &entry]);
    let later = full(b"sgpd", 4, 0, &[b"seig", &words(&[20, 0, 1]), &entry]);
    let compact = full(b"csgp", 0, 0, &[b"seig", &words(&[0])]);
    let later_assigned = full(b"sbgp", 2, 0, &[b"seig", &words(&[0, 1, 1, 0x1_0001])]);
    for wrong in [
        vec![later.clone(), assigned.clone()],
        vec![good.clone(), compact],
        vec![good.clone(), good.clone(), assigned.clone()],
        vec![good.clone(), assigned.clone(), assigned],
        vec![good, later_assigned],
    ] {
        assert!(kids_of(&file(&wrong)).is_err());
    }
    // What cannot be read hides neither the track's key nor that of another group.
    let header = ContentHeader::parse(&file(&[later])).unwrap();
    assert_eq!((header.kids(), header.notes().count()), (&[Kid::new(KID)][..], 1));
    let bad = [&[0, 0, 7, 8][..], &OTHER_KID].concat();
    let mixed = full(b"sgpd", 1, 0, &[b"seig", &words(&[20, 2]), &bad, &encryption(0, 8, [0xC3; 16], &[])]);
    let header = ContentHeader::parse(&file(std::slice::from_ref(&mixed))).unwrap();
    assert_eq!((header.kids(), header.notes().count()), (&[Kid::new(KID), Kid::new([0xC3; 16])][..], 1));
    // The samples of the bad group cannot be read; the others can.
    for (index, fine) in [(0x1_0001, false), (0x1_0002, true)] {
        let assigned = full(b"sbgp", 0, 0, &[b"seig", &words(&[1, 1, index])]);
        assert_eq!(kids_of(&file(&[mixed.clone(), assigned])).is_ok(), fine);
    }
}

#[test]
fn several_keys_for_one_sample_are_named_and_refused() {
    let several = [&[0x80, 0, 1, 0, 2, 8][..], &OTHER_KID, &[0], &[0xC3; 16], &[16], &[9; 16]].concat();
    let described = full(b"sgpd", 1, 0, &[b"seig", &words(&[several.len() as u32, 1]), &several]);
    let assigned = full(b"sbgp", 0, 0, &[b"seig", &words(&[1, 1, 0x1_0001])]);
    let bytes = [default_movie(), moof(&[traf(1, &[trun(0, &[9]), described, assigned])])].concat();
    let header = ContentHeader::parse(&bytes).unwrap();
    assert_eq!(header.kids(), [Kid::new(KID), Kid::new(OTHER_KID), Kid::new([0xC3; 16])]);
    let error = SampleReader::parse(&bytes, 1).err().unwrap();
    assert!(matches!(error, HeaderError::NotSupported { field: "several keys for one sample (seig)", .. }), "{error}");
}

#[test]
fn later_versions_of_sample_data_are_refused() {
    let body = [&words(&[1])[..], &[1; 8]].concat();
    for (version, flags) in [(1, 0), (2, 2), (255, 0), (0, 1), (0, 3)] {
        let senc = full(b"senc", version, flags, &[&body, &[0; 20]]);
        let bytes = [default_movie(), moof(&[traf(1, &[trun(0, &[9]), senc])])].concat();
        let error = SampleReader::parse(&bytes, 1).err().unwrap();
        assert!(matches!(error, HeaderError::BadValue { field: "senc version and flags", .. }), "{error}");
    }
}

#[test]
fn a_track_of_a_later_version_is_protected_and_noted() {
    let later = full(b"tenc", 2, 0, &[&encryption(0, 8, OTHER_KID, &[])]);
    let schm = full(b"schm", 0, 0, &[b"cenc", &words(&[0x10000])]);
    let sinf = mp4_box(b"sinf", &[&mp4_box(b"frma", &[b"avc1"]), &schm, &mp4_box(b"schi", &[&later])]);
    let entry = mp4_box(b"encv", &[&[0; 78], &sinf]);
    let alone = fragmented(&[vec![entry.clone()]], &[]);
    let error = ContentHeader::parse(&alone).unwrap_err();
    assert!(matches!(error, HeaderError::BadValue { field: "tenc version", value: 2, .. }), "{error}");
    let both = fragmented(&[vec![entry], vec![protected_entry(b"cenc", &encryption(0, 8, KID, &[]))]], &[]);
    let header = ContentHeader::parse(&both).unwrap();
    assert_eq!((header.kids(), header.notes().count()), (&[Kid::new(KID)][..], 1));
    assert!(header.tracks().iter().all(|track| track.protection().is_some()));
    let bytes = [both, moof(&[traf(1, &[trun(0, &[9])])])].concat();
    assert!(matches!(SampleReader::parse(&bytes, 1).err(), Some(HeaderError::Missing { field: "tenc", .. })));
}

#[test]
fn sample_entries_are_protected_as_their_codes_say() {
    let sinf = sinf(b"cenc", &encryption(0, 8, KID, &[]));
    let fixed: [(&[u8; 4], usize); 12] = [
        (b"encv", 78),
        (b"enca", 28),
        (b"enca", 44),
        (b"enca", 64),
        (b"encu", 31),
        (b"encs", 8),
        (b"enct", 40),
        (b"encm", 17),
        (b"encf", 9),
        (b"drmi", 78),
        (b"drms", 28),
        (b"resv", 78),
    ];
    for (kind, length) in fixed {
        // The name of the box in a text before it is no box.
        let mut before = vec![b' '; length];
        before[..8].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 1]);
        let mut text = before.clone();
        text.extend(b"urn:sinf\0");
        for fields in [before, text] {
            let entry = mp4_box(kind, &[&fields, &sinf]);
            let header = ContentHeader::parse(&fragmented(&[vec![entry]], &[])).unwrap();
            assert!(header.is_protected());
            assert_eq!((header.kids(), header.notes().count()), (&[Kid::new(KID)][..], 0), "{kind:?} {length}");
        }
    }
    for (kind, protected) in [(b"mett", false), (b"stpp", false), (b"resv", false), (b"aavd", true)] {
        let bytes = fragmented(&[vec![mp4_box(kind, &[&[0; 78]])]], &[]);
        assert_eq!(ContentHeader::parse(&bytes).unwrap().is_protected(), protected, "{kind:?}");
        let bytes = [bytes, moof(&[traf(1, &[trun(0, &[9])])])].concat();
        assert_eq!(SampleReader::parse(&bytes, 1).is_err(), protected, "{kind:?}");
    }
    for kind in [b"encv", b"enc3", b"drms"] {
        let bytes = fragmented(&[vec![mp4_box(kind, &[&[0; 78]])]], &[]);
        let error = ContentHeader::parse(&bytes).unwrap_err();
        assert!(matches!(error, HeaderError::Missing { field: "sinf", .. }), "{error}");
    }
}

#[test]
fn one_bad_sinf_does_not_hide_the_next() {
    let bad = mp4_box(b"sinf", &[&mp4_box(b"frma", &[b"avc1"])]);
    let entry = mp4_box(b"encv", &[&[0; 78], &bad, &sinf(b"cenc", &encryption(0, 8, KID, &[]))]);
    let header = ContentHeader::parse(&fragmented(&[vec![entry]], &[])).unwrap();
    assert_eq!(
        (header.kids(), header.scheme(), header.notes().count()),
        (&[Kid::new(KID)][..], Some(FourCc(*b"cenc")), 1)
    );
}

#[test]
fn what_an_unknown_scheme_calls_clear_is_not_believed() {
    let clear = [&[0, 0, 0, 0][..], &KID].concat();
    let bytes = [fragmented(&[vec![protected_entry(b"abcd", &clear)]], &[]), moof(&[traf(1, &[trun(0, &[9])])])];
    assert!(matches!(SampleReader::parse(&bytes.concat(), 1).err(), Some(HeaderError::UnknownScheme { .. })));
}

#[test]
fn another_movie_in_the_same_file_is_named_and_its_samples_are_refused() {
    let (clear, locked) = (fragmented(&[vec![clear_entry()]], &[]), default_movie());
    let fragment = moof(&[traf(1, &[trun(0, &[9]), senc(&[(1, 0, 9)])])]);
    let joined = [clear.clone(), fragment.clone(), locked.clone(), fragment.clone()].concat();
    let header = ContentHeader::parse(&joined).unwrap();
    assert!(header.is_protected());
    assert_eq!(header.kids(), [Kid::new(KID)]);
    let error = SampleReader::parse(&joined, 1).err().unwrap();
    assert!(matches!(error, HeaderError::NotSupported { field: "second moov", .. }), "{error}");
    let same = [locked.clone(), fragment.clone(), locked, fragment].concat();
    assert_eq!(SampleReader::parse(&same, 1).unwrap().len(), 2);
    assert_eq!(ContentHeader::parse(&same).unwrap().tracks().len(), 1);
}

/// A fragment of three samples with these boxes, under a key with vectors of this size.
fn with_boxes(iv_size: u8, boxes: &[Vec<u8>]) -> Vec<u8> {
    let constant: &[u8] = if iv_size == 0 { &[9; 16] } else { &[] };
    let movie = fragmented(&[vec![protected_entry(b"cbcs", &encryption(0, iv_size, KID, constant))]], &[]);
    [movie, moof(&[traf(1, &[&[trun(0, &[4, 5, 6])], boxes].concat())])].concat()
}

#[test]
fn an_empty_or_short_table_is_enough_where_samples_need_none() {
    let whole = |bytes: &[u8]| {
        let reader = SampleReader::parse(bytes, 1)?;
        let is_whole = |sample: Sample<'_>| {
            let protection = sample.protection.unwrap();
            protection.info.subsamples.is_empty() && protection.info.iv.len() == 16
        };
        Ok::<_, HeaderError>(reader.samples().all(is_whole))
    };
    let empty = full(b"senc", 0, 0, &[&words(&[0])]);
    let senc = full(b"senc", 0, 0, &[&words(&[3]), &[1; 48]]);
    let saiz = |count: u32| full(b"saiz", 0, 0, &[&[16], &words(&[count])]);
    let saio = full(b"saio", 0, 0, &[&words(&[1, 0])]);
    for (iv_size, boxes) in [
        (0, vec![]),
        (0, vec![empty.clone()]),
        (0, vec![full(b"senc", 0, 2, &[&words(&[0])])]),
        (0, vec![full(b"saiz", 0, 0, &[&[0], &words(&[0])]), saio.clone()]),
        (16, vec![senc.clone(), saiz(2), saio.clone()]),
        (16, vec![saiz(9), saio.clone(), senc.clone()]),
        (16, vec![saiz(3), senc.clone()]),
        // A sample without ranges among others is protected as a whole.
        (16, vec![full(b"senc", 0, 2, &[&words(&[3]), &[[1; 16].as_slice(), &[0, 0]].concat().repeat(3)])]),
    ] {
        assert!(whole(&with_boxes(iv_size, &boxes)).unwrap(), "{iv_size}");
    }
    for boxes in [
        vec![],
        vec![empty.clone()],
        vec![empty, saiz(3)],
        vec![saiz(2), saio.clone()],
        vec![saiz(4), saio],
        vec![full(b"senc", 0, 0, &[&words(&[2]), &[1; 48]])],
    ] {
        assert!(whole(&with_boxes(16, &boxes)).is_err());
    }
}

#[test]
fn a_scheme_keeps_its_own_cipher_beside_a_forerunners_box() {
    let uuid = [&0x8974_DBCE_7BE7_4C51_84F9_7148_F988_2554_u128.to_be_bytes()[..], &words(&[0, 0x0210]), &KID].concat();
    let schm = full(b"schm", 0, 0, &[b"cenc", &words(&[0x10000])]);
    let schi = mp4_box(b"schi", &[&mp4_box(b"uuid", &[&uuid])]);
    let sinf = mp4_box(b"sinf", &[&mp4_box(b"frma", &[b"avc1"]), &schm, &schi]);
    let header = ContentHeader::parse(&fragmented(&[vec![mp4_box(b"encv", &[&[0; 78], &sinf])]], &[])).unwrap();
    assert_eq!(header.tracks()[0].protection().unwrap().cipher, Some(Scheme::Cenc));
}
