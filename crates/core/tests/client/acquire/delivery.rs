//! Pre-delivery: pages that are stored one by one, runs that go on, what the service takes back, and services that cheat.

use super::{bad_answer, challenges};
use wmlicense_core::acquire::{AcquireError, LicenseWish};
use wmlicense_core::contact::{AnswerFault, SessionError};
use wmlicense_core::event::Event;
use wmlicense_testkit::desk::Desk;
use wmlicense_testkit::service::{Post, Step};
use wmlicense_testkit::{content_key, home, kid};
use wmlicense_wire::answer::{Answer, Outcome, Reason, Refusal};
use wmlicense_wire::id::Lid;
use wmlicense_wire::policy::Policy;
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::request::Body;

fn everything() -> LicenseWish {
    LicenseWish::default()
}

fn gold() -> LicenseWish {
    LicenseWish { scope: Some("gold".into()), ..LicenseWish::default() }
}

fn policies(desk: &Desk, numbers: std::ops::Range<u64>) -> Vec<Policy> {
    numbers.map(|number| desk.world.policy(kid(number))).collect()
}

/// The next page brings these licenses and announces another one.
fn then_page(desk: &Desk, policies: Vec<Policy>, cursor: &'static [u8]) {
    let more = |answer| Answer { next_cursor: Some(cursor.to_vec()), since: Some(77), ..answer };
    desk.service.then_answer(move |service, post| service.page(post, &policies, more));
}

/// The next page is the last one.
fn then_last(desk: &Desk, policies: Vec<Policy>, withdrawn: Vec<Lid>) {
    let last = |answer| Answer { withdrawn, since: Some(77), ..answer };
    desk.service.then_answer(move |service, post| service.page(post, &policies, last));
}

fn since(post: &Post) -> Option<i64> {
    let Body::Licenses { kids, since, .. } = &post.request.body else { panic!() };
    assert!(kids.is_empty());
    *since
}

#[test]
fn a_run_that_broke_off_goes_on_at_its_page_and_the_next_one_asks_for_what_changed() {
    let mut desk = Desk::certified();
    then_page(&desk, policies(&desk, 0..3), b"first");
    desk.service.then(Step::Problem(ProblemKind::Unavailable));
    assert!(matches!(desk.wish(&everything()), Err(AcquireError::Service(SessionError::Transport(_)))));
    assert_eq!((desk.client.store.license_count().unwrap(), desk.pending()), (3, 1));
    desk.restart();
    then_page(&desk, policies(&desk, 3..5), b"second");
    then_last(&desk, policies(&desk, 5..6), Vec::new());
    let acquired = desk.wish(&everything()).unwrap();
    assert_eq!((acquired.stored, desk.pending()), (3, 0));
    assert!((0..6).all(|number| desk.key(kid(number)).unwrap() == content_key(kid(number))));
    let posts = challenges(&desk);
    let pages: Vec<_> = posts.iter().map(|post| (post.request.page, post.request.cursor.clone())).collect();
    let cursor = |text: &[u8]| Some(text.to_vec());
    assert_eq!(pages, [(0, None), (1, cursor(b"first")), (1, cursor(b"first")), (2, cursor(b"second"))]);
    assert_eq!(posts[1].bytes, posts[2].bytes);
    assert!(posts.iter().all(|post| post.request.transaction == acquired.transaction));
    assert!(desk.events().iter().any(|event| matches!(event, Event::Progress(progress) if progress.done == 3)));
    // Nothing new is no failure, and the scopes have their own marks.
    then_last(&desk, Vec::new(), Vec::new());
    assert_eq!(desk.wish(&everything()).unwrap().stored, 0);
    then_last(&desk, Vec::new(), Vec::new());
    assert_eq!(desk.wish(&gold()).unwrap().stored, 0);
    let asked: Vec<_> = challenges(&desk).iter().map(since).collect();
    assert_eq!(asked, [None, None, None, None, Some(77), None]);
}

#[test]
fn another_account_is_delivered_from_the_beginning() {
    let mut desk = Desk::certified();
    then_last(&desk, policies(&desk, 0..1), Vec::new());
    desk.wish(&everything()).unwrap();
    desk.settings.account_token =
        std::sync::Arc::new(wmlicense_core::transport::AccountToken::new("another".to_owned()));
    then_last(&desk, Vec::new(), Vec::new());
    desk.wish(&everything()).unwrap();
    assert_eq!(challenges(&desk).iter().map(since).collect::<Vec<_>>(), [None, None]);
}

#[test]
fn what_the_service_takes_back_goes_and_does_not_return() {
    let desk = Desk::certified();
    let all = policies(&desk, 0..3);
    let (gone, foreign) = (all[1].lid, all[2].lid);
    then_last(&desk, all.clone(), Vec::new());
    desk.wish(&everything()).unwrap();
    then_last(&desk, Vec::new(), vec![gone]);
    assert_eq!(desk.wish(&everything()).unwrap().stored, 0);
    assert!(desk.key(kid(1)).is_none() && desk.key(kid(0)).is_some());
    then_last(&desk, all, Vec::new());
    assert_eq!(desk.wish(&everything()).unwrap().stored, 2);
    assert!(desk.key(kid(1)).is_none());
    assert!(desk.client.store.licenses(kid(2)).unwrap().iter().any(|license| license.policy.lid == foreign));
    desk.client.store.check_integrity().unwrap();
}

#[test]
fn a_refusal_takes_along_what_the_service_takes_back() {
    let mut desk = Desk::certified();
    let all = policies(&desk, 0..3);
    let (gone, by_name) = (all[0].lid, all[1].lid);
    let kept = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let refuse = |desk: &Desk, withdrawn: Vec<Lid>, outcome: Outcome| {
        let keep = std::sync::Arc::clone(&kept);
        desk.service.then_answer(move |service, post| {
            let reason = Reason::NotEntitled;
            let refusals = vec![Refusal { subject: None, kid: None, reason, url: None, again: None }];
            let refused = |answer| Answer { withdrawn, outcome, refusals, since: Some(99), ..answer };
            let bytes = service.page(post, &[], refused);
            keep.lock().unwrap().clone_from(&bytes);
            bytes
        });
    };
    then_last(&desk, all, Vec::new());
    desk.wish(&gold()).unwrap();
    refuse(&desk, vec![gone], Outcome::Refused);
    let Err(AcquireError::Refused { refusals, .. }) = desk.wish(&gold()) else { panic!("granted") };
    assert_eq!((refusals[0].reason, desk.pending()), (Reason::NotEntitled, 0));
    assert!(desk.key(kid(0)).is_none() && desk.key(kid(1)).is_some());
    // By key ID as well, and where the answer says that all is decided.
    refuse(&desk, vec![by_name], Outcome::Done);
    assert!(matches!(desk.acquire(&[kid(1)]), Err(AcquireError::Refused { .. })));
    assert!(desk.key(kid(1)).is_none() && desk.key(kid(2)).is_some());
    // The mark of the run that was refused is known, and what went does not come back.
    desk.restart();
    let again = policies(&desk, 0..1).into_iter().map(|policy| Policy { lid: gone, ..policy }).collect();
    then_last(&desk, again, Vec::new());
    assert_eq!(desk.wish(&gold()).unwrap().stored, 0);
    let posts = challenges(&desk);
    let deliveries =
        posts.iter().filter(|post| matches!(&post.request.body, Body::Licenses { kids, .. } if kids.is_empty()));
    assert_eq!(deliveries.map(since).collect::<Vec<_>>(), [None, Some(77), Some(99)]);
    // An earlier refusal that somebody plays again takes nothing.
    let replayed = kept.lock().unwrap().clone();
    desk.service.then_answer(move |_, _| replayed);
    assert_eq!(bad_answer(desk.acquire(&[kid(2)])), AnswerFault::OtherRequest);
    assert!(desk.key(kid(2)).is_some());
    desk.client.store.check_integrity().unwrap();
}

#[test]
fn a_service_that_cheats_with_pages_leaves_the_store_as_it_was() {
    let desk = Desk::certified();
    // A page that brings nothing and does not end.
    then_page(&desk, Vec::new(), b"again");
    assert_eq!(bad_answer(desk.wish(&everything())), AnswerFault::Pages);
    // The same license twice.
    let one = desk.world.policy(kid(1));
    then_last(&desk, vec![one.clone(), one.clone()], Vec::new());
    assert_eq!(bad_answer(desk.wish(&everything())), AnswerFault::Twice(one.lid));
    // Pages of a request that names its key IDs.
    then_page(&desk, vec![one], b"more");
    assert_eq!(bad_answer(desk.acquire(&[kid(1)])), AnswerFault::Pages);
    assert_eq!((desk.client.store.license_count().unwrap(), desk.pending()), (0, 0));
}

#[test]
fn an_answer_to_an_earlier_page_is_none_to_a_later_one() {
    let desk = Desk::certified();
    let first = policies(&desk, 0..2);
    let kept = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let keep = std::sync::Arc::clone(&kept);
    desk.service.then_answer(move |service, post| {
        let more = |answer| Answer { next_cursor: Some(vec![1]), ..answer };
        let bytes = service.page(post, &first, more);
        keep.lock().unwrap().clone_from(&bytes);
        bytes
    });
    desk.service.then_answer(move |_, _| kept.lock().unwrap().clone());
    assert_eq!(bad_answer(desk.wish(&everything())), AnswerFault::OtherRequest);
    assert_eq!((desk.client.store.license_count().unwrap(), desk.pending()), (2, 1));
    then_last(&desk, policies(&desk, 2..3), Vec::new());
    desk.wish(&everything()).unwrap();
    assert_eq!(desk.client.store.license_count().unwrap(), 3);
}

#[test]
fn two_that_deliver_at_once_share_one_run() {
    let desk = Desk::certified();
    let other = home::open(&desk.world, desk.folder.path(), &desk.clock).unwrap();
    let client = std::sync::Arc::clone(&other);
    let (settings, first) = (desk.settings.clone(), policies(&desk, 0..2));
    let (second, third) = (policies(&desk, 2..3), policies(&desk, 3..4));
    // While the first page is on its way, another process takes the whole run.
    desk.service.then_answer(move |service, post| {
        let more = |answer| Answer { next_cursor: Some(vec![1]), since: Some(5), ..answer };
        let bytes = service.page(post, &first, more);
        let page = bytes.clone();
        service.steps.lock().unwrap().push_front(Step::Answer(Box::new(move |_, _| page)));
        let step = Step::Answer(Box::new(move |service, post| service.page(post, &second, |answer| answer)));
        service.steps.lock().unwrap().push_back(step);
        let context = wmlicense_core::operation::Context::inline(None, |_| wmlicense_core::event::Flow::Continue);
        wmlicense_core::acquire::acquire(&client, &settings, &everything(), &context).unwrap();
        bytes
    });
    assert_eq!(desk.wish(&everything()).unwrap().stored, 2);
    assert_eq!((other.store.license_count().unwrap(), desk.pending()), (3, 0));
    then_last(&desk, third, Vec::new());
    desk.wish(&everything()).unwrap();
}
