//! Serving: from a data folder and options to a listening service, and its end.

mod upkeep;

use self::upkeep::Upkeep;
use crate::clock::Clock;
use crate::folder::DataFolder;
use crate::http::listener::Connections;
use crate::http::router;
use crate::http::tls::{Tls, TlsError};
use crate::pace::Pace;
use crate::service::{OpenError, Presence, Service};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use wmlicense_wire::certificate::Role;

/// Requests that run when the service is told to stop have so long to end.
const GRACE: Duration = Duration::from_secs(20);

/// Least time between two epochs of a device, in seconds, where nothing else is said.
pub const DEFAULT_EPOCH_PERIOD: u32 = 60 * 60;

/// How to serve.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// URL by which clients reach the service; the listening address if there is none.
    pub public_url: Option<String>,
    /// Page for users whom the service refuses; a page of its own if there is none.
    pub support_url: Option<String>,
    /// Privacy statement.
    pub privacy_url: Option<String>,
    /// Terms of use.
    pub terms_url: Option<String>,
    /// Roles that this process has.
    pub roles: Vec<Role>,
    /// Most licenses a second that are pre-delivered; no limit if there is none.
    pub predelivery_rate: Option<u32>,
    /// Least time between two epochs of a device, in seconds.
    pub epoch_period: u32,
    /// Seconds between two questions of a device whose user is on the page, at least: 1 to 60.
    pub poll_seconds: u64,
    /// Certificate chain and key for TLS, PEM.
    pub tls: Option<(PathBuf, PathBuf)>,
}

/// The service could not be started or ended badly.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Keys, certificates or database.
    #[error("{0}")]
    Open(String),
    /// The newest status list.
    #[error("the status list in the database cannot be used; `wmlicensed status publish` makes another one")]
    StatusList,
    /// Certificate or key for TLS.
    #[error("{0}")]
    Tls(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system gave no thread or socket.
    #[error("the service stopped: {0}")]
    Io(#[from] io::Error),
}

impl From<OpenError> for ServeError {
    fn from(error: OpenError) -> Self {
        Self::Open(error.to_string())
    }
}

impl From<TlsError> for ServeError {
    fn from(error: TlsError) -> Self {
        Self::Tls(error.to_string())
    }
}

/// A service that listens.
pub struct Server {
    service: Arc<Service>,
    connections: Connections,
    tls: Option<Arc<Tls>>,
    again: Arc<Notify>,
    url: String,
}

impl Server {
    /// Opens the data folder and listens.
    pub async fn bind(folder: DataFolder, options: Options, clock: Arc<dyn Clock>) -> Result<Self, ServeError> {
        let tls = options.tls.as_ref().map(|(certificate, key)| Tls::read(certificate, key)).transpose()?.map(Arc::new);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let refused = |source| ServeError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(refused)?;
        let url = format!("{scheme}://{}", listener.local_addr().map_err(refused)?);
        let is_said = options.public_url.is_some();
        if !is_said && options.listen.ip().is_unspecified() {
            tracing::warn!(
                told = url,
                "devices are told an address that reaches nobody; set --public-url to the one that does"
            );
        }
        let public_url = options.public_url.unwrap_or_else(|| url.clone()).trim_end_matches('/').to_owned();
        let support_url = options.support_url.unwrap_or_else(|| format!("{public_url}/support"));
        let Options { privacy_url, terms_url, poll_seconds, .. } = options;
        let presence = Presence { public_url, is_said, support_url, privacy_url, terms_url, poll_seconds };
        let pace = Pace::new(options.predelivery_rate);
        let period = i64::from(options.epoch_period);
        let open = move || Service::open(folder, options.roles, presence, pace, period, clock);
        let service = Arc::new(tokio::task::spawn_blocking(open).await.map_err(io::Error::other)??);
        // Whom the list names gets nothing from the first request on.
        service.reload_status().await.map_err(|_| ServeError::StatusList)?;
        let config = tls.as_ref().map(|tls| tls.config()).transpose()?;
        let connections = Connections::start(listener, config)?;
        Ok(Self { service, connections, tls, again: Arc::default(), url })
    }

    /// Where it listens: scheme, address and port.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whoever notifies it has certificates, keys and the status list read again.
    pub fn again(&self) -> Arc<Notify> {
        Arc::clone(&self.again)
    }

    /// Serves until `stop` is ready, then lets running requests end.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), ServeError> {
        let (stopping, mut stopped) = tokio::sync::watch::channel(false);
        let upkeep = Upkeep { service: Arc::clone(&self.service), tls: self.tls };
        let upkeep = tokio::spawn(upkeep.run(self.again));
        let graceful = async move {
            stop.await;
            tracing::info!("stopping");
            // The receiver lives as long as this function.
            let _ = stopping.send(true);
        };
        let serving = axum::serve(self.connections, router(Arc::clone(&self.service)));
        let serving = serving.with_graceful_shutdown(graceful).into_future();
        let too_long = async {
            // An error means that the service ended by itself.
            let _ = stopped.wait_for(|stopped| *stopped).await;
            tokio::time::sleep(GRACE).await;
        };
        let result = tokio::select! {
            result = serving => result,
            () = too_long => {
                tracing::warn!(seconds = GRACE.as_secs(), "requests that were still running are cut off");
                Ok(())
            }
        };
        upkeep.abort();
        Ok(result?)
    }
}
