//! Acquiring licenses from an issuer: silently, by key IDs or content header.

use crate::client::{Client, Settings};
use crate::operation::Context;
use crate::store::StoreError;
use crate::transport::TransportError;
use wmlicense_wire::answer::Refusal;
use wmlicense_wire::id::{Kid, TransactionId};

/// What an application asks for.
#[derive(Clone, Default)]
pub struct LicenseWish {
    /// Key IDs; those of the header where empty.
    pub kids: Vec<Kid>,
    /// Content header as the file has it.
    pub header: Option<Vec<u8>>,
    /// Actions wanted.
    pub actions: Vec<String>,
    /// URL of the service instead of the client's.
    pub url: Option<String>,
    /// Scope, for pre-delivery.
    pub scope: Option<String>,
    /// The application's bytes for the service.
    pub custom_data: Option<Vec<u8>>,
    /// Transaction to resume after a restart.
    pub resume: Option<TransactionId>,
}

/// Licenses that arrived and are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acquired {
    /// Transaction.
    pub transaction: TransactionId,
    /// Licenses stored.
    pub stored: u64,
    /// What was refused beside.
    pub refusals: Vec<Refusal>,
}

/// No license was stored; the store is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum AcquireError {
    /// Cancelled.
    #[error("the operation was cancelled")]
    Cancelled,
    /// Neither key IDs nor a header nor a scope was given.
    #[error("nothing was asked for: set KeyIDs or Header")]
    NothingAsked,
    /// The header was not understood or names no key ID.
    #[error("the content header names no key ID")]
    NoKeyId,
    /// `ServiceURL` and `URL` are not set.
    #[error("no service URL is set")]
    NoService,
    /// The service's authority is none of the client's.
    #[error("the service belongs to an authority that this client does not trust")]
    AuthorityNotTrusted,
    /// The device must be individualized first.
    #[error("the device must be individualized first")]
    NeedsIndividualization,
    /// No usable answer.
    #[error(transparent)]
    Transport(TransportError),
    /// The answer does not verify.
    #[error("the service's answer is not acceptable: {0}")]
    BadAnswer(String),
    /// The service refuses everything.
    #[error("the service refuses the licenses")]
    Refused(Vec<Refusal>),
    /// The user must act at this URL.
    #[error("the user must act first")]
    InteractionRequired(String),
    /// The service asks for patience.
    #[error("the service asks to come back later")]
    Later {
        /// Seconds UTC.
        from: i64,
        /// Seconds UTC.
        until: i64,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Keys failed.
    #[error("the device's keys cannot be used")]
    Keys,
}

/// Acquires licenses silently. A transaction for the same wish that a crash or cancel left pending is taken up again with
/// the same bytes.
pub fn acquire(
    client: &Client,
    settings: &Settings,
    wish: &LicenseWish,
    context: &Context,
) -> Result<Acquired, AcquireError> {
    let _ = (client, settings, wish, context);
    todo!()
}
