//! What the three roles share: who asks, for what, and the answer to it. Each role's decisions are in `roles/`.

mod ask;
mod entitlement;
pub(crate) mod give;
pub(crate) mod give_back;
pub(crate) mod individualize;
pub(crate) mod issue;
pub(crate) mod mailbox;
pub(crate) mod manage;
pub(crate) mod renew;
pub(crate) mod revocations;

use crate::keyring::{Keyring, RoleKey};
use crate::metrics::count;
use crate::problem::Fault;
use crate::service::{Published, Service};
use crate::store::epoch::{Presented, Standing};
use crate::store::{Committed, Exchange, Prior};
use std::collections::HashSet;
use std::sync::Arc;
use wmlicense_wire::answer::{self, Answer, Beside, Grant, Outcome, Reason, Refusal, Unlock};
use wmlicense_wire::certificate::{DeviceCertificate, Role};
use wmlicense_wire::endpoint::Endpoint;
use wmlicense_wire::id::{Digest, Epoch, Lid, SignerId, UserId};
use wmlicense_wire::request::{Body, ClientInfo, Request};

/// A decision is made again when what it rested on changed meanwhile; more often than this it is told as overload.
pub(crate) const MAX_ATTEMPTS: usize = 5;

/// A request whose signature, audience and device were checked.
pub(crate) struct Caller {
    pub(crate) request: Request,
    pub(crate) request_hash: Digest,
    pub(crate) device: Arc<DeviceCertificate>,
    pub(crate) thumbprint: SignerId,
    /// Who is asked.
    role: Role,
    /// The newest status list.
    status: Option<Arc<Published>>,
}

impl Caller {
    /// Checks the request of an individualized device to an endpoint.
    pub(crate) fn check(service: &Service, keyring: &Keyring, endpoint: Endpoint, bytes: &[u8]) -> Result<Self, Fault> {
        let role = endpoint.role();
        let own = role_key(keyring, role)?;
        let document = Request::parse(bytes, endpoint.request_cap())
            .map_err(|_| Fault::BadRequest("The document is malformed."))?;
        let request = Request::decode_unverified(&document);
        let request = request.map_err(|_| Fault::BadRequest("The content of the document is malformed."))?;
        if request.audience != own.certificate.service_id {
            return Err(Fault::BadRequest("The request is for another service."));
        }
        let certificate = request.device_certificate.as_deref();
        let certificate = certificate.ok_or(Fault::UnknownDevice("The request holds no device certificate."))?;
        let device = service.device(keyring, certificate)?;
        let now = service.clock.now();
        if !(device.not_before..device.not_after).contains(&now) {
            return Err(Fault::UnknownDevice("The device's certificate is not valid at present. Renew it."));
        }
        let thumbprint = device.thumbprint();
        // The payload that is verified here is the one decoded above.
        let verified = document.verify(&device.keys.signing, thumbprint);
        verified.map_err(|_| Fault::BadRequest("The signature is not the device's."))?;
        if request.cursor.is_some() && role != Role::Issuer {
            return Err(Fault::BadRequest("This service gives no cursors."));
        }
        Ok(Self { request_hash: Digest::of(bytes), request, device, thumbprint, role, status: service.status() })
    }

    /// The exchange that this request is, with how it stands by its epoch. Or why neither this device nor this application
    /// gets anything: the status list names one of them, the owner revoked the device here, or it has other keys by now.
    pub(crate) async fn enter(
        &self,
        service: &Service,
        account: Option<UserId>,
        now: i64,
    ) -> Result<Result<Exchange, Reason>, Fault> {
        if let Some(listed) = barred(self.status.as_deref(), self.thumbprint, &self.request.client, now) {
            return Ok(Err(listed));
        }
        let presented = Presented {
            role: self.role,
            device: self.device.device_id,
            certified_at: self.device.issued_at,
            epoch: self.request.epoch,
            period: service.epoch_period,
            name: self.request.client.device_name.clone(),
        };
        let exchange = Exchange {
            thumbprint: self.thumbprint,
            transaction: self.request.transaction,
            page: self.request.page,
            request_hash: self.request_hash,
            account,
            now,
            presented: Some(presented),
            fresh: Epoch::random()?,
            standing: Standing::default(),
        };
        let (revoked, exchange) = service.store.standing(exchange).await?;
        Ok(match (revoked, exchange.standing.replaced) {
            (true, _) => Err(Reason::DeviceRevoked),
            (false, true) => Err(Reason::KeyReplaced),
            (false, false) => Ok(exchange),
        })
    }

    /// The answer that refuses this request whole, for a reason that [`Self::enter`] gave.
    pub(crate) async fn turn_away(
        self: &Arc<Self>,
        service: &Service,
        keyring: &Arc<Keyring>,
        reason: Reason,
    ) -> Result<Vec<u8>, Fault> {
        let (caller, keyring, now) = (Arc::clone(self), Arc::clone(keyring), service.clock.now());
        let url = service.presence.support_url.clone();
        let refuse = move || caller.refuse(whole(reason, Some(&url)), now, role_key(&keyring, caller.role)?);
        service.compute(refuse).await?
    }

    /// An answer to this request that grants nothing yet. It tells the epoch, so what it says must be written.
    pub(crate) fn answer(&self, now: i64, standing: &Standing) -> Answer {
        let answer = self.bare_answer(now);
        Answer { epoch: standing.epoch, ..answer }
    }

    fn bare_answer(&self, now: i64) -> Answer {
        Answer::to(self.request.transaction, self.request.page, self.request_hash, self.thumbprint, now)
    }

    /// Wraps, signs and encodes.
    pub(crate) fn seal(
        &self,
        answer: Answer,
        grants: &[Grant],
        unlock: Option<&Unlock<'_>>,
        beside: &Beside,
        key: &RoleKey,
    ) -> Result<Vec<u8>, Fault> {
        let DeviceCertificate { device_id, keys, .. } = &*self.device;
        let (mut answer, mut beside) = (answer, beside.clone());
        put_status(self.status.as_deref(), &self.request, &mut answer, &mut beside);
        let bytes = answer::seal(answer, *device_id, keys, grants, unlock, &beside, &key.signing)?;
        if bytes.len() > answer::MAX_LEN { Err(Fault::TooLarge) } else { Ok(bytes) }
    }

    /// An answer that refuses the whole request. It leaves no trace, so it tells no epoch.
    pub(crate) fn refuse(&self, refusal: Refusal, now: i64, key: &RoleKey) -> Result<Vec<u8>, Fault> {
        let mut answer = self.bare_answer(now);
        answer.outcome = Outcome::Refused;
        answer.refusals = vec![refusal];
        self.seal(answer, &[], None, &Beside::default(), key)
    }

    /// Those of the certificates that the device does not hold yet.
    pub(crate) fn not_held<'c>(&self, certificates: impl IntoIterator<Item = (Digest, &'c [u8])>) -> Vec<Vec<u8>> {
        let wanted = certificates.into_iter().filter(|(hash, _)| !self.request.held.contains(hash));
        wanted.map(|(_, bytes)| bytes.to_vec()).collect()
    }
}

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

/// What to send where an exchange is known; `None` where it is not.
pub(crate) fn known_answer(prior: Prior) -> Result<Option<Vec<u8>>, Fault> {
    match prior {
        Prior::None => Ok(None),
        Prior::Answered(Some(bytes)) => Ok(Some(bytes)),
        // The same transaction ID was used for a restore, whose answers are not kept.
        Prior::Answered(None) | Prior::Conflict => Err(Fault::Conflict),
        Prior::Gone => Err(Fault::Gone),
    }
}

/// Logs and counts a fork. Which device it is, `device list` tells.
pub(crate) fn tell_fork(service: &Service, standing: &Standing) {
    if standing.fork {
        count(&service.metrics.forks, 1);
        tracing::warn!(stopped = standing.stopped, "a copy of a device's store asked");
    }
}

/// What to send after writing `answer`; `None` if the decision must be made again.
pub(crate) fn written(
    service: &Service,
    standing: &Standing,
    committed: Committed,
    answer: Vec<u8>,
) -> Result<Option<Vec<u8>>, Fault> {
    match committed {
        Committed::Done => {
            tell_fork(service, standing);
            Ok(Some(answer))
        }
        Committed::Prior(prior) => known_answer(prior),
        Committed::Changed => Ok(None),
    }
}
