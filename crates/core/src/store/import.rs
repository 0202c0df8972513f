//! Storing a verified batch, with the end of its transaction, in one commit.

use super::merge::{AtRest, Incoming, Merger, section_of};
use super::{Import, ImportReport, Store, StoreError, transactions};
use wmlicense_wire::answer::{OpenedLicense, verify_signed};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Digest, ServiceId};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::Policy;

impl Store {
    /// Stores a batch, its licenses and the end of its transaction in one durable commit.
    pub fn import(&self, import: &Import<'_>) -> Result<ImportReport, StoreError> {
        let inner = &*self.inner;
        let at_rest = AtRest::random(inner.device.store_key())?;
        let wrapped: Vec<Vec<u8>> = import
            .licenses
            .iter()
            .map(|license| at_rest.wrap(license.index, license.binding.policy_hash, &license.key))
            .collect();
        let contact = self.signer(import)?;
        let now = inner.clock.now();
        inner.write(|transaction| {
            transactions::end(transaction, import.transaction, import.end)?;
            let mut merger = Merger::new(transaction, &inner.integrity, now)?;
            if let Some((service, issued_at)) = contact {
                let mut clock = merger.head.clock.clone();
                clock.note_contact(service, issued_at);
                merger.head.set_clock(clock);
            }
            merger.batch(import.authority, at_rest.id, import.signed);
            let mut report = ImportReport::default();
            for (license, wrapped) in import.licenses.iter().zip(&wrapped) {
                let stored = merger.put(&incoming(import.authority, license, wrapped))?;
                *if stored { &mut report.stored } else { &mut report.forbidden } += 1;
            }
            merger.finish()?;
            Ok(report)
        })
    }

    /// Who signed the batch, and when: the floor of that service's clock.
    fn signer(&self, import: &Import<'_>) -> Result<Option<(ServiceId, i64)>, StoreError> {
        let Some(directory) = self.directory(import.authority)? else { return Ok(None) };
        let verified = verify_signed(import.signed, &directory, &[Role::Issuer, Role::Management]);
        Ok(verified.ok().map(|(answer, signer)| (signer.service_id, answer.issued_at)))
    }
}

fn incoming<'a>(authority: Digest, license: &'a OpenedLicense, wrapped: &'a [u8]) -> Incoming<'a> {
    Incoming {
        index: license.index,
        kid: license.policy.kid,
        lid: license.policy.lid,
        issuer: license.policy.issuer,
        policy_hash: license.binding.policy_hash,
        issued_at: license.binding.issued_at,
        replaces: license.policy.replaces,
        section: section_of(authority, &license.policy),
        state: start_state(&license.policy, license.binding.state.as_ref()),
        policy: &license.license.policy,
        binding: &license.license.binding,
        wrapped,
    }
}

/// State that a stateful license starts from: that of its policy, or less where a binding or a backup says so.
pub(super) fn start_state(policy: &Policy, ceiling: Option<&State>) -> Option<State> {
    let initial = policy.is_stateful().then(|| State::initial(policy))?;
    let Some(ceiling) = ceiling else { return Some(initial) };
    // Only actions of the policy have a state, whatever else the ceiling names.
    let known: State = State {
        actions: ceiling
            .actions
            .iter()
            .filter(|(action, _)| initial.actions.contains_key(*action))
            .map(|(a, s)| (a.clone(), *s))
            .collect(),
    };
    Some(initial.strictest(&known))
}
