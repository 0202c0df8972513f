//! Individualizing and acquiring at a live service.

use super::program::Machine;
use std::process::Stdio;
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::root;

const TITLE: &str = "c0000000000000000000000000000001";
const GOLD: &str = "c5000000000000000000000000000001";
const UNKNOWN: &str = "ffffffffffffffffffffffffffffffff";
const TONE: &str = "0f0e0d0c0b0a09080706050403020100";
const PICTURE: &str = "a1a2a3a4b1b2c1c2d1d2d3d4d5d6d7d8";

#[test]
fn a_device_is_individualized_and_gets_licenses_by_key_id_and_by_file() {
    let service = Service::start();
    let machine = Machine::of(&service);
    let told = machine.json(0, &["individualize"]);
    assert_eq!((&told["individualized"], &told["alreadyCurrent"]), (&true.into(), &false.into()));
    let device = told["deviceId"].as_str().unwrap().to_owned();
    let ran = machine.run(&["individualize"]).ended(0);
    assert!(
        ran.out.starts_with(&format!("the device is individualized already\ndevice ID: {device}\n")),
        "{}",
        ran.out
    );
    // For the user alone, from the first folder on.
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(machine.home.join(".local")).unwrap().permissions().mode() & 0o777, 0o700);

    let ran = machine.run(&["acquire", TITLE]).ended(0);
    assert_eq!(ran.out, "1 license stored\n");
    // However it is written, it is the same.
    let told = machine.json(0, &["acquire", "c0000000-0000-0000-0000-000000000001"]);
    assert_eq!((&told["stored"], &told["partial"], &told["waiting"]), (&1.into(), &false.into(), &false.into()));
    let film = root().join("tests/data/media/packager-cenc-video.mp4");
    let told = machine.json(0, &["acquire", film.to_str().unwrap()]);
    // Its picture, and the tone that belongs to it.
    assert_eq!(told["stored"], 2);
    let listed = machine.json(0, &["list"]);
    let kids: Vec<_> = listed["licenses"].as_array().unwrap().iter().map(|license| &license["kid"]).collect();
    assert_eq!(kids, [TONE, PICTURE, TITLE]);
}

#[test]
fn what_is_refused_beside_what_comes_is_told_and_ends_with_the_code_for_partial() {
    let service = Service::start();
    let machine = Machine::of(&service);
    let told = machine.json(3, &["acquire", "--individualize", TITLE, GOLD, UNKNOWN]);
    assert_eq!((&told["stored"], &told["partial"]), (&1.into(), &true.into()));
    let refused = told["refused"].as_array().unwrap();
    let reasons: Vec<_> = refused.iter().map(|one| (one["kid"].as_str().unwrap(), &one["text"])).collect();
    assert!(reasons.iter().any(|(kid, text)| *kid == UNKNOWN && *text == "the service has no such content"), "{told}");
    assert_eq!(refused.len(), 2, "{told}");
    assert!(refused.iter().all(|one| one["help"].is_string() && one["reason"].is_u64()));
    let ran = machine.run(&["acquire", TITLE, GOLD]).ended(3);
    assert!(ran.out.starts_with("1 license stored\nleft out: ") && ran.out.contains("  help: "), "{}", ran.out);
    // Nothing comes: the same of each, and another code.
    let ran = machine.run(&["acquire", UNKNOWN]).ended(1);
    assert!(
        ran.err.starts_with("error: the service refuses the license: the service has no such content\n"),
        "{}",
        ran.err
    );
    let told = machine.json(1, &["acquire", UNKNOWN]);
    assert_eq!(told["refused"][0]["kid"], UNKNOWN);
}

#[test]
fn an_account_gets_what_is_its_own_and_its_token_comes_from_a_file_standard_input_or_the_environment() {
    use std::io::Write as _;
    let service = Service::start();
    let mut machine = Machine::of(&service);
    machine.run(&["individualize"]).ended(0);
    let token = machine.file("token", &format!("{}\n", service.gold_token));
    assert_eq!(machine.json(0, &["acquire", GOLD, "--token-file", &token])["stored"], 1);
    let mut piped = machine.command(&["acquire", GOLD, "--token-file", "-", "--json"]);
    let mut child = piped.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(service.gold_token.as_bytes()).unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    machine.set("WMLICENSE_TOKEN", &service.gold_token);
    assert_eq!(machine.json(0, &["acquire", "--scope", "gold"])["partial"], false);
    let all = machine.json(0, &["acquire", "--all"]);
    assert!(all["stored"].as_u64().unwrap() > 10, "{all}");
    assert_eq!(machine.json(0, &["acquire", "--all"])["stored"], 0);
    let words = machine.run(&["acquire", "--all"]).ended(0);
    assert_eq!(words.out, "the service has nothing new for this device\n");
    assert!(!format!("{}{}", words.out, words.err).contains(&service.gold_token));
}

#[test]
fn all_that_is_missing_is_told_at_once() {
    let machine = Machine::new();
    let ran = machine.run(&["acquire", TITLE]).ended(1);
    assert!(
        ran.err.starts_with("error: missing for the service to be asked: the URL of the service, the "),
        "{}",
        ran.err
    );
    for how in ["give --service, --authority and --token-file in one go", "WMLICENSE_AUTHORITY", "/config.toml"] {
        assert!(ran.err.contains(how), "{how}: {}", ran.err);
    }
    let told = machine.json(1, &["acquire", "--all"]);
    let names: Vec<_> = told["missing"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["service", "authority", "token"]);
    assert!(!machine.store().exists());
}

#[test]
fn without_consent_there_is_neither_a_store_nor_an_identity() {
    let service = Service::start();
    let machine = Machine::of(&service);
    let ran = machine.run(&["acquire", TITLE]).ended(1);
    assert!(ran.err.contains("must be individualized first\nhelp: add --individualize"), "{}", ran.err);
    assert!(!machine.store().exists());
}

#[test]
fn a_service_that_is_down_or_another_is_told_as_what_it_is() {
    let machine = Machine::new();
    // A port that was free a moment ago: nothing answers there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let pin = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    machine.configure(&format!("service = \"http://127.0.0.1:{port}\"\nauthority = \"{pin}\"\n"));
    let ran = machine.run(&["individualize"]).ended(1);
    assert!(ran.err.contains("error: the service cannot be reached: "), "{}", ran.err);
    assert!(ran.err.contains("help: check the network and the service's URL, then try again"), "{}", ran.err);
    let service = Service::start();
    machine.configure(&format!("service = \"{}\"\nauthority = \"{pin}\"\n", service.url));
    let ran = machine.run(&["individualize"]).ended(1);
    assert!(ran.err.contains("authority") && ran.err.contains("--authority"), "{}", ran.err);
}

#[test]
fn what_is_no_content_is_told_before_anything_is_asked() {
    let machine = Machine::new();
    machine.configure(
        "service = \"https://licenses.test\"\nauthority = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"\n",
    );
    let ran = machine.run(&["acquire", "film.mp4"]).ended(2);
    assert!(ran.err.contains("film.mp4 is neither a file nor a key ID"), "{}", ran.err);
    let clear = root().join("tests/data/media/src.mp4");
    let ran = machine.run(&["acquire", clear.to_str().unwrap()]).ended(1);
    assert!(ran.err.contains("is not protected and needs no license"), "{}", ran.err);
    // A file that is named like a key ID is written with its folder.
    machine.file(TITLE, "no media");
    let ran = machine.run(&["acquire", &format!("./{TITLE}")]).ended(1);
    assert!(ran.err.contains("help: give a media file"), "{}", ran.err);
}
