use super::super::super::{Committed, Issue, Store as _};
use super::super::SqliteStore;
use super::super::tests::{exchange, issued, license, store};
use super::*;
use wmlicense_wire::license::State;

const DEVICE: DeviceId = DeviceId::new([2; 16]);
const LID: Lid = Lid::new([1; 16]);

async fn handed_out(store: &SqliteStore, number: u8, now: i64) -> Committed {
    let again = vec![HandedOut { lid: LID, state: State::default() }];
    let issue = Issue { again, ..Issue::default() };
    store.issue(exchange(number, now), DEVICE, issue, vec![number]).await.unwrap()
}

#[tokio::test]
async fn twice_within_any_365_days_and_a_decision_that_comes_third_is_made_again() {
    let (_folder, store) = store();
    store.issue(exchange(1, 1000), DEVICE, issued(vec![license(1, None)]), vec![1]).await.unwrap();
    let known = async |now| store.read(move |connection| again(connection, DEVICE, LID, now)).await.unwrap();
    assert_eq!(known(1000).await, Again { times: 0, from: 1000 });
    assert_eq!(handed_out(&store, 2, 5000).await, Committed::Done);
    assert_eq!(handed_out(&store, 3, 6000).await, Committed::Done);
    assert_eq!(known(6000).await, Again { times: 2, from: 5000 + YEAR });
    assert_eq!(handed_out(&store, 4, 5000 + YEAR - 1).await, Committed::Changed);
    assert_eq!(known(5000 + YEAR).await, Again { times: 1, from: 6000 + YEAR });
    assert_eq!(handed_out(&store, 5, 5000 + YEAR).await, Committed::Done);
    assert_eq!(handed_out(&store, 6, 5000 + YEAR).await, Committed::Changed);
    // A clock that went back forgives nothing.
    assert_eq!(handed_out(&store, 7, 2000).await, Committed::Changed);
}

#[tokio::test]
async fn what_came_in_the_place_of_another_counts_with_it() {
    let (_folder, store) = store();
    store.issue(exchange(1, 1000), DEVICE, issued(vec![license(1, None)]), vec![1]).await.unwrap();
    assert_eq!(handed_out(&store, 2, 5000).await, Committed::Done);
    store.issue(exchange(3, 1000), DEVICE, issued(vec![license(9, Some(1))]), vec![3]).await.unwrap();
    let later = Lid::new([9; 16]);
    assert_eq!(store.read(move |connection| line(connection, DEVICE, later)).await.unwrap(), Some(LID));
    assert_eq!(store.read(move |connection| line(connection, DeviceId::new([3; 16]), later)).await.unwrap(), None);
    let again = vec![HandedOut { lid: later, state: State::default() }];
    let issue = || Issue { again: again.clone(), ..Issue::default() };
    assert_eq!(store.issue(exchange(4, 6000), DEVICE, issue(), vec![4]).await.unwrap(), Committed::Done);
    assert_eq!(store.issue(exchange(5, 7000), DEVICE, issue(), vec![5]).await.unwrap(), Committed::Changed);
    assert_eq!(handed_out(&store, 6, 7000).await, Committed::Changed);
}
