//! What one who asks, and all of them together, get at most. Who counts it is elsewhere.

use crate::source::Network;

/// Most connections where nothing else is said.
pub(crate) const DEFAULT_CONNECTIONS: usize = 4096;
/// Most connections of one address where nothing else is said.
pub(crate) const DEFAULT_CONNECTIONS_PER_ADDRESS: usize = 256;

/// Most devices that are certified for one address a day where nothing else is said.
pub(crate) const DEFAULT_DEVICES_PER_ADDRESS: u64 = 10_000;
/// Bytes that are kept a day where nothing else is said: for those without an account from one address, for one device, for one
/// account.
pub(crate) const DEFAULT_KEPT_PER_ADDRESS: u64 = 256 << 20;
/// The same for one device.
pub(crate) const DEFAULT_KEPT_PER_DEVICE: u64 = 2 << 30;
/// The same for one account.
pub(crate) const DEFAULT_KEPT_PER_ACCOUNT: u64 = 4 << 30;

/// Days after which a device that never got anything is forgotten where nothing else is said.
pub(crate) const DEFAULT_FORGET_AFTER: u64 = 90;

/// What is kept of a day's requests, at most; none is no limit.
#[derive(Debug, Clone)]
pub struct Daily {
    /// Devices that are certified for one address.
    pub devices_per_address: Option<u64>,
    /// Bytes for those without an account, from one address.
    pub kept_per_address: Option<u64>,
    /// Bytes for one device.
    pub kept_per_device: Option<u64>,
    /// Bytes for one account.
    pub kept_per_account: Option<u64>,
}

impl Default for Daily {
    fn default() -> Self {
        Self {
            devices_per_address: Some(DEFAULT_DEVICES_PER_ADDRESS),
            kept_per_address: Some(DEFAULT_KEPT_PER_ADDRESS),
            kept_per_device: Some(DEFAULT_KEPT_PER_DEVICE),
            kept_per_account: Some(DEFAULT_KEPT_PER_ACCOUNT),
        }
    }
}

/// Limits of a service, of this process alone where several serve one database.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Most connections in all.
    pub connections: usize,
    /// Most connections of one address, but of a trusted proxy.
    pub connections_per_address: usize,
    /// Proxies that are believed where a request comes from.
    pub trusted_proxies: Vec<Network>,
    /// What is kept of a day's requests.
    pub daily: Daily,
    /// Days after which a device is forgotten that never got anything; none for ever.
    pub forget_after: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: DEFAULT_CONNECTIONS,
            connections_per_address: DEFAULT_CONNECTIONS_PER_ADDRESS,
            trusted_proxies: Vec::new(),
            daily: Daily::default(),
            forget_after: Some(DEFAULT_FORGET_AFTER),
        }
    }
}
