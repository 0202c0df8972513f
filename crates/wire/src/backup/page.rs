//! Pages: licenses of one batch as they arrived, their keys wrapped under a key of the page's own. Stores keep pages, backups and
//! restore requests copy them. What a license says, and whether its batch names it, is not looked at here.

mod builder;
mod key;

use crate::id::Digest;
use crate::license::{self, MAX_IN_BATCH, MAX_LEN as MAX_LICENSE_LEN};
pub use builder::PageBuilder;
pub use key::{PageKey, SectionPageKeys, WRAPPED_PAGE_KEY_LEN, WRAPPING};

/// Longest page accepted, in bytes.
pub const MAX_PAGE_LEN: usize = 64 * 1024;
/// Longest wrapped key of a license, in bytes.
const MAX_WRAPPED_LEN: usize = 64;
/// u16 number of licenses.
const COUNT_LEN: usize = 2;
/// u16 manifest index ‖ u16 length of the license ‖ u16 length of the wrapped key.
const ENTRY_LEN: usize = 6;

/// Bytes are no page, or a page cannot be made of this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageError {
    /// Cut, extended, empty, out of order, or with lengths that may not be.
    #[error("a page of licenses is malformed")]
    Malformed,
    /// The license does not fit into this page any more.
    #[error("a page of licenses is full")]
    Full,
}

/// A page borrowed from its bytes: `u16 count ‖ entries ‖ wrapped keys ‖ licenses`, manifest indexes ascending.
#[derive(Clone, Copy)]
pub struct PageView<'a> {
    bytes: &'a [u8],
    entries: &'a [[u8; ENTRY_LEN]],
    /// Wrapped keys, in order.
    keys: &'a [u8],
    /// Licenses, in order.
    licenses: &'a [u8],
}

/// One license of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PagedLicense<'a> {
    /// Place in the manifest of its batch.
    pub index: u32,
    /// The license, encoded: what the manifest has the hash of.
    pub license: &'a [u8],
    /// Its key under the key of the page.
    pub wrapped: &'a [u8],
}

/// What an entry says.
struct Entry {
    index: u16,
    license: usize,
    wrapped: usize,
}

impl Entry {
    fn read([index_high, index_low, license_high, license_low, wrapped_high, wrapped_low]: [u8; ENTRY_LEN]) -> Self {
        Self {
            index: u16::from_be_bytes([index_high, index_low]),
            license: u16::from_be_bytes([license_high, license_low]).into(),
            wrapped: u16::from_be_bytes([wrapped_high, wrapped_low]).into(),
        }
    }

    /// True if a page may have an entry with these lengths and this index.
    fn is_allowed(&self) -> bool {
        usize::from(self.index) < MAX_IN_BATCH
            && (1..=MAX_LICENSE_LEN).contains(&self.license)
            && (1..=MAX_WRAPPED_LEN).contains(&self.wrapped)
    }
}

impl<'a> PageView<'a> {
    /// Reads a page; the bytes must be exactly one.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PageError> {
        Self::read(bytes).ok_or(PageError::Malformed)
    }

    fn read(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() > MAX_PAGE_LEN {
            return None;
        }
        let (count, rest) = bytes.split_first_chunk::<COUNT_LEN>()?;
        let count = usize::from(u16::from_be_bytes(*count));
        let (entries, rest) = rest.split_at_checked(count * ENTRY_LEN)?;
        let (entries, _) = entries.as_chunks::<ENTRY_LEN>();
        let (mut next, mut wrapped, mut license) = (0, 0, 0);
        for entry in entries {
            let entry = Entry::read(*entry);
            if entry.index < next || !entry.is_allowed() {
                return None;
            }
            next = entry.index + 1;
            wrapped += entry.wrapped;
            license += entry.license;
        }
        let (keys, licenses) = rest.split_at_checked(wrapped)?;
        (count > 0 && licenses.len() == license).then_some(Self { bytes, entries, keys, licenses })
    }

    /// The whole page.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Everything before the licenses.
    pub fn front(&self) -> &'a [u8] {
        self.bytes.split_at(self.bytes.len() - self.licenses.len()).0
    }

    /// Number of licenses, at least one.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// The licenses, in the order of the manifest.
    pub fn licenses(&self) -> PagedLicenses<'a> {
        PagedLicenses { entries: self.entries.iter(), keys: self.keys, licenses: self.licenses }
    }

    /// The license with this place in the manifest.
    pub fn find(&self, index: u32) -> Option<PagedLicense<'a>> {
        self.licenses().find(|license| license.index == index)
    }

    /// The page cut down to the licenses that `wanted` picks by their place in the manifest; its key stays. `None` if none is left.
    pub fn keep(&self, mut wanted: impl FnMut(u32) -> bool) -> Option<Vec<u8>> {
        let mut page = PageBuilder::default();
        for PagedLicense { index, license, wrapped } in self.licenses() {
            if wanted(index) {
                // What was read from a page fits into one.
                page.push(index, license, wrapped).ok()?;
            }
        }
        page.finish()
    }

    /// The page without one license; its key stays. `None` if none is left.
    pub fn without(&self, index: u32) -> Option<Vec<u8>> {
        self.keep(|other| other != index)
    }
}

/// The licenses of a page, in order.
#[derive(Clone)]
pub struct PagedLicenses<'a> {
    entries: std::slice::Iter<'a, [u8; ENTRY_LEN]>,
    keys: &'a [u8],
    licenses: &'a [u8],
}

impl<'a> Iterator for PagedLicenses<'a> {
    type Item = PagedLicense<'a>;

    fn next(&mut self) -> Option<PagedLicense<'a>> {
        let entry = Entry::read(*self.entries.next()?);
        // The lengths were added up when the page was read.
        let (wrapped, keys) = self.keys.split_at_checked(entry.wrapped)?;
        let (license, licenses) = self.licenses.split_at_checked(entry.license)?;
        (self.keys, self.licenses) = (keys, licenses);
        Some(PagedLicense { index: entry.index.into(), license, wrapped })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.entries.size_hint()
    }
}

impl ExactSizeIterator for PagedLicenses<'_> {}

impl<'a> PagedLicense<'a> {
    /// Policy and binding; `None` if the license is not the encoding of two byte strings.
    pub fn parts(&self) -> Option<(&'a [u8], &'a [u8])> {
        license::parts(self.license)
    }

    /// SHA-256 of the license: its entry in the manifest.
    pub fn hash(&self) -> Digest {
        Digest::of(self.license)
    }
}

#[cfg(test)]
mod tests;
