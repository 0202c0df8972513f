//! Documents and messages of the wmlicense protocol: encode, decode, sign, verify, wrap. No I/O and no clock.
//!
//! The byte layouts are specified in `docs/protocol.md` and `docs/protocol.cddl`.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod aead;
pub mod answer;
pub mod backup;
pub mod cbor;
pub mod certificate;
pub mod chunked;
pub mod cose;
pub mod endpoint;
pub mod hpke;
pub mod id;
pub mod kem;
pub mod key;
pub mod kid_text;
mod labeled;
pub mod license;
pub mod memory;
pub mod over;
pub mod policy;
pub mod problem;
pub mod rekey;
pub mod request;
pub mod revocation;
pub mod service_document;
pub mod stack;
pub mod status_list;
pub mod url;
