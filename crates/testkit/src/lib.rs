//! What every test, bench and fuzz target is made of, once: an owner's world, devices, services true and false, failing disks,
//! dying processes, and the tools that compile and package. No test lives here, and nothing that ships depends on it.

pub mod c;
mod clock;
pub mod crash;
pub mod daemon;
pub mod desk;
pub mod disk;
pub mod documents;
pub mod home;
pub mod packager;
pub mod place;
pub mod policy;
pub mod postgres;
pub mod run;
pub mod service;
pub mod tamper;
pub mod vectors;
mod world;

pub use clock::ManualClock;
use std::path::{Path, PathBuf};
pub use world::{Asked, CertifiedService, NOW, OwnerKeys, TestDevice, World, content_key, grant, kid, service_claims};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("this package is two folders down")
}

/// The folder of the libraries that this very build made: next to the running test, never a stale copy one level up.
pub fn library_dir() -> PathBuf {
    let test = std::env::current_exe().expect("a running test has a path");
    test.parent().expect("an executable is in a folder").to_path_buf()
}

/// Says why a test does less here than it could. Where everything was installed (`ci/test.sh`), that is a failure.
pub fn skip(why: &str) {
    assert!(std::env::var_os("WM_TEST_ALL_TOOLS").is_none(), "{why}");
    eprintln!("skipped: {why}");
}
