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
