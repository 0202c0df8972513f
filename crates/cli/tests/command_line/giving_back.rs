//! Giving licenses back: what is deleted for good, who has to agree, and what their services are told.

use super::program::{Machine, cleared};
use super::renewing::{LONG, SHORT, Stock};
use super::terminal::Terminal;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::daemon::{Data, KEY};
use wmlicense_testkit::root;

const OTHER: &str = "e0000000000000000000000000000003";
const NEVER: &str = "e0000000000000000000000000000009";

#[test]
fn what_is_given_back_is_gone_here_and_counted_out_there() {
    let stock = Stock::new();
    let machine = &stock.machine;
    let told = machine.json(0, &["give-back", "--yes", SHORT]);
    assert_eq!((&told["deleted"], &told["told"], &told["partial"]), (&1.into(), &true.into(), &false.into()));
    let held = stock.data.json(&["license", "list"]);
    let of = |kid: &str| held.as_array().unwrap().iter().find(|license| license["kid"] == kid).unwrap().clone();
    assert!(!of(SHORT)["returned"].is_null(), "{held}");
    assert!(of(LONG)["returned"].is_null(), "{held}");
    let ran = machine.run(&["return", SHORT]).ended(1);
    assert!(ran.err.contains("there is no license for this content"), "{}", ran.err);
    let ran = machine.run(&["give-back", "--local", "--yes", LONG]).ended(0);
    assert_eq!(ran.out, "1 license deleted from this device\n");
    assert!(machine.json(0, &["list"])["licenses"].as_array().unwrap().is_empty());
}

#[test]
fn what_the_service_cannot_be_told_now_is_told_at_the_next_contact() {
    let mut stock = Stock::new();
    stock.serving.kill();
    let ran = stock.machine.run(&["give-back", "--yes", LONG]).ended(3);
    assert!(
        ran.out.starts_with("1 license deleted for good\nnot told yet: the service cannot be reached: "),
        "{}",
        ran.out
    );
    assert_eq!(stock.machine.json(0, &["list"])["pendingRequests"], 1);
    // Of what waits it is told what tells it; what was asked for is not there.
    let told = stock.machine.json(1, &["give-back", "--yes", LONG]);
    assert_eq!((&told["error"], &told["waiting"]), (&"there is no license for this content".into(), &1.into()));
}

#[test]
fn a_person_is_asked_before_something_is_deleted() {
    let stock = Stock::new();
    let prepare = |setsid| stock.machine.prepared(cleared(setsid), &[]);
    let mut terminal = Terminal::start(prepare, &["give-back", LONG]);
    let shown = terminal.shows("for good and give them back? [y/N]").to_owned();
    assert!(shown.contains(&format!("{LONG}  long")), "{shown}");
    terminal.types("n\n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(1), "{shown}");
    assert!(shown.contains("nothing was deleted"), "{shown}");
    let mut terminal = Terminal::start(prepare, &["give-back", LONG]);
    terminal.shows("[y/N]");
    terminal.types("y\n");
    let (code, shown) = terminal.ends();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains("1 license deleted for good"), "{shown}");
}

#[test]
fn where_nobody_can_be_asked_nothing_is_deleted_without_a_word() {
    let stock = Stock::new();
    for words in [["give-back", LONG].as_slice(), &["give-back", "--local", LONG]] {
        let ran = stock.machine.run(words).ended(2);
        assert_eq!(
            (ran.out.as_str(), ran.err.as_str()),
            (
                "",
                "error: nothing was deleted: nobody can be asked here whether that is meant\nhelp: add --yes, if it is\n"
            )
        );
        let told = stock.machine.json(2, words);
        assert!(told["remedy"].as_str().unwrap().contains("--yes"), "{told}");
        // Nobody types at a program that wants an object.
        let prepare = |setsid| stock.machine.prepared(cleared(setsid), &[]);
        let (code, shown) = Terminal::start(prepare, &[words, &["--json"]].concat()).ends();
        assert_eq!(code, Some(2), "{shown}");
    }
    assert_eq!(stock.machine.json(0, &["list"])["licenses"].as_array().unwrap().len(), 2);
}

#[test]
fn of_a_file_only_what_its_samples_name_is_deleted() {
    const FILM: &str = "c0000000000000000000000000000001";
    let service = Service::start();
    let machine = Machine::of(&service);
    let own = root().join("tests/data/media/packager-cenc-video.mp4");
    machine.run(&["acquire", "--individualize", FILM, own.to_str().unwrap()]).ended(0);
    let mut bytes = std::fs::read(&own).unwrap();
    bytes.extend([&52_u32.to_be_bytes()[..], b"pssh", &[1, 0, 0, 0]].concat());
    // The common system, and one key ID: another film's.
    bytes.extend(0x1077_efec_c0b2_4d02_ace3_3c1e_52e2_fb4b_u128.to_be_bytes());
    bytes.extend([&[0, 0, 0, 1][..], &u128::from_str_radix(FILM, 16).unwrap().to_be_bytes(), &[0; 4]].concat());
    let file = machine.home.join("film.mp4");
    std::fs::write(&file, bytes).unwrap();
    let file = file.to_str().unwrap();
    let held = || machine.json(0, &["list"])["licenses"].as_array().unwrap().len();
    assert!(machine.json(0, &["inspect", file])["kids"].to_string().contains(FILM));
    let (before, told) = (held(), machine.json(0, &["give-back", "--yes", file]));
    assert_eq!((before - held(), &told["deleted"]), (1, &1.into()), "{told}");
    assert!(told["leftAlone"].as_array().unwrap().contains(&FILM.into()), "{told}");
    let ran = machine.run(&["give-back", "--yes", "--local", file]).ended(1);
    assert!(ran.err.contains(&format!("left alone: {FILM}: named beside the samples")), "{}", ran.err);
    // Whoever names it means it.
    machine.run(&["give-back", "--yes", file, FILM]).ended(0);
    assert_eq!(before - held(), 2);
}

#[test]
fn what_is_gone_is_told_even_if_the_next_cannot_be_deleted() {
    for local in [&[][..], &["--local"]] {
        let stock = Stock::new();
        let database = rusqlite::Connection::open(stock.machine.store().join("licenses.db")).unwrap();
        let keep = format!(
            "CREATE TRIGGER keep BEFORE DELETE ON page WHEN instr(old.licenses, x'{LONG}') BEGIN SELECT RAISE(ABORT, 'kept'); END"
        );
        database.execute_batch(&keep).unwrap();
        let told = stock.machine.json(3, &[&["give-back", "--yes", SHORT, LONG], local].concat());
        assert_eq!((&told["deleted"], &told["partial"]), (&1.into(), &true.into()), "{told}");
        assert_eq!(told["kept"][0]["kid"], LONG, "{told}");
        assert!(told["kept"][0]["text"].is_string(), "{told}");
        if local.is_empty() {
            assert_eq!(told["told"], true, "{told}");
        }
        // Where nothing at all could be deleted, it failed.
        let ran = stock.machine.run(&[&["give-back", "--yes", LONG], local].concat()).ended(1);
        assert!(ran.out.is_empty() && ran.err.starts_with("error: "), "{}{}", ran.out, ran.err);
    }
}

#[test]
fn only_the_services_of_what_was_deleted_are_told_and_the_others_mentioned() {
    let stock = Stock::new();
    let (machine, here) = (&stock.machine, &stock.data.authority);
    let data = Data::new();
    data.admin(&["content", "add", "--kid", OTHER, "--key", KEY, "--title", "other", "--open"]);
    let mut there = data.serve(&[]);
    let (here, url) = (here.to_base64(), &stock.serving.url);
    machine.configure(&format!("service = \"{url}\"\nauthority = [\"{here}\", \"{}\"]\n", data.authority.to_base64()));
    machine.run(&["acquire", "--individualize", "--service", &there.url, OTHER]).ended(0);
    there.kill();
    let told = machine.json(3, &["give-back", "--yes", OTHER]);
    assert_eq!((&told["told"], &told["waiting"]), (&false.into(), &0.into()), "{told}");
    let told = machine.json(0, &["give-back", "--yes", SHORT]);
    assert_eq!((&told["told"], &told["partial"], &told["waiting"]), (&true.into(), &false.into(), &1.into()), "{told}");
    let ran = machine.run(&["give-back", "--yes", LONG]).ended(0);
    assert!(ran.out.contains("\ndeleted earlier and not told yet to 1 service: "), "{}", ran.out);
    let ran = machine.run(&["give-back", "--yes", NEVER]).ended(1);
    assert!(ran.err.starts_with("error: there is no license for this content\ndeleted earlier"), "{}", ran.err);
}

#[test]
fn a_signal_while_the_service_is_told_ends_with_its_number_and_tells_what_is_gone() {
    let mut stock = Stock::new();
    stock.serving.kill();
    // Whoever listens there takes connections, and never says a word.
    let listener = TcpListener::bind(stock.serving.url.trim_start_matches("http://")).unwrap();
    let mut command = stock.machine.command(&["give-back", "--yes", LONG]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let held = listener.accept().unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(130), "{out}");
    assert!(out.starts_with("1 license deleted for good\nnot told yet: "), "{out}");
    drop(held);
}
