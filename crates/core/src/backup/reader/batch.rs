//! The batch whose licenses are being read: each is what the batch's signature covers, and stands in the section once.

use super::{LicenseEntry, PageEntry, ReadError, corrupt};
use wmlicense_wire::answer::Answer;
use wmlicense_wire::backup::{PageItem, RecordView};
use wmlicense_wire::id::Digest;
use wmlicense_wire::license::bound_to;
use wmlicense_wire::policy::Glance;
use wmlicense_wire::request::MAX_LICENSES;

pub(super) struct Batch {
    answer: Answer,
    /// One bit a place of the manifest: no license comes twice.
    seen: [u64; MAX_LICENSES / 64],
}

impl Batch {
    pub(super) fn new(answer: Answer) -> Self {
        Self { answer, seen: [0; MAX_LICENSES / 64] }
    }

    /// Notes a license: it stands at its place in the manifest, and for the first time.
    fn note(&mut self, index: u32, hash: Digest) -> Result<(), ReadError> {
        let (word, bit) = (index as usize / 64, 1 << (index % 64));
        let seen = self.seen.get_mut(word).filter(|seen| **seen & bit == 0);
        let seen = seen.ok_or_else(|| corrupt("a license comes twice, or from outside its batch"))?;
        if self.answer.manifest.get(index as usize) != Some(&hash) {
            return Err(corrupt("a license is not in its batch's manifest"));
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

    /// A license in a record.
    pub(super) fn record<'i>(&mut self, record: RecordView<'i>) -> Result<LicenseEntry<'i>, ReadError> {
        self.note(record.manifest_index, record.license_hash())?;
        let glance = Glance::at(record.policy).ok_or_else(|| corrupt("a policy is malformed"))?;
        let policy_hash = record.policy_hash();
        if bound_to(record.binding) != Some((policy_hash, self.answer.thumbprint)) {
            return Err(corrupt("a binding belongs to another license"));
        }
        Ok(LicenseEntry::of_record(record, glance.kind, policy_hash))
    }

    /// The licenses of a page. They have no state, because a page proves none. That a policy is the one which its binding names
    /// shows when its key opens.
    pub(super) fn page<'i>(&mut self, number: u64, item: PageItem<'i>) -> Result<PageEntry<'i>, ReadError> {
        let mut licenses = Vec::with_capacity(item.page.count());
        for paged in item.page.licenses() {
            self.note(paged.index, paged.hash())?;
            let parts = paged.parts().ok_or_else(|| corrupt("a license is malformed"))?;
            let glance = Glance::at(parts.0).ok_or_else(|| corrupt("a policy is malformed"))?;
            if glance.stateful {
                return Err(corrupt("a license with a state stands in a page"));
            }
            let bound = bound_to(parts.1).filter(|(_, thumbprint)| *thumbprint == self.answer.thumbprint);
            let (policy_hash, _) = bound.ok_or_else(|| corrupt("a binding belongs to another license"))?;
            let place = (paged.index, paged.license, paged.wrapped);
            licenses.push(LicenseEntry::of_page(place, parts, glance.kind, policy_hash));
        }
        Ok(PageEntry { number, wrapped_key: item.wrapped_key, page: item.page, licenses })
    }
}
