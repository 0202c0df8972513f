//! What MP4 and WebM say alike about a track: its sample entries, and how their samples are protected.

use crate::boxes::Fields;
use crate::cenc::Scheme;
use crate::error::HeaderError;
use crate::fourcc::FourCc;
use wmlicense_wire::id::Kid;

/// More tracks, or sample entries of a track, than any honest file has.
pub(crate) const LIST_LIMIT: usize = 256;

/// A track of an MP4 or WebM file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Track {
    /// The track ID, or the track number of WebM.
    pub id: u32,
    /// What kind of media it is: `vide`, `soun`, `text`, ….
    pub handler: FourCc,
    /// The sample entries. A track with a clear lead has a clear and a protected one.
    pub entries: Vec<SampleEntry>,
}

/// How some samples of a track are coded and protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleEntry {
    /// The format of the media itself, such as `avc1`, whether protected or not. For WebM the code that its codec has in
    /// MP4; four spaces if it has none.
    pub format: FourCc,
    /// How the samples are protected; `None` if they are clear.
    pub protection: Option<Protection>,
}

/// The protection of a sample entry (`sinf`), or of a WebM track (`ContentEncryption`), which is called `cenc` version 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protection {
    /// The scheme type, such as `cenc`; four spaces if the file does not say it, or cannot be read there.
    pub scheme: FourCc,
    /// The scheme version, 0x00010000 for Common Encryption.
    pub version: u32,
    /// How samples are decrypted; `None` for a scheme that is not known.
    pub cipher: Option<Scheme>,
    /// What holds for samples without a sample group; `None` for schemes that say it in another way.
    pub defaults: Option<TrackEncryption>,
}

impl Track {
    /// The protection of the first protected sample entry.
    pub fn protection(&self) -> Option<&Protection> {
        self.protections().next()
    }

    /// The protection of each protected sample entry.
    pub(crate) fn protections(&self) -> impl Iterator<Item = &Protection> {
        self.entries.iter().filter_map(|entry| entry.protection.as_ref())
    }

    /// The default key ID of each protected sample entry.
    pub fn default_kids(&self) -> impl Iterator<Item = Kid> {
        self.protections()
            .filter_map(|protection| protection.defaults.as_ref())
            .filter(|defaults| defaults.is_protected)
            .map(|defaults| defaults.kid)
    }
}

/// An initialization vector of up to 16 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Iv {
    bytes: [u8; 16],
    length: u8,
}

impl Iv {
    /// The bytes; none if there is no vector.
    pub fn as_slice(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// Reads a vector of `length` bytes, which is at most 16.
    pub(crate) fn read(fields: &mut Fields<'_>, length: u8, field: &'static str) -> Result<Self, HeaderError> {
        let mut iv = Self { bytes: [0; 16], length };
        let source = fields.take(length.into(), field)?;
        for (byte, value) in iv.bytes.iter_mut().zip(source) {
            *byte = *value;
        }
        Ok(iv)
    }
}

/// How samples are protected unless each says it for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TrackEncryption {
    /// Whether the samples are encrypted at all.
    pub is_protected: bool,
    /// Bytes of the initialization vector of each sample: 0, 8 or 16.
    pub iv_size: u8,
    /// The key ID; all zero if the file keeps it elsewhere.
    pub kid: Kid,
    /// The vector of every sample; empty unless `iv_size` is 0.
    pub constant_iv: Iv,
    /// Encrypted blocks of the pattern, 0 for none.
    pub crypt_byte_block: u8,
    /// Clear blocks of the pattern.
    pub skip_byte_block: u8,
}
