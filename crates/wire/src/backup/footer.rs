//! The footer: the device's signature over everything in a section.

use super::BackupFormatError;
use crate::cbor::{Fields, MapWriter, read, write};
use crate::cose::{self, Document, Unverified};
use crate::id::{BackupId, Digest, SignerId, StoreId};
use crate::key::{KeyError, Signer, VerifyingKey};

/// What a section holds besides its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Batches.
    pub batches: u64,
    /// Records.
    pub records: u64,
    /// Tombstones.
    pub tombstones: u64,
    /// Titles.
    pub titles: u64,
}

/// End of a section, signed by the device that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Footer {
    /// When, seconds UTC.
    pub created_at: i64,
    /// The backup.
    pub backup_id: BackupId,
    /// Index of the section.
    pub section: u32,
    /// SHA-256 of the whole header, magic and length included.
    pub header_hash: Digest,
    /// SHA-256 of the stream before the footer's item.
    pub stream_hash: Digest,
    /// What the section holds.
    pub counts: Counts,
    /// Store that it was made of.
    pub store_id: StoreId,
}

impl Footer {
    /// Longest footer accepted, in bytes.
    pub const MAX_LEN: usize = 1024;

    /// Signs the footer with the device's key.
    pub fn sign(&self, signer: &dyn Signer, thumbprint: SignerId) -> Result<Vec<u8>, KeyError> {
        let counts = [self.counts.batches, self.counts.records, self.counts.tombstones, self.counts.titles];
        let payload = MapWriter::new()
            .int(6, self.created_at)
            .bytes(10, self.backup_id)
            .uint(11, self.section)
            .bytes(12, self.header_hash)
            .bytes(13, self.stream_hash)
            .raw(14, &write::array(counts.map(write::uint)))
            .bytes(15, self.store_id)
            .finish();
        cose::sign(Document::BackupFooter, &payload, signer, thumbprint)
    }

    /// Reads a footer that the device with these keys signed.
    pub fn verify(bytes: &[u8], key: &VerifyingKey, thumbprint: SignerId) -> Result<Self, BackupFormatError> {
        let document = Unverified::parse(Document::BackupFooter, bytes, Self::MAX_LEN)?;
        let mut fields = Fields::parse(document.verify(key, thumbprint)?, Self::MAX_LEN)?;
        let footer = Self {
            created_at: fields.required(6, read::int)?,
            backup_id: fields.required(10, read::id)?,
            section: fields.required(11, read::uint32)?,
            header_hash: fields.required(12, read::id)?,
            stream_hash: fields.required(13, read::id)?,
            counts: fields.required(14, |raw| {
                let [batches, records, tombstones, titles] = read::tuple(raw)?;
                Some(Counts {
                    batches: read::uint(batches)?,
                    records: read::uint(records)?,
                    tombstones: read::uint(tombstones)?,
                    titles: read::uint(titles)?,
                })
            })?,
            store_id: fields.required(15, read::id)?,
        };
        fields.finish()?;
        Ok(footer)
    }
}
