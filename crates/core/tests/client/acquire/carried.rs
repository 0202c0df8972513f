//! Challenges that an application carries itself: when a pre-delivery is complete, for whom it was decided, and requests that
//! are given up.

use super::challenges;
use std::sync::Arc;
use wmlicense_core::acquire::interaction::{abandon, prepare, process};
use wmlicense_core::acquire::{AcquireError, Acquired, Brought, LicenseWish, Stage};
use wmlicense_core::client::{Client, OpenSettings};
use wmlicense_core::clock::SharedClock;
use wmlicense_core::contact::SessionError;
use wmlicense_core::event::Event;
use wmlicense_core::revoke::{self, RevokeError};
use wmlicense_core::store::StoreError;
use wmlicense_core::transport::AccountToken;
use wmlicense_testkit::desk::Desk;
use wmlicense_testkit::service::Post;
use wmlicense_testkit::{ManualClock, kid};
use wmlicense_wire::answer::Answer;
use wmlicense_wire::id::Digest;
use wmlicense_wire::request::{Body, MAX_LEN, Request};

fn everything() -> LicenseWish {
    LicenseWish::default()
}

/// Carries one challenge to a service that answers with these licenses, changed as `change` says, and its answer back. Gives
/// since when the challenge asked as well.
fn carry(
    desk: &Desk,
    numbers: std::ops::Range<u64>,
    change: impl FnOnce(Answer) -> Answer,
) -> (Option<i64>, Result<Acquired, AcquireError>) {
    let bytes = prepare(&desk.client, &desk.settings, &everything()).unwrap().request;
    let request = Request::decode_unverified(&Request::parse(&bytes, MAX_LEN).unwrap()).unwrap();
    let post = Post { path: String::new(), bytes, request, token: None };
    let policies: Vec<_> = numbers.map(|number| desk.world.policy(kid(number))).collect();
    let answer = desk.service.page(&post, &policies, change);
    (since(&post), process(&desk.client, &desk.settings, &everything(), &answer, &desk.context()))
}

fn since(post: &Post) -> Option<i64> {
    let Body::Licenses { since, .. } = &post.request.body else { panic!() };
    *since
}

fn presented(desk: &Desk) -> bool {
    !desk.events().contains(&Event::AccountNotPresented)
}

#[test]
fn pages_that_are_carried_say_that_more_wait_and_the_last_one_that_it_is_the_last() {
    let desk = Desk::certified();
    let more = |answer| Answer { next_cursor: Some(b"1".to_vec()), since: Some(7), ..answer };
    let end = |answer| Answer { since: Some(7), ..answer };
    let first = carry(&desk, 0..2, more).1.unwrap();
    assert_eq!((first.stage, first.stored, desk.pending()), (Stage::MorePages, 2, 1));
    assert_eq!(first.brought(), Brought::MoreToFetch);
    let last = carry(&desk, 0..0, end).1.unwrap();
    assert_eq!((last.stage, last.stored, last.transaction), (Stage::Over, 0, first.transaction));
    assert_eq!(
        (Acquired { before: first.stored, ..last.clone() }.brought(), last.brought()),
        (Brought::Licenses, Brought::Nothing)
    );
    assert_eq!(desk.pending(), 0);
    let (since, again) = carry(&desk, 0..0, end);
    assert_eq!((since, again.unwrap().brought()), (Some(7), Brought::Nothing));
}

#[test]
fn what_was_decided_for_nobody_does_not_count_as_delivered_to_the_account() {
    for (account, told, next) in [(Some(false), true, None), (Some(true), false, Some(7)), (None, false, Some(7))] {
        let desk = Desk::certified();
        let brought = carry(&desk, 0..1, |answer| Answer { account, since: Some(7), ..answer }).1;
        assert_eq!((brought.unwrap().stored, presented(&desk)), (1, !told), "{account:?}");
        let (since, _) = carry(&desk, 0..0, |answer| Answer { account: Some(true), since: Some(8), ..answer });
        assert_eq!(since, next, "{account:?}");
    }
}

#[test]
fn without_an_account_nothing_is_missed() {
    let mut desk = Desk::certified();
    desk.settings.account_token = Arc::new(AccountToken::default());
    let gold = LicenseWish { scope: Some("gold".into()), ..LicenseWish::default() };
    for expected in [None, Some(7)] {
        let policy = desk.world.policy(kid(1));
        let nobody = |answer| Answer { account: Some(false), since: Some(7), ..answer };
        desk.service.then_answer(move |service, post| service.page(post, &[policy], nobody));
        desk.wish(&gold).unwrap();
        assert_eq!((since(&challenges(&desk).pop().unwrap()), presented(&desk)), (expected, true));
    }
}

#[test]
fn an_answer_to_a_request_that_was_abandoned_meanwhile_is_not_taken() {
    let desk = Desk::certified();
    let (client, settings, policy) = (Arc::clone(&desk.client), desk.settings.clone(), desk.world.policy(kid(1)));
    let wish = LicenseWish { kids: vec![kid(1)], ..LicenseWish::default() };
    let same = wish.clone();
    desk.service.then_answer(move |service, post| {
        abandon(&client, &settings, &same).unwrap();
        service.page(post, &[policy], |answer| answer)
    });
    assert!(matches!(desk.wish(&wish), Err(AcquireError::Over)));
    assert_eq!((desk.client.store.license_count().unwrap(), desk.pending()), (0, 0));
    let again = abandon(&desk.client, &desk.settings, &wish);
    assert!(matches!(again, Err(AcquireError::Service(SessionError::Store(StoreError::NoTransaction)))), "{again:?}");
}

#[test]
fn before_the_first_contact_the_challenge_says_what_helps() {
    let mut desk = Desk::new();
    let wish = LicenseWish { kids: vec![kid(1)], ..LicenseWish::default() };
    let nothing = prepare(&desk.client, &desk.settings, &wish);
    assert!(matches!(nothing, Err(AcquireError::Service(SessionError::NeedsIndividualization))), "{nothing:?}");
    desk.individualize(false).unwrap();
    desk.settings.service_url = Some("https://elsewhere.example".to_owned());
    let stranger = prepare(&desk.client, &desk.settings, &wish);
    assert!(matches!(stranger, Err(AcquireError::Service(SessionError::UnknownService))), "{stranger:?}");
    let nothing = abandon(&desk.client, &desk.settings, &wish);
    assert!(
        matches!(nothing, Err(AcquireError::Service(SessionError::Store(StoreError::NoTransaction)))),
        "{nothing:?}"
    );
}

#[test]
fn a_challenge_for_revocations_says_what_helps_too() {
    let (mut desk, folder) = (Desk::new(), tempfile::tempdir().unwrap());
    let authorities = vec![desk.world.pin(), Digest::of(b"another")];
    let several = OpenSettings { store_path: folder.path().to_path_buf(), authorities };
    let clock: SharedClock = Arc::<ManualClock>::clone(&desk.clock);
    let client = Client::open(&several, clock).unwrap();
    let unknown = revoke::challenge(&client, &desk.settings, b"");
    assert!(matches!(unknown, Err(RevokeError::Service(SessionError::UnknownService))), "{unknown:?}");
    desk.settings.service_url = None;
    let unset = revoke::challenge(&client, &desk.settings, b"");
    assert!(matches!(unset, Err(RevokeError::Service(SessionError::NoService))), "{unset:?}");
}
