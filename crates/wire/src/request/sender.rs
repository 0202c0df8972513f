//! Who sends a request, for a reader that does not look at what is asked.

use super::{MAX_RESTORE_LEN, Request};
use crate::cbor::{Fields, read};
use crate::certificate;
use crate::cose::Unverified;
use crate::id::SignerId;

impl Request {
    /// The thumbprint and the certificate of the device, before anything is verified.
    pub fn sender_unverified(document: &Unverified<'_>) -> (SignerId, Option<Vec<u8>>) {
        let read = || {
            let mut fields = Fields::parse(document.unverified_payload(), MAX_RESTORE_LEN).ok()?;
            fields.optional(17, read::bytes_up_to(certificate::MAX_LEN)).ok()?.map(<[u8]>::to_vec)
        };
        (document.signer_id(), read())
    }
}
