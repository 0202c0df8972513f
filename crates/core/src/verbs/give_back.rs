//! Deleting licenses for good: here at once and without a network, at their service when there is one. The queue between is
//! the store's.

use crate::client::{Client, Settings};
use crate::contact::{Credentials, Question, Session, SessionError, fitting, offline, transaction};
use crate::device::DeviceIdentity;
use crate::operation::Context;
use crate::store::{GiveBackTo, QueuedGiveBack, StoreError, Transaction, TransactionState};
use std::sync::Arc;
use wmlicense_wire::answer::Outcome;
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Digest, Kid, Lid};
use wmlicense_wire::license::State;
use wmlicense_wire::request::Body;

/// What was deleted for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deleted {
    /// Number of licenses.
    pub licenses: u64,
    /// Where they wait to be given back to, each once.
    pub places: Vec<GiveBackTo>,
}

/// Deletes the licenses of a key ID for good and queues the request that gives them back; one commit, no network. Gives the
/// number of licenses. Where it fails they are still there: no service is asked, so what fails is the store or the keys.
pub fn delete(client: &Client, settings: &Settings, kid: Kid) -> Result<u64, SessionError> {
    delete_with_places(client, settings, kid).map(|deleted| deleted.licenses)
}

/// As [`delete`], and gives with the number where they wait to be given back to.
pub fn delete_with_places(client: &Client, settings: &Settings, kid: Kid) -> Result<Deleted, SessionError> {
    let mut places = Vec::new();
    let licenses = client.store.give_back(kid, &mut |place, licenses, earlier| {
        // Without a certificate there is nobody whose licenses these could be at the service.
        let Some(credentials) = Credentials::load(client, place.authority)? else { return Ok(None) };
        let queued = queue(client, settings, &credentials, place, licenses, earlier)?;
        places.push(place.clone());
        Ok::<_, SessionError>(Some(queued))
    })?;
    Ok(Deleted { licenses, places })
}

/// One request for these licenses, and for those of an earlier one that was never sent, if there is room.
fn queue(
    client: &Client,
    settings: &Settings,
    credentials: &Credentials,
    place: &GiveBackTo,
    mut licenses: Vec<(Lid, State)>,
    earlier: Option<Vec<u8>>,
) -> Result<QueuedGiveBack, SessionError> {
    let earlier = earlier.and_then(|bytes| Question::resume(bytes, &credentials.identity));
    let mut replaces_earlier = false;
    if let Some(Body::Returns { licenses: waiting }) = earlier.map(|earlier| earlier.content.body) {
        let both = [waiting, licenses.clone()].concat();
        replaces_earlier = fitting(&both) == both.len();
        if replaces_earlier {
            licenses = both;
        }
    }
    let question = offline(client, settings, place.issuer, Body::Returns { licenses }, credentials)?;
    Ok(QueuedGiveBack {
        transaction: stored(client, place.authority, place.url.as_deref(), &question),
        replaces_earlier,
    })
}

fn stored(client: &Client, authority: Digest, url: Option<&str>, question: &Question) -> Transaction {
    let id = question.content.transaction;
    Transaction {
        id,
        authority,
        url: url.unwrap_or_default().to_owned(),
        wish: Digest::of_parts(&[b"returns\0", id.as_bytes()]),
        request: question.bytes.clone(),
        state: TransactionState::Prepared,
        created_at: client.clock.now(),
    }
}

/// Sends what waits to be given back to the service of this session, and gives the number of requests that it took. What
/// fails stays queued.
pub(crate) fn send(
    session: &mut Session<'_>,
    credentials: &Credentials,
    context: &Context,
) -> Result<u64, SessionError> {
    let issuer = session.service(Role::Issuer)?.service_id;
    let store = &session.client().store;
    let mut sent = 0;
    for queued in store.returns(session.authority(), issuer, session.base())? {
        context.check()?;
        // From here on nothing is added to it. Another thread or process may have been first.
        match store.set_transaction_state(queued.id, TransactionState::Sent) {
            Err(StoreError::NoTransaction) => continue,
            other => other?,
        }
        sent += u64::from(send_one(session, credentials, queued)?);
    }
    Ok(sent)
}

/// Sends one request; false if it can never be answered or is not decided yet.
fn send_one(session: &mut Session<'_>, credentials: &Credentials, queued: Transaction) -> Result<bool, SessionError> {
    let store = &session.client().store;
    let id = queued.id;
    let question = match Question::resume(queued.request.clone(), &credentials.identity) {
        Some(question) => question,
        None => match of_old_keys(session, credentials, &queued)? {
            Some(question) => question,
            None => {
                // Keys that are gone cannot give back, and no other can in their place.
                store.set_transaction_state(id, TransactionState::Expired)?;
                return Ok(false);
            }
        },
    };
    let mut question = transaction::fresh(session, question, &credentials.identity)?;
    let sent = transaction::send(session, &mut question, None);
    let (question, result) = match sent {
        Err(error) if error.is_unknown_device() && is_older(&question, credentials) => {
            let fresh = renewed(session, credentials, &queued, question)?;
            let result = session.exchange(&fresh, None);
            (fresh, result)
        }
        result => (question, result),
    };
    let id = question.content.transaction;
    let envelope = match result {
        Ok(envelope) => envelope,
        Err(error) => {
            // A device that the service does not know today it may know again tomorrow.
            if let Some(end) = error.transaction_end().filter(|_| !error.is_unknown_device()) {
                store.set_transaction_state(id, end)?;
            }
            return Err(error);
        }
    };
    let verified = match session.verify(&envelope, &question) {
        Err(error) if session.is_final(&error, &envelope, &question) => {
            // What is given back is told again, with another request: this one has its answer.
            let sent = Transaction { id, ..queued };
            renewed(session, credentials, &sent, question)?;
            return Err(error);
        }
        result => result?,
    };
    session.note_epoch(&verified)?;
    let end = match verified.answer.outcome {
        Outcome::Done => TransactionState::Answered,
        Outcome::Refused | Outcome::Given => TransactionState::Refused,
        Outcome::Interaction { .. } | Outcome::Later { .. } => TransactionState::Waiting,
    };
    match store.set_transaction_state(id, end) {
        Ok(()) | Err(StoreError::NoTransaction) => Ok(end == TransactionState::Answered),
        Err(error) => Err(error.into()),
    }
}

/// What keys of this device that were replaced since were to give back, signed by the current ones.
fn of_old_keys(
    session: &Session<'_>,
    credentials: &Credentials,
    queued: &Transaction,
) -> Result<Option<Question>, SessionError> {
    let resume = |(_, identity): (Digest, Arc<DeviceIdentity>)| Question::resume(queued.request.clone(), &identity);
    let same = |question: &Question| {
        let certificate = question.content.device_certificate.as_deref();
        let certificate = certificate.and_then(|bytes| session.directory().device(bytes).ok());
        certificate.is_some_and(|certificate| certificate.device_id == credentials.certificate.device_id)
    };
    let old = session.client().device.all_identities().into_iter().find_map(resume).filter(same);
    old.map(|old| renewed(session, credentials, queued, old)).transpose()
}

/// True if the request was signed with another certificate than the current one.
fn is_older(question: &Question, credentials: &Credentials) -> bool {
    question.content.device_certificate.as_ref() != Some(&credentials.certificate.bytes)
}

/// The same request with the current certificate, in place of the old one.
fn renewed(
    session: &Session<'_>,
    credentials: &Credentials,
    queued: &Transaction,
    old: Question,
) -> Result<Question, SessionError> {
    let client = session.client();
    let fresh = offline(client, session.settings(), old.content.audience, old.content.body, credentials)?;
    client.store.requeue_give_back(queued, &stored(client, queued.authority, Some(&queued.url), &fresh))?;
    Ok(fresh)
}
