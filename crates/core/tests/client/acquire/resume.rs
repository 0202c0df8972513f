//! What stays pending, what is taken up again, and what several threads and processes make of it.

use super::challenges;
use std::sync::Arc;
use wmlicense_core::acquire::{AcquireError, LicenseWish, acquire};
use wmlicense_core::contact::SessionError;
use wmlicense_core::store::StoreError;
use wmlicense_core::transport::TransportError;
use wmlicense_testkit::desk::Desk;
use wmlicense_testkit::service::Step;
use wmlicense_testkit::{NOW, content_key, home, kid};
use wmlicense_wire::answer::Outcome;
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::TransactionId;
use wmlicense_wire::problem::ProblemKind;

#[test]
fn a_lost_answer_is_asked_for_again_with_the_same_bytes_after_a_restart() {
    let mut desk = Desk::certified();
    desk.service.offer(kid(1));
    desk.service.then(Step::Lose);
    let lost = desk.acquire(&[kid(1)]);
    assert!(matches!(lost, Err(AcquireError::Service(SessionError::Transport(TransportError::Broken(_))))), "{lost:?}");
    assert_eq!((desk.pending(), desk.key(kid(1))), (1, None));
    desk.restart();
    assert_eq!(desk.acquire(&[kid(1)]).unwrap().stored, 1);
    let posts = challenges(&desk);
    assert!(posts.len() == 2 && posts[0].bytes == posts[1].bytes);
    assert_eq!(desk.pending(), 0);
}

#[test]
fn another_wish_does_not_take_up_a_pending_transaction() {
    let desk = Desk::certified();
    desk.service.offer(kid(1));
    desk.service.then(Step::Lose);
    desk.acquire(&[kid(1)]).unwrap_err();
    let wish = LicenseWish { kids: vec![kid(1)], actions: vec!["Copy".into()], ..LicenseWish::default() };
    desk.wish(&wish).unwrap();
    let posts = challenges(&desk);
    assert!(posts[0].request.transaction != posts[1].request.transaction);
    assert_eq!(desk.pending(), 1);
}

#[test]
fn a_transaction_is_taken_up_by_its_id_once() {
    let mut desk = Desk::certified();
    desk.service.offer(kid(1));
    desk.service.then(Step::Lose);
    desk.acquire(&[kid(1)]).unwrap_err();
    let id = challenges(&desk)[0].request.transaction;
    desk.restart();
    let resume = |id| LicenseWish { resume: Some(id), ..LicenseWish::default() };
    assert_eq!(desk.wish(&resume(id)).unwrap().transaction, id);
    assert_eq!(desk.key(kid(1)).unwrap(), content_key(kid(1)));
    for id in [id, TransactionId::random().unwrap()] {
        let result = desk.wish(&resume(id));
        assert!(
            matches!(result, Err(AcquireError::Service(SessionError::Store(StoreError::NoTransaction)))),
            "{result:?}"
        );
        let again = LicenseWish { kids: vec![kid(1)], ..resume(id) };
        assert_ne!(desk.wish(&again).unwrap().transaction, id);
    }
}

#[test]
fn a_transaction_that_the_service_ended_is_replaced_by_a_fresh_request() {
    for problem in [ProblemKind::Conflict, ProblemKind::Gone, ProblemKind::BadRequest] {
        let desk = Desk::certified();
        desk.service.offer(kid(1));
        desk.service.then(Step::Lose);
        desk.acquire(&[kid(1)]).unwrap_err();
        desk.service.then(Step::Problem(problem));
        assert_eq!(desk.acquire(&[kid(1)]).unwrap().stored, 1);
        assert_eq!((challenges(&desk).len(), desk.pending()), (3, 0));
    }
}

#[test]
fn a_problem_that_time_or_a_token_mends_leaves_the_transaction_pending() {
    let desk = Desk::certified();
    desk.service.offer(kid(1));
    for problem in
        [ProblemKind::Unavailable, ProblemKind::RateLimited, ProblemKind::Unauthorized, ProblemKind::Internal]
    {
        desk.service.then(Step::Problem(problem));
        let result = desk.acquire(&[kid(1)]);
        assert!(matches!(result, Err(AcquireError::Service(SessionError::Transport(_)))), "{result:?}");
        assert_eq!(desk.pending(), 1);
    }
    desk.acquire(&[kid(1)]).unwrap();
    let posts = challenges(&desk);
    assert!(posts.iter().all(|post| post.bytes == posts[0].bytes));
}

#[test]
fn the_user_or_patience_being_asked_for_keeps_the_same_request() {
    let desk = Desk::certified();
    desk.service.offer(kid(1));
    let page = "https://license.test/page".to_owned();
    let url = page.clone();
    desk.service
        .then_answer(move |service, post| service.ends(post, Role::Issuer, Outcome::Interaction { url }, Vec::new()));
    let result = desk.acquire(&[kid(1)]);
    assert!(matches!(&result, Err(AcquireError::InteractionRequired { url, .. }) if *url == page), "{result:?}");
    // The operation would be over by then.
    let (from, until) = (NOW + 3600, NOW + 7200);
    desk.service
        .then_answer(move |service, post| service.ends(post, Role::Issuer, Outcome::Later { from, until }, Vec::new()));
    let result = desk.acquire(&[kid(1)]);
    assert!(matches!(result, Err(AcquireError::Later { .. })), "{result:?}");
    assert_eq!(desk.pending(), 1);
    // So much patience it has.
    desk.service.then_answer(|service, post| {
        service.ends(post, Role::Issuer, Outcome::Later { from: NOW, until: NOW }, Vec::new())
    });
    desk.acquire(&[kid(1)]).unwrap();
    let posts = challenges(&desk);
    assert!(posts.len() == 4 && posts.iter().all(|post| post.bytes == posts[0].bytes));
}

#[test]
fn cancel_leaves_the_transaction_pending_and_the_store_as_it_was() {
    let desk = Desk::certified();
    desk.service.offer(kid(1));
    let context = desk.context();
    let canceller = context.canceller();
    let (done, over) = std::sync::mpsc::channel::<()>();
    desk.service.then_answer(move |service, post| {
        canceller.cancel();
        over.recv().unwrap_err();
        service.answer(post)
    });
    let wish = LicenseWish { kids: vec![kid(1)], ..LicenseWish::default() };
    let result = acquire(&desk.client, &desk.settings, &wish, &context);
    drop(done);
    assert!(matches!(result, Err(AcquireError::Service(SessionError::Cancelled))), "{result:?}");
    assert_eq!((desk.pending(), desk.key(kid(1))), (1, None));
    assert_eq!(desk.acquire(&[kid(1)]).unwrap().stored, 1);
}

#[test]
fn one_wish_of_several_threads_is_stored_once_and_all_succeed() {
    let desk = Arc::new(Desk::certified());
    desk.service.offer(kid(1));
    desk.service.then(Step::Lose);
    desk.acquire(&[kid(1)]).unwrap_err();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let desk = Arc::clone(&desk);
            std::thread::spawn(move || desk.acquire(&[kid(1)]).unwrap().stored)
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap() == 1));
    assert_eq!((desk.client.store.license_count().unwrap(), desk.pending()), (1, 0));
}

#[test]
fn many_acquisitions_of_two_clients_over_one_folder_run_side_by_side() {
    const EACH: u64 = 8;
    let desk = Desk::certified();
    let other = home::open(&desk.world, desk.folder.path(), &desk.clock).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..6_u64 {
            let (desk, client) = (&desk, if thread % 2 == 0 { &desk.client } else { &other });
            scope.spawn(move || {
                for number in 0..EACH {
                    let kid = kid(thread * EACH + number);
                    desk.service.offer(kid);
                    let wish = LicenseWish { kids: vec![kid], ..LicenseWish::default() };
                    assert_eq!(acquire(client, &desk.settings, &wish, &desk.context()).unwrap().stored, 1);
                }
            });
        }
    });
    assert_eq!((other.store.license_count().unwrap(), desk.pending()), (6 * EACH, 0));
    desk.client.store.check_integrity().unwrap();
    assert!((0..6 * EACH).all(|number| desk.key(kid(number)).unwrap() == content_key(kid(number))));
}
