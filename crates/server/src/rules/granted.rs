//! What accounts were granted, and by what they may have content: rows that the rules beside share.

use wmlicense_wire::answer::Reason;
use wmlicense_wire::id::{DeviceId, Id, Kid, UserId};

/// Scope of content that only offers reach. No account has it, because no name holds a control character.
pub(crate) const OFFERS_ONLY: &str = "\u{1}offers";

/// Who may have content of a scope, in words.
pub(crate) fn audience(scope: Option<&str>) -> String {
    match scope {
        None => "open to all".to_owned(),
        Some(OFFERS_ONLY) => "by offers only".to_owned(),
        Some(scope) => format!("scope {scope}"),
    }
}

/// What kind of identifier it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum GrantKind {}
/// Names a grant.
pub(crate) type GrantId = Id<16, GrantKind>;

/// An offer as its owner sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewOffer {
    pub(crate) name: String,
    pub(crate) policy: Option<String>,
    /// It needs no grant.
    pub(crate) open: bool,
    /// In their order.
    pub(crate) scopes: Vec<String>,
    /// In their order.
    pub(crate) kids: Vec<Kid>,
}

/// What an account has of an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GrantRow {
    pub(crate) id: GrantId,
    pub(crate) user: UserId,
    pub(crate) offer: String,
    /// Seconds UTC: the first one in which it counts.
    pub(crate) from: Option<i64>,
    /// The first one in which it counts no more.
    pub(crate) until: Option<i64>,
    /// Uses of each key ID and counted action on all devices, in place of what the policy says.
    pub(crate) uses: Option<u32>,
    /// Devices that may have licenses under it at a time; none: as many as there are.
    pub(crate) devices: Option<u32>,
    /// What the shop calls it.
    pub(crate) reference: Option<String>,
    pub(crate) created_at: i64,
    /// Number of the last change to it.
    pub(crate) changed: i64,
    pub(crate) ended_at: Option<i64>,
}

impl GrantRow {
    /// From when on it counts no more.
    pub(crate) fn over_at(&self) -> Option<i64> {
        self.until.into_iter().chain(self.ended_at).min()
    }

    pub(crate) fn is_over(&self, now: i64) -> bool {
        self.over_at().is_some_and(|over| over <= now)
    }

    /// True if it counts at `now`.
    pub(crate) fn counts(&self, now: i64) -> bool {
        self.from.is_none_or(|from| from <= now) && !self.is_over(now)
    }

    /// True if what it gives is other than at the mark `since`, a number of about the seconds UTC of its making.
    pub(crate) fn is_news(&self, since: i64, now: i64) -> bool {
        let passed = |time: Option<i64>| time.is_some_and(|time| since < time && time <= now);
        self.changed > since || passed(self.from) || passed(self.over_at())
    }
}

/// A device of those that a grant is used on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GrantDevice {
    pub(crate) grant: GrantId,
    pub(crate) device: DeviceId,
    /// The account that has the grant.
    pub(crate) user: UserId,
    /// Seconds UTC.
    pub(crate) since: i64,
}

/// Who may have content, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Right {
    /// Whoever asks.
    Anybody,
    /// The account that asks, because it has the scope.
    Account,
    /// The account that asks, by this grant.
    Granted(Box<GrantRow>),
    /// Not who asks; where a grant begins later, from that time on.
    Refused(Reason, Option<i64>),
}

impl Right {
    /// Of content whose account nobody has looked at yet.
    pub(crate) fn unsettled() -> Self {
        Self::Refused(Reason::NotEntitled, None)
    }

    /// The grant, where it is by one.
    pub(crate) fn grant(&self) -> Option<&GrantRow> {
        match self {
            Self::Granted(grant) => Some(grant),
            Self::Anybody | Self::Account | Self::Refused(..) => None,
        }
    }
}
