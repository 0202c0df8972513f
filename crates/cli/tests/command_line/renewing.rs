//! Renewing licenses, and giving them back, at a live service.

use super::program::Machine;
use super::terminal::Terminal;
use wmlicense_testkit::daemon::{Data, KEY, Serving};

const SHORT: &str = "e0000000000000000000000000000001";
const LONG: &str = "e0000000000000000000000000000002";

struct Stock {
    machine: Machine,
    serving: Serving,
    data: Data,
}

impl Stock {
    /// Two licenses, of which one is soon over.
    fn new() -> Self {
        let data = Data::new();
        let end = "2090-01-01T00:00:00Z";
        let terms = |count: u32| {
            format!(r#"{{"actions":{{"Play":{{"count":{count},"notAfter":"{end}"}}}},"renewal":"fresh"}}"#)
        };
        for (name, kid, terms) in [("short", SHORT, terms(1)), ("long", LONG, terms(7))] {
            data.policy(name, &terms);
            data.admin(&["content", "add", "--kid", kid, "--key", KEY, "--title", name, "--open", "--policy", name]);
        }
        let serving = data.serve(&[]);
        let machine = Machine::at(&serving.url, &data.authority.to_base64());
        machine.run(&["acquire", "--individualize", SHORT, LONG]).ended(0);
        Self { machine, serving, data }
    }
}

#[test]
fn licenses_are_renewed_on_the_terms_of_the_day() {
    let stock = Stock::new();
    let machine = &stock.machine;
    stock.data.policy("short", r#"{"actions":{"Play":{"count":5}},"renewal":"fresh"}"#);
    let told = machine.json(0, &["renew", SHORT]);
    assert_eq!((&told["chosen"], &told["stored"], &told["partial"]), (&1.into(), &1.into(), &false.into()));
    assert!(machine.run(&["list", SHORT]).ended(0).out.contains("Play (5 left)"));
    assert_eq!(machine.run(&["renew", "--within-days", "1"]).ended(0).out, "no stored license is to be renewed\n");
    stock.data.admin(&["content", "remove", LONG]);
    let told = machine.json(3, &["renew"]);
    assert_eq!(
        (&told["chosen"], &told["partial"], &told["refused"][0]["kid"]),
        (&2.into(), &true.into(), &LONG.into())
    );
    // Content that its owner removed is taken back.
    let ran = machine.run(&["renew", LONG]).ended(1);
    assert!(ran.err.contains("there is no license for these key IDs\nhelp: acquire it with"), "{}", ran.err);
}

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
    // The same command tries again.
    let told = stock.machine.json(3, &["give-back", LONG]);
    assert_eq!((&told["deleted"], &told["told"]), (&0.into(), &false.into()));
}

#[test]
fn a_person_is_asked_before_something_is_deleted() {
    let stock = Stock::new();
    let prepare = |setsid| stock.machine.prepared(super::program::cleared(setsid), &[]);
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
        let prepare = |setsid| stock.machine.prepared(super::program::cleared(setsid), &[]);
        let (code, shown) = Terminal::start(prepare, &[words, &["--json"]].concat()).ends();
        assert_eq!(code, Some(2), "{shown}");
    }
    assert_eq!(stock.machine.json(0, &["list"])["licenses"].as_array().unwrap().len(), 2);
}
