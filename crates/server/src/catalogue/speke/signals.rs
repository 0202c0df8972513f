//! What DRM systems show in media and manifests: key IDs, in the form of each system. Nothing here claims to be that system's server.

use super::super::export::uuid;
use super::{Unfit, told};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roxmltree::Node;
use std::fmt::{self, Display};
use wmlicense_wire::id::Kid;

const FAIRPLAY: [u8; 16] = 0x94ce_86fb_07ff_4f43_adb8_93d2_fa96_8ca2_u128.to_be_bytes();
const PLAYREADY: [u8; 16] = 0x9a04_f079_9840_4286_ab92_e65b_e088_5f95_u128.to_be_bytes();

/// The ID of a DRM system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct System([u8; 16]);

impl System {
    pub(super) fn read(text: &str) -> Result<Self, Unfit> {
        // Written as key IDs are.
        let bytes = Kid::from_hex(text.trim()).map(|id| *id.as_bytes());
        bytes.map(Self).map_err(|_| Unfit(format!("Unsupported DRMSystem@systemId {}", told(text))))
    }

    pub(super) fn is_fairplay(self) -> bool {
        self.0 == FAIRPLAY
    }

    /// A box of version 1: the key ID, and no data of the system.
    fn pssh(self, kid: Kid) -> String {
        const LENGTH: u32 = 52;
        let parts: [&[u8]; 7] =
            [&LENGTH.to_be_bytes(), b"pssh", &[1, 0, 0, 0], &self.0, &1u32.to_be_bytes(), kid.as_bytes(), &[0; 4]];
        STANDARD.encode(parts.concat())
    }

    fn uri(self, kid: Kid) -> String {
        if self.is_fairplay() {
            format!("skd://{}", uuid(kid))
        } else {
            format!("data:text/plain;base64,{}", self.pssh(kid))
        }
    }

    fn key_format(self) -> String {
        match self.0 {
            FAIRPLAY => "com.apple.streamingkeydelivery".to_owned(),
            PLAYREADY => "com.microsoft.playready".to_owned(),
            _ => format!("urn:uuid:{self}"),
        }
    }
}

impl Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&uuid(Kid::new(self.0)))
    }
}

/// True if an element came without anything in it.
pub(super) fn is_empty(node: Node<'_, '_>) -> bool {
    node.children().all(|child| match child.is_element() {
        true => false,
        false => child.text().unwrap_or_default().trim().is_empty(),
    })
}

/// What an element of a DRM system is filled with.
enum Signal {
    Pssh,
    Protection,
    Playlist(&'static str),
    Uri,
}

fn signal(node: Node<'_, '_>) -> Option<Signal> {
    match (node.tag_name().name(), node.attribute("playlist")) {
        ("PSSH", _) => Some(Signal::Pssh),
        ("ContentProtectionData", _) => Some(Signal::Protection),
        ("HLSSignalingData", None | Some("media")) => Some(Signal::Playlist("EXT-X-KEY")),
        ("HLSSignalingData", Some("master")) => Some(Signal::Playlist("EXT-X-SESSION-KEY")),
        ("URIExtXKey", _) => Some(Signal::Uri),
        _ => None,
    }
}

/// Refuses what came empty and would stay so: a packager stops at that.
pub(super) fn can_fill(node: Node<'_, '_>, system: System) -> Result<(), Unfit> {
    if !is_empty(node) || signal(node).is_some() {
        return Ok(());
    }
    let playlist = node.attribute("playlist").map(|name| format!("@playlist {}", told(name))).unwrap_or_default();
    let name = told(node.tag_name().name());
    Err(Unfit(format!("Unsupported {name}{playlist} of DRMSystem {system}: leave it out")))
}

/// What an empty element of a DRM system becomes; none where it is to stay as it came.
pub(super) fn filled(node: Node<'_, '_>, system: System, kid: Kid, scheme: &str) -> Option<String> {
    if !is_empty(node) {
        return None;
    }
    Some(match signal(node)? {
        Signal::Pssh => system.pssh(kid),
        Signal::Protection => {
            STANDARD.encode(format!("<pssh xmlns=\"urn:mpeg:cenc:2013\">{}</pssh>", system.pssh(kid)))
        }
        Signal::Playlist(tag) => {
            let method = if scheme.starts_with("cbc") { "SAMPLE-AES" } else { "SAMPLE-AES-CTR" };
            let (uri, format) = (system.uri(kid), system.key_format());
            STANDARD
                .encode(format!("#{tag}:METHOD={method},URI=\"{uri}\",KEYFORMAT=\"{format}\",KEYFORMATVERSIONS=\"1\""))
        }
        Signal::Uri => STANDARD.encode(system.uri(kid)),
    })
}
