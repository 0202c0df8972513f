//! Requests that wait: what gives licenses back goes to where each came from, and one that is signed anew takes the place of the
//! one that is stored and of no other.

use super::*;
use wmlicense_wire::id::Epoch;

/// What is queued of licenses that go: where to, how many, and whether an earlier request was shown.
type Told = Vec<(Option<String>, usize, bool)>;

/// Gives the licenses of a key ID back by requests of these numbers.
fn give_back(room: &Room, number: u64, ids: &mut dyn Iterator<Item = u8>, replaces_earlier: bool) -> Told {
    let mut told = Told::new();
    let mut prepare = |place: &GiveBackTo, licenses: Vec<(Lid, State)>, earlier: Option<Vec<u8>>| {
        told.push((place.url.clone(), licenses.len(), earlier.is_some()));
        let transaction = room.pending(TransactionId::new([ids.next().unwrap(); 16]), room.clock.now());
        Ok::<_, StoreError>(Some(QueuedGiveBack { transaction, replaces_earlier }))
    };
    room.store.give_back(kid(number), &mut prepare).unwrap();
    told.sort();
    told
}

#[test]
fn licenses_go_back_to_where_each_came_from() {
    let room = Room::new();
    for (url, count) in [("https://a.test", 2), ("https://b.test", 1)] {
        let policies: Vec<_> = (0..count).map(|_| room.world.policy(kid(1))).collect();
        room.acquire(&policies, Some(&recipe(url)));
    }
    let place = |url: &str, count| (Some(url.to_owned()), count, false);
    assert_eq!(give_back(&room, 1, &mut (1..), true), [place("https://a.test", 2), place("https://b.test", 1)]);
    let waiting = |url: &str| room.store.returns(room.world.pin(), room.world.issuer.id, url).unwrap().len();
    assert_eq!([waiting("https://a.test"), waiting("https://b.test"), waiting("https://c.test")], [1, 1, 0]);
    assert_eq!(room.store.give_back_places().unwrap().len(), 2);
    assert_eq!(room.store.license_count().unwrap(), 0);
}

#[test]
fn a_request_that_takes_the_earlier_one_in_is_the_only_one_that_waits() {
    for replaces_earlier in [true, false] {
        let room = Room::new();
        room.acquire(&[room.world.policy(kid(1)), room.world.policy(kid(2))], None);
        give_back(&room, 1, &mut (1..), replaces_earlier);
        assert_eq!(give_back(&room, 2, &mut (2..), replaces_earlier), [(None, 1, true)]);
        let waiting: Vec<_> = room.store.returns(room.world.pin(), room.world.issuer.id, "anywhere").unwrap();
        let ids: Vec<u8> = waiting.iter().map(|transaction| transaction.id.as_bytes()[0]).collect();
        assert_eq!(ids, if replaces_earlier { vec![2] } else { vec![1, 2] });
        assert_eq!(room.count("give_back"), ids.len() as i64);
    }
}

#[test]
fn a_request_that_is_made_anew_waits_in_the_place_of_the_old_one() {
    let room = Room::new();
    room.acquire(&[room.world.policy(kid(1))], Some(&recipe("https://a.test")));
    give_back(&room, 1, &mut (1..), true);
    let waiting = || room.store.returns(room.world.pin(), room.world.issuer.id, "https://a.test").unwrap();
    let (old, fresh) = (waiting().remove(0), room.pending(TransactionId::new([9; 16]), NOW));
    room.store.requeue_give_back(&old, &fresh).unwrap();
    assert_eq!(waiting().iter().map(|transaction| transaction.id).collect::<Vec<_>>(), [fresh.id]);
    assert_eq!((room.count("give_back"), room.store.pending_count().unwrap()), (1, 1));
    let again = room.store.requeue_give_back(&old, &room.pending(TransactionId::new([8; 16]), NOW));
    assert!(matches!(again, Err(StoreError::NoTransaction)));
}

#[test]
fn transactions_of_more_than_a_month_ago_are_forgotten_but_what_gives_back() {
    let room = Room::new();
    room.acquire(&[room.world.policy(kid(1))], None);
    give_back(&room, 1, &mut (1..), true);
    for (number, created_at) in [(10, NOW), (11, NOW + 1)] {
        room.store.prepare(&room.pending(TransactionId::new([number; 16]), created_at)).unwrap();
    }
    room.set_clock(NOW + 30 * 86_400);
    assert_eq!(room.store.remove_old_transactions().unwrap(), 0);
    room.set_clock(NOW + 30 * 86_400 + 1);
    // The acquisition, and the one that was never answered.
    assert_eq!(room.store.remove_old_transactions().unwrap(), 2);
    assert_eq!((room.count("exchange"), room.store.pending_count().unwrap()), (2, 2));
}

#[test]
fn a_request_that_is_signed_anew_takes_the_place_of_the_stored_one_alone() {
    let room = Room::new();
    let id = TransactionId::new([1; 16]);
    room.store.prepare(&Transaction { request: b"first".to_vec(), ..room.pending(id, NOW) }).unwrap();
    assert!(!room.store.sign_anew(id, b"another", b"anew").unwrap());
    assert!(!room.store.sign_anew(TransactionId::new([2; 16]), b"first", b"anew").unwrap());
    assert_eq!(room.store.transaction(id).unwrap().unwrap().request, b"first");
    assert!(room.store.sign_anew(id, b"first", b"anew").unwrap());
    assert_eq!(room.store.transaction(id).unwrap().unwrap().request, b"anew");
    let other = |known: &[u8]| room.store.other_request(id, known).unwrap();
    assert_eq!(other(b"anew").as_deref(), Some(&b"first"[..]));
    assert_eq!(other(b"first").as_deref(), Some(&b"anew"[..]));
    // One that waits for its user stays as the user was asked.
    room.store.wait_for_user(id, "https://page.test").unwrap();
    assert!(!room.store.sign_anew(id, b"anew", b"once more").unwrap());
    assert_eq!(room.store.page(id).unwrap().as_deref(), Some("https://page.test"));
}

#[test]
fn a_request_is_sent_once_and_one_that_goes_on_is_not_sent_again() {
    let room = Room::new();
    let id = TransactionId::new([1; 16]);
    room.store.prepare(&room.pending(id, NOW)).unwrap();
    let state = || room.store.transaction_state(id).unwrap();
    assert_eq!(state(), Some(TransactionState::Prepared));
    room.store.mark_sent(id).unwrap();
    assert_eq!(state(), Some(TransactionState::Sent));
    room.store.set_transaction_state(id, TransactionState::Waiting).unwrap();
    room.store.mark_sent(id).unwrap();
    assert_eq!(state(), Some(TransactionState::Waiting));
    assert_eq!(room.store.transaction_state(TransactionId::new([2; 16])).unwrap(), None);
}

#[test]
fn an_epoch_that_was_told_ahead_of_time_gives_way_when_the_time_is_taken_back() {
    let room = Room::new();
    let (service, inner) = (room.world.issuer.id, &*room.store.inner);
    let epoch = |number: u8| Epoch::new([number; 16]);
    room.store.note_epoch(service, epoch(1), 2000).unwrap();
    room.store.note_epoch(service, epoch(2), 1500).unwrap();
    assert_eq!(room.store.epoch(service).unwrap(), Some(epoch(1)));
    inner.write(|connection| records::epoch::date_back(connection, service, 1000)).unwrap();
    room.store.note_epoch(service, epoch(2), 999).unwrap();
    assert_eq!(room.store.epoch(service).unwrap(), Some(epoch(1)));
    room.store.note_epoch(service, epoch(3), 1000).unwrap();
    assert_eq!(room.store.epoch(service).unwrap(), Some(epoch(3)));
    assert_eq!(room.store.epoch(room.world.management.id).unwrap(), None);
}
