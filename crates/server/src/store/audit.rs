//! What was done in the owner's name, written in the transaction that does it.

use super::rows::Rows;
use super::{End, Pending, Store, StoreError};
use crate::rules::admins::{REPEAT_LIFETIME, RepeatRow};
use crate::rules::audit::{Act, Acting};

impl Store {
    /// Writes down what was done elsewhere than in the database.
    pub(crate) fn note_act(&self, act: Act, by: impl Into<Acting>) -> Pending<'_, ()> {
        self.write((act, by.into()), |(act, by), rows| {
            Box::pin(async move { Ok(End::Keep(note(rows, by, act.clone()).await?)) })
        })
    }
}

/// Writes down what is done in this transaction, and for which request, which is not done a second time.
pub(super) async fn note(rows: &mut dyn Rows, by: &Acting, act: Act) -> Result<(), StoreError> {
    if let Some(repeat) = &by.repeat {
        let row = RepeatRow { repeat: repeat.clone(), done_at: by.now, answer: None };
        let is_new = rows.claim_request(&row, by.now.saturating_sub(REPEAT_LIFETIME)).await?;
        let known = if is_new { None } else { rows.request(&repeat.admin, &repeat.key).await? };
        if known.is_some_and(|known| known.repeat.claim != repeat.claim) {
            return Err(StoreError::Repeated);
        }
    }
    rows.insert_audit(&by.row(act)).await
}
