//! What is wrong with a property's value, and reading values that have an inner form. All texts but paths are UTF-8.

use super::Value;
use wmlicense_wire::cbor::check_text;
use wmlicense_wire::id::{Digest, Kid, ServiceId, TransactionId};
use wmlicense_wire::request::MAX_DEVICE_NAME;
use wmlicense_wire::url::{Url, UrlError};

type Checked = Result<(), &'static str>;

fn as_text(value: &Value) -> Result<&str, &'static str> {
    match value {
        Value::Text(bytes) => std::str::from_utf8(bytes).map_err(|_| "the text is not valid UTF-8"),
        Value::Dword(_) | Value::Qword(_) | Value::Bool(_) | Value::Binary(_) | Value::Secret(_) => Ok(""),
    }
}

/// Any number, yes or no, or bytes.
pub(crate) fn number(_: &Value) -> Checked {
    Ok(())
}

/// Any text that a document can carry.
pub(crate) fn text_only(value: &Value) -> Checked {
    check_text(as_text(value)?)
}

/// Certificates as files have them: text in lines, which goes into no document.
pub(crate) fn pem(value: &Value) -> Checked {
    as_text(value).map(drop)
}

/// What a device is called: a line that fits a list.
pub(crate) fn device_name(value: &Value) -> Checked {
    text_only(value)?;
    if as_text(value)?.chars().count() <= MAX_DEVICE_NAME {
        Ok(())
    } else {
        Err("the name has more than 64 characters")
    }
}

/// Any bytes but none.
pub(crate) fn path(value: &Value) -> Checked {
    if matches!(value, Value::Text(bytes) if bytes.is_empty()) { Err("a path is not empty") } else { Ok(()) }
}

/// The URL of a service.
pub(crate) fn service_url(value: &Value) -> Checked {
    Url::public(as_text(value)?).map(drop).map_err(UrlError::why)
}

/// What the property for the proxy says besides a URL.
pub(crate) const PROXY_NONE: &str = "none";
pub(crate) const PROXY_ENVIRONMENT: &str = "environment";

/// The URL of a proxy, or a word for where it comes from.
pub(crate) fn proxy_url(value: &Value) -> Checked {
    if [PROXY_NONE, PROXY_ENVIRONMENT].contains(&as_text(value)?) {
        return Ok(());
    }
    Url::proxy(as_text(value)?).map(drop).map_err(UrlError::why)
}

/// The parts of a list with semicolons between them. One semicolon at the end is allowed.
pub(crate) fn items(text: &str) -> impl Iterator<Item = &str> {
    text.strip_suffix(';').unwrap_or(text).split(';').map(str::trim)
}

/// Base64 SHA-256 of certificates.
pub(crate) fn authorities(value: &Value) -> Checked {
    items(as_text(value)?)
        .try_for_each(|item| Digest::from_base64(item).map(drop))
        .map_err(|_| "this is not a list of base64 SHA-256 values")
}

/// Base64 key IDs.
pub(crate) fn kids(value: &Value) -> Checked {
    items(as_text(value)?)
        .try_for_each(|item| Kid::from_base64(item).map(drop))
        .map_err(|_| "this is not a list of base64 key IDs")
}

/// One base64 ID of 16 bytes: a key ID or an issuer.
pub(crate) fn kid_text(value: &Value) -> Checked {
    ServiceId::from_base64(as_text(value)?).map(drop).map_err(|_| "this is not a base64 ID of 16 bytes")
}

/// One base64 transaction ID.
pub(crate) fn transaction(value: &Value) -> Checked {
    TransactionId::from_base64(as_text(value)?).map(drop).map_err(|_| "this is not a base64 transaction ID")
}

/// An account token: it becomes part of an HTTP header.
pub(crate) fn token(value: &Value) -> Checked {
    if as_text(value)?.is_empty() { Err("a token is not empty") } else { header_text(value) }
}

/// Text that becomes part of an HTTP header.
pub(crate) fn header_text(value: &Value) -> Checked {
    let visible = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    if as_text(value)?.bytes().all(visible) { Ok(()) } else { Err("the text is not printable ASCII") }
}

/// How keys are kept.
pub(crate) fn protector(value: &Value) -> Checked {
    if as_text(value)? == "file" { Ok(()) } else { Err("this key protector is not known") }
}

/// Which TLS certificates are trusted.
pub(crate) fn tls_trust(value: &Value) -> Checked {
    match as_text(value)? {
        "default" | "platform" | "bundled" | "pem" | "pinned" => Ok(()),
        _ => Err("this is none of default, platform, bundled, pem, pinned"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &[u8]) -> Value {
        Value::Text(text.to_vec())
    }

    #[test]
    fn a_bad_url_is_told_with_what_is_wrong() {
        assert_eq!(service_url(&value(b"http://127.0.0.1:8443")), Ok(()));
        assert_eq!(service_url(&value(b"https://a.example:65536/")), Err(UrlError::Port.why()));
        assert_eq!(service_url(&value(b"https://[]46/")), Err(UrlError::Brackets.why()));
        assert_eq!(service_url(&value(b"https://u:p@a.example/")), Err(UrlError::User.why()));
        assert_eq!(service_url(&value(b"http://\xff")), Err("the text is not valid UTF-8"));
        assert_eq!(proxy_url(&value(b"http://u:p@a.example:3128")), Ok(()));
        assert_eq!(proxy_url(&value(PROXY_ENVIRONMENT.as_bytes())), Ok(()));
        assert_eq!(proxy_url(&value(b"http://a.example:70000")), Err(UrlError::Port.why()));
        assert_eq!(proxy_url(&value(b"http://a.example/path")), Err(UrlError::Path.why()));
    }

    #[test]
    fn certificates_come_in_lines_and_what_goes_into_documents_does_not() {
        let lines = b"-----BEGIN CERTIFICATE-----\r\nAAAA\r\n-----END CERTIFICATE-----\n";
        assert_eq!(pem(&value(lines)), Ok(()));
        assert!(pem(&value(b"\xff")).is_err() && text_only(&value(lines)).is_err());
    }

    #[test]
    fn the_name_of_a_device_is_a_line_of_64_characters() {
        let long = "\u{1f4fa}".repeat(MAX_DEVICE_NAME);
        assert_eq!([device_name(&value(b"")), device_name(&value(long.as_bytes()))], [Ok(()); 2]);
        for wrong in [format!("{long}x"), "a\nb".to_owned(), "\u{9b}".to_owned()] {
            assert!(device_name(&value(wrong.as_bytes())).is_err(), "{wrong:?}");
        }
        assert!(device_name(&value(b"\xff")).is_err());
    }

    #[test]
    fn lists_are_read_to_the_end() {
        let kid = "AAAAAAAAAAAAAAAAAAAAAA==";
        assert!(kids(&value(format!("{kid};{kid}").as_bytes())).is_ok());
        assert!(kids(&value(format!("{kid};").as_bytes())).is_ok());
        assert!(kids(&value(format!("{kid};;{kid}").as_bytes())).is_err());
        assert!(kids(&value(format!("{kid};x").as_bytes())).is_err());
        assert!(kids(&value(b"")).is_err());
    }

    #[test]
    fn nothing_breaks_out_of_a_header_line() {
        assert!(token(&value(b"not a good token, but harmless")).is_ok());
        for wrong in [&b""[..], b"a\nb", b"a\r\nX: y", b"\x7f", "\u{e9}".as_bytes()] {
            assert!(token(&value(wrong)).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn paths_are_any_bytes_but_none() {
        assert!(path(&value(b"\xff\xfe")).is_ok());
        assert!(path(&value(b"")).is_err());
    }
}
