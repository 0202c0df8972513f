//! Peak memory of backups and restores, each in a process of its own.

use crate::arguments::Arguments;
use crate::device::{Job, Owner};
use crate::name_of;
use crate::stores::Full;
use crate::table::Table;
use wmlicense_testkit::World;

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

pub(crate) fn measure(world: &World, full: &Full<'_>, _: &Arguments, table: &mut Table) {
    let peaks = peaks(world, full);
    let title = format!("peak memory of a process, {} licenses, MB", full.licenses);
    table.row(&format!("memory-{}", name_of(full.licenses)), &title);
    for (what, peak) in ["backup", "restore, same device"].into_iter().zip(peaks) {
        table.at_most(what, peak, TARGET_MB);
        // Of the size before, a tenth of this one.
        if let Some(smaller) = table.kept(what) {
            table.at_most(&format!("{what}: growth from a tenth to all"), peak / smaller, 1.2);
        }
        table.keep(what, peak);
    }
}
