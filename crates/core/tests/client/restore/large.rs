//! Backups so long that one thread reads and checks them while another puts in.

use super::*;
use wmlicense_core::store_keeper::check;

/// As many as one answer has: more than a megabyte.
const LICENSES: u64 = 4096;

/// A backup, and a copy of its store from before there was a license.
fn large(world: &World) -> (Home<'_>, TempDir, Vec<u8>) {
    let home = Home::new(world);
    let before = home.copied();
    home.acquire(&plain(world, 0..LICENSES)).unwrap();
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
    // The last ones are in the footer and its chunk, when all licenses were put in.
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
