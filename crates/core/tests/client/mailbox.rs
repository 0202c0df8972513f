//! Licenses that nobody asked for, by hand and beside answers: for whom, from whom, how fresh, and never a use more.

use wmlicense_core::acquire::AcquireError;
use wmlicense_core::contact::{AnswerFault, SessionError};
use wmlicense_core::give_back::delete;
use wmlicense_core::mailbox::{Given, is_unasked, take_by_hand};
use wmlicense_core::store::StoreError;
use wmlicense_testkit::desk::Desk;
use wmlicense_testkit::service::{Post, Step};
use wmlicense_testkit::{NOW, TestDevice, World, content_key, grant, kid};
use wmlicense_wire::answer::{Answer, Beside, Envelope, MAX_GIVEN_AGE, Outcome, put_beside, seal};
use wmlicense_wire::certificate::{DeviceKeys, Role};
use wmlicense_wire::id::{Lid, TransactionId};
use wmlicense_wire::key::{KeyKind, Signer as _, SigningKey};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::{Conditions, Policy};
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::request::Body;
use wmlicense_wire::service_document::ServiceDocument;
use wmlicense_wire::status_list::{Revoked, StatusList};

const DAY: i64 = 86_400;

fn counted(desk: &Desk, number: u64) -> Policy {
    desk.world.policy_with(kid(number), Conditions { count: Some(5), ..Conditions::default() })
}

fn keys(desk: &Desk) -> DeviceKeys {
    desk.client.device.identity(desk.world.pin()).unwrap().keys.clone()
}

/// Licenses that the issuer gives to whoever has these keys, signed by `key`.
fn given_by(desk: &Desk, keys: &DeviceKeys, policies: &[Policy], key: &SigningKey) -> Vec<u8> {
    let answer = Answer::given(TransactionId::random().unwrap(), keys.thumbprint(), desk.service.now());
    let grants: Vec<_> = policies.iter().map(|policy| grant(policy, content_key(policy.kid))).collect();
    let device = desk.service.device_id(keys);
    seal(answer, device, keys, &grants, None, &Beside::default(), key).unwrap()
}

fn given(desk: &Desk, policies: &[Policy]) -> Vec<u8> {
    given_by(desk, &keys(desk), policies, &desk.world.issuer.key)
}

fn id_of(answer: &[u8]) -> TransactionId {
    wmlicense_wire::answer::read_vouched(&Envelope::parse(answer).unwrap().signed).unwrap().transaction
}

fn take(desk: &Desk, answer: &[u8]) -> Result<Given, AcquireError> {
    assert!(is_unasked(answer));
    take_by_hand(&desk.client, &desk.settings, None, answer)
}

fn fault(desk: &Desk, answer: &[u8]) -> AnswerFault {
    match take(desk, answer) {
        Err(AcquireError::Service(SessionError::BadAnswer(fault))) => fault,
        other => panic!("{other:?}"),
    }
}

fn spend(desk: &Desk, lid: Lid) -> Result<State, StoreError> {
    desk.client.store.change_state(lid, &mut |_, state: &State| {
        let mut next = state.clone();
        let play = next.actions.get_mut("Play").unwrap();
        play.counts_left = Some(play.counts_left.unwrap().checked_sub(1).ok_or(StoreError::NoTransaction)?);
        Ok(next)
    })
}

fn left(desk: &Desk, policy: &Policy) -> Option<u32> {
    let licenses = desk.client.store.licenses(policy.kid).unwrap();
    let license = licenses.iter().find(|license| license.policy.lid == policy.lid)?;
    license.state.as_ref()?.actions["Play"].counts_left
}

#[test]
fn what_is_given_by_hand_is_stored_without_a_network_and_gives_no_use_back() {
    let desk = Desk::certified();
    let (one, other) = (counted(&desk, 1), desk.world.policy(kid(2)));
    let answer = given(&desk, &[one.clone(), other]);
    let (posts, transaction) = (desk.service.posts().len(), id_of(&answer));
    assert_eq!(take(&desk, &answer).unwrap(), Given { transaction, stored: 2 });
    assert_eq!(desk.key(kid(1)), Some(content_key(kid(1)).to_vec()));
    let floors = desk.client.store.clock_record().unwrap().floors;
    assert_eq!(floors.get(&desk.world.issuer.id), Some(&desk.service.now()), "what it gives shows its time");
    for _ in 0..3 {
        spend(&desk, one.lid).unwrap();
    }
    for _ in 0..2 {
        assert_eq!(take(&desk, &answer).unwrap(), Given { transaction, stored: 0 });
        assert_eq!(left(&desk, &one), Some(2));
    }
    // Given once more, by an answer of its own, it is bound later, and what was used stays used.
    desk.pass(DAY);
    assert_eq!(take(&desk, &given(&desk, std::slice::from_ref(&one))).unwrap().stored, 1);
    assert_eq!((left(&desk, &one), desk.client.store.license_count().unwrap()), (Some(2), 2));
    // Nor does a deletion that keeps no tombstone help.
    desk.client.store.delete(kid(1)).unwrap();
    assert_eq!(take(&desk, &answer).unwrap().stored, 1);
    assert_eq!((left(&desk, &one), desk.service.posts().len()), (Some(2), posts));
    desk.client.store.check_integrity().unwrap();
}

#[test]
fn what_is_not_for_this_device_not_from_its_issuer_or_not_whole_is_refused() {
    let desk = Desk::certified();
    let policy = desk.world.policy(kid(1));
    let (one, issuer) = (std::slice::from_ref(&policy), &desk.world.issuer.key);
    let good = given(&desk, one);
    let stranger = TestDevice::new();
    assert_eq!(fault(&desk, &given_by(&desk, &stranger.keys, one, issuer)), AnswerFault::OtherDevice);
    // An issuer of another owner, with its certificate beside, and a service of this owner that is no issuer.
    let elsewhere = World::new();
    let answer = Answer::given(TransactionId::random().unwrap(), keys(&desk).thumbprint(), NOW);
    let beside = Beside { certificates: vec![elsewhere.issuer.certificate.bytes.clone()], ..Beside::default() };
    let (device, grants) = (desk.service.device_id(&keys(&desk)), [grant(&policy, [7; 16])]);
    let foreign = seal(answer, device, &keys(&desk), &grants, None, &beside, &elsewhere.issuer.key).unwrap();
    assert!(matches!(take(&desk, &foreign), Err(AcquireError::IssuerNotTrusted)));
    let by_management = given_by(&desk, &keys(&desk), one, &desk.world.management.key);
    assert!(matches!(take(&desk, &by_management), Err(AcquireError::IssuerNotTrusted)));
    let of_another = Policy { issuer: desk.world.management.id, ..policy.clone() };
    assert_eq!(fault(&desk, &given(&desk, &[of_another])), AnswerFault::OtherIssuer(0));
    let signed = Envelope::parse(&good).unwrap().signed;
    let at = good.windows(signed.len()).position(|part| part == signed).unwrap() + signed.len() - 1;
    let mut changed = good.clone();
    changed[at] ^= 1;
    assert_eq!(fault(&desk, &changed), AnswerFault::Signature);
    let twice = given(&desk, &[policy.clone(), policy.clone()]);
    assert_eq!(fault(&desk, &twice), AnswerFault::Twice(policy.lid));
    assert_eq!((desk.client.store.license_count().unwrap(), desk.pending()), (0, 0));
    assert_eq!(take(&desk, &good).unwrap().stored, 1);
    // Other terms under a license ID that is known, together with something new: all of it is refused.
    let other_terms = Policy { priority: 9, ..policy.clone() };
    let both = given(&desk, &[desk.world.policy(kid(2)), other_terms]);
    assert_eq!(fault(&desk, &both), AnswerFault::OtherTerms(policy.lid));
    assert_eq!(desk.client.store.license_count().unwrap(), 1);
    desk.client.store.check_integrity().unwrap();
}

#[test]
fn what_was_given_thirty_days_ago_is_too_old_and_no_clock_makes_it_fresh() {
    let desk = Desk::certified();
    let answers: Vec<_> = (0..2).map(|number| given(&desk, &[desk.world.policy(kid(number))])).collect();
    desk.clock.advance(MAX_GIVEN_AGE - 1);
    assert_eq!(take(&desk, &answers[0]).unwrap().stored, 1);
    desk.clock.advance(1);
    assert!(matches!(take(&desk, &answers[1]), Err(AcquireError::TooOld)));
    // That it was refused is remembered, whatever the wall clock says later.
    desk.clock.set(NOW);
    assert!(matches!(take(&desk, &answers[1]), Err(AcquireError::TooOld)));
    assert!(matches!(take(&desk, &answers[0]), Err(AcquireError::TooOld)));
    assert_eq!(desk.client.store.license_count().unwrap(), 1);
}

#[test]
fn what_was_removed_for_good_stays_away_and_a_revoked_signer_gives_nothing() {
    let desk = Desk::certified();
    let answer = given(&desk, &[desk.world.policy(kid(1))]);
    take(&desk, &answer).unwrap();
    assert_eq!(delete(&desk.client, &desk.settings, kid(1)).unwrap(), 1);
    assert!(matches!(take(&desk, &answer), Err(AcquireError::RemovedForGood)));
    assert!(desk.key(kid(1)).is_none());
    let list = StatusList {
        authority: desk.world.pin(),
        next_update: NOW + DAY,
        issued_at: NOW,
        number: NOW.unsigned_abs(),
        services: vec![Revoked { key: desk.world.issuer.key.verifying_key().signer_id(KeyKind::Service), from: NOW }],
        devices: Vec::new(),
        applications: Vec::new(),
    };
    let bytes = list.sign(&desk.world.authority_key).unwrap();
    desk.client.store.take_status_list(&list, &bytes).unwrap();
    assert_eq!(fault(&desk, &given(&desk, &[desk.world.policy(kid(2))])), AnswerFault::SignerRevoked);
}

#[test]
fn what_was_sealed_to_keys_before_the_present_ones_still_opens() {
    let desk = Desk::certified();
    let old = keys(&desk);
    let answer = given(&desk, &[desk.world.policy(kid(1))]);
    desk.pass(60);
    desk.individualize(true).unwrap();
    assert_ne!(keys(&desk).thumbprint(), old.thumbprint());
    assert_eq!(take(&desk, &answer).unwrap().stored, 1);
    assert_eq!(desk.key(kid(1)), Some(content_key(kid(1)).to_vec()));
}

/// A device at a service that has mailboxes.
fn with_mailbox() -> Desk {
    let desk = Desk::new();
    let bytes = desk.service.service_document(&desk.service.base, NOW);
    let (mut document, _) = ServiceDocument::parse(&bytes, &[desk.world.pin()]).unwrap();
    document.urls.push(("mailbox".to_owned(), format!("{}/v1/mailbox", desk.service.base)));
    document.urls.sort();
    *desk.service.document.lock().unwrap() = Some(document.sign(&desk.world.issuer.key).unwrap());
    desk.individualize(false).unwrap();
    desk
}

/// The next answer is what the service has for the request, with these letters beside.
fn then_with(desk: &Desk, policies: Vec<Policy>, letters: Vec<Vec<u8>>) {
    desk.service.then_answer(move |service, post| {
        let answer = match &post.request.body {
            Body::Mailbox { .. } => service.decided(post, &[], Vec::new(), Role::Issuer, Outcome::Done),
            _ => service.granted(post, &policies, Vec::new(), Role::Issuer),
        };
        put_beside(answer, &letters)
    });
}

fn told(desk: &Desk) -> Vec<Vec<TransactionId>> {
    let taken = |post: Post| match post.request.body {
        Body::Mailbox { taken } => {
            assert_eq!((post.path.as_str(), post.token), ("/v1/mailbox", None));
            Some(taken)
        }
        _ => None,
    };
    desk.service.posts().into_iter().filter_map(taken).collect()
}

#[test]
fn what_waits_in_the_mailbox_comes_with_any_answer_and_the_service_is_told() {
    let desk = with_mailbox();
    let letters: Vec<_> = (2..5).map(|number| given(&desk, &[desk.world.policy(kid(number))])).collect();
    let ids: Vec<_> = letters.iter().map(|letter| id_of(letter)).collect();
    then_with(&desk, vec![desk.world.policy(kid(1))], letters[..2].to_vec());
    then_with(&desk, Vec::new(), letters[2..].to_vec());
    then_with(&desk, Vec::new(), Vec::new());
    assert_eq!(desk.acquire(&[kid(1)]).unwrap().stored, 1);
    assert!((1..5).all(|number| desk.key(kid(number)) == Some(content_key(kid(number)).to_vec())));
    assert_eq!(told(&desk), [ids[..2].to_vec(), ids[2..].to_vec()]);
    // A refusal brings it as well, and where nothing came nothing is told.
    let more = given(&desk, &[desk.world.policy(kid(6))]);
    then_with(&desk, Vec::new(), vec![more.clone()]);
    then_with(&desk, Vec::new(), Vec::new());
    assert!(desk.acquire(&[kid(9)]).is_err());
    assert!(desk.key(kid(6)).is_some());
    assert!(desk.acquire(&[kid(9)]).is_err());
    assert_eq!((told(&desk).len(), told(&desk)[2].clone()), (3, vec![id_of(&more)]));
}

#[test]
fn what_is_wrong_in_a_mailbox_hurts_nothing_else() {
    let desk = with_mailbox();
    let good = given(&desk, &[desk.world.policy(kid(2))]);
    let stranger = given_by(&desk, &TestDevice::new().keys, &[desk.world.policy(kid(3))], &desk.world.issuer.key);
    then_with(&desk, vec![desk.world.policy(kid(1))], vec![b"no answer".to_vec(), stranger, good.clone()]);
    desk.service.then(Step::Problem(ProblemKind::Unavailable));
    assert_eq!(desk.acquire(&[kid(1)]).unwrap().stored, 1);
    assert!(desk.key(kid(2)).is_some() && desk.key(kid(3)).is_none());
    // The service did not hear of it and sends it again, which is told again and changes nothing.
    then_with(&desk, vec![desk.world.policy(kid(4))], vec![good.clone()]);
    then_with(&desk, Vec::new(), Vec::new());
    desk.acquire(&[kid(4)]).unwrap();
    assert_eq!(told(&desk), [vec![id_of(&good)], vec![id_of(&good)]]);
    assert_eq!(desk.client.store.license_count().unwrap(), 3);
}

#[test]
fn a_service_that_never_has_enough_and_one_without_mailboxes() {
    let desk = with_mailbox();
    let letter = given(&desk, &[desk.world.policy(kid(2))]);
    then_with(&desk, vec![desk.world.policy(kid(1))], vec![letter.clone()]);
    for _ in 0..50 {
        then_with(&desk, Vec::new(), vec![letter.clone()]);
    }
    desk.acquire(&[kid(1)]).unwrap();
    assert!((1..20).contains(&told(&desk).len()), "{}", told(&desk).len());
    // One that names no place for it is told nothing; what it sends counts all the same.
    let plain = Desk::certified();
    then_with(&plain, vec![plain.world.policy(kid(1))], vec![given(&plain, &[plain.world.policy(kid(2))])]);
    plain.acquire(&[kid(1)]).unwrap();
    assert!(plain.key(kid(2)).is_some() && told(&plain).is_empty());
}

#[test]
fn an_answer_that_says_that_nobody_asked_decides_no_request() {
    let desk = Desk::certified();
    desk.service.then_answer(|service, post| {
        service.page(post, &[service.world.policy(kid(1))], |answer| Answer { outcome: Outcome::Given, ..answer })
    });
    let result = desk.acquire(&[kid(1)]);
    assert!(
        matches!(result, Err(AcquireError::Service(SessionError::BadAnswer(AnswerFault::Undecided)))),
        "{result:?}"
    );
    assert_eq!((desk.client.store.license_count().unwrap(), desk.pending()), (0, 0));
}
