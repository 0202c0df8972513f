//! Licenses as they were issued, in PostgreSQL. Lists are arrays, written in the order of the table.

use super::super::rows::LicenseRows;
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::rows::{Columns as _, PostgresRows, asked, ids, many_bytes, maybe_ids, nothing, user_key};
use crate::rules::delivery::HeldKey;
use crate::rules::licenses::NewLicense;
use crate::rules::rows::{HeldRow, Holder, LicenseRow, Openness};
use deadpool_postgres::tokio_postgres::Row;
use std::collections::HashSet;
use wmlicense_wire::id::{DeviceId, Kid, Lid, UserId};

statements!("licenses.sql":
    LICENSES, FIRST, INSERT_LICENSES, REPLACE_LICENSES, RETURN_LICENSES, WITHDRAW_LICENSES, HELD_BEHIND, HELD_FOR,
);

/// The columns of [`read_license`].
const LICENSE_COLUMNS: usize = 6;

fn in_order<'a>(licenses: &[&'a NewLicense]) -> Vec<&'a NewLicense> {
    let mut licenses = licenses.to_vec();
    licenses.sort_unstable_by_key(|license| (license.kid, license.user));
    licenses
}

/// Puts rows where they were asked for; the first one of a place counts.
fn placed(rows: Vec<(usize, LicenseRow)>, asked: usize) -> Result<Vec<Option<LicenseRow>>, StoreError> {
    let mut placed: Vec<Option<LicenseRow>> = (0..asked).map(|_| None).collect();
    for (at, row) in rows {
        placed.get_mut(at).ok_or(StoreError::Damaged("column"))?.get_or_insert(row);
    }
    Ok(placed)
}

fn read_placed(row: &Row) -> Result<(usize, LicenseRow), StoreError> {
    Ok((row.place(LICENSE_COLUMNS)?, read_license(row)?))
}

impl LicenseRows for PostgresRows<'_> {
    fn licenses<'a>(
        &'a mut self,
        device: DeviceId,
        keys: &'a [(Kid, Option<UserId>)],
    ) -> Pending<'a, Vec<Option<LicenseRow>>> {
        if keys.is_empty() {
            return nothing();
        }
        Box::pin(async move {
            let users = many_bytes(keys.iter().map(|(_, user)| user_key(user.as_ref())));
            let asked = asked![&device, ids(keys.iter().map(|(kid, _)| kid)), users];
            placed(self.all(LICENSES, asked, read_placed).await?, keys.len())
        })
    }

    fn first_licenses<'a>(&'a mut self, licenses: &'a [(Kid, Lid)]) -> Pending<'a, Vec<Option<LicenseRow>>> {
        if licenses.is_empty() {
            return nothing();
        }
        Box::pin(async move {
            let (kids, lids) = (ids(licenses.iter().map(|(kid, _)| kid)), ids(licenses.iter().map(|(_, lid)| lid)));
            placed(self.all(FIRST, asked![kids, lids], read_placed).await?, licenses.len())
        })
    }

    fn insert_licenses<'a>(
        &'a mut self,
        device: DeviceId,
        licenses: &'a [&'a NewLicense],
        now: i64,
    ) -> Pending<'a, usize> {
        if licenses.is_empty() {
            return nothing();
        }
        Box::pin(async move {
            let new = in_order(licenses);
            let kids = ids(new.iter().map(|license| &license.kid));
            let users = many_bytes(new.iter().map(|license| user_key(license.user.as_ref())));
            let lids = ids(new.iter().map(|license| &license.issued.lid));
            let terms = ids(new.iter().map(|license| &license.issued.terms));
            let policies = many_bytes(new.iter().map(|license| license.issued.policy.as_slice()));
            let asked = asked![&device, kids, users, lids, terms, policies, now];
            Ok(self.change(INSERT_LICENSES, asked).await? as usize)
        })
    }

    fn replace_licenses<'a>(
        &'a mut self,
        device: DeviceId,
        licenses: &'a [&'a NewLicense],
        now: i64,
    ) -> Pending<'a, usize> {
        if licenses.is_empty() {
            return nothing();
        }
        Box::pin(async move {
            let new = in_order(licenses);
            let kids = ids(new.iter().map(|license| &license.kid));
            let users = many_bytes(new.iter().map(|license| user_key(license.user.as_ref())));
            let lids = ids(new.iter().map(|license| &license.issued.lid));
            let terms = ids(new.iter().map(|license| &license.issued.terms));
            let policies = many_bytes(new.iter().map(|license| license.issued.policy.as_slice()));
            let old = maybe_ids(new.iter().map(|license| license.replaces.as_ref()));
            let asked = asked![&device, kids, users, lids, terms, policies, old, now];
            Ok(self.change(REPLACE_LICENSES, asked).await? as usize)
        })
    }

    fn return_licenses<'a>(&'a mut self, device: DeviceId, licenses: &'a [(Kid, Lid)], now: i64) -> Pending<'a, ()> {
        if licenses.is_empty() {
            return nothing();
        }
        Box::pin(async move {
            let mut own: Vec<_> = licenses.to_vec();
            own.sort_unstable();
            let (kids, lids) = (ids(own.iter().map(|(kid, _)| kid)), ids(own.iter().map(|(_, lid)| lid)));
            self.put(RETURN_LICENSES, asked![&device, kids, lids, now]).await
        })
    }

    fn withdraw_licenses<'a>(&'a mut self, licenses: &'a [(DeviceId, Kid, Lid)], mark: i64) -> Pending<'a, Vec<bool>> {
        if licenses.is_empty() {
            return nothing();
        }
        Box::pin(async move {
            let mut told: Vec<_> = licenses.to_vec();
            told.sort_unstable();
            let (devices, kids) = (ids(told.iter().map(|told| &told.0)), ids(told.iter().map(|told| &told.1)));
            let asked = asked![devices, kids, ids(told.iter().map(|told| &told.2)), mark];
            let read = |row: &Row| Ok((row.id(0)?, row.id(1)?, row.id(2)?));
            let there: HashSet<(DeviceId, Kid, Lid)> =
                self.all(WITHDRAW_LICENSES, asked, read).await?.into_iter().collect();
            Ok(licenses.iter().map(|license| there.contains(license)).collect())
        })
    }

    fn held_behind<'a>(&'a mut self, device: DeviceId, behind: &'a HeldKey, limit: usize) -> Pending<'a, Vec<HeldRow>> {
        Box::pin(async move {
            let HeldKey { kid, user, lid } = behind;
            self.all(HELD_BEHIND, asked![&device, kid, user, lid, limit], read_held).await
        })
    }

    fn held_for<'a>(&'a mut self, device: DeviceId, kids: &'a [Kid]) -> Pending<'a, Vec<HeldRow>> {
        if kids.is_empty() {
            return nothing();
        }
        Box::pin(async move { self.all(HELD_FOR, asked![&device, ids(kids)], read_held).await })
    }
}

pub(super) fn read_license(row: &Row) -> Result<LicenseRow, StoreError> {
    Ok(LicenseRow {
        user: row.user(0)?,
        lid: row.id(1)?,
        terms: row.id(2)?,
        policy: row.value(3)?,
        withdrawn: row.value(4)?,
        returned_at: row.value(5)?,
    })
}

fn read_held(row: &Row) -> Result<HeldRow, StoreError> {
    let holder = match (row.value(4)?, row.user(1)?) {
        (false, _) => Holder::Unknown,
        (true, None) => Holder::Anybody,
        (true, Some(user)) => Holder::Account(user),
    };
    let content = match (row.value(5)?, row.value(6)?) {
        (false, _) => None,
        (true, None) => Some(Openness::Open),
        (true, Some(scope)) => Some(Openness::Scope(scope)),
    };
    Ok(HeldRow { kid: row.id(0)?, lid: row.id(2)?, holder, withdrawn: row.value(3)?, content })
}
