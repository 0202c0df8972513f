//! What one address, device or account can have kept a day; and that what is refused is not kept whole.

use std::path::Path;
use wmlicense_testkit::daemon::device::{Device, Known, Reply, agent};
use wmlicense_testkit::daemon::{Data, KEY, OPEN, Serving};
use wmlicense_wire::answer::{Outcome, Reason};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::endpoint::Endpoint;
use wmlicense_wire::problem::ProblemKind;

/// A service behind a proxy on this machine.
fn proxied(data: &Data, words: &[&str]) -> Serving {
    data.serve(&[&["--trusted-proxy", "127.0.0.1"], words].concat())
}

/// A request that the proxy says comes from an address.
fn post_from(address: &str, known: &Known, endpoint: Endpoint, bytes: &[u8]) -> Reply {
    let request = agent().post(format!("{}{}", known.url, endpoint.path())).content_type("application/cose");
    Reply::read(request.header("x-forwarded-for", format!("198.51.100.1, {address}")).send(bytes).unwrap())
}

fn bytes_on_disk(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    files.filter_map(|entry| entry.metadata().ok()).filter(std::fs::Metadata::is_file).map(|file| file.len()).sum()
}

#[test]
fn what_only_refuses_is_not_kept_and_may_be_granted_later() {
    let data = Data::new();
    let mut serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let unknown: Vec<String> = (0..1024).map(|number| format!("{number:032x}")).collect();
    let kids: Vec<&str> = unknown.iter().map(String::as_str).collect();
    let before = {
        serving.terminate();
        bytes_on_disk(data.path())
    };
    let mut serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let (mut longest, mut last) = (0, None);
    for _ in 0..60 {
        let request = device.licenses_request(&known, &kids);
        let bytes = device.sign(&request);
        let answer = known.post("licenses", &bytes, None).granted();
        longest = longest.max(answer.len());
        last = Some((request, bytes));
    }
    serving.terminate();
    let grown = bytes_on_disk(data.path()).saturating_sub(before) / 60;
    println!("{longest} bytes are answered to 1024 unknown key IDs, and {grown} are kept");
    assert!(longest > 40_000 && grown < 1_000, "{longest} bytes answered, {grown} kept");
    data.open_content(kids[0], None);
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let (request, bytes) = last.unwrap();
    let answer = known.post("licenses", &bytes, None).granted();
    let (answer, licenses, _) = device.verify(&known, Role::Issuer, &bytes, request.transaction, &answer);
    assert_eq!((answer.outcome, licenses.len(), answer.refusals.len()), (Outcome::Done, 1, 1023));
}

#[test]
fn an_address_has_so_many_new_devices_a_day_and_others_have_theirs() {
    let data = Data::new();
    let serving = proxied(&data, &["--devices-per-address", "3"]);
    let known = Known::discover(&serving.url, data.authority);
    let certify = |address: &str, device: &mut Device| {
        let request = device.individualize_request(&known, true);
        let bytes = device.sign(&request);
        let answer = post_from(address, &known, Endpoint::Individualize, &bytes).granted();
        let (answer, _, envelope) =
            device.verify(&known, Role::Individualization, &bytes, request.transaction, &answer);
        if let Some(certificate) = envelope.device_certificate {
            device.certificate = Some(known.directory.device(&certificate).unwrap());
        }
        answer
    };
    let mut devices: Vec<Device> = (0..3).map(|_| Device::new()).collect();
    assert!(devices.iter_mut().all(|device| certify("203.0.113.9", device).outcome == Outcome::Done));
    let refused = certify("203.0.113.9", &mut Device::new());
    let refusal = &refused.refusals[0];
    assert_eq!((&refused.outcome, refusal.reason), (&Outcome::Refused, Reason::QuotaUsedUp));
    // A third of a day, as it fills evenly.
    let again = refusal.again.unwrap() - wmlicense_testkit::daemon::device::now();
    assert!((8 * 3600 - 60..=8 * 3600).contains(&again), "{again} s");
    assert_eq!(certify("203.0.113.10", &mut Device::new()).outcome, Outcome::Done, "another address");
    assert_eq!(certify("2001:db8::1", &mut Device::new()).outcome, Outcome::Done);
    assert_eq!(certify("203.0.113.9", &mut devices[0]).outcome, Outcome::Done, "a device that is known");
}

#[test]
fn what_is_kept_for_an_address_is_bounded_and_what_is_kept_is_still_given() {
    let data = Data::new();
    data.open_content(OPEN, None);
    let token = data.account("alice", &[]);
    let serving = proxied(&data, &["--kept-per-address", "1"]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let ask = |address: &str| {
        let bytes = device.sign(&device.licenses_request(&known, &[OPEN]));
        let reply = post_from(address, &known, Endpoint::Licenses, &bytes);
        (bytes, reply)
    };
    let (first, answer) = ask("203.0.113.9");
    let (answer, mut asked) = (answer.granted(), 1);
    let refused = loop {
        let (_, reply) = ask("203.0.113.9");
        if reply.status != 200 {
            break reply;
        }
        asked += 1;
        assert!(asked < 2_000, "nothing is bounded");
    };
    println!("{asked} requests of one license fill a quota of 1 MiB");
    let wait: u64 = refused.retry_after.clone().unwrap().parse().unwrap();
    assert_eq!((refused.status, refused.problem()), (429, ProblemKind::RateLimited));
    assert!((1..=24 * 3600).contains(&wait), "{wait} s");
    assert!(asked > 20, "{asked}");
    assert_eq!(
        post_from("203.0.113.9", &known, Endpoint::Licenses, &first).granted(),
        answer,
        "the same request again"
    );
    assert_eq!(ask("203.0.113.10").1.status, 200, "another address");
    let bytes = device.sign(&device.licenses_request(&known, &[OPEN]));
    let own = agent().post(format!("{}{}", known.url, Endpoint::Licenses.path())).content_type("application/cose");
    let own = own.header("x-forwarded-for", "203.0.113.9").header("authorization", format!("Bearer {token}"));
    assert_eq!(own.send(&bytes[..]).unwrap().status(), 200, "whose account it is, the owner knows");
}

#[test]
fn a_device_and_an_account_have_quotas_of_their_own() {
    let data = Data::new();
    data.open_content(OPEN, None);
    let (alice, bob) = (data.account("alice", &[]), data.account("bob", &[]));
    for (words, others_device) in [(["--kept-per-device", "1"], true), (["--kept-per-account", "1"], false)] {
        let serving = data.serve(&words);
        let known = Known::discover(&serving.url, data.authority);
        let (device, other) = (Device::individualized(&known), Device::individualized(&known));
        let ask = |device: &Device, token: &str| {
            let bytes = device.sign(&device.licenses_request(&known, &[OPEN]));
            known.post("licenses", &bytes, Some(token))
        };
        let mut asked = 0;
        while ask(&device, &alice).status == 200 {
            asked += 1;
            assert!(asked < 2_000, "nothing is bounded");
        }
        assert_eq!(ask(&device, &alice).problem(), ProblemKind::RateLimited);
        assert_eq!(ask(&other, &alice).status == 200, others_device);
        assert_eq!(ask(&device, &bob).status == 200, !others_device);
    }
}

#[test]
fn a_page_that_is_made_again_costs_a_device_nothing_of_its_day() {
    let data = Data::new();
    let list = data.path().join("list.csv");
    let lines: Vec<String> = (0..400).map(|number| format!("{number:032x},{KEY},Title {number}")).collect();
    std::fs::write(&list, lines.join("\n")).unwrap();
    data.admin(&["content", "import", list.to_str().unwrap(), "--open"]);
    let serving = data.serve(&["--kept-per-device", "1"]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let bytes = device.sign(&device.delivery_request(&known, None, None));
    let mut length = 0;
    for _ in 0..20 {
        length += known.post("licenses", &bytes, None).granted().len();
    }
    assert!(length > 2 << 20, "{length} bytes are no more than the day's");
    let first = format!("{:032x}", 0);
    let one = device.sign(&device.licenses_request(&known, &[first.as_str()]));
    assert_eq!(known.post("licenses", &one, None).status, 200);
}
