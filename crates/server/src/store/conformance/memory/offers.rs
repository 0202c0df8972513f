//! Offers and grants in memory.

use super::super::super::Pending;
use super::super::super::rows::{For, GrantEntry, GrantFilter, OfferEntry, OfferRows};
use super::{Tables, found};
use crate::rules::content::{Content, RootKey};
use crate::rules::granted::{GrantId, GrantRow, NewOffer};
use crate::rules::offers::OfferRow;
use std::cmp::Reverse;
use std::sync::Arc;
use wmlicense_wire::id::{Kid, UserId};

fn is_over(grant: &GrantRow, at: i64) -> bool {
    grant.over_at().is_some_and(|over| over <= at)
}

impl Tables {
    fn counted_grants(&self, offer: &str, now: i64) -> u64 {
        self.grants.values().filter(|grant| grant.offer == offer && !is_over(grant, now)).count() as u64
    }

    fn met(&self, (offer, changed): &(NewOffer, i64)) -> OfferRow {
        let terms = self.terms(&offer.policy);
        let root = terms.and_then(|(_, policy)| self.subscriptions.get(policy.subscription.as_ref()?));
        let root = root.map(|(root, _)| RootKey {
            kid: root.kid,
            sealed_key: root.sealed_key.clone().into(),
            scope: root.scope.clone().map(Into::into),
        });
        OfferRow {
            name: offer.name.clone(),
            policy: terms.map(|(name, policy)| Arc::new((name.clone(), policy.definition.clone()))),
            root,
            open: offer.open,
            scopes: offer.scopes.clone(),
            names_kids: !offer.kids.is_empty(),
            changed: terms.map_or(0, |(_, policy)| policy.changed).max(*changed),
        }
    }
}

impl OfferRows for Tables {
    fn offer<'a>(&'a mut self, name: &'a str) -> Pending<'a, Option<NewOffer>> {
        found(self.offers.get(name).map(|(offer, _)| offer.clone()))
    }

    fn put_offer<'a>(&'a mut self, offer: &'a NewOffer, mark: i64, _now: i64) -> Pending<'a, ()> {
        self.offers.insert(offer.name.clone(), (offer.clone(), mark));
        found(())
    }

    fn remove_offer<'a>(&'a mut self, name: &'a str) -> Pending<'a, ()> {
        self.offers.remove(name);
        found(())
    }

    fn count_grants<'a>(&'a mut self, offer: &'a str, now: i64) -> Pending<'a, u64> {
        found(self.counted_grants(offer, now))
    }

    fn offers<'a>(&'a mut self, names: Option<&'a [String]>) -> Pending<'a, Vec<OfferRow>> {
        let wanted =
            |(offer, _): &&(NewOffer, i64)| offer.open || names.is_none_or(|names| names.contains(&offer.name));
        found(self.offers.values().filter(wanted).map(|offer| self.met(offer)).collect())
    }

    fn offers_naming<'a>(&'a mut self, offers: &'a [String], kids: &'a [Kid]) -> Pending<'a, Vec<(String, Kid)>> {
        let meant = self.offers.values().map(|(offer, _)| offer).filter(|offer| offers.contains(&offer.name));
        let named = meant.flat_map(|offer| {
            let kids = offer.kids.iter().filter(|kid| kids.contains(kid));
            kids.map(|kid| (offer.name.clone(), *kid)).collect::<Vec<_>>()
        });
        found(named.collect())
    }

    fn named_behind<'a>(
        &'a mut self,
        offers: &'a [String],
        kid: &'a [u8],
        after: i64,
        limit: usize,
    ) -> Pending<'a, Vec<(Kid, Content)>> {
        let meant: Vec<&NewOffer> =
            self.offers.values().map(|(offer, _)| offer).filter(|offer| offers.contains(&offer.name)).collect();
        let named = |kid: &Kid| meant.iter().any(|offer| offer.kids.contains(kid));
        let contents = self.contents.values().filter(|(row, changed, _)| named(&row.kid) && *changed > after);
        let mut found_ones: Vec<(Kid, Content)> = contents.map(|(row, ..)| (row.kid, self.content_of(row))).collect();
        for (row, changed) in self.subscriptions.values() {
            let is_root = meant.iter().any(|offer| {
                self.terms(&offer.policy).is_some_and(|(_, policy)| policy.subscription.as_ref() == Some(&row.name))
            });
            let changed = self.terms(&row.policy).map_or(0, |(_, policy)| policy.changed).max(*changed);
            if (is_root || named(&row.kid)) && changed > after {
                found_ones.push((row.kid, self.root_of(row)));
            }
        }
        found_ones.retain(|(of, _)| of.as_bytes().as_slice() > kid);
        found_ones.sort_by_key(|(kid, _)| *kid);
        found_ones.truncate(limit);
        found(found_ones)
    }

    fn grant(&mut self, id: GrantId, _: For) -> Pending<'_, Option<GrantRow>> {
        found(self.grants.get(&id).cloned())
    }

    fn put_grant<'a>(&'a mut self, row: &'a GrantRow) -> Pending<'a, ()> {
        self.grants.insert(row.id, row.clone());
        found(())
    }

    fn grants_of<'a>(&'a mut self, users: &'a [UserId], after: i64) -> Pending<'a, Vec<GrantRow>> {
        let of = self.grants.values().filter(|grant| users.contains(&grant.user) && !is_over(grant, after));
        found(of.cloned().collect())
    }

    fn list_offers<'a>(&'a mut self, behind: Option<&'a str>, now: i64, limit: usize) -> Pending<'a, Vec<OfferEntry>> {
        let rows = self
            .offers
            .values()
            .map(|(offer, _)| offer)
            .filter(|offer| behind.is_none_or(|behind| offer.name.as_str() > behind));
        let entry =
            |offer: &NewOffer| OfferEntry { offer: offer.clone(), grants: self.counted_grants(&offer.name, now) };
        found(rows.take(limit).map(entry).collect())
    }

    fn list_grants<'a>(
        &'a mut self,
        filter: &'a GrantFilter,
        behind: Option<(i64, GrantId)>,
        limit: usize,
    ) -> Pending<'a, Vec<GrantEntry>> {
        let mut rows: Vec<GrantEntry> = self
            .grants
            .values()
            .map(|grant| GrantEntry { grant: grant.clone(), account: self.name_of(Some(grant.user)) })
            .filter(|GrantEntry { grant, account }| {
                (filter.account.is_none() || filter.account == *account)
                    && filter.offer.as_ref().is_none_or(|offer| *offer == grant.offer)
                    && (filter.reference.is_none() || filter.reference == grant.reference)
                    && filter.after.is_none_or(|after| !is_over(grant, after))
                    && behind.is_none_or(|(at, id)| (Reverse(grant.created_at), grant.id) > (Reverse(at), id))
            })
            .collect();
        rows.sort_by_key(|GrantEntry { grant, .. }| (Reverse(grant.created_at), grant.id));
        rows.truncate(limit);
        found(rows)
    }
}
