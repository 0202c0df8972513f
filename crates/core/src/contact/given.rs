//! Licenses that nobody asked for: beside answers and out of the mailbox. They prove themselves: signed, for this device,
//! under known policies, and fresh.

use super::{AnswerFault, Session, SessionError};
use crate::device::DeviceIdentity;
use crate::logging::{Level, target};
use crate::store::{GivenLicenses, Recipe, StoreError};
use std::collections::HashSet;
use std::sync::Arc;
use wmlicense_wire::answer::{AnswerError, Envelope, MAX_GIVEN_AGE, OpenedLicense, Verified};
use wmlicense_wire::endpoint::Endpoint;
use wmlicense_wire::id::{SignerId, TransactionId};
use wmlicense_wire::request::Body;

/// Most requests in one contact that tell what was taken: a service that never has enough is asked another time.
const MAX_ROUNDS: usize = 8;

/// What became of licenses that nobody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// Names the answer that they came in.
    pub transaction: TransactionId,
    /// Licenses stored by it; 0 where the device had all of them.
    pub stored: u64,
}

/// Takes what stands beside an answer, and gives the transactions of which the service need not hear again. What is wrong with
/// one is nothing to the others, nor to the answer.
pub(crate) fn take_beside(session: &mut Session<'_>, envelope: &Envelope) -> Vec<TransactionId> {
    let mut done = Vec::new();
    for answer in &envelope.given {
        match take(session, answer) {
            Ok(taken) => {
                let text = format_args!("{} licenses came that nobody asked for", taken.given.stored);
                session.client().log.record(Level::Info, target::SERVICE, text);
                done.push(taken.given.transaction);
            }
            Err(error) => {
                let text = format_args!("licenses that nobody asked for were not taken: {error}");
                session.client().log.record(Level::Warn, target::SERVICE, text);
            }
        }
    }
    done
}

/// Tells the service what was taken out of the mailbox in this session, and takes what still waits there. Whatever fails is
/// told in the next contact, because it comes again.
pub(crate) fn settle(session: &mut Session<'_>) {
    for _ in 0..MAX_ROUNDS {
        let taken = session.take_taken();
        if taken.is_empty() {
            return;
        }
        if let Err(error) = ask(session, taken) {
            let text = format_args!("what was taken out of the mailbox is not told yet: {error}");
            session.client().log.record(Level::Info, target::SERVICE, text);
            return;
        }
    }
}

/// Takes what waits in the mailbox, where nothing else is asked that it could come beside.
pub(crate) fn fetch(session: &mut Session<'_>) {
    match ask(session, Vec::new()) {
        Ok(()) => settle(session),
        Err(error) => {
            let text = format_args!("the mailbox was not asked for: {error}");
            session.client().log.record(Level::Info, target::SERVICE, text);
        }
    }
}

fn ask(session: &mut Session<'_>, taken: Vec<TransactionId>) -> Result<(), SessionError> {
    // Services without mailboxes are not asked.
    if session.document().url(Endpoint::Mailbox.name()).is_none() {
        return Ok(());
    }
    let Some(credentials) = session.credentials()? else { return Ok(()) };
    let id = TransactionId::random().map_err(|_| SessionError::Keys)?;
    let (identity, certificate) = (&credentials.identity, Some(&credentials.certificate));
    let question = session.sign(id, 0, Body::Mailbox { taken }, identity, certificate)?;
    let envelope = session.exchange(&question, None)?;
    session.verify(&envelope, &question)?;
    Ok(())
}

/// Licenses that nobody asked for were not taken. The store is as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GivenError {
    /// They do not verify, or the store could not take them.
    #[error(transparent)]
    Service(SessionError),
    /// They are of an issuer that none of the client's authorities knows.
    #[error("the licenses are of an issuer that this client does not trust")]
    IssuerNotTrusted,
    /// They were made so long ago that somebody may have kept them back.
    #[error("the licenses were given more than 30 days ago")]
    TooOld,
}

impl<E: Into<SessionError>> From<E> for GivenError {
    fn from(error: E) -> Self {
        Self::Service(error.into())
    }
}

pub(crate) struct Taken {
    pub(crate) given: Given,
    /// All of it was removed from this device for good.
    pub(crate) is_over: bool,
}

/// Verifies, opens and stores; all of it or nothing.
pub(crate) fn take(session: &mut Session<'_>, answer: &[u8]) -> Result<Taken, GivenError> {
    let envelope = Envelope::parse(answer).map_err(SessionError::from)?;
    session.learn(&envelope).map_err(|error| match error {
        // The certificate beside is another owner's.
        SessionError::BadAnswer(AnswerFault::Signer) | SessionError::AuthorityNotTrusted => {
            GivenError::IssuerNotTrusted
        }
        error => error.into(),
    })?;
    let (client, authority) = (session.client(), session.authority());
    let credentials = session.credentials()?.ok_or(SessionError::NeedsIndividualization)?;
    let identities = identities(session);
    let verified = verify(session, &envelope, &identities)?;
    let identity = identities.iter().find(|identity| identity.keys.thumbprint() == verified.answer.thumbprint);
    let identity = identity.ok_or(SessionError::Keys)?;
    let opened = verified.open_licenses(&identity.hpke, credentials.certificate.device_id, session.directory());
    let licenses = opened.map_err(SessionError::from)?;
    check_once(&licenses)?;
    let url = session.base().to_owned();
    let recipe = Recipe { url, scope: None, actions: Vec::new(), header: None, custom: None };
    let given = GivenLicenses { authority, signed: &envelope.signed, licenses: &licenses, recipe: &recipe };
    let report = match client.store.import_given(&given) {
        Err(StoreError::OtherPolicy(lid)) => return Err(AnswerFault::OtherTerms(lid).into()),
        result => result?,
    };
    let is_over = report.stored + report.known == 0;
    Ok(Taken { given: Given { transaction: verified.answer.transaction, stored: report.stored }, is_over })
}

/// The keys of this device at the session's authority, those that it had before included.
fn identities(session: &Session<'_>) -> Vec<Arc<DeviceIdentity>> {
    let all = session.client().device.all_identities().into_iter();
    all.filter(|(authority, _)| *authority == session.authority()).map(|(_, identity)| identity).collect()
}

fn verify<'e>(
    session: &Session<'_>,
    envelope: &'e Envelope,
    identities: &[Arc<DeviceIdentity>],
) -> Result<Verified<'e>, GivenError> {
    let client = session.client();
    let (record, at) = (client.store.clock_record()?, client.clock.moment());
    let thumbprints: Vec<SignerId> = identities.iter().map(|identity| identity.keys.thumbprint()).collect();
    let floor = |service| record.floor_for(service, None, at);
    let verified = envelope.verify_given(&thumbprints, floor, session.directory()).map_err(|error| match error {
        AnswerError::Signer => GivenError::IssuerNotTrusted,
        error => SessionError::from(error).into(),
    })?;
    let (service, issued_at) = (verified.signer.service_id, verified.answer.issued_at);
    if let Some(list) = client.store.status_list(session.authority())?
        && list.revokes_service(verified.signer.signer_id(), issued_at)
    {
        return Err(AnswerFault::SignerRevoked.into());
    }
    session.note_time(service, issued_at, None)?;
    // A clock that was set back makes nothing fresh again.
    if record.read(at, [service]).known() >= issued_at.saturating_add(MAX_GIVEN_AGE) {
        client.store.note_refusal();
        return Err(GivenError::TooOld);
    }
    Ok(verified)
}

/// Refuses an answer in which a license comes twice.
pub(crate) fn check_once(licenses: &[OpenedLicense]) -> Result<(), AnswerFault> {
    let mut lids = HashSet::with_capacity(licenses.len());
    match licenses.iter().find(|license| !lids.insert(license.policy.lid)) {
        Some(twice) => Err(AnswerFault::Twice(twice.policy.lid)),
        None => Ok(()),
    }
}
