//! Why protection data could not be read. Every case names its place; none carries the bytes.

use crate::fourcc::FourCc;

/// Why a content header or the sample tables of a file could not be read.
///
/// `offset` counts bytes from the start of the file or buffer; `field` is the name that the format's document uses.
#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    /// The bytes are in no format that says something about protection.
    #[error("not a media file or protection data of a known format")]
    NotRecognised,
    /// The data ends inside a field or box.
    #[error("the data ends inside {field} at byte {offset}")]
    Truncated {
        /// Where the field begins.
        offset: u64,
        /// The field.
        field: &'static str,
    },
    /// A box is smaller than its own header or reaches out of the box around it.
    #[error("box {kind} at byte {offset} has an impossible size of {size}")]
    BadSize {
        /// Where the box begins.
        offset: u64,
        /// The type of the box.
        kind: FourCc,
        /// The size that the box declares.
        size: u64,
    },
    /// A number has a value that the format does not allow.
    #[error("{field} at byte {offset} has the impossible value {value}")]
    BadValue {
        /// Where the field begins, or ends.
        offset: u64,
        /// The field.
        field: &'static str,
        /// The value found.
        value: u64,
    },
    /// A text is not what its place asks for.
    #[error("{field} at byte {offset} cannot be read as text of its kind")]
    BadText {
        /// Where the text begins.
        offset: u64,
        /// The field.
        field: &'static str,
    },
    /// There are more items than any honest file has.
    #[error("{field} at byte {offset} asks for {count} items, more than {limit}")]
    TooMany {
        /// Where the items are counted.
        offset: u64,
        /// What is counted.
        field: &'static str,
        /// The items found or declared.
        count: u64,
        /// The most that is read.
        limit: u64,
    },
    /// A part that must be held in memory is larger than any honest file's.
    #[error("{field} at byte {offset} has {size} bytes, more than {limit}")]
    TooLarge {
        /// Where the part begins.
        offset: u64,
        /// The part.
        field: &'static str,
        /// Its size in bytes.
        size: u64,
        /// The most that is read.
        limit: u64,
    },
    /// A part that the format requires is not there.
    #[error("{field} is missing in the part that begins at byte {offset}")]
    Missing {
        /// Where the part begins that should hold it.
        offset: u64,
        /// What is missing.
        field: &'static str,
    },
    /// Something that formats of this kind may hold, and that is refused because no honest content needs it.
    #[error("{field} at byte {offset} is not allowed")]
    NotAllowed {
        /// Where it begins.
        offset: u64,
        /// What it is.
        field: &'static str,
    },
    /// Something that the format allows and that cannot be followed here. What it speaks of is protected all the same.
    #[error("{field} at byte {offset}: not supported")]
    NotSupported {
        /// Where it begins.
        offset: u64,
        /// What it is.
        field: &'static str,
    },
    /// A part has a later version than those known, so nothing is known about its meaning.
    #[error("{field} at byte {offset} is {major}.{minor}, which is not known")]
    UnknownVersion {
        /// Where the part begins.
        offset: u64,
        /// The version's field.
        field: &'static str,
        /// The first number of the version.
        major: u16,
        /// The second number.
        minor: u16,
    },
    /// What a part carries is bad. The offsets of the cause count from the start of the carried bytes, decoded.
    #[error("{field} at byte {offset}: {cause}")]
    Inside {
        /// Where the part begins.
        offset: u64,
        /// The part.
        field: &'static str,
        /// What is wrong in it.
        cause: Box<HeaderError>,
    },
    /// The file has no track with this ID.
    #[error("there is no track {track}")]
    NoSuchTrack {
        /// The track ID asked for.
        track: u32,
    },
    /// Samples are protected, but nothing says how each one is: the file cannot be decrypted.
    #[error("track {track} is protected but the part at byte {offset} carries no per-sample encryption data")]
    NoSampleData {
        /// The track.
        track: u32,
        /// Where the fragment or the movie begins.
        offset: u64,
    },
    /// A table describes another number of samples than the part has. Aligning them would be a guess.
    #[error("{field} at byte {offset} describes {found} samples of track {track} where there are {expected}")]
    SampleCountMismatch {
        /// The track.
        track: u32,
        /// Where the table is.
        offset: u64,
        /// The table.
        field: &'static str,
        /// Samples that the part has.
        expected: u64,
        /// Samples that the table describes.
        found: u64,
    },
    /// A track uses a protection scheme whose samples cannot be described here.
    #[error("track {track} uses the unknown protection scheme {scheme}")]
    UnknownScheme {
        /// The track.
        track: u32,
        /// The scheme type of its `schm` box.
        scheme: FourCc,
    },
    /// Reading failed.
    #[error("the media file could not be read")]
    Io(#[from] std::io::Error),
}
