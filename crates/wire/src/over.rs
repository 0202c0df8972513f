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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Kid, Lid, ServiceId};
    use crate::policy::{BackupRight, LicenseKind};

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
        let dated = acting(&[("Copy", until(900)), ("Play", until(1000))]);
        assert_eq!(over(&dated, &State::default(), 1000), Some(Reason::Expired));
        assert_eq!(over(&dated, &State::default(), 999), None);
        let endless = acting(&[("Copy", counts), ("Play", Conditions::default())]);
        assert_eq!(over(&endless, &left(0), i64::MAX), None);
        let stored = Conditions { seconds_after_storing: Some(50), ..Conditions::default() };
        let stored = Policy { first_issued: 950, ..acting(&[("Play", stored)]) };
        assert_eq!(over(&stored, &State::default(), 999), None);
        assert_eq!(over(&stored, &State::default(), 1000), Some(Reason::Expired));
    }
}
