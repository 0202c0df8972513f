//! A process that has little: no memory, no file descriptors.

use wmlicense_testkit::c;
use wmlicense_testkit::c::compile::{Form, compile};
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::{root, run};

/// KiB of address space: from less than the first call needs to more than the whole journey does.
const KIB: [u32; 37] = [
    0, 64, 128, 256, 512, 768, 1024, 1536, 2048, 2560, 3072, 3584, 4096, 5120, 6144, 7168, 8192, 9216, 10_240, 11_264,
    12_288, 13_312, 14_336, 15_360, 16_384, 17_408, 18_432, 19_456, 20_480, 21_504, 22_528, 24_576, 26_624, 28_672,
    32_768, 65_536, 262_144,
];

/// Makes the journey with each of these amounts. With none something is refused, with the last one nothing.
fn journeys(kind: &str, amounts: impl IntoIterator<Item = u32>) {
    let service = Service::start();
    let out = tempfile::tempdir().unwrap();
    let program = compile("gcc", Form::Shared, &root().join("tests/c/scarce/little.c"), out.path());
    let mut told = Vec::new();
    for amount in amounts {
        let folder = tempfile::tempdir().unwrap();
        let mut command = run::limited([program.to_str().unwrap()]);
        c::with_service(&mut command, &service);
        command.arg(folder.path()).arg(kind).arg(amount.to_string());
        told.push(run::succeed(command.arg(root().join("tests/data/media/packager-cenc-video.mp4"))));
    }
    assert_ne!(told.first().unwrap(), "end\n");
    assert_eq!(told.last().unwrap(), "end\n");
}

#[test]
fn a_process_without_memory_is_told_so_and_goes_on() {
    journeys("memory", KIB);
}

#[test]
fn a_process_without_descriptors_is_told_so_and_goes_on() {
    journeys("descriptors", (0..24).chain([64]));
}
