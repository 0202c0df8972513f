//! What the Rust drivers of C programs share: where the built library is, compilers and forms of linking, running a
//! program, and a `wmlicensed` of one's own. No test lives here.

pub(crate) mod compile;
pub(crate) mod run;
pub(crate) mod service;

use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of the library that this very build made: next to the running test, never a stale copy one level up.
pub(crate) fn library_dir() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    test.parent().expect("an executable is in a folder").to_path_buf()
}

/// The C sources of a folder, sorted by name.
pub(crate) fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(root().join(folder))
        .unwrap_or_else(|error| panic!("{folder}: {error}"))
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{folder} holds no C source");
    found
}

/// The file name without its ending.
pub(crate) fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).expect("a source has a name")
}
