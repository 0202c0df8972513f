//! Cutting a section's records into requests that a service accepts. The same section is always cut alike, so that a
//! restore which a crash broke off finds its chunks again.

use crate::backup::reader::LicenseEntry;
use wmlicense_wire::id::{Kid, Lid};
use wmlicense_wire::policy::Policy;
use wmlicense_wire::request::{MAX_LICENSES, MAX_RESTORE_LEN, RestoreBatch};

/// Bytes of records and batches in one request; the rest of [`MAX_RESTORE_LEN`] is for certificates, ticket and frame, and
/// lets the answer, which repeats the licenses, stay below its own cap.
const MAX_BYTES: usize = MAX_RESTORE_LEN - 512 * 1024;
/// Most bytes that CBOR puts before a record or a batch.
const FRAME: usize = 16;

/// Records on their way to the service, in the order of the file.
#[derive(Default)]
pub(super) struct Chunk {
    pub(super) batches: Vec<RestoreBatch>,
    /// What the service decides on.
    pub(super) licenses: Vec<(Lid, Kid)>,
    bytes: usize,
    /// The batch that is being read is the last of `batches`.
    named: bool,
}

impl Chunk {
    pub(super) fn is_empty(&self) -> bool {
        self.licenses.is_empty()
    }

    /// Records that follow are of another batch.
    pub(super) fn begin_batch(&mut self) {
        self.named = false;
    }

    /// True if a record of the batch `signed` still fits.
    pub(super) fn has_room(&self, entry: &LicenseEntry<'_>, signed: &[u8]) -> bool {
        let fits = self.bytes + FRAME + entry.record.encoded.len() + self.batch_cost(signed) <= MAX_BYTES;
        self.is_empty() || (fits && self.licenses.len() < MAX_LICENSES)
    }

    fn batch_cost(&self, signed: &[u8]) -> usize {
        if self.named { 0 } else { signed.len() + 2 * FRAME }
    }

    /// Adds a record; a batch is named with its first one.
    pub(super) fn add(&mut self, entry: &LicenseEntry<'_>, policy: &Policy, signed: &[u8]) {
        let record = entry.record.encoded;
        self.bytes += FRAME + record.len() + self.batch_cost(signed);
        match self.batches.last_mut() {
            Some(batch) if self.named => batch.records.push(record.to_vec()),
            _ => self.batches.push(RestoreBatch { signed: signed.to_vec(), records: vec![record.to_vec()] }),
        }
        self.named = true;
        self.licenses.push((policy.lid, policy.kid));
    }
}
