//! Where a database is: a file of SQLite, or PostgreSQL.

use super::StoreError;
use super::postgres::Place;
use std::path::PathBuf;

/// A database as the owner names it.
#[derive(Debug, Clone)]
pub(crate) enum Database {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(Box<Place>),
}

impl Database {
    /// Reads `postgres://…`, or `sqlite:` and the path of a file.
    pub(crate) fn parse(text: &str) -> Result<Self, StoreError> {
        match text.split_once(':') {
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(Box::new(Place::parse(text)?))),
            Some(("sqlite", path)) if !path.is_empty() => Ok(Self::Sqlite(PathBuf::from(path))),
            _ => Err(StoreError::Url("postgres://… or sqlite:FILE is expected".to_owned())),
        }
    }
}
