//! What the library makes of a property's value, and what is wrong with it. All texts but paths are UTF-8.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use wmlicense_core::device::{FileProtector, KeyProtector};
use wmlicense_core::rights::action_name;
use wmlicense_core::transport::{AccountToken, TlsTrust};
use wmlicense_wire::cbor::check_text;
use wmlicense_wire::id::{Digest, Kid, ServiceId, TransactionId};
use wmlicense_wire::request::MAX_DEVICE_NAME;
use wmlicense_wire::url::{Url, UrlError};

type Read<T> = Result<T, &'static str>;

fn number<const N: usize>(bytes: &[u8]) -> Read<[u8; N]> {
    bytes.try_into().map_err(|_| "a value of this type has another size")
}

/// 32 bits.
pub(super) fn dword(bytes: &[u8]) -> Read<u32> {
    number(bytes).map(u32::from_ne_bytes)
}

/// 64 bits.
pub(super) fn qword(bytes: &[u8]) -> Read<u64> {
    number(bytes).map(u64::from_ne_bytes)
}

/// Yes or no.
pub(super) fn flag(bytes: &[u8]) -> Read<bool> {
    number(bytes).map(|bytes| i32::from_ne_bytes(bytes) != 0)
}

/// Any bytes.
pub(super) fn binary(bytes: &[u8]) -> Read<Vec<u8>> {
    Ok(bytes.to_vec())
}

fn text(bytes: &[u8]) -> Read<&str> {
    std::str::from_utf8(bytes).map_err(|_| "the text is not valid UTF-8")
}

fn checked(bytes: &[u8]) -> Read<&str> {
    let text = text(bytes)?;
    check_text(text).map(|()| text)
}

/// Any text that a document can carry.
pub(super) fn line(bytes: &[u8]) -> Read<String> {
    checked(bytes).map(str::to_owned)
}

/// Certificates as files have them: text in lines, which goes into no document.
pub(super) fn pem(bytes: &[u8]) -> Read<String> {
    text(bytes).map(str::to_owned)
}

/// What a device is called: a line that fits a list.
pub(super) fn device_name(bytes: &[u8]) -> Read<String> {
    let name = line(bytes)?;
    if name.chars().count() <= MAX_DEVICE_NAME { Ok(name) } else { Err("the name has more than 64 characters") }
}

/// Any bytes but none.
pub(super) fn path(bytes: &[u8]) -> Read<PathBuf> {
    if bytes.is_empty() { Err("a path is not empty") } else { Ok(PathBuf::from(OsStr::from_bytes(bytes))) }
}

/// The URL of a service.
pub(super) fn service_url(bytes: &[u8]) -> Read<String> {
    let url = text(bytes)?;
    Url::public(url).map(|_| url.to_owned()).map_err(UrlError::why)
}

/// Where the proxy comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Proxy {
    /// The environment.
    #[default]
    Environment,
    /// There is none.
    None,
    /// The application.
    Url(String),
}

/// The URL of a proxy, or a word for where it comes from.
pub(super) fn proxy(bytes: &[u8]) -> Read<Proxy> {
    match text(bytes)? {
        "environment" => Ok(Proxy::Environment),
        "none" => Ok(Proxy::None),
        url => Url::proxy(url).map(|_| Proxy::Url(url.to_owned())).map_err(UrlError::why),
    }
}

/// The parts of a list with semicolons between them. One semicolon at the end is allowed.
fn items(text: &str) -> impl Iterator<Item = &str> {
    text.strip_suffix(';').unwrap_or(text).split(';').map(str::trim)
}

/// Base64 SHA-256 of certificates.
pub(super) fn authorities(bytes: &[u8]) -> Read<Vec<Digest>> {
    let read = items(text(bytes)?).map(Digest::from_base64);
    read.collect::<Result<_, _>>().map_err(|_| "this is not a list of base64 SHA-256 values")
}

/// Base64 key IDs.
pub(super) fn kids(bytes: &[u8]) -> Read<Vec<Kid>> {
    let read = items(text(bytes)?).map(Kid::from_base64);
    read.collect::<Result<_, _>>().map_err(|_| "this is not a list of base64 key IDs")
}

/// An action, by the name that policies have for it.
pub(super) fn action(bytes: &[u8]) -> Read<String> {
    checked(bytes).map(|action| action_name(action).to_owned())
}

/// Actions, by the names that policies have for them.
pub(super) fn actions(bytes: &[u8]) -> Read<Vec<String>> {
    Ok(items(checked(bytes)?).map(|action| action_name(action).to_owned()).collect())
}

const NO_ID: &str = "this is not a base64 ID of 16 bytes";

/// One base64 key ID.
pub(super) fn kid(bytes: &[u8]) -> Read<Kid> {
    Kid::from_base64(text(bytes)?).map_err(|_| NO_ID)
}

/// One base64 ID of a service.
pub(super) fn issuer(bytes: &[u8]) -> Read<ServiceId> {
    ServiceId::from_base64(text(bytes)?).map_err(|_| NO_ID)
}

/// One base64 transaction ID.
pub(super) fn transaction(bytes: &[u8]) -> Read<TransactionId> {
    TransactionId::from_base64(text(bytes)?).map_err(|_| "this is not a base64 transaction ID")
}

/// An account token: it becomes part of an HTTP header.
pub(super) fn token(bytes: &[u8]) -> Read<Arc<AccountToken>> {
    if bytes.is_empty() {
        return Err("a token is not empty");
    }
    header_text(bytes).map(|token| Arc::new(AccountToken::new(token)))
}

/// Text that becomes part of an HTTP header.
pub(super) fn header_text(bytes: &[u8]) -> Read<String> {
    let text = text(bytes)?;
    let visible = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    if text.bytes().all(visible) { Ok(text.to_owned()) } else { Err("the text is not printable ASCII") }
}

/// How keys are kept.
pub(super) fn protector(bytes: &[u8]) -> Read<Arc<dyn KeyProtector>> {
    if text(bytes)? == "file" { Ok(Arc::new(FileProtector)) } else { Err("this key protector is not known") }
}

/// Which TLS certificates are trusted.
pub(super) fn tls_trust(bytes: &[u8]) -> Read<TlsTrust> {
    match text(bytes)? {
        "default" => Ok(TlsTrust::PlatformThenBundled),
        "platform" => Ok(TlsTrust::Platform),
        "bundled" => Ok(TlsTrust::Bundled),
        "pem" => Ok(TlsTrust::PemOnly),
        "pinned" => Ok(TlsTrust::Pinned),
        _ => Err("this is none of default, platform, bundled, pem, pinned"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_url_is_told_with_what_is_wrong() {
        assert_eq!(service_url(b"http://127.0.0.1:8443"), Ok("http://127.0.0.1:8443".to_owned()));
        assert_eq!(service_url(b"https://a.example:65536/"), Err(UrlError::Port.why()));
        assert_eq!(service_url(b"https://[]46/"), Err(UrlError::Brackets.why()));
        assert_eq!(service_url(b"https://u:p@a.example/"), Err(UrlError::User.why()));
        assert_eq!(service_url(b"http://\xff"), Err("the text is not valid UTF-8"));
        let url = "http://u:p@a.example:3128";
        assert_eq!(proxy(url.as_bytes()), Ok(Proxy::Url(url.to_owned())));
        assert_eq!([proxy(b"environment"), proxy(b"none")], [Ok(Proxy::Environment), Ok(Proxy::None)]);
        assert_eq!(proxy(b"http://a.example:70000"), Err(UrlError::Port.why()));
        assert_eq!(proxy(b"http://a.example/path"), Err(UrlError::Path.why()));
    }

    #[test]
    fn certificates_come_in_lines_and_what_goes_into_documents_does_not() {
        let lines = "-----BEGIN CERTIFICATE-----\r\nAAAA\r\n-----END CERTIFICATE-----\n";
        assert_eq!(pem(lines.as_bytes()), Ok(lines.to_owned()));
        assert!(pem(b"\xff").is_err() && line(lines.as_bytes()).is_err());
    }

    #[test]
    fn the_name_of_a_device_is_a_line_of_64_characters() {
        let long = "\u{1f4fa}".repeat(MAX_DEVICE_NAME);
        assert_eq!(device_name(b""), Ok(String::new()));
        assert_eq!(device_name(long.as_bytes()), Ok(long.clone()));
        for wrong in [format!("{long}x"), "a\nb".to_owned(), "\u{9b}".to_owned()] {
            assert!(device_name(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
        assert!(device_name(b"\xff").is_err());
    }

    #[test]
    fn lists_are_read_to_the_end() {
        let kid = "AAAAAAAAAAAAAAAAAAAAAA==";
        let zero = Kid::new([0; 16]);
        assert_eq!(kids(format!("{kid};{kid}").as_bytes()), Ok(vec![zero, zero]));
        assert_eq!(kids(format!(" {kid} ;").as_bytes()), Ok(vec![zero]));
        assert!(kids(format!("{kid};;{kid}").as_bytes()).is_err());
        assert!(kids(format!("{kid};x").as_bytes()).is_err());
        assert!(kids(b"").is_err());
    }

    #[test]
    fn actions_get_the_names_that_policies_have() {
        let read = actions(b"ActionAllowed.play; Custom").unwrap();
        assert_eq!(read, ["Play", "Custom"]);
        assert_eq!(action(b"COPY"), Ok("Copy".to_owned()));
        assert!(actions(b"Play;\n").is_err());
    }

    #[test]
    fn nothing_breaks_out_of_a_header_line() {
        assert!(token(b"not a good token, but harmless").is_ok());
        for wrong in [&b""[..], b"a\nb", b"a\r\nX: y", b"\x7f", "\u{e9}".as_bytes()] {
            assert!(token(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn paths_are_any_bytes_but_none() {
        assert!(path(b"\xff\xfe").is_ok());
        assert!(path(b"").is_err());
    }
}
