//! The store as its users see it: what goes in comes out, once, and nothing is forgotten or believed that should not be.

use std::collections::BTreeSet;
use wmlicense_core::client::OpenError;
use wmlicense_core::device::DeviceError;
use wmlicense_core::store::{Filter, StoreError, Transaction, TransactionState};
use wmlicense_testkit::home::{Home, open, pending};
use wmlicense_testkit::place::{backed_up, restored};
use wmlicense_testkit::{NOW, World, content_key, grant, kid};
use wmlicense_wire::id::{Digest, Lid, TransactionId};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::{Conditions, Policy};

fn counted(count: u32) -> Conditions {
    Conditions { count: Some(count), ..Conditions::default() }
}

/// Uses a license once.
fn spend(home: &Home<'_>, lid: Lid) -> Result<State, StoreError> {
    home.client.store.change_state(lid, &mut |_, state: &State| {
        let mut next = state.clone();
        let play = next.actions.get_mut("Play").unwrap();
        match play.counts_left.and_then(|left| left.checked_sub(1)) {
            Some(left) => play.counts_left = Some(left),
            None => return Err(StoreError::NoTransaction),
        }
        Ok(next)
    })
}

fn left(home: &Home<'_>, policy: &Policy) -> Option<u32> {
    let licenses = home.client.store.licenses(policy.kid).unwrap();
    let license = licenses.iter().find(|license| license.policy.lid == policy.lid).unwrap();
    license.state.as_ref().and_then(|state| state.actions["Play"].counts_left)
}

#[test]
fn stored_licenses_give_their_keys_after_reopening() {
    let world = World::new();
    let home = Home::new(&world);
    let policies: Vec<_> = (0..20).map(|n| world.policy(kid(n))).collect();
    assert_eq!(home.acquire(&policies).unwrap().stored, 20);
    let id = home.client.store.id().unwrap();
    let home = home.again();
    assert_eq!(home.client.store.id().unwrap(), id);
    for policy in &policies {
        let found = home.client.store.licenses(policy.kid).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(&found[0].policy, policy);
        assert_eq!(home.client.store.unwrap_key(&found[0]).unwrap().as_bytes(), content_key(policy.kid));
    }
    assert!(home.client.store.licenses(kid(20)).unwrap().is_empty());
    assert_eq!(home.client.store.license_count().unwrap(), 20);
}

#[test]
fn the_keys_are_not_in_the_files_as_they_are() {
    let world = World::new();
    let home = Home::new(&world);
    home.acquire(&[world.policy(kid(7))]).unwrap();
    for file in std::fs::read_dir(home.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(16).any(|window| window == content_key(kid(7))));
    }
}

#[test]
fn importing_twice_changes_nothing() {
    let world = World::new();
    let home = Home::new(&world);
    let policies: Vec<_> = (0..5).map(|n| world.policy_with(kid(n), counted(3))).collect();
    home.acquire(&policies).unwrap();
    spend(&home, policies[0].lid).unwrap();
    assert_eq!(home.acquire(&policies).unwrap().stored, 5);
    assert_eq!(home.client.store.license_count().unwrap(), 5);
    assert_eq!(left(&home, &policies[0]), Some(2));
}

#[test]
fn the_later_binding_wins_and_the_stricter_state_stays() {
    let world = World::new();
    let home = Home::new(&world);
    let policy = world.policy_with(kid(1), counted(3));
    home.acquire(std::slice::from_ref(&policy)).unwrap();
    spend(&home, policy.lid).unwrap();
    home.acquire_at(std::slice::from_ref(&policy), NOW + 10).unwrap();
    let found = home.client.store.licenses(policy.kid).unwrap();
    assert_eq!((found.len(), found[0].binding().unwrap().issued_at), (1, NOW + 10));
    assert_eq!(home.client.store.unwrap_key(&found[0]).unwrap().as_bytes(), content_key(policy.kid));
    assert_eq!(left(&home, &policy), Some(2));
    home.acquire(std::slice::from_ref(&policy)).unwrap();
    assert_eq!(home.client.store.licenses(policy.kid).unwrap()[0].binding().unwrap().issued_at, NOW + 10);
}

#[test]
fn a_binding_may_start_from_less_than_the_policy_grants() {
    let world = World::new();
    let home = Home::new(&world);
    let policy = world.policy_with(kid(1), counted(9));
    let mut state = State::initial(&policy);
    state.actions.get_mut("Play").unwrap().counts_left = Some(4);
    let grant = wmlicense_wire::answer::Grant { state: Some(state), ..grant(&policy, content_key(policy.kid)) };
    home.import(home.receive(&[grant], NOW)).unwrap();
    assert_eq!(left(&home, &policy), Some(4));
}

#[test]
fn the_same_license_id_with_other_terms_is_refused_and_nothing_of_the_batch_stays() {
    let world = World::new();
    let home = Home::new(&world);
    let policy = world.policy(kid(1));
    home.acquire(std::slice::from_ref(&policy)).unwrap();
    let other = Policy { priority: 9, ..policy.clone() };
    let result = home.acquire(&[world.policy(kid(2)), other]);
    assert!(matches!(result, Err(StoreError::OtherPolicy(lid)) if lid == policy.lid));
    assert_eq!(home.client.store.license_count().unwrap(), 1);
    assert_eq!(home.client.store.licenses(policy.kid).unwrap()[0].policy, policy);
}

#[test]
fn a_replaced_license_goes_and_does_not_come_back() {
    let world = World::new();
    let home = Home::new(&world);
    let old = world.policy(kid(1));
    home.acquire(std::slice::from_ref(&old)).unwrap();
    let new = Policy { replaces: Some(old.lid), ..world.policy(kid(1)) };
    home.acquire(std::slice::from_ref(&new)).unwrap();
    let report = home.acquire(std::slice::from_ref(&old)).unwrap();
    assert_eq!((report.stored, report.forbidden), (0, 1));
    let found: Vec<_> = home.client.store.licenses(kid(1)).unwrap();
    assert_eq!(found.iter().map(|license| license.policy.lid).collect::<Vec<_>>(), [new.lid]);
}

#[test]
fn a_license_and_the_one_in_its_place_may_come_in_one_answer_in_either_order() {
    let world = World::new();
    for new_first in [true, false] {
        let home = Home::new(&world);
        let old = world.policy(kid(1));
        let new = Policy { replaces: Some(old.lid), ..world.policy(kid(1)) };
        let both = if new_first { [new.clone(), old] } else { [old, new.clone()] };
        let report = home.acquire(&both).unwrap();
        assert_eq!(report.forbidden, u64::from(new_first));
        let found = home.client.store.licenses(kid(1)).unwrap();
        assert_eq!(found.iter().map(|license| license.policy.lid).collect::<Vec<_>>(), [new.lid]);
        home.client.store.check_integrity().unwrap();
    }
}

#[test]
fn a_transaction_takes_one_answer() {
    let world = World::new();
    let home = Home::new(&world);
    let store = &home.client.store;
    let id = pending(&home.client, &world, TransactionId::random().unwrap());
    let wish = Digest::of(id.as_bytes());
    assert_eq!(store.pending(wish).unwrap().unwrap().request, b"request");
    assert_eq!(store.pending_count().unwrap(), 1);
    store.set_transaction_state(id, TransactionState::Sent).unwrap();
    assert_eq!(store.transaction(id).unwrap().unwrap().state, TransactionState::Sent);
    store.set_transaction_state(id, TransactionState::Refused).unwrap();
    assert!(store.transaction(id).unwrap().is_none());
    assert!(store.pending(wish).unwrap().is_none());
    let again = store.set_transaction_state(id, TransactionState::Answered);
    assert!(matches!(again, Err(StoreError::NoTransaction)));
}

#[test]
fn a_transaction_of_last_month_is_not_taken_up_again() {
    let world = World::new();
    let home = Home::new(&world);
    let (store, wish) = (&home.client.store, Digest::of(b"wish"));
    for (number, created_at) in [(1, NOW - 31 * 86_400), (2, NOW - 20), (3, NOW - 10)] {
        let transaction = Transaction {
            id: TransactionId::new([number; 16]),
            authority: world.pin(),
            url: "https://license.test".into(),
            wish,
            request: vec![number],
            state: TransactionState::Prepared,
            created_at,
        };
        store.prepare(&transaction).unwrap();
    }
    assert_eq!(store.pending(wish).unwrap().unwrap().request, [3]);
    assert_eq!(store.pending_count().unwrap(), 2);
    home.clock.advance(40 * 86_400);
    assert!(store.pending(wish).unwrap().is_none());
}

#[test]
fn an_import_without_a_pending_transaction_stores_nothing() {
    let world = World::new();
    let home = Home::new(&world);
    let (transaction, signed, licenses) = home.receive(&[grant(&world.policy(kid(1)), [1; 16])], NOW);
    let import = wmlicense_core::store::Import {
        authority: world.pin(),
        signed: &signed,
        licenses,
        transaction,
        end: TransactionState::Answered,
        page: wmlicense_core::store::Page::default(),
    };
    assert!(matches!(home.client.store.import(&import), Err(StoreError::NoTransaction)));
    assert_eq!(home.client.store.license_count().unwrap(), 0);
}

#[test]
fn directories_and_documents_are_kept_and_the_newest_wins() {
    let world = World::new();
    let home = Home::new(&world);
    let store = &home.again().client.store;
    let directory = store.directory(world.pin()).unwrap().unwrap();
    assert_eq!(directory.services().len(), 3);
    assert!(store.directory(Digest::of(b"another")).unwrap().is_none());
    let certificate = store.device_certificate(world.pin()).unwrap().unwrap();
    assert_eq!(certificate.device_id, home.device_id);
    assert!(store.device_certificate(Digest::of(b"another")).unwrap().is_none());
    for (document, issued_at) in [(b"new".as_slice(), 10), (b"old", 5), (b"newer", 11)] {
        store.save_service_document("https://a.test", document, (issued_at, NOW + 100)).unwrap();
    }
    assert_eq!(store.service_document("https://a.test").unwrap().unwrap(), b"newer");
    assert!(store.service_document("https://b.test").unwrap().is_none());
}

#[test]
fn an_enumeration_shows_each_license_once_in_order() {
    let world = World::new();
    let home = Home::new(&world);
    let mut policies: Vec<_> = (0..30).map(|n| world.policy(kid(n % 10))).collect();
    policies[3].actions.push(("Copy".into(), Conditions::default()));
    policies[3].actions.sort_by(|a, b| a.0.cmp(&b.0));
    policies[4].actions[0].1.not_after = Some(NOW + 5);
    home.acquire(&policies).unwrap();
    let all = |filter: Filter| {
        let mut found = Vec::new();
        while let Some(next) = home.client.store.next_license(&filter, found.last().copied()).unwrap() {
            found.push((next.policy.kid, next.policy.lid));
        }
        found
    };
    let expected: BTreeSet<_> = policies.iter().map(|policy| (policy.kid, policy.lid)).collect();
    assert_eq!(all(Filter::default()), expected.iter().copied().collect::<Vec<_>>());
    assert_eq!(all(Filter { kid: Some(kid(3)), ..Filter::default() }).len(), 3);
    assert_eq!(all(Filter { action: Some("Copy".into()), ..Filter::default() }), [(kid(3), policies[3].lid)]);
    assert_eq!(all(Filter { issuer: Some(world.management.id), ..Filter::default() }), []);
    assert_eq!(all(Filter { issuer: Some(world.issuer.id), ..Filter::default() }).len(), 30);
    assert_eq!(all(Filter { expiring_before: Some(NOW + 6), ..Filter::default() }), [(kid(4), policies[4].lid)]);
    assert_eq!(all(Filter { expiring_before: Some(NOW + 5), ..Filter::default() }), []);
    // One right that ends is enough, whatever the others do.
    let lasting =
        Policy { actions: [&policies[3].actions[..1], &policies[4].actions[..]].concat(), ..world.policy(kid(40)) };
    home.acquire(std::slice::from_ref(&lasting)).unwrap();
    let ending = all(Filter { kid: Some(kid(40)), expiring_before: Some(NOW + 6), ..Filter::default() });
    assert_eq!(ending, [(kid(40), lasting.lid)]);
}

#[test]
fn a_title_of_the_application_goes_before_that_of_a_license() {
    let world = World::new();
    let home = Home::new(&world);
    let store = &home.client.store;
    home.acquire(&[Policy { title: Some("From the owner".into()), ..world.policy(kid(1)) }]).unwrap();
    assert_eq!(store.title(kid(1)).unwrap().as_deref(), Some("From the owner"));
    store.set_title(kid(1), "Mine").unwrap();
    assert_eq!(store.title(kid(1)).unwrap().as_deref(), Some("Mine"));
    assert_eq!(store.title(kid(2)).unwrap(), None);
}

#[test]
fn a_title_that_no_document_can_carry_takes_no_license_along() {
    let world = World::new();
    let home = Home::new(&world);
    let policies: Vec<_> = (0..3).map(|number| world.policy(kid(number))).collect();
    home.acquire(&policies).unwrap();
    // Earlier versions took any text.
    home.client.store.set_title(kid(0), "a\nb\u{1b}[2J").unwrap();
    home.client.store.set_title(kid(1), &"ö".repeat(2000)).unwrap();
    let place = tempfile::tempdir().unwrap();
    backed_up(&home, place.path(), false).0.unwrap();
    let fresh = home.without_store();
    assert_eq!(restored(&fresh, place.path()).0.unwrap().restored, 3);
    assert_eq!(fresh.client.store.title(kid(0)).unwrap().as_deref(), Some("a b [2J"));
    assert_eq!(fresh.client.store.title(kid(1)).unwrap(), Some("ö".repeat(512)));
}

#[test]
fn a_store_whose_keys_are_gone_is_not_started_over() {
    let world = World::new();
    let home = Home::new(&world);
    std::fs::remove_file(home.path().join("device.key")).unwrap();
    let result = open(&world, home.path(), &home.clock);
    assert!(matches!(result, Err(OpenError::Device(DeviceError::Missing))));
    assert!(!home.path().join("device.key").exists());
}

#[test]
fn the_keys_of_another_device_do_not_open_a_store() {
    let world = World::new();
    let (home, other) = (Home::new(&world), Home::new(&world));
    std::fs::copy(other.path().join("device.key"), home.path().join("device.key")).unwrap();
    let result = open(&world, home.path(), &home.clock);
    assert!(matches!(result, Err(OpenError::Store(StoreError::OtherDevice))));
}

#[test]
fn an_answer_withdraws_licenses_of_its_own_issuer_for_good() {
    let world = World::new();
    let home = Home::new(&world);
    let (mine, foreign) = (world.policy(kid(1)), Policy { issuer: world.management.id, ..world.policy(kid(2)) });
    home.acquire(std::slice::from_ref(&mine)).unwrap();
    let withdrawn = vec![mine.lid, foreign.lid];
    home.import(home.receive_withdrawing(withdrawn)).unwrap();
    assert_eq!(home.client.store.license_count().unwrap(), 0);
    assert_eq!(home.acquire(std::slice::from_ref(&mine)).unwrap().forbidden, 1);
    home.client.store.check_integrity().unwrap();
}

#[test]
fn a_license_that_was_deleted_goes_on_where_it_was_left() {
    let world = World::new();
    let home = Home::new(&world);
    let policies = [world.policy_with(kid(1), counted(3)), world.policy(kid(1)), world.policy(kid(2))];
    home.acquire(&policies).unwrap();
    spend(&home, policies[0].lid).unwrap();
    assert_eq!(home.client.store.delete(kid(1)).unwrap(), 2);
    assert_eq!(home.client.store.delete(kid(1)).unwrap(), 0);
    assert_eq!(home.client.store.license_count().unwrap(), 1);
    assert!(matches!(spend(&home, policies[0].lid), Err(StoreError::NoSuchLicense(lid)) if lid == policies[0].lid));
    home.acquire(&policies).unwrap();
    assert_eq!(left(&home, &policies[0]), Some(2));
}

#[test]
fn what_is_left_is_told_to_the_issuer_of_a_license_and_of_no_more_than_is_asked_for() {
    let world = World::new();
    let home = Home::new(&world);
    let store = &home.client.store;
    let policies: Vec<_> = (1..=3).map(|number| world.policy_with(kid(number), counted(5))).collect();
    home.acquire(&policies).unwrap();
    home.acquire(&[world.policy(kid(9))]).unwrap();
    let told = |issuer, kids: &[_], limit| {
        let usage = store.usage(world.pin(), issuer, kids, limit).unwrap();
        usage.into_iter().map(|(lid, _)| lid).collect::<BTreeSet<_>>()
    };
    let lids: BTreeSet<Lid> = policies.iter().map(|policy| policy.lid).collect();
    assert_eq!(told(world.issuer.id, &[], 10), lids);
    assert_eq!(told(world.issuer.id, &[kid(1), kid(9)], 10), BTreeSet::from([policies[0].lid]));
    assert_eq!(told(world.issuer.id, &[], 2).len(), 2);
    assert!(told(world.management.id, &[], 10).is_empty());
    assert!(store.usage(Digest::of(b"another"), world.issuer.id, &[], 10).unwrap().is_empty());
    // Those that were removed are told as well, within the same limit.
    store.delete(kid(2)).unwrap();
    assert_eq!(told(world.issuer.id, &[], 10), lids);
    assert_eq!(told(world.issuer.id, &[kid(2)], 10), BTreeSet::from([policies[1].lid]));
    assert_eq!(told(world.issuer.id, &[], 2).len(), 2);
    assert!(told(world.management.id, &[], 10).is_empty());
    // One that lost its state is not among them.
    let database = rusqlite::Connection::open(home.path().join("licenses.db")).unwrap();
    database.execute("DELETE FROM state WHERE lid <> ?1", [policies[0].lid.as_bytes()]).unwrap();
    assert_eq!(told(world.issuer.id, &[], 10), BTreeSet::from([policies[0].lid]));
}

#[test]
fn a_license_that_lost_its_state_keeps_no_other_out_of_a_backup() {
    let world = World::new();
    let home = Home::new(&world);
    let stateful = |number| Policy {
        backup: wmlicense_wire::policy::BackupRight::Stateful,
        ..world.policy_with(kid(number), counted(5))
    };
    let policies = [stateful(1), stateful(2), world.policy(kid(3))];
    home.acquire(&policies).unwrap();
    let database = rusqlite::Connection::open(home.path().join("licenses.db")).unwrap();
    database.execute("DELETE FROM state WHERE lid = ?1", [policies[0].lid.as_bytes()]).unwrap();
    let place = tempfile::tempdir().unwrap();
    assert_eq!(backed_up(&home, place.path(), false).0.unwrap().backed_up, 2);
}
