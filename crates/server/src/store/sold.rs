//! Accounts of whom the owner's shop speaks in its tokens: made where they are not there, with the grants that it sold them.

use super::audit::note;
use super::offers::{granted, is_never, new_grant};
use super::revocations::next_mark;
use super::rows::{For, Rows};
use super::{End, GrantTerms, Pending, Store, StoreError};
use crate::accounts::Account;
use crate::rules::audit::{Act, Acting};
use crate::rules::granted::GrantRow;
use crate::rules::shop::{Sold, SoldGrant};
use wmlicense_wire::id::UserId;

/// What comes of what a shop says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sale {
    /// The account, which has all that it was sold.
    Account(Account),
    /// There is no offer of this name, or its grant would never count. Nothing was changed.
    Unfit(String),
}

impl Store {
    /// The account of a shop's token, where it and all its grants are there.
    pub(crate) fn sold(&self, sold: Sold) -> Pending<'_, Option<Account>> {
        self.read(sold, |sold, rows| {
            Box::pin(async move {
                let Some(user) = rows.account_by_name(&sold.account, For::Reading).await? else { return Ok(None) };
                for grant in &sold.grants {
                    if rows.grant(grant.id(user), For::Reading).await?.is_none() {
                        return Ok(None);
                    }
                }
                Ok(Some(Account { user }))
            })
        })
    }

    /// Makes the account of a shop's token, which gets this ID, and adds its grants, where they are not there. One that was ended
    /// stays ended.
    pub(crate) fn sell(&self, sold: Sold, new: UserId, by: impl Into<Acting>) -> Pending<'_, Sale> {
        self.write((sold, new, by.into()), |(sold, new, by), rows| {
            Box::pin(async move {
                let mark = next_mark(rows, by.now).await?;
                let known = rows.account_by_name(&sold.account, For::Changing).await?;
                let user = known.unwrap_or(*new);
                if known.is_none() {
                    rows.insert_account(user, &sold.account, by.now).await?;
                    let about = Some(sold.account.clone());
                    note(rows, by, Act { act: "account add", about, was: None, became: Some("no scope".to_owned()) })
                        .await?;
                }
                for (at, grant) in sold.grants.iter().enumerate() {
                    if !add(rows, (user, &sold.account), grant, (mark, at), by).await? {
                        return Ok(End::Undo(Sale::Unfit(grant.offer.clone())));
                    }
                }
                Ok(End::Keep(Sale::Account(Account { user })))
            })
        })
    }
}

/// Adds a grant that is not there; false where it cannot be.
async fn add(
    rows: &mut dyn Rows,
    (user, account): (UserId, &str),
    grant: &SoldGrant,
    (mark, at): (i64, usize),
    by: &Acting,
) -> Result<bool, StoreError> {
    let id = grant.id(user);
    if rows.grant(id, For::Changing).await?.is_some() {
        return Ok(true);
    }
    let SoldGrant { offer, reference, from, until, uses, devices } = grant.clone();
    let terms = GrantTerms { from, until, uses, devices, reference: Some(reference) };
    let row: GrantRow = new_grant(id, user, &offer, &terms, (mark, by.now));
    if rows.offer(&offer).await?.is_none() || is_never(&row) {
        return Ok(false);
    }
    rows.put_grant(&row).await?;
    // Each act of a transaction has a row of its own.
    let mut by = by.clone();
    by.id[15] ^= u8::try_from(at + 1).unwrap_or(u8::MAX);
    let (about, became) = (Some(account.to_owned()), Some(format!("grant {}: {}", id.to_hex(), granted(&row))));
    note(rows, &by, Act { act: "grant add", about, was: None, became }).await?;
    Ok(true)
}
