//! One license for one key ID: may the account have it, on which terms, and is it the license that the device has already.

use super::super::role_key;
use crate::accounts::Account;
use crate::keyring::Keyring;
use crate::policy::{Facts, Terms, parse};
use crate::problem::Fault;
use crate::service::Service;
use crate::store::{Content, Issued, NewLicense, Offered};
use std::collections::HashMap;
use std::sync::Arc;
use wmlicense_wire::answer::{Grant, Reason};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Digest, Kid, Lid};
use wmlicense_wire::license::InnerKey;
use wmlicense_wire::policy::LicenseKind;

/// Grants licenses of one answer.
pub(crate) struct Granter {
    pub(crate) service: Arc<Service>,
    pub(crate) keyring: Arc<Keyring>,
    /// Who asks.
    pub(crate) account: Option<Arc<Account>>,
    /// Seconds UTC.
    pub(crate) now: i64,
}

/// A license to put into an answer, and the row to write where it is a new one.
pub(crate) type Granted = (Grant, Option<NewLicense>);

impl Granter {
    /// Why the account may not have this content, if it may not.
    fn refusal(&self, content: &Content) -> Option<Reason> {
        let scope = content.scope.as_ref()?;
        match &self.account {
            None => Some(Reason::AccountRequired),
            Some(account) if !account.scopes.contains(scope) => Some(Reason::NotEntitled),
            Some(_) => None,
        }
    }

    /// The license for a key ID, with the row to write where it is a new one; or why there is none.
    pub(crate) fn grant(
        &self,
        kid: Kid,
        offered: Option<Offered>,
        terms: &mut TermsByName,
    ) -> Result<Result<Granted, Reason>, Fault> {
        let Some(Offered { content, current }) = offered else { return Ok(Err(Reason::UnknownContent)) };
        if let Some(reason) = self.refusal(&content) {
            return Ok(Err(reason));
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
pub(crate) struct TermsByName(HashMap<Option<String>, KnownTerms>);

pub(crate) struct KnownTerms {
    pub(crate) terms: Terms,
    hash: Option<Digest>,
}

impl TermsByName {
    pub(crate) fn of(&mut self, content: &Content) -> Result<&mut KnownTerms, Fault> {
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
