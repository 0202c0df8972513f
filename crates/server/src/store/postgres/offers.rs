//! Offers, and what accounts have of them, in PostgreSQL. The owner changes them under the lock of the mark.

use super::super::rows::{For, GrantEntry, GrantFilter, OfferEntry, OfferRows};
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::catalogue::{CONTENT_COLUMNS, read_content};
use super::rows::{Columns as _, PostgresRows, Value, asked, ids, nothing, texts};
use crate::rules::content::{Content, RootKey};
use crate::rules::granted::{GrantId, GrantRow, NewOffer};
use crate::rules::offers::OfferRow;
use deadpool_postgres::tokio_postgres::Row;
use std::collections::HashMap;
use std::sync::Arc;
use wmlicense_wire::id::{Kid, UserId};

statements!("offers.sql":
    OFFER, OFFER_SCOPES, OFFER_KIDS, PUT_OFFER, DROP_SCOPES, DROP_KIDS, INSERT_OFFER_SCOPES, INSERT_OFFER_KIDS, REMOVE_OFFER,
    COUNT_GRANTS, OFFERS, OFFERS_NAMING, NAMED_BEHIND, GRANT, LOCK_GRANT, PUT_GRANT, GRANTS_OF, LIST_OFFERS, LIST_GRANTS,
);

/// Columns that [`read_grant`] reads.
const GRANT_COLUMNS: usize = 11;

/// A number that no column of the database is small enough for.
fn small(number: Option<i64>) -> Result<Option<u32>, StoreError> {
    number.map(u32::try_from).transpose().map_err(|_| StoreError::Damaged("grant"))
}

fn read_grant(row: &Row) -> Result<GrantRow, StoreError> {
    Ok(GrantRow {
        id: row.id(0)?,
        user: row.id(1)?,
        offer: row.value(2)?,
        from: row.value(3)?,
        until: row.value(4)?,
        uses: small(row.value(5)?)?,
        devices: small(row.value(6)?)?,
        reference: row.value(7)?,
        created_at: row.value(8)?,
        changed: row.value(9)?,
        ended_at: row.value(10)?,
    })
}

fn read_offer(row: &Row) -> Result<OfferRow, StoreError> {
    let root = match row.maybe_id(3)? {
        Some(kid) => Some(RootKey {
            kid,
            sealed_key: row.value::<Vec<u8>>(4)?.into(),
            scope: row.value::<Option<String>>(5)?.map(Into::into),
        }),
        None => None,
    };
    Ok(OfferRow {
        name: row.value(0)?,
        policy: row.value::<Option<String>>(1)?.zip(row.value::<Option<String>>(2)?).map(Arc::new),
        root,
        open: row.value(6)?,
        scopes: Vec::new(),
        names_kids: row.value(7)?,
        changed: row.value(8)?,
    })
}

fn names(names: &[String]) -> Value<'_> {
    texts(names.iter().map(|name| Some(name.as_str())))
}

impl PostgresRows<'_> {
    async fn scopes_of_offers(&self, offers: &[String]) -> Result<HashMap<String, Vec<String>>, StoreError> {
        let read = |row: &Row| Ok((row.value(0)?, row.value(1)?));
        let mut scopes: HashMap<String, Vec<String>> = HashMap::new();
        for (offer, scope) in self.all(OFFER_SCOPES, asked![names(offers)], read).await? {
            scopes.entry(offer).or_default().push(scope);
        }
        Ok(scopes)
    }

    /// Adds to offers what they cover.
    async fn covered(&self, offers: &mut [NewOffer]) -> Result<(), StoreError> {
        let all: Vec<String> = offers.iter().map(|offer| offer.name.clone()).collect();
        if all.is_empty() {
            return Ok(());
        }
        let mut scopes = self.scopes_of_offers(&all).await?;
        let mut kids: HashMap<String, Vec<Kid>> = HashMap::new();
        let read = |row: &Row| Ok((row.value(0)?, row.id(1)?));
        for (offer, kid) in self.all(OFFER_KIDS, asked![names(&all)], read).await? {
            kids.entry(offer).or_default().push(kid);
        }
        for offer in offers {
            offer.scopes = scopes.remove(&offer.name).unwrap_or_default();
            offer.kids = kids.remove(&offer.name).unwrap_or_default();
        }
        Ok(())
    }
}

fn bare_offer(row: &Row) -> Result<NewOffer, StoreError> {
    let (name, policy, open) = (row.value(0)?, row.value(1)?, row.value(2)?);
    Ok(NewOffer { name, policy, open, scopes: Vec::new(), kids: Vec::new() })
}

impl OfferRows for PostgresRows<'_> {
    fn offer<'a>(&'a mut self, name: &'a str) -> Pending<'a, Option<NewOffer>> {
        Box::pin(async move {
            let mut found: Vec<NewOffer> = self.all(OFFER, asked![name], bare_offer).await?;
            self.covered(&mut found).await?;
            Ok(found.pop())
        })
    }

    fn put_offer<'a>(&'a mut self, offer: &'a NewOffer, mark: i64, now: i64) -> Pending<'a, ()> {
        Box::pin(async move {
            let NewOffer { name, policy, open, scopes, kids } = offer;
            self.put(PUT_OFFER, asked![name, policy, *open, now, mark]).await?;
            self.put(DROP_SCOPES, asked![name]).await?;
            self.put(DROP_KIDS, asked![name]).await?;
            self.put(INSERT_OFFER_SCOPES, asked![name, names(scopes)]).await?;
            self.put(INSERT_OFFER_KIDS, asked![name, ids(kids)]).await
        })
    }

    fn remove_offer<'a>(&'a mut self, name: &'a str) -> Pending<'a, ()> {
        Box::pin(async move {
            for sql in [DROP_SCOPES, DROP_KIDS, REMOVE_OFFER] {
                self.put(sql, asked![name]).await?;
            }
            Ok(())
        })
    }

    fn count_grants<'a>(&'a mut self, offer: &'a str, now: i64) -> Pending<'a, u64> {
        Box::pin(async move {
            Ok(self.one(COUNT_GRANTS, asked![offer, now], |row| row.count(0)).await?.unwrap_or_default())
        })
    }

    fn offers<'a>(&'a mut self, wanted: Option<&'a [String]>) -> Pending<'a, Vec<OfferRow>> {
        Box::pin(async move {
            let asked = wanted.map_or(Value::Texts(Vec::new()), names);
            let mut offers = self.all(OFFERS, asked![asked, wanted.is_none()], read_offer).await?;
            if offers.is_empty() {
                return Ok(offers);
            }
            let all: Vec<String> = offers.iter().map(|offer| offer.name.clone()).collect();
            let mut scopes = self.scopes_of_offers(&all).await?;
            for offer in &mut offers {
                offer.scopes = scopes.remove(&offer.name).unwrap_or_default();
            }
            Ok(offers)
        })
    }

    fn offers_naming<'a>(&'a mut self, offers: &'a [String], kids: &'a [Kid]) -> Pending<'a, Vec<(String, Kid)>> {
        if offers.is_empty() || kids.is_empty() {
            return nothing();
        }
        let read = |row: &Row| Ok((row.value(0)?, row.id(1)?));
        Box::pin(async move { self.all(OFFERS_NAMING, asked![names(offers), ids(kids)], read).await })
    }

    fn named_behind<'a>(
        &'a mut self,
        offers: &'a [String],
        kid: &'a [u8],
        after: i64,
        limit: usize,
    ) -> Pending<'a, Vec<(Kid, Content)>> {
        Box::pin(async move {
            let read = |row: &Row| Ok((row.id(CONTENT_COLUMNS)?, read_content(row)?));
            self.all(NAMED_BEHIND, asked![kid, after, names(offers), limit], read).await
        })
    }

    fn grant(&mut self, id: GrantId, how: For) -> Pending<'_, Option<GrantRow>> {
        let sql = if how == For::Changing { LOCK_GRANT } else { GRANT };
        Box::pin(async move { self.one(sql, asked![&id], read_grant).await })
    }

    fn put_grant<'a>(&'a mut self, row: &'a GrantRow) -> Pending<'a, ()> {
        Box::pin(async move {
            let GrantRow { id, user, offer, from, until, uses, devices, reference, created_at, changed, ended_at } =
                row;
            let (uses, devices) = (uses.map(i64::from), devices.map(i64::from));
            let times = (*from, *until, *created_at, *changed, *ended_at);
            let asked = asked![id, user, offer, times.0, times.1, uses, devices, reference, times.2, times.3, times.4];
            self.put(PUT_GRANT, asked).await
        })
    }

    fn grants_of<'a>(&'a mut self, users: &'a [UserId], after: i64) -> Pending<'a, Vec<GrantRow>> {
        if users.is_empty() {
            return nothing();
        }
        Box::pin(async move { self.all(GRANTS_OF, asked![ids(users), after], read_grant).await })
    }

    fn list_offers<'a>(&'a mut self, behind: Option<&'a str>, now: i64, limit: usize) -> Pending<'a, Vec<OfferEntry>> {
        Box::pin(async move {
            let read = |row: &Row| Ok((bare_offer(row)?, row.count(3)?));
            let found = self.all(LIST_OFFERS, asked![now, behind.unwrap_or_default(), limit], read).await?;
            let (mut offers, grants): (Vec<NewOffer>, Vec<u64>) = found.into_iter().unzip();
            self.covered(&mut offers).await?;
            Ok(offers.into_iter().zip(grants).map(|(offer, grants)| OfferEntry { offer, grants }).collect())
        })
    }

    fn list_grants<'a>(
        &'a mut self,
        filter: &'a GrantFilter,
        behind: Option<(i64, GrantId)>,
        limit: usize,
    ) -> Pending<'a, Vec<GrantEntry>> {
        Box::pin(async move {
            let (at, id) = behind.map_or((i64::MAX, Vec::new()), |(at, id)| (at, id.as_bytes().to_vec()));
            let GrantFilter { account, offer, reference, after } = filter;
            let asked = asked![at, &id, account, offer, reference, *after, limit];
            let read = |row: &Row| Ok(GrantEntry { grant: read_grant(row)?, account: row.value(GRANT_COLUMNS)? });
            self.all(LIST_GRANTS, asked, read).await
        })
    }
}
