//! A store with licenses: listed, backed up, restored on the device that made the backup, without any network.

use super::program::command;
use serde_json::{Value, json};
use std::path::Path;
use wmlicense_testkit::home::Home;
use wmlicense_testkit::{World, kid, tamper};
use wmlicense_wire::policy::{BackupRight, Conditions, Policy};

/// Runs the program with `--json` and gives its object; it ends with this exit code.
fn run(exit: i32, words: &[&str]) -> Value {
    let output = command().args(words).arg("--json").output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(exit), "{words:?}: {printed}{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str(&printed).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A home with a plain license, one that may not be backed up, and one that is counted.
fn stocked(world: &World) -> Home<'_> {
    let home = Home::new(world);
    let counted = Conditions { count: Some(2), ..Conditions::default() };
    let plain = Policy { title: Some("Plain".to_owned()), ..world.policy(kid(1)) };
    let kept = Policy { backup: BackupRight::No, title: Some("Not for backup".to_owned()), ..world.policy(kid(2)) };
    let counted = Policy { backup: BackupRight::Stateful, ..world.policy_with(kid(3), counted) };
    home.acquire(&[plain, kept, counted]).unwrap();
    home
}

#[test]
fn licenses_are_listed_backed_up_and_restored_where_they_were() {
    let world = World::new();
    let home = stocked(&world);
    let store = text(home.path());

    let listed = run(0, &["list", "--store", store]);
    let licenses = listed["licenses"].as_array().unwrap();
    assert_eq!(licenses.len(), 3);
    let of = |number| licenses.iter().find(|license| license["kid"] == kid(number).to_hex()).unwrap();
    assert_eq!(of(1)["mayBackUp"], true);
    assert_eq!((&of(2)["mayBackUp"], &of(2)["title"]), (&Value::from(false), &Value::from("Not for backup")));
    assert_eq!(of(3)["actions"][0]["countsLeft"], 2);

    let place = tempfile::tempdir().unwrap();
    let backup = ["backup", "--store", store, "--to", text(place.path())];
    let made = run(3, &backup);
    assert_eq!(made["partial"], true);
    assert_eq!(made["backedUp"], 2);
    assert_eq!(made["restricted"].as_array().unwrap().len(), 1);
    assert_eq!(made["restricted"][0]["title"], "Not for backup");
    let refused = run(1, &backup);
    assert!(refused["remedy"].as_str().unwrap().contains("--overwrite"), "{refused}");
    run(3, &[&backup[..], &["--overwrite"]].concat());
    let nowhere = place.path().join("missing");
    let refused = run(1, &["backup", "--store", store, "--to", text(&nowhere)]);
    assert!(refused["error"].as_str().unwrap().starts_with("the folder cannot be used: No such file"), "{refused}");
    assert_eq!(run(0, &["verify", "--store", store, "--from", text(place.path())])["licenses"], 2);
    let preview = run(0, &["restore", "--preview", "--store", store, "--from", text(place.path())]);
    assert_eq!((&preview["restorable"], &preview["refused"]), (&Value::from(2), &Value::from(0)));
    assert_eq!(preview["licenses"].as_array().unwrap().len(), 2);

    let file = place.path().join("licenses.wmbackup");
    let shown = run(0, &["dump", text(&file)]);
    assert_eq!(shown["kind"], "backup header");
    assert_eq!(shown["fields"]["sections"].as_array().unwrap().len(), 1);

    let empty = home.without_store();
    let restore = ["restore", "--store", text(empty.path()), "--from", text(place.path())];
    // The counted license is another store's, and only the service knows what is left of it.
    let looked = run(3, &[&restore[..], &["--preview"]].concat());
    assert_eq!((&looked["restorable"], &looked["refused"], &looked["undecided"]), (&json!(1), &json!(0), &json!(1)));
    assert_eq!(looked["partial"], true);
    let partial = run(3, &restore);
    assert_eq!((&partial["restored"], &partial["partial"]), (&json!(1), &json!(true)));
    let left_out = &partial["undecided"][0];
    assert_eq!((&left_out["kid"], &left_out["reason"]), (&json!(kid(3).to_hex()), &Value::Null));
    assert!(left_out["text"].as_str().unwrap().contains("no service URL"), "{partial}");
    assert!(left_out["help"].as_str().unwrap().contains("--service"), "{partial}");
    let again = run(0, &["restore", "--store", store, "--from", text(place.path())]);
    assert_eq!((&again["restored"], &again["askedService"]), (&Value::from(2), &Value::from(false)));
}

/// What the program prints for people, and its exit code.
fn printed(words: &[&str]) -> (Option<i32>, String) {
    let output = command().args(words).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_restore_in_part_says_so_by_text_and_exit_code_and_a_preview_says_it_before() {
    let world = World::new();
    let home = stocked(&world);
    let place = tempfile::tempdir().unwrap();
    run(3, &["backup", "--store", text(home.path()), "--to", text(place.path())]);
    let lost = home.without_store();
    let words = ["restore", "--store", text(lost.path()), "--from", text(place.path())];
    let (code, said) = printed(&[&words[..], &["--preview"]].concat());
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("Plain: would be restored\n"), "{said}");
    assert!(said.contains("the service could not be asked: no service URL is set"), "{said}");
    let rest = "1 license would be restored, 0 not, 1 undecided\nmissing for the service to be asked: the URL of the ";
    assert!(said.contains(rest) && said.contains("--individualize"), "{said}");
    let (code, said) = printed(&words);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.starts_with("1 license restored, 1 left out\n"), "{said}");
    let line = format!("left out: {}: the service could not be asked: no service URL is set\n", kid(3));
    assert!(said.contains(&line), "{said}");
    // A part that opens elsewhere only is not whole either.
    let other = Home::new(&world);
    let (code, said) = printed(&["verify", "--store", text(other.path()), "--from", text(place.path())]);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("was not looked at"), "{said}");
}

#[test]
fn a_damaged_backup_is_refused_with_a_remedy() {
    let world = World::new();
    let home = stocked(&world);
    let place = tempfile::tempdir().unwrap();
    run(3, &["backup", "--store", text(home.path()), "--to", text(place.path())]);
    let file = place.path().join("licenses.wmbackup");
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let refused = run(1, &["restore", "--store", text(home.path()), "--from", text(place.path())]);
    assert!(refused["error"].as_str().unwrap().contains("damaged"), "{refused}");
    assert!(refused["remedy"].as_str().unwrap().contains("nothing was changed"), "{refused}");
}

#[test]
fn a_foreign_backup_asks_for_a_service_and_an_identity() {
    let world = World::new();
    let home = stocked(&world);
    let place = tempfile::tempdir().unwrap();
    run(3, &["backup", "--store", text(home.path()), "--to", text(place.path())]);
    let other = tempfile::tempdir().unwrap();
    let store = other.path().join("store");
    let words = ["restore", "--store", text(&store), "--from", text(place.path())];
    let refused = run(1, &words);
    assert!(refused["remedy"].as_str().unwrap().contains("--service"), "{refused}");
    // A port that was free a moment ago: nothing answers there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    let refused = run(1, &[&words[..], &["--service", &url]].concat());
    assert!(refused["error"].as_str().unwrap().contains("cannot be reached"), "{refused}");
}

#[test]
fn what_content_says_does_not_steer_the_terminal() {
    let world = World::new();
    let home = stocked(&world);
    // No policy holds such a title, but an application may give its content one.
    home.client.store.set_title(kid(1), "Plain \u{1b}[31m").unwrap();
    let output = command().args(["list", "--store", text(home.path())]).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(printed.contains("Plain \u{fffd}[31m") && !printed.contains('\u{1b}'), "{printed:?}");
    assert!(printed.ends_with("3 licenses\n"), "{printed}");
    assert!(printed.contains("Play (2 left)") && printed.contains("no backup"), "{printed}");
}

#[test]
fn keys_and_databases_are_not_dumped() {
    let world = World::new();
    let home = stocked(&world);
    let keys = run(1, &["dump", text(&home.path().join("device.key"))]);
    assert!(keys["error"].as_str().unwrap().ends_with("holds private keys, which are not shown"), "{keys}");
    let database = run(1, &["dump", text(&home.path().join("licenses.db"))]);
    assert!(database["remedy"].as_str().unwrap().contains("wmlicense list"), "{database}");
}

#[test]
fn a_damaged_license_is_found_taken_out_and_what_is_over_is_cleared() {
    let world = World::new();
    let home = stocked(&world);
    let store = text(home.path());
    assert_eq!(run(0, &["check", "--store", store])["licenses"], 3);
    let database = tamper::database(home.path());
    tamper::lose_key(&database, kid(1));
    let refused = run(1, &["check", "--store", store]);
    assert!(refused["remedy"].as_str().unwrap().contains("--repair"), "{refused}");
    assert_eq!(refused["damaged"][0]["kid"], kid(1).to_hex());
    let said = command().args(["check", "--store", store]).output().unwrap().stderr;
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains(&format!("\ndamaged: {}: ", kid(1))), "{said}");
    let repaired = run(0, &["check", "--store", store, "--repair"]);
    assert_eq!((&repaired["repaired"], &repaired["quarantined"]), (&Value::from(true), &Value::from(1)));
    assert_eq!(repaired["damaged"][0]["kid"], kid(1).to_hex());
    assert_eq!(run(0, &["check", "--store", store])["licenses"], 2);
    assert_eq!(run(0, &["clean", "--store", store])["removed"], 0);
}

#[test]
fn a_backup_that_leaves_licenses_out_is_partial_even_if_that_is_all_of_them() {
    let world = World::new();
    let home = Home::new(&world);
    let kept = Policy { backup: BackupRight::No, ..world.policy(kid(1)) };
    home.acquire(&[kept]).unwrap();
    let place = tempfile::tempdir().unwrap();
    let words = ["backup", "--store", text(home.path()), "--to", text(place.path())];
    let (code, said) = printed(&words);
    assert_eq!(code, Some(3), "{said}");
    assert!(said.starts_with("no license may be backed up\nleft out, because its terms say so: "), "{said}");
    let empty = tempfile::tempdir().unwrap();
    home.client.store.delete(kid(1)).unwrap();
    let told = run(0, &["backup", "--store", text(home.path()), "--to", text(empty.path())]);
    assert_eq!((&told["backedUp"], &told["partial"]), (&json!(0), &json!(false)));
}
