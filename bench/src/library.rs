//! The library as a file: its size, and how long it takes to load.

use crate::arguments::Arguments;
use crate::face::{compile, library};
use crate::meter::{Counts, Times};
use crate::table::Table;
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
    table.row("library", "the shared library, stripped, in a fresh process");
    let folder = TempDir::new().unwrap();
    let stripped = folder.path().join("libwmlicense.so");
    let (file, is_packaged) = match &arguments.library {
        Some(file) => (file.clone(), true),
        None => (library(), false),
    };
    let strip = Command::new("strip").arg("-o").arg(&stripped).arg(file).status();
    assert!(strip.is_ok_and(|status| status.success()), "strip (binutils) does not work");
    let program = folder.path().join("load");
    compile("load.c", &program, &["-ldl"]);
    let [mut ours, mut peer] = <[Times; 2]>::default();
    for _ in 0..arguments.rounds * EACH {
        ours.add(load(&program, stripped.to_str().unwrap()), Counts::default());
        peer.add(load(&program, PEER), Counts::default());
    }
    let size = std::fs::metadata(&stripped).unwrap().len() as f64 / 1e6;
    table.figure("us, dlopen", ours.median().as_secs_f64() * 1e6);
    table.figure(&format!("us, dlopen of {PEER}"), peer.median().as_secs_f64() * 1e6);
    if is_packaged {
        table.at_most("size, MB", size, TARGET_MB);
        table.at_most(&format!("dlopen to that of {PEER}"), ours.ratio_to(&peer), 0.5);
    } else {
        table.figure("size of a build for benchmarks, MB", size);
        table.unmeasured("the packaged library is another build: --library FILE, from ci/build_packaged.sh");
    }
}

fn load(program: &Path, library: &str) -> Duration {
    let output = Command::new(program).env_remove("LD_LIBRARY_PATH").arg(library).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Duration::from_nanos(String::from_utf8_lossy(&output.stdout).trim().parse().unwrap())
}
