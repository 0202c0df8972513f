//! Offers, and what accounts have of them, in SQLite.

use super::super::rows::{For, GrantEntry, GrantFilter, OfferEntry, OfferRows};
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::catalogue::{CONTENT_COLUMNS, read_content};
use super::rows::{Columns as _, SqliteRows, done};
use crate::rules::content::{Content, RootKey};
use crate::rules::granted::{GrantId, GrantRow, NewOffer};
use crate::rules::offers::OfferRow;
use rusqlite::{Row, params};
use std::sync::Arc;
use wmlicense_wire::id::{Kid, UserId};

statements!("offers.sql":
    OFFER, OFFER_SCOPES, OFFER_KIDS, PUT_OFFER, DROP_SCOPES, DROP_KIDS, INSERT_OFFER_SCOPE, INSERT_OFFER_KID, REMOVE_OFFER,
    COUNT_GRANTS, OFFERS, NAMES_KID, NAMED_BEHIND, GRANT, PUT_GRANT, GRANTS_OF, LIST_OFFERS, LIST_GRANTS,
);

/// Columns that [`read_grant`] reads.
const GRANT_COLUMNS: usize = 11;

fn read_grant(row: &Row<'_>) -> Result<GrantRow, StoreError> {
    Ok(GrantRow {
        id: row.id(0)?,
        user: row.id(1)?,
        offer: row.get(2)?,
        from: row.get(3)?,
        until: row.get(4)?,
        uses: row.get(5)?,
        devices: row.get(6)?,
        reference: row.get(7)?,
        created_at: row.get(8)?,
        changed: row.get(9)?,
        ended_at: row.get(10)?,
    })
}

/// Texts as one value of a statement.
fn json(texts: &[String]) -> String {
    serde_json::Value::from(texts).to_string()
}

impl SqliteRows<'_> {
    fn scopes_of_offer(&self, name: &str) -> Result<Vec<String>, StoreError> {
        self.all(OFFER_SCOPES, [name], |row| Ok(row.get(0)?))
    }

    fn whole_offer(&self, name: String, policy: Option<String>, open: bool) -> Result<NewOffer, StoreError> {
        let scopes = self.scopes_of_offer(&name)?;
        let kids = self.all(OFFER_KIDS, [&name], |row| row.id(0))?;
        Ok(NewOffer { name, policy, open, scopes, kids })
    }

    fn find_offer(&self, name: &str) -> Result<Option<NewOffer>, StoreError> {
        let row = self.one(OFFER, [name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        row.map(|(name, policy, open)| self.whole_offer(name, policy, open)).transpose()
    }

    fn write_offer(&self, offer: &NewOffer, mark: i64, now: i64) -> Result<(), StoreError> {
        let NewOffer { name, policy, open, scopes, kids } = offer;
        self.put(PUT_OFFER, params![name, policy, open, now, mark])?;
        self.put(DROP_SCOPES, [name])?;
        self.put(DROP_KIDS, [name])?;
        scopes.iter().try_for_each(|scope| self.put(INSERT_OFFER_SCOPE, [name, scope]))?;
        kids.iter().try_for_each(|kid| self.put(INSERT_OFFER_KID, params![name, kid.as_bytes()]))
    }

    fn find_offers(&self, names: Option<&[String]>) -> Result<Vec<OfferRow>, StoreError> {
        let read = |row: &Row<'_>| {
            let root = row
                .maybe_id(3)?
                .map(|kid| Ok::<_, StoreError>(RootKey { kid, sealed_key: row.get(4)?, scope: row.get(5)? }));
            Ok(OfferRow {
                name: row.get(0)?,
                policy: row.get::<_, Option<String>>(1)?.zip(row.get::<_, Option<String>>(2)?).map(Arc::new),
                root: root.transpose()?,
                open: row.get(6)?,
                scopes: Vec::new(),
                names_kids: row.get(7)?,
                changed: row.get(8)?,
            })
        };
        let mut offers = self.all(OFFERS, [names.map(json)], read)?;
        for offer in &mut offers {
            offer.scopes = self.scopes_of_offer(&offer.name)?;
        }
        Ok(offers)
    }
}

impl OfferRows for SqliteRows<'_> {
    fn offer<'a>(&'a mut self, name: &'a str) -> Pending<'a, Option<NewOffer>> {
        done(self.find_offer(name))
    }

    fn put_offer<'a>(&'a mut self, offer: &'a NewOffer, mark: i64, now: i64) -> Pending<'a, ()> {
        done(self.write_offer(offer, mark, now))
    }

    fn remove_offer<'a>(&'a mut self, name: &'a str) -> Pending<'a, ()> {
        done([DROP_SCOPES, DROP_KIDS, REMOVE_OFFER].into_iter().try_for_each(|sql| self.put(sql, [name])))
    }

    fn count_grants<'a>(&'a mut self, offer: &'a str, now: i64) -> Pending<'a, u64> {
        done(self.one(COUNT_GRANTS, params![offer, now], |row| row.count(0)).map(Option::unwrap_or_default))
    }

    fn offers<'a>(&'a mut self, names: Option<&'a [String]>) -> Pending<'a, Vec<OfferRow>> {
        done(self.find_offers(names))
    }

    fn offers_naming<'a>(&'a mut self, offers: &'a [String], kids: &'a [Kid]) -> Pending<'a, Vec<(String, Kid)>> {
        let keys = offers.iter().flat_map(|offer| kids.iter().map(move |kid| (offer, kid)));
        let find = |(offer, kid): (&String, &Kid)| {
            let named = self.exists(NAMES_KID, params![offer, kid.as_bytes()]);
            named.map(|named| named.then(|| (offer.clone(), *kid))).transpose()
        };
        done(keys.filter_map(find).collect())
    }

    fn named_behind<'a>(
        &'a mut self,
        offers: &'a [String],
        kid: &'a [u8],
        after: i64,
        limit: usize,
    ) -> Pending<'a, Vec<(Kid, Content)>> {
        let asked = params![kid, after, json(offers), limit as i64];
        done(self.all(NAMED_BEHIND, asked, |row| Ok((row.id(CONTENT_COLUMNS)?, read_content(row)?))))
    }

    fn grant(&mut self, id: GrantId, _: For) -> Pending<'_, Option<GrantRow>> {
        done(self.one(GRANT, [id.as_bytes()], read_grant))
    }

    fn put_grant<'a>(&'a mut self, row: &'a GrantRow) -> Pending<'a, ()> {
        let GrantRow { id, user, offer, from, until, uses, devices, reference, created_at, changed, ended_at } = row;
        let (id, user) = (id.as_bytes(), user.as_bytes());
        let asked = params![id, user, offer, from, until, uses, devices, reference, created_at, changed, ended_at];
        done(self.put(PUT_GRANT, asked))
    }

    fn grants_of<'a>(&'a mut self, users: &'a [UserId], after: i64) -> Pending<'a, Vec<GrantRow>> {
        let mut found = Vec::new();
        let mut find = |user: &UserId| {
            found.extend(self.all(GRANTS_OF, params![user.as_bytes(), after], read_grant)?);
            Ok(())
        };
        let all = users.iter().try_for_each(&mut find);
        done(all.map(|()| found))
    }

    fn list_offers<'a>(&'a mut self, behind: Option<&'a str>, now: i64, limit: usize) -> Pending<'a, Vec<OfferEntry>> {
        let read = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.count(3)?));
        let found = self.all(LIST_OFFERS, params![now, behind.unwrap_or_default(), limit as i64], read);
        let entry = |(name, policy, open, grants): (String, Option<String>, bool, u64)| {
            Ok(OfferEntry { offer: self.whole_offer(name, policy, open)?, grants })
        };
        done(found.and_then(|found| found.into_iter().map(entry).collect()))
    }

    fn list_grants<'a>(
        &'a mut self,
        filter: &'a GrantFilter,
        behind: Option<(i64, GrantId)>,
        limit: usize,
    ) -> Pending<'a, Vec<GrantEntry>> {
        let (at, id) = behind.map_or((i64::MAX, Vec::new()), |(at, id)| (at, id.as_bytes().to_vec()));
        let GrantFilter { account, offer, reference, after } = filter;
        let asked = params![at, id, account, offer, reference, after, limit as i64];
        done(self.all(LIST_GRANTS, asked, |row| {
            Ok(GrantEntry { grant: read_grant(row)?, account: row.get(GRANT_COLUMNS)? })
        }))
    }
}
