//! Serving: from a data folder and options to a listening service, and its end.

mod upkeep;

use self::upkeep::Upkeep;
use crate::clock::{Clock, DAY};
use crate::folder::DataFolder;
use crate::http::listener::{Listening, room};
use crate::http::management::Management;
use crate::http::router;
use crate::http::tls::{Tls, TlsError};
use crate::limits::Limits;
use crate::origin::Origin;
use crate::pace::Pace;
use crate::packaging::Packaging;
use crate::quota::Quotas;
use crate::service::{Measure, OpenError, Presence, Service, open_database};
use crate::shop::{KeysError, Shop, Trust};
use crate::source::Proxies;
use crate::store::Database;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
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
    /// Address to listen on for what the owner's machines ask; nobody can ask it if there is none.
    pub management: Option<SocketAddr>,
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
    /// What content becomes that a packager names for the first time.
    pub packaging: Packaging,
    /// Sites beside the service's own whose pages may have keys.
    pub clearkey_origins: Vec<Origin>,
    /// Certificate chain and key for TLS, PEM.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// What callers get at most.
    pub limits: Limits,
    /// The shop whose tokens count.
    pub shop: Option<Trust>,
    /// The database, `postgres://…` or `sqlite:` and the path of a file; the one in the data folder if there is none.
    pub database: Option<String>,
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
    /// The keys of the shop.
    #[error(transparent)]
    Shop(#[from] KeysError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The address for the owner's machines cannot be listened on.
    #[error(
        "cannot listen on {address} for management: {source}; `--management-listen` names another address, or `off`"
    )]
    Management {
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
    listening: Listening,
    management: Option<Management>,
    /// Seconds after which a device is forgotten that never got anything.
    forget_after: Option<i64>,
    origins: Vec<Origin>,
    packaging: Packaging,
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
        let Limits { connections, connections_per_address, trusted_proxies, daily, forget_after } = options.limits;
        let listening = Listening::bind(options.listen, room(connections), connections_per_address).map_err(refused)?;
        let url = format!("{scheme}://{}", listening.address().map_err(refused)?);
        let manage = |address| Management::bind(address).map_err(|source| ServeError::Management { address, source });
        let management = options.management.map(manage).transpose()?;
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
        let (pace, quotas) = (Pace::new(options.predelivery_rate), Quotas::new(&daily));
        let measure = Measure { pace, quotas, epoch_period: i64::from(options.epoch_period) };
        let database = match &options.database {
            Some(database) => Database::parse(database).map_err(OpenError::from)?,
            None => Database::Sqlite(folder.database()),
        };
        let store = open_database(&folder, &database, true).await?;
        let shop = match options.shop {
            Some(trust) => Some(Shop::open(trust).await?),
            None => None,
        };
        let open = move || Service::open(folder, store, options.roles, presence, measure, clock);
        let service = Arc::new(tokio::task::spawn_blocking(open).await.map_err(io::Error::other)??.trusting(shop));
        // Whom the list names gets nothing from the first request on.
        service.reload_status().await.map_err(|_| ServeError::StatusList)?;
        service.metrics.tls_ends(tls.as_ref().and_then(|tls| tls.not_after()));
        let config = tls.as_ref().map(|tls| tls.config()).transpose()?;
        let listening = listening.with_tls(config).behind(Proxies::new(trusted_proxies));
        let forget_after = forget_after.map(|days| i64::try_from(days).unwrap_or(i64::MAX).saturating_mul(DAY));
        let (origins, packaging) = (options.clearkey_origins, options.packaging);
        Ok(Self { service, listening, management, forget_after, origins, packaging, tls, again: Arc::default(), url })
    }

    /// Where it listens: scheme, address and port.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where it listens for what the owner's machines ask.
    pub fn management_url(&self) -> Option<String> {
        self.management.as_ref().map(|management| format!("http://{}", management.address()))
    }

    /// Whoever notifies it has certificates, keys and the status list read again.
    pub fn again(&self) -> Arc<Notify> {
        Arc::clone(&self.again)
    }

    /// Serves until `stop` is ready, then lets running requests end.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), ServeError> {
        let Self { service, listening, management, forget_after, origins, packaging, tls, again, .. } = self;
        let ((stopping, stopped), (ended, end)) = (watch::channel(false), watch::channel(false));
        let start = |management: Management| management.start(Arc::clone(&service), packaging, end);
        let management = management.map(start).transpose()?;
        let upkeep = tokio::spawn(Upkeep { service: Arc::clone(&service), tls, forget_after }.run(again));
        tokio::spawn(async move {
            stop.await;
            tracing::info!("stopping");
            // Nobody listens any more where the service ended by itself.
            let _ = stopping.send(true);
        });
        let mut told = stopped.clone();
        let too_long = async {
            // An error means that nobody can say so any more.
            let _ = told.wait_for(|stopping| *stopping).await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            () = listening.serve(router(Arc::clone(&service), origins), stopped) => {}
            () = too_long => tracing::warn!(seconds = GRACE.as_secs(), "requests that were still running are cut off"),
        }
        upkeep.abort();
        // Whoever watches hears to the end how it stands.
        let _ = ended.send(true);
        service.write_counts().await;
        if let Some(thread) = management {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            joined.map_err(io::Error::other)?.map_err(|_| io::Error::other("the management listener failed"))?;
        }
        Ok(())
    }
}
