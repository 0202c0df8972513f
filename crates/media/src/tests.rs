//! Headers of real files and of initialization data. Rare and hostile ones are in the submodules.

mod build;
mod clear;
mod formats;
mod fragments;
mod hostile;
mod packaged;
mod piff;
mod progressive;
mod reported;
mod webm;

use crate::error::HeaderError;
use crate::fourcc::FourCc;
use crate::header::ContentHeader;
use crate::mp4::PIFF_PSSH;
use crate::pssh::ProtectionSystem;
use crate::recognize::Container;
use crate::samples::SampleReader;
use crate::system::SystemId;
use std::fs::File;
use std::path::{Path, PathBuf};
use wmlicense_wire::id::Kid;

const VIDEO: &str = "a1a2a3a4b1b2c1c2d1d2d3d4d5d6d7d8";
const AUDIO: &str = "0f0e0d0c0b0a09080706050403020100";

fn media(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/media").join(name)
}

fn kid(text: &str) -> Kid {
    Kid::from_hex(text).unwrap()
}

fn read_file(path: &Path) -> Result<ContentHeader, HeaderError> {
    ContentHeader::read(File::open(path)?)
}

fn open_samples(path: &Path, track: u32) -> Result<SampleReader, HeaderError> {
    SampleReader::read(File::open(path)?, track)
}

fn track_with(path: &Path, handler: &[u8; 4]) -> u32 {
    read_file(path).unwrap().tracks().iter().find(|track| track.handler == *handler).unwrap().id
}

#[test]
fn packaged_files_name_their_scheme_and_key() {
    for scheme in [b"cenc", b"cens", b"cbc1", b"cbcs"] {
        let text = std::str::from_utf8(scheme).unwrap();
        for (kind, name, handler, format) in [("video", VIDEO, b"vide", b"avc1"), ("audio", AUDIO, b"soun", b"mp4a")] {
            let header = read_file(&media(&format!("packager-{text}-{kind}.mp4"))).unwrap();
            assert!(header.is_protected());
            assert_eq!(header.scheme(), Some(FourCc(*scheme)));
            assert_eq!(header.kids()[0], kid(name));
            let track = &header.tracks()[0];
            assert_eq!(track.handler, *handler);
            assert_eq!(track.entries[0].format, *format);
            assert_eq!(track.default_kids().collect::<Vec<_>>(), [kid(name)]);
            assert_eq!(header.license_url(), None);
        }
    }
}

#[test]
fn patterns_and_vectors_are_those_of_the_scheme() {
    let defaults = |name: &str| {
        let header = read_file(&media(name)).unwrap();
        header.tracks()[0].protection().unwrap().defaults.unwrap()
    };
    let cbcs = defaults("packager-cbcs-video.mp4");
    assert_eq!((cbcs.crypt_byte_block, cbcs.skip_byte_block, cbcs.iv_size), (1, 9, 0));
    assert_eq!(cbcs.constant_iv.as_slice().len(), 16);
    let cenc = defaults("packager-cenc-video.mp4");
    assert_eq!((cenc.crypt_byte_block, cenc.skip_byte_block, cenc.iv_size), (0, 0, 8));
    assert!(cenc.constant_iv.as_slice().is_empty());
    let cens = defaults("packager-cens-video.mp4");
    assert_eq!((cens.crypt_byte_block, cens.skip_byte_block), (1, 9));
}

#[test]
fn a_clear_file_is_not_protected() {
    let header = read_file(&media("src.mp4")).unwrap();
    assert!(!header.is_protected());
    assert_eq!(header.scheme(), None);
    assert!(header.kids().is_empty() && header.systems().is_empty());
    assert_eq!(header.tracks().len(), 2);
    assert!(read_file(&media("packager-cenc-audio.mp4")).unwrap().is_protected());
}

#[test]
fn a_file_and_its_bytes_give_the_same_header() {
    for entry in std::fs::read_dir(media("")).unwrap() {
        let path = entry.unwrap().path();
        let of_bytes = ContentHeader::parse(&std::fs::read(&path).unwrap()).unwrap();
        let of_file = read_file(&path).unwrap();
        assert_eq!(of_file.kids(), of_bytes.kids());
        assert_eq!(of_file.tracks(), of_bytes.tracks());
        assert_eq!(of_file.systems(), of_bytes.systems());
    }
}

#[test]
fn a_file_without_per_sample_data_is_refused() {
    let path = media("ffmpeg-cenc-frag.mp4");
    assert!(read_file(&path).unwrap().is_protected());
    for handler in [b"vide", b"soun"] {
        let track = track_with(&path, handler);
        match open_samples(&path, track) {
            Err(HeaderError::NoSampleData { track: named, .. }) => assert_eq!(named, track),
            other => panic!("{:?}", other.err()),
        }
    }
}

#[test]
fn a_track_with_more_entries_than_samples_is_refused() {
    let path = media("ffmpeg8-cenc-frag.mp4");
    let track = track_with(&path, b"soun");
    let error = open_samples(&path, track).err().unwrap();
    match &error {
        HeaderError::SampleCountMismatch { track: named, expected: 52, found: 88, .. } => assert_eq!(*named, track),
        other => panic!("{other:?}"),
    }
    assert!(error.to_string().contains("88 samples of track"), "{error}");
    assert_eq!(open_samples(&path, track_with(&path, b"vide")).unwrap().len(), 20);
}

#[test]
fn a_track_that_is_not_there_is_named() {
    let error = open_samples(&media("src.mp4"), 77).err().unwrap();
    assert!(matches!(error, HeaderError::NoSuchTrack { track: 77 }));
}

#[test]
fn key_ids_come_from_json_with_and_without_padding() {
    let json = br#" {"kids":["oaKjpLGywcLR0tPU1dbX2A","Dw4NDAsKCQgHBgUEAwIBAA=="],"type":"temporary"}"#;
    let header = ContentHeader::parse(json).unwrap();
    assert_eq!(header.kids(), [kid(VIDEO), kid(AUDIO)]);
    assert!(header.is_protected() && header.tracks().is_empty());
    for bad in [&b"{"[..], b"{}", br#"{"kids":["AAAA"]}"#, br#"{"kids":[7]}"#, br#"{"kids":["!"]}"#] {
        let error = ContentHeader::parse(bad).unwrap_err();
        assert!(matches!(error, HeaderError::BadText { offset: 0, field: "keyids" }), "{error}");
    }
}

#[test]
fn our_own_box_carries_key_ids_and_the_license_url() {
    let system = ProtectionSystem {
        system: SystemId::WMLICENSE,
        version: 1,
        kids: vec![kid(VIDEO), kid(AUDIO), Kid::new([0; 16])],
        data: b"https://licenses.example/v1".to_vec(),
    };
    let common = ProtectionSystem { system: SystemId::COMMON, data: Vec::new(), ..system.clone() };
    let bytes = [system.to_bytes(), common.to_bytes(), system.to_bytes()].concat();
    let header = ContentHeader::parse(&bytes).unwrap();
    assert_eq!(header.systems(), [system, common], "a repeated box counts once");
    assert_eq!(header.kids(), [kid(VIDEO), kid(AUDIO)], "an all-zero key ID names no key");
    assert_eq!(header.license_url(), Some("https://licenses.example/v1"));
    assert_eq!(header.systems()[0].system.to_string(), "12a7e563-e111-4055-b7d8-957152b8d2fe");
}

#[test]
fn a_license_url_that_is_no_url_is_refused() {
    for data in [&b"ftp://x"[..], b"https://a b", b"https://\xff", &[b'h'; 3000]] {
        let system =
            ProtectionSystem { system: SystemId::WMLICENSE, version: 1, kids: Vec::new(), data: data.to_vec() };
        let error = ContentHeader::parse(&system.to_bytes()).unwrap_err();
        assert!(matches!(error, HeaderError::BadText { field: "pssh license URL", .. }));
    }
}

#[test]
fn boxes_of_other_systems_are_read_and_written_back() {
    let table = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/testdata/pssh/pssh-boxes.tsv");
    // The table belongs to others and lies beside the repository on some machines only.
    let Ok(table) = std::fs::read_to_string(table) else { return };
    let mut boxes = 0;
    for line in table.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::STANDARD.decode(columns[3]).unwrap();
        let header = ContentHeader::parse(&bytes).unwrap_or_else(|error| panic!("{}: {error}", columns[0]));
        assert_eq!(header.notes().count(), 0, "{}", columns[0]);
        if columns[0].contains("-PRO-") {
            assert_eq!((header.container(), header.kids().len()), (Container::PlayReadyObject, 1), "{}", columns[0]);
        } else {
            assert_eq!(header.systems()[0].to_bytes(), bytes, "{}", columns[0]);
            boxes += 1;
        }
    }
    assert!(boxes >= 10);
}
