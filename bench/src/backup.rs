//! Backup, and restore on the same device.

use crate::arguments::Arguments;
use crate::meter::Times;
use crate::name_of;
use crate::peers;
use crate::stores::{Full, close, grants, payload};
use crate::table::Table;
use std::path::Path;
use wmlicense_core::backup::back_up;
use wmlicense_core::event::Flow;
use wmlicense_core::operation::Context;
use wmlicense_testkit::home::Home;
use wmlicense_testkit::place::restored;
use wmlicense_testkit::{NOW, World};
use wmlicense_wire::backup::FILE_NAME;

fn quiet() -> Context {
    Context::inline(None, |_| Flow::Continue)
}

fn back_up_once(full: &Full<'_>, scratch: &Path) {
    let report = back_up(&full.home.client, scratch, true, &quiet()).unwrap();
    assert_eq!(report.backed_up, full.licenses);
}

pub(crate) fn measure(_: &World, full: &Full<'_>, arguments: &Arguments, table: &mut Table) {
    let scratch = full.scratch.path();
    let (_, recipient) = peers::age_key(scratch);
    let file = scratch.join(FILE_NAME);
    let [mut ours, mut sqlite_and_age, mut copy] = <[Times; 3]>::default();
    for _ in 0..arguments.rounds_for(full.licenses) {
        ours.measure(|| back_up_once(full, scratch));
        sqlite_and_age.measure(|| peers::backup(&full.store_file(), scratch, &recipient));
        copy.measure(|| peers::encrypting_copy(&file, &scratch.join("plain.copy")));
    }
    let count = full.licenses;
    table.row(&format!("backup-{}", name_of(count)), &format!("backup of {count} licenses, durable"));
    table.time("wmlicense back_up", &ours, count);
    table.time("sqlite3 .backup, then age -r", &sqlite_and_age, count);
    table.time("read, AES-256-GCM, write, fdatasync of the same bytes", &copy, count);
    table.compare("to sqlite3 and age", &ours, &sqlite_and_age, 0.3);
    table.compare("to the bare copy", &ours, &copy, 1.5);
    let size = std::fs::metadata(&file).unwrap().len() as f64;
    table.at_most("file to payload", size / payload(full), 1.1);
    table.figure("bytes written a byte of the file", ours.written() / size);
}

/// Licenses that were acquired one by one: each has a signed answer of its own. Beside it the same licenses as a restore brings them,
/// of which each answer is verified again.
pub(crate) fn measure_single(world: &World, arguments: &Arguments, table: &mut Table) {
    const LICENSES: u64 = 10_000;
    let (home, scratch) = (Home::new(world), tempfile::tempdir().unwrap());
    let before = home.copied();
    for number in 0..LICENSES {
        home.import(home.receive(&grants(world, number..number + 1, NOW + number as i64), NOW)).unwrap();
    }
    let back_up = |home: &Home<'_>| {
        assert_eq!(back_up(&home.client, scratch.path(), true, &quiet()).unwrap().backed_up, LICENSES);
    };
    back_up(&home);
    assert_eq!(restored(&before, scratch.path()).0.unwrap().restored, LICENSES);
    let [mut acquired, mut verified] = <[Times; 2]>::default();
    for _ in 0..arguments.rounds {
        acquired.measure(|| back_up(&home));
        verified.measure(|| back_up(&before));
    }
    table.row("backup-single", &format!("backup of {LICENSES} licenses that were acquired one by one, durable"));
    table.time("of the store that acquired them", &acquired, LICENSES);
    table.time("of one into which they were restored", &verified, LICENSES);
}

pub(crate) fn measure_restore(_: &World, full: &Full<'_>, arguments: &Arguments, table: &mut Table) {
    let scratch = full.scratch.path();
    let (identity, recipient) = peers::age_key(scratch);
    back_up_once(full, scratch);
    peers::backup(&full.store_file(), scratch, &recipient);
    let [mut ours, mut peer] = <[Times; 2]>::default();
    for _ in 0..arguments.rounds_for(full.licenses) {
        let target = full.before.copied();
        let report = ours.measure(|| restored(&target, scratch).0.unwrap());
        assert_eq!(report.restored, full.licenses);
        // What the log holds yet goes into the database when it is closed.
        ours.add_untimed(|| close(target));
        peer.measure(|| peers::restore(scratch, &identity));
    }
    let count = full.licenses;
    table.row(&format!("restore-{}", name_of(count)), &format!("restore of {count} licenses, same device, durable"));
    table.time("wmlicense restore", &ours, count);
    table.time("age -d, then sqlite3 .restore", &peer, count);
    table.compare("to age and sqlite3", &ours, &peer, 1.0);
    let size = std::fs::metadata(scratch.join(FILE_NAME)).unwrap().len() as f64;
    table.at_most("bytes written, the last checkpoint too, a byte of the file", ours.written() / size, 2.5);
}
