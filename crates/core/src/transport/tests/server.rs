//! A server that does exactly what a test says, connection by connection.

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// One request as it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// A connection, encrypted or not.
pub(super) trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

/// What to do with one connection.
pub(super) type Act = Box<dyn FnOnce(&mut dyn Wire, &TcpStream, &Mutex<Vec<Seen>>) + Send>;

pub(super) struct Server {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves one connection per act, then closes its port.
    pub(super) fn plain(acts: Vec<Act>) -> Self {
        Self::start(acts, None)
    }

    pub(super) fn tls(config: rustls::ServerConfig, acts: Vec<Act>) -> Self {
        Self::start(acts, Some(Arc::new(config)))
    }

    fn start(acts: Vec<Act>, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let log = Arc::clone(&seen);
        let mut acts = VecDeque::from(acts);
        let thread = std::thread::spawn(move || {
            while let Some(act) = acts.pop_front() {
                let (stream, _) = listener.accept().unwrap();
                match &tls {
                    None => act(&mut &stream, &stream, &log),
                    Some(config) => {
                        let mut connection = rustls::ServerConnection::new(Arc::clone(config)).unwrap();
                        let mut socket = &stream;
                        let mut wire = rustls::Stream::new(&mut connection, &mut socket);
                        act(&mut wire, &stream, &log);
                    }
                }
            }
        });
        Self { address, seen, thread: Some(thread) }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn https(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// Waits for the last act and gives the requests that came.
    pub(super) fn seen(mut self) -> Vec<Seen> {
        self.thread.take().unwrap().join().unwrap();
        self.seen.lock().unwrap().clone()
    }
}

/// Reads one request; `None` if the connection ends instead.
pub(super) fn read_request(wire: &mut dyn Wire) -> Option<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if wire.read(&mut byte).unwrap_or(0) == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let mut seen = Seen { head: String::from_utf8(head).unwrap(), body: Vec::new() };
    let length = seen.header("content-length").map_or(0, |length| length.parse().unwrap());
    seen.body = vec![0; length];
    wire.read_exact(&mut seen.body).ok()?;
    Some(seen)
}

/// Reads a request and writes these bytes.
pub(super) fn raw(bytes: impl Into<Vec<u8>>) -> Act {
    let bytes = bytes.into();
    Box::new(move |wire, _, log| {
        if let Some(seen) = read_request(wire) {
            log.lock().unwrap().push(seen);
            // The client may have gone already, which is its right.
            let _ = wire.write_all(&bytes).and_then(|()| wire.flush());
        }
    })
}

/// A whole response with these headers (each ended by `\r\n`).
pub(super) fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub(super) fn answer(status: &str, headers: &str, body: &[u8]) -> Act {
    raw(response(status, headers, body))
}

pub(super) const COSE: &str = "Content-Type: application/cose\r\n";

pub(super) fn good(body: &[u8]) -> Act {
    answer("200 OK", COSE, body)
}

/// Reads a request, then calls `then` with the connection.
pub(super) fn after_request(then: impl FnOnce(&mut dyn Wire, &TcpStream) + Send + 'static) -> Act {
    Box::new(move |wire, stream, log| {
        let seen = read_request(wire).unwrap();
        log.lock().unwrap().push(seen);
        then(wire, stream);
    })
}

/// Ends a connection with a reset.
pub(super) fn reset(stream: &TcpStream) {
    socket2::SockRef::from(stream).set_linger(Some(std::time::Duration::ZERO)).unwrap();
}

/// Waits until the client closes the connection.
pub(super) fn until_closed(wire: &mut dyn Wire) {
    let mut rest = [0; 256];
    while wire.read(&mut rest).unwrap_or(0) > 0 {}
}

/// An own CA, as PEM, and the configuration of a server with this name under it.
pub(super) fn certified(
    versions: &[&'static rustls::SupportedProtocolVersion],
    name: &str,
) -> (String, rustls::ServerConfig) {
    certified_with(versions, name, |_| {})
}

/// As [`certified`], the server's certificate changed by `change` before it is signed.
pub(super) fn certified_with(
    versions: &[&'static rustls::SupportedProtocolVersion],
    name: &str,
    change: impl FnOnce(&mut rcgen::CertificateParams),
) -> (String, rustls::ServerConfig) {
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let mut leaf = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    change(&mut leaf);
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))
        .unwrap();
    (ca_certificate.pem(), config)
}
