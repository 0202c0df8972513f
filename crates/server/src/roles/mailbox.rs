//! Mailboxes: licenses that nobody asked for go out beside any answer to their device, again and again until it says that it
//! took them.

use super::desk::{Desk, Door};
use super::{Caller, OTHER};
use crate::problem::Fault;
use crate::rules::mailbox::{Recipient, Waiting};
use crate::service::Service;
use crate::source::Source;
use crate::store::CertifiedDevice;
use std::sync::Arc;
use wmlicense_wire::answer::{self, Envelope, put_beside};
use wmlicense_wire::certificate::{DeviceCertificate, Role};
use wmlicense_wire::endpoint::Endpoint;
use wmlicense_wire::id::{SignerId, TransactionId};
use wmlicense_wire::request::{self, Body, Request};

/// Bytes that a letter takes in an answer beside its own, and the list of them.
const OVERHEAD: usize = 16;

/// Answers `POST /v1/mailbox`: drops what was taken. What still waits is put beside like beside any answer. It is not kept,
/// because the same request changes nothing a second time.
pub(crate) async fn mailbox(service: Arc<Service>, bytes: Vec<u8>, source: Source) -> Result<Vec<u8>, Fault> {
    let door = Door::new(service, None, source);
    let (desk, taken) = door.open(Endpoint::Mailbox, bytes, read).await?;
    let now = desk.service.clock.now();
    if let Err(reason) = desk.enter(now).await? {
        return Ok(with_mail(&desk, desk.refuse(reason).await?).await);
    }
    if !taken.is_empty() {
        let dropped = desk.service.store.taken(desk.caller.device.device_id, taken).await?;
        tracing::info!(dropped, "taken out of a mailbox");
    }
    let answer = desk.compute(move |desk| desk.seal(desk.caller.bare_answer(now))).await?;
    Ok(with_mail(&desk, answer).await)
}

fn read(_: &Door, caller: &mut Caller) -> Result<Vec<TransactionId>, Fault> {
    let Body::Mailbox { taken } = &caller.request.body else { return Err(OTHER) };
    Ok(taken.clone())
}

/// Who sent a request. It is believed once the request was answered, which it is only with a good signature.
pub(crate) struct Sender {
    thumbprint: SignerId,
    certificate: Option<Vec<u8>>,
}

impl Sender {
    /// `None` if there is no request.
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        let document = Request::parse(bytes, request::MAX_LEN).ok()?;
        let (thumbprint, certificate) = Request::sender_unverified(&document);
        Some(Self { thumbprint, certificate })
    }

    /// The answer with what waits for its device beside it. Without that it is as good; what waits comes another time.
    pub(crate) async fn with_mail(self, service: &Arc<Service>, answer: Vec<u8>) -> Vec<u8> {
        let mail = self.mail(service, &answer).await;
        put_mail(answer, mail)
    }

    async fn mail(self, service: &Arc<Service>, answer: &[u8]) -> Result<Vec<Vec<u8>>, Fault> {
        // Who asks for a certificate is known by the new one.
        let fresh = || Envelope::parse(answer).ok().and_then(|envelope| envelope.device_certificate);
        let Some(certificate) = fresh().or(self.certificate) else { return Ok(Vec::new()) };
        let device = service.device(&service.keyring(), &certificate)?;
        if device.thumbprint() == self.thumbprint {
            mail(service, &device, &certificate, None, answer.len()).await
        } else {
            Ok(Vec::new())
        }
    }
}

/// The answer with what waits for the device, as [`Sender::with_mail`]; nobody looks again where nothing waited when the request
/// was taken up.
pub(super) async fn with_mail(desk: &Desk, answer: Vec<u8>) -> Vec<u8> {
    let (service, caller) = (&desk.service, &desk.caller);
    let mail = mail(service, &caller.device, caller.certificate(), caller.take_waiting(), answer.len()).await;
    put_mail(answer, mail)
}

fn put_mail(answer: Vec<u8>, mail: Result<Vec<Vec<u8>>, Fault>) -> Vec<u8> {
    match mail {
        Ok(letters) if letters.is_empty() => answer,
        Ok(letters) => {
            tracing::info!(letters = letters.len(), "out of a mailbox");
            put_beside(answer, &letters)
        }
        Err(fault) => {
            tracing::warn!(?fault, "a mailbox could not be looked into");
            answer
        }
    }
}

/// What waits for a device and fits beside an answer of this length; it is looked up where that was not done.
async fn mail(
    service: &Arc<Service>,
    device: &DeviceCertificate,
    certificate: &[u8],
    found: Option<Waiting>,
    answer: usize,
) -> Result<Vec<Vec<u8>>, Fault> {
    let (thumbprint, now) = (device.thumbprint(), service.clock.now());
    if service.status().is_some_and(|status| status.list.names_device(thumbprint)) {
        return Ok(Vec::new());
    }
    let Waiting { mut letters, known } = match found {
        Some(found) if found.letters.is_empty() => found,
        // By now the device may be revoked, or have taken it.
        Some(_) | None => service.store.waiting(thumbprint, certificate.to_vec(), now).await?,
    };
    if !known {
        let (id, certificate) = (device.device_id, certificate.to_vec());
        let recipient = Recipient { thumbprint, device: id, certificate, revoked: false, copied: false };
        let certifies = service.roles.contains(&Role::Individualization);
        service.store.know(recipient, device.issued_at, certifies.then(|| CertifiedDevice::of(device))).await?;
    }
    let mut room = answer::MAX_LEN.saturating_sub(answer + OVERHEAD);
    letters.retain(|letter| {
        let left = room.checked_sub(letter.len() + OVERHEAD);
        room = left.unwrap_or(room);
        left.is_some()
    });
    Ok(letters)
}
