//! The status list: keys of services, devices and applications that an authority revoked, signed by both keys of it.

use crate::cbor::{CborError, Fields, MapWriter, read, write};
use crate::certificate::AuthorityCertificate;
use crate::cose::{self, CoseError, Document, Unverified};
use crate::id::{Digest, SignerId};
use crate::key::{DualSigningKey, KeyError, KeyKind};

/// Longest status list accepted, in bytes.
pub const MAX_LEN: usize = 1 << 20;
/// Longest time by which a number may be ahead of a good clock, in seconds: none may freeze its successors.
pub const MAX_AHEAD: i64 = 86_400;
/// Most entries of one kind; the cap on the length comes first.
const MAX_ENTRIES: usize = 1 << 15;
const APPLICATION_LABEL: &[u8] = b"wmlicense/1 application";

/// A status list is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatusListError {
    /// Not a well-formed document that the authority signed.
    #[error("status list: {0}")]
    Signature(#[from] CoseError),
    /// The content is malformed.
    #[error("status list: {0}")]
    Content(#[from] CborError),
    /// It is of another authority.
    #[error("status list: of another authority")]
    WrongAuthority,
}

/// A revoked key and the time from which on what it signed, or what was bound to it, counts for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Revoked {
    /// Signer ID of a service's signing key, thumbprint of a device, or [`application_id`].
    pub key: SignerId,
    /// Seconds UTC; 0 where nothing of the key counts, because a stolen key could date back.
    pub from: i64,
}

/// Names an application by what it calls itself: SHA-256(`wmlicense/1 application` ‖ 00 ‖ name).
pub fn application_id(name: &str) -> SignerId {
    SignerId::new(*Digest::of_parts(&[APPLICATION_LABEL, &[0], name.as_bytes()]).as_bytes())
}

/// Everything that an authority revoked so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusList {
    /// SHA-256 of the authority's certificate.
    pub authority: Digest,
    /// Seconds UTC by which the authority means to have made the next one.
    pub next_update: i64,
    /// When it was made, seconds UTC.
    pub issued_at: i64,
    /// Creation time; a list with a higher number takes the place of this one.
    pub number: u64,
    /// Signing keys of services, in ascending order.
    pub services: Vec<Revoked>,
    /// Devices, in ascending order.
    pub devices: Vec<Revoked>,
    /// Applications, in ascending order.
    pub applications: Vec<Revoked>,
}

impl StatusList {
    /// Signs the list with the authority's keys. Entries are put in order; of two for one key the earlier time counts.
    pub fn sign(&self, key: &DualSigningKey) -> Result<Vec<u8>, KeyError> {
        let payload = MapWriter::new()
            .bytes(1, self.authority)
            .int(4, self.next_update)
            .int(6, self.issued_at)
            .uint(10, self.number)
            .raw(11, &encode(&self.services))
            .raw(12, &encode(&self.devices))
            .raw(13, &encode(&self.applications))
            .finish();
        cose::sign_dual(Document::StatusList, &payload, key, key.verifying_key().signer_id(KeyKind::Authority))
    }

    /// Reads a list that `authority` signed. Whether it is the newest is for the caller.
    pub fn parse(bytes: &[u8], authority: &AuthorityCertificate) -> Result<Self, StatusListError> {
        let document = Unverified::parse(Document::StatusList, bytes, MAX_LEN)?;
        let list = Self::decode(document.verify_dual(&authority.key, authority.signer_id())?)?;
        if list.authority == authority.hash { Ok(list) } else { Err(StatusListError::WrongAuthority) }
    }

    /// Reads a list whose signatures were verified before: the reader kept its bytes under a code of its own.
    pub fn read_vouched(bytes: &[u8]) -> Result<Self, StatusListError> {
        Ok(Self::decode(Unverified::parse(Document::StatusList, bytes, MAX_LEN)?.unverified_payload())?)
    }

    fn decode(payload: &[u8]) -> Result<Self, CborError> {
        let mut fields = Fields::parse(payload, MAX_LEN)?;
        let list = Self {
            authority: fields.required(1, read::id)?,
            next_update: fields.required(4, read::int)?,
            issued_at: fields.required(6, read::int)?,
            number: fields.required(10, read::uint)?,
            services: fields.required(11, decode)?,
            devices: fields.required(12, decode)?,
            applications: fields.required(13, decode)?,
        };
        fields.finish()?;
        Ok(list)
    }

    /// True if what this service key signed at `time` (seconds UTC) counts for nothing.
    pub fn revokes_service(&self, key: SignerId, time: i64) -> bool {
        revokes(&self.services, key, time)
    }

    /// True if what was bound to this device at `time` (seconds UTC) counts for nothing.
    pub fn revokes_device(&self, thumbprint: SignerId, time: i64) -> bool {
        revokes(&self.devices, thumbprint, time)
    }

    /// True if the device is named at all: it gets no answer any more but this one.
    pub fn names_device(&self, thumbprint: SignerId) -> bool {
        find(&self.devices, thumbprint).is_some()
    }

    /// True if the application may not use licenses of this authority at `time`, seconds UTC.
    pub fn revokes_application(&self, name: &str, time: i64) -> bool {
        revokes(&self.applications, application_id(name), time)
    }
}

fn find(entries: &[Revoked], key: SignerId) -> Option<&Revoked> {
    entries.binary_search_by_key(&key, |entry| entry.key).ok().and_then(|at| entries.get(at))
}

fn revokes(entries: &[Revoked], key: SignerId, time: i64) -> bool {
    find(entries, key).is_some_and(|entry| time >= entry.from)
}

fn encode(entries: &[Revoked]) -> Vec<u8> {
    let mut entries = entries.to_vec();
    entries.sort_unstable();
    entries.dedup_by_key(|entry| entry.key);
    write::array(entries.iter().map(|entry| write::array([write::bytes(entry.key), write::int(entry.from)])))
}

/// Entries in ascending order, each key once, so that they are found by halving.
fn decode(raw: &[u8]) -> Option<Vec<Revoked>> {
    let entry = |raw| {
        let [key, from] = read::tuple(raw)?;
        Some(Revoked { key: read::id(key)?, from: read::int(from)? })
    };
    read::array(MAX_ENTRIES, entry)(raw).filter(|entries| entries.is_sorted_by(|one, next| one.key < next.key))
}
