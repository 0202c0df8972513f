//! Renewing: licenses that a device holds, on the terms that hold today. Whether an account may have the content, and on
//! which terms, is decided as for a first license; what counts on is decided here.

use super::desk::{Brought, Desk, Door, Looked, Matter, Step, serve};
use super::issue::grant::{Granted, Granter, NotGranted, TermsByName, inner_key};
use super::issue::leave_out_replaced;
use super::mailbox::with_mail;
use super::{Caller, OTHER};
use crate::accounts::Account;
use crate::metrics::count;
use crate::policy::{Renewal, carried, over};
use crate::problem::Fault;
use crate::quota::Payer;
use crate::rules::epochs::Standing;
use crate::rules::tally::Outcome as Came;
use crate::service::Service;
use crate::source::Source;
use crate::store::{Exchange, HeldLicense, Issue, Issued, Offered, Prior, Renewable, RenewalOffer, UsesOut, Withdrawn};
use std::collections::HashSet;
use std::sync::Arc;
use wmlicense_wire::answer::{Answer, Grant, Outcome, Reason, Refusal};
use wmlicense_wire::endpoint::Endpoint;
use wmlicense_wire::id::{Kid, Lid};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::Policy;
use wmlicense_wire::request::{self, Body};

/// What is decided, sealed but not written yet.
struct Decision {
    sealed: Vec<u8>,
    issue: Issue,
    granted: usize,
    refused: usize,
    /// It gives and takes nothing.
    only_refuses: bool,
}

/// Answers `POST /v1/renewals`.
pub(crate) async fn renew(
    service: Arc<Service>,
    bytes: Vec<u8>,
    account: Option<Account>,
    source: Source,
) -> Result<Vec<u8>, Fault> {
    let door = Door::new(service, account, source);
    let (desk, lids) = door.open(Endpoint::Renewals, bytes, read).await?;
    // The strictest state counts from now on, whatever becomes of the request.
    let told = Arc::new(desk.told(desk.service.clock.now()).await?);
    let answer = serve(Renewing { desk: desk.clone(), lids, told, granted: 0, refused: 0 }).await?;
    Ok(with_mail(&desk, answer).await)
}

fn read(_: &Door, caller: &mut Caller) -> Result<Vec<Lid>, Fault> {
    let Body::Renewals { licenses, .. } = &caller.request.body else { return Err(OTHER) };
    let mut seen = HashSet::new();
    Ok(licenses.iter().map(|(lid, _)| *lid).filter(|lid| seen.insert(*lid)).collect())
}

struct Renewing {
    desk: Desk,
    lids: Vec<Lid>,
    /// Lines of the licenses that the device tells that it has.
    told: Arc<HashSet<Lid>>,
    granted: usize,
    refused: usize,
}

impl Matter for Renewing {
    type Found = RenewalOffer;
    type Write = (Issue, Vec<u8>);

    fn service(&self) -> &Service {
        &self.desk.service
    }

    fn payer(&self) -> Option<Payer> {
        Some(self.desk.payer())
    }

    async fn enter(&mut self) -> Result<Result<Exchange, Reason>, Fault> {
        self.desk.enter(self.desk.service.clock.now()).await
    }

    async fn refuse(&self, reason: Reason) -> Result<Vec<u8>, Fault> {
        self.desk.refuse(reason).await
    }

    async fn look(&mut self, exchange: &Exchange) -> Result<Looked<Self::Found>, Fault> {
        let (store, device) = (&self.desk.service.store, self.desk.caller.device.device_id);
        let mut offer = store.renewable(exchange.clone(), device, self.lids.clone()).await?;
        let prior = std::mem::replace(&mut offer.prior, Prior::None);
        Ok(Looked { revoked: offer.revoked, prior, found: offer })
    }

    async fn decide(&mut self, exchange: &Exchange, offer: Self::Found) -> Result<Step<Self::Write>, Fault> {
        let granter = Granter {
            service: Arc::clone(&self.desk.service),
            keyring: Arc::clone(&self.desk.keyring),
            account: self.desk.account,
            device: self.desk.caller.device.device_id,
            consent: None,
            copied: exchange.standing.stopped,
            told: Arc::clone(&self.told),
            now: exchange.now,
        };
        let work =
            Work { granter, desk: self.desk.clone(), standing: exchange.standing.clone(), lids: self.lids.clone() };
        let Decision { sealed, issue, granted, refused, only_refuses } =
            self.desk.compute(move |_| work.decide(offer)).await?;
        (self.granted, self.refused) = (granted, refused);
        // As of licenses, what only refuses is not kept.
        Ok(if only_refuses { Step::Note(sealed) } else { Step::Commit((issue, sealed)) })
    }

    async fn commit(&mut self, exchange: Exchange, (issue, answer): Self::Write) -> Result<Brought, Fault> {
        let (device, standing) = (self.desk.caller.device.device_id, exchange.standing.clone());
        Ok((self.desk.service.store.issue(exchange, device, issue, answer.clone()).await?, standing, answer))
    }

    fn noted(&self) {
        self.written();
    }

    fn written(&self) {
        count(&self.desk.service.metrics.renewals, self.granted);
        count(&self.desk.service.metrics.license_refusals, self.refused);
        let numbers = [(Came::Renewed, self.granted), (Came::Refused, self.refused)];
        self.desk.service.tally.add_untitled(&numbers, self.desk.service.clock.now());
        tracing::info!(granted = self.granted, refused = self.refused, "renewals");
    }
}

/// One request being decided.
struct Work {
    granter: Granter,
    desk: Desk,
    standing: Standing,
    lids: Vec<Lid>,
}

impl Work {
    fn decide(&self, offer: RenewalOffer) -> Result<Decision, Fault> {
        let RenewalOffer { items, withdrawn, deliveries, .. } = offer;
        let mut terms = TermsByName::default();
        let mut answer = self.desk.caller.answer(self.granter.now, &self.standing);
        let (mut grants, mut done) = (Vec::new(), HashSet::new());
        let mut issue = Issue { withdrawn, deliveries, ..Issue::default() };
        for (lid, item) in self.lids.iter().zip(items) {
            let result = match item {
                Renewable::NotHeld => Err((None, Reason::UnknownContent.into())),
                Renewable::NoContent(kid) => Err((Some(kid), Reason::UnknownContent.into())),
                Renewable::OtherAccount(kid) if self.granter.account.is_none() => {
                    Err((Some(kid), Reason::AccountRequired.into()))
                }
                Renewable::OtherAccount(kid) => Err((Some(kid), Reason::OtherAccount.into())),
                Renewable::Held(held) => {
                    let kid = held.kid;
                    if held.current.as_ref().is_some_and(|current| current.lid != *lid) {
                        // The device has a later license for the same content.
                        answer.withdrawn.push(*lid);
                    }
                    if done.insert(kid) {
                        self.renewed(*held, *lid, &mut terms)?.map_err(|reason| (Some(kid), reason))
                    } else {
                        continue;
                    }
                }
            };
            match result {
                Ok(Granted { grant, license, again, uses, joins, .. }) => {
                    grants.push(grant);
                    issue.licenses.extend(license);
                    issue.again.extend(again);
                    issue.uses.extend(uses);
                    issue.joins.extend(joins);
                }
                Err((kid, refused)) => answer.refusals.push(self.refusal(*lid, kid, &refused)),
            }
        }
        self.sealed(answer, &grants, issue)
    }

    fn sealed(&self, mut answer: Answer, grants: &[Grant], mut issue: Issue) -> Result<Decision, Fault> {
        leave_out_replaced(&mut issue.withdrawn, &issue.licenses);
        for Withdrawn { lid, .. } in &issue.withdrawn {
            if answer.withdrawn.len() < request::MAX_LICENSES && !answer.withdrawn.contains(lid) {
                answer.withdrawn.push(*lid);
            }
        }
        answer.outcome = if grants.is_empty() { Outcome::Refused } else { Outcome::Done };
        let (granted, refused) = (grants.len(), answer.refusals.len());
        let only_refuses = granted == 0 && answer.withdrawn.is_empty() && issue.is_empty();
        let sealed = self.desk.seal_licenses(answer, grants)?;
        Ok(Decision { sealed, issue, granted, refused, only_refuses })
    }

    fn refusal(&self, lid: Lid, kid: Option<Kid>, refused: &NotGranted) -> Refusal {
        let (reason, again) = refused.reason();
        let support = || self.granter.service.presence.support_url.clone();
        // The page where the user can act comes with an acquisition; another one would only mislead.
        let url = (reason != Reason::UserMustAct).then(support);
        Refusal { subject: Some(*lid.as_bytes()), kid, reason, url, again }
    }

    /// The license in place of the one that the device holds; the same one where nothing changed.
    fn renewed(
        &self,
        held: HeldLicense,
        asked: Lid,
        terms: &mut TermsByName,
    ) -> Result<Result<Granted, NotGranted>, Fault> {
        let renewal = terms.of(&held.content)?.terms.renewal;
        let HeldLicense { kid, content, mut current, state, restored, taken_back, rules } = held;
        let old = current.as_ref().and_then(|current| Policy::decode(&current.policy).ok());
        let state = current.as_ref().map_or(state, |current| current.state.clone()).unwrap_or_default();
        let runs_out =
            old.as_ref().is_some_and(|old| old.actions.iter().any(|(_, of)| of.is_stateful() || of.is_dated()));
        if old.as_ref().is_some_and(|old| rules.iter().any(|rule| rule.matches(old))) {
            return Ok(Err(Reason::Revoked.into()));
        }
        // Uses of an account are renewed by its grants alone.
        let renewal = if content.bounds().1.is_some() { Renewal::Carry } else { renewal };
        if renewal != Renewal::Carry && runs_out {
            // The owner grants another one, as in place of one that was taken back.
            current = current.map(|license| Issued { withdrawn: true, ..license });
        }
        let offered = Offered { content: content.clone(), current, taken_back, rules };
        let granted = match self.granter.grant(kid, Some(offered), terms)? {
            Ok(granted) => granted,
            Err(not_granted) => return Ok(Err(not_granted)),
        };
        let Granted { mut grant, license: Some(mut license), again, uses, joins, stateful, delivered } = granted else {
            return Ok(Ok(granted));
        };
        let policy = Policy::decode(&grant.policy).map_err(|_| Fault::Internal)?;
        // A license of another grant begins anew.
        let is_other = |uses: &UsesOut| uses.seen.iter().all(|row| Some(row.lid) != policy.replaces);
        let first_issued = match (renewal, &old) {
            _ if uses.as_ref().is_some_and(is_other) => self.granter.now,
            (Renewal::Carry, Some(old)) => old.first_issued,
            (Renewal::Carry | Renewal::Extend | Renewal::Fresh, _) => self.granter.now,
        };
        let policy = Policy { first_issued, replaces: Some(policy.replaces.unwrap_or(asked)), ..policy };
        let start = match renewal {
            _ if uses.is_some() => grant.state.clone(),
            Renewal::Carry | Renewal::Extend => carried(old.as_ref(), &state, &policy),
            Renewal::Fresh => None,
        };
        let left = start.clone().unwrap_or_else(|| State::initial(&policy));
        if let Some(reason) = over(&policy, &left, self.granter.now) {
            return Ok(Err(reason.into()));
        }
        grant.policy = policy.encode();
        // A leaf's key depends on the policy.
        grant.key = inner_key(&self.granter.service, kid, &content, &grant.policy)?;
        grant.state = start.filter(|start| *start != State::initial(&policy));
        license.issued.policy.clone_from(&grant.policy);
        license.line = license.line.or(Some(asked));
        license.state.clone_from(&grant.state);
        if restored {
            license.replaces = None;
        }
        Ok(Ok(Granted { grant, license: Some(license), again, uses, joins, stateful, delivered }))
    }
}
