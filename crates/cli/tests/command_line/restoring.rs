//! A first restore on another device: what it needs is told in one message, and asked for where somebody sits at a terminal.

use super::program::{Machine, Ran, cleared};
use super::terminal::Terminal;
use serde_json::Value;
use std::process::Command;
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::{daemon, skip};

const TITLE: &str = "c0000000000000000000000000000001";
const GOLD: &str = "c5000000000000000000000000000001";

/// The folder of a backup that one machine made, with a license of an account.
fn backed_up(service: &Service) -> (Machine, String) {
    let machine = Machine::of(service);
    let token = machine.file("token", &service.gold_token);
    machine.run(&["acquire", "--individualize", "--token-file", &token, TITLE, GOLD]).ended(0);
    let place = machine.home.join("usb \u{e9}");
    std::fs::create_dir(&place).unwrap();
    let place = place.to_str().unwrap().to_owned();
    machine.run(&["backup", "--to", &place]).ended(0);
    (machine, place)
}

#[test]
fn all_that_a_restore_elsewhere_needs_is_told_in_one_message() {
    let service = Service::start();
    let (_first, place) = backed_up(&service);
    let machine = Machine::new();
    let ran = machine.run(&["restore", "--from", &place]).ended(1);
    for how in ["--service", "--authority", "--individualize", "--token-file", "WMLICENSE_SERVICE", "config.toml"] {
        assert!(ran.err.contains(how), "{how}: {}", ran.err);
    }
    let told = machine.json(1, &["restore", "--preview", "--from", &place]);
    let names: Vec<_> = told["missing"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["service", "authority", "individualize", "token"], "{told}");
    // What is given is asked for no more.
    machine.configure(&format!("service = \"{}\"\nauthority = \"{}\"\n", service.url, service.authority));
    let told = machine.json(1, &["restore", "--from", &place]);
    let names: Vec<_> = told["missing"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["individualize", "token"], "{told}");
    let token = machine.file("token", &service.gold_token);
    let told = machine.json(0, &["restore", "--from", &place, "--individualize", "--token-file", &token]);
    assert_eq!((&told["restored"], &told["partial"], &told["askedService"]), (&2.into(), &false.into(), &true.into()));
}

#[test]
fn a_person_is_asked_for_all_of_it_and_the_token_is_not_shown() {
    let service = Service::start();
    let (_first, place) = backed_up(&service);
    let machine = Machine::new();
    let prepare = |setsid| machine.prepared(cleared(setsid), &[]);
    let mut terminal = Terminal::start(prepare, &["restore", "--from", &place]);
    terminal.shows("URL of the service: ");
    terminal.types("nonsense\n");
    terminal.shows("error: ");
    terminal.shows("URL of the service: ");
    terminal.types(&format!("{}\n", service.url));
    terminal.shows("Authority to trust, in base64: ");
    terminal.types(&format!("{}\n", service.authority));
    terminal.shows("gives this device an ID? [y/N]: ");
    terminal.types("y\n");
    terminal.shows("Account token, empty if there is none (not shown): ");
    terminal.types(&format!("{}\n", service.gold_token));
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("2 licenses restored"), "{shown}");
    assert!(!shown.contains(&service.gold_token), "{shown}");
}

#[test]
fn who_is_missing_only_the_account_is_asked_for_its_token_alone() {
    let service = Service::start();
    let (_first, place) = backed_up(&service);
    let machine = Machine::of(&service);
    let words = ["restore", "--from", &place, "--individualize"];
    let prepare = |setsid| machine.prepared(cleared(setsid), &[]);
    let mut terminal = Terminal::start(prepare, &words);
    terminal.shows("some of it belongs to an account");
    terminal.shows("Account token, empty if there is none (not shown): ");
    terminal.types(&format!("{}\n", service.gold_token));
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("2 licenses restored") && !shown.contains("URL of the service"), "{shown}");
    // Where nobody is asked, what stays closed says it.
    let other = Machine::of(&service);
    let ran = other.run(&words);
    let said = format!("{}{}", ran.out, ran.err);
    assert!(said.contains("help: give the account's token with --token-file"), "{said}");
    assert!(!said.contains("missing for the service"), "{said}");
}

/// In a network namespace of its own there is not even a loopback interface that is up.
#[test]
fn without_any_network_everything_works_that_needs_none_and_the_rest_says_so() {
    let service = Service::start();
    let (machine, place) = backed_up(&service);
    let alone = ["--user", "--map-root-user", "--net"];
    if !Command::new("unshare").args(alone).arg("true").output().is_ok_and(|ran| ran.status.success()) {
        return skip("there are no network namespaces here");
    }
    let run = |words: &[&str]| -> Ran {
        let unshare = cleared(Command::new("unshare"));
        let words = [&alone[..], &[env!("CARGO_BIN_EXE_wmlicense")], words].concat();
        machine.prepared(unshare, &words).output().unwrap().into()
    };
    assert_eq!(run(&["restore", "--from", &place]).ended(0).out, "2 licenses restored\n");
    run(&["list"]).ended(0);
    run(&["verify", "--from", &place]).ended(0);
    assert!(run(&["explain", TITLE]).ended(0).out.contains("permitted without limit"));
    for words in [["acquire", TITLE].as_slice(), &["renew"]] {
        let ran = run(words).ended(1);
        assert!(ran.err.contains("help: check the network and the service's URL, then try again"), "{}", ran.err);
    }
    let ran = run(&["give-back", "--yes", TITLE]).ended(3);
    assert!(ran.out.contains("1 license deleted for good\nnot told yet: "), "{}", ran.out);
    // With a network the next contact tells it.
    machine.run(&["acquire", GOLD, "--token-file", machine.home.join("token").to_str().unwrap()]).ended(0);
    let held = daemon::run(&["license", "list", "--json"], service.data());
    let held: Value = serde_json::from_slice(&held.stdout).unwrap();
    let given_back = held.as_array().unwrap().iter().find(|license| license["kid"] == TITLE).unwrap();
    assert!(!given_back["returned"].is_null(), "{held}");
}

#[test]
fn who_does_not_agree_is_told_what_is_missing_and_nothing_is_restored() {
    let service = Service::start();
    let (_first, place) = backed_up(&service);
    let machine = Machine::of(&service);
    let prepare = |setsid| machine.prepared(cleared(setsid), &[]);
    let mut terminal = Terminal::start(prepare, &["restore", "--from", &place]);
    terminal.shows("gives this device an ID? [y/N]: ");
    terminal.types("no\n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("--individualize"), "{shown}");
    assert_eq!(machine.json(0, &["list"])["licenses"].as_array().unwrap().len(), 0);
}
