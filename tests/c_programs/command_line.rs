//! `wmlicense` with a real `wmlicensed`: licenses that one device acquired are backed up and restored on others, until the
//! service refuses one more.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use wmlicense_core::acquire::{LicenseWish, acquire};
use wmlicense_core::client::{Client, OpenSettings, Settings};
use wmlicense_core::clock::SystemClock;
use wmlicense_core::event::Flow;
use wmlicense_core::failure::FailureKind;
use wmlicense_core::individualize::individualize;
use wmlicense_core::operation::Context;
use wmlicense_core::transport::AccountToken;
use wmlicense_testkit::c::compile::{Form, compile};
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::{root, run};
use wmlicense_wire::id::{Digest, Kid};

/// Titles that every service of the tests offers to anybody, one of them not for backup.
const KIDS: [&str; 3] =
    ["c0000000000000000000000000000001", "c0000000000000000000000000000002", "c1000000000000000000000000000001"];

/// What only the second account of the tests may have.
const GOLD: &str = "c5000000000000000000000000000001";

/// Makes a store in `folder` that holds the licenses of an account.
fn stock(folder: &Path, service: &Service, token: &str, kids: &[&str]) {
    let authorities = vec![Digest::from_base64(&service.authority).unwrap()];
    let settings = OpenSettings { store_path: folder.to_path_buf(), authorities };
    let client = Client::open(&settings, Arc::new(SystemClock)).unwrap();
    let account_token = Arc::new(AccountToken::new(token.to_owned()));
    let settings = Settings { service_url: Some(service.url.clone()), account_token, ..Settings::default() };
    let context = || Context::inline(None, |_| Flow::Continue);
    individualize(&client, &settings, false, &context()).unwrap();
    let count = kids.len() as u64;
    let kids = kids.iter().map(|kid| Kid::from_hex(kid).unwrap()).collect();
    let wish = LicenseWish { kids, ..LicenseWish::default() };
    assert_eq!(acquire(&client, &settings, &wish, &context()).unwrap().stored, count);
}

/// What the program is told to restore on a device.
fn words<'w>(store: &'w str, from: &'w str, token: &'w str, service: &'w Service) -> Vec<&'w str> {
    let place = ["restore", "--individualize", "--store", store, "--from", from];
    let whom = ["--service", &service.url, "--authority", &service.authority, "--token-file", token];
    [&place[..], &whom].concat()
}

/// The lines about a part that another account opens, but for its size and page.
const CLOSED: &str =
    " bytes): the license belongs to another account\n  help: give the token of that account with --token-file; see ";

/// Makes `device1` with the licenses of two accounts, `backup` of it and `token` of the first account.
fn back_up_for_two(folder: &Path, service: &Service) {
    let (device, backup) = (folder.join("device1"), folder.join("backup"));
    stock(&device, service, &service.token, &KIDS);
    stock(&device, service, &service.gold_token, &[GOLD]);
    keep_token(&folder.join("token"), &service.token);
    std::fs::create_dir(&backup).unwrap();
    back_up(&device, &backup);
}

/// Writes a token that only its owner reads, as the program wants it.
fn keep_token(file: &Path, token: &str) {
    std::fs::write(file, token).unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// Backs a device up whose licenses are not all for it, and answers what was printed.
fn back_up(device: &Path, backup: &Path) -> String {
    let mut command = Command::new(run::built("wmlicense"));
    let (code, printed) = run::ended(command.arg("backup").arg("--store").arg(device).arg("--to").arg(backup));
    assert_eq!(code, Some(3), "{printed}");
    printed
}

fn revoke(service: &Service, kid: &str) {
    let owner = ["license", "revoke", "--kid", kid, "--data", service.data().to_str().unwrap()];
    run::succeed(Command::new(wmlicense_testkit::daemon::program()).args(owner));
}

/// The library's sentence for a kind of failure, as it stands within a line of the command line.
fn clause(kind: FailureKind) -> String {
    let sentence = kind.sentence();
    sentence[..1].to_lowercase() + sentence[1..].trim_end_matches('.')
}

#[test]
fn a_restore_of_nothing_tells_each_license_and_each_part_too() {
    let service = Service::start();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    back_up_for_two(folder.path(), &service);
    KIDS[..2].iter().for_each(|kid| revoke(&service, kid));
    let (store, from, token) = (path("device2"), path("backup"), path("token"));
    let words = words(&store, &from, &token, &service);
    let program = run::built("wmlicense");
    let ended = |more: &[&str]| {
        let (code, printed) = run::ended(Command::new(&program).args(&words).args(more));
        assert_eq!(code, Some(1), "{printed}");
        printed
    };
    let printed = ended(&[]);
    let revoked = clause(FailureKind::LicenseRevoked);
    let error = format!("the service refuses the restore: {revoked}");
    assert!(printed.starts_with(&format!("error: {error}\n")), "{printed}");
    for kid in &KIDS[..2] {
        assert!(printed.contains(&format!("\nleft out: {kid}: {revoked}\n")), "{printed}");
    }
    assert!(printed.contains("\nclosed: 1 part") && printed.contains(CLOSED), "{printed}");
    let said: serde_json::Value = serde_json::from_str(&ended(&["--json"])).unwrap();
    assert_eq!(said["error"], error, "{said}");
    assert_eq!((&said["restored"], &said["closedSections"]), (&0.into(), &1.into()), "{said}");
    let told = |name: &str| said[name].as_array().unwrap().iter().map(|one| one["reason"].clone()).collect::<Vec<_>>();
    assert_eq!((told("refused"), told("closed")), (vec![4.into(), 4.into()], vec![6.into()]), "{said}");
}

#[test]
fn a_restore_in_part_tells_each_reason_and_ends_with_a_code_of_its_own_as_its_preview_does() {
    let service = Service::start();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    back_up_for_two(folder.path(), &service);
    revoke(&service, KIDS[1]);
    let program = run::built("wmlicense");
    let (store, from, token) = (path("device2"), path("backup"), path("token"));
    let words = words(&store, &from, &token, &service);
    let ended = |more: &[&str]| {
        let (code, printed) = run::ended(Command::new(&program).args(&words).args(more));
        assert_eq!(code, Some(3), "{printed}");
        printed
    };
    // Whoever agreed that the device gets an ID need not restore before a preview.
    let printed = ended(&["--preview"]);
    let clause = clause(FailureKind::LicenseRevoked);
    assert!(printed.contains(&format!("Title 2: {clause}")) && printed.contains(CLOSED), "{printed}");
    assert!(printed.ends_with("1 license would be restored, 1 not\n"), "{printed}");
    let printed = ended(&[]);
    assert!(printed.starts_with("1 license restored, 1 left out\n"), "{printed}");
    let revoked = format!("left out: {}: {clause}\n", KIDS[1]);
    assert!(printed.contains(&revoked) && printed.contains(CLOSED), "{printed}");
    let object =
        |more: &[&str]| -> serde_json::Value { serde_json::from_str(&ended(&[more, &["--json"]].concat())).unwrap() };
    let (restored, previewed) = (object(&[]), object(&["--preview"]));
    assert_eq!((&restored["restored"], &previewed["restorable"]), (&1.into(), &1.into()));
    assert_eq!((&restored["refused"][0]["reason"], &restored["refused"][0]["kid"]), (&4.into(), &KIDS[1].into()));
    for said in [&restored, &previewed] {
        assert_eq!((&said["partial"], &said["closedSections"]), (&true.into(), &1.into()), "{said}");
        assert_eq!((&said["closed"][0]["reason"], &said["closed"][0]["sections"]), (&6.into(), &1.into()), "{said}");
        assert!(said["closed"][0]["url"].as_str().unwrap().starts_with(&service.url), "{said}");
    }
}

#[test]
fn the_command_line_moves_licenses_to_as_many_devices_as_the_service_allows() {
    let service = Service::start();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    stock(Path::new(&path("device1")), &service, &service.token, &KIDS);
    keep_token(Path::new(&path("token")), &service.token);
    std::fs::create_dir(path("backup")).unwrap();
    let program = run::built("wmlicense");
    let wmlicense = |words: &[&str]| {
        let mut command = Command::new(&program);
        command.args(words);
        command
    };

    let made = back_up(Path::new(&path("device1")), Path::new(&path("backup")));
    assert!(made.starts_with("2 licenses in ") && made.contains("(Not for backup)"), "{made}");
    let here = run::succeed(&mut wmlicense(&["restore", "--store", &path("device1"), "--from", &path("backup")]));
    assert_eq!(here, "2 licenses restored\n");

    let restore = |device: &str| wmlicense(&words(&path(device), &path("backup"), &path("token"), &service));
    for device in ["device2", "device3", "device4"] {
        assert_eq!(run::succeed(&mut restore(device)), "2 licenses restored\n", "{device}");
    }
    let listed = run::succeed(&mut wmlicense(&["list", "--store", &path("device2")]));
    assert!(listed.ends_with("2 licenses\n"), "{listed}");
    // A device that has them asks free of a seat; one more device has none left.
    assert_eq!(run::succeed(&mut restore("device2")), "2 licenses restored\n");
    let refused = run::fail(&mut restore("device5"));
    assert!(refused.contains(&clause(FailureKind::DeviceLimit)) && refused.contains("/support"), "{refused}");
    let empty = run::succeed(&mut wmlicense(&["list", "--store", &path("device5")]));
    assert_eq!(empty, "0 licenses\n");
}

/// The sentence of the library that the example `restore` ends with where it fails, as C reads it.
fn told_in_c(example: &Path, words: &[&str]) -> String {
    let (code, printed) = run::ended(run::limited([example.to_str().unwrap()]).args(words));
    assert_eq!(code, Some(1), "{printed}");
    let last = printed.lines().last().unwrap();
    let mut parts = last.splitn(3, ": ");
    let (step, result) = (parts.next(), parts.next());
    assert!(step.is_some() && result.is_some_and(|result| result.starts_with("WM_E_")), "{printed}");
    parts.next().unwrap().to_owned()
}

#[test]
fn for_the_same_failure_the_library_in_c_and_the_command_line_say_the_same_sentence() {
    let service = Service::start();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    back_up_for_two(folder.path(), &service);
    let example = compile("gcc", Form::Shared, &root().join("examples-c/restore.c"), folder.path());
    let program = run::built("wmlicense");
    std::fs::create_dir(path("empty")).unwrap();
    std::fs::create_dir(path("cut")).unwrap();
    for entry in std::fs::read_dir(path("backup")).unwrap() {
        let entry = entry.unwrap();
        let whole = std::fs::read(entry.path()).unwrap();
        std::fs::write(Path::new(&path("cut")).join(entry.file_name()), &whole[..whole.len() / 2]).unwrap();
    }
    std::fs::write(path("no folder"), b"").unwrap();
    KIDS[..2].iter().for_each(|kid| revoke(&service, kid));
    // Nobody listens there.
    let away = "http://127.0.0.1:1";
    for (store, from, url) in [
        ("device1", "empty", None),
        ("device1", "not there", None),
        ("device1", "cut", None),
        ("no folder", "backup", None),
        ("device2", "backup", Some(away)),
        ("device3", "backup", Some(service.url.as_str())),
    ] {
        let (store, from) = (path(store), path(from));
        let mut in_c = vec![store.as_str(), &service.authority, &from];
        let mut words = vec!["restore", "--store", &store, "--from", &from];
        let token = path("token");
        if let Some(url) = url {
            in_c.extend([url, &service.token]);
            words.extend(["--individualize", "--service", url, "--token-file", &token]);
            words.extend(["--authority", &service.authority]);
        }
        let sentence = told_in_c(&example, &in_c);
        let clause = sentence[..1].to_lowercase() + sentence[1..].trim_end_matches('.');
        let (code, printed) = run::ended(Command::new(&program).args(&words));
        let line = printed.lines().next().and_then(|line| line.strip_prefix("error: ")).unwrap_or_default();
        // What the service refuses the command line says with who refuses.
        let said = line.strip_prefix("the service refuses the restore: ").unwrap_or(line);
        assert_eq!((said, code), (clause.as_str(), Some(1)), "{printed}");
    }
}
