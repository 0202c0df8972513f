//! Commands that are killed at any call that changes the disk, or refused by the disk there: what they change is the old or the
//! new, what they printed is true, and the same command goes on from there. `WM_TEST_CRASH_ALL=1` tries every point.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use wmlicense_testkit::crash::{Fault, Point, at_each_call_of, can_trace, copy};
use wmlicense_testkit::daemon::device::{Device, Known, agent, get};
use wmlicense_testkit::daemon::{Data, GOLD, KEY, OPEN, Serving, run, run_under};
use wmlicense_wire::id::Digest;
use wmlicense_wire::problem::ProblemKind;

const CHANGES: &str =
    "write,pwrite64,fsync,fdatasync,ftruncate,mkdir,rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat";

/// What a command left that met a fault.
struct Left<'a> {
    data: &'a Path,
    point: &'a Point,
    well: bool,
    printed: String,
}

impl Left<'_> {
    /// What was printed behind this word, if the line is whole.
    fn told(&self, word: &str) -> Option<&str> {
        let whole = self.printed.strip_suffix('\n')?;
        whole.lines().find_map(|line| line.strip_prefix(word))
    }
}

/// Runs a command over copies of `base`, each time with one fault: killed at up to `most` points, and with a full and a broken
/// disk at a third as many. A command that fails by itself says why.
fn at_all_faults(words: &[&str], base: &Path, most: usize, check: &dyn Fn(&Left<'_>)) -> usize {
    let faults = [(most, Fault::Kill), (most / 3, Fault::Error("ENOSPC")), (most / 3, Fault::Error("EIO"))];
    let name = format!("wmlicensed {}", words[0]);
    let at = |(most, fault): (usize, Fault)| {
        let output = RefCell::new(None);
        let run = |strace: Command, folder: &Path| {
            let ended = run_under(Some(strace), words, &folder.join("data"));
            let well = ended.status.success();
            *output.borrow_mut() = Some(ended);
            well
        };
        at_each_call_of((&name, &run), &[], CHANGES, base, (most, fault), &mut |folder, point, well| {
            let ended = output.borrow_mut().take().unwrap();
            let complaint = String::from_utf8(ended.stderr).unwrap();
            match fault {
                Fault::Kill => assert!(!well, "{point:?} was not reached"),
                Fault::Error(_) => {
                    let told = ended.status.code() == Some(1) && complaint.starts_with("wmlicensed: ");
                    assert!(well || told, "{point:?} {fault:?}: {:?} {complaint}", ended.status);
                }
            }
            let printed = String::from_utf8(ended.stdout).unwrap();
            check(&Left { data: &folder.join("data"), point, well, printed });
        })
    };
    faults.into_iter().map(at).sum()
}

/// A copy of a data folder to try at.
fn base_of(data: &Data) -> tempfile::TempDir {
    let base = tempfile::tempdir().unwrap();
    copy(data.path(), &base.path().join("data"));
    base
}

/// Runs a command that has to succeed.
fn admin(data: &Path, words: &[&str], after: &Point) -> String {
    let output = run(words, data);
    assert!(output.status.success(), "{words:?} after {after:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What is served, to whom trusts `authority`.
fn served(data: &Path, authority: &str, after: &Point) -> (Serving, Known) {
    let serving = Serving::start(None, data, &[]).unwrap_or_else(|complaint| panic!("after {after:?}: {complaint}"));
    let known = Known::discover(&serving.url, Digest::from_base64(authority).unwrap());
    assert_eq!(get(&format!("{}/readyz", serving.management)).status, 200, "after {after:?}");
    (serving, known)
}

/// The files below a folder, their random parts left out.
fn files(folder: &Path) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        match entry.file_type().unwrap().is_dir() {
            true => names.extend(files(&entry.path())),
            false if name.ends_with("-wal") || name.ends_with("-shm") => {}
            false => names.push(name.split(['-', '.']).next().unwrap().to_owned()),
        }
    }
    names.sort_unstable();
    names
}

#[test]
fn a_service_that_was_being_made_can_be_made_again() {
    if !can_trace() {
        return;
    }
    let base = tempfile::tempdir().unwrap();
    let whole = Data::new();
    let tried = at_all_faults(&["init"], base.path(), 24, &|left| {
        let Left { data, point, .. } = left;
        let listed = run(&["content", "list"], data);
        let complaint = String::from_utf8(listed.stderr).unwrap();
        assert!(listed.status.success() || complaint.contains("wmlicensed init"), "after {point:?}: {complaint}");
        let told = left.told("authority: ");
        let again = run(&["init"], data);
        let complaint = String::from_utf8(again.stderr).unwrap();
        let authority = if again.status.success() {
            assert!(!left.well, "made a second time");
            let printed = String::from_utf8(again.stdout).unwrap();
            printed.strip_prefix("authority: ").unwrap().trim().to_owned()
        } else {
            // Whoever was told has a whole service, whatever came after.
            assert!(complaint.contains("holds a service already"), "init after {point:?}: {complaint}");
            told.unwrap().to_owned()
        };
        assert!(told.is_none_or(|told| told == authority), "after {point:?}");
        // Who lost what was printed finds it in the refusal.
        let complaint = String::from_utf8(run(&["init"], data).stderr).unwrap();
        assert!(complaint.contains("holds a service already") && complaint.contains(&authority), "{complaint}");
        served(data, &authority, point);
        assert_eq!(files(data), files(whole.path()), "after {point:?}");
    });
    assert!(tried >= 24, "{tried} points");
}

#[test]
fn certificates_that_were_being_renewed_are_the_old_ones_or_the_new_ones() {
    if !can_trace() {
        return;
    }
    let data = Data::new();
    let authority = data.authority.to_base64();
    let tried = at_all_faults(&["certificate", "renew"], base_of(&data).path(), 15, &|left| {
        let Left { data, point, .. } = left;
        served(data, &authority, point);
        let printed = admin(data, &["certificate", "renew"], point);
        assert_eq!(printed.lines().count(), 3, "after {point:?}: {printed}");
        served(data, &authority, point);
        let left =
            std::fs::read_dir(data.join("keys")).unwrap().chain(std::fs::read_dir(data.join("certificates")).unwrap());
        let kinds = left.map(|entry| entry.unwrap().path().extension().unwrap().to_owned());
        assert!(kinds.into_iter().all(|kind| kind == "key" || kind == "cose"), "what is left after {point:?}");
    });
    assert!(tried >= 15, "{tried} points");
}

/// True if the service knows the account of a token.
fn counts(serving: &Serving, token: &str) -> bool {
    let request = agent().post(format!("{}/v1/licenses", serving.url)).content_type("application/cose");
    let sent = request.header("authorization", format!("Bearer {token}")).send(&[0_u8][..]);
    match wmlicense_testkit::daemon::device::Reply::read(sent.unwrap()).problem() {
        ProblemKind::Unauthorized => false,
        ProblemKind::BadRequest => true,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_token_of_an_account_that_was_being_added_can_be_had() {
    if !can_trace() {
        return;
    }
    let data = Data::new();
    let authority = data.authority.to_base64();
    let words = ["account", "add", "alice", "--scope", "gold"];
    let tried = at_all_faults(&words, base_of(&data).path(), 12, &|left| {
        let Left { data, point, .. } = left;
        let (serving, _) = served(data, &authority, point);
        let told = left.told("token: ");
        assert!(told.is_some() || !left.well, "after {point:?}");
        assert!(told.is_none_or(|token| counts(&serving, token)), "after {point:?}");
        let again = run(&words, data);
        let complaint = String::from_utf8(again.stderr).unwrap();
        let printed = if again.status.success() {
            String::from_utf8(again.stdout).unwrap()
        } else {
            // The complaint says what helps.
            assert!(complaint.contains("wmlicensed account token alice"), "after {point:?}: {complaint}");
            admin(data, &["account", "token", "alice"], point)
        };
        let token = printed.strip_prefix("token: ").unwrap().trim();
        assert!(counts(&serving, token) && told.is_none_or(|old| !counts(&serving, old)), "after {point:?}");
    });
    assert!(tried >= 12, "{tried} points");
}

#[test]
fn a_token_that_was_being_replaced_is_the_old_one_or_the_new_one() {
    if !can_trace() {
        return;
    }
    let data = Data::new();
    let old = data.account("alice", &["gold"]);
    let authority = data.authority.to_base64();
    let tried = at_all_faults(&["account", "token", "alice"], base_of(&data).path(), 9, &|left| {
        let Left { data, point, .. } = left;
        let (serving, known) = served(data, &authority, point);
        let told = left.told("token: ");
        assert!(told.is_some() || !left.well, "after {point:?}");
        assert!(told.is_none_or(|token| counts(&serving, token) && !counts(&serving, &old)), "after {point:?}");
        let printed = admin(data, &["account", "token", "alice"], point);
        let token = printed.strip_prefix("token: ").unwrap().trim();
        assert!(counts(&serving, token) && !counts(&serving, &old), "after {point:?}");
        admin(data, &["content", "add", "--kid", GOLD, "--key", KEY, "--scope", "gold"], point);
        let (_, held) = Device::individualized(&known).acquire(&known, &[GOLD], Some(token));
        assert_eq!(held.len(), 1, "it is the same account, after {point:?}");
    });
    assert!(tried >= 9, "{tried} points");
}

/// The lines of a list; without what is made anew each time, where that is the identifiers.
fn shown(data: &Path, list: &[&str], after: &Point) -> BTreeSet<Vec<String>> {
    let made_anew = ["revocation", "subscription"].contains(&list[0]);
    let is_id = |word: &&str| word.len() >= 10 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = |line: &str| {
        line.split_whitespace().filter(|word| !made_anew || !is_id(word)).map(str::to_owned).collect::<Vec<_>>()
    };
    admin(data, list, after).lines().map(words).collect()
}

#[test]
fn what_an_owner_was_changing_is_the_old_or_the_new_and_may_be_said_again() {
    if !can_trace() {
        return;
    }
    let data = Data::new();
    data.open_content(OPEN, None);
    data.account("nobody", &[]);
    let (list, policy) = (data.path().join("keys.csv"), data.path().join("new.json"));
    let lines: Vec<String> = (2..600).map(|number| format!("{number:032x},{KEY},Title {number}")).collect();
    std::fs::write(&list, lines.join("\n")).unwrap();
    std::fs::write(&policy, r#"{"backup":"stateful"}"#).unwrap();
    data.policy("terms", r#"{"backup":true}"#);
    let base = base_of(&data);
    let (list, policy) = (list.to_str().unwrap(), policy.to_str().unwrap());
    let changes: [(&[&str], &[&str]); 5] = [
        (&["content", "import", list, "--open"], &["content", "list"]),
        (&["content", "remove", OPEN], &["content", "list"]),
        (&["policy", "set", "terms", policy], &["policy", "show", "terms"]),
        (&["subscription", "add", "music", "--open"], &["subscription", "list"]),
        (&["license", "revoke", "--kid", OPEN], &["revocation", "list"]),
    ];
    let undisturbed = Point { call: "none".to_owned(), number: 0 };
    let mut tried = 0;
    for (words, view) in changes {
        let before = shown(&base.path().join("data"), view, &undisturbed);
        let changed = base_of(&data);
        admin(&changed.path().join("data"), words, &undisturbed);
        let after = shown(&changed.path().join("data"), view, &undisturbed);
        tried += at_all_faults(words, base.path(), 6, &|left| {
            let Left { data, point, well, .. } = left;
            let found = shown(data, view, point);
            assert!(found == after || (found == before && !well), "{words:?} after {point:?}: {found:?}");
            admin(data, words, point);
            assert_eq!(shown(data, view, point), after, "{words:?} after {point:?}");
        });
    }
    assert!(tried >= 40, "{tried} points");
}

#[test]
fn a_database_that_was_being_migrated_is_the_old_one_or_the_new_one() {
    if !can_trace() {
        return;
    }
    let data = Data::new();
    let path = data.path().join("wmlicensed.db");
    for end in ["", "-wal", "-shm"] {
        std::fs::remove_file(data.path().join(format!("wmlicensed.db{end}"))).ok();
    }
    let first = rusqlite::Connection::open(&path).unwrap();
    first.execute_batch(include_str!("../../src/store/sqlite/schema.sql")).unwrap();
    first.pragma_update(None, "user_version", 1).unwrap();
    first.execute("INSERT INTO policy VALUES ('terms', '{}', 7)", []).unwrap();
    drop(first);
    let version = |data: &Path| -> i64 {
        let database = rusqlite::Connection::open(data.join("wmlicensed.db")).unwrap();
        let sound: String = database.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
        database.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    };
    let whole = base_of(&data);
    run(&["stats"], &whole.path().join("data"));
    let newest = version(&whole.path().join("data"));
    assert!(newest > 1);
    let tried = at_all_faults(&["policy", "list"], base_of(&data).path(), 9, &|left| {
        let Left { data, point, well, .. } = left;
        let found = version(data);
        assert!(found == newest || (found == 1 && !well), "schema {found} after {point:?}");
        assert_eq!(admin(data, &["policy", "show", "terms"], point), "{}\n", "after {point:?}");
        assert_eq!(version(data), newest, "after {point:?}");
    });
    assert!(tried >= 9, "{tried} points");
}
