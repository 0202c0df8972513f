//! Acquisition that the user has a part in: a request prepared without a network, an answer that the application fetched
//! itself, and the monitor that asks again until the user has decided.

use super::answer::{Taken, Then, is_given_up, take};
use super::cursors::Cursors;
use super::loopback::Loopback;
use super::pages::take_all;
use super::wake::Wake;
use super::wish::{body_of, name_of, wished_kids};
use super::{AcquireError, Acquired, LicenseWish, Stage, part_len, require_individualization, tell_need, usage};
use crate::client::{Client, Settings};
use crate::contact::{Credentials, Question, Session, SessionError, given, transaction};
use crate::event::Flow;
use crate::operation::Context;
use crate::store::{StoreError, Transaction, TransactionState};
use crate::transport::TransportError;
use crate::verbs::individualize::valid_credentials;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wmlicense_wire::answer::Envelope;
use wmlicense_wire::id::{Digest, TransactionId};
use wmlicense_wire::request::interaction_code;

/// Pause between two polls where the service names none, and the bounds of what it may name.
const POLL_SECONDS: u64 = 2;
const MAX_POLL_SECONDS: u64 = 60;
/// The pause grows by half each time, up to this.
const SLOWEST_POLL: Duration = Duration::from_secs(15);
/// Least time between two polls, however often the bell rings.
const LEAST_PAUSE: Duration = Duration::from_millis(200);
/// Limit of a service document: seconds between two polls.
const POLL_LIMIT: &str = "pollSeconds";

/// A stored request that anybody may carry to the service.
#[derive(Debug, Clone)]
pub struct Challenge {
    /// Transaction.
    pub transaction: TransactionId,
    /// The exact bytes.
    pub request: Vec<u8>,
    /// Where they are POSTed as `application/cose`.
    pub url: String,
    /// Page on which the user must act, as far as the service named one.
    pub page: Option<String>,
}

impl Challenge {
    /// The six digits that the page shows as well.
    pub fn code(&self) -> String {
        interaction_code(Digest::of(&self.request))
    }
}

/// A pending transaction as it can be carried by hand; `None` if it is over or unknown.
pub fn pending_challenge(client: &Client, id: TransactionId) -> Result<Option<Challenge>, StoreError> {
    let Some(stored) = client.store.transaction(id)? else { return Ok(None) };
    let Transaction { request, url, .. } = stored;
    Ok(Some(Challenge { transaction: id, request, url, page: client.store.page(id)? }))
}

/// Prepares a request without a network, or finds the pending one for the same wish. The service must be known from an
/// earlier contact, such as individualization.
pub fn prepare(client: &Client, settings: &Settings, wish: &LicenseWish) -> Result<Challenge, AcquireError> {
    if let Some(id) = wish.resume
        && let Some(challenge) = pending_challenge(client, id)?
    {
        return Ok(challenge);
    }
    let kids = wished_kids(wish, &settings.account_token)?;
    require_individualization(client, settings, wish)?;
    let context = Context::inline(None, |_| Flow::Continue);
    let session = without_network(client, settings, wish, &context)?;
    let credentials = stored_credentials(&session)?;
    let name = name_of(&session, wish, &kids, &credentials);
    let Credentials { identity, certificate } = &credentials;
    let question = match transaction::pending(&session, name, identity)? {
        Some(question) => transaction::fresh(&session, question, identity)?,
        None => {
            // Nobody could carry a second request beside it, and one that told of fewer licenses would get the others again.
            if part_len(&session, &kids)? < kids.len() {
                return Err(AcquireError::TooManyKeyIds);
            }
            let body = body_of(&session, wish, &kids, usage(&session, &kids)?)?;
            transaction::prepare(&session, name, body, identity, Some(certificate))?
        }
    };
    pending_challenge(client, question.content.transaction)?.ok_or_else(|| StoreError::NoTransaction.into())
}

/// The service as it is known from earlier contacts.
fn without_network<'a>(
    client: &'a Client,
    settings: &'a Settings,
    wish: &LicenseWish,
    context: &'a Context,
) -> Result<Session<'a>, AcquireError> {
    Ok(Session::offline(client, settings, wish.url.as_deref(), context)?)
}

fn stored_credentials(session: &Session<'_>) -> Result<Credentials, AcquireError> {
    let now = session.client().clock.now();
    let credentials = session.credentials()?.filter(|credentials| credentials.hold_at(now, 0));
    Ok(credentials.ok_or(SessionError::NeedsIndividualization)?)
}

/// Takes an answer that the application fetched itself. Only a pending transaction takes one, once for each of its pages. What
/// it tells beside licenses goes to `context`.
pub fn process(
    client: &Client,
    settings: &Settings,
    wish: &LicenseWish,
    answer: &[u8],
    context: &Context,
) -> Result<Acquired, AcquireError> {
    let id = transaction_of(client, settings, wish)?;
    let mut session = without_network(client, settings, wish, context)?;
    let credentials = session.credentials()?.ok_or(SessionError::NeedsIndividualization)?;
    let question = question_of(&session, id, &credentials)?;
    let envelope = Envelope::parse(answer).map_err(SessionError::from)?;
    session.learn(&envelope)?;
    // Without a network the service learns in the next contact what was taken.
    given::take_beside(&mut session, &envelope);
    let question = answered(&session, question, &envelope, &credentials)?;
    let Taken { mut acquired, then } = take(&session, &question, &envelope, &credentials, &mut Cursors::default())?;
    acquired.stage = match then {
        Then::End => Stage::Over,
        Then::Next(_) => Stage::MorePages,
        Then::Overtaken if client.store.transaction(id)?.is_some() => Stage::MorePages,
        Then::Overtaken => Stage::OverElsewhere,
    };
    Ok(acquired)
}

/// The request that an answer is to: the stored one, or the one before it that was carried away.
fn answered(
    session: &Session<'_>,
    question: Question,
    envelope: &Envelope,
    credentials: &Credentials,
) -> Result<Question, AcquireError> {
    if session.verify(envelope, &question).is_ok() {
        return Ok(question);
    }
    let earlier = session.client().store.other_request(question.content.transaction, &question.bytes)?;
    let earlier = earlier.and_then(|bytes| Question::resume(bytes, &credentials.identity));
    Ok(earlier.filter(|earlier| session.verify(envelope, earlier).is_ok()).unwrap_or(question))
}

fn question_of(session: &Session<'_>, id: TransactionId, credentials: &Credentials) -> Result<Question, AcquireError> {
    let stored = session.client().store.transaction(id)?.ok_or(StoreError::NoTransaction)?;
    let question = transaction::resumed(session, stored, &credentials.identity)?;
    Ok(question.ok_or(StoreError::NoTransaction)?)
}

/// The transaction that a wish is about: the one to resume, else the pending one for the same wish.
fn transaction_of(client: &Client, settings: &Settings, wish: &LicenseWish) -> Result<TransactionId, AcquireError> {
    if let Some(id) = wish.resume {
        return Ok(id);
    }
    let kids = wished_kids(wish, &settings.account_token)?;
    let context = Context::inline(None, |_| Flow::Continue);
    let session = without_network(client, settings, wish, &context)?;
    let credentials = stored_credentials(&session)?;
    let pending = client.store.pending(name_of(&session, wish, &kids, &credentials))?;
    Ok(pending.ok_or(StoreError::NoTransaction)?.id)
}

/// Waits until the user has decided and the license is stored, by sending the same request again: at the pace that the
/// service names, slower as time goes by, at once when `wake` rings. A service that cannot be reached is asked again. A
/// cancel ends the watching only: the transaction waits for the next contact. Tells the same events as an acquisition.
pub fn monitor(
    client: &Client,
    settings: &Settings,
    wish: &LicenseWish,
    loopback: Option<&Arc<Loopback>>,
    wake: &Arc<Wake>,
    context: &Context,
) -> Result<Acquired, AcquireError> {
    let transaction = transaction_of(client, settings, wish)?;
    let result = watch(client, settings, wish, transaction, (loopback, wake), context);
    if let Err(AcquireError::Service(SessionError::Transport(TransportError::DeadlinePassed))) = &result
        && let Some(url) = client.store.page(transaction)?
    {
        return Err(AcquireError::StillWaiting { url, transaction });
    }
    tell_need(result, context)
}

fn watch(
    client: &Client,
    settings: &Settings,
    wish: &LicenseWish,
    id: TransactionId,
    (loopback, wake): (Option<&Arc<Loopback>>, &Arc<Wake>),
    context: &Context,
) -> Result<Acquired, AcquireError> {
    // Without the way back the polls find out.
    let _listening = loopback.and_then(|loopback| loopback.listen(wake).ok());
    let mut pause = None;
    loop {
        let begun = Instant::now();
        let waiting = match poll(client, settings, wish, id, context) {
            Err(Poll::Again(waiting)) => waiting,
            Err(Poll::Over(error)) => return Err(error),
            Ok(acquired) => return Ok(acquired),
        };
        let next = match waiting {
            Waiting::Until(time) => Duration::from_secs(time.saturating_sub(client.clock.now()).max(1).unsigned_abs()),
            Waiting::Pace(first) => {
                *pause.insert(pause.map_or(first, |last: Duration| (last * 3 / 2).min(SLOWEST_POLL.max(first))))
            }
        };
        let until = begun + next + jitter(next);
        wake.wait_until(context.deadline().map_or(until, |deadline| deadline.min(until)), context)?;
        context.wait_until(begun + LEAST_PAUSE)?;
        if context.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(TransportError::DeadlinePassed.into());
        }
    }
}

/// Up to a fifth of `pause`, so that many devices do not ask in step.
fn jitter(pause: Duration) -> Duration {
    let mut byte = [0];
    // Without random bytes they may ask in step.
    let _ = getrandom::fill(&mut byte);
    pause * u32::from(byte[0]) / (5 * 255)
}

enum Waiting {
    /// At the usual pace, which begins with this pause.
    Pace(Duration),
    /// Not before this time, seconds UTC.
    Until(i64),
}

enum Poll {
    Again(Waiting),
    Over(AcquireError),
}

impl<E: Into<AcquireError>> From<E> for Poll {
    fn from(error: E) -> Self {
        let usual = || Self::Again(Waiting::Pace(Duration::from_secs(POLL_SECONDS)));
        match error.into() {
            AcquireError::Later { from, until: _, wait: _ } => Self::Again(Waiting::Until(from)),
            AcquireError::Service(SessionError::Transport(
                TransportError::Unreachable(_)
                | TransportError::Broken(_)
                | TransportError::Proxy(_)
                | TransportError::CaptivePortal(_)
                | TransportError::Unavailable(_)
                | TransportError::NotTheService(_),
            )) => usual(),
            error => Self::Over(error),
        }
    }
}

/// Asks once.
fn poll(
    client: &Client,
    settings: &Settings,
    wish: &LicenseWish,
    id: TransactionId,
    context: &Context,
) -> Result<Acquired, Poll> {
    match client.store.transaction_state(id)? {
        Some(TransactionState::Prepared | TransactionState::Sent | TransactionState::Waiting) => {}
        // The application handed the answer over, or another process was faster.
        Some(TransactionState::Answered) => {
            return Ok(Acquired::nothing(id, Stage::OverElsewhere));
        }
        Some(TransactionState::Refused | TransactionState::Cancelled | TransactionState::Expired) => {
            return Err(Poll::Over(AcquireError::Over));
        }
        None => return Err(StoreError::NoTransaction.into()),
    }
    let mut session = Session::connect(client, settings, wish.url.as_deref(), context)?;
    let credentials = valid_credentials(&mut session, context)?.ok_or(SessionError::NeedsIndividualization)?;
    let question = match question_of(&session, id, &credentials) {
        // Since it was looked at.
        Err(AcquireError::Service(SessionError::Store(StoreError::NoTransaction)))
            if is_given_up(&client.store, id)? =>
        {
            return Err(Poll::Over(AcquireError::Over));
        }
        question => question?,
    };
    let mut question = transaction::fresh(&session, question, &credentials.identity)?;
    let envelope = match transaction::exchange(&mut session, &mut question, None) {
        Err(error) if error.transaction_end().is_some() => return Err(Poll::Over(AcquireError::Over)),
        result => result?,
    };
    let named = session.document().limits.iter().find(|(name, _)| name == POLL_LIMIT);
    let seconds = named.map_or(POLL_SECONDS, |(_, seconds)| (*seconds).clamp(1, MAX_POLL_SECONDS));
    let result = take_all(&mut session, question, envelope, &credentials, context);
    given::settle(&mut session);
    match result {
        Err(AcquireError::InteractionRequired { .. }) => Err(Poll::Again(Waiting::Pace(Duration::from_secs(seconds)))),
        result => Ok(result?),
    }
}

/// Ends the pending transaction of a wish: an answer to it is taken no more, whatever the user does on the page. The service is
/// told nothing; the page closes by itself.
pub fn abandon(client: &Client, settings: &Settings, wish: &LicenseWish) -> Result<TransactionId, AcquireError> {
    let id = match transaction_of(client, settings, wish) {
        // What was never heard from was never asked.
        Err(AcquireError::Service(SessionError::UnknownService | SessionError::NeedsIndividualization)) => {
            return Err(StoreError::NoTransaction.into());
        }
        id => id?,
    };
    client.store.set_transaction_state(id, TransactionState::Cancelled)?;
    Ok(id)
}
