//! Clearing the store of what can never be used again. State rows and tombstones outlive it, so nothing comes back better.

use crate::license::StoredLicense;
use crate::store::index::changes::{Changes, Merge};
use crate::store::records::pages::Stored;
use crate::store::records::removal::remove;
use crate::store::records::transactions::LIFETIME;
use crate::store::{Store, StoreError};
use wmlicense_wire::id::{Kid, Lid};

/// Licenses that ended less than this ago stay, in seconds, so that a renewal finds them: 30 days.
const KEPT_AFTER_END: i64 = 30 * 86_400;

impl StoredLicense {
    /// Whether no action of this license can ever be permitted again: used up, or ended 30 days ago by a clock that is not
    /// behind what the store knows, nor `jumped` far ahead of it.
    pub fn is_over(&self, jumped: bool) -> bool {
        let Some(state) = &self.state else { return false };
        !self.policy.actions.is_empty()
            && self.policy.actions.iter().all(|(action, conditions)| {
                let left = state.actions.get(action).copied().unwrap_or_default();
                let end = crate::rights::end_of(&self.policy, conditions, left);
                let sound = self.reading.filter(|reading| !jumped && reading.behind.is_none());
                let over = |end: i64| sound.is_some_and(|at| end.saturating_add(KEPT_AFTER_END) <= at.now);
                left.counts_left == Some(0) || end.is_some_and(over)
            })
    }
}

impl Store {
    /// Removes those of these licenses that are still there, in one commit, and gives their number.
    pub(crate) fn remove_over(&self, licenses: &[(Kid, Lid)]) -> Result<u64, StoreError> {
        let inner = &*self.inner;
        inner.write(|connection| {
            let mut changes = Changes::new(connection, &inner.index)?;
            let mut removed = 0;
            for (_, lid) in licenses {
                if let Some(stored) = Stored::with_lid(connection, &changes.of_lid(*lid)?, *lid)? {
                    remove(connection, &mut changes, &stored, None)?;
                    removed += 1;
                }
            }
            changes.finish(Merge::InTime)?;
            Ok(removed)
        })
    }

    /// Forgets transactions that ended or grew too old more than 30 days ago, and gives their number.
    pub(crate) fn remove_old_transactions(&self) -> Result<u64, StoreError> {
        let oldest = self.inner.clock.now().saturating_sub(LIFETIME);
        self.inner.write(|connection| {
            let removed = connection.execute(
                // What was given back offline is told to the service however late.
                "DELETE FROM exchange WHERE created_at < ?1 AND id NOT IN (SELECT id FROM give_back)",
                [oldest],
            )?;
            Ok(removed as u64)
        })
    }

    /// Gives the room of removed rows back to the file system. Needs as much free space as the store has, for a moment.
    pub fn compact(&self) -> Result<(), StoreError> {
        self.inner.with_writer(|connection| {
            connection.execute_batch("VACUUM")?;
            // Another process that reads keeps the log as long as it is: the next commit tries again.
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
            Ok(())
        })
    }
}
