//! What the owner takes back, adds and lists; what waits for devices and users.

use super::*;
use crate::accounts::{Account, NewAccount};
use crate::rules::mailbox::{Addressee, Recipient, Waiting};
use crate::rules::revocation::{ListedKey, NewRevokedKey, Order, rule};
use crate::store::revocations::TakenBack;
use wmlicense_wire::id::UserId;
use wmlicense_wire::key::{DualSigningKey, Signer as _, SigningKey};
use wmlicense_wire::revocation::{Acknowledgement, Entry, Revocation};

const USER: UserId = UserId::new([5; 16]);
const ANY: rows::Filter = rows::Filter {
    account: None,
    device: None,
    kid: None,
    title: None,
    scope: None,
    since: None,
    until: None,
    removed: false,
};

fn everything() -> Order {
    Order { entry: rule(None, None, None), device: None }
}

fn of_license(number: u8) -> Order {
    Order { entry: Entry::License(lid(number)), device: None }
}

fn content(number: u8, sealed: u8, policy: Option<&str>) -> NewContent {
    let (kid, policy) = (Kid::new([number; 16]), policy.map(str::to_owned));
    NewContent { kid, sealed_key: vec![sealed], title: Some(format!("Title {number}")), policy, scope: None }
}

fn recipient(certificate: u8) -> Recipient {
    Recipient { thumbprint: OWN_KEYS, device: OWN, certificate: vec![certificate], revoked: false, copied: false }
}

fn waiting_user(number: u8, expires_at: i64) -> NewInteraction {
    NewInteraction {
        id: format!("page {number}"),
        exchange: exchange(number, 1000),
        device: OWN,
        application: None,
        kids: vec![KID],
        expires_at,
    }
}

/// All pages of a list of two rows each.
async fn in_pairs<T, K: Copy>(page: impl AsyncFn(Option<K>) -> Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut all: Vec<T> = Vec::new();
    loop {
        let more = page(all.last().map(&key)).await;
        assert!(more.len() <= 2);
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

over_each_engine! {
    #[tokio::test]
    async fn an_order_is_told_to_who_held_the_license_and_a_rule_to_all(world: World) {
        let store = &world.store;
        written(world.issue(1, 1000, license(1, None)).await, &[1]);
        assert!(store.due(OWN).await.unwrap().is_none());
        let TakenBack { number, devices, .. } = store.take_back(of_license(1), Some("lost".to_owned()), 2000).await.unwrap();
        assert_eq!((number, devices), (2000, 1));
        let due = store.due(OWN).await.unwrap().unwrap();
        assert_eq!((due.number, due.target, due.entries.len()), (2000, Some(OWN), 1));
        assert!(store.due(device(9)).await.unwrap().is_none());
        let TakenBack { number, devices, .. } = store.take_back(everything(), None, 2000).await.unwrap();
        assert_eq!((number, devices), (2001, 1));
        let all = store.due(device(9)).await.unwrap().unwrap();
        assert_eq!((all.number, all.target), (2001, None));
        let listed = store.all::<OrderEntry>().await.unwrap();
        assert_eq!(listed.iter().map(|row| (row.number, row.devices)).collect::<Vec<_>>(), [(2001, 0), (2000, 1)]);
        assert_eq!(listed[1].reason.as_deref(), Some("lost"));
    }

    #[tokio::test]
    async fn orders_at_once_have_numbers_of_their_own(world: World) {
        let (first, second) = tokio::join!(
            world.store.take_back(everything(), None, 2000),
            world.other.take_back(everything(), None, 2000),
        );
        let mut numbers = [first.unwrap().number, second.unwrap().number];
        numbers.sort_unstable();
        assert_eq!(numbers, [2000, 2001]);
    }

    #[tokio::test]
    async fn what_a_rule_takes_back_is_to_be_dropped_by_who_has_it_also_from_a_backup(world: World) {
        let store = &world.store;
        store.add_content(vec![content(3, 1, None)], vec![], 100).await.unwrap();
        written(world.issue(1, 1000, license(1, None)).await, &[1]);
        let claim = Claim {
            lid: lid(1), kid: KID, issued_here: true, bound: OWN, limit: 4, state: None, policy: policy(1, None), joins: None,
            };
        store.claim(exchange(2, 1000), device(9), vec![claim], Default::default()).await.unwrap();
        let order = Order { entry: rule(None, Some(KID), None), device: None };
        assert_eq!(store.take_back(order, None, 2000).await.unwrap().devices, 2);
        for of in [OWN, device(9)] {
            let query = DeliveryQuery { scope: None, since: None, from: Position::Withdrawn(vec![]) };
            let page = store.delivery(exchange(100, 3000), of, query).await.unwrap();
            assert_eq!(page.withdrawn.iter().map(|over| over.lid).collect::<Vec<_>>(), [lid(1)]);
        }
        let other = Order { entry: rule(None, Some(Kid::new([4; 16])), None), device: None };
        assert_eq!(store.take_back(other, None, 2000).await.unwrap().devices, 0);
    }

    #[tokio::test]
    async fn the_first_blob_of_a_number_stays_and_an_older_one_takes_the_place_of_none(world: World) {
        let store = &world.store;
        let keep = async |number, byte: u8| store.keep_blob(None, number, vec![byte]).await.unwrap();
        assert_eq!((keep(7, 1).await, keep(7, 2).await), (vec![1], vec![1]));
        assert_eq!((keep(8, 3).await, keep(7, 4).await), (vec![3], vec![4]));
        assert_eq!(keep(8, 5).await, [3]);
        let (first, second) = tokio::join!(
            world.store.keep_blob(Some(OWN), 9, vec![6]),
            world.other.keep_blob(Some(OWN), 9, vec![7]),
        );
        assert_eq!(first.unwrap(), second.unwrap());
    }

    #[tokio::test]
    async fn an_acknowledgement_counts_for_the_blob_that_the_device_was_given(world: World) {
        let store = &world.store;
        written(world.issue(1, 1000, license(1, None)).await, &[1]);
        let TakenBack { number, .. } = store.take_back(of_license(1), None, 2000).await.unwrap();
        let due = store.due(OWN).await.unwrap().unwrap();
        let blob = Revocation { number, target: due.target, entries: due.entries };
        let blob = blob.sign(&DualSigningKey::generate().unwrap()).unwrap();
        store.keep_blob(due.target, number, blob.clone()).await.unwrap();
        let word = |blob: &[u8]| Acknowledgement {
            device_id: OWN, number, blob: Digest::of(blob), removed: 1, lids: vec![lid(1)], taken_at: 2500,
        };
        assert!(!store.acknowledge(word(b"another"), vec![1], 3000).await.unwrap());
        let elsewhere = Acknowledgement { device_id: device(9), ..word(&blob) };
        assert!(!store.acknowledge(elsewhere, vec![1], 3000).await.unwrap(), "it was for another device");
        for at in [3000, 4000] {
            assert!(store.acknowledge(word(&blob), vec![1], at).await.unwrap());
        }
        assert_eq!(licenses(store).await[0].acknowledged_at, Some(3000));
        assert_eq!(store.all::<OrderEntry>().await.unwrap()[0].acknowledged, 1);
        assert_eq!(store.due(OWN).await.unwrap().unwrap().signed, Some(blob));
        let key = *SigningKey::generate().unwrap().verifying_key();
        store.note_asker(OWN, OWN_KEYS, key, 2400).await.unwrap();
        assert!(store.asker(OWN_KEYS).await.unwrap() == Some((OWN, key)));
    }

    #[tokio::test]
    async fn a_status_list_follows_only_lower_numbers_and_names_everything_revoked(world: World) {
        let store = &world.store;
        let add = async |number| store.add_status_list(number, vec![7], 1000).await.unwrap();
        assert!(add(10).await && !add(10).await && !add(9).await && add(11).await);
        assert_eq!(store.status_list().await.unwrap(), Some((11, vec![7])));
        let key = |from| NewRevokedKey {
            kind: ListedKey::Application, key: SignerId::new([7; 32]), name: "Player".to_owned(), from, reason: None,
        };
        store.revoke_key(key(500), 1000).await.unwrap();
        store.revoke_key(key(300), 2000).await.unwrap();
        let revoked = store.revoked().await.unwrap();
        assert_eq!((revoked.len(), revoked[0].kind, revoked[0].from, revoked[0].revoked_at), (1, "application", 300, 1000));
    }

    #[tokio::test]
    async fn content_is_added_whole_or_not_at_all_and_keeps_its_key(world: World) {
        let store = &world.store;
        let add = async |contents, same| store.add_content(contents, same, 1000).await.unwrap();
        let nameless = vec![content(1, 1, None), content(2, 1, Some("rent"))];
        assert_eq!(add(nameless, vec![]).await, Added::NoPolicy("rent".to_owned()));
        assert!(store.all::<ContentEntry>().await.unwrap().is_empty());
        assert_eq!(add(vec![content(1, 1, None), content(1, 1, None)], vec![]).await, added(1, &[]));
        let kid = Kid::new([1; 16]);
        let again = add(vec![content(2, 1, None), content(1, 2, None)], vec![]).await;
        assert_eq!(again, Added::Existing(vec![(kid, vec![1])]));
        assert!(store.set_policy("rent".to_owned(), "{}".to_owned(), None, 1000).await.unwrap());
        assert!(!store.set_policy("rent".to_owned(), "{ }".to_owned(), None, 1000).await.unwrap());
        let offered = |policy: Option<&str>| Offering { policy: policy.map(str::to_owned), scope: None };
        let moved = added(0, &[(offered(None), offered(Some("rent")))]);
        let adding = |replace, dry| {
            let (act, contents, same) = ("content import", vec![content(1, 2, Some("rent"))], vec![kid]);
            Adding { act, contents, same, replace, dry }
        };
        let Added::Done(changes) = &moved else { unreachable!() };
        assert_eq!(store.add(adding(false, false), 1000).await.unwrap(), Added::Moves(changes.clone()));
        assert_eq!(store.add(adding(false, true), 1000).await.unwrap(), moved);
        assert_eq!(store.contents_of(None, vec![kid], 1000).await.unwrap()[0].as_ref().unwrap().policy, None);
        assert_eq!(store.add(adding(true, false), 1000).await.unwrap(), moved);
        let stored = store.contents_of(None, vec![kid], 1000).await.unwrap().remove(0).unwrap();
        let policy = stored.policy.map(|policy| (*policy).clone());
        assert_eq!((stored.sealed_key.bytes(), policy), (&[1][..], Some(("rent".to_owned(), "{ }".to_owned()))));
    }

    #[tokio::test]
    async fn every_change_has_a_mark_above_all_before_it(world: World) {
        let mark = async || world.store.read((), |(), rows| rows.mark(rows::For::Reading)).await.unwrap();
        let mut last = mark().await;
        for (number, now) in [(1, 1000), (2, 1000), (3, 500)] {
            world.store.add_content(vec![content(number, 1, None)], vec![], now).await.unwrap();
            assert!(mark().await > last);
            last = mark().await;
        }
        let (first, second) = tokio::join!(
            world.store.add_content(vec![content(4, 1, None)], vec![], 2000),
            world.other.add_content(vec![content(5, 1, None)], vec![], 2000),
        );
        assert_eq!((first.unwrap(), second.unwrap(), mark().await), (added(1, &[]), added(1, &[]), 2001));
    }

    #[tokio::test]
    async fn a_name_is_one_accounts_and_a_token_takes_the_place_of_that_of_its_name(world: World) {
        let store = &world.store;
        let token = |byte: u8| Digest::new([byte; 32]);
        let account = |user| NewAccount { user, scopes: vec!["gold".to_owned()] };
        let add = async |store: &Store, user: u8| {
            let account = account(UserId::new([user; 16]));
            store.add_account("tom".to_owned(), account, token(user), 1000).await.unwrap()
        };
        let taken = tokio::join!(add(&world.store, 5), add(&world.other, 6));
        assert_ne!(taken.0, taken.1);
        let user = store.user_of("tom".to_owned()).await.unwrap().unwrap();
        let new = |byte| NewToken::unnamed(token(byte));
        assert!(store.set_token("tom".to_owned(), new(7), 1000).await.unwrap());
        assert!(!store.set_token("ann".to_owned(), new(8), 1000).await.unwrap());
        let of = async |byte| store.account(token(byte), 1000).await.unwrap().account();
        assert_eq!((of(7).await, of(5).await.or(of(6).await)), (Some(Account { user }), None));
        let (add, remove) = (vec!["silver".to_owned()], vec!["gold".to_owned()]);
        assert!(!store.change_account("ann".to_owned(), add.clone(), vec![], 1000).await.unwrap());
        assert!(store.change_account("tom".to_owned(), add.clone(), remove, 1000).await.unwrap());
        assert_eq!(store.account_name(user).await.unwrap().as_deref(), Some("tom"));
        assert_eq!(store.account_name(UserId::new([9; 16])).await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_is_given_is_written_whole_and_waits_thirty_days(world: World) {
        let store = &world.store;
        let give = async |number, license| {
            let issue = issued(vec![license]);
            store.give(exchange(number, 1000), OWN, issue, vec![number], true, 1000).await.unwrap()
        };
        let waiting = async |now| store.waiting(OWN_KEYS, vec![9], now).await.unwrap();
        assert_eq!(waiting(1000).await, Waiting::default());
        store.know(recipient(9), 500, None).await.unwrap();
        assert_eq!(give(1, license(1, None)).await, Committed::Done);
        // What was decided from another state leaves neither a license nor a letter.
        assert_eq!(give(2, license(2, None)).await, Committed::Changed);
        assert_eq!(waiting(1000).await, Waiting { letters: vec![vec![1]], known: true });
        assert_eq!(licenses(store).await.len(), 1);
        // With a newer certificate it is the same device; an older one does not come back.
        assert!(!store.waiting(OWN_KEYS, vec![8], 1000).await.unwrap().known);
        store.know(recipient(7), 400, None).await.unwrap();
        assert_eq!(store.recipients(Addressee::Device(OWN)).await.unwrap()[0].certificate, [9]);
        assert!(waiting(1000 + ANSWER_LIFETIME).await.letters.is_empty());
        store.drop_answers(1000).await.unwrap();
        assert_eq!(waiting(1000).await.letters.len(), 1);
        assert_eq!(store.taken(device(3), vec![TransactionId::new([1; 16])]).await.unwrap(), 0);
        store.drop_answers(1001).await.unwrap();
        assert!(waiting(1000).await.letters.is_empty());
    }

    #[tokio::test]
    async fn what_a_device_took_or_may_not_have_any_more_waits_for_it_no_more(world: World) {
        let store = &world.store;
        store.know(recipient(9), 500, None).await.unwrap();
        for number in [1, 2] {
            let license = NewLicense { kid: Kid::new([number; 16]), user: Some(USER), ..license(number, None) };
            let given = store.give(exchange(number, 1000), OWN, issued(vec![license]), vec![number], true, 1000).await;
            assert_eq!(given.unwrap(), Committed::Done);
        }
        let letters = async |keys| store.waiting(keys, vec![9], 1000).await.unwrap().letters;
        assert_eq!(letters(OWN_KEYS).await.len(), 2);
        assert_eq!(store.recipients(Addressee::Account(USER)).await.unwrap().len(), 1);
        store.taken(OWN, vec![TransactionId::new([1; 16])]).await.unwrap();
        assert_eq!(letters(OWN_KEYS).await, [[2]]);
        let newer = Recipient { thumbprint: SignerId::new([6; 32]), ..recipient(9) };
        store.know(newer, 600, None).await.unwrap();
        assert!(letters(OWN_KEYS).await.is_empty(), "the device has other keys");
        assert_eq!(letters(SignerId::new([6; 32])).await, [[2]]);
    }

    #[tokio::test]
    async fn a_user_decides_once_and_in_time_and_only_about_this_request(world: World) {
        let store = &world.store;
        let opened = store.open_interaction(waiting_user(1, 2000)).await.unwrap().unwrap();
        let again = NewInteraction { id: "another".to_owned(), ..waiting_user(1, 9000) };
        assert_eq!(store.open_interaction(again).await.unwrap().unwrap().id, opened.id);
        let mut other = waiting_user(1, 2000);
        other.exchange.request_hash = Digest::new([9; 32]);
        assert!(store.open_interaction(other).await.unwrap().is_none());
        let id = || opened.id.clone();
        assert!(!store.decide("no page".to_owned(), Decision::Declined, 1500).await.unwrap());
        assert!(!store.decide(id(), Decision::Declined, 2000).await.unwrap(), "too late");
        let (yes, no) = tokio::join!(
            world.store.decide(id(), Decision::Accepted(Some(USER)), 1500),
            world.other.decide(id(), Decision::Declined, 1500),
        );
        assert_ne!(yes.unwrap(), no.unwrap());
        store.count_failed_sign_in(id()).await.unwrap();
        assert_eq!(store.failed_sign_ins(OWN_KEYS, 1999).await.unwrap(), 1);
        assert_eq!(store.failed_sign_ins(OWN_KEYS, 2000).await.unwrap(), 0);
        store.drop_interactions(2001).await.unwrap();
        assert!(store.interaction(id()).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_list_in_pages_is_the_list_in_its_order(world: World) {
        let store = &world.store;
        for number in 1..=5 {
            store.add_content(vec![content(number, 1, None)], vec![], 100).await.unwrap();
            let license = NewLicense { kid: Kid::new([number; 16]), ..license(number, None) };
            // Two of one second, in the order of their IDs then.
            written(world.issue(number, 1000 + i64::from(number / 2), license).await, &[number]);
            let keys = Exchange { thumbprint: SignerId::new([number; 32]), ..exchange(100 + number, 1000) };
            let certified = CertifiedDevice {
                device_id: device(number), security_version: "1.0.0.0".to_owned(), assurance: 1, certified_at: 1000,
                replaces: None, name: None,
            };
            written(store.certify(keys, certified, vec![number]).await.unwrap(), &[number]);
            store.take_back(of_license(number), None, 1000).await.unwrap();
            let claim = Claim {
                lid: lid(50 + number), kid: KID, issued_here: false, bound: OWN, limit: 9, state: None,
                policy: policy(50 + number, None), joins: None,
            };
            store.claim(exchange(50 + number, 1000), device(9), vec![claim], Default::default()).await.unwrap();
        }
        let contents = async |behind| {
            store.read(behind, |behind, rows| rows.list_contents(&ANY, &[], *behind, 2)).await.unwrap()
        };
        let all = in_pairs(contents, |row| row.kid).await;
        assert_eq!(all.iter().map(|row| row.kid).collect::<Vec<_>>(), (1..=5).map(|number| Kid::new([number; 16])).collect::<Vec<_>>());
        let issued = async |behind| {
            store.read(behind, |behind, rows| rows.list_licenses(&ANY, *behind, 2)).await.unwrap()
        };
        let all = in_pairs(issued, |row| (row.entry.issued_at, row.entry.lid, row.entry.device)).await;
        assert_eq!(all.iter().map(|row| row.entry.lid).collect::<Vec<_>>(), [4, 5, 2, 3, 1].map(lid));
        let restores = async |behind| {
            store.read(behind, |behind, rows| rows.list_restores(&ANY, *behind, 2)).await.unwrap()
        };
        let all = in_pairs(restores, |row| (row.since, row.lid, row.device)).await;
        assert_eq!(all.iter().map(|row| row.lid).collect::<Vec<_>>(), [51, 52, 53, 54, 55].map(lid));
        let devices = async |behind| {
            store.read(behind, |behind, rows| rows.list_devices(&ANY, &[], *behind, 2)).await.unwrap()
        };
        let all = in_pairs(devices, |row| (row.since, row.device, row.thumbprint)).await;
        assert_eq!(all.iter().map(|row| row.device).collect::<Vec<_>>(), [1, 2, 3, 4, 5].map(device));
        let orders = async |behind| {
            store.read(behind, |behind, rows| rows.list_orders(*behind, 2)).await.unwrap()
        };
        let all = in_pairs(orders, |row| row.number).await;
        assert_eq!(all.iter().map(|row| row.number).collect::<Vec<_>>(), [1004, 1003, 1002, 1001, 1000]);
        let counts = store.stats().await.unwrap();
        assert!(counts.contains(&("licenses", 5)) && counts.contains(&("restores", 5)) && counts.contains(&("devices", 5)));
    }
}
