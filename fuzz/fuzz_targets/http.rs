//! What answers on the wire, over a connection: a body that is taken has one meaning, the one that a strict reader finds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{LazyLock, Mutex};
use wmlicense_core::fuzzing::transport::send;

const CAP: usize = 65536;

static NEXT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

static URL: LazyLock<String> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/x", listener.local_addr().expect("an address"));
    std::thread::spawn(move || listener.incoming().flatten().for_each(|stream| answer(stream)));
    url
});

/// Reads the head of a request, writes what is next, and waits for the client to go.
fn answer(mut stream: TcpStream) {
    let (mut piece, mut request) = ([0; 4096], Vec::new());
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(count) if count > 0 => request.extend_from_slice(&piece[..count]),
            _ => return,
        }
    }
    let bytes = NEXT.lock().expect("nobody panics with it").clone();
    // The client may have gone already, which is its right.
    let _ = stream.write_all(&bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    while matches!(stream.read(&mut piece), Ok(count) if count > 0) {}
}

fuzz_target!(|data: &[u8]| {
    for front in [&b"HTTP/1.1 200 OK\r\nContent-Type: application/cose\r\n"[..], b""] {
        let whole = [front, data].concat();
        NEXT.lock().expect("nobody panics with it").clone_from(&whole);
        let Ok(body) = send(&URL, CAP) else { continue };
        assert!(body.len() <= CAP);
        let Some(last) = last_answer(&whole) else { continue };
        if last.starts_with(b"HTTP/1.1 204") || last.starts_with(b"HTTP/1.0 204") {
            assert!(body.is_empty());
            continue;
        }
        assert_eq!(strict(last).as_deref(), Some(body.as_slice()), "{}", String::from_utf8_lossy(&whole));
    }
});

/// What follows provisional answers. `None` where a line ends without CR, which a reader may take for the end of one (RFC 9112,
/// 2.2) and this one does not.
fn last_answer(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        // Empty lines in front of an answer are passed over.
        while let Some(rest) = bytes.strip_prefix(b"\r\n") {
            bytes = rest;
        }
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let head = &bytes[..end];
        let bare = |(at, byte): (usize, &u8)| *byte == b'\n' && (at == 0 || head[at - 1] != b'\r');
        if head.iter().enumerate().any(bare) {
            return None;
        }
        if !head.starts_with(b"HTTP/1.1 1") && !head.starts_with(b"HTTP/1.0 1") {
            return Some(bytes);
        }
        bytes = &bytes[end..];
    }
}

/// The body as RFC 9112 gives it where all agree.
fn strict(bytes: &[u8]) -> Option<Vec<u8>> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, rest) = (&bytes[..end], &bytes[end + 4..]);
    let values = |name: &str| -> Vec<&[u8]> {
        let lines = head.split(|byte| *byte == b'\n').skip(1);
        let pairs = lines.filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            Some((&line[..colon], line[colon + 1..].trim_ascii()))
        });
        pairs.filter(|(found, _)| found.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value).collect()
    };
    match (values("content-length").as_slice(), values("transfer-encoding").as_slice()) {
        ([length], []) if length.iter().all(u8::is_ascii_digit) => {
            rest.get(..std::str::from_utf8(length).ok()?.parse().ok()?).map(<[u8]>::to_vec)
        }
        ([], [coding]) if coding.eq_ignore_ascii_case(b"chunked") && head.starts_with(b"HTTP/1.1") => chunks(rest),
        _ => None,
    }
}

fn chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = std::str::from_utf8(rest[..end].split(|byte| *byte == b';').next()?).ok()?.trim();
        // The HTTP library takes a sign before a size; the size is the same.
        let size = usize::from_str_radix(size.strip_prefix('+').unwrap_or(size), 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
}
