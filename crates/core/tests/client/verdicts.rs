//! Answers that are not acceptable: which of them end their request, and which leave it waiting for a better one.

use std::sync::atomic::Ordering;
use wmlicense_core::acquire::AcquireError;
use wmlicense_core::contact::{AnswerFault, SessionError};
use wmlicense_core::store::FILE_NAME;
use wmlicense_testkit::desk::Desk;
use wmlicense_testkit::service::{Post, Shared, Step};
use wmlicense_testkit::{NOW, TestDevice, content_key, kid};
use wmlicense_wire::answer::{Answer, Beside, Envelope, Outcome, seal};
use wmlicense_wire::cbor::{MapWriter, write};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::cose::{Document, sign};
use wmlicense_wire::id::{Digest, TransactionId};
use wmlicense_wire::key::SigningKey;

const DAY: i64 = 86_400;

type Make = fn(&Shared, &Post) -> Vec<u8>;

fn desk() -> Desk {
    let desk = Desk::certified();
    for number in 1..4 {
        desk.service.offer(kid(number));
    }
    desk
}

/// An answer of the issuer that grants nothing, as `change` makes it, signed by `key`.
fn empty(shared: &Shared, post: &Post, key: &SigningKey, change: impl FnOnce(Answer) -> Answer) -> Vec<u8> {
    let (answer, keys) = shared.answer_for(post);
    let device_id = shared.device_id(&keys);
    seal(change(answer), device_id, &keys, &[], None, &Beside::default(), key).unwrap()
}

fn to_another_device(shared: &Shared, post: &Post) -> Vec<u8> {
    let thumbprint = TestDevice::new().thumbprint();
    empty(shared, post, &shared.world.issuer.key, |answer| Answer { thumbprint, ..answer })
}

fn before_its_signer(shared: &Shared, post: &Post) -> Vec<u8> {
    empty(shared, post, &shared.world.issuer.key, |answer| Answer { issued_at: NOW - 2 * DAY, ..answer })
}

/// An answer as it travels, with nothing beside its signed part.
fn alone(signed: &[u8]) -> Vec<u8> {
    let nothing = write::array::<Vec<u8>>([]);
    MapWriter::new().bytes(1, signed).raw(3, &nothing).raw(4, &nothing).finish()
}

fn signed_and_unreadable(shared: &Shared, _: &Post) -> Vec<u8> {
    let issuer = &shared.world.issuer;
    let services = shared.world.directory.services();
    let signer = services.iter().find(|service| service.service_id == issuer.id).unwrap().signer_id();
    alone(&sign(Document::Answer, &[0xa0], &issuer.key, signer).unwrap())
}

fn undecided(shared: &Shared, post: &Post) -> Vec<u8> {
    shared.ends(post, Role::Issuer, Outcome::Refused, Vec::new())
}

#[test]
fn what_the_service_said_itself_ends_the_request() {
    let cases: [(Make, AnswerFault); 3] = [
        (to_another_device, AnswerFault::OtherDevice),
        (before_its_signer, AnswerFault::SignerDates),
        (undecided, AnswerFault::Undecided),
    ];
    for (make, fault) in cases {
        let desk = desk();
        desk.service.then(Step::Answer(Box::new(make)));
        let result = desk.acquire(&[kid(1)]);
        assert!(
            matches!(&result, Err(AcquireError::Service(SessionError::BadAnswer(found))) if *found == fault),
            "{fault:?}: {result:?}"
        );
        assert_eq!(desk.pending(), 0, "{fault:?}");
    }
    let desk = desk();
    desk.service.then(Step::Answer(Box::new(signed_and_unreadable)));
    assert!(matches!(
        desk.acquire(&[kid(1)]),
        Err(AcquireError::Service(SessionError::BadAnswer(AnswerFault::Malformed(_))))
    ));
    assert_eq!(desk.pending(), 0);
}

fn garbage(_: &Shared, _: &Post) -> Vec<u8> {
    b"not an answer".to_vec()
}

fn to_another_request(shared: &Shared, post: &Post) -> Vec<u8> {
    let transaction = TransactionId::random().unwrap();
    empty(shared, post, &shared.world.issuer.key, |answer| Answer { transaction, ..answer })
}

fn replayed_from_before_its_signer(shared: &Shared, post: &Post) -> Vec<u8> {
    let (issued_at, request_hash) = (NOW - 2 * DAY, Digest::random().unwrap());
    empty(shared, post, &shared.world.issuer.key, |answer| Answer { issued_at, request_hash, ..answer })
}

fn of_a_stranger(shared: &Shared, post: &Post) -> Vec<u8> {
    empty(shared, post, &SigningKey::generate().unwrap(), |answer| answer)
}

fn changed_on_the_way(shared: &Shared, post: &Post) -> Vec<u8> {
    let mut bytes = shared.answer(post);
    *bytes.last_mut().unwrap() ^= 1;
    bytes
}

fn with_licenses_left_out(shared: &Shared, post: &Post) -> Vec<u8> {
    alone(&Envelope::parse(&shared.answer(post)).unwrap().signed)
}

#[test]
fn what_anybody_could_have_sent_leaves_it_waiting() {
    let cases: [(&str, Make); 6] = [
        ("garbage", garbage),
        ("another request", to_another_request),
        ("a replay", replayed_from_before_its_signer),
        ("a stranger", of_a_stranger),
        ("changed", changed_on_the_way),
        ("left out", with_licenses_left_out),
    ];
    for (name, make) in cases {
        let desk = desk();
        desk.service.then(Step::Answer(Box::new(make)));
        let result = desk.acquire(&[kid(1)]);
        assert!(matches!(result, Err(AcquireError::Service(SessionError::BadAnswer(_)))), "{name}: {result:?}");
        assert_eq!(desk.pending(), 1, "{name}");
        desk.acquire(&[kid(1)]).unwrap();
        let posts = desk.service.posts.lock().unwrap();
        let [.., first, second] = &posts[..] else { panic!("two requests") };
        assert_eq!(first.bytes, second.bytes, "{name}");
    }
}

#[test]
fn a_signer_that_ended_before_the_floor_ends_the_request_only_beyond_doubt() {
    for (wall, pending) in [(NOW + 401 * DAY, 0), (NOW, 1)] {
        let desk = desk();
        desk.clock.set(wall);
        desk.client.store.note_contact(desk.world.issuer.id, NOW + 401 * DAY).unwrap();
        desk.clock.set(NOW);
        let result = desk.acquire(&[kid(1)]);
        assert!(
            matches!(result, Err(AcquireError::Service(SessionError::BadAnswer(AnswerFault::SignerDates)))),
            "{result:?}"
        );
        assert_eq!(desk.pending(), pending);
    }
}

#[test]
fn an_old_signer_cannot_tell_the_time_of_before_it_ended() {
    let desk = desk();
    desk.clock.set(NOW + 401 * DAY);
    desk.client.store.note_contact(desk.world.issuer.id, NOW + 401 * DAY).unwrap();
    desk.client.store.note_contact(desk.world.individualization.id, NOW + 401 * DAY).unwrap();
    desk.client.store.note_contact(desk.world.management.id, NOW + 401 * DAY).unwrap();
    // The wall clock is wrong, so the time is asked for, and the service tells one at which its certificate still held.
    desk.clock.set(NOW);
    desk.clock.boot(1, 100);
    desk.service.now.store(NOW, Ordering::SeqCst);
    desk.acquire(&[kid(1)]).unwrap_err();
    assert_eq!(desk.client.store.clock_record().unwrap().anchors, None);
}

#[test]
fn a_store_that_cannot_be_written_leaves_a_good_answer_to_be_asked_for_again() {
    let desk = desk();
    let database = rusqlite::Connection::open(desk.folder.path().join(FILE_NAME)).unwrap();
    let full = "CREATE TRIGGER full BEFORE INSERT ON page BEGIN SELECT RAISE(ABORT, 'no room'); END";
    database.execute_batch(full).unwrap();
    assert!(matches!(desk.acquire(&[kid(1)]), Err(AcquireError::Service(SessionError::Store(_)))));
    assert_eq!(desk.pending(), 1);
    database.execute_batch("DROP TRIGGER full").unwrap();
    desk.acquire(&[kid(1)]).unwrap();
    assert_eq!(desk.key(kid(1)).unwrap(), content_key(kid(1)));
}

#[test]
fn a_return_whose_answer_is_no_good_is_told_again_with_another_request() {
    let desk = desk();
    desk.acquire(&[kid(1)]).unwrap();
    wmlicense_core::give_back::delete(&desk.client, &desk.settings, kid(1)).unwrap();
    desk.service.then(Step::Answer(Box::new(before_its_signer)));
    desk.acquire(&[kid(2)]).unwrap();
    desk.acquire(&[kid(3)]).unwrap();
    let posts = desk.service.posts.lock().unwrap();
    let returns: Vec<TransactionId> =
        posts.iter().filter(|post| post.path.ends_with("returns")).map(|post| post.request.transaction).collect();
    assert!(matches!(returns[..], [first, second] if first != second), "{returns:?}");
}
