//! What the documents in `docs/` say about labels, caps, reasons and problems is what the code has.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use wmlicense_wire::answer::Reason;
use wmlicense_wire::cose::Document;
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::{backup, request, revocation};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn protocol() -> String {
    std::fs::read_to_string(root().join("docs/protocol.md")).unwrap()
}

/// All Rust sources below a folder, tests aside.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() && name != "tests" {
            sources(&path, found);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push(std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// What stands between `begin` and the first of `ends`, wherever it stands in the text.
fn between<'t>(text: &'t str, begin: &str, ends: &[char]) -> BTreeSet<&'t str> {
    text.match_indices(begin)
        .map(|(at, _)| text[at..].trim_start_matches(['"', '`']).split(ends).next().unwrap())
        .collect()
}

#[test]
fn the_labels_in_the_protocol_are_those_in_the_code() {
    let mut files = Vec::new();
    for room in ["wire", "core", "server"] {
        sources(&root().join("crates").join(room).join("src"), &mut files);
    }
    let code: BTreeSet<&str> = files.iter().flat_map(|text| between(text, "\"wmlicense/1", &['"', '\\'])).collect();
    let protocol = protocol();
    let (_, table) = protocol.split_once("## 12. Labels").unwrap();
    let documented = between(table, "`wmlicense/1", &['`']);
    assert!(code.len() >= 10, "{code:?}");
    let missing: Vec<_> = code.difference(&documented).collect();
    assert!(missing.is_empty(), "not in docs/protocol.md: {missing:?}");
    let reserved = ["wmlicense/1 leaf"];
    let gone: Vec<_> = documented.difference(&code).filter(|label| !reserved.contains(label)).collect();
    assert!(gone.is_empty(), "not in the code: {gone:?}");
}

#[test]
fn the_documents_and_their_codes_in_the_protocol_are_those_in_the_code() {
    let protocol = protocol();
    for document in Document::ALL {
        let row = format!("| {} | `{}` |", document as u16, document.media_type());
        let row = protocol.lines().find(|line| line.starts_with(&row)).unwrap_or_else(|| panic!("no `{row}`"));
        assert_eq!(row.ends_with(", dual |"), document.is_dual(), "{row}");
    }
    let cddl = std::fs::read_to_string(root().join("docs/protocol.cddl")).unwrap();
    for document in Document::ALL {
        assert!(cddl.contains(document.media_type()), "{document:?} is not in the CDDL");
    }
}

#[test]
fn every_problem_and_reason_is_in_the_protocol() {
    let protocol = protocol();
    for kind in ProblemKind::ALL {
        let entry = format!("`{}` {}", kind.name(), kind.status());
        assert!(protocol.contains(&entry), "{entry}");
    }
    assert_eq!(Reason::ALL.len(), 22);
    assert!(protocol.contains("| 11, 12, 13, 14 |") && protocol.contains("| 15, 16 |"));
    assert!(protocol.contains("| 17, 18 |") && protocol.contains("| 19, 20 |") && protocol.contains("| 21, 22 |"));
    let cddl = std::fs::read_to_string(root().join("docs/protocol.cddl")).unwrap();
    assert!(cddl.contains("reason = 1..22\n"));
}

#[test]
fn the_caps_in_the_protocol_are_those_in_the_code() {
    let protocol = protocol();
    let kib = |length: usize| length / 1024;
    for row in [
        format!("| certificate | {} KiB |", kib(wmlicense_wire::certificate::MAX_LEN)),
        format!("| service document | {} KiB |", kib(wmlicense_wire::service_document::MAX_LEN)),
        format!("| signed time | {} B |", wmlicense_wire::service_document::MAX_TIME_LEN),
        format!("| policy | {} KiB |", kib(wmlicense_wire::policy::MAX_LEN)),
        format!("| license, binding | {} KiB |", kib(wmlicense_wire::license::MAX_LEN)),
        format!("| request | {} KiB, a restore {} MiB |", kib(request::MAX_LEN), kib(kib(request::MAX_RESTORE_LEN))),
        format!("| status list, revocation blob, acknowledgement | {} MiB |", kib(kib(revocation::MAX_LEN))),
        format!("| answer | {} MiB |", kib(kib(wmlicense_wire::answer::MAX_LEN))),
        format!(
            "| backup: header; item; page; footer | {} MiB; {} KiB; {} KiB; {} KiB |",
            kib(kib(backup::MAX_HEADER_LEN)),
            kib(backup::MAX_ITEM_LEN),
            kib(backup::page::MAX_PAGE_LEN),
            kib(backup::Footer::MAX_LEN)
        ),
    ] {
        assert!(protocol.contains(&row), "{row}");
    }
}
