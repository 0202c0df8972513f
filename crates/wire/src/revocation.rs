//! The license revocation blob (LRB): which licenses the owner of a revocation key takes back, and a device's word that it
//! has done so.

mod acknowledgement;

pub use acknowledgement::{Acknowledgement, MAX_LIDS};

use crate::cbor::{CborError, Fields, MapWriter, read, write};
use crate::cose::{self, CoseError, Document, Unverified};
use crate::id::{DeviceId, Kid, Lid, SignerId, UserId};
use crate::key::{DualSigningKey, DualVerifyingKey, KeyError, KeyKind};
use crate::policy::Policy;

/// Longest license revocation blob or acknowledgement accepted, in bytes.
pub const MAX_LEN: usize = 1 << 20;
/// Most entries; the cap on the length comes first for most of them.
const MAX_ENTRIES: usize = 1 << 16;
const ENTRY_LICENSE: u64 = 0;
const ENTRY_RULE: u64 = 1;

/// A license revocation blob or its acknowledgement is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// Not a well-formed, correctly signed document.
    #[error("revocation: {0}")]
    Signature(#[from] CoseError),
    /// The content is malformed.
    #[error("revocation: {0}")]
    Content(#[from] CborError),
    /// A key in it is not valid.
    #[error("revocation: {0}")]
    Key(#[from] KeyError),
}

/// Licenses with what they have in common. Without any condition it is every license that names the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rule {
    /// Only those of this account.
    pub user: Option<UserId>,
    /// Only those for this key ID.
    pub kid: Option<Kid>,
    /// Only those first issued before then, seconds UTC.
    pub issued_before: Option<i64>,
}

impl Rule {
    /// True if a license with these terms is meant.
    pub fn matches(&self, policy: &Policy) -> bool {
        self.kid.is_none_or(|kid| policy.kid == kid) && self.may_match(policy.user, policy.first_issued)
    }

    /// True if licenses of an account (none: of nobody) that were first issued then are meant, at least those for some key ID.
    pub fn may_match(&self, user: Option<UserId>, first_issued: i64) -> bool {
        self.user.is_none_or(|meant| user == Some(meant)) && self.issued_before.is_none_or(|time| first_issued < time)
    }
}

/// What is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// One license.
    License(Lid),
    /// All licenses that a rule matches.
    Rule(Rule),
}

/// The content of a blob. It is cumulative: it says all that the key's owner ever took back from the device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Creation time; a blob with a higher number takes the place of this one.
    pub number: u64,
    /// The only device that may take it; none where it is for all.
    pub target: Option<DeviceId>,
    /// What is taken back.
    pub entries: Vec<Entry>,
}

/// A blob whose two signatures were verified under the keys in it. Whose keys they are shows in the licenses that name
/// their ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedRevocation {
    /// ID of the revocation key; only licenses that name it are touched.
    pub key: SignerId,
    /// The content.
    pub content: Revocation,
}

impl Revocation {
    /// Signs the blob.
    pub fn sign(&self, key: &DualSigningKey) -> Result<Vec<u8>, KeyError> {
        let public = key.verifying_key();
        let payload = MapWriter::new()
            .bytes(10, public.ed25519().as_bytes())
            .bytes(11, public.ml_dsa())
            .uint(12, self.number)
            .optional(13, self.target, MapWriter::bytes)
            .raw(14, &write::array(self.entries.iter().map(encode_entry)))
            .finish();
        cose::sign_dual(Document::LicenseRevocation, &payload, key, public.signer_id(KeyKind::Revocation))
    }

    /// The revocation key that a blob claims to be of, before anything costly is verified.
    pub fn unverified_key(bytes: &[u8]) -> Result<SignerId, RevocationError> {
        Ok(Unverified::parse(Document::LicenseRevocation, bytes, MAX_LEN)?.signer_id())
    }

    /// Reads a blob and verifies both signatures under the keys that it brings along.
    pub fn verify(bytes: &[u8]) -> Result<VerifiedRevocation, RevocationError> {
        let document = Unverified::parse(Document::LicenseRevocation, bytes, MAX_LEN)?;
        let (key, content) = Self::decode(document.unverified_payload())?;
        let id = key.signer_id(KeyKind::Revocation);
        document.verify_dual(&key, id)?;
        Ok(VerifiedRevocation { key: id, content })
    }

    /// Reads a blob whose signatures were verified before: the reader kept its bytes under a code of its own.
    pub fn read_vouched(bytes: &[u8]) -> Result<VerifiedRevocation, RevocationError> {
        let document = Unverified::parse(Document::LicenseRevocation, bytes, MAX_LEN)?;
        let (_, content) = Self::decode(document.unverified_payload())?;
        Ok(VerifiedRevocation { key: document.signer_id(), content })
    }

    fn decode(payload: &[u8]) -> Result<(DualVerifyingKey, Self), RevocationError> {
        let mut fields = Fields::parse(payload, MAX_LEN)?;
        let key = DualVerifyingKey::from_slices(fields.required(10, read::bytes)?, fields.required(11, read::bytes)?)?;
        let content = Self {
            number: fields.required(12, read::uint)?,
            target: fields.optional(13, read::id)?,
            entries: fields.required(14, read::array(MAX_ENTRIES, read_entry))?,
        };
        fields.finish()?;
        Ok((key, content))
    }
}

impl VerifiedRevocation {
    /// True if a license with these terms is taken back.
    pub fn matches(&self, policy: &Policy) -> bool {
        policy.revocation_key == Some(self.key)
            && self.content.entries.iter().any(|entry| match entry {
                Entry::License(lid) => policy.lid == *lid,
                Entry::Rule(rule) => rule.matches(policy),
            })
    }
}

fn encode_entry(entry: &Entry) -> Vec<u8> {
    match entry {
        Entry::License(lid) => write::array([write::uint(ENTRY_LICENSE), write::bytes(lid)]),
        Entry::Rule(rule) => write::array([
            write::uint(ENTRY_RULE),
            rule.user.map_or_else(write::null, write::bytes),
            rule.kid.map_or_else(write::null, write::bytes),
            rule.issued_before.map_or_else(write::null, write::int),
        ]),
    }
}

fn read_entry(raw: &[u8]) -> Option<Entry> {
    let items = read::items(raw, 4)?;
    match (read::uint(items.first()?)?, items.as_slice()) {
        (ENTRY_LICENSE, [_, lid]) => Some(Entry::License(read::id(lid)?)),
        (ENTRY_RULE, [_, user, kid, before]) => Some(Entry::Rule(Rule {
            user: read::nullable(user, read::id)?,
            kid: read::nullable(kid, read::id)?,
            issued_before: read::nullable(before, read::int)?,
        })),
        _ => None,
    }
}
