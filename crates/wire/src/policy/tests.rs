use super::*;

/// Every field that a license can do without is there, or none of them.
fn policy_of(kind: LicenseKind, backup: BackupRight, conditions: &Conditions, full: bool) -> Policy {
    Policy {
        lid: Lid::new([1; 16]),
        kid: Kid::new([2; 16]),
        issuer: ServiceId::new([3; 16]),
        kind,
        actions: vec![("Copy".into(), Conditions::default()), ("Play".into(), conditions.clone())],
        backup,
        restore_limit: full.then_some(4),
        management: full.then_some(ServiceId::new([4; 16])),
        root_kid: full.then_some(Kid::new([5; 16])),
        priority: -1,
        title: full.then(|| "a title".into()),
        revocation_key: full.then_some(SignerId::new([6; 32])),
        user: full.then_some(UserId::new([7; 16])),
        first_issued: 5,
        replaces: full.then_some(Lid::new([8; 16])),
        minimum_status: full.then_some(9),
        content_id: full.then(|| "content".into()),
        custom: if full { vec![("name".into(), "value".into())] } else { Vec::new() },
    }
}

#[test]
fn a_glance_sees_what_reading_sees() {
    let conditions = [
        (Conditions::default(), false),
        (Conditions { not_after: Some(-5), grace_seconds: Some(7), ..Conditions::default() }, true),
        (Conditions { seconds_after_storing: Some(7), ..Conditions::default() }, true),
        (Conditions { not_before: Some(7), ..Conditions::default() }, false),
        (Conditions { count: Some(0), ..Conditions::default() }, false),
        (Conditions { seconds_after_first_use: Some(1 << 40), ..Conditions::default() }, false),
        (Conditions { renew_after: Some((5, "https://owner.test".into())), ..Conditions::default() }, false),
    ];
    for kind in [LicenseKind::Content, LicenseKind::Root, LicenseKind::Leaf] {
        for backup in [BackupRight::No, BackupRight::Stateless, BackupRight::Stateful] {
            for (conditions, dated) in &conditions {
                for full in [false, true] {
                    let bytes = policy_of(kind, backup, conditions, full).encode();
                    let read = Policy::decode(&bytes).unwrap();
                    let expected = Glance {
                        lid: read.lid,
                        kid: read.kid,
                        issuer: read.issuer,
                        kind: read.kind,
                        backup: read.backup,
                        management: read.management,
                        revocation_key: read.revocation_key,
                        user: read.user,
                        replaces: read.replaces,
                        stateful: read.is_stateful(),
                        dated: *dated,
                    };
                    assert_eq!(Glance::at(&bytes), Some(expected));
                    assert_eq!(expected.may_back_up(), read.may_back_up());
                }
            }
        }
    }
}

#[test]
fn a_glance_at_what_is_cut_or_followed_by_more_sees_nothing() {
    let bytes = policy_of(LicenseKind::Content, BackupRight::Stateless, &Conditions::default(), true).encode();
    assert!((0..bytes.len()).all(|length| Glance::at(&bytes[..length]).is_none()));
    assert_eq!(Glance::at(&[&bytes[..], &[0]].concat()), None);
}

#[test]
fn texts_that_would_be_cut_or_obeyed_are_refused() {
    let policy = |action: &str, title: &str, content_id: &str| Policy {
        lid: Lid::new([1; 16]),
        kid: Kid::new([2; 16]),
        issuer: ServiceId::new([3; 16]),
        kind: LicenseKind::Content,
        actions: vec![(action.into(), Conditions::default())],
        backup: BackupRight::Stateless,
        restore_limit: None,
        management: None,
        root_kid: None,
        priority: 0,
        title: Some(title.into()),
        revocation_key: None,
        user: None,
        first_issued: 5,
        replaces: None,
        minimum_status: None,
        content_id: Some(content_id.into()),
        custom: Vec::new(),
    };
    let decoded = |policy: Policy| Policy::decode(&policy.encode()).is_ok();
    assert!(decoded(policy("Play", "Ein schöner Titel", "urn:a")));
    for bad in ["a\0b", "a\u{1b}[2J", "a\nb", "a\u{85}b"] {
        assert!(!decoded(policy(bad, "title", "id")), "{bad:?}");
        assert!(!decoded(policy("Play", bad, "id")), "{bad:?}");
        assert!(!decoded(policy("Play", "title", bad)), "{bad:?}");
    }
}
