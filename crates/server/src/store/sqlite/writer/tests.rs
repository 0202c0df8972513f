use super::super::super::{Committed, Issue, Prior, Store as _};
use super::super::tests::{exchange, issued, license, store};
use super::super::{SqliteStore, Verdict};
use super::*;
use std::sync::mpsc::SyncSender;
use wmlicense_wire::id::{DeviceId, TransactionId};

const DEVICE: DeviceId = DeviceId::new([2; 16]);

/// Holds the writer, so that what is asked for meanwhile makes one group; dropping the sender lets it go on.
fn hold(store: &SqliteStore) -> SyncSender<()> {
    let (release, held) = std::sync::mpsc::sync_channel::<()>(0);
    let (begun, running) = std::sync::mpsc::sync_channel(0);
    drop(store.writer.submit(move |_| {
        begun.send(()).unwrap();
        // Ends with an error when the sender goes.
        let _ = held.recv();
        Ok(Verdict::Keep(()))
    }));
    running.recv().unwrap();
    release
}

/// A change that is good by itself and fails the commit of its group: a reference to an account that is not there.
fn poison(connection: &Connection) -> Result<Verdict<()>, StoreError> {
    connection.execute_batch("PRAGMA defer_foreign_keys = 1")?;
    connection.execute("INSERT INTO account_scope (user_id, scope, changed) VALUES (x'00', 'gold', 0)", [])?;
    Ok(Verdict::Keep(()))
}

fn one() -> Issue {
    issued(vec![license(1, None)])
}

#[tokio::test]
async fn nothing_that_was_read_in_a_group_is_told_when_its_commit_fails() {
    let (_folder, store) = store();
    let release = hold(&store);
    let first = store.issue(exchange(1, 1000), DEVICE, one(), b"answer".to_vec());
    // The same request again, and the same transaction with other bytes: both find the row of the first one.
    let again = store.issue(exchange(1, 1000), DEVICE, one(), b"other".to_vec());
    let mut other = exchange(2, 1000);
    other.transaction = TransactionId::new([1; 16]);
    let conflict = store.note(other);
    let poisoned = store.write(poison);
    drop(release);
    for told in [first.await, again.await, conflict.await] {
        assert!(matches!(told, Err(StoreError::NotCommitted)), "{told:?}");
    }
    assert!(matches!(poisoned.await, Err(StoreError::NotCommitted)));
    assert_eq!(store.known_device(exchange(1, 1000), None).await.unwrap().0, Prior::None);
    let retried = store.issue(exchange(1, 1000), DEVICE, one(), b"answer".to_vec()).await.unwrap();
    assert_eq!(retried, Committed::Done);
}

#[tokio::test]
async fn a_request_that_comes_twice_in_a_group_is_answered_once() {
    let (_folder, store) = store();
    let release = hold(&store);
    let first = store.issue(exchange(1, 1000), DEVICE, one(), b"answer".to_vec());
    let again = store.issue(exchange(1, 1000), DEVICE, one(), b"other".to_vec());
    drop(release);
    assert_eq!(first.await.unwrap(), Committed::Done);
    assert_eq!(again.await.unwrap(), Committed::Prior(Prior::Answered(Some(b"answer".to_vec()))));
}

#[tokio::test]
async fn a_change_that_errs_tells_its_error_and_leaves_nothing_and_the_others_stay() {
    let (_folder, store) = store();
    let release = hold(&store);
    let before = store.issue(exchange(1, 1000), DEVICE, one(), vec![1]);
    let broken = store.write(|connection| -> Result<Verdict<()>, StoreError> {
        connection.execute("DELETE FROM exchange", [])?;
        Err(StoreError::Damaged("test"))
    });
    let refused = store.write(|connection| -> Result<Verdict<()>, StoreError> {
        connection.execute("INSERT INTO account_scope (user_id, scope, changed) VALUES (x'00', 'gold', 0)", [])?;
        Ok(Verdict::Keep(()))
    });
    let undone = store.write(|connection| {
        connection.execute("DELETE FROM exchange", [])?;
        Ok(Verdict::Undo(7))
    });
    drop(release);
    assert_eq!(before.await.unwrap(), Committed::Done);
    assert!(matches!(broken.await, Err(StoreError::Damaged("test"))));
    assert!(matches!(refused.await, Err(StoreError::Failed(_))));
    assert_eq!(undone.await.unwrap(), 7);
    let prior = store.known_device(exchange(1, 1000), None).await.unwrap().0;
    assert_eq!(prior, Prior::Answered(Some(vec![1])));
}

#[tokio::test]
async fn a_change_that_errs_tells_its_own_error_although_the_commit_fails_too() {
    let (_folder, store) = store();
    let release = hold(&store);
    let broken = store.write(|_| -> Result<Verdict<()>, StoreError> { Err(StoreError::Damaged("test")) });
    let undone = store.write(|_| Ok(Verdict::Undo(7)));
    let poisoned = store.write(poison);
    drop(release);
    assert!(matches!(broken.await, Err(StoreError::Damaged("test"))));
    // It may rest on what was not committed.
    assert!(matches!(undone.await, Err(StoreError::NotCommitted)));
    assert!(matches!(poisoned.await, Err(StoreError::NotCommitted)));
}

#[tokio::test]
async fn a_database_that_takes_no_write_is_not_ready() {
    let (_folder, store) = store();
    store.ready().await.unwrap();
    *store.probed.lock().unwrap() = None;
    let refuse = |connection: &Connection| {
        connection.pragma_update(None, "query_only", true)?;
        Ok(Verdict::Undo(()))
    };
    store.write(refuse).await.unwrap();
    assert!(store.ready().await.is_err());
}

#[tokio::test]
async fn a_commit_that_failed_is_remembered_for_a_while() {
    let (_folder, store) = store();
    assert!(store.write(poison).await.is_err());
    assert!(matches!(store.ready().await, Err(StoreError::NotCommitted)));
    *store.writer.failed.lock().unwrap() = Instant::now().checked_sub(FAILURE_COUNTS);
    store.ready().await.unwrap();
}

#[tokio::test]
async fn what_no_writer_takes_is_told_as_closed() {
    let (_folder, store) = store();
    let release = hold(&store);
    let waiting = store.write(|_| Ok(Verdict::Keep(())));
    drop(release);
    waiting.await.unwrap();
    let Ok(mut store) = Arc::try_unwrap(store) else { panic!("the store is shared") };
    store.writer.queue = None;
    assert!(matches!(store.write(|_| Ok(Verdict::Keep(()))).await, Err(StoreError::Closed)));
}
