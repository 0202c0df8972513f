//! What a device asks a service for: individualization, licenses, restores. One signed document for all of them.

mod client;
mod restore;
mod sender;
mod states;

use crate::backup::Ticket;
use crate::cbor::{CborError, Fields, MapWriter, read, write};
use crate::certificate::{Assurance, DeviceKeys};
use crate::cose::{self, CoseError, Document, Unverified};
use crate::id::{BackupId, Digest, Epoch, Kid, Lid, ServiceId, SignerId, TransactionId};
use crate::key::{KeyError, Signer, VerifyingKey};
use crate::license::{MAX_IN_BATCH, State};
use crate::policy::MAX_ACTIONS;
pub use client::{ClientInfo, MAX_DEVICE_NAME};
pub use restore::{RestoreBatch, RestorePage, SentLicense};
use restore::{encode_batch, read_batches};
use states::{encode_states, encode_usage, read_states, read_usage};

/// Longest request accepted, in bytes; a chunk of a restore may have [`MAX_RESTORE_LEN`].
pub const MAX_LEN: usize = 64 * 1024;
/// Longest restore request accepted, in bytes.
pub const MAX_RESTORE_LEN: usize = 4 * 1024 * 1024;
/// Length that proxies in front of services take without being told to.
pub const USUAL_PROXY_LEN: usize = 1024 * 1024;
/// Most licenses in one answer and in one chunk of a restore.
pub const MAX_LICENSES: usize = MAX_IN_BATCH;
/// Longest machine ID accepted, in bytes.
pub const MAX_MACHINE_ID: usize = 1024;
/// Most licenses that a request names by their IDs, with or without their state: as many as it has room for whatever else it
/// says. A chunk of a restore, which is longer, names the licenses of its records.
pub const MAX_NAMED: usize = 2048;
/// Most transactions named as taken out of a mailbox.
pub(crate) const MAX_TAKEN: usize = 256;
const MAX_KIDS: usize = 1024;
const MAX_HELD: usize = 256;

/// A request could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not a well-formed, correctly signed document.
    #[error("request: {0}")]
    Signature(#[from] CoseError),
    /// The content is malformed.
    #[error("request: {0}")]
    Content(#[from] CborError),
}

/// Where a restore request comes from.
#[derive(Clone, PartialEq, Eq)]
pub struct RestoreSource {
    /// The backup.
    pub backup_id: BackupId,
    /// Index of the section in the header.
    pub section: u32,
    /// The section's service ticket.
    pub ticket: Ticket,
}

/// What is asked for.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    /// A certificate for the keys that sign the request.
    Individualize {
        /// The keys; the signing key signs the request.
        keys: DeviceKeys,
        /// How they are kept.
        assurance: Assurance,
        /// The user agreed.
        consent: bool,
        /// The device's current certificate, to renew it or to move to new keys.
        current: Option<Vec<u8>>,
        /// The old key's signed word for the new one.
        rekey: Option<Vec<u8>>,
    },
    /// Licenses for key IDs, for a content header, or for a scope.
    Licenses {
        /// Key IDs.
        kids: Vec<Kid>,
        /// Content header as the file has it.
        header: Option<Vec<u8>>,
        /// Scope, for pre-delivery.
        scope: Option<String>,
        /// Only what changed since then: what the answer to the last complete run said.
        since: Option<i64>,
        /// Actions wanted.
        actions: Vec<String>,
        /// The application's own bytes for the service.
        custom: Option<Vec<u8>>,
        /// State of stored licenses.
        usage: Vec<(Lid, State)>,
    },
    /// New terms for stored licenses.
    Renewals {
        /// Stored licenses and their state.
        licenses: Vec<(Lid, State)>,
        /// The application's own bytes for the service, as they were when the licenses were asked for.
        custom: Option<Vec<u8>>,
    },
    /// Stored licenses that are given back.
    Returns {
        /// The licenses and their last state.
        licenses: Vec<(Lid, State)>,
    },
    /// The key that opens a section, and what a restore would give.
    RestorePreview {
        /// Section of a backup.
        source: RestoreSource,
        /// Licenses whose verdict is wanted.
        lids: Vec<Lid>,
        /// State of stored licenses among them.
        usage: Vec<(Lid, State)>,
    },
    /// What the owner took back from this device.
    Revocations {
        /// What names the device to its issuer; empty: its device ID.
        machine_id: Vec<u8>,
    },
    /// What waits in the device's mailbox.
    Mailbox {
        /// Transactions of answers that came out of it and were taken.
        taken: Vec<TransactionId>,
    },
    /// New bindings for records of a section.
    Restore {
        /// Section of a backup.
        source: RestoreSource,
        /// SHA-256 of the backup's header.
        header_hash: Digest,
        /// Batches with their records.
        batches: Vec<RestoreBatch>,
        /// Certificates of the services that signed the batches.
        certificates: Vec<Vec<u8>>,
        /// State of stored licenses among them.
        usage: Vec<(Lid, State)>,
    },
}

/// The six digits that a service's page and the application both show for a request, so that the user sees whose request
/// the page is about: the first 8 bytes of SHA-256 of the request as u64 mod 10^6.
pub fn interaction_code(request_hash: Digest) -> String {
    let [a, b, c, d, e, f, g, h, ..] = *request_hash.as_bytes();
    format!("{:06}", u64::from_be_bytes([a, b, c, d, e, f, g, h]) % 1_000_000)
}

impl Body {
    fn number(&self) -> u64 {
        match self {
            Self::Individualize { .. } => 1,
            Self::Licenses { .. } => 2,
            Self::Renewals { .. } => 3,
            Self::Returns { .. } => 4,
            Self::RestorePreview { .. } => 5,
            Self::Restore { .. } => 6,
            Self::Revocations { .. } => 7,
            Self::Mailbox { .. } => 8,
        }
    }
}

/// A request of one device to one service.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// Service asked. A request to one service is no request to another.
    pub audience: ServiceId,
    /// The client's clock, seconds UTC.
    pub time: i64,
    /// Names the transaction; pages of one transaction share it.
    pub transaction: TransactionId,
    /// 0 for the first page.
    pub page: u32,
    /// Where the page before ended.
    pub cursor: Option<Vec<u8>>,
    /// Newest epoch known from that service.
    pub epoch: Option<Epoch>,
    /// Number of the newest status list known.
    pub status_number: Option<u64>,
    /// SHA-256 of service certificates that need not be sent.
    pub held: Vec<Digest>,
    /// About the client.
    pub client: ClientInfo,
    /// The device's certificate; absent when a device asks for its first one.
    pub device_certificate: Option<Vec<u8>>,
    /// What is asked for.
    pub body: Body,
}

impl Request {
    /// Signs the request with a device's key.
    pub fn sign(&self, signer: &dyn Signer, thumbprint: SignerId) -> Result<Vec<u8>, KeyError> {
        cose::sign(Document::Request, &self.encode(), signer, thumbprint)
    }

    fn encode(&self) -> Vec<u8> {
        MapWriter::new()
            .bytes(3, self.audience)
            .int(6, self.time)
            .bytes(7, self.transaction)
            .uint(10, self.body.number())
            .uint(11, self.page)
            .optional(12, self.cursor.as_ref(), MapWriter::bytes)
            .optional(13, self.epoch, MapWriter::bytes)
            .optional(14, self.status_number, MapWriter::uint)
            .raw(15, &write::array(self.held.iter().map(write::bytes)))
            .raw(16, &self.client.encode())
            .optional(17, self.device_certificate.as_ref(), MapWriter::bytes)
            .raw(18, &encode_body(&self.body))
            .optional(64, self.client.device_name.as_deref(), MapWriter::text)
            .finish()
    }

    /// Reads a request that `key`, known as `thumbprint`, signed.
    pub fn verify(document: Unverified<'_>, key: &VerifyingKey, thumbprint: SignerId) -> Result<Self, RequestError> {
        Ok(Self::decode(document.verify(key, thumbprint)?)?)
    }

    /// Reads the content before its signature is verified, only to find the certificate or the new keys inside.
    pub fn decode_unverified(document: &Unverified<'_>) -> Result<Self, RequestError> {
        Ok(Self::decode(document.unverified_payload())?)
    }

    /// Parses the outer form of a request of at most `cap` bytes.
    pub fn parse(bytes: &[u8], cap: usize) -> Result<Unverified<'_>, RequestError> {
        Ok(Unverified::parse(Document::Request, bytes, cap)?)
    }

    fn decode(payload: &[u8]) -> Result<Self, CborError> {
        let mut fields = Fields::parse(payload, MAX_RESTORE_LEN)?;
        let number = fields.required(10, read::uint)?;
        let request = Self {
            audience: fields.required(3, read::id)?,
            time: fields.required(6, read::int)?,
            transaction: fields.required(7, read::id)?,
            page: fields.required(11, read::uint32)?,
            cursor: fields.optional(12, read::bytes_up_to(1024))?.map(<[u8]>::to_vec),
            epoch: fields.optional(13, read::id)?,
            status_number: fields.optional(14, read::uint)?,
            held: fields.required(15, read::array(MAX_HELD, read::id))?,
            client: fields.required(16, client::read)?,
            device_certificate: fields
                .optional(17, read::bytes_up_to(crate::certificate::MAX_LEN))?
                .map(<[u8]>::to_vec),
            body: decode_body(number, fields.required(18, Some)?)?,
        };
        let device_name = fields.optional(64, client::read_device_name)?;
        fields.finish()?;
        let client = ClientInfo { device_name, ..request.client };
        Ok(Self { client, ..request })
    }
}

fn encode_source(map: MapWriter, source: &RestoreSource) -> MapWriter {
    map.bytes(1, source.backup_id).uint(2, source.section).raw(3, &source.ticket.encode())
}

fn read_source(fields: &mut Fields<'_>) -> Result<RestoreSource, CborError> {
    Ok(RestoreSource {
        backup_id: fields.required(1, read::id)?,
        section: fields.required(2, read::uint32)?,
        ticket: fields.required(3, Ticket::of_checked)?,
    })
}

fn encode_body(body: &Body) -> Vec<u8> {
    let map = MapWriter::new();
    match body {
        Body::Individualize { keys, assurance, consent, current, rekey } => keys
            .write(map, 1)
            .uint(3, *assurance as u8)
            .bool(4, *consent)
            .optional(5, current.as_ref(), MapWriter::bytes)
            .optional(6, rekey.as_ref(), MapWriter::bytes),
        Body::Licenses { kids, header, scope, since, actions, custom, usage } => map
            .raw(1, &write::array(kids.iter().map(write::bytes)))
            .optional(2, header.as_ref(), MapWriter::bytes)
            .optional(3, scope.as_deref(), MapWriter::text)
            .optional(4, *since, MapWriter::int)
            .raw(5, &write::array(actions.iter().map(|action| write::text(action))))
            .optional(6, custom.as_ref(), MapWriter::bytes)
            .raw(7, &encode_states(usage)),
        Body::Renewals { licenses, custom } => {
            map.raw(1, &encode_states(licenses)).optional(2, custom.as_ref(), MapWriter::bytes)
        }
        Body::Returns { licenses } => map.raw(1, &encode_states(licenses)),
        Body::RestorePreview { source, lids, usage } => {
            let map = encode_source(map, source).raw(4, &write::array(lids.iter().map(write::bytes)));
            encode_usage(map, 5, usage)
        }
        Body::Revocations { machine_id } => map.bytes(1, machine_id),
        Body::Mailbox { taken } => map.raw(1, &write::array(taken.iter().map(write::bytes))),
        Body::Restore { source, header_hash, batches, certificates, usage } => {
            let map = encode_source(map, source)
                .bytes(4, header_hash)
                .raw(5, &write::array(batches.iter().map(encode_batch)))
                .raw(6, &write::array(certificates.iter().map(write::bytes)));
            encode_usage(map, 7, usage)
        }
    }
    .finish()
}

fn decode_body(number: u64, raw: &[u8]) -> Result<Body, CborError> {
    let mut fields = Fields::of_checked(raw)?;
    let body = match number {
        1 => Body::Individualize {
            keys: DeviceKeys::read(&mut fields, 1)?,
            assurance: fields.required(3, |raw| Assurance::from_number(read::uint(raw)?))?,
            consent: fields.required(4, read::bool)?,
            current: fields.optional(5, read::bytes)?.map(<[u8]>::to_vec),
            rekey: fields.optional(6, read::bytes)?.map(<[u8]>::to_vec),
        },
        2 => Body::Licenses {
            kids: fields.required(1, read::array(MAX_KIDS, read::id))?,
            header: fields.optional(2, read::bytes)?.map(<[u8]>::to_vec),
            scope: fields.optional(3, read::text)?,
            since: fields.optional(4, read::int)?,
            actions: fields.required(5, read::array(MAX_ACTIONS, read::text))?,
            custom: fields.optional(6, read::bytes)?.map(<[u8]>::to_vec),
            usage: fields.required(7, read_states(MAX_NAMED))?,
        },
        3 => Body::Renewals {
            licenses: fields.required(1, read_states(MAX_NAMED))?,
            custom: fields.optional(2, read::bytes)?.map(<[u8]>::to_vec),
        },
        4 => Body::Returns { licenses: fields.required(1, read_states(MAX_NAMED))? },
        5 => Body::RestorePreview {
            source: read_source(&mut fields)?,
            lids: fields.required(4, read::array(MAX_NAMED, read::id))?,
            usage: read_usage(&mut fields, 5, MAX_NAMED)?,
        },
        6 => Body::Restore {
            source: read_source(&mut fields)?,
            header_hash: fields.required(4, read::id)?,
            batches: fields.required(5, read_batches)?,
            certificates: fields.required(6, read::array(MAX_HELD, read_owned_bytes))?,
            usage: read_usage(&mut fields, 7, MAX_LICENSES)?,
        },
        7 => Body::Revocations { machine_id: fields.required(1, read::bytes_up_to(MAX_MACHINE_ID))?.to_vec() },
        8 => Body::Mailbox { taken: fields.required(1, read::array(MAX_TAKEN, read::id))? },
        _ => return Err(CborError::Value { field: 10 }),
    };
    fields.finish()?;
    Ok(body)
}

fn read_owned_bytes(raw: &[u8]) -> Option<Vec<u8>> {
    read::bytes(raw).map(<[u8]>::to_vec)
}
