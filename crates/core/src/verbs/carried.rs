//! Answers that an application fetched itself and carries here, asked for or not. What becomes of one is said by
//! `acquire/interaction.rs` and `mailbox.rs`.

use crate::client::{Client, Settings};
use crate::operation::Context;
use crate::verbs::acquire::interaction::process;
use crate::verbs::acquire::{AcquireError, Acquired, LicenseWish};
use crate::verbs::mailbox::{Given, is_unasked, take_by_hand};
use std::sync::{Mutex, PoisonError};
use wmlicense_wire::id::TransactionId;

/// What became of an answer that was carried here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried {
    /// It is a page of what was asked for.
    Asked(Acquired),
    /// Nobody asked for it.
    Given(Given),
}

/// Takes the pages of one request after the other, and knows what those before it brought.
#[derive(Default)]
pub struct Carrier {
    /// The transaction of the last page, and the licenses that its pages brought.
    last: Mutex<Option<(TransactionId, u64)>>,
}

impl Carrier {
    /// Takes an answer. One that nobody asked for touches nothing of the request; of the wish it needs the URL only.
    pub fn take(
        &self,
        client: &Client,
        settings: &Settings,
        wish: &LicenseWish,
        answer: &[u8],
        context: &Context,
    ) -> Result<Carried, AcquireError> {
        if is_unasked(answer) {
            return Ok(Carried::Given(take_by_hand(client, settings, wish.url.as_deref(), answer)?));
        }
        let acquired = process(client, settings, wish, answer, context)?;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let before = last.filter(|(known, _)| *known == acquired.transaction).map_or(0, |(_, stored)| stored);
        *last = Some((acquired.transaction, before + acquired.stored));
        Ok(Carried::Asked(Acquired { before, ..acquired }))
    }
}
