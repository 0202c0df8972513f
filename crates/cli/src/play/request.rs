//! The head of a request, read within bounds of size and time. What is answered is in `answer.rs`.

use std::io::{self, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Bytes of a head.
const HEAD_LIMIT: usize = 16 << 10;
/// Lines of a head.
const LINE_LIMIT: usize = 64;
/// How long a head may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What of a request counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    /// The only `Host`; `None` if there is none, or several.
    pub(super) host: Option<String>,
    pub(super) range: Option<String>,
    /// A condition on the range, which only a validator could meet.
    pub(super) has_if_range: bool,
    /// A page in a browser says so where it is not the address bar.
    pub(super) has_origin: bool,
    pub(super) has_body: bool,
    /// The connection ends with the answer.
    pub(super) closes: bool,
}

/// Why there is no request.
#[derive(Debug)]
pub(super) enum NoRequest {
    /// The client closed the connection, or it broke, or took too long.
    Gone,
    TooLong,
    Malformed,
}

impl From<io::Error> for NoRequest {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

/// Reads the heads of one connection.
pub(super) struct Requests {
    bytes: Vec<u8>,
}

impl Requests {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    /// Whether no byte of the next request has come.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next request, which has begun to come or is about to.
    pub(super) fn next(&mut self, stream: &mut TcpStream) -> Result<Request, NoRequest> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some((request, used)) = parse(&self.bytes)? {
                self.bytes.drain(..used);
                return Ok(request);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(NoRequest::Gone);
            }
            stream.set_read_timeout(Some(left))?;
            let mut part = [0; 2048];
            let count = stream.read(&mut part)?;
            if count == 0 {
                return Err(NoRequest::Gone);
            }
            self.bytes.extend(part.iter().take(count));
        }
    }
}

/// Reads a head that begins `bytes`, and tells its length; `None` if more must come.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Request, usize)>, NoRequest> {
    let mut lines = [httparse::EMPTY_HEADER; LINE_LIMIT];
    let mut head = httparse::Request::new(&mut lines);
    let used = match head.parse(bytes) {
        Ok(httparse::Status::Complete(used)) if used <= HEAD_LIMIT => used,
        Ok(httparse::Status::Partial) if bytes.len() < HEAD_LIMIT => return Ok(None),
        Ok(_) | Err(httparse::Error::TooManyHeaders) => return Err(NoRequest::TooLong),
        Err(_) => return Err(NoRequest::Malformed),
    };
    let (Some(method), Some(target), Some(version)) = (head.method, head.path, head.version) else {
        return Err(NoRequest::Malformed);
    };
    let mut request = Request { method: method.to_owned(), target: target.to_owned(), ..Request::default() };
    request.closes = version == 0;
    let mut hosts = 0;
    for line in head.headers.iter() {
        let value = String::from_utf8_lossy(line.value).trim().to_owned();
        match line.name.to_ascii_lowercase().as_str() {
            "host" => {
                hosts += 1;
                request.host = Some(value).filter(|_| hosts == 1);
            }
            // Two of them are none: nothing says which is meant.
            "range" => request.range = if request.range.is_none() { Some(value) } else { Some(String::new()) },
            "if-range" => request.has_if_range = true,
            "origin" => request.has_origin = true,
            "content-length" => request.has_body |= value != "0",
            "transfer-encoding" => request.has_body = true,
            "connection" => request.closes |= value.split(',').any(|word| word.trim().eq_ignore_ascii_case("close")),
            _ => {}
        }
    }
    Ok(Some((request, used)))
}
