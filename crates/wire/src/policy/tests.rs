use super::*;

#[test]
fn a_glance_sees_what_reading_sees() {
    let conditions = [
        Conditions::default(),
        Conditions { not_after: Some(-5), grace_seconds: Some(7), ..Conditions::default() },
        Conditions { count: Some(0), ..Conditions::default() },
        Conditions { seconds_after_first_use: Some(1 << 40), ..Conditions::default() },
        Conditions { renew_after: Some((5, "https://owner.test".into())), ..Conditions::default() },
    ];
    for kind in [LicenseKind::Content, LicenseKind::Root, LicenseKind::Leaf] {
        for conditions in &conditions {
            let policy = Policy {
                lid: Lid::new([1; 16]),
                kid: Kid::new([2; 16]),
                issuer: ServiceId::new([3; 16]),
                kind,
                actions: vec![("Copy".into(), Conditions::default()), ("Play".into(), conditions.clone())],
                backup: BackupRight::Stateful,
                restore_limit: Some(4),
                management: None,
                root_kid: None,
                priority: -1,
                title: Some("a title".into()),
                revocation_key: None,
                user: None,
                first_issued: 5,
                replaces: None,
                minimum_status: None,
                content_id: None,
                custom: vec![("name".into(), "value".into())],
            };
            let read = Policy::decode(&policy.encode()).unwrap();
            let expected = Glance { kind: read.kind, stateful: read.is_stateful() };
            assert_eq!(Glance::at(&policy.encode()), Some(expected));
        }
    }
    assert_eq!(Glance::at(b""), None);
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
