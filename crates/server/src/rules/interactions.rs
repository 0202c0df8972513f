//! Requests that wait for their user: whose they are, and whether the user may still decide.

use super::exchanges::Exchange;
use wmlicense_wire::id::{DeviceId, Digest, Kid, SignerId, UserId};

/// How the user decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Accepted, for this account where one was needed.
    Accepted(Option<UserId>),
    /// Declined.
    Declined,
}

/// A request that waits for its user.
#[derive(Debug, Clone)]
pub(crate) struct Interaction {
    /// Random; what the page's URL carries.
    pub(crate) id: String,
    pub(crate) thumbprint: SignerId,
    pub(crate) request_hash: Digest,
    /// Account that the application sent the request with.
    pub(crate) account: Option<UserId>,
    pub(crate) device: DeviceId,
    /// What the application calls itself.
    pub(crate) application: Option<String>,
    /// What the user is asked about.
    pub(crate) kids: Vec<Kid>,
    /// Seconds UTC.
    pub(crate) expires_at: i64,
    pub(crate) decision: Option<Decision>,
}

/// An interaction to be opened.
#[derive(Debug, Clone)]
pub(crate) struct NewInteraction {
    pub(crate) id: String,
    pub(crate) exchange: Exchange,
    pub(crate) device: DeviceId,
    pub(crate) application: Option<String>,
    pub(crate) kids: Vec<Kid>,
    pub(crate) expires_at: i64,
}

/// True if an interaction is that of this very request, by its bytes and its account.
pub(crate) fn is_of(interaction: &Interaction, exchange: &Exchange) -> bool {
    interaction.request_hash == exchange.request_hash && interaction.account == exchange.account
}

/// True if the user may decide at `now`, seconds UTC: once, and before the page ends.
pub(crate) fn is_open(interaction: &Interaction, now: i64) -> bool {
    interaction.decision.is_none() && interaction.expires_at > now
}
