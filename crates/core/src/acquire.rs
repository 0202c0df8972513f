//! Acquiring licenses from an issuer: silently, by key IDs or content header. What becomes of an answer is in
//! `acquire/answer.rs`.

mod answer;

use crate::client::{Client, Settings};
use crate::event::Event;
use crate::header::ContentHeader;
use crate::individualize::{IndividualizeError, renew, valid_credentials};
use crate::operation::{Cancelled, Context};
use crate::session::{Credentials, Endpoint, Question, Session, SessionError, known_authority, transaction};
use crate::store::{StoreError, Transaction};
use crate::transport::TransportError;
use answer::take;
use wmlicense_wire::answer::{Envelope, Refusal};
use wmlicense_wire::cbor::write;
use wmlicense_wire::id::{Digest, Kid, TransactionId};
use wmlicense_wire::request::Body;

/// Most key IDs in one request.
const MAX_KIDS: usize = 1024;
/// What is asked for where no action is named.
const DEFAULT_ACTION: &str = "Play";

/// What an application asks for.
#[derive(Clone, Default)]
pub struct LicenseWish {
    /// Key IDs; those of the header where empty.
    pub kids: Vec<Kid>,
    /// Content header as the file has it.
    pub header: Option<Vec<u8>>,
    /// Actions wanted.
    pub actions: Vec<String>,
    /// URL of the service instead of the client's.
    pub url: Option<String>,
    /// Scope, for pre-delivery.
    pub scope: Option<String>,
    /// The application's bytes for the service.
    pub custom_data: Option<Vec<u8>>,
    /// Transaction to resume after a restart. One that is over is no hindrance to what else is asked for.
    pub resume: Option<TransactionId>,
}

/// Licenses that arrived and are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acquired {
    /// Transaction.
    pub transaction: TransactionId,
    /// Licenses stored.
    pub stored: u64,
    /// What was refused beside.
    pub refusals: Vec<Refusal>,
}

/// No license of the request was stored.
#[derive(Debug, thiserror::Error)]
pub enum AcquireError {
    /// Cancelled.
    #[error("the operation was cancelled")]
    Cancelled,
    /// Neither key IDs nor a header nor a scope was given.
    #[error("nothing was asked for: set KeyIDs or Header")]
    NothingAsked,
    /// The header was not understood or names no key ID.
    #[error("the content header names no key ID")]
    NoKeyId,
    /// `ServiceURL` and `URL` are not set.
    #[error("no service URL is set")]
    NoService,
    /// The service's authority is none of the client's.
    #[error("the service belongs to an authority that this client does not trust")]
    AuthorityNotTrusted,
    /// The device must be individualized first.
    #[error("the device must be individualized first")]
    NeedsIndividualization,
    /// No usable answer.
    #[error(transparent)]
    Transport(TransportError),
    /// The answer does not verify.
    #[error("the service's answer is not acceptable: {0}")]
    BadAnswer(String),
    /// The service refuses everything.
    #[error("the service refuses the licenses")]
    Refused(Vec<Refusal>),
    /// The user must act at this URL.
    #[error("the user must act first")]
    InteractionRequired(String),
    /// The service asks for patience.
    #[error("the service asks to come back later")]
    Later {
        /// Seconds UTC.
        from: i64,
        /// Seconds UTC.
        until: i64,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Keys failed.
    #[error("the device's keys cannot be used")]
    Keys,
}

impl From<Cancelled> for AcquireError {
    fn from(_: Cancelled) -> Self {
        Self::Cancelled
    }
}

impl From<SessionError> for AcquireError {
    fn from(error: SessionError) -> Self {
        match error {
            _ if error.is_unknown_device() => Self::NeedsIndividualization,
            SessionError::Cancelled => Self::Cancelled,
            SessionError::NoService => Self::NoService,
            SessionError::AuthorityNotTrusted => Self::AuthorityNotTrusted,
            SessionError::Transport(error) => Self::Transport(error),
            SessionError::BadAnswer(reason) => Self::BadAnswer(reason),
            SessionError::Store(error) => Self::Store(error),
            SessionError::Keys => Self::Keys,
        }
    }
}

/// Acquires licenses silently. A transaction for the same wish that a crash or cancel left pending is taken up again with
/// the same bytes. More key IDs than one request carries are asked for in several, one after the other; what arrived
/// before a later one failed stays.
pub fn acquire(
    client: &Client,
    settings: &Settings,
    wish: &LicenseWish,
    context: &Context,
) -> Result<Acquired, AcquireError> {
    context.check()?;
    let result = acquire_all(client, settings, wish, context);
    if matches!(result, Err(AcquireError::NeedsIndividualization)) {
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
    let kids = wished_kids(wish)?;
    require_individualization(client, settings, wish)?;
    let mut session = Session::connect(client, settings, wish.url.as_deref(), context)?;
    let mut credentials =
        valid_credentials(&mut session, context).map_err(not_renewed)?.ok_or(AcquireError::NeedsIndividualization)?;
    if let Some(id) = wish.resume {
        match client.store.transaction(id)? {
            Some(stored) => return resume(&mut session, stored, &credentials, context),
            None if kids.is_empty() && wish.scope.is_none() => return Err(StoreError::NoTransaction.into()),
            // It is over; the wish stands.
            None => {}
        }
    }
    let mut parts = kids.chunks(MAX_KIDS);
    // A scope is asked for without key IDs.
    let mut acquired = acquire_part(&mut session, wish, parts.next().unwrap_or_default(), &mut credentials, context)?;
    for part in parts {
        let more = acquire_part(&mut session, wish, part, &mut credentials, context)?;
        acquired.transaction = more.transaction;
        acquired.stored += more.stored;
        acquired.refusals.extend(more.refusals);
    }
    Ok(acquired)
}

/// The key IDs asked for, sorted and without repetition.
fn wished_kids(wish: &LicenseWish) -> Result<Vec<Kid>, AcquireError> {
    let mut kids = match &wish.header {
        Some(header) if wish.kids.is_empty() => {
            let header = ContentHeader::parse(header).map_err(|_| AcquireError::NoKeyId)?;
            header.kids().to_vec()
        }
        Some(_) | None => wish.kids.clone(),
    };
    kids.sort_unstable();
    kids.dedup();
    match (kids.is_empty(), wish.header.is_some(), wish.scope.is_some() || wish.resume.is_some()) {
        (false, _, _) | (true, false, true) => Ok(kids),
        (true, true, _) => Err(AcquireError::NoKeyId),
        (true, false, false) => Err(AcquireError::NothingAsked),
    }
}

/// Tells without a network that the device must be individualized first, where that is known.
fn require_individualization(client: &Client, settings: &Settings, wish: &LicenseWish) -> Result<(), AcquireError> {
    let Some(authority) = known_authority(client, settings, wish.url.as_deref())? else { return Ok(()) };
    if Credentials::load(client, authority)?.is_none() {
        return Err(AcquireError::NeedsIndividualization);
    }
    Ok(())
}

fn not_renewed(error: IndividualizeError) -> AcquireError {
    match error {
        IndividualizeError::Cancelled => AcquireError::Cancelled,
        IndividualizeError::NoService => AcquireError::NoService,
        IndividualizeError::AuthorityNotTrusted => AcquireError::AuthorityNotTrusted,
        IndividualizeError::Transport(TransportError::Refused(_)) | IndividualizeError::Refused(..) => {
            AcquireError::NeedsIndividualization
        }
        IndividualizeError::Transport(error) => AcquireError::Transport(error),
        IndividualizeError::BadAnswer(reason) => AcquireError::BadAnswer(reason),
        IndividualizeError::Device(_) => AcquireError::Keys,
        IndividualizeError::Store(error) => AcquireError::Store(error),
    }
}

/// Takes up a transaction that was asked for by its ID, whatever the wish says now.
fn resume(
    session: &mut Session<'_>,
    stored: Transaction,
    credentials: &Credentials,
    context: &Context,
) -> Result<Acquired, AcquireError> {
    let question = transaction::resumed(session, Endpoint::Licenses, stored, &credentials.identity)?;
    let question = question.ok_or(StoreError::NoTransaction)?;
    let envelope = transaction::exchange(session, &question, None)?;
    context.check()?;
    take(session, &question, &envelope, credentials)
}

fn acquire_part(
    session: &mut Session<'_>,
    wish: &LicenseWish,
    kids: &[Kid],
    credentials: &mut Credentials,
    context: &Context,
) -> Result<Acquired, AcquireError> {
    let name = name_of(session, wish, kids, credentials);
    if let Some(question) = transaction::pending(session, Endpoint::Licenses, name, &credentials.identity)? {
        match transaction::exchange(session, &question, None) {
            // Done or lost at the service; a fresh request says the same.
            Err(error) if error.transaction_end().is_some() => {}
            result => return take(session, &question, &result?, credentials),
        }
        context.check()?;
    }
    match ask(session, wish, kids, name, credentials) {
        // By the service's clock the certificate has ended.
        Err(error) if error.is_unknown_device() => {
            *credentials = renew(session, context).map_err(not_renewed)?;
            let (question, envelope) = ask(session, wish, kids, name, credentials)?;
            take(session, &question, &envelope, credentials)
        }
        result => {
            let (question, envelope) = result?;
            take(session, &question, &envelope, credentials)
        }
    }
}

/// Sends a fresh request.
fn ask(
    session: &mut Session<'_>,
    wish: &LicenseWish,
    kids: &[Kid],
    name: Digest,
    credentials: &Credentials,
) -> Result<(Question, Envelope), SessionError> {
    let Credentials { identity, certificate } = credentials;
    let body = body_of(wish, kids);
    let question = transaction::prepare(session, Endpoint::Licenses, name, body, identity, Some(certificate))?;
    let envelope = transaction::exchange(session, &question, None)?;
    Ok((question, envelope))
}

/// Names what is wanted, so that equal wishes find the same pending transaction.
fn name_of(session: &Session<'_>, wish: &LicenseWish, kids: &[Kid], credentials: &Credentials) -> Digest {
    let thumbprint = credentials.identity.keys.thumbprint();
    let said = write::array([
        write::array(kids.iter().map(write::bytes)),
        write::array(actions_of(wish).iter().map(|action| write::text(action))),
        wish.scope.as_deref().map_or_else(write::null, write::text),
        wish.custom_data.as_ref().map_or_else(write::null, write::bytes),
    ]);
    Digest::of_parts(&[b"licenses\0", session.authority().as_bytes(), thumbprint.as_bytes(), &said])
}

fn actions_of(wish: &LicenseWish) -> Vec<String> {
    if wish.actions.is_empty() { vec![DEFAULT_ACTION.to_owned()] } else { wish.actions.clone() }
}

fn body_of(wish: &LicenseWish, kids: &[Kid]) -> Body {
    Body::Licenses {
        kids: kids.to_vec(),
        header: None,
        scope: wish.scope.clone(),
        since: None,
        actions: actions_of(wish),
        custom: wish.custom_data.clone(),
        usage: Vec::new(),
    }
}
