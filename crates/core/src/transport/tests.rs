mod cancel;
mod encrypted;
mod framing;
mod network;
mod server;

use super::*;
use crate::event::{Event, Flow};
use server::*;
use std::sync::{Arc, Mutex};

pub(super) fn transport(settings: &NetworkSettings) -> HttpTransport {
    let transport = HttpTransport::new(settings, &Arc::default()).unwrap();
    transport.with_first_pause(Duration::from_millis(1))
}

fn context() -> Context {
    Context::inline(Some(Duration::from_secs(60)), |_: &Event| Flow::Continue)
}

pub(super) fn post<'a>(url: &'a str, body: &'a [u8]) -> HttpRequest<'a> {
    HttpRequest { url, body: Some(body), token: None, cap: 1000, progress: None }
}

fn send_with(settings: &NetworkSettings, url: &str) -> Result<Vec<u8>, TransportError> {
    transport(settings).send(&post(url, b"question"), &context())
}

fn send(url: &str) -> Result<Vec<u8>, TransportError> {
    send_with(&NetworkSettings::default(), url)
}

fn stranger(result: Result<Vec<u8>, TransportError>) -> String {
    match result {
        Err(TransportError::NotTheService(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_arrives_as_it_was_given_and_the_answer_comes_back() {
    let server = Server::plain(vec![good(b"reply")]);
    let url = server.url("/v1/licenses?a=b");
    let settings = NetworkSettings { user_agent: "Player/1\r\nX: y".to_owned(), ..NetworkSettings::default() };
    let token = AccountToken::new("secret-token".to_owned());
    let request = HttpRequest { token: Some(&token), ..post(&url, b"question") };
    assert_eq!(transport(&settings).send(&request, &context()).unwrap(), b"reply");
    let seen = server.seen().remove(0);
    assert!(seen.head.starts_with("POST /v1/licenses?a=b HTTP/1.1\r\n"), "{}", seen.head);
    assert_eq!(seen.body, b"question");
    assert_eq!(seen.header("content-type"), Some("application/cose"));
    assert_eq!(seen.header("authorization"), Some("Bearer secret-token"));
    assert_eq!(seen.header("user-agent"), Some("Player/1X: y"));
    assert_eq!(seen.header("accept"), Some("application/cose, application/problem+json"));
    assert_eq!(seen.header("accept-encoding"), Some("identity"));
}

#[test]
fn a_request_without_body_is_a_get_and_names_the_library() {
    let server = Server::plain(vec![good(b"document")]);
    let url = server.url("/.well-known/wmlicense");
    let request = HttpRequest { body: None, ..post(&url, b"") };
    assert_eq!(transport(&NetworkSettings::default()).send(&request, &context()).unwrap(), b"document");
    let seen = server.seen().remove(0);
    assert!(seen.head.starts_with("GET /.well-known/wmlicense HTTP/1.1\r\n"), "{}", seen.head);
    assert_eq!(seen.header("authorization"), None);
    assert!(seen.header("user-agent").unwrap().starts_with("wmlicense/"));
}

#[test]
fn the_phases_of_a_request_are_told() {
    let server = Server::plain(vec![good(b"reply")]);
    let url = server.url("/");
    let phases = Mutex::new(Vec::new());
    let note = |phase, bytes, total| phases.lock().unwrap().push((phase, bytes, total));
    let request = HttpRequest { progress: Some(&note), ..post(&url, b"question") };
    transport(&NetworkSettings::default()).send(&request, &context()).unwrap();
    let expected = [(HttpPhase::Requesting, 0, 0), (HttpPhase::Receiving, 5, 5), (HttpPhase::Completed, 5, 5)];
    assert_eq!(*phases.lock().unwrap(), expected);
}

#[test]
fn offline_opens_no_connection() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let settings = NetworkSettings { offline_only: true, ..NetworkSettings::default() };
    assert!(matches!(send_with(&settings, &url), Err(TransportError::Offline)));
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_url_that_may_not_be_used_opens_no_connection() {
    assert!(matches!(send("http://example.org/"), Err(TransportError::Url(url)) if url == "http://example.org/"));
    assert!(matches!(send("nonsense"), Err(TransportError::Url(_))));
}

#[test]
fn a_closed_port_is_unreachable_after_all_repetitions() {
    // Bound but not listening: nobody else can get the port meanwhile.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    let url = format!("http://{}/", socket.local_addr().unwrap().as_socket().unwrap());
    assert!(matches!(send(&url), Err(TransportError::Unreachable(_))));
}

#[test]
fn what_is_not_the_service_is_told_apart_and_not_repeated() {
    let html = "Content-Type: text/html\r\n";
    let portal = b"<html>Log in</html>";
    let gzip = format!("{COSE}Content-Encoding: gzip\r\n");
    let cases = [
        answer("200 OK", "", b"untyped"),
        answer("200 OK", &gzip, b"zipped"),
        answer("404 Not Found", html, portal),
        answer("302 Found", "", b""),
        raw("nonsense\r\n\r\n"),
        raw("HTTP/1.1 200 OK\r\nContent-Type: application/cose\r\nContent-Length: -1\r\n\r\n"),
        raw("HTTP/1.1 200 OK\r\nContent-Type: application/cose\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
        raw(format!("HTTP/1.1 200 OK\r\n{}\r\n\r\n", "X: y\r\n".repeat(20_000))),
    ];
    for (index, case) in cases.into_iter().enumerate() {
        let server = Server::plain(vec![case]);
        let result = send(&server.url("/"));
        assert!(matches!(result, Err(TransportError::NotTheService(_))), "case {index}: {result:?}");
        assert_eq!(server.seen().len(), 1, "case {index}");
    }
}

#[test]
fn a_login_page_of_the_network_is_told_apart() {
    let html = "Content-Type: Text/HTML; charset=utf-8\r\n";
    let cases = [
        answer("200 OK", html, b"<html>Log in</html>"),
        answer("511 Network Authentication Required", html, b"<html>Log in</html>"),
        answer("302 Found", "Location: http://portal.example/login\r\n", b""),
        answer("307 Temporary Redirect", "Location: ftp://portal.example/\r\n", b""),
    ];
    for (index, case) in cases.into_iter().enumerate() {
        let server = Server::plain(vec![case]);
        let result = send(&server.url("/"));
        assert!(matches!(result, Err(TransportError::CaptivePortal(_))), "case {index}: {result:?}");
        assert_eq!(server.seen().len(), 1, "case {index}");
    }
}

#[test]
fn overload_and_failure_are_repeated() {
    let statuses = ["408 Request Timeout", "425 Too Early", "429 Too Many Requests", "503 Service Unavailable"];
    let mut acts: Vec<Act> = statuses.iter().map(|status| answer(status, "Retry-After: 0\r\n", b"")).collect();
    acts.push(good(b"reply"));
    let server = Server::plain(acts);
    assert_eq!(send(&server.url("/")).unwrap(), b"reply");
    assert_eq!(server.seen().len(), 5);
}

#[test]
fn repetitions_end_and_tell_what_the_service_said() {
    let problem = "Content-Type: application/problem+json\r\nX-Request-Id: abc-1\r\n";
    let body = br#"{"type":"urn:wmlicense:problem:unavailable","title":"busy","status":503,"code":50300}"#;
    let acts = (0..3).map(|_| answer("503 Service Unavailable", problem, body)).collect();
    let server = Server::plain(acts);
    let settings = NetworkSettings { retry_limit: 2, ..NetworkSettings::default() };
    let Err(TransportError::Unavailable(failure)) = send_with(&settings, &server.url("/")) else { panic!() };
    let expected = ServiceFailure {
        http_status: 503,
        server_code: 50300,
        request_id: Some("abc-1".to_owned()),
        retry_after: None,
        message: "busy".to_owned(),
    };
    assert_eq!(failure, expected);
    assert_eq!(server.seen().len(), 3);
}

#[test]
fn all_attempts_of_a_request_carry_one_id_that_a_failure_names() {
    let server = Server::plain((0..2).map(|_| answer("502 Bad Gateway", "", b"")).collect());
    let settings = NetworkSettings { retry_limit: 1, ..NetworkSettings::default() };
    let Err(TransportError::Unavailable(failure)) = send_with(&settings, &server.url("/")) else { panic!() };
    let id = failure.request_id.unwrap();
    assert_eq!(id.len(), 16);
    assert!(server.seen().iter().all(|seen| seen.header("x-request-id") == Some(&id)));
}

#[test]
fn a_wait_beyond_the_deadline_is_told_at_once_and_capped_at_an_hour() {
    let server = Server::plain(vec![answer("429 Too Many Requests", "Retry-After: 99999999\r\n", b"")]);
    let Err(TransportError::Unavailable(failure)) = send(&server.url("/")) else { panic!() };
    assert_eq!((failure.http_status, failure.retry_after), (429, Some(3600)));
    assert_eq!(server.seen().len(), 1);
    let server = Server::plain(vec![answer("503 Busy", "Retry-After: soon\r\n", b""), good(b"reply")]);
    assert_eq!(send(&server.url("/")).unwrap(), b"reply");
}

#[test]
fn a_refusal_of_the_service_is_final_and_keeps_its_detail() {
    let problem = "Content-Type: application/problem+json; charset=utf-8\r\n";
    let body = br#"{"type":"urn:wmlicense:problem:conflict","title":"conflict","status":409,"code":40900,
                    "detail":"other\nbytes","requestId":"r-1","retryAfter":7}"#;
    let server = Server::plain(vec![answer("409 Conflict", problem, body)]);
    let Err(TransportError::Refused(failure)) = send(&server.url("/")) else { panic!() };
    let expected = ServiceFailure {
        http_status: 409,
        server_code: 40900,
        request_id: Some("r-1".to_owned()),
        retry_after: Some(7),
        message: "otherbytes".to_owned(),
    };
    assert_eq!(failure, expected);
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn a_redirect_that_keeps_the_method_is_followed_without_the_token() {
    let target = Server::plain(vec![good(b"reply")]);
    let location = format!("Location: {}\r\n", target.url("/there"));
    let server = Server::plain(vec![answer("308 Permanent Redirect", &location, b"")]);
    let url = server.url("/here");
    let token = AccountToken::new("secret-token".to_owned());
    let request = HttpRequest { token: Some(&token), ..post(&url, b"question") };
    assert_eq!(transport(&NetworkSettings::default()).send(&request, &context()).unwrap(), b"reply");
    assert_eq!(server.seen()[0].header("authorization"), Some("Bearer secret-token"));
    let seen = target.seen().remove(0);
    assert!(seen.head.starts_with("POST /there "), "{}", seen.head);
    assert_eq!((seen.body.as_slice(), seen.header("authorization")), (b"question".as_slice(), None));
}

#[test]
fn redirects_without_end_are_given_up() {
    let acts = (0..4).map(|_| answer("307 Temporary Redirect", "Location: /again\r\n", b"")).collect();
    let server = Server::plain(acts);
    assert!(matches!(send(&server.url("/")), Err(TransportError::Redirect(_))));
    assert_eq!(server.seen().len(), 4);
}

#[test]
fn a_token_that_no_header_can_carry_is_never_sent() {
    for token in ["bad\ntoken", "\u{feff}bad", "bäd"] {
        let token = AccountToken::new(token.to_owned());
        let server = Server::plain(Vec::new());
        let url = server.url("/");
        let request = HttpRequest { token: Some(&token), ..post(&url, b"question") };
        let result = transport(&NetworkSettings::default()).send(&request, &context());
        let Err(TransportError::Refused(failure)) = result else { panic!("{result:?}") };
        assert!(failure.message.contains("account token") && !failure.message.contains("bad"), "{failure:?}");
    }
}

#[test]
fn a_proxy_is_used_when_set_and_its_refusal_is_told() {
    let tunnel: Act = Box::new(|wire, _, log| {
        log.lock().unwrap().push(read_request(wire).unwrap());
        wire.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        log.lock().unwrap().push(read_request(wire).unwrap());
        wire.write_all(&response("200 OK", COSE, b"reply")).unwrap();
    });
    let proxy = Server::plain(vec![tunnel, raw("HTTP/1.1 403 Forbidden\r\n\r\n")]);
    let settings =
        NetworkSettings { proxy: ProxyChoice::Url(proxy.url("")), allow_http: true, ..NetworkSettings::default() };
    assert_eq!(send_with(&settings, "http://license.test:9/x").unwrap(), b"reply");
    assert!(matches!(send_with(&settings, "http://license.test:9/x"), Err(TransportError::Proxy(_))));
    let seen = proxy.seen();
    assert!(seen[0].head.starts_with("CONNECT license.test:9 HTTP/1.1\r\n"), "{}", seen[0].head);
    assert!(seen[1].head.starts_with("POST /x HTTP/1.1\r\n"), "{}", seen[1].head);
}

/// The port of the test server is in the name; loopback has more addresses than one.
fn first_address_closed(name: &str) -> std::io::Result<Vec<std::net::SocketAddr>> {
    let port = name.rsplit(':').next().unwrap().parse().unwrap();
    Ok([[127, 9, 9, 9], [127, 0, 0, 1]].map(|address| (address, port).into()).to_vec())
}

fn no_address(_: &str) -> std::io::Result<Vec<std::net::SocketAddr>> {
    Ok(Vec::new())
}

#[test]
fn every_address_of_a_name_is_tried() {
    let server = Server::plain(vec![good(b"reply")]);
    let settings = NetworkSettings { allow_http: true, retry_limit: 0, ..NetworkSettings::default() };
    let url = format!("http://license.test:{}/", server.address.port());
    let transport = HttpTransport::with_lookup(&settings, &Arc::default(), first_address_closed).unwrap();
    assert_eq!(transport.send(&post(&url, b"question"), &context()).unwrap(), b"reply");
    assert_eq!(server.seen().len(), 1);
    let transport = HttpTransport::with_lookup(&settings, &Arc::default(), no_address).unwrap();
    let result = transport.send(&post(&url, b"question"), &context());
    assert!(matches!(&result, Err(TransportError::Unreachable(reason)) if reason == "host not found"), "{result:?}");
}

#[test]
fn the_token_stays_at_home_where_the_way_is_open_to_all() {
    let server = Server::plain(vec![good(b"reply")]);
    let settings = NetworkSettings { allow_http: true, ..NetworkSettings::default() };
    let url = format!("http://license.test:{}/", server.address.port());
    let transport = HttpTransport::with_lookup(&settings, &Arc::default(), first_address_closed).unwrap();
    let token = AccountToken::new("secret-token".to_owned());
    let request = HttpRequest { token: Some(&token), ..post(&url, b"question") };
    assert_eq!(transport.send(&request, &context()).unwrap(), b"reply");
    assert_eq!(server.seen()[0].header("authorization"), None);
}

#[test]
fn the_deadline_ends_a_request_that_gets_no_answer() {
    let server = Server::plain(vec![after_request(|wire, _| until_closed(wire))]);
    let url = server.url("/");
    let short = Context::inline(Some(Duration::from_millis(150)), |_: &Event| Flow::Continue);
    let result = transport(&NetworkSettings::default()).send(&post(&url, b"question"), &short);
    assert!(matches!(result, Err(TransportError::DeadlinePassed)), "{result:?}");

    let settings = NetworkSettings { deadline: Some(Duration::ZERO), ..NetworkSettings::default() };
    assert!(matches!(send_with(&settings, &url), Err(TransportError::DeadlinePassed)));
}
