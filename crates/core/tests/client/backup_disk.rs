//! Backups to disks that are full or may not be written.

use std::fs;
use wmlicense_core::backup::BackupError;
use wmlicense_testkit::disk::{has_own_mounts, mount_small};
use wmlicense_testkit::home::Home;
use wmlicense_testkit::place::{backed_up, names};
use wmlicense_testkit::{World, kid};
use wmlicense_wire::backup::FILE_NAME;
use wmlicense_wire::policy::Policy;

fn plain(world: &World, numbers: std::ops::Range<u64>) -> Vec<Policy> {
    numbers.map(|n| world.policy(kid(n))).collect()
}

#[test]
fn a_full_disk_keeps_the_older_backup() {
    if !has_own_mounts("backup_disk::a_full_disk_keeps_the_older_backup") {
        return;
    }
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&plain(&world, 0..3)).unwrap();
    let disk = tempfile::tempdir().unwrap();
    let place = disk.path();
    mount_small(place, "size=160k");
    backed_up(&home, place, false).0.unwrap();
    let kept = fs::read(place.join(FILE_NAME)).unwrap();
    home.acquire(&plain(&world, 10..400)).unwrap();
    let (result, _) = backed_up(&home, place, true);
    assert!(matches!(result, Err(BackupError::Full)), "{result:?}");
    assert_eq!(fs::read(place.join(FILE_NAME)).unwrap(), kept);
    assert_eq!(names(place), [FILE_NAME]);
}

#[test]
fn a_read_only_place_is_told_as_such() {
    if !has_own_mounts("backup_disk::a_read_only_place_is_told_as_such") {
        return;
    }
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&plain(&world, 0..3)).unwrap();
    let disk = tempfile::tempdir().unwrap();
    mount_small(disk.path(), "ro,size=1m");
    let (result, _) = backed_up(&home, disk.path(), false);
    assert!(matches!(result, Err(BackupError::ReadOnly(_))), "{result:?}");
}
