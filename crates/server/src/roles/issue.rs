//! Issuing licenses to an individualized device, as its account may have them: for key IDs here, pre-delivery in
//! `issue/delivery.rs`, one license in `issue/grant.rs`.

mod cursor;
mod delivery;
mod draft;
pub(crate) mod grant;

use super::ask::{self, Consent, ask_user};
use super::desk::{Brought, Desk, Door, Looked, Matter, Step, serve};
use super::mailbox::with_mail;
use super::{Caller, OTHER};
use crate::accounts::Account;
use crate::metrics::count;
use crate::problem::Fault;
use crate::quota::Payer;
use crate::rules::delivery::NAMED;
use crate::rules::epochs::Standing;
use crate::rules::tally::{Counts, Outcome as Came};
use crate::service::Service;
use crate::source::Source;
use crate::store::{Exchange, Issue, NewLicense, Offer, Prior, Withdrawn};
use grant::{Granter, NotGranted, TermsByName};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use wmlicense_wire::answer::{Answer, Grant, Outcome, Reason, Refusal};
use wmlicense_wire::endpoint::Endpoint;
use wmlicense_wire::id::{Kid, Lid, UserId};
use wmlicense_wire::request::Body;

/// What one answer grants and refuses, before it is sealed.
#[derive(Default)]
struct Batch {
    grants: Vec<Grant>,
    refusals: Vec<Refusal>,
    issue: Issue,
    counts: Counts,
    /// A page of a pre-delivery has thousands of titles: it is counted by scope.
    by_scope: BTreeMap<Arc<str>, usize>,
}

/// What is decided, sealed but not written yet.
struct Decision {
    sealed: Vec<u8>,
    issue: Issue,
    counts: Counts,
    granted: usize,
    refused: usize,
}

/// What a request for key IDs and one for pre-delivery have in common.
#[derive(Clone)]
struct Issuing {
    desk: Desk,
    /// The account that the user named on the page, where the request came without one.
    named: Option<Account>,
    /// The user's word, where it was asked for.
    consent: Option<Consent>,
    /// Lines of the licenses that the device tells that it has.
    told: Arc<HashSet<Lid>>,
    now: i64,
    /// How the request stands by its epoch.
    standing: Standing,
    /// What it grants and refuses, by title.
    counts: Counts,
    granted: usize,
    refused: usize,
}

/// What comes of a request.
enum Verdict {
    /// It is decided.
    Final(Decision),
    /// The user must act on these first.
    Ask(Vec<Kid>),
}

enum Asked {
    Kids(Vec<Kid>),
    /// Whatever the account may have.
    Delivery(delivery::Ask),
}

/// Answers `POST /v1/licenses`.
pub(crate) async fn issue(
    service: Arc<Service>,
    bytes: Vec<u8>,
    account: Option<Account>,
    source: Source,
) -> Result<Vec<u8>, Fault> {
    let door = Door::new(service, account, source);
    let (desk, asked) = door.open(Endpoint::Licenses, bytes, read).await?;
    let now = desk.service.clock.now();
    let (told, standing) = (Arc::new(desk.told(now).await?), Standing::default());
    let (desk_of, counts) = (desk.clone(), Counts::default());
    let issuing =
        Issuing { desk: desk_of, named: None, consent: None, told, now, standing, counts, granted: 0, refused: 0 };
    let answer = match asked {
        Asked::Kids(kids) => serve(ByKid { issuing, kids }).await?,
        Asked::Delivery(ask) => delivery::deliver(issuing, ask).await?,
    };
    Ok(with_mail(&desk, answer).await)
}

fn read(door: &Door, caller: &mut Caller) -> Result<Asked, Fault> {
    let Body::Licenses { kids, header, scope, since, .. } = &caller.request.body else { return Err(OTHER) };
    if kids.is_empty() && header.is_none() {
        let user = door.account.map(|account| account.user);
        return Ok(Asked::Delivery(delivery::Ask::read(caller, &door.service, user, scope.clone(), *since)?));
    }
    if kids.is_empty() {
        return Err(Fault::BadRequest("This service answers requests that name key IDs."));
    }
    if caller.request.page != 0 || caller.request.cursor.is_some() {
        return Err(Fault::BadRequest("Key IDs are answered in one page."));
    }
    let mut seen = HashSet::new();
    Ok(Asked::Kids(kids.iter().copied().filter(|kid| seen.insert(*kid)).collect()))
}

/// A request for key IDs.
struct ByKid {
    issuing: Issuing,
    kids: Vec<Kid>,
}

impl Matter for ByKid {
    type Found = Offer;
    type Write = (Issue, Vec<u8>);

    fn service(&self) -> &Service {
        &self.issuing.desk.service
    }

    fn payer(&self) -> Option<Payer> {
        Some(self.issuing.desk.payer())
    }

    async fn enter(&mut self) -> Result<Result<Exchange, Reason>, Fault> {
        self.issuing.enter().await
    }

    async fn refuse(&self, reason: Reason) -> Result<Vec<u8>, Fault> {
        self.issuing.desk.refuse(reason).await
    }

    async fn look(&mut self, exchange: &Exchange) -> Result<Looked<Self::Found>, Fault> {
        let (desk, holder) = (&self.issuing.desk, self.issuing.holder());
        let device = desk.caller.device.device_id;
        let mut offer = desk.service.store.offer(exchange.clone(), device, holder, self.kids.clone()).await?;
        let prior = std::mem::replace(&mut offer.prior, Prior::None);
        Ok(Looked { revoked: offer.revoked, prior, found: offer })
    }

    async fn decide(&mut self, exchange: &Exchange, offer: Self::Found) -> Result<Step<Self::Write>, Fault> {
        let (work, kids) = (self.issuing.clone(), self.kids.clone());
        let asked = match self.issuing.desk.compute(move |_| work.decide(&kids, offer)).await? {
            Verdict::Final(decision) => return Ok(self.issuing.decided(decision)),
            Verdict::Ask(kids) => kids,
        };
        Ok(match ask_user(&self.issuing.desk, exchange, asked).await? {
            ask::Asked::Waiting(url) => Step::Note(self.issuing.waiting(url).await?),
            ask::Asked::Decided(word, named) => {
                (self.issuing.consent, self.issuing.named) = (Some(word), named);
                Step::Again
            }
        })
    }

    async fn commit(&mut self, exchange: Exchange, write: Self::Write) -> Result<Brought, Fault> {
        self.issuing.commit(exchange, write).await
    }

    fn noted(&self) {
        self.issuing.noted();
    }

    fn written(&self) {
        self.issuing.written();
    }
}

impl Issuing {
    /// Takes the request up; or why it is refused whole.
    async fn enter(&mut self) -> Result<Result<Exchange, Reason>, Fault> {
        self.now = self.desk.service.clock.now();
        let entered = self.desk.enter(self.now).await?;
        if let Ok(exchange) = &entered {
            self.standing = exchange.standing.clone();
        }
        Ok(entered)
    }

    fn decided(&mut self, decision: Decision) -> Step<(Issue, Vec<u8>)> {
        let Decision { sealed, issue, counts, granted, refused } = decision;
        (self.counts, self.granted, self.refused) = (counts, granted, refused);
        // What only refuses is decided anew for the same request: kept, it would fill the disk for whoever asks for nonsense.
        if refused > 0 && granted == 0 && issue.is_empty() { Step::Note(sealed) } else { Step::Commit((issue, sealed)) }
    }

    async fn commit(&self, exchange: Exchange, (issue, answer): (Issue, Vec<u8>)) -> Result<Brought, Fault> {
        let (device, standing) = (self.desk.caller.device.device_id, exchange.standing.clone());
        // What is made again is kept nowhere, and may be long.
        let kept = if issue.made_again { Vec::new() } else { answer.clone() };
        Ok((self.desk.service.store.issue(exchange, device, issue, kept).await?, standing, answer))
    }

    /// Who waits for its user, or for its turn, was refused nothing yet.
    fn noted(&self) {
        if self.refused > 0 {
            self.written();
        }
    }

    fn written(&self) {
        count(&self.desk.service.metrics.licenses, self.granted);
        count(&self.desk.service.metrics.license_refusals, self.refused);
        self.desk.service.tally.add(&self.counts, self.now);
        tracing::info!(granted = self.granted, refused = self.refused, "licenses");
    }

    /// Who gets the licenses.
    fn holder(&self) -> Option<UserId> {
        self.account().map(|account| account.user)
    }

    fn account(&self) -> Option<Account> {
        self.desk.account.or(self.named)
    }

    /// Tells the page on which the user must act. The same request gets the result later, so this answer is not kept.
    async fn waiting(&self, url: String) -> Result<Vec<u8>, Fault> {
        let mut answer = self.desk.caller.answer(self.now, &self.standing);
        answer.outcome = Outcome::Interaction { url };
        self.desk.compute(move |desk| desk.seal(answer)).await
    }

    fn granter(&self) -> Granter {
        Granter {
            service: Arc::clone(&self.desk.service),
            keyring: Arc::clone(&self.desk.keyring),
            account: self.account(),
            device: self.desk.caller.device.device_id,
            consent: self.consent,
            copied: self.standing.stopped,
            told: Arc::clone(&self.told),
            now: self.now,
        }
    }

    fn decide(&self, kids: &[Kid], offer: Offer) -> Result<Verdict, Fault> {
        let mut asked = Vec::new();
        let (granter, mut terms, mut batch) = (self.granter(), TermsByName::default(), Batch::default());
        batch.withdraw(offer.withdrawn);
        batch.issue.deliveries = offer.deliveries;
        for (kid, offered) in kids.iter().zip(offer.items) {
            let title = offered.as_ref().and_then(|offered| offered.content.title.clone());
            match granter.grant(*kid, offered, &mut terms)? {
                Ok(granted) => {
                    batch.counts.add(Came::Issued, title.as_deref(), 1);
                    batch.add(granted);
                }
                Err(NotGranted::AskUser) => asked.push(*kid),
                Err(refused @ (NotGranted::Refused(_) | NotGranted::TooOften(_) | NotGranted::NotYet(_))) => {
                    let (reason, again) = refused.reason();
                    batch.counts.add(Came::Refused, title.as_deref(), 1);
                    let url = Some(self.desk.service.presence.support_url.clone());
                    batch.refusals.push(Refusal { subject: Some(*kid.as_bytes()), kid: None, reason, url, again });
                }
            }
        }
        if !asked.is_empty() {
            return Ok(Verdict::Ask(asked));
        }
        // The roots without which the leaves among them would not open.
        for (kid, offered) in offer.roots {
            let title = offered.content.title.clone();
            if let Ok(granted) = granter.grant(kid, Some(offered), &mut terms)? {
                batch.counts.add(Came::Issued, title.as_deref(), 1);
                batch.add(granted);
            }
        }
        let mut answer = self.desk.caller.answer(self.now, &self.standing);
        answer.outcome = if batch.grants.is_empty() { Outcome::Refused } else { Outcome::Done };
        answer.account = Some(self.holder().is_some());
        Ok(Verdict::Final(self.seal(answer, batch)?))
    }

    fn seal(&self, mut answer: Answer, mut batch: Batch) -> Result<Decision, Fault> {
        leave_out_replaced(&mut batch.issue.withdrawn, &batch.issue.licenses);
        let (granted, refused) = (batch.grants.len(), batch.refusals.len());
        for (scope, number) in &batch.by_scope {
            // What only offers name is in no scope.
            batch.counts.add(Came::Issued, Some(&**scope).filter(|scope| *scope != NAMED), *number);
        }
        answer.refusals = batch.refusals;
        answer.withdrawn = batch.issue.withdrawn.iter().map(|withdrawn| withdrawn.lid).collect();
        let sealed = self.desk.seal_licenses(answer, &batch.grants)?;
        Ok(Decision { sealed, issue: batch.issue, counts: batch.counts, granted, refused })
    }
}

/// A license that another one takes the place of is dropped with that one's arrival, which keeps what the device knows of it.
pub(super) fn leave_out_replaced(withdrawn: &mut Vec<Withdrawn>, licenses: &[NewLicense]) {
    let replaced: HashSet<Lid> = licenses.iter().filter_map(|license| license.replaces).collect();
    withdrawn.retain(|withdrawn| !replaced.contains(&withdrawn.lid));
}

impl Batch {
    fn add(&mut self, grant::Granted { grant, license, again, uses, joins, .. }: grant::Granted) {
        self.grants.push(grant);
        self.issue.licenses.extend(license);
        self.issue.again.extend(again);
        self.issue.uses.extend(uses);
        self.issue.joins.extend(joins);
    }

    /// Adds what a scope gave.
    fn deliver(&mut self, granted: grant::Granted, scope: &Arc<str>) {
        self.add(granted);
        *self.by_scope.entry(Arc::clone(scope)).or_default() += 1;
    }

    fn withdraw(&mut self, withdrawn: Vec<Withdrawn>) {
        self.issue.withdrawn = withdrawn;
    }
}
