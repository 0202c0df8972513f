//! What the owner offers, and who has what of it: the acts that change offers and grants, and their lists.

use super::audit::note;
use super::lists::Listed;
use super::revocations::next_mark;
use super::rows::{For, GrantEntry, GrantFilter, OfferEntry, Rows};
use super::{End, Pending, Store};
use crate::policy::to_rfc3339;
use crate::rules::audit::{Act, Acting};
use crate::rules::granted::{GrantId, GrantRow, NewOffer};
use wmlicense_wire::id::UserId;

/// What becomes of setting an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OfferSet {
    /// It is set; true if it is new.
    Done(bool),
    /// No policy has this name.
    NoPolicy(String),
}

/// What becomes of removing an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OfferEnd {
    Removed,
    NoOffer,
    /// So many grants of it are not over.
    InUse(u64),
}

/// What an account is to have of an offer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct GrantTerms {
    pub(crate) from: Option<i64>,
    pub(crate) until: Option<i64>,
    pub(crate) uses: Option<u32>,
    pub(crate) devices: Option<u32>,
    pub(crate) reference: Option<String>,
}

/// What of a grant becomes another: nothing stays as it is, and a value of nothing takes the bound away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct GrantChange {
    pub(crate) from: Option<Option<i64>>,
    pub(crate) until: Option<Option<i64>>,
    pub(crate) uses: Option<Option<u32>>,
    pub(crate) devices: Option<Option<u32>>,
    pub(crate) reference: Option<Option<String>>,
}

/// What becomes of an act on a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Granting {
    Done,
    NoAccount,
    NoOffer,
    NoGrant,
    /// It was ended before.
    Ended,
    /// It would end before it begins.
    Never,
}

impl Store {
    /// Sets an offer, in place of the one of its name. What accounts have of it is on the changed terms from then on.
    pub(crate) fn set_offer(&self, offer: NewOffer, by: impl Into<Acting>) -> Pending<'_, OfferSet> {
        self.write_once((offer, by.into()), |(offer, by), rows| {
            Box::pin(async move {
                let mark = next_mark(rows, by.now).await?;
                if let Some(policy) = &offer.policy
                    && rows.policy(policy).await?.is_none()
                {
                    return Ok(End::Undo(OfferSet::NoPolicy(policy.clone())));
                }
                let was = rows.offer(&offer.name).await?;
                rows.put_offer(offer, mark, by.now).await?;
                let new = was.is_none();
                let (about, was, became) = (Some(offer.name.clone()), was.as_ref().map(told), Some(told(offer)));
                note(rows, by, Act { act: "offer set", about, was, became }).await?;
                Ok(End::Keep(OfferSet::Done(new)))
            })
        })
    }

    /// Removes an offer of which no grant is left.
    pub(crate) fn remove_offer(&self, name: String, by: impl Into<Acting>) -> Pending<'_, OfferEnd> {
        self.write_once((name, by.into()), |(name, by), rows| {
            Box::pin(async move {
                next_mark(rows, by.now).await?;
                let Some(was) = rows.offer(name).await? else { return Ok(End::Undo(OfferEnd::NoOffer)) };
                let grants = rows.count_grants(name, by.now).await?;
                if grants > 0 {
                    return Ok(End::Undo(OfferEnd::InUse(grants)));
                }
                rows.remove_offer(name).await?;
                let act = Act { act: "offer remove", about: Some(name.clone()), was: Some(told(&was)), became: None };
                note(rows, by, act).await?;
                Ok(End::Keep(OfferEnd::Removed))
            })
        })
    }

    /// Gives an account something of an offer, under an ID that nobody had.
    pub(crate) fn add_grant(
        &self,
        id: GrantId,
        (account, offer): (String, String),
        terms: GrantTerms,
        by: impl Into<Acting>,
    ) -> Pending<'_, Granting> {
        self.write_once((id, account, offer, terms, by.into()), |(id, account, offer, terms, by), rows| {
            Box::pin(async move {
                let mark = next_mark(rows, by.now).await?;
                let Some(user) = rows.account_by_name(account, For::Changing).await? else {
                    return Ok(End::Undo(Granting::NoAccount));
                };
                if rows.offer(offer).await?.is_none() {
                    return Ok(End::Undo(Granting::NoOffer));
                }
                let row = new_grant(*id, user, offer, terms, (mark, by.now));
                if is_never(&row) {
                    return Ok(End::Undo(Granting::Never));
                }
                rows.put_grant(&row).await?;
                let (about, became) =
                    (Some(account.clone()), Some(format!("grant {}: {}", id.to_hex(), granted(&row))));
                note(rows, by, Act { act: "grant add", about, was: None, became }).await?;
                Ok(End::Keep(Granting::Done))
            })
        })
    }

    /// Changes what an account has by a grant.
    pub(crate) fn change_grant(
        &self,
        id: GrantId,
        change: GrantChange,
        by: impl Into<Acting>,
    ) -> Pending<'_, Granting> {
        self.alter_grant(id, ("grant change", by.into()), move |row, _| {
            let GrantChange { from, until, uses, devices, reference } = change.clone();
            row.from = from.unwrap_or(row.from);
            row.until = until.unwrap_or(row.until);
            row.uses = uses.unwrap_or(row.uses);
            row.devices = devices.unwrap_or(row.devices);
            row.reference = reference.unwrap_or_else(|| row.reference.clone());
        })
    }

    /// Ends a grant: its terms count no more, and its licenses are withdrawn.
    pub(crate) fn end_grant(&self, id: GrantId, by: impl Into<Acting>) -> Pending<'_, Granting> {
        self.alter_grant(id, ("grant end", by.into()), |row, now| row.ended_at = Some(now))
    }

    fn alter_grant(
        &self,
        id: GrantId,
        act: (&'static str, Acting),
        alter: impl Fn(&mut GrantRow, i64) + Clone + Send + Sync + 'static,
    ) -> Pending<'_, Granting> {
        self.write_once((id, act), move |(id, (act, by)), rows| {
            let alter = alter.clone();
            Box::pin(async move {
                let mark = next_mark(rows, by.now).await?;
                let Some(was) = rows.grant(*id, For::Changing).await? else { return Ok(End::Undo(Granting::NoGrant)) };
                if was.ended_at.is_some() {
                    return Ok(End::Undo(Granting::Ended));
                }
                let mut row = GrantRow { changed: mark, ..was.clone() };
                alter(&mut row, by.now);
                if row.ended_at.is_none() && is_never(&row) {
                    return Ok(End::Undo(Granting::Never));
                }
                rows.put_grant(&row).await?;
                let account = rows.account_name(row.user).await?.unwrap_or_else(|| row.user.to_hex());
                let (about, was) = (Some(format!("{account}, grant {}", id.to_hex())), Some(granted(&was)));
                let became = row.ended_at.is_none().then(|| granted(&row));
                note(rows, by, Act { act, about, was, became }).await?;
                Ok(End::Keep(Granting::Done))
            })
        })
    }
}

pub(super) fn new_grant(
    id: GrantId,
    user: UserId,
    offer: &str,
    terms: &GrantTerms,
    (mark, now): (i64, i64),
) -> GrantRow {
    let GrantTerms { from, until, uses, devices, reference } = terms.clone();
    let offer = offer.to_owned();
    GrantRow { id, user, offer, from, until, uses, devices, reference, created_at: now, changed: mark, ended_at: None }
}

pub(super) fn is_never(row: &GrantRow) -> bool {
    matches!((row.from, row.until), (Some(from), Some(until)) if from >= until)
}

/// Ends all grants of an account.
pub(super) async fn end_grants(
    rows: &mut dyn Rows,
    user: UserId,
    (mark, now): (i64, i64),
) -> Result<usize, super::StoreError> {
    let grants = rows.grants_of(&[user], now).await?;
    for row in &grants {
        rows.put_grant(&GrantRow { ended_at: Some(now), changed: mark, ..row.clone() }).await?;
    }
    Ok(grants.len())
}

/// An offer in words.
fn told(offer: &NewOffer) -> String {
    let NewOffer { name: _, policy, open, scopes, kids } = offer;
    let mut words = vec![policy.as_ref().map_or("no policy".to_owned(), |policy| format!("policy {policy}"))];
    words.extend(open.then(|| "open to all".to_owned()));
    words.extend(scopes.iter().map(|scope| format!("scope {scope}")));
    words.extend((!kids.is_empty()).then(|| format!("{} key IDs", kids.len())));
    words.join(", ")
}

/// A grant in words.
pub(super) fn granted(row: &GrantRow) -> String {
    let GrantRow { offer, from, until, uses, devices, reference, .. } = row;
    let mut words = vec![format!("offer {offer}")];
    words.extend(from.map(|time| format!("from {}", to_rfc3339(time))));
    words.extend(until.map(|time| format!("until {}", to_rfc3339(time))));
    words.extend(uses.map(|uses| format!("{uses} uses")));
    words.extend(devices.map(|devices| format!("{devices} devices")));
    words.extend(reference.as_ref().map(|reference| format!("reference {reference}")));
    words.join(", ")
}

/// Offers by name.
impl Listed for OfferEntry {
    const LIST: &'static str = "offer";
    /// Grants that are not over at this time are counted.
    type Filter = i64;
    type Key = String;

    fn key(&self) -> String {
        self.offer.name.clone()
    }

    fn page<'r>(
        rows: &'r mut dyn Rows,
        now: &'r Self::Filter,
        behind: Option<Self::Key>,
        limit: usize,
    ) -> Pending<'r, Vec<Self>> {
        Box::pin(async move { rows.list_offers(behind.as_deref(), *now, limit).await })
    }
}

/// Grants, the latest first.
impl Listed for GrantEntry {
    const LIST: &'static str = "grant";
    type Filter = GrantFilter;
    type Key = (i64, GrantId);

    fn key(&self) -> Self::Key {
        (self.grant.created_at, self.grant.id)
    }

    fn page<'r>(
        rows: &'r mut dyn Rows,
        filter: &'r Self::Filter,
        behind: Option<Self::Key>,
        limit: usize,
    ) -> Pending<'r, Vec<Self>> {
        rows.list_grants(filter, behind, limit)
    }
}
