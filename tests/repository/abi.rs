//! The binary interface: exactly the symbols of `abi/symbols.txt` leave the library, and it stays loaded.

use std::process::Command;
use wmlicense_testkit::c::compile;
use wmlicense_testkit::{library_dir, root, run};

/// Symbols of `abi/symbols.txt`: `name version`, sorted; lines that begin with `#` explain.
fn listed() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("abi/symbols.txt")).expect("the list is committed");
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_library_exports_what_the_list_says_and_nothing_else() {
    let library = library_dir().join("libwmlicense.so");
    let listing = run::succeed(Command::new("nm").args(["-D", "--defined-only"]).arg(library));
    let mut exported: Vec<&str> = listing.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    exported.sort_unstable();
    assert_eq!(exported, listed());
}

#[test]
fn the_list_is_sorted_and_each_symbol_has_the_version_that_brought_it() {
    let text = std::fs::read_to_string(root().join("abi/symbols.txt")).expect("the list is committed");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split(' ').collect();
        assert!(words.len() == 2 && words[1].split('.').count() == 3, "{line}");
    }
    assert!(listed().is_sorted());
}

#[test]
fn every_listed_symbol_is_declared_in_the_header() {
    let header = std::fs::read_to_string(root().join("include/wmlicense.h")).expect("the header is committed");
    for symbol in listed() {
        let declared = |line: &str| !line.starts_with(" *") && line.contains(&format!("{symbol}("));
        assert!(header.lines().any(declared), "{symbol}");
    }
}

#[test]
fn the_header_declares_nothing_that_is_not_exported() {
    let header = std::fs::read_to_string(root().join("include/wmlicense.h")).expect("the header is committed");
    let exported = compile::exported_symbols();
    let declarations = header.lines().filter(|line| !line.starts_with(['/', ' ']));
    for line in declarations.filter(|line| !line.starts_with('#') && !line.starts_with("typedef")) {
        let Some(name) = line.split('(').next().and_then(|begin| begin.split([' ', '*']).next_back()) else { continue };
        assert!(
            !name.starts_with("wm_") || !line.contains('(') || exported.iter().any(|symbol| symbol == name),
            "{line}"
        );
    }
}

#[test]
fn the_library_stays_loaded_after_dlclose() {
    if !run::has_tool("readelf") {
        return;
    }
    let library = library_dir().join("libwmlicense.so");
    let dynamic = run::succeed(Command::new("readelf").arg("-d").arg(library));
    assert!(dynamic.lines().any(|line| line.contains("FLAGS_1") && line.contains("NODELETE")), "{dynamic}");
}

#[test]
fn every_listed_symbol_is_called_by_a_c_program() {
    let mut files = [wmlicense_testkit::c::sources("tests/c"), wmlicense_testkit::c::sources("examples-c")].concat();
    files.push(root().join("tests/c/common.h"));
    let texts: Vec<String> = files.iter().map(|path| std::fs::read_to_string(path).expect("readable")).collect();
    for symbol in listed() {
        let called = texts.iter().any(|text| text.contains(&format!("{symbol}(")));
        assert!(called, "no C program calls {symbol}");
    }
}

/// Headers of a newer system than releases are built on lead to newer symbols.
#[test]
fn the_library_needs_no_newer_glibc_than_readme_promises() {
    let text = std::fs::read_to_string(root().join("README.md")).expect("the manual is committed");
    let promised = run::succeed(Command::new(root().join("ci/glibc.sh")).arg("--promised"));
    assert!(
        text.contains(&format!("glibc {} or newer", promised.trim())),
        "README promises another one than {promised}"
    );
    let (_, system) = run::ended(Command::new("getconf").arg("GNU_LIBC_VERSION"));
    let minor = system.trim().strip_prefix("glibc 2.").and_then(|minor| minor.parse::<u32>().ok());
    if !run::has_tool("objdump") || minor.is_none_or(|minor| minor > 36) {
        return;
    }
    let check = |file: &std::path::Path| run::ended(Command::new(root().join("ci/glibc.sh")).arg(file));
    let (code, printed) = check(&library_dir().join("libwmlicense.so"));
    assert_eq!(code, Some(0), "{printed}");

    // What needs more is noticed, and told with the symbol.
    if minor == Some(36) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [source, library] = ["newer.c", "newer.so"].map(|name| folder.path().join(name));
        let newer = "int pidfd_open(int process, unsigned flags);\nint newer(void) { return pidfd_open(1, 0); }\n";
        std::fs::write(&source, newer).expect("writable");
        run::succeed(Command::new("cc").args(["-shared", "-fPIC"]).arg(source).arg("-o").arg(&library));
        let (code, printed) = check(&library);
        assert!(code == Some(1) && printed.contains("2.36") && printed.contains("pidfd_open"), "{printed}");
    }
}
