//! A signed request and what its answer must match. A resumed request is read back from its bytes, so that the stored
//! bytes alone decide what was asked.

use super::{Endpoint, Session, SessionError};
use crate::device::DeviceIdentity;
use crate::individualize::SECURITY_VERSION;
use wmlicense_wire::answer::Expected;
use wmlicense_wire::id::{Digest, ServiceId, SignerId, TransactionId};
use wmlicense_wire::request::{self, Body, ClientInfo, Request};

/// Most certificates listed as held.
const MAX_HELD: usize = 256;

/// A signed request.
pub struct Question {
    /// What is asked.
    pub endpoint: Endpoint,
    /// The exact bytes to send, the first time and every time.
    pub bytes: Vec<u8>,
    /// What the bytes say.
    pub content: Request,
    /// Device keys that signed it.
    pub thumbprint: SignerId,
}

impl Question {
    pub(super) fn sign(endpoint: Endpoint, content: Request, identity: &DeviceIdentity) -> Result<Self, SessionError> {
        let thumbprint = identity.keys.thumbprint();
        let bytes = content.sign(&identity.signing, thumbprint).map_err(|_| SessionError::Keys)?;
        Ok(Self { endpoint, bytes, content, thumbprint })
    }

    /// Reads back a request that this device prepared earlier. `None` if the bytes are not a request of `identity`: another
    /// key pair signed it, or it is damaged.
    pub fn resume(endpoint: Endpoint, bytes: Vec<u8>, identity: &DeviceIdentity) -> Option<Self> {
        let thumbprint = identity.keys.thumbprint();
        let document = Request::parse(&bytes, request::MAX_RESTORE_LEN).ok()?;
        let content = Request::verify(document, &identity.keys.signing, thumbprint).ok()?;
        Some(Self { endpoint, bytes, content, thumbprint })
    }

    /// What the answer must match.
    pub(super) fn expected(&self) -> Expected {
        Expected {
            role: self.endpoint.role(),
            transaction: self.content.transaction,
            page: self.content.page,
            request_hash: Digest::of(&self.bytes),
            thumbprint: self.thumbprint,
            // No time of this service is known from before.
            floor: 0,
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
        epoch: None,
        status_number: None,
        held: held.collect(),
        client: ClientInfo {
            library: env!("CARGO_PKG_VERSION").to_owned(),
            security_version: SECURITY_VERSION.to_owned(),
            application: session.settings.application_id.clone(),
            application_level: session.settings.application_level,
        },
        device_certificate,
        body,
    }
}
