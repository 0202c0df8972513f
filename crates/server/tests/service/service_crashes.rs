//! A running service that is killed, or meets a failing disk, while devices ask it: every answer that left is given again with the
//! same bytes, the same requests lead to the same end, and nothing counts twice. `WM_TEST_CRASH_ALL=1` tries every point.
#![allow(unreachable_pub)]

mod life;

use life::{ASKED, Life};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use wmlicense_testkit::crash::{Fault, Point, at_each_call_of, can_trace, copy};
use wmlicense_testkit::daemon::device::Known;
use wmlicense_testkit::daemon::{COUNTED, Data, GOLD, NO_BACKUP, OPEN, Serving};
use wmlicense_wire::id::Digest;

/// What changes the database. The process writes elsewhere as well, in as many calls as its threads happen to make.
const DATABASE: &str = "pwrite64,fsync,fdatasync,ftruncate,unlink";
/// What goes between a service and those who ask it.
const NETWORK: &str = "accept4,recvfrom,sendto,writev,shutdown";

/// Rows of each table.
fn rows(data: &Path) -> BTreeMap<String, i64> {
    let database = rusqlite::Connection::open(data.join("wmlicensed.db")).unwrap();
    let mut list =
        database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'").unwrap();
    let names: Vec<String> = list.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    let count =
        |name: &String| database.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get(0)).unwrap();
    names.into_iter().map(|name| (count(&name), name)).map(|(count, name)| (name, count)).collect()
}

/// A folder with a service's data in it, its authority, and the token of an account.
fn base() -> (tempfile::TempDir, Digest, String) {
    let data = Data::new();
    data.open_content(OPEN, None);
    data.admin(&["content", "add", "--kid", GOLD, "--key", wmlicense_testkit::daemon::KEY, "--scope", "gold"]);
    data.policy("counted", r#"{"actions":{"Play":{"count":5}},"backup":"stateful"}"#);
    data.open_content(COUNTED, Some("counted"));
    data.policy("asked", r#"{"actions":{"Play":{}},"interaction":"page"}"#);
    data.open_content(ASKED, Some("asked"));
    data.admin(&["license", "revoke", "--kid", NO_BACKUP]);
    let token = data.account("someone", &["gold"]);
    let base = tempfile::tempdir().unwrap();
    copy(data.path(), &base.path().join("data"));
    (base, data.authority, token)
}

/// A life beside a service that meets a fault. True if it came to its end.
fn lived(mut strace: Command, data: &Path, authority: Digest, token: &str, fault: Fault) -> (Life, bool) {
    // The service itself is the child, so that it can be told to end.
    strace.arg("-D");
    let mut life = Life::new(token);
    let is_killed = matches!(fault, Fault::Kill);
    let mut serving = match Serving::start(Some(strace), data, &[]) {
        Ok(serving) => serving,
        Err(complaint) => {
            assert!(is_killed || complaint.starts_with("wmlicensed: "), "{complaint}");
            return (life, false);
        }
    };
    let well = Known::try_discover(&serving.url, authority).is_some_and(|known| life.live(&known).is_ok());
    let is_alive = serving.is_alive();
    let log = if is_alive { serving.terminate().1 } else { serving.kill() };
    assert!(is_killed || (is_alive && well), "one call that fails ends no service: {log}");
    assert!(!log.contains("panicked"), "{log}");
    (life, well)
}

/// Serves what a fault left, asks for all answers again and lets the life come to its end. Gives what is in the database then.
fn ended(mut life: Life, data: &Path, authority: Digest, after: &Point) -> BTreeMap<String, i64> {
    let mut serving = Serving::start(None, data, &[]).unwrap_or_else(|why| panic!("{why} after {after:?}"));
    let known = Known::discover(&serving.url, authority);
    life.check_recorded(&known, after);
    life.live(&known).unwrap();
    life.check_recorded(&known, after);
    assert_eq!(serving.terminate().0, Some(0), "after {after:?}");
    let mut rows = rows(data);
    // Of what is counted for the owner the last seconds before an end go with it.
    assert!(rows.remove("tally").is_some());
    rows
}

#[test]
fn nothing_that_left_is_lost_and_nothing_counts_twice() {
    if !can_trace() {
        return;
    }
    let (base, authority, token) = base();
    let whole = tempfile::tempdir().unwrap();
    copy(base.path(), whole.path());
    let undisturbed = Point { call: "none".to_owned(), number: 0 };
    let expected = ended(Life::new(&token), &whole.path().join("data"), authority, &undisturbed);
    let told =
        ["device", "license", "granted_again", "revocation_blob", "acknowledgement"].map(|table| expected[table]);
    assert_eq!(told, [2, 4, 1, 1, 1], "{expected:?}");
    let faults = [
        (DATABASE, 24, Fault::Kill),
        (DATABASE, 12, Fault::Error("ENOSPC")),
        (DATABASE, 12, Fault::Error("EIO")),
        (NETWORK, 12, Fault::Kill),
    ];
    let at = |(calls, most, fault)| {
        let left = RefCell::new(None);
        let run = |strace: Command, folder: &Path| {
            let (life, well) = lived(strace, &folder.join("data"), authority, &token, fault);
            *left.borrow_mut() = Some(life);
            well
        };
        let serve = ("wmlicensed serve", &run as wmlicense_testkit::crash::Run<'_>);
        at_each_call_of(serve, &[], calls, base.path(), (most, fault), &mut |folder, point, _| {
            let life = left.borrow_mut().take().unwrap();
            assert_eq!(ended(life, &folder.join("data"), authority, point), expected, "after {point:?} {fault:?}");
        })
    };
    let tried: usize = faults.into_iter().map(at).sum();
    assert!(tried >= 50, "{tried} points");
}
