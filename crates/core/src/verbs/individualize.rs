//! Individualization: a key pair for the device at one authority, and the certificate for it.

use crate::client::{Client, Settings};
use crate::contact::{AnswerFault, Credentials, Question, Session, SessionError, given, known_authority, transaction};
use crate::device::DeviceIdentity;
use crate::event::{Event, HttpPhase, IndividualizePhase};
use crate::operation::{Cancelled, Context};
use crate::store::{StoreError, TransactionState};
use crate::transport::{ServiceFailure, TransportError};
use std::sync::Arc;
use wmlicense_wire::answer::{Envelope, Outcome, Reason, Refusal};
use wmlicense_wire::certificate::DeviceCertificate;
use wmlicense_wire::id::Digest;
use wmlicense_wire::rekey::Rekey;
use wmlicense_wire::request::Body;

/// A certificate is renewed when it ends within this time, in seconds.
const RENEW_BEFORE: i64 = 30 * 86_400;
/// Before another request it is renewed when it ends within this time, in seconds.
const RENEWAL_MARGIN: i64 = 86_400;

/// How an individualization ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Individualized {
    /// The device has a new or renewed certificate.
    Certified,
    /// The certificate is current; the network was not used.
    AlreadyCurrent,
}

/// An individualization failed; the device is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum IndividualizeError {
    /// The service could not be asked, or its answer cannot be used.
    #[error(transparent)]
    Service(SessionError),
    /// The service refuses.
    #[error("the individualization service refuses: {0}")]
    Refused(Reason, ServiceFailure),
    /// Keys could not be made or stored.
    #[error(transparent)]
    Device(#[from] crate::device::DeviceError),
}

impl<E: Into<SessionError>> From<E> for IndividualizeError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

/// True if the device has a certificate at `authority` that need not be renewed yet.
pub fn is_current(client: &Client, authority: Digest) -> Result<bool, StoreError> {
    let credentials = Credentials::load(client, authority)?;
    Ok(credentials.is_some_and(|credentials| credentials.hold_at(client.clock.now(), RENEW_BEFORE)))
}

/// Individualizes the device at the authority behind `settings.service_url`. `force` makes it anew even if the certificate is
/// current: new keys for the same device, for which the old ones speak. Where the service knows the old ones as replaced, by a
/// copy of this store, it becomes another device. The caller has the user's consent.
pub fn individualize(
    client: &Client,
    settings: &Settings,
    force: bool,
    context: &Context,
) -> Result<Individualized, IndividualizeError> {
    context.check()?;
    if !force
        && let Some(authority) = known_authority(client, settings, None)?
        && is_current(client, authority)?
    {
        return Ok(Individualized::AlreadyCurrent);
    }
    let steps = Steps { context, told: true };
    steps.tell(IndividualizePhase::Begin, HttpPhase::NotInitiated, 0, 0)?;
    let mut session = Session::connect(client, settings, None, context)?;
    if !force && is_current(client, session.authority())? {
        steps.tell(IndividualizePhase::Succeed, HttpPhase::Completed, 0, 0)?;
        return Ok(Individualized::AlreadyCurrent);
    }
    match session.credentials()? {
        Some(old) if force => rekey(&mut session, &old, &steps)?,
        Some(_) | None => certify(&mut session, &steps)?,
    };
    given::settle(&mut session);
    Ok(Individualized::Certified)
}

/// The device's credentials for a request that follows, renewed without a word to the application if the service would not
/// take them any more. `None` if the device must be individualized first.
pub(crate) fn valid_credentials(
    session: &mut Session<'_>,
    context: &Context,
) -> Result<Option<Credentials>, IndividualizeError> {
    let Some(credentials) = session.credentials()? else { return Ok(None) };
    let now = session.client().clock.now();
    if credentials.hold_at(now, RENEWAL_MARGIN) {
        return Ok(Some(credentials));
    }
    match renew(session, context) {
        Err(IndividualizeError::Service(error)) if error.is_cancelled() => Err(error.into()),
        // Still good for this request; the next one tries again.
        Err(_) if credentials.hold_at(now, 0) => Ok(Some(credentials)),
        result => result.map(Some),
    }
}

/// Renews the device's certificate without a word to the application.
pub(crate) fn renew(session: &mut Session<'_>, context: &Context) -> Result<Credentials, IndividualizeError> {
    certify(session, &Steps { context, told: false })
}

/// Tells how far it is, unless the application asked for something else.
struct Steps<'a> {
    context: &'a Context,
    told: bool,
}

impl Steps<'_> {
    fn tell(&self, phase: IndividualizePhase, http: HttpPhase, bytes: u64, bytes_total: u64) -> Result<(), Cancelled> {
        if !self.told {
            return self.context.check();
        }
        let requests = u32::from(http == HttpPhase::Completed);
        self.context.emit(Event::Individualize { phase, requests, http, bytes, bytes_total })
    }
}

/// Gets a certificate for the device's keys, which are made if there are none.
fn certify(session: &mut Session<'_>, steps: &Steps<'_>) -> Result<Credentials, IndividualizeError> {
    let client = session.client();
    let identity = client.device.create_identity(session.authority())?;
    let current = session.credentials()?.map(|credentials| credentials.certificate);
    obtain(session, &identity, current.as_ref(), None, steps)
}

/// Gets a certificate for new keys of the same device, for which the old keys speak.
fn rekey(session: &mut Session<'_>, old: &Credentials, steps: &Steps<'_>) -> Result<Credentials, IndividualizeError> {
    let identity = session.client().device.coming_identity(session.authority())?;
    let word = Rekey { successor: identity.keys.thumbprint() };
    let word = word.sign(&old.identity.signing, old.identity.keys.thumbprint()).map_err(|_| SessionError::Keys)?;
    match obtain(session, &identity, Some(&old.certificate), Some(word), steps) {
        // The old keys are a copy's by now. Without them it is a new device with a seat of its own.
        Err(IndividualizeError::Refused(Reason::KeyReplaced, _)) => obtain(session, &identity, None, None, steps),
        result => result,
    }
}

/// Asks for a certificate for these keys and takes it. With `word`, that of the old keys, the current certificate is theirs.
fn obtain(
    session: &mut Session<'_>,
    identity: &Arc<DeviceIdentity>,
    current: Option<&DeviceCertificate>,
    word: Option<Vec<u8>>,
    steps: &Steps<'_>,
) -> Result<Credentials, IndividualizeError> {
    steps.tell(IndividualizePhase::Download, HttpPhase::Connecting, 0, 0)?;
    let wish = wish(session.authority(), identity, current);
    let pending = transaction::pending(session, wish, identity)?;
    let resumed = pending.is_some();
    let mut question = match pending {
        Some(question) => question,
        None => prepare(session, wish, identity, current, word.clone())?,
    };
    let envelope = match ask(session, &mut question, steps) {
        Err(error) if resumed && error.transaction_end().is_some() => {
            // The service took the earlier request for done or lost; a fresh one says the same.
            question = prepare(session, wish, identity, current, word)?;
            ask(session, &mut question, steps)?
        }
        result => result?,
    };
    install(session, &question, &envelope, identity, current, steps)
}

/// Names what is wanted: a certificate for these keys after this one.
fn wish(authority: Digest, identity: &DeviceIdentity, current: Option<&DeviceCertificate>) -> Digest {
    let thumbprint = identity.keys.thumbprint();
    let current = current.map(|certificate| certificate.hash);
    let current = current.as_ref().map_or(&[][..], |hash| hash.as_bytes());
    Digest::of_parts(&[b"individualize\0", authority.as_bytes(), thumbprint.as_bytes(), current])
}

fn prepare(
    session: &Session<'_>,
    wish: Digest,
    identity: &DeviceIdentity,
    current: Option<&DeviceCertificate>,
    word: Option<Vec<u8>>,
) -> Result<Question, IndividualizeError> {
    // A certificate of other keys does not prove who signs.
    let own = current.filter(|certificate| certificate.keys == identity.keys);
    let body = Body::Individualize {
        keys: identity.keys.clone(),
        assurance: session.client().device.assurance(),
        consent: true,
        current: current.map(|certificate| certificate.bytes.clone()),
        rekey: word,
    };
    Ok(transaction::prepare(session, wish, body, identity, own)?)
}

fn ask(session: &mut Session<'_>, question: &mut Question, steps: &Steps<'_>) -> Result<Envelope, SessionError> {
    // A cancel inside the event is seen by the exchange itself.
    let progress = |http: HttpPhase, bytes: u64, total: u64| {
        let _ = steps.tell(IndividualizePhase::Download, http, bytes, total);
    };
    transaction::exchange(session, question, Some(&progress))
}

/// Verifies the answer and keeps the certificate in it.
fn install(
    session: &Session<'_>,
    question: &Question,
    envelope: &Envelope,
    identity: &Arc<DeviceIdentity>,
    current: Option<&DeviceCertificate>,
    steps: &Steps<'_>,
) -> Result<Credentials, IndividualizeError> {
    let store = &session.client().store;
    let answer = transaction::verify(session, question, envelope)?.answer;
    match answer.outcome {
        Outcome::Done => {}
        Outcome::Refused => {
            transaction::end(session, question, TransactionState::Refused)?;
            return Err(refused(answer.refusals));
        }
        Outcome::Later { from, .. } => {
            transaction::end(session, question, TransactionState::Waiting)?;
            let wait = u64::try_from(from.saturating_sub(answer.issued_at)).ok();
            let message = "the service asks to come back later".to_owned();
            let failure = ServiceFailure { retry_after: wait, message, ..ServiceFailure::default() };
            return Err(TransportError::Unavailable(failure).into());
        }
        Outcome::Interaction { .. } | Outcome::Given => {
            transaction::end(session, question, TransactionState::Refused)?;
            return Err(AnswerFault::Undecided.into());
        }
    }
    steps.tell(IndividualizePhase::Install, HttpPhase::Completed, 0, 0)?;
    let Some(bytes) = envelope.device_certificate.as_deref() else {
        transaction::end(session, question, TransactionState::Refused)?;
        return Err(unacceptable("it holds no certificate"));
    };
    let checked = session
        .directory()
        .device(bytes)
        .map_err(|_| unacceptable("the certificate is of no service known here"))
        .and_then(|certificate| check(certificate, question, identity, current, answer.issued_at));
    if checked.is_err() {
        // The service itself said this; the same request would only bring it again.
        transaction::end(session, question, TransactionState::Refused)?;
    }
    let certificate = checked?;
    match store.save_device_certificate(session.authority(), bytes, question.content.transaction) {
        // Another thread or process asked the same and was first.
        Ok(()) | Err(StoreError::NoTransaction) => {}
        Err(error) => return Err(error.into()),
    }
    let client = session.client();
    client.device.try_install(session.authority(), &identity.keys, &client.log);
    // Stored: a cancel from here on comes too late.
    let _ = steps.tell(IndividualizePhase::Succeed, HttpPhase::Completed, 0, 0);
    Ok(Credentials { identity: Arc::clone(identity), certificate })
}

/// The certificate must be the one asked for: of these keys, from the service asked, valid when it was made, and of the
/// same device if it renews one.
fn check(
    certificate: DeviceCertificate,
    question: &Question,
    identity: &DeviceIdentity,
    current: Option<&DeviceCertificate>,
    issued_at: i64,
) -> Result<DeviceCertificate, IndividualizeError> {
    if certificate.keys != identity.keys {
        return Err(unacceptable("the certificate is for other keys"));
    }
    if certificate.issuer != question.content.audience {
        return Err(unacceptable("the certificate is from another service"));
    }
    if !(certificate.not_before..certificate.not_after).contains(&issued_at) {
        return Err(unacceptable("the certificate is not valid"));
    }
    if current.is_some_and(|current| current.device_id != certificate.device_id) {
        return Err(unacceptable("the certificate is for another device"));
    }
    Ok(certificate)
}

fn refused(refusals: Vec<Refusal>) -> IndividualizeError {
    let Some(first) = refusals.into_iter().next() else {
        return AnswerFault::Undecided.into();
    };
    let failure = ServiceFailure { message: first.url.unwrap_or_default(), ..ServiceFailure::default() };
    IndividualizeError::Refused(first.reason, failure)
}

fn unacceptable(reason: &'static str) -> IndividualizeError {
    AnswerFault::DeviceCertificate(reason).into()
}
