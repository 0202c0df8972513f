//! The C++ header: its properties are those of the table, and it reaches every function. How it is used is tested by
//! `tests/c_programs/cpp.rs`, what compilers say of it by `strict.rs`.

use crate::declared::header;
use std::fmt::Write as _;
use std::path::PathBuf;
use wmlicense::reference::{PropertyRow, properties};
use wmlicense_testkit::root;

fn place() -> PathBuf {
    root().join("include/wmlicense/properties.hpp")
}

/// What a value is to C++.
fn value_of(row: &PropertyRow) -> &'static str {
    match (row.name, row.kind) {
        ("KeyIDs" | "KIDs", _) => "std::vector<wm::kid>",
        ("KID" | "FilterKID" | "RootKID", _) => "wm::kid",
        (name, "DWORD") if name.ends_with("Ms") => "std::chrono::milliseconds",
        (_, "DWORD") => "std::uint32_t",
        // Every QWORD of the table is a time; another one would need a name here.
        (_, "QWORD") => "time_point",
        (_, "BOOL") => "bool",
        (_, "BINARY") => "std::vector<std::uint8_t>",
        (_, "STRING") => "std::string",
        (name, kind) => panic!("{name}: no type of C++ for {kind}"),
    }
}

fn generated() -> String {
    let header = header();
    let mut text = String::from(
        "/// @file properties.hpp\n\
         /// Every property of every object. Generated from the tables in src/ by tests/repository/cpp.rs; do not edit it.\n\
         #ifndef WMLICENSE_PROPERTIES_HPP\n#define WMLICENSE_PROPERTIES_HPP\n\n#include <wmlicense/property.hpp>\n\n\
         namespace wm {\nWMLICENSE_VARIANT_BEGIN\n\n",
    );
    let rows = properties();
    let mut objects: Vec<&str> = rows.iter().flat_map(|row| &row.objects).copied().collect();
    objects.sort_unstable();
    objects.dedup();
    for object in objects {
        let _ = writeln!(text, "class {};", object.trim_start_matches("wm_"));
    }
    text.push_str("\n/// The properties, by the names of the C header in small letters.\nnamespace prop {\n\n");
    for row in &rows {
        let meaning = header.defines.iter().find(|define| define.name == row.define).map_or("", |define| &define.doc);
        let access = match (row.is_settable, row.is_readable) {
            (true, true) => "settable",
            (true, false) => "write_only",
            (false, _) => "read_only",
        };
        let objects: Vec<&str> = row.objects.iter().map(|object| object.trim_start_matches("wm_")).collect();
        let name = row.define.trim_start_matches("WM_PROP_").to_lowercase();
        let _ = writeln!(text, "/// {meaning}");
        let _ = writeln!(
            text,
            "inline constexpr property<{}, access::{access}, {}> {name}{{{}}};",
            value_of(row),
            objects.join(", "),
            row.define
        );
    }
    text.push_str("\n} // namespace prop\nWMLICENSE_VARIANT_END\n} // namespace wm\n\n#endif\n");
    text
}

#[test]
fn the_committed_properties_of_cpp_are_the_generated_ones() {
    let text = generated();
    if std::env::var_os("UPDATE_HEADER").is_some() {
        std::fs::write(place(), &text).expect("the header is writable");
    }
    let found = std::fs::read_to_string(place()).expect("the header is committed");
    assert!(found == text, "properties.hpp differs: UPDATE_HEADER=1 cargo test --workspace --test repository cpp");
}

#[test]
fn every_qword_property_is_a_time() {
    let header = header();
    for row in properties().iter().filter(|row| row.kind == "QWORD") {
        let define = header.defines.iter().find(|define| define.name == row.define).expect("it is in the header");
        assert!(define.doc.contains("second"), "{}: tell `value_of` what it is", row.define);
    }
}

/// The files of the C++ header.
fn files() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(root().join("include/wmlicense")).expect("the folder is there");
    let mut found: Vec<PathBuf> = folder.map(|entry| entry.expect("readable").path()).collect();
    found.push(root().join("include/wmlicense.hpp"));
    found
}

#[test]
fn every_function_of_c_is_reached_from_cpp() {
    let text: String = files().iter().map(|path| std::fs::read_to_string(path).expect("readable")).collect();
    for function in header().functions {
        // Called, or given to a template that calls it.
        let name = &function.name;
        let called = text.contains(&format!("{name}(")) || text.contains(&format!("&{name})"));
        assert!(called, "{name} is not reached");
    }
}
