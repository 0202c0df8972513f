//! What an HTTP response means: the body, another place to ask, or a failure, and whether asking again may help.

use super::connect::Trouble;
use super::date::retry_after;
use super::framing::Framing;
use super::{HttpRequest, ServiceFailure, TransportError};
use crate::event::HttpPhase;
use crate::shortage::Shortage;
use std::io::{ErrorKind, Read};
use std::time::{SystemTime, UNIX_EPOCH};
use ureq::http::header::{self, HeaderMap, HeaderName};
use ureq::http::{Response, StatusCode};
use ureq::{Body, Error, Timeout};
use wmlicense_wire::memory;
use wmlicense_wire::problem::{self, Problem};

/// Longest wait that a service may ask for, in seconds.
const MAX_RETRY_AFTER: u64 = 3600;
/// Longest text of a service shown to people, and longest request ID kept, in characters.
const MAX_TEXT: usize = 300;
const MAX_REQUEST_ID: usize = 39;
/// Carries the ID of a request both ways.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Bytes read at a time.
const PIECE: usize = 16 * 1024;

/// A response that was understood.
pub(super) enum Received {
    /// Body of a 2xx.
    Body(Vec<u8>),
    /// The `Location` of a redirect, and whether the method stays what it was.
    Redirect { location: String, keeps_method: bool },
}

/// An attempt that failed.
pub(super) struct Failed {
    pub(super) error: TransportError,
    /// The same request may succeed later.
    pub(super) again: bool,
}

impl Failed {
    pub(super) fn for_good(error: TransportError) -> Self {
        Self { error, again: false }
    }

    pub(super) fn for_now(error: TransportError) -> Self {
        Self { error, again: true }
    }

    fn stranger(reason: impl Into<String>) -> Self {
        Self::for_good(TransportError::NotTheService(reason.into()))
    }
}

impl From<TransportError> for Failed {
    fn from(error: TransportError) -> Self {
        Self::for_good(error)
    }
}

/// Sorts the agent's errors. Its enum is open, so the last arm is needed.
impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        match error {
            Error::Timeout(Timeout::Global | Timeout::PerCall) => Self::for_good(TransportError::DeadlinePassed),
            Error::Timeout(phase @ (Timeout::Resolve | Timeout::Connect)) => {
                Self::for_now(TransportError::Unreachable(format!("time-out ({phase})")))
            }
            Error::Timeout(phase) => Self::for_now(TransportError::Broken(format!("time-out ({phase})"))),
            Error::Io(error) => Self::for_now(fault(&error)),
            Error::HostNotFound => Self::for_now(TransportError::Unreachable("host not found".to_owned())),
            Error::ConnectionFailed => Self::for_now(TransportError::Unreachable("connection failed".to_owned())),
            // A proxy that answers 5xx could not reach the service.
            Error::ConnectProxyFailed(reason) => {
                Self { again: reason.contains("responded 5"), error: TransportError::Proxy(reason) }
            }
            Error::BadUri(_) => Self::for_good(TransportError::Url("of the request".to_owned())),
            Error::InvalidProxyUrl => Self::for_good(TransportError::Url("of the proxy".to_owned())),
            Error::Tls(reason) => Self::for_good(TransportError::Tls(reason.to_owned())),
            Error::Other(inner) => match inner.downcast::<Trouble>() {
                Ok(trouble) => Self::from(*trouble),
                Err(other) => Self::stranger(other.to_string()),
            },
            other => Self::stranger(other.to_string()),
        }
    }
}

/// Nobody was there, or somebody was and the connection broke.
fn fault(error: &std::io::Error) -> TransportError {
    match error.kind() {
        ErrorKind::ConnectionRefused
        | ErrorKind::HostUnreachable
        | ErrorKind::NetworkUnreachable
        | ErrorKind::NetworkDown
        | ErrorKind::AddrNotAvailable
        | ErrorKind::PermissionDenied => TransportError::Unreachable(error.to_string()),
        _ if Shortage::of(error) == Some(Shortage::Memory) => TransportError::NoMemory,
        _ if Shortage::of(error) == Some(Shortage::Descriptors) => TransportError::NoDescriptor,
        _ => TransportError::Broken(error.to_string()),
    }
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Interrupted => Self::for_good(TransportError::Cancelled),
            Trouble::Trust(reason) => Self::for_good(TransportError::Tls(reason)),
            Trouble::Date(reason) => Self::for_good(TransportError::TlsDate(reason)),
            Trouble::NotTls(reason) => Self::stranger(reason),
        }
    }
}

/// A response whose body is still to be read.
pub(super) struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    /// Length of the body, where it is known.
    length: Option<u64>,
    framing: Framing,
    body: Box<dyn Read>,
}

impl Reply {
    /// A response that came another way than through the agent, whole.
    pub(super) fn new(
        status: u16,
        headers: HeaderMap,
        length: Option<u64>,
        body: Box<dyn Read>,
    ) -> Result<Self, Failed> {
        let status = StatusCode::from_u16(status).map_err(|_| Failed::stranger("no HTTP status"))?;
        Ok(Self { status, headers, length, framing: Framing::Marked, body })
    }
}

impl From<Response<Body>> for Reply {
    fn from(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let framing = Framing::of(parts.version, parts.status, &parts.headers);
        let (headers, length) = (parts.headers, body.content_length());
        let body = Box::new(body.into_with_config().limit(u64::MAX).reader());
        Self { status: parts.status, headers, length, framing, body }
    }
}

/// Reads a response to its end.
pub(super) fn receive(mut reply: Reply, request: &HttpRequest<'_>, id: &str) -> Result<Received, Failed> {
    let status = reply.status;
    if let Framing::Faulty(reason) = reply.framing {
        return Err(Failed::stranger(format!("{reason} (HTTP {})", status.as_u16())));
    }
    if status == StatusCode::NO_CONTENT {
        return Ok(Received::Body(Vec::new()));
    }
    if status.is_success() {
        check_form(&reply, request.cap)?;
        return read_body(&mut reply, request).map(Received::Body);
    }
    if status.is_redirection() {
        let location = text(&reply.headers, header::LOCATION)
            .ok_or_else(|| Failed::stranger(format!("a redirect to nowhere (HTTP {})", status.as_u16())))?;
        let keeps_method = matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
        return Ok(Received::Redirect { location, keeps_method });
    }
    Err(failure(&mut reply, id))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// `type/subtype` of the content, in lower case.
fn media_type(headers: &HeaderMap) -> String {
    let value = text(headers, header::CONTENT_TYPE).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_page(kind: &str) -> bool {
    matches!(kind, "text/html" | "application/xhtml+xml")
}

/// Refuses what the service never sends: another type, a compressed body, a body too long or without an end of its own.
fn check_form(reply: &Reply, cap: usize) -> Result<(), Failed> {
    let kind = media_type(&reply.headers);
    if is_page(&kind) {
        return Err(TransportError::CaptivePortal("a page for people".to_owned()).into());
    }
    if kind != "application/cose" && !(kind.starts_with("application/") && kind.ends_with("+cose")) {
        return Err(Failed::stranger(format!("content of type {:?}", short(&kind, 60))));
    }
    if reply.headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Failed::stranger("an encoded body that was not asked for"));
    }
    // A body that ends with the connection cannot be told from a truncated one.
    if reply.framing != Framing::Marked {
        return Err(Failed::stranger("a body whose end is not marked"));
    }
    match reply.length {
        Some(length) if length > cap as u64 => Err(TransportError::TooLarge.into()),
        Some(_) | None => Ok(()),
    }
}

fn read_body(reply: &mut Reply, request: &HttpRequest<'_>) -> Result<Vec<u8>, Failed> {
    let expected = reply.length.unwrap_or(0);
    let told = |phase, bytes: &[u8]| {
        if let Some(progress) = request.progress {
            progress(phase, bytes.len() as u64, expected);
        }
    };
    let mut bytes = memory::with_capacity(expected as usize).map_err(|_| TransportError::NoMemory)?;
    let mut piece = [0; PIECE];
    loop {
        let count = match reply.body.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) => return Err(Error::from(error).into()),
        };
        bytes.try_reserve(count).map_err(|_| TransportError::NoMemory)?;
        bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
        if bytes.len() > request.cap {
            return Err(TransportError::TooLarge.into());
        }
        told(HttpPhase::Receiving, &bytes);
    }
    told(HttpPhase::Completed, &bytes);
    Ok(bytes)
}

/// The failure that a 4xx or 5xx tells. Only problems of the service are believed to be the service's.
fn failure(reply: &mut Reply, id: &str) -> Failed {
    let status = reply.status;
    let kind = media_type(&reply.headers);
    let problem = (kind == problem::MEDIA_TYPE).then(|| read_problem(reply)).flatten();
    let headers = &reply.headers;
    let date = text(headers, header::DATE);
    let retry_after = text(headers, header::RETRY_AFTER)
        .and_then(|value| retry_after(&value, date.as_deref(), now()))
        .or_else(|| problem.as_ref().and_then(|problem| problem.retry_after))
        .map(|seconds| seconds.min(MAX_RETRY_AFTER));
    let request_id = text(headers, REQUEST_ID)
        .or_else(|| problem.as_ref().and_then(|problem| problem.request_id.clone()))
        .map_or_else(|| id.to_owned(), |id| short(&id, MAX_REQUEST_ID));
    let message = problem.as_ref().map_or_else(
        || format!("HTTP status {}", status.as_u16()),
        |problem| short(problem.detail.as_deref().unwrap_or(&problem.title), MAX_TEXT),
    );
    let failure = ServiceFailure {
        http_status: status.as_u16(),
        server_code: problem.as_ref().map_or(0, |problem| problem.code),
        request_id: Some(request_id),
        retry_after,
        message,
    };
    match status.as_u16() {
        408 | 425 | 429 | 500 | 502..=504 => Failed::for_now(TransportError::Unavailable(failure)),
        // Network Authentication Required (RFC 6585, 6).
        511 => TransportError::CaptivePortal(failure.message).into(),
        // Of a proxy before the service as well, which has no problem to tell: another request may be short enough.
        413 if problem.is_none() => {
            let message =
                "the request is longer than the service, or a proxy before it, takes (HTTP status 413)".to_owned();
            Failed::for_good(TransportError::Refused(ServiceFailure { message, ..failure }))
        }
        _ if problem.is_some() => Failed::for_good(TransportError::Refused(failure)),
        _ => Failed::stranger(failure.message),
    }
}

/// Seconds UTC, for dates of answers that do not say when they were made.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn read_problem(reply: &mut Reply) -> Option<Problem> {
    let limit = problem::MAX_LEN as u64;
    let mut bytes = Vec::new();
    // A problem that breaks off is no problem document; the status still counts.
    (&mut reply.body).take(limit).read_to_end(&mut bytes).ok()?;
    Problem::parse(&bytes)
}

/// Text of a stranger, fit for an error: no control characters, not long.
fn short(text: &str, most: usize) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(most).collect()
}
