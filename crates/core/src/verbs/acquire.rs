//! Acquiring licenses from an issuer: which requests a wish becomes, and what is taken up again. What becomes of the answers
//! is in `acquire/pages.rs` and `acquire/answer.rs`.

mod answer;
mod cursors;
mod error;
pub mod interaction;
mod loopback;
mod pages;
mod wake;
mod wish;

use crate::client::{Client, Settings};
use crate::contact::{
    Credentials, Question, Session, SessionError, fitting, given, has_room, known_authority, transaction,
};
use crate::event::Event;
use crate::logging::{Level, target};
use crate::operation::Context;
use crate::store::{StoreError, Transaction};
use crate::verbs::give_back;
use crate::verbs::individualize::{renew, valid_credentials};
use wmlicense_wire::answer::{Envelope, Refusal};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Digest, Kid, Lid, TransactionId};
use wmlicense_wire::license::State;
use wmlicense_wire::request::{Body, MAX_NAMED};

pub use error::AcquireError;
pub use loopback::Loopback;
pub use wake::Wake;
pub use wish::LicenseWish;
use wish::{body_of, name_of, wished_kids};

/// Most key IDs in one request.
const MAX_KIDS: usize = 1024;

/// Licenses that arrived and are stored. A pre-delivery may bring none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acquired {
    /// Transaction.
    pub transaction: TransactionId,
    /// How far it is.
    pub stage: Stage,
    /// Licenses stored.
    pub stored: u64,
    /// Licenses that earlier pages of the same request brought, where the pages come one by one.
    pub before: u64,
    /// What was refused beside.
    pub refusals: Vec<Refusal>,
    /// Key IDs of licenses that came and that their owner wants to be renewed by now.
    pub due: Vec<Kid>,
}

/// How far a transaction is whose answer was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Over.
    Over,
    /// Over: another thread or process took the last answer, and what it brought.
    OverElsewhere,
    /// Further pages wait to be fetched.
    MorePages,
}

/// What an acquisition that ended well brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brought {
    /// Licenses, which are stored.
    Licenses,
    /// Nothing that the device does not have.
    Nothing,
    /// What is stored so far; further pages wait to be fetched.
    MoreToFetch,
}

impl Acquired {
    /// Nothing so far.
    fn nothing(transaction: TransactionId, stage: Stage) -> Self {
        Self { transaction, stage, stored: 0, before: 0, refusals: Vec::new(), due: Vec::new() }
    }

    /// What it brought, earlier pages included.
    pub fn brought(&self) -> Brought {
        match self.stage {
            Stage::MorePages => Brought::MoreToFetch,
            Stage::OverElsewhere => Brought::Licenses,
            Stage::Over if self.stored + self.before > 0 => Brought::Licenses,
            Stage::Over => Brought::Nothing,
        }
    }

    fn add(&mut self, more: Self) {
        // Each field is named, so that none that comes later can be forgotten here.
        let Self { transaction, stage, stored, before, refusals, due } = more;
        (self.transaction, self.stage) = (transaction, stage);
        self.stored += stored;
        self.before += before;
        self.refusals.extend(refusals);
        self.due.extend(due);
    }
}

/// Acquires licenses silently. A transaction for the same wish that a crash or cancel left pending is taken up again with
/// the same bytes. More key IDs than one request carries are asked for in several, one after the other; what arrived
/// before a later one failed stays. Refusals, licenses that are due for renewal and an account that was not presented are
/// told as events.
pub fn acquire(
    client: &Client,
    settings: &Settings,
    wish: &LicenseWish,
    context: &Context,
) -> Result<Acquired, AcquireError> {
    context.check()?;
    tell_need(acquire_all(client, settings, wish, context), context)
}

/// Tells that the device must be individualized first, where nothing came because of that.
fn tell_need(result: Result<Acquired, AcquireError>, context: &Context) -> Result<Acquired, AcquireError> {
    if matches!(result, Err(AcquireError::Service(SessionError::NeedsIndividualization))) {
        context.emit(Event::NeedsIndividualization)?;
    }
    result
}

fn acquire_all(
    client: &Client,
    settings: &Settings,
    wish: &LicenseWish,
    context: &Context,
) -> Result<Acquired, AcquireError> {
    let kids = wished_kids(wish, &settings.account_token)?;
    require_individualization(client, settings, wish)?;
    let mut session = Session::connect(client, settings, wish.url.as_deref(), context)?;
    let result = acquire_at(&mut session, wish, &kids, context);
    given::settle(&mut session);
    result
}

fn acquire_at(
    session: &mut Session<'_>,
    wish: &LicenseWish,
    kids: &[Kid],
    context: &Context,
) -> Result<Acquired, AcquireError> {
    let mut credentials = valid_credentials(session, context)?.ok_or(SessionError::NeedsIndividualization)?;
    give_back_first(session, &credentials, context)?;
    if let Some(id) = wish.resume {
        match session.client().store.transaction(id)? {
            Some(stored) => return resume(session, stored, &credentials, context),
            None if kids.is_empty() && wish.scope.is_none() => return Err(StoreError::NoTransaction.into()),
            // It is over; the wish stands.
            None => {}
        }
    }
    // A pre-delivery names no key ID.
    let (part, mut rest) = kids.split_at(part_len(session, kids)?);
    let mut acquired = acquire_part(session, wish, part, &mut credentials, context)?;
    while !rest.is_empty() {
        let (part, others) = rest.split_at(part_len(session, rest)?);
        acquired.add(acquire_part(session, wish, part, &mut credentials, context)?);
        rest = others;
    }
    Ok(acquired)
}

/// How many of these key IDs one request asks for, so that it has room to tell of all their licenses.
fn part_len(session: &Session<'_>, kids: &[Kid]) -> Result<usize, SessionError> {
    let issuer = session.service(Role::Issuer)?.service_id;
    let mut part = kids.len().min(MAX_KIDS);
    while part > 1 {
        let store = &session.client().store;
        let usage = store.usage(session.authority(), issuer, &kids[..part], MAX_NAMED + 1)?;
        if has_room(part, &usage) {
            break;
        }
        part /= 2;
    }
    Ok(part)
}

/// Gives back what was deleted, so that a license deleted and wanted again comes as another one. What does not succeed stays
/// queued and is nothing to who asks for licenses.
pub(crate) fn give_back_first(
    session: &mut Session<'_>,
    credentials: &Credentials,
    context: &Context,
) -> Result<(), AcquireError> {
    if let Err(error) = give_back::send(session, credentials, context) {
        let text = format_args!("licenses wait to be given back: {error}");
        session.client().log.record(Level::Info, target::SERVICE, text);
    }
    Ok(context.check()?)
}

/// Tells without a network that the device must be individualized first, where that is known.
fn require_individualization(client: &Client, settings: &Settings, wish: &LicenseWish) -> Result<(), AcquireError> {
    let Some(authority) = known_authority(client, settings, wish.url.as_deref())? else { return Ok(()) };
    if Credentials::load(client, authority)?.is_none() {
        return Err(SessionError::NeedsIndividualization.into());
    }
    Ok(())
}

/// Takes up a transaction that was asked for by its ID, whatever the wish says now.
fn resume(
    session: &mut Session<'_>,
    stored: Transaction,
    credentials: &Credentials,
    context: &Context,
) -> Result<Acquired, AcquireError> {
    let question = transaction::resumed(session, stored, &credentials.identity)?;
    let question = question.ok_or(StoreError::NoTransaction)?;
    pages::run(session, question, credentials, context)
}

fn acquire_part(
    session: &mut Session<'_>,
    wish: &LicenseWish,
    kids: &[Kid],
    credentials: &mut Credentials,
    context: &Context,
) -> Result<Acquired, AcquireError> {
    let usage = usage(session, kids)?;
    let fresh = body_of(session, wish, kids, usage)?;
    let body = || fresh.clone();
    let name = name_of(session, wish, kids, credentials);
    ask_for(session, &Ask { name, body: &body }, credentials, context)
}

/// What is left of licenses that this request is about: the service knows by it that the device still has them.
fn usage(session: &Session<'_>, kids: &[Kid]) -> Result<Vec<(Lid, State)>, SessionError> {
    let issuer = session.service(Role::Issuer)?.service_id;
    let mut usage = session.client().store.usage(session.authority(), issuer, kids, MAX_NAMED)?;
    usage.truncate(fitting(&usage));
    Ok(usage)
}

/// What one transaction asks for.
pub(crate) struct Ask<'a> {
    /// Names what is wanted, so that a request for the same that is pending is taken up again.
    pub(crate) name: Digest,
    /// Says it, for a fresh request.
    pub(crate) body: &'a dyn Fn() -> Body,
}

/// Takes up what is pending, or asks afresh, and stores what comes.
pub(crate) fn ask_for(
    session: &mut Session<'_>,
    asked: &Ask<'_>,
    credentials: &mut Credentials,
    context: &Context,
) -> Result<Acquired, AcquireError> {
    if let Some(question) = transaction::pending(session, asked.name, &credentials.identity)? {
        let mut question = transaction::fresh(session, question, &credentials.identity)?;
        match transaction::exchange(session, &mut question, None) {
            // Done or lost at the service; a fresh request says the same.
            Err(error) if error.transaction_end().is_some() => {}
            result => return pages::take_all(session, question, result?, credentials, context),
        }
        context.check()?;
    }
    let (question, envelope) = match ask(session, asked, credentials) {
        // By the service's clock the certificate has ended.
        Err(error) if error.is_unknown_device() => {
            *credentials = renew(session, context)?;
            ask(session, asked, credentials)?
        }
        result => result?,
    };
    pages::take_all(session, question, envelope, credentials, context)
}

/// Sends a fresh request.
fn ask(
    session: &mut Session<'_>,
    asked: &Ask<'_>,
    credentials: &Credentials,
) -> Result<(Question, Envelope), SessionError> {
    let Credentials { identity, certificate } = credentials;
    let body = (asked.body)();
    let mut question = transaction::prepare(session, asked.name, body, identity, Some(certificate))?;
    let envelope = transaction::exchange(session, &mut question, None)?;
    Ok((question, envelope))
}
