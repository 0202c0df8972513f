//! What the service remembers, as a trait with one method for one transaction. SQLite is in `store/sqlite.rs`.

mod device;
pub(crate) mod epoch;
mod give_back;
mod interaction;
pub(crate) mod mailbox;
pub(crate) mod revocation;
mod seats;
mod sqlite;

pub(crate) use device::{CertifiedDevice, DeviceRow, KnownDevice};
pub(crate) use give_back::{Held, HeldLicense, Renewable, RenewalOffer, Returns};
pub(crate) use interaction::{Decision, Interaction, Interactions, NewInteraction};
pub(crate) use seats::{Again, Asker, Claim, Claimed, Facts, HandedOut, Holding, Out, Room, Seat, Told, room};
pub(crate) use sqlite::SqliteStore;

use crate::accounts::Account;
use epoch::{Presented, Standing};
use revocation::Revocations;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use wmlicense_wire::id::{DeviceId, Digest, Epoch, Kid, Lid, SignerId, TransactionId, UserId};
use wmlicense_wire::license::State;
use wmlicense_wire::revocation::Rule;

/// For how long the bytes of an answer are kept, in seconds.
pub(crate) const ANSWER_LIFETIME: i64 = 30 * 24 * 60 * 60;

/// What a method of a store gives.
pub(crate) type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The database could not do what was asked. Nothing of it was done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Another process holds the database for too long.
    #[error("the database is busy")]
    Busy,
    /// The database was written by a later version of the program.
    #[error("the database has schema {found}, and this version knows up to {known}")]
    Newer {
        /// Schema of the database.
        found: i64,
        /// Newest schema known here.
        known: i64,
    },
    /// A row is not what it should be.
    #[error("the database holds a damaged {0}")]
    Damaged(&'static str),
    /// The database is closing.
    #[error("the database is closed")]
    Closed,
    /// The transaction that this was part of could not be committed.
    #[error("the database did not commit; its disk may be full, read-only or broken")]
    NotCommitted,
    /// The database failed.
    #[error("the database failed: {0}")]
    Failed(rusqlite::Error),
}

/// One page of one transaction of a device, with the bytes and the account that it came with.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) thumbprint: SignerId,
    pub(crate) transaction: TransactionId,
    pub(crate) page: u32,
    pub(crate) request_hash: Digest,
    pub(crate) account: Option<UserId>,
    /// Seconds UTC.
    pub(crate) now: i64,
    /// What it says about the store that it comes from; none where no store is checked.
    pub(crate) presented: Option<Presented>,
    /// Random bytes for the case that the device gets a new epoch.
    pub(crate) fresh: Epoch,
    /// What its answer was made from.
    pub(crate) standing: Standing,
}

/// What is known about an exchange.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Prior {
    /// Nothing.
    None,
    /// It was answered with these bytes; without bytes where answers are not kept because they are made again.
    Answered(Option<Vec<u8>>),
    /// It was answered so long ago that the bytes are gone.
    Gone,
    /// It came with other bytes or for another account.
    Conflict,
}

/// What became of an attempt to write an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Committed {
    /// It is written.
    Done,
    /// The exchange was answered in between, or is in conflict.
    Prior(Prior),
    /// What the decision rested on changed in between: decide again.
    Changed,
}

/// Content as it is licensed.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    pub(crate) sealed_key: Vec<u8>,
    pub(crate) title: Option<String>,
    /// Name and JSON of the policy.
    pub(crate) policy: Option<(String, String)>,
    /// `None`: open to all.
    pub(crate) scope: Option<String>,
    pub(crate) part: Part,
}

/// What a license for a key ID carries, and what it needs beside.
#[derive(Debug, Clone)]
pub(crate) enum Part {
    /// A content key.
    Content,
    /// The root key of a subscription.
    Root,
    /// A content key under a root key.
    Leaf(RootKey),
}

/// Root key of a subscription.
#[derive(Debug, Clone)]
pub(crate) struct RootKey {
    pub(crate) kid: Kid,
    pub(crate) sealed_key: Vec<u8>,
    /// `None`: open to all.
    pub(crate) scope: Option<String>,
}

/// License that a device got for a key ID.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub(crate) lid: Lid,
    /// Hash of the terms it was issued on.
    pub(crate) terms: Digest,
    pub(crate) policy: Vec<u8>,
    /// The device was told to drop it.
    pub(crate) withdrawn: bool,
    /// The strictest state known of it, where that was looked up.
    pub(crate) state: Option<State>,
    /// First license of those that took the place of each other on the device, where that was looked up.
    pub(crate) line: Lid,
    /// How often the device got one of them again, where that was looked up.
    pub(crate) again: Again,
}

impl Issued {
    /// A license of which nothing else is known.
    pub(crate) fn new(lid: Lid, terms: Digest, policy: Vec<u8>) -> Self {
        Self { lid, terms, policy, withdrawn: false, state: None, line: lid, again: Again::default() }
    }
}

/// Where a pre-delivery stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Position {
    /// What the device has to drop, after this license of its: key ID and account joined.
    Withdrawn(Vec<u8>),
    /// Licenses of a scope (empty: open to all) after this key ID.
    Scope(String, Vec<u8>),
}

/// What a pre-delivery asks for next.
#[derive(Debug, Clone)]
pub(crate) struct DeliveryQuery {
    /// In their order; empty: open to all.
    pub(crate) scopes: Vec<String>,
    /// Only what changed after this mark.
    pub(crate) since: Option<i64>,
    pub(crate) from: Position,
}

/// One page of a pre-delivery.
pub(crate) struct DeliveryPage {
    pub(crate) prior: Prior,
    pub(crate) revoked: bool,
    /// Number of the last change that this page rests on.
    pub(crate) mark: i64,
    /// Licenses that the device has to drop.
    pub(crate) withdrawn: Vec<Withdrawn>,
    pub(crate) items: Vec<(Kid, Offered)>,
    /// Where more may be; `None` at the end.
    pub(crate) next: Option<Position>,
}

/// A license of a device that it may not have any more.
pub(crate) struct Withdrawn {
    pub(crate) lid: Lid,
    pub(crate) kid: Kid,
    pub(crate) user: Option<UserId>,
}

/// What is written with an answer of the issuer.
#[derive(Default)]
pub(crate) struct Issue {
    pub(crate) licenses: Vec<NewLicense>,
    /// Licenses that the device had and does not tell of.
    pub(crate) again: Vec<HandedOut>,
    pub(crate) withdrawn: Vec<Withdrawn>,
}

/// What the service knows for a license request.
pub(crate) struct Offer {
    pub(crate) prior: Prior,
    pub(crate) revoked: bool,
    /// For each key ID in the order asked: the content, and the license that the holder has on this device.
    pub(crate) items: Vec<Option<Offered>>,
    /// The subscriptions of the leaves among them that were not asked for themselves.
    pub(crate) roots: Vec<(Kid, Offered)>,
    /// Licenses for these key IDs that the device has to drop.
    pub(crate) withdrawn: Vec<Withdrawn>,
}

/// Content with the licenses that this device has for it.
pub(crate) struct Offered {
    pub(crate) content: Content,
    /// Issued to the account that asks, or to nobody where the content is open.
    pub(crate) current: Option<Issued>,
    /// That license was taken back.
    pub(crate) taken_back: bool,
    /// Rules by which licenses are taken back from this device.
    pub(crate) rules: Arc<[Rule]>,
}

/// A license to be written down.
pub(crate) struct NewLicense {
    pub(crate) kid: Kid,
    /// Account it is issued to.
    pub(crate) user: Option<UserId>,
    pub(crate) issued: Issued,
    /// License that it takes the place of.
    pub(crate) replaces: Option<Lid>,
    /// First license of those that took the place of each other on the device; none if it is this one.
    pub(crate) line: Option<Lid>,
    /// State that it starts from, where that is less than its policy says.
    pub(crate) state: Option<State>,
}

/// What the roles need.
pub(crate) trait Store: Returns + Revocations + mailbox::Mailbox {
    /// Answers if the database takes a write at present.
    fn ready(&self) -> Pending<'_, ()>;
    /// The account of a token.
    fn account(&self, token_hash: Digest) -> Pending<'_, Option<Account>>;
    /// The exchange, the device of these keys, and that of the keys in whose place they come.
    fn known_device(
        &self,
        exchange: Exchange,
        before: Option<SignerId>,
    ) -> Pending<'_, (Prior, Option<KnownDevice>, Option<KnownDevice>)>;
    /// Writes a device and the answer with its certificate.
    fn certify(&self, exchange: Exchange, device: CertifiedDevice, answer: Vec<u8>) -> Pending<'_, Committed>;
    /// What may be granted to an account.
    fn offer(&self, exchange: Exchange, device: DeviceId, user: Option<UserId>, kids: Vec<Kid>) -> Pending<'_, Offer>;
    /// What may be delivered, at most as much as one answer takes.
    fn delivery(&self, exchange: Exchange, device: DeviceId, query: DeliveryQuery) -> Pending<'_, DeliveryPage>;
    /// Writes licenses, what they start from, their first devices, what goes out again, what was withdrawn, and the answer.
    fn issue(&self, exchange: Exchange, device: DeviceId, issue: Issue, answer: Vec<u8>) -> Pending<'_, Committed>;
    /// True if the device was revoked; the exchange with how it stands by its epoch.
    fn standing(&self, exchange: Exchange) -> Pending<'_, (bool, Exchange)>;
    /// Writes down how an exchange stands that is not decided yet.
    fn note(&self, exchange: Exchange) -> Pending<'_, Committed>;
    /// Content by key ID, in order.
    fn contents_of(&self, kids: Vec<Kid>) -> Pending<'_, Vec<Option<Content>>>;
    /// What is known about licenses, in order. `told`: as for [`Self::claim`].
    fn holdings(&self, licenses: Vec<Lid>, asker: Asker, told: Told) -> Pending<'_, Vec<Holding>>;
    /// Counts a device in for each license that has room for it. All of it is one transaction. `told`: lines of the licenses
    /// that the device still has.
    fn claim(&self, exchange: Exchange, device: DeviceId, claims: Vec<Claim>, told: Told) -> Pending<'_, Claimed>;
    /// Drops the bytes of answers given before this time, seconds UTC. The rows stay.
    fn drop_answers(&self, before: i64) -> Pending<'_, u64>;
}

/// Content to be added.
pub(crate) struct NewContent {
    pub(crate) kid: Kid,
    pub(crate) sealed_key: Vec<u8>,
    pub(crate) title: Option<String>,
    pub(crate) policy: Option<String>,
    pub(crate) scope: Option<String>,
}

/// What became of content to be added. Either all of it is added or none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// So many are new; the others have new title, policy and scope.
    Done {
        /// Key IDs that were not there before.
        new: u64,
    },
    /// No policy has this name.
    NoPolicy(String),
    /// The key ID is there with a key that has to be compared: add again with it.
    Existing(Vec<(Kid, Vec<u8>)>),
}

/// A subscription to be added or changed.
pub(crate) struct NewSubscription {
    pub(crate) name: String,
    /// Taken only where the subscription is new: the root key of a key ID never changes.
    pub(crate) kid: Kid,
    pub(crate) sealed_key: Vec<u8>,
    pub(crate) policy: Option<String>,
    pub(crate) scope: Option<String>,
}

/// One row of `subscription list`.
pub(crate) struct SubscriptionRow {
    pub(crate) name: String,
    pub(crate) kid: Kid,
    pub(crate) policy: Option<String>,
    pub(crate) scope: Option<String>,
    /// Key IDs whose licenses are its leaves.
    pub(crate) leaves: u64,
}

/// One row of `content list`.
pub(crate) struct ContentRow {
    pub(crate) kid: Kid,
    pub(crate) title: Option<String>,
    pub(crate) policy: Option<String>,
    pub(crate) scope: Option<String>,
}

/// One row of `license list`.
pub(crate) struct LicenseRow {
    pub(crate) lid: Lid,
    pub(crate) kid: Kid,
    pub(crate) title: Option<String>,
    pub(crate) device: DeviceId,
    pub(crate) account: Option<String>,
    pub(crate) issued_at: i64,
    /// When that device gave it back.
    pub(crate) returned_at: Option<i64>,
    pub(crate) devices: u64,
    /// It was taken back by its ID or by a rule.
    pub(crate) taken_back: bool,
    /// When the device acknowledged that, seconds UTC.
    pub(crate) acknowledged_at: Option<i64>,
}

/// One row of `restore list`: a device that holds a license because of a restore.
pub(crate) struct RestoreRow {
    pub(crate) lid: Lid,
    pub(crate) kid: Kid,
    pub(crate) title: Option<String>,
    pub(crate) device: DeviceId,
    pub(crate) since: i64,
    pub(crate) devices: u64,
}

/// Counts of everything.
pub(crate) struct Stats {
    pub(crate) rows: Vec<(&'static str, u64)>,
}

/// What the owner's commands need.
pub(crate) trait Admin: Revocations {
    /// Adds content. Keys of known key IDs are compared by the caller, who lists them in `same` when they are equal.
    fn add_content(&self, contents: Vec<NewContent>, same: Vec<Kid>, now: i64) -> Pending<'_, Added>;
    /// Forgets content; the number of key IDs that were there.
    fn remove_content(&self, kids: Vec<Kid>, now: i64) -> Pending<'_, u64>;
    /// Adds a subscription or changes policy and scope of the one of this name. Gives its key ID and whether it is new.
    fn set_subscription(&self, subscription: NewSubscription, now: i64) -> Pending<'_, (Kid, bool)>;
    /// All subscriptions by name.
    fn subscriptions(&self) -> Pending<'_, Vec<SubscriptionRow>>;
    /// All content by key ID.
    fn contents(&self) -> Pending<'_, Vec<ContentRow>>;
    /// Writes a policy; true if it is new.
    fn set_policy(&self, name: String, definition: String, subscription: Option<String>, now: i64)
    -> Pending<'_, bool>;
    /// The definition of a policy.
    fn policy(&self, name: String) -> Pending<'_, Option<String>>;
    /// Names and times of change of all policies.
    fn policies(&self) -> Pending<'_, Vec<(String, i64)>>;
    /// Adds an account; false if the name is taken.
    fn add_account(&self, name: String, account: Account, token_hash: Digest, now: i64) -> Pending<'_, bool>;
    /// Puts the hash of another token in place of an account's; false if there is no such account.
    fn set_token(&self, name: String, token_hash: Digest) -> Pending<'_, bool>;
    /// Gives an account scopes and takes others from it; false if there is no such account.
    fn change_account(&self, name: String, add: Vec<String>, remove: Vec<String>, now: i64) -> Pending<'_, bool>;
    /// Licenses issued, the latest first.
    fn licenses(&self) -> Pending<'_, Vec<LicenseRow>>;
    /// Restores, the latest first.
    fn restores(&self) -> Pending<'_, Vec<RestoreRow>>;
    /// Devices, the latest first.
    fn devices(&self) -> Pending<'_, Vec<DeviceRow>>;
    /// Revokes a device; false if it is not known. Licenses from `counts_from` on count for nothing once the next status
    /// list is out.
    fn revoke_device(&self, device: DeviceId, counts_from: i64, reason: Option<String>, now: i64) -> Pending<'_, bool>;
    /// Counts of everything.
    fn stats(&self) -> Pending<'_, Stats>;
}
