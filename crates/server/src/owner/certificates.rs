//! Certificates of the roles, backup keys and the status list, with what ends when.

use super::told::{Column, Kind, has, may};
use crate::ends::days;
use crate::folder::DataFolder;
use crate::keyring::{self, Certified, KeyringError};
use crate::policy::to_rfc3339;
use crate::rules::revocation::RevokedRow;
use serde_json::{Value, json};
use wmlicense_wire::status_list::StatusList;

pub(crate) const COLUMNS: [Column; 6] = [
    has("what", Kind::Text),
    has("id", Kind::Text),
    may("issued", Kind::Time),
    has("ends", Kind::Time),
    has("days", Kind::Days),
    has("state", Kind::Text),
];

/// Rows of what is in a data folder, beside what was revoked and the newest status list, at `now`. Reads files.
pub(crate) fn rows(
    folder: &DataFolder,
    revoked: &[RevokedRow],
    status_list: Option<(u64, Vec<u8>)>,
    now: i64,
) -> Result<Vec<Vec<Value>>, KeyringError> {
    let (authority, all) = keyring::certificates(folder)?;
    let row = |what: &str, id: String, issued: Option<i64>, ends: i64, state: &str| -> Vec<Value> {
        let issued = issued.map(to_rfc3339);
        vec![json!(what), json!(id), json!(issued), json!(to_rfc3339(ends)), json!(days(ends, now)), json!(state)]
    };
    let mut rows = Vec::new();
    for certified in &all {
        let Certified { certificate, has_key, has_backup_key } = certified;
        let is_revoked = revoked.iter().any(|row| row.kind == "service" && row.key == certificate.signer_id());
        let state = match certified.is_in_use(&all) {
            _ if is_revoked => "revoked",
            _ if certificate.not_after <= now => "ended",
            true => "in use",
            false if *has_key => "retired",
            false => "key elsewhere",
        };
        let id = certificate.signer_id().to_hex();
        rows.push(row(certificate.role.name(), id, Some(certificate.issued_at), certificate.not_after, state));
        if let Some(backup) = &certificate.backup_key {
            let state = if *has_backup_key { "opens backups" } else { "key elsewhere" };
            rows.push(row("backup key", backup.key.key_id().to_hex(), None, backup.until, state));
        }
    }
    rows.sort_by(|one, other| one[3].as_str().cmp(&other[3].as_str()));
    if let Some((number, bytes)) = status_list
        && let Ok(list) = StatusList::parse(&bytes, &authority)
    {
        let state = if list.next_update <= now { "a newer one is due" } else { "published" };
        rows.push(row("status list", number.to_string(), Some(list.issued_at), list.next_update, state));
    }
    Ok(rows)
}
