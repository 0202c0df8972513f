//! A request that survives crashes: stored before it is sent, sent again byte for byte, ended once.

use super::{Question, Session, SessionError};
use crate::device::DeviceIdentity;
use crate::event::HttpPhase;
use crate::store::{Recipe, StoreError, Transaction, TransactionState};
use wmlicense_wire::answer::{Envelope, Verified};
use wmlicense_wire::certificate::DeviceCertificate;
use wmlicense_wire::endpoint::Endpoint;
use wmlicense_wire::id::{Digest, TransactionId};
use wmlicense_wire::request::Body;

/// The pending request with this wish, if there is one that the device's keys signed.
pub(crate) fn pending(
    session: &Session<'_>,
    wish: Digest,
    identity: &DeviceIdentity,
) -> Result<Option<Question>, SessionError> {
    match session.client().store.pending(wish)? {
        Some(pending) => resumed(session, pending, identity),
        None => Ok(None),
    }
}

/// A stored request; one that cannot be sent any more is ended.
pub(crate) fn resumed(
    session: &Session<'_>,
    stored: Transaction,
    identity: &DeviceIdentity,
) -> Result<Option<Question>, SessionError> {
    let id = stored.id;
    let question = match Question::resume(stored.request, identity) {
        Some(question) => {
            let audience = session.service(question.endpoint().role())?.service_id;
            let is_theirs = stored.authority == session.authority() && question.content.audience == audience;
            is_theirs.then_some(question)
        }
        None => None,
    };
    if question.is_none() && stored.authority == session.authority() {
        session.client().store.set_transaction_state(id, TransactionState::Expired)?;
    }
    Ok(question)
}

/// Signs a request and stores it durably.
pub(crate) fn prepare(
    session: &Session<'_>,
    wish: Digest,
    body: Body,
    identity: &DeviceIdentity,
    certificate: Option<&DeviceCertificate>,
) -> Result<Question, SessionError> {
    let id = TransactionId::random().map_err(|_| SessionError::Keys)?;
    let question = session.sign(id, 0, body, identity, certificate)?;
    let client = session.client();
    let prepared = Transaction {
        id,
        authority: session.authority(),
        url: session.url(question.endpoint()),
        wish,
        request: question.bytes.clone(),
        state: TransactionState::Prepared,
        created_at: client.clock.now(),
    };
    match recipe(session, &question.content.body) {
        Some(recipe) => client.store.prepare_with(&prepared, &recipe)?,
        None => client.store.prepare(&prepared)?,
    }
    Ok(question)
}

/// With what the licenses that a request brings can be asked for again, without their content.
fn recipe(session: &Session<'_>, body: &Body) -> Option<Recipe> {
    match body {
        Body::Licenses { header, scope, actions, custom, .. } => Some(Recipe {
            url: session.base().to_owned(),
            scope: scope.clone(),
            actions: actions.clone(),
            header: header.clone(),
            custom: custom.clone(),
        }),
        // What is renewed keeps the recipe that it came with.
        Body::Renewals { .. }
        | Body::Individualize { .. }
        | Body::Returns { .. }
        | Body::RestorePreview { .. }
        | Body::Revocations { .. }
        | Body::Mailbox { .. }
        | Body::Restore { .. } => None,
    }
}

/// True if requests to it are held against the newest epoch.
const fn has_epochs(endpoint: Endpoint) -> bool {
    match endpoint {
        Endpoint::Licenses | Endpoint::Renewals | Endpoint::Returns | Endpoint::Restores => true,
        Endpoint::Individualize | Endpoint::RestorePreview | Endpoint::Revocations | Endpoint::Mailbox => false,
    }
}

impl Session<'_> {
    /// Keeps the epoch of a verified answer that brings nothing to be stored with it.
    pub(crate) fn note_epoch(&self, verified: &Verified<'_>) -> Result<(), SessionError> {
        let (answer, service) = (&verified.answer, verified.signer.service_id);
        if let Some(epoch) = answer.epoch {
            self.client.store.note_epoch(service, epoch, answer.issued_at)?;
        }
        Ok(())
    }
}

/// A stored request as it is to be sent: signed anew if the epoch moved since it was made, so that nobody takes this device
/// for a copy of itself. One that waits for its user is known to the service and stays as it is.
pub(crate) fn fresh(
    session: &Session<'_>,
    question: Question,
    identity: &DeviceIdentity,
) -> Result<Question, SessionError> {
    let (client, id) = (session.client(), question.content.transaction);
    let newest = client.store.epoch(question.content.audience)?.filter(|_| has_epochs(question.endpoint()));
    let Some(newest) = newest.filter(|newest| question.content.epoch != Some(*newest)) else { return Ok(question) };
    let anew = question.anew(newest, client.clock.now(), identity)?;
    if client.store.sign_anew(id, &question.bytes, &anew.bytes)? {
        return Ok(anew);
    }
    let stored = client.store.transaction(id)?;
    let stored = stored.and_then(|stored| Question::resume(stored.request, identity));
    Ok(stored.unwrap_or(question))
}

/// Sends the request. Where the service knows the transaction with other bytes, because an answer to the request before it was
/// signed anew got lost, it gets those.
pub(crate) fn send(
    session: &mut Session<'_>,
    question: &mut Question,
    progress: Option<&dyn Fn(HttpPhase, u64, u64)>,
) -> Result<Envelope, SessionError> {
    let result = session.exchange(question, progress);
    if matches!(&result, Err(error) if error.is_conflict())
        && let Some(other) = session.client().store.other_request(question.content.transaction, &question.bytes)?
    {
        question.bytes = other;
        return session.exchange(question, progress);
    }
    result
}

/// Sends the request. A refusal that no repetition mends ends the transaction; anything else leaves it pending.
pub(crate) fn exchange(
    session: &mut Session<'_>,
    question: &mut Question,
    progress: Option<&dyn Fn(HttpPhase, u64, u64)>,
) -> Result<Envelope, SessionError> {
    session.client().store.mark_sent(question.content.transaction)?;
    let result = send(session, question, progress);
    if let Err(error) = &result
        && let Some(end) = error.transaction_end()
    {
        self::end(session, question, end)?;
    }
    result
}

/// Verifies an answer to the request. One that can never become good ends the transaction.
pub(crate) fn verify<'e>(
    session: &Session<'_>,
    question: &Question,
    envelope: &'e Envelope,
) -> Result<Verified<'e>, SessionError> {
    let result = session.verify(envelope, question);
    if let Err(error) = &result
        && session.is_final(error, envelope, question)
    {
        self::end(session, question, TransactionState::Refused)?;
    }
    result
}

/// Moves the request's transaction to another state, unless another thread or process ended it meanwhile.
pub(crate) fn end(session: &Session<'_>, question: &Question, state: TransactionState) -> Result<(), StoreError> {
    match session.client().store.set_transaction_state(question.content.transaction, state) {
        Ok(()) | Err(StoreError::NoTransaction) => Ok(()),
        Err(error) => Err(error),
    }
}
