//! What the library leaves in the memory of its process.

use super::support::compile::{Form, compile};
use super::support::service::Service;
use super::support::{root, run};

#[test]
fn no_content_key_is_left_in_memory_after_release() {
    let service = Service::start();
    let out = tempfile::tempdir().unwrap();
    let program = compile("gcc", Form::Shared, &root().join("tests/c/memory/key_scan.c"), out.path());
    run::harness(&[], &program, &service);
}
