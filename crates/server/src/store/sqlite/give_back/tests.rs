use super::super::super::{Asker, Claim, Claimed, Holding, Store as _};
use super::super::tests::{exchange, issued, license, policy, store};
use super::*;
use std::collections::HashSet;
use std::sync::Arc;
use wmlicense_wire::id::Kid;
use wmlicense_wire::license::ActionState;

const LID: Lid = Lid::new([1; 16]);
const BOUND: DeviceId = DeviceId::new([2; 16]);

fn device(number: u8) -> DeviceId {
    DeviceId::new([number; 16])
}

/// A store with one license, on the device that it was issued to and on these.
async fn held_by(devices: &[u8]) -> (tempfile::TempDir, Arc<SqliteStore>) {
    let (folder, store) = store();
    store.issue(exchange(1, 1000), BOUND, issued(vec![license(1, None)]), vec![1]).await.unwrap();
    for number in devices {
        let claim = Claim {
            lid: LID,
            kid: Kid::new([3; 16]),
            issued_here: true,
            bound: BOUND,
            limit: 100,
            state: None,
            policy: policy(1),
        };
        let claimed = store.claim(exchange(*number, 1000), device(*number), vec![claim], HashSet::new()).await.unwrap();
        assert!(matches!(claimed, Claimed::Seats(..)));
    }
    (folder, store)
}

/// Gives the license back, and tells whether the device's seat is free then.
async fn frees(store: &SqliteStore, number: u8, transaction: u8, now: i64) -> bool {
    let licenses = vec![(LID, State::default())];
    store.give_back(exchange(transaction, now), device(number), licenses, vec![transaction]).await.unwrap();
    let asker = Asker { device: BOUND, bound: BOUND, now };
    let Holding { facts, .. } = store.holdings(vec![LID], asker, HashSet::new()).await.unwrap().remove(0);
    let seat = facts.seats.iter().find(|seat| seat.device == device(number)).unwrap();
    assert!(seat.returned);
    seat.freed
}

#[tokio::test]
async fn two_seats_are_freed_within_any_365_days() {
    let (_folder, store) = held_by(&[10, 11, 12, 13, 14, 15]).await;
    assert!(frees(&store, 10, 101, 5000).await);
    assert!(frees(&store, 11, 102, 90_000).await);
    assert!(!frees(&store, 12, 103, 5000 + PERIOD - 1).await);
    assert!(frees(&store, 13, 104, 5000 + PERIOD).await, "the first one is a year old");
    assert!(!frees(&store, 14, 105, 90_000 + PERIOD - 1).await);
    assert!(frees(&store, 15, 106, 90_000 + PERIOD).await);
}

#[tokio::test]
async fn a_clock_that_went_back_frees_no_seat_more() {
    let (_folder, store) = held_by(&[10, 11, 12, 13]).await;
    assert!(frees(&store, 10, 101, 50 * PERIOD).await);
    assert!(frees(&store, 11, 102, 5000).await);
    assert!(!frees(&store, 12, 103, 5001).await);
    assert!(!frees(&store, 13, 104, 5000 + PERIOD - 1).await);
}

#[tokio::test]
async fn a_license_given_back_again_frees_nothing_more_and_keeps_its_time() {
    let (_folder, store) = held_by(&[10, 11, 12]).await;
    assert!(frees(&store, 10, 101, 5000).await);
    // The row of a seat says when it was first given back.
    assert!(frees(&store, 10, 102, 6000).await);
    let returned: i64 = store
        .read(|connection| {
            let sql = "SELECT returned_at FROM seat WHERE device_id = ?1";
            Ok(connection.query_row(sql, [device(10).as_bytes()], |row| row.get(0))?)
        })
        .await
        .unwrap();
    assert_eq!(returned, 5000);
    assert!(frees(&store, 11, 103, 7000).await, "the repetition was none of the two");
    assert!(!frees(&store, 12, 104, 8000).await);
}

fn actions(names: impl IntoIterator<Item = String>) -> State {
    let left = |name| (name, ActionState { counts_left: Some(1), first_use: None });
    State { actions: names.into_iter().map(left).collect() }
}

#[tokio::test]
async fn invented_actions_are_kept_up_to_their_most_over_all_reports() {
    let (_folder, store) = held_by(&[]).await;
    let name = |number: usize| format!("Action{number}");
    let kept = async |state: State| {
        store.report(BOUND, vec![(LID, state)], 2000).await.unwrap();
        let state = store.read(|connection| find_state(connection, LID)).await.unwrap();
        state.map_or(0, |state| state.actions.len())
    };
    assert_eq!(kept(actions((0..=MAX_ACTIONS).map(name))).await, 0, "one too many at once");
    assert_eq!(kept(actions((0..MAX_ACTIONS).map(name))).await, MAX_ACTIONS);
    assert_eq!(kept(actions([name(MAX_ACTIONS)])).await, MAX_ACTIONS, "one too many in all");
    let (mut used, last) = (actions((0..MAX_ACTIONS).map(name)), name(MAX_ACTIONS - 1));
    used.actions.get_mut(&last).unwrap().counts_left = Some(0);
    kept(used).await;
    let state = store.read(|connection| find_state(connection, LID)).await.unwrap().unwrap();
    assert_eq!(state.actions[&last].counts_left, Some(0), "what is known is still counted down");
}

#[tokio::test]
async fn who_does_not_hold_a_license_says_nothing_of_it_and_a_first_use_is_not_of_tomorrow() {
    let (_folder, store) = held_by(&[]).await;
    let used = |first_use| State {
        actions: [("Play".to_owned(), ActionState { counts_left: Some(0), first_use: Some(first_use) })].into(),
    };
    assert!(store.report(device(9), vec![(LID, used(5))], 2000).await.unwrap().is_empty());
    store.give_back(exchange(101, 2000), device(9), vec![(LID, used(5))], vec![101]).await.unwrap();
    assert_eq!(store.read(|connection| find_state(connection, LID)).await.unwrap(), None);
    assert_eq!(store.report(BOUND, vec![(LID, State::default())], 2000).await.unwrap(), HashSet::new());
    assert_eq!(store.report(BOUND, vec![(LID, used(1 << 40))], 2000).await.unwrap(), HashSet::from([LID]));
    assert_eq!(store.read(|connection| find_state(connection, LID)).await.unwrap(), Some(used(2000)));
    store.give_back(exchange(102, 3000), BOUND, vec![(LID, used(1500))], vec![102]).await.unwrap();
    assert_eq!(store.read(|connection| find_state(connection, LID)).await.unwrap(), Some(used(1500)));
}
