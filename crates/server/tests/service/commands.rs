//! The command line: usage, listings, and what is refused.

use std::os::unix::fs::PermissionsExt as _;
use wmlicense_testkit::daemon::{Data, GOLD, KEY, OPEN, run};

#[test]
fn wrong_usage_exits_with_2_and_says_what_is_right() {
    let data = Data::new();
    for words in [
        &["frobnicate"][..],
        &["content", "add", "--kid", OPEN, "--key", KEY, "--open", "--scope", "gold"],
        &["serve", "--roles", "butler"],
        &["serve", "--listen", "nowhere"],
        &["serve", "--public-url", "ftp://a"],
        &["device", "revoke", "xyz"],
    ] {
        let (status, complaint) = data.fails(words);
        assert_eq!(status, 2, "{words:?}");
        assert!(complaint.contains("Usage") || complaint.contains("--help"), "{complaint}");
    }
}

#[test]
fn a_certificate_for_tls_comes_with_its_key() {
    let data = Data::new();
    for (is, lacks) in [("--tls-cert", "--tls-key"), ("--tls-key", "--tls-cert")] {
        let (status, complaint) = data.fails(&["serve", "--listen", "127.0.0.1:0", is, "a.pem"]);
        assert!(status == 1 && complaint.contains(is) && complaint.contains(lacks), "{complaint}");
    }
}

#[test]
fn a_reason_is_one_line() {
    let data = Data::new();
    let device = "00112233445566778899aabbccddeeff";
    for words in [
        &["license", "revoke", "--all"][..],
        &["device", "revoke", device],
        &["application", "revoke", "Example Player"],
        &["certificate", "revoke", "issuer.cose"],
    ] {
        for reason in ["first\nsecond", "\u{1b}[2J"] {
            let (status, complaint) = data.fails(&[words, &["--reason", reason]].concat());
            assert_eq!(status, 2, "{words:?}");
            assert!(complaint.contains("one line of text is expected"), "{complaint}");
        }
    }
}

#[test]
fn init_makes_private_files_and_refuses_to_overwrite_them() {
    let data = Data::new();
    let keys = data.path().join("keys");
    for entry in std::fs::read_dir(&keys).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(std::fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o700);
    let before = std::fs::read(keys.join("authority.key")).unwrap();
    let (status, complaint) = data.fails(&["init"]);
    assert_eq!(status, 1);
    assert!(complaint.contains("holds a service already"), "{complaint}");
    assert_eq!(std::fs::read(keys.join("authority.key")).unwrap(), before);
}

#[test]
fn a_folder_without_a_service_is_not_served() {
    let folder = tempfile::tempdir().unwrap();
    for words in [&["serve", "--listen", "127.0.0.1:0"][..], &["content", "list"], &["certificate", "renew"]] {
        let output = run(words, folder.path());
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("wmlicensed init"));
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_folder_that_lost_its_authority_is_neither_served_nor_made_anew() {
    let data = Data::new();
    std::fs::remove_file(data.path().join("authority.cose")).unwrap();
    // Not even where a first `init` seems not to have come to its end: what has a database was used.
    for unfinished in [false, true] {
        if unfinished {
            std::fs::write(data.path().join("init.unfinished"), "").unwrap();
        }
        let (status, complaint) = data.fails(&["init"]);
        assert_eq!(status, 1);
        assert!(complaint.contains("no authority.cose; put that file back"), "{complaint}");
    }
    std::fs::remove_file(data.path().join("init.unfinished")).unwrap();
    let (status, complaint) = data.fails(&["content", "list"]);
    assert_eq!(status, 1);
    assert!(complaint.contains("no authority.cose; put that file back"), "{complaint}");
    assert!(data.path().join("keys/authority.key").exists());
}

#[test]
fn keys_are_made_by_one_command_at_a_time() {
    let data = Data::new();
    let folder = std::fs::File::open(data.path()).unwrap();
    folder.lock().unwrap();
    assert!(data.fails(&["certificate", "renew"]).1.contains("another command makes keys"));
    let empty = tempfile::tempdir().unwrap();
    let other = std::fs::File::open(empty.path()).unwrap();
    other.lock().unwrap();
    let output = run(&["init"], empty.path());
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("another command makes keys"));
    drop((folder, other));
    data.admin(&["certificate", "renew"]);
    assert!(run(&["init"], empty.path()).status.success());
}

#[test]
fn a_damaged_key_matters_where_a_certificate_speaks_of_it() {
    let data = Data::new();
    let keys = data.path().join("keys");
    for name in ["issuer-0123456789abcdef.key", "backup-0123456789abcdef.key", "management-0123456789abcdef.key.part"] {
        std::fs::write(keys.join(name), "short").unwrap();
    }
    data.serve(&[]);
    let named = |start: &str| {
        let all = std::fs::read_dir(&keys).unwrap().map(|entry| entry.unwrap().path());
        let is_named = |path: &std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(start);
        all.filter(is_named).find(|path| !path.to_str().unwrap().contains("0123456789abcdef")).unwrap()
    };
    for start in ["issuer-", "backup-"] {
        let whole = std::fs::read(named(start)).unwrap();
        std::fs::write(named(start), &whole[..7]).unwrap();
        let (status, complaint) = data.fails(&["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(status, 1);
        assert!(complaint.contains("is damaged; put it back from a copy"), "{complaint}");
        std::fs::write(named(start), whole).unwrap();
    }
    data.admin(&["certificate", "renew"]);
    assert!(!keys.join("management-0123456789abcdef.key.part").exists());
}

#[test]
fn content_is_added_changed_and_never_given_another_key() {
    let data = Data::new();
    fn add<'a>(more: &[&'a str]) -> Vec<&'a str> {
        [&["content", "add", "--kid", OPEN, "--key"], more].concat()
    }
    assert_eq!(data.admin(&add(&[KEY, "--title", "One", "--open"])), format!("added: {OPEN}\n"));
    assert_eq!(data.admin(&add(&[KEY, "--scope", "gold"])), format!("changed: {OPEN}\n"));
    let (status, complaint) = data.fails(&add(&["ff112233445566778899aabbccddeeff", "--open"]));
    assert_eq!(status, 1);
    assert!(complaint.contains("with another key"), "{complaint}");
    assert!(data.fails(&add(&["00", "--open"])).1.contains("32 hexadecimal digits"));
    assert!(data.fails(&add(&[KEY, "--open", "--policy", "none"])).1.contains("there is no policy none"));
    let list = data.json(&["content", "list"]);
    let expected = serde_json::json!([{ "kid": OPEN, "title": "One", "policy": null, "scope": "gold", "open": false }]);
    assert_eq!(list, expected);
    assert!(data.admin(&["content", "list"]).contains("One"));
    assert!(!data.admin(&["content", "list"]).contains(KEY));
}

#[test]
fn lists_of_content_are_imported_whole_or_not_at_all() {
    let data = Data::new();
    let file = data.path().join("keys.csv");
    let path = file.to_str().unwrap();
    std::fs::write(&file, format!("kid,key,title\n{OPEN},{KEY},\"One, two\"\n{GOLD},{KEY},\n")).unwrap();
    assert_eq!(data.admin(&["content", "import", path, "--open"]), "imported: 2 (2 new)\n");
    assert_eq!(data.admin(&["content", "import", path, "--open"]), "imported: 2 (0 new)\nunchanged: 2\n");
    let other = "c0000000000000000000000000000077";
    std::fs::write(&file, format!("{other},{KEY}\n{OPEN},ff112233445566778899aabbccddeeff\n")).unwrap();
    assert_eq!(data.fails(&["content", "import", path, "--open"]).0, 1);
    std::fs::write(&file, format!("{other},{KEY}\nbad,{KEY}\n")).unwrap();
    assert!(data.fails(&["content", "import", path, "--open"]).1.contains("line 2: the key ID"));
    let list = data.json(&["content", "list"]);
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(list[0]["title"], "One, two");
    let json = data.path().join("keys.json");
    std::fs::write(&json, format!(r#"[{{"kid":"{other}","key":"{KEY}","title":"T"}}]"#)).unwrap();
    assert_eq!(data.admin(&["content", "import", json.to_str().unwrap(), "--open"]), "imported: 1 (1 new)\n");
}

#[test]
fn a_wrong_policy_is_refused_with_a_pointer_to_each_field() {
    let data = Data::new();
    let file = data.path().join("policy.json");
    std::fs::write(&file, r#"{"actions":{"Play":{"count":"ten","notAfter":"soon"}},"bakcup":true}"#).unwrap();
    let (status, complaint) = data.fails(&["policy", "set", "p", file.to_str().unwrap()]);
    assert_eq!(status, 1);
    for pointer in ["/actions/Play/count:", "/actions/Play/notAfter:", "/bakcup:"] {
        assert!(complaint.contains(pointer), "{complaint}");
    }
    assert!(data.fails(&["policy", "set", "p", "/nowhere.json"]).1.contains("/nowhere.json"));
    data.policy("p", r#"{"backup":true}"#);
    assert_eq!(data.admin(&["policy", "show", "p"]), "{\"backup\":true}\n");
    assert_eq!(data.json(&["policy", "list"])[0]["name"], "p");
    assert_eq!(data.fails(&["policy", "show", "q"]).0, 1);
}

#[test]
fn an_account_is_added_once_and_its_token_is_not_stored() {
    let data = Data::new();
    let token = data.account("alice", &["gold", "gold"]);
    assert_eq!(token.len(), 43);
    assert!(data.fails(&["account", "add", "alice"]).1.contains("an account alice already"));
    assert_eq!(data.fails(&["account", "add", "a\nb"]).0, 1);
    for name in ["wmlicensed.db", "wmlicensed.db-wal"] {
        let bytes = std::fs::read(data.path().join(name)).unwrap_or_default();
        assert!(!bytes.windows(token.len()).any(|window| window == token.as_bytes()));
    }
}

#[test]
fn an_account_gets_another_token_and_stays_the_same_account() {
    let data = Data::new();
    let old = data.account("alice", &["gold"]);
    let complaint = data.fails(&["account", "add", "alice"]).1;
    assert!(complaint.contains("wmlicensed account token alice"), "{complaint}");
    let printed = data.admin(&["account", "token", "alice"]);
    let token = printed.strip_prefix("token: ").unwrap().trim();
    assert!(token.len() == 43 && token != old);
    assert_eq!(data.fails(&["account", "token", "bob"]), (1, "wmlicensed: there is no account bob\n".to_owned()));
    assert_eq!(data.json(&["stats"])["accounts"], 1);
}

#[test]
fn commands_work_side_by_side_with_the_running_service() {
    let data = Data::new();
    let _serving = data.serve(&[]);
    std::thread::scope(|scope| {
        for number in 0..6 {
            let data = &data;
            scope.spawn(move || data.open_content(&format!("c{number:031x}"), None));
        }
    });
    assert_eq!(data.json(&["stats"])["content"], 6);
    assert_eq!(data.json(&["device", "list"]), serde_json::json!([]));
    assert!(data.fails(&["device", "revoke", OPEN]).1.contains("there is no device"));
}

#[test]
fn a_database_of_a_later_version_is_left_alone() {
    let data = Data::new();
    let database = rusqlite::Connection::open(data.path().join("wmlicensed.db")).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    assert!(data.fails(&["content", "list"]).1.contains("schema 99"));
}

#[test]
fn an_address_that_is_taken_is_reported() {
    let data = Data::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (status, complaint) = data.fails(&["serve", "--listen", &address]);
    assert_eq!(status, 1);
    assert!(complaint.contains(&format!("cannot listen on {address}")), "{complaint}");
}

#[test]
fn a_database_that_is_missing_is_not_begun_anew_without_a_word() {
    let data = Data::new();
    let lost = || {
        for end in ["", "-wal", "-shm"] {
            std::fs::remove_file(data.path().join(format!("wmlicensed.db{end}"))).ok();
        }
    };
    lost();
    for words in [&["stats"][..], &["content", "list"], &["serve", "--listen", "127.0.0.1:0"]] {
        let (status, complaint) = data.fails(words);
        assert_eq!(status, 1, "{words:?}");
        assert!(complaint.contains("wmlicensed.db is missing; put it back"), "{words:?}: {complaint}");
        assert!(!data.path().join("wmlicensed.db").exists(), "{words:?}");
    }
    // An owner who means to begin anew says so.
    std::fs::write(data.path().join("wmlicensed.db"), "").unwrap();
    assert_eq!(data.json(&["stats"])["content"], 0);
}

#[test]
fn a_file_that_is_missing_is_named_with_what_helps() {
    let data = Data::new();
    let path = |name: &str| data.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("empty.pem"), "").unwrap();
    let serve = |certificate: &str| {
        let tls = ["--tls-cert", certificate, "--tls-key", certificate];
        data.fails(&[&["serve", "--listen", "127.0.0.1:0"], &tls[..]].concat()).1
    };
    let complaint = serve(&path("nowhere.pem"));
    assert!(complaint.contains("nowhere.pem: No such file"), "{complaint}");
    let complaint = serve(&path("empty.pem"));
    assert!(complaint.contains("empty.pem holds no certificate or key in PEM form"), "{complaint}");
    let keys = || std::fs::read_dir(data.path().join("keys")).unwrap().map(|entry| entry.unwrap().path());
    let issuer = keys().find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("issuer-")).unwrap();
    std::fs::remove_file(issuer).unwrap();
    let complaint = data.fails(&["serve", "--listen", "127.0.0.1:0"]).1;
    assert!(complaint.contains("role issuer; `wmlicensed certificate renew`"), "{complaint}");
    let elsewhere = path("elsewhere.key");
    std::fs::rename(path("keys/authority.key"), &elsewhere).unwrap();
    let (status, complaint) = data.fails(&["status", "publish"]);
    assert_eq!(status, 1);
    assert!(complaint.contains("authority.key is missing") && complaint.contains("--authority-key"), "{complaint}");
    data.admin(&["status", "publish", "--authority-key", &elsewhere]);
}

#[test]
fn what_is_complained_about_does_not_steer_the_terminal() {
    let data = Data::new();
    let file = data.path().join("policy.json");
    std::fs::write(&file, r#"{"\u001b[31m\nbad":1,"actions":{"Play":{"count":"ten"}}}"#).unwrap();
    let complaint = data.fails(&["policy", "set", "p", file.to_str().unwrap()]).1;
    assert!(complaint.contains("/\u{fffd}[31m\u{fffd}bad") && !complaint.contains('\u{1b}'), "{complaint:?}");
    // Each field has a line of its own still.
    assert!(complaint.lines().any(|line| line.starts_with("  /actions/Play/count:")), "{complaint:?}");
    let nowhere = data.path().join("no\u{1b}[31m\nwhere");
    let output = run(&["content", "list"], &nowhere);
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), complaint.lines().count()), (Some(1), 1), "{complaint:?}");
    assert!(complaint.contains("no\u{fffd}[31m\u{fffd}where"), "{complaint:?}");
}
