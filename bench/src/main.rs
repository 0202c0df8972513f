//! Measures the library beside its peers: everything alternates in one run, and what counts are medians and ratios.
//! `wmlicense-bench [--licenses N] [--rounds N] [--folder DIR] [--only PART]`, PART import, predelivery,
//! backup, memory, lookup, decryption or file; predelivery needs `wmlicensed` beside this program; the peers `sqlite3`, `age`
//! and `openssl` are Debian packages, Shaka Packager and ffmpeg come with `ci/install.sh`, and Bento4 is built in
//! `bench/peers` when it is needed.
// A measurement that fails half-way means nothing: it stops.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arguments;
mod backup;
mod decryption;
mod face;
mod file;
mod import;
mod lookup;
mod memory;
#[path = "../../tests/support/packager.rs"]
mod packager;
mod peers;
mod predelivery;
#[path = "../../crates/core/tests/support/mod.rs"]
mod support;
mod table;

use arguments::Arguments;
use support::World;
use table::Table;

fn main() {
    let arguments = Arguments::of_process();
    if let Some(memory) = &arguments.memory {
        return memory::measure_here(memory);
    }
    if let Some(predelivery) = &arguments.predelivery {
        return predelivery::measure_here(predelivery);
    }
    let world = World::new();
    let mut table = Table::new(&arguments);
    if arguments.wants("import") {
        import::measure(&world, &arguments, &mut table);
    }
    if arguments.wants("predelivery") {
        predelivery::measure(&arguments, &mut table);
    }
    if ["backup", "memory", "lookup"].iter().any(|part| arguments.wants(part)) {
        let full = backup::Full::new(&world, &arguments);
        if arguments.wants("backup") {
            backup::measure(&full, &arguments, &mut table);
        }
        if arguments.wants("memory") {
            memory::measure(&world, &full, &arguments, &mut table);
        }
        if arguments.wants("lookup") {
            lookup::measure(&world, &full, &arguments, &mut table);
        }
    }
    if arguments.wants("decryption") {
        decryption::measure(&world, &arguments, &mut table);
    }
    if arguments.wants("file") {
        file::measure(&world, &arguments, &mut table);
    }
    table.print();
}
