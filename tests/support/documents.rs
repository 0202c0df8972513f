//! Documents that are held against docs/protocol.cddl with two tools, by `ci/check_documents.py`.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The Python of the tests, unless this machine may do without.
pub(crate) fn python() -> Option<PathBuf> {
    needed(root().join(".venv/bin/python"))
}

/// This file, unless it is missing on a machine that need not have everything.
fn needed(path: PathBuf) -> Option<PathBuf> {
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("WM_TEST_ALL_TOOLS").is_none(), "{} is missing: run ci/test.sh install", path.display());
    eprintln!("skipped: {} is not there; ci/test.sh install makes it", path.display());
    None
}

fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = package.ancestors().find(|folder| folder.join("docs/protocol.cddl").exists());
    root.expect("tests run in the repository").to_path_buf()
}

/// Documents on their way to the tools.
pub(crate) struct Documents(TempDir);

impl Documents {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    /// Keeps a document that has the form of this rule. One that is kept twice under a name is kept once.
    pub(crate) fn keep(&self, name: &str, rule: &str, bytes: &[u8]) {
        std::fs::write(self.0.path().join(format!("{name}.{rule}.cbor")), bytes).expect("the folder is writable");
    }

    /// Holds all of them against their rules.
    pub(crate) fn hold(&self) {
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
