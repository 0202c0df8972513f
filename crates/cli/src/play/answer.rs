//! What a request is answered, decided without looking at anything but its words. The bytes are sent in `bridge.rs`.

use super::request::Request;
use std::fmt::Write as _;
use std::ops::Range;

/// Where the film is, as the player was told.
pub(super) struct Place {
    /// `127.0.0.1:PORT`.
    pub(super) host: String,
    /// `/SECRET/film.mp4`.
    pub(super) path: String,
    pub(super) length: u64,
}

/// An answer. All that is refused has no body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Whole,
    Part(Range<u64>),
    /// No byte of the range is in the file.
    Outside,
    /// Whoever does not know the path learns nothing, not even that there is one.
    NotFound,
    OtherMethod,
    /// Another process is the player.
    NotThePlayer,
    HeadTooLong,
    Malformed,
    /// The film cannot be read there.
    Unavailable,
}

/// What is answered to a request of the player.
pub(super) fn answer(request: &Request, place: &Place) -> Answer {
    // Another name that leads here is a page's that was loaded from elsewhere.
    let is_here = request.host.as_deref() == Some(place.host.as_str()) && !request.has_origin;
    if !is_here || !is_same(request.target.as_bytes(), place.path.as_bytes()) {
        return Answer::NotFound;
    }
    if request.has_body {
        return Answer::Malformed;
    }
    match request.method.as_str() {
        "GET" | "HEAD" => {}
        _ => return Answer::OtherMethod,
    }
    // There are no validators, so none can match.
    match request.range.as_deref().filter(|_| !request.has_if_range) {
        Some(text) => range(text, place.length),
        None => Answer::Whole,
    }
}

/// Compares without telling by its time how much is right.
fn is_same(given: &[u8], path: &[u8]) -> bool {
    given.len() == path.len() && given.iter().zip(path).fold(0, |differ, (left, right)| differ | (left ^ right)) == 0
}

/// One range of bytes (RFC 9110, 14.1.2). What is malformed or asks for several is ignored, as the standard allows: the player
/// gets the whole file.
fn range(text: &str, length: u64) -> Answer {
    let Some((unit, set)) = text.split_once('=') else { return Answer::Whole };
    let Some((first, last)) = set.trim().split_once('-') else { return Answer::Whole };
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // One that is too large is beyond the end of every file.
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Answer::Whole;
    }
    let (from, to) = (number(first), number(last));
    let is_malformed = (from.is_none() && !first.is_empty()) || (to.is_none() && !last.is_empty());
    match (from, to) {
        _ if is_malformed => Answer::Whole,
        (Some(from), Some(to)) if from > to => Answer::Whole,
        (Some(from), _) if from >= length => Answer::Outside,
        (Some(from), to) => Answer::Part(from..to.map_or(length, |to| to.saturating_add(1).min(length))),
        (None, Some(0)) => Answer::Outside,
        (None, Some(last)) => Answer::Part(length.saturating_sub(last)..length),
        (None, None) => Answer::Whole,
    }
}

impl Answer {
    /// The bytes of the film that follow the head of a `GET`.
    pub(super) fn bytes(&self, length: u64) -> Range<u64> {
        match self {
            Self::Whole => 0..length,
            Self::Part(range) => range.clone(),
            _ => 0..0,
        }
    }

    /// Whether the connection ends with it.
    pub(super) fn closes(&self) -> bool {
        !matches!(self, Self::Whole | Self::Part(_) | Self::Outside)
    }

    /// The head, with the blank line behind it.
    pub(super) fn head(&self, length: u64, closes: bool) -> String {
        let status = match self {
            Self::Whole => "200 OK",
            Self::Part(_) => "206 Partial Content",
            Self::Outside => "416 Range Not Satisfiable",
            Self::NotFound => "404 Not Found",
            Self::OtherMethod => "405 Method Not Allowed",
            Self::NotThePlayer | Self::Unavailable => "403 Forbidden",
            Self::HeadTooLong => "431 Request Header Fields Too Large",
            Self::Malformed => "400 Bad Request",
        };
        let mut head = format!("HTTP/1.1 {status}\r\n");
        let bytes = self.bytes(length);
        let _ = write!(head, "Content-Length: {}\r\n", bytes.end - bytes.start);
        match self {
            Self::Whole | Self::Part(_) => head.push_str("Content-Type: video/mp4\r\nAccept-Ranges: bytes\r\n"),
            Self::OtherMethod => head.push_str("Allow: GET, HEAD\r\n"),
            _ => {}
        }
        match self {
            Self::Part(_) => {
                let _ =
                    write!(head, "Content-Range: bytes {}-{}/{length}\r\n", bytes.start, bytes.end.saturating_sub(1));
            }
            Self::Outside => {
                let _ = write!(head, "Content-Range: bytes */{length}\r\n");
            }
            _ => {}
        }
        head.push_str("Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n");
        head.push_str(if closes { "Connection: close\r\n\r\n" } else { "\r\n" });
        head
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::{NoRequest, parse};
    use super::*;

    fn place() -> Place {
        Place { host: "127.0.0.1:4000".to_owned(), path: "/secret/film.mp4".to_owned(), length: 1000 }
    }

    fn answered(head: &str) -> Answer {
        let (request, used) = parse(head.as_bytes()).unwrap().unwrap();
        assert_eq!(used, head.len());
        answer(&request, &place())
    }

    fn asked(lines: &str) -> Answer {
        answered(&format!("GET /secret/film.mp4 HTTP/1.1\r\nHost: 127.0.0.1:4000\r\n{lines}\r\n"))
    }

    #[test]
    fn ranges_are_answered_as_the_standard_says() {
        for (text, expected) in [
            ("bytes=0-99", Answer::Part(0..100)),
            ("bytes=0-", Answer::Part(0..1000)),
            ("bytes=999-", Answer::Part(999..1000)),
            ("bytes=990-5000", Answer::Part(990..1000)),
            ("bytes=990-99999999999999999999999999", Answer::Part(990..1000)),
            ("bytes=-10", Answer::Part(990..1000)),
            ("bytes=-5000", Answer::Part(0..1000)),
            ("Bytes = 5-5", Answer::Part(5..6)),
            ("bytes=1000-", Answer::Outside),
            ("bytes=99999999999999999999999999-", Answer::Outside),
            ("bytes=-0", Answer::Outside),
            // Ignored: several, another unit, nonsense.
            ("bytes=0-1,5-6", Answer::Whole),
            ("items=0-1", Answer::Whole),
            ("bytes=9-1", Answer::Whole),
            ("bytes=-", Answer::Whole),
            ("bytes=a-b", Answer::Whole),
            ("bytes=1-b", Answer::Whole),
            ("bytes=+1-2", Answer::Whole),
            ("bytes", Answer::Whole),
        ] {
            assert_eq!(asked(&format!("Range: {text}\r\n")), expected, "{text}");
        }
        assert_eq!(asked(""), Answer::Whole);
        assert_eq!(asked("Range: bytes=0-9\r\nIf-Range: \"tag\"\r\n"), Answer::Whole);
        assert_eq!(asked("Range: bytes=0-9\r\nRange: bytes=5-9\r\n"), Answer::Whole);
    }

    #[test]
    fn who_does_not_know_the_path_or_comes_from_a_page_finds_nothing() {
        assert_eq!(asked("Origin: https://evil.example\r\n"), Answer::NotFound);
        for (target, host) in [
            ("/", "127.0.0.1:4000"),
            ("/secret/film.mp3", "127.0.0.1:4000"),
            ("/secret/film.mp", "127.0.0.1:4000"),
            ("/secret/../secret/film.mp4", "127.0.0.1:4000"),
            ("http://127.0.0.1:4000/secret/film.mp4", "127.0.0.1:4000"),
            ("/secret/film.mp4", "127.0.0.1"),
            ("/secret/film.mp4", "127.0.0.1:4001"),
            ("/secret/film.mp4", "evil.example:4000"),
            ("/secret/film.mp4", "localhost:4000"),
        ] {
            let found = answered(&format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
            assert_eq!(found, Answer::NotFound, "{target} {host}");
        }
        assert_eq!(answered("GET /secret/film.mp4 HTTP/1.1\r\n\r\n"), Answer::NotFound);
        let twice = "GET /secret/film.mp4 HTTP/1.1\r\nHost: 127.0.0.1:4000\r\nHost: 127.0.0.1:4000\r\n\r\n";
        assert_eq!(answered(twice), Answer::NotFound);
    }

    #[test]
    fn only_reading_is_answered() {
        let of = |method: &str, lines: &str| {
            answered(&format!("{method} /secret/film.mp4 HTTP/1.1\r\nHost: 127.0.0.1:4000\r\n{lines}\r\n"))
        };
        assert_eq!(of("HEAD", ""), Answer::Whole);
        for method in ["POST", "PUT", "OPTIONS", "DELETE", "get"] {
            assert_eq!(of(method, ""), Answer::OtherMethod, "{method}");
        }
        assert_eq!(of("GET", "Content-Length: 5\r\n"), Answer::Malformed);
        assert_eq!(of("GET", "Transfer-Encoding: chunked\r\n"), Answer::Malformed);
        assert_eq!(of("GET", "Content-Length: 0\r\n"), Answer::Whole);
    }

    #[test]
    fn heads_that_are_too_long_or_none_are_told_apart() {
        assert!(parse(b"GET / HTTP/1.1\r\nHost: ").unwrap().is_none());
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(20_000));
        assert!(matches!(parse(long.as_bytes()), Err(NoRequest::TooLong)));
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(65));
        assert!(matches!(parse(many.as_bytes()), Err(NoRequest::TooLong)));
        for head in
            ["\u{1}\u{2}\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n"]
        {
            assert!(matches!(parse(head.as_bytes()), Err(NoRequest::Malformed)), "{head:?}");
        }
    }

    #[test]
    fn heads_say_what_follows() {
        let part = Answer::Part(10..20).head(1000, false);
        assert!(part.starts_with("HTTP/1.1 206 ") && part.contains("\r\nContent-Length: 10\r\n"), "{part}");
        assert!(part.contains("\r\nContent-Range: bytes 10-19/1000\r\n") && part.ends_with("\r\n\r\n"), "{part}");
        assert!(!part.contains("Access-Control") && !part.contains("Connection: close"), "{part}");
        let outside = Answer::Outside.head(1000, true);
        assert!(outside.starts_with("HTTP/1.1 416 ") && outside.contains("Content-Range: bytes */1000"), "{outside}");
        let nothing = Answer::NotFound.head(1000, true);
        assert!(nothing.contains("Content-Length: 0\r\n") && !nothing.contains("bytes"), "{nothing}");
        assert!(nothing.contains("Connection: close\r\n\r\n"), "{nothing}");
    }
}
