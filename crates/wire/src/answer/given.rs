//! Answers that nobody asked for: licenses that an issuer puts into a device's mailbox or hands out in a file. They are answers
//! in all but the request.

use super::{Answer, Outcome};
use crate::cbor::{CborError, write};
use crate::id::{Digest, SignerId, TransactionId};

/// Most answers that nobody asked for beside one answer.
pub const MAX_GIVEN: usize = 16;
/// For how long an answer that nobody asked for may be taken, in seconds.
pub const MAX_GIVEN_AGE: i64 = 30 * 86_400;
/// Field of an answer in which they stand. Readers that do not know it skip it.
pub(super) const FIELD: u64 = 64;
const LABEL: &[u8] = b"wmlicense/1 unasked";
/// Most fields of a map whose head is one byte.
const MAX_SHORT_MAP: u8 = 22;
const MAP: u8 = 0xa0;

/// What stands in the place of a request's hash where there was no request.
pub fn unasked() -> Digest {
    Digest::of(LABEL)
}

impl Answer {
    /// An answer that nobody asked for, to be sealed with the licenses that are given.
    pub fn given(transaction: TransactionId, thumbprint: SignerId, issued_at: i64) -> Self {
        Self { outcome: Outcome::Given, ..Self::to(transaction, 0, unasked(), thumbprint, issued_at) }
    }

    /// True if it says that nobody asked for it.
    pub fn is_unasked(&self) -> bool {
        self.request_hash == unasked()
    }

    /// Checks that what nobody asked for gives licenses and says nothing else: what belongs to a conversation has no place in it.
    pub(super) fn check_given(&self) -> Result<(), CborError> {
        let wrong = [
            (10, self.page != 0),
            (13, self.outcome != Outcome::Given),
            (14, !self.refusals.is_empty()),
            (15, !self.withdrawn.is_empty()),
            (16, self.next_cursor.is_some()),
            (17, self.epoch.is_some()),
            (21, self.manifest.is_empty()),
            (22, self.unlock.is_some()),
            (23, !self.verdicts.is_empty()),
            (24, self.device_certificate.is_some()),
            (25, self.since.is_some()),
            (64, self.account.is_some()),
        ];
        match wrong.into_iter().find(|(_, wrong)| *wrong) {
            Some((field, _)) => Err(CborError::Value { field }),
            None => Ok(()),
        }
    }
}

/// An encoded answer with answers that nobody asked for beside it, which prove themselves. What is no answer, or has some
/// already, stays as it is.
pub fn put_beside(mut answer: Vec<u8>, given: &[Vec<u8>]) -> Vec<u8> {
    match answer.first_mut() {
        // The last field of a canonical map, because its key is the longest.
        Some(head) if !given.is_empty() && (MAP..=MAP + MAX_SHORT_MAP).contains(head) => {
            *head += 1;
            write::uint_to(&mut answer, FIELD);
            answer.extend_from_slice(&write::array(given.iter().map(write::bytes)));
        }
        Some(_) | None => {}
    }
    answer
}
