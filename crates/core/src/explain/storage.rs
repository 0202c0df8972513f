//! The failures of files and folders: the store, the device's keys, backups, content.

use super::{Explain, Failure, FailureKind};
use crate::backup::BackupError;
use crate::client::OpenError;
use crate::device::DeviceError;
use crate::shortage::Shortage;
use crate::store::StoreError;
use crate::verbs::store_keeper::{CheckError, CleanError};
use std::io;
use wmlicense_media::HeaderError;

/// What the machine has no more of.
impl From<Shortage> for FailureKind {
    fn from(shortage: Shortage) -> Self {
        match shortage {
            Shortage::Memory => Self::NoMemory,
            Shortage::Descriptors => Self::NoDescriptors,
            Shortage::Room => Self::DiskFull,
        }
    }
}

/// A file or folder that the application named.
pub(super) fn place(error: &io::Error) -> Failure {
    Failure::with(place_kind(error), error.to_string())
}

fn place_kind(error: &io::Error) -> FailureKind {
    match error.kind() {
        io::ErrorKind::NotFound => FailureKind::PlaceNotFound,
        _ => Shortage::of(error).map_or(FailureKind::PlaceUnusable, FailureKind::from),
    }
}

impl Explain for StoreError {
    fn explain(&self) -> Failure {
        let kind = match self {
            Self::Open(_) => FailureKind::StoreUnopened,
            Self::TooNew { .. } => FailureKind::StoreTooNew,
            Self::Damaged(_) => FailureKind::StoreDamaged,
            Self::OtherDevice => FailureKind::StoreOtherKey,
            Self::Tampered => FailureKind::StoreChanged,
            Self::Full => FailureKind::DiskFull,
            Self::ReadOnly => FailureKind::StoreReadOnly,
            Self::Busy => FailureKind::Busy,
            Self::Cancelled => FailureKind::Cancelled,
            Self::DeadlinePassed => FailureKind::DeadlinePassed,
            Self::NoMemory => FailureKind::NoMemory,
            Self::NoDescriptor => FailureKind::NoDescriptors,
            Self::Io(_) => FailureKind::StoreFailed,
            Self::OtherPolicy(_) => FailureKind::LicenseTerms,
            Self::NoSuchLicense(_) => FailureKind::NoLicense,
            Self::NoTransaction => FailureKind::NoTransaction,
            Self::Random => FailureKind::Internal,
        };
        Failure::with(kind, self.to_string())
    }
}

impl Explain for DeviceError {
    fn explain(&self) -> Failure {
        let kind = match self {
            Self::Damaged => FailureKind::KeysDamaged,
            Self::TooNew => FailureKind::StoreTooNew,
            Self::Missing => FailureKind::KeysMissing,
            Self::KeyGeneration => FailureKind::KeysUnusable,
            Self::Busy => FailureKind::Busy,
            Self::Cancelled => FailureKind::Cancelled,
            Self::DeadlinePassed => FailureKind::DeadlinePassed,
            Self::Io(error) => Shortage::of(error).map_or(FailureKind::KeysUnreadable, FailureKind::from),
        };
        Failure::with(kind, self.to_string())
    }
}

impl Explain for OpenError {
    fn explain(&self) -> Failure {
        match self {
            Self::Folder { reason, .. } => Failure::with(place_kind(reason), self.to_string()),
            Self::Device(error) => error.explain(),
            Self::Store(error) => error.explain(),
        }
    }
}

impl Explain for CheckError {
    fn explain(&self) -> Failure {
        let text = self.to_string();
        match self {
            Self::Cancelled => Failure::new(FailureKind::Cancelled),
            Self::Licenses(_) => Failure::with(FailureKind::LicensesDamaged, text),
            Self::Changed => Failure::with(FailureKind::RowsChanged, text),
            Self::Database(_) => Failure::with(FailureKind::StoreDamaged, text),
            Self::Store(error) => error.explain(),
        }
    }
}

impl Explain for CleanError {
    fn explain(&self) -> Failure {
        match self {
            Self::Cancelled => Failure::new(FailureKind::Cancelled),
            Self::Store(error) => error.explain(),
        }
    }
}

impl Explain for BackupError {
    fn explain(&self) -> Failure {
        let text = self.to_string();
        match self {
            Self::Cancelled => Failure::new(FailureKind::Cancelled),
            Self::Exists => Failure::with(FailureKind::BackupExists, text),
            Self::Place(error) => place(error),
            Self::Occupied => Failure::with(FailureKind::PlaceOccupied, text),
            Self::ReadOnly(_) => Failure::with(FailureKind::PlaceReadOnly, text),
            Self::Medium(_) => Failure::with(FailureKind::MediumFailed, text),
            Self::Full => Failure::with(FailureKind::DiskFull, text),
            Self::Keys => Failure::with(FailureKind::KeysUnusable, text),
            Self::Store(error) => error.explain(),
        }
    }
}

impl Explain for HeaderError {
    fn explain(&self) -> Failure {
        let kind = match self {
            Self::Io(error) => return place(error),
            Self::UnknownVersion { .. } => FailureKind::HeaderTooNew,
            Self::UnknownScheme { .. } | Self::NotSupported { .. } => FailureKind::SchemeUnsupported,
            Self::NotRecognised => FailureKind::HeaderUnknown,
            Self::Truncated { .. }
            | Self::BadSize { .. }
            | Self::BadValue { .. }
            | Self::BadText { .. }
            | Self::TooMany { .. }
            | Self::TooLarge { .. }
            | Self::Missing { .. }
            | Self::NotAllowed { .. }
            | Self::Inside { .. }
            | Self::NoSuchTrack { .. }
            | Self::NoSampleData { .. }
            | Self::SampleCountMismatch { .. } => FailureKind::HeaderMalformed,
        };
        Failure::with(kind, self.to_string())
    }
}
