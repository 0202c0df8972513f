//! The licenses of one batch in a backup, for who writes one and who reads one: each is what the batch's manifest names, is bound to
//! the batch's device, and stands there once. Who reads believes nothing of a section in which one is not so; who writes makes
//! none, because what a disk did to one license must not cost all the others, nor the older backup.

use wmlicense_wire::answer::{Answer, AnswerError, read_vouched, read_vouched_of, verify_signed};
use wmlicense_wire::backup::page::PagedLicense;
use wmlicense_wire::certificate::{Directory, Role};
use wmlicense_wire::id::Digest;
use wmlicense_wire::license::{bound_policy, bound_to};
use wmlicense_wire::policy::Glance;
use wmlicense_wire::request::MAX_LICENSES;

/// A license may not stand in a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    #[error("a license comes twice, or from outside its batch")]
    Place,
    #[error("a license is not in its batch's manifest")]
    NotNamed,
    #[error("a license is malformed")]
    License,
    #[error("a policy is malformed")]
    Policy,
    #[error("a binding belongs to another license")]
    Binding,
    #[error("a license with a state stands in a page")]
    State,
}

/// A batch, and which of its licenses came.
pub(super) struct Batch {
    answer: Answer,
    /// One bit a place of the manifest: no license comes twice.
    seen: [u64; MAX_LICENSES / 64],
}

/// A license in a page that may stand there.
pub(super) struct Paged<'p> {
    pub(super) policy: &'p [u8],
    pub(super) binding: &'p [u8],
    /// What its policy says of it at a glance.
    pub(super) glance: Glance,
    /// What its binding says the hash of its policy is; that it is shows when its key opens.
    pub(super) policy_hash: Digest,
}

impl Batch {
    /// The batch of a signed answer that a footer vouches for.
    pub(super) fn of(signed: &[u8]) -> Result<Self, AnswerError> {
        Ok(Self::new(read_vouched(signed)?))
    }

    /// The batch of an answer that a service of this directory signed; that it did was seen before where the answer is vouched for.
    pub(super) fn signed_in(signed: &[u8], vouched: bool, directory: &Directory) -> Result<Self, AnswerError> {
        let read = if vouched { read_vouched_of } else { verify_signed };
        Ok(Self::new(read(signed, directory, &[Role::Issuer, Role::Management])?.0))
    }

    fn new(answer: Answer) -> Self {
        Self { answer, seen: [0; MAX_LICENSES / 64] }
    }

    /// Notes a license: it stands at its place in the manifest, and for the first time.
    fn note(&mut self, index: u32, hash: Digest) -> Result<(), Fault> {
        let (word, bit) = (index as usize / 64, 1 << (index % 64));
        let seen = self.seen.get_mut(word).filter(|seen| **seen & bit == 0).ok_or(Fault::Place)?;
        if self.answer.manifest.get(index as usize) != Some(&hash) {
            return Err(Fault::NotNamed);
        }
        *seen |= bit;
        Ok(())
    }

    /// True if a license with this place or a later one came.
    pub(super) fn has_from(&self, index: u32) -> bool {
        let (word, bit) = (index as usize / 64, index % 64);
        let rest = self.seen.get(word..).unwrap_or_default();
        rest.iter().enumerate().any(|(at, seen)| if at == 0 { seen >> bit != 0 } else { *seen != 0 })
    }

    /// Takes a license that stands by itself, with the hashes of it and of its policy, and gives a glance at that.
    pub(super) fn take(
        &mut self,
        index: u32,
        (hash, policy_hash): (Digest, Digest),
        (policy, binding): (&[u8], &[u8]),
    ) -> Result<Glance, Fault> {
        self.note(index, hash)?;
        let glance = Glance::at(policy).ok_or(Fault::Policy)?;
        let is_bound = bound_to(binding) == Some((policy_hash, self.answer.thumbprint));
        if is_bound { Ok(glance) } else { Err(Fault::Binding) }
    }

    /// Takes a license of a page that is copied out of the store, and gives what its binding says the hash of its policy is. Bytes that
    /// the manifest names were read and judged when they came, and the key of a page with states opens as such alone.
    pub(super) fn take_copied(&mut self, paged: &PagedLicense<'_>) -> Result<Digest, Fault> {
        self.note(paged.index, paged.hash())?;
        let (_, binding) = paged.parts().ok_or(Fault::License)?;
        bound_policy(binding).ok_or(Fault::Binding)
    }

    /// Takes a license of a page. It has no state, because a page proves none.
    pub(super) fn take_paged<'p>(&mut self, paged: &PagedLicense<'p>) -> Result<Paged<'p>, Fault> {
        self.note(paged.index, paged.hash())?;
        let (policy, binding) = paged.parts().ok_or(Fault::License)?;
        let glance = Glance::at(policy).ok_or(Fault::Policy)?;
        if glance.stateful {
            return Err(Fault::State);
        }
        let bound = bound_to(binding).filter(|(_, thumbprint)| *thumbprint == self.answer.thumbprint);
        let (policy_hash, _) = bound.ok_or(Fault::Binding)?;
        Ok(Paged { policy, binding, glance, policy_hash })
    }
}
