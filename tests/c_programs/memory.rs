//! What the library leaves in the memory of its process.

use wmlicense_testkit::c;
use wmlicense_testkit::c::compile::{Form, compile};
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::{root, run};

#[test]
fn no_content_key_and_no_page_key_is_left_in_memory_after_release() {
    if !run::has_tool("sqlite3") {
        return;
    }
    let service = Service::start();
    let out = tempfile::tempdir().unwrap();
    let program = compile("gcc", Form::Shared, &root().join("tests/c/memory/key_scan.c"), out.path());
    c::harness(&[], &program, &service);
}
