//! Checking what goes into a backup, on a thread beside the one that writes it: each license is what the signature of its batch
//! covers, and its key opens. What is wrong is told before the file gets its name.

use super::batch::Batch;
use crate::store::{BackupItem, StoreError};
use std::sync::mpsc::{self, Receiver, SyncSender};
use wmlicense_wire::backup::page::{PageKey, PageView};
use wmlicense_wire::certificate::Directory;

/// Items that are handed over at once, and how many such heaps wait: a page takes about 4 KiB.
const AT_ONCE: usize = 32;
const HEAPS: usize = 4;
const STACK: usize = 512 * 1024;

/// Takes what is written, to be checked.
pub(super) struct Checker {
    heaps: SyncSender<Vec<BackupItem>>,
    pending: Vec<BackupItem>,
}

/// Runs `work`, which hands over what it writes of services in this directory, and fails with what the check of that finds.
pub(super) fn beside<E: From<StoreError>>(
    directory: &Directory,
    work: impl FnOnce(&mut Checker) -> Result<(), E>,
) -> Result<(), E> {
    std::thread::scope(|scope| {
        let (heaps, arriving) = mpsc::sync_channel(HEAPS);
        let thread =
            std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, move || check(&arriving, directory));
        let thread = thread.map_err(StoreError::from)?;
        let mut checker = Checker { heaps, pending: Vec::new() };
        let worked = work(&mut checker).and_then(|()| Ok(checker.hand_over()?));
        drop(checker);
        match thread.join() {
            Ok(checked) => {
                // What the check found is the cause of whatever the handing over failed with.
                checked?;
                worked
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

impl Checker {
    pub(super) fn take(&mut self, item: BackupItem) -> Result<(), StoreError> {
        self.pending.push(item);
        if self.pending.len() < AT_ONCE { Ok(()) } else { self.hand_over() }
    }

    fn hand_over(&mut self) -> Result<(), StoreError> {
        // Nobody takes it where the check ended, which tells why.
        self.heaps.send(std::mem::take(&mut self.pending)).map_err(|_| damaged("the check ended"))
    }
}

fn check(arriving: &Receiver<Vec<BackupItem>>, directory: &Directory) -> Result<(), StoreError> {
    let mut batch: Option<Batch> = None;
    for item in arriving.iter().flatten() {
        match (item, &mut batch) {
            (BackupItem::Batch(signed), batch) => {
                *batch = Some(Batch::signed_in(&signed, directory).map_err(damaged)?);
            }
            (BackupItem::Page { key, page }, Some(batch)) => check_page(batch, &key, &page)?,
            (BackupItem::License(entry), Some(batch)) => {
                let license = &entry.license;
                let hashes = (license.hash(), license.policy_hash());
                // Its key was opened.
                batch.take(entry.index, hashes, (&license.policy, &license.binding)).map_err(damaged)?;
            }
            (BackupItem::Page { .. } | BackupItem::License(_), None) => {
                return Err(damaged("a license without a batch"));
            }
        }
    }
    Ok(())
}

fn check_page(batch: &mut Batch, key: &PageKey, page: &[u8]) -> Result<(), StoreError> {
    for paged in PageView::parse(page).map_err(damaged)?.licenses() {
        let policy_hash = batch.take_copied(&paged).map_err(damaged)?;
        if !key.holds(paged.index, policy_hash, paged.wrapped) {
            return Err(damaged("the key of a license does not open"));
        }
    }
    Ok(())
}

pub(super) fn damaged(why: impl ToString) -> StoreError {
    StoreError::Damaged(why.to_string())
}
