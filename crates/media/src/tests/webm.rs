//! WebM files made of elements: protected frames of every kind, and elements that lie.

use super::build::words;
use super::*;
use crate::table::Sample;
use proptest::prelude::*;

const KID: [u8; 16] = [0xA1; 16];
const IV: [u8; 8] = [7; 8];

/// An element of known size. Its ID is written as documents name it.
fn element(id: u32, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    [&id_bytes(id)[..], &(1 << 56 | body.len() as u64).to_be_bytes(), &body].concat()
}

/// The same without saying where it ends.
fn unknown(id: u32, parts: &[&[u8]]) -> Vec<u8> {
    [&id_bytes(id)[..], &[0xFF], &parts.concat()].concat()
}

fn id_bytes(id: u32) -> Vec<u8> {
    id.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect()
}

fn start() -> Vec<u8> {
    element(0x1A45_DFA3, &[&element(0x4282, &[b"webm"])])
}

fn encoding(kid: &[u8]) -> Vec<u8> {
    let settings = element(0x47E7, &[&element(0x47E8, &[&[1]])]);
    let encryption = element(0x5035, &[&element(0x47E1, &[&[5]]), &element(0x47E2, &[kid]), &settings]);
    let parts = [element(0x5031, &[&[0]]), element(0x5032, &[&[1]]), element(0x5033, &[&[1]]), encryption];
    element(0x6240, &[&parts.concat()])
}

fn track(number: u8, encodings: &[Vec<u8>]) -> Vec<u8> {
    let held = if encodings.is_empty() { Vec::new() } else { element(0x6D80, &[&encodings.concat()]) };
    element(0xAE, &[&element(0xD7, &[&[number]]), &element(0x83, &[&[1]]), &element(0x86, &[b"V_VP9"]), &held])
}

/// A protected track 1 and a clear track 2.
fn tracks() -> Vec<u8> {
    element(0x1654_AE6B, &[&track(1, &[encoding(&KID)]), &track(2, &[])])
}

fn block(number: u8, flags: u8, frame: &[&[u8]]) -> Vec<u8> {
    element(0xA3, &[&[0x80 | number, 0, 0, flags], &frame.concat()])
}

fn file(tracks: &[u8], blocks: &[Vec<u8>]) -> Vec<u8> {
    let cluster = element(0x1F43_B675, &[&element(0xE7, &[&[0]]), &blocks.concat()]);
    [start(), element(0x1853_8067, &[tracks, &cluster])].concat()
}

/// Clear and encrypted lengths; `None` for a clear frame.
type Ranges = Option<Vec<(u32, u32)>>;

fn read(bytes: &[u8], track: u32) -> Result<Vec<(Vec<u8>, Ranges)>, HeaderError> {
    let reader = SampleReader::parse(bytes, track)?;
    let describe = |sample: Sample<'_>| {
        let data = bytes[sample.offset as usize..][..sample.size as usize].to_vec();
        let ranges = sample.protection.map(|protection| {
            assert_eq!((protection.kid.as_bytes(), protection.info.iv), (&KID, &IV[..]));
            protection.info.subsamples.iter().map(|range| (range.clear, range.encrypted)).collect()
        });
        (data, ranges)
    };
    Ok(reader.samples().map(describe).collect())
}

fn refused(bytes: &[u8]) -> HeaderError {
    SampleReader::parse(bytes, 1).err().unwrap()
}

#[test]
fn a_webm_file_names_its_tracks_and_key() {
    let header = ContentHeader::parse(&file(&tracks(), &[])).unwrap();
    assert!(header.is_protected());
    assert_eq!(header.kids(), [Kid::new(KID)]);
    assert_eq!(header.scheme(), Some(FourCc(*b"cenc")));
    let found: Vec<_> =
        header.tracks().iter().map(|track| (track.id, track.handler, track.entries[0].format)).collect();
    assert_eq!(found, [(1, FourCc(*b"vide"), FourCc(*b"vp09")), (2, FourCc(*b"vide"), FourCc(*b"vp09"))]);
    let clear = ContentHeader::parse(&file(&element(0x1654_AE6B, &[&track(2, &[])]), &[])).unwrap();
    assert!(!clear.is_protected());
}

#[test]
fn frames_are_clear_encrypted_or_partitioned_as_their_signal_says() {
    let blocks = [
        block(1, 0x80, &[&[0], b"clear"]),
        block(2, 0x80, &[b"of another track"]),
        block(1, 0, &[&[1], &IV, b"encrypted"]),
        block(1, 0, &[&[3], &IV, &[3], &words(&[2, 6, 7]), b"partitions"]),
        block(1, 0, &[&[3], &IV, &[2], &words(&[0, 4]), b"from the first"]),
        block(1, 0, &[&[3], &IV, &[0], b"nothing is"]),
        element(0xA0, &[&element(0xFB, &[&[1]]), &element(0xA1, &[&[0x81, 0, 0, 0, 1], &IV, b"grouped"])]),
        block(1, 0, &[&[1], &IV]),
    ];
    let expected: [(&[u8], Ranges); 7] = [
        (b"clear", None),
        (b"encrypted", Some(vec![])),
        (b"partitions", Some(vec![(2, 4), (1, 3)])),
        (b"from the first", Some(vec![(0, 4), (10, 0)])),
        (b"nothing is", None),
        (b"grouped", Some(vec![])),
        (b"", Some(vec![])),
    ];
    let expected: Vec<_> = expected.into_iter().map(|(data, ranges)| (data.to_vec(), ranges)).collect();
    let known = file(&tracks(), &blocks);
    assert_eq!(read(&known, 1).unwrap(), expected);
    assert_eq!(read(&known, 2).unwrap(), [(b"of another track".to_vec(), None)]);
    let (first, second) = blocks.split_at(3);
    let live = [unknown(0x1F43_B675, &[&first.concat()]), unknown(0x1F43_B675, &[&second.concat()])].concat();
    let live = [start(), unknown(0x1853_8067, &[&element(0xEC, &[&[0; 9]]), &tracks(), &live])].concat();
    assert_eq!(read(&live, 1).unwrap(), expected);
    assert_eq!(ContentHeader::parse(&live).unwrap().kids(), [Kid::new(KID)]);
}

#[test]
fn tracks_behind_clusters_are_found_for_the_header_but_not_for_samples() {
    let blocks = block(1, 0, &[&[0], b"x"]);
    for cluster in [element(0x1F43_B675, &[&blocks]), unknown(0x1F43_B675, &[&blocks])] {
        let bytes = [start(), element(0x1853_8067, &[&cluster, &tracks()])].concat();
        assert_eq!(ContentHeader::parse(&bytes).unwrap().kids(), [Kid::new(KID)]);
        let error = refused(&bytes);
        assert!(matches!(error, HeaderError::Missing { field: "Tracks before the first block", .. }), "{error}");
    }
    let error = ContentHeader::parse(&[start(), element(0x1853_8067, &[])].concat()).unwrap_err();
    assert!(matches!(error, HeaderError::Missing { field: "Tracks", .. }), "{error}");
}

#[test]
fn a_header_is_read_although_the_rest_of_the_file_is_missing() {
    let whole = file(&tracks(), &[block(1, 0, &[&[0], &[0; 500]])]);
    let cut = &whole[..whole.len() - 400];
    assert_eq!(ContentHeader::parse(cut).unwrap().kids(), [Kid::new(KID)]);
    assert!(matches!(refused(cut), HeaderError::Truncated { field: "block", .. }));
}

#[test]
fn frames_that_lie_are_refused_with_the_place() {
    for (block, field) in [
        (block(1, 0x02, &[&[0], b"laced"]), "block lacing"),
        (block(1, 0x06, &[&[0], b"laced"]), "block lacing"),
        (block(1, 0, &[&[0x81], &IV, b"more signals"]), "block signal byte"),
        (block(1, 0, &[&[3], &IV, &[2], &words(&[4, 2]), b"backwards"]), "block partition offset"),
        (block(1, 0, &[&[3], &IV, &[2], &words(&[4, 200]), b"outside"]), "block partition offset"),
    ] {
        let error = refused(&file(&tracks(), &[block]));
        assert!(matches!(error, HeaderError::BadValue { field: named, .. } if named == field), "{field}: {error}");
    }
    for (block, field) in [
        (block(1, 0, &[]), "block signal byte"),
        (block(1, 0, &[&[1], &IV[..7]]), "block vector"),
        (block(1, 0, &[&[3], &IV]), "block num_partitions"),
        (block(1, 0, &[&[3], &IV, &[9], b"short"]), "block partition offset"),
        (element(0xA3, &[&[0x81, 0]]), "block timestamp"),
        (element(0xA3, &[]), "block track number"),
    ] {
        let error = refused(&file(&tracks(), &[block]));
        assert!(matches!(error, HeaderError::Truncated { field: named, .. } if named == field), "{field}: {error}");
    }
}

#[test]
fn encodings_that_cannot_be_undone_are_refused_for_samples() {
    let compression = element(0x6240, &[&element(0x5033, &[&[0]])]);
    let with = |encodings: &[Vec<u8>]| file(&element(0x1654_AE6B, &[&track(1, encodings)]), &[]);
    let both = with(&[compression, encoding(&KID)]);
    assert_eq!(ContentHeader::parse(&both).unwrap().kids(), [Kid::new(KID)]);
    let error = refused(&both);
    assert!(matches!(error, HeaderError::BadValue { field: "ContentEncodingType", .. }), "{error}");
    let short = with(&[encoding(b"short ID")]);
    assert!(ContentHeader::parse(&short).unwrap().is_protected());
    let error = refused(&short);
    assert!(matches!(error, HeaderError::Missing { field: "ContentEncKeyID of 16 bytes", .. }), "{error}");
    let mut cbc = encoding(&KID);
    let mode = cbc.len() - 1;
    cbc[mode] = 2;
    assert!(matches!(refused(&with(&[cbc])), HeaderError::UnknownScheme { track: 1, .. }));
    let empty = element(0x6240, &[&element(0x5033, &[&[1]])]);
    let error = ContentHeader::parse(&with(&[empty])).unwrap_err();
    assert!(matches!(error, HeaderError::Missing { field: "ContentEncryption", .. }), "{error}");
}

#[test]
fn whatever_an_encoding_encrypts_the_track_is_protected() {
    let number = |id: u32, value: u8| element(id, &[&[value]]);
    let encrypted = |scope: u8, algorithm: u8| {
        let encryption = element(0x5035, &[&number(0x47E1, algorithm), &element(0x47E2, &[&KID])]);
        element(0x6240, &[&number(0x5032, scope), &number(0x5033, 1), &encryption])
    };
    let compression = element(0x6240, &[&number(0x5031, 1), &number(0x5033, 0)]);
    // What the encodings are, whether the track is protected, whether its frames can be read.
    for (encodings, is_protected, is_read) in [
        (vec![encrypted(1, 5)], true, true),
        // The key of signatures only.
        (vec![encrypted(1, 0)], false, true),
        (vec![compression.clone()], false, false),
        // Private data too, private data only, the next encoding only.
        (vec![encrypted(3, 5)], true, false),
        (vec![encrypted(2, 5)], true, false),
        (vec![encrypted(4, 5), compression.clone()], true, false),
        // Another cipher; encryption twice; both orders; a kind that nobody knows, alone and beside.
        (vec![encrypted(1, 3)], true, false),
        (vec![encrypted(1, 5), encrypted(1, 5)], true, false),
        (vec![encrypted(1, 5), compression.clone()], true, false),
        (vec![compression, encrypted(1, 5)], true, false),
        (vec![element(0x6240, &[&number(0x5033, 2)])], true, false),
        (vec![encrypted(1, 5), element(0x6240, &[&number(0x5033, 9)])], true, false),
    ] {
        let bytes = file(&element(0x1654_AE6B, &[&track(1, &encodings)]), &[block(1, 0, &[&[0], b"clear"])]);
        assert_eq!(ContentHeader::parse(&bytes).unwrap().is_protected(), is_protected, "{encodings:x?}");
        assert_eq!(SampleReader::parse(&bytes, 1).is_ok(), is_read, "{encodings:x?}");
    }
    let damaged = element(0x6240, &[&number(0x5033, 1)]);
    let beside = [track(1, &[damaged]), track(2, &[encrypted(1, 5)])].concat();
    let header = ContentHeader::parse(&file(&element(0x1654_AE6B, &[&beside]), &[])).unwrap();
    assert_eq!((header.kids(), header.notes().count()), (&[Kid::new(KID)][..], 1));
    assert!(header.tracks().iter().all(|track| track.protection().is_some()));
}

#[test]
fn other_tracks_in_the_same_file_are_refused_for_samples() {
    let clear = element(0x1654_AE6B, &[&track(1, &[])]);
    let frame = block(1, 0, &[&[1], &[7; 8], b"locked"]);
    let joined = |second: &[u8]| {
        [file(&clear, std::slice::from_ref(&frame)), file(second, std::slice::from_ref(&frame))].concat()
    };
    let error = refused(&joined(&tracks()));
    assert!(matches!(error, HeaderError::NotSupported { field: "second Tracks", .. }), "{error}");
    assert_eq!(SampleReader::parse(&joined(&clear), 1).unwrap().len(), 2);
}

#[test]
fn elements_that_lie_about_their_size_or_nest_without_end_are_refused() {
    let good = file(&tracks(), &[]);
    let place = good.windows(4).position(|window| window == id_bytes(0x1654_AE6B)).unwrap();
    for size in [1 << 56 | 5000u64, 1 << 56 | 0xFF_FFFF_FFFF_FFFE, u64::MAX >> 7 | 1 << 56] {
        let mut bytes = good.clone();
        bytes[place + 4..place + 12].copy_from_slice(&size.to_be_bytes());
        let error = ContentHeader::parse(&bytes).unwrap_err();
        assert!(matches!(error, HeaderError::BadSize { offset, .. } if offset == place as u64), "{error}");
    }
    let nested = (0..20u8).rev().fold(Vec::new(), |inner: Vec<u8>, _| element(0x1F43_B675, &[&inner]));
    let error = refused(&[start(), element(0x1853_8067, &[&tracks(), &nested])].concat());
    assert!(matches!(error, HeaderError::TooMany { field: "nested elements", .. }), "{error}");
    let error = ContentHeader::parse(&[start(), vec![0x00, 0x81, 0]].concat()).unwrap_err();
    assert!(matches!(error, HeaderError::BadValue { field: "element ID", value: 0, .. }), "{error}");
    let many = element(0x1654_AE6B, &[&track(1, &[]).repeat(300)]);
    let error = ContentHeader::parse(&file(&many, &[])).unwrap_err();
    assert!(matches!(error, HeaderError::TooMany { field: "TrackEntry", .. }), "{error}");
    for number in [&[][..], &[0], &[1, 0, 0, 0, 0], &[0; 9]] {
        let entry = element(0xAE, &[&element(0xD7, &[number])]);
        let error = ContentHeader::parse(&file(&element(0x1654_AE6B, &[&entry]), &[])).unwrap_err();
        assert!(matches!(error, HeaderError::BadValue { field: "TrackNumber", .. }), "{error}");
    }
    assert!(matches!(SampleReader::parse(&good, 9), Err(HeaderError::NoSuchTrack { track: 9 })));
}

#[test]
fn only_webm_and_matroska_are_read() {
    for start in [element(0x1A45_DFA3, &[&element(0x4282, &[b"other"])]), element(0x1A45_DFA3, &[])] {
        let bytes = [start, element(0x1853_8067, &[&tracks()])].concat();
        assert!(matches!(ContentHeader::parse(&bytes), Err(HeaderError::NotRecognised)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_changed_webm_file_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let blocks = [block(1, 0, &[&[1], &IV, b"ab"]), block(1, 0, &[&[3], &IV, &[1], &words(&[2]), b"abcdef"])];
        let mut bytes = file(&tracks(), &blocks);
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        for bytes in [&bytes[..], &bytes[..cut.index(bytes.len())]] {
            let _ = ContentHeader::parse(bytes);
            let _ = SampleReader::parse(bytes, 1).map(|reader| reader.samples().for_each(drop));
        }
    }
}
