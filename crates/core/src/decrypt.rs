//! Decrypting media: `cenc` holds the Common Encryption sample cipher. Which license opens a key is not decided there.

pub mod cenc;
