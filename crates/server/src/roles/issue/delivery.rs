//! Pre-delivery: everything that an account may have, or one scope of it, page by page, and what the device has to drop.

use super::super::whole;
use super::cursor::Cursor;
use super::draft::Drafts;
use super::grant::{NotGranted, TermsByName};
use super::{Batch, Brought, Caller, Decision, Issuing, Looked, Matter, Step, serve};
use crate::problem::Fault;
use crate::quota::Payer;
use crate::rules::licenses::holder;
use crate::rules::tally::Outcome as Came;
use crate::service::Service;
use crate::shares::Share;
use crate::store::{DeliveryPage, DeliveryQuery, Exchange, Issue, Position, Prior};
use std::sync::Arc;
use wmlicense_wire::answer::{self, Outcome, Reason};
use wmlicense_wire::id::{Kid, UserId};
use wmlicense_wire::license;

/// Room that an answer leaves for its signed part without the manifest, and for certificates.
const RESERVE: usize = 256 * 1024;
/// Bytes of a license beside its policy: binding, wrapped key, manifest entry.
const BESIDE_POLICY: usize = 320;
/// A service that is at its limit asks for this patience, in seconds: from, and how much longer at most.
const PATIENCE: (i64, i64) = (2, 30);

/// What is to be delivered next.
#[derive(Clone)]
pub(super) struct Ask {
    /// This scope alone; none: everything.
    scope: Option<String>,
    since: Option<i64>,
    /// `None` on the first page.
    mark: Option<i64>,
    from: Position,
}

impl Ask {
    pub(super) fn read(
        caller: &Caller,
        service: &Service,
        user: Option<UserId>,
        scope: Option<String>,
        since: Option<i64>,
    ) -> Result<Self, Fault> {
        let (mark, from) = match (caller.request.page, caller.request.cursor.as_deref()) {
            (0, None) => (None, Position::Withdrawn(Vec::new())),
            (0, Some(_)) | (_, None) => {
                return Err(Fault::BadRequest("The page and the cursor contradict each other."));
            }
            (_, Some(bytes)) => {
                let cursor = Cursor::open(bytes, caller, user, service);
                let cursor = cursor.ok_or(Fault::BadRequest("The cursor was not given for this page."))?;
                (Some(cursor.mark), cursor.position)
            }
        };
        Ok(Self { scope, since, mark, from })
    }
}

/// Answers one page.
pub(super) async fn deliver(issuing: Issuing, ask: Ask) -> Result<Vec<u8>, Fault> {
    serve(Delivering { issuing, ask, permit: None }).await
}

struct Delivering {
    issuing: Issuing,
    ask: Ask,
    /// Held from before the page is in memory until the request is over.
    permit: Option<Share>,
}

impl Matter for Delivering {
    /// None where too many pages are in memory, or too many for who asks from there.
    type Found = Option<DeliveryPage>;
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
        let desk = &self.issuing.desk;
        if self.permit.is_none() {
            self.permit = desk.service.deliveries.take(desk.payer().source, 1);
        }
        if self.permit.is_none() {
            return Ok(Looked { revoked: false, prior: Prior::None, found: None });
        }
        let query = DeliveryQuery { scope: self.ask.scope.clone(), since: self.ask.since, from: self.ask.from.clone() };
        let device = desk.caller.device.device_id;
        let mut page = desk.service.store.delivery(exchange.clone(), device, query).await?;
        let prior = std::mem::replace(&mut page.prior, Prior::None);
        Ok(Looked { revoked: page.revoked, prior, found: Some(page) })
    }

    async fn decide(&mut self, _: &Exchange, page: Self::Found) -> Result<Step<Self::Write>, Fault> {
        let Some(page) = page else { return self.issuing.later(self.issuing.now + PATIENCE.0).await };
        // What the account may not have any more goes with the refusal.
        if let Some(reason) = page.refusal.filter(|_| page.withdrawn.is_empty() && self.ask.mark.is_none()) {
            return Ok(Step::Refuse(reason));
        }
        if let Some(from) = self.issuing.desk.service.pace.wait(self.issuing.now) {
            return self.issuing.later(from).await;
        }
        let (work, of) = (self.issuing.clone(), (self.ask.mark, self.ask.since));
        let decision = self.issuing.desk.compute(move |_| work.page(page, of)).await?;
        Ok(self.issuing.decided(decision))
    }

    async fn commit(&mut self, exchange: Exchange, write: Self::Write) -> Result<Brought, Fault> {
        self.issuing.commit(exchange, write).await
    }

    fn noted(&self) {
        self.issuing.noted();
    }

    fn written(&self) {
        self.issuing.written();
        self.issuing.desk.service.pace.spend(self.issuing.granted);
    }
}

impl Issuing {
    /// Asks the device to come again with the same bytes, which decides nothing yet.
    async fn later(&self, from: i64) -> Result<Step<(Issue, Vec<u8>)>, Fault> {
        let mut answer = self.desk.caller.answer(self.now, &self.standing);
        answer.outcome = Outcome::Later { from, until: from + PATIENCE.1 };
        self.desk.compute(move |desk| desk.seal(answer)).await.map(Step::Note)
    }

    /// Grants as much of the page as an answer takes. What is refused is refused with the last page.
    fn page(&self, page: DeliveryPage, (mark, since): (Option<i64>, Option<i64>)) -> Result<Decision, Fault> {
        let mark = mark.unwrap_or(page.mark);
        let (granter, mut terms, mut batch) = (self.granter(), TermsByName::default(), Batch::default());
        batch.withdraw(page.withdrawn);
        // What counts is handed out once; all else is the same however often it is made.
        batch.issue.made_again = true;
        batch.issue.deliveries = page.deliveries;
        let mut drafts = Drafts::new(self.desk.caller.device.device_id, self.now, page.mark);
        let (mut room, mut next) = (answer::MAX_LEN - RESERVE, page.next);
        let (mut last, mut limited) = (None::<(Arc<str>, Kid)>, false);
        for (found, kid, offered) in page.items {
            // What is refused at present is not told: nobody asked for it by name.
            let scope = offered.content.scope.as_deref().unwrap_or_default();
            let place = drafts.place(scope, holder(&offered.content, self.desk.user()))?;
            let granted = granter.grant_at(kid, Some(offered), &mut terms, Some(place))?;
            limited |= matches!(granted, Err(NotGranted::Refused(Reason::LimitReached)));
            if let Ok(mut granted) = granted {
                let length = granted.grant.policy.len() + BESIDE_POLICY;
                if room < length.max(license::MAX_LEN) {
                    // The page ends before this one.
                    next = last.take().map(|(found, kid)| position(&found, kid));
                    break;
                }
                room -= length;
                batch.issue.made_again &= !granted.stateful;
                if let Some(policy) = granted.delivered.take() {
                    drafts.add(policy, granted.license.take());
                }
                batch.deliver(granted, &found);
            }
            last = Some((found, kid));
        }
        drafts.finish(&mut batch.issue);
        // Who gets nothing because other devices have it has to know what helps.
        let full = (limited && batch.grants.is_empty()).then_some(Reason::LimitReached);
        let mut answer = self.desk.caller.answer(self.now, &self.standing);
        // What a copied device is not given waits for it.
        answer.since = if self.standing.stopped { since } else { Some(mark) };
        if let Some(reason) = page.refusal.or(full).filter(|_| next.is_none()) {
            answer.outcome = Outcome::Refused;
            batch.counts.add(Came::Refused, None, 1);
            batch.refusals.push(whole(reason, Some(&self.desk.service.presence.support_url)));
        }
        let (user, desk) = (self.desk.user(), &self.desk);
        answer.account = Some(user.is_some());
        answer.next_cursor = next.map(|position| Cursor { mark, position }.seal(&desk.caller, user, &desk.service));
        self.seal(answer, batch)
    }
}

/// Behind what was found there.
fn position(found: &str, kid: Kid) -> Position {
    Position::Scope(found.to_owned(), kid.as_bytes().to_vec())
}
