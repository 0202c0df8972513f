//! What content says about its protection (key IDs, schemes, protection systems, where each sample lies), and the decryption
//! of a sample with a key that is at hand. Knows no license, no store and no network; files are opened by the caller.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod asf;
mod boxes;
pub mod cenc;
mod checksum;
mod clear;
mod collect;
mod ebml;
mod error;
mod fourcc;
mod header;
mod keyids;
mod manifest;
mod mp4;
mod playlist;
mod playready;
mod pssh;
mod read;
mod recognize;
mod samples;
mod source;
mod system;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod track;
mod webm;
mod widevine;
mod wrmheader;
mod xml;

pub use asf::{AdvancedRecord, AsfHeader, ContentEncryption};
pub use checksum::Algorithm;
pub use clear::{ClearError, ClearReader, ClearView};
pub use error::HeaderError;
pub use fourcc::FourCc;
pub use header::{ContentHeader, LicenseUrl};
pub use pssh::ProtectionSystem;
pub use recognize::Container;
pub use samples::SampleReader;
pub use system::SystemId;
pub use table::{Sample, SampleProtection};
pub use track::{Iv, Protection, SampleEntry, Track, TrackEncryption};
pub use wrmheader::{WrmHeader, WrmKey};
