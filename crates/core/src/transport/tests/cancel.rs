//! Cancel in every phase of a request: the fake peer tells that the phase is reached, and how long the request then took to
//! end is printed (`--nocapture`). 100 ms are promised, and loaded test machines take longer to run a thread that is ready, so
//! the bound is ten times that; no time-out of the transport is as short.

use super::server::*;
use super::{post, transport};
use crate::event::{Event, Flow};
use crate::operation::{Canceller, Context};
use crate::transport::{
    AppFailure, AppRequest, AppResponse, AppStack, AppTransport, HttpTransport, NetworkSettings, ProxyChoice, TlsTrust,
    Transport as _, TransportError,
};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(1);

/// Tells that a lookup began, and ends it.
struct Gate {
    begun: Sender<()>,
    go: Receiver<()>,
}

/// A lookup is a plain function, so its test leaves the way to it here.
static GATE: Mutex<Option<Gate>> = Mutex::new(None);

fn stuck_lookup(_: &str) -> std::io::Result<Vec<std::net::SocketAddr>> {
    let Gate { begun, go } = GATE.lock().unwrap().take().unwrap();
    begun.send(()).unwrap();
    // Ends when the test drops its side.
    go.recv().unwrap_err();
    Ok(Vec::new())
}

/// Sends a request on this thread; as soon as `reached` tells that the phase is reached, another thread cancels.
fn cancel_when(reached: Receiver<()>, url: &str) {
    cancel_with(&transport(&NetworkSettings::default()), reached, url);
}

fn cancel_with(transport: &HttpTransport, reached: Receiver<()>, url: &str) {
    cancel_sending(transport, reached, url, b"question");
}

fn cancel_sending(transport: &HttpTransport, reached: Receiver<()>, url: &str, body: &[u8]) {
    let context = Context::inline(None, |_: &Event| Flow::Continue);
    let canceller: Canceller = context.canceller();
    let helper = std::thread::spawn(move || {
        reached.recv().unwrap();
        let begun = Instant::now();
        canceller.cancel();
        begun
    });
    let result = transport.send(&post(url, body), &context);
    let ended = Instant::now();
    assert!(matches!(result, Err(TransportError::Cancelled)), "{result:?}");
    let took = ended.duration_since(helper.join().unwrap());
    println!("{}: cancelled in {took:?}", std::thread::current().name().unwrap_or_default());
    assert!(took < SOON, "{took:?}");
    assert!(matches!(transport.send(&post(url, b"again"), &context), Err(TransportError::Cancelled)));
}

fn signal() -> (Sender<()>, Receiver<()>) {
    channel()
}

/// Writes these bytes after the request, tells that it did, and then waits for the client to go.
fn stall_after(bytes: &'static [u8], reached: Sender<()>) -> Act {
    after_request(move |wire, _| {
        wire.write_all(bytes).unwrap();
        wire.flush().unwrap();
        reached.send(()).unwrap();
        until_closed(wire);
    })
}

#[test]
fn while_waiting_for_the_head() {
    let (reached, wait) = signal();
    let server = Server::plain(vec![stall_after(b"", reached)]);
    cancel_when(wait, &server.url("/"));
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn in_the_middle_of_a_body_of_any_framing() {
    let bodies: [&'static [u8]; 2] = [
        b"HTTP/1.1 200 OK\r\nContent-Type: application/cose\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nContent-Type: application/cose\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ];
    for body in bodies {
        let (reached, wait) = signal();
        let server = Server::plain(vec![stall_after(body, reached)]);
        cancel_when(wait, &server.url("/"));
        assert_eq!(server.seen().len(), 1);
    }
}

#[test]
fn while_a_slow_server_drips() {
    let (reached, wait) = signal();
    let drip: Act = after_request(move |wire, _| {
        let _ = wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/cose\r\nContent-Length: 900\r\n\r\n");
        for sent in 0..900 {
            if wire.write_all(b"x").and_then(|()| wire.flush()).is_err() {
                return;
            }
            if sent == 3 {
                reached.send(()).unwrap();
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
    });
    let server = Server::plain(vec![drip]);
    cancel_when(wait, &server.url("/"));
    server.seen();
}

/// A body that no buffer on the way takes whole.
const LARGE: usize = 64 << 20;

/// Tells that the body has begun, and reads no more of it until the client is gone.
fn deaf(reached: Sender<()>, gone: Receiver<()>) -> Act {
    Box::new(move |wire, _, _| {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            wire.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        reached.send(()).unwrap();
        // Ends when the test drops its side.
        gone.recv().unwrap_err();
    })
}

#[test]
fn while_a_large_body_is_being_sent() {
    let (reached, wait) = signal();
    let (done, gone) = signal();
    let server = Server::plain(vec![deaf(reached, gone)]);
    cancel_sending(&transport(&NetworkSettings::default()), wait, &server.url("/"), &vec![0; LARGE]);
    drop(done);
    server.seen();
}

/// A server with TLS, and a transport that trusts it.
fn encrypted(act: Act) -> (Server, HttpTransport) {
    let (pem, config) = certified(&[&rustls::version::TLS13], "localhost");
    let settings =
        NetworkSettings { tls_trust: TlsTrust::PemOnly, tls_ca_pem: Some(pem), ..NetworkSettings::default() };
    (Server::tls(config, vec![act]), transport(&settings))
}

#[test]
fn while_a_large_body_is_being_sent_encrypted() {
    let (reached, wait) = signal();
    let (done, gone) = signal();
    let (server, transport) = encrypted(deaf(reached, gone));
    cancel_sending(&transport, wait, &server.https("/"), &vec![0; LARGE]);
    drop(done);
    server.seen();
}

#[test]
fn while_an_encrypted_answer_comes() {
    let half = b"HTTP/1.1 200 OK\r\nContent-Type: application/cose\r\nContent-Length: 100\r\n\r\nhalf";
    for bytes in [b"".as_slice(), half] {
        let (reached, wait) = signal();
        let (server, transport) = encrypted(stall_after(bytes, reached));
        cancel_with(&transport, wait, &server.https("/"));
        assert_eq!(server.seen().len(), 1);
    }
}

#[test]
fn while_a_proxy_looks_for_the_way() {
    let (reached, wait) = signal();
    let proxy = Server::plain(vec![stall_after(b"", reached)]);
    let settings = NetworkSettings { proxy: ProxyChoice::Url(proxy.url("")), ..NetworkSettings::default() };
    cancel_with(&transport(&settings), wait, "https://license.test/");
    assert!(proxy.seen()[0].head.starts_with("CONNECT license.test:443 "));
}

/// An application's stack that looks at `cancelled` again and again, as it is told to.
struct Polling(Mutex<Option<Sender<()>>>);

impl AppTransport for Polling {
    fn exchange(&self, request: &AppRequest<'_>) -> Result<AppResponse, AppFailure> {
        self.0.lock().unwrap().take().unwrap().send(()).unwrap();
        while !(request.cancelled)() {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        // Even one that takes the cancel for a broken connection is not asked again.
        Err(AppFailure::Broken)
    }
}

#[test]
fn while_the_applications_own_stack_sends() {
    let (reached, wait) = signal();
    let stack = AppStack(Arc::new(Polling(Mutex::new(Some(reached)))));
    let settings = NetworkSettings { app_stack: Some(stack), ..NetworkSettings::default() };
    cancel_with(&transport(&settings), wait, "https://license.test/");
}

#[test]
fn during_the_handshake() {
    let (reached, wait) = signal();
    let silent: Act = Box::new(move |wire, _, _| {
        assert!(wire.read(&mut [0; 1]).unwrap() > 0);
        reached.send(()).unwrap();
        until_closed(wire);
    });
    let server = Server::plain(vec![silent]);
    cancel_when(wait, &server.https("/"));
    server.seen();
}

#[test]
fn in_the_pause_between_two_attempts() {
    let (reached, wait) = signal();
    let busy: Act = after_request(move |wire, stream| {
        wire.write_all(&response("503 Service Unavailable", "Retry-After: 30\r\n", b"")).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        until_closed(wire);
        reached.send(()).unwrap();
    });
    let server = Server::plain(vec![busy]);
    cancel_when(wait, &server.url("/"));
    assert_eq!(server.seen().len(), 1);
}

/// Waits until a connection to this address is asked for and not answered: state 2 in the system's table.
fn until_connecting(address: std::net::SocketAddr) {
    let row = format!(" 0100007F:{:04X} 02 ", address.port());
    while !std::fs::read_to_string("/proc/net/tcp").unwrap().contains(&row) {
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn while_a_connection_is_being_made() {
    // A listener that accepts nothing and whose queue is full leaves further connections without an answer.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        queued.push(stream);
        assert!(queued.len() < 64, "the queue never fills");
    }
    let (reached, wait) = signal();
    let url = format!("http://{address}/");
    let starter = std::thread::spawn(move || {
        until_connecting(address);
        reached.send(()).unwrap();
    });
    cancel_when(wait, &url);
    starter.join().unwrap();
}

#[test]
fn while_a_name_is_looked_up() {
    let (begun, wait) = signal();
    let (end_of_lookup, go) = signal();
    *GATE.lock().unwrap() = Some(Gate { begun, go });
    let settings = NetworkSettings::default();
    let transport = HttpTransport::with_lookup(&settings, &Arc::default(), stuck_lookup).unwrap();
    cancel_with(&transport, wait, "https://license.test/");
    drop(end_of_lookup);
}

#[test]
fn before_the_first_attempt() {
    let (reached, wait) = signal();
    reached.send(()).unwrap();
    let server = Server::plain(Vec::new());
    let context = Context::inline(None, |_: &Event| Flow::Continue);
    wait.recv().unwrap();
    context.canceller().cancel();
    let result = transport(&NetworkSettings::default()).send(&post(&server.url("/"), b"question"), &context);
    assert!(matches!(result, Err(TransportError::Cancelled)), "{result:?}");
}
