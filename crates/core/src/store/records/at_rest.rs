//! Where a license stands in the database, and under which keys the key in it is kept there: each page has a key of its own, and
//! that is sealed under the store's.

use crate::store::integrity::Integrity;
use crate::store::{Section, StoreError};
use wmlicense_wire::aead::{SecretKey, counter_nonce};
use wmlicense_wire::backup::page::PageKey;
use wmlicense_wire::id::Digest;
use wmlicense_wire::license::InnerKey;
use wmlicense_wire::policy::{LicenseKind, Policy};
use wmlicense_wire::request::MAX_LICENSES;
use zeroize::Zeroizing;

const PAGE_LABEL: &str = "wmlicense/1 page";
const SECTION_LABEL: &[u8] = b"wmlicense/1 section\0";
const RESTRICTED_LABEL: &[u8] = b"wmlicense/1 restricted\0";
const STAGED_LABEL: &str = "wmlicense/1 at rest";
const NONCE_LEN: usize = 12;
/// Places in a batch or in a page: as many as a manifest has.
const PLACES: i64 = MAX_LICENSES as i64;
/// Random bytes that are fetched at once.
const FETCHED: usize = 1024;

/// Batches have numbers below this one, so that every place of a license in them is a number.
pub(in crate::store) const BATCHES: i64 = i64::MAX / PLACES / PLACES;

/// First and last row ID of the pages of a batch; of a batch that there cannot be, rows that are nobody's.
pub(in crate::store) fn pages_of(batch: i64) -> (i64, i64) {
    let first = batch.saturating_mul(PLACES);
    (first, first.saturating_add(PLACES - 1))
}

/// Row ID of the page with this number in a batch.
pub(in crate::store) fn page_id(batch: i64, number: i64) -> i64 {
    batch.wrapping_mul(PLACES).wrapping_add(number)
}

/// True if a page may have this row ID.
pub(in crate::store) fn is_a_page(id: i64) -> bool {
    (0..BATCHES * PLACES).contains(&id)
}

/// Batch of a page.
pub(in crate::store) fn batch_of(page: i64) -> i64 {
    page / PLACES
}

/// Place of the license with this index in the manifest, in this page.
pub(in crate::store) fn place_in(page: i64, index: u32) -> i64 {
    page.wrapping_mul(PLACES).wrapping_add(index.into())
}

/// Page and index of a place.
pub(in crate::store) fn place(place: i64) -> (i64, u32) {
    (place / PLACES, (place % PLACES) as u32)
}

/// Random bytes for a batch, fetched from the system many at once and each given out once.
#[derive(Default)]
pub(in crate::store) struct Randomness {
    bytes: Zeroizing<Vec<u8>>,
    used: usize,
}

impl Randomness {
    pub(in crate::store) fn take<const N: usize>(&mut self) -> Result<Zeroizing<[u8; N]>, StoreError> {
        const { assert!(N <= FETCHED) };
        if self.bytes.len() < self.used + N {
            self.bytes.resize(FETCHED, 0);
            getrandom::fill(&mut self.bytes).map_err(|_| StoreError::Random)?;
            self.used = 0;
        }
        let mut taken = Zeroizing::new([0; N]);
        for (to, from) in taken.iter_mut().zip(self.bytes.iter_mut().skip(self.used)) {
            *to = std::mem::take(from);
        }
        self.used += N;
        Ok(taken)
    }
}

/// The at-rest ID of a batch whose signature was verified when it came: where a batch has it, the signed answer is as it was then,
/// because the keys of its pages open under no other ID. The ID of every other batch is random.
pub(in crate::store) fn id_of_verified(integrity: &Integrity, authority: Digest, signed: &[u8]) -> [u8; 16] {
    let code = integrity.code(&[b"batch\0", authority.as_bytes(), signed]);
    let mut id = [0; 16];
    id.copy_from_slice(&code[..16]);
    id
}

/// What a page is of. Its sealed key opens for this alone, so that a row that was relabelled by hand opens nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Scope([u8; 49]);

impl Scope {
    /// Of licenses of an authority that are in a section, or may not be backed up, and of a batch with this at-rest ID.
    pub(in crate::store) fn new(
        authority: Digest,
        section: Option<&Section>,
        stateful: bool,
        at_rest: &[u8; 16],
    ) -> Self {
        let digest = match section {
            None => Digest::of_parts(&[RESTRICTED_LABEL, authority.as_bytes()]),
            Some(section) => {
                let optional = |id: Option<&[u8; 16]>| id.map_or(vec![0], |id| [&[1], &id[..]].concat());
                let management = optional(section.management.as_ref().map(|id| id.as_bytes()));
                let user = optional(section.user.as_ref().map(|id| id.as_bytes()));
                Digest::of_parts(&[SECTION_LABEL, section.authority.as_bytes(), &management, &user])
            }
        };
        let mut bytes = [0; 49];
        bytes[..32].copy_from_slice(digest.as_bytes());
        bytes[32] = stateful.into();
        bytes[33..].copy_from_slice(at_rest);
        Self(bytes)
    }

    /// Of a license with these terms.
    pub(in crate::store) fn of(authority: Digest, policy: &Policy, at_rest: &[u8; 16]) -> Self {
        let section = super::section::section_of(authority, policy);
        Self::new(authority, section.as_ref(), policy.is_stateful(), at_rest)
    }
}

/// The key under which the keys of all pages are kept.
pub(in crate::store) struct PageKeys(SecretKey);

impl PageKeys {
    /// X(store key, `wmlicense/1 page`, "", 32).
    pub(in crate::store) fn of(store_key: &SecretKey) -> Self {
        Self(store_key.expand(PAGE_LABEL, &[]))
    }

    /// A fresh key of a page.
    pub(in crate::store) fn fresh(random: &mut Randomness) -> Result<PageKey, StoreError> {
        Ok(PageKey::new(SecretKey::new(random.take()?)))
    }

    /// Nonce ‖ sealed key.
    pub(in crate::store) fn seal(
        &self,
        scope: &Scope,
        key: &PageKey,
        random: &mut Randomness,
    ) -> Result<Vec<u8>, StoreError> {
        let nonce: Zeroizing<[u8; NONCE_LEN]> = random.take()?;
        Ok([&nonce[..], &self.0.seal(&nonce, &scope.0, key.as_bytes())].concat())
    }

    /// Opens what [`Self::seal`] made for the same scope.
    pub(in crate::store) fn open(&self, scope: &Scope, sealed: &[u8]) -> Result<PageKey, StoreError> {
        let opened = sealed
            .split_first_chunk()
            .and_then(|(nonce, sealed)| SecretKey::from_slice(&self.0.open(nonce, &scope.0, sealed).ok()?));
        opened.map(PageKey::new).ok_or_else(key_lost)
    }
}

pub(in crate::store) fn key_lost() -> StoreError {
    StoreError::Damaged("the key of a license does not open".into())
}

/// The key under which the keys of one batch are kept that waits to be stored, or was stored by an earlier schema. The ID is
/// random and never used twice, so that (key, place) is written once, even after a copy of the file came back.
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
        Self { id, key: store_key.expand(STAGED_LABEL, &id) }
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
        InnerKey::new(kind, opened.map_err(|_| key_lost())?).ok_or_else(key_lost)
    }
}
