//! What the service remembers, one method for one transaction. Each reads rows of an engine, has `rules/` decide, and writes what
//! they say; no engine is named but where a database is opened.

mod accounts;
mod admin;
mod audit;
mod exchanges;
mod interactions;
mod issuing;
mod letters;
mod lists;

mod restores;
mod returns;
mod revocations;
mod rows;
mod sqlite;
mod transact;

#[cfg(test)]
mod conformance;

pub(crate) use crate::rules::accounts::Presented;
pub(crate) use crate::rules::audit::{Act, Acting};
pub(crate) use crate::rules::catalogue::{Added, Changes, NewContent, NewSubscription, Offering};
pub(crate) use crate::rules::delivery::{DeliveryPage, DeliveryQuery, Position};
pub(crate) use crate::rules::devices::{CertifiedDevice, KnownDevice};
pub(crate) use crate::rules::exchanges::{ANSWER_LIFETIME, Committed, Exchange, Prior};
pub(crate) use crate::rules::grants::HandedOut;
pub(crate) use crate::rules::interactions::{Decision, Interaction, NewInteraction};
pub(crate) use crate::rules::licenses::{Content, Issue, Issued, NewLicense, Offer, Offered, Part, Withdrawn};
pub(crate) use crate::rules::renewal::{HeldLicense, Renewable, RenewalOffer};
pub(crate) use crate::rules::rows::{AuditRow, TokenRow};
pub(crate) use crate::rules::seats::{Claim, Claimed, Holding, Seat};
pub(crate) use accounts::{DEFAULT_TOKEN, NewToken, TokenEnd};
pub(crate) use admin::Adding;
pub(crate) use lists::{AccountEntry, Listed, cursor};
pub(crate) use restores::Asker;
pub(crate) use returns::Held;
pub(crate) use rows::{
    AuditFilter, ContentEntry, DeviceEntry, Filter, LicenseEntry, OrderEntry, RestoreEntry, SubscriptionEntry,
};
pub(crate) use sqlite::care::{CopyError, Inspection};

use crate::folder::DataFolder;
use rows::Rows;
use sqlite::Sqlite;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use transact::{Access, End, Engine, transact};
use wmlicense_wire::id::Kid;

/// What a method of a store gives.
pub(crate) type Pending<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The database could not do what was asked. Nothing of it was done, but for [`Self::Unknown`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Another process holds the database for too long.
    #[error("the database is busy")]
    Busy,
    /// Others changed meanwhile what the transaction rests on: run it again.
    #[error("the database could not part those who met in it")]
    Overtaken,
    /// The database went away while it committed: nobody knows whether it did.
    #[error("the database went away before it said whether it committed")]
    #[cfg_attr(not(test), expect(dead_code, reason = "an engine in another process says this"))]
    Unknown,
    /// The database was written by a later version of the program.
    #[error("the database has schema {found}, and this version knows up to {known}")]
    Newer {
        /// Schema of the database.
        found: i64,
        /// Newest schema known here.
        known: i64,
    },
    /// A row is not what it should be.
    #[error("the database holds a damaged {0}")]
    Damaged(&'static str),
    /// The database is closing.
    #[error("the database is closed")]
    Closed,
    /// The transaction that this was part of could not be committed.
    #[error("the database did not commit; its disk may be full, read-only or broken")]
    NotCommitted,
    /// The database failed.
    #[error("the database failed: {1}")]
    Failed(Failure, String),
}

/// What kind of failure of a database it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Its disk: the same may succeed later.
    Disk,
    /// Anything else.
    Other,
}

/// What a database does at this moment, and has met since it was opened: for whoever watches it.
#[derive(Debug, Default)]
pub(crate) struct Load {
    /// Changes or requests that wait: for the one that writes, or for a connection.
    pub(crate) waiting: usize,
    /// Connections: in use, open, and how many there may be. None where they are no limit.
    pub(crate) connections: Option<[usize; 3]>,
    /// Transactions that were run again, by the SQLSTATE that asked for it.
    pub(crate) retries: Vec<(String, u64)>,
}

/// Everything that roles and commands ask of a database.
pub(crate) struct Store {
    engine: Arc<dyn Engine>,
}

/// Opens the database of a data folder, which must be there.
pub(crate) fn open(folder: &DataFolder) -> Result<Arc<Store>, StoreError> {
    let store = Store::over(Arc::new(Sqlite::open(&folder.database())?));
    // Only now: the files beside the database are made when it is opened.
    folder.close_database();
    Ok(Arc::new(store))
}

/// Makes the database of a data folder, or opens the one that is there.
pub(crate) fn create(folder: &DataFolder) -> Result<(), StoreError> {
    let failed = |error: std::io::Error| StoreError::Failed(Failure::Disk, error.to_string());
    folder.create_database().map_err(failed)?;
    Sqlite::create(&folder.database()).map(|_| ())
}

/// Copies the database of a data folder as it is at one moment into a new file, while others use it.
pub(crate) fn copy(folder: &DataFolder, to: &Path) -> Result<(), CopyError> {
    sqlite::care::copy(&folder.database(), to)
}

/// Looks at a database, without changing it. `opens`: whether a sealed key opens.
pub(crate) fn inspect(database: &Path, opens: impl Fn(Kid, &[u8]) -> bool) -> Result<Inspection, StoreError> {
    sqlite::care::inspect(database, opens)
}

impl Store {
    fn over(engine: Arc<dyn Engine>) -> Self {
        Self { engine }
    }

    /// Answers if the database takes a write at present.
    pub(crate) fn ready(&self) -> Pending<'_, ()> {
        self.engine.ready()
    }

    /// What the database does at this moment.
    pub(crate) fn load(&self) -> Load {
        self.engine.load()
    }

    /// Runs a rule over one state of the database.
    fn read<A, T>(
        &self,
        asked: A,
        rule: impl for<'r> Fn(&'r A, &'r mut dyn Rows) -> Pending<'r, T> + Send + Sync + 'static,
    ) -> Pending<'_, T>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        transact(&*self.engine, Access::Reading, asked, move |asked, rows| {
            let told = rule(asked, rows);
            Box::pin(async move { told.await.map(End::Keep) })
        })
    }

    /// Runs a rule that writes, and that finds what it wrote when it is run again.
    fn write<A, T>(
        &self,
        asked: A,
        rule: impl for<'r> Fn(&'r A, &'r mut dyn Rows) -> Pending<'r, End<T>> + Send + Sync + 'static,
    ) -> Pending<'_, T>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        transact(&*self.engine, Access::Repeatable, asked, rule)
    }

    /// Runs a rule that writes, and would write more when it is run again.
    fn write_once<A, T>(
        &self,
        asked: A,
        rule: impl for<'r> Fn(&'r A, &'r mut dyn Rows) -> Pending<'r, End<T>> + Send + Sync + 'static,
    ) -> Pending<'_, T>
    where
        A: Send + Sync + 'static,
        T: Send + 'static,
    {
        transact(&*self.engine, Access::Once, asked, rule)
    }
}
