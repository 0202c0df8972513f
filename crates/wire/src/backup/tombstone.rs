//! Tombstones: licenses that were removed for good, as stores and backups note them.

use crate::cbor::{self, CborError, read, write};
use crate::id::{Lid, ServiceId};

/// A license that was removed and must not come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tombstone {
    /// The license.
    pub lid: Lid,
    /// Its issuer: no other issuer's license of the same ID is meant.
    pub issuer: ServiceId,
    /// When it was removed, seconds UTC.
    pub removed_at: i64,
}

impl Tombstone {
    /// In the place of an issuer: no license of this ID may come back, whoever issued it.
    pub const EVERY_ISSUER: ServiceId = ServiceId::new([0; 16]);

    /// Whether it keeps a license of this issuer out.
    pub fn forbids(&self, issuer: ServiceId) -> bool {
        self.issuer == issuer || self.issuer == Self::EVERY_ISSUER
    }

    /// Deterministic bytes.
    pub fn encode(&self) -> Vec<u8> {
        write::array([write::bytes(self.lid), write::bytes(self.issuer), write::int(self.removed_at)])
    }

    /// Reads what [`Self::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        cbor::check(bytes)?;
        let read = || {
            let [lid, issuer, removed_at] = read::tuple(bytes)?;
            Some(Self { lid: read::id(lid)?, issuer: read::id(issuer)?, removed_at: read::int(removed_at)? })
        };
        read().ok_or(CborError::Encoding { offset: 0 })
    }
}
