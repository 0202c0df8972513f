//! Tells the formats of content headers apart by their first bytes.

use crate::error::HeaderError;
use crate::source::Source;
use crate::text::begins_wide_xml;
use crate::{asf, playready, webm};
use std::io::{Read, Seek};

/// The kind of data that a content header was read from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Container {
    /// An MP4 file or segment, or `pssh` boxes alone.
    Mp4,
    /// A WebM or Matroska file.
    WebM,
    /// An ASF file (`.wma`, `.wmv`, `.pya`, `.pyv`), or its objects about protection.
    Asf,
    /// A PlayReady Object outside a box.
    PlayReadyObject,
    /// A WRMHEADER outside a PlayReady Object.
    WrmHeader,
    /// W3C initialization data of type `keyids`.
    KeyIds,
    /// One bare key ID: W3C initialization data of type `webm`.
    KeyId,
    /// An HLS playlist or its key tags.
    Hls,
    /// An MPEG-DASH manifest or its protection elements.
    Dash,
    /// A Smooth Streaming manifest or its protection element.
    SmoothStreaming,
}

impl Container {
    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mp4 => "MP4",
            Self::WebM => "WebM",
            Self::Asf => "ASF",
            Self::PlayReadyObject => "PlayReady Object",
            Self::WrmHeader => "WRMHEADER",
            Self::KeyIds => "W3C keyids",
            Self::KeyId => "key ID",
            Self::Hls => "HLS playlist",
            Self::Dash => "DASH manifest",
            Self::SmoothStreaming => "Smooth Streaming manifest",
        }
    }
}

/// Says which format begins here.
pub(crate) fn recognize<R: Read + Seek>(source: &mut Source<R>) -> Result<Container, HeaderError> {
    let head = source.head(64)?;
    let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&head).trim_ascii_start();
    // A box that begins as text does would be larger than a gigabyte of something unknown.
    Ok(match head.as_slice() {
        _ if asf::looks_like_asf(&head) => Container::Asf,
        _ if webm::begins_webm(&head) => Container::WebM,
        _ if begins_wide_xml(&head) => Container::WrmHeader,
        _ if text.starts_with(b"{") => Container::KeyIds,
        _ if text.starts_with(b"#EXT") => Container::Hls,
        _ if text.starts_with(b"<") => Container::Dash,
        // A key ID that looks like an object of its own length would be one of 2^60.
        [16, 0, 0, 0, ..] if head.len() == 16 && playready::looks_like_object(&head) => Container::PlayReadyObject,
        [..] if head.len() == 16 && !is_box(&head) => Container::KeyId,
        _ if playready::looks_like_object(&head) => Container::PlayReadyObject,
        _ => Container::Mp4,
    })
}

/// Whether bytes have a box type where a box has it. A key ID is random and has letters there once in thousands of millions.
fn is_box(head: &[u8]) -> bool {
    head.get(4..8).is_some_and(|kind| kind.iter().all(|byte| byte.is_ascii_lowercase()))
}
