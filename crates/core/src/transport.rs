//! HTTP: one request, one answer, with retry of what is idempotent, deadline, and cancel within 100 ms in every phase.
//! The connectors live in `transport/`. Nothing is believed because of TLS.

use crate::operation::{Cancelled, Context};
use std::time::Duration;
use zeroize::Zeroizing;

/// The account token: only ever sent in the `Authorization` header.
#[derive(Default)]
pub struct AccountToken(pub(crate) Option<Zeroizing<String>>);

impl AccountToken {
    /// Takes a token.
    pub fn new(token: String) -> Self {
        Self(Some(Zeroizing::new(token)))
    }
}

/// Which certificates of servers are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsTrust {
    /// The platform's, or the bundled ones where the platform has none.
    #[default]
    PlatformThenBundled,
    /// The platform's only.
    Platform,
    /// The bundled ones only.
    Bundled,
    /// Only the application's PEM.
    PemOnly,
}

/// How the network is used. A snapshot is taken when an operation starts.
#[derive(Debug, Clone, Default)]
pub struct NetworkSettings {
    /// `User-Agent`.
    pub user_agent: String,
    /// Trusted certificates.
    pub tls_trust: TlsTrust,
    /// Certificates of the application, PEM, added to `tls_trust`.
    pub tls_ca_pem: Option<String>,
    /// Proxy URL; `None` takes none from the environment.
    pub proxy: Option<String>,
    /// Plain HTTP to hosts other than loopback.
    pub allow_http: bool,
    /// Open no socket at all.
    pub offline_only: bool,
    /// Total time for an operation.
    pub deadline: Option<Duration>,
    /// Repetitions after the first attempt.
    pub retry_limit: u32,
}

/// What is known about a failed exchange, for the error detail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceFailure {
    /// HTTP status; 0 if there was none.
    pub http_status: u16,
    /// Published number of the service's problem; 0 if there was none.
    pub server_code: i32,
    /// Finds the request in the service's log.
    pub request_id: Option<String>,
    /// Seconds to wait.
    pub retry_after: Option<u64>,
    /// One clause for people.
    pub message: String,
}

/// A request got no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The operation was cancelled.
    #[error("the operation was cancelled")]
    Cancelled,
    /// The deadline passed.
    #[error("the service did not answer in time")]
    DeadlinePassed,
    /// The client may not use the network.
    #[error("the client is set to work offline")]
    Offline,
    /// The URL is malformed or of a scheme that may not be used.
    #[error("the URL {0} may not be used")]
    Url(String),
    /// Name not found, connection refused, reset, or timed out.
    #[error("the service cannot be reached: {0}")]
    Unreachable(String),
    /// The server's certificate is not trusted or not valid.
    #[error("the server's certificate is not acceptable: {0}")]
    Tls(String),
    /// The service answered with a problem that repeating does not mend.
    #[error("the service refused the request: {}", .0.message)]
    Refused(ServiceFailure),
    /// The service is overloaded or failing, and stayed so.
    #[error("the service is not available: {}", .0.message)]
    Unavailable(ServiceFailure),
    /// Something that is not the service answered: wrong type, too long, truncated, a login page.
    #[error("what answered is not the license service: {0}")]
    NotTheService(String),
}

impl From<Cancelled> for TransportError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

/// A request. All requests of the protocol are idempotent: equal bytes get an equal answer.
pub struct HttpRequest<'a> {
    /// Absolute URL.
    pub url: &'a str,
    /// `Some`: POST with this body as `application/cose`. `None`: GET.
    pub body: Option<&'a [u8]>,
    /// Account token.
    pub token: Option<&'a AccountToken>,
    /// Longest answer read, in bytes.
    pub cap: usize,
}

/// Sends requests.
pub trait Transport: Send + Sync {
    /// Sends a request, repeats it where that helps, and gives the body of a 2xx answer.
    fn send(&self, request: &HttpRequest<'_>, context: &Context) -> Result<Vec<u8>, TransportError>;
}
