//! Running what is to be done in one transaction: once, and again when the engine says so.

use super::rows::Rows;
use super::{Load, Pending, StoreError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often one transaction is run at most.
const MAX_RUNS: u32 = 5;
/// Longest pause before the second run; it doubles with each one.
const FIRST_PAUSE: Duration = Duration::from_millis(8);

/// What a transaction does, and what follows when nobody knows whether it was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// It reads one state of the database.
    Reading,
    /// It writes, and a second run finds what the first one wrote: by the row of its exchange, or because it writes the same.
    Repeatable,
    /// It writes, and a second run would write more.
    Once,
}

/// How a transaction ends that did not fail.
pub(crate) enum End<T> {
    /// It is committed, and gives this.
    Keep(T),
    /// It leaves no trace, and gives this.
    Undo(T),
}

/// What is to be done in one transaction, as engines see it.
pub(crate) trait Work: Send + Sync {
    /// Does it from the start, whatever was done of it before. True if it is to be committed.
    fn run<'r>(&'r self, rows: &'r mut dyn Rows) -> Pending<'r, bool>;
}

/// A database.
pub(crate) trait Engine: Send + Sync {
    /// Takes work up, in the order of the calls where it writes, and runs it once in one transaction; ready when that ended. An
    /// error says that nothing was written, but for [`StoreError::Unknown`].
    fn run(&self, access: Access, work: Arc<dyn Work>) -> Pending<'_, ()>;
    /// Answers if the database takes a write at present.
    fn ready(&self) -> Pending<'_, ()>;
    /// True if it reads on the thread that asks, where that may wait.
    fn reads_here(&self) -> bool {
        false
    }
    /// What it does at this moment.
    fn load(&self) -> Load {
        Load::default()
    }
}

/// A rule with what it is asked about, and what came of it.
struct Asked<A, T, F> {
    asked: A,
    rule: F,
    told: Mutex<Option<T>>,
}

impl<A, T, F> Asked<A, T, F> {
    fn told(&self) -> std::sync::MutexGuard<'_, Option<T>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<A, T, F> Work for Asked<A, T, F>
where
    A: Send + Sync,
    T: Send,
    F: for<'r> Fn(&'r A, &'r mut dyn Rows) -> Pending<'r, End<T>> + Send + Sync,
{
    fn run<'r>(&'r self, rows: &'r mut dyn Rows) -> Pending<'r, bool> {
        Box::pin(async move {
            let (told, keeps) = match (self.rule)(&self.asked, rows).await? {
                End::Keep(told) => (told, true),
                End::Undo(told) => (told, false),
            };
            *self.told() = Some(told);
            Ok(keeps)
        })
    }
}

/// Runs a rule on what it is asked about, in one transaction of an engine.
pub(super) fn transact<'a, A, T, F>(engine: &'a dyn Engine, access: Access, asked: A, rule: F) -> Pending<'a, T>
where
    A: Send + Sync + 'static,
    T: Send + 'static,
    F: for<'r> Fn(&'r A, &'r mut dyn Rows) -> Pending<'r, End<T>> + Send + Sync + 'static,
{
    let work = Arc::new(Asked { asked, rule, told: Mutex::new(None) });
    // At once, so that what is asked first is written first.
    let mut running = engine.run(access, work.clone());
    Box::pin(async move {
        for run in 1..MAX_RUNS {
            match running.await {
                Ok(()) => return work.told().take().ok_or(StoreError::Closed),
                Err(StoreError::Overtaken | StoreError::Lost(_)) => {}
                Err(StoreError::Unknown) if access != Access::Once => {}
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause(run)).await;
            running = engine.run(access, work.clone());
        }
        running.await?;
        work.told().take().ok_or(StoreError::Closed)
    })
}

/// Up to a bound that doubles with each run, so that those who met do not meet again.
fn pause(run: u32) -> Duration {
    let mut random = [0; 4];
    // Without random bytes all wait for the same time, which is as good for one of them.
    let _ = getrandom::fill(&mut random);
    let longest = FIRST_PAUSE.saturating_mul(1 << run.min(8));
    longest.mul_f64(f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX))
}
