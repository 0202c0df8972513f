//! What is ready to go into the store: read, checked, and with a life of its own, so that one thread may read while another puts
//! in. What is read, and what of it goes in, is `local.rs`.

use super::RestoreError;
use crate::store::{Putting, StagedLicense};
use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};
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

/// Has a thread of its own `read`, and `put`s on this one what that gives, in the same order. `None`, and nothing was done, where
/// the system gives no thread. An error of either ends both.
pub(super) fn beside(
    read: impl FnOnce(&mut Give<'_>) -> Result<(), RestoreError> + Send,
    put: &mut Give<'_>,
) -> Option<Result<(), RestoreError>> {
    std::thread::scope(|scope| {
        let (groups, arriving) = sync_channel::<Vec<Ready>>(GROUPS);
        let reading = || read_into(groups, read);
        let reader = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, reading).ok()?;
        // What arrives is dropped with the first error, which ends the reading.
        let put = arriving.into_iter().flatten().try_for_each(put);
        match reader.join() {
            // What the putting failed with is the cause of whatever the reading failed with.
            Ok(read) => Some(put.and(read)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn read_into(
    groups: SyncSender<Vec<Ready>>,
    read: impl FnOnce(&mut Give<'_>) -> Result<(), RestoreError>,
) -> Result<(), RestoreError> {
    // Nobody takes them only when the putting failed, whose own error is the one that is told.
    let ended = |_| RestoreError::Medium(io::Error::other("nothing more is put in"));
    let (mut group, mut length) = (Vec::new(), 0);
    read(&mut |ready| {
        length += ready.len();
        group.push(ready);
        if length < GROUP {
            return Ok(());
        }
        length = 0;
        groups.send(std::mem::take(&mut group)).map_err(ended)
    })?;
    groups.send(group).map_err(ended)
}

pub(super) fn damaged() -> RestoreError {
    RestoreError::Corrupt("a license's key does not open".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operation::Cancelled;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Many times what two threads have under way.
    const MANY: usize = 200;

    fn titles(give: &mut Give<'_>) -> Result<(), RestoreError> {
        let title = |number: usize| format!("{number} {}", "x".repeat(GROUP / 3));
        (0..MANY).try_for_each(|number| give(Ready::Title(Kid::new([0; 16]), title(number))))
    }

    fn number(ready: &Ready) -> usize {
        let Ready::Title(_, title) = ready else { panic!("no title") };
        title.split(' ').next().unwrap().parse().unwrap()
    }

    #[test]
    fn what_is_read_beside_is_put_in_once_and_in_its_order() {
        let mut put = Vec::new();
        let done = beside(titles, &mut |ready| {
            put.push(number(&ready));
            Ok(())
        });
        assert!(matches!(done, Some(Ok(()))));
        assert_eq!(put, (0..MANY).collect::<Vec<_>>());
    }

    #[test]
    fn what_the_reading_ends_with_comes_after_all_that_it_gave() {
        let mut put = 0;
        let read = |give: &mut Give<'_>| {
            titles(give)?;
            Err(RestoreError::Corrupt("its footer".into()))
        };
        let done = beside(read, &mut |_| {
            put += 1;
            Ok(())
        });
        assert!(matches!(done, Some(Err(RestoreError::Corrupt(why))) if why == "its footer"));
        assert!(put <= MANY);
    }

    #[test]
    fn what_the_putting_fails_with_ends_the_reading_and_is_told() {
        let mut put = 0;
        let done = beside(titles, &mut |_| {
            put += 1;
            if put < 5 { Ok(()) } else { Err(Cancelled.into()) }
        });
        assert!(matches!(done, Some(Err(RestoreError::Service(error))) if error.is_cancelled()));
        assert_eq!(put, 5);
    }

    #[test]
    fn a_panic_of_either_thread_is_one_of_the_caller_and_leaves_none_behind() {
        let broken = || -> Result<(), RestoreError> { panic!("on purpose") };
        let reading = catch_unwind(|| beside(|_| broken(), &mut |_| Ok(())));
        let putting = catch_unwind(AssertUnwindSafe(|| beside(titles, &mut |_| broken())));
        for panic in [reading.map(drop).unwrap_err(), putting.map(drop).unwrap_err()] {
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"));
        }
    }
}
