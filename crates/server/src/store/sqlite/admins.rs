//! Those who act for the owner from elsewhere, in SQLite.

use super::super::rows::AdminRows;
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::rows::{Columns as _, SqliteRows, done};
use crate::rules::admins::{AdminRole, AdminRow};
use rusqlite::{Row, params};
use wmlicense_wire::id::Digest;

statements!("admins.sql": ADMIN, ADMIN_BY_NAME, ADMINS, PUT_ADMIN);

fn read_admin(row: &Row<'_>) -> Result<AdminRow, StoreError> {
    let (hash, name) = (row.id(0)?, row.get(1)?);
    let role = AdminRole::of_name(&row.get::<_, String>(2)?).ok_or(StoreError::Damaged("role of an admin"))?;
    Ok(AdminRow { hash, name, role, created_at: row.get(3)?, ends_at: row.get(4)?, ended_at: row.get(5)? })
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
}
