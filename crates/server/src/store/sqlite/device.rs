//! Devices in SQLite: one row for each pair of keys, those that were replaced included.

use super::super::{CertifiedDevice, Exchange, KnownDevice, StoreError};
use super::{id, optional_id};
use rusqlite::{Connection, OptionalExtension as _, params};
use wmlicense_wire::id::{DeviceId, SignerId};

pub(super) fn find(connection: &Connection, thumbprint: SignerId) -> Result<Option<KnownDevice>, StoreError> {
    const FIND: &str = "SELECT device_id, revoked_at, certified_at, successor FROM device WHERE thumbprint = $1";
    type Columns = (Vec<u8>, Option<i64>, i64, Option<Vec<u8>>);
    let row: Option<Columns> = connection
        .prepare_cached(FIND)?
        .query_row([thumbprint.as_bytes()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((device_id, revoked_at, certified_at, successor)) = row else { return Ok(None) };
    Ok(Some(KnownDevice {
        device_id: id(&device_id, "device")?,
        revoked: revoked_at.is_some(),
        certified_at,
        successor: optional_id(successor, "device")?,
    }))
}

/// False if the keys, or those before them, belong to another device ID, to a revoked device, or to other keys by now.
pub(super) fn write(
    connection: &Connection,
    exchange: &Exchange,
    device: &CertifiedDevice,
) -> Result<bool, StoreError> {
    const UPSERT: &str = "INSERT INTO device \
        (thumbprint, device_id, security_version, assurance, created_at, certified_at) VALUES ($1, $2, $3, $4, $5, $6) \
        ON CONFLICT (thumbprint) DO UPDATE SET security_version = $3, assurance = $4, certified_at = $6 \
        WHERE device_id = $2 AND revoked_at IS NULL AND successor IS NULL";
    // A service that lost its rows writes down that the old keys were replaced as well.
    const REPLACE: &str = "INSERT INTO device \
        (thumbprint, device_id, security_version, assurance, created_at, certified_at, successor) \
        VALUES ($1, $2, $3, $4, $5, $5, $6) ON CONFLICT (thumbprint) DO UPDATE SET successor = $6 \
        WHERE device_id = $2 AND revoked_at IS NULL AND (successor IS NULL OR successor = $6)";
    let (thumbprint, id) = (exchange.thumbprint.as_bytes(), device.device_id.as_bytes());
    let (version, assurance) = (&device.security_version, device.assurance);
    if let Some(old) = &device.replaces {
        let values = params![old.as_bytes(), id, version, assurance, exchange.now, thumbprint];
        if connection.prepare_cached(REPLACE)?.execute(values)? != 1 {
            return Ok(false);
        }
    }
    let values = params![thumbprint, id, version, assurance, exchange.now, device.certified_at];
    let written = connection.prepare_cached(UPSERT)?.execute(values)? == 1;
    if written {
        call(connection, device.device_id, device.name.as_deref())?;
    }
    Ok(written)
}

/// Writes what a device is called by now; an empty name takes it away, and without one it stays.
pub(super) fn call(connection: &Connection, device: DeviceId, name: Option<&str>) -> Result<(), StoreError> {
    const CALL: &str = "UPDATE device SET name = nullif($1, '') WHERE device_id = $2 AND name IS NOT nullif($1, '')";
    if let Some(name) = name {
        connection.prepare_cached(CALL)?.execute(params![name, device.as_bytes()])?;
    }
    Ok(())
}
