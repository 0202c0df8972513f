//! Checking what goes into a backup, beside the writing: each license is what the signature of its batch covers, and its key opens.
//! What is wrong is told before the file gets its name.

use super::batch::Batch;
use super::beside::{self, Ended, Room, Work};
use crate::store::{BackupItem, StoreError};
use wmlicense_wire::backup::page::{PageKey, PageView};
use wmlicense_wire::certificate::Directory;

/// Items that are handed over at once, and how many such heaps wait: a page takes about 4 KiB.
const AT_ONCE: usize = 32;
const ROOM: Room = Room { stack: 512 * 1024, things: 4 };

/// Takes what is written, to be checked.
pub(super) struct Checker<'h> {
    over: &'h mut dyn FnMut(Vec<BackupItem>) -> Result<(), Ended>,
    pending: Vec<BackupItem>,
}

/// Runs `work`, which hands over what it writes of services in this directory, and fails with what the check of that finds.
pub(super) fn beside<E: From<StoreError>>(
    directory: &Directory,
    work: impl FnOnce(&mut Checker<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let (worked, checked) = beside::beside(Check { directory, batch: None }, &ROOM, |hand| {
        let mut checker = Checker { over: &mut |heap| hand.over(heap), pending: Vec::new() };
        work(&mut checker).and_then(|()| Ok(checker.hand_over()?))
    });
    checked?;
    worked
}

impl Checker<'_> {
    pub(super) fn take(&mut self, item: BackupItem) -> Result<(), StoreError> {
        self.pending.push(item);
        if self.pending.len() < AT_ONCE { Ok(()) } else { self.hand_over() }
    }

    fn hand_over(&mut self) -> Result<(), StoreError> {
        (self.over)(std::mem::take(&mut self.pending)).map_err(|Ended| damaged("the check ended"))
    }
}

/// The check of a section, and the batch it is at.
struct Check<'d> {
    directory: &'d Directory,
    batch: Option<Batch>,
}

impl Work for Check<'_> {
    type Thing = Vec<BackupItem>;
    type Error = StoreError;

    fn take(&mut self, items: Vec<BackupItem>) -> Result<(), StoreError> {
        items.into_iter().try_for_each(|item| self.check(item))
    }
}

impl Check<'_> {
    fn check(&mut self, item: BackupItem) -> Result<(), StoreError> {
        match (item, &mut self.batch) {
            (BackupItem::Batch { signed, vouched }, batch) => {
                *batch = Some(Batch::signed_in(&signed, vouched, self.directory).map_err(damaged)?);
                Ok(())
            }
            (BackupItem::Page { key, page }, Some(batch)) => check_page(batch, &key, &page),
            (BackupItem::License(entry), Some(batch)) => {
                let license = &entry.license;
                let hashes = (license.hash(), license.policy_hash());
                // Its key was opened.
                batch.take(entry.index, hashes, (&license.policy, &license.binding)).map(drop).map_err(damaged)
            }
            (BackupItem::Page { .. } | BackupItem::License(_), None) => Err(damaged("a license without a batch")),
        }
    }
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
