//! Acquisition against a service over HTTP: what was asked for comes in once, survives every loss, and nothing else does.

mod carried;
mod delivery;
mod epochs;
mod resume;

use wmlicense_core::acquire::{AcquireError, Acquired, LicenseWish};
use wmlicense_core::contact::{AnswerFault, SessionError};
use wmlicense_core::event::Event;
use wmlicense_core::transport::TransportError;
use wmlicense_media::HeaderError;
use wmlicense_testkit::desk::Desk;
use wmlicense_testkit::service::{Post, Step};
use wmlicense_testkit::{content_key, kid};
use wmlicense_wire::answer::{Outcome, Reason};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::Kid;
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::request::Body;

const DAY: i64 = 86_400;

fn bad_answer(result: Result<Acquired, AcquireError>) -> AnswerFault {
    match result {
        Err(AcquireError::Service(SessionError::BadAnswer(fault))) => fault,
        other => panic!("{other:?}"),
    }
}

fn reasons(result: Result<Acquired, AcquireError>) -> Vec<Reason> {
    match result {
        Err(AcquireError::Refused { refusals, .. }) => refusals.into_iter().map(|refusal| refusal.reason).collect(),
        other => panic!("{other:?}"),
    }
}

fn asked(post: &Post) -> Vec<Kid> {
    let Body::Licenses { kids, .. } = &post.request.body else { panic!() };
    kids.clone()
}

/// POSTs to the issuer.
fn challenges(desk: &Desk) -> Vec<Post> {
    desk.service.posts().into_iter().filter(|post| post.path == "/v1/licenses").collect()
}

#[test]
fn a_license_that_was_asked_for_is_stored_with_its_key() {
    let desk = Desk::certified();
    desk.service.offer(kid(1));
    let acquired = desk.acquire(&[kid(1)]).unwrap();
    assert_eq!((acquired.stored, acquired.refusals.len(), desk.pending()), (1, 0, 0));
    assert_eq!(desk.key(kid(1)).unwrap(), content_key(kid(1)));
    let post = challenges(&desk).remove(0);
    assert_eq!(post.request.transaction, acquired.transaction);
    assert_eq!(post.token.as_deref(), Some("Bearer the-token"));
    let certificate = desk.client.store.device_certificate(desk.world.pin()).unwrap().unwrap();
    assert_eq!(post.request.device_certificate, Some(certificate.bytes));
    let Body::Licenses { actions, .. } = &post.request.body else { panic!() };
    assert_eq!(*actions, ["Play"]);
}

#[test]
fn the_service_document_is_fetched_once_until_it_ends() {
    let desk = Desk::certified();
    desk.service.offer(kid(1));
    for _ in 0..3 {
        desk.acquire(&[kid(1)]).unwrap();
    }
    assert_eq!(desk.service.documents(), 1);
    desk.pass(4000);
    desk.acquire(&[kid(1)]).unwrap();
    assert_eq!(desk.service.documents(), 2);
}

#[test]
fn key_ids_are_asked_for_once_each_and_in_order() {
    let desk = Desk::certified();
    let kids = [kid(3), kid(1), kid(2), kid(1), kid(3)];
    kids.iter().for_each(|kid| drop(desk.service.offer(*kid)));
    assert_eq!(desk.acquire(&kids).unwrap().stored, 3);
    let mut expected = vec![kid(1), kid(2), kid(3)];
    expected.sort_unstable();
    assert_eq!(asked(&challenges(&desk)[0]), expected);
}

#[test]
fn the_key_ids_of_a_header_are_asked_for() {
    let mut desk = Desk::certified();
    let kid = Kid::from_hex("a1a2a3a4-b1b2-c1c2-d1d2-d3d4d5d6d7d8").unwrap();
    desk.service.offer(kid);
    let header = br#"{"kids":["oaKjpLGywcLR0tPU1dbX2A"]}"#.to_vec();
    assert_eq!(desk.wish(&LicenseWish { header: Some(header), ..LicenseWish::default() }).unwrap().stored, 1);
    assert_eq!(desk.key(kid).unwrap(), content_key(kid));
    let nonsense = LicenseWish { header: Some(b"nonsense".to_vec()), ..LicenseWish::default() };
    assert!(matches!(desk.wish(&nonsense), Err(AcquireError::Header(HeaderError::NotRecognised))));
    let none = LicenseWish { header: Some(br#"{"kids":[]}"#.to_vec()), ..LicenseWish::default() };
    assert!(matches!(desk.wish(&none), Err(AcquireError::Header(HeaderError::Missing { .. }))));
    let unheard_of = b"#EXTM3U\n#EXT-X-KEY:METHOD=UNHEARD-OF\n".to_vec();
    let nobody = LicenseWish { header: Some(unheard_of), ..LicenseWish::default() };
    assert!(matches!(desk.wish(&nobody), Err(AcquireError::NoKeyId)));
    desk.settings.account_token = std::sync::Arc::default();
    assert!(matches!(desk.wish(&LicenseWish::default()), Err(AcquireError::NothingAsked)));
}

#[test]
fn more_key_ids_than_one_request_carries_go_in_several() {
    let desk = Desk::certified();
    let kids: Vec<Kid> = (0..1030).map(kid).collect();
    kids.iter().for_each(|kid| drop(desk.service.offer(*kid)));
    assert_eq!(desk.acquire(&kids).unwrap().stored, 1030);
    let sizes: Vec<usize> = challenges(&desk).iter().map(|post| asked(post).len()).collect();
    assert_eq!(sizes, [1024, 6]);
    assert_eq!(desk.client.store.license_count().unwrap(), 1030);
}

#[test]
fn a_device_that_is_not_individualized_is_told_so_without_a_network() {
    let desk = Desk::new();
    let result = desk.acquire(&[kid(1)]);
    assert!(matches!(result, Err(AcquireError::Service(SessionError::NeedsIndividualization))), "{result:?}");
    assert_eq!(desk.events(), [Event::NeedsIndividualization]);
    assert_eq!(desk.service.contacts(), 0);
}

#[test]
fn a_certificate_that_ended_by_the_clock_of_the_service_is_renewed_in_passing() {
    let desk = Desk::certified();
    desk.service.offer(kid(1));
    desk.service.then(Step::Problem(ProblemKind::UnknownDevice));
    assert_eq!(desk.acquire(&[kid(1)]).unwrap().stored, 1);
    let paths: Vec<_> = desk.service.posts().into_iter().map(|post| post.path).collect();
    assert_eq!(paths, ["/v1/individualize", "/v1/licenses", "/v1/individualize", "/v1/licenses"]);
    assert!(desk.events().is_empty() && desk.pending() == 0);
}

#[test]
fn a_device_that_the_service_does_not_know_must_individualize() {
    let desk = Desk::certified();
    for problem in [ProblemKind::UnknownDevice, ProblemKind::BadRequest] {
        desk.service.then(Step::Problem(problem));
    }
    let result = desk.acquire(&[kid(1)]);
    assert!(matches!(result, Err(AcquireError::Service(SessionError::NeedsIndividualization))), "{result:?}");
    assert_eq!(desk.events(), [Event::NeedsIndividualization]);
    assert_eq!(desk.pending(), 0);
}

#[test]
fn what_is_refused_beside_is_told_and_a_whole_refusal_ends_the_transaction() {
    let desk = Desk::certified();
    desk.service.offer(kid(1));
    let acquired = desk.acquire(&[kid(1), kid(2)]).unwrap();
    assert_eq!(acquired.stored, 1);
    assert_eq!(acquired.refusals.iter().map(|refusal| refusal.kid).collect::<Vec<_>>(), [Some(kid(2))]);
    assert_eq!(reasons(desk.acquire(&[kid(2)])), [Reason::UnknownContent]);
    assert_eq!(desk.pending(), 0);
}

#[test]
fn an_answer_without_licenses_and_reasons_is_no_answer() {
    let desk = Desk::certified();
    for outcome in [Outcome::Refused, Outcome::Done] {
        desk.service.then_answer(|service, post| service.ends(post, Role::Issuer, outcome, Vec::new()));
        assert_eq!(bad_answer(desk.acquire(&[kid(1)])), AnswerFault::Undecided);
        assert_eq!(desk.pending(), 0);
    }
}

#[test]
fn a_license_that_nobody_asked_for_is_refused_with_all_beside_it() {
    let desk = Desk::certified();
    let policies = [desk.service.offer(kid(1)), desk.service.offer(kid(9))];
    desk.service.then_answer(move |service, post| service.granted(post, &policies, Vec::new(), Role::Issuer));
    assert_eq!(bad_answer(desk.acquire(&[kid(1)])), AnswerFault::UnaskedKid(kid(9)));
    assert_eq!((desk.client.store.license_count().unwrap(), desk.pending()), (0, 0));
    assert_eq!(desk.acquire(&[kid(1)]).unwrap().stored, 1);
}

#[test]
fn an_answer_to_another_request_or_of_another_role_is_not_believed() {
    let desk = Desk::certified();
    let policy = desk.service.offer(kid(1));
    let terms = policy.clone();
    desk.service.then_answer(move |service, post| {
        let other = Post { bytes: [post.bytes.as_slice(), b"x"].concat(), ..post.clone() };
        service.granted(&other, &[terms], Vec::new(), Role::Issuer)
    });
    assert_eq!(bad_answer(desk.acquire(&[kid(1)])), AnswerFault::OtherRequest);
    desk.service.then_answer(move |service, post| service.granted(post, &[policy], Vec::new(), Role::Management));
    assert_eq!(bad_answer(desk.acquire(&[kid(1)])), AnswerFault::Signer);
    desk.service.then_answer(|_, _| Vec::new());
    assert!(matches!(bad_answer(desk.acquire(&[kid(1)])), AnswerFault::Malformed(_)));
    assert_eq!((desk.client.store.license_count().unwrap(), desk.pending()), (0, 1));
}

#[test]
fn every_changed_byte_of_an_answer_makes_it_unacceptable() {
    let desk = Desk::certified();
    desk.service.offer(kid(1));
    desk.service.then(Step::Lose);
    desk.acquire(&[kid(1)]).unwrap_err();
    let post = challenges(&desk).remove(0);
    let length = desk.service.answer(&post).len();
    for place in (0..length).step_by(97) {
        desk.service.then_answer(move |service, post| {
            let mut bytes = service.answer(post);
            bytes[place] ^= 1;
            bytes
        });
        bad_answer(desk.acquire(&[kid(1)]));
    }
    assert_eq!((desk.client.store.license_count().unwrap(), desk.pending()), (0, 1));
}

#[test]
fn a_certificate_that_ended_is_renewed_in_passing() {
    let desk = Desk::certified();
    desk.service.offer(kid(1));
    desk.pass(364 * DAY + DAY / 2);
    assert_eq!(desk.acquire(&[kid(1)]).unwrap().stored, 1);
    let paths: Vec<_> = desk.service.posts().into_iter().map(|post| post.path).collect();
    assert_eq!(paths, ["/v1/individualize", "/v1/individualize", "/v1/licenses"]);
    assert!(desk.events().is_empty());
}

#[test]
fn a_renewal_that_fails_stops_only_a_certificate_that_has_ended() {
    let desk = Desk::certified();
    desk.service.offer(kid(1));
    desk.pass(364 * DAY + DAY / 2);
    desk.service.then(Step::Problem(ProblemKind::Unavailable));
    assert_eq!(desk.acquire(&[kid(1)]).unwrap().stored, 1);
    desk.pass(DAY);
    desk.service.then(Step::Problem(ProblemKind::Unavailable));
    let result = desk.acquire(&[kid(1)]);
    assert!(
        matches!(result, Err(AcquireError::Service(SessionError::Transport(TransportError::Unavailable(_))))),
        "{result:?}"
    );
}

#[test]
fn a_service_that_moved_is_found_through_its_new_document() {
    let desk = Desk::certified();
    desk.service.offer(kid(1));
    let moved = wmlicense_testkit::service::Service::start(&desk.world);
    moved.offer(kid(1));
    let document = desk.service.service_document(&moved.base, desk.service.now() + 1);
    *desk.service.document.lock().unwrap() = Some(document);
    desk.service.then(Step::Problem(ProblemKind::NotFound));
    assert_eq!(desk.acquire(&[kid(1)]).unwrap().stored, 1);
    assert_eq!(moved.posts().len(), 1);
}

#[test]
fn an_older_service_document_is_ignored() {
    let desk = Desk::certified();
    desk.service.offer(kid(1));
    let elsewhere = desk.service.service_document("http://127.0.0.1:9", wmlicense_testkit::NOW - 10);
    *desk.service.document.lock().unwrap() = Some(elsewhere);
    desk.clock.advance(4000);
    assert_eq!(desk.acquire(&[kid(1)]).unwrap().stored, 1);
    assert_eq!(desk.service.documents(), 2);
}
