//! Cutting a section's licenses into requests that services and the proxies in front of them accept. The same section is always
//! cut alike, so that a restore which a crash broke off finds its chunks again.

use crate::backup::reader::{LicenseEntry, PageEntry};
use wmlicense_wire::backup::page::{PageBuilder, PageView, PagedLicense, WRAPPED_PAGE_KEY_LEN};
use wmlicense_wire::id::{Kid, Lid};
use wmlicense_wire::policy::Policy;
use wmlicense_wire::request::{MAX_LICENSES, RestoreBatch, RestorePage, USUAL_PROXY_LEN};

/// Bytes of licenses and batches in one request; the rest of what proxies take is for certificates, ticket, usage and frame.
pub(super) const MAX_BYTES: usize = USUAL_PROXY_LEN - 128 * 1024;
/// Most bytes that CBOR puts before a record or a batch.
const FRAME: usize = 16;
/// Most bytes that a page takes besides its licenses.
const PAGE_FRAME: usize = 2 * FRAME + WRAPPED_PAGE_KEY_LEN;
/// Bytes that a page takes for a license besides the license and its key.
const ENTRY: usize = 6;

/// What the service decides on.
type Named = (Lid, Kid);

/// Licenses on their way to the service, in the order of the file.
#[derive(Default)]
pub(super) struct Chunk {
    parts: Vec<Part>,
    count: usize,
    bytes: usize,
    /// The batch that is being read is the last of `parts`.
    named: bool,
}

/// What a chunk has of one batch.
struct Part {
    signed: Vec<u8>,
    records: Vec<(Vec<u8>, Named)>,
    pages: Vec<Page>,
}

/// What a chunk has of one page.
struct Page {
    number: u64,
    wrapped_key: Vec<u8>,
    builder: PageBuilder,
    licenses: Vec<Named>,
}

impl Page {
    fn of(number: u64, wrapped_key: &[u8]) -> Self {
        let (builder, licenses) = (PageBuilder::default(), Vec::new());
        Self { number, wrapped_key: wrapped_key.to_vec(), builder, licenses }
    }

    fn add(&mut self, index: u32, (license, wrapped): (&[u8], &[u8]), named: Named) {
        // What stands in a page of the backup fits into a part of that page.
        if self.builder.push(index, license, wrapped).is_ok() {
            self.licenses.push(named);
        }
    }

    fn cost(&self) -> usize {
        PAGE_FRAME + self.builder.len_with(0, 0)
    }

    /// The first licenses, and the rest.
    fn split(self, first: usize) -> (Self, Self) {
        let mut halves = (Self::of(self.number, &self.wrapped_key), Self::of(self.number, &self.wrapped_key));
        let page = self.builder.page().unwrap_or_default();
        let licenses = PageView::parse(&page).map(|page| page.licenses());
        for (place, (paged, named)) in licenses.into_iter().flatten().zip(self.licenses).enumerate() {
            let PagedLicense { index, license, wrapped } = paged;
            let half = if place < first { &mut halves.0 } else { &mut halves.1 };
            half.add(index, (license, wrapped), named);
        }
        halves
    }
}

impl Part {
    fn of(signed: &[u8]) -> Self {
        Self { signed: signed.to_vec(), records: Vec::new(), pages: Vec::new() }
    }

    fn count(&self) -> usize {
        self.records.len() + self.pages.iter().map(|page| page.licenses.len()).sum::<usize>()
    }

    fn cost(&self) -> usize {
        let records: usize = self.records.iter().map(|(record, _)| record.len() + FRAME).sum();
        let pages: usize = self.pages.iter().map(Page::cost).sum();
        self.signed.len() + 2 * FRAME + records + pages
    }

    /// The first licenses, and the rest.
    fn split(mut self, first: usize) -> (Self, Self) {
        let mut rest = Self::of(&self.signed);
        rest.records = self.records.split_off(first.min(self.records.len()));
        let mut left = first - self.records.len();
        for page in std::mem::take(&mut self.pages) {
            let count = page.licenses.len();
            let (here, there) = page.split(left);
            left = left.saturating_sub(count);
            self.pages.extend(Some(here).filter(|page| !page.licenses.is_empty()));
            rest.pages.extend(Some(there).filter(|page| !page.licenses.is_empty()));
        }
        (self, rest)
    }

    fn batch(&self) -> RestoreBatch {
        let page = |page: &Page| {
            let Page { number, wrapped_key, builder, .. } = page;
            Some(RestorePage { number: *number, wrapped_key: wrapped_key.clone(), page: builder.page()? })
        };
        RestoreBatch {
            signed: self.signed.clone(),
            records: self.records.iter().map(|(record, _)| record.clone()).collect(),
            pages: self.pages.iter().filter_map(page).collect(),
        }
    }

    fn licenses(&self) -> impl Iterator<Item = Named> {
        let records = self.records.iter().map(|(_, named)| *named);
        records.chain(self.pages.iter().flat_map(|page| page.licenses.iter().copied()))
    }
}

impl Chunk {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Licenses in it.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Bytes that it takes in a request, about.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Licenses that follow are of another batch.
    pub(super) fn begin_batch(&mut self) {
        self.named = false;
    }

    /// True if a license of the batch `signed`, out of `page` where it stands in one, still fits.
    pub(super) fn has_room(&self, entry: &LicenseEntry<'_>, page: Option<&PageEntry<'_>>, signed: &[u8]) -> bool {
        let fits = self.bytes + self.cost_of(entry, page, signed) <= MAX_BYTES;
        self.is_empty() || (fits && self.count < MAX_LICENSES)
    }

    fn cost_of(&self, entry: &LicenseEntry<'_>, page: Option<&PageEntry<'_>>, signed: &[u8]) -> usize {
        let batch = if self.named { 0 } else { signed.len() + 2 * FRAME };
        let license = match (page, entry.wrapped_in_page()) {
            (Some(page), Some(wrapped)) => {
                let begun = self.named && self.open_page().is_some_and(|open| open.number == page.number);
                ENTRY + wrapped.len() + entry.encoded.len() + if begun { 0 } else { Page::of(0, &[]).cost() }
            }
            _ => FRAME + entry.encoded.len(),
        };
        batch + license
    }

    /// The page that was added to last.
    fn open_page(&self) -> Option<&Page> {
        self.parts.last()?.pages.last()
    }

    /// Adds a license; a batch and a page are named with their first one.
    pub(super) fn add(
        &mut self,
        entry: &LicenseEntry<'_>,
        page: Option<&PageEntry<'_>>,
        policy: &Policy,
        signed: &[u8],
    ) {
        self.bytes += self.cost_of(entry, page, signed);
        if !self.named {
            self.parts.push(Part::of(signed));
            self.named = true;
        }
        let Some(part) = self.parts.last_mut() else { return };
        let named = (policy.lid, policy.kid);
        match (page, entry.wrapped_in_page()) {
            (Some(page), Some(wrapped)) => {
                if part.pages.last().is_none_or(|open| open.number != page.number) {
                    part.pages.push(Page::of(page.number, page.wrapped_key));
                }
                let open = part.pages.last_mut();
                open.into_iter().for_each(|open| open.add(entry.index, (entry.encoded, wrapped), named));
            }
            _ => part.records.push((entry.encoded.to_vec(), named)),
        }
        self.count += 1;
    }

    /// The batches as a request names them.
    pub(super) fn batches(&self) -> Vec<RestoreBatch> {
        self.parts.iter().map(Part::batch).collect()
    }

    /// The licenses, in the order of the request.
    pub(super) fn licenses(&self) -> Vec<Named> {
        self.parts.iter().flat_map(Part::licenses).collect()
    }

    /// Two chunks with half of the licenses each, where there are several.
    pub(super) fn halves(self) -> (Self, Self) {
        let mut left = self.count / 2;
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for part in self.parts {
            let count = part.count();
            let (here, there) = part.split(left.min(count));
            left = left.saturating_sub(count);
            first.extend(Some(here).filter(|part| part.count() > 0));
            second.extend(Some(there).filter(|part| part.count() > 0));
        }
        (Self::of(first), Self::of(second))
    }

    fn of(parts: Vec<Part>) -> Self {
        let (count, bytes) = (parts.iter().map(Part::count).sum(), parts.iter().map(Part::cost).sum());
        Self { parts, count, bytes, named: true }
    }
}

#[cfg(test)]
mod tests;
