//! What the service remembers, one method for one transaction. Each reads rows of an engine, has `rules/` decide, and writes what
//! they say; no engine is named but where a database is opened.

mod accounts;
mod admin;
mod admins;
mod audit;
mod catalogue;
mod clear_key;
mod database;
mod deliveries;
mod exchanges;
mod interactions;
mod issuing;
mod ledger;
mod letters;
mod lists;
mod offers;

mod packaging;
mod postgres;
mod restores;
mod returns;
mod revocations;
mod rows;
mod sold;
mod sqlite;
mod statement;
mod tally;
mod terms;
mod transact;
mod waiting;
mod written;

#[cfg(test)]
mod conformance;

pub(crate) use crate::rules::accounts::Presented;
pub(crate) use crate::rules::audit::{Act, Acting};
pub(crate) use crate::rules::catalogue::{Added, Changes, NewContent, NewSubscription, Offering};
pub(crate) use crate::rules::content::{Content, Part};
pub(crate) use crate::rules::delivery::{DeliveryPage, DeliveryQuery, Position};
pub(crate) use crate::rules::devices::{CertifiedDevice, KnownDevice};
pub(crate) use crate::rules::exchanges::{ANSWER_LIFETIME, Committed, Exchange, Prior};
pub(crate) use crate::rules::grants::HandedOut;
pub(crate) use crate::rules::interactions::{Decision, Interaction, NewInteraction};
pub(crate) use crate::rules::licenses::{Issue, Issued, NewLicense, Offer, Offered, UsesOut, Withdrawn};
pub(crate) use crate::rules::renewal::{HeldLicense, Renewable, RenewalOffer};
pub(crate) use crate::rules::rows::{AuditRow, TokenRow};
pub(crate) use crate::rules::seats::{Claim, Claimed, Holding, Seat};
pub(crate) use accounts::{DEFAULT_TOKEN, NewToken, TokenEnd};
pub(crate) use admin::Adding;
pub(crate) use admins::{AdminKnown, NewAdminToken, Repeated};
pub(crate) use database::Database;
pub(crate) use deliveries::{Broken, Checked};
pub(crate) use ledger::{CameBack, Freeing};
pub(crate) use lists::{AccountEntry, Listed, cursor};
pub(crate) use offers::{GrantChange, GrantTerms, Granting, OfferEnd, OfferSet};
pub(crate) use packaging::{Order, Packaged};
pub(crate) use postgres::Owner;
pub(crate) use restores::Asker;
pub(crate) use returns::Held;
pub(crate) use rows::{
    AuditFilter, ContentEntry, DeviceEntry, Filter, GrantEntry, GrantFilter, LicenseEntry, OfferEntry, OrderEntry,
    RestoreEntry, SubscriptionEntry,
};
pub(crate) use sold::Sale;
pub(crate) use sqlite::care::{CopyError, Inspection};

use crate::folder::DataFolder;
use crate::rules::delivered::DeliveryId;
use catalogue::Catalogue;
use postgres::Postgres;
use rows::Rows;
use sqlite::Sqlite;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use transact::{Access, End, Engine, transact};
use wmlicense_wire::id::{Digest, Kid};

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
    Unknown,
    /// The connection ended before anything was committed: run it again on another one.
    #[error("the connection to the database was lost: {0}")]
    Lost(String),
    /// No connection is to be had.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// Others use all connections.
    #[error("all {0} connections to the database are in use; `connections=` in its URL allows more")]
    Exhausted(usize),
    /// The database lets this program not in.
    #[error("the database refuses the connection: {0}")]
    Refused(String),
    /// The database cannot be written.
    #[error("the database takes no writes: it is a standby, or was made read-only")]
    ReadOnly,
    /// The URL of the database is wrong.
    #[error("the URL of the database cannot be used: {0}")]
    Url(String),
    /// The database is empty.
    #[error("the database has no tables of this program; `wmlicensed init` or `wmlicensed serve` makes them")]
    NoTables,
    /// The database has tables of something else.
    #[error("the database has tables of another program; give this one a database of its own")]
    Taken,
    /// The database to copy to is in use.
    #[error("the database is not empty: there is something in {0}; name one in which nothing was kept yet")]
    NotEmpty(String),
    /// The file to copy from is in use.
    #[error("the file was written to while it was copied, so nothing was copied; stop the service, then copy again")]
    Changing,
    /// A request that names a key was done before, or is being done.
    #[error("a request with this key was done already, or is being done")]
    Repeated,
    /// Only one way is known.
    #[error("copying goes from sqlite:FILE to postgres://…")]
    NoWay,
    /// The database is that of other keys.
    #[error("the database belongs to the service of authority {found}, and the data folder to that of {own}")]
    OtherService {
        /// Authority that the database was made for.
        found: String,
        /// Authority of the data folder.
        own: String,
    },
    /// What is sealed in the database cannot be opened.
    #[error("the database is sealed under another key than keys/master.key of the data folder; put the right one back")]
    OtherMaster,
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
    catalogue: Arc<Catalogue>,
}

/// Opens the database of a service. `make`: also where there is none yet, which is made then.
pub(crate) async fn open(
    database: &Database,
    folder: &DataFolder,
    owner: &Owner,
    make: bool,
) -> Result<Arc<Store>, StoreError> {
    let engine: Arc<dyn Engine> = match database {
        Database::Sqlite(path) => open_file(path, folder, make)?,
        Database::Postgres(place) => Arc::new(Postgres::open(place, owner, make).await?),
    };
    Ok(Arc::new(Store::over(engine)))
}

fn open_file(path: &Path, folder: &DataFolder, make: bool) -> Result<Arc<Sqlite>, StoreError> {
    let is_folders = path == folder.database();
    if make {
        let failed = |error: std::io::Error| StoreError::Failed(Failure::Disk, error.to_string());
        if is_folders {
            folder.create_database().map_err(failed)?;
        }
        return Ok(Arc::new(Sqlite::create(path)?));
    }
    let sqlite = Sqlite::open(path)?;
    if is_folders {
        // Only now: the files beside the database are made when it is opened.
        folder.close_database();
    }
    Ok(Arc::new(sqlite))
}

/// Moves everything from a file of SQLite to an empty database of PostgreSQL, all of it or nothing. Gives the rows of each table.
pub(crate) async fn move_out(from: &Database, to: &Database, owner: &Owner) -> Result<Vec<(String, u64)>, StoreError> {
    let (Database::Sqlite(from), Database::Postgres(to)) = (from, to) else { return Err(StoreError::NoWay) };
    postgres::copy(from, to, owner).await
}

/// Copies a file of SQLite as it is at one moment into a new one, while others use it.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), CopyError> {
    sqlite::care::copy(from, to)
}

/// True if a file of SQLite has the schema of this version, so that opening it changes nothing.
pub(crate) fn is_current(database: &Path) -> Result<bool, StoreError> {
    sqlite::care::is_current(database)
}

/// Looks at a database, without changing it. `opens`: whether a sealed key opens.
pub(crate) fn inspect(database: &Path, opens: impl Fn(Kid, &[u8]) -> bool) -> Result<Inspection, StoreError> {
    sqlite::care::inspect(database, opens)
}

impl Store {
    fn over(engine: Arc<dyn Engine>) -> Self {
        Self { engine, catalogue: Arc::default() }
    }

    /// Answers if the database takes a write at present.
    pub(crate) fn ready(&self) -> Pending<'_, ()> {
        self.engine.ready()
    }

    /// Looks whether deliveries behind an ID and their pages are whole.
    pub(crate) fn check_deliveries(&self, behind: Option<DeliveryId>) -> Pending<'_, Checked> {
        self.read(behind, |behind, rows| Box::pin(deliveries::check_behind(rows, *behind)))
    }

    /// Drops deliveries of before a time, seconds UTC, and the pages that nothing names any more, some of both. `behind`: the page
    /// that was looked at last; gives the one of this time.
    pub(crate) fn drop_deliveries(&self, behind: Option<Digest>, before: i64, now: i64) -> Pending<'_, Option<Digest>> {
        self.write((behind, before, now), |(behind, before, now), rows| {
            Box::pin(async move { Ok(End::Keep(deliveries::drop_dead(rows, *behind, *before, *now).await?)) })
        })
    }

    /// True if a job reads without waiting for others.
    pub(crate) fn reads_here(&self) -> bool {
        self.engine.reads_here()
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
