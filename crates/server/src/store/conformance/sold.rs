//! What the owner's shop sells by its tokens.

use super::super::sold::Sale;
use super::*;
use crate::rules::granted::NewOffer;
use crate::rules::shop::{Sold, SoldGrant};
use wmlicense_wire::id::UserId;

fn sold(account: &str, references: &[&str]) -> Sold {
    let grant = |reference: &&str| SoldGrant {
        offer: "rental".to_owned(),
        reference: (*reference).to_owned(),
        from: None,
        until: Some(9000),
        uses: None,
        devices: None,
    };
    Sold { account: account.to_owned(), grants: references.iter().map(grant).collect() }
}

async fn offer(store: &Store) {
    let (name, kids) = ("rental".to_owned(), vec![KID]);
    store.set_offer(NewOffer { name, policy: None, open: false, scopes: vec![], kids }, 100).await.unwrap();
}

async fn grants(store: &Store) -> Vec<GrantEntry> {
    store.all().await.unwrap()
}

over_each_engine! {
    #[tokio::test]
    async fn what_a_shop_sold_is_there_once_however_often_it_says_so(world: World) {
        let store = world.store();
        offer(store).await;
        let one = sold("alice", &["1", "2"]);
        assert_eq!(store.sold(one.clone()).await.unwrap(), None);
        let user = UserId::new([1; 16]);
        let Sale::Account(account) = store.sell(one.clone(), user, 200).await.unwrap() else { panic!() };
        assert_eq!(account.user, user);
        assert_eq!(store.sold(one.clone()).await.unwrap(), Some(account));
        // Again, and with one more order.
        let again = store.sell(one.clone(), UserId::new([2; 16]), 300).await.unwrap();
        assert_eq!(again, Sale::Account(account));
        assert_eq!(store.sold(sold("alice", &["1", "3"])).await.unwrap(), None);
        store.sell(sold("alice", &["1", "3"]), UserId::new([3; 16]), 300).await.unwrap();
        assert_eq!(grants(store).await.len(), 3);
        // What the owner ended the shop's old token brings not back.
        let ended = grants(store).await[0].grant.id;
        store.end_grant(ended, 400).await.unwrap();
        store.sell(sold("alice", &["1", "2", "3"]), UserId::new([4; 16]), 500).await.unwrap();
        let over = grants(store).await.into_iter().filter(|row| row.grant.ended_at.is_some());
        assert_eq!(over.map(|row| row.grant.id).collect::<Vec<_>>(), [ended]);
        let acts: Vec<AuditRow> = store.all().await.unwrap();
        let count = |act: &str| acts.iter().filter(|row| row.act == act).count();
        assert_eq!((count("account add"), count("grant add")), (1, 3));
    }

    #[tokio::test]
    async fn of_an_offer_that_is_not_there_nothing_is_sold(world: World) {
        let store = world.store();
        let told = store.sell(sold("alice", &["1"]), UserId::new([1; 16]), 200).await.unwrap();
        assert_eq!(told, Sale::Unfit("rental".to_owned()));
        assert_eq!(store.user_of("alice".to_owned()).await.unwrap(), None);
        assert!(store.all::<AuditRow>().await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn of_two_first_tokens_at_once_there_is_one_account_and_one_grant(world: World) {
        offer(&world.store).await;
        let sell = |store, number| Store::sell(store, sold("alice", &["1"]), UserId::new([number; 16]), 200);
        let (first, second) = tokio::join!(sell(&world.store, 1), sell(&world.other, 2));
        assert_eq!(first.unwrap(), second.unwrap());
        assert_eq!(grants(&world.store).await.len(), 1);
    }
}
