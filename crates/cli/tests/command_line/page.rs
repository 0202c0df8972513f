//! Licenses that the user accepts on a page first: waiting, the browser, going on later, Ctrl-C.

use super::program::{Machine, Ran};
use super::terminal::Terminal;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::daemon::device::{agent, get};

fn asked(number: u8) -> String {
    format!("ca{number:030x}")
}

/// Says on the page what the user decides, as a browser does, and gives what the page said.
fn decide(page: &str, action: &str) -> String {
    let shown = String::from_utf8(get(page).body).unwrap();
    let (_, rest) = shown.split_once("name=\"session\" value=\"").unwrap();
    let session = rest.split_once('"').unwrap().0;
    let body = format!("session={session}&action={action}");
    let sent = agent().post(page).content_type("application/x-www-form-urlencoded").send(&body);
    // Where there is a way back the browser ends there.
    assert!(sent.unwrap().status().is_success());
    shown
}

/// Starts the program and reads what it says of the page: where it is, and the code.
fn waiting(machine: &Machine, words: &[&str]) -> (Child, String, String) {
    let mut command = machine.command(words);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut after = |name: &str| {
        let line = lines.find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split(' ').next().unwrap().to_owned()
    };
    let (page, code) = (after("page: "), after("code: "));
    // Whoever waits says nothing more.
    (child, page, code)
}

fn ended(child: Child) -> Ran {
    child.wait_with_output().unwrap().into()
}

#[test]
fn who_accepts_on_the_page_gets_the_license() {
    let service = Service::start_with(&["--poll-seconds", "1"]);
    let machine = Machine::of(&service);
    machine.run(&["individualize"]).ended(0);
    let (child, page, code) = waiting(&machine, &["acquire", &asked(1), "--json"]);
    assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
    let shown = decide(&page, "accept");
    assert!(shown.contains(&code), "{shown}");
    let told: Value = serde_json::from_str(&ended(child).ended(0).out).unwrap();
    assert_eq!((&told["stored"], &told["waiting"], &told["page"]), (&1.into(), &false.into(), &page.as_str().into()));
    assert_eq!(told["code"], code.as_str());
    let (child, page, _) = waiting(&machine, &["acquire", &asked(2)]);
    decide(&page, "decline");
    let ran = ended(child);
    assert_eq!(ran.code, Some(1));
    assert_eq!(machine.json(0, &["list"])["licenses"].as_array().unwrap().len(), 1);
}

#[test]
fn who_does_not_wait_goes_on_later_with_the_same_command() {
    let service = Service::start();
    let machine = Machine::of(&service);
    machine.run(&["individualize"]).ended(0);
    let told = machine.json(4, &["acquire", &asked(3), "--no-wait"]);
    assert_eq!((&told["waiting"], &told["stored"]), (&true.into(), &0.into()));
    let page = told["page"].as_str().unwrap();
    let ran = machine.run(&["acquire", &asked(3), "--timeout", "1"]).ended(4);
    assert!(ran.out.contains(&format!("page: {page}\n")) && ran.out.ends_with("then run the same command again\n"));
    decide(page, "accept");
    assert_eq!(machine.json(0, &["acquire", &asked(3)])["stored"], 1);
}

#[test]
fn ctrl_c_ends_the_waiting_and_not_the_request() {
    let service = Service::start();
    let machine = Machine::of(&service);
    machine.run(&["individualize"]).ended(0);
    let mut terminal =
        Terminal::start(|setsid| machine.prepared(super::program::cleared(setsid), &[]), &["acquire", &asked(4)]);
    let shown = terminal.shows("Ctrl-C ends the waiting");
    let (_, rest) = shown.split_once("page: ").unwrap();
    let page = rest.lines().next().unwrap().trim().to_owned();
    terminal.types("\u{3}");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(130), "{shown}");
    assert!(shown.contains("the request still waits for the user; the same command goes on"), "{shown}");
    decide(&page, "accept");
    assert_eq!(machine.json(0, &["acquire", &asked(4)])["stored"], 1);
    machine.run(&["check"]).ended(0);
}

/// A browser that tells which page it was asked to show, and what it knows of the account.
fn browser(folder: &Path) -> PathBuf {
    let (seen, program) = (folder.join("seen"), folder.join("xdg-open"));
    assert!(Command::new("mkfifo").arg(&seen).status().unwrap().success());
    let script = format!("#!/bin/sh\nprintf '%s\\n' \"$1\" \"${{WMLICENSE_TOKEN-none}}\" >'{}'\n", seen.display());
    std::fs::write(&program, script).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    seen
}

#[test]
fn the_page_opens_in_the_browser_and_its_way_back_ends_the_waiting() {
    // Polls come so rarely that only the way back can be what ends it.
    let service = Service::start_with(&["--poll-seconds", "60"]);
    let mut machine = Machine::of(&service);
    machine.run(&["individualize"]).ended(0);
    let programs = machine.home.join("bin");
    std::fs::create_dir(&programs).unwrap();
    let seen = browser(&programs);
    let path = std::env::var("PATH").unwrap();
    machine.set("PATH", &format!("{}:{path}", programs.display()));
    machine.set("WMLICENSE_TOKEN", &service.token);
    let (child, page, _) = waiting(&machine, &["acquire", &asked(5), "--open"]);
    let begun = Instant::now();
    let said = std::fs::read_to_string(&seen).unwrap();
    let (opened, token) = said.trim().split_once('\n').unwrap();
    assert!(opened.starts_with(&page) && opened.contains("return=http://127.0.0.1:"), "{opened}");
    assert_eq!(token, "none");
    decide(opened, "accept");
    assert_eq!(ended(child).ended(0).out, "1 license stored\n");
    assert!(begun.elapsed().as_secs() < 50, "{:?}", begun.elapsed());
    // Without a browser the page is still told.
    machine.set("PATH", "/nonexistent");
    let ran = machine.run(&["acquire", &asked(6), "--open", "--timeout", "1"]).ended(4);
    assert!(ran.err.contains("no browser can be started: xdg-open: ") && ran.err.contains("page: "), "{}", ran.err);
}
