//! Storing a verified batch, with the end of its transaction, in one commit.

use super::incoming::Incoming;
use super::merge::Merger;
use super::section::section_of;
use super::{epoch, recipe, transactions};
use crate::store::index::changes::Merge;
use crate::store::{Import, ImportReport, Recipe, Store, StoreError};
use wmlicense_wire::answer::{OpenedLicense, read_vouched_of};
use wmlicense_wire::backup::Tombstone;
use wmlicense_wire::certificate::{Directory, Role};
use wmlicense_wire::id::{Digest, Epoch, Lid, ServiceId};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::Policy;

impl Store {
    /// Stores a batch, its licenses and the end of its transaction in one durable commit.
    pub fn import(&self, import: &Import<'_>) -> Result<ImportReport, StoreError> {
        let inner = &*self.inner;
        let licenses = encoded(&import.licenses);
        let contact = self.contact(import.authority, import.signed)?;
        let now = inner.clock.now();
        inner.write(|transaction| {
            transactions::answered(transaction, import.transaction, import.end, &import.page)?;
            let mut merger = Merger::new(transaction, inner, now)?;
            merger.recipe(recipe::of_exchange(transaction, import.transaction)?);
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
            merger.verified_batch(import.authority, import.signed)?;
            merger.changes.expect(import.licenses.iter().map(|license| license.policy.lid))?;
            let mut report = ImportReport::default();
            for (license, bytes) in import.licenses.iter().zip(&licenses) {
                let stored = merger.put(&incoming(import.authority, license, bytes))?;
                *if stored { &mut report.stored } else { &mut report.forbidden } += 1;
            }
            // What came page by page is over.
            let ends_delivery = import.page.number > 0 && import.page.next.is_none();
            merger.finish(if ends_delivery { Merge::Now } else { Merge::InTime })?;
            Ok(report)
        })
    }

    /// Stores licenses that nobody asked for, in one durable commit. What the device has stays as it is: of a license that is
    /// there the stricter state counts, and one that was removed for good stays out.
    pub(crate) fn import_given(&self, given: &GivenLicenses<'_>) -> Result<GivenReport, StoreError> {
        let inner = &*self.inner;
        let licenses = encoded(given.licenses);
        let contact = self.contact(given.authority, given.signed)?;
        let now = inner.clock.now();
        inner.write(|transaction| {
            let mut merger = Merger::new(transaction, inner, now)?;
            if let Some(contact) = &contact {
                let mut clock = merger.head.clock.clone();
                clock.note_contact(contact.service, contact.issued_at, now);
                merger.head.set_clock(clock);
            }
            merger.verified_batch(given.authority, given.signed)?;
            let recipe = recipe::keep(transaction, given.recipe)?;
            let mut report = GivenReport::default();
            for (license, bytes) in given.licenses.iter().zip(&licenses) {
                let incoming = incoming(given.authority, license, bytes);
                let bound_at = merger.bound_at(incoming.lid)?;
                // What came by a request, or takes the place of that, is renewed the way it was asked for.
                let is_first = bound_at.is_none() && incoming.replaces.is_none();
                merger.recipe(is_first.then_some(recipe));
                let count = match merger.put(&incoming)? {
                    true if bound_at.is_some_and(|at| at >= incoming.issued_at) => &mut report.known,
                    true => &mut report.stored,
                    false => &mut report.forbidden,
                };
                *count += 1;
            }
            merger.finish(Merge::InTime)?;
            Ok(report)
        })
    }

    /// What the signed part says beside the licenses, if its signer is known here. An import was verified by who made it; once
    /// more would cost as much as all the rest of one license.
    fn contact(&self, authority: Digest, signed: &[u8]) -> Result<Option<Contact>, StoreError> {
        // Who verified it has read the signer's certificate most likely; else the database may have it.
        let known = self.known_directory(authority).and_then(|directory| contact_of(signed, &directory));
        if known.is_some() {
            return Ok(known);
        }
        Ok(self.directory(authority)?.and_then(|directory| contact_of(signed, &directory)))
    }
}

fn contact_of(signed: &[u8], directory: &Directory) -> Option<Contact> {
    let (answer, signer) = read_vouched_of(signed, directory, &[Role::Issuer, Role::Management]).ok()?;
    Some(Contact {
        service: signer.service_id,
        issued_at: answer.issued_at,
        epoch: answer.epoch,
        // Only an issuer takes licenses back, and only its own.
        withdrawn: if signer.role == Role::Issuer { answer.withdrawn } else { Vec::new() },
    })
}

/// A verified answer that nobody asked for.
pub(crate) struct GivenLicenses<'a> {
    /// Authority of the service.
    pub authority: Digest,
    /// The signed answer.
    pub signed: &'a [u8],
    /// Its licenses, opened.
    pub licenses: &'a [OpenedLicense],
    /// How they are asked for from here on.
    pub recipe: &'a Recipe,
}

/// What became of the licenses of an answer that nobody asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct GivenReport {
    /// Stored by it.
    pub stored: u64,
    /// There already, as late or later.
    pub known: u64,
    /// Left out, because they were removed for good.
    pub forbidden: u64,
}

fn encoded(licenses: &[OpenedLicense]) -> Vec<Vec<u8>> {
    licenses.iter().map(|license| license.license.encode()).collect()
}

struct Contact {
    service: ServiceId,
    /// The floor of that service's clock.
    issued_at: i64,
    epoch: Option<Epoch>,
    withdrawn: Vec<Lid>,
}

fn incoming<'a>(authority: Digest, license: &'a OpenedLicense, bytes: &'a [u8]) -> Incoming<'a> {
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
        policy: &license.policy,
        license: bytes,
        key: &license.key,
    }
}

/// State that a stateful license starts from: that of its policy, or less where a binding or a backup says so.
pub(in crate::store) fn start_state(policy: &Policy, ceiling: Option<&State>) -> Option<State> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use wmlicense_testkit::{World, kid};
    use wmlicense_wire::policy::Conditions;

    #[test]
    fn what_a_state_says_of_actions_that_the_policy_has_not_is_left_away() {
        let policy = World::new().policy_with(kid(1), Conditions { count: Some(5), ..Conditions::default() });
        let mut ceiling = State::initial(&policy);
        ceiling.actions.get_mut("Play").unwrap().counts_left = Some(2);
        let expected = ceiling.clone();
        ceiling.actions.insert("Copy".into(), expected.actions["Play"]);
        assert_eq!(start_state(&policy, Some(&ceiling)), Some(expected));
        assert_eq!(start_state(&policy, None), Some(State::initial(&policy)));
    }
}
