//! A content header that cannot be read ends an acquisition before anybody is asked, and the detail says where it fails.

use crate::player::Player;
use wmlicense::kinds::Remedy;

/// A version 1 `pssh` box of an unknown system that declares two key IDs and holds half of the first.
fn cut_short() -> Vec<u8> {
    let mut bytes = b"\0\0\0\x28pssh\x01\0\0\0".to_vec();
    bytes.extend([0x11; 16]);
    bytes.extend([0, 0, 0, 2]);
    bytes.extend([0x22; 8]);
    bytes
}

/// Each header, the result, the remedy, and words of the sentence.
pub(crate) fn in_the_header(player: &mut Player) {
    let later =
        r#"<WRMHEADER xmlns="http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader" version="9.1.0.0"></WRMHEADER>"#;
    let owner = Remedy::ContactIssuer as u32;
    let cases = [
        (b"nonsense".to_vec(), "WM_E_MALFORMED_CONTENT_HEADER", owner, "Not a media file"),
        (cut_short(), "WM_E_MALFORMED_CONTENT_HEADER", owner, "inside pssh KID_count at byte 28"),
        (later.into(), "WM_E_CONTENT_HEADER_TOO_NEW", Remedy::Update as u32, "at byte 0 is 9.1"),
        (br#"{"kids":[]}"#.to_vec(), "WM_E_MALFORMED_CONTENT_HEADER", owner, "Keyids is missing"),
        // Protected in a way that nobody knows, and without a key ID to ask for.
        (
            b"#EXTM3U\n#EXT-X-KEY:METHOD=UNHEARD-OF\n".to_vec(),
            "WM_E_INVALID_LICENSE_REQUEST",
            Remedy::FixCall as u32,
            "names no key ID",
        ),
    ];
    let contacts = player.service.contacts();
    for (bytes, result, remedy, words) in cases {
        let path = player.folder.path().join("header");
        std::fs::write(&path, bytes).unwrap();
        let told = player.ask(&format!("header {}", path.display()));
        let parts: Vec<&str> = told.splitn(4, ' ').collect();
        assert_eq!((parts[0], parts[2]), (result, remedy.to_string().as_str()), "{told}");
        assert!(parts[3].contains(words), "{told}");
        player.unchanged(&told);
    }
    assert_eq!(player.service.contacts(), contacts, "nobody is asked");
}
