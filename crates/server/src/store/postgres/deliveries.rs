//! Licenses that were delivered many at once, in PostgreSQL. Which of them have rows of their own is changed under the lock of the
//! delivery's row, and what a device gets under the guard of its ID.

use super::super::rows::{DeliveryRows, Filter, For};
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::licenses::read_license;
use super::rows::{Columns as _, PostgresRows, asked, bytes, ids, nothing, texts, user_key};
use crate::rules::delivered::{DeliveryId, DeliveryRow, PageRow};
use crate::rules::rows::LicenseRow;
use deadpool_postgres::tokio_postgres::Row;
use wmlicense_wire::id::{DeviceId, Digest, Kid, Lid};

statements!("deliveries.sql":
    COUNT, OF_DEVICE, DELIVERIES, LOCK_DELIVERIES, DELIVERIES_BEHIND, INSERT_DELIVERY, PUT_GONE, WITHDRAW_DELIVERIES, PAGES,
    INSERT_PAGE, PAGES_WITH, NOTE_LEFT, LEFT_AFTER, LICENSES_BETWEEN, LIST_DELIVERIES, ACKNOWLEDGED_AT,
    USE_PAGE, DROP_DEAD_DELIVERIES, PAGES_BEHIND, NOTE_UNUSED_PAGES, DROP_UNUSED_PAGES,
);

impl DeliveryRows for PostgresRows<'_> {
    fn count_deliveries(&mut self, device: DeviceId, how: For) -> Pending<'_, u64> {
        Box::pin(async move {
            let key = [device.as_bytes().as_slice()];
            let counts = self.read(how, key, [COUNT, COUNT], asked![&device], |row| row.count(0)).await?;
            Ok(counts.first().copied().unwrap_or_default())
        })
    }

    fn deliveries_of(&mut self, device: DeviceId) -> Pending<'_, Vec<DeliveryRow>> {
        Box::pin(async move { self.all(OF_DEVICE, asked![&device], read).await })
    }

    fn deliveries<'a>(&'a mut self, wanted: &'a [DeliveryId], how: For) -> Pending<'a, Vec<DeliveryRow>> {
        if wanted.is_empty() {
            return nothing();
        }
        let sql = if how == For::Changing { LOCK_DELIVERIES } else { DELIVERIES };
        Box::pin(async move { self.all(sql, asked![ids(wanted)], read).await })
    }

    fn deliveries_behind(&mut self, behind: Option<DeliveryId>, limit: usize) -> Pending<'_, Vec<DeliveryRow>> {
        Box::pin(async move {
            let behind = bytes(behind.as_ref()).unwrap_or_default();
            self.all(DELIVERIES_BEHIND, asked![behind, limit], read).await
        })
    }

    fn insert_delivery<'a>(&'a mut self, row: &'a DeliveryRow) -> Pending<'a, ()> {
        Box::pin(async move {
            let (count, live) = (i64::from(row.count), i64::from(row.live));
            let asked = asked![
                &row.device,
                &row.id,
                user_key(row.user.as_ref()),
                &row.scope,
                row.issued_at,
                row.mark,
                &row.page,
                &row.kids.0,
                &row.kids.1,
                count,
                live,
                &row.gone,
                row.withdrawn,
            ];
            self.put(INSERT_DELIVERY, asked).await
        })
    }

    fn put_gone<'a>(&'a mut self, row: &'a DeliveryRow) -> Pending<'a, ()> {
        Box::pin(async move { self.put(PUT_GONE, asked![i64::from(row.live), &row.gone, &row.device, &row.id]).await })
    }

    fn withdraw_deliveries<'a>(&'a mut self, withdrawn: &'a [DeliveryId], mark: i64) -> Pending<'a, ()> {
        if withdrawn.is_empty() {
            return nothing();
        }
        Box::pin(async move { self.put(WITHDRAW_DELIVERIES, asked![ids(withdrawn), mark]).await })
    }

    fn pages<'a>(&'a mut self, hashes: &'a [Digest]) -> Pending<'a, Vec<PageRow>> {
        if hashes.is_empty() {
            return nothing();
        }
        let read = |row: &Row| Ok(PageRow { hash: row.id(0)?, kids: row.value(1)?, about: row.value(2)? });
        Box::pin(async move { self.all(PAGES, asked![ids(hashes)], read).await })
    }

    fn insert_page<'a>(&'a mut self, page: &'a PageRow) -> Pending<'a, ()> {
        Box::pin(async move {
            // First, and without a word where the page is in use: of a noted one it waits for who drops it, and writes it anew.
            self.put(USE_PAGE, asked![&page.hash]).await?;
            self.put(INSERT_PAGE, asked![&page.hash, &page.kids, &page.about]).await
        })
    }

    fn drop_dead_deliveries(&mut self, before: i64, limit: usize) -> Pending<'_, u64> {
        Box::pin(async move { self.change(DROP_DEAD_DELIVERIES, asked![before, limit]).await })
    }

    fn note_unused_pages<'a>(&'a mut self, behind: &'a [u8], limit: usize, now: i64) -> Pending<'a, Option<Digest>> {
        Box::pin(async move {
            let behind = behind.to_vec();
            let pages: Vec<Digest> = self.all(PAGES_BEHIND, asked![&behind, limit], |row| row.id(0)).await?;
            let Some(last) = pages.last().copied() else { return Ok(None) };
            self.put(NOTE_UNUSED_PAGES, asked![now, &behind, &last]).await?;
            Ok((pages.len() == limit).then_some(last))
        })
    }

    fn drop_unused_pages(&mut self, before: i64, limit: usize) -> Pending<'_, u64> {
        Box::pin(async move { self.change(DROP_UNUSED_PAGES, asked![before, limit]).await })
    }

    fn pages_with(&mut self, kid: Kid) -> Pending<'_, Vec<(Digest, Vec<u8>)>> {
        Box::pin(async move { self.all(PAGES_WITH, asked![&kid], |row| Ok((row.id(0)?, row.value(1)?))).await })
    }

    fn note_left<'a>(&'a mut self, left: &'a [(String, Kid)], mark: i64) -> Pending<'a, ()> {
        if left.is_empty() {
            return nothing();
        }
        Box::pin(async move {
            let scopes = texts(left.iter().map(|(scope, _)| Some(scope.as_str())));
            self.put(NOTE_LEFT, asked![scopes, ids(left.iter().map(|(_, kid)| kid)), mark]).await
        })
    }

    fn left_after<'a>(&'a mut self, scope: &'a str, mark: i64) -> Pending<'a, Vec<(Kid, i64)>> {
        let read = |row: &Row| Ok((row.id(0)?, row.value(1)?));
        Box::pin(async move { self.all(LEFT_AFTER, asked![scope, mark], read).await })
    }

    fn licenses_between(
        &mut self,
        device: DeviceId,
        first: Kid,
        last: Kid,
        limit: usize,
    ) -> Pending<'_, Vec<(Kid, LicenseRow)>> {
        let read = |row: &Row| Ok((row.id(6)?, read_license(row)?));
        Box::pin(async move { self.all(LICENSES_BETWEEN, asked![&device, &first, &last, limit], read).await })
    }

    fn list_deliveries<'a>(
        &'a mut self,
        filter: &'a Filter,
        from: Option<(i64, DeliveryId)>,
        limit: usize,
    ) -> Pending<'a, Vec<(DeliveryRow, Option<String>)>> {
        Box::pin(async move {
            let (at, id) = from.as_ref().map_or((i64::MAX, None), |(at, id)| (*at, Some(id)));
            let (since, until) = filter.times();
            let (id, only, account) = (bytes(id).unwrap_or_default(), filter.device.as_ref(), &filter.account);
            let asked = asked![at, id, only, account, since, until, filter.kid.as_ref(), limit];
            self.all(LIST_DELIVERIES, asked, |row| Ok((read(row)?, row.value(13)?))).await
        })
    }

    fn acknowledged_at<'a>(&'a mut self, licenses: &'a [Lid]) -> Pending<'a, Vec<(Lid, DeviceId, i64)>> {
        if licenses.is_empty() {
            return nothing();
        }
        let read = |row: &Row| Ok((row.id(0)?, row.id(1)?, row.value(2)?));
        Box::pin(async move { self.all(ACKNOWLEDGED_AT, asked![ids(licenses)], read).await })
    }
}

fn read(row: &Row) -> Result<DeliveryRow, StoreError> {
    let number = |at| u32::try_from(row.count(at)?).map_err(|_| StoreError::Damaged("column"));
    Ok(DeliveryRow {
        device: row.id(0)?,
        id: row.id(1)?,
        user: row.user(2)?,
        scope: row.value(3)?,
        issued_at: row.value(4)?,
        mark: row.value(5)?,
        page: row.id(6)?,
        kids: (row.id(7)?, row.id(8)?),
        count: number(9)?,
        live: number(10)?,
        gone: row.value(11)?,
        withdrawn: row.value(12)?,
    })
}
