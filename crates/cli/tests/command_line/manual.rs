//! Completions and the manual: read by the programs that they are for.

use super::program::{Machine, cleared};
use super::terminal::Terminal;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use wmlicense_testkit::run::has_tool;

/// What bash offers for a line whose last word is being typed.
fn offered(machine: &Machine, script: &Path, words: &[&str]) -> Vec<String> {
    let line = r#"source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
        "$(complete -p wmlicense | sed 's/.*-F \([^ ]*\).*/\1/')" wmlicense "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
        printf '%s\n' "${COMPREPLY[@]}""#;
    let mut bash = machine.prepared(cleared(Command::new("bash")), &["--norc", "-c", line, "bash"]);
    let output = bash.arg(script).arg("wmlicense").args(words).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_files() {
    let machine = Machine::new();
    let script = machine.file("wmlicense.bash", &machine.run(&["completions", "bash"]).ended(0).out);
    let script = Path::new(&script);
    assert_eq!(offered(&machine, script, &["ac"]), ["acquire"]);
    assert_eq!(offered(&machine, script, &["restore", "--pre"]), ["--preview"]);
    let options = offered(&machine, script, &["give-back", "--"]);
    for option in ["--local", "--yes", "--json", "--config", "--store"] {
        assert!(options.iter().any(|offered| offered == option), "{option}: {options:?}");
    }
    assert_eq!(offered(&machine, script, &["completions", "ba"]), ["bash"]);
}

/// As somebody types it, file names with blanks included.
#[test]
fn an_interactive_bash_completes_what_is_typed() {
    let machine = Machine::new();
    let script = machine.file("wmlicense.bash", &machine.run(&["completions", "bash"]).ended(0).out);
    machine.file("film 1.mp4", "");
    let prepare = |setsid| machine.prepared(cleared(setsid), &[]);
    let mut terminal = Terminal::start_program(prepare, "bash", &["--norc", "--noprofile", "-i"]);
    terminal.types(&format!("PS1='ready> '; source '{script}'\n"));
    terminal.shows("2004hready> ");
    terminal.types("wmlicense ind\t--fo\t");
    terminal.shows("wmlicense individualize --force ");
    terminal.types("\u{15}wmlicense inspect fil\t");
    terminal.shows("wmlicense inspect film\\ 1.mp4 ");
    terminal.types("\u{15}exit 0\n");
    assert_eq!(terminal.ends().0, Some(0));
}

#[test]
fn the_other_shells_read_their_completions() {
    let machine = Machine::new();
    for (shell, check) in [("zsh", ["-n"]), ("fish", ["--no-execute"])] {
        let script = machine.run(&["completions", shell]).ended(0).out;
        assert!(script.contains("give-back") && script.contains("individualize"), "{shell}");
        if Command::new(shell).arg("--version").output().is_err() {
            continue;
        }
        let script = machine.file(shell, &script);
        let output = machine.prepared(cleared(Command::new(shell)), &check).arg(script).output().unwrap();
        assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn every_command_has_a_page_that_groff_takes_without_a_warning() {
    let machine = Machine::new();
    let told = machine.json(0, &["man", "pages"]);
    let pages: Vec<&str> = told["pages"].as_array().unwrap().iter().map(|page| page.as_str().unwrap()).collect();
    let help = machine.run(&["--help"]).ended(0).out;
    let commands = help.split("Commands:\n").nth(1).unwrap().lines().take_while(|line| !line.is_empty());
    let commands: BTreeSet<&str> =
        commands.map(|line| line.split_whitespace().next().unwrap()).filter(|name| *name != "help").collect();
    let expected: BTreeSet<String> =
        commands.iter().map(|name| format!("pages/wmlicense-{name}.1")).chain(["pages/wmlicense.1".into()]).collect();
    assert_eq!(pages.iter().map(|page| (*page).to_owned()).collect::<BTreeSet<_>>(), expected);
    if !has_tool("groff") {
        return;
    }
    for page in pages {
        let words = ["-man", "-ww", "-Tutf8", "-Kutf8", "-P-cbou", page];
        let output = machine.prepared(cleared(Command::new("groff")), &words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.is_empty(), "{page}: {said}");
        let text = String::from_utf8(output.stdout).unwrap();
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"]
        {
            assert!(text.lines().any(|line| line.trim() == section), "{page}: {section}\n{text}");
        }
        for word in ["WMLICENSE_STORE", "config.toml", "token-file", "130"] {
            assert!(text.contains(word), "{page}: {word}");
        }
    }
    // Without a folder the page of the program itself is printed.
    let printed = machine.run(&["man"]).ended(0).out;
    let mut groff = machine.prepared(cleared(Command::new("groff")), &["-man", "-ww", "-Tutf8", "-P-cbou"]);
    let mut child = groff.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(printed.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("wmlicense-restore(1)"));
}

#[test]
fn the_codes_in_the_help_are_those_of_the_manual() {
    let machine = Machine::new();
    let help = machine.run(&["--help"]).ended(0).out;
    let codes = help.split("Exit codes:\n").nth(1).unwrap();
    let page = machine.run(&["man"]).ended(0).out.replace("\\-", "-");
    for line in codes.lines() {
        let (number, meaning) = line.trim().split_once(' ').unwrap();
        assert!(page.contains(&format!("\\fB{number}\\fR\n{}", meaning.trim())), "{line}\n{page}");
    }
}
