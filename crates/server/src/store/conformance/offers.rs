//! Offers and grants: who has what on which terms, over every engine.

use super::*;
use crate::accounts::NewAccount;
use crate::rules::delivery::NAMED;
use crate::rules::granted::{GrantId, NewOffer, OFFERS_ONLY, Right};
use crate::store::rows::{GrantEntry, GrantFilter, OfferEntry};
use wmlicense_wire::answer::Reason;
use wmlicense_wire::id::UserId;

const TOM: UserId = UserId::new([5; 16]);
const GRANT: GrantId = GrantId::new([9; 16]);

fn kid(number: u8) -> Kid {
    Kid::new([number; 16])
}

fn content(number: u8, scope: &str) -> NewContent {
    let scope = Some(scope.to_owned());
    NewContent { kid: kid(number), sealed_key: vec![1], title: None, policy: None, scope }
}

fn offer(name: &str, policy: Option<&str>, scopes: &[&str], kids: &[u8]) -> NewOffer {
    let scopes = scopes.iter().map(|scope| (*scope).to_owned()).collect();
    let kids = kids.iter().map(|number| kid(*number)).collect();
    NewOffer { name: name.to_owned(), policy: policy.map(str::to_owned), open: false, scopes, kids }
}

/// Content 1 and 2 of a scope, 3 and 4 that only offers reach; an account without scopes, and two policies.
async fn shop(store: &Store) {
    let contents = vec![content(1, "gold"), content(2, "gold"), content(3, OFFERS_ONLY), content(4, OFFERS_ONLY)];
    store.add_content(contents, vec![], 10).await.unwrap();
    let account = NewAccount { user: TOM, scopes: vec![] };
    store.add_account("tom".to_owned(), account, Digest::new([1; 32]), 10).await.unwrap();
    for (name, terms) in [("rent", r#"{"actions":{"Play":{"count":2}}}"#), ("buy", "{}")] {
        store.set_policy(name.to_owned(), terms.to_owned(), None, 10).await.unwrap();
    }
}

async fn set(store: &Store, offer: NewOffer, now: i64) {
    assert!(matches!(store.set_offer(offer, now).await.unwrap(), OfferSet::Done(_)));
}

async fn give(store: &Store, id: GrantId, offer: &str, terms: GrantTerms, now: i64) -> Granting {
    store.add_grant(id, ("tom".to_owned(), offer.to_owned()), terms, now).await.unwrap()
}

/// The policies on which the account has these key IDs, or why not.
async fn had(store: &Store, kids: &[u8], now: i64) -> Vec<Result<String, Reason>> {
    let kids = kids.iter().map(|number| kid(*number)).collect();
    let contents = store.contents_of(Some(TOM), kids, now).await.unwrap();
    let told = |content: Option<Content>| {
        let content = content.unwrap();
        match content.right {
            Right::Refused(reason, _) => Err(reason),
            Right::Anybody | Right::Account | Right::Granted(_) => Ok(content.policy.unwrap().0.clone()),
        }
    };
    contents.into_iter().map(told).collect()
}

async fn deliver(store: &Store, since: Option<i64>, from: Position, now: i64) -> DeliveryPage {
    let query = DeliveryQuery { scope: None, since, from };
    let exchange = Exchange { account: Some(TOM), ..exchange(100, now) };
    store.delivery(exchange, OWN, query).await.unwrap()
}

fn items(page: &DeliveryPage) -> Vec<(String, u8)> {
    page.items.iter().map(|(place, kid, _)| (place.to_string(), kid.as_bytes()[0])).collect()
}

fn first() -> Position {
    Position::Withdrawn(Vec::new())
}

over_each_engine! {
    #[tokio::test]
    async fn an_offer_and_its_grants_stand_as_they_were_set(world: World) {
        let store = &world.store;
        shop(store).await;
        let by_key = offer("movie", Some("buy"), &["gold", "tin"], &[3, 4]);
        assert_eq!(store.set_offer(offer("x", Some("none"), &[], &[1]), 20).await.unwrap(), OfferSet::NoPolicy("none".to_owned()));
        set(store, by_key.clone(), 20).await;
        assert_eq!(give(store, GRANT, "none", GrantTerms::default(), 21).await, Granting::NoOffer);
        let never = GrantTerms { from: Some(50), until: Some(50), ..GrantTerms::default() };
        assert_eq!(give(store, GRANT, "movie", never, 21).await, Granting::Never);
        let terms = GrantTerms { until: Some(500), reference: Some("order 7".to_owned()), ..GrantTerms::default() };
        assert_eq!(give(store, GRANT, "movie", terms, 21).await, Granting::Done);
        let listed = |now| async move { store.listed::<OfferEntry>(now, None, 9).await.unwrap() };
        assert_eq!(listed(100).await, [OfferEntry { offer: by_key.clone(), grants: 1 }]);
        assert_eq!(listed(500).await[0].grants, 0, "by then it is over");
        assert_eq!(store.remove_offer("movie".to_owned(), 30).await.unwrap(), OfferEnd::InUse(1));
        let grants = async |filter| store.listed::<GrantEntry>(filter, None, 9).await.unwrap();
        let all = grants(GrantFilter::default()).await;
        assert_eq!((all.len(), all[0].account.as_deref(), all[0].grant.until), (1, Some("tom"), Some(500)));
        let of = |reference: &str| GrantFilter { reference: Some(reference.to_owned()), ..GrantFilter::default() };
        assert_eq!((grants(of("order 7")).await.len(), grants(of("order 8")).await.len()), (1, 0));
        assert!(grants(GrantFilter { after: Some(500), ..GrantFilter::default() }).await.is_empty());
        let change = GrantChange { until: Some(None), reference: Some(None), ..GrantChange::default() };
        assert_eq!(store.change_grant(GRANT, change, 40).await.unwrap(), Granting::Done);
        let changed = grants(GrantFilter::default()).await.remove(0).grant;
        assert_eq!((changed.until, changed.reference, changed.created_at), (None, None, 21));
        assert_eq!(store.end_grant(GRANT, 50).await.unwrap(), Granting::Done);
        assert_eq!(store.end_grant(GRANT, 51).await.unwrap(), Granting::Ended);
        assert_eq!(store.end_grant(GrantId::new([8; 16]), 51).await.unwrap(), Granting::NoGrant);
        assert_eq!(store.remove_offer("movie".to_owned(), 60).await.unwrap(), OfferEnd::Removed);
        assert_eq!(store.remove_offer("movie".to_owned(), 60).await.unwrap(), OfferEnd::NoOffer);
        let audit: Vec<_> = store.all::<AuditRow>().await.unwrap().into_iter().map(|row| row.act).collect();
        for act in ["offer set", "offer remove", "grant add", "grant change", "grant end"] {
            assert!(audit.iter().any(|done| done == act), "{act}");
        }
    }

    #[tokio::test]
    async fn grants_give_what_their_offers_cover_while_they_count(world: World) {
        let store = &world.store;
        shop(store).await;
        set(store, offer("rent", Some("rent"), &["gold"], &[3]), 20).await;
        set(store, offer("buy", Some("buy"), &[], &[1]), 20).await;
        assert_eq!(had(store, &[1, 3], 30).await, [Err(Reason::NotEntitled), Err(Reason::NotEntitled)]);
        let terms = GrantTerms { until: Some(500), ..GrantTerms::default() };
        give(store, GRANT, "rent", terms, 30).await;
        give(store, GrantId::new([8; 16]), "buy", GrantTerms { from: Some(200), ..GrantTerms::default() }, 30).await;
        let rent = || Ok("rent".to_owned());
        assert_eq!(had(store, &[1, 2, 3, 4], 100).await, [rent(), rent(), rent(), Err(Reason::NotEntitled)]);
        assert_eq!(had(store, &[1, 2], 200).await, [Ok("buy".to_owned()), rent()], "of two the better one");
        assert_eq!(had(store, &[1, 2], 500).await, [Ok("buy".to_owned()), Err(Reason::NotEntitled)]);
        assert!(store.remove_account("tom".to_owned(), 300).await.unwrap());
        assert_eq!(had(store, &[1, 2], 300).await, [Err(Reason::NotEntitled), Err(Reason::NotEntitled)]);
    }

    #[tokio::test]
    async fn a_run_brings_what_grants_cover_and_takes_what_ended_grants_gave(world: World) {
        let store = &world.store;
        shop(store).await;
        set(store, offer("all", Some("buy"), &["gold"], &[2, 3]), 20).await;
        assert_eq!(items(&deliver(store, None, first(), 25).await), []);
        give(store, GRANT, "all", GrantTerms::default(), 30).await;
        let page = deliver(store, None, first(), 40).await;
        let gold = |number| ("gold".to_owned(), number);
        assert_eq!(items(&page), [gold(1), gold(2), (NAMED.to_owned(), 3)], "what is in a scope comes with that alone");
        assert!(page.next.is_none());
        // It goes on where it was, behind every scope too.
        let behind = Position::Scope(NAMED.to_owned(), vec![2; 16]);
        assert_eq!(items(&deliver(store, None, behind, 40).await), [(NAMED.to_owned(), 3)]);
        let since = Some(page.mark);
        assert_eq!(items(&deliver(store, since, first(), 45).await), [], "nothing is new");
        let mine = NewLicense { kid: kid(3), user: Some(TOM), ..license(7, None) };
        written(store.issue(exchange(7, 45), OWN, issued(vec![mine]), vec![7]).await.unwrap(), &[7]);
        assert!(deliver(store, since, first(), 50).await.withdrawn.is_empty());
        let change = GrantChange { until: Some(Some(60)), ..GrantChange::default() };
        assert_eq!(store.change_grant(GRANT, change, 50).await.unwrap(), Granting::Done);
        assert_eq!(items(&deliver(store, since, first(), 55).await).len(), 3, "its terms changed");
        let withdrawn = deliver(store, since, first(), 60).await.withdrawn;
        assert_eq!(withdrawn.into_iter().map(|over| over.lid).collect::<Vec<_>>(), [lid(7)]);
    }

    #[tokio::test]
    async fn an_open_offer_is_everybodys_until_it_is_removed(world: World) {
        let store = &world.store;
        shop(store).await;
        let trial = NewOffer { open: true, ..offer("trial", Some("rent"), &[], &[3]) };
        set(store, trial, 20).await;
        let told = async |now| {
            let content = store.contents_of(None, vec![kid(3)], now).await.unwrap().remove(0).unwrap();
            (content.right, content.policy.map(|policy| policy.0.clone()))
        };
        assert_eq!(told(30).await, (Right::Anybody, Some("rent".to_owned())));
        assert_eq!(store.remove_offer("trial".to_owned(), 40).await.unwrap(), OfferEnd::Removed);
        assert_eq!(told(50).await, (Right::Refused(Reason::AccountRequired, None), None));
    }
}
