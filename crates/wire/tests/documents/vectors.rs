//! The vectors in `tests/vectors/` of the repository: each is read as its file says and gives what its file says.
//! `UPDATE_VECTORS=1` makes all of them anew, `UPDATE_VECTORS=missing` those that are not there.

mod make;
mod make_answers;
mod make_backups;
mod make_given;
mod make_restores;
mod make_revocations;
mod read;
mod refusal;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::LazyLock;
use wmlicense_testkit::documents::{self, Documents};
use wmlicense_testkit::vectors::{self, Vector, folder};
use wmlicense_wire::cbor::diagnostic::pretty;

static VECTORS: LazyLock<BTreeMap<String, Vector>> = LazyLock::new(|| {
    match std::env::var("UPDATE_VECTORS").as_deref() {
        Ok("1") => vectors::replace_all(&make::all()),
        Ok("missing") => vectors::add_missing(&make::all()),
        _ => {}
    }
    vectors::load_all(&folder())
});

#[test]
fn every_vector_is_accepted_or_refused_as_it_says() {
    assert!(VECTORS.len() >= 60, "{}", VECTORS.len());
    for (name, vector) in VECTORS.iter() {
        let (class, gives) = match read::read(vector, &VECTORS) {
            Ok(gives) => ("ok", gives),
            Err(class) => (class, Vec::new()),
        };
        assert_eq!(class, vector.field("expect"), "{name}");
        // What is refused gives nothing; what is accepted gives exactly what the file says.
        let gives: BTreeSet<(String, String)> = gives.into_iter().collect();
        assert_eq!(gives, vector.gives(), "{name}");
    }
}

#[test]
fn every_kind_of_document_has_a_vector_that_is_accepted_and_one_that_is_refused() {
    for kind in read::KINDS {
        let of_kind = || VECTORS.values().filter(|vector| vector.field("read-as") == kind);
        assert!(of_kind().any(|vector| vector.field("expect") == "ok"), "{kind}: none accepted");
        assert!(of_kind().any(|vector| vector.field("expect") != "ok"), "{kind}: none refused");
    }
}

#[test]
fn the_diagnostic_twin_of_a_vector_says_what_the_bytes_say() {
    for (name, vector) in VECTORS.iter() {
        let twin = std::fs::read_to_string(folder().join(format!("{name}.diag"))).ok();
        let expected = pretty(vector.cbor()).map(|text| text + "\n");
        assert_eq!(twin, expected, "{name}");
    }
}

#[test]
fn an_independent_reader_agrees() {
    let Some(python) = documents::python() else { return };
    assert!(!VECTORS.is_empty());
    let script = format!("{}/../../ci/read_vectors.py", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(python).arg(script).arg(folder()).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}");
    println!("{printed}");
}

#[test]
fn every_vector_has_the_form_that_the_cddl_gives_and_changed_ones_have_not() {
    let documents = Documents::new();
    for vector in VECTORS.values().filter(|vector| vector.field("expect") == "ok") {
        match vector.field("read-as") {
            "cbor" | "section" | "hpke-private-key" | "device-ticket" | "service-ticket" => {}
            kind => documents.keep(&vector.name, kind, vector.cbor()),
        }
    }
    documents.hold();
}
