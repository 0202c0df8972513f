//! What the head says of each kept revocation and status list, as bytes in the head.

use crate::store::{StoreError, error::fixed};
use wmlicense_wire::id::Digest;

/// Bytes of one entry in the head: kind, ID, number, time, SHA-256.
const KEPT_LEN: usize = 1 + 32 + 8 + 8 + 32;

/// What a kept document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::store) enum KeptKind {
    /// License revocation blob of a revocation key.
    Revocation = 1,
    /// Status list of an authority.
    StatusList = 2,
}

/// The head's word on one kept document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Kept {
    pub(in crate::store) kind: KeptKind,
    /// Revocation key or authority.
    pub(in crate::store) id: [u8; 32],
    pub(in crate::store) number: u64,
    /// When it was taken, seconds UTC.
    pub(in crate::store) taken_at: i64,
    pub(in crate::store) hash: Digest,
}

impl Kept {
    pub(in crate::store) fn encode_all(kept: &[Self]) -> Vec<u8> {
        let entry = |kept: &Self| {
            let (number, taken_at) = (kept.number.to_be_bytes(), kept.taken_at.to_be_bytes());
            [&[kept.kind as u8], &kept.id[..], &number, &taken_at, kept.hash.as_bytes()].concat()
        };
        kept.iter().flat_map(entry).collect()
    }

    pub(in crate::store) fn decode_all(bytes: &[u8]) -> Result<Vec<Self>, StoreError> {
        let (entries, rest) = bytes.as_chunks::<KEPT_LEN>();
        if !rest.is_empty() {
            return Err(StoreError::Tampered);
        }
        entries.iter().map(|entry| Self::decode(entry)).collect()
    }

    fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        let part = |from: usize, to: usize| bytes.get(from..to).ok_or(StoreError::Tampered);
        let kind = match bytes.first() {
            Some(1) => KeptKind::Revocation,
            Some(2) => KeptKind::StatusList,
            _ => return Err(StoreError::Tampered),
        };
        Ok(Self {
            kind,
            id: fixed(part(1, 33)?)?,
            number: u64::from_be_bytes(fixed(part(33, 41)?)?),
            taken_at: i64::from_be_bytes(fixed(part(41, 49)?)?),
            hash: Digest::new(fixed(part(49, 81)?)?),
        })
    }
}
