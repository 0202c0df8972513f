//! Devices of accounts: so many may have something of a grant at a time, over every engine.

use super::*;
use crate::accounts::NewAccount;
use crate::rules::epochs::YEAR;
use crate::rules::granted::{GrantId, NewOffer, OFFERS_ONLY, Right};
use crate::store::rows::GrantFilter;
use wmlicense_wire::answer::Reason;
use wmlicense_wire::id::UserId;
use wmlicense_wire::license::State;

const TOM: UserId = UserId::new([5; 16]);
const GRANT: GrantId = GrantId::new([9; 16]);

/// An account that has an offer of one title, on so many devices at a time.
async fn granted(store: &Store, devices: u32) {
    let scope = Some(OFFERS_ONLY.to_owned());
    let content = NewContent { kid: KID, sealed_key: vec![1], title: None, policy: None, scope };
    store.add_content(vec![content], vec![], 10).await.unwrap();
    let account = NewAccount { user: TOM, scopes: vec![] };
    store.add_account("tom".to_owned(), account, Digest::new([1; 32]), 10).await.unwrap();
    let offer = NewOffer { name: "buy".to_owned(), policy: None, open: false, scopes: vec![], kids: vec![KID] };
    store.set_offer(offer, 10).await.unwrap();
    let terms = GrantTerms { devices: Some(devices), ..GrantTerms::default() };
    let of = ("tom".to_owned(), "buy".to_owned());
    assert_eq!(store.add_grant(GRANT, of, terms, 10).await.unwrap(), Granting::Done);
}

fn asks(number: u8, now: i64) -> Exchange {
    Exchange { account: Some(TOM), ..exchange(number, now) }
}

async fn offered(store: &Store, number: u8) -> Offered {
    let mut offer = store.offer(asks(200, 1000), device(number), Some(TOM), vec![KID]).await.unwrap();
    offer.items.remove(0).unwrap()
}

/// Whether the device may have the title, or why not.
async fn may(store: &Store, number: u8) -> Result<(), Reason> {
    match offered(store, number).await.content.right {
        Right::Refused(reason, _) => Err(reason),
        Right::Anybody | Right::Account | Right::Granted(_) => Ok(()),
    }
}

/// Writes the license that a device was offered.
async fn issue(store: &Store, number: u8, offered: &Offered) -> Committed {
    let license = NewLicense { user: Some(TOM), ..license(number, None) };
    let issue = Issue { joins: offered.content.joins.into_iter().collect(), ..issued(vec![license]) };
    store.issue(asks(number, 1000), device(number), issue, vec![number]).await.unwrap()
}

async fn take(store: &Store, number: u8) {
    let offered = offered(store, number).await;
    written(issue(store, number, &offered).await, &[number]);
}

over_each_engine! {
    #[tokio::test]
    async fn so_many_devices_have_a_grant_and_another_one_when_one_of_them_makes_room(world: World) {
        let store = &world.store;
        granted(store, 2).await;
        take(store, 11).await;
        take(store, 12).await;
        assert_eq!(may(store, 13).await, Err(Reason::LimitReached));
        assert_eq!((may(store, 11).await, offered(store, 11).await.content.joins), (Ok(()), None));
        let free = async |account: &str, number| store.free_device(account.to_owned(), device(number), false, 1100).await.unwrap();
        assert_eq!((free("ann", 12).await, free("tom", 13).await), (Freeing::NoAccount, Freeing::NotIts));
        assert_eq!(free("tom", 12).await, Freeing::Freed(1));
        let dropped = store.offer(asks(201, 1200), device(12), Some(TOM), vec![KID]).await.unwrap().withdrawn;
        assert_eq!(dropped.into_iter().map(|over| over.lid).collect::<Vec<_>>(), [lid(12)]);
        take(store, 13).await;
        assert_eq!(may(store, 12).await, Err(Reason::LimitReached), "it was freed, and is a new one");
        // Who gave all back makes room, and so does who is lost.
        let told = store.give_back(asks(30, 1300), device(11), vec![(lid(11), State::default())], vec![30]).await;
        written(told.unwrap(), &[30]);
        take(store, 14).await;
        assert_eq!(may(store, 15).await, Err(Reason::LimitReached));
        assert!(store.lose_device(device(14), 1400).await.unwrap().is_some());
        assert_eq!(may(store, 15).await, Ok(()));
    }

    #[tokio::test]
    async fn an_account_frees_two_devices_in_a_year_and_its_owner_any(world: World) {
        let store = &world.store;
        granted(store, 9).await;
        for number in 11..=15 {
            take(store, number).await;
        }
        let by = |who: &str, now: i64| Acting { who: who.to_owned(), ..Acting::from(now) };
        let free = async |number, now| {
            store.free_device("tom".to_owned(), device(number), true, by("account tom", now)).await.unwrap()
        };
        assert_eq!(free(11, 2000).await, Freeing::Freed(1));
        assert_eq!(free(11, 2100).await, Freeing::NotIts, "which counts nothing");
        assert_eq!(free(12, 3000).await, Freeing::Freed(1));
        assert_eq!(free(13, 4000).await, Freeing::TooOften(2000 + YEAR));
        assert_eq!(free(13, 1999 + YEAR).await, Freeing::TooOften(2000 + YEAR));
        assert_eq!(free(13, 2000 + YEAR).await, Freeing::Freed(1));
        assert_eq!(free(14, 2000 + YEAR).await, Freeing::TooOften(3000 + YEAR));
        let owner = store.free_device("tom".to_owned(), device(14), false, by("account tom", 2000 + YEAR)).await;
        assert_eq!(owner.unwrap(), Freeing::Freed(1));
        let (name, left) = store.devices_of(TOM).await.unwrap().unwrap();
        // Of devices that nobody certified no list knows.
        assert_eq!((name.as_str(), left.len()), ("tom", 0));
        assert!(store.devices_of(UserId::new([9; 16])).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn of_two_new_devices_at_once_one_takes_the_last_place(world: World) {
        granted(&world.store, 1).await;
        let (one, two) = (offered(&world.store, 11).await, offered(&world.other, 12).await);
        let told = tokio::join!(issue(&world.store, 11, &one), issue(&world.other, 12, &two));
        let done = [&told.0, &told.1].into_iter().filter(|told| **told == Committed::Done).count();
        // A commit of which nobody was told counts as well.
        let has = async |number| u8::from(may(&world.store, number).await.is_ok());
        assert!(done <= 1, "{told:?}");
        assert_eq!(has(11).await + has(12).await, 1);
    }

    #[tokio::test]
    async fn a_restore_counts_as_a_device_of_the_grant(world: World) {
        let store = &world.store;
        granted(store, 2).await;
        take(store, 11).await;
        let content = async |number| {
            let (_, mut contents) = store.restorable(device(number), Some(TOM), vec![KID], 1000).await.unwrap();
            contents.remove(0).unwrap()
        };
        let wish = |joins| Claim {
            lid: lid(11), kid: KID, issued_here: true, bound: device(11), limit: 9, state: None, policy: policy(11, None),
            joins,
        };
        let restored = async |number: u8, joins| {
            let told = store.claim(asks(number, 1000), device(number), vec![wish(joins)], Default::default()).await;
            let Claimed::Seats(mut seats, _) = told.unwrap() else { panic!("the claim is not counted") };
            seats.remove(0).is_ok()
        };
        let (second, third) = (content(12).await.joins, content(13).await.joins);
        assert_eq!((second, third), (Some(GRANT), Some(GRANT)));
        assert!(restored(12, second).await);
        assert!(!restored(13, third).await, "the other one was faster");
        assert_eq!(content(13).await.right, Right::Refused(Reason::LimitReached, None));
        // A limit that is taken away, and one that comes later.
        let change = GrantChange { devices: Some(None), ..GrantChange::default() };
        assert_eq!(store.change_grant(GRANT, change, 1100).await.unwrap(), Granting::Done);
        take(store, 14).await;
        let change = GrantChange { devices: Some(Some(1)), ..GrantChange::default() };
        assert_eq!(store.change_grant(GRANT, change, 1200).await.unwrap(), Granting::Done);
        assert_eq!((may(store, 14).await, may(store, 15).await), (Ok(()), Err(Reason::LimitReached)));
        let grants: Vec<GrantEntry> = store.listed(GrantFilter::default(), None, 9).await.unwrap();
        assert_eq!(grants[0].grant.devices, Some(1));
    }
}
