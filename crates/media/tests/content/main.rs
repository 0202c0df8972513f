//! Content headers and samples as files, packagers and strangers bring them.
#![cfg(test)]

mod decryption;
mod header_vectors;
