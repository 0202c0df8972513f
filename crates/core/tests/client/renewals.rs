//! Renewals without content: who is asked for what, what counts on, and what a hostile service cannot bring.

use std::sync::{Arc, Mutex};
use std::time::Instant;
use wmlicense_core::acquire::interaction::prepare;
use wmlicense_core::acquire::{AcquireError, LicenseWish};
use wmlicense_core::contact::{AnswerFault, SessionError};
use wmlicense_core::event::{Event, Flow, LeftOut, Progress};
use wmlicense_core::give_back::delete;
use wmlicense_core::operation::{Context, Observer, Operation};
use wmlicense_core::renew::{RenewError, RenewalWish, Renewed, renew};
use wmlicense_testkit::desk::Desk;
use wmlicense_testkit::service::{Post, Step};
use wmlicense_testkit::{NOW, content_key, kid};
use wmlicense_wire::answer::{Answer, Outcome, Reason, Refusal};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Kid, Lid};
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::policy::{Conditions, Policy};
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::request::{Body, MAX_LEN, Request};

const DAY: i64 = 86_400;

fn offer(desk: &Desk, number: u64, conditions: Conditions) -> Policy {
    let policy = desk.world.policy_with(kid(number), conditions);
    desk.service.catalogue.lock().unwrap().insert(kid(number), policy.clone());
    policy
}

fn until(time: i64) -> Conditions {
    Conditions { not_after: Some(time), ..Conditions::default() }
}

/// Offers other terms in place of a license.
fn replace(desk: &Desk, old: &Policy, conditions: Conditions) -> Policy {
    let policy = Policy { replaces: Some(old.lid), ..desk.world.policy_with(old.kid, conditions) };
    desk.service.catalogue.lock().unwrap().insert(old.kid, policy.clone());
    policy
}

fn run(desk: &Desk, wish: &RenewalWish) -> Result<Renewed, RenewError> {
    renew(&desk.client, &desk.settings, wish, &desk.context())
}

fn within(days: u32) -> RenewalWish {
    RenewalWish { within_days: Some(days), ..RenewalWish::default() }
}

fn of(kids: &[Kid]) -> RenewalWish {
    RenewalWish { kids: kids.to_vec(), ..RenewalWish::default() }
}

fn renewals(desk: &Desk) -> Vec<Post> {
    desk.service.posts().into_iter().filter(|post| post.path == "/v1/renewals").collect()
}

fn asked(post: &Post) -> Vec<(Lid, State)> {
    let Body::Renewals { licenses, .. } = &post.request.body else { panic!("{}", post.path) };
    licenses.clone()
}

fn stored(desk: &Desk, number: u64) -> Vec<Policy> {
    desk.client.store.licenses(kid(number)).unwrap().into_iter().map(|license| license.policy).collect()
}

#[test]
fn what_ends_within_some_days_is_renewed_and_nothing_else() {
    let desk = Desk::certified();
    let soon = offer(&desk, 1, until(NOW + 5 * DAY));
    offer(&desk, 2, until(NOW + 50 * DAY));
    offer(&desk, 3, Conditions::default());
    desk.acquire(&[kid(1), kid(2), kid(3)]).unwrap();
    let later = replace(&desk, &soon, until(NOW + 100 * DAY));
    assert_eq!(run(&desk, &within(4)).unwrap(), Renewed::default());
    assert!(renewals(&desk).is_empty());
    let renewed = run(&desk, &within(5)).unwrap();
    assert_eq!((renewed.chosen, renewed.stored), (1, 1));
    assert_eq!(asked(&renewals(&desk)[0]), [(soon.lid, State::default())]);
    assert_eq!(stored(&desk, 1), [later]);
    assert_eq!(desk.key(kid(1)).unwrap(), content_key(kid(1)));
    assert_eq!(run(&desk, &within(5)).unwrap().chosen, 0);
}

#[test]
fn a_renewed_license_keeps_the_recipe_and_can_be_renewed_again() {
    let desk = Desk::certified();
    let first = offer(&desk, 1, until(NOW + DAY));
    let custom_data = Some(b"for the owner".to_vec());
    desk.wish(&LicenseWish { kids: vec![kid(1)], custom_data: custom_data.clone(), ..LicenseWish::default() }).unwrap();
    let second = replace(&desk, &first, until(NOW + 2 * DAY));
    run(&desk, &of(&[kid(1)])).unwrap();
    let recipe = desk.client.store.recipe(second.lid).unwrap().unwrap();
    assert_eq!((recipe.url, recipe.custom), (desk.service.base.clone(), custom_data.clone()));
    let third = replace(&desk, &second, until(NOW + 3 * DAY));
    run(&desk, &of(&[kid(1)])).unwrap();
    assert_eq!(stored(&desk, 1), [third]);
    for post in renewals(&desk) {
        let Body::Renewals { custom, .. } = &post.request.body else { panic!() };
        assert_eq!(*custom, custom_data);
        assert!(post.token.is_some());
    }
}

#[test]
fn licenses_of_a_scope_are_renewed_by_its_name() {
    let desk = Desk::certified();
    offer(&desk, 1, until(NOW + DAY));
    offer(&desk, 2, until(NOW + DAY));
    desk.service.then_answer(|service, post| {
        let policies: Vec<Policy> = service.catalogue.lock().unwrap().values().cloned().collect();
        service.granted(post, &policies, Vec::new(), Role::Issuer)
    });
    desk.wish(&LicenseWish { scope: Some("gold".into()), ..LicenseWish::default() }).unwrap();
    offer(&desk, 3, until(NOW + DAY));
    desk.acquire(&[kid(3)]).unwrap();
    let gold = RenewalWish { scope: Some("gold".into()), ..RenewalWish::default() };
    assert_eq!(run(&desk, &gold).unwrap().chosen, 2);
    let other = RenewalWish { scope: Some("silver".into()), ..RenewalWish::default() };
    assert_eq!(run(&desk, &other).unwrap().chosen, 0);
}

#[test]
fn a_renewal_tells_what_was_used_and_the_answer_bounds_what_is_left() {
    let desk = Desk::certified();
    let policy = offer(&desk, 1, Conditions { count: Some(5), ..Conditions::default() });
    desk.acquire(&[kid(1)]).unwrap();
    let counts = |left| State {
        actions: [("Play".to_owned(), ActionState { counts_left: Some(left), first_use: None })].into(),
    };
    let store = &desk.client.store;
    let mut use_two = |_: &Policy, _: &State| Ok::<_, wmlicense_core::store::StoreError>(counts(3));
    store.change_state(policy.lid, &mut use_two).unwrap();
    run(&desk, &of(&[kid(1)])).unwrap();
    assert_eq!(asked(&renewals(&desk)[0]), [(policy.lid, counts(3))]);
    assert_eq!(store.states(&[policy.lid]).unwrap(), [(policy.lid, counts(3))]);
    // An acquisition tells the same.
    desk.acquire(&[kid(1)]).unwrap();
    let last = desk.service.posts().pop().unwrap();
    let Body::Licenses { usage, .. } = &last.request.body else { panic!() };
    assert_eq!(*usage, [(policy.lid, counts(3))]);
}

fn usage(desk: &Desk) -> Vec<(Lid, State)> {
    let last = desk.service.posts().pop().unwrap();
    let Body::Licenses { usage, .. } = last.request.body else { panic!() };
    usage
}

#[test]
fn an_acquisition_tells_of_what_was_never_used_and_of_what_was_deleted() {
    let desk = Desk::certified();
    let policy = offer(&desk, 1, Conditions { count: Some(5), ..Conditions::default() });
    let other = offer(&desk, 2, Conditions { count: Some(7), ..Conditions::default() });
    offer(&desk, 3, Conditions::default());
    desk.acquire(&[kid(1), kid(2), kid(3)]).unwrap();
    let unused = |policy: &Policy| (policy.lid, State::initial(policy));
    desk.acquire(&[kid(1), kid(3)]).unwrap();
    assert_eq!(usage(&desk), [unused(&policy)]);
    assert_eq!(desk.client.store.delete(kid(1)).unwrap(), 1);
    desk.acquire(&[kid(1)]).unwrap();
    assert_eq!(usage(&desk), [unused(&policy)]);
    assert_eq!(desk.client.store.delete(kid(2)).unwrap(), 1);
    // Another key ID is nothing to this request.
    desk.acquire(&[kid(1)]).unwrap();
    assert_eq!(usage(&desk), [unused(&policy)], "once, although it was deleted before");
    desk.service.pages.lock().unwrap().push(Vec::new());
    desk.wish(&LicenseWish { scope: Some("gold".into()), ..LicenseWish::default() }).unwrap();
    assert_eq!(usage(&desk), [unused(&policy), unused(&other)]);
}

#[test]
fn a_request_that_has_no_room_for_all_states_is_split() {
    let desk = Desk::certified();
    let kids: Vec<Kid> = (1..=1000).map(kid).collect();
    let counted = Conditions { count: Some(u32::MAX), ..Conditions::default() };
    for number in 1..=1000 {
        offer(&desk, number, counted.clone());
    }
    desk.acquire(&kids).unwrap();
    let before = desk.service.posts().len();
    desk.acquire(&kids).unwrap();
    let told: Vec<usize> = desk.service.posts()[before..]
        .iter()
        .map(|post| {
            let Body::Licenses { usage, kids, .. } = &post.request.body else { panic!() };
            assert_eq!(usage.len(), kids.len());
            usage.len()
        })
        .collect();
    assert!(told.len() > 1 && told.iter().sum::<usize>() == 1000, "{told:?}");
}

#[test]
fn a_request_to_be_carried_that_has_no_room_for_all_states_is_refused_and_its_parts_are_not() {
    let desk = Desk::certified();
    let kids: Vec<Kid> = (1..=1000).map(kid).collect();
    let counted = Conditions { count: Some(u32::MAX), ..Conditions::default() };
    for number in 1..=1000 {
        offer(&desk, number, counted.clone());
    }
    desk.acquire(&kids).unwrap();
    let prepare = |kids: &[Kid]| {
        let wish = LicenseWish { kids: kids.to_vec(), ..LicenseWish::default() };
        prepare(&desk.client, &desk.settings, &wish)
    };
    assert!(matches!(prepare(&kids), Err(AcquireError::TooManyKeyIds)));
    for part in kids.chunks(250) {
        let challenge = prepare(part).unwrap();
        let document = Request::parse(&challenge.request, MAX_LEN).unwrap();
        let Body::Licenses { usage, .. } = Request::decode_unverified(&document).unwrap().body else { panic!() };
        assert_eq!(usage.len(), part.len());
    }
}

#[test]
fn refusals_name_the_content_and_what_stays_due() {
    let desk = Desk::certified();
    let renew_after = Some((NOW - 1, "https://owner.test/renew".to_owned()));
    offer(&desk, 1, Conditions { renew_after, ..Conditions::default() });
    offer(&desk, 2, until(NOW + DAY));
    let acquired = desk.acquire(&[kid(1), kid(2)]).unwrap();
    assert_eq!(acquired.due, [kid(1)]);
    desk.service.catalogue.lock().unwrap().remove(&kid(1));
    let renewed = run(&desk, &within(1)).unwrap();
    assert_eq!((renewed.chosen, renewed.stored, renewed.refusals.len()), (2, 1, 1));
    assert_eq!(renewed.refusals[0].kid, Some(kid(1)));
    let events = desk.events();
    assert!(
        events.contains(&Event::LicenseRefused(LeftOut { kid: kid(1), why: Reason::UnknownContent.into() })),
        "{events:?}"
    );
    assert!(events.contains(&Event::RenewalDue(kid(1))) && !events.contains(&Event::RenewalDue(kid(2))), "{events:?}");
    assert_eq!(stored(&desk, 1).len(), 1);
    let result = run(&desk, &of(&[kid(1)]));
    assert!(matches!(result, Err(RenewError::Acquire(AcquireError::Refused { .. }))), "{result:?}");
}

#[test]
fn without_a_license_there_is_nothing_to_renew() {
    let desk = Desk::certified();
    assert!(matches!(run(&desk, &of(&[kid(1)])), Err(RenewError::NothingStored)));
    assert_eq!(run(&desk, &within(10)).unwrap(), Renewed::default());
    assert!(renewals(&desk).is_empty());
}

#[test]
fn a_renewal_that_was_cut_off_goes_on_with_the_same_bytes() {
    let mut desk = Desk::certified();
    let old = offer(&desk, 1, until(NOW + DAY));
    desk.acquire(&[kid(1)]).unwrap();
    replace(&desk, &old, until(NOW + 9 * DAY));
    desk.service.then(Step::Lose);
    assert!(run(&desk, &of(&[kid(1)])).is_err());
    assert_eq!((stored(&desk, 1), desk.pending()), (vec![old], 1));
    desk.restart();
    run(&desk, &of(&[kid(1)])).unwrap();
    let sent = renewals(&desk);
    assert!(sent.len() == 2 && sent[0].bytes == sent[1].bytes);
    assert_eq!((stored(&desk, 1)[0].actions[0].1.not_after, desk.pending()), (Some(NOW + 9 * DAY), 0));
}

#[test]
fn a_hostile_answer_changes_nothing() {
    let desk = Desk::certified();
    let old = offer(&desk, 1, until(NOW + DAY));
    let other = offer(&desk, 2, Conditions::default());
    desk.acquire(&[kid(1)]).unwrap();
    let refused = |result: Result<Renewed, RenewError>| match result {
        Err(RenewError::Acquire(AcquireError::Service(SessionError::BadAnswer(fault)))) => fault,
        other => panic!("{other:?}"),
    };
    // Content that nobody asked for, a service in another role, and an answer that says nothing.
    desk.service.then_answer(move |service, post| service.granted(post, &[other], Vec::new(), Role::Issuer));
    assert!(matches!(refused(run(&desk, &of(&[kid(1)]))), AnswerFault::UnaskedLicense(_)));
    desk.service.then_answer(|service, post| service.ends(post, Role::Management, Outcome::Done, Vec::new()));
    assert_eq!(refused(run(&desk, &of(&[kid(1)]))), AnswerFault::Signer);
    desk.service.then_answer(|service, post| service.ends(post, Role::Issuer, Outcome::Done, Vec::new()));
    assert_eq!(refused(run(&desk, &of(&[kid(1)]))), AnswerFault::Undecided);
    assert_eq!((stored(&desk, 1), stored(&desk, 2)), (vec![old], Vec::new()));
}

#[test]
fn more_licenses_than_a_request_carries_go_in_several() {
    let desk = Desk::certified();
    let kids: Vec<Kid> = (0..2600).map(kid).collect();
    kids.iter().for_each(|kid| drop(desk.service.offer(*kid)));
    desk.acquire(&kids).unwrap();
    assert_eq!(run(&desk, &of(&kids)).unwrap().stored, 2600);
    let sizes: Vec<usize> = renewals(&desk).iter().map(|post| asked(post).len()).collect();
    assert!(sizes.len() == 2 && sizes.iter().sum::<usize>() == 2600, "{sizes:?}");
    assert!(renewals(&desk).iter().all(|post| post.bytes.len() <= wmlicense_wire::request::MAX_LEN));
}

#[test]
fn a_renewal_gives_back_what_was_deleted_even_if_nothing_is_due() {
    let desk = Desk::certified();
    desk.service.offer(kid(1));
    desk.acquire(&[kid(1)]).unwrap();
    delete(&desk.client, &desk.settings, kid(1)).unwrap();
    assert_eq!(desk.pending(), 1);
    assert_eq!(run(&desk, &within(0)).unwrap().chosen, 0);
    assert_eq!(desk.pending(), 0);
}

#[test]
fn each_service_is_asked_for_its_own_and_one_that_fails_stops_no_other() {
    let desk = Desk::certified();
    let (here, there) = (offer(&desk, 1, until(NOW + DAY)), offer(&desk, 2, until(NOW + DAY)));
    let other = wmlicense_testkit::service::Service::start(&desk.world);
    other.catalogue.lock().unwrap().insert(kid(2), there.clone());
    desk.acquire(&[kid(1)]).unwrap();
    desk.wish(&LicenseWish { kids: vec![kid(2)], url: Some(other.base.clone()), ..LicenseWish::default() }).unwrap();
    replace(&desk, &here, until(NOW + 9 * DAY));
    other.then(Step::Problem(ProblemKind::Unavailable));
    let result = run(&desk, &within(1));
    let Err(RenewError::Partly { renewed, failure, others }) = result else { panic!("{result:?}") };
    assert_eq!((renewed.chosen, renewed.stored, failure.kids.as_slice(), others.len()), (2, 1, &[kid(2)][..], 0));
    assert!(matches!(failure.error, AcquireError::Service(SessionError::Transport(_))), "{}", failure.error);
    assert_eq!(stored(&desk, 1)[0].actions[0].1.not_after, Some(NOW + 9 * DAY));
    assert_eq!(stored(&desk, 2), [there]);
    let paths: Vec<_> = other.posts().into_iter().map(|post| post.path).collect();
    assert_eq!(paths, ["/v1/licenses", "/v1/renewals"]);
}

#[test]
fn a_refused_renewal_takes_along_what_the_service_takes_back() {
    let desk = Desk::certified();
    let (lost, kept) = (offer(&desk, 1, Conditions::default()), offer(&desk, 2, Conditions::default()));
    desk.acquire(&[kid(1), kid(2)]).unwrap();
    let lid = lost.lid;
    desk.service.then_answer(move |service, post| {
        let (reason, subject) = (Reason::NotEntitled, Some(*lid.as_bytes()));
        let refusals = vec![Refusal { subject, kid: Some(kid(1)), reason, url: None, again: None }];
        let refused = |answer| Answer { withdrawn: vec![lid], outcome: Outcome::Refused, refusals, ..answer };
        service.page(post, &[], refused)
    });
    assert!(matches!(run(&desk, &of(&[kid(1)])), Err(RenewError::Acquire(AcquireError::Refused { .. }))));
    assert!(desk.key(kid(1)).is_none());
    assert_eq!((desk.key(kid(2)), desk.pending()), (Some(content_key(kept.kid).to_vec()), 0));
}

#[test]
fn progress_of_many_short_requests_is_told_at_the_pace_of_all_progress_and_to_its_end() {
    let desk = Desk::certified();
    for number in 1..=30 {
        offer(&desk, number, until(NOW + DAY));
        // What was asked for apart is renewed apart.
        let custom_data = Some(number.to_be_bytes().to_vec());
        desk.wish(&LicenseWish { kids: vec![kid(number)], custom_data, ..LicenseWish::default() }).unwrap();
    }
    let begun = Instant::now();
    let before = desk.events().len();
    assert_eq!(run(&desk, &within(1)).unwrap().chosen, 30);
    let paces = begun.elapsed().as_millis() / 100 + 1;
    assert_eq!(renewals(&desk).len(), 30);
    let events = desk.events().split_off(before);
    let told: Vec<_> = events
        .into_iter()
        .filter_map(|event| if let Event::Progress(progress) = event { Some(progress) } else { None })
        .collect();
    assert_eq!(told.last(), Some(&Progress { done: 30, total: 30 }));
    assert!(told.len() as u128 <= paces + 1, "{} within {paces} intervals", told.len());
}

/// Writes the events of an operation down.
struct Noting(Arc<Mutex<Vec<Event>>>);

impl Observer<bool> for Noting {
    fn event(&mut self, event: &Event) -> Flow {
        self.0.lock().unwrap().push(event.clone());
        Flow::Continue
    }
    fn finished(&mut self, _: &bool) {}
}

#[test]
fn a_renewal_that_a_service_fails_tells_how_far_it_came() {
    let desk = Desk::certified();
    let other = wmlicense_testkit::service::Service::start(&desk.world);
    for number in 1..=9 {
        let policy = offer(&desk, number, until(NOW + DAY));
        let url = (number == 9).then(|| other.base.clone());
        other.catalogue.lock().unwrap().insert(kid(number), policy);
        let custom_data = Some(number.to_be_bytes().to_vec());
        desk.wish(&LicenseWish { kids: vec![kid(number)], url, custom_data, ..LicenseWish::default() }).unwrap();
    }
    other.then(Step::Problem(ProblemKind::Unavailable));
    let before = desk.events().len();
    let (client, settings, operation) = (Arc::clone(&desk.client), desk.settings.clone(), Operation::new());
    let work = move |context: &Context| renew(&client, &settings, &within(1), context).is_ok();
    operation.start(None, Box::new(Noting(Arc::clone(&desk.events))), work, || true).unwrap();
    assert_eq!(operation.wait(None), Ok(false));
    let told = desk.events().split_off(before);
    let last = told.iter().rev().find_map(|event| if let Event::Progress(told) = event { Some(told) } else { None });
    assert_eq!(last, Some(&Progress { done: 8, total: 9 }));
}
