//! The labeled key derivation of HPKE (RFC 9180 §4), which its key exchange and its key schedule share.

use crate::aead::{FIRST_BLOCK, hmac_sha256};
use zeroize::Zeroizing;

const VERSION_LABEL: &[u8] = b"HPKE-v1";

/// LabeledExtract.
pub(crate) fn labeled_extract(suite_id: &[u8], salt: &[u8], label: &str, ikm: &[u8]) -> Zeroizing<[u8; 32]> {
    hmac_sha256(salt, &[VERSION_LABEL, suite_id, label.as_bytes(), ikm])
}

/// LabeledExpand to at most 32 bytes. `info` is joined.
pub(crate) fn labeled_expand<const N: usize>(
    suite_id: &[u8],
    prk: &[u8; 32],
    label: &str,
    info: &[&[u8]],
) -> Zeroizing<[u8; N]> {
    const { assert!(N <= 32, "one block is expanded") }
    let length = [0, N as u8];
    let mut parts: Vec<&[u8]> = vec![&length, VERSION_LABEL, suite_id, label.as_bytes()];
    parts.extend_from_slice(info);
    parts.push(&[FIRST_BLOCK]);
    let mut out = Zeroizing::new([0; N]);
    for (byte, expanded) in out.iter_mut().zip(&*hmac_sha256(prk, &parts)) {
        *byte = *expanded;
    }
    out
}
