//! What the three roles share. The way of a request is in `roles/desk.rs`, who asks in `roles/caller.rs`, each role's decisions
//! in files of their own.

mod ask;
mod caller;
pub(crate) mod clear_key;
mod desk;
pub(crate) mod entitlement;
pub(crate) mod give;
pub(crate) mod give_back;
pub(crate) mod individualize;
pub(crate) mod issue;
pub(crate) mod mailbox;
pub(crate) mod manage;
pub(crate) mod renew;
pub(crate) mod revocations;

use crate::keyring::{Keyring, RoleKey};
use crate::problem::Fault;
use crate::service::{Published, Service};
use caller::Caller;
use desk::MAX_ATTEMPTS;
use std::collections::HashSet;
use wmlicense_wire::answer::{Answer, Beside, Reason, Refusal};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Lid, SignerId};
use wmlicense_wire::request::{Body, ClientInfo, Request};

/// A request came to a resource that answers others.
const OTHER: Fault = Fault::BadRequest("The request asks for something else.");

/// Why the status list bars a device or its application.
pub(crate) fn barred(
    status: Option<&Published>,
    thumbprint: SignerId,
    client: &ClientInfo,
    now: i64,
) -> Option<Reason> {
    let list = &status?.list;
    if list.names_device(thumbprint) {
        return Some(Reason::DeviceRevoked);
    }
    let application = client.application.as_deref();
    application.is_some_and(|name| list.revokes_application(name, now)).then_some(Reason::ApplicationRevoked)
}

/// Tells the number of the newest status list, and sends the list to who has an older one.
pub(crate) fn put_status(status: Option<&Published>, request: &Request, answer: &mut Answer, beside: &mut Beside) {
    let Some(status) = status else { return };
    answer.status_number = Some(status.list.number);
    if request.status_number.is_none_or(|number| number < status.list.number) {
        beside.status_list = Some(status.bytes.clone());
    }
}

/// Keeps what a request tells of the use of licenses, whatever becomes of it: the strictest counts. Gives the lines of the
/// licenses that the device has.
pub(crate) async fn told(service: &Service, caller: &Caller, now: i64) -> Result<HashSet<Lid>, Fault> {
    let usage = match &caller.request.body {
        Body::Licenses { usage, .. } | Body::RestorePreview { usage, .. } | Body::Restore { usage, .. } => usage,
        Body::Renewals { licenses, .. } => licenses,
        Body::Returns { .. } | Body::Individualize { .. } | Body::Revocations { .. } | Body::Mailbox { .. } => {
            return Ok(HashSet::new());
        }
    };
    let usage: Vec<_> = usage.iter().filter(|(_, state)| !state.actions.is_empty()).cloned().collect();
    if usage.is_empty() {
        return Ok(HashSet::new());
    }
    Ok(service.store.report(caller.device.device_id, usage, now).await?)
}

/// Key of a role; a service without it has no such resource.
pub(crate) fn role_key(keyring: &Keyring, role: Role) -> Result<&RoleKey, Fault> {
    keyring.role(role).ok_or(Fault::NotFound)
}

/// A refusal of the whole request.
pub(crate) fn whole(reason: Reason, url: Option<&str>) -> Refusal {
    Refusal { subject: None, kid: None, reason, url: url.map(str::to_owned), again: None }
}
