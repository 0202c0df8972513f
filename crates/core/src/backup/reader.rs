//! Reading a backup: every byte is authenticated before it is interpreted, every item checked against the rules of the
//! format, and nothing believed before the signed footer. What becomes of the licenses is the restore's.

mod ahead;
mod entry;
mod error;

use super::batch::Batch;
use aws_lc_rs::digest;
pub(crate) use entry::{Entry, LicenseEntry, PageEntry};
pub(crate) use error::ReadError;
use error::corrupt;
use std::io::{self, Read, Seek, SeekFrom};
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::backup::{
    Counts, Footer, Header, ItemView, MAX_ITEM_LEN, PADDING, PageItem, RecordView, Version, section_context,
};
use wmlicense_wire::certificate::{DeviceKeys, Directory};
use wmlicense_wire::chunked::Opener;
use wmlicense_wire::id::{Digest, StoreId};
use wmlicense_wire::memory;

/// Magic and length of the header.
const FRONT_LEN: usize = 12;

/// An open backup whose header was read and whose sections fill the file exactly.
pub(crate) struct Backup<R> {
    source: R,
    /// The header.
    pub(crate) header: Header,
    /// SHA-256 of the header, magic and length included.
    pub(crate) header_hash: Digest,
    /// Start and length of each section's data.
    extents: Vec<(u64, u64)>,
    /// Bytes of the file.
    pub(crate) size: u64,
}

/// Whose signature a footer must have.
pub(crate) enum Witness<'a> {
    /// This device's, with these keys.
    Own(&'a DeviceKeys),
    /// A device's that this authority's individualization service certified. The service certificates in the section are
    /// taken into account.
    Certified(Directory),
}

/// What the footer of a wholly read section says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Summary {
    /// What the section holds.
    pub(crate) counts: Counts,
    /// Store that it was made of.
    pub(crate) store_id: StoreId,
    /// When, seconds UTC.
    pub(crate) created_at: i64,
}

impl<R: Read + Seek> Backup<R> {
    /// Reads the header and finds the sections.
    pub(crate) fn open(mut source: R) -> Result<Self, ReadError> {
        let size = source.seek(SeekFrom::End(0))?;
        source.rewind()?;
        let mut front = [0; FRONT_LEN];
        read_exact(&mut source, &mut front)?;
        let body_len = Header::body_len(&front)?;
        if body_len as u64 > size {
            return Err(corrupt("the header is longer than the file"));
        }
        let mut body = memory::zeroed(body_len)?;
        read_exact(&mut source, &mut body)?;
        let header = Header::decode(&body)?;
        let header_hash = Digest::of_parts(&[&front, &body]);
        let mut at = (FRONT_LEN + body_len) as u64;
        let mut extents = Vec::with_capacity(header.sections.len());
        for _ in &header.sections {
            let mut length = [0; 8];
            source.seek(SeekFrom::Start(at))?;
            read_exact(&mut source, &mut length)?;
            let (start, length) = (at + 8, u64::from_be_bytes(length));
            at = start
                .checked_add(length)
                .filter(|end| *end <= size)
                .ok_or_else(|| corrupt("a section is cut short"))?;
            extents.push((start, length));
        }
        if at != size {
            return Err(corrupt("bytes follow the last section"));
        }
        Ok(Self { source, header, header_hash, extents, size })
    }

    /// Bytes of a section's data; 0 where there is no such section.
    pub(crate) fn section_len(&self, section: u32) -> u64 {
        self.extents.get(section as usize).map_or(0, |(_, length)| *length)
    }

    /// Bytes of the file before the first section and between sections.
    pub(crate) fn front_len(&self) -> u64 {
        self.size - self.extents.iter().map(|(_, length)| length).sum::<u64>()
    }

    /// Reads a whole section. `visit` sees its content before the footer vouches for it; an error means that nothing of it
    /// may be believed.
    pub(crate) fn read_section<E: From<ReadError>>(
        &mut self,
        section: u32,
        meta: &SecretKey,
        witness: Witness<'_>,
        visit: &mut dyn FnMut(Entry<'_>) -> Result<(), E>,
    ) -> Result<Summary, E> {
        let version = self.header.version;
        let mut reader = SectionReader::new(self.open_section(section, meta)?, witness, version);
        while let Some(footer) = reader.next_item(visit)? {
            if let Footing::Signed(footer) = footer {
                return Ok(self.summary(section, &footer)?);
            }
        }
        Err(without_footer().into())
    }

    /// The plain stream of a section from its begin.
    fn open_section(&mut self, section: u32, meta: &SecretKey) -> Result<Opener<&mut R>, ReadError> {
        let (start, length) = *self.extents.get(section as usize).ok_or_else(|| corrupt("there is no such section"))?;
        self.source.seek(SeekFrom::Start(start))?;
        let context = section_context(section, self.header_hash);
        Ok(Opener::new(meta, &context, &mut self.source, length)?)
    }

    /// What a verified footer says, if it is that of this section.
    fn summary(&self, section: u32, footer: &Footer) -> Result<Summary, ReadError> {
        let expected = (self.header.backup_id, section, self.header_hash);
        if (footer.backup_id, footer.section, footer.header_hash) != expected {
            return Err(corrupt("the footer belongs to another backup or section"));
        }
        Ok(Summary { counts: footer.counts, store_id: footer.store_id, created_at: footer.created_at })
    }
}

fn without_footer() -> ReadError {
    corrupt("a section has no footer")
}

fn read_exact(source: &mut impl Read, buffer: &mut [u8]) -> Result<(), ReadError> {
    source.read_exact(buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => corrupt("the file is cut short"),
        _ => ReadError::Io(error),
    })
}

/// Whether an item was the end.
enum Footing {
    /// More items follow.
    Open,
    /// The verified footer; nothing follows.
    Signed(Box<Footer>),
}

/// Order of the items. One device certificate comes first; status list and padding come at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Start,
    DeviceCertificate,
    ServiceCertificates,
    StatusList,
    LicenseRevocations,
    Tombstones,
    Titles,
    Licenses,
    Padding,
}

struct SectionReader<'a, R> {
    opener: Opener<&'a mut R>,
    witness: Witness<'a>,
    version: Version,
    stage: Stage,
    hash: digest::Context,
    length: u64,
    item: Vec<u8>,
    counts: Counts,
    /// Records and pages have numbers of their own.
    next_record: u64,
    next_page: u64,
    batch: Option<Batch>,
    device_certificate: Vec<u8>,
}

impl<'a, R: Read> SectionReader<'a, R> {
    fn new(opener: Opener<&'a mut R>, witness: Witness<'a>, version: Version) -> Self {
        Self {
            opener,
            witness,
            version,
            stage: Stage::Start,
            hash: digest::Context::new(&digest::SHA256),
            length: 0,
            item: Vec::new(),
            counts: Counts::default(),
            next_record: 0,
            next_page: 0,
            batch: None,
            device_certificate: Vec::new(),
        }
    }

    /// Reads the next item and shows it. `None` at the end of the stream.
    fn next_item<E: From<ReadError>>(
        &mut self,
        visit: &mut dyn FnMut(Entry<'_>) -> Result<(), E>,
    ) -> Result<Option<Footing>, E> {
        let mut item = std::mem::take(&mut self.item);
        let Some(front) = self.read_item(&mut item)? else { return Ok(None) };
        let view = ItemView::parse(&item).map_err(|error| corrupt(format!("an item is malformed: {error}")))?;
        if let ItemView::Footer(signed) = view {
            let footer = self.end(signed)?;
            return Ok(Some(Footing::Signed(Box::new(footer))));
        }
        self.enter(&view)?;
        let footed = view.footed_len(item.len());
        if let Some(entry) = self.entry(view)? {
            visit(entry)?;
        }
        self.hash.update(&front);
        self.hash.update(item.split_at_checked(footed).map_or(&item[..], |(footed, _)| footed));
        self.length += (front.len() + item.len()) as u64;
        self.item = item;
        Ok(Some(Footing::Open))
    }

    /// Reads `u32 length ‖ CBOR` into `item` and gives the length's bytes; `None` at the end of the stream.
    fn read_item(&mut self, item: &mut Vec<u8>) -> Result<Option<[u8; 4]>, ReadError> {
        let mut front = [0; 4];
        match self.opener.read_up_to(&mut front)? {
            0 => return Ok(None),
            4 => {}
            _ => return Err(corrupt("an item is cut short")),
        }
        let length = u32::from_be_bytes(front) as usize;
        if length > MAX_ITEM_LEN {
            return Err(corrupt("an item is too long"));
        }
        item.clear();
        if self.opener.append_up_to(item, length)? != length {
            return Err(corrupt("an item is cut short"));
        }
        Ok(Some(front))
    }

    /// Checks the order of items.
    fn enter(&mut self, item: &ItemView<'_>) -> Result<(), ReadError> {
        let stage = match item {
            ItemView::DeviceCertificate(_) => Stage::DeviceCertificate,
            ItemView::ServiceCertificate(_) => Stage::ServiceCertificates,
            ItemView::StatusList(_) => Stage::StatusList,
            ItemView::LicenseRevocation(_) => Stage::LicenseRevocations,
            ItemView::Tombstone(_) => Stage::Tombstones,
            ItemView::Title(..) => Stage::Titles,
            ItemView::Batch(_) | ItemView::Record(_) | ItemView::Page(_) => Stage::Licenses,
            ItemView::Padding | ItemView::Footer(_) => Stage::Padding,
        };
        let single = matches!(stage, Stage::DeviceCertificate | Stage::StatusList | Stage::Padding);
        let first = self.stage == Stage::Start;
        if stage < self.stage || (single && stage == self.stage) || first != (stage == Stage::DeviceCertificate) {
            return Err(corrupt("items are out of order"));
        }
        self.stage = stage;
        Ok(())
    }

    /// Counts and checks an item, and turns it into what the visitor sees.
    fn entry<'i>(&mut self, item: ItemView<'i>) -> Result<Option<Entry<'i>>, ReadError> {
        match item {
            ItemView::DeviceCertificate(bytes) => {
                self.device_certificate = bytes.to_vec();
                Ok(None)
            }
            ItemView::ServiceCertificate(bytes) => {
                if let Witness::Certified(directory) = &mut self.witness {
                    directory.add(bytes).map_err(|error| corrupt(error.to_string()))?;
                }
                Ok(Some(Entry::ServiceCertificate(bytes)))
            }
            ItemView::Tombstone(bytes) => {
                self.counts.tombstones += 1;
                Ok(Some(Entry::Tombstone(bytes)))
            }
            ItemView::Title(kid, title) => {
                self.counts.titles += 1;
                Ok(Some(Entry::Title(kid, title)))
            }
            ItemView::Batch(signed) => {
                self.counts.batches += 1;
                self.batch = Some(Batch::of(signed).map_err(|error| corrupt(error.to_string()))?);
                Ok(Some(Entry::Batch(signed)))
            }
            ItemView::Record(record) => self.record(record).map(|license| Some(Entry::License(Box::new(license)))),
            ItemView::Page(page) => self.page(page).map(|page| Some(Entry::Page(page))),
            ItemView::StatusList(bytes) => Ok(Some(Entry::StatusList(bytes))),
            ItemView::LicenseRevocation(bytes) => Ok(Some(Entry::LicenseRevocation(bytes))),
            ItemView::Padding | ItemView::Footer(_) => Ok(None),
        }
    }

    /// Checks that a record has the next number and is the license that the batch's signature covers.
    fn record<'i>(&mut self, record: RecordView<'i>) -> Result<LicenseEntry<'i>, ReadError> {
        let batch = self.batch.as_mut().ok_or_else(|| corrupt("a record has no batch"))?;
        let in_order = self.version == Version::Pages || !batch.has_from(record.manifest_index);
        if record.number != self.next_record || !in_order {
            return Err(corrupt("records are out of order"));
        }
        self.next_record += 1;
        self.counts.records += 1;
        let hashes = (record.license_hash(), record.policy_hash());
        let glance = batch.take(record.manifest_index, hashes, (record.policy, record.binding))?;
        Ok(LicenseEntry::of_record(record, glance, hashes.1))
    }

    /// Checks that a page may be there, and its licenses.
    fn page<'i>(&mut self, item: PageItem<'i>) -> Result<PageEntry<'i>, ReadError> {
        if self.version != Version::Pages {
            return Err(corrupt("a page in a file of an earlier version"));
        }
        let batch = self.batch.as_mut().ok_or_else(|| corrupt("a page has no batch"))?;
        let number = self.next_page;
        self.next_page += 1;
        self.counts.records += item.page.count() as u64;
        let mut licenses = Vec::with_capacity(item.page.count());
        for paged in item.page.licenses() {
            let license = batch.take_paged(&paged)?;
            licenses.push(LicenseEntry::of_page(&paged, &license));
        }
        Ok(PageEntry { number, wrapped_key: item.wrapped_key, page: item.page, licenses })
    }

    /// Verifies the footer and that nothing follows it.
    fn end(&mut self, signed: &[u8]) -> Result<Footer, ReadError> {
        let footer = match &self.witness {
            Witness::Own(keys) => Footer::verify(signed, &keys.signing, keys.thumbprint())?,
            Witness::Certified(directory) => {
                let certificate =
                    directory.device(&self.device_certificate).map_err(|error| corrupt(error.to_string()))?;
                Footer::verify(signed, &certificate.keys.signing, certificate.thumbprint())?
            }
        };
        let hash = self.hash.clone().finish();
        if !self.length.is_multiple_of(PADDING)
            || footer.stream_hash.as_bytes() != hash.as_ref()
            || footer.counts != self.counts
        {
            return Err(corrupt("a section is not what its footer says"));
        }
        if !self.opener.at_end()? {
            return Err(corrupt("bytes follow a footer"));
        }
        Ok(footer)
    }
}

#[cfg(test)]
mod tests;
