//! The running service: what its endpoints share. Listening is in `http`, deciding in `roles`.

use crate::accounts::{Account, admin_token, bearer};
use crate::clock::Clock;
use crate::folder::DataFolder;
use crate::jobs;
use crate::keyring::{self, Keyring, KeyringError, MasterKey};
use crate::metrics::{Measured, Metrics};
use crate::pace::Pace;
use crate::policy::to_rfc3339;
use crate::problem::{Fault, Refusal};
use crate::quota::Quotas;
use crate::rules::admins::{Admin, Right};
use crate::rules::audit::Acting;
use crate::shares::Shares;
use crate::shop::{self, Shop, Untrusted};
use crate::source::Source;
use crate::store::{self, AdminKnown, Database, Owner, Presented, Sale, Store, StoreError};
use crate::tally::Tally;
use crate::turns::Turns;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, Once, PoisonError, RwLock};
use std::time::SystemTime;
use wmlicense_wire::certificate::{DeviceCertificate, Role};
use wmlicense_wire::id::{Digest, SignerId, UserId};
use wmlicense_wire::status_list::StatusList;

/// Most device certificates whose verification is remembered.
const MAX_CACHED_DEVICES: usize = 10_000;
/// Most pages of pre-deliveries in memory at once; each may have 4 MiB.
const MAX_DELIVERIES: u64 = 16;

/// A service could not be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Keys or certificates.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// Database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens the database of a service. `make`: also a server's that is empty. The file of a data folder is made by `init` alone, so
/// that what it held is not begun anew without a word.
pub(crate) async fn open_database(
    folder: &DataFolder,
    database: &Database,
    make: bool,
) -> Result<Arc<Store>, OpenError> {
    let owner = Owner { authority: keyring::authority(folder)?.hash, master: MasterKey::read(folder)? };
    let make = match database {
        Database::Sqlite(path) => {
            keyring::check_database(folder, path)?;
            false
        }
        Database::Postgres(_) => make,
    };
    Ok(store::open(database, folder, &owner, make).await?)
}

/// How a service presents itself.
#[derive(Debug, Clone)]
pub(crate) struct Presence {
    /// URL without slash at the end.
    pub(crate) public_url: String,
    /// False if it is the listening address, because nobody said another one.
    pub(crate) is_said: bool,
    /// Page for users whom the service refuses.
    pub(crate) support_url: String,
    /// Privacy statement.
    pub(crate) privacy_url: Option<String>,
    /// Terms of use.
    pub(crate) terms_url: Option<String>,
    /// Seconds between two questions of a device whose user is on the page, at least.
    pub(crate) poll_seconds: u64,
}

/// How much and how often.
pub(crate) struct Measure {
    /// How fast licenses are pre-delivered.
    pub(crate) pace: Pace,
    pub(crate) quotas: Quotas,
    /// Least time between two epochs of a device, in seconds.
    pub(crate) epoch_period: i64,
}

/// A status list that is handed out.
pub(crate) struct Published {
    pub(crate) list: StatusList,
    pub(crate) bytes: Vec<u8>,
}

fn ended_early(error: &tokio::task::JoinError) -> Fault {
    tracing::error!(%error, "a computation ended early");
    Fault::Internal
}

/// Everything that requests share.
pub(crate) struct Service {
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) presence: Presence,
    pub(crate) metrics: Metrics,
    pub(crate) tally: Tally,
    pub(crate) master: MasterKey,
    pub(crate) roles: Vec<Role>,
    /// Least time between two epochs of a device, in seconds.
    pub(crate) epoch_period: i64,
    folder: DataFolder,
    /// Who signs account tokens for the owner.
    shop: Option<Shop>,
    keyring: RwLock<Arc<Keyring>>,
    devices: Mutex<HashMap<Digest, Arc<DeviceCertificate>>>,
    document: Mutex<Option<(i64, Digest, Vec<u8>)>>,
    /// How fast licenses are pre-delivered.
    pub(crate) pace: Pace,
    /// What is kept of a day's requests.
    pub(crate) quotas: Quotas,
    /// Pages of pre-deliveries that are made at once, in fair shares.
    pub(crate) deliveries: Arc<Shares>,
    /// That the address of a proxy is missing is said once.
    pub(crate) proxy_told: Once,
    /// So is that a proxy is not named.
    pub(crate) unnamed_told: Once,
    status: RwLock<Option<Arc<Published>>>,
    /// One turn a core: more computations side by side only wait for each other.
    computing: Arc<Turns>,
}

impl Service {
    pub(crate) fn open(
        folder: DataFolder,
        store: Arc<Store>,
        roles: Vec<Role>,
        presence: Presence,
        Measure { pace, quotas, epoch_period }: Measure,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OpenError> {
        let keyring = Keyring::read(&folder, &roles)?;
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Ok(Self {
            store,
            clock,
            presence,
            metrics: Metrics::default(),
            tally: Tally::default(),
            master: MasterKey::read(&folder)?,
            roles,
            epoch_period,
            folder,
            shop: None,
            keyring: RwLock::new(Arc::new(keyring)),
            devices: Mutex::default(),
            document: Mutex::default(),
            pace,
            quotas,
            deliveries: Shares::new(MAX_DELIVERIES),
            proxy_told: Once::new(),
            unnamed_told: Once::new(),
            status: RwLock::default(),
            computing: Turns::new(cores),
        })
    }

    /// The keys at present.
    pub(crate) fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.keyring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// When the certificates of this service's roles end, seconds UTC.
    pub(crate) fn certificates_end(&self) -> Vec<(Role, i64)> {
        self.keyring().roles().iter().map(|key| (key.certificate.role, key.certificate.not_after)).collect()
    }

    /// The data folder.
    pub(crate) fn folder(&self) -> &DataFolder {
        &self.folder
    }

    /// When the folder of certificates was changed last, as far as the system tells.
    pub(crate) fn certificates_changed(&self) -> Option<SystemTime> {
        std::fs::metadata(self.folder.certificates()).and_then(|folder| folder.modified()).ok()
    }

    /// Takes over keys and certificates that were renewed on disk.
    pub(crate) fn reload_keyring(&self) {
        match Keyring::read(&self.folder, &self.roles) {
            Ok(keyring) => {
                let keyring = Arc::new(keyring);
                let mut held = self.keyring.write().unwrap_or_else(PoisonError::into_inner);
                let before = std::mem::replace(&mut *held, Arc::clone(&keyring));
                drop(held);
                let known: Vec<SignerId> = before.roles().iter().map(|key| key.certificate.signer_id()).collect();
                for key in keyring.roles().iter().filter(|key| !known.contains(&key.certificate.signer_id())) {
                    let (role, until) = (key.certificate.role.name(), to_rfc3339(key.certificate.not_after));
                    tracing::info!(until, "the renewed certificate for {role} is in use");
                }
            }
            Err(error) => tracing::error!(%error, "the renewed certificates cannot be used; the old ones stay in use"),
        }
    }

    /// The newest status list that was taken over.
    pub(crate) fn status(&self) -> Option<Arc<Published>> {
        self.status.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over the newest status list of the database.
    pub(crate) async fn reload_status(&self) -> Result<Option<Arc<Published>>, Fault> {
        let found = self.store.status_list().await?;
        let known = self.status();
        let Some((number, bytes)) = found else { return Ok(known) };
        if known.as_ref().is_some_and(|known| known.list.number >= number) {
            return Ok(known);
        }
        let keyring = self.keyring();
        let authority = keyring.directory.authority.clone();
        let read = move || StatusList::parse(&bytes, &authority).map(|list| Arc::new(Published { list, bytes }));
        let published = self.compute(Source::NONE, read).await?.map_err(|error| {
            tracing::error!(%error, "the status list in the database cannot be used");
            Fault::Internal
        })?;
        *self.status.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&published));
        Ok(Some(published))
    }

    /// The account of an `Authorization` header; none if there is no header.
    pub(crate) async fn account(&self, header: Option<&str>) -> Result<Option<Account>, Fault> {
        let Some(header) = header else { return Ok(None) };
        if let Some((shop, token)) = self.shop.as_ref().zip(shop::token(header)) {
            return self.account_sold(shop, token).await.map(Some);
        }
        let hash = bearer(header).ok_or(Fault::Unauthorized)?;
        match self.store.account(hash, self.clock.now()).await? {
            Presented::Account(account) => Ok(Some(account)),
            Presented::Ended => Err(Fault::TokenEnded),
            Presented::Unknown => Err(Fault::Unauthorized),
        }
    }

    /// The account of a token that the owner's shop signed, with what it says the account has.
    async fn account_sold(&self, shop: &Shop, token: &str) -> Result<Account, Fault> {
        let now = self.clock.now();
        let sold = shop.verify(token, now).map_err(|why| {
            tracing::info!(%why, "a token was sent that is not taken for one of the shop");
            if why == Untrusted::Over { Fault::TokenEnded } else { Fault::Unauthorized }
        })?;
        if let Some(account) = self.store.sold(sold.clone()).await? {
            return Ok(account);
        }
        let by = Acting::begun("token of the shop".to_owned(), now)?;
        match self.store.sell(sold, UserId::random()?, by).await? {
            Sale::Account(account) => Ok(account),
            Sale::Unfit(offer) => {
                tracing::error!(
                    offer,
                    "the shop sold what is no offer, or would never count; set it with `wmlicensed offer set`"
                );
                Err(Fault::Unauthorized)
            }
        }
    }

    /// Trusts a shop's tokens.
    pub(crate) fn trusting(self, shop: Option<Shop>) -> Self {
        Self { shop, ..self }
    }

    /// True where the shop's keys are old, or it is to be read `anyway`.
    pub(crate) fn is_shop_due(&self, anyway: bool) -> bool {
        self.shop.as_ref().is_some_and(|shop| shop.is_due(anyway))
    }

    /// Takes over keys of the shop that were changed.
    pub(crate) async fn reload_shop(&self) {
        let Some(shop) = &self.shop else { return };
        match shop.reload().await {
            Ok(true) => tracing::info!("the shop's changed keys are in use"),
            Err(error) => tracing::error!(%error, "the shop's keys cannot be used; the old ones stay in use"),
            Ok(false) => {}
        }
    }

    /// Who sends an `Authorization` header to the owner's listener, if they have a right.
    pub(crate) async fn admin(&self, header: Option<&str>, right: Right) -> Result<Admin, Refusal> {
        let hash = header.and_then(admin_token).ok_or(Refusal::NoAdmin)?;
        match self.store.admin(hash, self.clock.now()).await.map_err(Fault::from)? {
            AdminKnown::Admin(admin) if admin.role.may(right) => Ok(admin),
            AdminKnown::Admin(admin) => Err(Refusal::Role(admin.role, right)),
            AdminKnown::Ended => Err(Refusal::AdminEnded),
            AdminKnown::Unknown => Err(Refusal::NoAdmin),
        }
    }

    /// Runs a request beside the asynchronous threads as far as it comes by itself, at most one a core at a time: what it
    /// computes, and what it reads of a file, is one piece. Whoever asks from another address waits for no more than one of each
    /// that waits, however many of them came before.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        source: Source,
        request: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<T, Fault> {
        let turn = self.computing.turn(source).await.ok_or(Fault::Unavailable)?;
        jobs::run(turn, request).await.map_err(|error| ended_early(&error))?
    }

    /// Runs a computation beside the asynchronous threads: in the job that it belongs to, or else in a turn of its own.
    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        source: Source,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Fault> {
        if jobs::is_here() {
            // Nobody waits for a computation to end before the log of a database begins anew.
            jobs::let_go();
            return Ok(work());
        }
        let turn = self.computing.turn(source).await.ok_or(Fault::Unavailable)?;
        jobs::run(turn, async move { work() }).await.map_err(|error| ended_early(&error))
    }

    /// Writes what was counted by day and title. It goes on to its end also where nobody waits for it any more.
    pub(crate) async fn write_counts(self: &Arc<Self>) {
        let service = Arc::clone(self);
        let written = tokio::spawn(async move { service.tally.flush(&service.store).await });
        if written.await.is_err() {
            tracing::error!("what was counted could not be written");
        }
    }

    /// What is counted and measured, for Prometheus.
    pub(crate) fn told_metrics(&self) -> String {
        let keyring = self.keyring();
        let ends = keyring.roles().iter().map(|role| (role.certificate.role.name(), role.certificate.not_after));
        self.metrics.render(&Measured {
            now: self.clock.now(),
            certificates: ends.collect(),
            status_list: self.status().map(|published| (published.list.issued_at, published.list.next_update)),
            queues: self.queues(),
            load: self.store.load(),
        })
    }

    /// What waits here, or is made, for each queue.
    fn queues(&self) -> [(&'static str, usize); 2] {
        let deliveries = usize::try_from(self.deliveries.taken()).unwrap_or(usize::MAX);
        [("computations", self.computing.waiting()), ("deliveries", deliveries)]
    }

    /// Verifies a device certificate, once for the same bytes.
    pub(crate) fn device(&self, keyring: &Keyring, bytes: &[u8]) -> Result<Arc<DeviceCertificate>, Fault> {
        let hash = Digest::of(bytes);
        let cache = || self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = cache().get(&hash) {
            return Ok(Arc::clone(known));
        }
        let certificate = keyring.directory.device(bytes);
        let certificate =
            certificate.map_err(|_| Fault::UnknownDevice("The device's certificate is not of this service."))?;
        let certificate = Arc::new(certificate);
        let mut cache = cache();
        if cache.len() >= MAX_CACHED_DEVICES {
            cache.clear();
        }
        cache.insert(hash, Arc::clone(&certificate));
        Ok(certificate)
    }

    /// The signed service document, made anew when it is older than `lifetime` seconds or the certificates changed.
    pub(crate) fn document(
        &self,
        lifetime: i64,
        certificates: Digest,
        make: impl FnOnce(i64) -> Result<Vec<u8>, Fault>,
    ) -> Result<Vec<u8>, Fault> {
        let now = self.clock.now();
        let mut document = self.document.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((made_at, of, bytes)) = &*document
            && (*made_at..made_at.saturating_add(lifetime)).contains(&now)
            && *of == certificates
        {
            return Ok(bytes.clone());
        }
        let bytes = make(now)?;
        *document = Some((now, certificates, bytes.clone()));
        Ok(bytes)
    }
}
