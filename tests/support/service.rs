//! A real `wmlicensed` on a free port with the catalogue that `tests/c/common.h` describes, stopped when dropped.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;

use super::run;

/// What has terms of its own: title, key ID, name of the policy, its terms. All of it is open to every account.
const POLICIES: &[(&str, &str, &str, &str)] = &[
    ("Not for backup", "c1000000000000000000000000000001", "no-backup", r#"{"actions":{"Play":{}},"backup":false}"#),
    ("Played twice", "c2000000000000000000000000000001", "twice", r#"{"actions":{"Play":{"count":2}},"backup":true}"#),
    (
        "Ended",
        "c3000000000000000000000000000001",
        "ended",
        r#"{"actions":{"Play":{"notAfter":"2001-01-01T00:00:00Z"}},"backup":true}"#,
    ),
    (
        "To come",
        "c4000000000000000000000000000001",
        "to-come",
        r#"{"actions":{"Play":{"notBefore":"2090-01-01T00:00:00Z"}},"backup":true}"#,
    ),
    ("Demanding", "c8000000000000000000000000000001", "demanding", DEMANDING),
    ("Revocable 1", "d1000000000000000000000000000001", "revocable", REVOCABLE),
    ("Revocable 2", "d1000000000000000000000000000002", "revocable", REVOCABLE),
    ("Revocable 3", "d1000000000000000000000000000003", "revocable", REVOCABLE),
];

/// Terms of content whose licenses the service's key takes back.
const REVOCABLE: &str = r#"{"actions":{"Play":{}},"backup":true,"revocationKey":"default"}"#;

/// Content that the user must accept on the page of the service: `ca…01` to `ca…0c`, and its terms.
const ASKED: &str = r#"{"actions":{"Play":{"count":9}},"backup":true,"interaction":"page"}"#;
const ASKED_COUNT: u8 = 12;

/// Each action on a condition of its own.
const DEMANDING: &str = r#"{"backup":false,"actions":{
    "Play":{"notBefore":"2001-01-01T00:00:00Z","notAfter":"2090-01-01T00:00:00Z","count":5,"secondsPerCount":3600,
            "outputProtection":"aGRjcCA+PSAy"},
    "Copy":{"count":1},"Print.redbook":{"count":2},"CreateThumbnailImage":{"secondsAfterFirstUse":3600},
    "PlaylistBurn":{"minimumApplicationLevel":7},"Transfer.SDMI":{"minimumSecurityVersion":"99.0.0.0"}}}"#;

/// What only accounts with the scope `gold` may have.
const GOLD: &str = "c5000000000000000000000000000001";

/// Leaves of subscriptions: title, key ID, name of the subscription, terms of its root.
const LEAVES: &[(&str, &str, &str, &str)] = &[
    (
        "Subscribed",
        "c6000000000000000000000000000001",
        "running",
        r#"{"actions":{"Play":{"notAfter":"2090-01-01T00:00:00Z"}}}"#,
    ),
    (
        "Subscribed once",
        "c7000000000000000000000000000001",
        "over",
        r#"{"actions":{"Play":{"notAfter":"2001-01-01T00:00:00Z"}}}"#,
    ),
];

/// The two tracks of the media files in `tests/data/media`: key ID, key.
const MEDIA: &[(&str, &str, &str)] = &[
    ("Test picture", "a1a2a3a4b1b2c1c2d1d2d3d4d5d6d7d8", "00112233445566778899aabbccddeeff"),
    ("Test tone", "0f0e0d0c0b0a09080706050403020100", "ffeeddccbbaa99887766554433221100"),
];

/// A running service. Each test starts its own, so tests run in parallel and none sees another's restores.
pub(crate) struct Service {
    /// Where it listens.
    pub(crate) url: String,
    /// What a client pins.
    pub(crate) authority: String,
    /// The token of an account without scopes.
    pub(crate) token: String,
    /// The token of an account with the scope `gold`.
    pub(crate) gold_token: String,
    child: Child,
    data: TempDir,
}

impl Service {
    /// Makes the authority, the catalogue and two accounts, then serves on a free port of the loopback interface.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with more words for `wmlicensed serve`.
    pub(crate) fn start_with(words: &[&str]) -> Self {
        let data = tempfile::tempdir().expect("a temporary folder");
        let authority = field(&admin(data.path(), &["init"]), "authority: ");
        fill(data.path());
        let token = field(&admin(data.path(), &["account", "add", "alice"]), "token: ");
        let gold_token = field(&admin(data.path(), &["account", "add", "bob", "--scope", "gold"]), "token: ");
        let mut child = Command::new(program())
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data.path())
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("wmlicensed starts");
        let mut first = String::new();
        let output = child.stdout.take().expect("the output is a pipe");
        let read = BufReader::new(output).read_line(&mut first);
        // From here on the drop stops the child, also when the line is not what it should be.
        let mut service = Self { url: String::new(), authority, token, gold_token, child, data };
        read.expect("the first line is readable");
        service.url = field(&first, "listening on ");
        service
    }

    /// The data folder, for a program that gives the service's commands itself.
    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// Adds the content of a CSV list to the running service, open to all on these terms.
    pub(crate) fn import(&self, list: &str, terms: &str) {
        self.import_for(&["--open"], list, terms);
    }

    /// The same for those whom these words of `wmlicensed content import` name.
    pub(crate) fn import_for(&self, whom: &[&str], list: &str, terms: &str) {
        let write = |name: &str, content: &str| {
            let file = self.data.path().join(name);
            std::fs::write(&file, content).expect("the data folder is writable");
            file.to_str().expect("a plain path").to_owned()
        };
        admin(self.data.path(), &["policy", "set", "imported", &write("imported.json", terms)]);
        let list = write("import.csv", list);
        admin(self.data.path(), &[&["content", "import", &list, "--policy", "imported"], whom].concat());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Nothing to do about a failure: the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fill(data: &Path) {
    for (title, kid, key) in MEDIA {
        admin(data, &["content", "add", "--kid", kid, "--key", key, "--title", title, "--open"]);
    }
    for number in 1..=10 {
        let (kid, title) = (format!("c0{number:030x}"), format!("Title {number}"));
        admin(data, &["content", "add", "--kid", &kid, "--key", &turned(&kid), "--title", &title, "--open"]);
    }
    let set_policy = |policy: &str, terms: &str| {
        let file = data.join(format!("{policy}.json"));
        std::fs::write(&file, terms).expect("the data folder is writable");
        admin(data, &["policy", "set", policy, file.to_str().expect("a plain path")]);
    };
    for (title, kid, subscription, terms) in LEAVES {
        let (root, leaf) = (format!("root-{subscription}"), format!("leaf-{subscription}"));
        set_policy(&root, terms);
        admin(data, &["subscription", "add", subscription, "--policy", &root, "--open"]);
        set_policy(&leaf, &format!(r#"{{"subscription":"{subscription}"}}"#));
        let key = turned(kid);
        admin(data, &["content", "add", "--kid", kid, "--key", &key, "--title", title, "--policy", &leaf, "--open"]);
    }
    for (title, kid, policy, terms) in POLICIES {
        set_policy(policy, terms);
        let key = turned(kid);
        let words = ["content", "add", "--kid", kid, "--key", &key, "--title", title, "--policy", policy, "--open"];
        admin(data, &words);
    }
    let file = data.join("asked.json");
    std::fs::write(&file, ASKED).expect("the data folder is writable");
    admin(data, &["policy", "set", "asked", file.to_str().expect("a plain path")]);
    for number in 1..=ASKED_COUNT {
        let (kid, title) = (format!("ca{number:030x}"), format!("Asked {number}"));
        let key = turned(&kid);
        let words = ["content", "add", "--kid", &kid, "--key", &key, "--title", &title, "--policy", "asked", "--open"];
        admin(data, &words);
    }
    admin(data, &["content", "add", "--kid", GOLD, "--key", &turned(GOLD), "--title", "Gold", "--scope", "gold"]);
}

/// Any key will do where no sample is decrypted, but each content has another.
fn turned(kid: &str) -> String {
    kid.chars().rev().collect()
}

/// Runs one command of `wmlicensed` on this data folder and answers what it printed.
fn admin(data: &Path, words: &[&str]) -> String {
    run::succeed(Command::new(program()).args(words).arg("--data").arg(data))
}

fn field(printed: &str, label: &str) -> String {
    let found = printed.lines().find_map(|line| line.strip_prefix(label));
    found.unwrap_or_else(|| panic!("no line begins with `{label}` in: {printed}")).trim().to_owned()
}

/// The service program of this build, built once per test process when it is not there yet.
pub(crate) fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| run::built("wmlicensed"))
}
