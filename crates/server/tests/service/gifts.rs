//! Licenses that nobody asked for: the owner gives, the device takes with whatever it asks next, or out of a file, and what
//! counts is booked like everything that goes out.

use crate::clock::{DAY, with_clock};
use std::path::PathBuf;
use wmlicense_testkit::daemon::device::{Device, Known, now};
use wmlicense_testkit::daemon::{COUNTED, Data, GOLD, KEY, OPEN, Serving};
use wmlicense_wire::answer::{Answer, Envelope, OpenedLicense, Outcome};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Lid, TransactionId};
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::policy::LicenseKind;
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::request::{Body, Request};

fn started() -> (Data, Serving, Known) {
    let data = Data::new();
    data.fill();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    (data, serving, known)
}

/// What the owner gives with one command: a device and a transaction a line.
fn give(data: &Data, to: &str, words: &[&str]) -> Vec<(String, TransactionId)> {
    let printed = data.admin(&[&["license", "give", to], words].concat());
    let line = |line: &str| {
        let (device, rest) = line.split_once(": given ").unwrap();
        let (_, transaction) = rest.split_once(" licenses, ").unwrap();
        (device.to_owned(), TransactionId::from_hex(transaction).unwrap())
    };
    printed.lines().map(line).collect()
}

/// Opens an answer that nobody asked for, as a device does.
fn open(device: &Device, known: &Known, answer: &[u8]) -> (Answer, Vec<OpenedLicense>) {
    let envelope = Envelope::parse(answer).unwrap();
    let mut directory = known.directory.clone();
    for certificate in &envelope.certificates {
        directory.add(certificate).unwrap();
    }
    let verified = envelope.verify_given(&[device.thumbprint()], |_| 0, &directory).unwrap();
    let licenses = verified.open_licenses(&device.hpke, device.id(), &directory).unwrap();
    (verified.answer, licenses)
}

/// Sends a request and gives the answer with what waits beside it.
fn post(device: &Device, known: &Known, name: &str, request: &Request, token: Option<&str>) -> (Answer, Vec<Vec<u8>>) {
    let bytes = device.sign(request);
    let reply = known.post(name, &bytes, token).granted();
    let role = if name == "individualize" { Role::Individualization } else { Role::Issuer };
    let (answer, _, envelope) = device.verify(known, role, &bytes, request.transaction, &reply);
    (answer, envelope.given)
}

fn mailbox(device: &Device, known: &Known, taken: Vec<TransactionId>) -> Vec<Vec<u8>> {
    let request = device.request(known, Role::Issuer, Body::Mailbox { taken });
    let (answer, letters) = post(device, known, "mailbox", &request, None);
    assert_eq!((answer.outcome, answer.epoch), (Outcome::Done, None));
    letters
}

fn counts(left: u32) -> State {
    State { actions: [("Play".to_owned(), ActionState { counts_left: Some(left), first_use: None })].into() }
}

fn lid(licenses: &[OpenedLicense]) -> Lid {
    licenses[0].policy.lid
}

#[test]
fn what_is_given_comes_with_whatever_the_device_asks_next_until_it_took_it() {
    let (data, _serving, known) = started();
    let mut device = Device::individualized(&known);
    let other = Device::individualized(&known);
    let given = give(&data, &device.id().to_hex(), &[OPEN]);
    assert_eq!((given.len(), &given[0].0), (1, &device.id().to_hex()));
    let transaction = given[0].1;
    let kinds = [
        ("licenses", device.licenses_request(&known, &[COUNTED])),
        // A refusal brings it as well.
        ("licenses", device.licenses_request(&known, &[GOLD])),
        ("renewals", device.request(&known, Role::Issuer, Body::Renewals { licenses: Vec::new(), custom: None })),
        ("returns", device.request(&known, Role::Issuer, Body::Returns { licenses: Vec::new() })),
        ("individualize", device.individualize_request(&known, true)),
        ("mailbox", device.request(&known, Role::Issuer, Body::Mailbox { taken: Vec::new() })),
    ];
    for (name, request) in &kinds {
        let (_, letters) = post(&device, &known, name, request, None);
        let [letter] = letters.as_slice() else { panic!("{name}: {}", letters.len()) };
        let (answer, licenses) = open(&device, &known, letter);
        assert_eq!((answer.transaction, licenses.len()), (transaction, 1), "{name}");
        assert_eq!(licenses[0].policy.kid.to_hex(), OPEN);
    }
    // Nobody else gets it, nor can anybody else say that it was taken.
    assert!(mailbox(&other, &known, vec![transaction]).is_empty());
    assert!(mailbox(&device, &known, vec![TransactionId::random().unwrap()]).len() == 1);
    assert!(mailbox(&device, &known, vec![transaction]).is_empty());
    device.individualize(&known);
    assert!(mailbox(&device, &known, Vec::new()).is_empty());
    // It is the license that the device gets for the asking.
    let (_, held) = device.acquire(&known, &[OPEN], None);
    let rows = data.json(&["license", "list"]);
    let rows = rows.as_array().unwrap();
    assert!(rows.iter().any(|row| row["lid"] == held[0].license.policy.lid.to_hex()));
    assert_eq!(rows.iter().filter(|row| row["kid"] == OPEN).count(), 1);
}

#[test]
fn a_file_is_for_one_device_and_waits_in_no_mailbox() {
    let (data, _serving, known) = started();
    let device = Device::individualized(&known);
    let file: PathBuf = data.path().join("given.wml");
    let name = file.to_str().unwrap();
    let given = give(&data, &device.id().to_hex(), &[OPEN, COUNTED, "--out", name]);
    let (answer, licenses) = open(&device, &known, &std::fs::read(&file).unwrap());
    assert_eq!((answer.transaction, licenses.len()), (given[0].1, 2));
    assert!(answer.issued_at.abs_diff(now()) < 60 && mailbox(&device, &known, Vec::new()).is_empty());
    // The owner's file is never written over, and where nothing is given there is none.
    let again = data.fails(&["license", "give", &device.id().to_hex(), OPEN, "--out", name]);
    assert!(again.1.contains("given.wml"), "{}", again.1);
    let none = data.path().join("none.wml");
    data.fails(&["license", "give", &device.id().to_hex(), GOLD, "--out", none.to_str().unwrap()]);
    assert!(!none.exists());
}

#[test]
fn an_account_gets_it_on_each_of_its_devices_and_only_what_it_may_have() {
    let (data, _serving, known) = started();
    let token = data.account("alice", &["gold"]);
    data.account("bob", &[]);
    let (first, second, third) =
        (Device::individualized(&known), Device::individualized(&known), Device::individualized(&known));
    assert!(data.fails(&["license", "give", "alice", GOLD]).1.contains("no devices"));
    first.acquire(&known, &[GOLD], Some(&token));
    second.acquire(&known, &[OPEN], Some(&token));
    data.admin(&["content", "add", "--kid", &format!("{:032x}", 1), "--key", KEY, "--scope", "gold"]);
    let given = give(&data, "alice", &[&format!("{:032x}", 1)]);
    let mut devices: Vec<_> = given.iter().map(|(device, _)| device.clone()).collect();
    devices.sort();
    let mut expected = vec![first.id().to_hex(), second.id().to_hex()];
    expected.sort();
    assert_eq!(devices, expected);
    for device in [&first, &second] {
        let letters = mailbox(device, &known, Vec::new());
        assert!(open(device, &known, &letters[0]).1[0].policy.user.is_some());
    }
    assert!(mailbox(&third, &known, Vec::new()).is_empty());
    // In the name of an account a device gets what that may have, and without one what is open.
    let id = third.id().to_hex();
    give(&data, &id, &[GOLD, "--account", "alice"]);
    for (words, why) in [
        (vec![GOLD], "name one"),
        (vec![GOLD, "--account", "bob"], "neither its scope nor a grant"),
        (vec![&"ff".repeat(16)], "no such content"),
    ] {
        let output =
            wmlicense_testkit::daemon::run(&[&["license", "give", &id], words.as_slice()].concat(), data.path());
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(!output.status.success() && printed.contains(why), "{printed}");
    }
    assert!(data.fails(&["license", "give", "alice", OPEN, "--account", "bob"]).1.contains("another one"));
    assert!(data.fails(&["license", "give", "nobody", OPEN]).1.contains("no account nobody"));
    assert!(data.fails(&["license", "give", "alice", OPEN, "--out", "x"]).1.contains("the account has 3"));
    // What the account loses later is withdrawn like everything else.
    data.admin(&["account", "change", "alice", "--remove-scope", "gold"]);
    let request = third.licenses_request(&known, &[GOLD]);
    assert_eq!(post(&third, &known, "licenses", &request, Some(&token)).0.withdrawn.len(), 1);
}

#[test]
fn what_counts_is_booked_when_it_is_given_again_and_starts_from_what_is_left() {
    let (data, _serving, known) = started();
    let device = Device::individualized(&known);
    let id = device.id().to_hex();
    let letter = |given: Vec<(String, TransactionId)>| {
        let transaction = given[0].1;
        let letters = mailbox(&device, &known, Vec::new());
        let opened = letters.iter().map(|letter| open(&device, &known, letter));
        opened.into_iter().find(|(answer, _)| answer.transaction == transaction).unwrap().1
    };
    let first = letter(give(&data, &id, &[COUNTED]));
    assert_eq!(first[0].binding.state, None);
    // The device tells that it has it: nothing is booked.
    let usage = vec![(lid(&first), counts(2))];
    let Body::Licenses { kids, header, scope, since, actions, custom, .. } =
        device.licenses_request(&known, &[COUNTED]).body
    else {
        panic!()
    };
    let body = Body::Licenses { kids, header, scope, since, actions, custom, usage };
    let request = device.request(&known, Role::Issuer, body);
    assert_eq!(post(&device, &known, "licenses", &request, None).0.outcome, Outcome::Done);
    // Given again it is the same one with what is left, twice a year.
    for _ in 0..2 {
        let again = letter(give(&data, &id, &[COUNTED]));
        assert_eq!((lid(&again), again[0].binding.state.clone()), (lid(&first), Some(counts(2))));
    }
    let output = wmlicense_testkit::daemon::run(&["license", "give", &id, COUNTED], data.path());
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success() && printed.contains("as often as a year allows; from "), "{printed}");
    // And the asking is booked with the giving.
    let (answer, held) = device.acquire(&known, &[COUNTED], None);
    assert_eq!((answer.outcome, held.len()), (Outcome::Refused, 0));
}

#[test]
fn what_nobody_takes_in_thirty_days_is_gone_and_a_revoked_device_gets_nothing() {
    let data = Data::new();
    data.fill();
    with_clock(&data, |known, clock| {
        let (device, other) = (Device::individualized(known), Device::individualized(known));
        give(&data, &device.id().to_hex(), &[OPEN]);
        give(&data, &other.id().to_hex(), &[OPEN]);
        clock.0.store(29 * DAY, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(mailbox(&device, known, Vec::new()).len(), 1);
        data.admin(&["device", "revoke", &other.id().to_hex(), "--keep-licenses"]);
        let request = other.request(known, Role::Issuer, Body::Mailbox { taken: Vec::new() });
        let (answer, letters) = post(&other, known, "mailbox", &request, None);
        assert_eq!((answer.outcome, letters.len()), (Outcome::Refused, 0));
        let output = wmlicense_testkit::daemon::run(&["license", "give", &other.id().to_hex(), OPEN], data.path());
        assert!(String::from_utf8(output.stdout).unwrap().contains("the device was revoked"));
        clock.0.store(30 * DAY + 1, std::sync::atomic::Ordering::SeqCst);
        assert!(mailbox(&device, known, Vec::new()).is_empty());
    });
}

#[test]
fn a_leaf_is_given_with_its_root_and_what_wants_the_users_word_is_not_given() {
    let (data, _serving, known) = started();
    data.policy("month", r#"{"actions":{"Play":{"notAfter":"2099-01-01T00:00:00Z"}}}"#);
    data.admin(&["subscription", "add", "music", "--policy", "month", "--open"]);
    data.policy("leaf", r#"{"subscription":"music"}"#);
    let (song, asked) = (format!("{:032x}", 7), format!("{:032x}", 8));
    data.open_content(&song, Some("leaf"));
    data.policy("asked", r#"{"interaction":"page"}"#);
    data.open_content(&asked, Some("asked"));
    let device = Device::individualized(&known);
    give(&data, &device.id().to_hex(), &[&song]);
    let letters = mailbox(&device, &known, Vec::new());
    let mut kinds: Vec<_> = open(&device, &known, &letters[0]).1.iter().map(|license| license.policy.kind).collect();
    kinds.sort_by_key(|kind| *kind as u8);
    assert_eq!(kinds, [LicenseKind::Root, LicenseKind::Leaf]);
    let output = wmlicense_testkit::daemon::run(&["license", "give", &device.id().to_hex(), &asked], data.path());
    assert!(String::from_utf8(output.stdout).unwrap().contains("the user's own word"));
}

#[test]
fn keys_that_were_replaced_get_nothing_out_of_the_mailbox() {
    let (data, _serving, known) = started();
    let old = Device::individualized(&known);
    let mut new = Device::new();
    give(&data, &old.id().to_hex(), &[OPEN]);
    new.certify(&known, &old.rekey_request(&known, &new));
    assert_eq!(old.id(), new.id());
    // What was sealed to the old keys waits for the device with the new ones, which kept them.
    let letters = mailbox(&new, &known, Vec::new());
    assert_eq!(open(&old, &known, &letters[0]).1.len(), 1);
    let request = old.request(&known, Role::Issuer, Body::Mailbox { taken: Vec::new() });
    assert!(post(&old, &known, "mailbox", &request, None).1.is_empty());
    let fresh = give(&data, &new.id().to_hex(), &[COUNTED]);
    let letters = mailbox(&new, &known, Vec::new());
    let opened = letters.iter().filter(|letter| {
        let signed = Envelope::parse(letter).unwrap().signed;
        wmlicense_wire::answer::read_vouched(&signed).unwrap().transaction == fresh[0].1
    });
    assert!(opened.map(|letter| open(&new, &known, letter)).all(|(_, licenses)| licenses.len() == 1));
}

#[test]
fn a_request_to_the_mailbox_that_is_none_is_refused() {
    let (_data, _serving, known) = started();
    let device = Device::individualized(&known);
    let other = device.sign(&device.licenses_request(&known, &[OPEN]));
    assert_eq!(known.post("mailbox", &other, None).problem(), ProblemKind::BadRequest);
    let taken = device.request(&known, Role::Issuer, Body::Mailbox { taken: Vec::new() });
    assert_eq!(known.post("licenses", &device.sign(&taken), None).problem(), ProblemKind::BadRequest);
    let forged = taken.sign(&Device::new().signing, device.thumbprint()).unwrap();
    assert_eq!(known.post("mailbox", &forged, None).problem(), ProblemKind::BadRequest);
}
