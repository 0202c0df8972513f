//! One contact with a service: its document, certificates and URLs, and the exchange of a signed request for a verified
//! answer. What is asked and what becomes of the answer is up to the operations.

mod account;
mod document;
mod error;
mod fault;
pub(crate) mod given;
mod question;
pub(crate) mod status_list;
mod time;
pub(crate) mod transaction;
mod verdict;

use crate::client::{Client, Settings};
use crate::device::DeviceIdentity;
use crate::documents::Known;
use crate::event::HttpPhase;
use crate::logging::{Level, target};
use crate::operation::Context;
use crate::store::StoreError;
use crate::transport::{HttpRequest, ServiceFailure, Transport, TransportError, url};
use std::sync::Arc;
use wmlicense_wire::answer::Envelope;
use wmlicense_wire::certificate::{DeviceCertificate, Directory, Role, ServiceCertificate};
use wmlicense_wire::endpoint::{self, Endpoint};
use wmlicense_wire::id::{Digest, TransactionId};
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::request::Body;
use wmlicense_wire::service_document::ServiceDocument;

use account::TokenPlaces;
use document::fetch;
pub use error::SessionError;
pub use fault::AnswerFault;
pub use question::Question;
pub(crate) use question::{fitting, has_room, offline};
pub(crate) use time::mend_clock;

/// The device as a service knows it: private keys, and the certificate for them.
#[derive(Clone)]
pub struct Credentials {
    /// Private keys.
    pub identity: Arc<DeviceIdentity>,
    /// Certificate of these keys.
    pub certificate: DeviceCertificate,
}

impl Credentials {
    /// The device's credentials at an authority; `None` if it must be individualized first.
    pub fn load(client: &Client, authority: Digest) -> Result<Option<Self>, StoreError> {
        let Some(certificate) = client.store.device_certificate(authority)? else { return Ok(None) };
        let identity = client.device.identity_of(authority, &certificate.keys, &client.log);
        Ok(identity.map(|identity| Self { identity, certificate }))
    }

    /// True if the certificate is valid at `now` and still will be `margin` seconds later.
    pub(crate) fn hold_at(&self, now: i64, margin: i64) -> bool {
        self.certificate.not_before <= now && now.saturating_add(margin) < self.certificate.not_after
    }
}

/// The URL of a service as it names the service in the store.
fn base<'s>(settings: &'s Settings, url: Option<&'s str>) -> Option<&'s str> {
    url.or(settings.service_url.as_deref()).map(|url| url.trim_end_matches('/')).filter(|url| !url.is_empty())
}

/// True if the settings name a service.
pub(crate) fn is_named(settings: &Settings) -> bool {
    base(settings, None).is_some()
}

/// The authority of the service at `url` (`settings.service_url` if `None`), as far as it is known without a network: from
/// the document kept of an earlier contact, or because the client trusts one authority only.
pub(crate) fn known_authority(
    client: &Client,
    settings: &Settings,
    url: Option<&str>,
) -> Result<Option<Digest>, StoreError> {
    if let Some(base) = base(settings, url)
        && let Some(bytes) = client.store.service_document(base)?
        && let Ok(known) = client.documents.read(&bytes, &client.authorities)
    {
        return Ok(Some(known.directory.authority.hash));
    }
    Ok(match client.authorities.as_slice() {
        [only] => Some(*only),
        _ => None,
    })
}

/// A contact with one service, for one operation.
pub struct Session<'a> {
    client: &'a Client,
    settings: &'a Settings,
    context: &'a Context,
    transport: Box<dyn Transport>,
    base: String,
    /// The service's document and the certificates in it.
    current: Arc<Known>,
    /// The document was fetched in this session.
    fresh: bool,
    /// Everything known under the authority, the certificates above included.
    directory: Directory,
    /// Where the account token may be sent.
    token_places: TokenPlaces,
    /// Transactions of answers that nobody asked for and that were taken, of which the service is not told yet.
    taken: Vec<TransactionId>,
}

impl<'a> Session<'a> {
    /// Finds out who the service at `url` (`settings.service_url` if `None`) is. Asks the network only where no document is
    /// kept that is still good by the clock.
    pub fn connect(
        client: &'a Client,
        settings: &'a Settings,
        url: Option<&str>,
        context: &'a Context,
    ) -> Result<Self, SessionError> {
        context.check()?;
        let base = base(settings, url).ok_or(SessionError::NoService)?.to_owned();
        let transport = client.transport(&settings.network)?;
        let now = client.clock.now();
        let kept = client.store.service_document(&base)?;
        let kept = kept.and_then(|bytes| client.documents.read(&bytes, &client.authorities).ok());
        let (fresh, current) = match kept {
            Some(kept) if (kept.document.issued_at..kept.document.expires_at).contains(&now) => (false, kept),
            known => (true, fetch(client, &*transport, &base, known, context)?),
        };
        let directory = Directory::new(current.directory.authority.clone());
        let token_places = TokenPlaces::of(client, settings, &base, directory.authority.hash)?;
        let taken = Vec::new();
        let mut session =
            Self { client, settings, context, transport, base, current, fresh, directory, token_places, taken };
        session.merge()?;
        session.mend_clock()?;
        Ok(session)
    }

    /// A session that only uses what is kept of earlier contacts, whatever its age, for work without a network.
    pub fn offline(
        client: &'a Client,
        settings: &'a Settings,
        url: Option<&str>,
        context: &'a Context,
    ) -> Result<Self, SessionError> {
        let base = base(settings, url).ok_or(SessionError::NoService)?.to_owned();
        let transport = client.transport(&settings.network)?;
        let kept = client.store.service_document(&base)?.ok_or(SessionError::UnknownService)?;
        let current = client.documents.read(&kept, &client.authorities)?;
        let directory = Directory::new(current.directory.authority.clone());
        let token_places = TokenPlaces::of(client, settings, &base, directory.authority.hash)?;
        let (fresh, taken) = (true, Vec::new());
        let mut session =
            Self { client, settings, context, transport, base, current, fresh, directory, token_places, taken };
        session.merge()?;
        Ok(session)
    }

    /// Takes the document's certificates over into what is known under the authority.
    fn merge(&mut self) -> Result<(), SessionError> {
        let authority = self.authority();
        if self.directory.services().is_empty()
            && let Some(known) = self.client.store.directory(authority)?
        {
            self.directory = Arc::unwrap_or_clone(known);
        }
        let known = self.directory.services().len();
        for service in self.current.directory.services() {
            self.directory.add(&service.bytes)?;
        }
        if self.directory.services().len() > known {
            self.client.store.save_directory(&self.directory)?;
        }
        Ok(())
    }

    /// Asks for the document again; one of another authority is refused for this session.
    fn refresh(&mut self) -> Result<(), SessionError> {
        let known = Some(Arc::clone(&self.current));
        let current = fetch(self.client, &*self.transport, &self.base, known, self.context)?;
        if current.directory.authority.hash != self.authority() {
            return Err(SessionError::AuthorityNotTrusted);
        }
        (self.current, self.fresh) = (current, true);
        self.merge()
    }

    /// URL by which the service is known here.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// SHA-256 of the authority's certificate.
    pub fn authority(&self) -> Digest {
        self.current.directory.authority.hash
    }

    /// All certificates known under the authority.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// What the service says about itself.
    pub fn document(&self) -> &ServiceDocument {
        &self.current.document
    }

    /// Certificate of the service in a role, as the service document has it.
    pub fn service(&self, role: Role) -> Result<&ServiceCertificate, SessionError> {
        let services = self.current.directory.services().iter().filter(|service| service.role == role);
        services.max_by_key(|service| service.issued_at).ok_or_else(|| {
            let message = format!("the service has no {} role", role.name());
            let server_code = ProblemKind::NotFound.code();
            TransportError::Refused(ServiceFailure { message, server_code, ..ServiceFailure::default() }).into()
        })
    }

    /// Where a resource is, by its name in the service document.
    pub(crate) fn place(&self, name: &str) -> String {
        let below = || url::join(&self.base, &endpoint::path(name));
        self.current.document.url(name).map_or_else(below, str::to_owned)
    }

    /// Where an endpoint is.
    pub fn url(&self, endpoint: Endpoint) -> String {
        self.place(endpoint.name())
    }

    /// Credentials of the device at this authority.
    pub fn credentials(&self) -> Result<Option<Credentials>, SessionError> {
        Ok(Credentials::load(self.client, self.authority())?)
    }

    /// A request to the service that is asked such things, signed by the device. `certificate` is absent only when a device
    /// asks for its first one.
    pub fn sign(
        &self,
        transaction: TransactionId,
        page: u32,
        body: Body,
        identity: &DeviceIdentity,
        certificate: Option<&DeviceCertificate>,
    ) -> Result<Question, SessionError> {
        let audience = self.service(body.endpoint().role())?.service_id;
        let certificate = certificate.map(|certificate| certificate.bytes.clone());
        let request = question::request(self, audience, transaction, page, body, certificate);
        let question = Question::sign(request, identity)?;
        Ok(Question { made_at: self.client.clock.since_boot(), ..question })
    }

    /// Sends a request and gives the answer, of which nothing is believed yet but what is beside it and proves itself: the
    /// certificates, which are kept, and what nobody asked for, which is taken. `progress` is told the phase, the bytes received and the bytes expected.
    pub fn exchange(
        &mut self,
        question: &Question,
        progress: Option<&dyn Fn(HttpPhase, u64, u64)>,
    ) -> Result<Envelope, SessionError> {
        let place = self.url(question.endpoint());
        let bytes = match self.send(&place, question, progress) {
            // The document is from an earlier contact; the service may be elsewhere.
            Err(error) if !self.fresh && self.may_have_moved(&place, &error) => {
                self.context.check()?;
                let refreshed = self.refresh();
                let moved = self.url(question.endpoint());
                if refreshed.is_err() || moved == place {
                    return Err(error);
                }
                self.send(&moved, question, progress)?
            }
            result => result?,
        };
        let envelope = Envelope::parse(&bytes)?;
        self.learn(&envelope)?;
        let taken = given::take_beside(self, &envelope);
        self.taken.extend(taken);
        Ok(envelope)
    }

    /// Keeps the certificates beside an answer, which prove themselves.
    pub(crate) fn learn(&mut self, envelope: &Envelope) -> Result<(), SessionError> {
        if let Some(list) = &envelope.status_list
            && let Err(error) = status_list::take_status_list(self.client, self.authority(), list)
        {
            // What the answer says holds without it.
            let text = format_args!("the status list beside an answer was not taken: {error}");
            self.client.log.record(Level::Warn, target::SERVICE, text);
        }
        let known = self.directory.services().len();
        for certificate in &envelope.certificates {
            self.directory.add(certificate)?;
        }
        if self.directory.services().len() > known {
            self.client.store.save_directory(&self.directory)?;
        }
        Ok(())
    }

    fn send(
        &self,
        place: &str,
        question: &Question,
        progress: Option<&dyn Fn(HttpPhase, u64, u64)>,
    ) -> Result<Vec<u8>, SessionError> {
        let token = self.token_for(question.endpoint(), place);
        let (body, cap) = (Some(question.bytes.as_slice()), question.endpoint().answer_cap());
        let sent = self.transport.send(&HttpRequest { url: place, body, token, cap, progress }, self.context);
        let sent = sent.map_err(|error| self.tell_kept_back(place, error));
        // Whoever asks to be certified need not be known.
        match question.endpoint() {
            Endpoint::Individualize => Ok(sent?),
            Endpoint::Licenses
            | Endpoint::Renewals
            | Endpoint::Returns
            | Endpoint::RestorePreview
            | Endpoint::Restores
            | Endpoint::Revocations
            | Endpoint::Mailbox => sent.map_err(SessionError::of_certified),
        }
    }

    /// Gives the body that a resource of the service answers with: after a POST of `body`, else after a GET.
    pub(crate) fn fetch(&self, name: &str, body: Option<&[u8]>, cap: usize) -> Result<Vec<u8>, SessionError> {
        let place = self.place(name);
        let request = HttpRequest { url: &place, body, token: None, cap, progress: None };
        self.transport.send(&request, self.context).map_err(SessionError::of_certified)
    }

    /// True if the service document is worth another look after this failure at `place`.
    fn may_have_moved(&self, place: &str, error: &SessionError) -> bool {
        let SessionError::Transport(error) = error else { return false };
        match error {
            // Where the document comes from is then out of reach as well.
            TransportError::Unreachable(_) | TransportError::Broken(_) => !place.starts_with(&self.base),
            TransportError::NotTheService(_) | TransportError::Redirect(_) => true,
            TransportError::Refused(failure) => failure.http_status == 404,
            TransportError::Cancelled
            | TransportError::DeadlinePassed
            | TransportError::Offline
            | TransportError::Url(_)
            | TransportError::Proxy(_)
            | TransportError::Tls(_)
            | TransportError::TlsDate(_)
            | TransportError::CaptivePortal(_)
            | TransportError::TooLarge
            | TransportError::NoMemory
            | TransportError::NoDescriptor
            | TransportError::Unavailable(_) => false,
        }
    }

    /// What the service is to be told that was taken; it counts as told from here on.
    pub(crate) fn take_taken(&mut self) -> Vec<TransactionId> {
        std::mem::take(&mut self.taken)
    }

    /// The client that this session belongs to.
    pub fn client(&self) -> &'a Client {
        self.client
    }

    /// The operation that this contact is made for.
    pub(crate) fn context(&self) -> &'a Context {
        self.context
    }

    /// The settings that hold for this session.
    pub fn settings(&self) -> &'a Settings {
        self.settings
    }
}
