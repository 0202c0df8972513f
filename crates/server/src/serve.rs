//! Serving: from a data folder and options to a listening service, and its end.

use crate::clock::Clock;
use crate::folder::DataFolder;
use crate::http::listener::{Connections, TlsError, tls};
use crate::http::router;
use crate::pace::Pace;
use crate::service::{OpenError, Presence, Service};
use crate::store::ANSWER_LIFETIME;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use wmlicense_wire::certificate::Role;

/// Requests that run when the service is told to stop have so long to end.
const GRACE: Duration = Duration::from_secs(20);
/// How often renewed certificates are looked for and old answers dropped.
const UPKEEP: Duration = Duration::from_secs(60);

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
    url: String,
}

impl Server {
    /// Opens the data folder and listens.
    pub async fn bind(folder: DataFolder, options: Options, clock: Arc<dyn Clock>) -> Result<Self, ServeError> {
        let tls = options.tls.as_ref().map(|(certificate, key)| tls(certificate, key)).transpose()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let refused = |source| ServeError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(refused)?;
        let url = format!("{scheme}://{}", listener.local_addr().map_err(refused)?);
        let public_url = options.public_url.unwrap_or_else(|| url.clone()).trim_end_matches('/').to_owned();
        let support_url = options.support_url.unwrap_or_else(|| format!("{public_url}/support"));
        let Options { privacy_url, terms_url, poll_seconds, .. } = options;
        let presence = Presence { public_url, support_url, privacy_url, terms_url, poll_seconds };
        let pace = Pace::new(options.predelivery_rate);
        let period = i64::from(options.epoch_period);
        let open = move || Service::open(folder, options.roles, presence, pace, period, clock);
        let service = Arc::new(tokio::task::spawn_blocking(open).await.map_err(io::Error::other)??);
        // Whom the list names gets nothing from the first request on.
        service.reload_status().await.map_err(|_| ServeError::StatusList)?;
        Ok(Self { service, connections: Connections::start(listener, tls)?, url })
    }

    /// Where it listens: scheme, address and port.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Serves until `stop` is ready, then lets running requests end.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), ServeError> {
        let (stopping, mut stopped) = tokio::sync::watch::channel(false);
        let upkeep = tokio::spawn(upkeep(Arc::clone(&self.service)));
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
            () = too_long => Ok(()),
        };
        upkeep.abort();
        Ok(result?)
    }
}

/// Takes over renewed certificates and drops the bytes of old answers.
async fn upkeep(service: Arc<Service>) {
    let mut ticks = tokio::time::interval(UPKEEP);
    loop {
        ticks.tick().await;
        let task = {
            let service = Arc::clone(&service);
            tokio::task::spawn_blocking(move || service.reload_keyring())
        };
        if task.await.is_err() {
            tracing::error!("the renewed certificates could not be read");
        }
        // What went wrong is in the log.
        let _ = service.reload_status().await;
        let before = service.clock.now().saturating_sub(ANSWER_LIFETIME);
        if let Err(error) = service.store.drop_answers(before).await {
            tracing::warn!(%error, "old answers could not be dropped");
        }
        if let Err(error) = service.store.drop_interactions(before).await {
            tracing::warn!(%error, "old interactions could not be dropped");
        }
    }
}
