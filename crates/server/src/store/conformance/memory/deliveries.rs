//! Licenses that were delivered many at once, in memory.

use super::super::super::Pending;
use super::super::super::rows::{DeliveryRows, Filter, For};
use super::{Tables, found};
use crate::rules::delivered::{DeliveryId, DeliveryRow, PageRow};
use crate::rules::rows::LicenseRow;
use std::cmp::Reverse;
use wmlicense_wire::id::{DeviceId, Digest, Kid, Lid};

impl DeliveryRows for Tables {
    fn count_deliveries(&mut self, device: DeviceId, _: For) -> Pending<'_, u64> {
        found(self.deliveries.values().filter(|row| row.device == device).count() as u64)
    }

    fn deliveries_of(&mut self, device: DeviceId) -> Pending<'_, Vec<DeliveryRow>> {
        found(self.deliveries.values().filter(|row| row.device == device).cloned().collect())
    }

    fn deliveries<'a>(&'a mut self, ids: &'a [DeliveryId], _: For) -> Pending<'a, Vec<DeliveryRow>> {
        found(ids.iter().filter_map(|id| self.deliveries.get(id)).cloned().collect())
    }

    fn deliveries_behind(&mut self, behind: Option<DeliveryId>, limit: usize) -> Pending<'_, Vec<DeliveryRow>> {
        let is_behind = |row: &&DeliveryRow| behind.is_none_or(|behind| row.id > behind);
        found(self.deliveries.values().filter(is_behind).take(limit).cloned().collect())
    }

    fn insert_delivery<'a>(&'a mut self, row: &'a DeliveryRow) -> Pending<'a, ()> {
        assert!(self.pages.contains_key(&row.page), "a delivery has its page");
        assert!(self.deliveries.insert(row.id, row.clone()).is_none(), "a delivery is written once");
        found(())
    }

    fn put_gone<'a>(&'a mut self, row: &'a DeliveryRow) -> Pending<'a, ()> {
        let known = self.deliveries.get_mut(&row.id).unwrap();
        (known.live, known.gone) = (row.live, row.gone.clone());
        found(())
    }

    fn withdraw_deliveries<'a>(&'a mut self, ids: &'a [DeliveryId], mark: i64) -> Pending<'a, ()> {
        for id in ids {
            self.deliveries.get_mut(id).unwrap().withdrawn.get_or_insert(mark);
        }
        found(())
    }

    fn pages<'a>(&'a mut self, hashes: &'a [Digest]) -> Pending<'a, Vec<PageRow>> {
        found(hashes.iter().filter_map(|hash| self.pages.get(hash)).cloned().collect())
    }

    fn insert_page<'a>(&'a mut self, page: &'a PageRow) -> Pending<'a, ()> {
        self.pages.entry(page.hash).or_insert_with(|| page.clone());
        self.unused_pages.remove(&page.hash);
        found(())
    }

    fn drop_dead_deliveries(&mut self, before: i64, limit: usize) -> Pending<'_, u64> {
        let is_dead = |row: &&DeliveryRow| row.live == 0 && row.issued_at < before;
        let dead: Vec<DeliveryId> = self.deliveries.values().filter(is_dead).map(|row| row.id).take(limit).collect();
        dead.iter().for_each(|id| drop(self.deliveries.remove(id)));
        found(dead.len() as u64)
    }

    fn note_unused_pages<'a>(&'a mut self, behind: &'a [u8], limit: usize, now: i64) -> Pending<'a, Option<Digest>> {
        let behind = |hash: &&Digest| hash.as_bytes().as_slice() > behind;
        let pages: Vec<Digest> = self.pages.keys().filter(behind).take(limit).copied().collect();
        for page in pages.iter().filter(|page| !self.deliveries.values().any(|row| row.page == **page)) {
            self.unused_pages.entry(*page).or_insert(now);
        }
        found(pages.last().copied().filter(|_| pages.len() == limit))
    }

    fn drop_unused_pages(&mut self, before: i64, limit: usize) -> Pending<'_, u64> {
        let noted = self.unused_pages.iter().filter(|(_, since)| **since < before).map(|(page, _)| *page);
        let used = |page: &Digest| self.deliveries.values().any(|row| row.page == *page);
        let unused: Vec<Digest> = noted.filter(|page| !used(page)).take(limit).collect();
        for page in &unused {
            self.pages.remove(page);
            self.unused_pages.remove(page);
        }
        found(unused.len() as u64)
    }

    fn pages_with(&mut self, kid: Kid) -> Pending<'_, Vec<(Digest, Vec<u8>)>> {
        let has = |page: &&PageRow| page.kids.windows(Kid::LEN).any(|of| of == kid.as_bytes());
        found(self.pages.values().filter(has).map(|page| (page.hash, page.kids.clone())).collect())
    }

    fn note_left<'a>(&'a mut self, left: &'a [(String, Kid)], mark: i64) -> Pending<'a, ()> {
        self.left.retain(|(scope, _, kid)| !left.contains(&(scope.clone(), *kid)));
        self.left.extend(left.iter().map(|(scope, kid)| (scope.clone(), mark, *kid)));
        found(())
    }

    fn left_after<'a>(&'a mut self, scope: &'a str, mark: i64) -> Pending<'a, Vec<(Kid, i64)>> {
        let of = self.left.iter().filter(|(of, at, _)| of == scope && *at > mark);
        found(of.map(|(_, at, kid)| (*kid, *at)).collect())
    }

    fn licenses_between(
        &mut self,
        device: DeviceId,
        first: Kid,
        last: Kid,
        limit: usize,
    ) -> Pending<'_, Vec<(Kid, LicenseRow)>> {
        let of = self.licenses.iter().filter(|(key, _)| key.device == device && (first..=last).contains(&key.kid));
        found(of.take(limit).map(|(key, (_, row, _))| (key.kid, row.clone())).collect())
    }

    fn list_deliveries<'a>(
        &'a mut self,
        filter: &'a Filter,
        from: Option<(i64, DeliveryId)>,
        limit: usize,
    ) -> Pending<'a, Vec<(DeliveryRow, Option<String>)>> {
        let (since, until) = filter.times();
        let key = |row: &DeliveryRow| (Reverse(row.issued_at), row.id);
        let rows = self.deliveries.values().map(|row| (row.clone(), self.name_of(row.user)));
        let mut rows: Vec<_> = rows
            .filter(|(row, name)| {
                from.is_none_or(|(at, id)| key(row) >= (Reverse(at), id))
                    && filter.device.is_none_or(|device| row.device == device)
                    && filter.account.as_ref().is_none_or(|account| name.as_ref() == Some(account))
                    && (since..until).contains(&row.issued_at)
                    && filter.kid.is_none_or(|kid| (row.kids.0..=row.kids.1).contains(&kid))
            })
            .collect();
        rows.sort_by_key(|(row, _)| key(row));
        rows.truncate(limit);
        found(rows)
    }

    fn acknowledged_at<'a>(&'a mut self, licenses: &'a [Lid]) -> Pending<'a, Vec<(Lid, DeviceId, i64)>> {
        let of = self.acknowledged.iter().filter(|((lid, _), _)| licenses.contains(lid));
        found(of.map(|((lid, device), at)| (*lid, *device, *at)).collect())
    }
}
