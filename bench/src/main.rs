//! Measures the library beside its peers: everything alternates in one run, and what counts are medians and ratios.
//! `wmlicense-bench [--licenses N] [--rounds N] [--folder DIR] [--only PART]`, PART import, backup, memory or
//! lookup; the peers `sqlite3` and `age` are Debian packages.
// A measurement that fails half-way means nothing: it stops.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod arguments;
mod backup;
mod import;
mod lookup;
mod memory;
mod peers;
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
    let world = World::new();
    let mut table = Table::new(&arguments);
    if arguments.wants("import") {
        import::measure(&world, &arguments, &mut table);
    }
    let full = backup::Full::new(&world, &arguments);
    if arguments.wants("backup") {
        backup::measure(&full, &arguments, &mut table);
    }
    if arguments.wants("memory") {
        memory::measure(&world, &full, &arguments, &mut table);
    }
    if arguments.wants("lookup") {
        lookup::measure(&full, &arguments, &mut table);
    }
    table.print();
}
