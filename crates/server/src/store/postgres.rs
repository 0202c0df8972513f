//! PostgreSQL as an engine: the pool of connections, transactions, and how they end. Rows are in `postgres/`, their statements in
//! the files beside. Statements have no names, so that a pooler may give each transaction another connection.

mod admins;
mod catalogue;
mod copy;
mod deliveries;
mod errors;
mod exchanges;
mod ledger;
mod licenses;
mod lists;
mod offers;
mod place;
mod revocation;
mod rows;
mod schema;
mod seats;
mod tally;
mod tls;
mod waiting;

pub(super) use copy::copy;
pub(super) use place::Place;
pub(crate) use schema::Owner;

use super::statement::statements;
use super::transact::{Access, Engine, Work};
use super::{Load, Pending, StoreError};
use deadpool_postgres::tokio_postgres::Client;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use errors::{of_commit, of_pool, retries, told};
use rows::{PostgresRows, asked};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

statements!("postgres/exchanges.sql": PROBE);

/// For how long a new connection may be made, whatever number of hosts is tried.
const CONNECT: Duration = Duration::from_secs(15);
/// For how long a committed probe says that the database can be written, so that asking costs a write a second at most.
const PROBE_LIFETIME: Duration = Duration::from_secs(1);
/// Bytes that the probe writes.
const PROBE_LEN: usize = 32 * 1024;

/// One state of the database, whatever commits meanwhile.
const BEGIN_READING: &str = "START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";
/// Each statement sees what is committed; what must not change is locked.
const BEGIN_WRITING: &str = "START TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE";

/// PostgreSQL behind the traits of the store. Every transaction has a connection of its own.
#[derive(Clone)]
pub(crate) struct Postgres {
    pool: Pool,
    connections: usize,
    /// When a probe was committed last.
    probed: Arc<Mutex<Option<Instant>>>,
    /// Where connections are driven and transactions run, whoever asks: the runtime that the database was opened on.
    runtime: Handle,
}

impl Postgres {
    /// A database that is there, of this owner's service, with the tables that this version knows: older ones are changed to
    /// them, and made where there are none if `make` says so.
    pub(super) async fn open(place: &Place, owner: &Owner, make: bool) -> Result<Self, StoreError> {
        let postgres = Self::over(place)?;
        let mut lent = postgres.lend().await?;
        schema::prepare(lent.client()?, owner, make).await?;
        lent.give_back();
        Ok(postgres)
    }

    fn over(place: &Place) -> Result<Self, StoreError> {
        let tls = tls::Connector::new(place)?;
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let manager = Manager::from_config(place.config(), tls, config);
        let connections = place.connections();
        let pool = Pool::builder(manager).max_size(connections).runtime(Runtime::Tokio1);
        let pool =
            pool.wait_timeout(Some(place.wait())).create_timeout(Some(CONNECT)).recycle_timeout(Some(CONNECT)).build();
        let pool = pool.map_err(|_| StoreError::Closed)?;
        let runtime = Handle::try_current().map_err(|_| StoreError::Closed)?;
        Ok(Self { pool, connections, probed: Arc::default(), runtime })
    }

    async fn lend(&self) -> Result<Lent, StoreError> {
        match self.pool.get().await {
            Ok(object) => Ok(Lent(Some(object))),
            Err(error) => Err(of_pool(error, self.connections)),
        }
    }

    /// Does something with a connection as a task of its own: what has one goes on to its end, whether or not somebody still waits
    /// for it, so that whoever hangs up costs no connection. Of what nobody waits for before it has one, nothing is done.
    fn with_connection<F>(&self, doing: impl FnOnce(Lent) -> F + Send + 'static) -> Pending<'_, ()>
    where
        F: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let (postgres, (mut asker, told)) = (self.clone(), oneshot::channel());
        self.runtime.spawn(async move {
            let lent = tokio::select! {
                lent = postgres.lend() => lent,
                () = asker.closed() => return,
            };
            let end = match lent {
                Ok(lent) => doing(lent).await,
                Err(error) => Err(error),
            };
            // Whoever asked may be gone.
            let _ = asker.send(end);
        });
        Box::pin(async move { told.await.unwrap_or(Err(StoreError::Closed)) })
    }

    async fn transaction(mut lent: Lent, access: Access, work: &dyn Work) -> Result<(), StoreError> {
        let client = lent.client()?;
        let begin = if access == Access::Reading { BEGIN_READING } else { BEGIN_WRITING };
        client.batch_execute(begin).await.map_err(told)?;
        let end = work.run(&mut PostgresRows(client)).await;
        match &end {
            Ok(true) => client.batch_execute("COMMIT").await.map_err(of_commit)?,
            // A server that writes no more, or is gone: the next transaction needs another connection.
            Err(StoreError::Lost(_) | StoreError::ReadOnly) => return end.map(|_| ()),
            Ok(false) | Err(_) => client.batch_execute("ROLLBACK").await.map_err(told)?,
        }
        lent.give_back();
        end.map(|_| ())
    }

    /// Commits as much as a short answer takes, once in [`PROBE_LIFETIME`].
    async fn probe(&self) -> Result<(), StoreError> {
        let last = *self.probed.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|probed| probed.elapsed() < PROBE_LIFETIME) {
            return Ok(());
        }
        let mut bytes = vec![0; PROBE_LEN];
        // Other bytes each time, because equal ones take no room when they are compressed.
        getrandom::fill(&mut bytes).map_err(|_| StoreError::Closed)?;
        let probed = Arc::clone(&self.probed);
        self.with_connection(|mut lent| async move {
            PostgresRows(lent.client()?).put(PROBE, asked![&bytes]).await?;
            lent.give_back();
            *probed.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            Ok(())
        })
        .await
    }
}

impl Engine for Postgres {
    fn run(&self, access: Access, work: Arc<dyn Work>) -> Pending<'_, ()> {
        self.with_connection(move |lent| async move { Self::transaction(lent, access, &*work).await })
    }

    fn ready(&self) -> Pending<'_, ()> {
        Box::pin(self.probe())
    }

    fn load(&self) -> Load {
        let status = self.pool.status();
        let in_use = status.size.saturating_sub(status.available);
        Load { waiting: status.waiting, connections: Some([in_use, status.size, status.max_size]), retries: retries() }
    }
}

/// A connection that is in use. It goes back to the others when its transaction ended well; one that failed in the middle is closed,
/// which undoes what was not committed.
struct Lent(Option<Object>);

impl Lent {
    fn client(&mut self) -> Result<&Client, StoreError> {
        self.0.as_ref().map(|object| &***object).ok_or(StoreError::Closed)
    }

    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}

#[cfg(test)]
mod tests;
