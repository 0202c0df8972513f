//! Stores whose rows were changed at random, and rows at the ends of numbers: everything is refused or found, no key is wrong, and
//! nothing hangs, ends in a panic, or is lost of what was not touched. Which fault is told for which damage is in `store_keeper.rs`.

use rusqlite::types::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use tempfile::TempDir;
use wmlicense_core::backup::back_up;
use wmlicense_core::client::Client;
use wmlicense_core::event::Flow;
use wmlicense_core::operation::Context;
use wmlicense_core::store::Filter;
use wmlicense_core::store_keeper::check;
use wmlicense_testkit::home::{Home, open};
use wmlicense_testkit::{World, content_key, kid, tamper};
use wmlicense_wire::policy::{BackupRight, Conditions, Policy};

/// Stores that are damaged, each in a way of its own.
const ROUNDS: u64 = 100;
/// Licenses in each.
const LICENSES: u64 = 70;

/// A sequence of numbers that is the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    fn pick<'l, T>(&mut self, list: &'l [T]) -> &'l T {
        &list[self.below(list.len())]
    }
}

/// Columns that hold bytes, and those that hold numbers.
const BYTES: [(&str, &str); 12] = [
    ("page", "licenses"),
    ("page", "licenses"),
    ("page", "key"),
    ("bucket", "entries"),
    ("bucket", "entries"),
    ("recent", "entries"),
    ("recent", "entries"),
    ("batch", "signed"),
    ("batch", "at_rest"),
    ("batch", "authority"),
    ("sum", "sums"),
    ("section", "user"),
];
const NUMBERS: [(&str, &str); 9] = [
    ("page", "id"),
    ("page", "section"),
    ("page", "stateful"),
    ("page", "recipe"),
    ("bucket", "first"),
    ("recent", "id"),
    ("batch", "id"),
    ("sum", "part"),
    ("section", "id"),
];
const ENDS: [i64; 10] = [i64::MIN, i64::MIN + 1, -4096, -1, 0, 1, 4095, 1 << 51, i64::MAX - 1, i64::MAX];

/// Changes one row of one table and says how.
fn damage(dice: &mut Dice, folder: &std::path::Path) -> String {
    let database = tamper::database(folder);
    let row = |dice: &mut Dice, table: &str| -> Option<i64> {
        let rows: i64 = database.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
        let at = dice.below(usize::try_from(rows).unwrap().max(1));
        database.query_row(&format!("SELECT rowid FROM {table} LIMIT 1 OFFSET {at}"), [], |row| row.get(0)).ok()
    };
    let (table, column, value) = if dice.below(3) == 0 {
        let (table, column) = dice.pick(&NUMBERS);
        (table, column, Value::Integer(*dice.pick(&ENDS)))
    } else {
        let (table, column) = dice.pick(&BYTES);
        let sql = format!("SELECT {column} FROM {table} WHERE rowid = ?1");
        let bytes = |row: Option<i64>| {
            let found: Option<Option<Vec<u8>>> =
                row.and_then(|row| database.query_row(&sql, [row], |row| row.get(0)).ok());
            found.flatten().unwrap_or_default()
        };
        let other = bytes(row(dice, table));
        let before = bytes(row(dice, table));
        (table, column, Value::Blob(changed(dice, before, &other)))
    };
    let Some(row) = row(dice, table) else { return "nothing".into() };
    let told = format!("{table}.{column} of row {row}");
    if dice.below(12) == 0 {
        database.execute(&format!("DELETE FROM {table} WHERE rowid = ?1"), [row]).unwrap();
        return format!("{told}: deleted");
    }
    // A number that another row has is refused.
    let _ = database.execute(&format!("UPDATE {table} SET {column} = ?1 WHERE rowid = ?2"), (value, row));
    told
}

fn changed(dice: &mut Dice, mut bytes: Vec<u8>, other: &[u8]) -> Vec<u8> {
    let at = dice.below(bytes.len().max(1));
    match dice.below(6) {
        0 => bytes.truncate(at),
        1 => bytes.extend(other),
        2 => return other.to_vec(),
        3 if bytes.len() >= 32 => bytes.rotate_left(16),
        4 => return vec![0xff; bytes.len()],
        _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << dice.below(8)),
    }
    bytes
}

/// A device whose licenses are in buckets and in runs, of all kinds that stand apart.
fn device(world: &World) -> Home<'_> {
    let home = Home::new(world);
    let of = |numbers: std::ops::Range<u64>| numbers.map(|number| policy(world, number)).collect::<Vec<_>>();
    home.acquire(&of(0..40)).unwrap();
    tidy(&home.client);
    home.acquire(&of(40..60)).unwrap();
    for number in 60..LICENSES {
        home.acquire(&of(number..number + 1)).unwrap();
    }
    home
}

fn policy(world: &World, number: u64) -> Policy {
    let counted = Conditions { count: Some(5), ..Conditions::default() };
    match number % 5 {
        3 => world.policy_with(kid(number), counted),
        4 => Policy { backup: BackupRight::No, management: None, ..world.policy(kid(number)) },
        _ => world.policy(kid(number)),
    }
}

fn quiet() -> Context {
    Context::inline(None, |_| Flow::Continue)
}

/// Puts the runs into buckets, as a restore does.
fn tidy(client: &Client) {
    let folder = TempDir::new().unwrap();
    back_up(client, folder.path(), true, &quiet()).unwrap();
    wmlicense_core::restore::restore(client, &Default::default(), folder.path(), false, &quiet()).unwrap();
}

/// Numbers of the licenses that open; none of them with another key than its own.
fn open_ones(client: &Client, told: &str) -> BTreeSet<u64> {
    let store = &client.store;
    let opens = |number: &u64| {
        let licenses = store.licenses(kid(*number)).unwrap_or_default();
        assert!(licenses.iter().all(|license| license.policy.kid == kid(*number)), "{told}");
        let keys: Vec<_> = licenses.iter().filter_map(|license| store.unwrap_key(license).ok()).collect();
        assert!(keys.iter().all(|key| key.as_bytes() == content_key(kid(*number))), "{told}");
        !keys.is_empty()
    };
    (0..LICENSES).filter(opens).collect()
}

/// What keeps the licenses shut that are not among these.
fn shut(client: &Client, open: &BTreeSet<u64>) -> String {
    let why = |number: u64| {
        let licenses = client.store.licenses(kid(number)).map_err(|error| error.to_string())?;
        let keys: Result<Vec<_>, _> = licenses.iter().map(|license| client.store.unwrap_key(license)).collect();
        keys.map(|keys| keys.len()).map_err(|error| error.to_string())
    };
    let shut = (0..LICENSES).chain([1000]).filter(|number| !open.contains(number));
    shut.map(|number| format!("{number}: {:?}", why(number))).collect::<Vec<_>>().join(", ")
}

/// Lists what there is; a list ends.
fn list(client: &Client, told: &str) {
    let mut last = None;
    for step in 0.. {
        assert!(step <= 2 * LICENSES, "{told}: an endless list");
        match client.store.next_license(&Filter::default(), last) {
            Ok(Some(next)) => last = Some((next.policy.kid, next.policy.lid)),
            Ok(None) | Err(_) => return,
        }
    }
}

/// Does everything with a damaged store.
fn live(home: &Home<'_>, client: &Arc<Client>, told: &str) {
    let before = open_ones(client, told);
    list(client, told);
    let found = check(client, false, &quiet());
    if found.is_ok() {
        assert_eq!(
            before.len() as u64,
            client.store.license_count().unwrap(),
            "{told}: a sound store where {}",
            shut(client, &before)
        );
    }
    let folder = TempDir::new().unwrap();
    let backed_up = back_up(client, folder.path(), true, &quiet());
    if let Ok(report) = &backed_up {
        assert!(report.backed_up <= LICENSES, "{told}");
    }
    let again = Home { client: Arc::clone(client), ..home.again() };
    let acquired = again.acquire(&[policy(home.world, 1000)]);
    // An index with a hole tells so; else what was stored is there.
    if let (Ok(_), Ok(licenses)) = (&acquired, client.store.licenses(kid(1000))) {
        let opens = licenses.iter().any(|license| client.store.unwrap_key(license).is_ok());
        assert!(opens, "{told}: stored and not there");
    }
    let _ = client.store.delete(kid(1));
    if check(client, true, &quiet()).is_ok() {
        assert!(check(client, false, &quiet()).is_ok(), "{told}: mended and not sound");
        let after = open_ones(client, told);
        let lost: Vec<_> = before.iter().filter(|number| **number != 1 && !after.contains(number)).collect();
        // A page that cannot be read is one.
        let set_aside = client.store.quarantined().unwrap();
        assert!(
            lost.is_empty() || set_aside > 0,
            "{told}: {lost:?} were there before the repair and are not in quarantine"
        );
        let stored = client.store.license_count().unwrap();
        let own = u64::from(acquired.is_ok());
        assert!(stored <= after.len() as u64 + own, "{told}: {stored} licenses stand there, {}", shut(client, &after));
    }
}

#[test]
fn a_store_with_any_row_changed_is_refused_or_mended_and_gives_no_wrong_key() {
    let world = World::new();
    let home = device(&world);
    assert_eq!(open_ones(&home.client, "whole").len() as u64, LICENSES);
    let (mut refused, mut dice) = (0, Dice(4));
    for round in 0..ROUNDS {
        let (folder, client) = home.copied_without(|_| false);
        drop(client);
        let told = (0..1 + round % 3).map(|_| damage(&mut dice, folder.path())).collect::<Vec<_>>().join(", ");
        eprintln!("{round}: {told}");
        match open(&world, folder.path(), &home.clock) {
            Ok(client) => live(&home, &client, &told),
            Err(_) => refused += 1,
        }
    }
    assert!(refused < ROUNDS / 2, "a license store opens with damage to single licenses");
}
