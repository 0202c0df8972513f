//! What a license that takes the place of another starts from, and when a license is over.

use wmlicense_wire::answer::Reason;
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::policy::{Conditions, Policy};

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

/// True if no action can ever be used again because of the time.
pub(crate) fn has_ended(policy: &Policy, state: &State, now: i64) -> bool {
    policy.actions.iter().all(|(name, conditions)| ends(policy, name, conditions, state, now))
}

/// Why nothing of a license can ever be used again; none while some of it can.
pub(crate) fn over(policy: &Policy, state: &State, now: i64) -> Option<Reason> {
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
    let first_use = state.actions.get(name).and_then(|state| state.first_use);
    let after_use = first_use.zip(conditions.seconds_after_first_use);
    let after_storing = conditions.seconds_after_storing.map(|seconds| (policy.first_issued, seconds));
    let runs_out = |(from, seconds): (i64, u64)| now >= from.saturating_add_unsigned(seconds);
    conditions.not_after.is_some_and(|end| now >= end)
        || after_use.is_some_and(runs_out)
        || after_storing.is_some_and(runs_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wmlicense_wire::id::{Kid, Lid, ServiceId};
    use wmlicense_wire::policy::{BackupRight, LicenseKind};

    fn counted(count: Option<u32>) -> Policy {
        let play = Conditions { count, seconds_after_first_use: Some(100), ..Conditions::default() };
        Policy {
            lid: Lid::new([1; 16]),
            kid: Kid::new([2; 16]),
            issuer: ServiceId::new([3; 16]),
            kind: LicenseKind::Content,
            actions: vec![("Play".into(), play)],
            backup: BackupRight::No,
            restore_limit: None,
            management: None,
            root_kid: None,
            priority: 0,
            title: None,
            revocation_key: None,
            user: None,
            first_issued: 0,
            replaces: None,
            minimum_status: None,
            content_id: None,
            custom: Vec::new(),
        }
    }

    fn play(counts_left: Option<u32>, first_use: Option<i64>) -> State {
        State { actions: [("Play".to_owned(), ActionState { counts_left, first_use })].into() }
    }

    #[test]
    fn uses_made_stay_made_on_more_and_on_fewer_uses() {
        let old = counted(Some(5));
        let left = play(Some(2), Some(7));
        assert_eq!(carried(Some(&old), &left, &counted(Some(10))), Some(play(Some(7), Some(7))));
        assert_eq!(carried(Some(&old), &left, &counted(Some(2))), Some(play(Some(0), Some(7))));
        assert_eq!(carried(Some(&old), &left, &counted(None)), Some(play(None, Some(7))));
        assert_eq!(carried(None, &left, &counted(Some(10))), Some(play(Some(2), Some(7))));
        assert_eq!(carried(Some(&old), &State::default(), &counted(Some(10))), Some(play(Some(10), None)));
    }

    #[test]
    fn terms_without_state_carry_none() {
        let stateless = Policy { actions: vec![("Play".into(), Conditions::default())], ..counted(None) };
        assert_eq!(carried(Some(&counted(Some(5))), &play(Some(0), None), &stateless), None);
        assert_eq!(known_state(&stateless, Some(&play(Some(0), None))), None);
    }

    #[test]
    fn what_a_device_tells_beyond_its_policy_is_left_out() {
        let mut told = play(Some(3), None);
        told.actions.insert("Invented".into(), ActionState::default());
        assert_eq!(known_state(&counted(Some(5)), Some(&told)), Some(play(Some(3), None)));
        assert_eq!(known_state(&counted(Some(5)), None), None);
    }

    fn acting(actions: &[(&str, Conditions)]) -> Policy {
        let actions = actions.iter().map(|(name, of)| ((*name).to_owned(), of.clone())).collect();
        Policy { actions, ..counted(None) }
    }

    #[test]
    fn a_license_is_over_when_no_action_is_left() {
        let policy = counted(Some(5));
        assert_eq!(over(&policy, &play(Some(1), None), 1000), None);
        assert_eq!(over(&policy, &play(Some(1), Some(900)), 1000), Some(Reason::Expired));
        assert_eq!(over(&policy, &play(Some(1), Some(901)), 1000), None, "the last second counts");
        assert_eq!(over(&policy, &play(Some(0), None), 1000), Some(Reason::UsedUp));
        assert_eq!(over(&acting(&[]), &State::default(), 1000), None);
    }

    #[test]
    fn one_action_that_is_left_keeps_a_license_from_being_over() {
        let until = |not_after| Conditions { not_after: Some(not_after), ..Conditions::default() };
        let counts = Conditions { count: Some(2), ..Conditions::default() };
        let left = |counts_left| State {
            actions: [("Copy".to_owned(), ActionState { counts_left: Some(counts_left), first_use: None })].into(),
        };
        let policy = acting(&[("Copy", counts.clone()), ("Play", until(1000))]);
        assert_eq!(over(&policy, &left(1), 1000), None);
        assert_eq!(over(&policy, &left(0), 999), None);
        assert_eq!(over(&policy, &left(0), 1000), Some(Reason::Expired), "the end itself is out");
        assert!(!has_ended(&policy, &left(0), 1000) && !has_ended(&policy, &left(1), 999));
        let dated = acting(&[("Copy", until(900)), ("Play", until(1000))]);
        assert!(has_ended(&dated, &State::default(), 1000) && !has_ended(&dated, &State::default(), 999));
        let endless = acting(&[("Copy", counts), ("Play", Conditions::default())]);
        assert_eq!(over(&endless, &left(0), i64::MAX), None);
        let stored = Conditions { seconds_after_storing: Some(50), ..Conditions::default() };
        let stored = Policy { first_issued: 950, ..acting(&[("Play", stored)]) };
        assert_eq!(over(&stored, &State::default(), 999), None);
        assert_eq!(over(&stored, &State::default(), 1000), Some(Reason::Expired));
    }

    #[test]
    fn a_first_use_in_the_future_happened_by_now() {
        assert_eq!(until_now(&play(Some(3), Some(1 << 40)), 1000), play(Some(3), Some(1000)));
        assert_eq!(until_now(&play(Some(3), Some(999)), 1000), play(Some(3), Some(999)));
        assert_eq!(until_now(&play(Some(3), None), 1000), play(Some(3), None));
    }
}
