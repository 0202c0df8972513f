//! Issuing: licenses for key IDs to an individualized device, as its account may have them.

use super::{Caller, MAX_ATTEMPTS, known_answer, role_key, whole, written};
use crate::accounts::Account;
use crate::keyring::Keyring;
use crate::metrics::count;
use crate::policy::{Facts, Terms, parse};
use crate::problem::Fault;
use crate::service::Service;
use crate::store::{Content, Issued, NewLicense, Offer, Offered};
use std::collections::HashMap;
use std::sync::Arc;
use wmlicense_wire::answer::{Beside, Grant, Outcome, Reason, Refusal};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Digest, Kid, Lid};
use wmlicense_wire::license::InnerKey;
use wmlicense_wire::policy::LicenseKind;
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
                service: Arc::clone(&service),
                keyring: Arc::clone(&keyring),
                caller: Arc::clone(&caller),
                account: account.clone(),
                kids: kids.clone(),
                now,
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

struct Work {
    service: Arc<Service>,
    keyring: Arc<Keyring>,
    caller: Arc<Caller>,
    account: Option<Arc<Account>>,
    kids: Vec<Kid>,
    now: i64,
}

impl Work {
    fn decide(&self, offer: Offer) -> Result<Decision, Fault> {
        let mut terms = TermsByName::default();
        let (mut grants, mut refusals, mut licenses) = (Vec::new(), Vec::new(), Vec::new());
        for (kid, offered) in self.kids.iter().zip(offer.items) {
            match self.grant(*kid, offered, &mut terms)? {
                Ok((grant, license)) => {
                    grants.push(grant);
                    licenses.extend(license);
                }
                Err(reason) => refusals.push(Refusal {
                    subject: Some(*kid.as_bytes()),
                    kid: None,
                    reason,
                    url: Some(self.service.presence.support_url.clone()),
                }),
            }
        }
        let mut answer = self.caller.answer(self.now);
        answer.outcome = if grants.is_empty() { Outcome::Refused } else { Outcome::Done };
        let (granted, refused) = (grants.len(), refusals.len());
        answer.refusals = refusals;
        let own = role_key(&self.keyring, Role::Issuer)?;
        let management = self.keyring.newest(Role::Management);
        let certificates = [Some(&own.certificate), management.filter(|_| granted > 0)];
        let certificates = certificates.into_iter().flatten().map(|c| (c.hash, c.bytes.as_slice()));
        let beside = Beside { certificates: self.caller.not_held(certificates), ..Beside::default() };
        let sealed = self.caller.seal(answer, &grants, None, &beside, own)?;
        Ok(Decision { sealed, licenses, granted, refused })
    }

    /// The license for a key ID, with the row to write where it is a new one; or why there is none.
    fn grant(
        &self,
        kid: Kid,
        offered: Option<Offered>,
        terms: &mut TermsByName,
    ) -> Result<Result<(Grant, Option<NewLicense>), Reason>, Fault> {
        let Some(Offered { content, current }) = offered else { return Ok(Err(Reason::UnknownContent)) };
        if let Some(scope) = &content.scope {
            match &self.account {
                None => return Ok(Err(Reason::AccountRequired)),
                Some(account) if !account.scopes.contains(scope) => return Ok(Err(Reason::NotEntitled)),
                Some(_) => {}
            }
        }
        let key = self.service.master.open(kid, &content.sealed_key);
        let key = key.and_then(|key| InnerKey::new(LicenseKind::Content, key)).ok_or_else(|| {
            tracing::error!("a content key does not open under the master key");
            Fault::Internal
        })?;
        let user = self.account.as_ref().map(|account| account.user).filter(|_| content.scope.is_some());
        let known = terms.of(&content)?;
        if known.terms.revocable && self.keyring.revocation.is_none() {
            tracing::error!("a policy names the revocation key, which is not in the data folder");
            return Err(Fault::Internal);
        }
        let own = &role_key(&self.keyring, Role::Issuer)?.certificate;
        let facts = Facts {
            lid: Lid::random()?,
            kid,
            issuer: own.service_id,
            management: self.keyring.newest(Role::Management).map(|service| service.service_id),
            revocation: self.keyring.revocation,
            title: content.title,
            user,
            first_issued: self.now,
            replaces: current.as_ref().map(|license| license.lid),
        };
        let hash = *known.hash.get_or_insert_with(|| known.terms.hash(&facts));
        // The same terms give the same license, so that asking again resets no counter.
        if let Some(Issued { policy, .. }) = current.filter(|license| license.terms == hash) {
            return Ok(Ok((Grant { policy, key, state: None }, None)));
        }
        let (lid, replaces) = (facts.lid, facts.replaces);
        let policy = known.terms.policy(facts).encode();
        let issued = Issued { lid, terms: hash, policy: policy.clone() };
        Ok(Ok((Grant { policy, key, state: None }, Some(NewLicense { kid, user, issued, replaces }))))
    }
}

/// Terms by the name of their policy, each read and hashed once a request.
#[derive(Default)]
pub(super) struct TermsByName(HashMap<Option<String>, KnownTerms>);

pub(super) struct KnownTerms {
    pub(super) terms: Terms,
    hash: Option<Digest>,
}

impl TermsByName {
    pub(super) fn of(&mut self, content: &Content) -> Result<&mut KnownTerms, Fault> {
        let name = content.policy.as_ref().map(|(name, _)| name.clone());
        match self.0.entry(name) {
            std::collections::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(free) => {
                let terms = match &content.policy {
                    None => Terms::of_no_policy(),
                    Some((_, definition)) => parse(definition).map_err(|_| {
                        tracing::error!("a stored policy cannot be read");
                        Fault::Internal
                    })?,
                };
                Ok(free.insert(KnownTerms { terms, hash: None }))
            }
        }
    }
}
