//! Who asks: a request of an individualized device with good signature, and what is said to it.

use super::{barred, put_status, role_key};
use crate::keyring::{Keyring, RoleKey};
use crate::problem::Fault;
use crate::rules::epochs::{Presented, Standing};
use crate::rules::mailbox::Waiting;
use crate::service::{Published, Service};
use crate::store::Exchange;
use std::sync::{Arc, Mutex, PoisonError};
use wmlicense_wire::answer::{self, Answer, Beside, Grant, Outcome, Reason, Refusal, Unlock};
use wmlicense_wire::certificate::{DeviceCertificate, Role};
use wmlicense_wire::endpoint::Endpoint;
use wmlicense_wire::id::{Digest, Epoch, SignerId, UserId};
use wmlicense_wire::request::Request;

/// A request whose signature, audience and device were checked.
pub(crate) struct Caller {
    pub(crate) request: Request,
    pub(crate) request_hash: Digest,
    pub(crate) device: Arc<DeviceCertificate>,
    pub(crate) thumbprint: SignerId,
    /// Who is asked.
    pub(super) role: Role,
    /// The newest status list.
    status: Option<Arc<Published>>,
    /// What waited for the device when its request was taken up.
    waiting: Mutex<Option<Waiting>>,
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
        let (request_hash, status) = (Digest::of(bytes), service.status());
        Ok(Self { request, request_hash, device, thumbprint, role, status, waiting: Mutex::default() })
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
        // Restores are long enough without letters.
        let certificate = (self.role == Role::Issuer).then(|| self.certificate().to_vec());
        let (revoked, exchange, waiting) = service.store.standing(exchange, certificate).await?;
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = waiting;
        Ok(match (revoked, exchange.standing.replaced) {
            (true, _) => Err(Reason::DeviceRevoked),
            (false, true) => Err(Reason::KeyReplaced),
            (false, false) => Ok(exchange),
        })
    }

    /// The device's certificate, as it came.
    pub(super) fn certificate(&self) -> &[u8] {
        self.request.device_certificate.as_deref().unwrap_or_default()
    }

    /// What waited for the device when its request was taken up, once; `None` where nobody looked.
    pub(super) fn take_waiting(&self) -> Option<Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// An answer to this request that grants nothing yet. It tells the epoch, so what it says must be written.
    pub(crate) fn answer(&self, now: i64, standing: &Standing) -> Answer {
        let answer = self.bare_answer(now);
        Answer { epoch: standing.epoch, ..answer }
    }

    /// An answer that tells nothing of the epoch, because nothing is written.
    pub(super) fn bare_answer(&self, now: i64) -> Answer {
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
