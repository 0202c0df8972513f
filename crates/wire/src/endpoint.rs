//! What a service can be asked over HTTP, each resource once: its name and its path, who answers, and the most bytes that go
//! either way. What is said there is in the documents' modules.

use crate::answer;
use crate::certificate::Role;
use crate::request::{self, Body};
use crate::revocation;

/// Path of the service document.
pub const SERVICE_DOCUMENT: &str = "/.well-known/wmlicense";
/// Name of the resource that signs the time over a nonce; of any role.
pub const TIME: &str = "time";
/// Name of the resource with the newest status list; of any role.
pub const STATUS_LIST: &str = "status-list";

/// Where the paths of resources begin.
pub const ROOT: &str = "/v1/";

/// The path of a resource by its name in the service document, where that names no URL for it.
pub fn path(name: &str) -> String {
    format!("{ROOT}{name}")
}

/// A resource that takes requests of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// A device certificate.
    Individualize,
    /// Licenses.
    Licenses,
    /// Stored licenses on the terms of today.
    Renewals,
    /// Giving licenses back.
    Returns,
    /// What a restore would give, and the key of a backup's section.
    RestorePreview,
    /// Licenses of a backup.
    Restores,
    /// What was taken back, and the acknowledgement of it.
    Revocations,
    /// Licenses that nobody asked for.
    Mailbox,
}

impl Endpoint {
    /// All endpoints.
    pub const ALL: [Self; 8] = [
        Self::Individualize,
        Self::Licenses,
        Self::Renewals,
        Self::Returns,
        Self::RestorePreview,
        Self::Restores,
        Self::Revocations,
        Self::Mailbox,
    ];

    /// Name in the service document.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Individualize => "individualize",
            Self::Licenses => "licenses",
            Self::Renewals => "renewals",
            Self::Returns => "returns",
            Self::RestorePreview => "restores/preview",
            Self::Restores => "restores",
            Self::Revocations => "revocations",
            Self::Mailbox => "mailbox",
        }
    }

    /// Path where the service document names no URL.
    pub fn path(self) -> String {
        path(self.name())
    }

    /// Role of the service that answers.
    pub const fn role(self) -> Role {
        match self {
            Self::Individualize => Role::Individualization,
            Self::Licenses | Self::Renewals | Self::Returns | Self::Revocations | Self::Mailbox => Role::Issuer,
            Self::RestorePreview | Self::Restores => Role::Management,
        }
    }

    /// Longest request, in bytes.
    pub const fn request_cap(self) -> usize {
        match self {
            Self::Individualize
            | Self::Licenses
            | Self::Renewals
            | Self::Returns
            | Self::RestorePreview
            | Self::Revocations
            | Self::Mailbox => request::MAX_LEN,
            Self::Restores => request::MAX_RESTORE_LEN,
        }
    }

    /// Longest body that is taken, in bytes: where revocations are asked for, acknowledgements go as well.
    pub const fn body_cap(self) -> usize {
        match self {
            Self::Revocations => revocation::MAX_LEN,
            Self::Individualize
            | Self::Licenses
            | Self::Renewals
            | Self::Returns
            | Self::RestorePreview
            | Self::Restores
            | Self::Mailbox => self.request_cap(),
        }
    }

    /// Longest body of an answer, in bytes.
    pub const fn answer_cap(self) -> usize {
        match self {
            Self::Individualize
            | Self::Licenses
            | Self::Renewals
            | Self::Returns
            | Self::RestorePreview
            | Self::Restores
            | Self::Mailbox => answer::MAX_LEN,
            Self::Revocations => revocation::MAX_LEN,
        }
    }
}

impl Body {
    /// Where it is asked.
    pub const fn endpoint(&self) -> Endpoint {
        match self {
            Self::Individualize { .. } => Endpoint::Individualize,
            Self::Licenses { .. } => Endpoint::Licenses,
            Self::Renewals { .. } => Endpoint::Renewals,
            Self::Returns { .. } => Endpoint::Returns,
            Self::RestorePreview { .. } => Endpoint::RestorePreview,
            Self::Restore { .. } => Endpoint::Restores,
            Self::Revocations { .. } => Endpoint::Revocations,
            Self::Mailbox { .. } => Endpoint::Mailbox,
        }
    }
}
