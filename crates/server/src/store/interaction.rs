//! What the service remembers of requests for which a user must act on the page, as a trait. SQLite is in
//! `store/sqlite/interaction.rs`.

use super::{Exchange, Pending};
use crate::accounts::Account;
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
pub(crate) struct NewInteraction {
    pub(crate) id: String,
    pub(crate) exchange: Exchange,
    pub(crate) device: DeviceId,
    pub(crate) application: Option<String>,
    pub(crate) kids: Vec<Kid>,
    pub(crate) expires_at: i64,
}

/// What asking the user needs.
pub(crate) trait Interactions: Send + Sync {
    /// The interaction of this exchange: the one there is, or else this one. `None` if the one there is came with other
    /// bytes or for another account.
    fn open_interaction(&self, new: NewInteraction) -> Pending<'_, Option<Interaction>>;
    /// An interaction by the ID in the page's URL.
    fn interaction(&self, id: String) -> Pending<'_, Option<Interaction>>;
    /// Writes the decision of an interaction that is open at `now`; false if it is not.
    fn decide(&self, id: String, decision: Decision, now: i64) -> Pending<'_, bool>;
    /// Failed sign-ins on the pages of a device that are open at `now`.
    fn failed_sign_ins(&self, thumbprint: SignerId, now: i64) -> Pending<'_, u64>;
    /// Counts a failed sign-in.
    fn count_failed_sign_in(&self, id: String) -> Pending<'_, ()>;
    /// Name and scopes of an account.
    fn holder(&self, user: UserId) -> Pending<'_, Option<(String, Account)>>;
    /// Drops interactions that ended before this time, seconds UTC.
    fn drop_interactions(&self, before: i64) -> Pending<'_, u64>;
}
