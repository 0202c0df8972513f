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
fn a_page_that_is_cut_swapped_doubled_relabelled_or_of_another_batch_is_found_and_taken_out() {
    use LicenseFault::{KeyLost, NotSigned, Unreadable};
    let damages = [
        ("UPDATE page SET licenses = substr(licenses, 1, length(licenses) - 1) WHERE id = ?1", Unreadable, 1),
        ("UPDATE page SET licenses = (SELECT licenses FROM page WHERE id > ?1) WHERE id = ?1", NotSigned, 1),
        (
            "INSERT INTO page SELECT id + 1, section, stateful, recipe, key, licenses FROM page WHERE id = ?1",
            NotSigned,
            3,
        ),
        ("UPDATE page SET section = NULL WHERE id = ?1", KeyLost, 3),
        ("UPDATE page SET section = 77 WHERE id = ?1", KeyLost, 3),
        ("UPDATE page SET stateful = 1 WHERE id = ?1", KeyLost, 3),
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
