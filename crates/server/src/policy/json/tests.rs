use super::*;

fn pointers(text: &str) -> Vec<String> {
    parse(text).unwrap_err().into_iter().map(|fault| fault.pointer).collect()
}

#[test]
fn the_example_of_the_manual_is_read() {
    let terms = parse(
        r#"{ "actions": { "Play": { "notAfter": "2027-01-01T00:00:00Z", "count": 10, "secondsAfterFirstUse": 172800 }, "Copy": {} },
             "backup": true, "restoreDevices": 4, "priority": 0, "minimumSecurityVersion": "2.4.0.0",
             "onClockRollback": "delete", "interaction": "none", "revocationKey": "default", "clearKey": false }"#,
    )
    .unwrap();
    assert_eq!(terms.actions.len(), 2);
    let (name, play) = &terms.actions[1];
    assert_eq!(name, "Play");
    assert_eq!(
        (play.not_after, play.count, play.seconds_after_first_use),
        (Some(1_798_761_600), Some(10), Some(172_800))
    );
    assert_eq!(play.minimum_security_version.as_deref(), Some("2.4.0.0"));
    assert_eq!(play.on_clock_rollback, OnClockRollback::Delete);
    assert_eq!(terms.backup, BackupRight::Stateless);
    assert!(terms.revocable && !terms.asks_user);
    assert!(parse(r#"{"interaction":"page"}"#).unwrap().asks_user);
}

#[test]
fn an_empty_policy_plays_and_is_not_backed_up() {
    let terms = parse("{}").unwrap();
    assert_eq!(terms.actions, [("Play".to_owned(), Conditions::default())]);
    assert_eq!((terms.backup, terms.restore_devices), (BackupRight::No, 4));
    assert_eq!(parse(r#"{"backup":"stateful"}"#).unwrap().backup, BackupRight::Stateful);
}

#[test]
fn every_wrong_field_is_pointed_at() {
    let text = r#"{ "actions": { "Play": { "count": -1, "notAfter": "tomorrow", "cuont": 1 }, "a/b~": 7 }, "backup": "yes",
        "restoreDevices": 0, "priority": 0.5, "onClockRollback": 1, "interaction": "popup", "clearKey": 1, "minimumSecurityVersion": "1.2" }"#;
    assert_eq!(
        pointers(text),
        [
            "/actions/Play/notAfter",
            "/actions/Play/count",
            "/actions/Play/cuont",
            "/actions/a~1b~0",
            "/backup",
            "/restoreDevices",
            "/priority",
            "/minimumSecurityVersion",
            "/onClockRollback",
            "/interaction",
            "/clearKey",
        ]
    );
}

#[test]
fn a_word_that_there_is_not_is_pointed_at_wherever_it_stands() {
    assert_eq!(pointers(r#"{"bakcup":true}"#), ["/bakcup"]);
    assert_eq!(pointers(r#"{"actions":{"Play":{"cuont":1}}}"#), ["/actions/Play/cuont"]);
    let renewal = |more: &str| {
        let after = format!(r#"{{"time":"2027-01-01T00:00:00Z","url":"https://a"{more}}}"#);
        format!(r#"{{"actions":{{"Play":{{"renewAfter":{after}}}}}}}"#)
    };
    assert!(parse(&renewal("")).is_ok());
    assert_eq!(pointers(&renewal(r#","text":"a""#)), ["/actions/Play/renewAfter"]);
    assert_eq!(pointers(r#"{"actions":{"Play":{"renewAfter":{"url":"https://a"}}}}"#), ["/actions/Play/renewAfter"]);
}

#[test]
fn a_version_for_all_actions_is_for_those_that_name_none() {
    let text = r#"{"actions":{"Copy":{"minimumSecurityVersion":"1.0.0.0"},"Play":{}},"minimumSecurityVersion":"2.0.0.0",
        "onClockRollback":"delete"}"#;
    let terms = parse(text).unwrap();
    let of = |name: &str| terms.actions.iter().find(|(of, _)| of == name).unwrap().1.clone();
    assert_eq!(of("Copy").minimum_security_version.as_deref(), Some("1.0.0.0"));
    assert_eq!(of("Play").minimum_security_version.as_deref(), Some("2.0.0.0"));
    assert!(terms.actions.iter().all(|(_, of)| of.on_clock_rollback == OnClockRollback::Delete));
}

#[test]
fn conditions_that_contradict_each_other_are_refused() {
    let dates = r#"{"actions":{"Play":{"notBefore":"2027-01-01T00:00:00Z","notAfter":"2026-01-01T00:00:00Z"}}}"#;
    assert_eq!(pointers(dates), ["/actions/Play/notAfter"]);
    assert_eq!(pointers(r#"{"actions":{"Play":{"secondsPerCount":5}}}"#), ["/actions/Play/secondsPerCount"]);
    assert_eq!(pointers(r#"{"actions":{}}"#), ["/actions"]);
}

#[test]
fn what_is_no_object_is_refused_as_a_whole() {
    assert_eq!(pointers("[]"), [""]);
    assert_eq!(pointers("{"), [""]);
}

#[test]
fn terms_that_no_license_can_carry_are_refused() {
    let output = STANDARD.encode([7; 256]);
    let actions: Vec<String> = (0..20).map(|n| format!(r#""A{n}":{{"outputProtection":"{output}"}}"#)).collect();
    assert_eq!(pointers(&format!(r#"{{"actions":{{{}}}}}"#, actions.join(","))), [""]);
}

#[test]
fn names_with_control_characters_are_refused() {
    for bad in ["Play\\u0000", "Pl\\tay", "\\u001b[2J", "Play\\u0085"] {
        assert_eq!(pointers(&format!(r#"{{"actions":{{"{bad}":{{}}}}}}"#)).len(), 1, "{bad}");
        assert_eq!(pointers(&format!(r#"{{"subscription":"{bad}"}}"#)), ["/subscription"], "{bad}");
    }
}

#[test]
fn each_limit_is_where_it_is_said_to_be() {
    let good = |text: &str| assert!(parse(text).is_ok(), "{text}");
    let bad = |text: &str| assert!(parse(text).is_err(), "{text}");
    let actions = |count: usize| {
        let actions: Vec<String> = (0..count).map(|n| format!(r#""A{n}":{{}}"#)).collect();
        format!(r#"{{"actions":{{{}}}}}"#, actions.join(","))
    };
    let action = |length: usize| format!(r#"{{"actions":{{"{}":{{}}}}}}"#, "a".repeat(length));
    let play = |field: &str, value: &str| format!(r#"{{"actions":{{"Play":{{"{field}":{value}}}}}}}"#);
    good(&actions(32));
    bad(&actions(33));
    good(&action(64));
    bad(&action(65));
    bad(&action(0));
    for (field, most, over) in [("restoreDevices", "100000", "100001"), ("restoreDevices", "1", "0")] {
        good(&format!(r#"{{"{field}":{most}}}"#));
        bad(&format!(r#"{{"{field}":{over}}}"#));
    }
    good(&format!(r#"{{"subscription":"{}"}}"#, "s".repeat(128)));
    bad(&format!(r#"{{"subscription":"{}"}}"#, "s".repeat(129)));
    bad(r#"{"subscription":""}"#);
    for field in ["count", "minimumApplicationLevel"] {
        good(&play(field, "4294967295"));
        bad(&play(field, "4294967296"));
    }
    for field in ["secondsAfterFirstUse", "secondsAfterStoring", "graceSeconds"] {
        good(&play(field, "4611686018427387903"));
        bad(&play(field, "4611686018427387904"));
    }
    good(&play("outputProtection", &format!("\"{}\"", STANDARD.encode([7; 256]))));
    bad(&play("outputProtection", &format!("\"{}\"", STANDARD.encode([7; 257]))));
    let version = |text: &str| format!(r#"{{"minimumSecurityVersion":"{text}"}}"#);
    good(&version("65535.0.0.65535"));
    for text in ["65536.0.0.0", "1.2.3", "1.2.3.4.5", "1..2.3", "000001.0.0.0"] {
        bad(&version(text));
    }
    let url = |text: &str| play("renewAfter", &format!(r#"{{"time":"2027-01-01T00:00:00Z","url":"{text}"}}"#));
    good(&url(&format!("https://a.test/{}", "a".repeat(497))));
    bad(&url(&format!("https://a.test/{}", "a".repeat(498))));
    good(&url("https://a.test/renew?title=1#terms"));
    for text in ["http://a", "https://", r"https://a.test/\u0007", "https://a.test/a b", "https://me@a.test/"] {
        bad(&url(text));
    }
    let dates =
        |to: &str| format!(r#"{{"actions":{{"Play":{{"notBefore":"2027-01-01T00:00:00Z","notAfter":"{to}"}}}}}}"#);
    good(&dates("2027-01-01T00:00:01Z"));
    bad(&dates("2027-01-01T00:00:00Z"));
}
