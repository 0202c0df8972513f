//! Files that lie. Each is refused with the place named, or read without harm; none is believed before it is checked.

use super::build::*;
use super::*;
use proptest::prelude::*;
use std::io::{Seek as _, SeekFrom, Write as _};

fn movie() -> Vec<u8> {
    fragmented(&[vec![protected_entry(b"cenc", &encryption(0, 8, KID, &[]))], vec![clear_entry()]], &[])
}

fn sample_error(bytes: &[u8], track: u32) -> HeaderError {
    SampleReader::parse(bytes, track).err().unwrap()
}

/// Reads everything that can be read; what matters is that it ends without a panic.
fn read_all(bytes: &[u8]) -> Result<(), HeaderError> {
    let header = ContentHeader::parse(bytes)?;
    for track in header.tracks() {
        SampleReader::parse(bytes, track.id)?.samples().for_each(drop);
    }
    Ok(())
}

#[test]
fn other_files_are_not_recognised() {
    for bytes in [&b""[..], b"x", b"\0\0\0\x08", b"RIFF\0\0\0\0WAVE", b"\x1a\x45\xdf\xa3\x84\x42\x82\x81x", &[0; 4096]]
    {
        assert!(matches!(ContentHeader::parse(bytes), Err(HeaderError::NotRecognised)), "{bytes:?}");
    }
    assert!(matches!(read_file(Path::new("/nowhere/at/all")), Err(HeaderError::Io(_))));
}

#[test]
fn a_media_file_without_a_movie_says_what_is_missing() {
    let start = mp4_box(b"ftyp", &[b"iso6"]);
    let error = ContentHeader::parse(&start).unwrap_err();
    assert!(matches!(error, HeaderError::Missing { field: "moov", .. }), "{error}");
    let unfinished = [start, words(&[5000]), b"mdat some".to_vec()].concat();
    let error = ContentHeader::parse(&unfinished).unwrap_err();
    assert!(matches!(error, HeaderError::Truncated { offset: 12, .. }), "{error}");
}

#[test]
fn sizes_below_the_header_and_beyond_the_parent_are_refused() {
    let good = movie();
    let moov = good.windows(4).position(|window| window == b"moov").unwrap() - 4;
    for (size, place) in [(7, moov), (4, moov + 8), (0x7FFF_FFFF, moov + 8), (u32::MAX, moov + 8)] {
        let mut bytes = good.clone();
        bytes[place..place + 4].copy_from_slice(&words(&[size]));
        let error = ContentHeader::parse(&bytes).unwrap_err();
        assert!(matches!(error, HeaderError::BadSize { offset, .. } if offset == place as u64), "{error}");
    }
    let mut bytes = good.clone();
    bytes[moov..moov + 4].copy_from_slice(&words(&[u32::MAX]));
    let error = ContentHeader::parse(&bytes).unwrap_err();
    assert!(matches!(error, HeaderError::Truncated { field: "moov", .. }), "{error}");
}

#[test]
fn boxes_with_64_bit_sizes_and_to_the_end_are_read() {
    let good = movie();
    let moov = &good[24..];
    assert_eq!(&good[20..24], b"moov");
    let large = [&good[..16], &words(&[1]), b"moov", &words(&[0, moov.len() as u32 + 16]), moov].concat();
    assert_eq!(ContentHeader::parse(&large).unwrap().kids(), [Kid::new(KID)]);
    let to_the_end = [&good[..16], &words(&[0]), b"moov", moov].concat();
    assert_eq!(ContentHeader::parse(&to_the_end).unwrap().kids(), [Kid::new(KID)]);
    for size in [[0, 15], [u32::MAX, u32::MAX]] {
        let lying = [&good[..], &words(&[1]), b"mdat", &words(&size)].concat();
        let error = ContentHeader::parse(&lying).unwrap_err();
        assert!(matches!(error, HeaderError::BadSize { kind: FourCc([b'm', b'd', b'a', b't']), .. }), "{error}");
    }
}

#[test]
fn boxes_nested_without_end_cost_nothing() {
    let mut nested = Vec::new();
    for depth in 0..20_000u32 {
        nested.extend(words(&[(20_000 - depth) * 8]));
        nested.extend(b"moov");
    }
    let error = read_all(&[mp4_box(b"ftyp", &[]), nested.clone()].concat());
    assert!(error.is_ok(), "a movie without tracks is empty");
    let mut file = movie();
    file.extend(moof(&[nested]));
    assert!(read_all(&file).is_ok());
}

#[test]
fn counts_without_the_bytes_for_them_are_refused() {
    let huge = words(&[u32::MAX]);
    let pssh = full(b"pssh", 1, 0, &[&[0; 16], &huge, &[0; 64]]);
    let error = ContentHeader::parse(&pssh).unwrap_err();
    assert!(matches!(error, HeaderError::Truncated { field: "pssh KID_count", offset: 28 }), "{error}");
    let pssh = full(b"pssh", 0, 0, &[&[0; 16], &huge, &[0; 64]]);
    let error = ContentHeader::parse(&pssh).unwrap_err();
    assert!(matches!(error, HeaderError::Truncated { field: "pssh DataSize", .. }), "{error}");
    for run in [full(b"trun", 0, 0x200, &[&huge, &[0; 64]]), full(b"trun", 0, 0xF05, &[&huge, &[0; 64]])] {
        let error = sample_error(&[movie(), moof(&[traf(1, &[run])])].concat(), 1);
        assert!(matches!(error, HeaderError::Truncated { field: "trun sample_count", .. }), "{error}");
    }
    let groups = full(b"sgpd", 1, 0, &[b"seig", &words(&[20]), &huge, &[0; 64]]);
    let file = [movie(), moof(&[traf(1, &[trun(0, &[9]), groups])])].concat();
    let error = sample_error(&file, 1);
    assert!(matches!(error, HeaderError::Truncated { field: "sgpd entry_count", .. }), "{error}");
    assert_eq!(ContentHeader::parse(&file).unwrap().notes().count(), 1, "the track's own key is still named");
}

#[test]
fn counts_that_need_no_bytes_stop_at_the_limit() {
    let run = full(b"trun", 0, 0, &[&words(&[u32::MAX])]);
    let file = [movie(), moof(&[traf(1, std::slice::from_ref(&run))])].concat();
    assert!(matches!(sample_error(&file, 1), HeaderError::TooMany { field: "samples", .. }));
    assert_eq!(SampleReader::parse(&file, 2).unwrap().len(), 0, "another track's run is not counted out");
    let tables = [
        full(b"stsz", 0, 0, &[&words(&[1, u32::MAX])]),
        full(b"stsc", 0, 0, &[&words(&[1, 1, u32::MAX, 1])]),
        full(b"stco", 0, 0, &[&words(&[1, 0])]),
    ];
    let moov = mp4_box(b"moov", &[&trak(1, &[clear_entry()], &tables.concat())]);
    assert!(matches!(sample_error(&moov, 1), HeaderError::TooMany { field: "samples", .. }));
    let mut many = trak(1, &[clear_entry()], &no_samples());
    let count = many.windows(4).position(|window| window == b"stsd").unwrap() + 8;
    many[count..count + 4].copy_from_slice(&words(&[u32::MAX]));
    let error = ContentHeader::parse(&mp4_box(b"moov", &[&many])).unwrap_err();
    assert!(matches!(error, HeaderError::TooMany { field: "stsd entry_count", .. }), "{error}");
    let error = ContentHeader::parse(&mp4_box(b"moov", &[&trak(1, &[], &[]).repeat(300)])).unwrap_err();
    assert!(matches!(error, HeaderError::TooMany { field: "trak", .. }), "{error}");
}

#[test]
fn tables_for_another_number_of_samples_are_refused() {
    for found in [0, 1, 3] {
        let table = senc(&vec![(1, 0, 9); found]);
        let error = sample_error(&[movie(), moof(&[traf(1, &[trun(0, &[9, 9]), table])])].concat(), 1);
        let HeaderError::SampleCountMismatch { track: 1, field: "senc", expected: 2, found: named, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(named, found as u64);
    }
    for chunk in [1, 3] {
        let tables = [
            full(b"stsz", 0, 0, &[&words(&[0, 2, 9, 9])]),
            full(b"stsc", 0, 0, &[&words(&[1, 1, chunk, 1])]),
            full(b"stco", 0, 0, &[&words(&[1, 0])]),
        ];
        let moov = mp4_box(b"moov", &[&trak(1, &[clear_entry()], &tables.concat())]);
        let error = sample_error(&moov, 1);
        assert!(matches!(error, HeaderError::SampleCountMismatch { field: "stsc", expected: 2, .. }), "{error}");
    }
}

#[test]
fn runs_that_point_outside_the_number_range_are_refused() {
    let tfhd = full(b"tfhd", 0, 1, &[&words(&[1, 0, 5])]);
    let run = full(b"trun", 0, 0x201, &[&words(&[1, 0xFFFF_FF00, 9])]);
    let error = sample_error(&[movie(), moof(&[mp4_box(b"traf", &[&tfhd, &run])])].concat(), 1);
    assert!(matches!(error, HeaderError::BadValue { field: "trun data_offset", .. }), "{error}");
    let tfhd = full(b"tfhd", 0, 1, &[&words(&[1, u32::MAX, u32::MAX])]);
    let run = full(b"trun", 0, 0x200, &[&words(&[1, 9])]);
    let error = sample_error(&[movie(), moof(&[mp4_box(b"traf", &[&tfhd, &run])])].concat(), 1);
    assert!(matches!(error, HeaderError::BadValue { field: "trun data", .. }), "{error}");
}

#[test]
fn impossible_encryption_parameters_are_refused() {
    for (place, value, field) in [
        (2, 2, "encryption isProtected"),
        (3, 7, "encryption Per_Sample_IV_Size"),
        (3, 0, "encryption constant_IV_size"),
    ] {
        let mut parameters = [encryption(0, 8, KID, &[]), vec![5]].concat();
        parameters[place] = value;
        let error = ContentHeader::parse(&fragmented(&[vec![protected_entry(b"cbcs", &parameters)]], &[])).unwrap_err();
        assert!(matches!(error, HeaderError::BadValue { field: named, .. } if named == field), "{error}");
    }
    let error = ContentHeader::parse(&fragmented(&[vec![mp4_box(b"encv", &[&[0; 78]])]], &[])).unwrap_err();
    assert!(matches!(error, HeaderError::Missing { field: "sinf", .. }), "{error}");
}

#[test]
fn a_header_larger_than_any_honest_one_is_not_loaded() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&mp4_box(b"ftyp", &[b"iso6"])).unwrap();
    file.write_all(&[&words(&[1])[..], b"moov", &words(&[0, 100 << 20])].concat()).unwrap();
    file.set_len(12 + (100 << 20)).unwrap();
    let error = ContentHeader::read(file).unwrap_err();
    assert!(matches!(error, HeaderError::TooLarge { offset: 28, field: "moov", .. }), "{error}");
}

#[test]
fn media_data_of_any_size_is_skipped() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let size: u64 = 10 << 30;
    file.write_all(&[&words(&[1])[..], b"mdat", &size.to_be_bytes()].concat()).unwrap();
    file.seek(SeekFrom::Start(size)).unwrap();
    file.write_all(&movie()).unwrap();
    file.flush().unwrap();
    assert_eq!(read_file(file.path()).unwrap().kids(), [Kid::new(KID)]);
}

#[test]
fn a_file_cut_at_any_length_is_refused_or_read() {
    for name in ["packager-cenc-video.mp4", "packager-cbcs-audio.mp4", "ffmpeg-cenc-prog.mp4"] {
        let bytes = std::fs::read(media(name)).unwrap();
        let moov = bytes.windows(4).position(|window| window == b"moov").unwrap();
        for length in 0..bytes.len() {
            let result = read_all(&bytes[..length]);
            assert!(length > moov || result.is_err(), "{name} at {length} has no movie");
        }
    }
}

fn real_file() -> impl Strategy<Value = Vec<u8>> {
    let names: Vec<PathBuf> = std::fs::read_dir(media("")).unwrap().map(|entry| entry.unwrap().path()).collect();
    prop::sample::select(names).prop_map(|path| std::fs::read(path).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_changed_file_never_panics(
        mut bytes in real_file(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        word in any::<(prop::sample::Index, prop::sample::Index)>(),
    ) {
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let extremes = [0, 1, 7, 0x7FFF_FFFF, 0x8000_0000, u32::MAX];
        let place = word.0.index(bytes.len() - 4);
        bytes[place..place + 4].copy_from_slice(&words(&[extremes[word.1.index(extremes.len())]]));
        let _ = read_all(&bytes);
    }

    #[test]
    fn noise_after_a_box_type_never_panics(
        kind in prop::sample::select(vec![b"moov", b"moof", b"pssh", b"ftyp", b"mdat"]),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = read_all(&mp4_box(kind, &[&noise]));
        let _ = read_all(&[movie(), mp4_box(kind, &[&noise])].concat());
        let _ = read_all(&noise);
    }
}
