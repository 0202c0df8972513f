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
use wmlicense_wire::certificate::{Assurance, DeviceCertificate, DeviceClaims, DeviceKeys, Role};
use wmlicense_wire::id::{DeviceId, Digest, Epoch, SignerId};
use wmlicense_wire::kem::Suite;
use wmlicense_wire::rekey::Rekey;
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
    /// The device whose old key speaks for these keys.
    before: Option<Arc<DeviceCertificate>>,
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
        let before = applicant.before.as_deref();
        let replaces = before.map(DeviceCertificate::thumbprint);
        let (prior, known, old) = service.store.known_device(applicant.exchange.clone(), replaces).await?;
        if let Some(bytes) = known_answer(prior)? {
            return Ok(bytes);
        }
        let device_id = match (&known, applicant.certified) {
            (Some(KnownDevice { device_id, .. }), _) => *device_id,
            (None, Some(certified)) => certified,
            (None, None) => before.map_or_else(DeviceId::random, |before| Ok(before.device_id))?,
        };
        let issued_at = issued_at(&applicant, old.as_ref());
        let refusal = refusal(&service, &applicant, known.as_ref(), old.as_ref());
        let sealed = {
            let (applicant, keyring) = (Arc::clone(&applicant), Arc::clone(&keyring));
            let service_ = Arc::clone(&service);
            service.compute(move || seal(&service_, &applicant, &keyring, (device_id, issued_at), refusal)).await??
        };
        if refusal.is_some() {
            return Ok(sealed);
        }
        let device = CertifiedDevice {
            device_id,
            security_version: applicant.request.client.security_version.clone(),
            assurance: applicant.assurance as u8,
            certified_at: issued_at,
            replaces,
            name: applicant.request.client.device_name.clone(),
        };
        let committed = service.store.certify(applicant.exchange.clone(), device, sealed.clone()).await?;
        if let Some(bytes) = written(&service, &applicant.exchange.standing, committed, sealed)? {
            count(&service.metrics.devices, 1);
            return Ok(bytes);
        }
    }
    Err(Fault::Unavailable)
}

/// Of two keys of a device the later certified one counts, so new keys are certified after all that the old ones have.
fn issued_at(applicant: &Applicant, old: Option<&KnownDevice>) -> i64 {
    let Some(before) = &applicant.before else { return applicant.exchange.now };
    let last = old.map_or(before.issued_at, |old| old.certified_at.max(before.issued_at));
    applicant.exchange.now.max(last.saturating_add(1))
}

fn refusal(
    service: &Service,
    applicant: &Applicant,
    known: Option<&KnownDevice>,
    old: Option<&KnownDevice>,
) -> Option<Reason> {
    let (exchange, client) = (&applicant.exchange, &applicant.request.client);
    let before = applicant.before.as_ref().map(|before| before.thumbprint());
    for thumbprint in [Some(exchange.thumbprint), before].into_iter().flatten() {
        if let Some(reason) = barred(service.status().as_deref(), thumbprint, client, exchange.now) {
            return Some(reason);
        }
    }
    let other = |device: &KnownDevice| device.successor.is_some_and(|successor| successor != exchange.thumbprint);
    let strange =
        applicant.before.as_ref().zip(known).is_some_and(|(before, known)| before.device_id != known.device_id);
    if known.into_iter().chain(old).any(|device| device.revoked) {
        Some(Reason::DeviceRevoked)
    } else if known.into_iter().chain(old).any(other) || strange {
        Some(Reason::KeyReplaced)
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
    let certified = certificate.as_ref().filter(|certificate| certificate.thumbprint() == thumbprint);
    let certified = certified.map(|found| found.device_id);
    let before = match rekey {
        Some(word) => Some(before(word, certificate, thumbprint)?),
        None => None,
    };
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
    Ok(Applicant { request, keys, assurance, consent, certified, before, exchange })
}

/// The device whose old key, that of its certificate, speaks for new keys.
fn before(
    word: &[u8],
    certificate: Option<Arc<DeviceCertificate>>,
    successor: SignerId,
) -> Result<Arc<DeviceCertificate>, Fault> {
    let certificate = certificate.ok_or(Fault::BadRequest("The certificate of the old keys is missing."))?;
    let old = certificate.thumbprint();
    let said = Rekey::verify(word, &certificate.keys.signing, old);
    if old == successor || !said.is_ok_and(|said| said.successor == successor) {
        return Err(Fault::BadRequest("The old key does not speak for the keys in the request."));
    }
    Ok(certificate)
}

fn seal(
    service: &Service,
    applicant: &Applicant,
    keyring: &Keyring,
    (device_id, issued_at): (DeviceId, i64),
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
                issued_at,
            };
            beside.device_certificate = Some(DeviceCertificate::issue(&claims, &own.signing)?);
        }
    }
    if !applicant.request.held.contains(&own.certificate.hash) {
        beside.certificates.push(own.certificate.bytes.clone());
    }
    put_status(service.status().as_deref(), &applicant.request, &mut answer, &mut beside);
    Ok(answer::seal(answer, device_id, &applicant.keys, &[], None, &beside, &own.signing)?)
}
