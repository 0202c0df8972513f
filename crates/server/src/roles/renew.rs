//! Renewing: licenses that a device holds, on the terms that hold today. Whether an account may have the content, and on
//! which terms, is decided as for a first license; what counts on is decided here.

use super::issue::grant::{Granted, Granter, NotGranted, TermsByName, inner_key};
use super::issue::leave_out_replaced;
use super::{Caller, MAX_ATTEMPTS, known_answer, role_key, told, whole, written};
use crate::accounts::Account;
use crate::keyring::Keyring;
use crate::metrics::count;
use crate::policy::{Renewal, carried, over};
use crate::problem::Fault;
use crate::service::Service;
use crate::store::epoch::Standing;
use crate::store::{HeldLicense, Issue, Issued, Offered, Renewable, Withdrawn};
use std::collections::HashSet;
use std::sync::Arc;
use wmlicense_wire::answer::{Answer, Beside, Grant, Outcome, Reason, Refusal};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::endpoint::Endpoint;
use wmlicense_wire::id::{Digest, Kid, Lid};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::Policy;
use wmlicense_wire::request::{self, Body};

/// What is decided, sealed but not written yet.
struct Decision {
    sealed: Vec<u8>,
    issue: Issue,
    granted: usize,
    refused: usize,
}

/// Answers `POST /v1/renewals`.
pub(crate) async fn renew(service: Arc<Service>, bytes: Vec<u8>, account: Option<Account>) -> Result<Vec<u8>, Fault> {
    let keyring = service.keyring();
    let (caller, lids) = {
        let (service_, keyring) = (Arc::clone(&service), Arc::clone(&keyring));
        let checked = service.compute(move || check(&service_, &keyring, &bytes)).await??;
        (Arc::new(checked.0), checked.1)
    };
    // The strictest state counts from now on, whatever becomes of the request.
    let told = Arc::new(told(&service, &caller, service.clock.now()).await?);
    let (device, account) = (caller.device.device_id, account.map(Arc::new));
    let user = account.as_deref().map(|account| account.user);
    for _ in 0..MAX_ATTEMPTS {
        let now = service.clock.now();
        let exchange = match caller.enter(&service, user, now).await? {
            Ok(exchange) => exchange,
            Err(reason) => return caller.turn_away(&service, &keyring, reason).await,
        };
        let standing = exchange.standing.clone();
        let offer = service.store.renewable(exchange.clone(), device, lids.clone()).await?;
        if let Some(bytes) = known_answer(offer.prior)? {
            return Ok(bytes);
        }
        let (service_, keyring) = (Arc::clone(&service), Arc::clone(&keyring));
        let granter = Granter {
            service: service_,
            keyring,
            account: account.clone(),
            consent: None,
            copied: standing.stopped,
            told: Arc::clone(&told),
            now,
        };
        let work = Work { granter, caller: Arc::clone(&caller), standing: standing.clone(), lids: lids.clone() };
        let (revoked, items, withdrawn) = (offer.revoked, offer.items, offer.withdrawn);
        let decide = move || if revoked { work.refuse_device() } else { work.decide(items, withdrawn) };
        let decision = service.compute(decide).await??;
        if revoked {
            return Ok(decision.sealed);
        }
        let committed = service.store.issue(exchange, device, decision.issue, decision.sealed.clone()).await?;
        if let Some(bytes) = written(&service, &standing, committed, decision.sealed)? {
            count(&service.metrics.renewals, decision.granted);
            count(&service.metrics.license_refusals, decision.refused);
            tracing::info!(granted = decision.granted, refused = decision.refused, "renewals");
            return Ok(bytes);
        }
    }
    Err(Fault::Unavailable)
}

fn check(service: &Service, keyring: &Keyring, bytes: &[u8]) -> Result<(Caller, Vec<Lid>), Fault> {
    let caller = Caller::check(service, keyring, Endpoint::Renewals, bytes)?;
    let Body::Renewals { licenses, .. } = &caller.request.body else {
        return Err(Fault::BadRequest("The request asks for something else."));
    };
    let mut seen = HashSet::new();
    let lids = licenses.iter().map(|(lid, _)| *lid).filter(|lid| seen.insert(*lid)).collect();
    Ok((caller, lids))
}

/// One request being decided.
struct Work {
    granter: Granter,
    caller: Arc<Caller>,
    standing: Standing,
    lids: Vec<Lid>,
}

impl Work {
    fn refuse_device(&self) -> Result<Decision, Fault> {
        let url = &self.granter.service.presence.support_url;
        let own = role_key(&self.granter.keyring, Role::Issuer)?;
        let sealed = self.caller.refuse(whole(Reason::DeviceRevoked, Some(url)), self.granter.now, own)?;
        Ok(Decision { sealed, issue: Issue::default(), granted: 0, refused: 1 })
    }

    fn decide(&self, items: Vec<Renewable>, withdrawn: Vec<Withdrawn>) -> Result<Decision, Fault> {
        let mut terms = TermsByName::default();
        let mut answer = self.caller.answer(self.granter.now, &self.standing);
        let (mut grants, mut done) = (Vec::new(), HashSet::new());
        let mut issue = Issue { withdrawn, ..Issue::default() };
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
                Ok(Granted { grant, license, again }) => {
                    grants.push(grant);
                    issue.licenses.extend(license);
                    issue.again.extend(again);
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
        let own = role_key(&self.granter.keyring, Role::Issuer)?;
        let management = self.granter.keyring.newest(Role::Management);
        let certificates = [Some(&own.certificate), management.filter(|_| granted > 0)];
        let certificates = certificates.into_iter().flatten().map(|c| (c.hash, c.bytes.as_slice()));
        let beside = Beside { certificates: self.caller.not_held(certificates), ..Beside::default() };
        let sealed = self.caller.seal(answer, grants, None, &beside, own)?;
        Ok(Decision { sealed, issue, granted, refused })
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
        if renewal != Renewal::Carry && runs_out {
            // The owner grants another one, as in place of one that was taken back.
            current = current.map(|license| Issued { withdrawn: true, ..license });
        }
        let offered = Offered { content: content.clone(), current, taken_back, rules };
        let granted = match self.granter.grant(kid, Some(offered), terms)? {
            Ok(granted) => granted,
            Err(not_granted) => return Ok(Err(not_granted)),
        };
        let Granted { mut grant, license: Some(mut license), again } = granted else { return Ok(Ok(granted)) };
        let policy = Policy::decode(&grant.policy).map_err(|_| Fault::Internal)?;
        let first_issued = match (renewal, &old) {
            (Renewal::Carry, Some(old)) => old.first_issued,
            (Renewal::Carry | Renewal::Extend | Renewal::Fresh, _) => self.granter.now,
        };
        let policy = Policy { first_issued, replaces: Some(policy.replaces.unwrap_or(asked)), ..policy };
        let start = match renewal {
            Renewal::Carry | Renewal::Extend => carried(old.as_ref(), &state, &policy),
            Renewal::Fresh => None,
        };
        let left = start.clone().unwrap_or_else(|| State::initial(&policy));
        if let Some(reason) = over(&policy, &left, self.granter.now) {
            return Ok(Err(reason.into()));
        }
        grant.policy = policy.encode();
        // A leaf's key depends on the policy.
        grant.key = inner_key(&self.granter.service, kid, &content, Digest::of(&grant.policy))?;
        grant.state = start.filter(|start| *start != State::initial(&policy));
        license.issued.policy.clone_from(&grant.policy);
        license.line = license.line.or(Some(asked));
        license.state.clone_from(&grant.state);
        if restored {
            license.replaces = None;
        }
        Ok(Ok(Granted { grant, license: Some(license), again }))
    }
}
