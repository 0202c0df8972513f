//! Making pages, license by license.

use super::{COUNT_LEN, ENTRY_LEN, Entry, MAX_PAGE_LEN, PageError};
use crate::license::MAX_LEN as MAX_LICENSE_LEN;

/// A page being made of licenses in the order of the manifest.
#[derive(Default)]
pub struct PageBuilder {
    entries: Vec<u8>,
    keys: Vec<u8>,
    licenses: Vec<u8>,
    /// Least manifest index that may follow.
    next: u32,
}

impl PageBuilder {
    /// True if nothing was put in.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Length of the page with one more license of this length, and a wrapped key of this length.
    pub fn len_with(&self, license: usize, wrapped: usize) -> usize {
        COUNT_LEN + self.entries.len() + ENTRY_LEN + self.keys.len() + wrapped + self.licenses.len() + license
    }

    /// Puts an encoded license in, and its key under the key of the page. Manifest indexes ascend; with an error the page is as it
    /// was before.
    pub fn push(&mut self, index: u32, license: &[u8], wrapped: &[u8]) -> Result<(), PageError> {
        let place = u16::try_from(index).map_err(|_| PageError::Malformed)?;
        let entry = Entry { index: place, license: license.len(), wrapped: wrapped.len() };
        if index < self.next || !entry.is_allowed() {
            return Err(PageError::Malformed);
        }
        if self.len_with(license.len(), wrapped.len()) > MAX_PAGE_LEN {
            return Err(PageError::Full);
        }
        const { assert!(MAX_LICENSE_LEN <= u16::MAX as usize) };
        for field in [place, license.len() as u16, wrapped.len() as u16] {
            self.entries.extend_from_slice(&field.to_be_bytes());
        }
        self.keys.extend_from_slice(wrapped);
        self.licenses.extend_from_slice(license);
        self.next = index + 1;
        Ok(())
    }

    /// Number of licenses that were put in.
    pub fn count(&self) -> usize {
        self.entries.len() / ENTRY_LEN
    }

    /// The page as it is so far. `None` where nothing was put in.
    pub fn page(&self) -> Option<Vec<u8>> {
        let count = self.count() as u16;
        (count > 0).then(|| [&count.to_be_bytes()[..], &self.entries, &self.keys, &self.licenses].concat())
    }

    /// The page; the builder is empty afterwards. `None` where nothing was put in.
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        let page = self.page();
        self.entries.clear();
        self.keys.clear();
        self.licenses.clear();
        self.next = 0;
        page
    }
}
