//! The clock, with a real exchange: what sets it right, what does not, and which licenses look at it.

use std::sync::atomic::Ordering;
use wmlicense_core::acquire::AcquireError;
use wmlicense_core::clock::{ClockVerdict, SinceBoot};
use wmlicense_core::contact::{AnswerFault, SessionError};
use wmlicense_core::decryptor::{Decryptor, UseError};
use wmlicense_core::event::Event;
use wmlicense_core::event::LeftOut;
use wmlicense_core::renew::{RenewalWish, Renewed, renew};
use wmlicense_core::restore::Restored;
use wmlicense_core::rights::{Application, Category, Refusal};
use wmlicense_core::store::FILE_NAME;
use wmlicense_core::store_keeper::clean;
use wmlicense_media::cenc::{SampleCipher, SampleInfo, Scheme};
use wmlicense_testkit::desk::Desk;
use wmlicense_testkit::home::Home;
use wmlicense_testkit::place::{backed_up, restored};
use wmlicense_testkit::service::Step;
use wmlicense_testkit::{NOW, World, content_key, kid};
use wmlicense_wire::answer::Reason;
use wmlicense_wire::id::Epoch;
use wmlicense_wire::policy::Conditions;

const DAY: i64 = 86_400;
const INFO: SampleInfo<'static> =
    SampleInfo { scheme: Scheme::Cenc, iv: &[7; 8], subsamples: &[], crypt_byte_block: 0, skip_byte_block: 0 };

/// A device that knows how long it runs, with a license until the tenth day and one without dates.
fn desk() -> Desk {
    let desk = Desk::certified();
    let dated = Conditions { not_after: Some(NOW + 10 * DAY), ..Conditions::default() };
    let policy = desk.world.policy_with(kid(1), dated);
    desk.service.catalogue.lock().unwrap().insert(kid(1), policy);
    for number in 2..5 {
        desk.service.offer(kid(number));
    }
    desk.acquire(&[kid(1), kid(2)]).unwrap();
    desk.clock.boot(1, 1000);
    desk
}

/// Plays one sample, or tells why not.
fn play(desk: &Desk, number: u64) -> Result<(), Refusal> {
    let mut data = b"a sample of 20 bytes".to_vec();
    SampleCipher::new(&content_key(kid(number))).decrypt_in_place(&INFO, &mut data).unwrap();
    let used = Decryptor::create(&desk.client, kid(number), "Play", &Application::default())
        .and_then(|it| it.decrypt(&INFO, &mut data));
    match used {
        Ok(()) => assert_eq!(data, b"a sample of 20 bytes"),
        Err(UseError::Refused(refusal)) => return Err(refusal),
        Err(error) => panic!("{error}"),
    }
    Ok(())
}

/// Why playing is not permitted.
fn asked(desk: &Desk, number: u64) -> Vec<Refusal> {
    desk.client.query_allowed(kid(number), "Play", &Application::default()).unwrap()
}

fn verdict(desk: &Desk) -> ClockVerdict {
    desk.client.store.clock_verdict().unwrap()
}

#[test]
fn a_device_whose_battery_is_flat_plays_what_has_no_dates_and_the_rest_after_one_contact() {
    let mut desk = desk();
    desk.clock.set(0);
    desk.clock.boot(2, 5);
    desk.restart();
    assert_eq!((play(&desk, 1), play(&desk, 2)), (Err(Refusal::Clock), Ok(())));
    assert_eq!(verdict(&desk), ClockVerdict::Behind);
    desk.acquire(&[kid(3)]).unwrap();
    assert_eq!(verdict(&desk), ClockVerdict::Good);
    assert_eq!((play(&desk, 1), play(&desk, 3)), (Ok(()), Ok(())));
    desk.restart();
    assert_eq!(play(&desk, 1), Ok(()));
}

#[test]
fn turning_the_clock_back_revives_nothing() {
    let desk = desk();
    desk.pass(9 * DAY);
    assert_eq!(play(&desk, 1), Ok(()));
    desk.pass(2 * DAY);
    assert_eq!(play(&desk, 1), Err(Refusal::Expired));
    desk.clock.set(NOW + DAY);
    assert_eq!(play(&desk, 1), Err(Refusal::Clock));
    desk.acquire(&[kid(3)]).unwrap();
    for wall in [0, NOW, NOW + 9 * DAY, NOW + 400 * DAY] {
        desk.clock.set(wall);
        assert_eq!((play(&desk, 1), play(&desk, 2)), (Err(Refusal::Expired), Ok(())));
    }
    desk.clock.boot(2, 5);
    desk.clock.set(NOW + 9 * DAY);
    assert_eq!(play(&desk, 1), Err(Refusal::Clock), "the service's word outlives the run of the system");
}

#[test]
fn a_clock_set_ahead_by_mistake_costs_nothing_after_one_contact() {
    let desk = desk();
    assert_eq!(verdict(&desk), ClockVerdict::Unknown);
    desk.clock.set(NOW + 400 * DAY);
    assert_eq!((verdict(&desk), play(&desk, 1)), (ClockVerdict::Ahead, Err(Refusal::Expired)));
    desk.acquire(&[kid(3)]).unwrap();
    assert_eq!((verdict(&desk), play(&desk, 1)), (ClockVerdict::Good, Ok(())));
}

#[test]
fn a_renewal_with_nothing_to_renew_still_sets_a_wrong_clock_right() {
    let desk = desk();
    desk.clock.set(NOW - DAY);
    assert_eq!(play(&desk, 1), Err(Refusal::Clock));
    let nothing = RenewalWish { scope: Some("nothing has it".to_owned()), ..RenewalWish::default() };
    let renewed = renew(&desk.client, &desk.settings, &nothing, &desk.context()).unwrap();
    assert_eq!(renewed, Renewed::default());
    assert_eq!((verdict(&desk), play(&desk, 1)), (ClockVerdict::Good, Ok(())));
}

#[test]
fn an_answer_that_was_made_for_an_earlier_contact_tells_no_time() {
    let desk = desk();
    desk.service.then(Step::Lose);
    desk.acquire(&[kid(3)]).unwrap_err();
    desk.clock.advance(5 * DAY);
    desk.clock.boot(1, 1000 + 5 * DAY);
    desk.acquire(&[kid(3)]).unwrap();
    assert_eq!(desk.key(kid(3)).unwrap(), content_key(kid(3)));
    assert_eq!(verdict(&desk), ClockVerdict::Unknown);
    desk.acquire(&[kid(4)]).unwrap();
    assert_eq!(verdict(&desk), ClockVerdict::Good);
}

#[test]
fn an_answer_dated_over_a_day_ahead_is_refused_and_nothing_of_it_stays() {
    let desk = desk();
    desk.acquire(&[kid(3)]).unwrap();
    desk.service.now.store(NOW + DAY + 1, Ordering::SeqCst);
    assert!(matches!(desk.acquire(&[kid(4)]), Err(AcquireError::Service(SessionError::BadAnswer(_)))));
    assert!(desk.client.store.licenses(kid(4)).unwrap().is_empty());
    assert_eq!(desk.client.store.clock_record().unwrap().floors.values().max(), Some(&NOW));
    assert_eq!((verdict(&desk), play(&desk, 1)), (ClockVerdict::Good, Ok(())));
    desk.clock.boot(2, 5);
    desk.acquire(&[kid(4)]).unwrap();
}

#[test]
fn an_answer_dated_far_ahead_ends_its_transaction_and_the_next_request_is_another() {
    let desk = desk();
    desk.acquire(&[kid(3)]).unwrap();
    desk.service.now.store(NOW + 300 * DAY, Ordering::SeqCst);
    assert!(matches!(
        desk.acquire(&[kid(4)]),
        Err(AcquireError::Service(SessionError::BadAnswer(AnswerFault::ServiceClock)))
    ));
    assert_eq!(desk.pending(), 0);
    // The service gives the same bytes for the same request, whatever its clock says by then.
    desk.service.now.store(NOW, Ordering::SeqCst);
    desk.acquire(&[kid(4)]).unwrap();
    assert_eq!(desk.key(kid(4)).unwrap(), content_key(kid(4)));
}

#[test]
fn a_floor_far_ahead_that_only_one_visit_raised_goes_with_the_next_fresh_answer() {
    let desk = desk();
    // Nothing in this run speaks against the first answer.
    desk.service.now.store(NOW + 300 * DAY, Ordering::SeqCst);
    desk.acquire(&[kid(3)]).unwrap();
    assert_eq!(play(&desk, 1), Err(Refusal::Expired));
    desk.clock.boot(2, 5);
    assert_eq!((verdict(&desk), play(&desk, 1)), (ClockVerdict::Behind, Err(Refusal::Clock)));
    desk.service.now.store(NOW, Ordering::SeqCst);
    desk.acquire(&[kid(4)]).unwrap();
    assert_eq!((verdict(&desk), play(&desk, 1)), (ClockVerdict::Good, Ok(())));
    let record = desk.client.store.clock_record().unwrap();
    assert_eq!((record.floors.values().max(), record.doubts.len()), (Some(&NOW), 0));
    desk.clock.boot(3, 5);
    assert_eq!(play(&desk, 1), Ok(()), "nor does the mark keep it");
}

#[test]
fn an_epoch_that_was_told_ahead_gives_way_to_the_one_told_after_the_clock_was_mended() {
    let desk = desk();
    let (store, issuer) = (&desk.client.store, desk.world.issuer.id);
    let (ahead, mended) = (Epoch::new([1; 16]), Epoch::new([2; 16]));
    let at = |seconds| Some(SinceBoot { boot: [1; 16], seconds });
    store.note_anchor(issuer, NOW + 300 * DAY, at(1000)).unwrap();
    store.note_epoch(issuer, ahead, NOW + 300 * DAY).unwrap();
    store.note_anchor(issuer, NOW + 10, at(1000)).unwrap();
    store.note_epoch(issuer, mended, NOW + 10).unwrap();
    assert_eq!(store.epoch(issuer).unwrap(), Some(mended));
}

#[test]
fn a_refusal_for_the_time_is_remembered_over_a_restart_of_the_system() {
    type Refuse = fn(&Desk);
    let refuse: [(&str, Refuse); 3] = [
        ("a decryptor", |desk| assert_eq!(play(desk, 1), Err(Refusal::Expired))),
        ("a question", |desk| assert_eq!(asked(desk, 1), [Refusal::Expired])),
        ("a state", |desk| {
            let found = desk.client.query_state(kid(1), "Play", &Application::default()).unwrap();
            assert_eq!(found.category, Category::NoRight);
        }),
    ];
    for (name, refuse) in refuse {
        let mut desk = desk();
        for passed in [10 * DAY + 1000, 9 * DAY] {
            desk.pass(passed);
            refuse(&desk);
        }
        desk.clock.boot(2, 5);
        desk.clock.set(NOW + 9 * DAY);
        desk.restart();
        assert_eq!(play(&desk, 1), Err(Refusal::Clock), "{name}");
    }
}

#[test]
fn a_use_of_what_has_dates_is_a_time_that_was_seen() {
    let counted = Conditions { not_after: Some(NOW + 10 * DAY), count: Some(9), ..Conditions::default() };
    for (used, is_noted) in [(1, true), (6, true), (2, false)] {
        let mut desk = desk();
        let policy = desk.world.policy_with(kid(6), counted.clone());
        desk.service.catalogue.lock().unwrap().insert(kid(6), policy);
        desk.acquire(&[kid(6)]).unwrap();
        // The run in which the service told the time is over: only what is noted is known.
        desk.clock.boot(2, 5);
        desk.clock.set(NOW + 5 * DAY);
        desk.restart();
        assert_eq!(play(&desk, used), Ok(()));
        desk.clock.boot(3, 5);
        desk.clock.set(NOW + 2 * DAY);
        desk.restart();
        let expected = if is_noted { Err(Refusal::Clock) } else { Ok(()) };
        assert_eq!((play(&desk, 1), play(&desk, 2)), (expected, Ok(())), "after a use of {used}");
    }
}

#[test]
fn an_open_decryptor_that_closes_remembers_the_end_though_the_clock_was_set_back_meanwhile() {
    let desk = desk();
    let closing = Conditions { not_after: Some(NOW + DAY), close_at_expiry: true, ..Conditions::default() };
    let policy = desk.world.policy_with(kid(5), closing);
    desk.service.catalogue.lock().unwrap().insert(kid(5), policy);
    desk.clock.boot(1, 1000);
    desk.service.then(Step::Lose);
    desk.acquire(&[kid(5)]).unwrap_err();
    // Made for an earlier contact, the answer is no anchor.
    desk.clock.boot(1, 2000);
    desk.acquire(&[kid(5)]).unwrap();
    let decryptor = Decryptor::create(&desk.client, kid(5), "Play", &Application::default()).unwrap();
    decryptor.decrypt(&INFO, &mut [0; 20]).unwrap();
    desk.clock.set(NOW - 100);
    desk.clock.boot(1, 2000 + DAY);
    let closed = decryptor.decrypt(&INFO, &mut [0; 20]);
    assert!(matches!(closed, Err(UseError::Refused(Refusal::Expired))), "{closed:?}");
    assert_eq!(desk.client.store.clock_record().unwrap().mark, NOW + DAY);
}

#[test]
fn what_has_not_begun_notes_the_time_of_the_question_and_not_of_the_begin() {
    let desk = desk();
    let later = Conditions { not_before: Some(NOW + 20 * DAY), ..Conditions::default() };
    desk.service.catalogue.lock().unwrap().insert(kid(5), desk.world.policy_with(kid(5), later));
    desk.clock.boot(1, 1000);
    desk.acquire(&[kid(5)]).unwrap();
    desk.pass(DAY);
    desk.clock.boot(2, 5);
    assert_eq!(play(&desk, 5), Err(Refusal::NotStarted));
    assert_eq!(desk.client.store.clock_record().unwrap().mark, NOW + DAY);
    assert_eq!(asked(&desk, 1), []);
}

#[test]
fn a_refusal_by_a_clock_that_jumped_far_ahead_locks_nothing() {
    let desk = desk();
    desk.clock.set(NOW + 400 * DAY);
    assert_eq!(play(&desk, 1), Err(Refusal::Expired));
    assert_eq!(clean(&desk.client, &desk.context()).unwrap().removed, 0, "nor takes it away");
    desk.clock.set(NOW + 100);
    assert_eq!(play(&desk, 1), Ok(()));
}

#[test]
fn a_cleaning_that_takes_away_what_ended_remembers_the_time() {
    let desk = desk();
    desk.pass(11 * DAY);
    assert_eq!(asked(&desk, 1), [Refusal::Expired]);
    desk.pass(29 * DAY + 1);
    assert_eq!(clean(&desk.client, &desk.context()).unwrap().removed, 1);
    assert_eq!(desk.client.store.clock_record().unwrap().mark, NOW + 40 * DAY + 1);
}

#[test]
fn refusals_write_at_most_once_a_minute_and_where_nothing_can_be_written_stay_what_they_are() {
    let desk = desk();
    desk.pass(11 * DAY);
    let mark = || desk.client.store.clock_record().unwrap().mark;
    assert_eq!((play(&desk, 1), mark()), (Err(Refusal::Expired), NOW + 11 * DAY));
    desk.pass(59);
    assert_eq!((play(&desk, 1), mark()), (Err(Refusal::Expired), NOW + 11 * DAY));
    desk.pass(1);
    let database = rusqlite::Connection::open(desk.folder.path().join(FILE_NAME)).unwrap();
    database
        .execute_batch("CREATE TRIGGER full BEFORE UPDATE ON head BEGIN SELECT RAISE(ABORT, 'no room'); END")
        .unwrap();
    assert_eq!((play(&desk, 1), asked(&desk, 1)), (Err(Refusal::Expired), vec![Refusal::Expired]));
    assert_eq!(mark(), NOW + 11 * DAY);
    database.execute_batch("DROP TRIGGER full").unwrap();
    assert_eq!((play(&desk, 1), mark()), (Err(Refusal::Expired), NOW + 11 * DAY + 60));
}

#[test]
fn a_time_since_the_start_that_went_back_revives_nothing_and_tells_no_time() {
    let mut desk = desk();
    desk.acquire(&[kid(3)]).unwrap();
    desk.pass(10 * DAY + 400);
    desk.clock.boot(1, 1000 + 10 * DAY + 400);
    assert_eq!(play(&desk, 1), Err(Refusal::Expired));
    // Another process sees a time that is 600 seconds less, and sets the wall clock with it.
    desk.clock.boot(1, 1000 + 10 * DAY - 200);
    desk.clock.set(NOW + 10 * DAY - 200);
    desk.restart();
    assert_eq!((verdict(&desk), play(&desk, 1)), (ClockVerdict::Behind, Err(Refusal::Clock)));
    let before = desk.client.store.clock_record().unwrap().anchors;
    desk.acquire(&[kid(4)]).unwrap();
    assert_eq!(desk.client.store.clock_record().unwrap().anchors, before);
    assert_eq!(play(&desk, 1), Err(Refusal::Clock));
    desk.clock.boot(1, 1000 + 10 * DAY + 500);
    assert_eq!((verdict(&desk), play(&desk, 1)), (ClockVerdict::Good, Err(Refusal::Expired)));
}

#[test]
fn a_restore_takes_nothing_up_again_that_ended_and_says_so() {
    let world = World::new();
    let home = Home::new(&world);
    let fresh = home.copied();
    let ends =
        |number, end| world.policy_with(kid(number), Conditions { not_after: Some(end), ..Conditions::default() });
    let (short, long) = (ends(1, NOW + 3600), ends(2, NOW + 90 * DAY));
    home.acquire(&[short.clone(), long.clone()]).unwrap();
    let place = tempfile::tempdir().unwrap();
    backed_up(&home, place.path(), false).0.unwrap();
    home.clock.set(NOW + 7200);
    for _ in 0..2 {
        let (result, events) = restored(&fresh, place.path());
        let left_out = vec![LeftOut { kid: kid(1), why: Reason::Expired.into() }];
        assert_eq!(result.unwrap(), Restored { restored: 1, left_out: left_out.clone(), ..Restored::default() });
        assert!(events.all().contains(&Event::LicenseRefused(left_out[0].clone())));
        assert!(fresh.client.store.licenses(kid(1)).unwrap().is_empty());
        assert_eq!(fresh.client.store.clock_record().unwrap().mark, NOW + 7200, "it is a time that was seen");
    }
    // Where it is, it stays, so that it can be renewed.
    assert_eq!(restored(&home, place.path()).0.unwrap(), Restored { restored: 2, ..Restored::default() });
    // A clock that is turned back does not help: a service told the time.
    fresh.acquire_at(&[world.policy(kid(3))], NOW + 7200).unwrap();
    fresh.clock.set(NOW - DAY);
    let left_out = [LeftOut { kid: kid(1), why: Reason::Expired.into() }];
    assert_eq!(restored(&fresh, place.path()).0.unwrap().left_out, left_out);
}
