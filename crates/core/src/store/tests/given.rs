//! What comes into the store by a request and without one: the time it tells, the way it is renewed, and what it may take back.

use super::*;
use wmlicense_wire::answer::{Answer, Beside, seal};

type Received = (Vec<u8>, Vec<OpenedLicense>);

/// Licenses that nobody asked for, made at this time.
fn received(room: &Room, policies: &[Policy], issued_at: i64) -> Received {
    let (_, signed, licenses) = room.answer(&room.world.issuer, Role::Issuer, policies, issued_at);
    (signed, licenses)
}

/// Stores them; how many are stored, known and forbidden.
fn take(room: &Room, (signed, licenses): &Received, recipe: &Recipe) -> [u64; 3] {
    let authority = room.world.pin();
    let report = room.store.import_given(&GivenLicenses { authority, signed, licenses, recipe }).unwrap();
    [report.stored, report.known, report.forbidden]
}

fn url(room: &Room, policy: &Policy) -> Option<String> {
    room.store.recipe(policy.lid).unwrap().map(|recipe| recipe.url)
}

#[test]
fn every_answer_tells_the_time_of_its_service() {
    let room = Room::new();
    let issuer = room.world.issuer.id;
    let floor = || room.store.clock_record().unwrap().floors.get(&issuer).copied();
    assert_eq!(floor(), None);
    room.acquire(&[room.world.policy(kid(1))], None);
    assert_eq!(floor(), Some(NOW));
    take(&room, &received(&room, &[room.world.policy(kid(2))], NOW + 50), &recipe("given"));
    assert_eq!(floor(), Some(NOW + 50));
}

#[test]
fn what_is_given_is_stored_once_and_known_from_then_on() {
    let room = Room::new();
    let (one, gone) = (room.world.policy(kid(1)), room.world.policy(kid(2)));
    room.acquire(std::slice::from_ref(&gone), None);
    room.acquire(&[Policy { replaces: Some(gone.lid), ..room.world.policy(kid(3)) }], None);
    let both = received(&room, &[one.clone(), gone], NOW);
    assert_eq!(take(&room, &both, &recipe("given")), [1, 0, 1]);
    assert_eq!(take(&room, &both, &recipe("given")), [0, 1, 1]);
    // Bound anew it is stored, and one that was bound before is known again.
    assert_eq!(take(&room, &received(&room, std::slice::from_ref(&one), NOW + 1), &recipe("given")), [1, 0, 0]);
    assert_eq!(take(&room, &received(&room, std::slice::from_ref(&one), NOW), &recipe("given")), [0, 1, 0]);
}

#[test]
fn a_given_license_is_asked_for_as_it_was_given_unless_one_that_was_asked_for_comes_before_it() {
    let room = Room::new();
    let (asked, alone) = (room.world.policy(kid(1)), room.world.policy(kid(2)));
    room.acquire(std::slice::from_ref(&asked), Some(&recipe("asked")));
    assert_eq!(url(&room, &asked).as_deref(), Some("asked"));
    let given = recipe("given");
    take(&room, &received(&room, std::slice::from_ref(&alone), NOW), &given);
    assert_eq!(url(&room, &alone).as_deref(), Some("given"));
    // Bound anew, and in the place of another one.
    take(&room, &received(&room, std::slice::from_ref(&asked), NOW + 1), &given);
    assert_eq!(url(&room, &asked).as_deref(), Some("asked"));
    let next = Policy { replaces: Some(asked.lid), ..room.world.policy(kid(1)) };
    take(&room, &received(&room, std::slice::from_ref(&next), NOW + 2), &given);
    assert_eq!((url(&room, &next).as_deref(), url(&room, &asked)), (Some("asked"), None));
}

#[test]
fn only_an_issuer_takes_licenses_back() {
    let room = Room::new();
    let policy = room.world.policy(kid(1));
    room.acquire(std::slice::from_ref(&policy), None);
    let withdraws = |service: &CertifiedService, role| {
        let keys = &room.device.keys;
        let asked = Asked::by(room.device.device_id, keys);
        let answer = Answer::to(asked.transaction, 0, asked.request_hash, keys.thumbprint(), NOW);
        // A management service re-binds what an issuer granted, under the issuer's name.
        let answer = Answer { withdrawn: vec![policy.lid], ..answer };
        let bytes = seal(answer, room.device.device_id, keys, &[], None, &Beside::default(), &service.key).unwrap();
        let (signed, licenses) = room.world.open(role, &asked, &room.device.hpke, &bytes);
        room.store.prepare(&room.pending(asked.transaction, NOW)).unwrap();
        room.import(asked.transaction, &signed, licenses);
        room.store.forbids(policy.lid, service.id).unwrap()
    };
    assert!(!withdraws(&room.world.management, Role::Management));
    assert_eq!(room.store.license_count().unwrap(), 1);
    assert!(withdraws(&room.world.issuer, Role::Issuer));
    assert_eq!(room.store.license_count().unwrap(), 0);
}

#[test]
fn of_a_license_that_goes_nothing_stays_but_what_was_used_of_it() {
    let room = Room::new();
    room.acquire(&[room.counted(1)], None);
    room.acquire(&[room.world.policy(kid(2)), room.world.policy(kid(3))], None);
    assert_eq!(room.store.delete(kid(1)).unwrap() + room.store.delete(kid(2)).unwrap(), 2);
    assert_eq!((room.count("batch"), room.count("page")), (1, 1), "a batch stays as long as one of its licenses");
    assert_eq!(room.store.delete(kid(3)).unwrap(), 1);
    assert_eq!((room.count("batch"), room.count("page"), room.count("state")), (0, 0, 1));
}
