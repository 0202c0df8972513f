//! Pages of licenses and the index of them: what lies, is cut or is gone is found, told, and mended without touching the rest.

use super::*;

/// What is wrong with the index of licenses, and how it is made so.
const INDEX_DAMAGES: [&str; 8] = [
    // All of it, a run, and a bucket went.
    "UPDATE recent SET entries = x''; UPDATE bucket SET entries = x''",
    "UPDATE recent SET entries = substr(entries, 17)",
    "UPDATE recent SET entries = substr(entries, 1, length(entries) - 16)",
    // An entry is cut, leads elsewhere, or comes twice.
    "UPDATE recent SET entries = substr(entries, 1, length(entries) - 1)",
    "UPDATE recent SET entries = CAST(substr(entries, 1, 15) || x'77' || substr(entries, 17) AS BLOB) WHERE length(entries) > 0",
    "UPDATE bucket SET entries = (SELECT max(entries) FROM recent)",
    // One entry more than two a license.
    "UPDATE recent SET entries = CAST(entries || x'7fffffffffffffff0000000000001000' AS BLOB) WHERE length(entries) > 0",
    "DELETE FROM bucket",
];

#[test]
fn an_index_that_lies_or_misses_a_license_is_found_and_made_anew() {
    let world = World::new();
    for damage in INDEX_DAMAGES {
        let (home, _) = three(&world);
        sql(&home).execute_batch(damage).unwrap();
        let home = home.again();
        assert!(matches!(look(&home, false).0, Err(CheckError::Database(_))), "{damage}");
        assert!(look(&home, true).0.unwrap().repaired, "{damage}");
        assert_eq!(look(&home, false).0.unwrap().licenses, 3, "{damage}");
        assert!((1..=3).all(|number| opens(&home, kid(number))), "{damage}");
    }
}

#[test]
fn an_index_that_misses_a_batch_is_found_and_made_anew() {
    let world = World::new();
    let (home, _) = three(&world);
    let before: Vec<u8> = sql(&home).query_row("SELECT max(entries) FROM recent", [], |row| row.get(0)).unwrap();
    home.acquire(&[world.policy(kid(9))]).unwrap();
    sql(&home).execute("UPDATE recent SET entries = ?1 WHERE length(entries) > 0", [before]).unwrap();
    let home = home.again();
    assert!(!opens(&home, kid(9)) && opens(&home, kid(1)));
    assert!(matches!(look(&home, false).0, Err(CheckError::Database(_))));
    assert!(look(&home, true).0.unwrap().repaired);
    assert!(opens(&home, kid(9)) && opens(&home, kid(1)));
}

#[test]
fn a_page_that_is_cut_swapped_doubled_or_of_another_batch_is_found_and_taken_out() {
    use LicenseFault::{KeyLost, NotSigned, Unreadable};
    let damages = [
        ("UPDATE page SET licenses = substr(licenses, 1, length(licenses) - 1) WHERE id = ?1", Unreadable, 1),
        ("UPDATE page SET licenses = (SELECT licenses FROM page WHERE id > ?1) WHERE id = ?1", NotSigned, 1),
        (
            "INSERT INTO page SELECT id + 1, section, stateful, recipe, key, licenses FROM page WHERE id = ?1",
            NotSigned,
            3,
        ),
        ("UPDATE page SET key = zeroblob(60) WHERE id = ?1", KeyLost, 3),
        ("UPDATE page SET key = x'' WHERE id = ?1", KeyLost, 3),
        ("UPDATE page SET key = (SELECT key FROM page WHERE id > ?1) WHERE id = ?1", KeyLost, 3),
        ("UPDATE page SET id = id + 409600 WHERE id = ?1", NotSigned, 3),
        ("UPDATE page SET id = (SELECT max(id) + 1 FROM page) WHERE id = ?1", NotSigned, 3),
        ("UPDATE page SET id = -1 WHERE id = ?1", NotSigned, 3),
        ("UPDATE page SET id = 9223372036854775807 WHERE id = ?1", NotSigned, 3),
    ];
    for (damage, fault, licenses) in damages {
        let world = World::new();
        let (home, _) = three(&world);
        home.acquire(&[world.policy(kid(9))]).unwrap();
        let first: i64 = sql(&home).query_row("SELECT min(id) FROM page", [], |row| row.get(0)).unwrap();
        assert_eq!(sql(&home).execute(damage, [first]).unwrap(), 1);
        let home = home.again();
        // An index that leads to what is gone is told first.
        assert!(look(&home, false).0.is_err(), "{damage}");
        let (result, told) = look(&home, true);
        assert_eq!(result.unwrap().repair.quarantined, licenses, "{damage}");
        assert!(told.iter().all(|(_, told)| *told == fault), "{damage}: {told:?}");
        assert!(look(&home, false).0.is_ok(), "{damage}");
        assert!(opens(&home, kid(9)), "{damage}");
        assert_eq!(opens(&home, kid(1)), damage.starts_with("INSERT"), "{damage}");
    }
}

/// What the rows of pages and sections say of licenses, and how it is made another thing than their terms say.
const LABEL_DAMAGES: [&str; 9] = [
    "UPDATE page SET section = NULL",
    "UPDATE page SET section = 77",
    "UPDATE page SET stateful = 1 - stateful",
    "UPDATE section SET user = x'01010101010101010101010101010101'",
    "UPDATE section SET management = NULL",
    "UPDATE section SET authority = zeroblob(32)",
    "UPDATE section SET authority = x'01'",
    "INSERT INTO section SELECT -5, authority, management, user FROM section; UPDATE page SET section = 77",
    "DELETE FROM section",
];

#[test]
fn rows_that_say_another_section_than_the_licenses_are_told_and_mended_without_losing_one() {
    let world = World::new();
    for damage in LABEL_DAMAGES {
        let (home, _) = three(&world);
        home.acquire(&[counted(&world, 9)]).unwrap();
        let sections = || home.client.store.snapshot().and_then(|snapshot| snapshot.sections());
        let before = sections().unwrap();
        sql(&home).execute_batch(damage).unwrap();
        assert!(opens(&home, kid(1)) && opens(&home, kid(9)), "{damage}: who uses a license goes by its terms");
        let (result, told) = look(&home, false);
        let is_told = matches!(result, Err(CheckError::Database(_))) && told.is_empty();
        assert!(is_told, "{damage}: {result:?}, {told:?}");
        assert_eq!(
            look(&home, true).0.unwrap(),
            Checked { licenses: 4, repaired: true, ..Checked::default() },
            "{damage}"
        );
        assert!(look(&home, false).0.is_ok(), "{damage}");
        assert_eq!(sections().unwrap(), before, "{damage}");
        assert!([1, 2, 3, 9].into_iter().all(|number| opens(&home, kid(number))), "{damage}");
        let place = tempfile::tempdir().unwrap();
        backed_up(&home, place.path(), false).0.unwrap();
        tamper::empty(&sql(&home));
        restored(&home, place.path()).0.unwrap();
        assert!((1..=3).all(|number| opens(&home, kid(number))), "{damage}: all of them were backed up");
    }
}

#[test]
fn changed_rows_are_mended_by_an_index_that_was_mended_before() {
    let world = World::new();
    let home = Home::new(&world);
    let both = [counted(&world, 1), counted(&world, 2)];
    home.acquire(&both).unwrap();
    sql(&home)
        .execute_batch(
            "UPDATE recent SET entries = x''; UPDATE bucket SET entries = x''; UPDATE state SET mac = zeroblob(32)",
        )
        .unwrap();
    let home = home.again();
    assert_eq!(look(&home, true).0.unwrap().repair, Repair { quarantined: 0, used_up: 2 });
    assert!(look(&home, false).0.is_ok());
    assert_eq!((left(&home, kid(1)), left(&home, kid(2))), (Some(0), Some(0)));
    let report = home.acquire_at(&both, NOW + 5).unwrap();
    assert_eq!((report.stored, report.forbidden), (2, 0), "none of them was removed");
}

#[test]
fn a_page_that_cannot_be_read_far_behind_a_changed_row_keeps_nothing_from_being_mended() {
    let world = World::new();
    let home = Home::new(&world);
    let mut many: Vec<_> = (100..4195).map(|number| world.policy(kid(number))).collect();
    many.insert(0, counted(&world, 1));
    home.acquire(&many).unwrap();
    home.acquire(&[counted(&world, 2)]).unwrap();
    sql(&home)
        .execute_batch(
            "UPDATE state SET mac = zeroblob(32);
             UPDATE page SET licenses = substr(licenses, 2) WHERE id = (SELECT max(id) FROM page)",
        )
        .unwrap();
    assert_eq!(look(&home, true).0.unwrap().repair, Repair { quarantined: 1, used_up: 1 });
    assert!(look(&home, false).0.is_ok());
    assert_eq!(left(&home, kid(1)), Some(0));
}

#[test]
fn a_license_whose_rows_were_put_back_after_it_was_replaced_is_found_and_taken_out() {
    let world = World::new();
    let (home, policies) = three(&world);
    sql(&home).execute_batch("CREATE TABLE b AS SELECT * FROM batch; CREATE TABLE p AS SELECT * FROM page").unwrap();
    for policy in &policies {
        let lid = Lid::random().unwrap();
        home.acquire(&[Policy { lid, kid: kid(9), replaces: Some(policy.lid), ..policy.clone() }]).unwrap();
    }
    let put_back = "INSERT INTO batch SELECT * FROM b; INSERT INTO page SELECT * FROM p; DROP TABLE b; DROP TABLE p";
    sql(&home).execute_batch(put_back).unwrap();
    let home = home.again();
    assert!(look(&home, false).0.is_err());
    let (result, told) = look(&home, true);
    assert_eq!(result.unwrap().repair.quarantined, 3);
    assert!(told.iter().all(|(_, fault)| *fault == LicenseFault::NotSigned), "{told:?}");
    assert_eq!(look(&home, false).0.unwrap().licenses, 3);
    assert!(opens(&home, kid(9)) && (1..=3).all(|number| !opens(&home, kid(number))));
}
