//! The composition root: one client over one folder, its settings, and the parts that operations share.

use crate::clock::SharedClock;
use crate::device::{Device, DeviceError, FileProtector, KeyProtector};
use crate::documents::Documents;
use crate::license::StoredLicense;
use crate::logging::Log;
use crate::rights::{self, Application, Environment, LicenseState, NO_SECURITY_VERSION, Refusal};
use crate::store::{Store, StoreError};
use crate::transport::{AccountToken, HttpTransport, NetworkSettings, TlsConfigs, Transport};
use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use wmlicense_wire::certificate::DeviceCertificate;
use wmlicense_wire::id::{Digest, Kid};

/// Fixed when the client opens.
#[derive(Debug, Clone, Default)]
pub struct OpenSettings {
    /// Folder of the store; its last component is created 0700.
    pub store_path: PathBuf,
    /// SHA-256 of the trusted authority certificates.
    pub authorities: Vec<Digest>,
}

/// May change while the client is open; applies to operations started later.
#[derive(Clone, Default)]
pub struct Settings {
    /// Base URL of the service.
    pub service_url: Option<String>,
    /// Account token.
    pub account_token: Arc<AccountToken>,
    /// The application.
    pub application: Application,
    /// What the user calls this device, for the service; empty takes the name away there, none leaves it as it is.
    pub device_name: Option<String>,
    /// Network.
    pub network: NetworkSettings,
}

/// The client could not open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made or used.
    #[error("the folder {path} cannot be used: {reason}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: std::io::Error,
    },
    /// The device's keys.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An open client. Shared by all objects made from it.
pub struct Client {
    /// Trusted authorities.
    pub authorities: Vec<Digest>,
    /// The device's keys.
    pub device: Arc<Device>,
    /// The store.
    pub store: Store,
    /// The time.
    pub clock: SharedClock,
    /// Where records go.
    pub log: Log,
    /// Trust for TLS, read once.
    pub(crate) tls: Arc<TlsConfigs>,
    /// The newest service document, read once.
    pub(crate) documents: Documents,
}

impl Client {
    /// Opens keys and store in the folder, the keys kept as a file is. Makes no network call.
    pub fn open(settings: &OpenSettings, clock: SharedClock) -> Result<Arc<Self>, OpenError> {
        Self::open_with(settings, Arc::new(FileProtector), clock, Log::default())
    }

    /// As [`Self::open`], with keys that `protector` keeps; records of opening and of everything after it go to `log`.
    pub fn open_with(
        settings: &OpenSettings,
        protector: Arc<dyn KeyProtector>,
        clock: SharedClock,
        log: Log,
    ) -> Result<Arc<Self>, OpenError> {
        let folder = &settings.store_path;
        make_folder(folder).map_err(|reason| OpenError::Folder { path: folder.clone(), reason })?;
        // The keys come first: where there is a store there were keys, and a store whose keys are gone is not started over.
        let has_store = folder.join(crate::store::FILE_NAME).exists();
        let device = Arc::new(Device::open_with(folder, protector, !has_store)?);
        let store = Store::open(folder, Arc::clone(&device), Arc::clone(&clock), log.clone())?;
        let (authorities, tls, documents) = (settings.authorities.clone(), Arc::default(), Documents::default());
        Ok(Arc::new(Self { authorities, device, store, clock, log, tls, documents }))
    }

    /// A transport for one operation with these settings.
    pub fn transport(
        &self,
        settings: &NetworkSettings,
    ) -> Result<Box<dyn Transport>, crate::transport::TransportError> {
        Ok(Box::new(HttpTransport::new(settings, &self.tls)?.telling(self.log.clone())))
    }

    /// What a use of these licenses is judged by. The device's certificate and the status lists are read only where a license
    /// or the application has something to ask them.
    pub(crate) fn environment(
        &self,
        licenses: &[StoredLicense],
        action: &str,
        application: &Application,
    ) -> Result<Environment, StoreError> {
        let asks = |license: &StoredLicense| {
            license.policy.action(action).is_some_and(|conditions| conditions.minimum_security_version.is_some())
        };
        let asked = licenses.iter().any(|license| asks(license) || license.roots.iter().any(asks));
        let certificate = if asked { self.certificate()? } else { None };
        let now = self.clock.now();
        let mut barred_by = Vec::new();
        if let Some(id) = &application.id {
            let mut authorities: Vec<_> = licenses.iter().map(|license| license.authority).collect();
            authorities.sort_unstable();
            authorities.dedup();
            for authority in authorities {
                if self.store.bars_application(authority, id, now)? {
                    barred_by.push(authority);
                }
            }
        }
        let none = Cow::Borrowed(NO_SECURITY_VERSION);
        let security_version = certificate.map_or(none, |found| found.security_version.into());
        Ok(Environment { now, security_version, application_level: application.level, barred_by })
    }

    /// The device's certificate at the first authority that gave one; none before it is individualized.
    pub fn certificate(&self) -> Result<Option<DeviceCertificate>, StoreError> {
        for authority in &self.authorities {
            let found = self.store.device_certificate(*authority)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// What the store has for a key ID, and what it is judged by.
    pub(crate) fn look(
        &self,
        kid: Kid,
        action: &str,
        application: &Application,
    ) -> Result<(Arc<[StoredLicense]>, Environment), StoreError> {
        let licenses = self.store.found(kid)?;
        let environment = self.environment(&licenses, action, application)?;
        Ok((licenses, environment))
    }

    /// Why the stored licenses for a key ID do not permit an action; empty if one does. Reserves nothing; what is written is at
    /// most the time of a refusal.
    pub fn query_allowed(&self, kid: Kid, action: &str, application: &Application) -> Result<Vec<Refusal>, StoreError> {
        let (licenses, environment) = self.look(kid, action, application)?;
        let refusals = rights::allowed(&licenses, action, &environment).err().unwrap_or_default();
        if refusals.iter().any(|refusal| refusal.tells_time()) {
            self.store.note_refusal();
        }
        Ok(refusals)
    }

    /// Whether who does this action with a license for this key ID may have to protect outputs, as
    /// [`rights::demands_protected_outputs`] tells it.
    pub fn query_protected_outputs(&self, kid: Kid, action: &str) -> Result<bool, StoreError> {
        Ok(rights::demands_protected_outputs(&self.store.licenses(kid)?, action))
    }

    /// What is left of an action by all licenses for a key ID together, as [`rights::license_state`] tells it.
    pub fn query_state(&self, kid: Kid, action: &str, application: &Application) -> Result<LicenseState, StoreError> {
        let (licenses, environment) = self.look(kid, action, application)?;
        let tells_time = |license| rights::evaluate(license, action, &environment).into_iter().any(Refusal::tells_time);
        if licenses.iter().any(tells_time) {
            self.store.note_refusal();
        }
        Ok(rights::license_state(&licenses, action, &environment))
    }
}

/// Makes the last component of a path, for the user alone, unless it is there.
fn make_folder(path: &std::path::Path) -> std::io::Result<()> {
    #[allow(unused_mut)]
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    }
}
