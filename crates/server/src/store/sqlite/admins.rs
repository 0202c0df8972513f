//! Those who act for the owner from elsewhere, in SQLite.

use super::super::rows::AdminRows;
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::rows::{Columns as _, SqliteRows, done};
use crate::rules::admins::{AdminRole, AdminRow, Repeat, RepeatRow};
use rusqlite::{Row, params};
use wmlicense_wire::id::Digest;

statements!("admins.sql": ADMIN, ADMIN_BY_NAME, ADMINS, PUT_ADMIN, REQUEST, REQUESTS_OF, CLAIM_REQUEST, ANSWER_REQUEST, DROP_REQUESTS);

fn read_admin(row: &Row<'_>) -> Result<AdminRow, StoreError> {
    let (hash, name) = (row.id(0)?, row.get(1)?);
    let role = AdminRole::of_name(&row.get::<_, String>(2)?).ok_or(StoreError::Damaged("role of an admin"))?;
    Ok(AdminRow { hash, name, role, created_at: row.get(3)?, ends_at: row.get(4)?, ended_at: row.get(5)? })
}

fn read_request(row: &Row<'_>) -> Result<RepeatRow, StoreError> {
    let damaged = |_| StoreError::Damaged("request of an admin");
    let claim = row.get::<_, Vec<u8>>(3)?.try_into().map_err(damaged)?;
    let repeat = Repeat { admin: row.get(0)?, key: row.get(1)?, request: row.id(2)?, claim };
    let answer = row.get::<_, Option<u16>>(5)?.zip(row.get(6)?);
    Ok(RepeatRow { repeat, done_at: row.get(4)?, answer })
}

impl AdminRows for SqliteRows<'_> {
    fn admin(&mut self, hash: Digest) -> Pending<'_, Option<AdminRow>> {
        done(self.one(ADMIN, [hash.as_bytes()], read_admin))
    }

    fn admin_by_name<'a>(&'a mut self, name: &'a str) -> Pending<'a, Option<AdminRow>> {
        done(self.one(ADMIN_BY_NAME, [name], read_admin))
    }

    fn admins(&mut self) -> Pending<'_, Vec<AdminRow>> {
        done(self.all(ADMINS, [], read_admin))
    }

    fn put_admin<'a>(&'a mut self, row: &'a AdminRow) -> Pending<'a, ()> {
        let AdminRow { hash, name, role, created_at, ends_at, ended_at } = row;
        done(self.put(PUT_ADMIN, params![hash.as_bytes(), name, role.name(), created_at, ends_at, ended_at]))
    }

    fn request<'a>(&'a mut self, admin: &'a str, key: &'a str) -> Pending<'a, Option<RepeatRow>> {
        done(self.one(REQUEST, [admin, key], read_request))
    }

    fn requests_of<'a>(&'a mut self, admin: &'a str) -> Pending<'a, u64> {
        done(self.one(REQUESTS_OF, [admin], |row| row.count(0)).map(Option::unwrap_or_default))
    }

    fn claim_request<'a>(&'a mut self, row: &'a RepeatRow, from: i64) -> Pending<'a, bool> {
        let RepeatRow { repeat: Repeat { admin, key, request, claim }, done_at, answer: _ } = row;
        let asked = params![admin, key, request.as_bytes(), claim, done_at, from];
        done(self.change(CLAIM_REQUEST, asked).map(|rows| rows == 1))
    }

    fn answer_request<'a>(&'a mut self, repeat: &'a Repeat, status: u16, answer: &'a [u8]) -> Pending<'a, ()> {
        let Repeat { admin, key, request: _, claim } = repeat;
        done(self.put(ANSWER_REQUEST, params![status, answer, admin, key, claim]))
    }

    fn drop_requests(&mut self, before: i64) -> Pending<'_, ()> {
        done(self.put(DROP_REQUESTS, [before]))
    }
}
