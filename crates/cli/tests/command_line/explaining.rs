//! `explain` and `list`: what licenses permit, what ended and why, in sentences for people and in names for programs.

use super::program::Machine;
use serde_json::Value;
use std::sync::Arc;
use std::time::Instant;
use wmlicense_core::client::{Client, OpenSettings};
use wmlicense_core::clock::SystemClock;
use wmlicense_core::decryptor::Decryptor;
use wmlicense_core::rights::Application;
use wmlicense_core::rights::action::PLAY;
use wmlicense_media::cenc::{SampleInfo, Scheme};
use wmlicense_testkit::daemon::device::now;
use wmlicense_testkit::daemon::{Data, KEY, Serving, rfc3339};
use wmlicense_wire::id::Kid;

const DAY: i64 = 24 * 60 * 60;

/// A machine whose licenses stand in every way that a person meets, and the service that gave them.
struct Stock {
    machine: Machine,
    _serving: Serving,
    _data: Data,
}

fn kid(number: u8) -> String {
    format!("e0{number:030x}")
}

impl Stock {
    fn new() -> Self {
        let data = Data::new();
        let at = |days: i64| rfc3339(now() + days * DAY + 60);
        let terms = [
            ("Free", r#""Play":{}"#.to_owned()),
            ("Gone", r#""Play":{"secondsAfterStoring":1}"#.to_owned()),
            ("Soon", format!(r#""Play":{{"notBefore":"{}"}}"#, at(10))),
            ("Counted", r#""Play":{"count":2}"#.to_owned()),
            ("Once", r#""Play":{"count":1}"#.to_owned()),
            ("Ending", format!(r#""Play":{{"notAfter":"{}"}}"#, at(3))),
            ("Rented", r#""Play":{"secondsAfterFirstUse":172800}"#.to_owned()),
            ("Strict", r#""Play":{"minimumApplicationLevel":7}"#.to_owned()),
            ("Later", format!(r#""Play":{{"renewAfter":{{"time":"{}","url":"https://renew.test/"}}}}"#, at(5))),
        ];
        let mut wanted = vec!["acquire".to_owned(), "--individualize".to_owned()];
        for (number, (title, actions)) in (1..).zip(&terms) {
            let backup = number == 1;
            data.policy(title, &format!(r#"{{"actions":{{{actions}}},"backup":{backup}}}"#));
            let kid = kid(number);
            data.admin(&["content", "add", "--kid", &kid, "--key", KEY, "--title", title, "--open", "--policy", title]);
            wanted.push(kid);
        }
        let serving = data.serve(&[]);
        let machine = Machine::at(&serving.url, &data.authority.to_base64());
        machine.run(&wanted.iter().map(String::as_str).collect::<Vec<_>>()).ended(0);
        let stock = Self { machine, _serving: serving, _data: data };
        stock.play(5);
        // One lasts a second only.
        let begun = Instant::now();
        while !stock.machine.run(&["list", &kid(2)]).ended(0).out.contains("[expired]") {
            assert!(begun.elapsed().as_secs() < 60, "it never ends");
        }
        stock
    }

    /// Uses a license as a player does.
    fn play(&self, number: u8) {
        let settings = OpenSettings { store_path: self.machine.store(), authorities: Vec::new() };
        let client = Client::open(&settings, Arc::new(SystemClock)).unwrap();
        let info =
            SampleInfo { scheme: Scheme::Cenc, iv: &[7; 8], subsamples: &[], crypt_byte_block: 0, skip_byte_block: 0 };
        let kid = Kid::from_hex(&kid(number)).unwrap();
        let decryptor = Decryptor::create(&client, kid, PLAY, &Application::default()).unwrap();
        decryptor.decrypt(&info, &mut [0; 32]).unwrap();
    }
}

#[test]
fn each_license_is_explained_in_a_sentence_with_its_dates() {
    let Stock { machine, .. } = &Stock::new();
    let said = |number| machine.run(&["explain", &kid(number)]).ended(0).out;
    assert_eq!(said(1), format!("{}  Free\n  Play: permitted without limit\n  Backup: a backup takes it\n", kid(1)));
    let gone = said(2);
    assert!(gone.contains("  Play: refused: the license has expired: it ended on ") && gone.contains(" UTC"), "{gone}");
    assert!(gone.contains("    help: renew it with `wmlicense renew`, or buy it again\n"), "{gone}");
    assert!(said(2).contains("  Backup: refused: its terms do not let it into a backup\n"), "{gone}");
    assert!(
        said(3).contains("refused: the license is not yet valid: it begins on ") && said(3).contains("(in 10 days)")
    );
    assert!(said(4).contains("Play: permitted, 2 uses left\n"), "{}", said(4));
    assert!(said(5).contains("all uses of the license are used up: there was 1 use\n"), "{}", said(5));
    assert!(said(6).contains("Play: permitted until ") && said(6).contains("(in 3 days)"), "{}", said(6));
    assert!(said(7).contains("permitted for 2 days from the first use on"), "{}", said(7));
    let strict = said(8);
    assert!(strict.contains("it wants one of level 7 at least\n    help: use a newer version"), "{strict}");
    let later = said(9);
    assert!(
        later.contains("a renewal is due from ") && later.contains("its owner's page: https://renew.test/"),
        "{later}"
    );
    let nothing = said(77);
    assert!(
        nothing.contains("there is no license for this content\n    help: acquire it with `wmlicense acquire"),
        "{nothing}"
    );
    let all = machine.run(&["explain"]).ended(0).out;
    assert_eq!(all.lines().filter(|line| !line.starts_with(' ')).count(), 9, "{all}");
    let copy = machine.run(&["explain", "--action", "copy", &kid(1)]).ended(0).out;
    assert!(
        copy.contains("  Copy: refused: the license does not grant this action\n    help: ask the owner"),
        "{copy}"
    );
    // A program is told the same.
    let told = machine.json(0, &["explain"]);
    let of = |number| -> &Value {
        told["contents"].as_array().unwrap().iter().find(|content| content["kid"] == kid(number)).unwrap()
    };
    let play = |number| of(number)["actions"].as_array().unwrap().iter().find(|one| one["action"] == "Play").unwrap();
    assert_eq!((&play(1)["permitted"], &play(4)["countsLeft"]), (&true.into(), &2.into()));
    assert_eq!((&play(2)["permitted"], &play(2)["refusals"][0]["reason"]), (&false.into(), &"expired".into()));
    assert!(play(6)["notAfter"].as_str().unwrap().ends_with('Z'));
    assert_eq!(of(9)["renewalPage"], "https://renew.test/");
    assert_eq!(told["clock"], "good");
}

#[test]
fn the_list_marks_what_ended_and_filters_by_it() {
    let Stock { machine, .. } = &Stock::new();
    let titles = |words: &[&str]| -> Vec<String> {
        let told = machine.json(0, &[&["list"], words].concat());
        let licenses = told["licenses"].as_array().unwrap().iter();
        licenses.map(|license| license["title"].as_str().unwrap().to_owned()).collect()
    };
    let all = machine.run(&["list"]).ended(0).out;
    let line = |title: &str| all.lines().find(|line| line.ends_with(title)).unwrap();
    assert!(line("Gone").contains("  [expired]") && line("Soon").contains("  [not yet valid]"), "{all}");
    assert!(line("Counted").contains("Play (2 left)") && !line("Counted").contains('['), "{all}");
    assert!(line("Once").contains("  [used up]"), "{all}");
    assert_eq!(titles(&["--ended"]), ["Gone", "Once"]);
    let usable = titles(&["--usable"]);
    assert_eq!(usable, ["Free", "Counted", "Ending", "Rented", "Later"]);
    assert_eq!(titles(&["--within-days", "4"]), ["Gone", "Ending"]);
    assert_eq!(titles(&["--title", "oUn"]), ["Counted"]);
    assert_eq!(titles(&[&kid(7), &kid(1)]), ["Rented", "Free"]);
    assert_eq!(titles(&["--action", "Copy"]), [""; 0]);
    let told = machine.json(0, &["list", "--ended"]);
    assert_eq!((&told["licenses"][0]["status"], &told["licenses"][0]["ended"]), (&"expired".into(), &true.into()));
}

#[test]
fn a_store_without_licenses_says_so() {
    let data = Data::new();
    let serving = data.serve(&[]);
    let machine = Machine::at(&serving.url, &data.authority.to_base64());
    machine.run(&["individualize"]).ended(0);
    assert_eq!(machine.run(&["explain"]).ended(0).out, "the store holds no license\n");
}
