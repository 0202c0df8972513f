//! Uses that belong to accounts, in PostgreSQL. Those of a grant are changed under the guard of its ID.

use super::super::rows::{For, GrantDeviceRows, LedgerRows};
use super::super::statement::statements;
use super::super::{Pending, StoreError};
use super::rows::{Columns as _, PostgresRows, Value, asked, ids, nothing, texts};
use crate::rules::granted::{GrantDevice, GrantId};
use crate::rules::ledger::LedgerRow;
use deadpool_postgres::tokio_postgres::Row;
use wmlicense_wire::id::{DeviceId, Kid, Lid, UserId};

statements!("ledger.sql":
    LEDGER, LEDGER_HELD, LEDGER_OF, PUT_LEDGER, GRANT_DEVICES, GRANTS_ON,
    INSERT_GRANT_DEVICE, REMOVE_GRANT_DEVICES, HAS_LICENSES,
);

fn number(row: &Row, at: usize) -> Result<u32, StoreError> {
    u32::try_from(row.value::<i64>(at)?).map_err(|_| StoreError::Damaged("ledger"))
}

fn read(row: &Row) -> Result<LedgerRow, StoreError> {
    let (grant, kid, action, device, lid) = (row.id(0)?, row.id(1)?, row.value(2)?, row.id(3)?, row.id(4)?);
    let (given, used, first_use) = (number(row, 5)?, number(row, 6)?, row.value(7)?);
    Ok(LedgerRow { grant, kid, action, device, lid, given, used, first_use })
}

fn read_device(row: &Row) -> Result<GrantDevice, StoreError> {
    Ok(GrantDevice { grant: row.id(0)?, device: row.id(1)?, user: row.id(2)?, since: row.value(3)? })
}

impl PostgresRows<'_> {
    /// Keeps all others from the ledgers of the grants of these rows.
    async fn lock_ledgers(&self, rows: &[LedgerRow]) -> Result<(), StoreError> {
        self.lock(rows.iter().map(|row| row.grant.as_bytes().as_slice())).await
    }
}

impl LedgerRows for PostgresRows<'_> {
    fn ledger<'a>(&'a mut self, grants: &'a [GrantId], kids: &'a [Kid], how: For) -> Pending<'a, Vec<LedgerRow>> {
        if grants.is_empty() || kids.is_empty() {
            return nothing();
        }
        Box::pin(async move {
            if how == For::Changing {
                self.lock(grants.iter().map(|grant| grant.as_bytes().as_slice())).await?;
            }
            self.all(LEDGER, asked![ids(grants), ids(kids)], read).await
        })
    }

    fn ledger_held<'a>(&'a mut self, device: DeviceId, licenses: &'a [Lid], how: For) -> Pending<'a, Vec<LedgerRow>> {
        if licenses.is_empty() {
            return nothing();
        }
        Box::pin(async move {
            let found = self.all(LEDGER_HELD, asked![&device, ids(licenses)], read).await?;
            if how == For::Reading || found.is_empty() {
                return Ok(found);
            }
            // A row never leaves its grant, so that those that are there under the guards are of the same grants.
            self.lock_ledgers(&found).await?;
            self.all(LEDGER_HELD, asked![&device, ids(licenses)], read).await
        })
    }

    fn ledger_of(&mut self, device: DeviceId, how: For) -> Pending<'_, Vec<LedgerRow>> {
        Box::pin(async move {
            let found = self.all(LEDGER_OF, asked![&device], read).await?;
            if how == For::Reading || found.is_empty() {
                return Ok(found);
            }
            self.lock_ledgers(&found).await?;
            self.all(LEDGER_OF, asked![&device], read).await
        })
    }

    fn put_ledger<'a>(&'a mut self, rows: &'a [LedgerRow]) -> Pending<'a, ()> {
        if rows.is_empty() {
            return nothing();
        }
        Box::pin(async move {
            let (grants, kids) = (ids(rows.iter().map(|row| &row.grant)), ids(rows.iter().map(|row| &row.kid)));
            let actions = texts(rows.iter().map(|row| Some(row.action.as_str())));
            let (devices, lids) = (ids(rows.iter().map(|row| &row.device)), ids(rows.iter().map(|row| &row.lid)));
            let given = Value::Numbers(rows.iter().map(|row| Some(i64::from(row.given))).collect());
            let used = Value::Numbers(rows.iter().map(|row| Some(i64::from(row.used))).collect());
            let first = Value::Numbers(rows.iter().map(|row| row.first_use).collect());
            self.put(PUT_LEDGER, asked![grants, kids, actions, devices, lids, given, used, first]).await
        })
    }
}

impl GrantDeviceRows for PostgresRows<'_> {
    fn grant_devices<'a>(&'a mut self, grants: &'a [GrantId]) -> Pending<'a, Vec<GrantDevice>> {
        if grants.is_empty() {
            return nothing();
        }
        Box::pin(async move { self.all(GRANT_DEVICES, asked![ids(grants)], read_device).await })
    }

    fn grants_on(&mut self, device: DeviceId) -> Pending<'_, Vec<GrantDevice>> {
        Box::pin(async move { self.all(GRANTS_ON, asked![&device], read_device).await })
    }

    fn insert_grant_device(&mut self, row: GrantDevice) -> Pending<'_, ()> {
        Box::pin(async move {
            let GrantDevice { grant, device, user, since } = row;
            self.put(INSERT_GRANT_DEVICE, asked![&grant, &device, &user, since]).await
        })
    }

    fn remove_grant_devices(&mut self, device: DeviceId, user: UserId) -> Pending<'_, u64> {
        Box::pin(async move { self.change(REMOVE_GRANT_DEVICES, asked![&device, &user]).await })
    }

    fn has_licenses(&mut self, device: DeviceId, user: UserId) -> Pending<'_, bool> {
        Box::pin(async move { self.exists(HAS_LICENSES, asked![&device, &user]).await })
    }
}
