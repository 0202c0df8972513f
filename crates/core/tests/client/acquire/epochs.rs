//! Epochs: the newest one goes into every request, and what was made before it moved is signed anew without anything being
//! asked for twice.

use super::challenges;
use wmlicense_core::acquire::interaction::{prepare, process};
use wmlicense_core::acquire::{AcquireError, LicenseWish};
use wmlicense_testkit::desk::Desk;
use wmlicense_testkit::kid;
use wmlicense_testkit::service::{Post, Step};
use wmlicense_wire::answer::{Answer, Outcome};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::Epoch;
use wmlicense_wire::problem::ProblemKind;

const OTHER: u64 = 9;

fn epoch(number: u8) -> Option<Epoch> {
    Some(Epoch::new([number; 16]))
}

/// A device that the service told epoch 1.
fn told() -> Desk {
    let desk = Desk::certified();
    desk.service.offer(kid(1));
    desk.service.offer(kid(OTHER));
    moves(&desk, 1);
    desk
}

/// The service tells another epoch with a license for something else.
fn moves(desk: &Desk, number: u8) {
    desk.pass(3600);
    *desk.service.epoch.lock().unwrap() = epoch(number);
    desk.acquire(&[kid(OTHER)]).unwrap();
}

fn wish() -> LicenseWish {
    LicenseWish { kids: vec![kid(1)], ..LicenseWish::default() }
}

/// Requests for key ID 1.
fn posts(desk: &Desk) -> Vec<Post> {
    challenges(desk).into_iter().filter(|post| super::asked(post) == [kid(1)]).collect()
}

#[test]
fn every_request_names_the_newest_epoch_of_its_service() {
    let desk = told();
    moves(&desk, 2);
    moves(&desk, 3);
    let named: Vec<_> = challenges(&desk).iter().map(|post| post.request.epoch).collect();
    assert_eq!(named, [None, epoch(1), epoch(2)]);
    let individualized = desk.service.posts().remove(0);
    assert_eq!(individualized.request.epoch, None);
}

#[test]
fn of_two_answers_out_of_order_the_later_made_one_counts() {
    let desk = told();
    let service = challenges(&desk)[0].request.audience;
    let store = &desk.client.store;
    store.note_epoch(service, Epoch::new([3; 16]), 2000 + desk.service.now()).unwrap();
    store.note_epoch(service, Epoch::new([2; 16]), 1000 + desk.service.now()).unwrap();
    assert_eq!(store.epoch(service).unwrap(), epoch(3));
}

#[test]
fn a_request_that_never_arrived_is_signed_anew_for_the_same_transaction() {
    let mut desk = told();
    desk.service.then(Step::Problem(ProblemKind::Unavailable));
    desk.acquire(&[kid(1)]).unwrap_err();
    moves(&desk, 2);
    desk.restart();
    assert_eq!(desk.acquire(&[kid(1)]).unwrap().stored, 1);
    let posts = posts(&desk);
    assert_eq!([posts[0].request.epoch, posts[1].request.epoch], [epoch(1), epoch(2)]);
    assert_eq!(posts[0].request.transaction, posts[1].request.transaction);
    assert_eq!((posts.len(), desk.pending()), (2, 0));
}

#[test]
fn a_request_whose_answer_was_lost_comes_with_its_first_bytes_where_the_service_knows_them() {
    let mut desk = told();
    desk.service.then(Step::Lose);
    desk.acquire(&[kid(1)]).unwrap_err();
    moves(&desk, 2);
    desk.restart();
    // Once more the answer does not arrive.
    desk.service.then(Step::Problem(ProblemKind::Unavailable));
    desk.acquire(&[kid(1)]).unwrap_err();
    desk.restart();
    assert_eq!(desk.acquire(&[kid(1)]).unwrap().stored, 1);
    let posts = posts(&desk);
    assert_eq!(posts.len(), 4);
    assert!(posts[1].bytes == posts[2].bytes && posts[3].bytes == posts[0].bytes);
    assert_eq!(desk.pending(), 0);
}

#[test]
fn a_request_that_waits_for_its_user_stays_as_it_is() {
    let desk = told();
    let url = "https://license.test/page".to_owned();
    desk.service
        .then_answer(move |service, post| service.ends(post, Role::Issuer, Outcome::Interaction { url }, Vec::new()));
    assert!(matches!(desk.acquire(&[kid(1)]), Err(AcquireError::InteractionRequired { .. })));
    moves(&desk, 2);
    desk.acquire(&[kid(1)]).unwrap();
    let posts = posts(&desk);
    assert!(posts.len() == 2 && posts[0].bytes == posts[1].bytes);
}

#[test]
fn a_page_names_the_epoch_of_the_answer_before_it() {
    let mut desk = Desk::certified();
    let policy = |number| desk.world.policy(kid(number));
    let (first, last) = (vec![policy(1)], vec![policy(2)]);
    desk.service.then_answer(move |service, post| {
        let change = |answer| Answer { next_cursor: Some(b"2".to_vec()), since: Some(7), epoch: epoch(1), ..answer };
        service.page(post, &first, change)
    });
    desk.service.then(Step::Problem(ProblemKind::Unavailable));
    desk.wish(&LicenseWish::default()).unwrap_err();
    assert_eq!(challenges(&desk)[1].request.epoch, epoch(1));
    desk.service.offer(kid(OTHER));
    moves(&desk, 2);
    desk.restart();
    desk.service
        .then_answer(move |service, post| service.page(post, &last, |answer| Answer { since: Some(8), ..answer }));
    assert_eq!(desk.wish(&LicenseWish::default()).unwrap().stored, 1);
    let posts = challenges(&desk);
    let last = posts.last().unwrap();
    assert_eq!((last.request.page, last.request.epoch, &last.request.cursor), (1, epoch(2), &Some(b"2".to_vec())));
}

#[test]
fn the_answer_to_a_challenge_that_was_carried_away_is_taken_after_the_epoch_moved() {
    for carried in [0, 1] {
        let desk = told();
        let challenge = || prepare(&desk.client, &desk.settings, &wish()).unwrap();
        let first = challenge();
        assert_eq!(first.request, challenge().request);
        moves(&desk, 2);
        let second = challenge();
        assert!(first.transaction == second.transaction && first.request != second.request);
        let bytes = [first, second][carried].request.clone();
        let answer = desk.service.answer_to(bytes);
        assert_eq!(
            process(&desk.client, &desk.settings, &wish(), &answer, &desk.context()).unwrap().stored,
            1,
            "{carried}"
        );
        assert_eq!(desk.pending(), 0);
    }
}
