//! Name lookup and TCP for the agent, both interruptible at any moment. The agent's interfaces here are outside its
//! promise of compatibility, so its version is pinned and they are used in this file and in `tls.rs` only.

use super::interrupt::{Interrupt, Woken};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::fmt;
use std::io::{Error as IoError, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Error, Timeout};

/// Most addresses of a name that are tried.
const MAX_ADDRESSES: usize = 16;
/// Longest pause between two looks at a connection being made.
const LONGEST_LOOK: Duration = Duration::from_millis(10);

/// Why a connector stopped, in the agent's error type.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Cancelled.
    Interrupted,
    /// The server's certificate, or the trusted ones.
    Trust(String),
    /// The server's certificate is not valid at this time.
    Date(String),
    /// What answers does not speak TLS.
    NotTls(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupted => f.write_str("interrupted"),
            Self::Trust(reason) | Self::Date(reason) | Self::NotTls(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Trouble {}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        Self::Other(Box::new(trouble))
    }
}

fn end_of(timeout: NextTimeout) -> Option<Instant> {
    if timeout.after.is_not_happening() { None } else { Instant::now().checked_add(*timeout.after) }
}

/// Looks names up on a thread of its own, because the system's lookup cannot be interrupted; an abandoned one ends by
/// itself.
#[derive(Debug)]
pub(super) struct Lookup {
    pub(super) interrupt: Arc<Interrupt>,
    /// Addresses of `host:port`.
    pub(super) addresses_of: AddressesOf,
}

/// A blocking name lookup.
pub(super) type AddressesOf = fn(&str) -> Found;

type Found = Result<Vec<SocketAddr>, IoError>;

/// The lookup of the system.
pub(super) fn system_lookup(name: &str) -> Found {
    name.to_socket_addrs().map(Iterator::collect)
}

impl Resolver for Lookup {
    fn resolve(&self, uri: &Uri, _: &ureq::config::Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let (scheme, authority) = uri.scheme().zip(uri.authority()).ok_or(Error::HostNotFound)?;
        let name = DefaultResolver::host_and_port(scheme, authority).ok_or(Error::HostNotFound)?;
        let found = match name.parse::<SocketAddr>() {
            Ok(address) => vec![address],
            Err(_) => self.look_up(name, timeout)?,
        };
        let mut addresses = self.empty();
        for address in found.into_iter().take(MAX_ADDRESSES) {
            addresses.push(address);
        }
        if addresses.is_empty() { Err(Error::HostNotFound) } else { Ok(addresses) }
    }
}

impl Lookup {
    fn look_up(&self, name: String, timeout: NextTimeout) -> Result<Vec<SocketAddr>, Error> {
        let slot: Arc<Mutex<Option<Found>>> = Arc::default();
        let (theirs, interrupt, addresses_of) = (Arc::clone(&slot), Arc::clone(&self.interrupt), self.addresses_of);
        let look = move || {
            let found = addresses_of(&name);
            *lock(&theirs) = Some(found);
            interrupt.wake();
        };
        std::thread::Builder::new().name("wmlicense-dns".to_owned()).spawn(look)?;
        match self.interrupt.wait(end_of(timeout), || lock(&slot).is_some()) {
            Woken::Ready => match lock(&slot).take() {
                Some(Ok(found)) => Ok(found),
                Some(Err(_)) | None => Err(Error::HostNotFound),
            },
            Woken::TimedOut => Err(Error::Timeout(Timeout::Resolve)),
            Woken::Interrupted => Err(Trouble::Interrupted.into()),
        }
    }
}

fn lock(slot: &Mutex<Option<Found>>) -> std::sync::MutexGuard<'_, Option<Found>> {
    slot.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Connects to the first address that answers; a connection that a proxy made is passed through.
#[derive(Debug)]
pub(super) struct Tcp(pub(super) Arc<Interrupt>);

impl<In: Transport> Connector<In> for Tcp {
    type Out = Either<In, TcpConnection>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        if let Some(transport) = chained {
            return Ok(Some(Either::A(transport)));
        }
        let end = end_of(details.timeout);
        let mut failure = Error::HostNotFound;
        let count = details.addrs.len();
        for (index, address) in details.addrs.iter().enumerate() {
            // An equal share of what is left, so that a silent first address leaves time for the others.
            let share = end.map(|end| {
                let now = Instant::now();
                now + end.saturating_duration_since(now) / (count - index) as u32
            });
            match self.connect_to(*address, share) {
                Ok(stream) => return Ok(Some(self.wrap(stream, details))),
                Err(error @ Error::Other(_)) => return Err(error),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

impl Tcp {
    /// Connects without blocking and looks at the socket until it is connected, so that a cancel needs no wake-up by the
    /// system, which not all of them give to a connect.
    fn connect_to(&self, address: SocketAddr, end: Option<Instant>) -> Result<TcpStream, Error> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        let target = SockAddr::from(address);
        let mut pause = Duration::from_micros(200);
        loop {
            match socket.connect(&target) {
                Ok(()) => break,
                Err(error) if is_connected(&error) => break,
                Err(error) if is_connecting(&error) => {}
                Err(error) => return Err(Error::Io(error)),
            }
            if end.is_some_and(|end| Instant::now() >= end) {
                return Err(Error::Timeout(Timeout::Connect));
            }
            if self.0.wait(Instant::now().checked_add(pause), || false) == Woken::Interrupted {
                return Err(Trouble::Interrupted.into());
            }
            pause = (pause * 2).min(LONGEST_LOOK);
        }
        socket.set_nonblocking(false)?;
        socket.set_tcp_nodelay(true)?;
        // From here on the standard library's type, which never raises SIGPIPE in the application.
        Ok(socket.into())
    }

    fn wrap<In>(&self, stream: TcpStream, details: &ConnectionDetails<'_>) -> Either<In, TcpConnection> {
        let stream = Arc::new(stream);
        self.0.guard(&stream);
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Either::B(TcpConnection { stream, buffers, interrupt: Arc::clone(&self.0) })
    }
}

fn is_connecting(error: &IoError) -> bool {
    let code = error.raw_os_error();
    error.kind() == ErrorKind::WouldBlock || code == Some(libc::EINPROGRESS) || code == Some(libc::EALREADY)
}

fn is_connected(error: &IoError) -> bool {
    error.raw_os_error() == Some(libc::EISCONN)
}

/// A connection that a cancel ends with an error of its own. The agent takes a reset or an end of file for the end of an
/// answer in some framings, so neither may stand for a cancel.
#[derive(Debug)]
pub(super) struct TcpConnection {
    stream: Arc<TcpStream>,
    buffers: LazyBuffers,
    interrupt: Arc<Interrupt>,
}

impl TcpConnection {
    /// The agent's error for one of I/O.
    fn fault(&self, error: IoError, timeout: NextTimeout) -> Error {
        match error.kind() {
            _ if self.interrupt.is_set() => Trouble::Interrupted.into(),
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Error::Timeout(timeout.reason),
            _ => Error::Io(error),
        }
    }
}

/// What is left until `end`, which may be never; the system takes no zero.
fn left(end: Option<Instant>) -> Result<Option<Duration>, IoError> {
    match end.map(|end| end.saturating_duration_since(Instant::now())) {
        Some(left) if left.is_zero() => Err(ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}

impl Transport for TcpConnection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let timeout = timeout.for_write();
        let output = self.buffers.output().get(..amount).unwrap_or_default();
        let sent = left(end_of(timeout))
            .and_then(|left| self.stream.set_write_timeout(left))
            .and_then(|()| (&*self.stream).write_all(output));
        sent.map_err(|error| self.fault(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let timeout = timeout.for_read();
        let end = end_of(timeout);
        let input = self.buffers.input_append_buf();
        let amount = loop {
            let read = left(end)
                .and_then(|left| self.stream.set_read_timeout(left))
                .and_then(|()| (&*self.stream).read(input));
            match read {
                // A signal of the application; the wait goes on for what is left of it.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fault(error, timeout)),
                Ok(_) if self.interrupt.is_set() => return Err(Trouble::Interrupted.into()),
                Ok(amount) => break amount,
            }
        };
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        // Nothing may have arrived, not even an end of file, on a connection that waits for its next request.
        let quiet =
            |mut stream: &TcpStream| stream.read(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        let probe = self.stream.set_nonblocking(true).is_ok() && quiet(&self.stream);
        self.stream.set_nonblocking(false).is_ok() && probe && !self.interrupt.is_set()
    }
}
