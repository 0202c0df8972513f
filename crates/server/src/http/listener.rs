//! Listening: sockets, descriptors, and the loop that takes connections and lets HTTP run on each. Who may stay is in `crowd.rs`,
//! at which pace bytes have to move in `connection.rs`.

use super::connection::{Connection, HEAD, Stream};
use super::crowd::{Crowd, Place, Request as Running};
use crate::source::{Proxies, Source};
use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, Request, header};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::ServerConfig;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::AsyncWrite as _;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

/// Descriptors that are left for the database and everything else beside connections.
const OTHER_DESCRIPTORS: usize = 256;
/// Connections that are just closing, and as many that are being told that there is no room.
const CLOSING: usize = 64;
/// Connections that the system holds ready.
const BACKLOG: u32 = 4096;
/// Bytes that the system holds of what one connection is sent: what nobody reads stays bounded.
const SEND_BUFFER: u32 = 256 * 1024;
/// Longest head of a request, and most that is read of a body at once, in bytes.
const BUFFER: usize = 16 * 1024;
/// Most requests on one connection, so that connections spread anew over the replicas behind a proxy.
const MAX_REQUESTS: u64 = 1000;
/// Pause after an error of accept, which means that the process has no more descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// For how long a refused connection stays, so that the refusal arrives.
const REFUSAL: Duration = Duration::from_secs(1);
const NO_ROOM: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 2\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Where is listened, to whom, and for how many.
pub(crate) struct Listening {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    proxies: Arc<Proxies>,
    crowd: Arc<Crowd>,
    descriptors: Arc<Semaphore>,
    /// Of those that are refused, so that they take none from those that are let in.
    refusals: Arc<Semaphore>,
}

impl Listening {
    /// Listens on an address, for this many connections in all and of each source.
    pub(crate) fn bind(address: SocketAddr, in_all: usize, of_one: usize) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        // Sockets that are accepted have the same.
        socket.set_send_buffer_size(SEND_BUFFER)?;
        socket.bind(address)?;
        Ok(Self::over(socket.listen(BACKLOG)?, in_all, of_one))
    }

    /// Takes connections from a socket that listens.
    pub(super) fn over(listener: TcpListener, in_all: usize, of_one: usize) -> Self {
        Self {
            listener,
            tls: None,
            proxies: Arc::default(),
            crowd: Crowd::new(in_all, of_one),
            descriptors: Arc::new(Semaphore::new(in_all.saturating_add(CLOSING).min(Semaphore::MAX_PERMITS))),
            refusals: Arc::new(Semaphore::new(CLOSING)),
        }
    }

    /// Speaks TLS.
    pub(crate) fn with_tls(self, tls: Option<Arc<ServerConfig>>) -> Self {
        Self { tls: tls.map(TlsAcceptor::from), ..self }
    }

    /// Believes these proxies where requests come from.
    pub(crate) fn behind(self, proxies: Proxies) -> Self {
        Self { proxies: Arc::new(proxies), ..self }
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stopping` says so; then no connection is taken any more, and this is ready when none is left.
    pub(crate) async fn serve(self, router: Router, mut stopping: watch::Receiver<bool>) {
        let (present, mut left) = tokio::sync::mpsc::channel::<()>(1);
        let serving =
            Serving { router, proxies: Arc::clone(&self.proxies), stopping: stopping.clone(), _present: present };
        loop {
            // Who was sent away has its descriptor until it is closed.
            let Ok(descriptor) = Arc::clone(&self.descriptors).acquire_owned().await else { break };
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                // An error means that nobody can say so any more.
                _ = stopping.wait_for(|stopping| *stopping) => break,
            };
            match accepted {
                Ok((stream, peer)) => self.welcome(stream, peer, descriptor, &serving),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop((self, serving));
        // Nothing is sent: it ends when the last connection does.
        left.recv().await;
    }

    /// Gives a connection its place, or tells it that there is none.
    fn welcome(&self, stream: TcpStream, peer: SocketAddr, descriptor: OwnedSemaphorePermit, serving: &Serving) {
        // Answers are written whole, so waiting for more to send would only delay them.
        let _ = stream.set_nodelay(true);
        let is_proxy = self.proxies.trusts(peer.ip());
        let Some(place) = self.crowd.admit(Source::of(peer.ip()), is_proxy) else {
            // Without a handshake nothing can be told; nor where as many are being told already.
            if self.tls.is_none()
                && let Ok(refusal) = Arc::clone(&self.refusals).try_acquire_owned()
            {
                tokio::spawn(refuse(stream, refusal));
            }
            return;
        };
        let (place, tls, serving) = (Arc::new(place), self.tls.clone(), serving.clone());
        tokio::spawn(async move {
            let started = Instant::now();
            let opened = tokio::select! {
                opened = open(stream, tls, started) => opened,
                () = place.taken() => None,
            };
            if let Some(stream) = opened {
                let connection = Connection::new(stream, place.member(), started, descriptor);
                serving.run(connection, place, peer).await;
            }
        });
    }
}

/// The stream after the handshake; none where there is none in time.
async fn open(stream: TcpStream, tls: Option<TlsAcceptor>, started: Instant) -> Option<Stream> {
    let Some(tls) = tls else { return Some(Stream::Plain(stream)) };
    let stream = tokio::time::timeout_at(started + HEAD, tls.accept(stream)).await.ok()?.ok()?;
    Some(Stream::Tls(Box::new(stream)))
}

/// Says that there is no room. What was sent until then is read, because a connection that is closed with bytes unread is reset,
/// and the refusal is lost with it.
async fn refuse(mut stream: TcpStream, _refusal: OwnedSemaphorePermit) {
    if stream.try_write(NO_ROOM).is_err() {
        return;
    }
    let last = async {
        let _ = poll_fn(|context| Pin::new(&mut stream).poll_shutdown(context)).await;
        let mut thrown_away = [0; 1024];
        while stream.readable().await.is_ok() {
            match stream.try_read(&mut thrown_away) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    };
    let _ = tokio::time::timeout(REFUSAL, last).await;
}

/// What connections are served with.
#[derive(Clone)]
struct Serving {
    router: Router,
    proxies: Arc<Proxies>,
    stopping: watch::Receiver<bool>,
    /// Dropped with the last connection.
    _present: tokio::sync::mpsc::Sender<()>,
}

impl Serving {
    /// Lets HTTP run on a connection until its end.
    async fn run(mut self, connection: Connection, place: Arc<Place>, peer: SocketAddr) {
        let (service, proxies, of) = (TowerToHyperService::new(self.router), self.proxies, Arc::clone(&place));
        let service = service_fn(move |mut request: Request<Incoming>| {
            let running = of.begin();
            let source = proxies.source(peer.ip(), request.headers());
            if let Some(unnamed) = proxies.unnamed(peer.ip(), request.headers()) {
                request.extensions_mut().insert(unnamed);
            }
            request.extensions_mut().insert(source);
            let (answer, is_last) = (service.call(request), of.member().requests() >= MAX_REQUESTS);
            async move {
                let mut response = answer.await?;
                if is_last {
                    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                Ok::<_, std::convert::Infallible>(response.map(|body| Answer { body, _running: running }))
            }
        });
        let mut http = http1::Builder::new();
        // The connection itself has the deadlines.
        http.header_read_timeout(None).max_buf_size(BUFFER);
        let mut connection = pin!(http.serve_connection(TokioIo::new(connection), service));
        let mut is_stopping = false;
        loop {
            tokio::select! {
                // What went wrong on a connection is its client's to see.
                _ = connection.as_mut() => return,
                () = place.taken() => return,
                _ = self.stopping.wait_for(|stopping| *stopping), if !is_stopping => {
                    is_stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

/// The body of an answer; the request runs until all of it is handed on.
struct Answer {
    body: Body,
    _running: Running,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// How many of these connections there can be: the process is allowed as many descriptors as it may have, and a few are for
/// other things.
pub(crate) fn room(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    let allowed = if setrlimit(Resource::Nofile, raised).is_ok() { raised.current } else { limit.current };
    // No limit at all is none here either.
    let allowed = allowed.and_then(|allowed| usize::try_from(allowed).ok()).unwrap_or(usize::MAX);
    let room = wanted.min(allowed.saturating_sub(OTHER_DESCRIPTORS).max(1));
    if room < wanted {
        tracing::warn!(wanted, room, "the limit of open files leaves room for fewer connections (`ulimit -n`)");
    }
    room
}
