//! Renewing: licenses that a device holds, on the terms that hold today. Whether an account may have the content, and on
//! which terms, is decided as for a first license; what counts on is decided here.

use super::issue::grant::{Granter, NotGranted, TermsByName, inner_key};
use super::{Caller, MAX_ATTEMPTS, known_answer, role_key, whole, written};
use crate::accounts::Account;
use crate::keyring::Keyring;
use crate::metrics::count;
use crate::policy::{Renewal, carried, has_ended, is_used_up, known_state};
use crate::problem::Fault;
use crate::service::Service;
use crate::store::epoch::Standing;
use crate::store::{HeldLicense, Issued, Offered, Renewable, RenewedLicense};
use std::collections::HashSet;
use std::sync::Arc;
use wmlicense_wire::answer::{Answer, Beside, Grant, Outcome, Reason, Refusal};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Digest, Kid, Lid};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::Policy;
use wmlicense_wire::request::{self, Body};

/// What is decided, sealed but not written yet.
struct Decision {
    sealed: Vec<u8>,
    licenses: Vec<RenewedLicense>,
    granted: usize,
    refused: usize,
}

/// Answers `POST /v1/renewals`.
pub(crate) async fn renew(service: Arc<Service>, bytes: Vec<u8>, account: Option<Account>) -> Result<Vec<u8>, Fault> {
    let keyring = service.keyring();
    let (caller, licenses) = {
        let (service_, keyring) = (Arc::clone(&service), Arc::clone(&keyring));
        let checked = service.compute(move || check(&service_, &keyring, &bytes)).await??;
        (Arc::new(checked.0), checked.1)
    };
    let (device, account) = (caller.device.device_id, account.map(Arc::new));
    let user = account.as_deref().map(|account| account.user);
    let lids: Vec<Lid> = licenses.iter().map(|(lid, _)| *lid).collect();
    // The strictest state counts from now on, whatever becomes of the request.
    let usage: Vec<_> = licenses.into_iter().filter(|(_, state)| !state.actions.is_empty()).collect();
    if !usage.is_empty() {
        service.store.report(device, usage).await?;
    }
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
            now,
        };
        let work = Work { granter, caller: Arc::clone(&caller), standing: standing.clone(), lids: lids.clone() };
        let (revoked, items) = (offer.revoked, offer.items);
        let decision =
            service.compute(move || if revoked { work.refuse_device() } else { work.decide(items) }).await??;
        if revoked {
            return Ok(decision.sealed);
        }
        let committed = service.store.renew(exchange, device, decision.licenses, decision.sealed.clone()).await?;
        if let Some(bytes) = written(&service, &standing, committed, decision.sealed)? {
            count(&service.metrics.renewals, decision.granted);
            count(&service.metrics.license_refusals, decision.refused);
            tracing::info!(granted = decision.granted, refused = decision.refused, "renewals");
            return Ok(bytes);
        }
    }
    Err(Fault::Unavailable)
}

fn check(service: &Service, keyring: &Keyring, bytes: &[u8]) -> Result<(Caller, Vec<(Lid, State)>), Fault> {
    let caller = Caller::check(service, keyring, Role::Issuer, bytes, request::MAX_LEN)?;
    let Body::Renewals { licenses, .. } = &caller.request.body else {
        return Err(Fault::BadRequest("The request asks for something else."));
    };
    let mut seen = HashSet::new();
    let licenses = licenses.iter().filter(|(lid, _)| seen.insert(*lid)).cloned().collect();
    Ok((caller, licenses))
}

/// One request being decided.
struct Work {
    granter: Granter,
    caller: Arc<Caller>,
    standing: Standing,
    lids: Vec<Lid>,
}

/// A license for the answer, and what to write where it is another one than before.
type Granted = (Grant, Option<RenewedLicense>);

impl Work {
    fn refuse_device(&self) -> Result<Decision, Fault> {
        let url = &self.granter.service.presence.support_url;
        let own = role_key(&self.granter.keyring, Role::Issuer)?;
        let sealed = self.caller.refuse(whole(Reason::DeviceRevoked, Some(url)), self.granter.now, own)?;
        Ok(Decision { sealed, licenses: Vec::new(), granted: 0, refused: 1 })
    }

    fn decide(&self, items: Vec<Renewable>) -> Result<Decision, Fault> {
        let mut terms = TermsByName::default();
        let mut answer = self.caller.answer(self.granter.now, &self.standing);
        let (mut grants, mut licenses, mut done) = (Vec::new(), Vec::new(), HashSet::new());
        for (lid, item) in self.lids.iter().zip(items) {
            let result = match item {
                Renewable::NotHeld => Err((None, Reason::UnknownContent)),
                Renewable::NoContent(kid) => Err((Some(kid), Reason::UnknownContent)),
                Renewable::OtherAccount(kid) if self.granter.account.is_none() => {
                    Err((Some(kid), Reason::AccountRequired))
                }
                Renewable::OtherAccount(kid) => Err((Some(kid), Reason::OtherAccount)),
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
                Ok((grant, license)) => {
                    grants.push(grant);
                    licenses.extend(license);
                }
                Err((kid, reason)) => answer.refusals.push(self.refusal(*lid, kid, reason)),
            }
        }
        self.sealed(answer, grants, licenses)
    }

    fn sealed(&self, mut answer: Answer, grants: Vec<Grant>, licenses: Vec<RenewedLicense>) -> Result<Decision, Fault> {
        answer.outcome = if grants.is_empty() { Outcome::Refused } else { Outcome::Done };
        let (granted, refused) = (grants.len(), answer.refusals.len());
        let own = role_key(&self.granter.keyring, Role::Issuer)?;
        let management = self.granter.keyring.newest(Role::Management);
        let certificates = [Some(&own.certificate), management.filter(|_| granted > 0)];
        let certificates = certificates.into_iter().flatten().map(|c| (c.hash, c.bytes.as_slice()));
        let beside = Beside { certificates: self.caller.not_held(certificates), ..Beside::default() };
        let sealed = self.caller.seal(answer, &grants, None, &beside, own)?;
        Ok(Decision { sealed, licenses, granted, refused })
    }

    fn refusal(&self, lid: Lid, kid: Option<Kid>, reason: Reason) -> Refusal {
        let support = || self.granter.service.presence.support_url.clone();
        // The page where the user can act comes with an acquisition; another one would only mislead.
        let url = (reason != Reason::UserMustAct).then(support);
        Refusal { subject: Some(*lid.as_bytes()), kid, reason, url }
    }

    /// The license in place of the one that the device holds; the same one where nothing changed.
    fn renewed(
        &self,
        held: HeldLicense,
        asked: Lid,
        terms: &mut TermsByName,
    ) -> Result<Result<Granted, Reason>, Fault> {
        let renewal = terms.of(&held.content)?.terms.renewal;
        let HeldLicense { kid, content, current, state, restored, taken_back, rules } = held;
        let old = current.as_ref().and_then(|current| Policy::decode(&current.policy).ok());
        let runs_out =
            old.as_ref().is_some_and(|old| old.actions.iter().any(|(_, of)| of.is_stateful() || of.is_dated()));
        if old.as_ref().is_some_and(|old| rules.iter().any(|rule| rule.matches(old))) {
            return Ok(Err(Reason::Revoked));
        }
        let mut current = current;
        if renewal != Renewal::Carry && runs_out {
            // The owner grants another one, as in place of one that was taken back.
            current = current.map(|license| Issued { withdrawn: true, ..license });
        }
        let offered = Offered { content: content.clone(), current, taken_back, rules };
        let (mut grant, license) = match self.granter.grant(kid, Some(offered), terms)? {
            Ok(granted) => granted,
            Err(NotGranted::Refused(reason)) => return Ok(Err(reason)),
            // A renewal has no page: the user acts when the license is acquired again.
            Err(NotGranted::AskUser) => return Ok(Err(Reason::UserMustAct)),
        };
        let policy = Policy::decode(&grant.policy).map_err(|_| Fault::Internal)?;
        let Some(mut license) = license else {
            grant.state = known_state(&policy, state.as_ref());
            let left = grant.state.clone().unwrap_or_else(|| State::initial(&policy));
            let over = has_ended(&policy, &left, self.granter.now) || is_used_up(&policy, &left);
            return Ok(if over { Err(Reason::Expired) } else { Ok((grant, None)) });
        };
        let first_issued = match (renewal, &old) {
            (Renewal::Carry, Some(old)) => old.first_issued,
            (Renewal::Carry | Renewal::Extend | Renewal::Fresh, _) => self.granter.now,
        };
        let policy = Policy { first_issued, replaces: Some(policy.replaces.unwrap_or(asked)), ..policy };
        let start = match renewal {
            Renewal::Carry | Renewal::Extend => carried(old.as_ref(), &state.unwrap_or_default(), &policy),
            Renewal::Fresh => None,
        };
        if has_ended(&policy, &start.clone().unwrap_or_default(), self.granter.now) {
            return Ok(Err(Reason::Expired));
        }
        grant.policy = policy.encode();
        // A leaf's key depends on the policy.
        grant.key = inner_key(&self.granter.service, kid, &content, Digest::of(&grant.policy))?;
        grant.state = start.filter(|start| *start != State::initial(&policy));
        license.issued.policy.clone_from(&grant.policy);
        if restored {
            license.replaces = None;
        }
        let state = grant.state.clone();
        Ok(Ok((grant, Some(RenewedLicense { license, state }))))
    }
}
