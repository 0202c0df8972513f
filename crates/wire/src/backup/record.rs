//! Records: one license of a backup with its state and its key.

use super::MAX_ITEM_LEN;
use crate::aead::{OpenError, SecretKey, counter_nonce};
use crate::cbor::{self, CborError, read, write};
use crate::id::Digest;
use crate::license::{InnerKey, License, State};
use crate::policy::LicenseKind;
use zeroize::Zeroizing;

const RECORD_LABEL: &str = "wmlicense/1 record";

/// One license of a backup.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Counts from 0 in a section; part of the nonce.
    pub number: u64,
    /// Place in the manifest of the batch before it.
    pub manifest_index: u32,
    /// The license.
    pub license: License,
    /// Its state when the backup was made.
    pub state: State,
    /// The key inside, under the section's content key.
    pub wrapped: Vec<u8>,
}

impl Record {
    fn bound_fields(number: u64, manifest_index: u32, license: &License, state: &State) -> [Vec<u8>; 4] {
        [write::uint(number), write::uint(manifest_index.into()), license.encode(), state.encode()]
    }

    /// Makes a record: wraps `key` under the section's content key. A number is used once in a section.
    pub fn seal(
        number: u64,
        manifest_index: u32,
        license: License,
        state: State,
        key: &InnerKey,
        content: &RecordKey,
    ) -> Self {
        let aad = Digest::of(&write::array(Self::bound_fields(number, manifest_index, &license, &state)));
        let wrapped = content.seal(number, aad, key);
        Self { number, manifest_index, license, state, wrapped }
    }

    /// Opens the key; that also proves number, license and state.
    pub fn open(&self, kind: LicenseKind, content: &RecordKey) -> Result<InnerKey, OpenError> {
        let fields = Self::bound_fields(self.number, self.manifest_index, &self.license, &self.state);
        let aad = Digest::of(&write::array(fields));
        let inner = content.open(self.number, aad, &self.wrapped)?;
        InnerKey::new(kind, inner).ok_or(OpenError)
    }

    /// `[number, manifest index, license, state, wrapped]`.
    pub fn encode(&self) -> Vec<u8> {
        let [number, index, license, state] =
            Self::bound_fields(self.number, self.manifest_index, &self.license, &self.state);
        write::array([number, index, license, state, write::bytes(&self.wrapped)])
    }

    /// Reads a record.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        if bytes.len() > MAX_ITEM_LEN {
            return Err(CborError::TooLong { cap: MAX_ITEM_LEN });
        }
        cbor::check(bytes)?;
        Self::of_checked(bytes).ok_or(CborError::Encoding { offset: 0 })
    }

    pub(super) fn of_checked(raw: &[u8]) -> Option<Self> {
        let [number, index, license, state, wrapped] = read::tuple(raw)?;
        Some(Self {
            number: read::uint(number)?,
            manifest_index: read::uint32(index)?,
            license: License::of_checked(license)?,
            state: State::of_checked(state)?,
            wrapped: read::bytes_up_to(64)(wrapped)?.to_vec(),
        })
    }
}

/// Key of a section's records, derived once a section.
pub struct RecordKey(SecretKey);

impl RecordKey {
    /// X(K_content, `wmlicense/1 record`, "", 32).
    pub fn of(content: &SecretKey) -> Self {
        Self(content.expand(RECORD_LABEL, &[]))
    }

    /// The key of record `number`, bound to the rest of the record.
    pub(super) fn seal(&self, number: u64, aad: Digest, key: &InnerKey) -> Vec<u8> {
        self.0.seal(&counter_nonce(number), aad.as_bytes(), key.as_bytes())
    }

    pub(super) fn open(&self, number: u64, aad: Digest, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.0.open(&counter_nonce(number), aad.as_bytes(), wrapped)
    }
}
