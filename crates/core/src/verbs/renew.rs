//! Renewing stored licenses without their content: each is asked for again at the service it came from, the way it was asked
//! for first. Which ones are due is found by the store, what becomes of an answer is `acquire`'s.

use crate::client::{Client, Settings};
use crate::contact::{Credentials, Session, SessionError, fitting, given, mend_clock};
use crate::event::{Event, LeftOut, Why};
use crate::operation::{Cancelled, Context};
use crate::rights;
use crate::store::{GiveBackTo, RenewalChoice, RenewalGroup};
use crate::verbs::acquire::{AcquireError, Acquired, Ask, ask_for, give_back_first};
use crate::verbs::give_back;
use crate::verbs::individualize::valid_credentials;
use std::collections::{HashMap, HashSet};
use wmlicense_wire::answer::{Reason, Refusal};
use wmlicense_wire::cbor::write;
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Digest, Kid, Lid};
use wmlicense_wire::license::State;
use wmlicense_wire::request::{Body, MAX_NAMED};

const DAY: i64 = 86_400;

/// Which stored licenses an application wants renewed: those that fit all that is said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RenewalWish {
    /// Key IDs; all where empty.
    pub kids: Vec<Kid>,
    /// Only licenses that came with this scope.
    pub scope: Option<String>,
    /// Only licenses of which a right ends, or whose renewal is due, within so many days; those that ended are among them.
    pub within_days: Option<u32>,
    /// Service to ask for all of them, in place of the one that each came from.
    pub url: Option<String>,
}

/// What a renewal did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renewed {
    /// Licenses that fitted the wish.
    pub chosen: u64,
    /// Licenses stored.
    pub stored: u64,
    /// What was refused beside.
    pub refusals: Vec<Refusal>,
}

/// What a renewal that ended well brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brought {
    /// Licenses, which are stored.
    Licenses,
    /// Nothing for the licenses that fitted the wish.
    Nothing,
    /// Nothing, because no license fitted it.
    NothingChosen,
}

impl Renewed {
    /// What it brought.
    pub fn brought(&self) -> Brought {
        let Self { chosen, stored, refusals: _ } = self;
        match (chosen, stored) {
            (0, _) => Brought::NothingChosen,
            (_, 0) => Brought::Nothing,
            (_, _) => Brought::Licenses,
        }
    }
}

/// Not everything could be asked for. What was renewed before is stored.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// There is no license for the key IDs.
    #[error("there is no license for these key IDs")]
    NothingStored,
    /// A service could not be asked, or renews nothing.
    #[error(transparent)]
    Acquire(AcquireError),
    /// Licenses were renewed, but not all of them could be asked for.
    #[error("{}", failure.error)]
    Partly {
        /// What was renewed, which is stored.
        renewed: Renewed,
        /// What failed first.
        failure: Box<Unasked>,
        /// What failed after it, at other services.
        others: Vec<Unasked>,
    },
}

impl RenewError {
    /// What failed first, if a service was to be asked at all.
    pub fn first(&self) -> Option<&AcquireError> {
        match self {
            Self::NothingStored => None,
            Self::Acquire(error) => Some(error),
            Self::Partly { failure, .. } => Some(&failure.error),
        }
    }
}

/// Licenses that one service could not be asked for.
#[derive(Debug)]
pub struct Unasked {
    /// Their key IDs; none where the service was only to be told what is given back.
    pub kids: Vec<Kid>,
    /// Why.
    pub error: AcquireError,
}

impl<E: Into<AcquireError>> From<E> for RenewError {
    fn from(error: E) -> Self {
        Self::Acquire(error.into())
    }
}

/// What one service is asked for: the licenses that it gave.
struct Errand {
    /// Where it is; the client's service where none is known.
    url: Option<String>,
    groups: Vec<RenewalGroup>,
}

/// Renews licenses, and gives back what was deleted. Each service is asked for its own; one that fails does not keep the
/// others from being asked, and its failure is the result, with what was renewed. Refusals, progress and licenses that stay
/// due are told as events.
pub fn renew(
    client: &Client,
    settings: &Settings,
    wish: &RenewalWish,
    context: &Context,
) -> Result<Renewed, RenewError> {
    context.check()?;
    let result = renew_all(client, settings, wish, context);
    let first = result.as_ref().err().and_then(RenewError::first);
    if matches!(first, Some(AcquireError::Service(SessionError::NeedsIndividualization))) {
        context.emit(Event::NeedsIndividualization)?;
    }
    result
}

/// Gives back what was deleted and came from these places, and renews nothing. A service that fails does not keep the others
/// from being told, and its failure is the result; what it was to be told waits for the next contact.
pub fn give_back_only(
    client: &Client,
    settings: &Settings,
    places: &[GiveBackTo],
    context: &Context,
) -> Result<(), RenewError> {
    context.check()?;
    let mut failure = None;
    for errand in errands(&RenewalWish::default(), Vec::new(), places.to_vec()) {
        match give_back_at(client, settings, &errand, context) {
            Ok(()) => {}
            Err(AcquireError::Service(error)) if error.is_cancelled() => return Err(error.into()),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or(Ok(()), |error| Err(error.into()))
}

fn give_back_at(client: &Client, settings: &Settings, errand: &Errand, context: &Context) -> Result<(), AcquireError> {
    let mut session = Session::connect(client, settings, errand.url.as_deref(), context)?;
    let credentials = valid_credentials(&mut session, context)?.ok_or(SessionError::NeedsIndividualization)?;
    give_back::send(&mut session, &credentials, context)?;
    given::settle(&mut session);
    Ok(())
}

fn renew_all(
    client: &Client,
    settings: &Settings,
    wish: &RenewalWish,
    context: &Context,
) -> Result<Renewed, RenewError> {
    let now = client.clock.now();
    let end = |days: u32| now.saturating_add(i64::from(days) * DAY).saturating_add(1);
    let choice =
        RenewalChoice { kids: wish.kids.clone(), scope: wish.scope.clone(), due_before: wish.within_days.map(end) };
    let groups = client.store.renewable(&choice)?;
    if groups.is_empty() && !wish.kids.is_empty() {
        let mut stored = false;
        for kid in &wish.kids {
            stored |= !client.store.licenses(*kid)?.is_empty();
        }
        if !stored {
            return Err(RenewError::NothingStored);
        }
    }
    let chosen = groups.iter().map(|group| group.licenses.len() as u64).sum();
    let renewed = Renewed { chosen, ..Renewed::default() };
    let mut run = Run { client, settings, context, renewed, done: HashSet::new() };
    let mut failures = Vec::new();
    let errands = errands(wish, groups, client.store.give_back_places()?);
    if errands.is_empty() {
        mend_clock(client, settings, context)?;
    }
    for errand in errands {
        match run.at(&errand) {
            Ok(()) => {}
            Err(AcquireError::Service(error)) if error.is_cancelled() => return Err(error.into()),
            Err(error) => failures.push(Unasked { kids: run.rest(&errand), error }),
        }
    }
    let mut failures = failures.into_iter();
    match failures.next() {
        Some(failure) if run.renewed.stored > 0 => {
            let (failure, others) = (Box::new(failure), failures.collect());
            Err(RenewError::Partly { renewed: run.renewed, failure, others })
        }
        Some(failure) => Err(failure.error.into()),
        None if run.renewed.stored == 0 && !run.renewed.refusals.is_empty() => {
            Err(AcquireError::refused(run.renewed.refusals, client.clock.now()).into())
        }
        None => Ok(run.renewed),
    }
}

/// The services to ask: where chosen licenses came from, and where deleted ones wait to be given back to.
fn errands(wish: &RenewalWish, groups: Vec<RenewalGroup>, waiting: Vec<GiveBackTo>) -> Vec<Errand> {
    let mut errands: Vec<Errand> = Vec::new();
    let mut put = |url: Option<String>, group: Option<RenewalGroup>| match errands.iter_mut().find(|at| at.url == url) {
        Some(errand) => errand.groups.extend(group),
        None => errands.push(Errand { url, groups: group.into_iter().collect() }),
    };
    for group in groups {
        put(wish.url.clone().or(group.url.clone()), Some(group));
    }
    for place in waiting {
        put(place.url, None);
    }
    errands
}

struct Run<'a> {
    client: &'a Client,
    settings: &'a Settings,
    context: &'a Context,
    renewed: Renewed,
    /// Licenses that were asked for.
    done: HashSet<Lid>,
}

impl Run<'_> {
    fn at(&mut self, errand: &Errand) -> Result<(), AcquireError> {
        let mut session = Session::connect(self.client, self.settings, errand.url.as_deref(), self.context)?;
        let result = self.groups(&mut session, errand);
        given::settle(&mut session);
        result
    }

    fn groups(&mut self, session: &mut Session<'_>, errand: &Errand) -> Result<(), AcquireError> {
        let credentials = valid_credentials(session, self.context)?;
        let mut credentials = credentials.ok_or(SessionError::NeedsIndividualization)?;
        give_back_first(session, &credentials, self.context)?;
        for group in &errand.groups {
            if (group.authority, group.issuer) == (session.authority(), session.service(Role::Issuer)?.service_id) {
                self.group(session, group, &mut credentials)?;
            } else {
                // Another service has nothing to renew there, and learns of nothing.
                self.refused(group, group.licenses.iter().map(|(lid, _)| strange(*lid)).collect())?;
                self.done(&group.licenses)?;
            }
        }
        Ok(())
    }

    fn done(&mut self, licenses: &[(Lid, Kid)]) -> Result<(), Cancelled> {
        self.done.extend(licenses.iter().map(|(lid, _)| *lid));
        self.context.progress(self.done.len() as u64, self.renewed.chosen)
    }

    /// Key IDs of the licenses that were not asked for, each once.
    fn rest(&self, errand: &Errand) -> Vec<Kid> {
        let mut kids = Vec::new();
        for (lid, kid) in errand.groups.iter().flat_map(|group| &group.licenses) {
            if !self.done.contains(lid) && !kids.contains(kid) {
                kids.push(*kid);
            }
        }
        kids
    }

    /// Renews the licenses of a group in as many requests as they need.
    fn group(
        &mut self,
        session: &mut Session<'_>,
        group: &RenewalGroup,
        credentials: &mut Credentials,
    ) -> Result<(), AcquireError> {
        let mut rest = group.licenses.as_slice();
        while !rest.is_empty() {
            let next: Vec<Lid> = rest.iter().take(MAX_NAMED).map(|(lid, _)| *lid).collect();
            let mut states = self.client.store.states(&next)?;
            states.truncate(fitting(&states).max(1));
            let last = states.last().and_then(|(last, _)| rest.iter().position(|(lid, _)| lid == last));
            let (asked, others) = rest.split_at(last.map_or(next.len(), |last| last + 1));
            rest = others;
            if !states.is_empty() {
                self.ask(session, group, states, credentials)?;
            }
            self.done(asked)?;
        }
        Ok(())
    }

    fn ask(
        &mut self,
        session: &mut Session<'_>,
        group: &RenewalGroup,
        states: Vec<(Lid, State)>,
        credentials: &mut Credentials,
    ) -> Result<(), AcquireError> {
        let name = name_of(session, group, &states, credentials);
        let body = || Body::Renewals { licenses: states.clone(), custom: group.custom.clone() };
        let asked = Ask { name, body: &body };
        match ask_for(session, &asked, credentials, self.context) {
            Ok(Acquired { stored, refusals, transaction: _, stage: _, before: _, due: _ }) => {
                self.renewed.stored += stored;
                self.refused(group, refusals)
            }
            Err(AcquireError::Refused { refusals, wait: _ }) => self.refused(group, refusals),
            Err(error) => Err(error),
        }
    }

    /// Tells what was refused, and which of it is due all the same.
    fn refused(&mut self, group: &RenewalGroup, mut refusals: Vec<Refusal>) -> Result<(), AcquireError> {
        let now = self.client.clock.now();
        if refusals.is_empty() {
            return Ok(());
        }
        let kids: HashMap<[u8; 16], Kid> = group.licenses.iter().map(|(lid, kid)| (*lid.as_bytes(), *kid)).collect();
        for refusal in &mut refusals {
            let named = refusal.subject.and_then(|subject| kids.get(&subject).copied());
            refusal.kid = refusal.kid.or(named);
            let Some(kid) = refusal.kid else { continue };
            self.context.emit(Event::LicenseRefused(LeftOut { kid, why: Why::refused(refusal, now) }))?;
            let stored = self.client.store.licenses(kid)?;
            if stored.iter().any(|license| rights::is_renewal_due(&license.policy, now)) {
                self.context.emit(Event::RenewalDue(kid))?;
            }
        }
        self.renewed.refusals.extend(refusals);
        Ok(())
    }
}

/// Names what is asked for, so that a renewal that a crash cut off is taken up again with the same bytes.
fn name_of(session: &Session<'_>, group: &RenewalGroup, states: &[(Lid, State)], credentials: &Credentials) -> Digest {
    let thumbprint = credentials.identity.keys.thumbprint();
    let said = write::array([
        write::array(states.iter().map(|(lid, _)| write::bytes(lid))),
        group.custom.as_ref().map_or_else(write::null, write::bytes),
    ]);
    Digest::of_parts(&[b"renewals\0", session.authority().as_bytes(), thumbprint.as_bytes(), &said])
}

fn strange(lid: Lid) -> Refusal {
    Refusal { subject: Some(*lid.as_bytes()), kid: None, reason: Reason::UnknownIssuer, url: None, again: None }
}
