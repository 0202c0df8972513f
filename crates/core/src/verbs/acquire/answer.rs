//! An issuer's answer: verified, opened, held against what was asked, and stored in one commit.

use super::cursors::Cursors;
use super::{AcquireError, Acquired, Stage, wish};
use crate::contact::given::check_once;
use crate::contact::{AnswerFault, Credentials, Question, Session, SessionError, transaction};
use crate::event::{Event, LeftOut, Why};
use crate::rights::is_renewal_due;
use crate::store::{Import, Page, Store, StoreError, TransactionState};
use crate::transport::url::Target;
use std::collections::HashSet;
use wmlicense_wire::answer::{Answer, Envelope, OpenedLicense, Outcome, Reason, Refusal, Verified};
use wmlicense_wire::id::{Digest, Kid, Lid, TransactionId};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::{LicenseKind, Policy};
use wmlicense_wire::request::Body;

/// Most pages of one transaction: 16 million licenses.
const MAX_PAGES: u32 = 4096;

/// What became of one answer.
pub(super) struct Taken {
    pub(super) acquired: Acquired,
    pub(super) then: Then,
}

/// How a transaction goes on after an answer.
pub(super) enum Then {
    /// It ended.
    End,
    /// With this request, which is stored.
    Next(Box<Question>),
    /// As the store has it: another thread or process took the answer first.
    Overtaken,
}

/// Verifies an answer and stores its licenses in one commit, together with the end of the transaction or with its next
/// request.
pub(super) fn take(
    session: &Session<'_>,
    question: &Question,
    envelope: &Envelope,
    credentials: &Credentials,
    cursors: &mut Cursors,
) -> Result<Taken, AcquireError> {
    let verified = transaction::verify(session, question, envelope)?;
    // Where the token is not to be sent it was not missed.
    if is_for_nobody(&verified.answer) && session.account_token().is_some() {
        tell_event(session, Event::AccountNotPresented);
    }
    let result = take_verified(session, question, (envelope, verified), credentials, cursors);
    tell(session, question, &result);
    result
}

/// True if the service decided for no account.
fn is_for_nobody(answer: &Answer) -> bool {
    let missed = |refusal: &Refusal| refusal.reason == Reason::AccountRequired;
    answer.account == Some(false) || answer.refusals.iter().any(missed)
}

/// Tells what came beside licenses.
fn tell(session: &Session<'_>, question: &Question, result: &Result<Taken, AcquireError>) {
    let mut refusals: &[Refusal] = &[];
    if let Err(AcquireError::Refused { refusals: all, wait: _ }) = result {
        refusals = all;
    }
    if let Ok(Taken { acquired, .. }) = result {
        refusals = &acquired.refusals;
    }
    // What key IDs a renewal is about, only the renewal knows.
    if let Body::Licenses { .. } = &question.content.body {
        let now = session.client().clock.now();
        for refusal in refusals {
            if let Some(kid) = refusal.kid {
                let why = Why::refused(refusal, now);
                tell_event(session, Event::LicenseRefused(LeftOut { kid, why }));
            }
        }
    }
    for kid in result.iter().flat_map(|taken| &taken.acquired.due) {
        tell_event(session, Event::RenewalDue(*kid));
    }
}

/// The answer is decided, and what it brought is stored: a cancel that comes while it is told changes nothing about that.
fn tell_event(session: &Session<'_>, event: Event) {
    let _ = session.context().emit(event);
}

fn take_verified(
    session: &Session<'_>,
    question: &Question,
    (envelope, mut verified): (&Envelope, Verified<'_>),
    credentials: &Credentials,
    cursors: &mut Cursors,
) -> Result<Taken, AcquireError> {
    if let Body::Licenses { .. } = &question.content.body {
        for refusal in &mut verified.answer.refusals {
            // Of licenses not yet made a service refuses key IDs.
            refusal.kid = refusal.kid.or(refusal.subject.map(Kid::new));
        }
    }
    if verified.answer.outcome != Outcome::Done {
        session.note_epoch(&verified)?;
    }
    match &verified.answer.outcome {
        Outcome::Done => {}
        Outcome::Refused => {
            let late = verified.answer.refusals.iter().any(|refusal| refusal.reason == Reason::NotDecided);
            let end = if late { TransactionState::Expired } else { TransactionState::Refused };
            end_without_license(session, question, envelope, &verified.answer, end)?;
            return Err(all_refused(session, verified.answer.refusals));
        }
        Outcome::Interaction { url } => {
            return Err(wait_for_user(session, question, url)?);
        }
        Outcome::Later { from, until } => {
            transaction::end(session, question, TransactionState::Waiting)?;
            return Err(AcquireError::later((*from, *until), session.client().clock.now()));
        }
        Outcome::Given => {
            // Somebody asked; this says that nobody did.
            transaction::end(session, question, TransactionState::Refused)?;
            return Err(AnswerFault::Undecided.into());
        }
    }
    let (licenses, next) = open_with_next(session, question, &verified, credentials, cursors)?;
    if licenses.is_empty() && !is_delivery(question) {
        session.note_epoch(&verified)?;
        end_without_license(session, question, envelope, &verified.answer, TransactionState::Refused)?;
        return Err(all_refused(session, verified.answer.refusals));
    }
    store(session, question, envelope, verified.answer, licenses, next)
}

/// The licenses of an answer and the request for the page after it. What is not acceptable ends the transaction.
fn open_with_next(
    session: &Session<'_>,
    question: &Question,
    verified: &Verified<'_>,
    credentials: &Credentials,
    cursors: &mut Cursors,
) -> Result<(Vec<OpenedLicense>, Option<Question>), AcquireError> {
    let opened = open(session, question, verified, credentials)
        .and_then(|licenses| Ok((licenses, next(session, question, verified, credentials, cursors)?)));
    if let Err(AcquireError::Service(SessionError::BadAnswer(_))) = &opened {
        // The service itself said this; the same request would only bring it again.
        transaction::end(session, question, TransactionState::Refused)?;
    }
    opened
}

/// Ends the transaction; what the answer takes back goes in the same commit.
fn end_without_license(
    session: &Session<'_>,
    question: &Question,
    envelope: &Envelope,
    answer: &Answer,
    end: TransactionState,
) -> Result<(), AcquireError> {
    if answer.withdrawn.is_empty() {
        return Ok(transaction::end(session, question, end)?);
    }
    let (authority, signed, transaction) = (session.authority(), &envelope.signed, question.content.transaction);
    let page = Page { number: question.content.page, next: None, delivered: delivered(session, question, answer) };
    let import = Import { authority, signed, licenses: Vec::new(), transaction, end, page };
    match session.client().store.import(&import) {
        // Another thread or process took the same answer first.
        Ok(_) | Err(StoreError::NoTransaction) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Where the next run of a pre-delivery begins, under its name.
fn delivered(session: &Session<'_>, question: &Question, answer: &Answer) -> Option<(Digest, i64)> {
    let since = answer.since.filter(|_| is_delivery(question))?;
    // What was decided for nobody was not delivered to the account: it is asked for from the beginning.
    let presented = !is_for_nobody(answer);
    Some((wish::delivery_name(session, wish::scope_of(&question.content.body), presented), since))
}

fn store(
    session: &Session<'_>,
    question: &Question,
    envelope: &Envelope,
    answer: Answer,
    licenses: Vec<OpenedLicense>,
    next: Option<Question>,
) -> Result<Taken, AcquireError> {
    let (store, transaction) = (&session.client().store, question.content.transaction);
    let names: Vec<(Kid, Lid)> = licenses.iter().map(|license| (license.policy.kid, license.policy.lid)).collect();
    let page = Page {
        number: question.content.page,
        next: next.as_ref().map(|next| next.bytes.as_slice()),
        delivered: delivered(session, question, &answer),
    };
    let now = session.client().clock.now();
    let due = licenses.iter().filter(|license| is_renewal_due(&license.policy, now));
    let due = due.map(|license| license.policy.kid).collect();
    let (authority, end) = (session.authority(), TransactionState::Answered);
    let (stored, then) =
        match store.import(&Import { authority, signed: &envelope.signed, licenses, transaction, end, page }) {
            Ok(report) => (report.stored, next.map_or(Then::End, |next| Then::Next(Box::new(next)))),
            Err(StoreError::NoTransaction) if is_given_up(store, transaction)? => return Err(AcquireError::Over),
            // Another thread or process asked the same and was first; the licenses are its licenses.
            Err(StoreError::NoTransaction) => (count_stored(store, &names)?, Then::Overtaken),
            Err(StoreError::OtherPolicy(lid)) => {
                // The service itself said this; the same request would only bring it again.
                transaction::end(session, question, TransactionState::Refused)?;
                return Err(AnswerFault::OtherTerms(lid).into());
            }
            Err(error) => return Err(error.into()),
        };
    if stored == 0 && !is_delivery(question) {
        return Err(AcquireError::refused(names.into_iter().map(|(kid, _)| forbidden(kid)).collect(), now));
    }
    let stage = if let Then::Next(_) = &then { Stage::MorePages } else { Stage::Over };
    Ok(Taken { acquired: Acquired { transaction, stage, stored, before: 0, refusals: answer.refusals, due }, then })
}

/// True if nobody took the answer to a transaction, and nobody will.
pub(super) fn is_given_up(store: &Store, id: TransactionId) -> Result<bool, StoreError> {
    Ok(match store.transaction_state(id)? {
        Some(TransactionState::Refused | TransactionState::Cancelled | TransactionState::Expired) => true,
        Some(
            TransactionState::Prepared
            | TransactionState::Sent
            | TransactionState::Waiting
            | TransactionState::Answered,
        )
        | None => false,
    })
}

/// True if the request names no content: the service decides what comes.
pub(super) fn is_delivery(question: &Question) -> bool {
    matches!(&question.content.body, Body::Licenses { kids, header: None, .. } if kids.is_empty())
}

/// The request for the page after this answer, where there is one. Only a pre-delivery has several, and each page of it
/// brings something and leads to one that was not there before, so that no service can keep a device asking for nothing.
fn next(
    session: &Session<'_>,
    question: &Question,
    verified: &Verified<'_>,
    credentials: &Credentials,
    cursors: &mut Cursors,
) -> Result<Option<Question>, AcquireError> {
    let answer = &verified.answer;
    let Some(cursor) = &answer.next_cursor else { return Ok(None) };
    let brings = !(answer.manifest.is_empty() && answer.withdrawn.is_empty() && answer.refusals.is_empty());
    let asked = question.content.cursor.as_deref();
    if !is_delivery(question) || !brings || question.content.page >= MAX_PAGES || !cursors.advance(asked, cursor) {
        return Err(AnswerFault::Pages.into());
    }
    let now = session.client().clock.now();
    let known = session.client().store.epoch(question.content.audience)?;
    Ok(Some(question.next(cursor.clone(), answer.epoch.or(known), now, &credentials.identity)?))
}

/// Keeps the page on which the user must act, if it is one that a browser may be sent to.
fn wait_for_user(session: &Session<'_>, question: &Question, url: &str) -> Result<AcquireError, AcquireError> {
    let allow_http = session.settings().network.allow_http;
    if let Err(error) = Target::parse(url, allow_http) {
        // The service itself said this; the same request would only bring it again.
        transaction::end(session, question, TransactionState::Refused)?;
        return Err(error.into());
    }
    let transaction = question.content.transaction;
    session.client().store.wait_for_user(transaction, url)?;
    if is_given_up(&session.client().store, transaction)? {
        return Ok(AcquireError::Over);
    }
    Ok(AcquireError::InteractionRequired { url: url.to_owned(), transaction })
}

fn all_refused(session: &Session<'_>, refusals: Vec<Refusal>) -> AcquireError {
    if refusals.is_empty() {
        return AnswerFault::Undecided.into();
    }
    AcquireError::refused(refusals, session.client().clock.now())
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
    check_once(&licenses)?;
    if let Body::Renewals { licenses: asked, .. } = &question.content.body {
        return renewed(session, asked, licenses);
    }
    let asked: &[Kid] = match &question.content.body {
        // Only the service knows what is to be delivered.
        _ if is_delivery(question) => return Ok(licenses),
        Body::Licenses { kids, .. } => kids,
        Body::Individualize { .. }
        | Body::Renewals { .. }
        | Body::Returns { .. }
        | Body::RestorePreview { .. }
        | Body::Revocations { .. }
        | Body::Mailbox { .. }
        | Body::Restore { .. } => &[],
    };
    // Leaves come with the roots that open them.
    let roots: HashSet<Kid> = licenses.iter().filter_map(|license| license.policy.root_kid).collect();
    let wanted = |policy: &Policy| {
        asked.contains(&policy.kid) || (policy.kind == LicenseKind::Root && roots.contains(&policy.kid))
    };
    match licenses.iter().find(|license| !wanted(&license.policy)) {
        Some(license) => Err(AnswerFault::UnaskedKid(license.policy.kid).into()),
        None => Ok(licenses),
    }
}

/// Licenses that come in place of those asked for, or are these. None may come beside them.
fn renewed(
    session: &Session<'_>,
    asked: &[(Lid, State)],
    licenses: Vec<OpenedLicense>,
) -> Result<Vec<OpenedLicense>, AcquireError> {
    let lids: HashSet<Lid> = asked.iter().map(|(lid, _)| *lid).collect();
    let list: Vec<Lid> = lids.iter().copied().collect();
    let kids: HashSet<Kid> = session.client().store.kids(&list)?.into_iter().collect();
    let fits = |license: &OpenedLicense| {
        let OpenedLicense { policy, .. } = license;
        lids.contains(&policy.lid)
            || policy.replaces.is_some_and(|replaced| lids.contains(&replaced))
            || kids.contains(&policy.kid)
    };
    match licenses.iter().find(|license| !fits(license)) {
        Some(license) => Err(AnswerFault::UnaskedLicense(license.policy.lid).into()),
        None => Ok(licenses),
    }
}

/// A license that came but that the store may not take, because it was withdrawn here earlier.
fn forbidden(kid: Kid) -> Refusal {
    Refusal { subject: Some(*kid.as_bytes()), kid: Some(kid), reason: Reason::Revoked, url: None, again: None }
}
