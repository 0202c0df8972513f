//! Issuing: licenses for key IDs to an individualized device, as its account may have them. One license is granted in
//! `issue/grant.rs`.

pub(crate) mod grant;

use super::{Caller, MAX_ATTEMPTS, known_answer, role_key, whole, written};
use crate::accounts::Account;
use crate::keyring::Keyring;
use crate::metrics::count;
use crate::problem::Fault;
use crate::service::Service;
use crate::store::{NewLicense, Offer};
use grant::{Granter, TermsByName};
use std::sync::Arc;
use wmlicense_wire::answer::{Beside, Outcome, Reason, Refusal};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::Kid;
use wmlicense_wire::request::{self, Body};

/// What is decided, sealed but not written yet.
struct Decision {
    sealed: Vec<u8>,
    licenses: Vec<NewLicense>,
    granted: usize,
    refused: usize,
}

/// Answers `POST /v1/licenses`.
pub(crate) async fn issue(service: Arc<Service>, bytes: Vec<u8>, account: Option<Account>) -> Result<Vec<u8>, Fault> {
    let keyring = service.keyring();
    let (caller, kids) = {
        let (service_, keyring) = (Arc::clone(&service), Arc::clone(&keyring));
        let checked = service.compute(move || check(&service_, &keyring, &bytes)).await??;
        (Arc::new(checked.0), checked.1)
    };
    let account = account.map(Arc::new);
    let user = account.as_deref().map(|account| account.user);
    let device_id = caller.device.device_id;
    for _ in 0..MAX_ATTEMPTS {
        let now = service.clock.now();
        let exchange = caller.exchange(user, now);
        let offer = service.store.offer(exchange.clone(), device_id, kids.clone()).await?;
        if offer.revoked {
            let (caller, keyring) = (Arc::clone(&caller), Arc::clone(&keyring));
            let url = service.presence.support_url.clone();
            let refuse = move || {
                let key = role_key(&keyring, Role::Issuer)?;
                caller.refuse(whole(Reason::DeviceRevoked, Some(&url)), now, key)
            };
            return service.compute(refuse).await?;
        }
        if let Some(bytes) = known_answer(offer.prior)? {
            return Ok(bytes);
        }
        let offer = Offer { prior: crate::store::Prior::None, ..offer };
        let decision = {
            let work = Work {
                granter: Granter {
                    service: Arc::clone(&service),
                    keyring: Arc::clone(&keyring),
                    account: account.clone(),
                    now,
                },
                caller: Arc::clone(&caller),
                kids: kids.clone(),
            };
            service.compute(move || work.decide(offer)).await??
        };
        let committed = service.store.issue(exchange, device_id, decision.licenses, decision.sealed.clone()).await?;
        if let Some(bytes) = written(committed, decision.sealed)? {
            count(&service.metrics.licenses, decision.granted);
            count(&service.metrics.license_refusals, decision.refused);
            tracing::info!(granted = decision.granted, refused = decision.refused, "licenses");
            return Ok(bytes);
        }
    }
    Err(Fault::Unavailable)
}

fn check(service: &Service, keyring: &Keyring, bytes: &[u8]) -> Result<(Caller, Vec<Kid>), Fault> {
    let caller = Caller::check(service, keyring, Role::Issuer, bytes, request::MAX_LEN)?;
    let Body::Licenses { kids, .. } = &caller.request.body else {
        return Err(Fault::BadRequest("The request asks for something else."));
    };
    if kids.is_empty() {
        return Err(Fault::BadRequest("This service answers requests that name key IDs."));
    }
    let mut seen = std::collections::HashSet::new();
    let kids = kids.iter().copied().filter(|kid| seen.insert(*kid)).collect();
    Ok((caller, kids))
}

/// One request being decided.
struct Work {
    granter: Granter,
    caller: Arc<Caller>,
    kids: Vec<Kid>,
}

impl Work {
    fn decide(&self, offer: Offer) -> Result<Decision, Fault> {
        let mut terms = TermsByName::default();
        let (mut grants, mut refusals, mut licenses) = (Vec::new(), Vec::new(), Vec::new());
        for (kid, offered) in self.kids.iter().zip(offer.items) {
            match self.granter.grant(*kid, offered, &mut terms)? {
                Ok((grant, license)) => {
                    grants.push(grant);
                    licenses.extend(license);
                }
                Err(reason) => refusals.push(Refusal {
                    subject: Some(*kid.as_bytes()),
                    kid: None,
                    reason,
                    url: Some(self.granter.service.presence.support_url.clone()),
                }),
            }
        }
        let mut answer = self.caller.answer(self.granter.now);
        answer.outcome = if grants.is_empty() { Outcome::Refused } else { Outcome::Done };
        let (granted, refused) = (grants.len(), refusals.len());
        answer.refusals = refusals;
        let own = role_key(&self.granter.keyring, Role::Issuer)?;
        let management = self.granter.keyring.newest(Role::Management);
        let certificates = [Some(&own.certificate), management.filter(|_| granted > 0)];
        let certificates = certificates.into_iter().flatten().map(|c| (c.hash, c.bytes.as_slice()));
        let beside = Beside { certificates: self.caller.not_held(certificates), ..Beside::default() };
        let sealed = self.caller.seal(answer, &grants, None, &beside, own)?;
        Ok(Decision { sealed, licenses, granted, refused })
    }
}
