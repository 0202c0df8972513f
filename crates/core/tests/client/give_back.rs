//! Deleting for good: at once and offline here, later at the service, and never back from a backup.

use wmlicense_core::acquire::{AcquireError, LicenseWish};
use wmlicense_core::give_back::delete;
use wmlicense_core::store::{Recipe, StoreError};
use wmlicense_testkit::desk::Desk;
use wmlicense_testkit::service::{Post, Step};
use wmlicense_testkit::{content_key, kid};
use wmlicense_wire::answer::{Outcome, Reason};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Kid, Lid};
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::request::Body;

fn holding(numbers: impl Iterator<Item = u64>) -> Desk {
    let desk = Desk::certified();
    let kids: Vec<Kid> = numbers.map(kid).collect();
    kids.iter().for_each(|kid| drop(desk.service.offer(*kid)));
    desk.acquire(&kids).unwrap();
    desk
}

fn given_back(post: &Post) -> Vec<Lid> {
    let Body::Returns { licenses } = &post.request.body else { panic!("{}", post.path) };
    licenses.iter().map(|(lid, _)| *lid).collect()
}

fn returns(desk: &Desk) -> Vec<Post> {
    desk.service.posts().into_iter().filter(|post| post.path == "/v1/returns").collect()
}

fn lid(desk: &Desk, kid: Kid) -> Lid {
    desk.service.catalogue.lock().unwrap()[&kid].lid
}

fn delete_all(desk: &Desk, numbers: impl Iterator<Item = u64>) {
    for number in numbers {
        assert_eq!(delete(&desk.client, &desk.settings, kid(number)).unwrap(), 1);
    }
}

#[test]
fn a_license_keeps_what_it_was_asked_for_with() {
    let desk = Desk::certified();
    desk.service.offer(kid(1));
    let custom_data = Some(b"for the owner".to_vec());
    let actions = vec!["Play".to_owned(), "Copy".to_owned()];
    desk.wish(&LicenseWish {
        kids: vec![kid(1)],
        custom_data: custom_data.clone(),
        actions: actions.clone(),
        ..LicenseWish::default()
    })
    .unwrap();
    let recipe = desk.client.store.recipe(lid(&desk, kid(1))).unwrap();
    assert_eq!(
        recipe,
        Some(Recipe { url: desk.service.base.clone(), scope: None, actions, header: None, custom: custom_data })
    );
    assert_eq!(desk.client.store.recipe(Lid::new([9; 16])).unwrap(), None);
}

#[test]
fn deleting_needs_no_network_and_is_told_at_the_next_contact() {
    let desk = holding(1..4);
    let contacts = desk.service.contacts();
    delete_all(&desk, 1..3);
    assert_eq!(delete(&desk.client, &desk.settings, kid(1)).unwrap(), 0);
    assert_eq!((desk.service.contacts(), desk.pending()), (contacts, 1));
    assert_eq!((desk.key(kid(1)), desk.key(kid(3)).is_some()), (None, true));
    desk.acquire(&[kid(3)]).unwrap();
    let sent = returns(&desk);
    // What was deleted before anything was sent goes in one request.
    assert_eq!(sent.len(), 1);
    assert_eq!(given_back(&sent[0]), [lid(&desk, kid(1)), lid(&desk, kid(2))]);
    assert_eq!((desk.pending(), sent[0].token.as_deref()), (0, None));
    desk.acquire(&[kid(3)]).unwrap();
    assert_eq!(returns(&desk).len(), 1);
}

#[test]
fn what_is_given_back_waits_longer_than_other_requests_do() {
    let mut desk = holding(1..3);
    delete_all(&desk, 1..2);
    desk.pass(300 * 86_400);
    desk.restart();
    assert_eq!(desk.pending(), 1);
    desk.acquire(&[kid(2)]).unwrap();
    assert_eq!((returns(&desk).len(), desk.pending()), (1, 0));
}

#[test]
fn a_return_that_was_lost_is_sent_again_byte_for_byte_and_takes_nothing_in() {
    let desk = holding(1..4);
    delete_all(&desk, 1..2);
    desk.service.then(Step::Lose);
    desk.acquire(&[kid(3)]).unwrap();
    assert_eq!(desk.pending(), 1);
    desk.pass(1);
    delete_all(&desk, 2..3);
    assert_eq!(desk.pending(), 2);
    desk.acquire(&[kid(3)]).unwrap();
    let sent = returns(&desk);
    assert_eq!((sent.len(), desk.pending()), (3, 0));
    assert!(sent[0].bytes == sent[1].bytes);
    assert_eq!(given_back(&sent[2]), [lid(&desk, kid(2))]);
}

#[test]
fn a_return_whose_certificate_ended_is_signed_with_the_current_one() {
    let desk = holding(1..3);
    delete_all(&desk, 1..2);
    desk.pass(340 * 86_400);
    desk.individualize(false).unwrap();
    desk.service.then(Step::Problem(ProblemKind::UnknownDevice));
    desk.acquire(&[kid(2)]).unwrap();
    let sent = returns(&desk);
    assert_eq!((sent.len(), desk.pending()), (2, 0));
    assert_ne!(sent[0].request.transaction, sent[1].request.transaction);
    let current = desk.client.store.device_certificate(desk.world.pin()).unwrap().unwrap();
    assert_eq!(sent[1].request.device_certificate, Some(current.bytes));
    assert_eq!(given_back(&sent[0]), given_back(&sent[1]));
}

#[test]
fn a_return_that_is_refused_or_answered_by_a_stranger_does_not_stop_an_acquisition() {
    for problem in [ProblemKind::NotFound, ProblemKind::Unavailable, ProblemKind::Conflict] {
        let desk = holding(1..3);
        delete_all(&desk, 1..2);
        desk.service.then(Step::Problem(problem));
        assert_eq!(desk.acquire(&[kid(2)]).unwrap().stored, 1);
        // A conflict says that the service has decided already.
        assert_eq!(desk.pending(), u64::from(problem != ProblemKind::Conflict));
    }
    let desk = holding(1..3);
    delete_all(&desk, 1..2);
    desk.service.then_answer(|service, post| service.ends(post, Role::Management, Outcome::Done, Vec::new()));
    desk.acquire(&[kid(2)]).unwrap();
    assert_eq!(desk.pending(), 1);
}

#[test]
fn a_license_that_was_deleted_for_good_comes_back_only_as_another_one() {
    let desk = holding(1..2);
    delete_all(&desk, 1..2);
    let result = desk.acquire(&[kid(1)]);
    let Err(AcquireError::Refused { refusals, .. }) = result else { panic!("{result:?}") };
    assert_eq!(refusals[0].reason, Reason::Revoked);
    desk.service.offer(kid(1));
    desk.acquire(&[kid(1)]).unwrap();
    assert_eq!(desk.key(kid(1)).unwrap(), content_key(kid(1)));
}

#[test]
fn a_title_of_the_application_stays_when_the_license_goes() {
    let desk = holding(1..2);
    let store = &desk.client.store;
    store.set_title(kid(1), "Mine").unwrap();
    delete_all(&desk, 1..2);
    assert_eq!(store.title(kid(1)).unwrap().as_deref(), Some("Mine"));
    store.set_title(kid(1), "").unwrap();
    assert_eq!(store.title(kid(1)).unwrap(), None);
}

#[test]
fn a_return_that_cannot_be_prepared_deletes_nothing() {
    let desk = holding(1..2);
    let store = &desk.client.store;
    let result: Result<u64, StoreError> = store.give_back(kid(1), &mut |_, _, _| Err(StoreError::Full));
    assert!(matches!(result, Err(StoreError::Full)));
    assert_eq!((desk.pending(), desk.key(kid(1))), (0, Some(content_key(kid(1)).to_vec())));
    store.check_integrity().unwrap();
    delete_all(&desk, 1..2);
    store.check_integrity().unwrap();
}
