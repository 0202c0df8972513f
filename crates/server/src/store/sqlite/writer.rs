//! The one thread that writes: it takes what waits, runs each change in a savepoint of one transaction, and commits once.

use super::StoreError;
use rusqlite::Connection;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Most changes in one commit, so that none waits long for the others.
const MAX_GROUP: usize = 128;
/// For how long a commit that failed says that the database cannot be written. A long answer may find no room on a disk that
/// has room for a short one.
const FAILURE_COUNTS: Duration = Duration::from_secs(5);

pub(super) struct Writer {
    queue: Option<Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    failed: LastFailure,
    waiting: Arc<AtomicUsize>,
}

/// When a commit failed last.
type LastFailure = Arc<Mutex<Option<Instant>>>;

/// A change of the database; true if it is to be kept.
pub(super) type Change = Box<dyn FnOnce(&mut Connection) -> Result<bool, StoreError> + Send>;

/// A change with the one who waits for it.
struct Job {
    change: Option<Change>,
    end: Option<Result<bool, StoreError>>,
    waiting: oneshot::Sender<Result<(), StoreError>>,
}

impl Job {
    /// Runs the change; true if it is to be kept.
    fn run(&mut self, connection: &mut Connection) -> bool {
        let Some(change) = self.change.take() else { return false };
        let end = self.end.insert(change(connection));
        *end.as_ref().unwrap_or(&false)
    }

    /// Tells the end after the commit, or its failure. What was read in the group may be of changes that were not committed, so
    /// a failed commit takes back every answer, also of changes that kept nothing.
    fn finish(self, committed: bool) {
        let end = match self.end {
            Some(Ok(_)) if committed => Ok(()),
            // The change's own error says more.
            Some(Err(error)) => Err(error),
            Some(Ok(_)) | None => Err(StoreError::NotCommitted),
        };
        // Nobody waits any more when the request was given up; the change stands all the same.
        let _ = self.waiting.send(end);
    }
}

impl Writer {
    pub(super) fn start(connection: Connection) -> Result<Self, StoreError> {
        let (queue, jobs) = channel();
        let failed = LastFailure::default();
        let thread = std::thread::Builder::new().name("store-writer".to_owned());
        let (noted, waiting) = (Arc::clone(&failed), Arc::<AtomicUsize>::default());
        let left = Arc::clone(&waiting);
        let thread = thread.spawn(move || work(connection, &jobs, &noted, &left)).map_err(|_| StoreError::Closed)?;
        Ok(Self { queue: Some(queue), thread: Some(thread), failed, waiting })
    }

    /// True if a commit failed just before.
    pub(super) fn failed_lately(&self) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.is_some_and(|failed| failed.elapsed() < FAILURE_COUNTS)
    }

    /// Changes that were submitted and whose end is not known yet.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    pub(super) fn submit(&self, change: Change) -> oneshot::Receiver<Result<(), StoreError>> {
        let (waiting, receiver) = oneshot::channel();
        if let Some(queue) = &self.queue {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            // A closed queue drops the job and with it the sender, which the receiver sees.
            let _ = queue.send(Job { change: Some(change), end: None, waiting });
        }
        receiver
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic there was told to those who waited.
            let _ = thread.join();
        }
    }
}

fn work(mut connection: Connection, jobs: &Receiver<Job>, failed: &LastFailure, waiting: &AtomicUsize) {
    while let Ok(first) = jobs.recv() {
        let mut group = vec![first];
        group.extend(jobs.try_iter().take(MAX_GROUP - 1));
        let committed = match run_group(&mut connection, &mut group) {
            Ok(()) => true,
            Err(error) => {
                tracing::error!(%error, changes = group.len(), "the database did not commit");
                if !connection.is_autocommit() {
                    // Where even this fails, the next group cannot begin and is told as not committed, too.
                    let _ = connection.execute_batch("ROLLBACK");
                }
                *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                false
            }
        };
        waiting.fetch_sub(group.len(), Ordering::Relaxed);
        for job in group {
            job.finish(committed);
        }
    }
}

fn run_group(connection: &mut Connection, group: &mut [Job]) -> Result<(), rusqlite::Error> {
    let execute = |connection: &Connection, sql| connection.prepare_cached(sql)?.execute([]);
    execute(connection, "BEGIN IMMEDIATE")?;
    for job in group {
        execute(connection, "SAVEPOINT change")?;
        // A change that panics is undone and told as not committed; the thread serves all others.
        let keep = catch_unwind(AssertUnwindSafe(|| job.run(connection))).unwrap_or(false);
        if !keep {
            execute(connection, "ROLLBACK TO change")?;
        }
        execute(connection, "RELEASE change")?;
    }
    execute(connection, "COMMIT")?;
    Ok(())
}

#[cfg(test)]
mod tests;
