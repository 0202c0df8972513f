//! As much HTTP as the test service needs.

use std::io::Write as _;
use std::net::TcpStream;
use wmlicense_wire::problem::{MEDIA_TYPE, Problem, ProblemKind};

pub(super) fn respond(mut stream: &TcpStream, status: u16, kind: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // A client that was cancelled is gone already.
    let _ = stream.write_all(&[head.as_bytes(), body].concat());
}

pub(super) fn refuse(stream: &TcpStream, kind: ProblemKind) {
    let problem = serde_json::to_vec(&Problem::new(kind, "no")).unwrap();
    respond(stream, kind.status(), MEDIA_TYPE, &problem);
}

pub(super) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
