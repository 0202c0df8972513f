//! License management: opens a backup's section for its account (`manage/preview.rs`), and re-binds its licenses to another
//! device within the limit (`manage/restore.rs`). What one license must prove is in `manage/record.rs`.

mod preview;
mod record;
mod restore;

pub(crate) use preview::preview;
pub(crate) use restore::restore;

use super::desk::Desk;
use super::issue::grant::TermsByName;
use crate::accounts::Account;
use crate::keyring::Keyring;
use crate::metrics::count;
use crate::policy::DEFAULT_RESTORE_DEVICES;
use crate::problem::Fault;
use crate::rules::tally::Outcome as Came;
use crate::store::Content;
use wmlicense_wire::answer::Reason;
use wmlicense_wire::backup::ServiceTicket;
use wmlicense_wire::request::RestoreSource;

/// Opens the section's ticket if it is for this service and for this account.
fn open_ticket(source: &RestoreSource, keyring: &Keyring, account: Option<Account>) -> Result<ServiceTicket, Reason> {
    let key = keyring.backup_key(source.ticket.recipient).ok_or(Reason::UnknownIssuer)?;
    let ticket = source.ticket.open_as_service(key, source.backup_id, source.section).map_err(|_| Reason::Damaged)?;
    match (ticket.user, account) {
        (None, _) => Ok(ticket),
        (Some(_), None) => Err(Reason::AccountRequired),
        (Some(user), Some(account)) if account.user == user => Ok(ticket),
        (Some(_), Some(_)) => Err(Reason::OtherAccount),
    }
}

/// Refuses the whole request, without trace: the same request may succeed later.
async fn refuse(desk: &Desk, reason: Reason) -> Result<Vec<u8>, Fault> {
    tracing::info!(?reason, "restore refused");
    count(&desk.service.metrics.restore_refusals, 1);
    desk.service.tally.add_untitled(&[(Came::Refused, 1)], desk.service.clock.now());
    desk.refuse(reason).await
}

/// Devices in all: the service's own setting, else what the license says, else the default.
fn limit(content: Option<&Content>, hint: Option<u32>, terms: &mut TermsByName) -> Result<u32, Fault> {
    match content {
        Some(content) => Ok(terms.of(content)?.terms.restore_devices),
        None => Ok(hint.unwrap_or(DEFAULT_RESTORE_DEVICES)),
    }
}
