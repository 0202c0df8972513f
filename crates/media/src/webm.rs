//! WebM and Matroska (RFC 9559): which tracks are protected and how ("WebM Encryption", and `ContentEncodings` in RFC 9559,
//! 5.1.4.1.31), and where the frames of a track are.

mod clusters;
mod tracks;
mod walk;

pub(crate) use clusters::read_samples;
pub(crate) use tracks::read_tracks;
pub(crate) use walk::begins_webm;
