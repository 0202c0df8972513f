//! What PostgreSQL fails with, as the store tells it: by SQLSTATE, and never with the values of a row.

use super::super::{Failure, StoreError};
use deadpool_postgres::PoolError;
use deadpool_postgres::TimeoutType;
use deadpool_postgres::tokio_postgres::Error;
use deadpool_postgres::tokio_postgres::error::SqlState;
use std::collections::BTreeMap;
use std::error::Error as _;
use std::io;
use std::sync::{Mutex, PoisonError};

/// What asked for another run of its transaction, of this process: by SQLSTATE.
static RETRIES: Mutex<BTreeMap<String, u64>> = Mutex::new(BTreeMap::new());

/// How often transactions were to be run again, by the SQLSTATE that asked for it.
pub(super) fn retries() -> Vec<(String, u64)> {
    let retries = RETRIES.lock().unwrap_or_else(PoisonError::into_inner);
    retries.iter().map(|(state, count)| (state.clone(), *count)).collect()
}

/// An error of a statement whose transaction is not committed.
pub(super) fn told(error: Error) -> StoreError {
    let state = error.code().map_or(SqlState::CONNECTION_FAILURE.code().to_owned(), |state| state.code().to_owned());
    let kind = kind(error);
    if matches!(kind, StoreError::Overtaken | StoreError::Lost(_)) {
        *RETRIES.lock().unwrap_or_else(PoisonError::into_inner).entry(state).or_default() += 1;
    }
    kind
}

fn kind(error: Error) -> StoreError {
    let Some(state) = error.code().cloned() else {
        return match error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
            Some(_) => StoreError::Lost(words(&error)),
            None if error.is_closed() => StoreError::Lost(words(&error)),
            None => StoreError::Failed(Failure::Other, words(&error)),
        };
    };
    match state {
        SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED | SqlState::UNIQUE_VIOLATION => {
            StoreError::Overtaken
        }
        SqlState::READ_ONLY_SQL_TRANSACTION => StoreError::ReadOnly,
        SqlState::DISK_FULL | SqlState::IO_ERROR => StoreError::Failed(Failure::Disk, words(&error)),
        SqlState::UNDEFINED_TABLE => StoreError::NoTables,
        // It ended somebody's statement, or waited for a lock as long as it may: the connection is as good as before.
        SqlState::QUERY_CANCELED | SqlState::LOCK_NOT_AVAILABLE => StoreError::Busy,
        // It ended a transaction that did nothing, and the connection with it.
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => StoreError::Lost(words(&error)),
        // The connection is gone, or the server is about to be.
        state if ["08", "57P"].iter().any(|class| state.code().starts_with(class)) => StoreError::Lost(words(&error)),
        // Memory, connections, or something else that it has too little of at present.
        state if state.code().starts_with("53") => StoreError::Busy,
        _ => StoreError::Failed(Failure::Other, words(&error)),
    }
}

/// An error of a commit: where the database itself says that it undid the transaction, nothing was written; else nobody knows.
pub(super) fn of_commit(error: Error) -> StoreError {
    // What the class of a state says that is raised before a commit is written: conflicts, constraints, a standby.
    let undone = |state: &SqlState| {
        ["23", "25", "40"].iter().any(|class| state.code().starts_with(class))
            && *state != SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN
    };
    match error.code().is_some_and(undone) {
        true => told(error),
        false => StoreError::Unknown,
    }
}

/// Why no connection is to be had. `connections`: how many there are at most.
pub(super) fn of_pool(error: PoolError, connections: usize) -> StoreError {
    match error {
        PoolError::Timeout(TimeoutType::Wait) => StoreError::Exhausted(connections),
        PoolError::Timeout(TimeoutType::Create | TimeoutType::Recycle) => {
            StoreError::Unreachable("it does not answer".to_owned())
        }
        PoolError::Backend(error) => of_connect(error),
        PoolError::Closed => StoreError::Closed,
        PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
            StoreError::Failed(Failure::Other, "the pool of connections cannot be used".to_owned())
        }
    }
}

fn of_connect(error: Error) -> StoreError {
    let words = words(&error);
    match error.code() {
        // Who asks, from where, for which database.
        Some(state) if state.code().starts_with("28") || *state == SqlState::INVALID_CATALOG_NAME => {
            StoreError::Refused(words)
        }
        Some(_) => StoreError::Unreachable(words),
        None => match error.source().and_then(|source| source.downcast_ref::<io::Error>()) {
            // The driver's word for a server that is a standby, where one that takes writes is asked for.
            Some(source) if source.kind() == io::ErrorKind::PermissionDenied && source.raw_os_error().is_none() => {
                StoreError::ReadOnly
            }
            _ => StoreError::Unreachable(words),
        },
    }
}

/// An error with its causes, on one line. The detail of the database's own errors is left out: it may quote a row.
pub(super) fn words(error: &Error) -> String {
    if let Some(error) = error.as_db_error() {
        return format!("{} ({})", error.message(), error.code().code());
    }
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(": ");
        words.push_str(&error.to_string());
        cause = error.source();
    }
    words
}
