//! Where the service's page leads back to on this machine, so that a monitor need not wait for its next poll. What comes in
//! is not believed: the right path rings the bell, anything else does nothing.

use super::wake::Wake;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longest head of a request that is read, in bytes.
const MAX_HEAD: usize = 4096;
/// Longest time that one connection may take.
const PATIENCE: Duration = Duration::from_secs(1);
const THANKS: &str = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
    <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
    <title>Back to the app</title></head>\
    <body><main><h1>Back to the app</h1><p>You can close this page and go back to the app.</p></main></body></html>\n";

/// A port of this machine that only the page of one request knows.
pub struct Loopback {
    listener: TcpListener,
    port: u16,
    /// Random path: other programs and web pages on this machine do not know it.
    path: String,
}

impl Loopback {
    /// Takes a free port of 127.0.0.1. Nothing is accepted before it listens.
    pub fn bind() -> io::Result<Self> {
        let mut name = [0; 16];
        getrandom::fill(&mut name).map_err(|_| io::Error::other("no random bytes"))?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port, path: format!("/{}", URL_SAFE_NO_PAD.encode(name)) })
    }

    /// The page's URL with the way back.
    pub fn page(&self, url: &str) -> String {
        let sign = if url.contains('?') { '&' } else { '?' };
        format!("{url}{sign}return=http://127.0.0.1:{}{}", self.port, self.path)
    }

    /// Rings `wake` for whoever comes by the right path, until the result is dropped.
    pub(super) fn listen(self: &Arc<Self>, wake: &Arc<Wake>) -> io::Result<Listening> {
        let shared = Arc::new(Shared::default());
        let (own, wake, theirs) = (Arc::clone(self), Arc::clone(wake), Arc::clone(&shared));
        let thread = std::thread::Builder::new().name("wmlicense-loopback".to_owned());
        let thread = thread.spawn(move || own.accept(&wake, &theirs))?;
        Ok(Listening { shared, port: self.port, thread: Some(thread) })
    }

    fn accept(&self, wake: &Wake, shared: &Shared) {
        while !shared.stopped.load(Ordering::Acquire) {
            // Without descriptors there is no redirect; the polls go on.
            let Ok((stream, _)) = self.listener.accept() else { return };
            shared.hold(&stream);
            if self.is_way_back(&stream) {
                wake.ring();
                answer(&stream, "200 OK", THANKS);
            } else {
                answer(&stream, "404 Not Found", "");
            }
            shared.let_go();
        }
    }

    fn is_way_back(&self, stream: &TcpStream) -> bool {
        let Some(head) = read_head(stream) else { return false };
        let target = head.strip_prefix(b"GET ").and_then(|rest| rest.strip_prefix(self.path.as_bytes()));
        target.and_then(<[u8]>::first).is_some_and(|next| *next == b' ' || *next == b'?')
    }
}

fn read_head(mut stream: &TcpStream) -> Option<Vec<u8>> {
    let until = Instant::now() + PATIENCE;
    let (mut head, mut part) = (Vec::new(), [0; 1024]);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || head.len() > MAX_HEAD {
            return None;
        }
        stream.set_read_timeout(Some(left)).ok()?;
        let read = stream.read(&mut part).ok().filter(|read| *read > 0)?;
        head.extend_from_slice(part.get(..read)?);
    }
    Some(head)
}

fn answer(mut stream: &TcpStream, status: &str, body: &str) {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
         Content-Security-Policy: default-src 'none'\r\nConnection: close\r\n\r\n",
        body.len()
    );
    // Who does not read the answer has done without it.
    let _ = stream.set_write_timeout(Some(PATIENCE));
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
}

#[derive(Default)]
struct Shared {
    stopped: AtomicBool,
    stream: Mutex<Option<TcpStream>>,
}

impl Shared {
    fn hold(&self, stream: &TcpStream) {
        *self.stream.lock().unwrap_or_else(PoisonError::into_inner) = stream.try_clone().ok();
        if self.stopped.load(Ordering::Acquire) {
            self.cut();
        }
    }

    fn let_go(&self) {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn cut(&self) {
        if let Some(stream) = &*self.stream.lock().unwrap_or_else(PoisonError::into_inner) {
            // A connection that is closed already needs no shutdown.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Accepts until dropped.
pub(super) struct Listening {
    shared: Arc<Shared>,
    port: u16,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Release);
        self.shared.cut();
        // Wakes the accept; a port that takes no connection has no accept to wake.
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        let woken = TcpStream::connect_timeout(&here, PATIENCE);
        if let Some(thread) = self.thread.take().filter(|_| woken.is_ok()) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Flow;

    fn send(loopback: &Loopback, text: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, loopback.port)).unwrap();
        stream.write_all(text.as_bytes()).unwrap();
        let mut reply = String::new();
        let _ = stream.read_to_string(&mut reply);
        reply
    }

    fn was_rung(wake: &Arc<Wake>) -> bool {
        let context = Context::inline(None, |_| Flow::Continue);
        let begun = Instant::now();
        wake.wait_until(begun + Duration::from_millis(50), &context).unwrap();
        begun.elapsed() < Duration::from_millis(50)
    }

    use crate::operation::Context;

    #[test]
    fn only_the_secret_path_rings() {
        let (loopback, wake) = (Arc::new(Loopback::bind().unwrap()), Arc::new(Wake::default()));
        let listening = loopback.listen(&wake).unwrap();
        let path = &loopback.path;
        for hostile in
            ["GET / HTTP/1.1\r\n\r\n", "POST / HTTP/1.1\r\n\r\n", "\r\n\r\n", "GET /favicon.ico HTTP/1.1\r\n\r\n"]
        {
            assert!(send(&loopback, hostile).starts_with("HTTP/1.1 404"), "{hostile}");
        }
        assert!(send(&loopback, &format!("GET {path}x HTTP/1.1\r\n\r\n")).starts_with("HTTP/1.1 404"));
        assert!(!was_rung(&wake));
        let reply = send(&loopback, &format!("GET {path}?interaction=abc HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert!(reply.starts_with("HTTP/1.1 200") && reply.contains("go back to the app"));
        assert!(was_rung(&wake));
        // One that says nothing holds up nobody's end.
        let silent = TcpStream::connect((Ipv4Addr::LOCALHOST, loopback.port)).unwrap();
        drop(listening);
        drop(silent);
    }

    #[test]
    fn the_way_back_is_added_to_the_query() {
        let loopback = Loopback::bind().unwrap();
        let back = format!("return=http://127.0.0.1:{}{}", loopback.port, loopback.path);
        assert_eq!(loopback.page("https://a.example/i"), format!("https://a.example/i?{back}"));
        assert_eq!(loopback.page("https://a.example/i?x=1"), format!("https://a.example/i?x=1&{back}"));
    }
}
