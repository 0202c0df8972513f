//! The strictest warnings of C and C++ compilers about the header and what its constants become in a program: none.

use std::fmt::Write as _;
use std::process::Command;
use wmlicense::defines::{self, Macro};
use wmlicense_testkit::c::warnings;
use wmlicense_testkit::{root, run};

/// What clang knows beyond what is asked of C sources. Padding is where the binary interface has it.
const EVERYTHING: &[&str] = &["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Weverything", "-Wno-padded"];
/// The same of gcc, which has no word for all.
const GCC: &[&str] = &[
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wstrict-prototypes",
    "-Wcast-qual",
    "-Wundef",
];

/// A program in both languages that uses every constant as a value and every result as a label, and sets a callback.
fn program() -> String {
    let mut uses = String::new();
    let mut labels = String::new();
    for entry in defines::macros() {
        match entry {
            Macro::Number(name, _) => {
                let _ = writeln!(uses, "  total += {name};");
                if name.starts_with("WM_E_") || name.starts_with("WM_S_") {
                    let _ = writeln!(labels, "  case {name}:");
                }
            }
            Macro::Text(name, _) => {
                let _ = writeln!(uses, "  total += ({name})[0];");
            }
        }
    }
    format!(
        "#include <wmlicense.h>\n#include <wmlicense.h>\n\
         static wm_result tell(wm_status status, wm_result result, wm_attr_type type, const void *value, size_t size,\n\
         \x20                     void *context) {{\n  (void)value;\n  (void)size;\n  (void)context;\n\
         \x20 return status == WM_STATUS_PROGRESS && type == WM_TYPE_BINARY ? WM_E_OPERATION_CANCELED : result;\n}}\n\
         static int is_known(wm_result result) {{\n  switch (result) {{\n{labels}    return 1;\n  default:\n    return 0;\n  }}\n}}\n\
         int main(void) {{\n  wm_status_callback callback = &tell;\n  wm_error_info info = {{sizeof(wm_error_info), WM_S_OK, 0, 0, 0, 0, 0, 0, 0, {{0}}, {{0}}, {{0}}}};\n\
         \x20 long long total = 0;\n{uses}\
         \x20 return total != 0 && WM_LICENSE_STORED(WM_S_LICENSE_ACQUIRED) && is_known(info.result) && callback == &tell ? 0 : 1;\n}}\n"
    )
}

#[test]
fn the_strictest_compilers_have_no_complaint_about_header_and_constants() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let include = format!("-I{}", root().join("include").display());
    let own = |compiler: &str| if compiler == "clang" { EVERYTHING.to_vec() } else { GCC.to_vec() };
    for (compiler, standard, language) in [
        ("gcc", "c11", "c"),
        ("gcc", "c17", "c"),
        ("clang", "c11", "c"),
        ("g++", "c++17", "cpp"),
        ("g++", "c++20", "cpp"),
        ("clang++", "c++17", "cpp"),
        ("clang++", "c++20", "cpp"),
    ] {
        if !run::has_tool(compiler) {
            continue;
        }
        let source = folder.path().join(format!("strict.{language}"));
        // C has casts of its own form only, which C++ programs do not write.
        let text = program();
        let text = if language == "cpp" { in_cpp(&text) } else { text };
        std::fs::write(&source, text).expect("writable");
        let flags = if language == "cpp" { warnings::of_cpp(compiler) } else { own(compiler) };
        let mut command = Command::new(compiler);
        let out = folder.path().join("strict");
        command.args(flags).arg(format!("-std={standard}")).args([&include, "-o"]).arg(&out).arg(&source);
        run::succeed(&mut command);
        run::succeed(&mut Command::new(&out));
    }
}

/// The same program as C++ programmers write it.
fn in_cpp(text: &str) -> String {
    let unnamed =
        text.replace("const void *value, size_t size,", "const void *, size_t,").replace("void *context)", "void *)");
    unnamed.replace("  (void)value;\n  (void)size;\n  (void)context;\n", "")
}

#[test]
fn every_file_of_the_cpp_header_stands_alone() {
    let include = format!("-I{}", root().join("include").display());
    let folder = std::fs::read_dir(root().join("include/wmlicense")).expect("the folder is there");
    for entry in folder {
        let path = entry.expect("readable").path();
        if run::has_tool("clang++") {
            let mut command = Command::new("clang++");
            // The file itself is the unit here, not something that a unit includes.
            command.args(warnings::of_cpp("clang++")).args([
                "-std=c++20",
                &include,
                "-Wno-unused-macros",
                "-fsyntax-only",
            ]);
            run::succeed(command.args(["-x", "c++"]).arg(&path));
        }
    }
}
