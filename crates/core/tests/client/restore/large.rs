//! Backups so long that one thread reads and checks them while another puts in.

use super::*;
use std::path::Path;
use wmlicense_core::store_keeper::check;
use wmlicense_testkit::disk::{fill, has_own_mounts, mount_small};
use wmlicense_testkit::home::open;
use wmlicense_testkit::tamper;

/// As many as one answer has: more than a megabyte.
const LICENSES: u64 = 4096;

/// A backup, and a copy of its store from before there was a license.
fn large(world: &World) -> (Home<'_>, TempDir, Vec<u8>) {
    of_answers(world, 1)
}

/// As [`large`], of so many answers.
fn of_answers(world: &World, answers: u64) -> (Home<'_>, TempDir, Vec<u8>) {
    let home = Home::new(world);
    let before = home.copied();
    for answer in 0..answers {
        home.acquire(&plain(world, answer * LICENSES..(answer + 1) * LICENSES)).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    backed_up(&home, folder.path(), false).0.unwrap();
    let bytes = std::fs::read(folder.path().join(FILE_NAME)).unwrap();
    assert!(bytes.len() > 1 << 20, "{}", bytes.len());
    (before, folder, bytes)
}

#[test]
fn a_large_backup_with_a_byte_changed_anywhere_or_cut_is_refused_and_leaves_nothing_behind() {
    let world = World::new();
    let (home, folder, bytes) = large(&world);
    let fake = Fake::new(&world);
    let refused = |bytes: &[u8], what: &str| {
        std::fs::write(folder.path().join(FILE_NAME), bytes).unwrap();
        let (result, events) = restore_at(&home, &folder, &fake);
        assert!(matches!(result, Err(RestoreError::Corrupt(_))), "{what}: {result:?}");
        let done = |event: &Event| matches!(event, Event::Progress(progress) if progress.done == progress.total);
        assert!(!events.all().iter().any(done), "{what} was told to be done");
        assert_eq!(home.client.store.license_count().unwrap(), 0, "{what}");
    };
    // The last ones are in the footer and its chunk.
    let places = (1..16).map(|part| bytes.len() / 16 * part).chain([20, bytes.len() - 100, bytes.len() - 1]);
    for place in places {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        refused(&changed, &format!("byte {place}"));
    }
    for length in [bytes.len() - 1, bytes.len() - 70_000, bytes.len() / 2] {
        refused(&bytes[..length], &format!("a cut to {length}"));
    }
    std::fs::write(folder.path().join(FILE_NAME), &bytes).unwrap();
    let (result, events) = restore_at(&home, &folder, &fake);
    assert_eq!(result.unwrap(), Restored { restored: LICENSES, ..Restored::default() });
    let told: Vec<u64> = events
        .all()
        .iter()
        .filter_map(|event| if let Event::Progress(progress) = event { Some(progress.done) } else { None })
        .collect();
    assert!(told.len() > 1 && told.is_sorted() && told.last() == Some(&(bytes.len() as u64)), "{told:?}");
    assert_eq!(check(&home.client, true, &Events::default().context(|_| false)).unwrap().licenses, LICENSES);
    assert!([0, 1, LICENSES / 2, LICENSES - 1].iter().all(|number| {
        let found = home.client.store.licenses(kid(*number)).unwrap();
        let key = home.client.store.unwrap_key(&found[0]).unwrap();
        found.len() == 1 && key.as_bytes() == content_key(kid(*number))
    }));
}

#[test]
fn a_large_backup_goes_a_second_time_into_a_store_that_has_a_part_of_it() {
    let world = World::new();
    let (home, folder, _) = large(&world);
    let (first, last) = (world.policy(kid(LICENSES)), plain(&world, 0..2));
    home.acquire(&[vec![first.clone()], last].concat()).unwrap();
    let fake = Fake::new(&world);
    for _ in 0..2 {
        assert_eq!(restore_at(&home, &folder, &fake).0.unwrap().restored, LICENSES);
    }
    assert!(opens(&home.client.store, &first));
    // The two of the same keys have IDs of their own.
    let context = Events::default().context(|_| false);
    assert_eq!(check(&home.client, true, &context).unwrap().licenses, LICENSES + 3);
}

/// A backup damaged in ways that show at its end alone.
fn damaged_at_the_end(bytes: &[u8]) -> [(&'static str, Vec<u8>); 3] {
    let mut flipped = bytes.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    let mut footer = bytes.to_vec();
    let place = bytes.len() - 100;
    footer[place] ^= 1;
    [("its last byte", flipped), ("its footer", footer), ("its last chunk", bytes[..bytes.len() - 300].to_vec())]
}

/// Bytes of the database's log.
fn logged(store: &Path) -> u64 {
    std::fs::metadata(store.join("licenses.db-wal")).map_or(0, |log| log.len())
}

#[test]
fn a_large_backup_that_is_damaged_at_its_end_waits_for_nobody_and_writes_nothing() {
    let world = World::new();
    let (home, folder, bytes) = large(&world);
    // Another process writes the store all the time: who waits for it gives up after ten seconds, and says so.
    let other = tamper::database(home.path());
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let before = logged(home.path());
    for (what, damaged) in damaged_at_the_end(&bytes) {
        std::fs::write(folder.path().join(FILE_NAME), damaged).unwrap();
        let (result, _) = restore_at(&home, &folder, &Fake::new(&world));
        assert!(matches!(result, Err(RestoreError::Corrupt(_))), "{what}: {result:?}");
        assert_eq!(logged(home.path()), before, "{what}");
    }
    other.execute_batch("INSERT INTO title VALUES (x'00', 'written meanwhile'); COMMIT").unwrap();
    std::fs::write(folder.path().join(FILE_NAME), bytes).unwrap();
    assert_eq!(restore_at(&home, &folder, &Fake::new(&world)).0.unwrap().restored, LICENSES);
}

#[test]
fn on_a_small_disk_a_damaged_backup_is_told_as_damaged_and_a_whole_one_wants_room() {
    const ANSWERS: u64 = 10;
    if !has_own_mounts("restore::large::on_a_small_disk_a_damaged_backup_is_told_as_damaged_and_a_whole_one_wants_room")
    {
        return;
    }
    let world = World::new();
    // More than the database keeps in memory until a commit.
    let (home, folder, bytes) = of_answers(&world, ANSWERS);
    let disk = tempfile::tempdir().unwrap();
    mount_small(disk.path(), "size=64m");
    let (store, filling) = (disk.path().join("store"), disk.path().join("filling"));
    std::fs::create_dir(&store).unwrap();
    for entry in std::fs::read_dir(home.path()).unwrap().map(Result::unwrap) {
        std::fs::copy(entry.path(), store.join(entry.file_name())).unwrap();
    }
    let client = open(&world, &store, &home.clock).unwrap();
    fill(&filling);
    // A part of the backup has room.
    let room = std::fs::File::options().write(true).open(&filling).unwrap();
    room.set_len(room.metadata().unwrap().len() - (bytes.len() / 4) as u64).unwrap();
    let restore = || {
        let context = Events::default().context(|_| false);
        through::restore(&client, folder.path(), &|| panic!("asked"), &context)
    };
    for (what, damaged) in damaged_at_the_end(&bytes) {
        std::fs::write(folder.path().join(FILE_NAME), damaged).unwrap();
        let result = restore();
        assert!(matches!(result, Err(RestoreError::Corrupt(_))), "{what}: {result:?}");
        assert_eq!(client.store.license_count().unwrap(), 0);
    }
    std::fs::write(folder.path().join(FILE_NAME), bytes).unwrap();
    let result = restore();
    let full = |error: &SessionError| matches!(error, SessionError::Store(StoreError::Full));
    assert!(matches!(&result, Err(RestoreError::Service(error)) if full(error)), "{result:?}");
    assert_eq!(client.store.license_count().unwrap(), 0);
    drop(room);
    std::fs::remove_file(&filling).unwrap();
    assert_eq!(restore().unwrap().restored, ANSWERS * LICENSES);
}
