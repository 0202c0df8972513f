//! A medium on which every look takes seconds, made by delaying the calls that name its folder.

use wmlicense_testkit::c;
use wmlicense_testkit::c::compile::{Form, compile};
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::{root, run};

/// Everything that asks a medium for a name takes two seconds.
const LOOKS: &str = "inject=openat,newfstatat,statx,access,faccessat,faccessat2,readlink,fstatfs,statfs,getdents64\
                     :delay_enter=2000000";
/// By this call the library asks the kernel's memory alone. It answers so of a medium that it did not look at lately.
const NOT_REMEMBERED: &str = "inject=openat2:error=EAGAIN";

#[test]
fn no_verb_waits_for_a_slow_medium_at_its_call() {
    if !run::has_tool("strace") {
        return;
    }
    let service = Service::start();
    let (out, medium) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let program = compile("gcc", Form::Shared, &root().join("tests/c/slow/slow.c"), out.path());
    std::fs::write(medium.path().join("licenses.wmbackup"), b"not a backup").unwrap();
    let folder = medium.path().to_str().unwrap();
    let backup = format!("{folder}/licenses.wmbackup");
    let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-P", folder, "-P", &backup];
    let strace = strace.into_iter().chain(["-e", LOOKS, "-e", NOT_REMEMBERED, program.to_str().unwrap()]);
    let mut command = run::limited(strace);
    c::with_service(&mut command, &service);
    run::succeed(command.arg(out.path()).arg(folder));
}
