//! C++ programs: how strict their compilers are, and how tests compile them, with sanitizers if they like.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::compile::STATIC_LIBRARIES;
use super::stem;
use crate::{library_dir, root, run};

/// What every C++ source of this project compiles with.
const STRICT: &[&str] = &[
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
    "-Wold-style-cast",
    "-Wzero-as-null-pointer-constant",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wshadow",
    "-g",
];

/// All that clang knows, but for what no source can help: it may not be C++98, and structs of the binary interface lie as they lie.
const EVERYTHING: &[&str] = &["-Weverything", "-Wno-c++98-compat", "-Wno-c++98-compat-pedantic", "-Wno-padded"];

/// The warnings of one compiler, every one an error.
pub fn strict(compiler: &str) -> Vec<&'static str> {
    let own = if compiler.starts_with("clang") { EVERYTHING } else { &["-Wuseless-cast"] };
    [STRICT, own].concat()
}

/// Compiles one source into `out` against the shared library, or, for a sanitizer that watches memory, against the archive.
/// `words` are of the standard and what else the form asks for.
pub fn compile(compiler: &str, words: &[&str], source: &Path, out: &Path) -> PathBuf {
    let program = out.join(stem(source));
    let mut command = Command::new(compiler);
    command.args(strict(compiler)).args(words).arg(format!("-I{}", root().join("include").display()));
    command.arg(source).arg("-o").arg(&program);
    let libraries = library_dir();
    if words.iter().any(|word| word.starts_with("-fsanitize=address")) {
        command.arg(libraries.join("libwmlicense.a")).args(STATIC_LIBRARIES);
    } else {
        let folder = libraries.display();
        command.args([format!("-L{folder}"), format!("-Wl,-rpath,{folder}")]).args(["-lwmlicense", "-lpthread"]);
    }
    run::succeed(&mut command);
    program
}
