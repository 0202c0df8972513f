use super::super::super::conformance::{OWN, exchange, issued, license};
use super::super::super::{Committed, Exchange, Failure, Issue, Prior, Store};
use super::super::{Engine as _, Sqlite};
use super::*;
use std::sync::mpsc::SyncSender;
use wmlicense_wire::id::TransactionId;

fn store() -> (tempfile::TempDir, Arc<Sqlite>, Store) {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Arc::new(Sqlite::create(&folder.path().join("test.db")).unwrap());
    (folder, Arc::clone(&sqlite), Store::over(sqlite))
}

/// Holds the writer, so that what is asked for meanwhile makes one group; dropping the sender lets it go on.
fn hold(sqlite: &Sqlite) -> SyncSender<()> {
    let (release, held) = std::sync::mpsc::sync_channel::<()>(0);
    let (begun, running) = std::sync::mpsc::sync_channel(0);
    drop(sqlite.write(move |_| {
        begun.send(()).unwrap();
        // Ends with an error when the sender goes.
        let _ = held.recv();
        Ok(true)
    }));
    running.recv().unwrap();
    release
}

/// A change that is good by itself and fails the commit of its group: a reference to an account that is not there.
fn poison(connection: &mut Connection) -> Result<bool, StoreError> {
    connection.execute_batch("PRAGMA defer_foreign_keys = 1")?;
    connection.execute("INSERT INTO account_scope (user_id, scope, changed) VALUES (x'00', 'gold', 0)", [])?;
    Ok(true)
}

fn one() -> Issue {
    issued(vec![license(1, None)])
}

async fn prior(store: &Store) -> Prior {
    store.known_device(exchange(1, 1000), None).await.unwrap().0
}

#[tokio::test]
async fn nothing_that_was_read_in_a_group_is_told_when_its_commit_fails() {
    let (_folder, sqlite, store) = store();
    let release = hold(&sqlite);
    let first = store.issue(exchange(1, 1000), OWN, one(), b"answer".to_vec());
    // The same request again, and the same transaction with other bytes: both find the row of the first one.
    let again = store.issue(exchange(1, 1000), OWN, one(), b"other".to_vec());
    let conflict = store.note(Exchange { transaction: TransactionId::new([1; 16]), ..exchange(2, 1000) });
    let poisoned = sqlite.write(poison);
    drop(release);
    for told in [first.await, again.await, conflict.await] {
        assert!(matches!(told, Err(StoreError::NotCommitted)), "{told:?}");
    }
    assert!(matches!(poisoned.await, Err(StoreError::NotCommitted)));
    assert_eq!(prior(&store).await, Prior::None);
    let retried = store.issue(exchange(1, 1000), OWN, one(), b"answer".to_vec()).await.unwrap();
    assert_eq!(retried, Committed::Done);
}

#[tokio::test]
async fn a_request_that_comes_twice_in_a_group_is_answered_once() {
    let (_folder, sqlite, store) = store();
    let release = hold(&sqlite);
    let first = store.issue(exchange(1, 1000), OWN, one(), b"answer".to_vec());
    let again = store.issue(exchange(1, 1000), OWN, one(), b"other".to_vec());
    drop(release);
    assert_eq!(first.await.unwrap(), Committed::Done);
    assert_eq!(again.await.unwrap(), Committed::Prior(Prior::Answered(Some(b"answer".to_vec()))));
}

#[tokio::test]
async fn a_change_that_errs_tells_its_error_and_leaves_nothing_and_the_others_stay() {
    let (_folder, sqlite, store) = store();
    let release = hold(&sqlite);
    let before = store.issue(exchange(1, 1000), OWN, one(), vec![1]);
    let broken = sqlite.write(|connection| {
        connection.execute("DELETE FROM exchange", [])?;
        Err(StoreError::Damaged("test"))
    });
    let refused = sqlite.write(|connection| {
        connection.execute("INSERT INTO account_scope (user_id, scope, changed) VALUES (x'00', 'gold', 0)", [])?;
        Ok(true)
    });
    let undone = sqlite.write(|connection| {
        connection.execute("DELETE FROM exchange", [])?;
        Ok(false)
    });
    drop(release);
    assert_eq!(before.await.unwrap(), Committed::Done);
    assert!(matches!(broken.await, Err(StoreError::Damaged("test"))));
    assert!(matches!(refused.await, Err(StoreError::Failed(Failure::Other, _))));
    undone.await.unwrap();
    assert_eq!(prior(&store).await, Prior::Answered(Some(vec![1])));
}

#[tokio::test]
async fn a_change_that_errs_tells_its_own_error_although_the_commit_fails_too() {
    let (_folder, sqlite, _store) = store();
    let release = hold(&sqlite);
    let broken = sqlite.write(|_| Err(StoreError::Damaged("test")));
    let undone = sqlite.write(|_| Ok(false));
    let poisoned = sqlite.write(poison);
    drop(release);
    assert!(matches!(broken.await, Err(StoreError::Damaged("test"))));
    // It may rest on what was not committed.
    assert!(matches!(undone.await, Err(StoreError::NotCommitted)));
    assert!(matches!(poisoned.await, Err(StoreError::NotCommitted)));
}

#[tokio::test]
async fn a_change_that_panics_is_undone_and_the_next_one_runs() {
    let (_folder, sqlite, store) = store();
    let broken = sqlite.write(|connection| {
        connection.execute("INSERT INTO policy (name, definition, changed_at) VALUES ('p', '{}', 0)", [])?;
        panic!("a defect")
    });
    assert!(matches!(broken.await, Err(StoreError::NotCommitted)));
    assert_eq!(store.policy("p".to_owned()).await.unwrap(), None);
    assert!(store.set_policy("q".to_owned(), "{}".to_owned(), None, 0).await.unwrap());
}

#[tokio::test]
async fn a_database_that_takes_no_write_is_not_ready() {
    let (_folder, sqlite, _store) = store();
    sqlite.ready().await.unwrap();
    *sqlite.probed.lock().unwrap() = None;
    let refuse = |connection: &mut Connection| {
        connection.pragma_update(None, "query_only", true)?;
        Ok(false)
    };
    sqlite.write(refuse).await.unwrap();
    assert!(sqlite.ready().await.is_err());
}

#[tokio::test]
async fn a_commit_that_failed_is_remembered_for_a_while() {
    let (_folder, sqlite, _store) = store();
    assert!(sqlite.write(poison).await.is_err());
    assert!(matches!(sqlite.ready().await, Err(StoreError::NotCommitted)));
    *sqlite.writer.failed.lock().unwrap() = Instant::now().checked_sub(FAILURE_COUNTS);
    sqlite.ready().await.unwrap();
}

#[tokio::test]
async fn what_no_writer_takes_is_told_as_closed() {
    let (_folder, sqlite, store) = store();
    let release = hold(&sqlite);
    let waiting = sqlite.write(|_| Ok(true));
    drop((release, store));
    waiting.await.unwrap();
    let Ok(mut sqlite) = Arc::try_unwrap(sqlite) else { panic!("the store is shared") };
    sqlite.writer.queue = None;
    assert!(matches!(sqlite.write(|_| Ok(true)).await, Err(StoreError::Closed)));
}
