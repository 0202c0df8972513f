//! The clock, with a real exchange: what sets it right, what does not, and which licenses look at it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use support::desk::Desk;
use support::home::Home;
use support::place::{backed_up, restored};
use support::service::Step;
use support::{NOW, World, content_key, kid};
use wmlicense_core::acquire::AcquireError;
use wmlicense_core::clock::Verdict;
use wmlicense_core::decrypt::cenc::{SampleCipher, SampleInfo, Scheme};
use wmlicense_core::decrypt::decryptor::{Decryptor, UseError};
use wmlicense_core::event::Event;
use wmlicense_core::renew::{RenewalWish, Renewed, renew};
use wmlicense_core::restore::Restored;
use wmlicense_core::rights::{Application, Refusal};
use wmlicense_wire::answer::Reason;
use wmlicense_wire::policy::Conditions;

const DAY: i64 = 86_400;

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
    let info =
        SampleInfo { scheme: Scheme::Cenc, iv: &[7; 8], subsamples: &[], crypt_byte_block: 0, skip_byte_block: 0 };
    let mut data = b"a sample of 20 bytes".to_vec();
    SampleCipher::new(&content_key(kid(number))).decrypt_in_place(&info, &mut data).unwrap();
    let used = Decryptor::create(&desk.client, kid(number), "Play", &Application::default())
        .and_then(|it| it.decrypt(&info, &mut data));
    match used {
        Ok(()) => assert_eq!(data, b"a sample of 20 bytes"),
        Err(UseError::Refused(refusal)) => return Err(refusal),
        Err(error) => panic!("{error}"),
    }
    Ok(())
}

fn verdict(desk: &Desk) -> Verdict {
    desk.client.store.clock_verdict().unwrap()
}

#[test]
fn a_device_whose_battery_is_flat_plays_what_has_no_dates_and_the_rest_after_one_contact() {
    let mut desk = desk();
    desk.clock.set(0);
    desk.clock.boot(2, 5);
    desk.restart();
    assert_eq!((play(&desk, 1), play(&desk, 2)), (Err(Refusal::Clock), Ok(())));
    assert_eq!(verdict(&desk), Verdict::Behind);
    desk.acquire(&[kid(3)]).unwrap();
    assert_eq!(verdict(&desk), Verdict::Good);
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
    assert_eq!(verdict(&desk), Verdict::Unknown);
    desk.clock.set(NOW + 400 * DAY);
    assert_eq!((verdict(&desk), play(&desk, 1)), (Verdict::Ahead, Err(Refusal::Expired)));
    desk.acquire(&[kid(3)]).unwrap();
    assert_eq!((verdict(&desk), play(&desk, 1)), (Verdict::Good, Ok(())));
}

#[test]
fn a_renewal_with_nothing_to_renew_still_sets_a_wrong_clock_right() {
    let desk = desk();
    desk.clock.set(NOW - DAY);
    assert_eq!(play(&desk, 1), Err(Refusal::Clock));
    let nothing = RenewalWish { scope: Some("nothing has it".to_owned()), ..RenewalWish::default() };
    let renewed = renew(&desk.client, &desk.settings, &nothing, &desk.context()).unwrap();
    assert_eq!(renewed, Renewed::default());
    assert_eq!((verdict(&desk), play(&desk, 1)), (Verdict::Good, Ok(())));
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
    assert_eq!(verdict(&desk), Verdict::Unknown);
    desk.acquire(&[kid(4)]).unwrap();
    assert_eq!(verdict(&desk), Verdict::Good);
}

#[test]
fn an_answer_dated_over_a_day_ahead_is_refused_and_nothing_of_it_stays() {
    let desk = desk();
    desk.acquire(&[kid(3)]).unwrap();
    desk.service.now.store(NOW + DAY + 1, std::sync::atomic::Ordering::SeqCst);
    assert!(matches!(desk.acquire(&[kid(4)]), Err(AcquireError::BadAnswer(_))));
    assert!(desk.client.store.licenses(kid(4)).unwrap().is_empty());
    assert_eq!(desk.client.store.clock_record().unwrap().floors.values().max(), Some(&NOW));
    assert_eq!((verdict(&desk), play(&desk, 1)), (Verdict::Good, Ok(())));
    desk.clock.boot(2, 5);
    desk.acquire(&[kid(4)]).unwrap();
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
        let refused = vec![(kid(1), Reason::Expired)];
        assert_eq!(result.unwrap(), Restored { restored: 1, refused, ..Restored::default() });
        assert!(events.all().contains(&Event::LicenseRefused { kid: kid(1), reason: Reason::Expired }));
        assert!(fresh.client.store.licenses(kid(1)).unwrap().is_empty());
    }
    // Where it is, it stays, so that it can be renewed.
    assert_eq!(restored(&home, place.path()).0.unwrap(), Restored { restored: 2, ..Restored::default() });
    // A clock that is turned back does not help: a service told the time.
    fresh.acquire_at(&[world.policy(kid(3))], NOW + 7200).unwrap();
    fresh.clock.set(NOW - DAY);
    assert_eq!(restored(&fresh, place.path()).0.unwrap().refused, [(kid(1), Reason::Expired)]);
}
