//! A device that speaks the protocol with a real service: individualizes, acquires, backs up into memory, restores.

use std::time::{SystemTime, UNIX_EPOCH};
use ureq::http::Response;
use wmlicense_wire::answer::{Answer, Envelope, Expected, OpenedLicense, Outcome};
use wmlicense_wire::backup::page::{PageBuilder, PageKey};
use wmlicense_wire::backup::{ContentKeys, Record, SectionKeys, ServiceTicket, Ticket};
use wmlicense_wire::certificate::{Assurance, DeviceCertificate, DeviceKeys, Directory, Role};
use wmlicense_wire::id::{BackupId, DeviceId, Digest, Kid, Lid, SignerId, TransactionId, UserId};
use wmlicense_wire::kem::{HpkePrivateKey, Suite};
use wmlicense_wire::key::{Signer as _, SigningKey};
use wmlicense_wire::license::State;
use wmlicense_wire::problem::{Problem, ProblemKind};
use wmlicense_wire::rekey::Rekey;
use wmlicense_wire::request::{Body, ClientInfo, Request, RestoreBatch, RestorePage, RestoreSource};
use wmlicense_wire::service_document::ServiceDocument;

pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

pub fn kid(hex: &str) -> Kid {
    Kid::from_hex(hex).unwrap()
}

/// An answer over HTTP.
pub struct Reply {
    pub status: u16,
    pub content_type: String,
    pub request_id: Option<String>,
    pub retry_after: Option<String>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn read(response: Response<ureq::Body>) -> Self {
        Self::try_read(response).unwrap()
    }

    fn try_read(mut response: Response<ureq::Body>) -> Result<Self, ureq::Error> {
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (content_type, request_id) = (header("content-type").unwrap_or_default(), header("x-request-id"));
        let (status, retry_after) = (response.status().as_u16(), header("retry-after"));
        let body = response.body_mut().with_config().limit(16 << 20).read_to_vec()?;
        Ok(Self { status, content_type, request_id, retry_after, body })
    }

    pub fn problem(&self) -> ProblemKind {
        assert_eq!(self.content_type, "application/problem+json");
        let problem = Problem::parse(&self.body).unwrap();
        assert_eq!(problem.status, self.status);
        assert_eq!(problem.request_id, self.request_id);
        kind(&problem)
    }

    /// The body of an answer that is not a problem.
    pub fn granted(self) -> Vec<u8> {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        assert_eq!(self.content_type, "application/cose");
        self.body
    }
}

/// The kind of a problem, which its type and its number both say.
pub fn kind(problem: &Problem) -> ProblemKind {
    let name = problem.kind.strip_prefix("urn:wmlicense:problem:").unwrap();
    let kind = ProblemKind::ALL.into_iter().find(|kind| kind.name() == name).unwrap();
    assert_eq!(problem.code, kind.code());
    kind
}

pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).build().new_agent()
}

pub fn get(url: &str) -> Reply {
    Reply::read(agent().get(url).call().unwrap())
}

/// A service as a client knows it.
#[derive(Clone)]
pub struct Known {
    pub url: String,
    pub document: ServiceDocument,
    pub directory: Directory,
    agent: ureq::Agent,
}

impl Known {
    pub fn discover(url: &str, authority: Digest) -> Self {
        Self::try_discover(url, authority).unwrap()
    }

    /// `None` where nobody answers.
    pub fn try_discover(url: &str, authority: Digest) -> Option<Self> {
        let bytes = Reply::try_read(agent().get(format!("{url}/.well-known/wmlicense")).call().ok()?).ok()?.granted();
        let (document, directory) = ServiceDocument::parse(&bytes, &[authority]).unwrap();
        Some(Self { url: url.to_owned(), document, directory, agent: agent() })
    }

    pub fn post(&self, name: &str, body: &[u8], token: Option<&str>) -> Reply {
        self.try_post(name, body, token).unwrap()
    }

    pub fn try_post(&self, name: &str, body: &[u8], token: Option<&str>) -> Result<Reply, ureq::Error> {
        let url = self.document.url(name).unwrap();
        let mut request = self.agent.post(url).content_type("application/cose");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        Reply::try_read(request.send(body)?)
    }
}

/// A device without or with a certificate.
pub struct Device {
    pub signing: SigningKey,
    pub hpke: HpkePrivateKey,
    pub certificate: Option<DeviceCertificate>,
}

/// A license with the signed answer that it came in.
pub struct Held {
    pub signed: Vec<u8>,
    pub license: OpenedLicense,
}

/// One section of a backup, as it is in memory.
#[derive(Clone)]
pub struct Backup {
    pub source: RestoreSource,
    pub batches: Vec<RestoreBatch>,
    pub certificates: Vec<Vec<u8>>,
    pub meta: [u8; 32],
}

impl Device {
    pub fn new() -> Self {
        let (signing, hpke) = (SigningKey::generate().unwrap(), HpkePrivateKey::generate(Suite::XWing).unwrap());
        Self { signing, hpke, certificate: None }
    }

    /// A device with a certificate.
    pub fn individualized(known: &Known) -> Self {
        let mut device = Self::new();
        device.individualize(known);
        device
    }

    pub fn keys(&self) -> DeviceKeys {
        DeviceKeys { signing: *self.signing.verifying_key(), hpke: self.hpke.public_key().clone() }
    }

    pub fn thumbprint(&self) -> SignerId {
        self.keys().thumbprint()
    }

    pub fn id(&self) -> DeviceId {
        self.certificate.as_ref().unwrap().device_id
    }

    pub fn request(&self, known: &Known, role: Role, body: Body) -> Request {
        Request {
            audience: known.directory.services().iter().find(|service| service.role == role).unwrap().service_id,
            time: now(),
            transaction: TransactionId::random().unwrap(),
            page: 0,
            cursor: None,
            epoch: None,
            status_number: None,
            held: Vec::new(),
            client: ClientInfo { library: "test".into(), security_version: "1.0.0.0".into(), ..ClientInfo::default() },
            device_certificate: self.certificate.as_ref().map(|certificate| certificate.bytes.clone()),
            body,
        }
    }

    pub fn sign(&self, request: &Request) -> Vec<u8> {
        request.sign(&self.signing, self.thumbprint()).unwrap()
    }

    /// Verifies an answer as a client does: certificates, signer, request, licenses.
    pub fn verify(
        &self,
        known: &Known,
        role: Role,
        request: &[u8],
        transaction: TransactionId,
        answer: &[u8],
    ) -> (Answer, Vec<OpenedLicense>, Envelope) {
        self.verify_page(known, role, request, (transaction, 0), answer)
    }

    /// As [`Self::verify`], of a page.
    pub fn verify_page(
        &self,
        known: &Known,
        role: Role,
        request: &[u8],
        (transaction, page): (TransactionId, u32),
        answer: &[u8],
    ) -> (Answer, Vec<OpenedLicense>, Envelope) {
        let envelope = Envelope::parse(answer).unwrap();
        let mut directory = known.directory.clone();
        for certificate in &envelope.certificates {
            directory.add(certificate).unwrap();
        }
        let expected = Expected {
            role,
            transaction,
            page,
            request_hash: Digest::of(request),
            thumbprint: self.thumbprint(),
            floor: 0,
        };
        let verified = envelope.verify(&expected, &directory).unwrap();
        let device_id = self.certificate.as_ref().map_or(DeviceId::new([0; 16]), |certificate| certificate.device_id);
        let licenses = verified.open_licenses(&self.hpke, device_id, &directory).unwrap();
        let answer = verified.answer.clone();
        (answer, licenses, envelope)
    }

    pub fn individualize_request(&self, known: &Known, consent: bool) -> Request {
        let keys = self.keys();
        let current = self.certificate.as_ref().map(|certificate| certificate.bytes.clone());
        let body = Body::Individualize { keys, assurance: Assurance::File, consent, current, rekey: None };
        self.request(known, Role::Individualization, body)
    }

    /// Asks for this device's certificate for the keys of `new`.
    pub fn rekey_request(&self, known: &Known, new: &Self) -> Request {
        let word = Rekey { successor: new.thumbprint() }.sign(&self.signing, self.thumbprint()).unwrap();
        let current = self.certificate.as_ref().map(|certificate| certificate.bytes.clone());
        let (keys, rekey) = (new.keys(), Some(word));
        let body = Body::Individualize { keys, assurance: Assurance::File, consent: true, current, rekey };
        new.request(known, Role::Individualization, body)
    }

    pub fn individualize(&mut self, known: &Known) -> Answer {
        let request = self.individualize_request(known, true);
        self.certify(known, &request)
    }

    /// Sends a request for a certificate and takes it.
    pub fn certify(&mut self, known: &Known, request: &Request) -> Answer {
        let bytes = self.sign(request);
        let reply = known.post("individualize", &bytes, None).granted();
        let (answer, _, envelope) = self.verify(known, Role::Individualization, &bytes, request.transaction, &reply);
        if let Some(certificate) = envelope.device_certificate {
            self.certificate = Some(known.directory.device(&certificate).unwrap());
        }
        answer
    }

    pub fn licenses_request(&self, known: &Known, kids: &[&str]) -> Request {
        self.request(known, Role::Issuer, licenses(kids.iter().map(|hex| kid(hex)).collect(), None, None))
    }

    /// Asks for all that the account may have, or all of a scope; or what of it changed since a mark.
    pub fn delivery_request(&self, known: &Known, scope: Option<&str>, since: Option<i64>) -> Request {
        self.request(known, Role::Issuer, licenses(Vec::new(), scope.map(str::to_owned), since))
    }

    /// Sends a page of a request to the issuer, and where that decided something once more: that must say the same.
    pub fn ask(&self, known: &Known, request: &Request, token: Option<&str>) -> (Answer, Vec<Held>) {
        let name = if matches!(request.body, Body::Renewals { .. }) { "renewals" } else { "licenses" };
        let (bytes, place) = (self.sign(request), (request.transaction, request.page));
        let reply = known.post(name, &bytes, token).granted();
        let (answer, licenses, envelope) = self.verify_page(known, Role::Issuer, &bytes, place, &reply);
        if answer.outcome == Outcome::Done || !answer.withdrawn.is_empty() {
            let again = known.post(name, &bytes, token).granted();
            if again != reply {
                let (told, same, _) = self.verify_page(known, Role::Issuer, &bytes, place, &again);
                let said = |answer: &Answer| (answer.outcome.clone(), answer.withdrawn.clone(), answer.since);
                assert_eq!((said(&told), told.next_cursor), (said(&answer), answer.next_cursor.clone()));
                let policy = |opened: &OpenedLicense| opened.license.policy.clone();
                assert!(same.iter().map(policy).eq(licenses.iter().map(policy)), "the same request got other licenses");
            }
        }
        (answer, licenses.into_iter().map(|license| Held { signed: envelope.signed.clone(), license }).collect())
    }

    pub fn acquire(&self, known: &Known, kids: &[&str], token: Option<&str>) -> (Answer, Vec<Held>) {
        let request = self.licenses_request(known, kids);
        let bytes = self.sign(&request);
        let reply = known.post("licenses", &bytes, token).granted();
        let (answer, licenses, envelope) = self.verify(known, Role::Issuer, &bytes, request.transaction, &reply);
        let held = licenses.into_iter().map(|license| Held { signed: envelope.signed.clone(), license });
        (answer, held.collect())
    }

    /// A section with these licenses, one batch each.
    pub fn back_up(&self, known: &Known, held: &[Held], user: Option<UserId>) -> Backup {
        self.back_up_as(known, user, |content| {
            let batches = held.iter().enumerate().map(|(number, held)| {
                let license = &held.license;
                let state = license.binding.state.clone().unwrap_or_else(|| State::initial(&license.policy));
                let bytes = license.license.clone();
                let record = Record::seal(number as u64, license.index, bytes, state, &license.key, &content.records);
                RestoreBatch { signed: held.signed.clone(), records: vec![record.encode()], ..RestoreBatch::default() }
            });
            batches.collect()
        })
    }

    /// A section with these licenses, which came in one batch, in one page.
    pub fn back_up_in_page(&self, known: &Known, held: &[Held], user: Option<UserId>) -> Backup {
        self.back_up_as(known, user, |content| {
            let (key, mut page) = (PageKey::random().unwrap(), PageBuilder::default());
            for Held { license, .. } in held {
                let wrapped = key.wrap(license.index, license.license.policy_hash(), &license.key);
                page.push(license.index, &license.license.encode(), &wrapped).unwrap();
            }
            let page =
                RestorePage { number: 0, wrapped_key: content.pages.seal(0, &key), page: page.finish().unwrap() };
            vec![RestoreBatch { signed: held[0].signed.clone(), records: Vec::new(), pages: vec![page] }]
        })
    }

    /// A section with what `batches` seals under its content key.
    pub fn back_up_as(
        &self,
        known: &Known,
        user: Option<UserId>,
        batches: impl FnOnce(&ContentKeys) -> Vec<RestoreBatch>,
    ) -> Backup {
        let keys = SectionKeys::random().unwrap();
        let (batches, meta) = (batches(&ContentKeys::of(&keys.content)), *keys.meta.as_bytes());
        let backup_id = BackupId::random().unwrap();
        let services = known.directory.services();
        let management = services.iter().find(|service| service.role == Role::Management).unwrap();
        let (device_id, thumbprint) = (self.id(), self.thumbprint());
        let ticket = ServiceTicket { keys, device_id, thumbprint, user, created_at: now() };
        let ticket = Ticket::for_service(management.backup_key.as_ref().unwrap(), backup_id, 0, &ticket).unwrap();
        let certificates = services.iter().map(|service| service.bytes.clone()).collect();
        Backup { source: RestoreSource { backup_id, section: 0, ticket }, batches, certificates, meta }
    }

    pub fn restore_request(&self, known: &Known, backup: &Backup) -> Request {
        let body = Body::Restore {
            source: backup.source.clone(),
            header_hash: Digest::new([0; 32]),
            batches: backup.batches.clone(),
            certificates: backup.certificates.clone(),
            usage: Vec::new(),
        };
        self.request(known, Role::Management, body)
    }

    pub fn restore(&self, known: &Known, backup: &Backup, token: Option<&str>) -> (Answer, Vec<Held>) {
        let request = self.restore_request(known, backup);
        let bytes = self.sign(&request);
        let reply = known.post("restores", &bytes, token).granted();
        let (answer, licenses, envelope) = self.verify(known, Role::Management, &bytes, request.transaction, &reply);
        let held = licenses.into_iter().map(|license| Held { signed: envelope.signed.clone(), license });
        (answer, held.collect())
    }

    /// Previews a restore: the answer, and the section's key if it was given.
    pub fn preview(
        &self,
        known: &Known,
        backup: &Backup,
        lids: Vec<Lid>,
        token: Option<&str>,
    ) -> (Answer, Option<[u8; 32]>) {
        let body = Body::RestorePreview { source: backup.source.clone(), lids, usage: Vec::new() };
        self.ask_preview(known, backup, body, token)
    }

    /// As [`Self::preview`], with a body of the test's own.
    pub fn ask_preview(
        &self,
        known: &Known,
        backup: &Backup,
        body: Body,
        token: Option<&str>,
    ) -> (Answer, Option<[u8; 32]>) {
        let request = self.request(known, Role::Management, body);
        let bytes = self.sign(&request);
        let reply = known.post("restores/preview", &bytes, token).granted();
        let envelope = Envelope::parse(&reply).unwrap();
        let expected = Expected {
            role: Role::Management,
            transaction: request.transaction,
            page: 0,
            request_hash: Digest::of(&bytes),
            thumbprint: self.thumbprint(),
            floor: 0,
        };
        let verified = envelope.verify(&expected, &known.directory).unwrap();
        let meta = verified.open_unlock(&self.hpke, backup.source.backup_id, backup.source.section).unwrap();
        (verified.answer.clone(), meta.map(|key| *key.as_bytes()))
    }
}

fn licenses(kids: Vec<Kid>, scope: Option<String>, since: Option<i64>) -> Body {
    let actions = vec!["Play".into()];
    Body::Licenses { kids, header: None, scope, since, actions, custom: None, usage: Vec::new() }
}
