//! Licenses that nobody asked for: an issuer puts them into the device's mailbox, whose content comes beside any answer, or hands
//! them out in a file. They are taken where they are this device's, from the issuer of their policies, and fresh.

use crate::acquire::{AcquireError, check_once};
use crate::client::{Client, Settings};
use crate::device::DeviceIdentity;
use crate::event::Flow;
use crate::operation::Context;
use crate::session::{AnswerFault, Endpoint, Session, SessionError};
use crate::store::{GivenLicenses, Recipe, StoreError};
use std::sync::Arc;
use wmlicense_wire::answer::{AnswerError, Envelope, MAX_GIVEN_AGE, Verified, read_vouched};
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

/// True if these bytes say of themselves that nobody asked for them. Nothing of them is believed by that.
pub fn is_unasked(answer: &[u8]) -> bool {
    let signed = Envelope::parse(answer).map(|envelope| envelope.signed);
    signed.and_then(|signed| read_vouched(&signed)).is_ok_and(|answer| answer.is_unasked())
}

/// Takes an answer that nobody asked for from an application that got it somewhere. No network; the service must be known from
/// an earlier contact.
pub fn take_by_hand(
    client: &Client,
    settings: &Settings,
    url: Option<&str>,
    answer: &[u8],
) -> Result<Given, AcquireError> {
    let context = Context::inline(None, |_| Flow::Continue);
    let mut session = Session::offline(client, settings, url, &context)?.ok_or(AcquireError::UnknownService)?;
    let taken = take(&mut session, answer)?;
    if taken.is_over { Err(AcquireError::RemovedForGood) } else { Ok(taken.given) }
}

/// Takes what stands beside an answer, and gives the transactions of which the service need not hear again. What is wrong with
/// one is nothing to the others, nor to the answer.
pub(crate) fn take_beside(session: &mut Session<'_>, envelope: &Envelope) -> Vec<TransactionId> {
    let mut done = Vec::new();
    for answer in &envelope.given {
        match take(session, answer) {
            Ok(taken) => {
                log::info!("{} licenses came that nobody asked for", taken.given.stored);
                done.push(taken.given.transaction);
            }
            Err(error) => log::warn!("licenses that nobody asked for were not taken: {error}"),
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
            log::info!("what was taken out of the mailbox is not told yet: {error}");
            return;
        }
    }
}

/// Takes what waits in the mailbox, where nothing else is asked that it could come beside.
pub(crate) fn fetch(session: &mut Session<'_>) {
    match ask(session, Vec::new()) {
        Ok(()) => settle(session),
        Err(error) => log::info!("the mailbox was not asked for: {error}"),
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
    let question = session.sign(Endpoint::Mailbox, id, 0, Body::Mailbox { taken }, identity, certificate)?;
    let envelope = session.exchange(&question, None)?;
    session.verify(&envelope, &question)?;
    Ok(())
}

struct Taken {
    given: Given,
    /// All of it was removed from this device for good.
    is_over: bool,
}

/// Verifies, opens and stores; all of it or nothing.
fn take(session: &mut Session<'_>, answer: &[u8]) -> Result<Taken, AcquireError> {
    let envelope = Envelope::parse(answer).map_err(SessionError::from)?;
    session.learn(&envelope).map_err(|error| match error {
        // The certificate beside is another owner's.
        SessionError::BadAnswer(AnswerFault::Signer) | SessionError::AuthorityNotTrusted => {
            AcquireError::IssuerNotTrusted
        }
        error => error.into(),
    })?;
    let (client, authority) = (session.client(), session.authority());
    let credentials = session.credentials()?.ok_or(AcquireError::NeedsIndividualization)?;
    let identities = identities(session);
    let verified = verify(session, &envelope, &identities)?;
    let identity = identities.iter().find(|identity| identity.keys.thumbprint() == verified.answer.thumbprint);
    let identity = identity.ok_or(AcquireError::Keys)?;
    let opened = verified.open_licenses(&identity.hpke, credentials.certificate.device_id, session.directory());
    let licenses = opened.map_err(SessionError::from)?;
    check_once(&licenses)?;
    let url = session.base().to_owned();
    let recipe = Recipe { url, scope: None, actions: Vec::new(), header: None, custom: None };
    let given = GivenLicenses { authority, signed: &envelope.signed, licenses: &licenses, recipe: &recipe };
    let report = match client.store.import_given(&given) {
        Err(StoreError::OtherPolicy(lid)) => return Err(AcquireError::BadAnswer(AnswerFault::OtherTerms(lid))),
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
) -> Result<Verified<'e>, AcquireError> {
    let client = session.client();
    let (record, at) = (client.store.clock_record()?, client.clock.moment());
    let thumbprints: Vec<SignerId> = identities.iter().map(|identity| identity.keys.thumbprint()).collect();
    let floor = |service| record.floor_for(service, None, at);
    let verified = envelope.verify_given(&thumbprints, floor, session.directory()).map_err(|error| match error {
        AnswerError::Signer => AcquireError::IssuerNotTrusted,
        error => SessionError::from(error).into(),
    })?;
    let (service, issued_at) = (verified.signer.service_id, verified.answer.issued_at);
    if let Some(list) = client.store.status_list(session.authority())?
        && list.revokes_service(verified.signer.signer_id(), issued_at)
    {
        return Err(AcquireError::BadAnswer(AnswerFault::SignerRevoked));
    }
    session.note_time(service, issued_at, None)?;
    // A clock that was set back makes nothing fresh again.
    if record.read(at, [service]).known() >= issued_at.saturating_add(MAX_GIVEN_AGE) {
        client.store.note_refusal();
        return Err(AcquireError::TooOld);
    }
    Ok(verified)
}
