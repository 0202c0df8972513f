//! An issuer's answer: verified, opened, held against what was asked, and stored in one commit.

use super::{AcquireError, Acquired};
use crate::session::{Credentials, Question, Session, SessionError, transaction};
use crate::store::{Import, Store, StoreError, TransactionState};
use wmlicense_wire::answer::{Envelope, OpenedLicense, Outcome, Reason, Refusal, Verified};
use wmlicense_wire::id::{Kid, Lid};
use wmlicense_wire::request::Body;

/// Verifies an answer and stores its licenses together with the end of the transaction, in one commit.
pub(super) fn take(
    session: &Session<'_>,
    question: &Question,
    envelope: &Envelope,
    credentials: &Credentials,
) -> Result<Acquired, AcquireError> {
    let store = &session.client().store;
    let transaction = question.content.transaction;
    let mut verified = session.verify(envelope, question)?;
    for refusal in &mut verified.answer.refusals {
        // Of licenses not yet made a service refuses key IDs.
        refusal.kid = refusal.kid.or(refusal.subject.map(Kid::new));
    }
    match &verified.answer.outcome {
        Outcome::Done => {}
        Outcome::Refused => {
            transaction::end(session, question, TransactionState::Refused)?;
            return Err(all_refused(verified.answer.refusals));
        }
        Outcome::Interaction { url } => {
            transaction::end(session, question, TransactionState::Waiting)?;
            return Err(AcquireError::InteractionRequired(url.clone()));
        }
        Outcome::Later { from, until } => {
            transaction::end(session, question, TransactionState::Waiting)?;
            return Err(AcquireError::Later { from: *from, until: *until });
        }
    }
    let opened = open(session, question, &verified, credentials);
    if opened.is_err() {
        // The service itself said this; the same request would only bring it again.
        transaction::end(session, question, TransactionState::Refused)?;
    }
    let licenses = opened?;
    if licenses.is_empty() {
        transaction::end(session, question, TransactionState::Refused)?;
        return Err(all_refused(verified.answer.refusals));
    }
    let names: Vec<(Kid, Lid)> = licenses.iter().map(|license| (license.policy.kid, license.policy.lid)).collect();
    let (authority, end) = (session.authority(), TransactionState::Answered);
    let stored = match store.import(&Import { authority, signed: &envelope.signed, licenses, transaction, end }) {
        Ok(report) => report.stored,
        // Another thread or process asked the same and was first; the licenses are its licenses.
        Err(StoreError::NoTransaction) => count_stored(store, &names)?,
        Err(error) => return Err(error.into()),
    };
    if stored == 0 {
        return Err(AcquireError::Refused(names.into_iter().map(|(kid, _)| forbidden(kid)).collect()));
    }
    Ok(Acquired { transaction, stored, refusals: verified.answer.refusals })
}

fn all_refused(refusals: Vec<Refusal>) -> AcquireError {
    if refusals.is_empty() {
        AcquireError::BadAnswer("it neither grants nor refuses".to_owned())
    } else {
        AcquireError::Refused(refusals)
    }
}

/// How many of these licenses the store holds.
fn count_stored(store: &Store, names: &[(Kid, Lid)]) -> Result<u64, StoreError> {
    let mut count = 0;
    for (kid, lid) in names {
        count += u64::from(store.licenses(*kid)?.iter().any(|license| license.policy.lid == *lid));
    }
    Ok(count)
}

/// Opens the licenses of an answer. One that was not asked for is not accepted, and none beside it.
fn open(
    session: &Session<'_>,
    question: &Question,
    verified: &Verified<'_>,
    credentials: &Credentials,
) -> Result<Vec<OpenedLicense>, AcquireError> {
    let device_id = credentials.certificate.device_id;
    let opened = verified.open_licenses(&credentials.identity.hpke, device_id, session.directory());
    let licenses = opened.map_err(SessionError::from)?;
    let asked: &[Kid] = match &question.content.body {
        // Of a scope only the service knows what is in it.
        Body::Licenses { scope: Some(_), .. } => return Ok(licenses),
        Body::Licenses { kids, .. } => kids,
        Body::Individualize { .. }
        | Body::Renewals { .. }
        | Body::Returns { .. }
        | Body::RestorePreview { .. }
        | Body::Restore { .. } => &[],
    };
    match licenses.iter().find(|license| !asked.contains(&license.policy.kid)) {
        Some(license) => Err(AcquireError::BadAnswer(format!("nobody asked for key ID {}", license.policy.kid))),
        None => Ok(licenses),
    }
}

/// A license that came but that the store may not take, because it was withdrawn here earlier.
fn forbidden(kid: Kid) -> Refusal {
    Refusal { subject: Some(*kid.as_bytes()), kid: Some(kid), reason: Reason::Revoked, url: None }
}
