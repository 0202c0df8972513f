//! Documents and messages of the wmlicense protocol: encode, decode, sign, verify, wrap. No I/O and no clock.
//!
//! The byte layouts are specified in `docs/protocol.md` and `docs/protocol.cddl`.
#![forbid(unsafe_code)]

pub mod aead;
pub mod cbor;
pub mod chunked;
pub mod cose;
pub mod hpke;
pub mod id;
pub mod kem;
pub mod key;
