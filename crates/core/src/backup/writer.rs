//! The bytes of a backup: header, sections with their lengths, items, padding, footer. Where the licenses come from is not
//! known here. Memory does not grow with the number of licenses.

use super::beside::{Ended, Room, Work, beside};
use aws_lc_rs::digest;
use rustix::fs::Advice;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::num::NonZeroU64;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::mpsc::{self, Receiver, Sender};
use wmlicense_wire::backup::page::{PageKey, PageView};
use wmlicense_wire::backup::{
    ContentKeys, Counts, Footer, Header, Item, MAX_ITEM_LEN, PADDING, SectionKeys, append_page, append_record,
    section_context,
};
use wmlicense_wire::chunked::Sealer;
use wmlicense_wire::id::{Digest, SignerId, StoreId};
use wmlicense_wire::key::Signer;
use wmlicense_wire::license::{InnerKey, License, State};

/// Bytes handed to the system at once.
const FILE_BUFFER: usize = 1 << 20;
/// Plain bytes collected before they are hashed and encrypted.
const BLOCK: usize = 128 * 1024;
/// Blocks under way between the thread that makes records and the one that encrypts and writes them.
const BLOCKS: usize = 4;
const STACK: usize = 256 * 1024;

/// A part of a backup could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// The file.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// An item is longer than readers accept.
    #[error("an item is too long")]
    TooLong,
    /// The device's key does not sign.
    #[error("the device's key does not sign")]
    Keys,
}

/// Counts what goes through it.
struct Counted<W> {
    inner: W,
    written: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A file whose bytes are on their way to the medium as soon as they are written, so that the sync at the end has little to
/// wait for.
struct Early<'f> {
    file: &'f File,
    written: u64,
}

impl Write for Early<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        let length = NonZeroU64::new(written as u64);
        // Advice only: where it is not taken, the sync waits for all of it.
        let _ = rustix::fs::fadvise(self.file, self.written, length, Advice::DontNeed);
        self.written += written as u64;
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A backup file being written, one section after the other.
pub(crate) struct BackupWriter<'f> {
    file: &'f File,
    out: Counted<BufWriter<Early<'f>>>,
    header: Header,
    header_hash: Digest,
    next_section: u32,
}

impl<'f> BackupWriter<'f> {
    /// Starts an empty file with the header.
    pub(crate) fn new(file: &'f File, header: Header) -> Result<Self, WriteError> {
        let mut out = Counted { inner: BufWriter::with_capacity(FILE_BUFFER, Early { file, written: 0 }), written: 0 };
        let bytes = header.encode();
        out.write_all(&bytes)?;
        Ok(Self { file, out, header, header_hash: Digest::of(&bytes), next_section: 0 })
    }

    /// Writes the next section: `fill` puts its items. Its length stands before it and is known only afterwards.
    pub(crate) fn section<E: From<WriteError>>(
        &mut self,
        keys: &SectionKeys,
        maker: &Maker<'_>,
        fill: impl FnOnce(&mut SectionWriter<'_>) -> Result<(), E>,
    ) -> Result<Counts, E> {
        let section = self.next_section;
        let length_at = self.out.written;
        self.out.write_all(&[0; 8]).map_err(WriteError::from)?;
        let context = section_context(section, self.header_hash);
        let out: &mut (dyn Write + Send) = &mut self.out;
        let sealer = Sealer::new(&keys.meta, &context, out).map_err(WriteError::from)?;
        let (counts, sealed) = fill_and_seal(sealer, ContentKeys::of(&keys.content), fill)?;
        let footer = Footer {
            created_at: maker.created_at,
            backup_id: self.header.backup_id,
            section,
            header_hash: self.header_hash,
            stream_hash: sealed.stream_hash(),
            counts,
            store_id: maker.store_id,
        };
        let signed = footer.sign(maker.signer, maker.thumbprint).map_err(|_| WriteError::Keys)?;
        sealed.finish(signed)?;
        let length = self.out.written - length_at - 8;
        self.patch_length(length_at, length).map_err(WriteError::from)?;
        self.next_section += 1;
        Ok(counts)
    }

    fn patch_length(&mut self, at: u64, length: u64) -> io::Result<()> {
        self.out.flush()?;
        self.file.write_all_at(&length.to_be_bytes(), at)
    }

    /// Hands everything to the system. The file is not durable yet.
    pub(crate) fn finish(mut self) -> Result<(), WriteError> {
        debug_assert_eq!(self.next_section as usize, self.header.sections.len(), "each section has its tickets");
        Ok(self.out.flush()?)
    }
}

/// Who makes a section, and of what.
pub(crate) struct Maker<'a> {
    /// The device's key at the section's authority.
    pub(crate) signer: &'a dyn Signer,
    /// Its thumbprint.
    pub(crate) thumbprint: SignerId,
    /// The store.
    pub(crate) store_id: StoreId,
    /// Seconds UTC.
    pub(crate) created_at: i64,
}

/// Puts the items of a section while what is there already is hashed, encrypted and written beside.
fn fill_and_seal<'w, E: From<WriteError>>(
    sealer: Sealer<&'w mut (dyn Write + Send)>,
    content: ContentKeys,
    fill: impl FnOnce(&mut SectionWriter<'_>) -> Result<(), E>,
) -> Result<(Counts, Sealed<'w>), E> {
    let (emptied, empty) = mpsc::channel::<Block>();
    let sealing = Sealing { sealed: Sealed { sealer, hash: digest::Context::new(&digest::SHA256) }, emptied };
    let ((filled, counts), sealed) = beside(sealing, &Room { stack: STACK, things: BLOCKS }, |hand| {
        let mut writer = SectionWriter::new(Box::new(|block| hand.over(block)), empty, content);
        let filled = fill(&mut writer).and_then(|()| Ok(writer.pad()?));
        (filled, writer.counts)
    });
    let sealed = sealed?.sealed;
    filled.map(|()| (counts, sealed))
}

/// Hashing, encrypting and writing the blocks of a section.
struct Sealing<'w> {
    sealed: Sealed<'w>,
    emptied: Sender<Block>,
}

impl Work for Sealing<'_> {
    type Thing = Block;
    type Error = WriteError;

    fn take(&mut self, block: Block) -> Result<(), WriteError> {
        self.sealed.take(&block)?;
        // Nobody needs the empty block when the section is over.
        let _ = self.emptied.send(block);
        Ok(())
    }
}

/// A piece of a section's stream.
#[derive(Default)]
struct Block {
    bytes: Vec<u8>,
    /// The licenses of pages in it, which the footer's hash leaves to the manifests.
    licenses: Vec<Range<usize>>,
}

impl Block {
    fn new() -> Self {
        Self { bytes: Vec::with_capacity(BLOCK + BLOCK / 4), licenses: Vec::new() }
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.licenses.clear();
    }

    /// The parts that the footer's hash covers.
    fn footed(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.licenses.iter().map(|licenses| licenses.end));
        let ends = self.licenses.iter().map(|licenses| licenses.start).chain([self.bytes.len()]);
        starts.zip(ends).filter_map(|(start, end)| self.bytes.get(start..end))
    }
}

/// The stream of a section on its way into the file.
struct Sealed<'w> {
    sealer: Sealer<&'w mut (dyn Write + Send)>,
    hash: digest::Context,
}

impl Sealed<'_> {
    fn take(&mut self, block: &Block) -> Result<(), WriteError> {
        block.footed().for_each(|part| self.hash.update(part));
        Ok(self.sealer.write_all(&block.bytes)?)
    }

    fn stream_hash(&self) -> Digest {
        let mut hash = [0; Digest::LEN];
        hash.copy_from_slice(self.hash.clone().finish().as_ref());
        Digest::new(hash)
    }

    fn finish(mut self, footer: Vec<u8>) -> Result<(), WriteError> {
        let item = Item::Footer(footer).encode();
        self.sealer.write_all(&(item.len() as u32).to_be_bytes())?;
        self.sealer.write_all(&item)?;
        self.sealer.finish()?;
        Ok(())
    }
}

/// Hands a block over to be written.
type Over<'h> = Box<dyn FnMut(Block) -> Result<(), Ended> + 'h>;

/// The items of one section, in the order of the format.
pub(crate) struct SectionWriter<'h> {
    over: Over<'h>,
    empty: Receiver<Block>,
    /// Bytes of the stream, those in `pending` included.
    length: u64,
    pending: Block,
    content: ContentKeys,
    counts: Counts,
    /// Records and pages have numbers of their own.
    records: u64,
    pages: u64,
}

impl<'h> SectionWriter<'h> {
    fn new(over: Over<'h>, empty: Receiver<Block>, content: ContentKeys) -> Self {
        let (pending, counts) = (Block::new(), Counts::default());
        Self { over, empty, length: 0, pending, content, counts, records: 0, pages: 0 }
    }

    /// What was put so far.
    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    /// Writes anything but a license, padding or the footer, which have methods of their own.
    pub(crate) fn put(&mut self, item: &Item) -> Result<(), WriteError> {
        match item {
            Item::Batch(_) => self.counts.batches += 1,
            Item::Tombstone(_) => self.counts.tombstones += 1,
            Item::Title(..) => self.counts.titles += 1,
            Item::DeviceCertificate(_)
            | Item::ServiceCertificate(_)
            | Item::StatusList(_)
            | Item::LicenseRevocation(_)
            | Item::Record(_)
            | Item::Page { .. }
            | Item::Padding(_)
            | Item::Footer(_) => {}
        }
        self.append(&item.encode())
    }

    /// Writes a license of the batch before, its key under the section's content key.
    pub(crate) fn put_license(
        &mut self,
        manifest_index: u32,
        license: &License,
        state: &State,
        key: &InnerKey,
    ) -> Result<(), WriteError> {
        let out = &mut self.pending.bytes;
        let start = out.len();
        append_record(out, self.records, manifest_index, license, state, key, &self.content.records);
        let length = out.len() - start;
        if length - 4 > MAX_ITEM_LEN {
            return Err(WriteError::TooLong);
        }
        self.records += 1;
        self.counts.records += 1;
        self.added(length)
    }

    /// Writes a page of the batch before as it is, its key under the section's content key.
    pub(crate) fn put_page(&mut self, key: &PageKey, page: &PageView<'_>) -> Result<(), WriteError> {
        let wrapped_key = self.content.pages.seal(self.pages, key);
        let out = &mut self.pending.bytes;
        let start = out.len();
        append_page(out, &wrapped_key, page.bytes());
        let end = out.len();
        self.pending.licenses.push(end - (page.bytes().len() - page.front().len())..end);
        self.pages += 1;
        self.counts.records += page.count() as u64;
        self.added(end - start)
    }

    fn append(&mut self, item: &[u8]) -> Result<(), WriteError> {
        if item.len() > MAX_ITEM_LEN {
            return Err(WriteError::TooLong);
        }
        self.pending.bytes.extend_from_slice(&(item.len() as u32).to_be_bytes());
        self.pending.bytes.extend_from_slice(item);
        self.added(item.len() + 4)
    }

    fn added(&mut self, length: usize) -> Result<(), WriteError> {
        self.length += length as u64;
        if self.pending.bytes.len() >= BLOCK { self.drain() } else { Ok(()) }
    }

    fn drain(&mut self) -> Result<(), WriteError> {
        let mut block = self.empty.try_recv().unwrap_or_else(|_| Block::new());
        block.clear();
        std::mem::swap(&mut block, &mut self.pending);
        (self.over)(block).map_err(|Ended| io::Error::other("the writing ended").into())
    }

    /// Pads the stream and hands the rest over.
    fn pad(&mut self) -> Result<(), WriteError> {
        if let Some(padding) = padding(self.length) {
            self.append(&padding)?;
        }
        self.drain()
    }
}

/// The padding item that brings a stream of this length to a multiple of [`PADDING`]; none where it is one already.
fn padding(length: u64) -> Option<Vec<u8>> {
    let gap = length.next_multiple_of(PADDING) - length;
    if gap == 0 {
        return None;
    }
    // Some gaps are smaller than an empty item, and one length no item has, because the head of the zeros grows with them.
    [gap, gap + PADDING].into_iter().find_map(|gap| {
        let gap = gap as usize;
        let empty = Item::Padding(Vec::new()).encode().len() + 4;
        let most = gap.checked_sub(empty)?;
        (most.saturating_sub(4)..=most)
            .rev()
            .map(|zeros| Item::Padding(vec![0; zeros]).encode())
            .find(|item| item.len() + 4 == gap)
    })
}

#[cfg(test)]
mod tests;
