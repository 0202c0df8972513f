//! Backups to disks that are full or may not be written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use support::home::Home;
use support::place::{backed_up, names};
use support::{World, kid};
use wmlicense_core::backup::BackupError;
use wmlicense_wire::backup::FILE_NAME;
use wmlicense_wire::policy::Policy;

fn plain(world: &World, numbers: std::ops::Range<u64>) -> Vec<Policy> {
    numbers.map(|n| world.policy(kid(n))).collect()
}

/// A small file system of its own.
struct Mounted(tempfile::TempDir);

impl Mounted {
    /// `None` where mounting one is not allowed.
    fn new(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(folder.path())
            .stderr(std::process::Stdio::null())
            .status();
        if mount.is_ok_and(|status| status.success()) {
            return Some(Self(folder));
        }
        eprintln!("skipped: this test mounts a small file system, which needs root");
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_keeps_the_older_backup() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&plain(&world, 0..3)).unwrap();
    let Some(disk) = Mounted::new("size=160k") else { return };
    let place = disk.0.path();
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
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&plain(&world, 0..3)).unwrap();
    let Some(disk) = Mounted::new("ro,size=1m") else { return };
    let (result, _) = backed_up(&home, disk.0.path(), false);
    assert!(matches!(result, Err(BackupError::ReadOnly(_))), "{result:?}");
}
