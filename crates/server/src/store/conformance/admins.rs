//! Those who act for the owner from elsewhere.

use super::super::admins::{AdminKnown, NewAdminToken};
use super::*;
use crate::rules::admins::{Admin, AdminRole};

fn token(number: u8, ends_at: Option<i64>) -> NewAdminToken {
    NewAdminToken { hash: Digest::new([number; 32]), ends_at }
}

fn known(name: &str, role: AdminRole) -> AdminKnown {
    AdminKnown::Admin(Admin { name: name.to_owned(), role })
}

over_each_engine! {
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
