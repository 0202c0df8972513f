//! What a section yields on reading.

use super::{ReadError, corrupt};
use wmlicense_wire::backup::RecordView;
use wmlicense_wire::id::Kid;
use wmlicense_wire::policy::{LicenseKind, Policy};

/// What a section yields, in the order of the file. It is to be believed only after the whole section was read.
pub(crate) enum Entry<'a> {
    /// Certificate of a service, not verified.
    ServiceCertificate(&'a [u8]),
    /// The status list that was kept, not verified.
    StatusList(&'a [u8]),
    /// A license revocation blob that was kept, not verified.
    LicenseRevocation(&'a [u8]),
    /// A tombstone of the store that the backup was made of.
    Tombstone(&'a [u8]),
    /// Title of a key ID.
    Title(Kid, String),
    /// A signed answer; its licenses follow.
    Batch(&'a [u8]),
    /// A license; it is in the manifest of the batch before.
    License(LicenseEntry<'a>),
}

impl Entry<'_> {
    /// Bytes that it takes in the file, about.
    pub(crate) fn len(&self) -> u64 {
        let length = match self {
            Self::ServiceCertificate(bytes)
            | Self::StatusList(bytes)
            | Self::LicenseRevocation(bytes)
            | Self::Tombstone(bytes)
            | Self::Batch(bytes) => bytes.len(),
            Self::Title(kid, title) => kid.as_bytes().len() + title.len(),
            Self::License(license) => license.record.encoded.len(),
        };
        length as u64
    }
}

/// A license of a section.
pub(crate) struct LicenseEntry<'a> {
    /// As it stands in the file.
    pub(crate) record: RecordView<'a>,
    /// What its key is.
    pub(crate) kind: LicenseKind,
}

impl LicenseEntry<'_> {
    /// Its policy. Read only where it decides something, because that costs more than all the rest.
    pub(crate) fn policy(&self) -> Result<Policy, ReadError> {
        Policy::decode(self.record.policy).map_err(|error| corrupt(format!("policy: {error}")))
    }
}
