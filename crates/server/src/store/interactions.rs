//! Requests for which a user must act on the page.

use super::rows::For;
use super::{End, Pending, Store, StoreError};
use crate::rules::interactions::{Decision, Interaction, NewInteraction, is_of, is_open};
use wmlicense_wire::id::{SignerId, UserId};

impl Store {
    /// The interaction of this exchange: the one there is, or else this one. `None` if the one there is came with other bytes or
    /// for another account.
    pub(crate) fn open_interaction(&self, new: NewInteraction) -> Pending<'_, Option<Interaction>> {
        self.write(new, |new, rows| {
            Box::pin(async move {
                rows.insert_interaction(new).await?;
                let known = rows.interaction_of(new.exchange.key()).await?;
                let known = known.ok_or(StoreError::Damaged("interaction"))?;
                Ok(End::Keep(Some(known).filter(|known| is_of(known, &new.exchange))))
            })
        })
    }

    /// An interaction by the ID in the page's URL.
    pub(crate) fn interaction(&self, id: String) -> Pending<'_, Option<Interaction>> {
        self.read(id, |id, rows| rows.interaction(id, For::Reading))
    }

    /// Writes the decision of an interaction that is open at `now`; false if it is not.
    pub(crate) fn decide(&self, id: String, decision: Decision, now: i64) -> Pending<'_, bool> {
        self.write_once((id, decision, now), |(id, decision, now), rows| {
            Box::pin(async move {
                let known = rows.interaction(id, For::Changing).await?;
                if !known.is_some_and(|known| is_open(&known, *now)) {
                    return Ok(End::Undo(false));
                }
                rows.put_decision(id, *decision).await?;
                Ok(End::Keep(true))
            })
        })
    }

    /// Failed sign-ins on the pages of a device that are open at `now`.
    pub(crate) fn failed_sign_ins(&self, thumbprint: SignerId, now: i64) -> Pending<'_, u64> {
        self.read((thumbprint, now), |(thumbprint, now), rows| rows.failed_sign_ins(*thumbprint, *now))
    }

    /// Counts a failed sign-in.
    pub(crate) fn count_failed_sign_in(&self, id: String) -> Pending<'_, ()> {
        self.write_once(id, |id, rows| Box::pin(async move { Ok(End::Keep(rows.count_failed_sign_in(id).await?)) }))
    }

    /// The name of an account; none if it was removed.
    pub(crate) fn account_name(&self, user: UserId) -> Pending<'_, Option<String>> {
        self.read(user, |user, rows| rows.account_name(*user))
    }

    /// Drops interactions that ended before this time, seconds UTC.
    pub(crate) fn drop_interactions(&self, before: i64) -> Pending<'_, u64> {
        self.write(before, |before, rows| {
            Box::pin(async move { Ok(End::Keep(rows.drop_interactions(*before).await?)) })
        })
    }
}
