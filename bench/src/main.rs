//! Measures library and service beside their peers: everything alternates in one run, what counts are medians and ratios, and the
//! missed targets come again at the end. `wmlicense-bench [ROW]… [--rounds N] [--folder DIR] [--library FILE]`: a row is named as
//! a wrong name lists them, or by its first words, such as `backup`; without a name all rows are measured but `answer`, `ciphers`,
//! `film` and `backup-single`.
//! `ci/bench.sh` builds it with `wmlicensed` beside it; `ci/install.sh` brings the peers: `sqlite3`, `age`, `openssl`, libcurl,
//! PostgreSQL with `pgbench`, Shaka Packager and ffmpeg. Bento4 is built in `bench/peers` when `film` needs it.
// A measurement that fails half-way means nothing: it stops.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answer;
mod arguments;
mod backup;
mod ciphers;
mod commit;
mod device;
mod elsewhere;
mod face;
mod file;
mod first;
mod import;
mod library;
mod lookup;
mod memory;
mod meter;
mod peers;
mod pgbench;
mod predelivery;
mod samples;
mod service;
mod single;
mod stores;
mod table;
mod watch;

use arguments::Arguments;
use std::process::ExitCode;
use stores::Full;
use table::Table;
use wmlicense_testkit::World;

type Row = fn(&World, &Arguments, &mut Table);
type StoreRow = for<'w> fn(&'w World, &Full<'w>, &Arguments, &mut Table);

/// Rows that make what they need.
const ROWS: [(&str, Row); 12] = [
    ("import-empty", import::measure_empty),
    ("acquire", commit::measure),
    ("samples-cenc", samples::measure_cenc),
    ("samples-cbc1", samples::measure_cbc1),
    ("samples-cbcs", samples::measure_cbcs),
    ("library", library::measure),
    ("first-license", first::measure),
    ("service-single-sqlite", single::measure),
    ("service-single-postgres", single::measure_on_server),
    ("service-pages-sqlite", predelivery::measure),
    ("service-pages-postgres", predelivery::measure_on_server),
    ("restore-elsewhere", elsewhere::measure),
];

/// Rows that are measured by name only: no target of the project is in them.
const EXTRA: [(&str, Row); 4] = [
    ("answer", answer::measure),
    ("ciphers", ciphers::measure),
    ("film", file::measure),
    ("backup-single", backup::measure_single),
];

/// Rows that depend on how full a store is, with the sizes at which they are measured, ascending. The last one changes the plain
/// database.
const STORE_ROWS: [(&str, &[u64], StoreRow); 6] = [
    ("lookup", &[lookup::SMALL, 100_000, 1_000_000], lookup::measure),
    ("open", &[1_000_000], lookup::measure_opening),
    ("backup", &[100_000, 1_000_000], backup::measure),
    ("restore", &[100_000, 1_000_000], backup::measure_restore),
    ("memory", &[100_000, 1_000_000], memory::measure),
    ("import", &[100_000, 1_000_000], import::measure_full),
];

/// How a number of licenses is called in names of rows.
fn name_of(licenses: u64) -> String {
    match licenses {
        0 => "empty".to_owned(),
        _ if licenses.is_multiple_of(1_000_000) => format!("{}m", licenses / 1_000_000),
        _ => format!("{}k", licenses / 1000),
    }
}

fn rows_of_stores() -> impl Iterator<Item = (u64, String, StoreRow)> {
    let mut rows: Vec<_> = STORE_ROWS
        .iter()
        .flat_map(|(part, sizes, row)| {
            sizes.iter().map(move |size| (*size, format!("{part}-{}", name_of(*size)), *row))
        })
        .collect();
    rows.sort_by_key(|(size, ..)| *size);
    rows.into_iter()
}

fn main() -> ExitCode {
    let arguments = Arguments::of_process();
    if let Some(job) = &arguments.job {
        device::work_here(job);
        return ExitCode::SUCCESS;
    }
    let known: Vec<String> = ROWS
        .iter()
        .chain(&EXTRA)
        .map(|(name, _)| (*name).to_owned())
        .chain(rows_of_stores().map(|(_, name, _)| name))
        .collect();
    if let Some(row) = arguments.unknown(&known) {
        eprintln!("there is no row {row}; the rows are {}", known.join(" "));
        return ExitCode::FAILURE;
    }
    if !meter::is_counted() {
        return meter::run_counted(&arguments.folder);
    }
    let (world, mut table) = (World::new(), Table::new(&arguments));
    let wanted = ROWS.iter().filter(|(name, _)| arguments.wants(name));
    for (_, measure) in wanted.chain(EXTRA.iter().filter(|(name, _)| arguments.names(name))) {
        measure(&world, &arguments, &mut table);
    }
    let mut full: Option<Full<'_>> = None;
    for (size, _, measure) in rows_of_stores().filter(|(_, name, _)| arguments.wants(name)) {
        if full.as_ref().is_none_or(|full| full.licenses != size) {
            // The smaller one goes first.
            full = None;
        }
        measure(&world, full.get_or_insert_with(|| Full::new(&world, size)), &arguments, &mut table);
    }
    table.finish();
    ExitCode::SUCCESS
}
