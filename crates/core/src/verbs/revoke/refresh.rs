//! The whole way online: newest status list, the device's blob, and its acknowledgement.

use super::{RevokeError, authority_of, take, unreadable};
use crate::client::{Client, Settings};
use crate::contact::status_list::take_status_list;
use crate::contact::{AnswerFault, Credentials, Session, SessionError, given};
use crate::operation::Context;
use crate::verbs::individualize::valid_credentials;
use wmlicense_wire::answer::{Envelope, Outcome};
use wmlicense_wire::endpoint::{Endpoint, STATUS_LIST};
use wmlicense_wire::id::TransactionId;
use wmlicense_wire::request::Body;
use wmlicense_wire::revocation::Revocation;
use wmlicense_wire::status_list;

/// What a refresh brought.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refreshed {
    /// Licenses removed.
    pub removed: u64,
    /// Number of the status list that is kept.
    pub status_number: Option<u64>,
    /// Number of the blob that was acknowledged; none where nothing was ever taken back.
    pub acknowledged: Option<u64>,
}

/// Asks the service for the newest status list and for what was taken back from this device, takes both, and sends the
/// acknowledgement. What was taken stays taken where a later step fails; the next refresh goes on from there.
pub fn refresh(client: &Client, settings: &Settings, context: &Context) -> Result<Refreshed, RevokeError> {
    let mut session = Session::connect(client, settings, None, context)?;
    let authority = session.authority();
    let list = session.fetch(STATUS_LIST, None, status_list::MAX_LEN)?;
    if !list.is_empty() {
        take_status_list(client, authority, &list)?;
    }
    let credentials = valid_credentials(&mut session, context)?.ok_or(SessionError::NeedsIndividualization)?;
    let mut refreshed = Refreshed { status_number: client.store.status_number(authority)?, ..Refreshed::default() };
    context.check()?;
    given::fetch(&mut session);
    let Some(blob) = ask(&session, &credentials)? else { return Ok(refreshed) };
    let verified = Revocation::verify(&blob).map_err(unreadable)?;
    if authority_of(client, verified.key)? != Some(authority) {
        return Err(RevokeError::UnknownKey);
    }
    let processed = take(client, &credentials, &verified, &blob)?;
    refreshed.removed = processed.removed;
    let there = Endpoint::Revocations;
    session.fetch(there.name(), Some(&processed.acknowledgement), there.answer_cap())?;
    refreshed.acknowledged = Some(processed.number);
    Ok(refreshed)
}

/// The device's blob; none where nothing was ever taken back from it.
fn ask(session: &Session<'_>, credentials: &Credentials) -> Result<Option<Vec<u8>>, RevokeError> {
    let id = TransactionId::random().map_err(|_| SessionError::Keys)?;
    let Credentials { identity, certificate } = credentials;
    let body = Body::Revocations { machine_id: Vec::new() };
    let question = session.sign(id, 0, body, identity, Some(certificate))?;
    let there = question.endpoint();
    let bytes = session.fetch(there.name(), Some(&question.bytes), there.answer_cap())?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let Ok(envelope) = Envelope::parse(&bytes) else { return Ok(Some(bytes)) };
    let verified = session.verify(&envelope, &question)?;
    let refusal = verified.answer.refusals.into_iter().next();
    match (verified.answer.outcome, refusal) {
        (Outcome::Refused, Some(refusal)) => Err(RevokeError::Refused { reason: refusal.reason, url: refusal.url }),
        _ => Err(AnswerFault::Undecided.into()),
    }
}
