//! Where settings come from, as a person meets it; which of them counts is tested beside the code.

use super::program::{Machine, command};
use std::os::unix::fs::PermissionsExt as _;

#[test]
fn what_is_set_is_told_with_its_place_and_without_the_token() {
    let mut machine = Machine::new();
    let file = machine.configure("service = \"https://licenses.test\"\ntoken = \"s3cret\"\n");
    machine.set("WMLICENSE_AUTHORITY", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let ran = machine.run(&["config"]).ended(0);
    let place = file.display();
    for line in [
        &format!("configuration file: {place}\n"),
        &format!("store: {} (the default)\n", machine.store().display()),
        &format!("service: https://licenses.test ({place}, line 1)\n"),
        "authority: AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= (WMLICENSE_AUTHORITY)\n",
        &format!("token: set ({place}, line 2)\n"),
    ] {
        assert!(ran.out.contains(line), "{line}{}", ran.out);
    }
    let told = machine.json(0, &["config", "--store", "/elsewhere"]);
    assert_eq!((&told["store"]["value"], &told["store"]["origin"]), (&"/elsewhere".into(), &"--store".into()));
    assert_eq!(told["token"]["set"], true);
    let ran = machine.run(&["list", "--verbose"]).ended(1);
    assert!(ran.err.contains("service: https://licenses.test"), "{}", ran.err);
    assert!(!format!("{}{}{told}", ran.err, ran.out).contains("s3cret"));
}

#[test]
fn a_wrong_key_stops_every_command_that_would_read_it_and_no_other() {
    let machine = Machine::new();
    machine.configure("stroe = \"/a\"\n");
    for words in [["list"].as_slice(), &["acquire", "--scope", "x"], &["config"], &["check"]] {
        let ran = machine.run(words).ended(2);
        assert!(ran.err.contains("line 1: unknown key `stroe`\nhelp: did you mean `store`?"), "{}", ran.err);
        assert!(!machine.store().exists());
    }
    let told = machine.json(2, &["list"]);
    assert!(told["error"].as_str().unwrap().ends_with("unknown key `stroe`"), "{told}");
    machine.run(&["completions", "bash"]).ended(0);
}

#[test]
fn a_configuration_file_that_is_too_long_is_refused_and_not_cut() {
    let machine = Machine::new();
    let line = "service = \"https://licenses.test\"\n";
    let padded = |length: usize| format!("{line}#{}\n", "x".repeat(length - line.len() - 2));
    machine.configure(&padded(64 << 10));
    assert_eq!(machine.json(0, &["config"])["service"]["value"], "https://licenses.test");
    machine.configure(&padded((64 << 10) + 1));
    let ran = machine.run(&["config"]).ended(2);
    assert!(ran.err.contains("config.toml is longer than the 64 KiB of a configuration file\nhelp: "), "{}", ran.err);
}

#[test]
fn without_a_home_a_store_has_to_be_named() {
    let mut bare = command();
    bare.env_remove("HOME").arg("list");
    let output = bare.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("name the store's folder with --store"));
}

#[test]
fn a_token_that_others_may_read_is_warned_of() {
    let machine = Machine::new();
    let open = |path: &std::path::Path| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    };
    let file = machine.configure("token = \"s3cret\"\n");
    assert!(!machine.run(&["config"]).err.contains("warning"));
    open(&file);
    let ran = machine.run(&["config"]).ended(0);
    assert!(ran.err.contains("warning: others may read the account token in") && ran.err.contains("chmod 600"));
    std::fs::remove_file(&file).unwrap();
    let token = machine.file("token", "s3cret\n");
    let words = ["restore", "--from", "nowhere", "--token-file", &token];
    assert!(!machine.run(&words).err.contains(&format!("chmod 600 '{token}'")));
    open(std::path::Path::new(&token));
    let ran = machine.run(&words).ended(1);
    assert!(ran.err.contains(&format!("chmod 600 '{token}'")), "{}", ran.err);
}

#[test]
fn usage_is_told_as_an_object_where_one_was_asked_for() {
    let machine = Machine::new();
    let told = machine.json(2, &["list", "--stroe", "x"]);
    assert_eq!(told["error"], "unexpected argument '--stroe' found");
    assert!(told["remedy"].as_str().unwrap().contains("'--store'"), "{told}");
    let told = machine.json(2, &["acquire"]);
    assert!(told["error"].as_str().unwrap().contains("<KID|FILE>"), "{told}");
}
