//! C++ programs: how tests compile them, with sanitizers if they like.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::compile::STATIC_LIBRARIES;
use super::{stem, warnings};
use crate::{library_dir, root, run};

/// Compiles one source into `out` against the shared library, or, for a sanitizer that watches memory, against the archive.
/// `words` are of the standard and what else the form asks for.
pub fn compile(compiler: &str, words: &[&str], source: &Path, out: &Path) -> PathBuf {
    let program = out.join(stem(source));
    let mut command = Command::new(compiler);
    command.args(warnings::of_cpp(compiler)).args(words).arg(format!("-I{}", root().join("include").display()));
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
