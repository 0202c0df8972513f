//! Items: what the stream of a section consists of.

use super::page::{PageView, WRAPPED_PAGE_KEY_LEN};
use super::{MAX_ITEM_LEN, Record};
use crate::cbor::{self, CborError, read, write};
use crate::id::Kid;

/// One item of a section's stream; `u32 length ‖ CBOR [kind, …]` in the file.
#[derive(Clone, PartialEq, Eq)]
pub enum Item {
    /// Certificate of the device that made the backup.
    DeviceCertificate(Vec<u8>),
    /// Certificate of a service; each once.
    ServiceCertificate(Vec<u8>),
    /// Status list.
    StatusList(Vec<u8>),
    /// License revocation blob.
    LicenseRevocation(Vec<u8>),
    /// A license that was removed, as the store recorded it.
    Tombstone(Vec<u8>),
    /// Title of a key ID.
    Title(Kid, String),
    /// Signed answer whose records follow.
    Batch(Vec<u8>),
    /// A license.
    Record(Box<Record>),
    /// Zeros.
    Padding(Vec<u8>),
    /// The signed end.
    Footer(Vec<u8>),
    /// Licenses without a state.
    Page {
        /// The page's key under the section's content key.
        wrapped_key: Vec<u8>,
        /// The page.
        page: Vec<u8>,
    },
}

impl Item {
    /// The CBOR part.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, mut content) = match self {
            Self::DeviceCertificate(bytes) => (1, vec![write::bytes(bytes)]),
            Self::ServiceCertificate(bytes) => (2, vec![write::bytes(bytes)]),
            Self::StatusList(bytes) => (3, vec![write::bytes(bytes)]),
            Self::LicenseRevocation(bytes) => (4, vec![write::bytes(bytes)]),
            Self::Tombstone(bytes) => (5, vec![write::bytes(bytes)]),
            Self::Title(kid, title) => (6, vec![write::bytes(kid), write::text(title)]),
            Self::Batch(bytes) => (7, vec![write::bytes(bytes)]),
            Self::Record(record) => (8, vec![record.encode()]),
            Self::Padding(bytes) => (9, vec![write::bytes(bytes)]),
            Self::Footer(bytes) => (10, vec![write::bytes(bytes)]),
            Self::Page { wrapped_key, page } => (11, vec![write::bytes(wrapped_key), write::bytes(page)]),
        };
        content.insert(0, write::uint(kind));
        write::array(content)
    }

    /// Reads the CBOR part.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        if bytes.len() > MAX_ITEM_LEN {
            return Err(CborError::TooLong { cap: MAX_ITEM_LEN });
        }
        cbor::check(bytes)?;
        Self::of_checked(bytes).ok_or(CborError::Encoding { offset: 0 })
    }

    fn of_checked(raw: &[u8]) -> Option<Self> {
        let items = read::items(raw, 3)?;
        let kind = read::uint(items.first()?)?;
        if let (6, [_, kid, title]) = (kind, items.as_slice()) {
            return Some(Self::Title(read::id(kid)?, read::text(title)?));
        }
        if let (11, [_, wrapped_key, page]) = (kind, items.as_slice()) {
            return read_page(wrapped_key, page);
        }
        let [_, content] = items.as_slice() else { return None };
        if kind == 8 {
            return Some(Self::Record(Box::new(Record::of_checked(content)?)));
        }
        let bytes = read::bytes(content)?.to_vec();
        match kind {
            1 => Some(Self::DeviceCertificate(bytes)),
            2 => Some(Self::ServiceCertificate(bytes)),
            3 => Some(Self::StatusList(bytes)),
            4 => Some(Self::LicenseRevocation(bytes)),
            5 => Some(Self::Tombstone(bytes)),
            7 => Some(Self::Batch(bytes)),
            9 if bytes.iter().all(|byte| *byte == 0) => Some(Self::Padding(bytes)),
            10 => Some(Self::Footer(bytes)),
            _ => None,
        }
    }
}

fn read_page(wrapped_key: &[u8], page: &[u8]) -> Option<Item> {
    let (wrapped_key, page) = (read::bytes(wrapped_key)?, read::bytes(page)?);
    let is_page = wrapped_key.len() == WRAPPED_PAGE_KEY_LEN && PageView::parse(page).is_ok();
    is_page.then(|| Item::Page { wrapped_key: wrapped_key.to_vec(), page: page.to_vec() })
}
