//! Questions about stored licenses: may an action be done, and what is left of the right. Nothing is reserved or written.

use super::{Environment, Refusal, choose};
use crate::store::StoredLicense;

/// How a right is limited (`DRM_LICENSE_STATE_CATEGORY`, with its numbers).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum Category {
    /// Not permitted.
    NoRight = 0,
    /// Permitted without limit.
    Unlimited = 1,
    /// So many uses left.
    Count = 2,
    /// From a date on.
    From = 3,
    /// Until a date.
    Until = 4,
    /// Between two dates.
    FromUntil = 5,
    /// So many uses from a date on.
    CountFrom = 6,
    /// So many uses until a date.
    CountUntil = 7,
    /// So many uses between two dates.
    CountFromUntil = 8,
    /// For a time from the first use on, which did not happen yet.
    AfterFirstUse = 9,
}

/// What the license that would be used still permits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicenseState {
    /// How the right is limited.
    pub category: Category,
    /// Uses left, if they are counted; at most four.
    pub counts: Vec<u32>,
    /// Begin, end, or both, seconds UTC; at most four.
    pub dates: Vec<i64>,
    /// Seconds from the first use on, where it did not happen yet; else 0.
    pub seconds_after_first_use: u64,
    /// More licenses permit the action: what is left is more than this, and enumerating them tells how much.
    pub vague: bool,
}

impl LicenseState {
    const NONE: Self = Self {
        category: Category::NoRight,
        counts: Vec::new(),
        dates: Vec::new(),
        seconds_after_first_use: 0,
        vague: false,
    };
}

/// May the action be done with one of these licenses.
pub fn allowed(licenses: &[StoredLicense], action: &str, environment: &Environment) -> Result<(), Vec<Refusal>> {
    choose(licenses, action, environment).map(|_| ())
}

/// What is left of an action: that of the license that would be used first, and whether others would follow it.
pub fn license_state(licenses: &[StoredLicense], action: &str, environment: &Environment) -> LicenseState {
    let Ok(first) = choose(licenses, action, environment) else { return LicenseState::NONE };
    let others = licenses.iter().filter(|license| license.policy.lid != first.policy.lid);
    let vague = others.into_iter().any(|license| super::evaluate(license, action, environment).is_empty());
    LicenseState { vague, ..describe(first, action) }
}

fn describe(license: &StoredLicense, action: &str) -> LicenseState {
    let Some(conditions) = license.policy.action(action) else { return LicenseState::NONE };
    let left = license.state.as_ref().and_then(|state| state.actions.get(action).copied()).unwrap_or_default();
    let until = super::end(license, action);
    let counts: Vec<u32> = left.counts_left.into_iter().collect();
    let dates: Vec<i64> = conditions.not_before.into_iter().chain(until).collect();
    let unused = conditions.seconds_after_first_use.filter(|_| left.first_use.is_none());
    let category = match (counts.is_empty(), conditions.not_before.is_some(), until.is_some()) {
        _ if unused.is_some() => Category::AfterFirstUse,
        (true, false, false) => Category::Unlimited,
        (false, false, false) => Category::Count,
        (true, true, false) => Category::From,
        (true, false, true) => Category::Until,
        (true, true, true) => Category::FromUntil,
        (false, true, false) => Category::CountFrom,
        (false, false, true) => Category::CountUntil,
        (false, true, true) => Category::CountFromUntil,
    };
    LicenseState { category, counts, dates, seconds_after_first_use: unused.unwrap_or(0), vague: false }
}
