//! Licenses that were delivered many at once, in SQLite.

use super::super::rows::{DeliveryRows, Filter, For};
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::licenses::read_license;
use super::rows::{Columns as _, SqliteRows, bytes, done, user_key};
use crate::rules::delivered::{DeliveryId, DeliveryRow, PageRow};
use crate::rules::rows::LicenseRow;
use rusqlite::{Row, params};
use wmlicense_wire::id::{DeviceId, Digest, Kid, Lid};

statements!("deliveries.sql":
    COUNT, OF_DEVICE, DELIVERY, DELIVERIES_BEHIND, INSERT_DELIVERY, PUT_GONE, WITHDRAW_DELIVERY, PAGE, INSERT_PAGE,
    PAGES_WITH, NOTE_LEFT, LEFT_AFTER, LICENSES_BETWEEN, LIST_DELIVERIES, ACKNOWLEDGED_AT,
    USE_PAGE, DROP_DEAD_DELIVERIES, PAGES_BEHIND, NOTE_UNUSED_PAGES, DROP_UNUSED_PAGES,
);

impl DeliveryRows for SqliteRows<'_> {
    fn count_deliveries(&mut self, device: DeviceId, _: For) -> Pending<'_, u64> {
        let count = self.one(COUNT, [device.as_bytes()], |row| row.count(0));
        done(count.map(Option::unwrap_or_default))
    }

    fn deliveries_of(&mut self, device: DeviceId) -> Pending<'_, Vec<DeliveryRow>> {
        done(self.all(OF_DEVICE, [device.as_bytes()], read))
    }

    fn deliveries<'a>(&'a mut self, ids: &'a [DeliveryId], _: For) -> Pending<'a, Vec<DeliveryRow>> {
        let find = |id: &DeliveryId| self.one(DELIVERY, [id.as_bytes()], read).transpose();
        done(ids.iter().filter_map(find).collect())
    }

    fn deliveries_behind(&mut self, behind: Option<DeliveryId>, limit: usize) -> Pending<'_, Vec<DeliveryRow>> {
        let asked = params![bytes(behind.as_ref()).unwrap_or_default(), limit as i64];
        done(self.all(DELIVERIES_BEHIND, asked, read))
    }

    fn insert_delivery<'a>(&'a mut self, row: &'a DeliveryRow) -> Pending<'a, ()> {
        let asked = params![
            row.device.as_bytes(),
            row.id.as_bytes(),
            user_key(row.user.as_ref()),
            row.scope,
            row.issued_at,
            row.mark,
            row.page.as_bytes(),
            row.kids.0.as_bytes(),
            row.kids.1.as_bytes(),
            row.count,
            row.live,
            row.gone,
            row.withdrawn,
        ];
        done(self.put(INSERT_DELIVERY, asked))
    }

    fn put_gone<'a>(&'a mut self, row: &'a DeliveryRow) -> Pending<'a, ()> {
        done(self.put(PUT_GONE, params![row.live, row.gone, row.device.as_bytes(), row.id.as_bytes()]))
    }

    fn withdraw_deliveries<'a>(&'a mut self, ids: &'a [DeliveryId], mark: i64) -> Pending<'a, ()> {
        done(ids.iter().try_for_each(|id| self.put(WITHDRAW_DELIVERY, params![mark, id.as_bytes()])))
    }

    fn pages<'a>(&'a mut self, hashes: &'a [Digest]) -> Pending<'a, Vec<PageRow>> {
        let read = |row: &Row<'_>| Ok(PageRow { hash: row.id(0)?, kids: row.get(1)?, about: row.get(2)? });
        let find = |hash: &Digest| self.one(PAGE, [hash.as_bytes()], read).transpose();
        done(hashes.iter().filter_map(find).collect())
    }

    fn insert_page<'a>(&'a mut self, page: &'a PageRow) -> Pending<'a, ()> {
        let used = self.put(USE_PAGE, [page.hash.as_bytes()]);
        done(used.and_then(|()| self.put(INSERT_PAGE, params![page.hash.as_bytes(), page.kids, page.about])))
    }

    fn drop_dead_deliveries(&mut self, before: i64, limit: usize) -> Pending<'_, u64> {
        done(self.change(DROP_DEAD_DELIVERIES, params![before, limit as i64]).map(|dropped| dropped as u64))
    }

    fn note_unused_pages<'a>(&'a mut self, behind: &'a [u8], limit: usize, now: i64) -> Pending<'a, Option<Digest>> {
        let note = || {
            let pages: Vec<Digest> = self.all(PAGES_BEHIND, params![behind, limit as i64], |row| row.id(0))?;
            let Some(last) = pages.last().copied() else { return Ok(None) };
            self.put(NOTE_UNUSED_PAGES, params![now, behind, last.as_bytes()])?;
            Ok((pages.len() == limit).then_some(last))
        };
        done(note())
    }

    fn drop_unused_pages(&mut self, before: i64, limit: usize) -> Pending<'_, u64> {
        done(self.change(DROP_UNUSED_PAGES, params![before, limit as i64]).map(|dropped| dropped as u64))
    }

    fn pages_with(&mut self, kid: Kid) -> Pending<'_, Vec<(Digest, Vec<u8>)>> {
        done(self.all(PAGES_WITH, [kid.as_bytes()], |row| Ok((row.id(0)?, row.get(1)?))))
    }

    fn note_left<'a>(&'a mut self, left: &'a [(String, Kid)], mark: i64) -> Pending<'a, ()> {
        done(left.iter().try_for_each(|(scope, kid)| self.put(NOTE_LEFT, params![scope, mark, kid.as_bytes()])))
    }

    fn left_after<'a>(&'a mut self, scope: &'a str, mark: i64) -> Pending<'a, Vec<(Kid, i64)>> {
        done(self.all(LEFT_AFTER, params![scope, mark], |row| Ok((row.id(0)?, row.get(1)?))))
    }

    fn licenses_between(
        &mut self,
        device: DeviceId,
        first: Kid,
        last: Kid,
        limit: usize,
    ) -> Pending<'_, Vec<(Kid, LicenseRow)>> {
        let asked = params![device.as_bytes(), first.as_bytes(), last.as_bytes(), limit as i64];
        done(self.all(LICENSES_BETWEEN, asked, |row| Ok((row.id(6)?, read_license(row)?))))
    }

    fn list_deliveries<'a>(
        &'a mut self,
        filter: &'a Filter,
        from: Option<(i64, DeliveryId)>,
        limit: usize,
    ) -> Pending<'a, Vec<(DeliveryRow, Option<String>)>> {
        let (at, id) = from.as_ref().map_or((i64::MAX, None), |(at, id)| (*at, Some(id)));
        let (since, until) = filter.times();
        let (id, only) = (bytes(id).unwrap_or_default(), bytes(filter.device.as_ref()));
        let kid = bytes(filter.kid.as_ref());
        let asked = params![at, id, only, filter.account, since, until, kid, limit as i64];
        done(self.all(LIST_DELIVERIES, asked, |row| Ok((read(row)?, row.get(13)?))))
    }

    fn acknowledged_at<'a>(&'a mut self, licenses: &'a [Lid]) -> Pending<'a, Vec<(Lid, DeviceId, i64)>> {
        let mut found = Vec::new();
        let mut find = |lid: &Lid| {
            self.each(ACKNOWLEDGED_AT, [lid.as_bytes()], |row| {
                found.push((*lid, row.id(0)?, row.get(1)?));
                Ok(())
            })
        };
        let all = licenses.iter().try_for_each(&mut find);
        done(all.map(|()| found))
    }
}

fn read(row: &Row<'_>) -> Result<DeliveryRow, StoreError> {
    Ok(DeliveryRow {
        device: row.id(0)?,
        id: row.id(1)?,
        user: row.user(2)?,
        scope: row.get(3)?,
        issued_at: row.get(4)?,
        mark: row.get(5)?,
        page: row.id(6)?,
        kids: (row.id(7)?, row.id(8)?),
        count: row.get(9)?,
        live: row.get(10)?,
        gone: row.get(11)?,
        withdrawn: row.get(12)?,
    })
}
