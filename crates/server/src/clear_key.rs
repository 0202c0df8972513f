//! License requests and licenses of W3C Clear Key (Encrypted Media Extensions, 9.1), and what a page is called. Who gets what is
//! not decided here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use wmlicense_wire::id::{DeviceId, Digest, Kid};
use zeroize::Zeroizing;

/// Longest request read, in bytes.
pub(crate) const MAX_LEN: usize = 16 * 1024;
/// Most key IDs of a request.
const MAX_KIDS: usize = 64;
/// Longest ID that a page may keep, in bytes, and shortest.
const ID_LEN: std::ops::RangeInclusive<usize> = 16..=64;
/// Begins the device ID of a page, so that lists show which devices are pages.
const MARK: [u8; 4] = *b"page";
/// Room for one key in a license.
const KEY_LEN: usize = 96;
const TEMPORARY: &str = "temporary";

#[derive(Deserialize)]
struct Request {
    kids: Vec<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// The key IDs of a request, each once; or what is wrong with it.
pub(crate) fn read(bytes: &[u8]) -> Result<Vec<Kid>, &'static str> {
    let request: Request = serde_json::from_slice(bytes)
        .map_err(|_| "A license request of Clear Key is expected: a JSON object with kids, an array of texts.")?;
    if request.kind.is_some_and(|kind| kind != TEMPORARY) {
        return Err("Only sessions of the type temporary have licenses here: what a page keeps, nobody can take back.");
    }
    if request.kids.is_empty() || request.kids.len() > MAX_KIDS {
        return Err("1 to 64 key IDs are expected in kids.");
    }
    let mut kids = Vec::with_capacity(request.kids.len());
    for text in &request.kids {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| Kid::from_slice(&bytes).ok());
        let kid = bytes.ok_or("A key ID in kids has 16 bytes, in base64url without padding.")?;
        if !kids.contains(&kid) {
            kids.push(kid);
        }
    }
    Ok(kids)
}

/// The license with these keys, in which no copy of one is left behind as it grows.
pub(crate) fn write(keys: &[(Kid, Zeroizing<Vec<u8>>)]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(String::with_capacity(64 + keys.len() * KEY_LEN));
    text.push_str("{\"keys\":[");
    for (index, (kid, key)) in keys.iter().enumerate() {
        text.push_str(if index == 0 { "" } else { "," });
        text.push_str("{\"kty\":\"oct\",\"kid\":\"");
        URL_SAFE_NO_PAD.encode_string(kid.as_bytes(), &mut text);
        text.push_str("\",\"k\":\"");
        URL_SAFE_NO_PAD.encode_string(key.as_slice(), &mut text);
        text.push_str("\"}");
    }
    text.push_str("],\"type\":\"");
    text.push_str(TEMPORARY);
    text.push_str("\"}");
    Zeroizing::new(std::mem::take(&mut *text).into_bytes())
}

/// A key ID as pages write it.
pub(crate) fn kid_text(kid: Kid) -> String {
    URL_SAFE_NO_PAD.encode(kid.as_bytes())
}

/// The device that a page counts as, by the ID that it keeps; all that keep none are one. Made by a hash, so that no page can
/// name a device of somebody else.
pub(crate) fn device(id: Option<&str>) -> Result<DeviceId, &'static str> {
    let is_plain = |id: &str| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    if id.is_some_and(|id| !ID_LEN.contains(&id.len()) || !is_plain(id)) {
        return Err(
            "The ID of a page has 16 to 64 letters, digits, hyphens and underscores, such as crypto.randomUUID() gives.",
        );
    }
    let hash = Digest::of_parts(&[b"wmlicense/1 browser page\0", id.unwrap_or_default().as_bytes()]);
    let mut bytes = [0; DeviceId::LEN];
    bytes.copy_from_slice(&hash.as_bytes()[..DeviceId::LEN]);
    bytes[..MARK.len()].copy_from_slice(&MARK);
    Ok(DeviceId::new(bytes))
}

/// True if a device ID is that of a page.
pub(crate) fn is_page(device: DeviceId) -> bool {
    device.as_bytes().starts_with(&MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "oaKjpLGywcLR0tPU1dbX2A";

    fn kid() -> Kid {
        Kid::from_hex("a1a2a3a4b1b2c1c2d1d2d3d4d5d6d7d8").unwrap()
    }

    #[test]
    fn what_players_send_is_read_and_a_key_id_that_comes_twice_counts_once() {
        assert_eq!(read(format!(r#"{{"kids":["{ONE}"],"type":"temporary"}}"#).as_bytes()), Ok(vec![kid()]));
        assert_eq!(read(format!(r#" {{"other":1,"kids":["{ONE}","{ONE}"]}}"#).as_bytes()), Ok(vec![kid()]));
    }

    #[test]
    fn requests_that_are_none_are_refused() {
        let many = vec![format!("\"{ONE}\""); MAX_KIDS + 1].join(",");
        for bad in [
            "",
            "[]",
            "{}",
            "{\"kids\":7}",
            "{\"kids\":[]}",
            "{\"kids\":[7]}",
            "{\"kids\":[\"\"]}",
            "{\"kids\":[\"oaKjpLGywcLR0tPU1dbX2A==\"]}",
            "{\"kids\":[\"oaKjpLGywcLR0tPU1dbX\"]}",
            "{\"kids\":[\"oaKj+LGywcLR0tPU1dbX2A\"]}",
            &format!("{{\"kids\":[{many}]}}"),
            &format!("{{\"kids\":[\"{ONE}\"],\"type\":\"persistent-license\"}}"),
            &format!("{{\"kids\":[\"{ONE}\"]}} x"),
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(read(b"{\"kids\":[\"\xff\"]}").is_err());
    }

    #[test]
    fn a_license_is_as_the_standard_writes_it_and_never_had_to_grow() {
        let keys: Vec<_> = (0..MAX_KIDS).map(|_| (kid(), Zeroizing::new(vec![0xfb; 16]))).collect();
        let one = write(&keys[..1]);
        let expected = r#"{"keys":[{"kty":"oct","kid":"oaKjpLGywcLR0tPU1dbX2A","k":"-_v7-_v7-_v7-_v7-_v7-w"}],"type":"temporary"}"#;
        assert_eq!(std::str::from_utf8(&one).unwrap(), expected);
        assert!(write(&keys).capacity() <= 64 + MAX_KIDS * KEY_LEN);
    }

    #[test]
    fn a_page_is_the_same_device_each_time_and_never_one_that_it_names() {
        let id = "0b8e1c2a-6d51-4f0a-9a53-0c1d2e3f4a5b";
        let device = |id| device(id).unwrap();
        assert_eq!(device(Some(id)), device(Some(id)));
        assert_ne!(device(Some(id)), device(Some("0b8e1c2a-6d51-4f0a-9a53-0c1d2e3f4a5c")));
        assert_ne!(device(Some(id)), device(None));
        let named = "70616765000000000000000000000001";
        assert_ne!(device(Some(named)).to_hex(), named);
        assert!(device(None).to_hex().starts_with("70616765") && is_page(device(None)));
        for bad in ["", "short", "fifteen-letters", "with a blank in it", &"x".repeat(65), "quotation\"marks"] {
            assert!(super::device(Some(bad)).is_err(), "{bad}");
        }
    }
}
