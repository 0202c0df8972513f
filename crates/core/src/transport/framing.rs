//! Where the body of an HTTP answer ends, by its own headers: one mark and one meaning (RFC 9112, 6), or no answer at all. The
//! agent is more patient: it finds an end where two are told, and where nobody can tell one.

use ureq::http::header::{self, HeaderMap, HeaderName};
use ureq::http::{StatusCode, Version};

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// A length or chunks.
    Marked,
    /// The end of the connection, which a broken one looks like.
    Unmarked,
    /// In a way that others on the line may read differently; what is wrong.
    Faulty(&'static str),
}

impl Framing {
    /// As the head of an answer tells it.
    pub(super) fn of(version: Version, status: StatusCode, headers: &HeaderMap) -> Self {
        // A part is answered to who asked for one.
        if status == StatusCode::PARTIAL_CONTENT {
            return Self::Faulty("a part of a body");
        }
        if repeated(headers, &header::CONTENT_TYPE) || repeated(headers, &header::LOCATION) {
            return Self::Faulty("a header that stands once stands twice");
        }
        let length = headers.get_all(header::CONTENT_LENGTH).iter().next();
        if !headers.contains_key(header::TRANSFER_ENCODING) {
            return match length {
                None => Self::Unmarked,
                Some(_) if repeated(headers, &header::CONTENT_LENGTH) => Self::Faulty("two lengths"),
                Some(length) if length.as_bytes().iter().all(u8::is_ascii_digit) => Self::Marked,
                Some(_) => Self::Faulty("a length that is no number"),
            };
        }
        if length.is_some() {
            return Self::Faulty("a length beside chunks");
        }
        // Neither knows it, so neither may have meant it (RFC 9112, 6.1).
        if version != Version::HTTP_11 || status == StatusCode::NO_CONTENT {
            return Self::Faulty("a transfer coding where none may be");
        }
        let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
        match (codings.next(), codings.next()) {
            (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Self::Marked,
            _ => Self::Faulty("a transfer coding other than chunked"),
        }
    }
}

fn repeated(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get_all(name).iter().nth(1).is_some()
}
