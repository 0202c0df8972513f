//! Temporary files, links, stale leftovers and exclusive renames.
#![allow(clippy::unwrap_used)]

use super::*;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn write(place: &Place, content: &[u8], replace: bool) -> io::Result<()> {
    let temporary = place.create_temporary()?;
    temporary.file().write_all(content)?;
    temporary.publish(replace)
}

fn read(place: &Place) -> Vec<u8> {
    let mut content = Vec::new();
    place.open_backup().unwrap().unwrap().read_to_end(&mut content).unwrap();
    content
}

#[test]
fn a_published_file_is_private_and_nothing_else_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::open(folder.path()).unwrap();
    write(&place, b"one", false).unwrap();
    assert_eq!(names(folder.path()), [FILE_NAME]);
    assert_eq!(fs::metadata(folder.path().join(FILE_NAME)).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(read(&place), b"one");
}

#[test]
fn an_existing_backup_is_replaced_only_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::open(folder.path()).unwrap();
    write(&place, b"one", false).unwrap();
    assert_eq!(write(&place, b"two", false).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(read(&place), b"one");
    write(&place, b"three", true).unwrap();
    assert_eq!(read(&place), b"three");
    assert_eq!(names(folder.path()), [FILE_NAME]);
}

#[test]
fn a_file_that_is_not_published_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::open(folder.path()).unwrap();
    let temporary = place.create_temporary().unwrap();
    assert_eq!(names(folder.path()).len(), 1);
    drop(temporary);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn only_own_files_that_nobody_holds_are_cleaned() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::open(folder.path()).unwrap();
    let stale = format!("{TEMPORARY_PREFIX}0123456789abcdef{TEMPORARY_SUFFIX}");
    let foreign = [format!("{TEMPORARY_PREFIX}xyz{TEMPORARY_SUFFIX}"), "holiday.part".into(), FILE_NAME.into()];
    for name in foreign.iter().chain([&stale]) {
        fs::write(folder.path().join(name), b"").unwrap();
    }
    let link = format!("{TEMPORARY_PREFIX}fedcba9876543210{TEMPORARY_SUFFIX}");
    symlink("holiday.part", folder.path().join(&link)).unwrap();
    let held = place.create_temporary().unwrap();
    // Another opening of the folder, as another process has it.
    Place::open(folder.path()).unwrap().remove_stale();
    let left = names(folder.path());
    assert!(!left.contains(&stale));
    assert!(foreign.iter().all(|name| left.contains(name)) && left.contains(&link));
    assert!(left.contains(&held.name.clone().into_string().unwrap()));
}

#[test]
fn a_link_in_the_place_of_the_backup_is_neither_read_nor_written_through() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    let target = outside.path().join("target");
    fs::write(&target, b"precious").unwrap();
    symlink(&target, folder.path().join(FILE_NAME)).unwrap();
    let place = Place::open(folder.path()).unwrap();
    assert_eq!(place.occupant().unwrap(), Occupant::Other);
    assert!(place.open_backup().is_err());
    assert_eq!(write(&place, b"new", false).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    // Replacing takes the link away, never its target.
    write(&place, b"new", true).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"precious");
    assert_eq!(read(&place), b"new");
}

#[test]
fn a_pipe_in_the_place_of_the_backup_does_not_block() {
    let folder = tempfile::tempdir().unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        folder.path().join(FILE_NAME),
        rustix::fs::FileType::Fifo,
        Mode::RUSR | Mode::WUSR,
        0,
    )
    .unwrap();
    assert!(Place::open(folder.path()).unwrap().open_backup().is_err());
}

#[test]
fn two_writers_at_once_leave_one_whole_file() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for letter in [b'a', b'b', b'c', b'd'] {
            let folder = folder.path();
            scope.spawn(move || {
                for _ in 0..20 {
                    let place = Place::open(folder).unwrap();
                    place.remove_stale();
                    write(&place, &[letter; 10_000], true).unwrap();
                }
            });
        }
    });
    let content = read(&Place::open(folder.path()).unwrap());
    assert!(content.len() == 10_000 && content.iter().all(|byte| *byte == content[0]));
    assert_eq!(names(folder.path()), [FILE_NAME]);
}
