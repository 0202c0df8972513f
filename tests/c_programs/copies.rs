//! Stores that were copied or half lost, against a service that gives another epoch in every answer.

use super::support::compile::{Form, compile};
use super::support::service::Service;
use super::support::{root, run};

#[test]
fn copies_of_a_store_show_and_a_store_that_is_half_lost_comes_back() {
    let service = Service::start_with(&["--epoch-period", "0"]);
    let folder = tempfile::tempdir().unwrap();
    let program = compile("gcc", Form::Shared, &root().join("tests/c/copies/copies.c"), folder.path());
    run::harness(&[], &program, &service);
}
