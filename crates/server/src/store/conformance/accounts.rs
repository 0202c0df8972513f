//! Accounts with several tokens, what is written of the owner's acts, and lists that tell who.

use super::*;
use crate::accounts::NewAccount;
use crate::rules::revocation::{Order, rule};
use rows::{AuditFilter, Filter};
use wmlicense_wire::id::UserId;

const TOM: UserId = UserId::new([5; 16]);

fn token(byte: u8, name: &str, ends_at: Option<i64>) -> NewToken {
    NewToken { hash: Digest::new([byte; 32]), name: name.to_owned(), ends_at }
}

/// An account with the token 1 and the scope gold.
async fn add(store: &Store, name: &str, user: UserId, byte: u8) -> bool {
    let account = NewAccount { user, scopes: vec!["gold".to_owned()] };
    store.add_account(name.to_owned(), account, Digest::new([byte; 32]), 1000).await.unwrap()
}

/// What a token says: 1 that it is the account's, 0 that it was, -1 that it never was.
async fn says(store: &Store, byte: u8, now: i64) -> i8 {
    match store.account(Digest::new([byte; 32]), now).await.unwrap() {
        Presented::Account(_) => 1,
        Presented::Ended => 0,
        Presented::Unknown => -1,
    }
}

async fn names(store: &Store, filter: Filter) -> Vec<String> {
    let rows: Vec<AccountEntry> = store.listed(filter, None, 100).await.unwrap();
    rows.into_iter().map(|row| row.account.name).collect()
}

fn filter(change: fn(&mut Filter)) -> Filter {
    let mut filter = Filter::default();
    change(&mut filter);
    filter
}

/// Two accounts, three titles, a license of one of the accounts that was restored to another device, and an open one.
async fn catalogue(world: &World) {
    let store = &world.store;
    assert!(add(store, "tom", TOM, 1).await && add(store, "ann", UserId::new([6; 16]), 2).await);
    let named = |number: u8, title: &str, scope: Option<&str>| {
        let (kid, title, scope) = (Kid::new([number; 16]), Some(title.to_owned()), scope.map(str::to_owned));
        NewContent { kid, sealed_key: vec![1], title, policy: None, scope }
    };
    let contents = vec![named(3, "A Film", None), named(4, "A song", Some("gold")), named(5, "Closed", Some("silver"))];
    store.add_content(contents, vec![], 100).await.unwrap();
    written(world.issue(1, 1000, NewLicense { user: Some(TOM), ..license(1, None) }).await, &[1]);
    let song = NewLicense { kid: Kid::new([4; 16]), ..license(2, None) };
    written(world.issue(2, 2000, song).await, &[2]);
    store.claim(exchange(3, 3000), device(9), vec![restored()], Default::default()).await.unwrap();
}

/// The license 1 in a backup.
fn restored() -> Claim {
    Claim {
        lid: lid(1),
        kid: KID,
        issued_here: true,
        bound: OWN,
        limit: 4,
        state: None,
        policy: policy(1, None),
        joins: None,
    }
}

over_each_engine! {
    #[tokio::test]
    async fn an_account_has_several_tokens_and_each_ends_for_itself(world: World) {
        let store = &world.store;
        assert!(add(store, "tom", TOM, 1).await);
        let set = async |token, now| store.set_token("tom".to_owned(), token, now).await.unwrap();
        assert!(set(token(2, "phone", Some(3000)), 1100).await && set(token(3, "tv", None), 1200).await);
        assert_eq!((says(store, 1, 1300).await, says(store, 2, 1300).await, says(store, 3, 1300).await), (1, 1, 1));
        assert_eq!((says(store, 2, 3000).await, says(store, 9, 1300).await), (0, -1));
        // Another one of the name takes its place.
        assert!(set(token(4, "tv", None), 1400).await);
        assert_eq!((says(store, 3, 1500).await, says(store, 4, 1500).await), (0, 1));
        let end = async |name: &str, token: &str| store.end_token(name.to_owned(), token.to_owned(), 1600).await.unwrap();
        assert_eq!(end("tom", "phone").await, TokenEnd::Ended);
        assert_eq!((end("tom", "car").await, end("ann", "tv").await), (TokenEnd::NoToken, TokenEnd::NoAccount));
        assert_eq!((says(store, 2, 1700).await, says(store, 4, 1700).await), (0, 1));
        let tokens = store.tokens("tom".to_owned()).await.unwrap().unwrap();
        assert_eq!(
            tokens.iter().map(|row| (row.name.as_str(), row.ends_at, row.ended_at)).collect::<Vec<_>>(),
            [("default", None, None), ("phone", Some(3000), Some(1600)), ("tv", None, Some(1400)), ("tv", None, None)]
        );
        assert!(store.tokens("ann".to_owned()).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn two_tokens_of_one_name_at_once_leave_one(world: World) {
        assert!(add(&world.store, "tom", TOM, 1).await);
        let (first, second) = tokio::join!(
            world.store.set_token("tom".to_owned(), token(2, "tv", None), 1100),
            world.other.set_token("tom".to_owned(), token(3, "tv", None), 1100),
        );
        assert!(first.unwrap() && second.unwrap());
        assert_eq!(says(&world.store, 2, 1200).await + says(&world.store, 3, 1200).await, 1);
    }

    #[tokio::test]
    async fn an_account_that_was_removed_has_nothing_and_leaves_its_name(world: World) {
        let store = &world.store;
        assert!(add(store, "tom", TOM, 1).await);
        let license = NewLicense { user: Some(TOM), ..license(1, None) };
        written(world.issue(1, 1000, license).await, &[1]);
        assert!(!store.remove_account("ann".to_owned(), 2000).await.unwrap());
        assert!(store.remove_account("tom".to_owned(), 2000).await.unwrap());
        assert!(!store.remove_account("tom".to_owned(), 2100).await.unwrap());
        assert_eq!(says(store, 1, 2200).await, 0);
        assert_eq!(store.account_name(TOM).await.unwrap(), None);
        assert_eq!(store.user_of("tom".to_owned()).await.unwrap(), None);
        assert!(store.stats().await.unwrap().contains(&("accounts", 0)));
        // Whose the license was is told still.
        assert_eq!(licenses(store).await[0].account.as_deref(), Some("tom"));
        assert!(add(store, "tom", UserId::new([6; 16]), 2).await);
        assert_eq!((says(store, 1, 2300).await, says(store, 2, 2300).await), (0, 1));
        let tom = |removed| Filter { account: Some("tom".to_owned()), removed, ..Filter::default() };
        assert_eq!((names(store, tom(false)).await.len(), names(store, tom(true)).await.len()), (1, 2));
    }

    #[tokio::test]
    async fn each_act_of_the_owner_is_written_once_and_those_that_changed_nothing_are_not(world: World) {
        let store = &world.store;
        assert!(add(store, "tom", TOM, 1).await && !add(store, "tom", UserId::new([6; 16]), 2).await);
        let (silver, gold) = (vec!["silver".to_owned()], vec!["gold".to_owned()]);
        assert!(store.change_account("tom".to_owned(), silver, gold, 1100).await.unwrap());
        assert!(!store.change_account("ann".to_owned(), vec![], vec![], 1200).await.unwrap());
        let all = Order { entry: rule(Some(TOM), None, Some(0)), device: None };
        store.take_back(all, None, 1300).await.unwrap();
        store.note_act(Act { act: "backup", about: Some("A file".to_owned()), ..Act::default() }, 1400).await.unwrap();
        let acts = async |filter| -> Vec<AuditRow> { store.listed(filter, None, 100).await.unwrap() };
        let all = acts(AuditFilter::default()).await;
        assert_eq!(
            all.iter().map(|row| row.act.as_str()).collect::<Vec<_>>(),
            ["backup", "license revoke", "account change", "account add"]
        );
        assert_eq!(all[1].about.as_deref(), Some("licenses of tom issued before 1970-01-01T00:00:00Z"));
        assert_eq!((all[2].was.as_deref(), all[2].became.as_deref()), (Some("scopes gold"), Some("scopes silver")));
        let count = async |filter| acts(filter).await.len();
        let about = |text: &str| AuditFilter { about: Some(text.to_owned()), ..AuditFilter::default() };
        let act = |text: &str| AuditFilter { act: Some(text.to_owned()), ..AuditFilter::default() };
        let who = |text: &str| AuditFilter { who: Some(text.to_owned()), ..AuditFilter::default() };
        assert_eq!((count(about("TOM")).await, count(about("a file")).await, count(about("x")).await), (3, 1, 0));
        assert_eq!((count(act("account")).await, count(act("account add")).await, count(act("acc")).await), (2, 1, 0));
        assert_eq!((count(who("test")).await, count(who("tes")).await), (4, 0));
        let between = AuditFilter { since: Some(1100), until: Some(1300), ..AuditFilter::default() };
        assert_eq!(count(between).await, 1);
        let first: Vec<AuditRow> = store.listed(AuditFilter::default(), None, 2).await.unwrap();
        let rest: Vec<AuditRow> = store.listed(AuditFilter::default(), Some(first[1].key()), 9).await.unwrap();
        assert_eq!([first, rest].concat(), all);
    }

    #[tokio::test]
    async fn a_license_is_found_by_each_of_its_facts_also_where_it_was_restored(world: World) {
        catalogue(&world).await;
        let store = &world.store;
        let found = async |change: fn(&mut Filter)| -> (Vec<u8>, usize) {
            let rows: Vec<LicenseEntry> = store.listed(filter(change), None, 9).await.unwrap();
            let restored: Vec<RestoreEntry> = store.listed(filter(change), None, 9).await.unwrap();
            assert!(restored.iter().all(|row| row.account.as_deref() == Some("tom") && row.device == device(9)));
            (rows.iter().map(|row| row.lid.as_bytes()[0]).collect(), restored.len())
        };
        assert_eq!(found(|_| {}).await, (vec![2, 1], 1));
        assert_eq!(found(|filter| filter.account = Some("tom".to_owned())).await, (vec![1], 1));
        assert_eq!(found(|filter| filter.account = Some("ann".to_owned())).await, (vec![], 0));
        assert_eq!(found(|filter| filter.title = Some("FILM".to_owned())).await, (vec![1], 1));
        assert_eq!(found(|filter| filter.kid = Some(KID)).await, (vec![1], 1));
        assert_eq!(found(|filter| filter.device = Some(OWN)).await, (vec![2, 1], 0));
        assert_eq!(found(|filter| filter.since = Some(2000)).await, (vec![2], 1));
        assert_eq!(found(|filter| filter.until = Some(2000)).await, (vec![1], 0));
    }

    #[tokio::test]
    async fn content_and_accounts_are_found_by_who_has_what(world: World) {
        catalogue(&world).await;
        let store = &world.store;
        let titles = async |change: fn(&mut Filter)| -> Vec<String> {
            let rows: Vec<ContentEntry> = store.listed(filter(change), None, 9).await.unwrap();
            rows.into_iter().filter_map(|row| row.title).collect()
        };
        assert_eq!(titles(|filter| filter.account = Some("tom".to_owned())).await, ["A Film", "A song"]);
        assert_eq!(titles(|filter| filter.title = Some("film".to_owned())).await, ["A Film"]);
        assert_eq!(titles(|filter| filter.kid = Some(KID)).await, ["A Film"]);
        assert_eq!(titles(|filter| filter.scope = Some("silver".to_owned())).await, ["Closed"]);
        assert_eq!(titles(|filter| filter.device = Some(OWN)).await, ["A Film", "A song"]);
        assert_eq!(titles(|filter| filter.device = Some(DeviceId::new([9; 16]))).await, ["A Film"]);
        assert_eq!(titles(|filter| filter.since = Some(101)).await, Vec::<String>::new());
        assert_eq!(names(store, filter(|filter| filter.device = Some(OWN))).await, ["tom"]);
        assert_eq!(names(store, filter(|filter| filter.scope = Some("gold".to_owned()))).await, ["ann", "tom"]);
        assert_eq!(names(store, filter(|filter| filter.scope = Some("silver".to_owned()))).await, Vec::<String>::new());
        assert_eq!(names(store, filter(|filter| filter.until = Some(1000))).await, Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_device_tells_the_accounts_that_use_it(world: World) {
        let store = &world.store;
        assert!(add(store, "tom", TOM, 1).await && add(store, "ann", UserId::new([6; 16]), 2).await);
        let certified = |number| CertifiedDevice {
            device_id: device(number), security_version: "1.0.0.0".to_owned(), assurance: 1, certified_at: 1000,
            replaces: None, name: None,
        };
        for (number, at) in [(2, 1000), (9, 1500)] {
            let keys = Exchange { thumbprint: SignerId::new([number; 32]), ..exchange(100 + number, at) };
            written(store.certify(keys, certified(number), vec![number]).await.unwrap(), &[number]);
        }
        written(world.issue(1, 1000, NewLicense { user: Some(TOM), ..license(1, None) }).await, &[1]);
        // It was restored for ann: no license was issued to her there.
        let asked = Exchange {
            thumbprint: SignerId::new([9; 32]), account: Some(UserId::new([6; 16])), ..exchange(3, 1600)
        };
        store.claim(asked, device(9), vec![restored()], Default::default()).await.unwrap();
        let found = async |filter: Filter| -> Vec<(u8, Vec<String>)> {
            let rows: Vec<DeviceEntry> = store.listed(filter, None, 9).await.unwrap();
            rows.into_iter().map(|row| (row.device.as_bytes()[0], row.accounts)).collect()
        };
        let all = [(9, vec!["ann".to_owned()]), (2, vec!["tom".to_owned()])];
        assert_eq!(found(Filter::default()).await, all);
        assert_eq!(found(Filter { account: Some("ann".to_owned()), ..Filter::default() }).await, all[..1]);
        assert_eq!(found(Filter { kid: Some(KID), ..Filter::default() }).await, all);
        assert_eq!(found(Filter { device: Some(OWN), ..Filter::default() }).await, all[1..]);
        assert_eq!(found(Filter { since: Some(1200), ..Filter::default() }).await, all[..1]);
    }
}
