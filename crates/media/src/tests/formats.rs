//! Formats beside MP4: WRMHEADER, PlayReady Object, ASF, playlists and manifests, and the data of foreign boxes.
//! Hostile ones are vectors, see `crates/media/tests/header_vectors`.

use super::*;
use crate::checksum::{Algorithm, checksum};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

fn bytes_of(hex: &str) -> Vec<u8> {
    Kid::from_hex(hex).unwrap().as_bytes().to_vec()
}

/// A PlayReady Object around a header.
fn object(xml: &str) -> Vec<u8> {
    let text: Vec<u8> = xml.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let length = text.len() as u16;
    let head = [&(u32::from(length) + 10).to_le_bytes()[..], &[1, 0, 1, 0], &length.to_le_bytes()].concat();
    [head, text].concat()
}

#[test]
fn a_checksum_tells_the_right_key_from_a_wrong_one() {
    // FIPS 197, C.1: the key ID is chosen so that its bytes in GUID order are the block of that example.
    let kid = kid("33221100-5544-7766-8899-aabbccddeeff");
    let key = bytes_of("000102030405060708090a0b0c0d0e0f");
    assert_eq!(checksum(Algorithm::AesCtr, kid, &key).unwrap(), [0x69, 0xc4, 0xe0, 0xd8, 0x6a, 0x7b, 0x04, 0x30]);
    assert_eq!(checksum(Algorithm::AesCtr, kid, &key[..7]), None);
    assert_eq!(checksum(Algorithm::AesCbc, kid, &key), None);
    // Computed with another SHA-1: five rounds over 21 bytes, of which the last stays zero.
    assert_eq!(
        checksum(Algorithm::Cocktail, kid, b"\x01\x02\x03\x04\x05\x06\x07").unwrap(),
        [0x25, 0xbf, 0xb5, 0x50, 0x5c, 0x71, 0xa5]
    );
    assert_eq!(checksum(Algorithm::Cocktail, kid, &key), None);
}

#[test]
fn published_checksums_belong_to_their_keys() {
    let table = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/testdata/playready-checksum.tsv");
    // The table belongs to others and lies beside the repository on some machines only.
    let Ok(table) = std::fs::read_to_string(table) else { return };
    let lines: Vec<&str> = table.lines().filter(|line| !line.starts_with('#')).skip(1).collect();
    assert!(lines.len() >= 6);
    for line in lines {
        let columns: Vec<&str> = line.split('\t').collect();
        let xml = format!(
            "<WRMHEADER version=\"4.0.0.0\"><DATA><PROTECTINFO><KEYLEN>16</KEYLEN><ALGID>AESCTR</ALGID></PROTECTINFO>\
             <KID>{}</KID><CHECKSUM>{}</CHECKSUM></DATA></WRMHEADER>",
            columns[1], columns[3]
        );
        let header = ContentHeader::parse(&object(&xml)).unwrap();
        assert_eq!(header.kids(), [kid(columns[0])]);
        let key = &header.wrm_headers()[0].keys[0];
        assert_eq!(key.matches(&bytes_of(columns[2])), Some(true), "{line}");
        assert_eq!(key.matches(&[7; 16]), Some(false), "{line}");
    }
}

#[test]
fn manifests_name_what_the_files_they_belong_to_name() {
    for scheme in [*b"cenc", *b"cbcs"] {
        let text = std::str::from_utf8(&scheme).unwrap();
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/manifests");
        let manifest = read_file(&path.join(format!("packager-{text}.mpd"))).unwrap();
        let video = read_file(&media(&format!("packager-{text}-video.mp4"))).unwrap();
        assert_eq!(manifest.container(), Container::Dash);
        assert_eq!(manifest.kids(), [kid(VIDEO), kid(AUDIO)]);
        assert_eq!(manifest.scheme(), video.scheme());
        let mut of_video = video.system_ids().to_vec();
        of_video.retain(|system| !manifest.system_ids().contains(system));
        assert_eq!(of_video, [], "the manifest names the systems of the file");
        assert!(manifest.is_protected());
        assert_eq!(manifest.notes().count() + video.notes().count(), 0);
        assert!(manifest.wrm_headers().iter().any(|header| header.keys[0].kid == Some(kid(AUDIO))));
    }
}

#[test]
fn a_playlist_names_key_ids_schemes_and_systems() {
    let header = object(
        "<WRMHEADER version=\"4.1.0.0\"><DATA><PROTECTINFO><KID ALGID=\"AESCTR\" \
        VALUE=\"pKOiobKxwsHR0tPU1dbX2A==\"/></PROTECTINFO><LA_URL>https://la.example/pr</LA_URL></DATA></WRMHEADER>",
    );
    let playlist = format!(
        "#EXTM3U\n#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES-CTR,KEYFORMAT=\"com.microsoft.playready\",\
         URI=\"data:text/plain;charset=UTF-16;base64,{}\"\n#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,KEYID=0x{AUDIO},\
         KEYFORMAT=\"urn:uuid:12a7e563-e111-4055-b7d8-957152b8d2fe\",URI=\"https://own.example/v1\"\n#EXT-X-KEY:METHOD=NONE\n",
        STANDARD.encode(header)
    );
    let header = ContentHeader::parse(playlist.as_bytes()).unwrap();
    assert_eq!(header.container(), Container::Hls);
    assert_eq!(header.kids(), [kid(VIDEO), kid(AUDIO)]);
    assert_eq!(header.system_ids(), [SystemId::PLAYREADY, SystemId::WMLICENSE]);
    assert_eq!(header.scheme(), Some(FourCc(*b"cenc")));
    assert_eq!(header.license_url(), Some("https://own.example/v1"), "our own system's place goes first");
    assert_eq!(header.license_urls()[0].url, "https://la.example/pr");
    assert!(header.is_protected());
}

#[test]
fn sixteen_bytes_are_a_key_id() {
    let header = ContentHeader::parse(&bytes_of(VIDEO)).unwrap();
    assert_eq!((header.container(), header.kids()), (Container::KeyId, &[kid(VIDEO)][..]));
    assert!(header.is_protected());
    assert!(ContentHeader::parse(&[7; 15]).is_err());
    assert!(ContentHeader::parse(b"\0\0\0\x20ftypiso6\0\0\0\0").is_err());
}
