//! Items: what the stream of a section consists of.

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
