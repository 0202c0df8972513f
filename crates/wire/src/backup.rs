//! The parts of a backup file: header, tickets, items, records, footer. Streaming them to and from a file is the client's.

use crate::cbor::{CborError, Fields, MapWriter, read, write};
use crate::cose::CoseError;
use crate::id::{BackupId, Digest};

mod content;
mod footer;
mod item;
pub mod page;
mod record;
mod ticket;
mod tombstone;
mod view;

pub use content::ContentKeys;
pub use footer::{Counts, Footer};
pub use item::Item;
pub use record::{Record, RecordKey};
pub use ticket::{DeviceTicket, SectionKeys, ServiceTicket, Ticket};
pub use tombstone::Tombstone;
pub use view::{ItemView, PageItem, RecordView, append_page, append_record};

/// First bytes of every backup file.
pub const MAGIC: &[u8; 8] = b"WMBACKUP";
/// Newest version of the format that this reads.
pub const VERSION: u64 = Version::Pages as u64;
/// Longest header accepted, in bytes.
pub const MAX_HEADER_LEN: usize = 1 << 20;
/// Longest item accepted, in bytes: the longest is a license revocation blob or status list.
pub const MAX_ITEM_LEN: usize = 1040 * 1024;
/// The stream before the footer is padded to a multiple of this.
pub const PADDING: u64 = 64 * 1024;
/// Name of the file in the folder that the user chose.
pub const FILE_NAME: &str = "licenses.wmbackup";
/// Most sections in a backup.
pub const MAX_SECTIONS: usize = 256;
const SECTION_LABEL: &[u8] = b"wmlicense/1 backup section";

/// A part of a backup could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackupFormatError {
    /// Not a backup file.
    #[error("not a license backup")]
    Magic,
    /// Written by a later version of the format.
    #[error("the backup has format version {0}, which this version does not read")]
    Version(u64),
    /// The content is malformed.
    #[error("backup: {0}")]
    Content(#[from] CborError),
    /// The footer is not correctly signed.
    #[error("backup footer: {0}")]
    Footer(#[from] CoseError),
    /// A ticket does not open.
    #[error("backup: the ticket is damaged")]
    Ticket,
}

/// Version of the format, by how licenses without a state stand in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Every license in a record of its own; read only.
    Records = 1,
    /// Licenses without a state in pages, copied as they were kept.
    Pages = 2,
}

/// The tickets of one section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionHeader {
    /// For the device that made the backup.
    pub device: Ticket,
    /// For the management service of its licenses, where they have one.
    pub service: Option<Ticket>,
}

/// The readable front of a backup file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// How the sections are to be read.
    pub version: Version,
    /// Names the backup.
    pub backup_id: BackupId,
    /// One a section, in file order.
    pub sections: Vec<SectionHeader>,
}

impl Header {
    /// `WMBACKUP` ‖ u32 length ‖ CBOR.
    pub fn encode(&self) -> Vec<u8> {
        let section = |section: &SectionHeader| {
            MapWriter::new()
                .raw(1, &section.device.encode())
                .optional(2, section.service.as_ref(), |map, field, ticket| map.raw(field, &ticket.encode()))
                .finish()
        };
        let body = MapWriter::new()
            .uint(10, self.version as u64)
            .bytes(11, self.backup_id)
            .raw(12, &write::array(self.sections.iter().map(section)))
            .finish();
        [MAGIC.as_slice(), &(body.len() as u32).to_be_bytes(), &body].concat()
    }

    /// Length of the CBOR part, from the first 12 bytes of a file.
    pub fn body_len(front: &[u8; 12]) -> Result<usize, BackupFormatError> {
        let (magic, length) = front.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(BackupFormatError::Magic);
        }
        let length = length.iter().fold(0usize, |length, byte| length << 8 | usize::from(*byte));
        if length > MAX_HEADER_LEN { Err(CborError::TooLong { cap: MAX_HEADER_LEN }.into()) } else { Ok(length) }
    }

    /// Reads the CBOR part.
    pub fn decode(body: &[u8]) -> Result<Self, BackupFormatError> {
        let mut fields = Fields::parse(body, MAX_HEADER_LEN)?;
        let version = match fields.required(10, read::uint)? {
            1 => Version::Records,
            2 => Version::Pages,
            other => return Err(BackupFormatError::Version(other)),
        };
        let header = Self {
            version,
            backup_id: fields.required(11, read::id)?,
            sections: fields.required(12, read::array(MAX_SECTIONS, read_section))?,
        };
        fields.finish()?;
        Ok(header)
    }
}

fn read_section(raw: &[u8]) -> Option<SectionHeader> {
    let mut fields = Fields::of_checked(raw).ok()?;
    let section = SectionHeader {
        device: fields.required(1, Ticket::of_checked).ok()?,
        service: fields.optional(2, Ticket::of_checked).ok()?,
    };
    fields.finish().ok()?;
    Some(section)
}

/// Context under which a section is encrypted: it holds the section's place and the whole header.
pub fn section_context(section: u32, header_hash: Digest) -> Vec<u8> {
    [SECTION_LABEL, &[0], &section.to_be_bytes(), header_hash.as_bytes()].concat()
}
