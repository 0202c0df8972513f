//! What holds of every command: one object with `--json`, nothing that steers a terminal where there is none, and colours only
//! where somebody wants them.

use super::program::{Machine, Ran, cleared};
use super::terminal::Terminal;
use std::fs::File;
use std::process::Stdio;
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::root;

const TITLE: &str = "c0000000000000000000000000000001";

/// Every command as somebody uses it, in an order in which all of them succeed.
fn commands(machine: &Machine) -> Vec<Vec<String>> {
    let media = root().join("tests/data/media/packager-cenc-video.mp4");
    let vector = root().join("tests/vectors/answer-one.wmv");
    let (media, vector) = (media.to_str().unwrap(), vector.to_str().unwrap());
    let place = machine.home.join("backup");
    std::fs::create_dir(&place).unwrap();
    let place = place.to_str().unwrap();
    let lines: [&[&str]; 16] = [
        &["individualize"],
        &["acquire", TITLE, media],
        &["list"],
        &["explain", media],
        &["renew"],
        &["backup", "--to", place],
        &["verify", "--from", place],
        &["restore", "--from", place],
        &["give-back", "--yes", TITLE],
        &["check"],
        &["clean"],
        &["inspect", media],
        &["dump", vector],
        &["config"],
        &["completions", "fish"],
        &["man"],
    ];
    lines.iter().map(|words| words.iter().map(|word| (*word).to_owned()).collect()).collect()
}

#[test]
fn every_command_prints_one_object_where_it_is_wanted_and_plain_text_else() {
    let service = Service::start();
    let (for_objects, for_text) = (Machine::of(&service), Machine::of(&service));
    let help = for_text.run(&["--help"]).ended(0).out;
    let names = help.split("Commands:\n").nth(1).unwrap().lines().take_while(|line| !line.is_empty());
    let mut names: Vec<&str> = names.map(|line| line.split_whitespace().next().unwrap()).collect();
    // What needs a player, or prints help, is not of this kind.
    names.retain(|name| !["help", "play"].contains(name));
    let lines = commands(&for_objects);
    let mut used: Vec<&str> = lines.iter().map(|words| words[0].as_str()).collect();
    names.sort_unstable();
    used.sort_unstable();
    assert_eq!(names, used);
    for words in &lines {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        assert!(for_objects.json(0, &words).is_object(), "{words:?}");
    }
    for words in &commands(&for_text) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let ran = for_text.run(&words).ended(0);
        assert!(ran.err.is_empty(), "{words:?}: {}", ran.err);
        let harmless = |letter: char| letter == '\n' || !letter.is_control();
        // A script is none that a terminal is shown.
        assert!(words[0] == "completions" || ran.out.chars().all(harmless), "{words:?}: {}", ran.out);
    }
}

#[test]
fn colours_are_for_terminals_and_for_who_wants_them() {
    let machine = Machine::new();
    assert!(!machine.run(&["--help"]).ended(0).out.contains('\u{1b}'));
    let shown = |no_color: Option<&str>| {
        let prepare = |setsid| {
            let mut command = machine.prepared(cleared(setsid), &[]);
            command.envs(no_color.map(|value| ("NO_COLOR", value)));
            command
        };
        Terminal::start(prepare, &["--help"]).ends().1
    };
    assert!(shown(None).contains('\u{1b}'));
    assert!(!shown(Some("1")).contains('\u{1b}'));
}

/// A bar or a spinner, of which nothing stays behind.
#[test]
fn a_terminal_shows_how_far_something_is() {
    let service = Service::start();
    let machine = Machine::of(&service);
    let prepare = |setsid| machine.prepared(cleared(setsid), &[]);
    let mut terminal = Terminal::start(prepare, &["individualize"]);
    terminal.shows("asking 127.0.0.1");
    terminal.shows("the device is individualized");
    assert_eq!(terminal.ends().0, Some(0));
}

#[test]
fn a_result_that_cannot_be_written_is_a_failure_and_one_that_nobody_reads_is_none() {
    let machine = Machine::new();
    let into = |words: &[&str], out: Stdio| -> Ran {
        machine.command(words).stdout(out).stderr(Stdio::piped()).output().unwrap().into()
    };
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    for words in [["config"].as_slice(), &["config", "--json"]] {
        let ran = into(words, full()).ended(1);
        assert!(ran.err.starts_with("error: the result cannot be written: No space left"), "{}", ran.err);
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ran = into(&["config"], Stdio::from(writer)).ended(0);
    assert!(ran.err.is_empty(), "{}", ran.err);
}
