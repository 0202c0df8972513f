//! Backups at their edges: what ends early leaves nothing, and what belongs to no section goes into none.

use super::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wmlicense_core::store::{BackupItem, StoreError};
use wmlicense_testkit::tamper;

#[test]
fn what_a_crashed_run_left_makes_room_before_anything_is_written() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&plain(&world, 0..1)).unwrap();
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join(".licenses.wmbackup.0123456789abcdef.part"), b"left").unwrap();
    let context = Events::default().context(|event| *event == Event::BackupRestoreBegin);
    assert!(matches!(back_up(&home.client, place.path(), false, &context), Err(BackupError::Cancelled)));
    assert!(names(place.path()).is_empty());
}

#[test]
fn a_cancel_at_the_first_restricted_license_tells_no_other() {
    let world = World::new();
    let home = Home::new(&world);
    let restricted = |number| Policy { backup: BackupRight::No, ..world.policy(kid(number)) };
    home.acquire(&[restricted(1), restricted(2)]).unwrap();
    let (place, events) = (tempfile::tempdir().unwrap(), Events::default());
    let context = events.context(|event| matches!(event, Event::RestrictedLicense(_)));
    assert!(matches!(back_up(&home.client, place.path(), false, &context), Err(BackupError::Cancelled)));
    assert_eq!(events.all().len(), 2);
}

#[test]
fn more_accounts_than_a_backup_has_sections_are_refused_before_anything_is_written() {
    let world = World::new();
    let home = Home::new(&world);
    let of = |number: u64| {
        let mut user = [0; 16];
        user[..8].copy_from_slice(&number.to_be_bytes());
        Policy { user: Some(UserId::new(user)), ..world.policy(kid(number)) }
    };
    home.acquire(&(0..=wmlicense_wire::backup::MAX_SECTIONS as u64).map(of).collect::<Vec<_>>()).unwrap();
    let place = tempfile::tempdir().unwrap();
    assert!(matches!(backed_up(&home, place.path(), false).0, Err(BackupError::Place(_))));
    assert!(names(place.path()).is_empty());
}

#[test]
fn a_title_goes_with_the_section_of_its_license_and_with_no_other() {
    let world = World::new();
    let home = Home::new(&world);
    let unmanaged = Policy { management: None, ..world.policy(kid(1)) };
    home.acquire(&[world.policy(kid(0)), unmanaged]).unwrap();
    home.client.store.set_title(kid(0), "Of the first").unwrap();
    home.client.store.set_title(kid(1), "Of the second").unwrap();
    home.client.store.set_title(kid(2), "Of none").unwrap();
    let fresh = home.without_store();
    let place = tempfile::tempdir().unwrap();
    backed_up(&home, place.path(), false).0.unwrap();
    restored(&fresh, place.path()).0.unwrap();
    let titles = [0, 1, 2].map(|number| fresh.client.store.title(kid(number)).unwrap());
    assert_eq!(titles.each_ref().map(|title| title.as_deref()), [Some("Of the first"), Some("Of the second"), None]);
}

#[test]
fn the_last_progress_is_told_when_every_byte_is_written() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&plain(&world, 0..3)).unwrap();
    let place = tempfile::tempdir().unwrap();
    let (path, seen) = (place.path().to_path_buf(), Arc::new(AtomicU64::new(0)));
    let written = Arc::clone(&seen);
    let context = Events::default().context(move |event| {
        if *event == progress(3, 3) {
            let files = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
            written.store(files.sum(), Ordering::SeqCst);
        }
        false
    });
    back_up(&home.client, place.path(), false, &context).unwrap();
    assert_eq!(seen.load(Ordering::SeqCst), fs::metadata(place.path().join(FILE_NAME)).unwrap().len());
}

#[test]
fn two_backups_at_once_leave_one_whole_backup() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&plain(&world, 0..50)).unwrap();
    let fresh = home.copied();
    let place = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let home = home.again();
                for _ in 0..5 {
                    backed_up(&home, place.path(), true).0.unwrap();
                }
            });
        }
    });
    assert_eq!(names(place.path()), [FILE_NAME]);
    assert_eq!(restored(&fresh, place.path()).0.unwrap().restored, 50);
}

#[test]
fn a_license_that_the_disk_changed_is_told_and_costs_neither_the_older_backup_nor_the_other_licenses() {
    let world = World::new();
    for policy in [world.policy(kid(0)), counted(&world, 0)] {
        let home = Home::new(&world);
        home.acquire(std::slice::from_ref(&policy)).unwrap();
        let place = tempfile::tempdir().unwrap();
        backed_up(&home, place.path(), false).0.unwrap();
        let before = fs::read(place.path().join(FILE_NAME)).unwrap();
        // The last byte of the page is one of the license's binding, which no key is bound to.
        let database = rusqlite::Connection::open(home.path().join("licenses.db")).unwrap();
        let page: Vec<u8> = database.query_row("SELECT licenses FROM page", [], |row| row.get(0)).unwrap();
        let (last, rest) = page.split_last().unwrap();
        database.execute("UPDATE page SET licenses = ?1", [[rest, &[last ^ 1]].concat()]).unwrap();
        let result = backed_up(&home, place.path(), true).0;
        let told = matches!(&result, Err(BackupError::Store(StoreError::Damaged(why))) if why.contains("not in its batch's manifest"));
        assert!(told, "{result:?}");
        assert_eq!(fs::read(place.path().join(FILE_NAME)).unwrap(), before);
        assert_eq!(names(place.path()), [FILE_NAME]);
    }
}

#[test]
fn a_license_whose_key_is_lost_or_that_stands_twice_is_told_and_costs_not_the_older_backup() {
    let twice = "INSERT INTO page SELECT id + 1, section, stateful, recipe, key, licenses FROM page";
    for (damage, told) in [(None, "key"), (Some(twice), "twice")] {
        let world = World::new();
        let home = Home::new(&world);
        home.acquire(&plain(&world, 0..3)).unwrap();
        let place = tempfile::tempdir().unwrap();
        backed_up(&home, place.path(), false).0.unwrap();
        let before = fs::read(place.path().join(FILE_NAME)).unwrap();
        let database = tamper::database(home.path());
        match damage {
            None => tamper::lose_key(&database, kid(1)),
            Some(sql) => assert_eq!(database.execute(sql, []).unwrap(), 1),
        }
        let result = backed_up(&home, place.path(), true).0;
        let is_told = matches!(&result, Err(BackupError::Store(StoreError::Damaged(why))) if why.contains(told));
        assert!(is_told, "{result:?}");
        assert_eq!(fs::read(place.path().join(FILE_NAME)).unwrap(), before);
        assert_eq!(names(place.path()), [FILE_NAME]);
    }
}

#[test]
fn a_batch_whose_signature_the_disk_changed_is_told_and_costs_not_the_older_backup() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&plain(&world, 0..3)).unwrap();
    let place = tempfile::tempdir().unwrap();
    backed_up(&home, place.path(), false).0.unwrap();
    let before = fs::read(place.path().join(FILE_NAME)).unwrap();
    change_signatures(&home);
    let result = backed_up(&home, place.path(), true).0;
    assert!(matches!(&result, Err(BackupError::Store(StoreError::Damaged(_)))), "{result:?}");
    assert_eq!(fs::read(place.path().join(FILE_NAME)).unwrap(), before);
    assert_eq!(names(place.path()), [FILE_NAME]);
}

/// Whether each batch of the store is known to be as it was verified.
fn vouched(home: &Home<'_>) -> Vec<bool> {
    let snapshot = home.client.store.snapshot().unwrap();
    let mut seen = Vec::new();
    for section in snapshot.sections().unwrap() {
        let mut note = |item| {
            if let BackupItem::Batch { vouched, .. } = item {
                seen.push(vouched);
            }
            Ok::<_, StoreError>(())
        };
        snapshot.stream(&section, &mut note).unwrap();
    }
    seen
}

/// Changes the last byte of the signature of every batch, or changes it back.
fn change_signatures(home: &Home<'_>) {
    let database = tamper::database(home.path());
    let mut find = database.prepare("SELECT id, signed FROM batch").unwrap();
    let rows: Vec<(i64, Vec<u8>)> =
        find.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    for (id, mut signed) in rows {
        *signed.last_mut().unwrap() ^= 1;
        database.execute("UPDATE batch SET signed = ?2 WHERE id = ?1", (id, signed)).unwrap();
    }
}

#[test]
fn a_signature_is_verified_again_unless_the_answer_is_as_it_came_from_the_service() {
    let world = World::new();
    let home = Home::new(&world);
    let before = home.copied();
    home.acquire(&plain(&world, 0..3)).unwrap();
    home.acquire(&plain(&world, 3..4)).unwrap();
    assert_eq!(vouched(&home), [true, true]);
    let place = tempfile::tempdir().unwrap();
    backed_up(&home, place.path(), false).0.unwrap();
    // Of what a restore brought it is known that this device wrote it, and no more.
    assert_eq!(restored(&before, place.path()).0.unwrap().restored, 4);
    assert_eq!(vouched(&before), [false, false]);
    for home in [&home, &before] {
        backed_up(home, place.path(), true).0.unwrap();
        change_signatures(home);
        assert_eq!(vouched(home), [false, false]);
        let result = backed_up(home, place.path(), true).0;
        assert!(matches!(&result, Err(BackupError::Store(StoreError::Damaged(_)))), "{result:?}");
        change_signatures(home);
        backed_up(home, place.path(), true).0.unwrap();
    }
    // An ID that is made up for an answer opens none of its pages.
    let database = tamper::database(home.path());
    database.execute("UPDATE batch SET at_rest = x'000102030405060708090a0b0c0d0e0f'", []).unwrap();
    assert!(matches!(backed_up(&home, place.path(), true).0, Err(BackupError::Store(StoreError::Damaged(_)))));
}

#[test]
fn where_the_system_gives_no_second_thread_one_makes_a_backup_and_restores_it() {
    const NAME: &str = "backup::edges::where_the_system_gives_no_second_thread_one_makes_a_backup_and_restores_it";
    const ALONE: &str = "WM_TEST_ALONE";
    /// More than a megabyte, from which on a restore has a second thread.
    const LICENSES: u64 = 4096;
    if std::env::var_os(ALONE).is_none() {
        if !wmlicense_testkit::crash::can_trace() {
            return;
        }
        // From the start no call makes a thread.
        let mut child = std::process::Command::new("strace");
        child.args(["-f", "-qq", "-o", "/dev/null", "-e", "inject=clone,clone3:error=EAGAIN"]);
        child.arg(std::env::current_exe().unwrap()).args(["--exact", NAME, "--nocapture", "--test-threads=1"]);
        let ran = child.env(ALONE, "1").output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success() && out.contains("1 passed"), "{out}\n{err}");
        return;
    }
    assert!(std::thread::Builder::new().spawn(|| ()).is_err(), "a thread was made");
    let world = World::new();
    let home = Home::new(&world);
    let before = home.copied();
    home.acquire(&plain(&world, 0..LICENSES)).unwrap();
    let place = tempfile::tempdir().unwrap();
    assert_eq!(backed_up(&home, place.path(), false).0.unwrap().backed_up, LICENSES);
    assert!(fs::metadata(place.path().join(FILE_NAME)).unwrap().len() > 1 << 20);
    assert_eq!(restored(&before, place.path()).0.unwrap().restored, LICENSES);
    // What is wrong is told by the one as by two.
    change_signatures(&home);
    let result = backed_up(&home, place.path(), true).0;
    assert!(matches!(&result, Err(BackupError::Store(StoreError::Damaged(_)))), "{result:?}");
}
