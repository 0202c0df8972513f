//! `wmlicensed database`: the whole database, from one place to another.

use super::error::CommandError;
use super::{Data, print, runtime};
use crate::keyring::{self, MasterKey};
use crate::store::{self, Database, Owner};
use clap::Subcommand;

#[derive(Subcommand)]
pub(super) enum DatabaseCommand {
    /// Copy everything from a file of SQLite into an empty database of PostgreSQL, all of it or nothing. The service is stopped
    /// meanwhile.
    Copy {
        #[command(flatten)]
        data: Data,
        /// Where it is, sqlite:FILE; the database of the data folder if not given.
        #[arg(long, value_name = "URL")]
        from: Option<String>,
        /// Where it comes to, postgres://USER@HOST/NAME.
        #[arg(long, value_name = "URL")]
        to: String,
    },
}

pub(super) fn database(command: DatabaseCommand) -> Result<(), CommandError> {
    let DatabaseCommand::Copy { data, from, to } = command;
    let folder = data.folder();
    let owner = Owner { authority: keyring::authority(&folder)?.hash, master: MasterKey::read(&folder)? };
    let from = match from {
        Some(from) => Database::parse(&from)?,
        None => data.database()?,
    };
    if let Database::Sqlite(path) = &from {
        keyring::check_database(&folder, path)?;
    }
    let mut all = 0;
    for (table, rows) in runtime()?.block_on(store::move_out(&from, &Database::parse(&to)?, &owner))? {
        all += rows;
        print(&format!("{table}: {rows}"))?;
    }
    print(&format!("copied: {all} rows"))
}
