//! The licenses that a restore request brings: batches with records and pages, as they stand in a backup.

use super::MAX_LICENSES;
use crate::aead::OpenError;
use crate::backup::page::{PageKey, PageView, WRAPPED_PAGE_KEY_LEN};
use crate::backup::{ContentKeys, Record};
use crate::cbor::{CborError, read, write};
use crate::id::Digest;
use crate::license::{InnerKey, License, State};
use crate::policy::LicenseKind;
use std::sync::Arc;

/// One batch of a backup with its licenses, in a restore chunk.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct RestoreBatch {
    /// The signed answer that the licenses came in.
    pub signed: Vec<u8>,
    /// Records as they stand in the backup, encoded.
    pub records: Vec<Vec<u8>>,
    /// Pages of the backup, cut down to the licenses that are asked for.
    pub pages: Vec<RestorePage>,
}

/// A page in a restore chunk.
#[derive(Clone, PartialEq, Eq)]
pub struct RestorePage {
    /// Its number in the section; part of the nonce of its key.
    pub number: u64,
    /// Its key under the section's content key.
    pub wrapped_key: Vec<u8>,
    /// The page.
    pub page: Vec<u8>,
}

pub(super) fn encode_batch(batch: &RestoreBatch) -> Vec<u8> {
    let records = write::array(batch.records.iter().map(write::bytes));
    if batch.pages.is_empty() {
        return write::array([write::bytes(&batch.signed), records]);
    }
    let page = |page: &RestorePage| {
        write::array([write::uint(page.number), write::bytes(&page.wrapped_key), write::bytes(&page.page)])
    };
    write::array([write::bytes(&batch.signed), records, write::array(batch.pages.iter().map(page))])
}

/// Batches with at most [`MAX_LICENSES`] licenses in all.
pub(super) fn read_batches(raw: &[u8]) -> Option<Vec<RestoreBatch>> {
    let mut left = MAX_LICENSES;
    read::items(raw, MAX_LICENSES)?.into_iter().map(|raw| read_batch(raw, &mut left)).collect()
}

/// A batch; its licenses are taken off those that are left.
fn read_batch(raw: &[u8], left: &mut usize) -> Option<RestoreBatch> {
    let (signed, records, pages) = match *read::items(raw, 3)?.as_slice() {
        [signed, records] => (signed, records, None),
        [signed, records, pages] => (signed, records, Some(pages)),
        _ => return None,
    };
    let owned = |raw| read::bytes(raw).map(<[u8]>::to_vec);
    let records = read::array(*left, owned)(records)?;
    *left -= records.len();
    let pages = match pages {
        None => Vec::new(),
        Some(pages) => {
            let pages: Vec<RestorePage> =
                read::items(pages, *left)?.into_iter().map(|raw| read_page(raw, left)).collect::<Option<_>>()?;
            // Without pages the member is left out.
            if pages.is_empty() {
                return None;
            }
            pages
        }
    };
    Some(RestoreBatch { signed: owned(signed)?, records, pages })
}

fn read_page(raw: &[u8], left: &mut usize) -> Option<RestorePage> {
    let [number, wrapped_key, page] = read::tuple(raw)?;
    let (wrapped_key, page) = (read::bytes(wrapped_key)?, read::bytes(page)?);
    *left = left.checked_sub(PageView::parse(page).ok()?.count())?;
    let is_key = wrapped_key.len() == WRAPPED_PAGE_KEY_LEN;
    let number = read::uint(number)?;
    is_key.then(|| RestorePage { number, wrapped_key: wrapped_key.to_vec(), page: page.to_vec() })
}

/// A license that a restore chunk brings. Nothing of it was verified.
pub enum SentLicense {
    /// Out of a record, which proves its state.
    Record(Box<Record>),
    /// Out of a page, which may hold none with a state.
    Paged {
        /// Place in the manifest of its batch.
        manifest_index: u32,
        /// The license.
        license: License,
        /// Its key under the page's.
        wrapped: Vec<u8>,
        /// The page's key; none where it does not open.
        key: Option<Arc<PageKey>>,
    },
}

impl RestoreBatch {
    /// The licenses of the batch, those in records first.
    pub fn licenses(&self, content: &ContentKeys) -> Result<Vec<SentLicense>, CborError> {
        let mut licenses = Vec::new();
        for bytes in &self.records {
            licenses.push(SentLicense::Record(Box::new(Record::decode(bytes)?)));
        }
        for page in &self.pages {
            page.licenses(content, &mut licenses).ok_or(CborError::Encoding { offset: 0 })?;
        }
        Ok(licenses)
    }
}

impl RestorePage {
    fn licenses(&self, content: &ContentKeys, licenses: &mut Vec<SentLicense>) -> Option<()> {
        let key = content.pages.open(self.number, &self.wrapped_key).ok().map(Arc::new);
        for paged in PageView::parse(&self.page).ok()?.licenses() {
            licenses.push(SentLicense::Paged {
                manifest_index: paged.index,
                license: License::decode(paged.license).ok()?,
                wrapped: paged.wrapped.to_vec(),
                key: key.clone(),
            });
        }
        Some(())
    }
}

impl SentLicense {
    /// Place in the manifest of its batch.
    pub fn manifest_index(&self) -> u32 {
        match self {
            Self::Record(record) => record.manifest_index,
            Self::Paged { manifest_index, .. } => *manifest_index,
        }
    }

    /// The license.
    pub fn license(&self) -> &License {
        match self {
            Self::Record(record) => &record.license,
            Self::Paged { license, .. } => license,
        }
    }

    /// SHA-256 of the encoded license: its entry in the manifest.
    pub fn license_hash(&self) -> Digest {
        self.license().hash()
    }

    /// What is left of it, as the key proves it; none out of a page, which proves no state.
    pub fn state(&self) -> Option<&State> {
        match self {
            Self::Record(record) => Some(&record.state),
            Self::Paged { .. } => None,
        }
    }

    /// Opens the key.
    pub fn open(&self, kind: LicenseKind, content: &ContentKeys) -> Result<InnerKey, OpenError> {
        match self {
            Self::Record(record) => record.open(kind, &content.records),
            Self::Paged { manifest_index, license, wrapped, key } => {
                key.as_ref().ok_or(OpenError)?.unwrap(*manifest_index, license.policy_hash(), kind, wrapped)
            }
        }
    }

    /// The license, when the rest is not needed any more.
    pub fn into_license(self) -> License {
        match self {
            Self::Record(record) => record.license,
            Self::Paged { license, .. } => license,
        }
    }
}
