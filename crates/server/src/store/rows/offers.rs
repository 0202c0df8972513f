//! Rows of offers, and of what accounts have of them.

use super::super::Pending;
use super::For;
use crate::rules::content::Content;
use crate::rules::granted::{GrantId, GrantRow, NewOffer};
use crate::rules::offers::OfferRow;
use wmlicense_wire::id::{Kid, UserId};

/// Which grants are listed: those that everything named here is true of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct GrantFilter {
    /// Name of an account, also of one that was removed.
    pub(crate) account: Option<String>,
    pub(crate) offer: Option<String>,
    /// What the shop calls it.
    pub(crate) reference: Option<String>,
    /// Only those that are not over at this time, seconds UTC.
    pub(crate) after: Option<i64>,
}

/// One row of `grant list`.
#[derive(Debug, Clone)]
pub(crate) struct GrantEntry {
    pub(crate) grant: GrantRow,
    /// Name of the account.
    pub(crate) account: Option<String>,
}

/// One row of `offer list`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OfferEntry {
    pub(crate) offer: NewOffer,
    /// Grants of it that are not over when it is listed.
    pub(crate) grants: u64,
}

/// Offers and grants.
pub(crate) trait OfferRows {
    /// An offer by its name, with all that it covers.
    fn offer<'a>(&'a mut self, name: &'a str) -> Pending<'a, Option<NewOffer>>;
    /// Puts an offer in place of the one of the same name.
    fn put_offer<'a>(&'a mut self, offer: &'a NewOffer, mark: i64, now: i64) -> Pending<'a, ()>;
    /// Forgets an offer.
    fn remove_offer<'a>(&'a mut self, name: &'a str) -> Pending<'a, ()>;
    /// Grants of an offer that are not over at `now`, seconds UTC.
    fn count_grants<'a>(&'a mut self, offer: &'a str, now: i64) -> Pending<'a, u64>;
    /// Offers that are open and those of these names, or all.
    fn offers<'a>(&'a mut self, names: Option<&'a [String]>) -> Pending<'a, Vec<OfferRow>>;
    /// Which of these offers name which of these key IDs.
    fn offers_naming<'a>(&'a mut self, offers: &'a [String], kids: &'a [Kid]) -> Pending<'a, Vec<(String, Kid)>>;
    /// What offers name behind a key ID (empty: from the first on) and has changed after a mark, and the subscriptions of their
    /// policies, in the order of key IDs.
    fn named_behind<'a>(
        &'a mut self,
        offers: &'a [String],
        kid: &'a [u8],
        after: i64,
        limit: usize,
    ) -> Pending<'a, Vec<(Kid, Content)>>;
    /// A grant by its ID.
    fn grant(&mut self, id: GrantId, how: For) -> Pending<'_, Option<GrantRow>>;
    /// Puts a grant in place of the one of the same ID.
    fn put_grant<'a>(&'a mut self, row: &'a GrantRow) -> Pending<'a, ()>;
    /// The grants of accounts that are not over at a time, seconds UTC, each account's in the order of their IDs.
    fn grants_of<'a>(&'a mut self, users: &'a [UserId], after: i64) -> Pending<'a, Vec<GrantRow>>;
    /// Offers by name, with the number of grants that are not over at `now`, seconds UTC.
    fn list_offers<'a>(&'a mut self, behind: Option<&'a str>, now: i64, limit: usize) -> Pending<'a, Vec<OfferEntry>>;
    /// Grants, the latest first; those of one second by ID.
    fn list_grants<'a>(
        &'a mut self,
        filter: &'a GrantFilter,
        behind: Option<(i64, GrantId)>,
        limit: usize,
    ) -> Pending<'a, Vec<GrantEntry>>;
}
