//! Fetching the service document. What it says is remembered in `documents.rs`.

use super::{AnswerFault, SessionError};
use crate::client::Client;
use crate::documents::Known;
use crate::operation::Context;
use crate::transport::{HttpRequest, Transport, url};
use std::sync::Arc;
use wmlicense_wire::{endpoint, service_document};

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
    let place = url::join(base, endpoint::SERVICE_DOCUMENT);
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
