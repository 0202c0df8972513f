//! The fuzz target of what the program shows of a stranger's file. It stands here, where its modules are found, and is built by
//! `fuzz/Cargo.toml` alone.
#![no_main]
#![allow(dead_code, reason = "what reads stores and asks services is not asked here")]

mod dump;
mod exit;
mod failure;
mod inspect;
mod left_out;
mod output;
mod text;
mod wording;

use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;
use std::sync::LazyLock;
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));
static FILE: LazyLock<PathBuf> = LazyLock::new(|| FOLDER.path().join("file"));

fuzz_target!(|data: &[u8]| {
    std::fs::write(&*FILE, data).expect("the folder is writable");
    let shown = [dump::run(&FILE), inspect::run(&FILE, None), inspect::run(&FILE, Some(&FILE))];
    for shown in shown.into_iter().flatten() {
        assert!(shown.json.is_object());
        // Nothing that a file says steers the terminal.
        let harmless = |letter: char| letter == '\n' || !letter.is_control();
        assert!(shown.text.chars().all(harmless), "{:?}", shown.text);
    }
});
