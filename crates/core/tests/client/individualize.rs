//! Individualization against a service over HTTP: a certificate comes in once, and only the right one.

use wmlicense_core::client::{Client, OpenSettings, Settings};
use wmlicense_core::contact::{AnswerFault, SessionError};
use wmlicense_core::event::{Event, HttpPhase, IndividualizePhase};
use wmlicense_core::individualize::{IndividualizeError, Individualized, individualize, is_current};
use wmlicense_core::transport::TransportError;
use wmlicense_testkit::desk::Desk;
use wmlicense_testkit::service::{Post, Shared, Step};
use wmlicense_testkit::{TestDevice, World};
use wmlicense_wire::answer::{Outcome, Reason, Refusal};
use wmlicense_wire::certificate::{DeviceCertificate, DeviceKeys, Role};
use wmlicense_wire::id::DeviceId;
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::request::Body;

const DAY: i64 = 86_400;

fn certificate(desk: &Desk) -> Option<DeviceCertificate> {
    desk.client.store.device_certificate(desk.world.pin()).unwrap()
}

fn keys_of(post: &Post) -> DeviceKeys {
    let Body::Individualize { keys, .. } = &post.request.body else { panic!() };
    keys.clone()
}

fn bad_answer(result: Result<Individualized, IndividualizeError>) -> AnswerFault {
    match result {
        Err(IndividualizeError::Service(SessionError::BadAnswer(fault))) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_gets_a_certificate_for_its_own_keys() {
    let desk = Desk::new();
    assert_eq!(desk.individualize(false).unwrap(), Individualized::Certified);
    let certificate = certificate(&desk).unwrap();
    assert!(certificate.keys == desk.client.device.identity(desk.world.pin()).unwrap().keys);
    assert!(is_current(&desk.client, desk.world.pin()).unwrap());
    assert_eq!(desk.pending(), 0);
    let post = desk.service.posts().remove(0);
    assert_eq!(post.path, "/v1/individualize");
    assert_eq!(post.token, None, "the account is nothing to whom certifies devices");
    assert_eq!(post.request.audience, desk.world.individualization.id);
    assert_eq!(post.request.client.application.as_deref(), Some("player"));
    assert_eq!(post.request.client.application_level, 3);
    assert_eq!(post.request.held.len(), 3);
    assert!(post.request.device_certificate.is_none());
}

#[test]
fn the_application_is_told_every_phase() {
    let desk = Desk::new();
    desk.individualize(false).unwrap();
    let events = desk.events();
    let phases: Vec<_> = events
        .iter()
        .map(|event| match event {
            Event::Individualize { phase, http, .. } => (*phase, *http),
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [
        (IndividualizePhase::Begin, HttpPhase::NotInitiated),
        (IndividualizePhase::Download, HttpPhase::Connecting),
        (IndividualizePhase::Download, HttpPhase::Requesting),
        (IndividualizePhase::Download, HttpPhase::Receiving),
        (IndividualizePhase::Download, HttpPhase::Completed),
        (IndividualizePhase::Install, HttpPhase::Completed),
        (IndividualizePhase::Succeed, HttpPhase::Completed),
    ];
    assert_eq!(phases, expected);
    let Event::Individualize { bytes, bytes_total, requests, .. } = events[4] else { panic!() };
    assert!(bytes > 1000 && bytes == bytes_total && requests == 1, "{bytes} {bytes_total} {requests}");
}

#[test]
fn a_current_device_needs_no_network() {
    let mut desk = Desk::certified();
    let contacts = desk.service.contacts();
    assert_eq!(desk.individualize(false).unwrap(), Individualized::AlreadyCurrent);
    desk.settings.network.offline_only = true;
    assert_eq!(desk.individualize(false).unwrap(), Individualized::AlreadyCurrent);
    assert!(desk.events().is_empty());
    let forced = desk.individualize(true);
    assert!(
        matches!(forced, Err(IndividualizeError::Service(SessionError::Transport(TransportError::Offline)))),
        "{forced:?}"
    );
    assert_eq!(desk.service.contacts(), contacts);
}

#[test]
fn a_due_renewal_keeps_keys_and_device() {
    let desk = Desk::certified();
    let first = certificate(&desk).unwrap();
    desk.pass(340 * DAY);
    assert!(!is_current(&desk.client, desk.world.pin()).unwrap());
    assert_eq!(desk.individualize(false).unwrap(), Individualized::Certified);
    let second = certificate(&desk).unwrap();
    assert!(first.not_after < second.not_after);
    assert!(first.thumbprint() == second.thumbprint() && first.device_id == second.device_id);
    let Body::Individualize { current, rekey, .. } = &desk.service.posts()[1].request.body else { panic!() };
    assert_eq!((current.as_ref(), rekey), (Some(&first.bytes), &None));
}

#[test]
fn a_lost_answer_is_asked_for_again_with_the_same_bytes() {
    let mut desk = Desk::new();
    desk.service.then(Step::Lose);
    let lost = desk.individualize(false);
    assert!(
        matches!(lost, Err(IndividualizeError::Service(SessionError::Transport(TransportError::Broken(_))))),
        "{lost:?}"
    );
    assert_eq!(desk.pending(), 1);
    desk.restart();
    assert_eq!(desk.individualize(false).unwrap(), Individualized::Certified);
    assert_eq!(desk.pending(), 0);
    let posts = desk.service.posts();
    assert!(posts[0].bytes == posts[1].bytes);
}

#[test]
fn an_answer_that_is_gone_is_replaced_by_a_fresh_request() {
    let desk = Desk::new();
    desk.service.then(Step::Lose);
    desk.individualize(false).unwrap_err();
    desk.service.then(Step::Problem(ProblemKind::Gone));
    assert_eq!(desk.individualize(false).unwrap(), Individualized::Certified);
    let posts = desk.service.posts();
    assert!(posts[0].bytes == posts[1].bytes && posts[1].request.transaction != posts[2].request.transaction);
    assert_eq!(desk.pending(), 0);
}

#[test]
fn a_refusal_is_told_with_its_reason_and_ends_the_transaction() {
    let desk = Desk::new();
    desk.service.then_answer(|service, post| {
        let refusal = Refusal { subject: None, kid: None, reason: Reason::QuotaUsedUp, url: None, again: None };
        service.ends(post, Role::Individualization, Outcome::Refused, vec![refusal])
    });
    let refused = desk.individualize(false);
    assert!(matches!(refused, Err(IndividualizeError::Refused(Reason::QuotaUsedUp, _))), "{refused:?}");
    assert_eq!(desk.pending(), 0);
    assert!(certificate(&desk).is_none());
}

/// Answers with a certificate that a test makes.
fn with_certificate(make: impl FnOnce(&Shared, &DeviceKeys) -> Vec<u8> + Send + 'static) -> Desk {
    let desk = Desk::new();
    desk.service.then_answer(move |service, post| {
        let keys = keys_of(post);
        let certificate = make(service, &keys);
        service.certified(post, &keys, certificate)
    });
    desk
}

#[test]
fn a_certificate_that_is_not_the_one_asked_for_is_refused() {
    let other_keys =
        with_certificate(|service, keys| service.world.certify(service.device_id(keys), &TestDevice::new().keys));
    assert_eq!(
        bad_answer(other_keys.individualize(false)),
        AnswerFault::DeviceCertificate("the certificate is for other keys")
    );
    let ended = with_certificate(|service, keys| {
        service.world.certify_at(service.device_id(keys), keys, service.now() - 500 * DAY)
    });
    assert_eq!(bad_answer(ended.individualize(false)), AnswerFault::DeviceCertificate("the certificate is not valid"));
    let stranger = with_certificate(|service, keys| World::new().certify(service.device_id(keys), keys));
    bad_answer(stranger.individualize(false));
    let none = Desk::new();
    none.service.then_answer(|service, post| service.ends(post, Role::Individualization, Outcome::Done, Vec::new()));
    assert_eq!(bad_answer(none.individualize(false)), AnswerFault::DeviceCertificate("it holds no certificate"));
    for desk in [other_keys, ended, stranger, none] {
        assert!(certificate(&desk).is_none());
        assert_eq!(desk.pending(), 0);
        assert_eq!(desk.individualize(false).unwrap(), Individualized::Certified);
    }
}

#[test]
fn a_renewal_never_changes_the_device() {
    let desk = Desk::certified();
    let before = certificate(&desk).unwrap();
    desk.service.then_answer(|service, post| {
        let keys = keys_of(post);
        let certificate = service.world.certify(DeviceId::random().unwrap(), &keys);
        service.certified(post, &keys, certificate)
    });
    assert_eq!(
        bad_answer(desk.individualize(true)),
        AnswerFault::DeviceCertificate("the certificate is for another device")
    );
    assert!(certificate(&desk).unwrap().bytes == before.bytes);
}

#[test]
fn an_answer_of_another_role_or_to_another_request_is_not_believed_and_the_request_stays() {
    let desk = Desk::new();
    desk.service.then_answer(|service, post| service.ends(post, Role::Issuer, Outcome::Done, Vec::new()));
    bad_answer(desk.individualize(false));
    desk.service.then_answer(|service, post| {
        let other = Post { bytes: [post.bytes.as_slice(), b"x"].concat(), ..post.clone() };
        let keys = keys_of(post);
        let certificate = service.world.certify(service.device_id(&keys), &keys);
        service.certified(&other, &keys, certificate)
    });
    bad_answer(desk.individualize(false));
    desk.service.then_answer(|_, _| b"\xa0".to_vec());
    bad_answer(desk.individualize(false));
    assert_eq!(desk.pending(), 1);
    assert_eq!(desk.individualize(false).unwrap(), Individualized::Certified);
    let posts = desk.service.posts();
    assert!(posts.iter().all(|post| post.bytes == posts[0].bytes));
}

#[test]
fn a_service_of_an_authority_that_is_not_pinned_is_refused_before_anything_is_sent() {
    let desk = Desk::new();
    let folder = tempfile::tempdir().unwrap();
    let stranger = World::new();
    let settings = OpenSettings { store_path: folder.path().to_path_buf(), authorities: vec![stranger.pin()] };
    let client = Client::open(&settings, desk.clock.clone()).unwrap();
    let result = individualize(&client, &desk.settings, false, &desk.context());
    assert!(matches!(result, Err(IndividualizeError::Service(SessionError::AuthorityNotTrusted))), "{result:?}");
    assert!(desk.service.posts().is_empty());
}

#[test]
fn without_a_service_url_nothing_is_tried() {
    let desk = Desk::new();
    for service_url in [None, Some(String::new())] {
        let settings = Settings { service_url, ..desk.settings.clone() };
        let result = individualize(&desk.client, &settings, false, &desk.context());
        assert!(matches!(result, Err(IndividualizeError::Service(SessionError::NoService))), "{result:?}");
    }
    assert_eq!(desk.service.contacts(), 0);
}

#[test]
fn a_cancel_leaves_the_device_as_it_was_and_the_request_pending() {
    let desk = Desk::new();
    let context = desk.context();
    let canceller = context.canceller();
    desk.service.then_answer(move |service, post| {
        canceller.cancel();
        service.answer(post)
    });
    let result = individualize(&desk.client, &desk.settings, false, &context);
    assert!(matches!(result, Err(IndividualizeError::Service(SessionError::Cancelled))), "{result:?}");
    assert!(certificate(&desk).is_none());
    assert_eq!(desk.pending(), 1);
    assert_eq!(desk.individualize(false).unwrap(), Individualized::Certified);
}
