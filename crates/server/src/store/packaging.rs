//! Keys for packagers: those that are there, and new ones where there are none.

use super::audit::note;
use super::revocations::next_catalogue_mark;
use super::rows::Rows;
use super::{End, NewContent, Pending, Store, StoreError};
use crate::rules::audit::{Act, Acting};
use crate::rules::rows::ContentRow;
use std::collections::HashMap;
use wmlicense_wire::id::Kid;

/// What a packager asks keys for.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// What the packager calls it.
    pub(crate) about: String,
    /// What is added where its key ID is not there.
    pub(crate) contents: Vec<NewContent>,
}

/// What became of an order.
pub(crate) enum Packaged {
    /// The sealed keys, in its order.
    Keys(Vec<Vec<u8>>),
    /// Nothing was added: no policy has the name that new content is to have.
    NoPolicy(String),
}

impl Store {
    /// The sealed keys of an order, which is written down: those that are there, and those of the order where there are none. The
    /// same key ID has the same key from the first order on, whoever asks at the same time.
    pub(crate) fn package(&self, order: Order, by: Acting) -> Pending<'_, Packaged> {
        self.write_once((order, by), |(order, by), rows| Box::pin(package(rows, order, by)))
    }
}

async fn package(rows: &mut dyn Rows, order: &Order, by: &Acting) -> Result<End<Packaged>, StoreError> {
    let kids: Vec<Kid> = order.contents.iter().map(|content| content.kid).collect();
    let mut known = sealed(rows, &kids).await?;
    let mut added = 0;
    if kids.iter().any(|kid| !known.contains_key(kid)) {
        // Only now: what is asked for again changes nothing that devices are told of.
        let mark = next_catalogue_mark(rows, by.now).await?;
        // Once more, under the lock of the mark.
        known = sealed(rows, &kids).await?;
        let new = order.contents.iter().filter(|content| !known.contains_key(&content.kid)).cloned();
        let new: Vec<ContentRow> = new.map(row).collect();
        if let Some(name) = new.first().and_then(|row| row.policy.clone())
            && rows.policy(&name).await?.is_none()
        {
            return Ok(End::Undo(Packaged::NoPolicy(name)));
        }
        rows.put_contents(&new, mark, by.now).await?;
        added = new.len();
        known.extend(new.into_iter().map(|row| (row.kid, row.sealed_key)));
    }
    let each = kids.iter().map(Kid::to_hex).collect::<Vec<_>>().join(" ");
    let became = Some(format!("{added} of {} new: {each}", kids.len()));
    note(rows, by, Act { act: "speke", about: Some(order.about.clone()), was: None, became }).await?;
    let keys: Option<Vec<_>> = kids.iter().map(|kid| known.remove(kid)).collect();
    keys.map(|keys| End::Keep(Packaged::Keys(keys))).ok_or(StoreError::Damaged("content"))
}

async fn sealed(rows: &mut dyn Rows, kids: &[Kid]) -> Result<HashMap<Kid, Vec<u8>>, StoreError> {
    Ok(rows.contents(kids).await?.into_iter().map(|row| (row.kid, row.sealed_key)).collect())
}

fn row(NewContent { kid, sealed_key, title, policy, scope }: NewContent) -> ContentRow {
    ContentRow { kid, sealed_key, title, policy, scope }
}
