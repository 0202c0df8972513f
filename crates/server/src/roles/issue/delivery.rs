//! Pre-delivery: everything that an account may have, or one scope of it, page by page, and what the device has to drop.

use super::super::whole;
use super::cursor::Cursor;
use super::draft::Drafts;
use super::grant::TermsByName;
use super::{Account, Batch, Brought, Caller, Decision, Issuing, Looked, Matter, Step, serve};
use crate::problem::Fault;
use crate::quota::Payer;
use crate::rules::licenses::holder;
use crate::service::Service;
use crate::shares::Share;
use crate::store::{DeliveryPage, DeliveryQuery, Exchange, Issue, Position, Prior};
use wmlicense_wire::answer::{self, Outcome, Reason};
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
    /// Scopes in their order, open content as the empty one; or why none.
    scopes: Result<Vec<String>, Reason>,
    since: Option<i64>,
    /// `None` on the first page.
    mark: Option<i64>,
    from: Position,
}

impl Ask {
    pub(super) fn read(
        caller: &Caller,
        service: &Service,
        account: Option<&Account>,
        scope: Option<String>,
        since: Option<i64>,
    ) -> Result<Self, Fault> {
        let scopes = scopes(account, scope);
        let (mark, from) = match (caller.request.page, caller.request.cursor.as_deref()) {
            (0, None) => (None, Position::Withdrawn(Vec::new())),
            (0, Some(_)) | (_, None) => {
                return Err(Fault::BadRequest("The page and the cursor contradict each other."));
            }
            (_, Some(bytes)) => {
                let cursor = Cursor::open(bytes, caller, account.map(|account| account.user), service);
                let cursor = cursor.ok_or(Fault::BadRequest("The cursor was not given for this page."))?;
                (Some(cursor.mark), cursor.position)
            }
        };
        Ok(Self { scopes, since, mark, from })
    }
}

fn scopes(account: Option<&Account>, named: Option<String>) -> Result<Vec<String>, Reason> {
    match (named, account) {
        (Some(_), None) => Err(Reason::AccountRequired),
        (Some(scope), Some(account)) if account.scopes.contains(&scope) => Ok(vec![scope]),
        (Some(_), Some(_)) => Err(Reason::NotEntitled),
        (None, account) => {
            let held = account.map(|account| account.scopes.clone()).unwrap_or_default();
            let mut scopes: Vec<String> = std::iter::once(String::new()).chain(held).collect();
            scopes.sort_unstable();
            Ok(scopes)
        }
    }
}

/// Answers one page.
pub(super) async fn deliver(issuing: Issuing, ask: Ask) -> Result<Vec<u8>, Fault> {
    // What the account may not have any more goes with the refusal.
    let (scopes, refusal) = match ask.scopes.clone() {
        Ok(scopes) => (scopes, None),
        Err(reason) => (Vec::new(), Some(reason)),
    };
    serve(Delivering { issuing, ask, scopes, refusal, permit: None }).await
}

struct Delivering {
    issuing: Issuing,
    ask: Ask,
    scopes: Vec<String>,
    refusal: Option<Reason>,
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
        let query = DeliveryQuery { scopes: self.scopes.clone(), since: self.ask.since, from: self.ask.from.clone() };
        let device = desk.caller.device.device_id;
        let mut page = desk.service.store.delivery(exchange.clone(), device, query).await?;
        let prior = std::mem::replace(&mut page.prior, Prior::None);
        Ok(Looked { revoked: page.revoked, prior, found: Some(page) })
    }

    async fn decide(&mut self, _: &Exchange, page: Self::Found) -> Result<Step<Self::Write>, Fault> {
        let Some(page) = page else { return self.issuing.later(self.issuing.now + PATIENCE.0).await };
        if let Some(reason) = self.refusal.filter(|_| page.withdrawn.is_empty() && self.ask.mark.is_none()) {
            return Ok(Step::Refuse(reason));
        }
        if let Some(from) = self.issuing.desk.service.pace.wait(self.issuing.now) {
            return self.issuing.later(from).await;
        }
        let (work, of, refusal) = (self.issuing.clone(), (self.ask.mark, self.ask.since), self.refusal);
        let decision = self.issuing.desk.compute(move |_| work.page(page, of, refusal)).await?;
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
    fn page(
        &self,
        page: DeliveryPage,
        (mark, since): (Option<i64>, Option<i64>),
        refusal: Option<Reason>,
    ) -> Result<Decision, Fault> {
        let mark = mark.unwrap_or(page.mark);
        let (granter, mut terms, mut batch) = (self.granter(), TermsByName::default(), Batch::default());
        batch.withdraw(page.withdrawn);
        // What counts is handed out once; all else is the same however often it is made.
        batch.issue.made_again = true;
        batch.issue.deliveries = page.deliveries;
        let mut drafts = Drafts::new(self.desk.caller.device.device_id, self.now, page.mark);
        let (mut room, mut next) = (answer::MAX_LEN - RESERVE, page.next);
        let mut last = None;
        for (found, kid, offered) in page.items {
            // What is refused at present is not told: nobody asked for it by name.
            let scope = offered.content.scope.as_deref().unwrap_or_default();
            let place = drafts.place(scope, holder(&offered.content, self.desk.user()))?;
            if let Ok(mut granted) = granter.grant_at(kid, Some(offered), &mut terms, Some(place))? {
                let length = granted.grant.policy.len() + BESIDE_POLICY;
                if room < length.max(license::MAX_LEN) {
                    // The page ends before this one.
                    next = last;
                    break;
                }
                room -= length;
                batch.issue.made_again &= !granted.stateful;
                if let Some(policy) = granted.delivered.take() {
                    drafts.add(policy, granted.license.take());
                }
                batch.add(granted);
            }
            last = Some(Position::Scope(found.to_string(), kid.as_bytes().to_vec()));
        }
        drafts.finish(&mut batch.issue);
        let mut answer = self.desk.caller.answer(self.now, &self.standing);
        // What a copied device is not given waits for it.
        answer.since = if self.standing.stopped { since } else { Some(mark) };
        if let Some(reason) = refusal.filter(|_| next.is_none()) {
            answer.outcome = Outcome::Refused;
            batch.refusals.push(whole(reason, Some(&self.desk.service.presence.support_url)));
        }
        let (user, desk) = (self.desk.user(), &self.desk);
        answer.account = Some(user.is_some());
        answer.next_cursor = next.map(|position| Cursor { mark, position }.seal(&desk.caller, user, &desk.service));
        self.seal(answer, batch)
    }
}
