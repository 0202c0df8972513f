//! Compiles the C harness and the C examples and runs them: two compilers, three forms of linking, valgrind, sanitizers; and what
//! stands on the C interface, the package for Python.
#![cfg(test)]

mod command_line;
mod copies;
mod cpp;
mod crash;
mod examples;
mod first_contact;
mod first_version;
mod install;
mod memory;
mod python;
mod readme;
mod relocation;
mod scarce;
mod slow;
mod tls;
mod wmf;

use std::path::PathBuf;
use std::process::Command;

use wmlicense_testkit::c;
use wmlicense_testkit::c::compile::{Form, compile};
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::c::{sources, stem};
use wmlicense_testkit::run;

/// Compiles every harness program in one form and runs it.
fn harness(compiler: &str, form: Form, before: &[&str]) {
    harness_of(compiler, form, before, sources("tests/c"));
}

/// As [`harness`], for these programs.
fn harness_of(compiler: &str, form: Form, before: &[&str], programs: impl IntoIterator<Item = PathBuf>) {
    if !run::has_tool(compiler) {
        return;
    }
    let service = Service::start();
    let out = tempfile::tempdir().unwrap();
    for source in programs {
        let program = compile(compiler, form, &source, out.path());
        if form == Form::Sanitized {
            let symbols = run::succeed(Command::new("nm").arg(&program));
            assert!(symbols.contains("__asan_init"), "{} runs without AddressSanitizer", stem(&source));
        }
        c::harness(before, &program, &service);
    }
}

#[test]
fn the_harness_passes_with_gcc_and_the_shared_library() {
    harness("gcc", Form::Shared, &[]);
}

#[test]
fn the_harness_passes_with_gcc_and_the_static_library() {
    harness("gcc", Form::Static, &[]);
}

#[test]
fn the_harness_passes_with_gcc_and_a_loaded_library() {
    harness("gcc", Form::Dlopen, &[]);
}

#[test]
fn the_harness_passes_with_clang_and_the_shared_library() {
    harness("clang", Form::Shared, &[]);
}

#[test]
fn the_harness_passes_with_clang_and_the_static_library() {
    harness("clang", Form::Static, &[]);
}

#[test]
fn the_harness_passes_with_clang_and_a_loaded_library() {
    harness("clang", Form::Dlopen, &[]);
}

/// One of two halves: together they take the longest of all, and beside each other half as long.
fn under_valgrind(half: usize) {
    if run::has_tool("valgrind") {
        let valgrind =
            ["valgrind", "--quiet", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=definite"];
        harness_of("gcc", Form::Shared, &valgrind, sources("tests/c").into_iter().skip(half).step_by(2));
    }
}

#[test]
fn the_harness_is_clean_under_valgrind() {
    under_valgrind(0);
}

#[test]
fn the_other_half_of_the_harness_is_clean_under_valgrind() {
    under_valgrind(1);
}

#[test]
fn the_harness_is_clean_under_the_sanitizers_of_gcc() {
    harness("gcc", Form::Sanitized, &[]);
}

#[test]
fn the_harness_is_clean_under_the_sanitizers_of_clang() {
    harness("clang", Form::Sanitized, &[]);
}
