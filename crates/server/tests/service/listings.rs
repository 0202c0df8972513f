//! Lists that tell who, in part and page by page, and the audit of what the owner did.

use std::process::Command;
use wmlicense_testkit::daemon::device::{Device, Known};
use wmlicense_testkit::daemon::{COUNTED, Data, GOLD, KEY, OPEN, program, run};

/// The rows that a list prints line by line, and the cursor behind them.
fn page(data: &Data, words: &[&str]) -> (Vec<serde_json::Value>, Option<String>) {
    let printed = data.admin(&[words, &["--json-lines"]].concat());
    let mut rows: Vec<serde_json::Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let cursor = rows.last().and_then(|row| row.get("cursor")).map(|cursor| cursor.as_str().unwrap().to_owned());
    if cursor.is_some() {
        rows.pop();
    }
    (rows, cursor)
}

#[test]
fn a_list_tells_whose_license_it_is_on_which_device_for_which_title() {
    let data = Data::new();
    data.fill();
    data.admin(&["content", "add", "--kid", GOLD, "--key", KEY, "--scope", "gold", "--title", "The Gold Film"]);
    let (alice, bob) = (data.account("alice", &["gold"]), data.account("bob", &["gold"]));
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let (first, second) = (Device::individualized(&known), Device::individualized(&known));
    let (_, held) = first.acquire(&known, &[GOLD], Some(&alice));
    first.acquire(&known, &[OPEN], None);
    second.acquire(&known, &[GOLD], Some(&bob));
    let backup = first.back_up(&known, &held, held[0].license.policy.user);
    assert_eq!(second.restore(&known, &backup, Some(&alice)).1.len(), 1);
    let (one, two) = (first.id().to_hex(), second.id().to_hex());
    let count = |words: &[&str]| data.json(words).as_array().unwrap().len();
    assert_eq!(count(&["license", "list", "--account", "alice"]), 1);
    assert_eq!(count(&["license", "list", "--device", &one]), 2);
    assert_eq!(count(&["license", "list", "--kid", GOLD]), 2);
    assert_eq!(count(&["license", "list", "--title", "gold film"]), 2);
    assert_eq!(count(&["license", "list", "--title", "gold film", "--device", &one]), 1);
    assert_eq!(count(&["license", "list", "--until", "2001-01-01T00:00:00Z"]), 0);
    let restores = data.json(&["restore", "list"]);
    assert_eq!(restores.as_array().unwrap().len(), 1);
    let row = &restores[0];
    assert_eq!(
        (&row["account"], &row["title"], &row["device"]),
        (&"alice".into(), &"The Gold Film".into(), &two.clone().into())
    );
    assert_eq!(
        (count(&["restore", "list", "--account", "alice"]), count(&["restore", "list", "--account", "bob"])),
        (1, 0)
    );
    let devices = |words: &[&str]| {
        let rows = data.json(&[&["device", "list"], words].concat());
        rows.as_array()
            .unwrap()
            .iter()
            .map(|row| (row["device"].as_str().unwrap().to_owned(), row["accounts"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(devices(&["--device", &two]), [(two.clone(), serde_json::json!(["alice", "bob"]))]);
    assert_eq!(devices(&["--account", "bob"]).len(), 1);
    assert_eq!((devices(&["--account", "alice"]).len(), devices(&["--kid", OPEN]).len()), (2, 1));
    assert_eq!(
        (count(&["content", "list", "--account", "alice"]), count(&["content", "list", "--scope", "gold"])),
        (5, 1)
    );
    assert_eq!((count(&["content", "list", "--device", &one]), count(&["content", "list", "--kid", COUNTED])), (2, 1));
    let (status, complaint) = data.fails(&["license", "list", "--account", "alise"]);
    assert!(status == 1 && complaint.contains("no account alise"), "{complaint}");
    assert_eq!(data.fails(&["license", "list", "--since", "yesterday"]).0, 2);
}

#[test]
fn pages_go_on_where_they_ended_whatever_comes_meanwhile() {
    let data = Data::new();
    for number in 0..5 {
        data.open_content(&format!("c{number:031x}"), None);
    }
    let kids =
        |rows: &[serde_json::Value]| rows.iter().map(|row| row["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let (first, cursor) = page(&data, &["content", "list", "--limit", "2"]);
    let cursor = cursor.unwrap();
    assert_eq!(kids(&first), [format!("c{:031x}", 0), format!("c{:031x}", 1)]);
    // One comes before the place, one behind it, and the row that the page ended with goes.
    data.open_content(&format!("b{:031x}", 0), None);
    data.open_content(&format!("c{:030x}f", 0x1), None);
    data.admin(&["content", "remove", &format!("c{:031x}", 1)]);
    let (second, next) = page(&data, &["content", "list", "--limit", "3", "--cursor", &cursor]);
    assert_eq!(kids(&second), [2, 3, 4].map(|number| format!("c{number:031x}")));
    let (last, end) = page(&data, &["content", "list", "--limit", "3", "--cursor", &next.unwrap()]);
    assert_eq!((kids(&last), end), (vec![format!("c{:030x}f", 0x1)], None));
    // For people it stands apart from the rows.
    let output = run(&["content", "list", "--limit", "2"], data.path());
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 3);
    assert!(String::from_utf8(output.stderr).unwrap().starts_with("more: --cursor content."));
    for (list, wrong) in [("license", cursor.as_str()), ("content", "content.!"), ("content", "")] {
        let (status, complaint) = data.fails(&[list, "list", "--cursor", wrong]);
        assert!(status == 1 && complaint.contains("none of this list"), "{complaint}");
    }
    assert_eq!(data.fails(&["content", "list", "--limit", "0"]).0, 2);
}

#[test]
fn what_the_owner_does_is_written_down_and_what_devices_ask_is_not() {
    let data = Data::new();
    data.fill();
    let token = data.account("alice", &["gold"]);
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    device.acquire(&known, &[GOLD], Some(&token));
    let before = data.json(&["audit", "list"]).as_array().unwrap().len();
    device.acquire(&known, &[OPEN, COUNTED], None);
    assert_eq!(data.json(&["audit", "list"]).as_array().unwrap().len(), before);
    data.admin(&["account", "change", "alice", "--add-scope", "silver"]);
    data.admin(&["account", "token", "alice", "--name", "tv"]);
    data.policy("counted", r#"{"actions":{"Play":{"count":7}}}"#);
    data.admin(&["content", "remove", OPEN]);
    data.admin(&["license", "revoke", "--account", "alice"]);
    data.admin(&["license", "give", &device.id().to_hex(), COUNTED]);
    data.admin(&["application", "revoke", "Example Player"]);
    data.admin(&["device", "revoke", &device.id().to_hex()]);
    data.admin(&["certificate", "renew"]);
    data.admin(&["status", "publish"]);
    data.admin(&["account", "remove", "alice"]);
    let audit = data.json(&["audit", "list"]);
    let acts: Vec<&str> = audit.as_array().unwrap().iter().map(|row| row["act"].as_str().unwrap()).collect();
    let expected = [
        "account remove",
        "status publish",
        "certificate renew",
        "device revoke",
        "application revoke",
        "license give",
        "license revoke",
        "content remove",
        "policy set",
        "account token",
        "account change",
        "account add",
    ];
    assert_eq!(acts[..expected.len()], expected);
    let change = &data.json(&["audit", "list", "--act", "account change"])[0];
    assert_eq!(
        (&change["about"], &change["was"], &change["became"]),
        (&"alice".into(), &"scopes gold".into(), &"scopes gold, silver".into())
    );
    let policy = &data.json(&["audit", "list", "--act", "policy", "--about", "counted", "--limit", "1"])[0];
    assert!(policy["was"].as_str().unwrap().contains("5") && policy["became"].as_str().unwrap().contains("7"));
    let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    // Under sudo somebody else is named beside it.
    let who = audit[0]["who"].as_str().unwrap();
    assert!(who == user.trim() || who.starts_with(&format!("{} for ", user.trim())), "{who}");
    assert!(audit.as_array().unwrap().iter().all(|row| row["who"] == who), "{audit}");
    assert_eq!(data.json(&["audit", "list", "--who", who]), audit);
    assert_eq!(data.json(&["audit", "list", "--who", "nobody else"]), serde_json::json!([]));
    assert!(!audit.to_string().contains(&token), "{audit}");
    // What failed left no row, nor did what only looked.
    data.fails(&["account", "change", "bob", "--add-scope", "x"]);
    assert_eq!(data.json(&["audit", "list"]), audit);
}

#[test]
fn who_acts_by_sudo_is_named_beside_the_user() {
    let data = Data::new();
    let added = Command::new(program())
        .args(["account", "add", "alice", "--data"])
        .arg(data.path())
        .env("SUDO_USER", "carol")
        .output()
        .unwrap();
    assert!(added.status.success());
    assert!(data.json(&["audit", "list"])[0]["who"].as_str().unwrap().ends_with(" for carol"));
}
