//! The header: generated from `src/`, equal to the committed one byte by byte, accepted by C and C++ compilers as strict as
//! they come, and its macros mean to C what the tables mean to Rust.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use wmlicense::defines::{self, Macro};
use wmlicense_testkit::c::compile;
use wmlicense_testkit::{root, run};

/// The files with exported items, in the order in which a reader of the header meets them.
const SOURCES: &[&str] = &[
    "result",
    "status",
    "status/values",
    "prop",
    "object/properties",
    "error_info",
    "callback",
    "version",
    "object",
    "client",
    "individualizer",
    "content_header",
    "kid_text",
    "license_request",
    "license_request/interaction",
    "license_request/renewal",
    "license_query",
    "ensure",
    "license_enumerator",
    "decryptor",
    "backup_restorer",
    "store_keeper",
    "revocation_agent",
    "event_queue",
    "transport",
    "log_callback",
];

fn committed() -> PathBuf {
    root().join("include/wmlicense.h")
}

fn generated() -> String {
    let mut config = cbindgen::Config::from_file(root().join("cbindgen.toml")).expect("cbindgen.toml is readable");
    config.after_includes = Some(defines::c_text());
    let sources = SOURCES.iter().map(|name| root().join("src").join(format!("{name}.rs")));
    let existing = sources.filter(|path| path.exists());
    let builder = existing.fold(cbindgen::Builder::new().with_config(config), cbindgen::Builder::with_src);
    let mut bytes = Vec::new();
    builder.generate().expect("the sources are readable").write(&mut bytes);
    // A parameter cannot be named `type` in Rust.
    String::from_utf8(bytes).expect("the header is text").replace("wm_attr_type type_", "wm_attr_type type")
}

#[test]
fn the_committed_header_is_the_generated_one() {
    let text = generated();
    if std::env::var_os("UPDATE_HEADER").is_some() {
        std::fs::create_dir_all(root().join("include")).expect("the folder can be made");
        std::fs::write(committed(), &text).expect("the header is writable");
    }
    let found = std::fs::read_to_string(committed()).expect("the header is committed");
    assert!(
        found == text,
        "include/wmlicense.h differs: UPDATE_HEADER=1 cargo test --test repository header, then read it"
    );
}

#[test]
fn nothing_of_rust_is_left_in_it() {
    let text = std::fs::read_to_string(committed()).expect("the header is committed");
    for (number, line) in text.lines().enumerate() {
        for trace in ["# Safety", "crate::", "](", "[`", "::new", "Option<", "&mut ", "unsafe ", "_opaque"] {
            assert!(!line.contains(trace), "line {}: {line}", number + 1);
        }
    }
}

#[test]
fn every_exported_function_is_in_it_with_a_description() {
    let text = std::fs::read_to_string(committed()).expect("the header is committed");
    let lines: Vec<&str> = text.lines().collect();
    for symbol in compile::exported_symbols() {
        let call = format!("{symbol}(");
        let at = lines.iter().position(|line| {
            !line.starts_with(" *") && {
                let name = line.split(['(']).next().unwrap_or_default();
                line.contains(&call) && name.split([' ', '*']).next_back() == Some(symbol.as_str())
            }
        });
        let at = at.unwrap_or_else(|| panic!("{symbol} is not declared"));
        assert!(lines[at - 1] == " */", "{symbol} has no description");
    }
}

fn compilers() -> Vec<(&'static str, Vec<&'static str>)> {
    const STRICT: &[&str] = &["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"];
    let all = [
        ("gcc", "c", "-std=c11"),
        ("clang", "c", "-std=c11"),
        ("g++", "c++", "-std=c++17"),
        ("clang++", "c++", "-std=c++17"),
    ];
    let found = all.into_iter().filter(|(compiler, ..)| run::has_tool(compiler));
    found.map(|(compiler, language, standard)| (compiler, [&["-x", language, standard], STRICT].concat())).collect()
}

#[test]
fn c_and_cpp_accept_it_alone_and_twice() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let twice = folder.path().join("twice.c");
    std::fs::write(&twice, "#include <wmlicense.h>\n#include <wmlicense.h>\nint main(void) { return 0; }\n")
        .expect("writable");
    for (compiler, flags) in compilers() {
        for source in [committed(), twice.clone()] {
            let mut command = Command::new(compiler);
            command.args(&flags).arg(include()).arg(&source);
            run::succeed(&mut command);
        }
    }
}

fn include() -> String {
    format!("-I{}", root().join("include").display())
}

#[test]
fn two_units_of_a_program_may_include_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let unit = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("#include <wmlicense.h>\n{text}\n")).expect("writable");
        path
    };
    let one = unit("one.c", "int other(void);\nint main(void) { return other(); }");
    let two = unit("two.c", "int other(void);\nint other(void) { return WM_S_OK; }");
    for compiler in ["gcc", "clang"].into_iter().filter(|compiler| run::has_tool(compiler)) {
        let program = folder.path().join(compiler);
        let mut command = Command::new(compiler);
        command.args(compile::STRICT).arg(include()).args([&one, &two]).arg("-o").arg(&program);
        run::succeed(&mut command);
        run::succeed(&mut Command::new(&program));
    }
}

/// Names of the object-like macros that a header defines.
fn defined(header: &str) -> Vec<&str> {
    let lines = header.lines().filter_map(|line| line.strip_prefix("#define "));
    lines.filter_map(|line| line.split([' ', '(']).next().filter(|name| !line[name.len()..].starts_with('('))).collect()
}

#[test]
fn macros_mean_to_c_what_the_tables_mean_to_rust() {
    let header = std::fs::read_to_string(committed()).expect("the header is committed");
    let mut expected = BTreeMap::new();
    let mut program = String::from("#include <wmlicense.h>\n#include <stdio.h>\nint main(void) {\n");
    for entry in defines::macros() {
        let (name, value) = match entry {
            Macro::Number(name, value) => {
                let _ = writeln!(program, "  printf(\"{name} %lld\\n\", (long long)({name}));");
                (name, value.to_string())
            }
            Macro::Text(name, value) => {
                let _ = writeln!(program, "  printf(\"{name} %s\\n\", {name});");
                (name, value.to_owned())
            }
        };
        assert!(expected.insert(name, value).is_none(), "{name} is defined twice");
    }
    program.push_str("  return 0;\n}\n");
    let names: Vec<&str> = defined(&header).into_iter().filter(|name| *name != "WMLICENSE_H").collect();
    assert_eq!(names.len(), expected.len());
    for name in names {
        assert!(expected.contains_key(name), "{name} is in no table");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let printed = run_c(folder.path(), &program);
    for (name, value) in &expected {
        assert!(printed.lines().any(|line| line == format!("{name} {value}")), "{name} is not {value} in C");
    }
}

#[test]
fn results_are_usable_as_case_labels_and_in_conditions() {
    let mut program = String::from(
        "#include <wmlicense.h>\n#if WM_VERSION < 0x100 || WM_ABI_VERSION < 1\n#error version\n#endif\n\
         static int place(wm_result result) {\n  switch (result) {\n",
    );
    let results = || {
        defines::macros().into_iter().filter_map(|entry| match entry {
            Macro::Number(name, _) if name.starts_with("WM_E_") || name.starts_with("WM_S_") => Some(name),
            Macro::Number(..) | Macro::Text(..) => None,
        })
    };
    for (at, name) in results().enumerate() {
        let _ = writeln!(program, "  case {name}: return {at};");
    }
    program.push_str("  default: return -1;\n  }\n}\nint main(void) {\n");
    for (at, name) in results().enumerate() {
        let _ = writeln!(program, "  if (place({name}) != {at}) return 1;");
    }
    program.push_str(
        "  return WM_LICENSE_STORED(WM_S_ACQUIRE_CANCELLED) || !WM_LICENSE_STORED(WM_S_LICENSE_ACQUIRED);\n}\n",
    );
    let folder = tempfile::tempdir().expect("a temporary folder");
    run_c(folder.path(), &program);
}

/// Compiles a program that only uses the header, runs it, and gives what it printed.
fn run_c(folder: &Path, text: &str) -> String {
    let (source, program) = (folder.join("program.c"), folder.join("program"));
    std::fs::write(&source, text).expect("writable");
    run::succeed(Command::new("cc").args(compile::STRICT).arg(include()).arg(&source).arg("-o").arg(&program));
    run::succeed(&mut Command::new(&program))
}
