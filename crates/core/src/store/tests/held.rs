//! What is held in memory is what the database says, after every change by whomever; and nothing is held unless commits are
//! noticed.

use super::*;
use crate::license::{Standing, StoredLicense};
use rusqlite::Connection;

/// Notices commits by asking, which any connection can.
struct Asking(Connection);

impl Watched for Asking {
    fn last_commit(&self) -> Option<LastCommit> {
        let version: u32 = self.0.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap();
        Some([version; 12])
    }
}

fn asking(connection: Connection) -> Option<Box<dyn Watched>> {
    Some(Box::new(Asking(connection)))
}

fn watched() -> Room {
    let room = Room::new();
    room.store.watch_with(asking);
    room
}

/// Looks so often that it is worth to be held.
fn look_often(room: &Room, number: u64) {
    (0..40).for_each(|_| drop(room.store.found(kid(number)).unwrap()));
}

fn is_held(room: &Room, number: u64) -> bool {
    let [one, two] = [(); 2].map(|()| room.store.found(kid(number)).unwrap());
    Arc::ptr_eq(&one, &two)
}

type Seen = (Lid, Option<State>, Option<(i64, Option<i64>)>, Standing, Vec<u8>, Vec<Lid>);

fn seen(licenses: &[StoredLicense]) -> Vec<Seen> {
    let of = |license: &StoredLicense| {
        let reading = license.reading.map(|reading| (reading.now, reading.behind));
        let roots = license.roots.iter().map(|root| root.policy.lid).collect();
        let (lid, state) = (license.policy.lid, license.state.clone());
        (lid, state, reading, license.standing, license.wrapped.clone(), roots)
    };
    let mut all: Vec<Seen> = licenses.iter().map(of).collect();
    all.sort_by_key(|seen| seen.0);
    all
}

/// The licenses of three key IDs: those that are held or are found, beside those of the database.
fn agree(room: &Room, after: &str) {
    for number in 0..3 {
        for _ in 0..2 {
            let found = seen(&room.store.found(kid(number)).unwrap());
            assert_eq!(found, seen(&room.store.licenses(kid(number)).unwrap()), "{number} after {after}");
        }
    }
}

#[test]
fn nothing_is_held_where_commits_are_not_noticed_or_few_ask() {
    let room = Room::new();
    room.acquire(&[room.world.policy(kid(1))], None);
    look_often(&room, 1);
    assert!(!is_held(&room, 1));
    room.store.watch_with(|_| None);
    look_often(&room, 1);
    assert!(!is_held(&room, 1));
    let room = watched();
    room.acquire(&[room.world.policy(kid(1))], None);
    assert!(!is_held(&room, 1), "the first looks are not worth a connection");
    look_often(&room, 1);
    assert!(is_held(&room, 1));
    assert_eq!(room.store.found(kid(1)).unwrap().len(), 1);
    assert!(is_held(&room, 2), "that there is none is held as well");
}

#[test]
fn what_is_held_is_what_the_database_says_after_every_change() {
    let (room, dated) = (watched(), Conditions { not_after: Some(NOW + 1000), ..Conditions::default() });
    let other = room.again();
    look_often(&room, 0);
    agree(&room, "nothing");
    let (plain, counted) = (room.world.policy(kid(0)), room.counted(1));
    room.acquire(&[plain, counted.clone(), room.world.policy_with(kid(2), dated)], None);
    agree(&room, "licenses came");
    for now in [NOW + 70, NOW + 140, NOW - 5000] {
        room.set_clock(now);
        agree(&room, "the clock was set");
        other.note_use().unwrap();
        agree(&room, "a use was noted elsewhere");
    }
    for left in [4, 3] {
        let spend = &mut |_: &Policy, state: &State| {
            let mut next = state.clone();
            next.actions.get_mut("Play").unwrap().counts_left = Some(left);
            Ok::<_, StoreError>(next)
        };
        let by = if left == 4 { &other } else { &room.store };
        by.change_state(counted.lid, spend).unwrap();
        agree(&room, "a use was counted");
        assert_eq!(
            room.store.found(kid(1)).unwrap()[0].state.as_ref().unwrap().actions["Play"].counts_left,
            Some(left)
        );
    }
    room.sql().execute("UPDATE state SET mac = zeroblob(32)", []).unwrap();
    agree(&room, "a row was changed by hand");
    assert!(room.store.found(kid(1)).unwrap()[0].state.is_none());
    other.delete(kid(0)).unwrap();
    agree(&room, "a license was deleted elsewhere");
    assert!(room.store.found(kid(0)).unwrap().is_empty());
    room.acquire(&[room.world.policy(kid(0))], None);
    agree(&room, "another one came");
}

#[test]
fn a_held_license_opens_as_the_stored_one_does() {
    let room = watched();
    room.acquire(&[room.world.policy(kid(1))], None);
    look_often(&room, 1);
    let held = room.store.found(kid(1)).unwrap();
    for _ in 0..3 {
        let key = room.store.content_key(&held[0]).unwrap().unwrap();
        assert_eq!(*key, content_key(kid(1)));
        let sealed = held[0].held_key.get().unwrap();
        assert_ne!(*sealed, content_key(kid(1)), "no key lies there as it is");
    }
    assert_eq!(room.store.unwrap_key(&held[0]).unwrap().as_bytes(), content_key(kid(1)));
}

#[test]
fn what_is_found_while_somebody_commits_is_not_held() {
    let room = watched();
    look_often(&room, 1);
    let before = {
        let mut found = room.store.inner.held.found();
        let super::super::held::Answer::Missing(after) = found.answer(kid(2)) else { panic!("nothing is held of it") };
        after
    };
    let stale: Arc<[StoredLicense]> = room.store.licenses(kid(2)).unwrap().into();
    room.acquire(&[room.world.policy(kid(2))], None);
    room.store.inner.held.found().hold(kid(2), &stale, before);
    assert_eq!(room.store.found(kid(2)).unwrap().len(), 1);
}

#[test]
fn a_watch_that_was_made_while_all_ended_is_not_taken() {
    let room = watched();
    let held = &room.store.inner.held;
    held.begin(asking(room.sql()).unwrap(), 1);
    assert!(held.found().last_commit().is_none(), "of an end that did not come");
    held.begin(asking(room.sql()).unwrap(), 0);
    assert!(held.found().last_commit().is_some());
    held.end();
    held.begin(asking(room.sql()).unwrap(), 0);
    assert!(held.found().last_commit().is_none());
}

#[test]
fn what_an_owner_put_into_conditions_counts() {
    let conditions = |protection: Vec<u8>| Conditions {
        output_protection: Some(protection),
        minimum_security_version: Some("1.0.0.0".into()),
        renew_after: Some((NOW, "https://license.test".into())),
        ..Conditions::default()
    };
    let room = Room::new();
    room.acquire(&[room.world.policy_with(kid(1), conditions(vec![0xa0]))], None);
    let stored = room.store.licenses(kid(1)).unwrap().remove(0);
    let mut longer = stored.clone();
    longer.policy.actions[0].1 = conditions(vec![0; 3001]);
    assert_eq!(longer.footprint() - stored.footprint(), 3000);
}

#[test]
fn what_is_held_has_a_bound() {
    let room = watched();
    let texts = || (0..16).map(|number| (format!("{number}"), "x".repeat(200))).collect();
    let policies: Vec<_> = (0..2).map(|number| Policy { custom: texts(), ..room.world.policy(kid(number)) }).collect();
    room.acquire(&policies, None);
    look_often(&room, 0);
    let one = room.store.found(kid(0)).unwrap();
    let mut found = room.store.inner.held.found();
    let (after, held) = (found.after.unwrap(), found.bytes);
    assert!(held > 16 * 200, "{held}");
    let most = super::super::held::MOST_BYTES;
    for number in 0..(2 * most / held) as u64 {
        found.hold(kid(number), &one, after);
        assert!(found.bytes <= most);
    }
    let kept = found.licenses.len() * held;
    assert!(kept <= most && kept > 0, "{kept}");
}
