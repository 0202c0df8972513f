//! Temporary files, links, stale leftovers and exclusive renames.

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
    let stale = format!("{PREFIX}0123456789abcdef{TEMPORARY_SUFFIX}");
    let no_digit = format!("{PREFIX}0123456789abcdeg{TEMPORARY_SUFFIX}");
    let short = format!("{PREFIX}0123{TEMPORARY_SUFFIX}");
    let foreign = [format!("{PREFIX}xyz{TEMPORARY_SUFFIX}"), short, no_digit, "holiday.part".into(), FILE_NAME.into()];
    for name in foreign.iter().chain([&stale]) {
        fs::write(folder.path().join(name), b"").unwrap();
    }
    let link = format!("{PREFIX}fedcba9876543210{TEMPORARY_SUFFIX}");
    symlink("holiday.part", folder.path().join(&link)).unwrap();
    // What waits for its other end does not stop the cleaning.
    make_pipe(&folder.path().join(format!("{PREFIX}0011223344556677{TEMPORARY_SUFFIX}")));
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
    make_pipe(&folder.path().join(FILE_NAME));
    assert!(Place::open(folder.path()).unwrap().open_backup().is_err());
}

fn make_pipe(path: &Path) {
    rustix::fs::mknodat(CWD, path, rustix::fs::FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

#[test]
fn nothing_that_is_opened_follows_a_link_waits_for_a_pipe_or_is_inherited() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::open(folder.path()).unwrap();
    write(&place, b"one", false).unwrap();
    let (temporary, backup) = (place.create_temporary().unwrap(), place.open_backup().unwrap().unwrap());
    let flags = |file: &dyn std::os::fd::AsFd| {
        let inherited = !rustix::io::fcntl_getfd(file.as_fd()).unwrap().contains(rustix::io::FdFlags::CLOEXEC);
        (inherited, rustix::fs::fcntl_getfl(file.as_fd()).unwrap())
    };
    // As the kernel keeps them: a link that is put there between two looks is not followed either.
    let (inherited, kept) = flags(&backup);
    assert!(!inherited && kept.contains(OFlags::NOFOLLOW | OFlags::NONBLOCK), "{kept:?}");
    let (inherited, kept) = flags(&temporary.file);
    assert!(!inherited && kept.contains(OFlags::NOFOLLOW | OFlags::RDWR), "{kept:?}");
    let (inherited, kept) = flags(&place.folder);
    assert!(!inherited && kept.contains(OFlags::DIRECTORY), "{kept:?}");
}

#[test]
fn a_temporary_file_that_a_cleaner_was_faster_with_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::open(folder.path()).unwrap();
    let made = |name: &str| {
        let file = File::options().read(true).write(true).create_new(true).open(folder.path().join(name)).unwrap();
        Temporary { place: &place, name: name.into(), file, kept: false }
    };
    assert!(made("free").is_held().unwrap());
    let locked = made("locked");
    let cleaner = File::open(folder.path().join("locked")).unwrap();
    rustix::fs::flock(&cleaner, FlockOperation::NonBlockingLockExclusive).unwrap();
    assert!(!locked.is_held().unwrap());
    let removed = made("removed");
    fs::remove_file(folder.path().join("removed")).unwrap();
    assert!(!removed.is_held().unwrap());
}

#[test]
fn a_link_that_leads_nowhere_has_the_name_as_well() {
    let folder = tempfile::tempdir().unwrap();
    symlink("nowhere", folder.path().join(FILE_NAME)).unwrap();
    // Where the kernel does not tell what it remembers nothing is known.
    let remembers = rustix::fs::openat2(CWD, "/", OFlags::PATH, Mode::empty(), ResolveFlags::CACHED).is_ok();
    assert_eq!(is_known_to_exist(folder.path()), remembers);
    assert!(!is_known_to_exist(&folder.path().join("missing")));
}

#[test]
fn two_writers_at_once_leave_one_whole_file() {
    let exchanging = |folder: &Path| Place::open(folder).unwrap();
    for open in [exchanging, step_by_step] {
        writers_at_once(open);
    }
}

fn writers_at_once(open: fn(&Path) -> Place) {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for letter in [b'a', b'b', b'c', b'd'] {
            let folder = folder.path();
            scope.spawn(move || {
                for _ in 0..20 {
                    let place = open(folder);
                    place.remove_stale();
                    write(&place, &[letter; 10_000], true).unwrap();
                    // At every moment there is a whole one.
                    assert_eq!(read(&place).len(), 10_000);
                }
            });
        }
    });
    let content = read(&Place::open(folder.path()).unwrap());
    assert!(content.len() == 10_000 && content.iter().all(|byte| *byte == content[0]));
    assert_eq!(names(folder.path()), [FILE_NAME]);
}

/// A place on a file system that does not exchange two files at once.
fn step_by_step(folder: &Path) -> Place {
    Place { renames_over: false, ..Place::open(folder).unwrap() }
}

#[test]
fn where_files_are_not_exchanged_the_old_backup_steps_aside_until_the_new_one_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let place = step_by_step(folder.path());
    for content in [b"one", b"two"] {
        write(&place, content, true).unwrap();
        assert_eq!(read(&place), content);
        assert_eq!(names(folder.path()), [FILE_NAME]);
    }
}

#[test]
fn a_backup_that_was_left_aside_is_the_backup_until_another_has_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::open(folder.path()).unwrap();
    write(&place, b"old", true).unwrap();
    let aside = |number: u8| folder.path().join(format!("{PREFIX}{number:016x}{ASIDE_SUFFIX}"));
    fs::rename(folder.path().join(FILE_NAME), aside(1)).unwrap();
    symlink("/dev/null", aside(2)).unwrap();
    assert_eq!((place.occupant().unwrap(), read(&place)), (Occupant::File, b"old".to_vec()));
    // Cleaning keeps the only one there is.
    place.remove_stale();
    assert_eq!(read(&place), b"old");
    write(&place, b"new", true).unwrap();
    assert_eq!(read(&place), b"new");
    assert_eq!(names(folder.path()), [FILE_NAME]);
}

#[test]
fn of_two_backups_that_were_left_aside_the_newer_one_is_the_backup() {
    for newer in [1, 2] {
        let folder = tempfile::tempdir().unwrap();
        for number in [1_u8, 2] {
            let path = folder.path().join(format!("{PREFIX}{number:016x}{ASIDE_SUFFIX}"));
            fs::write(&path, [number]).unwrap();
            let age = std::time::Duration::from_secs(if number == newer { 1000 } else { 2000 });
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(std::time::SystemTime::now() - age).unwrap();
        }
        assert_eq!(read(&Place::open(folder.path()).unwrap()), [newer]);
    }
}

#[test]
fn a_folder_that_is_elsewhere_by_the_end_is_told() {
    let outside = tempfile::tempdir().unwrap();
    let (folder, moved) = (outside.path().join("folder"), outside.path().join("moved"));
    fs::create_dir(&folder).unwrap();
    let place = Place::open(&folder).unwrap();
    let temporary = place.create_temporary().unwrap();
    fs::rename(&folder, &moved).unwrap();
    fs::create_dir(&folder).unwrap();
    assert_eq!(temporary.publish(true).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(names(&folder).is_empty());
}

#[test]
fn a_medium_that_is_gone_is_told_apart_from_one_that_is_full_or_may_not_be_written() {
    let is_gone = |error: Errno| is_medium_failure(&error.into());
    assert!([Errno::IO, Errno::NODEV, Errno::STALE].into_iter().all(is_gone));
    assert!(![Errno::NOSPC, Errno::ACCESS, Errno::ROFS].into_iter().any(is_gone));
    assert!(!is_medium_failure(&io::Error::other("no number")));
}

#[test]
fn file_systems_that_do_not_exchange_files_are_known_by_their_numbers() {
    for number in [0x4d44, 0x2011_bab0, 0x6573_5546] {
        assert!(publish::is_step_by_step(number) && publish::is_step_by_step(number | 0xffff_ffff_0000_0000));
    }
    // ext4, Btrfs, XFS, tmpfs.
    assert!(![0xef53, 0x9123_683e, 0x5846_5342, 0x0102_1994].into_iter().any(publish::is_step_by_step));
    let folder = tempfile::tempdir().unwrap();
    let here = rustix::fs::statfs(folder.path()).unwrap().f_type as u64;
    assert_eq!(Place::open(folder.path()).unwrap().renames_over, !publish::is_step_by_step(here));
}

#[test]
fn a_file_that_cannot_be_made_durable_does_not_get_the_name() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::open(folder.path()).unwrap();
    write(&place, b"old", false).unwrap();
    // A pipe is nowhere on a disk.
    let (_other, pipe) = std::io::pipe().unwrap();
    let file = File::from(OwnedFd::from(pipe));
    fs::write(folder.path().join("new"), b"new").unwrap();
    assert!(Temporary { place: &place, name: "new".into(), file, kept: false }.publish(true).is_err());
    assert_eq!((read(&place), names(folder.path())), (b"old".to_vec(), vec![FILE_NAME.to_owned()]));
}

/// A folder that can be used for everything but to make its names durable.
fn never_durable(folder: &Path) -> Place {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Place { folder: rustix::fs::open(folder, flags, Mode::empty()).unwrap(), ..Place::open(folder).unwrap() }
}

#[test]
fn names_that_cannot_be_made_durable_are_told() {
    let folder = tempfile::tempdir().unwrap();
    assert!(write(&never_durable(folder.path()), b"one", true).is_err());
    // The old one has its name again: nobody knows whether the disk knows the other.
    let place = Place { renames_over: false, ..never_durable(folder.path()) };
    let temporary = place.create_temporary().unwrap();
    temporary.file().write_all(b"two").unwrap();
    assert!(temporary.publish(true).is_err());
    assert_eq!(read(&Place::open(folder.path()).unwrap()), b"one");
    assert_eq!(names(folder.path()), [FILE_NAME]);
    // File systems that have nothing to make durable are none of these.
    Place::open(Path::new("/proc")).unwrap().sync().unwrap();
}

#[test]
fn a_new_file_that_is_gone_gives_the_old_backup_its_name_back() {
    let folder = tempfile::tempdir().unwrap();
    for place in [Place::open(folder.path()).unwrap(), step_by_step(folder.path())] {
        write(&place, b"old", true).unwrap();
        let temporary = place.create_temporary().unwrap();
        fs::remove_file(folder.path().join(&temporary.name)).unwrap();
        assert_eq!(temporary.publish(true).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!((read(&place), names(folder.path())), (b"old".to_vec(), vec![FILE_NAME.to_owned()]));
    }
}
