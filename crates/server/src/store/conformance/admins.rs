//! Those who act for the owner from elsewhere.

use super::super::admins::{AdminKnown, NewAdminToken, Repeated};
use super::*;
use crate::rules::admins::{Admin, AdminRole, REPEAT_LIFETIME, Repeat};

fn token(number: u8, ends_at: Option<i64>) -> NewAdminToken {
    NewAdminToken { hash: Digest::new([number; 32]), ends_at }
}

fn known(name: &str, role: AdminRole) -> AdminKnown {
    AdminKnown::Admin(Admin { name: name.to_owned(), role })
}

fn repeat(key: &str, request: u8, claim: u8) -> Repeat {
    let (admin, key) = ("ada".to_owned(), key.to_owned());
    Repeat { admin, key, request: Digest::new([request; 32]), claim: [claim; 16] }
}

/// Lets a reader in, for a request.
async fn once(store: &Store, name: &str, repeat: Repeat, now: i64) -> Result<bool, StoreError> {
    let hash = Digest::of(&[name.as_bytes(), &repeat.claim].concat());
    let by = Acting { repeat: Some(repeat), ..Acting::from(now) };
    store.add_admin(name.to_owned(), AdminRole::Reader, NewAdminToken { hash, ends_at: None }, by).await
}

over_each_engine! {
    #[tokio::test]
    async fn a_request_with_a_key_is_done_once_in_a_day(world: World) {
        let store = world.store();
        assert!(once(store, "one", repeat("k", 1, 1), 1000).await.unwrap());
        assert_eq!(store.repeated(repeat("k", 1, 2), 1000).await.unwrap(), Repeated::Begun);
        let again = once(store, "two", repeat("k", 1, 2), 1000).await;
        assert!(matches!(again, Err(StoreError::Repeated)), "{again:?}");
        store.keep_answer(repeat("k", 1, 1), 201, vec![7]).await.unwrap();
        // Of whom nobody waits any more, an answer changes nothing.
        store.keep_answer(repeat("k", 1, 9), 200, vec![9]).await.unwrap();
        let answered = Repeated::Answered([1; 16], 201, vec![7]);
        assert_eq!(store.repeated(repeat("k", 1, 3), 1000).await.unwrap(), answered);
        assert_eq!(store.repeated(repeat("k", 2, 3), 1000).await.unwrap(), Repeated::Other);
        assert_eq!(store.repeated(repeat("other", 1, 3), 1000).await.unwrap(), Repeated::New);
        // What was not done has no key.
        assert!(!once(store, "one", repeat("other", 1, 4), 1000).await.unwrap());
        assert_eq!(store.repeated(repeat("other", 1, 3), 1000).await.unwrap(), Repeated::New);
        // A day later it is another request, whether or not somebody tidied up.
        let end = 1000 + REPEAT_LIFETIME;
        assert_eq!(store.repeated(repeat("k", 1, 3), end).await.unwrap(), answered);
        assert_eq!(store.repeated(repeat("k", 2, 3), end + 1).await.unwrap(), Repeated::New);
        assert!(once(store, "three", repeat("k", 2, 5), end + 1).await.unwrap());
        assert_eq!(store.repeated(repeat("k", 2, 3), end + 1).await.unwrap(), Repeated::Begun);
        store.drop_requests(end + 1).await.unwrap();
        assert_eq!(store.repeated(repeat("k", 2, 3), end + 1).await.unwrap(), Repeated::Begun);
        store.drop_requests(end + 2 + REPEAT_LIFETIME).await.unwrap();
        assert_eq!(store.repeated(repeat("k", 2, 3), end + 1).await.unwrap(), Repeated::New);
        let names: Vec<String> = store.admins().await.unwrap().into_iter().map(|row| row.name).collect();
        assert_eq!(names, ["one", "three"]);
    }

    #[tokio::test]
    async fn of_two_requests_at_once_with_one_key_one_is_done(world: World) {
        let (one, other) = (&world.store, &world.other);
        let (first, second) =
            tokio::join!(once(one, "one", repeat("k", 1, 1), 1000), once(other, "two", repeat("k", 1, 2), 1000));
        let done = [&first, &second].iter().filter(|told| matches!(told, Ok(true))).count();
        assert!(done == 1 && [first, second].iter().any(|told| matches!(told, Err(StoreError::Repeated))));
        assert_eq!(world.store.admins().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn an_admin_has_one_token_at_a_time_and_none_when_let_go(world: World) {
        let store = world.store();
        let ask = async |number| store.admin(Digest::new([number; 32]), 500).await.unwrap();
        let add = async |number| store.add_admin("ada".to_owned(), AdminRole::Shop, token(number, None), 100).await.unwrap();
        assert!(add(1).await && !add(2).await);
        assert_eq!((ask(1).await, ask(2).await), (known("ada", AdminRole::Shop), AdminKnown::Unknown));
        // Another token keeps the role, and takes the place of the one before.
        assert!(store.set_admin_token("ada".to_owned(), token(3, Some(501)), 200).await.unwrap());
        assert_eq!((ask(1).await, ask(3).await), (AdminKnown::Ended, known("ada", AdminRole::Shop)));
        assert_eq!(store.admin(Digest::new([3; 32]), 501).await.unwrap(), AdminKnown::Ended);
        assert!(store.remove_admin("ada".to_owned(), 300).await.unwrap());
        assert!(!store.remove_admin("ada".to_owned(), 300).await.unwrap());
        assert!(!store.set_admin_token("ada".to_owned(), token(4, None), 300).await.unwrap());
        assert_eq!(ask(3).await, AdminKnown::Ended);
        // The name is free again, with whatever role.
        assert!(store.add_admin("ada".to_owned(), AdminRole::Reader, token(5, None), 400).await.unwrap());
        assert_eq!(ask(5).await, known("ada", AdminRole::Reader));
        let rows = store.admins().await.unwrap();
        let rows: Vec<_> = rows.iter().map(|row| (row.created_at, row.ended_at)).collect();
        assert_eq!(rows, [(100, Some(200)), (200, Some(300)), (400, None)]);
        // What was not done is not written down.
        let acts: Vec<AuditRow> = store.all().await.unwrap();
        let acts: Vec<&str> = acts.iter().rev().map(|row| row.act.as_str()).collect();
        assert_eq!(acts, ["admin add", "admin token", "admin remove", "admin add"]);
    }

    #[tokio::test]
    async fn of_two_who_take_a_name_at_once_one_has_it(world: World) {
        let add = |store: &'static str, number| {
            let store = if store == "one" { &world.store } else { &world.other };
            store.add_admin("ada".to_owned(), AdminRole::Owner, token(number, None), 100)
        };
        let (first, second) = tokio::join!(add("one", 1), add("other", 2));
        assert!(first.unwrap() != second.unwrap());
        assert_eq!(world.store.admins().await.unwrap().len(), 1);
    }
}
