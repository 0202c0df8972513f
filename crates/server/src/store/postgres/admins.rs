//! Those who act for the owner from elsewhere, in PostgreSQL.

use super::super::rows::AdminRows;
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::rows::{Columns as _, PostgresRows, asked};
use crate::rules::admins::{AdminRole, AdminRow};
use deadpool_postgres::tokio_postgres::Row;
use wmlicense_wire::id::Digest;

statements!("admins.sql": ADMIN, ADMIN_BY_NAME, ADMINS, PUT_ADMIN);

fn read_admin(row: &Row) -> Result<AdminRow, StoreError> {
    let (hash, name) = (row.id(0)?, row.value(1)?);
    let role = AdminRole::of_name(&row.value::<String>(2)?).ok_or(StoreError::Damaged("role of an admin"))?;
    Ok(AdminRow { hash, name, role, created_at: row.value(3)?, ends_at: row.value(4)?, ended_at: row.value(5)? })
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
}
