//! Storing a verified batch, with the end of its transaction, in one commit.

use super::merge::{AtRest, Incoming, Merger, section_of};
use super::{Import, ImportReport, Store, StoreError, epoch, transactions};
use wmlicense_wire::answer::{OpenedLicense, read_vouched_of};
use wmlicense_wire::backup::Tombstone;
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Digest, Epoch, Lid, ServiceId};
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
        let contact = self.contact(import)?;
        let now = inner.clock.now();
        inner.write(|transaction| {
            transactions::answered(transaction, import.transaction, import.end, &import.page)?;
            let mut merger = Merger::new(transaction, &inner.integrity, now)?;
            merger.recipe(super::recipe::of_exchange(transaction, import.transaction)?);
            if let Some(contact) = &contact {
                let mut clock = merger.head.clock.clone();
                clock.note_contact(contact.service, contact.issued_at, now);
                merger.head.set_clock(clock);
                if let Some(told) = contact.epoch {
                    epoch::note(transaction, contact.service, told, contact.issued_at)?;
                }
                for lid in &contact.withdrawn {
                    merger.bury(&Tombstone { lid: *lid, issuer: contact.service, removed_at: now })?;
                }
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

    /// What the signed part says beside the licenses, if its signer is known here. An import was verified by who made it; once
    /// more would cost as much as all the rest of one license.
    fn contact(&self, import: &Import<'_>) -> Result<Option<Contact>, StoreError> {
        let Some(directory) = self.directory(import.authority)? else { return Ok(None) };
        let read = read_vouched_of(import.signed, &directory, &[Role::Issuer, Role::Management]);
        Ok(read.ok().map(|(answer, signer)| Contact {
            service: signer.service_id,
            issued_at: answer.issued_at,
            epoch: answer.epoch,
            // Only an issuer takes licenses back, and only its own.
            withdrawn: if signer.role == Role::Issuer { answer.withdrawn } else { Vec::new() },
        }))
    }
}

struct Contact {
    service: ServiceId,
    /// The floor of that service's clock.
    issued_at: i64,
    epoch: Option<Epoch>,
    withdrawn: Vec<Lid>,
}

fn incoming<'a>(authority: Digest, license: &'a OpenedLicense, wrapped: &'a [u8]) -> Incoming<'a> {
    Incoming {
        // What a service grants goes in as it comes.
        ends_at: i64::MAX,
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
