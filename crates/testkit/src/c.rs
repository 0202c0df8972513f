//! C programs: their sources, how they are compiled against the library, and how those of the harness are run.

pub mod compile;
pub mod cpp;
pub mod service;
pub mod warnings;

use crate::{library_dir, root, run};
use service::Service;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The C sources of a folder, sorted by name.
pub fn sources(folder: &str) -> Vec<PathBuf> {
    sources_of(folder, "c")
}

/// The sources of a folder whose names end so, sorted by name.
pub fn sources_of(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(root().join(folder))
        .unwrap_or_else(|error| panic!("{folder}: {error}"))
        .map(|entry| entry.expect("a readable entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == ending))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{folder} holds no .{ending}");
    found
}

/// The file name without its ending.
pub fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).expect("a source has a name")
}

/// Runs a harness program in a folder of its own.
pub fn harness(before: &[&str], program: &Path, service: &Service) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = program.to_str().expect("a plain path");
    let mut command = run::limited(before.iter().copied().chain([program]));
    with_service(&mut command, service);
    command.arg(folder.path());
    run::succeed(&mut command)
}

/// Sets everything that `tests/c/common.h` asks the environment for.
pub fn with_service(command: &mut Command, service: &Service) {
    command
        .env("WM_TEST_URL", &service.url)
        .env("WM_TEST_AUTHORITY", &service.authority)
        .env("WM_TEST_TOKEN", &service.token)
        .env("WM_TEST_GOLD_TOKEN", &service.gold_token)
        .env("WM_TEST_SERVICE_PROGRAM", crate::daemon::program())
        .env("WM_TEST_SERVICE_DATA", service.data())
        .env("WM_TEST_LIBRARY", library_dir().join("libwmlicense.so"))
        .env("WM_TEST_MEDIA", root().join("tests/data/media"));
}
