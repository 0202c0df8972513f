//! Subscriptions: leaves open while a root license permits it, and close all at once with it.

use wmlicense_core::decryptor::{Decryptor, UseError};
use wmlicense_core::rights::{self, Application, Category, Environment, Refusal};
use wmlicense_core::store::{Filter, RenewalChoice, StoreError};
use wmlicense_media::cenc::{SampleCipher, SampleInfo, Scheme};
use wmlicense_testkit::home::Home;
use wmlicense_testkit::{NOW, World, content_key, kid};
use wmlicense_wire::answer::Grant;
use wmlicense_wire::id::{Digest, Kid, Lid};
use wmlicense_wire::license::InnerKey;
use wmlicense_wire::policy::{Conditions, LicenseKind, Policy};
use zeroize::Zeroizing;

const DAY: i64 = 86_400;
const LEAVES: u64 = 20;

fn root_kid() -> Kid {
    kid(1_000)
}

fn key(kind: LicenseKind, bytes: &[u8]) -> InnerKey {
    InnerKey::new(kind, Zeroizing::new(bytes.to_vec())).unwrap()
}

fn root_key(byte: u8) -> InnerKey {
    key(LicenseKind::Root, &[byte; 32])
}

/// A root license until `not_after`.
fn root(world: &World, not_after: i64) -> Policy {
    let conditions = Conditions { not_after: Some(not_after), ..Conditions::default() };
    Policy { kind: LicenseKind::Root, ..world.policy_with(root_kid(), conditions) }
}

fn root_grant(policy: &Policy) -> Grant {
    Grant { policy: policy.encode(), key: root_key(7), state: None }
}

fn leaf_grant(world: &World, kid: Kid, root: &InnerKey) -> Grant {
    let policy = Policy { kind: LicenseKind::Leaf, root_kid: Some(root_kid()), ..world.policy(kid) };
    let policy = policy.encode();
    let content = key(LicenseKind::Content, &content_key(kid));
    Grant { key: InnerKey::leaf(root, Digest::of(&policy), &content).unwrap(), policy, state: None }
}

fn store(home: &Home<'_>, grants: &[Grant]) {
    home.import(home.receive(grants, NOW)).unwrap();
}

fn with_leaves(world: &World) -> Home<'_> {
    let home = Home::new(world);
    let leaves: Vec<_> = (0..LEAVES).map(|number| leaf_grant(world, kid(number), &root_key(7))).collect();
    store(&home, &leaves);
    home
}

fn create(home: &Home<'_>, kid: Kid) -> Result<Decryptor, UseError> {
    Decryptor::create(&home.client, kid, "Play", &Application::default())
}

fn refusal<T>(result: Result<T, UseError>) -> Refusal {
    match result.err().expect("a refusal") {
        UseError::Refused(refusal) => refusal,
        error => panic!("{error}"),
    }
}

fn play(decryptor: &Decryptor, kid: Kid) -> Result<(), UseError> {
    let info =
        SampleInfo { scheme: Scheme::Cenc, iv: &[7; 8], subsamples: &[], crypt_byte_block: 0, skip_byte_block: 0 };
    let mut data = b"a sample".to_vec();
    // In counter mode both ways are the same.
    SampleCipher::new(&content_key(kid)).decrypt_in_place(&info, &mut data).unwrap();
    decryptor.decrypt(&info, &mut data)?;
    assert_eq!(data, b"a sample");
    Ok(())
}

fn environment(home: &Home<'_>) -> Environment {
    use wmlicense_core::clock::Clock as _;
    Environment {
        now: home.clock.now(),
        security_version: "1.0.0.0".into(),
        application_level: 0,
        barred_by: Vec::new(),
    }
}

#[test]
fn leaves_open_with_their_root_and_close_all_at_once_when_it_ends() {
    let world = World::new();
    let home = with_leaves(&world);
    assert_eq!(refusal(create(&home, kid(1))), Refusal::RootMissing);
    let first = root(&world, NOW + 30 * DAY);
    store(&home, &[root_grant(&first)]);
    for number in 0..LEAVES {
        play(&create(&home, kid(number)).unwrap(), kid(number)).unwrap();
    }
    assert_eq!(refusal(create(&home, root_kid())), Refusal::NoRight);
    let waiting = create(&home, kid(2)).unwrap();
    home.clock.advance(30 * DAY);
    // One that has not begun asks again, and finds the subscription over.
    assert_eq!(refusal(play(&waiting, kid(2))), Refusal::SubscriptionEnded);
    for number in 0..LEAVES {
        assert_eq!(refusal(create(&home, kid(number))), Refusal::SubscriptionEnded);
    }
    let licenses = home.client.store.licenses(kid(3)).unwrap();
    let found = rights::allowed(&licenses, "Play", &environment(&home)).unwrap_err();
    assert_eq!(found, [Refusal::Expired, Refusal::SubscriptionEnded]);
    // One new root renews them all.
    store(&home, &[root_grant(&Policy { replaces: Some(first.lid), ..root(&world, NOW + 60 * DAY) })]);
    for number in 0..LEAVES {
        play(&create(&home, kid(number)).unwrap(), kid(number)).unwrap();
    }
}

#[test]
fn what_is_left_of_a_leaf_ends_with_its_latest_root() {
    let world = World::new();
    let home = with_leaves(&world);
    let (early, late) = (root(&world, NOW + DAY), root(&world, NOW + 9 * DAY));
    store(&home, &[root_grant(&early), root_grant(&late)]);
    let licenses = home.client.store.licenses(kid(1)).unwrap();
    let state = rights::license_state(&licenses, "Play", &environment(&home));
    assert_eq!((state.category, state.dates), (Category::Until, vec![NOW + 9 * DAY]));
    let soon = Filter { kid: Some(kid(1)), expiring_before: Some(NOW + 10 * DAY), ..Filter::default() };
    assert!(home.client.store.next_license(&soon, None).unwrap().is_some());
    let sooner = Filter { expiring_before: Some(NOW + 2 * DAY), ..soon };
    assert!(home.client.store.next_license(&sooner, None).unwrap().is_none());
    home.clock.advance(2 * DAY);
    play(&create(&home, kid(1)).unwrap(), kid(1)).unwrap();
}

#[test]
fn a_root_permits_only_its_own_actions_and_a_counted_one_nothing() {
    let world = World::new();
    let home = with_leaves(&world);
    let copying = Policy { actions: vec![("Copy".into(), Conditions::default())], ..root(&world, NOW + DAY) };
    store(&home, &[root_grant(&copying)]);
    assert_eq!(refusal(create(&home, kid(1))), Refusal::NoRight);
    let counted = Conditions { count: Some(5), ..Conditions::default() };
    let counted = Policy { lid: Lid::new([9; 16]), actions: vec![("Play".into(), counted)], ..copying };
    store(&home, &[root_grant(&counted)]);
    assert_eq!(refusal(create(&home, kid(1))), Refusal::NoRight);
}

#[test]
fn a_leaf_of_another_root_key_or_of_a_leaf_opens_nothing() {
    let world = World::new();
    let home = Home::new(&world);
    let chained = Policy { kind: LicenseKind::Leaf, ..root(&world, NOW + DAY) };
    let chained = Grant { policy: chained.encode(), key: key(LicenseKind::Leaf, &[7; 32]), state: None };
    store(&home, &[leaf_grant(&world, kid(1), &root_key(8)), chained]);
    // What stands under the root key ID is a leaf itself.
    assert_eq!(refusal(create(&home, kid(1))), Refusal::RootMissing);
    store(&home, &[root_grant(&root(&world, NOW + DAY))]);
    let result = create(&home, kid(1)).err();
    assert!(matches!(result, Some(UseError::Store(StoreError::Damaged(_)))), "{result:?}");
}

#[test]
fn a_decryptor_that_closes_with_the_right_closes_with_the_root() {
    let world = World::new();
    let home = with_leaves(&world);
    let conditions = Conditions { not_after: Some(NOW + DAY), close_at_expiry: true, ..Conditions::default() };
    let closing = Policy { actions: vec![("Play".into(), conditions)], ..root(&world, 0) };
    store(&home, &[root_grant(&closing)]);
    let decryptor = create(&home, kid(1)).unwrap();
    play(&decryptor, kid(1)).unwrap();
    home.clock.advance(DAY);
    assert_eq!(refusal(play(&decryptor, kid(1))), Refusal::Expired);
}

#[test]
fn a_leaf_is_renewed_with_its_root_and_the_root_once() {
    let world = World::new();
    let home = with_leaves(&world);
    let root = root(&world, NOW + DAY);
    store(&home, &[root_grant(&root)]);
    let chosen = |kids: &[Kid]| {
        let choice = RenewalChoice { kids: kids.to_vec(), ..RenewalChoice::default() };
        let groups = home.client.store.renewable(&choice).unwrap();
        let licenses: Vec<_> = groups.into_iter().flat_map(|group| group.licenses).collect();
        licenses.into_iter().map(|(_, kid)| kid).collect::<Vec<_>>()
    };
    assert_eq!(chosen(&[kid(1), kid(2)]), [kid(1), kid(2), root_kid()]);
    assert_eq!(chosen(&[kid(1), root_kid()]), [kid(1), root_kid()]);
    assert_eq!(chosen(&[root_kid()]), [root_kid()]);
    assert_eq!(chosen(&[]).len() as u64, LEAVES + 1);
    // What is no leaf needs no root, whatever it names.
    home.acquire(&[Policy { root_kid: Some(root_kid()), ..world.policy(kid(500)) }]).unwrap();
    assert_eq!(chosen(&[kid(500)]), [kid(500)]);
}

#[test]
fn what_is_due_before_a_time_is_renewed_and_what_lost_its_state_at_any() {
    let world = World::new();
    let home = Home::new(&world);
    let until = |number, not_after| world.policy_with(kid(number), Conditions { not_after, ..Conditions::default() });
    let counted = world.policy_with(kid(3), Conditions { count: Some(5), ..Conditions::default() });
    home.acquire(&[until(1, Some(NOW + 10)), until(2, None), counted.clone()]).unwrap();
    let due = |due_before| {
        let choice = RenewalChoice { due_before: Some(due_before), ..RenewalChoice::default() };
        let groups = home.client.store.renewable(&choice).unwrap();
        groups.into_iter().flat_map(|group| group.licenses).map(|(_, kid)| kid).collect::<Vec<_>>()
    };
    assert_eq!((due(NOW + 10), due(NOW + 11)), (vec![], vec![kid(1)]));
    let database = rusqlite::Connection::open(home.path().join("licenses.db")).unwrap();
    database.execute("DELETE FROM state WHERE lid = ?1", [counted.lid.as_bytes()]).unwrap();
    assert_eq!(due(NOW), [kid(3)]);
}
