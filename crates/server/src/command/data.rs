//! What commands work on: the data folder, its database, and a runtime to wait for the store.

use super::error::CommandError;
use crate::folder::DataFolder;
use crate::keyring::MasterKey;
use crate::owner::Wrong;
use crate::service::open_database;
use crate::store::{Database, Listed, Pending, Store, StoreError};
use clap::Args;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Args)]
pub(super) struct Data {
    /// Data folder of the service.
    #[arg(long, value_name = "DIR")]
    pub(super) data: PathBuf,
    /// Database of the service, postgres://USER@HOST/NAME or sqlite:FILE; wmlicensed.db in the data folder if not given. A password
    /// is better kept in the environment or the file of options than on a command line, which others can read.
    #[arg(long, value_name = "URL")]
    pub(super) database: Option<String>,
}

impl Data {
    pub(super) fn folder(&self) -> DataFolder {
        DataFolder::new(&self.data)
    }

    pub(super) fn database(&self) -> Result<Database, StoreError> {
        match &self.database {
            Some(url) => Database::parse(url),
            None => Ok(Database::Sqlite(self.folder().database())),
        }
    }
}

/// What waits for a store.
pub(super) fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// The database and master key of a data folder, and a runtime to wait for the store.
pub(super) struct Opened {
    pub(super) store: Arc<Store>,
    pub(super) master: MasterKey,
    runtime: tokio::runtime::Runtime,
}

impl Opened {
    pub(super) fn new(data: &Data) -> Result<Self, CommandError> {
        let folder = data.folder();
        let (master, runtime) = (MasterKey::read(&folder)?, runtime()?);
        let store = runtime.block_on(open_database(&folder, &data.database()?, false))?;
        Ok(Self { store, master, runtime })
    }

    pub(super) fn wait<T>(&self, pending: Pending<'_, T>) -> Result<T, CommandError> {
        Ok(self.runtime.block_on(pending)?)
    }

    /// As [`Self::wait`], for what the owner may want wrongly.
    pub(super) fn run<T>(&self, doing: impl Future<Output = Result<T, Wrong>>) -> Result<T, CommandError> {
        Ok(self.runtime.block_on(doing)?)
    }

    /// A list.
    pub(super) fn all<T: Listed + Send + 'static>(&self) -> Result<Vec<T>, CommandError> {
        self.wait(self.store.all())
    }
}
