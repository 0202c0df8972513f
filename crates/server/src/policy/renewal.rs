//! What a license that takes the place of another starts from. When one is over is `wmlicense_wire::over`.

use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::policy::Policy;

/// What a renewal gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Renewal {
    /// The same license while the terms are the same. On other terms one in which all uses made, the first use and the first
    /// issue count on.
    #[default]
    Carry,
    /// Runs its time after the first issue anew; uses made and the first use count on.
    Extend,
    /// Begins anew.
    Fresh,
}

/// State that a license on `new` terms starts from in place of one on `old` terms of which `left` is left: what was used stays
/// used, and the first use stays the first. `None` where nothing is left to be told, because the new terms have no state.
pub(crate) fn carried(old: Option<&Policy>, left: &State, new: &Policy) -> Option<State> {
    let mut state = new.is_stateful().then(|| State::initial(new))?;
    for (action, fresh) in &mut state.actions {
        let Some(before) = left.actions.get(action) else { continue };
        let total = old.and_then(|old| old.action(action)).and_then(|conditions| conditions.count);
        *fresh = ActionState {
            counts_left: fresh.counts_left.map(|counts| counts_left(counts, total, before.counts_left)),
            first_use: before.first_use,
        };
    }
    Some(state)
}

/// Uses left of `fresh` ones after those that were made before. Where nobody knows how many there were, what is left of
/// them bounds what is left.
fn counts_left(fresh: u32, total: Option<u32>, left: Option<u32>) -> u32 {
    match (total, left) {
        (Some(total), Some(left)) => fresh.saturating_sub(total.saturating_sub(left)),
        (None, Some(left)) => fresh.min(left),
        (_, None) => fresh,
    }
}

/// What is known of a license's state, in the form that its policy has: `None` for a stateless one, or if nothing is known.
pub(crate) fn known_state(policy: &Policy, known: Option<&State>) -> Option<State> {
    let mut known = known.filter(|_| policy.is_stateful())?.clone();
    let initial = State::initial(policy);
    // A device may tell of actions that the policy does not have.
    known.actions.retain(|action, _| initial.actions.contains_key(action));
    Some(initial.strictest(&known))
}

/// A state as a device may tell it: what it calls a first use has happened, however its clock stood.
pub(crate) fn until_now(told: &State, now: i64) -> State {
    let mut told = told.clone();
    for state in told.actions.values_mut() {
        state.first_use = state.first_use.map(|first| first.min(now));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use wmlicense_testkit::policy::{counted, played, policy};
    use wmlicense_wire::policy::Conditions;

    #[test]
    fn uses_made_stay_made_on_more_and_on_fewer_uses() {
        let old = counted(Some(5));
        let left = played(Some(2), Some(7));
        assert_eq!(carried(Some(&old), &left, &counted(Some(10))), Some(played(Some(7), Some(7))));
        assert_eq!(carried(Some(&old), &left, &counted(Some(2))), Some(played(Some(0), Some(7))));
        assert_eq!(carried(Some(&old), &left, &counted(None)), Some(played(None, Some(7))));
        assert_eq!(carried(None, &left, &counted(Some(10))), Some(played(Some(2), Some(7))));
        assert_eq!(carried(Some(&old), &State::default(), &counted(Some(10))), Some(played(Some(10), None)));
    }

    #[test]
    fn terms_without_state_carry_none() {
        let stateless = policy(&[("Play", Conditions::default())]);
        assert_eq!(carried(Some(&counted(Some(5))), &played(Some(0), None), &stateless), None);
        assert_eq!(known_state(&stateless, Some(&played(Some(0), None))), None);
    }

    #[test]
    fn what_a_device_tells_beyond_its_policy_is_left_out() {
        let mut told = played(Some(3), None);
        told.actions.insert("Invented".into(), ActionState::default());
        assert_eq!(known_state(&counted(Some(5)), Some(&told)), Some(played(Some(3), None)));
        assert_eq!(known_state(&counted(Some(5)), None), None);
    }

    #[test]
    fn a_device_can_tell_of_no_more_than_its_policy_gives() {
        let policy = counted(Some(5));
        assert_eq!(known_state(&policy, Some(&played(Some(9), None))), Some(played(Some(5), None)));
        assert_eq!(known_state(&policy, Some(&played(None, Some(7)))), Some(played(Some(5), Some(7))));
        assert_eq!(known_state(&policy, Some(&State::default())), Some(played(Some(5), None)));
    }

    #[test]
    fn a_first_use_in_the_future_happened_by_now() {
        assert_eq!(until_now(&played(Some(3), Some(1 << 40)), 1000), played(Some(3), Some(1000)));
        assert_eq!(until_now(&played(Some(3), Some(999)), 1000), played(Some(3), Some(999)));
        assert_eq!(until_now(&played(Some(3), None), 1000), played(Some(3), None));
    }
}
