//! The index against a plain list of what came and went: any order of changes, merges and commits finds the same places.

use super::changes::{Changes, HELD, Merge};
use super::entry::{Entry, decode, encode, settle};
use super::{Index, buckets, runs, verify};
use crate::store::care::rebuild;
use proptest::prelude::*;
use rusqlite::Connection;
use std::collections::BTreeSet;
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::id::{Kid, Lid};
use zeroize::Zeroizing;

fn index() -> Index {
    Index::of(&SecretKey::new(Zeroizing::new([7; 32])))
}

fn database() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    make(&connection);
    connection
}

fn make(connection: &Connection) {
    connection
        .execute_batch(
            "CREATE TABLE bucket (first INTEGER PRIMARY KEY, entries BLOB NOT NULL) STRICT;
             CREATE TABLE recent (id INTEGER PRIMARY KEY, entries BLOB NOT NULL) STRICT;
             CREATE TABLE batch (id INTEGER PRIMARY KEY) STRICT;
             CREATE TABLE page (id INTEGER PRIMARY KEY, section INTEGER, stateful INTEGER NOT NULL, recipe INTEGER,
                 key BLOB NOT NULL, licenses BLOB NOT NULL) STRICT",
        )
        .unwrap();
    buckets::create(connection).unwrap();
    runs::create(connection, 0).unwrap();
}

/// A key ID for each few licenses, and a license ID of its own.
fn ids(place: i64) -> (Kid, Lid) {
    let of = |number: i64| {
        let mut id = [3; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        id
    };
    (Kid::new(of(place / 3)), Lid::new(of(place)))
}

fn assert_finds(connection: &Connection, index: &Index, expected: &BTreeSet<i64>, all: i64) {
    for place in 0..all {
        let (kid, lid) = ids(place);
        let of_lid = index.places(connection, index.lid(lid)).unwrap();
        assert_eq!(of_lid.contains(&place), expected.contains(&place), "place {place}");
        let mut of_kid = index.places(connection, index.kid(kid)).unwrap();
        of_kid.sort_unstable();
        let wanted: Vec<i64> = (place / 3 * 3..place / 3 * 3 + 3).filter(|place| expected.contains(place)).collect();
        assert_eq!(of_kid, wanted);
    }
    assert_eq!(verify::count(connection).unwrap(), expected.len() as u64);
}

/// One transaction: places whose license comes or, where it is there, goes; whether it merges; whether it ends in a commit.
type Step = (Vec<i64>, bool, bool);

fn run(steps: &[Step], all: i64) {
    let (connection, index, other) = (database(), index(), index());
    let mut expected = BTreeSet::new();
    for (places, merge, commit) in steps {
        connection.execute_batch("BEGIN").unwrap();
        let mut after = expected.clone();
        let mut changes = Changes::new(&connection, &index).unwrap();
        if places.len() % 2 == 0 {
            changes.expect(places.iter().map(|place| ids(*place).1)).unwrap();
        }
        for place in places {
            let known = changes.of_lid(ids(*place).1).unwrap().contains(place);
            assert_eq!(known, after.contains(place), "before place {place} changes");
            if after.remove(place) {
                changes.went(ids(*place), *place).unwrap();
            } else {
                after.insert(*place);
                changes.came(ids(*place), *place).unwrap();
            }
            assert_eq!(changes.of_kid(ids(*place).0).unwrap().contains(place), after.contains(place));
        }
        changes.finish(if *merge { Merge::Now } else { Merge::InTime }).unwrap();
        if *commit {
            connection.execute_batch("COMMIT").unwrap();
            expected = after;
        } else {
            connection.execute_batch("ROLLBACK").unwrap();
        }
        // One that holds runs from before, and one that reads everything.
        assert_finds(&connection, &index, &expected, all);
        assert_finds(&connection, &other, &expected, all);
        assert_finds(&connection, &self::index(), &expected, all);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn what_came_and_did_not_go_is_found(
        steps in prop::collection::vec((prop::collection::vec(0..60_i64, 0..40), any::<bool>(), prop::bool::weighted(0.8)), 1..8)
    ) {
        run(&steps, 60);
    }

    #[test]
    fn entries_come_back_from_their_bytes(
        entries in prop::collection::vec((any::<i64>(), 0..=i64::MAX, any::<bool>()), 0..50)
    ) {
        let mut entries: Vec<Entry> =
            entries.into_iter().map(|(hash, place, gone)| Entry { hash, place, gone }).collect();
        settle(&mut entries);
        let bytes = encode(&entries);
        let mut read = Vec::new();
        prop_assert!(decode(&bytes, &mut read).is_some());
        prop_assert_eq!(&read, &entries);
        if !bytes.is_empty() {
            prop_assert!(decode(&bytes[1..], &mut Vec::new()).is_none());
        }
    }

    #[test]
    fn any_bytes_are_entries_in_order_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut read = Vec::new();
        if decode(&bytes, &mut read).is_some() {
            prop_assert_eq!(encode(&read), bytes);
        }
    }
}

#[test]
fn a_large_index_is_split_into_rows_of_a_page_and_found_whole() {
    const ALL: i64 = 9000;
    let (connection, index) = (database(), index());
    for part in 0..3 {
        let mut changes = Changes::new(&connection, &index).unwrap();
        for place in (part * ALL / 3)..((part + 1) * ALL / 3) {
            changes.came(ids(place), place).unwrap();
        }
        changes.finish(Merge::Now).unwrap();
    }
    let (rows, longest): (i64, i64) = connection
        .query_row("SELECT count(*), max(length(entries)) FROM bucket", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap();
    assert!((2 * ALL / 250..2 * ALL / 80).contains(&rows), "{rows} rows");
    assert!(longest <= 4000, "{longest} bytes");
    assert_finds(&connection, &index, &(0..ALL).collect(), ALL);
    let estimate = buckets::estimate(&connection).unwrap() as i64;
    assert!((ALL..4 * ALL).contains(&estimate), "{estimate}");
    // Everything goes again, and so do the rows.
    let mut changes = Changes::new(&connection, &index).unwrap();
    (0..ALL).for_each(|place| changes.went(ids(place), place).unwrap());
    changes.finish(Merge::Now).unwrap();
    assert_finds(&connection, &index, &BTreeSet::new(), 30);
    let rows: i64 = connection.query_row("SELECT count(*) FROM bucket", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 1);
}

#[test]
fn licenses_of_one_key_id_stay_in_one_row_however_many_they_are() {
    const ALL: i64 = 700;
    let (connection, index) = (database(), index());
    let kid = ids(0).0;
    let mut changes = Changes::new(&connection, &index).unwrap();
    (0..ALL).for_each(|place| changes.came((kid, ids(place).1), place).unwrap());
    changes.finish(Merge::Now).unwrap();
    let mut found = index.places(&connection, index.kid(kid)).unwrap();
    found.sort_unstable();
    assert_eq!(found, (0..ALL).collect::<Vec<_>>());
}

#[test]
fn a_transaction_of_any_length_holds_a_bounded_number_of_entries() {
    const ALL: i64 = 150_000;
    let (connection, index) = (database(), index());
    let mut changes = Changes::new(&connection, &index).unwrap();
    (0..ALL).for_each(|place| changes.came(ids(place), place).unwrap());
    assert!(buckets::estimate(&connection).unwrap() > 200_000, "the first part is written before the end");
    assert!(
        changes.of_lid(ids(5).1).unwrap().contains(&5) && changes.of_lid(ids(ALL - 1).1).unwrap().contains(&(ALL - 1))
    );
    changes.went(ids(5), 5).unwrap();
    changes.finish(Merge::InTime).unwrap();
    assert_eq!(verify::count(&connection).unwrap(), ALL as u64 - 1);
}

#[test]
fn a_long_transaction_finds_what_was_there_before_it_and_what_it_wrote_itself() {
    for old in [Merge::Now, Merge::InTime] {
        find_old_and_own(old);
    }
}

fn find_old_and_own(old: Merge) {
    const OLD: i64 = 3000;
    const ALL: i64 = 150_000;
    let (connection, index) = (database(), index());
    let mut changes = Changes::new(&connection, &index).unwrap();
    (0..OLD).for_each(|place| changes.came(ids(place), place).unwrap());
    changes.finish(old).unwrap();
    let mut changes = Changes::new(&connection, &index).unwrap();
    changes.expect((0..ALL).map(|place| ids(place).1)).unwrap();
    let is_there = |changes: &Changes<'_>, place| changes.of_lid(ids(place).1).unwrap().contains(&place);
    for place in OLD..ALL {
        assert!(!is_there(&changes, place), "{place} before it came");
        changes.came(ids(place), place).unwrap();
    }
    for place in (0..ALL).step_by(97).chain(0..OLD) {
        assert!(is_there(&changes, place), "{place} after all came");
    }
    // From the buckets of before, from those that were written meanwhile, and from what is held.
    for place in [7, OLD + 1, ALL - 1] {
        changes.went(ids(place), place).unwrap();
        assert!(!is_there(&changes, place), "{place} after it went");
    }
    changes.finish(Merge::Now).unwrap();
    assert_eq!(verify::count(&connection).unwrap(), ALL as u64 - 3);
}

#[test]
fn licenses_that_come_together_are_found_as_if_each_came_alone() {
    let (connection, index) = (database(), index());
    let together = |places: std::ops::Range<i64>| places.map(|place| (ids(place), place));
    let lids = |places: std::ops::Range<i64>| places.map(|place| ids(place).1);
    let mut changes = Changes::new(&connection, &index).unwrap();
    assert!(changes.are_absent(lids(0..40)));
    changes.came_all(together(0..20)).unwrap();
    assert!(changes.are_absent(lids(20..40)) && !changes.are_absent(lids(19..40)));
    assert!(changes.of_lid(ids(19).1).unwrap() == [19] && changes.of_lid(ids(20).1).unwrap().is_empty());
    changes.finish(Merge::InTime).unwrap();
    assert_finds(&connection, &index, &(0..20).collect(), 40);
    let changes = Changes::new(&connection, &index).unwrap();
    assert!(!changes.are_absent(lids(20..40)), "beside what is there already each is searched for");
}

#[test]
fn a_transaction_that_ends_as_all_of_it_is_in_the_buckets_gives_its_number_to_no_later_batch() {
    for merge in [Merge::InTime, Merge::Now] {
        let (connection, index) = (database(), index());
        let mut changes = Changes::new(&connection, &index).unwrap();
        let number = changes.next_batch();
        // Two entries a license.
        (0..HELD as i64 / 2).for_each(|place| changes.came(ids(place), place).unwrap());
        changes.finish(merge).unwrap();
        let in_buckets: i64 =
            connection.query_row("SELECT sum(length(entries)) / 16 FROM bucket", [], |row| row.get(0)).unwrap();
        assert_eq!(in_buckets, HELD as i64, "nothing is left for the end");
        assert!(Changes::new(&connection, &index).unwrap().next_batch() > number);
        assert!(index.places(&connection, index.lid(ids(7).1)).unwrap().contains(&7));
    }
}

#[test]
fn an_index_that_is_made_anew_has_what_the_pages_have() {
    let (connection, index) = (database(), index());
    let mut changes = Changes::new(&connection, &index).unwrap();
    (0..50).for_each(|place| changes.came(ids(place), place).unwrap());
    changes.finish(Merge::InTime).unwrap();
    assert!(rebuild::verify(&connection, &index).is_err(), "there are no pages");
    rebuild::rebuild(&connection, &index).unwrap();
    assert!(rebuild::verify(&connection, &index).is_ok());
    assert_finds(&connection, &index, &BTreeSet::new(), 60);
}

#[test]
fn who_reads_an_earlier_state_finds_what_was_there_then() {
    let (folder, index) = (tempfile::tempdir().unwrap(), index());
    let open = || Connection::open(folder.path().join("index.db")).unwrap();
    let writer = open();
    writer.execute_batch("PRAGMA journal_mode = WAL").unwrap();
    make(&writer);
    let write = |places: std::ops::Range<i64>, merge| {
        writer.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut changes = Changes::new(&writer, &index).unwrap();
        places.for_each(|place| changes.came(ids(place), place).unwrap());
        changes.finish(merge).unwrap();
        writer.execute_batch("COMMIT").unwrap();
    };
    write(0..200, Merge::InTime);
    write(200..210, Merge::InTime);
    for merge in [Merge::InTime, Merge::Now] {
        let earlier = open();
        earlier.execute_batch("BEGIN").unwrap();
        let then: i64 = verify::count(&earlier).unwrap() as i64;
        write(then..then + 10, merge);
        assert_finds(&writer, &index, &(0..then + 10).collect(), then + 10);
        assert_finds(&earlier, &index, &(0..then).collect(), then + 10);
        assert_finds(&writer, &index, &(0..then + 10).collect(), then + 10);
    }
}
