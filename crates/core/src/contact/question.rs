//! A signed request and what its answer must match. A resumed request is read back from its bytes, so that the stored
//! bytes alone decide what was asked.

use super::{Credentials, Session, SessionError};
use crate::client::{Client, Settings};
use crate::clock::SinceBoot;
use crate::device::{DeviceIdentity, SECURITY_VERSION};
use wmlicense_wire::answer::Expected;
use wmlicense_wire::endpoint::Endpoint;
use wmlicense_wire::id::{Digest, Epoch, Lid, ServiceId, SignerId, TransactionId};
use wmlicense_wire::license::State;
use wmlicense_wire::request::{self, Body, ClientInfo, Request};

/// Most certificates listed as held.
const MAX_HELD: usize = 256;
/// Room for the states of licenses in a request, in bytes; certificates and what was asked have the rest.
const STATES_ROOM: usize = 44 * 1024;
/// Bytes of a key ID in a request.
const KID_LEN: usize = 17;
/// Bytes of a license in a request beside its state.
const STATE_OVERHEAD: usize = 18;

/// A signed request.
pub struct Question {
    /// The exact bytes to send, the first time and every time.
    pub bytes: Vec<u8>,
    /// What the bytes say.
    pub content: Request,
    /// Device keys that signed it.
    pub thumbprint: SignerId,
    /// When it was made, for the one that was made for this contact; an answer to an earlier one may be an earlier answer.
    pub(super) made_at: Option<SinceBoot>,
}

impl Question {
    /// Where it is asked.
    pub fn endpoint(&self) -> Endpoint {
        self.content.body.endpoint()
    }

    pub(super) fn sign(content: Request, identity: &DeviceIdentity) -> Result<Self, SessionError> {
        let thumbprint = identity.keys.thumbprint();
        let bytes = content.sign(&identity.signing, thumbprint).map_err(|_| SessionError::Keys)?;
        Ok(Self { bytes, content, thumbprint, made_at: None })
    }

    /// The request for the page after this one.
    pub(crate) fn next(
        &self,
        cursor: Vec<u8>,
        epoch: Option<Epoch>,
        now: i64,
        identity: &DeviceIdentity,
    ) -> Result<Self, SessionError> {
        let page = self.content.page.checked_add(1).ok_or(SessionError::Keys)?;
        let content = Request { page, cursor: Some(cursor), epoch, time: now, ..self.content.clone() };
        Self::sign(content, identity)
    }

    /// The same request with the newest epoch of its service.
    pub(super) fn anew(&self, epoch: Epoch, now: i64, identity: &DeviceIdentity) -> Result<Self, SessionError> {
        let content = Request { epoch: Some(epoch), time: now, ..self.content.clone() };
        Self::sign(content, identity)
    }

    /// Reads back a request that this device prepared earlier. `None` if the bytes are not a request of `identity`: another
    /// key pair signed it, or it is damaged.
    pub fn resume(bytes: Vec<u8>, identity: &DeviceIdentity) -> Option<Self> {
        let thumbprint = identity.keys.thumbprint();
        let document = Request::parse(&bytes, request::MAX_RESTORE_LEN).ok()?;
        let content = Request::verify(document, &identity.keys.signing, thumbprint).ok()?;
        Some(Self { bytes, content, thumbprint, made_at: None })
    }

    /// What the answer must match. `floor` is the newest time known from the service.
    pub(super) fn expected(&self, floor: i64) -> Expected {
        Expected {
            role: self.endpoint().role(),
            transaction: self.content.transaction,
            page: self.content.page,
            request_hash: Digest::of(&self.bytes),
            thumbprint: self.thumbprint,
            floor,
        }
    }
}

/// The parts that every request has in common.
pub(super) fn request(
    session: &Session<'_>,
    audience: ServiceId,
    transaction: TransactionId,
    page: u32,
    body: Body,
    device_certificate: Option<Vec<u8>>,
) -> Request {
    let held = session.directory.services().iter().rev().take(MAX_HELD).map(|service| service.hash);
    Request {
        audience,
        time: session.client.clock.now(),
        transaction,
        page,
        cursor: None,
        epoch: newest_epoch(session.client, audience, &body),
        // Without the number the service only sends more than it had to.
        status_number: session.client.store.status_number(session.authority()).ok().flatten(),
        held: held.collect(),
        client: client_info(session.settings),
        device_certificate,
        body,
    }
}

/// The epoch that a request names. Who individualizes the device does not ask for one.
fn newest_epoch(client: &Client, audience: ServiceId, body: &Body) -> Option<Epoch> {
    match body {
        Body::Individualize { .. } | Body::Mailbox { .. } => None,
        // Without it the request is one that a copy could have made, which the service forgives a few times.
        Body::Licenses { .. }
        | Body::Renewals { .. }
        | Body::Returns { .. }
        | Body::RestorePreview { .. }
        | Body::Revocations { .. }
        | Body::Restore { .. } => client.store.epoch(audience).ok().flatten(),
    }
}

fn client_info(settings: &Settings) -> ClientInfo {
    ClientInfo {
        library: env!("CARGO_PKG_VERSION").to_owned(),
        security_version: SECURITY_VERSION.to_owned(),
        application: settings.application.id.clone(),
        application_level: settings.application.level,
        device_name: settings.device_name.clone(),
    }
}

/// A request that is prepared without a contact, to be sent later.
pub(crate) fn offline(
    client: &Client,
    settings: &Settings,
    audience: ServiceId,
    body: Body,
    credentials: &Credentials,
) -> Result<Question, SessionError> {
    let content = Request {
        audience,
        time: client.clock.now(),
        transaction: TransactionId::random().map_err(|_| SessionError::Keys)?,
        page: 0,
        cursor: None,
        epoch: newest_epoch(client, audience, &body),
        status_number: None,
        held: Vec::new(),
        client: client_info(settings),
        device_certificate: Some(credentials.certificate.bytes.clone()),
        body,
    };
    Question::sign(content, &credentials.identity)
}

/// True if one request has room for so many key IDs and all of these licenses.
pub(crate) fn has_room(kids: usize, licenses: &[(Lid, State)]) -> bool {
    let states: usize = licenses.iter().map(|(_, state)| STATE_OVERHEAD + state.encode().len()).sum();
    licenses.len() <= request::MAX_NAMED && kids * KID_LEN + states <= STATES_ROOM
}

/// How many of these licenses, from the first on, one request has room for.
pub(crate) fn fitting(licenses: &[(Lid, State)]) -> usize {
    let mut room = STATES_ROOM;
    let fits = |(_, state): &&(Lid, State)| {
        let left = room.checked_sub(STATE_OVERHEAD + state.encode().len());
        room = left.unwrap_or(0);
        left.is_some()
    };
    licenses.iter().take(request::MAX_NAMED).take_while(fits).count()
}
