//! Questions about licenses: may an action be done, and what is left of the right. Nothing is reserved.

use super::action::BACKUP;
use super::{Environment, Refusal, choose};
use crate::license::StoredLicense;

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

/// What is left of an action.
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
    /// More licenses permit the action and do not add up with this: enumerating them tells what is left in all.
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
    if action == BACKUP {
        return may_back_up(licenses);
    }
    choose(licenses, action, environment).map(|_| ())
}

/// Whether a backup takes one of these licenses: the policy itself says so, and no condition of an action matters. No key is
/// opened for it, so it is a question only.
fn may_back_up(licenses: &[StoredLicense]) -> Result<(), Vec<Refusal>> {
    if licenses.is_empty() {
        return Err(vec![Refusal::NoLicense]);
    }
    let one = licenses.iter().any(|license| license.policy.may_back_up());
    if one { Ok(()) } else { Err(vec![Refusal::NoRight]) }
}

/// Whether one of these licenses, or a root that opens one of them, demands that outputs are protected for an action. All that may
/// be chosen count, usable or not: which of them is used is known at the first sample only.
pub fn demands_protected_outputs(licenses: &[StoredLicense], action: &str) -> bool {
    let demands = |license: &StoredLicense| {
        license.policy.action(action).is_some_and(|conditions| conditions.output_protection.is_some())
    };
    licenses.iter().any(|license| demands(license) || license.roots.iter().any(demands))
}

/// What is left of an action by all licenses together: of those that permit it now, else of those that will. What adds up is
/// added up; where it does not, this is what the license that is used first permits, and `vague`.
pub fn license_state(licenses: &[StoredLicense], action: &str, environment: &Environment) -> LicenseState {
    if action == BACKUP && may_back_up(licenses).is_ok() {
        return LicenseState { category: Category::Unlimited, ..LicenseState::NONE };
    }
    let with = |wanted: &[Refusal]| -> Vec<StoredLicense> {
        let fits = |license: &&StoredLicense| super::evaluate(license, action, environment) == wanted;
        licenses.iter().filter(fits).cloned().collect()
    };
    let (usable, coming) = (with(&[]), with(&[Refusal::NotStarted]));
    if let Ok(first) = choose(&usable, action, environment) {
        let all: Vec<LicenseState> = usable.iter().map(|license| describe(license, action)).collect();
        return merge(&all).unwrap_or_else(|| LicenseState { vague: true, ..describe(first, action) });
    }
    let begin = |license: &&StoredLicense| license.policy.action(action).and_then(|conditions| conditions.not_before);
    let next = coming.iter().min_by_key(begin);
    next.map_or(LicenseState::NONE, |next| LicenseState { vague: coming.len() > 1, ..describe(next, action) })
}

/// Several states that all hold now as one, if one says the same as they do.
fn merge(all: &[LicenseState]) -> Option<LicenseState> {
    if let [only] = all {
        return Some(only.clone());
    }
    if let Some(unlimited) = all.iter().find(|state| state.category == Category::Unlimited) {
        return Some(unlimited.clone());
    }
    let first = all.first()?;
    if all.iter().all(|state| !state.counts.is_empty() && state.category != Category::AfterFirstUse) {
        let alike = all.iter().all(|state| (state.category, &state.dates) == (first.category, &first.dates));
        let sum = all.iter().flat_map(|state| &state.counts).fold(0_u32, |sum, count| sum.saturating_add(*count));
        return alike.then(|| LicenseState { counts: vec![sum], ..first.clone() });
    }
    // All of them hold now, so what is between the earliest begin and the latest end is covered.
    let span = |state: &LicenseState| match (state.category, state.dates.as_slice()) {
        (Category::From, [begin]) => Some((Some(*begin), None)),
        (Category::Until, [end]) => Some((None, Some(*end))),
        (Category::FromUntil, [begin, end]) => Some((Some(*begin), Some(*end))),
        _ => None,
    };
    let spans: Vec<(Option<i64>, Option<i64>)> = all.iter().map(span).collect::<Option<_>>()?;
    let begin = spans.iter().map(|(begin, _)| begin.unwrap_or(i64::MIN)).min().filter(|begin| *begin != i64::MIN);
    let end = spans.iter().map(|(_, end)| end.unwrap_or(i64::MAX)).max().filter(|end| *end != i64::MAX);
    let category = match (begin, end) {
        (None, None) => Category::Unlimited,
        (Some(_), None) => Category::From,
        (None, Some(_)) => Category::Until,
        (Some(_), Some(_)) => Category::FromUntil,
    };
    Some(LicenseState { category, dates: begin.into_iter().chain(end).collect(), ..LicenseState::NONE })
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
