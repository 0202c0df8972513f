//! Measures the library beside its peers: everything alternates in one run, and what counts are medians and ratios.
//! `wmlicense-bench [--licenses N]… [--rounds N] [--folder DIR] [--only PART]`, PART import, commit, predelivery, elsewhere,
//! backup, memory, lookup, open, ciphers, decryption, library or file. Predelivery and elsewhere need `wmlicensed` beside
//! this program, as `ci/bench.sh` builds it; the peers `sqlite3`, `age` and `openssl` are Debian packages, Shaka Packager and
//! ffmpeg come with `ci/install.sh`, and Bento4 is built in `bench/peers` when it is needed.
// A measurement that fails half-way means nothing: it stops.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arguments;
mod backup;
mod ciphers;
mod commit;
mod decryption;
mod device;
mod elsewhere;
mod face;
mod file;
mod import;
mod library;
mod lookup;
mod memory;
mod peers;
mod predelivery;
mod service;
mod table;
mod watch;

use arguments::Arguments;
use backup::Full;
use table::Table;
use wmlicense_testkit::World;

/// Licenses of a store that fits into every cache; the larger ones are held against it.
const SMALL: u64 = 10_000;

fn main() {
    let arguments = Arguments::of_process();
    if let Some(job) = &arguments.job {
        return device::work_here(job);
    }
    let world = World::new();
    let mut table = Table::new(&arguments);
    type Part = fn(&World, &Arguments, &mut Table);
    let parts: [(&str, Part); 8] = [
        ("import", import::measure),
        ("commit", commit::measure),
        ("library", library::measure),
        ("ciphers", ciphers::measure),
        ("decryption", decryption::measure),
        ("predelivery", predelivery::measure),
        ("elsewhere", elsewhere::measure),
        ("file", file::measure),
    ];
    for (_, measure) in parts.iter().filter(|(part, _)| arguments.wants(part)) {
        measure(&world, &arguments, &mut table);
    }
    if ["backup", "memory", "lookup", "open"].iter().any(|part| arguments.wants(part)) {
        measure_stores(&world, &arguments, &mut table);
    }
}

/// What depends on how full the store is.
fn measure_stores(world: &World, arguments: &Arguments, table: &mut Table) {
    let mut small = None;
    if arguments.wants("lookup") {
        small = Some(lookup::measure(world, &Full::new(world, SMALL, arguments), arguments, table));
    }
    for licenses in &arguments.licenses {
        let full = Full::new(world, *licenses, arguments);
        if arguments.wants("open") {
            lookup::measure_opening(world, &full, table);
        }
        if arguments.wants("lookup") {
            let each = lookup::measure(world, &full, arguments, table);
            let growth = each.as_secs_f64() / small.unwrap_or(each).as_secs_f64();
            table.ratio(&format!("through C, {licenses} to {SMALL} licenses"), growth, 2.0);
        }
        if arguments.wants("backup") {
            backup::measure(&full, arguments, table);
        }
        if arguments.wants("memory") {
            memory::measure(world, &full, arguments, table);
        }
    }
}
