//! When nothing of a license can ever be used again: one rule for the service that hands licenses out and for the device that
//! says beforehand what it would get.

use crate::answer::Reason;
use crate::license::{ActionState, State};
use crate::policy::{Conditions, Policy};

/// Why nothing of a license can ever be used again; none while some of it can. `now`: seconds UTC.
pub fn over(policy: &Policy, state: &State, now: i64) -> Option<Reason> {
    let is_used_up = |name: &str| state.actions.get(name).and_then(|state| state.counts_left) == Some(0);
    let is_over =
        |(name, conditions): &(String, Conditions)| is_used_up(name) || ends(policy, name, conditions, state, now);
    match policy.actions.as_slice() {
        [] => None,
        actions if actions.iter().all(|(name, _)| is_used_up(name)) => Some(Reason::UsedUp),
        actions => actions.iter().all(is_over).then_some(Reason::Expired),
    }
}

/// True if an action ended.
fn ends(policy: &Policy, name: &str, conditions: &Conditions, state: &State, now: i64) -> bool {
    let left = state.actions.get(name).copied().unwrap_or_default();
    end_of(policy, conditions, left).is_some_and(|end| now >= end)
}

/// First second without the right, as far as it is known.
pub fn end_of(policy: &Policy, conditions: &Conditions, left: ActionState) -> Option<i64> {
    let storing = conditions.seconds_after_storing.map(|length| policy.first_issued.saturating_add_unsigned(length));
    let first_use = left.first_use.zip(conditions.seconds_after_first_use);
    let first_use = first_use.map(|(begin, length)| begin.saturating_add_unsigned(length));
    [conditions.not_after, storing, first_use].into_iter().flatten().min()
}
