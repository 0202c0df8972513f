//! A real `wmlicensed` on a free port with the catalogue that `tests/c/common.h` describes, stopped when dropped.

use std::path::Path;

use crate::daemon::{Data, Serving};

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
pub struct Service {
    /// Where it listens.
    pub url: String,
    /// What a client pins.
    pub authority: String,
    /// The token of an account without scopes.
    pub token: String,
    /// The token of an account with the scope `gold`.
    pub gold_token: String,
    /// Ended before its data folder goes.
    _serving: Serving,
    data: Data,
}

impl Service {
    /// Makes the authority, the catalogue and two accounts, then serves on a free port of the loopback interface.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with more words for `wmlicensed serve`.
    pub fn start_with(words: &[&str]) -> Self {
        let data = Data::new();
        fill(&data);
        let (token, gold_token) = (data.account("alice", &[]), data.account("bob", &["gold"]));
        let serving = data.serve(words);
        let (url, authority) = (serving.url.clone(), data.authority.to_base64());
        Self { url, authority, token, gold_token, _serving: serving, data }
    }

    /// The data folder, for a program that gives the service's commands itself.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Adds the content of a CSV list to the running service, open to all on these terms.
    pub fn import(&self, list: &str, terms: &str) {
        self.import_for(&["--open"], list, terms);
    }

    /// The same for those whom these words of `wmlicensed content import` name.
    pub fn import_for(&self, whom: &[&str], list: &str, terms: &str) {
        self.data.policy("imported", terms);
        let file = self.data().join("import.csv");
        std::fs::write(&file, list).expect("the data folder is writable");
        let list = file.to_str().expect("a plain path");
        self.data.admin(&[&["content", "import", list, "--policy", "imported"], whom].concat());
    }
}

fn fill(data: &Data) {
    // Any key will do where no sample is decrypted, but each content has another.
    let turned = |kid: &str| kid.chars().rev().collect::<String>();
    let add = |title: &str, kid: &str, whom: &[&str]| {
        data.admin(&[&["content", "add", "--kid", kid, "--key", &turned(kid), "--title", title], whom].concat());
    };
    for (title, kid, key) in MEDIA {
        data.admin(&["content", "add", "--kid", kid, "--key", key, "--title", title, "--open"]);
    }
    for number in 1..=10 {
        add(&format!("Title {number}"), &format!("c0{number:030x}"), &["--open"]);
    }
    for (title, kid, subscription, terms) in LEAVES {
        let (root, leaf) = (format!("root-{subscription}"), format!("leaf-{subscription}"));
        data.policy(&root, terms);
        data.admin(&["subscription", "add", subscription, "--policy", &root, "--open"]);
        data.policy(&leaf, &format!(r#"{{"subscription":"{subscription}"}}"#));
        add(title, kid, &["--policy", &leaf, "--open"]);
    }
    for (title, kid, policy, terms) in POLICIES {
        data.policy(policy, terms);
        add(title, kid, &["--policy", policy, "--open"]);
    }
    data.policy("asked", ASKED);
    for number in 1..=ASKED_COUNT {
        add(&format!("Asked {number}"), &format!("ca{number:030x}"), &["--policy", "asked", "--open"]);
    }
    add("Gold", GOLD, &["--scope", "gold"]);
}
