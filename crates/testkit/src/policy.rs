//! Policies and states of no owner in particular, for rules that look at nothing else.

use wmlicense_wire::id::{Kid, Lid, ServiceId};
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::policy::{BackupRight, Conditions, LicenseKind, Policy};

/// A content license with these actions and nothing optional.
pub fn policy(actions: &[(&str, Conditions)]) -> Policy {
    Policy {
        lid: Lid::new([1; 16]),
        kid: Kid::new([2; 16]),
        issuer: ServiceId::new([3; 16]),
        kind: LicenseKind::Content,
        actions: actions.iter().map(|(name, conditions)| ((*name).to_owned(), conditions.clone())).collect(),
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

/// One that is used so often, or any number of times, within a hundred seconds of the first use.
pub fn counted(count: Option<u32>) -> Policy {
    policy(&[("Play", Conditions { count, seconds_after_first_use: Some(100), ..Conditions::default() })])
}

/// The state of a license of which this is left of playing.
pub fn played(counts_left: Option<u32>, first_use: Option<i64>) -> State {
    State { actions: [("Play".to_owned(), ActionState { counts_left, first_use })].into() }
}
