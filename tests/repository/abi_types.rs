//! The binary interface with its types: what C makes of the header today beside the dump of the last release, `abi/types.xml`, in the
//! judgement of abidiff. The library's own debug information would tell Rust's names for the types; that Rust lays them out as C
//! does is `layout.rs`, that it exports these functions `abi.rs`.
//! `UPDATE_ABI=1 cargo test --workspace --test repository abi_types` writes the dump: at a release, and never to silence this test.

use crate::declared::{Function, Header, header};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use wmlicense_testkit::{root, run};

const TOOLS: &[&str] = &["cc", "abidw", "abidiff"];

fn dump() -> PathBuf {
    root().join("abi/types.xml")
}

/// A library that has every function of a header, and one for each struct that no function mentions, with debug information.
fn library(folder: &Path, header_text: &str, declared: &Header) -> PathBuf {
    std::fs::write(folder.join("wmlicense.h"), header_text).expect("writable");
    let mut source = String::from("#include <wmlicense.h>\n");
    for function in &declared.functions {
        let _ = writeln!(source, "{} {{ return 0; }}", function.code);
    }
    for told in declared.structs.iter().filter(|found| !found.fields.is_empty()) {
        let name = &told.name;
        let _ = writeln!(source, "int wm_told_{name}(const {name} *value) {{ return value == NULL; }}");
    }
    let (path, out) = (folder.join("interface.c"), folder.join("interface.so"));
    std::fs::write(&path, source).expect("writable");
    let mut compile = Command::new("cc");
    compile.args(["-std=c11", "-g", "-w", "-shared", "-fPIC"]).arg(format!("-I{}", folder.display())).arg(path);
    run::succeed(compile.arg("-o").arg(&out));
    out
}

/// A struct that begins with its size may grow at its end, and nothing else may: those are the words of the header.
fn growth(declared: &Header) -> String {
    let sized =
        declared.structs.iter().filter(|found| found.fields.first().is_some_and(|field| field.name() == "struct_size"));
    let names: Vec<&str> = sized.map(|found| found.name.as_str()).collect();
    format!(
        "[suppress_type]\n  type_kind = struct\n  name_regexp = ^({})$\n  has_data_member_inserted_at = end\n",
        names.join("|")
    )
}

/// What abidiff says about a header beside the dump; nothing where programs that were built before go on.
fn complaint(header_text: &str, declared: &Header) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let built = library(folder.path(), header_text, declared);
    let allowed = folder.path().join("growth.abignore");
    std::fs::write(&allowed, growth(declared)).expect("writable");
    let mut compare = Command::new("abidiff");
    compare.args(["--no-added-syms", "--no-architecture", "--suppressions"]).arg(allowed).arg(dump()).arg(built);
    let (code, printed) = run::ended(&mut compare);
    if code == Some(0) { String::new() } else { format!("{printed}(abidiff ended with {code:?})") }
}

fn text() -> String {
    std::fs::read_to_string(root().join("include/wmlicense.h")).expect("the header is committed")
}

#[test]
fn programs_that_were_built_against_the_last_release_go_on() {
    if !TOOLS.iter().all(|tool| run::has_tool(tool)) {
        return;
    }
    if std::env::var_os("UPDATE_ABI").is_some() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let built = library(folder.path(), &text(), &header());
        let mut write = Command::new("abidw");
        write.args([
            "--no-show-locs",
            "--no-corpus-path",
            "--no-comp-dir-path",
            "--no-architecture",
            "--no-elf-needed",
        ]);
        run::succeed(write.arg("--out-file").arg(dump()).arg(built));
    }
    let complaint = complaint(&text(), &header());
    assert!(complaint.is_empty(), "the binary interface is another than that of the last release:\n{complaint}");
}

/// What a careless change of the header would do, each by itself.
#[test]
fn what_breaks_such_programs_is_noticed_and_growth_is_not() {
    if !TOOLS.iter().all(|tool| run::has_tool(tool)) {
        return;
    }
    let now = text();
    let with = |from: &str, to: &str| {
        let changed = now.replacen(from, to, 1);
        assert_ne!(changed, now, "the header has no `{from}`");
        let mut declared = header();
        for function in &mut declared.functions {
            function.code = function.code.replacen(from.trim_end_matches(';'), to.trim_end_matches(';'), 1);
        }
        declared.functions.retain(|function| !function.code.is_empty());
        complaint(&changed, &declared)
    };
    let removed = with("size_t wm_live_objects(void);", "");
    assert!(removed.contains("wm_live_objects"), "{removed}");
    for (from, to) in [
        ("uint32_t wm_abi_version(void);", "uint64_t wm_abi_version(void);"),
        ("  uint64_t done;\n", "  uint64_t before;\n  uint64_t done;\n"),
        ("  uint32_t encrypted;\n", "  uint32_t encrypted;\n  uint32_t more;\n"),
        ("typedef int32_t wm_result;", "typedef int64_t wm_result;"),
        (
            "                                        size_t size,\n",
            "                                        int size,\n",
        ),
    ] {
        assert!(!with(from, to).is_empty(), "nobody noticed `{to}`");
    }
    let grown = with("  uint64_t total;\n", "  uint64_t total;\n  uint64_t more;\n");
    assert!(grown.is_empty(), "{grown}");
    let mut more = header();
    let (name, code) = ("wm_new".to_owned(), "int wm_new(void)".to_owned());
    more.functions.push(Function { name, returns: "int".to_owned(), parameters: Vec::new(), code, doc: Vec::new() });
    let added = complaint(&now, &more);
    assert!(added.is_empty(), "{added}");
}
