//! What a snapshot gives goes through staging into a store: all of it at the commit, and nothing before.

mod pages;

use wmlicense_core::store::{BackupItem, Putting, RestoreReport, Section, StagedLicense, Staging, Store, StoreError};
use wmlicense_testkit::home::Home;
use wmlicense_testkit::{Asked, NOW, World, content_key, grant, kid};
use wmlicense_wire::answer::OpenedLicense;
use wmlicense_wire::backup::Tombstone;
use wmlicense_wire::backup::page::{PageKey, PageView, PagedLicense};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Digest, Kid, UserId};
use wmlicense_wire::license::{InnerKey, License, State};
use wmlicense_wire::policy::{BackupRight, Conditions, Policy};

fn header(number: u8) -> Digest {
    Digest::new([number; 32])
}

/// The licenses of a page, with their places and keys.
fn licenses_of(key: &PageKey, page: &[u8]) -> Vec<(u32, License, InnerKey)> {
    let of = |paged: PagedLicense<'_>| {
        let license = License::decode(paged.license).unwrap();
        let kind = Policy::decode(&license.policy).unwrap().kind;
        let inner = key.unwrap(paged.index, license.policy_hash(), kind, paged.wrapped).unwrap();
        (paged.index, license, inner)
    };
    PageView::parse(page).unwrap().licenses().map(of).collect()
}

/// Stages the licenses that a backup of `from` would have.
fn stage_all(from: &Store, staging: &mut Staging) {
    let snapshot = from.snapshot().unwrap();
    for (kid, title) in snapshot.titles().unwrap() {
        staging.put_title(kid, &title).unwrap();
    }
    for section in snapshot.sections().unwrap() {
        let mut put = |item: BackupItem| match item {
            BackupItem::Batch { signed, .. } => staging.put_batch(section.authority, &signed),
            BackupItem::Page { key, page } => licenses_of(&key, &page).iter().try_for_each(|(index, license, key)| {
                let state = &State::default();
                staging.put_license(&StagedLicense { index: *index, license, state, key })
            }),
            BackupItem::License(license) => staging.put_license(&StagedLicense {
                index: license.index,
                license: &license.license,
                state: &license.state,
                key: &license.key,
            }),
        };
        snapshot.stream(&section, &mut put).unwrap();
    }
}

fn restore(from: &Store, to: &Store) -> RestoreReport {
    let mut staging = to.stage(header(1)).unwrap();
    stage_all(from, &mut staging);
    let tombstones = from.snapshot().unwrap().tombstones().unwrap();
    let bury = |putting: &mut Putting<'_>| tombstones.iter().try_for_each(|tombstone| putting.put_tombstone(tombstone));
    staging.commit_with(bury).unwrap()
}

fn counted(world: &World, number: u64) -> Policy {
    let conditions = Conditions { count: Some(5), ..Conditions::default() };
    Policy { backup: BackupRight::Stateful, ..world.policy_with(kid(number), conditions) }
}

fn spend(store: &Store, policy: &Policy) {
    let mut change = |_: &Policy, state: &State| {
        let mut next = state.clone();
        let play = next.actions.get_mut("Play").unwrap();
        play.counts_left = play.counts_left.map(|left| left - 1);
        Ok::<_, StoreError>(next)
    };
    store.change_state(policy.lid, &mut change).unwrap();
}

fn left(store: &Store, policy: &Policy) -> Option<u32> {
    let licenses = store.licenses(policy.kid).unwrap();
    licenses[0].state.as_ref().and_then(|state| state.actions["Play"].counts_left)
}

#[test]
fn a_snapshot_gives_each_license_once_in_order_and_restricted_ones_by_key_id() {
    let world = World::new();
    let home = Home::new(&world);
    let store = &home.client.store;
    let first: Vec<_> = (0..6).map(|n| world.policy(kid(n))).collect();
    let mut second: Vec<_> = (6..9).map(|n| world.policy(kid(n))).collect();
    second[1].backup = BackupRight::No;
    second[2] = Policy { backup: BackupRight::Stateless, ..counted(&world, 8) };
    let user = UserId::new([9; 16]);
    second.push(Policy { user: Some(user), ..world.policy(kid(9)) });
    home.acquire(&first).unwrap();
    home.acquire(&second).unwrap();
    let snapshot = store.snapshot().unwrap();
    home.acquire(&[world.policy(kid(50))]).unwrap();
    assert_eq!(snapshot.license_count().unwrap(), 10, "what came later is not in it");
    let of = |user| Section { authority: world.pin(), management: Some(world.management.id), user };
    assert_eq!(snapshot.sections().unwrap(), [of(None), of(Some(user))]);
    let mut restricted = Vec::new();
    let mut note = |kid| {
        restricted.push(kid);
        Ok(())
    };
    snapshot.restricted(&mut note).unwrap();
    let mut expected = [kid(7), kid(8)];
    expected.sort();
    assert_eq!(restricted, expected);
    let mut seen: Vec<Result<Kid, ()>> = Vec::new();
    let mut look = |item: BackupItem| {
        match item {
            BackupItem::Batch { .. } => seen.push(Err(())),
            BackupItem::Page { key, page } => {
                for (_, license, key) in licenses_of(&key, &page) {
                    let kid = Policy::decode(&license.policy).unwrap().kid;
                    assert_eq!(key.as_bytes(), content_key(kid));
                    seen.push(Ok(kid));
                }
            }
            BackupItem::License(_) => panic!("none of them has a state"),
        }
        Ok::<_, StoreError>(())
    };
    snapshot.stream(&of(None), &mut look).unwrap();
    let kids = first.iter().map(|policy| Ok(policy.kid));
    let expected: Vec<_> = [Err(())].into_iter().chain(kids).chain([Err(()), Ok(kid(6))]).collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_restore_into_another_store_brings_keys_states_titles_and_tombstones() {
    let world = World::new();
    let (old, new) = (Home::new(&world), Home::new(&world));
    let (from, to) = (&old.client.store, &new.client.store);
    let (plain, used, gone) = (world.policy(kid(1)), counted(&world, 2), world.policy(kid(3)));
    old.acquire(&[plain.clone(), used.clone(), gone.clone()]).unwrap();
    old.acquire(&[Policy { replaces: Some(gone.lid), ..world.policy(kid(4)) }]).unwrap();
    spend(from, &used);
    from.set_title(kid(1), "Mine").unwrap();
    to.set_title(kid(2), "Theirs").unwrap();
    let report = restore(from, to);
    assert_eq!((report.restored, report.forbidden.len()), (3, 0));
    for policy in [&plain, &used] {
        let found = to.licenses(policy.kid).unwrap();
        assert_eq!(to.unwrap_key(&found[0]).unwrap().as_bytes(), content_key(policy.kid));
    }
    assert_eq!(left(to, &used), Some(4));
    assert_eq!(to.title(kid(1)).unwrap().as_deref(), Some("Mine"));
    to.check_integrity().unwrap();
    let refused = new.acquire(std::slice::from_ref(&gone)).unwrap();
    assert_eq!((refused.stored, refused.forbidden), (0, 1));
}

#[test]
fn a_tombstone_of_another_issuer_buries_no_license() {
    let world = World::new();
    let home = Home::new(&world);
    let store = &home.client.store;
    let mine = world.policy(kid(1));
    home.acquire(std::slice::from_ref(&mine)).unwrap();
    let bury = |number, issuer| {
        let tombstone = Tombstone { lid: mine.lid, issuer, removed_at: NOW }.encode();
        let bury = |putting: &mut Putting<'_>| putting.put_tombstone(&tombstone);
        store.stage(header(number)).unwrap().commit_with(bury).unwrap();
        store.licenses(mine.kid).unwrap().len()
    };
    assert_eq!(bury(1, world.management.id), 1);
    assert_eq!(bury(2, mine.issuer), 0);
}

#[test]
fn a_restore_gives_no_use_back_and_takes_over_used_ones() {
    let world = World::new();
    let (old, new) = (Home::new(&world), Home::new(&world));
    let (from, to) = (&old.client.store, &new.client.store);
    let policies = [counted(&world, 1), counted(&world, 2)];
    old.acquire(&policies).unwrap();
    new.acquire(&policies).unwrap();
    spend(from, &policies[0]);
    spend(to, &policies[1]);
    restore(from, to);
    assert_eq!(to.license_count().unwrap(), 2);
    assert_eq!((left(to, &policies[0]), left(to, &policies[1])), (Some(4), Some(4)));
    restore(from, to);
    assert_eq!((left(to, &policies[0]), left(to, &policies[1])), (Some(4), Some(4)));
}

#[test]
fn a_replaced_license_does_not_come_back_from_a_backup() {
    let world = World::new();
    let (old, new) = (Home::new(&world), Home::new(&world));
    let gone = world.policy(kid(1));
    for home in [&old, &new] {
        home.acquire(std::slice::from_ref(&gone)).unwrap();
    }
    new.acquire(&[Policy { replaces: Some(gone.lid), ..world.policy(kid(1)) }]).unwrap();
    let report = restore(&old.client.store, &new.client.store);
    assert_eq!((report.restored, report.forbidden), (0, vec![(gone.lid, gone.kid)]));
    assert_eq!(new.client.store.license_count().unwrap(), 1);
}

#[test]
fn nothing_is_seen_before_the_commit_and_nothing_stays_after_a_discard() {
    let world = World::new();
    let (old, new) = (Home::new(&world), Home::new(&world));
    old.acquire(&[world.policy(kid(1))]).unwrap();
    let to = &new.client.store;
    let mut staging = to.stage(header(1)).unwrap();
    stage_all(&old.client.store, &mut staging);
    assert_eq!(to.license_count().unwrap(), 0);
    assert!(matches!(to.stage(header(2)), Err(StoreError::Busy)), "one restore at a time");
    assert!(matches!(new.again().client.store.stage(header(1)), Err(StoreError::Busy)));
    staging.discard().unwrap();
    assert_eq!(to.stage(header(1)).unwrap().commit().unwrap(), RestoreReport::default());
    drop(to.stage(header(1)).unwrap());
    let names: Vec<_> = std::fs::read_dir(new.path()).unwrap().map(|file| file.unwrap()).collect();
    let left: u64 = names
        .iter()
        .filter(|file| file.file_name().to_string_lossy().starts_with("restore."))
        .map(|file| file.metadata().unwrap().len())
        .sum();
    assert_eq!(left, 0);
}

/// Licenses as a management service binds them to `home` at a restore.
fn rebound(home: &Home<'_>, policies: &[Policy]) -> (Vec<u8>, Vec<OpenedLicense>) {
    let identity = home.identity();
    let asked = Asked::by(home.device_id, &identity.keys);
    let grants: Vec<_> = policies.iter().map(|policy| grant(policy, content_key(policy.kid))).collect();
    let bytes = home.world.answer_at(&home.world.management, &asked, &grants, NOW);
    home.world.open(Role::Management, &asked, &identity.hpke, &bytes)
}

#[test]
fn answered_chunks_survive_a_crash_and_only_for_the_same_backup() {
    let world = World::new();
    let home = Home::new(&world);
    let policies: Vec<_> = (0..4).map(|n| world.policy(kid(n))).collect();
    let mut staging = home.client.store.stage(header(1)).unwrap();
    for (chunk, pair) in policies.chunks(2).enumerate() {
        let (signed, licenses) = rebound(&home, pair);
        staging.put_chunk(0, chunk as u32, world.pin(), &signed, &licenses).unwrap();
    }
    let log = home.path().join("restore.chunks");
    let whole = std::fs::read(&log).unwrap();
    drop(staging);
    assert_eq!(std::fs::metadata(&log).unwrap().len(), 0, "dropping is not crashing");
    let after_crash = |bytes: &[u8], backup| {
        std::fs::write(&log, bytes).unwrap();
        home.again().client.store.stage(header(backup)).unwrap()
    };
    let staging = after_crash(&whole, 1);
    assert!(staging.chunk_done(0, 0).unwrap() && staging.chunk_done(0, 1).unwrap());
    assert!(!staging.chunk_done(0, 2).unwrap() && !staging.chunk_done(1, 0).unwrap());
    drop(staging);
    let staging = after_crash(&whole[..whole.len() - 1], 1);
    assert!(staging.chunk_done(0, 0).unwrap() && !staging.chunk_done(0, 1).unwrap());
    drop(staging);
    let mut changed = whole.clone();
    changed[100] ^= 1;
    assert!(!after_crash(&changed, 1).chunk_done(0, 0).unwrap());
    assert!(!after_crash(&whole, 2).chunk_done(0, 0).unwrap());
    // What is answered after a crash is kept beside what was answered before it, at the next crash as well.
    let mut staging = after_crash(&whole, 1);
    let (signed, licenses) = rebound(&home, &policies[..1]);
    staging.put_chunk(0, 2, world.pin(), &signed, &licenses).unwrap();
    let longer = std::fs::read(&log).unwrap();
    drop(staging);
    let staging = after_crash(&longer, 1);
    assert!((0..3).all(|chunk| staging.chunk_done(0, chunk).unwrap()));
    drop(staging);
    let report = after_crash(&whole, 1).commit().unwrap();
    assert_eq!((report.restored, home.client.store.license_count().unwrap()), (4, 4));
    for policy in &policies {
        let found = home.client.store.licenses(policy.kid).unwrap();
        assert_eq!(home.client.store.unwrap_key(&found[0]).unwrap().as_bytes(), content_key(policy.kid));
    }
}

#[test]
fn a_restore_into_a_store_that_was_changed_from_outside_is_refused() {
    let world = World::new();
    let (old, new) = (Home::new(&world), Home::new(&world));
    old.acquire(&[world.policy(kid(1))]).unwrap();
    new.acquire(&[counted(&world, 2)]).unwrap();
    let database = rusqlite::Connection::open(new.path().join("licenses.db")).unwrap();
    database.execute("DELETE FROM state", []).unwrap();
    let mut staging = new.client.store.stage(header(1)).unwrap();
    stage_all(&old.client.store, &mut staging);
    assert!(matches!(staging.commit(), Err(StoreError::Tampered)));
    assert_eq!(new.client.store.license_count().unwrap(), 1);
}

/// Names and definitions of all that the schema has.
fn schema(home: &Home<'_>) -> Vec<(String, Option<String>)> {
    let database = rusqlite::Connection::open(home.path().join("licenses.db")).unwrap();
    let mut statement = database.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(|row| row.unwrap()).collect()
}

#[test]
fn many_licenses_go_into_an_empty_store_as_few_do() {
    const MANY: u64 = 2500;
    let world = World::new();
    let (old, new) = (Home::new(&world), Home::new(&world));
    let policies: Vec<_> =
        (0..MANY).map(|n| if n % 9 == 0 { counted(&world, n) } else { world.policy(kid(n)) }).collect();
    old.acquire(&policies).unwrap();
    spend(&old.client.store, &policies[9]);
    let to = &new.client.store;
    let before = schema(&new);
    let reader = new.again();
    assert!(reader.client.store.licenses(kid(0)).unwrap().is_empty());
    assert_eq!(restore(&old.client.store, to).restored, MANY);
    assert_eq!(schema(&new), before);
    assert_eq!(left(to, &policies[9]), Some(4));
    to.check_integrity().unwrap();
    for policy in policies.iter().step_by(100) {
        let found = reader.client.store.licenses(policy.kid).unwrap();
        assert_eq!(to.unwrap_key(&found[0]).unwrap().as_bytes(), content_key(policy.kid));
    }
    assert_eq!(restore(&old.client.store, to).restored, MANY);
    assert_eq!(to.license_count().unwrap(), MANY);
}

#[test]
fn a_license_that_is_staged_twice_is_stored_once() {
    const MANY: u64 = 2500;
    let world = World::new();
    let (old, new) = (Home::new(&world), Home::new(&world));
    let policies: Vec<_> = (0..MANY).map(|n| counted(&world, n)).collect();
    old.acquire(&policies).unwrap();
    let to = &new.client.store;
    let before = schema(&new);
    let mut staging = to.stage(header(1)).unwrap();
    stage_all(&old.client.store, &mut staging);
    spend(&old.client.store, &policies[0]);
    stage_all(&old.client.store, &mut staging);
    assert_eq!(staging.commit().unwrap().restored, 2 * MANY);
    assert_eq!((to.license_count().unwrap(), left(to, &policies[0])), (MANY, Some(4)));
    assert_eq!(schema(&new), before);
    to.check_integrity().unwrap();
}
