//! Seats: who holds a license, who gives it back, what is told of its use, and devices that want the last seat at once.

use super::super::restores::Asker;
use super::*;
use crate::rules::epochs::YEAR;
use crate::rules::seats::Out;
use crate::rules::uses::Told;
use std::collections::HashSet;
use wmlicense_wire::answer::Reason;
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::policy::MAX_ACTIONS;

const LID: Lid = Lid::new([1; 16]);

fn wish(limit: u32, count: Option<u32>) -> Claim {
    Claim {
        lid: LID,
        kid: KID,
        issued_here: true,
        bound: OWN,
        limit,
        state: None,
        policy: policy(1, count),
        joins: None,
    }
}

async fn claim(store: &Store, number: u8, now: i64, claim: Claim) -> Seat {
    let claimed = store.claim(exchange(number, now), device(number), vec![claim], Told::new()).await.unwrap();
    let Claimed::Seats(mut seats, _) = claimed else { panic!("the claim is not counted") };
    seats.remove(0)
}

/// A license on the device that it was issued to and on these.
async fn held_by(world: &World, devices: &[u8]) {
    written(world.issue(1, 1000, license(1, None)).await, &[1]);
    for number in devices {
        assert!(claim(&world.store, *number, 1000, wish(100, None)).await.is_ok());
    }
}

async fn seat_rows(store: &Store) -> Vec<crate::rules::rows::SeatRow> {
    store.read((), |(), rows| rows.seats(&[LID], rows::For::Reading)).await.unwrap()
}

async fn state(store: &Store) -> Option<State> {
    let found = store.read((), |(), rows| rows.states(&[LID], rows::For::Reading)).await.unwrap();
    found.into_iter().next().map(|(_, state)| state)
}

/// Gives the license back, and tells whether the device's seat is free then.
async fn frees(store: &Store, number: u8, transaction: u8, now: i64) -> bool {
    let licenses = vec![(LID, State::default())];
    let told = store.give_back(exchange(transaction, now), device(number), licenses, vec![transaction]).await;
    written(told.unwrap(), &[transaction]);
    let seat = seat_rows(store).await.into_iter().find(|seat| seat.device == device(number)).unwrap();
    assert!(seat.returned_at.is_some());
    seat.freed
}

fn actions(names: impl IntoIterator<Item = String>) -> State {
    let left = |name| (name, ActionState { counts_left: Some(1), first_use: None });
    State { actions: names.into_iter().map(left).collect() }
}

fn used(counts_left: u32, first_use: i64) -> State {
    let play = ActionState { counts_left: Some(counts_left), first_use: Some(first_use) };
    State { actions: [("Play".to_owned(), play)].into() }
}

over_each_engine! {
    #[tokio::test]
    async fn of_devices_that_want_the_last_seat_at_once_one_gets_it(world: World) {
        held_by(&world, &[]).await;
        let (first, second, third) = tokio::join!(
            claim(&world.store, 10, 2000, wish(2, None)),
            claim(&world.other, 11, 2000, wish(2, None)),
            claim(&world.store, 12, 2000, wish(2, None)),
        );
        let seats = [first, second, third];
        assert_eq!(seats.iter().filter(|seat| **seat == Ok(None)).count(), 1);
        assert_eq!(seats.iter().filter(|seat| **seat == Err(Out::Full)).count(), 2);
        assert_eq!(seat_rows(&world.store).await.len(), 2);
        let restores = world.store.all::<RestoreEntry>().await.unwrap();
        assert_eq!((restores.len(), restores[0].devices), (1, 2));
    }

    #[tokio::test]
    async fn a_preview_says_what_a_restore_would_give(world: World) {
        held_by(&world, &[]).await;
        let preview = async |number: u8, limit| {
            let asker = Asker { device: device(number), bound: OWN, user: None, now: 2000 };
            let mut holdings = world.store.holdings(vec![lid(9), LID], asker, Told::new()).await.unwrap();
            let (known, unknown) = (holdings.remove(1), holdings.remove(0));
            assert!(known.issued_here && !unknown.issued_here);
            known.facts.judge(OWN, device(number), limit)
        };
        assert_eq!(preview(10, 2).await, (Ok(()), 1));
        assert_eq!(claim(&world.store, 10, 2000, wish(2, None)).await, Ok(None));
        assert_eq!(preview(11, 2).await, (Err(Out::Full), 2));
        assert_eq!(preview(10, 2).await, (Ok(()), 2));
    }

    #[tokio::test]
    async fn a_license_that_is_named_twice_in_a_preview_has_its_seats_once(world: World) {
        held_by(&world, &[]).await;
        let asker = Asker { device: device(10), bound: OWN, user: None, now: 2000 };
        let holdings = world.store.holdings(vec![LID, LID], asker, Told::new()).await.unwrap();
        let judged: Vec<_> = holdings.iter().map(|holding| holding.facts.judge(OWN, device(10), 2)).collect();
        assert_eq!(judged, [(Ok(()), 1), (Ok(()), 1)]);
    }

    #[tokio::test]
    async fn a_license_that_another_issuer_issued_seats_the_device_it_is_bound_to_as_well(world: World) {
        let elsewhere = Claim { issued_here: false, ..wish(2, None) };
        assert_eq!(claim(&world.store, 10, 2000, elsewhere).await, Ok(None));
        let seats = seat_rows(&world.store).await;
        assert_eq!(seats.iter().map(|seat| (seat.device, seat.restored)).collect::<Vec<_>>(), [(OWN, false), (device(10), true)]);
        assert!(seats.iter().all(|seat| seat.elsewhere));
    }

    #[tokio::test]
    async fn the_same_restore_again_is_not_handed_out_again_and_one_that_was_refused_stays_refused(world: World) {
        let store = &world.store;
        held_by(&world, &[]).await;
        let left = Some(State::initial(&policy(1, Some(5))));
        let take = async |number: u8, now| {
            let claimed = store.claim(exchange(number, now), device(10), vec![wish(9, Some(5))], Told::new()).await;
            let Claimed::Seats(mut seats, _) = claimed.unwrap() else { panic!("the claim is not counted") };
            seats.remove(0)
        };
        assert_eq!(take(20, 2000).await, Ok(left.clone()));
        for repeated in [2000, 2001] {
            assert_eq!(take(20, repeated).await, Ok(left.clone()));
        }
        assert_eq!(take(21, 3000).await, Ok(left.clone()));
        assert_eq!(take(22, 4000).await, Ok(left.clone()));
        for (now, again) in [(5000, 3000), (5001, 3000), (3000 + YEAR - 1, 3000)] {
            assert_eq!(take(23, now).await, Err(Out::TooOften(again + YEAR)), "the same request again at {now}");
        }
        assert_eq!(take(21, 6000).await, Ok(left.clone()), "it was granted");
        assert_eq!(take(24, 3000 + YEAR).await, Ok(left.clone()));
        assert_eq!(take(21, 6000 + YEAR).await, Ok(left), "it was granted, however long ago");
    }

    #[tokio::test]
    async fn what_a_restore_refused_beside_a_later_license_of_the_same_line_stays_refused(world: World) {
        let store = &world.store;
        written(world.issue(1, 1000, license(1, None)).await, &[1]);
        written(world.issue(2, 1000, license(2, Some(1))).await, &[2]);
        let second = || Claim { lid: lid(2), policy: policy(2, Some(5)), ..wish(9, Some(5)) };
        let take = async |number: u8, now, claims| {
            let claimed = store.claim(exchange(number, now), OWN, claims, Told::new()).await.unwrap();
            let Claimed::Seats(seats, _) = claimed else { panic!("the claims are not counted") };
            seats.iter().map(Result::is_ok).collect::<Vec<_>>()
        };
        assert_eq!(take(20, 2000, vec![wish(9, Some(5))]).await, [true]);
        for now in [3000, 3001] {
            assert_eq!(take(21, now, vec![wish(9, Some(5)), second()]).await, [true, false], "at {now}");
        }
    }

    #[tokio::test]
    async fn what_is_left_is_the_least_that_anybody_told(world: World) {
        let store = &world.store;
        written(world.issue(1, 1000, license(1, None)).await, &[1]);
        let wish = |left: u32| Claim { state: Some(used(left, 1500)), ..wish(9, Some(5)) };
        assert_eq!(claim(store, 10, 2000, wish(3)).await, Ok(Some(used(3, 1500))));
        assert_eq!(claim(store, 11, 2000, wish(4)).await, Ok(Some(used(3, 1500))));
        assert_eq!(state(store).await, Some(used(3, 1500)));
        // One that finds no room changes nothing of what is known.
        let full = Claim { limit: 3, ..wish(0) };
        assert_eq!(claim(store, 12, 2000, full).await, Err(Out::Over(Reason::UsedUp)));
        assert_eq!(state(store).await, Some(used(3, 1500)));
    }

    #[tokio::test]
    async fn two_seats_are_freed_within_any_365_days(world: World) {
        held_by(&world, &[10, 11, 12, 13, 14, 15]).await;
        let store = &world.store;
        assert!(frees(store, 10, 101, 5000).await);
        assert!(frees(store, 11, 102, 90_000).await);
        assert!(!frees(store, 12, 103, 5000 + YEAR - 1).await);
        assert!(frees(store, 13, 104, 5000 + YEAR).await, "the first one is a year old");
        assert!(!frees(store, 14, 105, 90_000 + YEAR - 1).await);
        assert!(frees(store, 15, 106, 90_000 + YEAR).await);
    }

    #[tokio::test]
    async fn a_clock_that_went_back_frees_no_seat_more(world: World) {
        held_by(&world, &[10, 11, 12, 13]).await;
        let store = &world.store;
        assert!(frees(store, 10, 101, 50 * YEAR).await);
        assert!(frees(store, 11, 102, 5000).await);
        assert!(!frees(store, 12, 103, 5001).await);
        assert!(!frees(store, 13, 104, 5000 + YEAR - 1).await);
    }

    #[tokio::test]
    async fn a_license_given_back_again_frees_nothing_more_and_keeps_its_time(world: World) {
        held_by(&world, &[10, 11, 12]).await;
        let store = &world.store;
        assert!(frees(store, 10, 101, 5000).await);
        // The row of a seat says when it was first given back.
        assert!(frees(store, 10, 102, 6000).await);
        let seat = seat_rows(store).await.into_iter().find(|seat| seat.device == device(10)).unwrap();
        assert_eq!(seat.returned_at, Some(5000));
        assert!(frees(store, 11, 103, 7000).await, "the repetition was none of the two");
        assert!(!frees(store, 12, 104, 8000).await);
    }

    #[tokio::test]
    async fn a_license_that_is_named_twice_in_a_return_is_given_back_once(world: World) {
        held_by(&world, &[10, 11]).await;
        let twice = vec![(LID, State::default()), (LID, State::default())];
        let told = world.store.give_back(exchange(101, 5000), device(10), twice, vec![101]).await.unwrap();
        written(told, &[101]);
        let own = vec![(LID, State::default())];
        written(world.store.give_back(exchange(102, 5000), OWN, own, vec![102]).await.unwrap(), &[102]);
        assert!(!frees(&world.store, 11, 103, 6000).await, "two were freed before");
        assert_eq!(licenses(&world.store).await[0].returned_at, Some(5000));
    }

    #[tokio::test]
    async fn of_returns_at_once_no_more_seats_are_freed_than_a_year_allows(world: World) {
        held_by(&world, &[10, 11, 12]).await;
        assert!(frees(&world.store, 10, 101, 5000).await);
        tokio::join!(frees(&world.store, 11, 102, 5000), frees(&world.other, 12, 103, 5000));
        let freed = seat_rows(&world.store).await.into_iter().filter(|seat| seat.freed).count();
        assert_eq!(freed, 2);
    }

    #[tokio::test]
    async fn invented_actions_are_kept_up_to_their_most_over_all_reports(world: World) {
        held_by(&world, &[]).await;
        let name = |number: usize| format!("Action{number}");
        let kept = async |told: State| {
            world.store.report(OWN, vec![(LID, told)], 2000).await.unwrap();
            state(&world.store).await.map_or(0, |state| state.actions.len())
        };
        assert_eq!(kept(actions((0..=MAX_ACTIONS).map(name))).await, 0, "one too many at once");
        assert_eq!(kept(actions((0..MAX_ACTIONS).map(name))).await, MAX_ACTIONS);
        assert_eq!(kept(actions([name(MAX_ACTIONS)])).await, MAX_ACTIONS, "one too many in all");
        let (mut less, last) = (actions((0..MAX_ACTIONS).map(name)), name(MAX_ACTIONS - 1));
        less.actions.get_mut(&last).unwrap().counts_left = Some(0);
        kept(less).await;
        let state = state(&world.store).await.unwrap();
        assert_eq!(state.actions[&last].counts_left, Some(0), "what is known is still counted down");
    }

    #[tokio::test]
    async fn who_does_not_hold_a_license_says_nothing_of_it_and_a_first_use_is_not_of_tomorrow(world: World) {
        let store = &world.store;
        held_by(&world, &[]).await;
        assert!(store.report(device(9), vec![(LID, used(0, 5))], 2000).await.unwrap().is_empty());
        let told = store.give_back(exchange(101, 2000), device(9), vec![(LID, used(0, 5))], vec![101]).await.unwrap();
        written(told, &[101]);
        assert_eq!(state(store).await, None);
        assert_eq!(store.report(OWN, vec![(LID, State::default())], 2000).await.unwrap(), HashSet::new());
        assert_eq!(store.report(OWN, vec![(LID, used(0, 1 << 40))], 2000).await.unwrap(), HashSet::from([LID]));
        assert_eq!(state(store).await, Some(used(0, 2000)));
        let told = store.give_back(exchange(102, 3000), OWN, vec![(LID, used(0, 1500))], vec![102]).await.unwrap();
        written(told, &[102]);
        assert_eq!(state(store).await, Some(used(0, 1500)));
    }

    #[tokio::test]
    async fn reports_at_once_keep_the_strictest_of_both(world: World) {
        held_by(&world, &[10]).await;
        let (first, second) = tokio::join!(
            world.store.report(OWN, vec![(LID, used(3, 1500))], 2000),
            world.other.report(device(10), vec![(LID, used(2, 1700))], 2000),
        );
        assert_eq!((first.unwrap().len(), second.unwrap().len()), (1, 1));
        assert_eq!(state(&world.store).await, Some(used(2, 1500)));
    }
}
