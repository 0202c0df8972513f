//! Individualization: a key pair for the device at one authority, and the certificate for it.

use crate::client::{Client, Settings};
use crate::operation::Context;
use crate::store::StoreError;
use crate::transport::{ServiceFailure, TransportError};
use wmlicense_wire::answer::Reason;

/// How an individualization ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Individualized {
    /// The device has a new or renewed certificate.
    Certified,
    /// The certificate is current; the network was not used.
    AlreadyCurrent,
}

/// An individualization failed; the device is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum IndividualizeError {
    /// Cancelled.
    #[error("the operation was cancelled")]
    Cancelled,
    /// `ServiceURL` is not set.
    #[error("no service URL is set")]
    NoService,
    /// The service's authority is none of the client's.
    #[error("the service belongs to an authority that this client does not trust")]
    AuthorityNotTrusted,
    /// No usable answer.
    #[error(transparent)]
    Transport(TransportError),
    /// The answer does not verify.
    #[error("the service's answer is not acceptable: {0}")]
    BadAnswer(String),
    /// The service refuses.
    #[error("the individualization service refuses: {0:?}")]
    Refused(Reason, ServiceFailure),
    /// Keys could not be made or stored.
    #[error(transparent)]
    Device(#[from] crate::device::DeviceError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Individualizes the device at the authority behind `settings.service_url`. `force` asks again even if the certificate is
/// current. The caller has the user's consent.
pub fn individualize(
    client: &Client,
    settings: &Settings,
    force: bool,
    context: &Context,
) -> Result<Individualized, IndividualizeError> {
    let _ = (client, settings, force, context);
    todo!()
}
