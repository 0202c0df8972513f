//! Renewing licenses at a live service.

use super::program::Machine;
use wmlicense_testkit::daemon::{Data, KEY, Serving};

pub(super) const SHORT: &str = "e0000000000000000000000000000001";
pub(super) const LONG: &str = "e0000000000000000000000000000002";

pub(super) struct Stock {
    pub(super) machine: Machine,
    pub(super) serving: Serving,
    pub(super) data: Data,
}

impl Stock {
    /// Two licenses, of which one is soon over.
    pub(super) fn new() -> Self {
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
fn what_one_service_renewed_is_told_although_another_is_down() {
    const OTHER: &str = "e0000000000000000000000000000003";
    let stock = Stock::new();
    let machine = &stock.machine;
    let data = Data::new();
    data.policy("other", r#"{"actions":{"Play":{"count":3}},"renewal":"fresh"}"#);
    data.admin(&["content", "add", "--kid", OTHER, "--key", KEY, "--title", "other", "--open", "--policy", "other"]);
    let mut there = data.serve(&[]);
    let (here, other) = (stock.data.authority.to_base64(), data.authority.to_base64());
    machine.configure(&format!("service = \"{}\"\nauthority = [\"{here}\", \"{other}\"]\n", stock.serving.url));
    machine.run(&["acquire", "--individualize", "--service", &there.url, OTHER]).ended(0);
    there.kill();
    let told = machine.json(3, &["renew"]);
    assert_eq!((&told["chosen"], &told["stored"], &told["partial"]), (&3.into(), &2.into(), &true.into()), "{told}");
    assert_eq!(told["failed"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(told["failed"][0]["kids"], serde_json::json!([OTHER]), "{told}");
    let ran = machine.run(&["renew"]).ended(3);
    let line = format!("2 licenses renewed\nnot renewed: {OTHER}: the service cannot be reached: ");
    assert!(ran.out.starts_with(&line), "{}", ran.out);
    // Where nothing at all came, it failed.
    machine.run(&["renew", OTHER]).ended(1);
}
