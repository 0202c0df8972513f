//! The parts of a backup file: header, tickets, items, records, footer. Streaming them to and from a file is the client's.

use crate::aead::{OpenError, SecretKey, counter_nonce};
use crate::cbor::{self, CborError, Fields, MapWriter, read, write};
use crate::certificate::{BackupKey, DeviceKeys};
use crate::cose::{self, CoseError, Document, Unverified};
use crate::hpke::Context;
use crate::id::{BackupId, DeviceId, Digest, Kid, SignerId, StoreId, UserId};
use crate::kem::HpkePrivateKey;
use crate::key::{KeyError, Signer, VerifyingKey};
use crate::license::{InnerKey, License, State};
use crate::policy::LicenseKind;
use zeroize::Zeroizing;

/// First bytes of every backup file.
pub const MAGIC: &[u8; 8] = b"WMBACKUP";
/// Version of the format.
pub const VERSION: u64 = 1;
/// Longest header accepted, in bytes.
pub const MAX_HEADER_LEN: usize = 1 << 20;
/// Longest item accepted, in bytes; a signed answer with a full manifest has about 132 kB.
pub const MAX_ITEM_LEN: usize = 256 * 1024;
/// The stream before the footer is padded to a multiple of this.
pub const PADDING: u64 = 64 * 1024;
/// Name of the file in the folder that the user chose.
pub const FILE_NAME: &str = "licenses.wmbackup";
const MAX_SECTIONS: usize = 256;
const DEVICE_LABEL: &[u8] = b"wmlicense/1 backup device";
const SERVICE_LABEL: &[u8] = b"wmlicense/1 backup service";
const SECTION_LABEL: &[u8] = b"wmlicense/1 backup section";
const RECORD_LABEL: &str = "wmlicense/1 record";
const MAX_TICKET_LEN: usize = 4096;

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

/// The two keys of a section. `content` never leaves device and service.
pub struct SectionKeys {
    /// Opens the section.
    pub meta: SecretKey,
    /// Opens the keys in it.
    pub content: SecretKey,
}

impl SectionKeys {
    /// Fresh keys.
    pub fn random() -> Result<Self, getrandom::Error> {
        Ok(Self { meta: SecretKey::random()?, content: SecretKey::random()? })
    }
}

/// A section's keys, sealed to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    /// Thumbprint of the device, or ID of the service's HPKE key.
    pub recipient: SignerId,
    /// Encapsulated key.
    pub enc: Vec<u8>,
    /// Sealed content.
    pub ciphertext: Vec<u8>,
}

/// What a device finds in its ticket.
pub struct DeviceTicket {
    /// The section's keys.
    pub keys: SectionKeys,
    /// Store that the backup was made of.
    pub store_id: StoreId,
}

/// What a management service finds in its ticket.
pub struct ServiceTicket {
    /// The section's keys.
    pub keys: SectionKeys,
    /// Device that made the backup.
    pub device_id: DeviceId,
    /// Its keys.
    pub thumbprint: SignerId,
    /// Account of the section's licenses.
    pub user: Option<UserId>,
    /// Seconds UTC.
    pub created_at: i64,
}

fn ticket_info(label: &[u8], backup_id: BackupId, section: u32) -> Vec<u8> {
    [label, &[0], backup_id.as_bytes(), &section.to_be_bytes()].concat()
}

impl Ticket {
    /// Seals a section's keys to the device itself.
    pub fn for_device(
        device: &DeviceKeys,
        backup_id: BackupId,
        section: u32,
        ticket: &DeviceTicket,
    ) -> Result<Self, KeyError> {
        let plain = Zeroizing::new(
            [ticket.keys.meta.as_bytes().as_slice(), ticket.keys.content.as_bytes(), ticket.store_id.as_bytes()]
                .concat(),
        );
        let (enc, context) = Context::sender(&device.hpke, &ticket_info(DEVICE_LABEL, backup_id, section))?;
        Ok(Self { recipient: device.thumbprint(), enc, ciphertext: context.seal(&plain)? })
    }

    /// Opens a device's ticket.
    pub fn open_as_device(
        &self,
        key: &HpkePrivateKey,
        backup_id: BackupId,
        section: u32,
    ) -> Result<DeviceTicket, BackupFormatError> {
        let fault = |_| BackupFormatError::Ticket;
        let info = ticket_info(DEVICE_LABEL, backup_id, section);
        let plain = Context::recipient(key, &self.enc, &info).and_then(|c| c.open(&self.ciphertext)).map_err(fault)?;
        let read = || {
            let (meta, rest) = plain.split_at_checked(32)?;
            let (content, store_id) = rest.split_at_checked(32)?;
            Some(DeviceTicket {
                keys: SectionKeys { meta: SecretKey::from_slice(meta)?, content: SecretKey::from_slice(content)? },
                store_id: StoreId::from_slice(store_id).ok()?,
            })
        };
        read().ok_or(BackupFormatError::Ticket)
    }

    /// Seals a section's keys to a management service.
    pub fn for_service(
        recipient: &BackupKey,
        backup_id: BackupId,
        section: u32,
        ticket: &ServiceTicket,
    ) -> Result<Self, KeyError> {
        let plain = Zeroizing::new(
            MapWriter::new()
                .bytes(1, ticket.keys.meta.as_bytes())
                .bytes(2, ticket.keys.content.as_bytes())
                .bytes(3, ticket.device_id)
                .bytes(4, ticket.thumbprint)
                .optional(5, ticket.user, MapWriter::bytes)
                .int(6, ticket.created_at)
                .finish(),
        );
        let (enc, context) = Context::sender(&recipient.key, &ticket_info(SERVICE_LABEL, backup_id, section))?;
        Ok(Self { recipient: recipient.key.key_id(), enc, ciphertext: context.seal(&plain)? })
    }

    /// Opens a management service's ticket.
    pub fn open_as_service(
        &self,
        key: &HpkePrivateKey,
        backup_id: BackupId,
        section: u32,
    ) -> Result<ServiceTicket, BackupFormatError> {
        let fault = |_| BackupFormatError::Ticket;
        let info = ticket_info(SERVICE_LABEL, backup_id, section);
        let plain = Context::recipient(key, &self.enc, &info).and_then(|c| c.open(&self.ciphertext)).map_err(fault)?;
        let secret = |raw| SecretKey::from_slice(read::bytes(raw)?);
        let mut fields = Fields::parse(&plain, MAX_TICKET_LEN)?;
        let ticket = ServiceTicket {
            keys: SectionKeys { meta: fields.required(1, secret)?, content: fields.required(2, secret)? },
            device_id: fields.required(3, read::id)?,
            thumbprint: fields.required(4, read::id)?,
            user: fields.optional(5, read::id)?,
            created_at: fields.required(6, read::int)?,
        };
        fields.finish()?;
        Ok(ticket)
    }

    /// Deterministic bytes.
    pub fn encode(&self) -> Vec<u8> {
        write::array([write::bytes(self.recipient), write::bytes(&self.enc), write::bytes(&self.ciphertext)])
    }

    pub(crate) fn of_checked(raw: &[u8]) -> Option<Self> {
        let [recipient, enc, ciphertext] = read::tuple(raw)?;
        let bounded = |raw| read::bytes_up_to(MAX_TICKET_LEN)(raw).map(<[u8]>::to_vec);
        Some(Self { recipient: read::id(recipient)?, enc: bounded(enc)?, ciphertext: bounded(ciphertext)? })
    }
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
            .uint(10, VERSION)
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
        let version = fields.required(10, read::uint)?;
        if version != VERSION {
            return Err(BackupFormatError::Version(version));
        }
        let header = Self {
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

/// One license of a backup.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Counts from 0 in a section; part of the nonce.
    pub number: u64,
    /// Place in the manifest of the batch before it.
    pub manifest_index: u32,
    /// The license.
    pub license: License,
    /// Its state when the backup was made.
    pub state: State,
    /// The key inside, under the section's content key.
    pub wrapped: Vec<u8>,
}

impl Record {
    fn bound_fields(number: u64, manifest_index: u32, license: &License, state: &State) -> [Vec<u8>; 4] {
        [write::uint(number), write::uint(manifest_index.into()), license.encode(), state.encode()]
    }

    /// Makes a record: wraps `key` under the section's content key. A number is used once in a section.
    pub fn seal(
        number: u64,
        manifest_index: u32,
        license: License,
        state: State,
        key: &InnerKey,
        content: &RecordKey,
    ) -> Self {
        let aad = Digest::of(&write::array(Self::bound_fields(number, manifest_index, &license, &state)));
        let wrapped = content.0.seal(&counter_nonce(number), aad.as_bytes(), key.as_bytes());
        Self { number, manifest_index, license, state, wrapped }
    }

    /// Opens the key; that also proves number, license and state.
    pub fn open(&self, kind: LicenseKind, content: &RecordKey) -> Result<InnerKey, OpenError> {
        let fields = Self::bound_fields(self.number, self.manifest_index, &self.license, &self.state);
        let aad = Digest::of(&write::array(fields));
        let inner = content.0.open(&counter_nonce(self.number), aad.as_bytes(), &self.wrapped)?;
        InnerKey::new(kind, inner).ok_or(OpenError)
    }

    /// `[number, manifest index, license, state, wrapped]`.
    pub fn encode(&self) -> Vec<u8> {
        let [number, index, license, state] =
            Self::bound_fields(self.number, self.manifest_index, &self.license, &self.state);
        write::array([number, index, license, state, write::bytes(&self.wrapped)])
    }

    /// Reads a record.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        if bytes.len() > MAX_ITEM_LEN {
            return Err(CborError::TooLong { cap: MAX_ITEM_LEN });
        }
        cbor::check(bytes)?;
        Self::of_checked(bytes).ok_or(CborError::Encoding { offset: 0 })
    }

    fn of_checked(raw: &[u8]) -> Option<Self> {
        let [number, index, license, state, wrapped] = read::tuple(raw)?;
        Some(Self {
            number: read::uint(number)?,
            manifest_index: read::uint32(index)?,
            license: License::of_checked(license)?,
            state: State::of_checked(state)?,
            wrapped: read::bytes_up_to(64)(wrapped)?.to_vec(),
        })
    }
}

/// Key of a section's records, derived once a section.
pub struct RecordKey(SecretKey);

impl RecordKey {
    /// X(K_content, `wmlicense/1 record`, "", 32).
    pub fn of(content: &SecretKey) -> Self {
        Self(content.expand(RECORD_LABEL, &[]))
    }
}

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

/// One item of a section's stream; `u32 length ‖ CBOR [kind, …]` in the file.
#[derive(Clone, PartialEq, Eq)]
pub enum Item {
    /// Certificate of the device that made the backup.
    DeviceCertificate(Vec<u8>),
    /// Certificate of a service; each once.
    ServiceCertificate(Vec<u8>),
    /// Status list.
    StatusList(Vec<u8>),
    /// License revocation blob.
    LicenseRevocation(Vec<u8>),
    /// A license that was removed, as the store recorded it.
    Tombstone(Vec<u8>),
    /// Title of a key ID.
    Title(Kid, String),
    /// Signed answer whose records follow.
    Batch(Vec<u8>),
    /// A license.
    Record(Box<Record>),
    /// Zeros.
    Padding(Vec<u8>),
    /// The signed end.
    Footer(Vec<u8>),
}

impl Item {
    /// The CBOR part.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, mut content) = match self {
            Self::DeviceCertificate(bytes) => (1, vec![write::bytes(bytes)]),
            Self::ServiceCertificate(bytes) => (2, vec![write::bytes(bytes)]),
            Self::StatusList(bytes) => (3, vec![write::bytes(bytes)]),
            Self::LicenseRevocation(bytes) => (4, vec![write::bytes(bytes)]),
            Self::Tombstone(bytes) => (5, vec![write::bytes(bytes)]),
            Self::Title(kid, title) => (6, vec![write::bytes(kid), write::text(title)]),
            Self::Batch(bytes) => (7, vec![write::bytes(bytes)]),
            Self::Record(record) => (8, vec![record.encode()]),
            Self::Padding(bytes) => (9, vec![write::bytes(bytes)]),
            Self::Footer(bytes) => (10, vec![write::bytes(bytes)]),
        };
        content.insert(0, write::uint(kind));
        write::array(content)
    }

    /// Reads the CBOR part.
    pub fn decode(bytes: &[u8]) -> Result<Self, CborError> {
        if bytes.len() > MAX_ITEM_LEN {
            return Err(CborError::TooLong { cap: MAX_ITEM_LEN });
        }
        cbor::check(bytes)?;
        Self::of_checked(bytes).ok_or(CborError::Encoding { offset: 0 })
    }

    fn of_checked(raw: &[u8]) -> Option<Self> {
        let items = read::items(raw, 3)?;
        let kind = read::uint(items.first()?)?;
        if let (6, [_, kid, title]) = (kind, items.as_slice()) {
            return Some(Self::Title(read::id(kid)?, read::text(title)?));
        }
        let [_, content] = items.as_slice() else { return None };
        if kind == 8 {
            return Some(Self::Record(Box::new(Record::of_checked(content)?)));
        }
        let bytes = read::bytes(content)?.to_vec();
        match kind {
            1 => Some(Self::DeviceCertificate(bytes)),
            2 => Some(Self::ServiceCertificate(bytes)),
            3 => Some(Self::StatusList(bytes)),
            4 => Some(Self::LicenseRevocation(bytes)),
            5 => Some(Self::Tombstone(bytes)),
            7 => Some(Self::Batch(bytes)),
            9 if bytes.iter().all(|byte| *byte == 0) => Some(Self::Padding(bytes)),
            10 => Some(Self::Footer(bytes)),
            _ => None,
        }
    }
}
