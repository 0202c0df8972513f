//! Recorded cases in `tests/cmd/`: a command line, its exit code and both outputs. `UPDATE_CASES=1` records them anew.
//! `[VECTORS]` stands for the folder of the vectors, `[TMP]` for an empty folder of the case.

use super::program::command;
use std::path::{Path, PathBuf};

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cmd");
    let mut cases: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.sort();
    cases
}

/// Runs the words after `$ wmlicense` and gives what a case file says of it.
fn record(line: &str) -> String {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
    let folder = tempfile::tempdir().unwrap();
    let places = [("[VECTORS]", vectors.to_str().unwrap()), ("[TMP]", folder.path().to_str().unwrap())];
    let words =
        line.split_whitespace().map(|word| places.iter().fold(word.to_owned(), |w, (p, path)| w.replace(p, path)));
    let output = command().args(words).env("HOME", folder.path()).output().unwrap();
    let hidden = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        places.iter().fold(text, |text, (place, path)| text.replace(path, place))
    };
    let (out, err) = (hidden(&output.stdout), hidden(&output.stderr));
    format!("$ wmlicense {line}\nexit: {}\n--- stdout\n{out}--- stderr\n{err}", output.status.code().unwrap())
}

#[test]
fn every_recorded_command_says_what_it_said() {
    let update = std::env::var_os("UPDATE_CASES").is_some_and(|value| value == "1");
    let cases = cases();
    assert!(cases.len() >= 20, "{}", cases.len());
    for path in cases {
        let text = std::fs::read_to_string(&path).unwrap();
        let line =
            text.lines().next().and_then(|line| line.strip_prefix("$ wmlicense")).expect("a command line").trim();
        let recorded = record(line);
        if update {
            std::fs::write(&path, &recorded).unwrap();
        } else {
            assert_eq!(recorded, text, "{}", path.display());
        }
    }
}

#[test]
fn every_vector_is_shown_or_refused_without_secrets() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors");
    let mut shown = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "wmv") {
            continue;
        }
        let name = path.file_stem().unwrap().to_str().unwrap();
        let output = command().arg("dump").arg("--json").arg(&path).output().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
        let document = !["cbor-", "key-", "section-"].iter().any(|kind| name.starts_with(kind));
        if document && name.ends_with("-ok") {
            assert!(output.status.success(), "{name}: {json}");
            assert!(
                json["kind"].is_string() && json["fields"].is_object() | json["fields"].is_array(),
                "{name}: {json}"
            );
            assert_eq!(json["verified"], false);
            shown += 1;
        }
        if name.starts_with("key-") {
            assert!(!output.status.success(), "{name}");
        }
        assert_eq!(output.status.success(), json.get("error").is_none(), "{name}: {json}");
    }
    assert!(shown >= 10, "{shown}");
}
