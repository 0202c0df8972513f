//! Where an answer ends: framings, truncations, broken and reused connections.

use super::server::*;
use super::{context, post, send, send_with, stranger, transport};
use crate::transport::{NetworkSettings, Transport as _, TransportError};

#[test]
fn a_chunked_answer_is_read_and_an_answer_without_content_is_empty() {
    let chunked = "HTTP/1.1 200 OK\r\nContent-Type: application/cose; q=1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body = "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let server = Server::plain(vec![raw(format!("{chunked}{body}"))]);
    assert_eq!(send(&server.url("/")).unwrap(), b"abcde");
    let server = Server::plain(vec![raw("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")]);
    assert_eq!(send(&server.url("/")).unwrap(), b"");
}

#[test]
fn a_truncated_answer_is_never_taken_for_a_whole_one() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/cose\r\n";
    let settings = NetworkSettings { retry_limit: 0, ..NetworkSettings::default() };
    for rest in ["Content-Length: 10\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n5\r\nab"] {
        let server = Server::plain(vec![raw(format!("{head}{rest}"))]);
        assert!(matches!(send_with(&settings, &server.url("/")), Err(TransportError::Broken(_))), "{rest}");
    }
    let server = Server::plain(vec![raw(format!("{head}\r\nclose-delimited"))]);
    assert_eq!(stranger(send(&server.url("/"))), "a body whose end is not marked");
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn every_truncation_of_an_answer_is_noticed() {
    let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/cose\r\n";
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n4\r\nrepl\r\n1\r\ny\r\n0\r\n\r\n");
    // The last line end of a chunked answer says nothing more.
    for (whole, needed) in [(response("200 OK", COSE, b"reply"), 0), (chunked.into_bytes(), 2)] {
        let pieces: Vec<&[u8]> = (0..whole.len() - needed).map(|length| &whole[..length]).collect();
        let server = Server::plain(pieces.iter().map(|piece| raw(*piece)).collect());
        let settings = NetworkSettings { retry_limit: 0, ..NetworkSettings::default() };
        for piece in &pieces {
            let result = send_with(&settings, &server.url("/"));
            let noticed = matches!(result, Err(TransportError::Broken(_) | TransportError::NotTheService(_)));
            assert!(noticed, "{result:?} after {} bytes", piece.len());
        }
        assert_eq!(server.seen().len(), pieces.len());
        let server = Server::plain(vec![raw(whole.clone())]);
        assert_eq!(send_with(&settings, &server.url("/")).unwrap(), b"reply");
    }
}

#[test]
fn a_reset_after_the_last_byte_takes_nothing_away() {
    let keep = format!("HTTP/1.1 200 OK\r\n{COSE}Content-Length: 5\r\n\r\nreply");
    let (read, wait) = std::sync::mpsc::channel::<()>();
    let act = after_request(move |wire, stream| {
        wire.write_all(keep.as_bytes()).unwrap();
        wait.recv().unwrap();
        reset(stream);
    });
    let server = Server::plain(vec![act, good(b"second")]);
    let url = server.url("/");
    let transport = transport(&NetworkSettings::default());
    assert_eq!(transport.send(&post(&url, b"question"), &context()).unwrap(), b"reply");
    read.send(()).unwrap();
    assert_eq!(transport.send(&post(&url, b"question"), &context()).unwrap(), b"second");
    server.seen();
}

#[test]
fn an_answer_longer_than_the_cap_is_refused_whatever_its_framing() {
    let server = Server::plain(vec![good(&[0; 1001])]);
    assert!(matches!(send(&server.url("/")), Err(TransportError::TooLarge)));
    let piece = format!("{:x}\r\n{}\r\n", 600, "x".repeat(600));
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/cose\r\nTransfer-Encoding: chunked\r\n\r\n";
    let server = Server::plain(vec![raw(format!("{head}{piece}{piece}0\r\n\r\n"))]);
    assert!(matches!(send(&server.url("/")), Err(TransportError::TooLarge)));
    let server = Server::plain(vec![good(&[7; 1000])]);
    assert_eq!(send(&server.url("/")).unwrap(), [7; 1000]);
}

#[test]
fn a_provisional_answer_is_passed_over() {
    let whole = response("200 OK", COSE, b"reply");
    let server = Server::plain(vec![raw([b"HTTP/1.1 100 Continue\r\n\r\n".as_slice(), &whole].concat())]);
    assert_eq!(send(&server.url("/")).unwrap(), b"reply");
}

#[test]
fn bytes_after_an_answer_never_become_the_next_one() {
    let keep = format!("HTTP/1.1 200 OK\r\n{COSE}Content-Length: 5\r\n\r\n");
    let smuggled = raw(format!("{keep}first{keep}wrong"));
    let server = Server::plain(vec![smuggled, good(b"right")]);
    let url = server.url("/");
    let transport = transport(&NetworkSettings::default());
    assert_eq!(transport.send(&post(&url, b"one"), &context()).unwrap(), b"first");
    assert_eq!(transport.send(&post(&url, b"two"), &context()).unwrap(), b"right");
    assert_eq!(server.seen().len(), 2);
}

#[test]
fn one_connection_serves_several_requests_and_a_lost_one_is_replaced() {
    let keep = |body: &str| format!("HTTP/1.1 200 OK\r\n{COSE}Content-Length: {}\r\n\r\n{body}", body.len());
    let (first, second) = (keep("first"), keep("second"));
    let twice: Act = Box::new(move |wire, _, log| {
        for reply in [first, second] {
            log.lock().unwrap().push(read_request(wire).unwrap());
            wire.write_all(reply.as_bytes()).unwrap();
        }
    });
    let server = Server::plain(vec![twice, good(b"third")]);
    let url = server.url("/");
    let transport = transport(&NetworkSettings::default());
    for reply in ["first", "second", "third"] {
        assert_eq!(transport.send(&post(&url, b"question"), &context()).unwrap(), reply.as_bytes());
    }
    assert_eq!(server.seen().len(), 3);
}

#[test]
fn a_connection_that_breaks_is_repeated_with_the_same_bytes() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Type: application/cose\r\nContent-Length: 100\r\n\r\nhalf".to_vec();
    let before_head: Act = after_request(|_, stream| reset(stream));
    let in_body: Act = after_request(move |wire, stream| {
        wire.write_all(&half).unwrap();
        reset(stream);
    });
    let short = raw("HTTP/1.1 200 OK\r\nContent-Type: application/cose\r\nContent-Length: 100\r\n\r\nhalf");
    let server = Server::plain(vec![before_head, in_body, short, good(b"reply")]);
    assert_eq!(send(&server.url("/")).unwrap(), b"reply");
    let seen = server.seen();
    assert_eq!(seen.len(), 4);
    assert!(seen.iter().all(|seen| seen.body == b"question"));
}

/// A `200 OK` with these headers, the type of a document among them, and what follows; with the reason why it is refused.
fn refused_as(version: &str, headers: &str, body: &str) -> String {
    let server = Server::plain(vec![raw(format!("{version} 200 OK\r\n{COSE}{headers}\r\n{body}"))]);
    let reason = stranger(send(&server.url("/")));
    assert_eq!(server.seen().len(), 1, "{headers:?} is asked for again");
    reason
}

#[test]
fn a_transfer_coding_that_is_not_exactly_one_chunked_is_refused() {
    let chunks = "5\r\nreply\r\n0\r\n\r\n";
    let beside = ["Content-Length: 5\r\n", "Content-Length: 20\r\n"];
    for coding in
        ["gzip, chunked", "chunked, gzip", "chunked, chunked", "identity", "chunked;q=1", "\"chunked\"", "chunked,", ""]
    {
        let header = format!("Transfer-Encoding: {coding}\r\n");
        let reason = refused_as("HTTP/1.1", &header, chunks);
        assert_eq!(reason, "a transfer coding other than chunked (HTTP 200)", "{coding:?}");
        for length in beside {
            for headers in [format!("{header}{length}"), format!("{length}{header}")] {
                assert_eq!(
                    refused_as("HTTP/1.1", &headers, chunks),
                    "a length beside chunks (HTTP 200)",
                    "{headers:?}"
                );
            }
        }
    }
    for second in ["chunked", "gzip", "identity"] {
        let headers = format!("Transfer-Encoding: chunked\r\nTransfer-Encoding: {second}\r\n");
        assert_eq!(refused_as("HTTP/1.1", &headers, chunks), "a transfer coding other than chunked (HTTP 200)");
    }
    for length in beside {
        let headers = format!("Transfer-Encoding: chunked\r\n{length}");
        assert_eq!(refused_as("HTTP/1.1", &headers, chunks), "a length beside chunks (HTTP 200)");
    }
}

#[test]
fn a_transfer_coding_is_not_taken_from_who_cannot_know_it() {
    let chunked = "Transfer-Encoding: chunked\r\n";
    let reason = refused_as("HTTP/1.0", chunked, "5\r\nreply\r\n0\r\n\r\n");
    assert_eq!(reason, "a transfer coding where none may be (HTTP 200)");
    let server = Server::plain(vec![raw(format!("HTTP/1.1 204 No Content\r\n{chunked}\r\n0\r\n\r\n"))]);
    assert_eq!(stranger(send(&server.url("/"))), "a transfer coding where none may be (HTTP 204)");
    server.seen();
}

#[test]
fn the_name_of_the_coding_has_no_case_and_blanks_around_it_mean_nothing() {
    for coding in ["CHUNKED", "Chunked", " \t chunked \t"] {
        let head = format!("HTTP/1.1 200 OK\r\n{COSE}transfer-encoding:{coding}\r\n\r\n");
        let server = Server::plain(vec![raw(format!("{head}5\r\nreply\r\n0\r\n\r\n"))]);
        assert_eq!(send(&server.url("/")).unwrap(), b"reply", "{coding:?}");
    }
}

#[test]
fn more_than_one_length_is_refused_whether_they_differ_or_not() {
    for headers in ["Content-Length: 5\r\nContent-Length: 5\r\n", "Content-Length: 5\r\ncontent-length: 05\r\n"] {
        assert_eq!(refused_as("HTTP/1.1", headers, "reply"), "two lengths (HTTP 200)", "{headers:?}");
    }
    assert_eq!(refused_as("HTTP/1.1", "Content-Length: 5, 5\r\n", "reply"), "a length that is no number (HTTP 200)");
    for length in ["5\r\nContent-Length: 6", "5, 6", "+5", "-5", "0x5", "5 5", "", "99999999999999999999"] {
        refused_as("HTTP/1.1", &format!("Content-Length: {length}\r\n"), "reply");
    }
}

#[test]
fn header_lines_that_can_be_read_in_two_ways_are_refused() {
    let lines = [
        "Content-Length: 5\r\n 0\r\n",
        "X: a\r\n\tContent-Length: 5\r\n",
        "Content-Length : 5\r\n",
        " Content-Length: 5\r\n",
        "Content-Length\r\n: 5\r\n",
        "Content-Length: 5\rX: y\r\n",
        "Content-Length: 5\0\r\n",
        "Content-Type: application/cose\r\nContent-Length: 5\r\n",
        "Content-Type: text/html\r\nContent-Length: 5\r\n",
    ];
    for headers in lines {
        refused_as("HTTP/1.1", headers, "reply");
    }
}

#[test]
fn what_an_answer_of_two_meanings_tells_is_not_believed_whatever_its_status() {
    let faulty = "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n";
    let statuses = ["503 Service Unavailable", "409 Conflict", "307 Temporary Redirect", "204 No Content"];
    for status in statuses {
        let head = format!("HTTP/1.1 {status}\r\nLocation: /elsewhere\r\nRetry-After: 0\r\n");
        let server = Server::plain(vec![raw(format!("{head}{faulty}"))]);
        let reason = stranger(send(&server.url("/")));
        assert!(reason.starts_with("a length beside chunks"), "{status}: {reason}");
        assert_eq!(server.seen().len(), 1, "{status}");
    }
    let twice = "Location: /one\r\nLocation: /two\r\nContent-Length: 0\r\n\r\n";
    let server = Server::plain(vec![raw(format!("HTTP/1.1 307 Temporary Redirect\r\n{twice}"))]);
    assert!(stranger(send(&server.url("/"))).starts_with("a header that stands once stands twice"));
    server.seen();
}

#[test]
fn a_part_of_a_body_is_no_body() {
    let head = format!("HTTP/1.1 206 Partial Content\r\n{COSE}Content-Range: bytes 0-4/9\r\n");
    let server = Server::plain(vec![raw(format!("{head}Content-Length: 5\r\n\r\nreply"))]);
    assert_eq!(stranger(send(&server.url("/"))), "a part of a body (HTTP 206)");
    server.seen();
}
