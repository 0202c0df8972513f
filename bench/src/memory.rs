//! Peak memory of backups and restores, each in a process of its own.

use crate::arguments::Arguments;
use crate::backup::Full;
use crate::device::{Job, Owner};
use crate::table::Table;
use wmlicense_testkit::World;

/// From this number of licenses on, a tenth of them fills the caches, whose size is bounded.
const CACHES_FULL: u64 = 1_000_000;
/// What a backup or restore may take, in MB.
const TARGET_MB: f64 = 32.0;

/// All memory of a backup, and own memory of a restore, whose store is mapped.
fn peaks(world: &World, full: &Full<'_>) -> [f64; 2] {
    let (authority, place) = (world.pin().to_base64(), full.scratch.path());
    let owner = Owner { authority: &authority, service: None };
    let backup = Job::BackUp(place).run(&owner, full.home.path(), None);
    assert_eq!(backup.licenses, full.licenses);
    let target = full.before.copied();
    let restore = Job::Restore(place).run(&owner, target.path(), None);
    assert_eq!(restore.licenses, full.licenses);
    [backup.all_mb, restore.own_mb]
}

pub(crate) fn measure(world: &World, full: &Full<'_>, arguments: &Arguments, table: &mut Table) {
    let tenth = Full::new(world, full.licenses / 10, arguments);
    let [small, large] = [peaks(world, &tenth), peaks(world, full)];
    table.title(&format!("peak memory of a process, {} licenses and a tenth of them, MB", full.licenses));
    for ((what, small), large) in ["backup", "restore, same device"].iter().zip(small).zip(large) {
        table.ratio(&format!("{what}, all licenses"), large, TARGET_MB);
        if full.licenses >= CACHES_FULL {
            table.ratio(&format!("{what}, growth from a tenth to all"), large / small, 1.2);
        }
    }
}
