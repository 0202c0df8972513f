//! What a section yields on reading.

use super::{ReadError, corrupt};
use crate::backup::batch::Paged;
use wmlicense_wire::aead::OpenError;
use wmlicense_wire::backup::page::{PageKey, PageView, PagedLicense};
use wmlicense_wire::backup::{ContentKeys, RecordView};
use wmlicense_wire::id::{Digest, Kid};
use wmlicense_wire::license::{InnerKey, License, State};
use wmlicense_wire::policy::{Glance, Policy};

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
    /// A license with a state, or any of an earlier version's file; it is in the manifest of the batch before.
    License(Box<LicenseEntry<'a>>),
    /// Licenses without a state; they are in the manifest of the batch before.
    Page(PageEntry<'a>),
}

impl<'a> Entry<'a> {
    /// Bytes that it takes in the file, about.
    pub(crate) fn len(&self) -> u64 {
        let length = match self {
            Self::ServiceCertificate(bytes)
            | Self::StatusList(bytes)
            | Self::LicenseRevocation(bytes)
            | Self::Tombstone(bytes)
            | Self::Batch(bytes) => bytes.len(),
            Self::Title(kid, title) => kid.as_bytes().len() + title.len(),
            Self::License(license) => license.encoded.len(),
            Self::Page(page) => page.page.bytes().len(),
        };
        length as u64
    }

    /// The licenses in it, wherever they stand.
    pub(crate) fn licenses(&self) -> &[LicenseEntry<'a>] {
        match self {
            Self::License(license) => std::slice::from_ref(&**license),
            Self::Page(page) => &page.licenses,
            Self::ServiceCertificate(_)
            | Self::StatusList(_)
            | Self::LicenseRevocation(_)
            | Self::Tombstone(_)
            | Self::Title(..)
            | Self::Batch(_) => &[],
        }
    }
}

/// A page of a section.
pub(crate) struct PageEntry<'a> {
    /// Its number in the section.
    pub(crate) number: u64,
    /// Its key under the section's content key.
    pub(crate) wrapped_key: &'a [u8],
    /// As it stands in the file.
    pub(crate) page: PageView<'a>,
    /// The licenses in it.
    pub(crate) licenses: Vec<LicenseEntry<'a>>,
}

impl PageEntry<'_> {
    /// Opens the key of the page.
    pub(crate) fn key(&self, content: &ContentKeys) -> Result<PageKey, OpenError> {
        content.pages.open(self.number, self.wrapped_key)
    }
}

/// A license of a section.
pub(crate) struct LicenseEntry<'a> {
    /// Place in the manifest of its batch.
    pub(crate) index: u32,
    /// What its policy says of it at a glance.
    pub(crate) glance: Glance,
    /// What its binding says the hash of its policy is.
    pub(crate) policy_hash: Digest,
    policy: &'a [u8],
    binding: &'a [u8],
    /// As it stands in the file: the record, or the license in its page.
    pub(crate) encoded: &'a [u8],
    sealed: Sealed<'a>,
}

/// How the key of a license stands in the file.
enum Sealed<'a> {
    /// In a record, which proves the state as well.
    Record(RecordView<'a>),
    /// In a page.
    Page(&'a [u8]),
}

impl<'a> LicenseEntry<'a> {
    pub(super) fn of_record(record: RecordView<'a>, glance: Glance, policy_hash: Digest) -> Self {
        Self {
            index: record.manifest_index,
            glance,
            policy_hash,
            policy: record.policy,
            binding: record.binding,
            encoded: record.encoded,
            sealed: Sealed::Record(record),
        }
    }

    pub(super) fn of_page(paged: &PagedLicense<'a>, license: &Paged<'a>) -> Self {
        Self {
            index: paged.index,
            glance: license.glance,
            policy_hash: license.policy_hash,
            policy: license.policy,
            binding: license.binding,
            encoded: paged.license,
            sealed: Sealed::Page(paged.wrapped),
        }
    }

    /// Its policy. Read only where it decides something, because that costs more than all the rest.
    pub(crate) fn policy(&self) -> Result<Policy, ReadError> {
        Policy::decode(self.policy).map_err(|error| corrupt(format!("policy: {error}")))
    }

    /// The license.
    pub(crate) fn license(&self) -> License {
        License { policy: self.policy.to_vec(), binding: self.binding.to_vec() }
    }

    /// Its state when the backup was made: none where it is malformed.
    pub(crate) fn state(&self) -> Option<State> {
        match &self.sealed {
            Sealed::Record(record) => record.state(),
            Sealed::Page(_) => Some(State::default()),
        }
    }

    /// Its wrapped key, where it stands in a page.
    pub(crate) fn wrapped_in_page(&self) -> Option<&'a [u8]> {
        if let Sealed::Page(wrapped) = self.sealed { Some(wrapped) } else { None }
    }

    /// Opens its key, that of one in a page with the page's key.
    pub(crate) fn open(&self, content: &ContentKeys, page: Option<&PageKey>) -> Result<InnerKey, OpenError> {
        match &self.sealed {
            Sealed::Record(record) => record.open(self.glance.kind, &content.records),
            Sealed::Page(wrapped) => {
                page.ok_or(OpenError)?.unwrap(self.index, self.policy_hash, self.glance.kind, wrapped)
            }
        }
    }

    /// True if [`Self::open`] opens its key.
    pub(crate) fn opens(&self, content: &ContentKeys, page: Option<&PageKey>) -> bool {
        match &self.sealed {
            Sealed::Record(_) => self.open(content, page).is_ok(),
            Sealed::Page(wrapped) => {
                page.is_some_and(|page| page.opens(self.index, self.policy_hash, self.glance.kind, wrapped))
            }
        }
    }
}
