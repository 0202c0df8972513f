//! Answers, epochs, devices: what is known of a request, and of two that come at once.

use super::super::transact::Work;
use super::*;
use crate::rules::epochs::Presented;
use crate::rules::mailbox::Recipient;
use crate::rules::rows::Keeping;
use crate::store::rows::For;
use std::collections::HashSet;
use wmlicense_wire::certificate::Role;
use wmlicense_wire::license::State;

fn certified() -> CertifiedDevice {
    CertifiedDevice {
        device_id: OWN,
        security_version: "1.0.0.0".to_owned(),
        assurance: 1,
        certified_at: 1000,
        replaces: None,
        name: Some("Tom's".to_owned()),
    }
}

fn presented(epoch: Option<Epoch>) -> Presented {
    Presented { role: Role::Issuer, device: OWN, certified_at: 0, epoch, period: 3600, name: None }
}

fn asked(number: u8, now: i64, epoch: Option<Epoch>) -> Exchange {
    let fresh = Epoch::new([number; 16]);
    Exchange { presented: Some(presented(epoch)), fresh, ..exchange(number, now) }
}

async fn standing(store: &Store, exchange: Exchange) -> Exchange {
    store.standing(exchange, None).await.unwrap().1
}

/// Work that writes and then does not end well.
struct Broken(Option<bool>);

impl Work for Broken {
    fn run<'r>(&'r self, rows: &'r mut dyn Rows) -> Pending<'r, bool> {
        Box::pin(async move {
            rows.claim_exchange(&exchange(9, 1000), Keeping::Bytes(b"lost")).await?;
            rows.put_policy("p", "{}", None, 7, 7).await?;
            rows.put_mark(7).await?;
            self.0.ok_or(StoreError::Damaged("test"))
        })
    }
}

over_each_engine! {
    #[tokio::test]
    async fn an_answer_is_kept_for_thirty_days_and_its_row_for_ever(world: World) {
        let store = &world.store;
        written(store.certify(exchange(1, 1000), certified(), b"answer".to_vec()).await.unwrap(), b"answer");
        let known = async |now| prior(store, exchange(1, now)).await;
        assert_eq!(known(1000 + ANSWER_LIFETIME - 1).await, Prior::Answered(Some(b"answer".to_vec())));
        assert_eq!(known(1000 + ANSWER_LIFETIME).await, Prior::Gone);
        store.drop_answers(1000).await.unwrap();
        assert_eq!(known(1000).await, Prior::Answered(Some(b"answer".to_vec())));
        store.drop_answers(1001).await.unwrap();
        assert_eq!(known(1000).await, Prior::Gone);
        let again = store.certify(exchange(1, 2000), certified(), b"other".to_vec()).await.unwrap();
        assert_eq!(again, Committed::Prior(Prior::Gone));
    }

    #[tokio::test]
    async fn an_answer_that_is_made_again_is_known_for_thirty_days_and_kept_once_it_has_to_be(world: World) {
        let store = &world.store;
        let nothing = |made_again| Issue { made_again, ..Issue::default() };
        let issue = async |now, made_again, answer| {
            store.issue(exchange(1, now), OWN, nothing(made_again), vec![answer]).await.unwrap()
        };
        assert_eq!(issue(1000, true, 1).await, Committed::Done);
        assert_eq!(prior(store, exchange(1, 1000 + ANSWER_LIFETIME - 1)).await, Prior::Again);
        assert_eq!(prior(store, exchange(1, 1000 + ANSWER_LIFETIME)).await, Prior::Gone);
        assert_eq!(issue(1000 + ANSWER_LIFETIME, true, 2).await, Committed::Prior(Prior::Gone));
        assert_eq!(issue(2000, true, 2).await, Committed::Done);
        assert_eq!(store.note(exchange(1, 2000)).await.unwrap(), Committed::Done, "it may have to wait as well");
        let other = Exchange { request_hash: Digest::new([9; 32]), ..exchange(1, 2000) };
        assert_eq!(store.note(other).await.unwrap(), Committed::Prior(Prior::Conflict));
        assert_eq!(store.drop_answers(9000).await.unwrap(), 0);
        written(issue(3000, false, 3).await, &[3]);
        assert_eq!(prior(store, exchange(1, 3000)).await, Prior::Answered(Some(vec![3])));
        assert_eq!(issue(3000, true, 4).await, Committed::Prior(Prior::Answered(Some(vec![3]))));
    }

    #[tokio::test]
    async fn of_two_that_come_at_once_one_is_answered_and_the_other_finds_that_answer(world: World) {
        let issue = async |store: &Store, number| {
            let answer = vec![number];
            store.issue(exchange(1, 1000), OWN, issued(vec![license(number, None)]), answer).await.unwrap()
        };
        let both = tokio::join!(issue(&world.store, 1), issue(&world.other, 2));
        let Prior::Answered(Some(answer)) = prior(&world.store, exchange(1, 1000)).await else { panic!("no answer") };
        let lost = Committed::Prior(Prior::Answered(Some(answer.clone())));
        let (winner, loser) = if answer == [1] { (both.0, both.1) } else { (both.1, both.0) };
        written(winner, &answer);
        assert_eq!(loser, lost);
        let all = licenses(&world.store).await;
        assert_eq!((all.len(), all[0].lid), (1, lid(answer[0])));
    }

    #[tokio::test]
    async fn a_transaction_with_other_bytes_or_for_another_account_is_in_conflict_and_changes_nothing(world: World) {
        let store = &world.store;
        written(world.issue(1, 1000, license(1, None)).await, &[1]);
        let other = Exchange { request_hash: Digest::new([9; 32]), ..exchange(1, 1000) };
        let account = Exchange { account: Some(wmlicense_wire::id::UserId::new([5; 16])), ..exchange(1, 1000) };
        for wrong in [other, account] {
            let issue = issued(vec![license(2, Some(1))]);
            let told = store.issue(wrong.clone(), OWN, issue, vec![2]).await.unwrap();
            assert_eq!(told, Committed::Prior(Prior::Conflict));
            assert_eq!(store.note(wrong.clone()).await.unwrap(), Committed::Prior(Prior::Conflict));
            let told = store.claim(wrong, OWN, vec![], HashSet::new()).await.unwrap();
            assert!(matches!(told, Claimed::Conflict));
        }
        assert_eq!(licenses(store).await[0].lid, lid(1));
    }

    #[tokio::test]
    async fn an_answer_that_tells_another_epoch_than_there_is_by_now_is_made_again(world: World) {
        let store = &world.store;
        let unread = asked(1, 1000, None);
        let told = store.issue(unread.clone(), OWN, issued(vec![license(1, None)]), vec![1]).await.unwrap();
        assert_eq!(told, Committed::Changed);
        assert_eq!(store.note(unread.clone()).await.unwrap(), Committed::Changed);
        assert_eq!(licenses(store).await.len(), 0);
        let first = standing(store, asked(1, 1000, None)).await;
        let second = standing(store, asked(2, 1000, None)).await;
        assert_ne!(first.standing, second.standing);
        assert_eq!(store.note(first).await.unwrap(), Committed::Done);
        // Both were decided when there was none yet; the one that came first made it.
        assert_eq!(store.note(second).await.unwrap(), Committed::Changed);
        let second = standing(store, asked(2, 1000, None)).await;
        assert_eq!(store.note(second).await.unwrap(), Committed::Done);
    }

    #[tokio::test]
    async fn two_first_requests_of_a_device_at_once_make_one_epoch(world: World) {
        let first = standing(&world.store, asked(1, 1000, None)).await;
        let second = standing(&world.other, asked(2, 1000, None)).await;
        let (first, second) = tokio::join!(world.store.note(first), world.other.note(second));
        let done = [first.unwrap(), second.unwrap()].into_iter().filter(|told| *told == Committed::Done).count();
        assert_eq!(done, 1, "the other one is decided again");
        let third = standing(&world.store, asked(3, 1001, None)).await;
        let fourth = standing(&world.other, asked(4, 1001, None)).await;
        assert_eq!(third.standing, fourth.standing);
    }

    #[tokio::test]
    async fn a_fork_is_counted_once_however_often_its_request_comes(world: World) {
        let store = &world.store;
        let first = standing(store, asked(1, 1000, None)).await;
        assert_eq!(store.note(first.clone()).await.unwrap(), Committed::Done);
        let current = standing(store, asked(2, 1001, first.standing.epoch)).await;
        store.note(current).await.unwrap();
        let strange = Some(Epoch::new([77; 16]));
        // The third time is long after the first; it is the same request all the same.
        for (number, at, is_fork) in [(3, 5000, true), (3, 5000, false), (3, 9000, false), (4, 20_000, true)] {
            let copied = standing(store, asked(number, at, strange)).await;
            assert_eq!(copied.standing.fork, is_fork, "request {number} at {at}");
            // Of a run of which nobody was told, the next one finds that it was counted, and tells so.
            assert!(matches!(store.note(copied).await.unwrap(), Committed::Done | Committed::Changed));
        }
        assert_eq!(store.read((), |(), rows| rows.last_fork(OWN)).await.unwrap(), Some(20_000));
        let forks = store.read((), |(), rows| rows.forks(OWN, OWN_KEYS, 0)).await.unwrap();
        assert_eq!(forks, [(Role::Issuer as i64, 2)]);
    }

    #[tokio::test]
    async fn keys_that_belong_to_another_device_or_a_revoked_one_are_not_certified_again(world: World) {
        let store = &world.store;
        written(store.certify(exchange(1, 1000), certified(), vec![1]).await.unwrap(), &[1]);
        let other = CertifiedDevice { device_id: device(9), ..certified() };
        assert_eq!(store.certify(exchange(2, 1000), other, vec![2]).await.unwrap(), Committed::Changed);
        assert!(store.revoke_device(OWN, 0, None, 1500).await.unwrap());
        assert!(!store.revoke_device(device(9), 0, None, 1500).await.unwrap());
        assert_eq!(store.certify(exchange(3, 1600), certified(), vec![3]).await.unwrap(), Committed::Changed);
        assert!(standing_is_revoked(store).await);
        let listed = store.all::<DeviceEntry>().await.unwrap();
        assert_eq!((listed.len(), listed[0].name.as_deref()), (1, Some("Tom's")));
    }

    #[tokio::test]
    async fn a_device_that_never_got_anything_is_forgotten_with_all_that_was_kept_of_it(world: World) {
        let store = &world.store;
        let from = DeviceId::new([0; 16]);
        written(store.certify(exchange(1, 1000), certified(), vec![1]).await.unwrap(), &[1]);
        let recipient =
            Recipient { thumbprint: OWN_KEYS, device: OWN, certificate: vec![9], revoked: false, copied: false };
        store.know(recipient.clone(), 1000, None).await.unwrap();
        let exchange_ = standing(store, asked(2, 1500, None)).await;
        assert_eq!(store.note(exchange_).await.unwrap(), Committed::Done);
        assert_eq!(store.forget_unused(from, 1500, 10).await.unwrap(), (None, 0), "it asked then");
        assert_eq!(store.forget_unused(OWN, 1501, 10).await.unwrap(), (None, 0), "it does not stand behind itself");
        let forgotten = store.forget_unused(from, 1501, 1).await.unwrap();
        // After a run of which nobody was told there is nothing left to forget.
        assert!(forgotten == (Some(OWN), 1) || forgotten == (None, 0), "{forgotten:?}");
        assert_eq!(store.forget_unused(from, 1501, 1).await.unwrap(), (None, 0));
        assert!(store.all::<DeviceEntry>().await.unwrap().is_empty());
        assert_eq!(prior(store, exchange(1, 1500)).await, Prior::None);
        assert!(!store.waiting(OWN_KEYS, vec![9], 1500).await.unwrap().known);
        assert!(store.read((), |(), rows| rows.epochs(OWN, For::Reading)).await.unwrap().is_empty());
        // When it comes again, it is known again.
        store.know(recipient, 1000, Some(certified())).await.unwrap();
        assert_eq!(store.all::<DeviceEntry>().await.unwrap()[0].device, OWN);
        assert!(store.revoke_device(OWN, 0, None, 1600).await.unwrap());
    }

    #[tokio::test]
    async fn a_device_that_got_something_or_was_revoked_or_noticed_is_not_forgotten(world: World) {
        let store = &world.store;
        let forget = async || store.forget_unused(DeviceId::new([0; 16]), 9000, 10).await.unwrap();
        written(store.certify(exchange(1, 1000), certified(), vec![1]).await.unwrap(), &[1]);
        written(world.issue(2, 1000, license(2, None)).await, &[2]);
        assert_eq!(forget().await, (None, 0));
        store.give_back(exchange(3, 1200), OWN, vec![(lid(2), State::default())], vec![3]).await.unwrap();
        assert_eq!(forget().await, (None, 0), "what was given back it had");
        let other = Exchange { thumbprint: SignerId::new([7; 32]), ..exchange(4, 1000) };
        let device = CertifiedDevice { device_id: device(9), ..certified() };
        written(store.certify(other, device.clone(), vec![4]).await.unwrap(), &[4]);
        assert!(store.revoke_device(device.device_id, 0, None, 1500).await.unwrap());
        assert_eq!(forget().await, (None, 0), "it was revoked");
    }

    #[tokio::test]
    async fn that_a_device_was_revoked_is_found_with_every_look_beside_what_it_was_answered(world: World) {
        let store = &world.store;
        written(store.certify(exchange(1, 1000), certified(), vec![1]).await.unwrap(), &[1]);
        written(world.issue(2, 1000, license(2, None)).await, &[2]);
        let looks = async || {
            let asked = || exchange(2, 1500);
            let offer = store.offer(asked(), OWN, None, vec![KID]).await.unwrap();
            let renewal = store.renewable(asked(), OWN, vec![lid(2)]).await.unwrap();
            let held = store.held(asked(), OWN, vec![lid(2)]).await.unwrap();
            let query = DeliveryQuery { scope: None, since: None, from: Position::Withdrawn(vec![]) };
            let page = store.delivery(asked(), OWN, query).await.unwrap();
            for prior in [offer.prior, renewal.prior, held.prior, page.prior] {
                assert_eq!(prior, Prior::Answered(Some(vec![2])));
            }
            let (restorable, _) = store.restorable(OWN, None, vec![KID], 1000).await.unwrap();
            [offer.revoked, renewal.revoked, held.revoked, page.revoked, restorable]
        };
        assert_eq!(looks().await, [false; 5]);
        assert!(store.revoke_device(OWN, 0, None, 1500).await.unwrap());
        assert_eq!(looks().await, [true; 5]);
        assert!(!store.restorable(device(9), None, vec![KID], 1000).await.unwrap().0);
    }

    #[tokio::test]
    async fn of_two_successors_at_once_one_takes_the_place_of_the_keys(world: World) {
        let store = &world.store;
        written(store.certify(exchange(1, 1000), certified(), vec![1]).await.unwrap(), &[1]);
        let new = |number: u8| Exchange { thumbprint: SignerId::new([number; 32]), ..exchange(number, 2000) };
        let rekeyed = CertifiedDevice { replaces: Some(OWN_KEYS), certified_at: 2000, ..certified() };
        let (first, second) = tokio::join!(
            world.store.certify(new(21), rekeyed.clone(), vec![21]),
            world.other.certify(new(22), rekeyed, vec![22]),
        );
        let lost = [first.unwrap(), second.unwrap()].into_iter().filter(|told| *told == Committed::Changed).count();
        assert_eq!(lost, 1);
        let devices = store.all::<DeviceEntry>().await.unwrap();
        assert_eq!((devices.len(), devices[0].device), (1, OWN));
        let (_, _, old) = store.known_device(new(21), Some(OWN_KEYS)).await.unwrap();
        assert_eq!(old.unwrap().successor, Some(devices[0].thumbprint));
    }

    #[tokio::test]
    async fn what_is_undone_or_fails_leaves_nothing(world: World) {
        let run = async |end| world.store.engine.run(Access::Once, Arc::new(Broken(end))).await;
        run(Some(false)).await.unwrap();
        assert!(matches!(run(None).await, Err(StoreError::Damaged("test"))));
        for store in [&world.store, &world.other] {
            assert_eq!(prior(store, exchange(9, 1000)).await, Prior::None);
            assert_eq!(store.policy("p".to_owned()).await.unwrap(), None);
            assert_eq!(store.read((), |(), rows| rows.mark(rows::For::Reading)).await.unwrap(), 0);
        }
    }

    #[tokio::test]
    async fn what_was_told_is_there_for_whoever_opens_the_database(world: World) {
        written(world.issue(1, 1000, license(1, None)).await, &[1]);
        assert_eq!(prior(&world.other, exchange(1, 1000)).await, Prior::Answered(Some(vec![1])));
        assert_eq!(licenses(&world.other).await[0].lid, lid(1));
        world.store.ready().await.unwrap();
    }

    #[tokio::test]
    async fn who_gives_up_waiting_leaves_all_of_it_or_nothing(world: World) {
        {
            let given_up = world.issue(1, 1000, license(1, None));
            tokio::pin!(given_up);
            let _ = tokio::time::timeout(std::time::Duration::ZERO, &mut given_up).await;
        }
        // Behind it in the order of those who write.
        written(world.issue(2, 1000, NewLicense { kid: Kid::new([9; 16]), ..license(2, None) }).await, &[2]);
        let is_there = licenses(&world.store).await.iter().any(|row| row.lid == lid(1));
        let answered = prior(&world.store, exchange(1, 1000)).await == Prior::Answered(Some(vec![1]));
        let held = world.store.held(exchange(3, 1000), OWN, vec![lid(1)]).await.unwrap().known[0];
        assert_eq!((is_there, is_there), (answered, held));
    }
}

async fn standing_is_revoked(store: &Store) -> bool {
    store.standing(asked(7, 1700, None), None).await.unwrap().0
}
