//! The newest service document of a client, read once: its certificates carry two signatures each, and every operation
//! looks at it.

use super::{AnswerFault, SessionError};
use crate::client::Client;
use crate::operation::Context;
use crate::transport::{HttpRequest, Transport, url};
use std::sync::{Arc, Mutex};
use wmlicense_wire::certificate::Directory;
use wmlicense_wire::id::Digest;
use wmlicense_wire::service_document::{self, ServiceDocument, ServiceDocumentError};

/// Path of the service document below a service URL.
const DOCUMENT_PATH: &str = ".well-known/wmlicense";

/// A document and its verified certificates.
pub(crate) struct Known {
    pub(crate) document: ServiceDocument,
    pub(crate) directory: Directory,
}

/// Remembers what the newest bytes said.
#[derive(Default)]
pub(crate) struct Documents {
    latest: Mutex<Option<(Digest, Arc<Known>)>>,
}

impl Documents {
    /// Reads a document under one of the pinned authorities, which are the same for all calls.
    pub(super) fn read(&self, bytes: &[u8], pins: &[Digest]) -> Result<Arc<Known>, ServiceDocumentError> {
        let hash = Digest::of(bytes);
        let mut latest = self.latest.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some((known, document)) = latest.as_ref()
            && *known == hash
        {
            return Ok(Arc::clone(document));
        }
        let (document, directory) = ServiceDocument::parse(bytes, pins)?;
        let known = Arc::new(Known { document, directory });
        *latest = Some((hash, Arc::clone(&known)));
        Ok(known)
    }
}

/// Fetches, verifies and keeps the service document. One that is older than the known is ignored, so that nobody can take a
/// client back to former certificates; but nothing that is dated over a day ahead of what services told stands in the way of
/// what comes later, or is kept.
pub(super) fn fetch(
    client: &Client,
    transport: &dyn Transport,
    base: &str,
    known: Option<Arc<Known>>,
    context: &Context,
) -> Result<Arc<Known>, SessionError> {
    let place = url::join(base, DOCUMENT_PATH);
    let request = HttpRequest { url: &place, body: None, token: None, cap: service_document::MAX_LEN, progress: None };
    let bytes = transport.send(&request, context)?;
    let fetched = client.documents.read(&bytes, &client.authorities)?;
    let record = client.store.clock_record()?;
    let furthest = record.furthest(client.clock.moment());
    let ahead = |known: &Known| known.document.issued_at > furthest;
    match known {
        Some(known) if ahead(&fetched) && !ahead(&known) => Ok(known),
        Some(known) if fetched.document.issued_at < known.document.issued_at && !ahead(&known) => Ok(known),
        None if ahead(&fetched) => Err(SessionError::BadAnswer(AnswerFault::ServiceClock)),
        Some(_) | None => {
            client.store.save_service_document(base, &bytes, (fetched.document.issued_at, furthest))?;
            Ok(fetched)
        }
    }
}
