//! The program as the tests run it: with nothing of the developer's own environment, on a machine that is the test's.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;
use wmlicense_testkit::c::service::Service;

/// The program without the environment of whoever runs the tests, and without a home.
pub(super) fn command() -> Command {
    cleared(Command::new(env!("CARGO_BIN_EXE_wmlicense")))
}

/// The same for a program that starts this one.
pub(super) fn cleared(mut command: Command) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("TZ", "UTC").env("HOME", "/nonexistent");
    command
}

/// What a run printed, and its exit code.
pub(super) struct Ran {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}

impl Ran {
    /// Fails the test unless the program ended with this code.
    #[track_caller]
    pub(super) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.out, self.err);
        self
    }
}

/// A user's machine: a home of its own, in a folder with a blank and a letter beyond ASCII.
pub(super) struct Machine {
    _folder: TempDir,
    pub(super) home: PathBuf,
    variables: Vec<(String, String)>,
}

impl Machine {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home \u{fc}");
        std::fs::create_dir(&home).unwrap();
        Self { _folder: folder, home, variables: Vec::new() }
    }

    /// One whose configuration file names this service.
    pub(super) fn of(service: &Service) -> Self {
        Self::at(&service.url, &service.authority)
    }

    /// The same for a service of the test's own.
    pub(super) fn at(url: &str, authority: &str) -> Self {
        let machine = Self::new();
        machine.configure(&format!("service = \"{url}\"\nauthority = \"{authority}\"\n"));
        machine
    }

    /// Writes the configuration file.
    pub(super) fn configure(&self, text: &str) -> PathBuf {
        let folder = self.home.join(".config/wmlicense");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("config.toml");
        write_private(&path, text);
        path
    }

    /// Sets a variable of its environment.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// A file of its own that only its user may read.
    pub(super) fn file(&self, name: &str, text: &str) -> String {
        let path = self.home.join(name);
        write_private(&path, text);
        path.to_str().unwrap().to_owned()
    }

    /// The store that it uses without a word.
    pub(super) fn store(&self) -> PathBuf {
        self.home.join(".local/share/wmlicense/store")
    }

    pub(super) fn command(&self, words: &[&str]) -> Command {
        self.prepared(command(), words)
    }

    /// `command` in this machine's environment.
    pub(super) fn prepared(&self, mut command: Command, words: &[&str]) -> Command {
        command.args(words).env("HOME", &self.home).current_dir(&self.home);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(super) fn run(&self, words: &[&str]) -> Ran {
        self.command(words).output().unwrap().into()
    }

    /// The object that it prints with `--json`.
    #[track_caller]
    pub(super) fn json(&self, exit: i32, words: &[&str]) -> Value {
        let ran = self.run(&[words, &["--json"]].concat()).ended(exit);
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {}", ran.out))
    }
}

fn write_private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
