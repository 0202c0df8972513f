//! Documents that are held against docs/protocol.cddl with two tools, by `ci/check_documents.py`.

use crate::root;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;

/// The Python of the tests, unless this machine may do without.
pub fn python() -> Option<PathBuf> {
    needed(root().join(".venv/bin/python"))
}

/// This file, unless it is missing on a machine that need not have everything.
fn needed(path: PathBuf) -> Option<PathBuf> {
    if path.exists() {
        return Some(path);
    }
    crate::skip(&format!("{} is missing: run ci/test.sh install", path.display()));
    None
}

/// Documents on their way to the tools.
pub struct Documents(TempDir);

impl Documents {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// Keeps a document that has the form of this rule. One that is kept twice under a name is kept once.
    pub fn keep(&self, name: &str, rule: &str, bytes: &[u8]) {
        std::fs::write(self.0.path().join(format!("{name}.{rule}.cbor")), bytes).expect("the folder is writable");
    }

    /// Holds all of them against their rules.
    pub fn hold(&self) {
        let test = std::env::current_exe().expect("a running test has a path");
        let built = test.ancestors().nth(3).expect("a test is three folders down").join("cddl/debug/hold-against-cddl");
        let (Some(python), Some(crate_tool)) = (python(), needed(built)) else { return };
        let script = root().join("ci/check_documents.py");
        let output = Command::new(python).arg(script).args([self.0.path(), &crate_tool]).output().expect("it starts");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{printed}");
        println!("{printed}");
    }
}
