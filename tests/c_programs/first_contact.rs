//! What a stranger's first command meets: toolchains that lack something, a package system that is held, a reader without root, an
//! interrupt. The tools that the scripts in `ci/` call are stood in for; they write down how they were called.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use wmlicense_testkit::root;

/// A folder of stand-ins at the front of the search path, and a folder for temporary files whose name holds blanks.
struct Stranger {
    folder: tempfile::TempDir,
}

impl Stranger {
    /// Someone with a current toolchain that is whole, and root, on a system where no package is installed.
    fn new() -> Self {
        let stranger = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(stranger.temporary()).unwrap();
        stranger.tool("rustc", "echo 'rustc 1.95.0 (59807616e 2026-04-14)'");
        stranger.tool("cargo", "exit 0");
        stranger.tool("id", "echo 0");
        stranger.tool("dpkg-query", "exit 1");
        stranger.tool("apt-get", "exit 0");
        stranger.tool("sleep", "exit 0");
        stranger
    }

    fn temporary(&self) -> PathBuf {
        self.folder.path().join("temporary files")
    }

    /// Puts a stand-in in place. It writes down its name and arguments before it does anything else.
    fn tool(&self, name: &str, body: &str) {
        let path = self.folder.path().join(name);
        let calls = self.folder.path().join("calls").display().to_string();
        fs::write(&path, format!("#!/bin/sh\necho \"{name} $*\" >>'{calls}'\n{body}\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }

    /// Calls of one tool, in their order.
    fn calls(&self, name: &str) -> Vec<String> {
        let all = fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default();
        all.lines().filter_map(|line| line.strip_prefix(&format!("{name} "))).map(str::to_owned).collect()
    }

    fn run(&self, script: &str, words: &[&str]) -> (Output, String) {
        // Who starts the tests in the background lets them ignore interrupts, and what they start as well.
        let mut command = Command::new("/usr/bin/env");
        command.args(["--default-signal=INT", "bash"]);
        command.arg(root().join(script)).args(words).env("TMPDIR", self.temporary());
        command.env("PATH", format!("{}:/usr/bin:/bin", self.folder.path().display()));
        // A group of its own: an interrupt meets the script and what it started, as from a terminal, and nobody else.
        let output = command.process_group(0).output().unwrap();
        let printed = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
        let left: Vec<_> = fs::read_dir(self.temporary()).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{script} left {left:?}\n{printed}");
        (output, printed)
    }
}

#[test]
fn a_toolchain_without_formatter_and_linter_gets_them_in_a_valid_call() {
    let stranger = Stranger::new();
    stranger.tool("cargo", "exit 101");
    stranger.tool("rustup", "exit 7");
    let (output, printed) = stranger.run("ci/install.sh", &[]);
    assert_eq!(output.status.code(), Some(7), "{printed}");
    let calls = stranger.calls("rustup");
    assert_eq!(calls, ["--quiet component add rustfmt clippy"]);
    assert!(stranger.calls("apt-get").is_empty(), "the toolchain is looked at before anything is downloaded");
    // The words are those that the real one takes.
    if let Ok(help) = Command::new("rustup").args(calls[0].split(' ').take(3)).arg("--help").output() {
        assert!(help.status.success(), "{}", String::from_utf8_lossy(&help.stderr));
    }
}

#[test]
fn the_demonstration_wants_neither_formatter_nor_linter_and_no_packages_of_tests() {
    let stranger = Stranger::new();
    stranger.tool("cargo", "exit 101");
    let (output, printed) = stranger.run("ci/install.sh", &["demo"]);
    assert!(output.status.success(), "{printed}");
    let calls = stranger.calls("apt-get");
    let [_, install] = &calls[..] else { panic!("{calls:?}") };
    assert!(install.contains(" build-essential ") && install.contains(" python3"), "{install}");
    for heavy in ["clang", "valgrind", "chromium", "gstreamer", "python3-venv"] {
        assert!(!install.contains(heavy), "{heavy} is for tests: {install}");
    }
}

#[test]
fn a_toolchain_that_is_missing_too_old_or_of_a_distribution_is_told_what_helps() {
    let stranger = Stranger::new();
    stranger.tool("rustc", "echo 'rustc 1.63.0'");
    let (output, printed) = stranger.run("ci/install.sh", &["demo"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed.contains("version 1.63; 1.89 or newer is needed"), "{printed}");

    stranger.tool("rustc", "exit 127");
    let (output, printed) = stranger.run("ci/install.sh", &["demo"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed.contains("no Rust toolchain"), "{printed}");

    // Without rustup the components are packages.
    let stranger = Stranger::new();
    stranger.tool("cargo", "case $1 in clippy) exit 101 ;; esac");
    let (output, printed) = stranger.run("ci/install.sh", &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed.contains("lacks clippy") && printed.contains("its packages are rust-clippy."), "{printed}");
    assert!(stranger.calls("apt-get").is_empty());
}

#[test]
fn another_program_that_installs_packages_is_waited_for_and_told_of() {
    let stranger = Stranger::new();
    let held = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt-get)";
    let once = stranger.folder.path().join("held").display().to_string();
    stranger.tool("apt-get", &format!("[ -e '{once}' ] || {{ : >'{once}'; echo '{held}'; exit 100; }}"));
    let (output, printed) = stranger.run("ci/install.sh", &["demo"]);
    assert!(output.status.success(), "{printed}");
    assert!(printed.contains("another program is installing packages; waiting"), "{printed}");
    let calls = stranger.calls("apt-get");
    assert_eq!(calls[..2], ["-y -q update", "-y -q update"]);
    assert!(calls[2].starts_with("-y -q install "), "{calls:?}");

    // One that never ends is not waited for without end.
    stranger.tool("apt-get", &format!("echo '{held}'; exit 100"));
    let (output, printed) = stranger.run("ci/install.sh", &["demo"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed.contains(held) && stranger.calls("sleep").len() > 100, "{printed}");
}

#[test]
fn who_may_not_install_gets_the_line_that_root_would_run() {
    let stranger = Stranger::new();
    let (output, printed) = stranger.run("ci/install.sh", &["demo"]);
    assert!(output.status.success(), "{printed}");
    let by_root = stranger.calls("apt-get").pop().unwrap();
    let by_root = by_root.strip_prefix("-y -q ").unwrap().to_owned();

    stranger.tool("id", "echo 1000");
    stranger.tool("sudo", "echo 'sudo: a password is required' >&2; exit 1");
    let (output, printed) = stranger.run("ci/install.sh", &["demo"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(printed.contains(&format!("\n  apt-get update && apt-get -y {by_root}\n")), "{printed}\nroot: {by_root}");
}

#[test]
fn an_interrupt_leaves_nothing_behind_and_says_nothing() {
    let stranger = Stranger::new();
    stranger.tool("apt-get", "kill -INT 0; exit 1");
    let (output, printed) = stranger.run("ci/install.sh", &["demo"]);
    assert_eq!(output.status.code(), Some(130), "{printed}");

    let target = stranger.folder.path().join("target folder").display().to_string();
    stranger.tool("cargo", &format!("case $1 in metadata) echo '{{\"target_directory\":\"{target}\"}}' ;; esac"));
    stranger.tool("apt-get", "exit 0");
    stranger.tool("pkg-config", "exit 1");
    stranger.tool("cc", "kill -INT 0; exit 1");
    let (output, printed) = stranger.run("ci/demo.sh", &[]);
    assert_eq!(output.status.code(), Some(130), "{printed}");
    assert!(!printed.contains("stopped") && !printed.contains("tail"), "{printed}");

    // A failure before anything was logged is told without a complaint about the log.
    stranger.tool("cc", "exit 1");
    let (output, printed) = stranger.run("ci/demo.sh", &[]);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    assert!(printed.contains("the demonstration stopped") && !printed.contains("No such file"), "{printed}");
}
