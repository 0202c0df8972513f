//! Decrypting media: `cenc` holds the Common Encryption sample cipher. `decryptor` chooses the license and counts
//! the use.

pub mod cenc;
pub mod decryptor;
