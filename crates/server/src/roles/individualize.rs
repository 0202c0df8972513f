//! Individualization: a device proves its keys by signing with them and gets a certificate for a year.

use super::{MAX_ATTEMPTS, barred, known_answer, put_status, role_key, whole, written};
use crate::keyring::{CLOCK_TOLERANCE, Keyring};
use crate::metrics::count;
use crate::policy::is_version;
use crate::problem::Fault;
use crate::service::Service;
use crate::store::epoch::Standing;
use crate::store::{CertifiedDevice, Exchange, KnownDevice};
use std::sync::Arc;
use wmlicense_wire::answer::{self, Answer, Beside, Outcome, Reason};
use wmlicense_wire::certificate::{Assurance, DeviceClaims, DeviceKeys, Role};
use wmlicense_wire::id::{DeviceId, Digest, Epoch};
use wmlicense_wire::kem::Suite;
use wmlicense_wire::request::{self, Body, Request};

/// Validity of device certificates in seconds.
const DEVICE_VALIDITY: i64 = 365 * 24 * 60 * 60;

/// A request whose keys signed it.
struct Applicant {
    request: Request,
    keys: DeviceKeys,
    assurance: Assurance,
    consent: bool,
    /// Device ID of a certificate of this authority for the same keys.
    certified: Option<DeviceId>,
    exchange: Exchange,
}

/// Answers `POST /v1/individualize`.
pub(crate) async fn individualize(service: Arc<Service>, bytes: Vec<u8>) -> Result<Vec<u8>, Fault> {
    let keyring = service.keyring();
    let applicant = {
        let (service_, keyring) = (Arc::clone(&service), Arc::clone(&keyring));
        Arc::new(service.compute(move || check(&service_, &keyring, &bytes)).await??)
    };
    for _ in 0..MAX_ATTEMPTS {
        let (prior, known) = service.store.known_device(applicant.exchange.clone()).await?;
        if let Some(bytes) = known_answer(prior)? {
            return Ok(bytes);
        }
        let device_id = match (&known, applicant.certified) {
            (Some(KnownDevice { device_id, .. }), _) => *device_id,
            (None, Some(certified)) => certified,
            (None, None) => DeviceId::random()?,
        };
        let refusal = refusal(&service, &applicant, known.as_ref());
        let sealed = {
            let (applicant, keyring) = (Arc::clone(&applicant), Arc::clone(&keyring));
            let service_ = Arc::clone(&service);
            service.compute(move || seal(&service_, &applicant, &keyring, device_id, refusal)).await??
        };
        if refusal.is_some() {
            return Ok(sealed);
        }
        let device = CertifiedDevice {
            device_id,
            security_version: applicant.request.client.security_version.clone(),
            assurance: applicant.assurance as u8,
        };
        let committed = service.store.certify(applicant.exchange.clone(), device, sealed.clone()).await?;
        if let Some(bytes) = written(&service, &applicant.exchange.standing, committed, sealed)? {
            count(&service.metrics.devices, 1);
            return Ok(bytes);
        }
    }
    Err(Fault::Unavailable)
}

fn refusal(service: &Service, applicant: &Applicant, known: Option<&KnownDevice>) -> Option<Reason> {
    let (exchange, client) = (&applicant.exchange, &applicant.request.client);
    if let Some(reason) = barred(service.status().as_deref(), exchange.thumbprint, client, exchange.now) {
        return Some(reason);
    }
    if known.is_some_and(|device| device.revoked) {
        Some(Reason::DeviceRevoked)
    } else if !applicant.consent {
        Some(Reason::ConsentMissing)
    } else {
        None
    }
}

fn check(service: &Service, keyring: &Keyring, bytes: &[u8]) -> Result<Applicant, Fault> {
    let own = role_key(keyring, Role::Individualization)?;
    let document =
        Request::parse(bytes, request::MAX_LEN).map_err(|_| Fault::BadRequest("The document is malformed."))?;
    let request = Request::decode_unverified(&document);
    let request = request.map_err(|_| Fault::BadRequest("The content of the document is malformed."))?;
    if request.audience != own.certificate.service_id {
        return Err(Fault::BadRequest("The request is for another service."));
    }
    let Body::Individualize { keys, assurance, consent, current, rekey } = &request.body else {
        return Err(Fault::BadRequest("The request asks for something else."));
    };
    if rekey.is_some() {
        return Err(Fault::BadRequest("This service gives a device with new keys a new certificate only."));
    }
    if keys.hpke.suite() != Suite::XWing {
        return Err(Fault::BadRequest("Keys of this suite are not certified."));
    }
    if !is_version(&request.client.security_version) {
        return Err(Fault::BadRequest("The security version must be four numbers with dots between them."));
    }
    let thumbprint = keys.thumbprint();
    let verified = document.verify(&keys.signing, thumbprint);
    verified.map_err(|_| Fault::BadRequest("The signature is not by the keys in the request."))?;
    // A certificate that ended still names the device; one of another authority or other keys names nothing here.
    let current = current.as_deref().or(request.device_certificate.as_deref());
    let certificate = current.and_then(|bytes| service.device(keyring, bytes).ok());
    let certified =
        certificate.filter(|certificate| certificate.thumbprint() == thumbprint).map(|found| found.device_id);
    let exchange = Exchange {
        thumbprint,
        transaction: request.transaction,
        page: request.page,
        request_hash: Digest::of(bytes),
        account: None,
        now: service.clock.now(),
        // A device that was copied is made anew here.
        presented: None,
        fresh: Epoch::new([0; 16]),
        standing: Standing::default(),
    };
    let (keys, assurance, consent) = (keys.clone(), *assurance, *consent);
    Ok(Applicant { request, keys, assurance, consent, certified, exchange })
}

fn seal(
    service: &Service,
    applicant: &Applicant,
    keyring: &Keyring,
    device_id: DeviceId,
    refusal: Option<Reason>,
) -> Result<Vec<u8>, Fault> {
    let own = role_key(keyring, Role::Individualization)?;
    let Exchange { thumbprint, transaction, page, request_hash, now, .. } = applicant.exchange;
    let mut answer = Answer::to(transaction, page, request_hash, thumbprint, now);
    let mut beside = Beside::default();
    match refusal {
        Some(reason) => {
            answer.outcome = Outcome::Refused;
            answer.refusals = vec![whole(reason, Some(&service.presence.support_url))];
        }
        None => {
            let claims = DeviceClaims {
                issuer: own.certificate.service_id,
                device_id,
                keys: &applicant.keys,
                security_version: &applicant.request.client.security_version,
                assurance: applicant.assurance,
                not_before: now - CLOCK_TOLERANCE,
                not_after: now + DEVICE_VALIDITY,
                issued_at: now,
            };
            beside.device_certificate =
                Some(wmlicense_wire::certificate::DeviceCertificate::issue(&claims, &own.signing)?);
        }
    }
    if !applicant.request.held.contains(&own.certificate.hash) {
        beside.certificates.push(own.certificate.bytes.clone());
    }
    put_status(service.status().as_deref(), &applicant.request, &mut answer, &mut beside);
    Ok(answer::seal(answer, device_id, &applicant.keys, &[], None, &beside, &own.signing)?)
}
