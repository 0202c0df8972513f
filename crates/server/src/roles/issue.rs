//! Issuing licenses to an individualized device, as its account may have them: for key IDs here, pre-delivery in
//! `issue/delivery.rs`, one license in `issue/grant.rs`.

mod cursor;
mod delivery;
pub(crate) mod grant;

use super::ask::{self, Consent, ask_user};
use super::{Caller, MAX_ATTEMPTS, known_answer, role_key, told, whole, written};
use crate::accounts::Account;
use crate::keyring::Keyring;
use crate::metrics::count;
use crate::problem::Fault;
use crate::service::Service;
use crate::store::epoch::Standing;
use crate::store::{Exchange, Issue, NewLicense, Offer, Withdrawn};
use grant::{Granter, NotGranted, TermsByName};
use std::collections::HashSet;
use std::sync::Arc;
use wmlicense_wire::answer::{Answer, Beside, Grant, Outcome, Reason, Refusal};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::endpoint::Endpoint;
use wmlicense_wire::id::{Kid, Lid, UserId};
use wmlicense_wire::request::Body;

/// What one answer grants and refuses, before it is sealed.
#[derive(Default)]
struct Batch {
    grants: Vec<Grant>,
    refusals: Vec<Refusal>,
    issue: Issue,
}

/// What is decided, sealed but not written yet.
struct Decision {
    sealed: Vec<u8>,
    issue: Issue,
    granted: usize,
    refused: usize,
}

/// Who asks, and by which keys and clock it is decided.
#[derive(Clone)]
struct Desk {
    service: Arc<Service>,
    keyring: Arc<Keyring>,
    caller: Arc<Caller>,
    account: Option<Arc<Account>>,
    /// The account that the user named on the page, where the request came without one.
    named: Option<Arc<Account>>,
    /// The user's word, where it was asked for.
    consent: Option<Consent>,
    /// Lines of the licenses that the device tells that it has.
    told: Arc<HashSet<Lid>>,
    now: i64,
    /// How the request stands by its epoch.
    standing: Standing,
}

/// What comes of a request.
enum Verdict {
    /// It is decided.
    Final(Decision),
    /// The user must act on these first.
    Ask(Vec<Kid>),
}

/// Answers `POST /v1/licenses`.
pub(crate) async fn issue(service: Arc<Service>, bytes: Vec<u8>, account: Option<Account>) -> Result<Vec<u8>, Fault> {
    let keyring = service.keyring();
    let account = account.map(Arc::new);
    let (caller, asked) = {
        let (service_, keyring, account) = (Arc::clone(&service), Arc::clone(&keyring), account.clone());
        service.compute(move || check(&service_, &keyring, account.as_deref(), &bytes)).await??
    };
    let (now, caller, named, consent) = (service.clock.now(), Arc::new(caller), None, None);
    let told = Arc::new(told(&service, &caller, now).await?);
    let desk = Desk { service, keyring, caller, account, named, consent, told, now, standing: Standing::default() };
    match asked {
        Asked::Kids(kids) => issue_kids(desk, kids).await,
        Asked::Delivery(ask) => delivery::deliver(desk, ask).await,
    }
}

async fn issue_kids(mut desk: Desk, kids: Vec<Kid>) -> Result<Vec<u8>, Fault> {
    let device_id = desk.caller.device.device_id;
    for _ in 0..MAX_ATTEMPTS {
        let exchange = match desk.enter().await? {
            Ok(exchange) => exchange,
            Err(reason) => return desk.refuse(reason).await,
        };
        let offer = desk.service.store.offer(exchange.clone(), device_id, desk.holder(), kids.clone()).await?;
        if offer.revoked {
            return desk.refuse(Reason::DeviceRevoked).await;
        }
        if let Some(bytes) = known_answer(offer.prior)? {
            return Ok(bytes);
        }
        let offer = Offer { prior: crate::store::Prior::None, ..offer };
        let (work, kids) = (desk.clone(), kids.clone());
        let decision = match desk.service.compute(move || work.decide(&kids, offer)).await?? {
            Verdict::Final(decision) => decision,
            Verdict::Ask(kids) => match ask_user(&desk.service, &desk.caller, &exchange, kids).await? {
                ask::Asked::Waiting(url) => {
                    let waiting = desk.clone();
                    let answer = desk.service.compute(move || waiting.waiting(url)).await??;
                    match desk.note(exchange, answer).await? {
                        Some(bytes) => return Ok(bytes),
                        None => continue,
                    }
                }
                ask::Asked::Decided(word, named) => {
                    (desk.consent, desk.named) = (Some(word), named);
                    continue;
                }
            },
        };
        if let Some(bytes) = desk.conclude(exchange, decision).await? {
            return Ok(bytes);
        }
        desk.now = desk.service.clock.now();
    }
    Err(Fault::Unavailable)
}

enum Asked {
    Kids(Vec<Kid>),
    /// Whatever the account may have.
    Delivery(delivery::Ask),
}

fn check(
    service: &Service,
    keyring: &Keyring,
    account: Option<&Account>,
    bytes: &[u8],
) -> Result<(Caller, Asked), Fault> {
    let caller = Caller::check(service, keyring, Endpoint::Licenses, bytes)?;
    let Body::Licenses { kids, header, scope, since, .. } = &caller.request.body else {
        return Err(Fault::BadRequest("The request asks for something else."));
    };
    if kids.is_empty() && header.is_none() {
        let ask = delivery::Ask::read(&caller, service, account, scope.clone(), *since)?;
        return Ok((caller, Asked::Delivery(ask)));
    }
    if kids.is_empty() {
        return Err(Fault::BadRequest("This service answers requests that name key IDs."));
    }
    if caller.request.page != 0 || caller.request.cursor.is_some() {
        return Err(Fault::BadRequest("Key IDs are answered in one page."));
    }
    let mut seen = std::collections::HashSet::new();
    let kids = kids.iter().copied().filter(|kid| seen.insert(*kid)).collect();
    Ok((caller, Asked::Kids(kids)))
}

impl Desk {
    /// Takes the request up; or why it is refused whole.
    async fn enter(&mut self) -> Result<Result<Exchange, Reason>, Fault> {
        let user = self.account.as_deref().map(|account| account.user);
        let entered = self.caller.enter(&self.service, user, self.now).await?;
        if let Ok(exchange) = &entered {
            self.standing = exchange.standing.clone();
        }
        Ok(entered)
    }

    /// Writes that the request was checked, and gives the answer that decides nothing yet; `None` if it must be made again.
    async fn note(&self, exchange: Exchange, answer: Vec<u8>) -> Result<Option<Vec<u8>>, Fault> {
        let committed = self.service.store.note(exchange).await?;
        written(&self.service, &self.standing, committed, answer)
    }

    /// Who gets the licenses.
    fn holder(&self) -> Option<UserId> {
        self.account.as_deref().or(self.named.as_deref()).map(|account| account.user)
    }

    /// Tells the page on which the user must act. The same request gets the result later, so this answer is not kept.
    fn waiting(&self, url: String) -> Result<Vec<u8>, Fault> {
        let own = role_key(&self.keyring, Role::Issuer)?;
        let mut answer = self.caller.answer(self.now, &self.standing);
        answer.outcome = Outcome::Interaction { url };
        let certificates = self.caller.not_held([(own.certificate.hash, own.certificate.bytes.as_slice())]);
        self.caller.seal(answer, &[], None, &Beside { certificates, ..Beside::default() }, own)
    }

    fn granter(&self) -> Granter {
        Granter {
            service: Arc::clone(&self.service),
            keyring: Arc::clone(&self.keyring),
            account: self.account.clone().or_else(|| self.named.clone()),
            consent: self.consent,
            copied: self.standing.stopped,
            told: Arc::clone(&self.told),
            now: self.now,
        }
    }

    /// Refuses the whole request, without trace: the same request may succeed later.
    async fn refuse(&self, reason: Reason) -> Result<Vec<u8>, Fault> {
        let desk = self.clone();
        let refuse = move || {
            let key = role_key(&desk.keyring, Role::Issuer)?;
            desk.caller.refuse(whole(reason, Some(&desk.service.presence.support_url)), desk.now, key)
        };
        self.service.compute(refuse).await?
    }

    fn decide(&self, kids: &[Kid], offer: Offer) -> Result<Verdict, Fault> {
        let mut asked = Vec::new();
        let (granter, mut terms, mut batch) = (self.granter(), TermsByName::default(), Batch::default());
        batch.withdraw(offer.withdrawn);
        for (kid, offered) in kids.iter().zip(offer.items) {
            match granter.grant(*kid, offered, &mut terms)? {
                Ok(granted) => batch.add(granted),
                Err(NotGranted::AskUser) => asked.push(*kid),
                Err(refused @ (NotGranted::Refused(_) | NotGranted::TooOften(_))) => {
                    let (reason, again) = refused.reason();
                    let url = Some(self.service.presence.support_url.clone());
                    batch.refusals.push(Refusal { subject: Some(*kid.as_bytes()), kid: None, reason, url, again });
                }
            }
        }
        if !asked.is_empty() {
            return Ok(Verdict::Ask(asked));
        }
        // The roots without which the leaves among them would not open.
        for (kid, offered) in offer.roots {
            if let Ok(granted) = granter.grant(kid, Some(offered), &mut terms)? {
                batch.add(granted);
            }
        }
        let mut answer = self.caller.answer(self.now, &self.standing);
        answer.outcome = if batch.grants.is_empty() { Outcome::Refused } else { Outcome::Done };
        answer.account = Some(self.holder().is_some());
        Ok(Verdict::Final(self.seal(answer, batch)?))
    }

    fn seal(&self, mut answer: Answer, mut batch: Batch) -> Result<Decision, Fault> {
        leave_out_replaced(&mut batch.issue.withdrawn, &batch.issue.licenses);
        let (granted, refused) = (batch.grants.len(), batch.refusals.len());
        answer.refusals = batch.refusals;
        answer.withdrawn = batch.issue.withdrawn.iter().map(|withdrawn| withdrawn.lid).collect();
        let own = role_key(&self.keyring, Role::Issuer)?;
        let management = self.keyring.newest(Role::Management);
        let certificates = [Some(&own.certificate), management.filter(|_| granted > 0)];
        let certificates = certificates.into_iter().flatten().map(|c| (c.hash, c.bytes.as_slice()));
        let beside = Beside { certificates: self.caller.not_held(certificates), ..Beside::default() };
        let sealed = self.caller.seal(answer, &batch.grants, None, &beside, own)?;
        Ok(Decision { sealed, issue: batch.issue, granted, refused })
    }

    /// Writes a decision and gives what to send; `None` if it must be made again.
    async fn conclude(&self, exchange: Exchange, decision: Decision) -> Result<Option<Vec<u8>>, Fault> {
        let device = self.caller.device.device_id;
        let committed = self.service.store.issue(exchange, device, decision.issue, decision.sealed.clone()).await?;
        let bytes = written(&self.service, &self.standing, committed, decision.sealed)?;
        if bytes.is_some() {
            count(&self.service.metrics.licenses, decision.granted);
            count(&self.service.metrics.license_refusals, decision.refused);
            tracing::info!(granted = decision.granted, refused = decision.refused, "licenses");
        }
        Ok(bytes)
    }
}

/// A license that another one takes the place of is dropped with that one's arrival, which keeps what the device knows of it.
pub(super) fn leave_out_replaced(withdrawn: &mut Vec<Withdrawn>, licenses: &[NewLicense]) {
    let replaced: HashSet<Lid> = licenses.iter().filter_map(|license| license.replaces).collect();
    withdrawn.retain(|withdrawn| !replaced.contains(&withdrawn.lid));
}

impl Batch {
    fn add(&mut self, grant::Granted { grant, license, again }: grant::Granted) {
        self.grants.push(grant);
        self.issue.licenses.extend(license);
        self.issue.again.extend(again);
    }

    fn withdraw(&mut self, withdrawn: Vec<Withdrawn>) {
        self.issue.withdrawn = withdrawn;
    }
}
