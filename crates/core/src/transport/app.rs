//! The application's own HTTP stack in place of ours: one exchange at a time, everything around it (which URLs may be asked,
//! repetitions, redirects, what an answer means) stays here.

use super::interrupt::Interrupt;
use super::response::{Failed, Reply};
use super::{Target, TransportError};
use std::fmt;
use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::header::{HeaderMap, HeaderName, HeaderValue};
use zeroize::Zeroizing;

/// One request for the application to send.
pub struct AppRequest<'a> {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// Absolute URL.
    pub url: &'a str,
    /// Names and values; one may hold the account token.
    pub headers: Vec<(&'static str, Zeroizing<String>)>,
    /// Body; empty for GET.
    pub body: &'a [u8],
    /// What is left of the deadline.
    pub timeout: Duration,
    /// Longest body of an answer that is taken, in bytes.
    pub cap: usize,
    /// Whether the operation was cancelled.
    pub cancelled: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// What the application received.
#[derive(Default)]
pub struct AppResponse {
    /// HTTP status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, decoded of whatever the connection did to it.
    pub body: Vec<u8>,
}

/// Why the application received no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppFailure {
    /// It noticed the cancel.
    Cancelled,
    /// The time was over.
    TimedOut,
    /// Nobody there, or the way there failed.
    Unreachable,
    /// The connection broke.
    Broken,
    /// It does not trust the server.
    Certificate,
    /// The body was longer than allowed.
    TooLarge,
    /// What came was no HTTP.
    NotHttp,
}

/// An HTTP stack of the application.
pub trait AppTransport: Send + Sync {
    /// Sends one request and gives the answer whatever its status, redirects included. Blocks, and looks at
    /// [`AppRequest::cancelled`] often enough.
    fn exchange(&self, request: &AppRequest<'_>) -> Result<AppResponse, AppFailure>;
}

/// An application's stack among the settings.
#[derive(Clone)]
pub struct AppStack(pub Arc<dyn AppTransport>);

impl fmt::Debug for AppStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppStack")
    }
}

/// Lets the application send, and reads what it received as if it had come over a connection of our own.
pub(super) fn call(
    stack: &AppStack,
    interrupt: &Arc<Interrupt>,
    target: &Target,
    headers: Vec<(&'static str, Zeroizing<String>)>,
    body: Option<&[u8]>,
    timeout: Duration,
    cap: usize,
) -> Result<Reply, Failed> {
    let interrupt = Arc::clone(interrupt);
    let request = AppRequest {
        method: if body.is_some() { "POST" } else { "GET" },
        url: &target.uri.to_string(),
        headers,
        body: body.unwrap_or_default(),
        timeout,
        cap,
        cancelled: Arc::new(move || interrupt.is_set()),
    };
    let response = stack.0.exchange(&request).map_err(Failed::from)?;
    let mut headers = HeaderMap::new();
    for (name, value) in response.headers {
        // What is no header cannot mean anything to us.
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(&value)) {
            headers.append(name, value);
        }
    }
    let length = response.body.len() as u64;
    Reply::new(response.status, headers, Some(length), Box::new(Cursor::new(response.body)))
}

impl From<AppFailure> for Failed {
    fn from(failure: AppFailure) -> Self {
        let told = || "the application's HTTP stack reports it".to_owned();
        match failure {
            AppFailure::Cancelled => Self::for_good(TransportError::Cancelled),
            AppFailure::TimedOut => Self::for_good(TransportError::DeadlinePassed),
            AppFailure::Unreachable => Self::for_now(TransportError::Unreachable(told())),
            AppFailure::Broken => Self::for_now(TransportError::Broken(told())),
            AppFailure::Certificate => Self::for_good(TransportError::Tls(told())),
            AppFailure::TooLarge => Self::for_good(TransportError::TooLarge),
            AppFailure::NotHttp => Self::for_good(TransportError::NotTheService(told())),
        }
    }
}
