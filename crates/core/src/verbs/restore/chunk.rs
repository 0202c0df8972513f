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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::fixture;
    use wmlicense_testkit::{TestDevice, World};
    use wmlicense_wire::aead::SecretKey;
    use wmlicense_wire::answer::OpenedLicense;
    use wmlicense_wire::backup::{Item, ItemView, Record, RecordKey};
    use wmlicense_wire::license::State;
    use wmlicense_wire::policy::LicenseKind;

    /// The item of a record.
    fn item(license: &OpenedLicense) -> Vec<u8> {
        let content = RecordKey::of(&SecretKey::random().unwrap());
        let (state, terms) = (State::initial(&license.policy), license.license.clone());
        let record = Record::seal(0, license.index, terms, state, &license.key, &content);
        Item::Record(Box::new(record)).encode()
    }

    /// Licenses of one batch, with the batch.
    fn batch() -> (Vec<u8>, Vec<(Vec<u8>, Policy)>) {
        let (world, device) = (World::new(), TestDevice::new());
        let (signed, licenses) = fixture::batch(&world, &device, 0..3);
        (signed, licenses.iter().map(|license| (item(license), license.policy.clone())).collect())
    }

    fn entry(item: &[u8]) -> LicenseEntry<'_> {
        let Ok(ItemView::Record(record)) = ItemView::parse(item) else { panic!("no record") };
        LicenseEntry { record, kind: LicenseKind::Content }
    }

    #[test]
    fn a_request_is_filled_to_its_last_byte_and_not_over_it() {
        let (signed, licenses) = batch();
        let add =
            |chunk: &mut Chunk, number: usize| chunk.add(&entry(&licenses[number].0), &licenses[number].1, &signed);
        let room = |chunk: &Chunk| chunk.has_room(&entry(&licenses[2].0), &signed);
        let mut chunk = Chunk::default();
        add(&mut chunk, 0);
        add(&mut chunk, 1);
        let records: Vec<_> = licenses.iter().map(|license| entry(&license.0).record.encoded.len() + FRAME).collect();
        assert_eq!(chunk.bytes, records[0] + records[1] + signed.len() + 2 * FRAME, "the batch is sent once");
        assert_eq!((chunk.batches.len(), chunk.batches[0].records.len()), (1, 2));
        chunk.bytes = MAX_BYTES - records[2];
        assert!(room(&chunk));
        chunk.bytes += 1;
        assert!(!room(&chunk));
        // Of another batch, that has to fit as well.
        chunk.begin_batch();
        chunk.bytes = MAX_BYTES - records[2] - signed.len() - 2 * FRAME;
        assert!(room(&chunk));
        chunk.bytes += 1;
        assert!(!room(&chunk));
        add(&mut chunk, 2);
        assert_eq!((chunk.batches.len(), chunk.batches[1].records.len()), (2, 1));
    }

    #[test]
    fn a_request_names_no_more_licenses_than_a_service_takes() {
        let (signed, licenses) = batch();
        let (item, policy) = &licenses[0];
        let mut chunk = Chunk::default();
        chunk.add(&entry(item), policy, &signed);
        chunk.licenses = vec![chunk.licenses[0]; MAX_LICENSES - 1];
        assert!(chunk.has_room(&entry(item), &signed));
        chunk.add(&entry(item), policy, &signed);
        assert!(!chunk.has_room(&entry(item), &signed));
    }

    #[test]
    fn a_record_whose_batch_fills_a_request_goes_alone() {
        let (_, licenses) = batch();
        let signed = vec![0; MAX_BYTES];
        let mut chunk = Chunk::default();
        assert!(chunk.has_room(&entry(&licenses[0].0), &signed));
        chunk.add(&entry(&licenses[0].0), &licenses[0].1, &signed);
        assert!(!chunk.has_room(&entry(&licenses[1].0), &signed));
    }
}
