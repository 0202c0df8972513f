//! Pre-delivery: everything that an account may have, or one scope of it, page by page, and what the device has to drop.

use super::cursor::Cursor;
use super::grant::TermsByName;
use super::{Account, Batch, Caller, Decision, Desk, MAX_ATTEMPTS, known_answer, whole};
use crate::problem::Fault;
use crate::service::Service;
use crate::store::{DeliveryPage, DeliveryQuery, Exchange, Position, Prior};
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
pub(super) async fn deliver(mut desk: Desk, ask: Ask) -> Result<Vec<u8>, Fault> {
    // What the account may not have any more goes with the refusal.
    let (scopes, refusal) = match ask.scopes.clone() {
        Ok(scopes) => (scopes, None),
        Err(reason) => (Vec::new(), Some(reason)),
    };
    let device = desk.caller.device.device_id;
    for _ in 0..MAX_ATTEMPTS {
        let exchange = match desk.enter().await? {
            Ok(exchange) => exchange,
            Err(reason) => return desk.refuse(reason).await,
        };
        let Ok(_permit) = desk.service.deliveries.try_acquire() else {
            match desk.later(exchange, desk.now + PATIENCE.0).await? {
                Some(bytes) => return Ok(bytes),
                None => continue,
            }
        };
        let query = DeliveryQuery { scopes: scopes.clone(), since: ask.since, from: ask.from.clone() };
        let page = desk.service.store.delivery(exchange.clone(), device, query).await?;
        if page.revoked {
            return desk.refuse(Reason::DeviceRevoked).await;
        }
        let page = match known_answer(page.prior)? {
            Some(bytes) => return Ok(bytes),
            None => DeliveryPage { prior: Prior::None, ..page },
        };
        if let Some(reason) = refusal.filter(|_| page.withdrawn.is_empty() && ask.mark.is_none()) {
            return desk.refuse(reason).await;
        }
        if let Some(from) = desk.service.pace.wait(desk.now) {
            match desk.later(exchange, from).await? {
                Some(bytes) => return Ok(bytes),
                None => continue,
            }
        }
        let (work, of) = (desk.clone(), (ask.mark, ask.since));
        let decision = desk.service.compute(move || work.page(page, of, refusal)).await??;
        let licenses = decision.granted;
        if let Some(bytes) = desk.conclude(exchange, decision).await? {
            desk.service.pace.spend(licenses);
            return Ok(bytes);
        }
        desk.now = desk.service.clock.now();
    }
    Err(Fault::Unavailable)
}

impl Desk {
    /// Asks the device to come again with the same bytes, which decides nothing yet.
    async fn later(&self, exchange: Exchange, from: i64) -> Result<Option<Vec<u8>>, Fault> {
        let mut answer = self.caller.answer(self.now, &self.standing);
        answer.outcome = Outcome::Later { from, until: from + PATIENCE.1 };
        let desk = self.clone();
        let sealed = self.service.compute(move || desk.seal(answer, Batch::default())).await??.sealed;
        self.note(exchange, sealed).await
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
        let (mut room, mut next) = (answer::MAX_LEN - RESERVE, page.next);
        let mut last = None;
        for (kid, offered) in page.items {
            let scope = offered.content.scope.clone().unwrap_or_default();
            // What is refused at present is not told: nobody asked for it by name.
            if let Ok(granted) = granter.grant(kid, Some(offered), &mut terms)? {
                let length = granted.grant.policy.len() + BESIDE_POLICY;
                if room < length.max(license::MAX_LEN) {
                    // The page ends before this one.
                    next = last;
                    break;
                }
                room -= length;
                batch.add(granted);
            }
            last = Some(Position::Scope(scope, kid.as_bytes().to_vec()));
        }
        let mut answer = self.caller.answer(self.now, &self.standing);
        // What a copied device is not given waits for it.
        answer.since = if self.standing.stopped { since } else { Some(mark) };
        if let Some(reason) = refusal.filter(|_| next.is_none()) {
            answer.outcome = Outcome::Refused;
            batch.refusals.push(whole(reason, Some(&self.service.presence.support_url)));
        }
        let user = self.account.as_deref().map(|account| account.user);
        answer.account = Some(user.is_some());
        answer.next_cursor = next.map(|position| Cursor { mark, position }.seal(&self.caller, user, &self.service));
        self.seal(answer, batch)
    }
}
