//! Modules of a crate do not use each other in a circle: the graph of what each names is drawn for every crate.

mod circle;
mod modules;
mod text;

use modules::Crate;
use std::collections::BTreeMap;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folders of the workspace's crates; that of the C ABI is the root itself.
fn crates() -> Vec<String> {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let members = manifest.split("members = [").nth(1).and_then(|rest| rest.split(']').next()).unwrap();
    members.split('"').skip(1).step_by(2).map(str::to_owned).chain([String::new()]).collect()
}

/// Says what circles there are between the modules of a crate, and between those inside each room of it.
fn circles(found: &Crate) -> Option<String> {
    let told = found.parents().filter_map(|parent| {
        let edges = found.edges(parent);
        circle::shortest(&edges).map(|circle| circle::told(&edges, &circle))
    });
    let told: String = told.collect();
    (!told.is_empty()).then_some(told)
}

#[test]
fn no_modules_of_a_crate_use_each_other_in_a_circle() {
    let on_disk = |path: &Path| std::fs::read_to_string(path).ok();
    let (mut told, mut modules) = (String::new(), 0);
    for folder in crates() {
        let files = ["lib.rs", "main.rs"].map(|file| root().join(&folder).join("src").join(file));
        let roots: Vec<Crate> =
            files.iter().filter(|file| file.exists()).map(|file| Crate::read(file, &on_disk)).collect();
        assert!(!roots.is_empty(), "{folder}: nothing was found");
        modules += roots.iter().map(Crate::len).sum::<usize>();
        for circle in roots.iter().filter_map(circles) {
            told += &format!("{folder}:\n{circle}");
        }
    }
    assert!(modules > 300, "only {modules} modules were found");
    assert!(told.is_empty(), "modules use each other in a circle:\n{told}");
}

/// The circle in a crate of these files.
fn circle_in(files: &[(&str, &str)]) -> Option<String> {
    let files: BTreeMap<&Path, &str> = files.iter().map(|(path, text)| (Path::new(*path), *text)).collect();
    let read = |path: &Path| files.get(path).map(|text| (*text).to_owned());
    circles(&Crate::read(Path::new("lib.rs"), &read))
}

/// Two modules, of which the second uses the first.
fn circle_of(first: &str, second: &str) -> Option<String> {
    circle_in(&[("lib.rs", "mod one;\nmod two;\n"), ("one.rs", first), ("two.rs", second)])
}

const USES_ONE: &str = "use crate::one::One;\npub struct Two(One);\n";

#[test]
fn a_circle_is_found_however_it_is_written() {
    for first in [
        "use crate::two::Two;",
        "pub use crate::two::Two;",
        "use crate::{three::Three, two::{self, Two}};",
        "use super::two::Two as Second;",
        "fn f() -> crate::two::Two { crate::two::Two::new() }",
        "fn f() { let x = super::two::value(); }",
        "mod inside { fn f() { super::super::two::value(); } }",
        "mod inside { use super::super::two; }",
        "macro_rules! made { () => { $crate::two::value() } }",
        "use crate::*;\nfn f() { two::value(); }",
        "use crate as root;\nuse root::two;",
        "#[cfg(unix)] use crate::two::Two;",
        "#[cfg(not(test))] use crate::two::Two;",
        "#[cfg(any(test, unix))] mod inside { fn f() { crate::two::value(); } }",
        "#[cfg(test)] use std::fmt::{self, Debug};\nuse crate::two::Two;",
        "#[cfg(test)] fn f<A, B>() { loop {} }\nuse crate::two::Two;",
        "#[cfg(test)] mod tests { use super::*; }\nuse crate::two::Two;",
        "const C: char = '\"';\nuse crate::two::Two;",
        "fn f<'a>(a: &'a str) -> &'a str { a }\nuse crate::two::Two;",
        "const S: &str = r#\"a \"quoted\" word\"#;\nuse crate::two::Two;",
        "/* one /* inside */ another */ use crate::two::Two;",
    ] {
        let told = circle_of(first, USES_ONE).unwrap_or_else(|| panic!("not found: {first}"));
        assert!(told.contains("one uses two") && told.contains("two uses one"), "{told}");
        assert!(told.contains("one.rs names "), "{told}");
    }
}

#[test]
fn what_only_looks_like_a_use_is_none() {
    for first in [
        "// use crate::two::Two;",
        "//! [`crate::two::Two`]",
        "/* use crate::two::Two; /* */ crate::two::Two */",
        "const S: &str = \"use crate::two::Two; \\\" crate::two::Two\";",
        "const S: &str = r##\"\"# crate::two::Two\"##;",
        "const S: &[u8] = b\"crate::two::Two\";",
        "#[cfg(test)]\nmod tests { use super::*; use crate::two::Two; }",
        "#[cfg(test)]\nmod tests;",
        "#[cfg(any(fuzzing, test))]\n#[doc(hidden)]\npub mod tests { use crate::two::Two; }",
        "#[cfg(all(test, unix))]\nuse crate::{two::Two, three::Three};",
        "#[test]\n#[cfg(test)]\nfn f() { crate::two::value(); }",
        "enum E { A, #[cfg(test)] B(crate::two::Two), C }",
        "use std::two::Two;\nuse two::Two;",
        "mod two { pub struct Two; }\nuse self::two::Two;\nfn f() -> two::Two { two::Two }",
        "fn f(two: u32) -> u32 { two.two() }",
    ] {
        assert_eq!(circle_of(first, USES_ONE), None, "{first}");
    }
}

#[test]
fn a_name_handed_on_is_a_use_of_where_it_comes_from() {
    let by_root = [
        ("lib.rs", "mod one;\nmod two;\npub use two::Two;\n"),
        ("one.rs", "use crate::Two;\npub struct One;\n"),
        ("two.rs", USES_ONE),
    ];
    assert!(circle_in(&by_root).is_some());
    let by_another = [
        ("lib.rs", "mod one;\nmod two;\nmod three;\n"),
        ("one.rs", "use crate::three::Two;\npub struct One;\n"),
        ("two.rs", USES_ONE),
        ("three.rs", "pub use crate::two::Two;\n"),
    ];
    assert!(circle_in(&by_another).is_some());
}

#[test]
fn the_shortest_circle_is_told_and_modules_below_count_for_their_room() {
    let files = [
        ("lib.rs", "mod a;\nmod b;\nmod c;\nmod d;\n"),
        ("a.rs", "use crate::b::B;\n"),
        ("b.rs", "use crate::c::C;\n"),
        ("c.rs", "mod deep;\nuse crate::d::D;\n"),
        ("c/deep.rs", "use super::super::b::B;\n"),
        ("d.rs", "use crate::a::A;\n"),
    ];
    let told = circle_in(&files).unwrap();
    assert_eq!(told, "  b uses c: b.rs names c::C\n  c uses b: c/deep.rs names b::B\n");
}

#[test]
fn a_circle_inside_a_room_is_found_and_a_room_that_uses_its_own_modules_is_none() {
    let room = |first: &str| {
        circle_in(&[
            ("lib.rs", "mod room;\n"),
            ("room.rs", "mod first;\nmod second;\npub use second::Second;\nuse first::First;\n"),
            ("room/first.rs", first),
            ("room/second.rs", "use super::first::First;\n"),
        ])
    };
    assert_eq!(room("use super::Other;\n"), None);
    for first in ["use super::second::Second;\n", "use super::Second;\n", "fn f() { crate::room::Second::new(); }\n"] {
        let told = room(first).unwrap_or_else(|| panic!("not found: {first}"));
        assert!(told.contains("first uses second"), "{told}");
    }
}
