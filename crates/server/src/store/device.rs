//! What the service knows of devices.

use wmlicense_wire::id::{DeviceId, SignerId};

/// A device as the service knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KnownDevice {
    pub(crate) device_id: DeviceId,
    pub(crate) revoked: bool,
    /// When these keys were certified last, seconds UTC.
    pub(crate) certified_at: i64,
    /// Keys that took the place of these.
    pub(crate) successor: Option<SignerId>,
}

/// A device that gets a certificate.
pub(crate) struct CertifiedDevice {
    pub(crate) device_id: DeviceId,
    pub(crate) security_version: String,
    pub(crate) assurance: u8,
    /// When the certificate was issued, seconds UTC.
    pub(crate) certified_at: i64,
    /// Keys that were the device's before.
    pub(crate) replaces: Option<SignerId>,
    /// What the request calls the device; empty for no name.
    pub(crate) name: Option<String>,
}

/// One row of `device list`.
pub(crate) struct DeviceRow {
    pub(crate) device: DeviceId,
    pub(crate) name: Option<String>,
    pub(crate) since: i64,
    pub(crate) certified_at: i64,
    pub(crate) security_version: String,
    pub(crate) revoked_at: Option<i64>,
    pub(crate) reason: Option<String>,
    /// How often a copy of its store was noticed, and when last.
    pub(crate) forks: u64,
    pub(crate) forked_at: Option<i64>,
}
