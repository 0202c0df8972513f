//! What was done in the owner's name, written in the transaction that does it.

use super::rows::Rows;
use super::{End, Pending, Store, StoreError};
use crate::rules::audit::{Act, Acting};

impl Store {
    /// Writes down what was done elsewhere than in the database.
    pub(crate) fn note_act(&self, act: Act, by: impl Into<Acting>) -> Pending<'_, ()> {
        self.write((act, by.into()), |(act, by), rows| {
            Box::pin(async move { Ok(End::Keep(note(rows, by, act.clone()).await?)) })
        })
    }
}

/// Writes down what is done in this transaction.
pub(super) async fn note(rows: &mut dyn Rows, by: &Acting, act: Act) -> Result<(), StoreError> {
    rows.insert_audit(&by.row(act)).await
}
