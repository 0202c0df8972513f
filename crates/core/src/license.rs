//! A stored license as all that judge one see it. Where it comes from is the store's, what it permits is `rights`'.

use crate::clock::{ClockRecord, Reading};
use std::sync::{Arc, OnceLock};
use wmlicense_wire::id::Digest;
use wmlicense_wire::license::State;
use wmlicense_wire::policy::Policy;

/// Why no license of a batch may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Standing {
    /// Nothing speaks against it.
    #[default]
    Good,
    /// The key that signed it was revoked.
    IssuerRevoked,
    /// The device that it is bound to was revoked.
    DeviceRevoked,
    /// The license demands a newer status list than the one that is kept.
    StatusListTooOld,
}

/// A content key that was opened once, under a key of the process.
pub(crate) type HeldKey = OnceLock<[u8; 16]>;

/// A stored license as rights and enumeration see it. The key stays wrapped until the store opens it.
#[derive(Clone)]
pub struct StoredLicense {
    /// Row of its batch.
    pub batch: i64,
    /// Place in the batch.
    pub index: u32,
    /// Authority of the service that signed it.
    pub authority: Digest,
    /// Its policy.
    pub policy: Policy,
    /// What is left of it; `None` where a stateful license lost its state row or the row was changed: unusable.
    pub state: Option<State>,
    /// Whether a status list lets it be used.
    pub standing: Standing,
    /// What the time is for it, where a condition has dates.
    pub(crate) reading: Option<Reading>,
    /// By which record it was read.
    pub(crate) timed_by: Option<Arc<ClockRecord>>,
    /// Bytes of its binding: few who look a license up want to know what is in it.
    pub(crate) binding: Vec<u8>,
    /// Key under that of the page.
    pub(crate) wrapped: Vec<u8>,
    /// Sealed key of the page that it stands in.
    pub(crate) page_key: Vec<u8>,
    /// At-rest ID of the batch.
    pub(crate) at_rest: [u8; 16],
    /// Shared by all copies of what was looked up once.
    pub(crate) held_key: Arc<HeldKey>,
    /// SHA-256 of the policy bytes.
    pub(crate) policy_hash: Digest,
    /// Of a leaf: the root licenses of its issuer and root key ID.
    pub(crate) roots: Arc<[StoredLicense]>,
}
