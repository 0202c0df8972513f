//! What is ready to go into the store: read, checked, and with a life of its own, so that one thread may read while another puts
//! in. What is read, and what of it goes in, is `local.rs`.

use super::RestoreError;
use crate::operation::Context;
use crate::store::{Putting, StagedLicense};
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;
use wmlicense_wire::backup::page::{PageKey, PageView};
use wmlicense_wire::id::{Digest, Kid};
use wmlicense_wire::license::{InnerKey, License, State};
use wmlicense_wire::policy::Glance;
use wmlicense_wire::revocation::VerifiedRevocation;
use wmlicense_wire::status_list::StatusList;

/// Bytes that are handed over at once.
const GROUP: usize = 128 * 1024;
/// Groups that wait to be put in.
const GROUPS: usize = 4;
const STACK: usize = 512 * 1024;
/// How often a wait for the medium looks whether the operation was cancelled.
const LOOK: Duration = Duration::from_millis(50);
/// How long a medium may give nothing while others wait for the store, who give up after as long.
const PATIENCE: Duration = Duration::from_secs(10);

/// One thing that goes in.
pub(super) enum Ready {
    StatusList(Box<StatusList>, Vec<u8>),
    Revocation(Box<VerifiedRevocation>, Vec<u8>),
    Tombstone(Vec<u8>),
    Title(Kid, String),
    /// Authority and signed answer of the licenses that follow.
    Batch(Digest, Vec<u8>),
    License {
        index: u32,
        license: License,
        state: State,
        key: InnerKey,
    },
    Page {
        /// Stays where it is made: what is moved leaves copies that nobody wipes.
        key: Box<PageKey>,
        page: Vec<u8>,
        glances: Vec<Glance>,
    },
}

impl Ready {
    pub(super) fn put(self, putting: &mut Putting<'_>) -> Result<(), RestoreError> {
        match self {
            Self::StatusList(list, bytes) => putting.put_status_list(&list, &bytes)?,
            Self::Revocation(blob, bytes) => putting.put_revocation(&blob, &bytes)?,
            Self::Tombstone(bytes) => putting.put_tombstone(&bytes)?,
            Self::Title(kid, title) => putting.put_title(kid, &title)?,
            Self::Batch(authority, signed) => putting.put_batch(authority, &signed)?,
            Self::License { index, license, state, key } => {
                putting.put_license(&StagedLicense { index, license: &license, state: &state, key: &key })?;
            }
            Self::Page { key, page, glances } => {
                putting.put_page(&key, &PageView::parse(&page).map_err(|_| damaged())?, &glances)?;
            }
        }
        Ok(())
    }

    /// Bytes that it holds, about.
    fn len(&self) -> usize {
        let of_it = match self {
            Self::StatusList(_, bytes)
            | Self::Revocation(_, bytes)
            | Self::Tombstone(bytes)
            | Self::Batch(_, bytes) => bytes.len(),
            Self::Title(_, title) => title.len(),
            Self::License { license, .. } => license.policy.len() + license.binding.len(),
            Self::Page { page, glances, .. } => page.len() + size_of_val(glances.as_slice()),
        };
        size_of::<Self>() + of_it
    }
}

/// Takes what is ready, in its order.
pub(super) type Give<'g> = dyn FnMut(Ready) -> Result<(), RestoreError> + 'g;

/// Reads from the begin to the end, and gives what is ready.
pub(super) type Reading<'r> = dyn FnMut(&mut Give<'_>) -> Result<(), RestoreError> + Send + 'r;

/// What is ready, on its way into the store.
pub(super) struct Incoming<'i>(Origin<'i>);

enum Origin<'i> {
    /// Read while it is put in.
    Here(&'i mut Reading<'i>),
    /// Read by another thread, which this one waits for so long at a time.
    Beside(Receiver<Group>, Duration),
}

/// What is handed over at once.
enum Group {
    Ready(Vec<Ready>),
    /// How the reading ended. Nothing follows.
    End(Result<(), RestoreError>),
}

impl<'i> Incoming<'i> {
    pub(super) fn here(read: &'i mut Reading<'i>) -> Self {
        Self(Origin::Here(read))
    }

    /// Has `put` take everything. An error of either ends both, and so does a cancel, however long the medium takes: others may wait
    /// for what is held meanwhile. For the same reason a medium that gives nothing for long has failed.
    pub(super) fn each(self, context: &Context, put: &mut Give<'_>) -> Result<(), RestoreError> {
        let mut put = |ready: Ready| {
            context.check()?;
            put(ready)
        };
        match self.0 {
            Origin::Here(read) => read(&mut put),
            Origin::Beside(groups, patience) => loop {
                match next(&groups, patience, context)? {
                    Group::Ready(group) => group.into_iter().try_for_each(&mut put)?,
                    Group::End(end) => return end,
                }
            },
        }
    }
}

fn next(groups: &Receiver<Group>, patience: Duration, context: &Context) -> Result<Group, RestoreError> {
    let failed = |what: &str| RestoreError::Medium(io::Error::new(io::ErrorKind::TimedOut, what));
    let mut waited = Duration::ZERO;
    loop {
        match groups.recv_timeout(LOOK) {
            Ok(group) => return Ok(group),
            // It panicked, which who joins it learns.
            Err(RecvTimeoutError::Disconnected) => return Err(failed("the reading ended")),
            Err(RecvTimeoutError::Timeout) => {
                context.check()?;
                waited += LOOK;
                if waited >= patience {
                    return Err(failed("it gave nothing for long"));
                }
            }
        }
    }
}

/// Has a thread of its own `read`, and `take`s on this one what that gives, in the same order; where the system gives no thread,
/// this one does both. The reading begins at once, and may go on for as long as the medium takes after `take` has returned.
pub(super) fn beside<T>(
    read: &mut Reading<'_>,
    take: impl FnOnce(Incoming<'_>) -> Result<T, RestoreError>,
) -> Result<T, RestoreError> {
    beside_for(PATIENCE, read, take)
}

fn beside_for<T>(
    patience: Duration,
    read: &mut Reading<'_>,
    take: impl FnOnce(Incoming<'_>) -> Result<T, RestoreError>,
) -> Result<T, RestoreError> {
    let begun = std::thread::scope(|scope| {
        let (groups, arriving) = sync_channel(GROUPS);
        let read = &mut *read;
        let reading = move || read_into(&groups, read);
        let Ok(reader) = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, reading) else {
            return Err(take);
        };
        let taken = take(Incoming(Origin::Beside(arriving, patience)));
        match reader.join() {
            Ok(()) => Ok(taken),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });
    match begun {
        Ok(taken) => taken,
        Err(take) => take(Incoming::here(read)),
    }
}

fn read_into(groups: &SyncSender<Group>, read: &mut Reading<'_>) {
    // Nobody takes them where the putting ended, which has an error of its own.
    let ended = |_| RestoreError::Medium(io::Error::other("nothing more is put in"));
    let (mut group, mut length) = (Vec::new(), 0);
    let read = read(&mut |ready| {
        length += ready.len();
        group.push(ready);
        if length < GROUP {
            return Ok(());
        }
        length = 0;
        groups.send(Group::Ready(std::mem::take(&mut group))).map_err(ended)
    });
    let rest = groups.send(Group::Ready(group)).map_err(ended);
    let _ = groups.send(Group::End(read.and(rest)));
}

pub(super) fn damaged() -> RestoreError {
    RestoreError::Corrupt("a license's key does not open".into())
}

#[cfg(test)]
mod tests;
