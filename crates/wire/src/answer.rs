//! The answer: the one signed unit in which a service replies, with the batch of licenses that it may carry.
//! One signature and one HPKE encapsulation, whatever the number of licenses.

use crate::cbor::{CborError, Fields, MapWriter, read, write};
use crate::cose::CoseError;
use crate::id::{BackupId, DeviceId, Digest, Epoch, Lid, SignerId, TransactionId};
use crate::kem::Suite;
use crate::request::MAX_LICENSES;

mod given;
mod open;
mod outcome;
mod refusal;
mod seal;

pub use given::{MAX_GIVEN, MAX_GIVEN_AGE, put_beside, unasked};
pub use open::{Envelope, Expected, OpenedLicense, Verified, may_sign, read_vouched, read_vouched_of, verify_signed};
pub use outcome::Outcome;
pub use refusal::{Refusal, Verdict};
use refusal::{encode_refusal, encode_verdict, read_refusal, read_verdict};
pub use seal::{Beside, Grant, Unlock, seal};

/// Longest answer accepted, in bytes.
pub const MAX_LEN: usize = 4 * 1024 * 1024;
const MAX_REFUSALS: usize = MAX_LICENSES;
const INFO_LABEL: &[u8] = b"wmlicense/1 answer";
const WRAP_LABEL: &[u8] = b"wmlicense/1 wrap";
const UNLOCK_LABEL: &[u8] = b"wmlicense/1 unlock";

/// An answer is not acceptable. Nothing of it may be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// Not a well-formed, correctly signed document.
    #[error("answer: {0}")]
    Signature(#[from] CoseError),
    /// The content is malformed.
    #[error("answer: {0}")]
    Content(#[from] CborError),
    /// No acceptable certificate for the signer in the role asked for.
    #[error("answer: signed by a service without a valid certificate for this role")]
    Signer,
    /// The signer's certificate is not valid at the time of the answer.
    #[error("answer: made when the service's certificate did not hold")]
    NotValid,
    /// The answer is to another request, transaction or page.
    #[error("answer: belongs to another request")]
    Mismatch,
    /// The answer, or a license in it, is for another device.
    #[error("answer: made for another device")]
    OtherDevice,
    /// What is beside the answer is not what it names.
    #[error("answer: the licenses are not those that were signed")]
    Manifest,
    /// The signer may not sign a license of this issuer.
    #[error("answer: license {index} is of another issuer")]
    OtherIssuer {
        /// Place in the batch.
        index: usize,
    },
    /// A license is malformed, or its key does not open.
    #[error("answer: license {index} is not acceptable")]
    License {
        /// Place in the batch.
        index: usize,
    },
    /// The suite is one that this client refuses.
    #[error("answer: wrapped with a suite that is not accepted")]
    Suite,
}

/// Why a service refuses one license or the whole request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Reason {
    /// The service has no such content.
    UnknownContent = 1,
    /// The account may not have it.
    NotEntitled = 2,
    /// As many devices as allowed hold it.
    LimitReached = 3,
    /// It was revoked.
    Revoked = 4,
    /// It has ended.
    Expired = 5,
    /// It belongs to another account.
    OtherAccount = 6,
    /// Its policy does not allow this.
    NotAllowed = 7,
    /// This service does not manage licenses of that issuer.
    UnknownIssuer = 8,
    /// An account is needed, and none was given.
    AccountRequired = 9,
    /// The record does not open or contradicts itself.
    Damaged = 10,
    /// The user did not agree.
    ConsentMissing = 11,
    /// The device may not ask any more.
    DeviceRevoked = 12,
    /// The day's quota of individualizations is used up.
    QuotaUsedUp = 13,
    /// The application may not ask any more.
    ApplicationRevoked = 14,
    /// The user declined.
    Declined = 15,
    /// The user did not act in time.
    NotDecided = 16,
    /// The device gave it back.
    Returned = 17,
    /// The user must act on a page of the service first, which this request has not.
    UserMustAct = 18,
    /// Too many copies of the device's store asked; nothing that counts is given until the device is made anew.
    DeviceCopied = 19,
    /// The device has other keys by now.
    KeyReplaced = 20,
    /// The device lost its store, and got the license again as often as a year allows.
    GrantedTooOften = 21,
    /// All uses of it are used up.
    UsedUp = 22,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 22] = [
        Self::UnknownContent,
        Self::NotEntitled,
        Self::LimitReached,
        Self::Revoked,
        Self::Expired,
        Self::OtherAccount,
        Self::NotAllowed,
        Self::UnknownIssuer,
        Self::AccountRequired,
        Self::Damaged,
        Self::ConsentMissing,
        Self::DeviceRevoked,
        Self::QuotaUsedUp,
        Self::ApplicationRevoked,
        Self::Declined,
        Self::NotDecided,
        Self::Returned,
        Self::UserMustAct,
        Self::DeviceCopied,
        Self::KeyReplaced,
        Self::GrantedTooOften,
        Self::UsedUp,
    ];

    fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| *reason as u64 == number)
    }
}

/// The signed content of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Seconds UTC.
    pub issued_at: i64,
    /// Transaction of the request.
    pub transaction: TransactionId,
    /// Page of the request.
    pub page: u32,
    /// SHA-256 of the request's bytes.
    pub request_hash: Digest,
    /// Device that it is for.
    pub thumbprint: SignerId,
    /// What became of the request.
    pub outcome: Outcome,
    /// What was refused.
    pub refusals: Vec<Refusal>,
    /// Licenses of this issuer that the device must drop.
    pub withdrawn: Vec<Lid>,
    /// More pages follow from here.
    pub next_cursor: Option<Vec<u8>>,
    /// New epoch.
    pub epoch: Option<Epoch>,
    /// Number of the service's newest status list.
    pub status_number: Option<u64>,
    /// Suite of the encapsulation, where there is one.
    pub suite: Option<Suite>,
    /// SHA-256 of the encapsulated key.
    pub enc_hash: Option<Digest>,
    /// SHA-256 of each license, in order.
    pub manifest: Vec<Digest>,
    /// `K_meta` of a backup section under the unlock key.
    pub unlock: Option<Vec<u8>>,
    /// Verdicts of a restore preview.
    pub verdicts: Vec<Verdict>,
    /// SHA-256 of the device certificate beside.
    pub device_certificate: Option<Digest>,
    /// Of a pre-delivery: where its next run begins. Sent back as the request's `since`.
    pub since: Option<i64>,
    /// Whether what was granted was decided for an account: its token came with the request, or the user named it on the page.
    pub account: Option<bool>,
}

impl Answer {
    /// An answer to a request that grants nothing yet.
    pub fn to(
        transaction: TransactionId,
        page: u32,
        request_hash: Digest,
        thumbprint: SignerId,
        issued_at: i64,
    ) -> Self {
        Self {
            issued_at,
            transaction,
            page,
            request_hash,
            thumbprint,
            outcome: Outcome::Done,
            refusals: Vec::new(),
            withdrawn: Vec::new(),
            next_cursor: None,
            epoch: None,
            status_number: None,
            suite: None,
            enc_hash: None,
            manifest: Vec::new(),
            unlock: None,
            verdicts: Vec::new(),
            device_certificate: None,
            since: None,
            account: None,
        }
    }

    fn encode(&self) -> Vec<u8> {
        let manifest: Vec<u8> = self.manifest.iter().flat_map(|hash| *hash.as_bytes()).collect();
        MapWriter::new()
            .int(6, self.issued_at)
            .bytes(7, self.transaction)
            .uint(10, self.page)
            .bytes(11, self.request_hash)
            .bytes(12, self.thumbprint)
            .raw(13, &self.outcome.encode())
            .raw(14, &write::array(self.refusals.iter().map(encode_refusal)))
            .raw(15, &write::array(self.withdrawn.iter().map(write::bytes)))
            .optional(16, self.next_cursor.as_ref(), MapWriter::bytes)
            .optional(17, self.epoch, MapWriter::bytes)
            .optional(18, self.status_number, MapWriter::uint)
            .optional(19, self.suite, |map, field, suite| map.uint(field, suite as u8))
            .optional(20, self.enc_hash, MapWriter::bytes)
            .bytes(21, manifest)
            .optional(22, self.unlock.as_ref(), MapWriter::bytes)
            .raw(23, &write::array(self.verdicts.iter().map(encode_verdict)))
            .optional(24, self.device_certificate, MapWriter::bytes)
            .optional(25, self.since, MapWriter::int)
            .optional(64, self.account, MapWriter::bool)
            .finish()
    }

    fn decode(payload: &[u8]) -> Result<Self, CborError> {
        let mut fields = Fields::parse(payload, MAX_LEN)?;
        let answer = Self {
            issued_at: fields.required(6, read::int)?,
            transaction: fields.required(7, read::id)?,
            page: fields.required(10, read::uint32)?,
            request_hash: fields.required(11, read::id)?,
            thumbprint: fields.required(12, read::id)?,
            outcome: fields.required(13, Outcome::read)?,
            refusals: fields.required(14, read::array(MAX_REFUSALS, read_refusal))?,
            withdrawn: fields.required(15, read::array(MAX_LICENSES, read::id))?,
            next_cursor: fields.optional(16, read::bytes_up_to(1024))?.map(<[u8]>::to_vec),
            epoch: fields.optional(17, read::id)?,
            status_number: fields.optional(18, read::uint)?,
            suite: fields.optional(19, |raw| Suite::from_number(read::uint(raw)?))?,
            enc_hash: fields.optional(20, read::id)?,
            manifest: fields.required(21, read_manifest)?,
            unlock: fields.optional(22, read::bytes_up_to(64))?.map(<[u8]>::to_vec),
            verdicts: fields.required(23, read::array(MAX_LICENSES, read_verdict))?,
            device_certificate: fields.optional(24, read::id)?,
            since: fields.optional(25, read::int)?,
            account: fields.optional(64, read::bool)?,
        };
        fields.finish()?;
        Ok(answer)
    }

    fn info(&self, signer: SignerId) -> Vec<u8> {
        let page = self.page.to_be_bytes();
        [INFO_LABEL, &[0], signer.as_bytes(), self.thumbprint.as_bytes(), self.transaction.as_bytes(), &page].concat()
    }
}

fn read_manifest(raw: &[u8]) -> Option<Vec<Digest>> {
    let bytes = read::bytes_up_to(MAX_LICENSES * Digest::LEN)(raw)?;
    let (hashes, rest) = bytes.as_chunks::<{ Digest::LEN }>();
    rest.is_empty().then(|| hashes.iter().map(|hash| Digest::new(*hash)).collect())
}

fn unlock_aad(backup_id: BackupId, section: u32) -> Vec<u8> {
    [backup_id.as_bytes().as_slice(), &section.to_be_bytes()].concat()
}

fn wrap_aad(policy_hash: Digest, device_id: DeviceId, thumbprint: SignerId) -> [u8; 80] {
    let mut aad = [0; 80];
    let (hash, rest) = aad.split_at_mut(Digest::LEN);
    let (device, signer) = rest.split_at_mut(DeviceId::LEN);
    hash.copy_from_slice(policy_hash.as_bytes());
    device.copy_from_slice(device_id.as_bytes());
    signer.copy_from_slice(thumbprint.as_bytes());
    aad
}
