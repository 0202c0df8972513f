//! HTTP: one request, one answer, with retry of what is idempotent, deadline, and cancel within 100 ms in every phase.
//! Agent, connectors and trust live in `transport/`. Nothing is believed because of TLS.

mod app;
mod connect;
mod date;
mod framing;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod http;
mod interrupt;
mod line;
mod proxy;
mod response;
#[cfg(test)]
mod tests;
mod tls;
mod trust;
pub(crate) mod url;

use crate::event::HttpPhase;
use crate::operation::{Cancelled, Context};
use std::time::Duration;
use zeroize::Zeroizing;

pub use app::{AppFailure, AppRequest, AppResponse, AppStack, AppTransport};
pub(crate) use http::HttpTransport;
pub use proxy::{ProxyChoice, ProxyEnvironment};
pub(crate) use trust::TlsConfigs;
use url::Target;

/// Time for a request where neither the operation nor the settings limit it.
pub(crate) const DEFAULT_DEADLINE: Duration = Duration::from_secs(120);
/// Repetitions after the first attempt where nothing else is set: about four seconds of waiting in all.
pub const DEFAULT_RETRY_LIMIT: u32 = 4;

/// The account token: only ever sent in the `Authorization` header.
#[derive(Default)]
pub struct AccountToken(pub(crate) Option<Zeroizing<String>>);

impl AccountToken {
    /// Takes a token.
    pub fn new(token: String) -> Self {
        Self(Some(Zeroizing::new(token)))
    }

    /// True if a header can carry such a token: printable letters of ASCII.
    pub fn is_sendable(token: &str) -> bool {
        token.bytes().all(|byte| matches!(byte, b' '..=b'~'))
    }

    /// True if there is a token.
    pub fn is_set(&self) -> bool {
        self.0.is_some()
    }
}

/// Which certificates of servers are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
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
    /// As the default, and the chain must lead to a certificate of the application's PEM besides.
    Pinned,
}

/// How the network is used. A snapshot is taken when an operation starts.
#[derive(Debug, Clone)]
pub struct NetworkSettings {
    /// `User-Agent`; the library's name and version where empty.
    pub user_agent: String,
    /// Trusted certificates.
    pub tls_trust: TlsTrust,
    /// Certificates of the application, PEM, added to `tls_trust`.
    pub tls_ca_pem: Option<String>,
    /// Proxy.
    pub proxy: ProxyChoice,
    /// The application's HTTP stack in place of ours; trust and proxy are its own then.
    pub app_stack: Option<AppStack>,
    /// Plain HTTP to hosts other than loopback.
    pub allow_http: bool,
    /// Open no socket at all.
    pub offline_only: bool,
    /// Total time for an operation. `None`: a default for each request.
    pub deadline: Option<Duration>,
    /// Repetitions after the first attempt.
    pub retry_limit: u32,
}

impl Default for NetworkSettings {
    fn default() -> Self {
        Self {
            user_agent: String::new(),
            tls_trust: TlsTrust::default(),
            tls_ca_pem: None,
            proxy: ProxyChoice::None,
            app_stack: None,
            allow_http: false,
            offline_only: false,
            deadline: None,
            retry_limit: DEFAULT_RETRY_LIMIT,
        }
    }
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
    /// Name not found, connection refused or not made in time.
    #[error("the service cannot be reached: {0}")]
    Unreachable(String),
    /// A connection that was made broke or fell silent.
    #[error("the connection to the service broke: {0}")]
    Broken(String),
    /// The proxy cannot be used, or refuses.
    #[error("the proxy is no way to the service: {0}")]
    Proxy(String),
    /// The server's certificate is not trusted or not valid.
    #[error("the server's certificate is not acceptable: {0}")]
    Tls(String),
    /// The server's certificate has ended or not yet begun by this device's clock.
    #[error("the server's certificate is not valid at this time: {0}")]
    TlsDate(String),
    /// The service answered with a problem that repeating does not mend.
    #[error("the service refused the request: {}", .0.message)]
    Refused(ServiceFailure),
    /// The service is overloaded or failing, and stayed so.
    #[error("the service is not available: {}", .0.message)]
    Unavailable(ServiceFailure),
    /// Something that is not the service answered: wrong type, malformed.
    #[error("what answered is not the license service: {0}")]
    NotTheService(String),
    /// A network that wants a login answered in place of the service.
    #[error("the network wants a login first: {0}")]
    CaptivePortal(String),
    /// A redirect that is not followed: to plain HTTP, without end, or one that would turn the request into another.
    #[error("a redirect that is not followed: to {0}")]
    Redirect(String),
    /// The answer is longer than this request allows.
    #[error("the answer is longer than allowed")]
    TooLarge,
    /// The system gave no memory for the answer.
    #[error("the system has no memory left")]
    NoMemory,
    /// The process or the system has no file descriptor left.
    #[error("no file descriptor is left")]
    NoDescriptor,
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
    /// Told the phase, the bytes received, and the bytes expected (0 if unknown).
    pub progress: Option<&'a dyn Fn(HttpPhase, u64, u64)>,
}

/// Sends requests.
pub trait Transport: Send + Sync {
    /// Sends a request, repeats it where that helps, and gives the body of a 2xx answer.
    fn send(&self, request: &HttpRequest<'_>, context: &Context) -> Result<Vec<u8>, TransportError>;
}
