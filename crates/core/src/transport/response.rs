//! What an HTTP response means: the body, another place to ask, or a failure, and whether asking again may help.

use super::connect::Trouble;
use super::{HttpRequest, ServiceFailure, TransportError};
use crate::event::HttpPhase;
use std::io::Read as _;
use ureq::http::header::{self, HeaderMap, HeaderName};
use ureq::http::{Response, StatusCode};
use ureq::{Body, Error, Timeout};
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
    fn for_good(error: TransportError) -> Self {
        Self { error, again: false }
    }

    fn for_now(error: TransportError) -> Self {
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
            Error::Timeout(phase) => Self::for_now(TransportError::Unreachable(format!("time-out ({phase})"))),
            Error::Io(error) => Self::for_now(TransportError::Unreachable(error.to_string())),
            Error::HostNotFound => Self::for_now(TransportError::Unreachable("host not found".to_owned())),
            Error::ConnectionFailed => Self::for_now(TransportError::Unreachable("connection failed".to_owned())),
            Error::ConnectProxyFailed(reason) => Self::for_good(TransportError::Unreachable(reason)),
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

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Interrupted => Self::for_good(TransportError::Cancelled),
            Trouble::Trust(reason) => Self::for_good(TransportError::Tls(reason)),
            Trouble::NotTls(reason) => Self::stranger(reason),
        }
    }
}

/// Reads a response to its end.
pub(super) fn receive(mut response: Response<Body>, request: &HttpRequest<'_>, id: &str) -> Result<Received, Failed> {
    let status = response.status();
    if status == StatusCode::NO_CONTENT {
        return Ok(Received::Body(Vec::new()));
    }
    if status.is_success() {
        check_form(response.headers(), &response, request.cap)?;
        return read_body(&mut response, request).map(Received::Body);
    }
    if status.is_redirection() {
        let location = text(response.headers(), header::LOCATION)
            .ok_or_else(|| Failed::stranger(format!("a redirect to nowhere (HTTP {})", status.as_u16())))?;
        let keeps_method = matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
        return Ok(Received::Redirect { location, keeps_method });
    }
    Err(failure(&mut response, id))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// `type/subtype` of the content, in lower case.
fn media_type(headers: &HeaderMap) -> String {
    let value = text(headers, header::CONTENT_TYPE).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Refuses what the service never sends: another type, a compressed body, a body too long or without an end of its own.
fn check_form(headers: &HeaderMap, response: &Response<Body>, cap: usize) -> Result<(), Failed> {
    let kind = media_type(headers);
    if kind != "application/cose" && !(kind.starts_with("application/") && kind.ends_with("+cose")) {
        return Err(Failed::stranger(format!("content of type {:?}", short(&kind, 60))));
    }
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Failed::stranger("an encoded body that was not asked for"));
    }
    let chunked = text(headers, header::TRANSFER_ENCODING).is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
    let length = headers.get_all(header::CONTENT_LENGTH).iter().count();
    // A body that ends with the connection cannot be told from a truncated one.
    if length + usize::from(chunked) != 1 {
        return Err(Failed::stranger("a body whose end is not marked"));
    }
    match response.body().content_length() {
        Some(length) if length > cap as u64 => Err(Failed::stranger("an answer longer than allowed")),
        Some(_) | None => Ok(()),
    }
}

fn read_body(response: &mut Response<Body>, request: &HttpRequest<'_>) -> Result<Vec<u8>, Failed> {
    let expected = response.body().content_length().unwrap_or(0);
    let told = |phase, bytes: &[u8]| {
        if let Some(progress) = request.progress {
            progress(phase, bytes.len() as u64, expected);
        }
    };
    let mut reader = response.body_mut().with_config().limit(request.cap as u64 + 1).reader();
    let mut bytes = Vec::with_capacity(expected as usize);
    let mut piece = [0; PIECE];
    loop {
        let count = match reader.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) => return Err(Error::from(error).into()),
        };
        bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
        if bytes.len() > request.cap {
            return Err(Failed::stranger("an answer longer than allowed"));
        }
        told(HttpPhase::Receiving, &bytes);
    }
    told(HttpPhase::Completed, &bytes);
    Ok(bytes)
}

/// The failure that a 4xx or 5xx tells. Only problems of the service are believed to be the service's.
fn failure(response: &mut Response<Body>, id: &str) -> Failed {
    let status = response.status();
    let problem = (media_type(response.headers()) == problem::MEDIA_TYPE).then(|| read_problem(response)).flatten();
    let headers = response.headers();
    let retry_after = text(headers, header::RETRY_AFTER)
        .and_then(|seconds| seconds.trim().parse::<u64>().ok())
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
        _ if problem.is_some() => Failed::for_good(TransportError::Refused(failure)),
        _ => Failed::stranger(failure.message),
    }
}

fn read_problem(response: &mut Response<Body>) -> Option<Problem> {
    let limit = problem::MAX_LEN as u64;
    let mut bytes = Vec::new();
    // A problem that breaks off is no problem document; the status still counts.
    response.body_mut().with_config().limit(limit).reader().read_to_end(&mut bytes).ok()?;
    Problem::parse(&bytes)
}

/// Text of a stranger, fit for an error: no control characters, not long.
fn short(text: &str, most: usize) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(most).collect()
}
