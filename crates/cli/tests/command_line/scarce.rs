//! What the program says where the machine, or the user's own files, lack what it needs.

use super::program::{cleared, command};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output};

const PROGRAM: &str = env!("CARGO_BIN_EXE_wmlicense");

/// Runs the program under a limit of the shell.
fn limited(limit: &str, words: &[&str]) -> Output {
    let line = format!("ulimit {limit} && exec \"$@\"");
    cleared(Command::new("sh")).args(["-c", &line, "sh", PROGRAM]).args(words).output().unwrap()
}

fn run(words: &[&str]) -> (Option<i32>, String) {
    let output = command().args(words).output().unwrap();
    (output.status.code(), complaint(&output))
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn where_descriptors_run_out_the_help_is_about_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let words = ["restore", "--store", text(&store), "--from", text(folder.path())];
    // The store is made where there are enough of them.
    assert!(run(&words).1.contains("there is no backup"));
    let mut scarce = 0;
    for limit in 3..16 {
        let output = limited(&format!("-n {limit}"), &words);
        let said = complaint(&output);
        // Below that, the program is not even loaded.
        if said.contains("error while loading") {
            continue;
        }
        assert_eq!(output.status.code(), Some(1), "{limit}: {said}");
        if !said.contains("there is no backup") {
            assert!(said.contains("(ulimit -n)"), "{limit}: {said}");
            scarce += 1;
        }
    }
    assert!(scarce >= 3, "{scarce}");
}

#[test]
fn where_memory_runs_out_the_program_says_so_before_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let restore = ["restore", "--store", text(&store), "--from", text(folder.path())];
    assert!(run(&restore).1.contains("there is no backup"));
    let backup = ["backup", "--store", text(&store), "--to", text(folder.path()), "--overwrite"];
    let limit = |kib: u32| format!("-v {kib}");
    // From here on the program itself has room.
    let least = (4 << 10..512 << 10).step_by(512).find(|kib| limited(&limit(*kib), &["--version"]).status.success());
    let least = least.unwrap();
    let mut scarce = 0;
    for more in (1 << 10..24 << 10).step_by(256) {
        let output = limited(&limit(least + more), &backup);
        let said = complaint(&output);
        let (signal, code) = (output.status.signal(), output.status.code());
        assert!(signal.is_none() && matches!(code, Some(0 | 1)), "{more}: {}: {said}", output.status);
        assert_eq!(code == Some(1), said.contains("no memory"), "{more}: {said}");
        scarce += u32::from(code == Some(1));
    }
    assert!(scarce >= 40, "{scarce}");
}

#[test]
fn a_file_that_holds_no_token_is_told_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (store, file) = (folder.path().join("store"), folder.path().join("secret"));
    let words = ["restore", "--store", text(&store), "--from", text(folder.path()), "--token-file", text(&file)];
    for bytes in ["gr\u{fc}n".as_bytes(), b"a\tb", b"a\x1bb", b"\xff\xfea\0b\0", b"\n"] {
        std::fs::write(&file, bytes).unwrap();
        let (code, said) = run(&words);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(text(&file)) && said.contains("token"), "{said}");
        assert!(!store.exists(), "{said}");
    }
    // The mark before a text is none of it.
    std::fs::write(&file, "\u{feff}token\r\n").unwrap();
    assert!(run(&words).1.contains("there is no backup"));
}

#[test]
fn what_is_no_url_of_a_service_is_wrong_usage() {
    let folder = tempfile::tempdir().unwrap();
    let (store, from) = (folder.path().join("store"), folder.path().join("backup"));
    for url in ["foo", "ftp://a.test", "https://", "https://user@a.test", ""] {
        let (code, said) = run(&["restore", "--store", text(&store), "--from", text(&from), "--service", url]);
        assert_eq!(code, Some(2), "{url}: {said}");
        assert!(said.contains("--service"), "{said}");
    }
}
