//! Rows as engines give and take them. What they mean is decided in the files beside.

use wmlicense_wire::id::{DeviceId, Digest, Kid, Lid, SignerId, TransactionId, UserId};
use wmlicense_wire::license::State;

/// What names one page of one transaction of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ExchangeKey {
    pub(crate) thumbprint: SignerId,
    pub(crate) transaction: TransactionId,
    pub(crate) page: u32,
}

/// An exchange that was answered.
#[derive(Debug, Clone)]
pub(crate) struct AnsweredRow {
    pub(crate) request_hash: Digest,
    pub(crate) account: Option<UserId>,
    /// Seconds UTC.
    pub(crate) answered_at: i64,
    pub(crate) answer: KeptAnswer,
}

/// What is left of an answer.
#[derive(Debug, Clone)]
pub(crate) enum KeptAnswer {
    /// Nothing: the pairs of requests that it belongs to do the same however often they come.
    Never,
    /// Nothing: it is made again, of what was written with it, as long as its bytes would be kept.
    MadeAgain,
    /// Its bytes.
    Kept(Vec<u8>),
    /// Its bytes are gone.
    Dropped,
}

/// What is to be kept of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeping<'a> {
    /// As [`KeptAnswer::Never`].
    Never,
    /// As [`KeptAnswer::MadeAgain`].
    MadeAgain,
    /// Its bytes.
    Bytes(&'a [u8]),
}

/// The column `kept` of an answer, the same in every database.
const NEVER: i64 = 0;
const KEPT: i64 = 1;
const MADE_AGAIN: i64 = 3;

impl<'a> Keeping<'a> {
    /// The columns `kept` and `answer`.
    pub(crate) fn columns(self) -> (i64, Option<&'a [u8]>) {
        match self {
            Self::Never => (NEVER, None),
            Self::MadeAgain => (MADE_AGAIN, None),
            Self::Bytes(bytes) => (KEPT, Some(bytes)),
        }
    }
}

impl KeptAnswer {
    /// From these columns.
    pub(crate) fn of(kept: i64, answer: Option<Vec<u8>>) -> Self {
        match (kept, answer) {
            (NEVER, _) => Self::Never,
            (MADE_AGAIN, _) => Self::MadeAgain,
            (KEPT, Some(answer)) => Self::Kept(answer),
            _ => Self::Dropped,
        }
    }
}

/// Keys of a device; those that were replaced keep their row.
#[derive(Debug, Clone)]
pub(crate) struct KeysRow {
    pub(crate) thumbprint: SignerId,
    pub(crate) device: DeviceId,
    pub(crate) security_version: String,
    pub(crate) assurance: u8,
    pub(crate) created_at: i64,
    pub(crate) certified_at: i64,
    pub(crate) revoked_at: Option<i64>,
    /// Keys that took the place of these.
    pub(crate) successor: Option<SignerId>,
    /// Where revoked: licenses from then on count for nothing.
    pub(crate) counts_from: i64,
    /// Why it was revoked.
    pub(crate) reason: Option<String>,
}

/// The license that a holder has for a key ID on the device that it was issued to.
#[derive(Debug, Clone)]
pub(crate) struct LicenseRow {
    /// None where the content is open.
    pub(crate) user: Option<UserId>,
    pub(crate) lid: Lid,
    pub(crate) terms: Digest,
    pub(crate) policy: Vec<u8>,
    /// Mark at which the device was told to drop it.
    pub(crate) withdrawn: Option<i64>,
    /// When the device gave it back.
    pub(crate) returned_at: Option<i64>,
}

/// A device that holds or held a license.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeatRow {
    pub(crate) lid: Lid,
    pub(crate) device: DeviceId,
    pub(crate) kid: Kid,
    /// It came from another device's backup.
    pub(crate) restored: bool,
    /// The license is another issuer's.
    pub(crate) elsewhere: bool,
    pub(crate) since: i64,
    /// First license of those that took the place of each other on the device; none if it is this one.
    pub(crate) line: Option<Lid>,
    /// When the device gave it back.
    pub(crate) returned_at: Option<i64>,
    /// It is not counted any more.
    pub(crate) freed: bool,
    /// Mark at which the device was told to drop it, where it was restored.
    pub(crate) withdrawn: Option<i64>,
}

/// A license that a device got again, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Booked {
    /// First license of those that took the place of each other on the device.
    pub(crate) line: Lid,
    pub(crate) lid: Lid,
    /// Seconds UTC.
    pub(crate) at: i64,
}

/// A license with a state that went to a device that had it and did not tell that it still has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AgainRow {
    pub(crate) line: Lid,
    pub(crate) lid: Lid,
    pub(crate) granted_at: i64,
    /// What was handed out.
    pub(crate) state: State,
}

/// A license on a device, as far as it decides whether the device has to drop it.
#[derive(Debug, Clone)]
pub(crate) struct HeldRow {
    pub(crate) kid: Kid,
    pub(crate) lid: Lid,
    pub(crate) holder: Holder,
    /// Mark at which the device was told to drop it.
    pub(crate) withdrawn: Option<i64>,
    /// What there is under its key ID: none if there is nothing any more.
    pub(crate) content: Option<Openness>,
}

/// Whom a license was issued to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// This account.
    Account(UserId),
    /// Whoever has the device: the content was open.
    Anybody,
    /// Another license stands in the row of the device that it was issued to.
    Unknown,
}

impl Holder {
    /// The account, where it is one.
    pub(crate) fn user(self) -> Option<UserId> {
        match self {
            Self::Account(user) => Some(user),
            Self::Anybody | Self::Unknown => None,
        }
    }
}

/// Who may have content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Openness {
    /// Everybody.
    Open,
    /// Accounts that have this scope.
    Scope(String),
}

/// Content as the owner added it.
#[derive(Debug, Clone)]
pub(crate) struct ContentRow {
    pub(crate) kid: Kid,
    pub(crate) sealed_key: Vec<u8>,
    pub(crate) title: Option<String>,
    pub(crate) policy: Option<String>,
    pub(crate) scope: Option<String>,
}

/// A scope that an account has, and the mark at which it got it.
#[derive(Debug, Clone)]
pub(crate) struct ScopeRow {
    pub(crate) user: UserId,
    pub(crate) scope: String,
    pub(crate) changed: i64,
}

/// An account. One that was removed keeps its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AccountRow {
    pub(crate) user: UserId,
    pub(crate) name: String,
    pub(crate) created_at: i64,
    pub(crate) removed_at: Option<i64>,
}

/// A token of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenRow {
    pub(crate) hash: Digest,
    pub(crate) user: UserId,
    /// What the owner calls it: one name at a time for each that was not ended.
    pub(crate) name: String,
    pub(crate) created_at: i64,
    /// From when on it counts for nothing; none: until it is ended.
    pub(crate) ends_at: Option<i64>,
    /// When it was ended, or another one took its place.
    pub(crate) ended_at: Option<i64>,
}

/// Something that was done in the owner's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuditRow {
    pub(crate) done_at: i64,
    /// Begins with the nanoseconds within the second.
    pub(crate) id: [u8; 16],
    pub(crate) who: String,
    /// The command, by its words.
    pub(crate) act: String,
    pub(crate) about: Option<String>,
    pub(crate) was: Option<String>,
    pub(crate) became: Option<String>,
}
