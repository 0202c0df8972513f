//! The vectors in `tests/vectors/headers`, which `ci/make_header_vectors.py` writes: each header gives what its file says, or
//! is refused with the sentence that its file says. Headers too large for a file, and cut or changed ones, are made here.

use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::sync::LazyLock;
use wmlicense_media::{ContentHeader, HeaderError};
use wmlicense_testkit::vectors::{self, Vector};

static VECTORS: LazyLock<BTreeMap<String, Vector>> =
    LazyLock::new(|| vectors::load_all(&vectors::folder().join("headers")));

/// The class of an error, as the vectors name it.
fn class(error: &HeaderError) -> &'static str {
    match error {
        HeaderError::NotRecognised => "not-recognised",
        HeaderError::Truncated { .. } => "truncated",
        HeaderError::BadValue { .. } => "bad-value",
        HeaderError::BadText { .. } => "bad-text",
        HeaderError::TooMany { .. } => "too-many",
        HeaderError::TooLarge { .. } => "too-large",
        HeaderError::Missing { .. } => "missing",
        HeaderError::NotAllowed { .. } => "not-allowed",
        HeaderError::UnknownVersion { .. } => "unknown-version",
        HeaderError::NotSupported { .. } => "not-supported",
        HeaderError::Inside { .. } => "inside",
        other => panic!("no vector is refused so: {other}"),
    }
}

fn read_file(path: &Path) -> Result<ContentHeader, HeaderError> {
    ContentHeader::read(File::open(path)?)
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(";")
}

/// What a header says, by the names of the vectors. What it does not say is not there.
fn says(header: &ContentHeader) -> BTreeSet<(String, String)> {
    let keys = || header.wrm_headers().iter().flat_map(|wrm| &wrm.keys);
    let hex = |bytes: &Vec<u8>| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let notes = header.notes().count();
    let all = [
        ("container", header.container().name().to_owned()),
        ("protected", if header.is_protected() { "yes" } else { "no" }.to_owned()),
        ("kids", joined(header.kids().iter().map(|kid| kid.to_hex()))),
        ("systems", joined(header.system_ids().iter().map(ToString::to_string))),
        ("scheme", header.scheme().map(|scheme| scheme.to_string()).unwrap_or_default()),
        ("license-url", header.license_url().unwrap_or_default().to_owned()),
        ("content-id", header.content_id().unwrap_or_default().to_owned()),
        ("security-version", header.security_version().unwrap_or_default().to_owned()),
        ("attributes", joined(header.attributes().iter().map(|(name, value)| format!("{name}={value}")))),
        ("checksums", joined(keys().filter_map(|key| key.checksum.as_ref()).map(hex))),
        ("notes", if notes == 0 { String::new() } else { notes.to_string() }),
    ];
    all.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| (name.to_owned(), value)).collect()
}

#[test]
fn every_header_is_read_or_refused_as_its_vector_says() {
    assert!(VECTORS.len() >= 100, "{}", VECTORS.len());
    let mut wrong = Vec::new();
    for (name, vector) in VECTORS.iter() {
        let found = match ContentHeader::parse(&vector.bytes) {
            Ok(header) => ("ok", says(&header), None),
            Err(error) => (class(&error), BTreeSet::new(), Some(error.to_string())),
        };
        let expected = (vector.field("expect"), vector.gives(), vector.find("says").map(str::to_owned));
        if found != expected {
            wrong.push(format!("{name}\n  found    {found:?}\n  expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_file_gives_what_its_bytes_give() {
    let folder = tempfile::tempdir().unwrap();
    for (name, vector) in VECTORS.iter() {
        let path = folder.path().join(name);
        std::fs::write(&path, &vector.bytes).unwrap();
        let text = |result: Result<ContentHeader, HeaderError>| match result {
            Ok(header) => format!("{:?}", says(&header)),
            Err(error) => error.to_string(),
        };
        assert_eq!(text(read_file(&path)), text(ContentHeader::parse(&vector.bytes)), "{name}");
    }
}

#[test]
fn a_header_cut_anywhere_ends_with_a_verdict() {
    for vector in VECTORS.values() {
        // Some hundred places each: everywhere in short headers.
        for length in (0..vector.bytes.len()).step_by(1 + vector.bytes.len() / 128) {
            let _ = ContentHeader::parse(&vector.bytes[..length]);
        }
    }
}

#[test]
fn a_gigabyte_of_text_is_refused_by_its_size() {
    let folder = tempfile::tempdir().unwrap();
    let fronts = [("mpd", "<MPD>", "XML document"), ("m3u8", "#EXTM3U\n", "playlist"), ("json", "{", "keyids")];
    for (name, front, part) in fronts {
        let path = folder.path().join(name);
        std::fs::write(&path, front).unwrap();
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(1 << 30).unwrap();
        let error = read_file(&path).unwrap_err();
        assert!(matches!(error, HeaderError::TooLarge { field, size: 0x4000_0000, .. } if field == part), "{error}");
    }
}

#[test]
fn an_asf_file_of_any_size_is_read_by_its_header_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.wmv");
    std::fs::write(&path, &VECTORS["asf-full"].bytes).unwrap();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(10 << 30).unwrap();
    assert_eq!(says(&read_file(&path).unwrap()), VECTORS["asf-full"].gives());
}

#[test]
fn a_header_in_an_object_that_is_too_long_is_refused() {
    let xml = format!("<WRMHEADER version=\"4.0.0.0\"><DATA>{}</DATA></WRMHEADER>", " ".repeat(65_000));
    let wide: Vec<u8> = xml.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let data = [&(wide.len() as u32).to_le_bytes()[..], &wide].concat();
    let guid = [0x14, 0xE6, 0x8A, 0x29, 0x22, 0x26, 0x17, 0x4C, 0xB9, 0x35, 0xDA, 0xE0, 0x7E, 0xE9, 0x28, 0x9C];
    let object = [&guid[..], &(data.len() as u64 + 24).to_le_bytes(), &data].concat();
    assert!(ContentHeader::parse(&object).is_ok());
    let longer = [
        &guid[..],
        &(data.len() as u64 + 2024).to_le_bytes(),
        &(wide.len() as u32 + 2000).to_le_bytes(),
        &wide,
        &[32; 2000],
    ];
    let error = ContentHeader::parse(&longer.concat()).unwrap_err();
    assert!(matches!(error, HeaderError::TooLarge { offset: 28, field: "WRMHEADER", .. }), "{error}");
}

fn some_vector() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(VECTORS.values().map(|vector| vector.bytes.clone()).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn a_changed_header_never_panics(
        mut bytes in some_vector(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }
        let _ = ContentHeader::parse(&bytes);
    }
}
