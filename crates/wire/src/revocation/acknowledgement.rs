//! The acknowledgement (ACK): a device's signed word about a license revocation blob that it took.

use super::{MAX_LEN, RevocationError};
use crate::cbor::{CborError, Fields, MapWriter, read, write};
use crate::cose::{self, Document, Unverified};
use crate::id::{DeviceId, Digest, Lid, SignerId};
use crate::key::{KeyError, Signer, VerifyingKey};

/// Most licenses that one acknowledgement names.
pub const MAX_LIDS: usize = 1 << 15;

/// What a device did with a blob. The same blob gives the same bytes however often it is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// When the device took the blob, seconds UTC.
    pub taken_at: i64,
    /// SHA-256 of the blob.
    pub blob: Digest,
    /// Number of the blob.
    pub number: u64,
    /// The device.
    pub device_id: DeviceId,
    /// Licenses that this revocation key took back from the device, in all.
    pub removed: u64,
    /// Their IDs in ascending order, at most [`MAX_LIDS`] of them.
    pub lids: Vec<Lid>,
}

impl Acknowledgement {
    /// Signs the acknowledgement with the device's key.
    pub fn sign(&self, signer: &dyn Signer, thumbprint: SignerId) -> Result<Vec<u8>, KeyError> {
        let payload = MapWriter::new()
            .int(6, self.taken_at)
            .bytes(10, self.blob)
            .uint(11, self.number)
            .bytes(12, self.device_id)
            .uint(13, self.removed)
            .raw(14, &write::array(self.lids.iter().map(write::bytes)))
            .finish();
        cose::sign(Document::Acknowledgement, &payload, signer, thumbprint)
    }

    /// Parses the outer form, to find out who signed it.
    pub fn parse(bytes: &[u8]) -> Result<Unverified<'_>, RevocationError> {
        Ok(Unverified::parse(Document::Acknowledgement, bytes, MAX_LEN)?)
    }

    /// Reads an acknowledgement that `key`, known as `thumbprint`, signed.
    pub fn verify(document: Unverified<'_>, key: &VerifyingKey, thumbprint: SignerId) -> Result<Self, RevocationError> {
        Ok(Self::decode(document.verify(key, thumbprint)?)?)
    }

    fn decode(payload: &[u8]) -> Result<Self, CborError> {
        let mut fields = Fields::parse(payload, MAX_LEN)?;
        let acknowledgement = Self {
            taken_at: fields.required(6, read::int)?,
            blob: fields.required(10, read::id)?,
            number: fields.required(11, read::uint)?,
            device_id: fields.required(12, read::id)?,
            removed: fields.required(13, read::uint)?,
            lids: fields.required(14, read::array(MAX_LIDS, read::id))?,
        };
        fields.finish()?;
        Ok(acknowledgement)
    }
}
