//! What licenses are judged by beside their policies: the application, the device, the wall clock.

use crate::client::Client;
use crate::clock::Reading;
use crate::store::{StoreError, StoredLicense};
use wmlicense_wire::id::Digest;

/// Security version of a device that has none yet: lower than every other.
pub const NO_SECURITY_VERSION: &str = "0.0.0.0";

/// An application as it names itself. A claim that keeps honest applications from breaking with what was decided about them;
/// nothing proves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Application {
    /// Its ID, by which a status list names it.
    pub id: Option<String>,
    /// Its security level.
    pub level: u32,
}

/// What the evaluation needs to know about the device and the application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Wall clock, seconds UTC, for what has no better one.
    pub now: i64,
    /// Four dotted numbers.
    pub security_version: String,
    /// Level of the application.
    pub application_level: u32,
    /// Authorities whose newest status list names the application.
    pub barred_by: Vec<Digest>,
}

impl Environment {
    /// For a use of these licenses. The device's certificate and the status lists are read only where a license or the
    /// application has something to ask them.
    pub fn of(
        client: &Client,
        licenses: &[StoredLicense],
        action: &str,
        application: &Application,
    ) -> Result<Self, StoreError> {
        let asks = |license: &StoredLicense| {
            license.policy.action(action).is_some_and(|conditions| conditions.minimum_security_version.is_some())
        };
        let mut security_version = NO_SECURITY_VERSION.to_owned();
        if licenses.iter().any(|license| asks(license) || license.roots.iter().any(asks)) {
            for authority in &client.authorities {
                if let Some(certificate) = client.store.device_certificate(*authority)? {
                    security_version = certificate.security_version;
                    break;
                }
            }
        }
        let now = client.clock.now();
        let mut barred_by = Vec::new();
        if let Some(id) = &application.id {
            let mut authorities: Vec<_> = licenses.iter().map(|license| license.authority).collect();
            authorities.sort_unstable();
            authorities.dedup();
            for authority in authorities {
                if client.store.bars_application(authority, id, now)? {
                    barred_by.push(authority);
                }
            }
        }
        Ok(Self { now, security_version, application_level: application.level, barred_by })
    }

    /// The time for a license.
    pub(crate) fn reading(&self, of_license: Option<Reading>) -> Reading {
        of_license.unwrap_or(Reading { now: self.now, behind: None })
    }
}
