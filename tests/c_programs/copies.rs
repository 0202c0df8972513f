//! Stores that were copied or half lost, against a service that gives another epoch in every answer.

use wmlicense_testkit::c;
use wmlicense_testkit::c::compile::{Form, compile};
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::root;

#[test]
fn copies_of_a_store_show_and_a_store_that_is_half_lost_comes_back() {
    let service = Service::start_with(&["--epoch-period", "0"]);
    let folder = tempfile::tempdir().unwrap();
    let program = compile("gcc", Form::Shared, &root().join("tests/c/copies/copies.c"), folder.path());
    c::harness(&[], &program, &service);
}
