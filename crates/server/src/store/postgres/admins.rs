//! Those who act for the owner from elsewhere, in PostgreSQL.

use super::super::rows::AdminRows;
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::rows::{Columns as _, PostgresRows, asked};
use crate::rules::admins::{AdminRole, AdminRow, Repeat, RepeatRow};
use deadpool_postgres::tokio_postgres::Row;
use wmlicense_wire::id::Digest;

statements!("admins.sql": ADMIN, ADMIN_BY_NAME, ADMINS, PUT_ADMIN, REQUEST, REQUESTS_OF, CLAIM_REQUEST, ANSWER_REQUEST, DROP_REQUESTS);

fn read_admin(row: &Row) -> Result<AdminRow, StoreError> {
    let (hash, name) = (row.id(0)?, row.value(1)?);
    let role = AdminRole::of_name(&row.value::<String>(2)?).ok_or(StoreError::Damaged("role of an admin"))?;
    Ok(AdminRow { hash, name, role, created_at: row.value(3)?, ends_at: row.value(4)?, ended_at: row.value(5)? })
}

fn read_request(row: &Row) -> Result<RepeatRow, StoreError> {
    let damaged = || StoreError::Damaged("request of an admin");
    let claim = row.value::<Vec<u8>>(3)?.try_into().map_err(|_| damaged())?;
    let repeat = Repeat { admin: row.value(0)?, key: row.value(1)?, request: row.id(2)?, claim };
    let status = row.value::<Option<i64>>(5)?.map(|status| u16::try_from(status).map_err(|_| damaged())).transpose()?;
    Ok(RepeatRow { repeat, done_at: row.value(4)?, answer: status.zip(row.value(6)?) })
}

impl AdminRows for PostgresRows<'_> {
    fn admin(&mut self, hash: Digest) -> Pending<'_, Option<AdminRow>> {
        Box::pin(async move { self.one(ADMIN, asked![&hash], read_admin).await })
    }

    fn admin_by_name<'a>(&'a mut self, name: &'a str) -> Pending<'a, Option<AdminRow>> {
        Box::pin(async move { self.one(ADMIN_BY_NAME, asked![name], read_admin).await })
    }

    fn admins(&mut self) -> Pending<'_, Vec<AdminRow>> {
        Box::pin(async move { self.all(ADMINS, &[], read_admin).await })
    }

    fn put_admin<'a>(&'a mut self, row: &'a AdminRow) -> Pending<'a, ()> {
        Box::pin(async move {
            let AdminRow { hash, name, role, created_at, ends_at, ended_at } = row;
            self.put(PUT_ADMIN, asked![hash, name, role.name(), *created_at, *ends_at, *ended_at]).await
        })
    }

    fn request<'a>(&'a mut self, admin: &'a str, key: &'a str) -> Pending<'a, Option<RepeatRow>> {
        Box::pin(async move { self.one(REQUEST, asked![admin, key], read_request).await })
    }

    fn requests_of<'a>(&'a mut self, admin: &'a str) -> Pending<'a, u64> {
        Box::pin(async move { Ok(self.one(REQUESTS_OF, asked![admin], |row| row.count(0)).await?.unwrap_or_default()) })
    }

    fn claim_request<'a>(&'a mut self, row: &'a RepeatRow, from: i64) -> Pending<'a, bool> {
        Box::pin(async move {
            let RepeatRow { repeat: Repeat { admin, key, request, claim }, done_at, answer: _ } = row;
            let asked = asked![admin, key, request, claim.as_slice(), *done_at, from];
            Ok(self.change(CLAIM_REQUEST, asked).await? == 1)
        })
    }

    fn answer_request<'a>(&'a mut self, repeat: &'a Repeat, status: u16, answer: &'a [u8]) -> Pending<'a, ()> {
        Box::pin(async move {
            let Repeat { admin, key, request: _, claim } = repeat;
            self.put(ANSWER_REQUEST, asked![i64::from(status), answer, admin, key, claim.as_slice()]).await
        })
    }

    fn drop_requests(&mut self, before: i64) -> Pending<'_, ()> {
        Box::pin(async move { self.put(DROP_REQUESTS, asked![before]).await })
    }
}
