//! Epochs in SQLite: read with the decision, held against the rules again in the transaction that writes it.

use super::super::epoch::{DAY, Epochs, History, Judged, Presented, Standing, YEAR, judge};
use super::super::{Committed, Exchange, Pending, Prior, StoreError};
use super::issue::is_revoked;
use super::{SqliteStore, Verdict, device, id, optional_id, prior};
use rusqlite::{Connection, Row, params};
use wmlicense_wire::id::{DeviceId, Epoch};

impl SqliteStore {
    pub(super) fn standing_of(&self, mut exchange: Exchange) -> Pending<'_, (bool, Exchange)> {
        self.read(move |connection| {
            let Some(presented) = exchange.presented.clone() else { return Ok((false, exchange)) };
            exchange.standing = judged(connection, &exchange, &presented)?.standing;
            Ok((is_revoked(connection, presented.device)?, exchange))
        })
    }

    pub(super) fn note_contact(&self, exchange: Exchange) -> Pending<'_, Committed> {
        const NOTE: &str = "INSERT INTO known_exchange (thumbprint, transaction_id, page, request_hash, seen_at) \
                            VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
        self.write(move |connection| {
            match prior(connection, &exchange)? {
                Prior::None => {}
                known @ (Prior::Answered(_) | Prior::Gone | Prior::Conflict) => {
                    return Ok(Verdict::Undo(Committed::Prior(known)));
                }
            }
            if !apply(connection, &exchange)? {
                return Ok(Verdict::Undo(Committed::Changed));
            }
            connection.prepare_cached(NOTE)?.execute(params![
                exchange.thumbprint.as_bytes(),
                exchange.transaction.as_bytes(),
                exchange.page,
                exchange.request_hash.as_bytes(),
                exchange.now
            ])?;
            Ok(Verdict::Keep(Committed::Done))
        })
    }
}

/// Writes what the answer of an exchange says about its epoch; false if it was made from another state.
pub(super) fn apply(connection: &Connection, exchange: &Exchange) -> Result<bool, StoreError> {
    let Some(presented) = &exchange.presented else { return Ok(true) };
    let judged = judged(connection, exchange, presented)?;
    if judged.standing != exchange.standing {
        return Ok(false);
    }
    write(connection, exchange, presented, judged)?;
    device::call(connection, presented.device, presented.name.as_deref())?;
    Ok(true)
}

/// Judges an exchange and writes what comes of it.
pub(super) fn decide(connection: &Connection, exchange: &Exchange) -> Result<Standing, StoreError> {
    let Some(presented) = &exchange.presented else { return Ok(Standing::default()) };
    let judged = judged(connection, exchange, presented)?;
    let standing = judged.standing.clone();
    write(connection, exchange, presented, judged)?;
    device::call(connection, presented.device, presented.name.as_deref())?;
    Ok(standing)
}

fn judged(connection: &Connection, exchange: &Exchange, presented: &Presented) -> Result<Judged, StoreError> {
    let mut history = history(connection, exchange, presented)?;
    let judge = |history: &History| judge(history, presented, exchange.thumbprint, exchange.now, exchange.fresh);
    let judged = judge(&history);
    if !(judged.standing.fork || judged.late) || !is_known(connection, exchange, presented)? {
        return Ok(judged);
    }
    history.known = true;
    Ok(judge(&history))
}

fn history(connection: &Connection, exchange: &Exchange, presented: &Presented) -> Result<History, StoreError> {
    const EPOCHS: &str = "SELECT role, thumbprint, certified_at, current, predecessor, replaced_at, presented_at, \
                          older, older_until FROM epoch WHERE device_id = $1";
    const FORKS: &str = "SELECT role, count(*) FROM fork WHERE device_id = $1 AND thumbprint = $2 AND noticed_at > $3 \
                         GROUP BY role";
    const LATE: &str = "SELECT count(*), max(noticed_at) FROM late_epoch \
                        WHERE device_id = $1 AND thumbprint = $2 AND role = $3 AND noticed_at > $4";
    let mut history = History::default();
    let mut statement = connection.prepare_cached(EPOCHS)?;
    let mut rows = statement.query([presented.device.as_bytes()])?;
    while let Some(row) = rows.next()? {
        let epochs = read(row)?;
        if epochs.thumbprint != exchange.thumbprint {
            history.replaced |= epochs.certified_at > presented.certified_at;
        } else if row.get::<_, i64>(0)? == presented.role as i64 {
            history.epochs = Some(epochs);
        }
    }
    let since = exchange.now.saturating_sub(YEAR);
    let mut statement = connection.prepare_cached(FORKS)?;
    let mut rows = statement.query(params![presented.device.as_bytes(), exchange.thumbprint.as_bytes(), since])?;
    while let Some(row) = rows.next()? {
        let count = row.get::<_, i64>(1)?.unsigned_abs();
        history.most_forks = history.most_forks.max(count);
        if row.get::<_, i64>(0)? == presented.role as i64 {
            history.forks = count;
        }
    }
    let since = exchange.now.saturating_sub(DAY);
    let keys = params![presented.device.as_bytes(), exchange.thumbprint.as_bytes(), presented.role as i64, since];
    let mut late = connection.prepare_cached(LATE)?;
    let (times, last): (i64, Option<i64>) = late.query_row(keys, |row| Ok((row.get(0)?, row.get(1)?)))?;
    history.late = times.unsigned_abs();
    history.is_late = last.is_some_and(|last| last > exchange.now.saturating_sub(presented.tolerance()));
    Ok(history)
}

fn read(row: &Row<'_>) -> Result<Epochs, StoreError> {
    let blob = |column| row.get::<_, Vec<u8>>(column);
    Ok(Epochs {
        thumbprint: id(&blob(1)?, "epoch")?,
        certified_at: row.get(2)?,
        current: id(&blob(3)?, "epoch")?,
        predecessor: optional_id(row.get(4)?, "epoch")?,
        replaced_at: row.get(5)?,
        presented_at: row.get(6)?,
        older: optional_id(row.get(7)?, "epoch")?,
        older_until: row.get(8)?,
    })
}

/// True if this request was checked before, or if another one of the same copy was counted just before.
fn is_known(connection: &Connection, exchange: &Exchange, presented: &Presented) -> Result<bool, StoreError> {
    const CHECKED: &str = "SELECT 1 FROM known_exchange \
        WHERE thumbprint = $1 AND transaction_id = $2 AND page = $3 AND request_hash = $4 \
        UNION ALL SELECT 1 FROM exchange \
        WHERE thumbprint = $1 AND transaction_id = $2 AND page = $3 AND request_hash = $4";
    const COUNTED: &str = "SELECT 1 FROM fork WHERE device_id = $1 AND thumbprint = $2 AND role = $3 \
                           AND presented IS $4 AND noticed_at > $5";
    let keys = params![
        exchange.thumbprint.as_bytes(),
        exchange.transaction.as_bytes(),
        exchange.page,
        exchange.request_hash.as_bytes()
    ];
    if connection.prepare_cached(CHECKED)?.exists(keys)? {
        return Ok(true);
    }
    Ok(connection.prepare_cached(COUNTED)?.exists(params![
        presented.device.as_bytes(),
        exchange.thumbprint.as_bytes(),
        presented.role as i64,
        bytes(presented.epoch.as_ref()),
        exchange.now.saturating_sub(presented.tolerance())
    ])?)
}

fn write(
    connection: &Connection,
    exchange: &Exchange,
    presented: &Presented,
    Judged { standing, next, late }: Judged,
) -> Result<(), StoreError> {
    const FORK: &str =
        "INSERT INTO fork (device_id, thumbprint, role, presented, noticed_at) VALUES ($1, $2, $3, $4, $5)";
    const LATE: &str = "INSERT INTO late_epoch (device_id, thumbprint, role, noticed_at) VALUES ($1, $2, $3, $4)";
    const EPOCHS: &str = "INSERT OR REPLACE INTO epoch \
        (device_id, role, thumbprint, certified_at, current, predecessor, replaced_at, presented_at, older, older_until) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let (device, role): (&DeviceId, _) = (&presented.device, presented.role as i64);
    let thumbprint = exchange.thumbprint.as_bytes();
    if standing.replaced {
        return Ok(());
    }
    if late {
        connection.prepare_cached(LATE)?.execute(params![device.as_bytes(), thumbprint, role, exchange.now])?;
    }
    if standing.fork {
        let presented = bytes(presented.epoch.as_ref());
        connection.prepare_cached(FORK)?.execute(params![
            device.as_bytes(),
            thumbprint,
            role,
            presented,
            exchange.now
        ])?;
    }
    if let Some(next) = next {
        connection.prepare_cached(EPOCHS)?.execute(params![
            device.as_bytes(),
            role,
            next.thumbprint.as_bytes(),
            next.certified_at,
            next.current.as_bytes(),
            bytes(next.predecessor.as_ref()),
            next.replaced_at,
            next.presented_at,
            bytes(next.older.as_ref()),
            next.older_until
        ])?;
    }
    Ok(())
}

fn bytes(epoch: Option<&Epoch>) -> Option<&[u8]> {
    epoch.map(|epoch| epoch.as_bytes().as_slice())
}
