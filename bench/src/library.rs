//! The library as a file: its size, and how long it takes to load.

use crate::arguments::Arguments;
use crate::face::{compile, library};
use crate::table::{Table, Times};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;
use wmlicense_testkit::World;

/// The most that the portable library may have, in MB.
const TARGET_MB: f64 = 6.0;
const PEER: &str = "libcrypto.so.3";
/// Loads in a round.
const EACH: usize = 20;

pub(crate) fn measure(_world: &World, arguments: &Arguments, table: &mut Table) {
    let folder = TempDir::new_in(&arguments.folder).unwrap();
    let stripped = folder.path().join("libwmlicense.so");
    let strip = Command::new("strip").arg("-o").arg(&stripped).arg(library()).status();
    assert!(strip.is_ok_and(|status| status.success()), "strip (binutils) does not work");
    let program = folder.path().join("load");
    compile("load.c", &program, &["-ldl"]);
    let [mut ours, mut peer] = <[Times; 2]>::default();
    for _ in 0..arguments.rounds * EACH {
        ours.add(load(&program, stripped.to_str().unwrap()));
        peer.add(load(&program, PEER));
    }
    table.title("the shared library of this build, which is linked without the long optimisation of a release");
    let size = std::fs::metadata(&stripped).unwrap().len() as f64 / 1e6;
    table.figure(&format!("stripped size, MB (a release is smaller: target {TARGET_MB})"), size);
    table.time("dlopen in a fresh process", &ours, 1);
    table.time(&format!("dlopen of {PEER}"), &peer, 1);
    table.ratio(&format!("to {PEER}"), ours.ratio_to(&peer), 1.0);
}

fn load(program: &Path, library: &str) -> Duration {
    let output = Command::new(program).env_remove("LD_LIBRARY_PATH").arg(library).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Duration::from_nanos(String::from_utf8_lossy(&output.stdout).trim().parse().unwrap())
}
