//! What README tells a reader to type: its link lines build a program, its service commands exist.

use std::process::Command;

use wmlicense_testkit::c::compile::{STATIC_LIBRARIES, command_of};
use wmlicense_testkit::daemon;
use wmlicense_testkit::{root, run};

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).unwrap()
}

#[test]
fn both_link_lines_build_a_program_that_starts() {
    let text = readme();
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("cc ")).collect();
    assert_eq!(lines.len(), 2, "one line for the shared library, one for the static one");
    assert!(lines[1].contains(&format!("libwmlicense.a {} ", STATIC_LIBRARIES.join(" "))), "{}", lines[1]);
    let out = tempfile::tempdir().unwrap();
    for line in lines {
        let program = out.path().join("player");
        run::succeed(&mut command_of(&line.replace("player.c", "examples-c/backup.c"), "cc", &program));
        assert!(run::fail(&mut Command::new(&program)).starts_with("usage: "), "{line}");
    }
}

#[test]
fn every_service_command_and_option_exists() {
    let text = readme().replace("\\\n", " ");
    let mut found = 0;
    for line in text.lines().filter(|line| line.starts_with("wmlicensed ")) {
        let line = line.split(" #").next().unwrap();
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        let commands = words.iter().take_while(|word| !word.starts_with('-'));
        let help = run::succeed(Command::new(daemon::program()).args(commands).arg("--help"));
        for option in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "{line}: no {option} in\n{help}");
        }
        found += 1;
    }
    assert!(found >= 4, "README shows how to start a service");
}
