//! Evaluation of policies: what may be done now, what is left, which license is used. Pure functions over policy, state and
//! time; committing a use is the decryptor's.

pub mod action;
mod environment;
mod query;
#[cfg(test)]
mod tests;

use crate::clock::Reading;
use crate::license::{Standing, StoredLicense};
pub use action::action_name;
pub use environment::{Application, Environment, NO_SECURITY_VERSION};
pub use query::{Category, LicenseState, allowed, demands_protected_outputs, license_state};
use std::cmp::Reverse;
use wmlicense_wire::license::{ActionState, State};
pub(crate) use wmlicense_wire::over::end_of;
use wmlicense_wire::policy::{Conditions, LicenseKind, OnClockRollback, Policy};

/// Why an action is refused. Several may hold at once when no license helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// No license for the key ID.
    NoLicense,
    /// No license grants the action.
    NoRight,
    /// A license grants the action on a condition that this version does not know, and that nobody may ignore.
    UnknownCondition,
    /// All uses are used up.
    Exhausted,
    /// The right has ended.
    Expired,
    /// The right has not begun.
    NotStarted,
    /// The application's level is too low.
    ApplicationLevelTooLow,
    /// The device must be individualized again for a higher security version.
    NeedsIndividualization,
    /// The clock cannot be trusted and the right has dates.
    Clock,
    /// The root license of the subscription is missing.
    RootMissing,
    /// The subscription has ended: its root license permitted the action once.
    SubscriptionEnded,
    /// The license's state row is missing or was changed.
    StateLost,
    /// The key that signed the license was revoked.
    IssuerRevoked,
    /// The device was revoked.
    DeviceRevoked,
    /// The application was revoked.
    ApplicationRevoked,
    /// The license demands a newer status list.
    StatusListTooOld,
}

impl Refusal {
    /// True if the time was looked at and is past an end or before a begin.
    pub(crate) fn tells_time(self) -> bool {
        match self {
            Self::Expired | Self::NotStarted | Self::SubscriptionEnded => true,
            // A clock that is behind tells no time.
            Self::Clock
            | Self::NoLicense
            | Self::NoRight
            | Self::UnknownCondition
            | Self::Exhausted
            | Self::ApplicationLevelTooLow
            | Self::NeedsIndividualization
            | Self::RootMissing
            | Self::StateLost
            | Self::IssuerRevoked
            | Self::DeviceRevoked
            | Self::ApplicationRevoked
            | Self::StatusListTooOld => false,
        }
    }
}

/// Chooses the license to use for an action: unusable ones aside, highest priority first, then stateless before stateful,
/// then earliest end, then LID. Refusals of all licenses, without duplicates, if none is usable.
pub fn choose<'l>(
    licenses: &'l [StoredLicense],
    action: &str,
    environment: &Environment,
) -> Result<&'l StoredLicense, Vec<Refusal>> {
    let mut refusals = Vec::new();
    let usable = licenses.iter().filter(|license| {
        let found = evaluate(license, action, environment);
        refusals.extend(&found);
        found.is_empty()
    });
    let order = |license: &&StoredLicense| {
        let policy = &license.policy;
        let end = end(license, action);
        (Reverse(policy.priority), policy.is_stateful(), end.is_none(), end, policy.lid)
    };
    usable.min_by_key(order).ok_or_else(|| {
        if licenses.is_empty() {
            refusals.push(Refusal::NoLicense);
        }
        refusals.sort_unstable();
        refusals.dedup();
        refusals
    })
}

/// Why this license does not permit the action; empty if it does.
pub(crate) fn evaluate(license: &StoredLicense, action: &str, environment: &Environment) -> Vec<Refusal> {
    if environment.barred_by.contains(&license.authority) {
        return vec![Refusal::ApplicationRevoked];
    }
    match license.standing {
        Standing::Good => {}
        Standing::IssuerRevoked => return vec![Refusal::IssuerRevoked],
        Standing::DeviceRevoked => return vec![Refusal::DeviceRevoked],
        Standing::StatusListTooOld => return vec![Refusal::StatusListTooOld],
    }
    let Some(state) = &license.state else { return vec![Refusal::StateLost] };
    let mut found = refusals(&license.policy, state, license.reading, action, environment);
    match license.policy.kind {
        LicenseKind::Content => {}
        // A root opens leaves and no content.
        LicenseKind::Root => return vec![Refusal::NoRight],
        LicenseKind::Leaf => found.extend(root_of(license, action, environment).err().unwrap_or_default()),
    }
    found
}

/// The root license under which a leaf opens: of those that permit the action, the one that does so longest.
pub(crate) fn root_of<'l>(
    leaf: &'l StoredLicense,
    action: &str,
    environment: &Environment,
) -> Result<&'l StoredLicense, Vec<Refusal>> {
    let mut found = Vec::new();
    let permits = |root: &&StoredLicense| {
        let refusals = match &root.state {
            // A root is not counted.
            _ if root.policy.is_stateful() => vec![Refusal::NoRight],
            None => vec![Refusal::StateLost],
            Some(state) => refusals(&root.policy, state, root.reading, action, environment),
        };
        found.extend(&refusals);
        refusals.is_empty()
    };
    let longest = leaf.roots.iter().filter(permits).max_by_key(|root| end(root, action).unwrap_or(i64::MAX));
    longest.ok_or_else(|| {
        if leaf.roots.is_empty() {
            found.push(Refusal::RootMissing);
        }
        if found.contains(&Refusal::Expired) {
            found.push(Refusal::SubscriptionEnded);
        }
        found
    })
}

/// Why a policy by itself does not permit an action in this state. `reading` is the time for a policy with dates.
pub(crate) fn refusals(
    policy: &Policy,
    state: &State,
    reading: Option<Reading>,
    action: &str,
    environment: &Environment,
) -> Vec<Refusal> {
    let Some(conditions) = policy.action(action) else { return vec![Refusal::NoRight] };
    if conditions.unknown_critical {
        return vec![Refusal::UnknownCondition];
    }
    let left = state.actions.get(action).copied();
    if conditions.is_stateful() && left.is_none() {
        return vec![Refusal::StateLost];
    }
    let left = left.unwrap_or_default();
    let mut refusals = Vec::new();
    if left.counts_left == Some(0) {
        refusals.push(Refusal::Exhausted);
    }
    if conditions.is_dated() {
        refusals.extend(refusal_of_time(policy, conditions, left, environment.reading(reading)));
    }
    if environment.application_level < conditions.minimum_application_level.unwrap_or(0) {
        refusals.push(Refusal::ApplicationLevelTooLow);
    }
    match conditions.minimum_security_version.as_deref().map(version) {
        None => {}
        // A demand that nobody can read is one that no device meets.
        Some(None) => refusals.push(Refusal::NoRight),
        Some(demanded) if version(&environment.security_version) < demanded => {
            refusals.push(Refusal::NeedsIndividualization);
        }
        Some(_) => {}
    }
    refusals
}

fn refusal_of_time(
    policy: &Policy,
    conditions: &Conditions,
    left: ActionState,
    Reading { now, behind }: Reading,
) -> Option<Refusal> {
    if is_beyond_grace(conditions, Reading { now, behind }) {
        return Some(Refusal::Clock);
    }
    // Within the grace the time that is known to have passed stands for a clock that is behind it.
    let now = behind.unwrap_or(now);
    if end_of(policy, conditions, left).is_some_and(|end| end <= now) {
        return Some(Refusal::Expired);
    }
    conditions.not_before.is_some_and(|begin| now < begin).then_some(Refusal::NotStarted)
}

fn is_beyond_grace(conditions: &Conditions, Reading { now, behind }: Reading) -> bool {
    behind.is_some_and(|known| known.saturating_sub(now) > conditions.grace_seconds.map_or(0, seconds))
}

/// True if the policy wants the license deleted because of the time at a use of this action.
pub(crate) fn is_forfeited(policy: &Policy, reading: Option<Reading>, action: &str) -> bool {
    let conditions = policy.action(action).filter(|conditions| conditions.is_dated());
    conditions.zip(reading).is_some_and(|(conditions, reading)| {
        conditions.on_clock_rollback == OnClockRollback::Delete && is_beyond_grace(conditions, reading)
    })
}

/// First second without a right to anything, as far as it is known; `None` if some right has no end.
pub(crate) fn end_of_all(policy: &Policy, state: &State) -> Option<i64> {
    let ends = policy.actions.iter().map(|(action, conditions)| {
        let left = state.actions.get(action).copied().unwrap_or_default();
        end_of(policy, conditions, left)
    });
    ends.collect::<Option<Vec<_>>>()?.into_iter().max()
}

/// When a policy next needs to be renewed: where some right ends, or earlier where it says that a renewal is due.
pub(crate) fn due_at(policy: &Policy, state: &State) -> Option<i64> {
    let due = policy.actions.iter().flat_map(|(action, conditions)| {
        let left = state.actions.get(action).copied().unwrap_or_default();
        [end_of(policy, conditions, left), conditions.renew_after.as_ref().map(|(time, _)| *time)]
    });
    due.flatten().min()
}

/// From when on a renewal is due, and at which page, as the owner says; the earliest of all actions. The page is for people:
/// the library never goes there.
pub fn renew_after(policy: &Policy) -> Option<(i64, &str)> {
    let conditions = policy.actions.iter().filter_map(|(_, conditions)| conditions.renew_after.as_ref());
    conditions.map(|(time, url)| (*time, url.as_str())).min()
}

/// True if the owner wants the license to be renewed by now.
pub(crate) fn is_renewal_due(policy: &Policy, now: i64) -> bool {
    renew_after(policy).is_some_and(|(time, _)| time <= now)
}

/// First second without the right to an action, that of the roots included, as far as it is known.
pub fn end(license: &StoredLicense, action: &str) -> Option<i64> {
    let left = license.state.as_ref().and_then(|state| state.actions.get(action).copied()).unwrap_or_default();
    let own = license.policy.action(action).and_then(|conditions| end_of(&license.policy, conditions, left));
    own.into_iter().chain(root_end(license, action)).min()
}

/// First second without any root license of a leaf.
pub(crate) fn root_end(license: &StoredLicense, action: &str) -> Option<i64> {
    let ends = license.roots.iter().map(|root| end(root, action));
    // One root without an end is enough.
    ends.max_by_key(|end| end.unwrap_or(i64::MAX)).flatten()
}

fn seconds(length: u64) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// Four dotted numbers, to be compared number by number; fewer than four end in zeros.
fn version(text: &str) -> Option<[u32; 4]> {
    let mut numbers = [0; 4];
    let mut places = numbers.iter_mut();
    for part in text.split('.') {
        *places.next()? = part.parse().ok()?;
    }
    Some(numbers)
}
