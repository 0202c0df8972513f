use super::super::conformance::World;
use super::*;
use std::collections::HashSet;
use wmlicense_wire::id::{DeviceId, Lid};

#[test]
fn a_database_can_be_made_by_several_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| Sqlite::create(&path).unwrap());
        }
    });
}

#[tokio::test]
async fn a_database_of_each_earlier_schema_opens_with_what_it_has() {
    for version in 1..SCHEMA_VERSION {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let old = Connection::open(&path).unwrap();
        MIGRATIONS[..version as usize].iter().for_each(|step| old.execute_batch(step).unwrap());
        old.pragma_update(None, "user_version", version).unwrap();
        let insert = "INSERT INTO seat (lid, device_id, kid, restored, since) VALUES (?1, ?2, ?2, 0, 1)";
        old.execute(insert, ([7; 16], [2; 16])).unwrap();
        drop(old);
        let store = super::super::Store::over(Arc::new(Sqlite::open(&path).unwrap()));
        let (device, lid) = (DeviceId::new([2; 16]), Lid::new([7; 16]));
        let state = wmlicense_wire::license::State {
            actions: [("Play".to_owned(), wmlicense_wire::license::ActionState::default())].into(),
        };
        assert_eq!(
            store.report(device, vec![(lid, state)], 5).await.unwrap(),
            HashSet::from([lid]),
            "schema {version}"
        );
    }
}

#[test]
fn every_statement_can_be_prepared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    drop(Sqlite::create(&path).unwrap());
    let connection = connect(&path, OpenFlags::empty()).unwrap();
    let files = [exchanges::ALL, catalogue::ALL, licenses::ALL, revocation::ALL, waiting::ALL, lists::ALL];
    let all: Vec<_> = files.concat();
    for (name, sql) in &all {
        connection.prepare(sql).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert!(all.len() <= STATEMENTS, "{} statements are more than a connection keeps", all.len());
}

#[tokio::test]
async fn changes_that_come_together_are_kept_or_undone_one_by_one() {
    let world = Arc::new(World::sqlite());
    let tasks: Vec<_> = (0..100_u8)
        .map(|number| {
            let world = Arc::clone(&world);
            // Two of three contradict the first one of their key.
            tokio::spawn(async move { world.issue_under(number, number / 3).await })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += usize::from(task.await.unwrap());
    }
    assert_eq!(done, 34);
    assert_eq!(world.issued().await, 34);
}
