//! A connection as bytes: with or without TLS, closed when the head of a request does not come, or when what is sent is not
//! taken. Bodies have their own pace in `body.rs`.

use super::crowd::Member;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};
use tokio_rustls::server::TlsStream;

/// Longest time from the first byte of a request's head, or from the start of the connection, to its end. A handshake of TLS has
/// as long.
pub(super) const HEAD: Duration = Duration::from_secs(10);
/// A connection that waits for a next request is closed after this time.
const IDLE: Duration = Duration::from_secs(75);
/// For how long nothing need be taken of what is sent; and how many bytes a second must be from then on.
const STALL: Duration = Duration::from_secs(15);
const TAKEN_A_SECOND: u64 = 8 * 1024;

pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }
}

/// A connection that fails where nothing comes or nothing is taken for too long.
pub(super) struct Connection {
    stream: Stream,
    member: Arc<Member>,
    /// Requests that had begun when the present wait for a head did.
    requests: u64,
    /// When the head of a request has to be there.
    head_by: Option<Instant>,
    /// The wait for a head began before any byte of it came.
    is_quiet: bool,
    /// When more has to be taken of what is sent.
    taken_by: Option<Instant>,
    timer: Pin<Box<Sleep>>,
    _descriptor: OwnedSemaphorePermit,
}

impl Connection {
    pub(super) fn new(stream: Stream, member: Arc<Member>, started: Instant, descriptor: OwnedSemaphorePermit) -> Self {
        let head_by = started + HEAD;
        Self {
            stream,
            member,
            requests: 0,
            head_by: Some(head_by),
            is_quiet: false,
            taken_by: None,
            timer: Box::pin(tokio::time::sleep_until(head_by)),
            _descriptor: descriptor,
        }
    }

    /// Notes that bytes came, or that none did, while no request runs.
    fn waits_for_head(&mut self, came: bool) {
        // While an answer is on its way, its own pace counts.
        if self.member.is_busy() || self.taken_by.is_some() {
            self.head_by = None;
            return;
        }
        let (now, requests) = (Instant::now(), self.member.requests());
        if self.head_by.is_none() || requests != self.requests {
            (self.requests, self.is_quiet) = (requests, !came);
            self.head_by = Some(now + if came { HEAD } else { IDLE });
        } else if came && self.is_quiet {
            self.is_quiet = false;
            self.head_by = Some(now + HEAD);
        }
    }

    /// Notes that so many bytes were taken, or none. Who takes them slowly has ever less time.
    fn waits_to_be_taken(&mut self, taken: Option<usize>) {
        let latest = Instant::now() + STALL;
        let by = self.taken_by.unwrap_or(latest);
        let earned = Duration::from_micros(taken.map_or(0, |taken| taken as u64 * 1_000_000 / TAKEN_A_SECOND));
        self.taken_by = Some(latest.min(by + earned));
    }

    /// Nothing moves: an error if that is so for too long.
    fn stands<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Some(by) = [self.head_by, self.taken_by].into_iter().flatten().min() else { return Poll::Pending };
        if self.timer.deadline() != by {
            self.timer.as_mut().reset(by);
        }
        if self.timer.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        if self.taken_by.is_some_and(|by| by <= Instant::now()) {
            // What the other side does not take is kept by nobody.
            let _ = self.stream.socket().set_zero_linger();
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn written(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(taken)) => {
                self.waits_to_be_taken(Some(taken));
                written
            }
            Poll::Ready(Err(_)) => written,
            Poll::Pending => {
                self.waits_to_be_taken(None);
                self.stands(context)
            }
        }
    }
}

/// Runs an operation on whichever stream it is.
macro_rules! on_stream {
    ($connection:expr, $stream:ident => $operation:expr) => {
        match &mut $connection.stream {
            Stream::Plain($stream) => {
                let $stream = Pin::new($stream);
                $operation
            }
            Stream::Tls($stream) => {
                let $stream = Pin::new(&mut **$stream);
                $operation
            }
        }
    };
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = on_stream!(self, stream => stream.poll_read(cx, buffer));
        self.waits_for_head(buffer.filled().len() > before);
        if read.is_ready() { read } else { self.stands(cx) }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = on_stream!(self, stream => stream.poll_write(cx, bytes));
        self.written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = on_stream!(self, stream => stream.poll_write_vectored(cx, parts));
        self.written(cx, written)
    }

    /// Answers are sent from where they are, without a copy.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = on_stream!(self, stream => stream.poll_flush(cx));
        if flushed.is_ready() {
            self.taken_by = None;
            return flushed;
        }
        self.waits_to_be_taken(None);
        self.stands(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = on_stream!(self, stream => stream.poll_shutdown(cx));
        if shut.is_ready() {
            return shut;
        }
        self.waits_to_be_taken(None);
        self.stands(cx)
    }
}
