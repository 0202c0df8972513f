//! Individualization: a device proves its keys by signing with them and gets a certificate for a year.

use super::desk::{Brought, Looked, Matter, Step, serve};
use super::{OTHER, barred, put_status, role_key, whole};
use crate::keyring::{CLOCK_TOLERANCE, Keyring};
use crate::metrics::count;
use crate::policy::is_version;
use crate::problem::Fault;
use crate::quota::Payer;
use crate::rules::epochs::Standing;
use crate::service::Service;
use crate::source::Source;
use crate::store::{CertifiedDevice, Exchange, KnownDevice};
use std::sync::Arc;
use wmlicense_wire::answer::{self, Answer, Beside, Outcome, Reason, Refusal};
use wmlicense_wire::certificate::{Assurance, DeviceCertificate, DeviceClaims, DeviceKeys, Role};
use wmlicense_wire::endpoint::Endpoint;
use wmlicense_wire::id::{DeviceId, Digest, Epoch, SignerId};
use wmlicense_wire::kem::Suite;
use wmlicense_wire::rekey::Rekey;
use wmlicense_wire::request::{Body, Request};

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
pub(crate) async fn individualize(service: Arc<Service>, bytes: Vec<u8>, source: Source) -> Result<Vec<u8>, Fault> {
    let keyring = service.keyring();
    let applicant = {
        let (service_, keyring) = (Arc::clone(&service), Arc::clone(&keyring));
        Arc::new(service.compute(source, move || check(&service_, &keyring, &bytes)).await??)
    };
    let device = DeviceId::new([0; 16]);
    serve(Certifying { service, keyring, applicant, source, device, is_new: false, again: None }).await
}

struct Certifying {
    service: Arc<Service>,
    keyring: Arc<Keyring>,
    applicant: Arc<Applicant>,
    source: Source,
    /// Which device the keys are of, once that was looked up.
    device: DeviceId,
    /// Nobody knows these keys.
    is_new: bool,
    /// When it may ask again, where the day's quota is used up; seconds UTC.
    again: Option<i64>,
}

impl Certifying {
    fn replaces(&self) -> Option<SignerId> {
        self.applicant.before.as_deref().map(DeviceCertificate::thumbprint)
    }

    /// Seals a certificate made at this time, or why there is none.
    async fn seal(&self, certified_at: Result<i64, Reason>) -> Result<Vec<u8>, Fault> {
        let (service, applicant, keyring) =
            (Arc::clone(&self.service), Arc::clone(&self.applicant), Arc::clone(&self.keyring));
        let (device, again) = (self.device, self.again);
        let certified_at = certified_at.map_err(|reason| (reason, again));
        self.service.compute(self.source, move || seal(&service, &applicant, &keyring, device, certified_at)).await?
    }
}

impl Matter for Certifying {
    /// The device of these keys, and that of the keys in whose place they come.
    type Found = (Option<KnownDevice>, Option<KnownDevice>);
    type Write = (CertifiedDevice, Vec<u8>);

    fn service(&self) -> &Service {
        &self.service
    }

    fn payer(&self) -> Option<Payer> {
        Some(Payer { source: self.source, device: None, account: None })
    }

    /// A device that was copied is made anew here, and one that is refused may learn again how it was answered before.
    async fn enter(&mut self) -> Result<Result<Exchange, Reason>, Fault> {
        Ok(Ok(self.applicant.exchange.clone()))
    }

    async fn refuse(&self, reason: Reason) -> Result<Vec<u8>, Fault> {
        self.seal(Err(reason)).await
    }

    async fn look(&mut self, exchange: &Exchange) -> Result<Looked<Self::Found>, Fault> {
        let (prior, known, old) = self.service.store.known_device(exchange.clone(), self.replaces()).await?;
        // A revoked device may learn again how it was answered; whether it gets anything new is decided.
        Ok(Looked { revoked: false, prior, found: (known, old) })
    }

    async fn decide(&mut self, exchange: &Exchange, (known, old): Self::Found) -> Result<Step<Self::Write>, Fault> {
        let applicant = &*self.applicant;
        let before = applicant.before.as_deref();
        self.device = match (&known, applicant.certified) {
            (Some(KnownDevice { device_id, .. }), _) => *device_id,
            (None, Some(certified)) => certified,
            (None, None) => before.map_or_else(DeviceId::random, |before| Ok(before.device_id))?,
        };
        if let Some(reason) = refusal(&self.service, applicant, known.as_ref(), old.as_ref()) {
            return Ok(Step::Refuse(reason));
        }
        self.is_new = known.is_none() && old.is_none() && applicant.certified.is_none();
        let wait = self.service.quotas.wait_for_device(self.source, exchange.now).filter(|_| self.is_new);
        self.again = wait.map(|wait| exchange.now.saturating_add_unsigned(wait));
        if self.again.is_some() {
            return Ok(Step::Refuse(Reason::QuotaUsedUp));
        }
        let certified_at = certified_at(before, exchange.now, old.as_ref());
        let device = CertifiedDevice {
            device_id: self.device,
            security_version: applicant.request.client.security_version.clone(),
            assurance: applicant.assurance as u8,
            certified_at,
            replaces: self.replaces(),
            name: applicant.request.client.device_name.clone(),
        };
        Ok(Step::Commit((device, self.seal(Ok(certified_at)).await?)))
    }

    async fn commit(&mut self, exchange: Exchange, (device, answer): Self::Write) -> Result<Brought, Fault> {
        let standing = exchange.standing.clone();
        Ok((self.service.store.certify(exchange, device, answer.clone()).await?, standing, answer))
    }

    fn written(&self) {
        if self.is_new {
            self.service.quotas.spend_device(self.source, self.applicant.exchange.now);
        }
        count(&self.service.metrics.devices, 1);
    }
}

/// Of two keys of a device the later certified one counts, so new keys are certified after all that the old ones have.
fn certified_at(before: Option<&DeviceCertificate>, now: i64, old: Option<&KnownDevice>) -> i64 {
    let Some(before) = before else { return now };
    let last = old.map_or(before.issued_at, |old| old.certified_at.max(before.issued_at));
    now.max(last.saturating_add(1))
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
    let asked = Endpoint::Individualize;
    let own = role_key(keyring, asked.role())?;
    let document = Request::parse(bytes, asked.request_cap());
    let document = document.map_err(|_| Fault::BadRequest("The document is malformed."))?;
    let request = Request::decode_unverified(&document);
    let request = request.map_err(|_| Fault::BadRequest("The content of the document is malformed."))?;
    if request.audience != own.certificate.service_id {
        return Err(Fault::BadRequest("The request is for another service."));
    }
    let Body::Individualize { keys, assurance, consent, current, rekey } = &request.body else {
        return Err(OTHER);
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
    device_id: DeviceId,
    certified_at: Result<i64, (Reason, Option<i64>)>,
) -> Result<Vec<u8>, Fault> {
    let own = role_key(keyring, Role::Individualization)?;
    let Exchange { thumbprint, transaction, page, request_hash, now, .. } = applicant.exchange;
    let mut answer = Answer::to(transaction, page, request_hash, thumbprint, now);
    let mut beside = Beside::default();
    match certified_at {
        Err((reason, again)) => {
            answer.outcome = Outcome::Refused;
            answer.refusals = vec![Refusal { again, ..whole(reason, Some(&service.presence.support_url)) }];
        }
        Ok(issued_at) => {
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
