//! Keys of pages: the one that wraps the keys of a page's licenses, and how a section of a backup carries it.

use super::MAX_WRAPPED_LEN;
use crate::aead::{OpenError, SecretKey, TAG_LEN, counter_nonce};
use crate::id::Digest;
use crate::license::InnerKey;
use crate::policy::LicenseKind;
use zeroize::Zeroizing;

const PAGE_KEY_LABEL: &str = "wmlicense/1 page key";
/// Bytes by which a wrapped key is longer than the key in it.
pub const WRAPPING: usize = TAG_LEN;
/// Bytes of a page key under a section's content key.
pub const WRAPPED_PAGE_KEY_LEN: usize = 32 + WRAPPING;

/// The key of one page: it wraps the keys of the licenses in it. A page gets each of its licenses once, when it is made, so that
/// no manifest index comes twice under a key.
pub struct PageKey(SecretKey);

impl PageKey {
    /// A fresh one.
    pub fn random() -> Result<Self, getrandom::Error> {
        SecretKey::random().map(Self)
    }

    /// The key with these bytes.
    pub fn new(key: SecretKey) -> Self {
        Self(key)
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Wraps the key of the license with this place in the manifest and this policy.
    pub fn wrap(&self, index: u32, policy_hash: Digest, key: &InnerKey) -> Vec<u8> {
        self.0.seal(&counter_nonce(index.into()), policy_hash.as_bytes(), key.as_bytes())
    }

    /// True if what [`Self::wrap`] made for this place and policy is there, whatever key it is.
    pub fn holds(&self, index: u32, policy_hash: Digest, wrapped: &[u8]) -> bool {
        self.length_of(index, policy_hash, wrapped).is_some()
    }

    /// Opens what [`Self::wrap`] made.
    pub fn unwrap(
        &self,
        index: u32,
        policy_hash: Digest,
        kind: LicenseKind,
        wrapped: &[u8],
    ) -> Result<InnerKey, OpenError> {
        let inner = self.0.open(&counter_nonce(index.into()), policy_hash.as_bytes(), wrapped)?;
        InnerKey::new(kind, inner).ok_or(OpenError)
    }

    /// True if [`Self::unwrap`] opens it, for who needs to know no more.
    pub fn opens(&self, index: u32, policy_hash: Digest, kind: LicenseKind, wrapped: &[u8]) -> bool {
        self.length_of(index, policy_hash, wrapped) == Some(InnerKey::len_of(kind))
    }

    /// Bytes of the key that was wrapped, if it opens.
    fn length_of(&self, index: u32, policy_hash: Digest, wrapped: &[u8]) -> Option<usize> {
        let mut inner = Zeroizing::new([0; MAX_WRAPPED_LEN]);
        let inner = inner.get_mut(..wrapped.len())?;
        inner.copy_from_slice(wrapped);
        let opened = self.0.open_in_place(&counter_nonce(index.into()), policy_hash.as_bytes(), inner);
        opened.ok().map(<[u8]>::len)
    }
}

/// The key under which a section of a backup carries the keys of its pages; derived once a section.
pub struct SectionPageKeys(SecretKey);

impl SectionPageKeys {
    /// X(K_content, `wmlicense/1 page key`, "").
    pub fn of(content: &SecretKey) -> Self {
        Self(content.expand(PAGE_KEY_LABEL, &[]))
    }

    /// The key of the page with this number. A number is used once in a section.
    pub fn seal(&self, number: u64, key: &PageKey) -> Vec<u8> {
        self.0.seal(&counter_nonce(number), &[], key.as_bytes())
    }

    /// Opens what [`Self::seal`] made.
    pub fn open(&self, number: u64, wrapped: &[u8]) -> Result<PageKey, OpenError> {
        let key = self.0.open(&counter_nonce(number), &[], wrapped)?;
        SecretKey::from_slice(&key).map(PageKey).ok_or(OpenError)
    }
}
