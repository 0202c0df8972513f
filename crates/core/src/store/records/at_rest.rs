//! Where a license stands in the database, and under which key its own key is kept there.

use crate::store::StoreError;
use wmlicense_wire::aead::{SecretKey, counter_nonce};
use wmlicense_wire::id::Digest;
use wmlicense_wire::license::InnerKey;
use wmlicense_wire::policy::LicenseKind;
use wmlicense_wire::request::MAX_LICENSES;

const AT_REST_LABEL: &str = "wmlicense/1 at rest";

/// Row ID of a license: its batch and its place in the manifest.
pub(in crate::store) fn row_id(batch: i64, index: u32) -> i64 {
    batch * MAX_LICENSES as i64 + i64::from(index)
}

/// Batch and place of a row ID.
pub(in crate::store) fn place(row_id: i64) -> (i64, u32) {
    ((row_id / MAX_LICENSES as i64), (row_id % MAX_LICENSES as i64) as u32)
}

/// The key under which the keys of one batch are kept. The ID is random and never used twice, so that (key, place) is
/// written once, even after a copy of the store came back.
pub(in crate::store) struct AtRest {
    pub(in crate::store) id: [u8; 16],
    key: SecretKey,
}

impl AtRest {
    /// A fresh key.
    pub(in crate::store) fn random(store_key: &SecretKey) -> Result<Self, StoreError> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|_| StoreError::Random)?;
        Ok(Self::of(store_key, id))
    }
    /// X(store key, `wmlicense/1 at rest`, ID, 32).
    pub(in crate::store) fn of(store_key: &SecretKey, id: [u8; 16]) -> Self {
        Self { id, key: store_key.expand(AT_REST_LABEL, &id) }
    }
    pub(in crate::store) fn wrap(&self, index: u32, policy_hash: Digest, key: &InnerKey) -> Vec<u8> {
        self.key.seal(&counter_nonce(index.into()), policy_hash.as_bytes(), key.as_bytes())
    }
    pub(in crate::store) fn unwrap(
        &self,
        index: u32,
        policy_hash: Digest,
        kind: LicenseKind,
        wrapped: &[u8],
    ) -> Result<InnerKey, StoreError> {
        let opened = self.key.open(&counter_nonce(index.into()), policy_hash.as_bytes(), wrapped);
        let damaged = || StoreError::Damaged("the key of a license does not open".into());
        InnerKey::new(kind, opened.map_err(|_| damaged())?).ok_or_else(damaged)
    }
}
