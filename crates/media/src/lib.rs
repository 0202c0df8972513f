//! What content says about its protection (key IDs, schemes, protection systems, where each sample lies), and the decryption
//! of a sample with a key that is at hand. Knows no license, no store and no network; files are opened by the caller.
#![forbid(unsafe_code)]
#![deny(clippy::indexing_slicing)]

mod asf;
mod boxes;
pub mod cenc;
mod collect;
mod ebml;
mod error;
mod header;
mod keyids;
mod manifest;
mod mp4;
mod playlist;
mod playready;
mod pssh;
mod recognize;
mod samples;
mod source;
mod system;
#[cfg(test)]
mod tests;
mod text;
mod webm;
mod widevine;
mod wrmheader;
mod xml;

pub use asf::{AdvancedRecord, AsfHeader, ContentEncryption};
pub use boxes::FourCc;
pub use error::HeaderError;
pub use header::{ContentHeader, LicenseUrl};
pub use mp4::{Iv, Protection, SampleEntry, Track, TrackEncryption};
pub use playready::Algorithm;
pub use pssh::ProtectionSystem;
pub use recognize::Container;
pub use samples::{Sample, SampleProtection, SampleReader};
pub use system::SystemId;
pub use wrmheader::{WrmHeader, WrmKey};
