//! Backup and restore on the same device.

use crate::arguments::Arguments;
use crate::peers;
use crate::table::{Table, Times};
use std::path::PathBuf;
use tempfile::TempDir;
use wmlicense_core::backup::back_up;
use wmlicense_core::event::Flow;
use wmlicense_core::operation::Context;
use wmlicense_core::store::{Filter, Store};
use wmlicense_testkit::home::Home;
use wmlicense_testkit::place::restored;
use wmlicense_testkit::{World, kid};
use wmlicense_wire::backup::FILE_NAME;

/// Licenses in one answer.
const BATCH: u64 = 4096;

/// A store with all the licenses, and the same device before it had any.
pub(crate) struct Full<'w> {
    pub(crate) licenses: u64,
    pub(crate) home: Home<'w>,
    pub(crate) before: Home<'w>,
    /// Where everything else is written.
    pub(crate) scratch: TempDir,
}

impl<'w> Full<'w> {
    pub(crate) fn new(world: &'w World, licenses: u64, arguments: &Arguments) -> Self {
        let home = Home::new(world);
        let before = home.copied();
        for first in (0..licenses).step_by(BATCH as usize) {
            let last = (first + BATCH).min(licenses);
            let policies: Vec<_> = (first..last).map(|number| world.policy(kid(number))).collect();
            assert_eq!(home.acquire(&policies).unwrap().stored, last - first);
        }
        Self { licenses, home, before, scratch: TempDir::new_in(&arguments.folder).unwrap() }
    }

    fn store_file(&self) -> PathBuf {
        self.home.path().join(wmlicense_core::store::FILE_NAME)
    }
}

fn quiet() -> Context {
    Context::inline(None, |_| Flow::Continue)
}

/// Bytes that a backup must carry: each license with its key. Taken from a sample, because the licenses are alike.
fn payload(store: &Store, licenses: u64) -> f64 {
    let license = store.next_license(&Filter::default(), None).unwrap().unwrap();
    let encoded = wmlicense_wire::license::License {
        policy: license.policy.encode(),
        binding: license.binding().unwrap().encode(),
    };
    // The manifest's hash, the key and its tag.
    (encoded.encode().len() + 32 + 32) as f64 * licenses as f64
}

pub(crate) fn measure(full: &Full<'_>, arguments: &Arguments, table: &mut Table) {
    let scratch = full.scratch.path();
    let (identity, recipient) = peers::age_key(scratch);
    let file = scratch.join(FILE_NAME);
    let [mut ours, mut sqlite_and_age, mut copy, mut restoring, mut restore_peer] = Default::default();
    for _ in 0..arguments.rounds_for(full.licenses) {
        let report = Times::measure(&mut ours, || back_up(&full.home.client, scratch, true, &quiet()).unwrap());
        assert_eq!(report.backed_up, full.licenses);
        Times::measure(&mut sqlite_and_age, || peers::backup(&full.store_file(), scratch, &recipient));
        Times::measure(&mut copy, || peers::encrypting_copy(&file, &scratch.join("plain.copy")));
        let target = full.before.copied();
        let report = Times::measure(&mut restoring, || restored(&target, scratch).0.unwrap());
        assert_eq!(report.restored, full.licenses);
        Times::measure(&mut restore_peer, || peers::restore(scratch, &identity));
    }
    let count = full.licenses;
    table.title(&format!("backup of {count} licenses, durable"));
    table.time("wmlicense back_up", &ours, count);
    table.time("sqlite3 .backup, then age -r", &sqlite_and_age, count);
    table.time("read, AES-256-GCM, write, fdatasync of the same bytes", &copy, count);
    table.compare("to sqlite3 and age", &ours, &sqlite_and_age, 0.25);
    table.compare("to the bare copy", &ours, &copy, 1.5);
    let size = std::fs::metadata(&file).unwrap().len() as f64;
    table.ratio("file to payload", size / payload(&full.home.client.store, count), 1.1);
    table.title(&format!("restore of {count} licenses, same device, durable"));
    table.time("wmlicense restore", &restoring, count);
    table.time("age -d, then sqlite3 .restore", &restore_peer, count);
    table.compare("to age and sqlite3", &restoring, &restore_peer, 0.6);
}
