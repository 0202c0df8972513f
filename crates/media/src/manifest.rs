//! MPEG-DASH manifests, Smooth Streaming manifests and their `ContentProtection` elements given alone: key IDs, schemes,
//! systems, and the boxes and PlayReady Objects that they carry as base64.

use crate::error::HeaderError;
use crate::fourcc::FourCc;
use crate::header::ContentHeader;
use crate::recognize::Container;
use crate::system::SystemId;
use crate::text::{Place, base64, kid_from_text};
use crate::wrmheader;
use crate::xml::{Element, Node, Xml};

/// The scheme that says `cenc:default_KID` and names the protection scheme as its value.
const MP4_PROTECTION: &str = "urn:mpeg:dash:mp4protection:2011";

/// Reads a document whose first element is of a known kind.
pub(crate) fn read(text: &str, place: Place, header: &mut ContentHeader) -> Result<(), HeaderError> {
    let mut xml = Xml::new(text, place, "XML document");
    let mut reader = Reader { header, system: None, ends: 0, is_first: true };
    while let Some(node) = xml.next()? {
        match node {
            Node::Start(element) => reader.element(&element, &mut xml)?,
            Node::End if xml.depth() < reader.ends => reader.system = None,
            Node::End | Node::Text(_) => {}
        }
    }
    if reader.is_first { Err(HeaderError::NotRecognised) } else { Ok(()) }
}

struct Reader<'h> {
    header: &'h mut ContentHeader,
    /// The system of the protection element that is open.
    system: Option<SystemId>,
    /// The depth of that element.
    ends: usize,
    is_first: bool,
}

impl Reader<'_> {
    fn element(&mut self, element: &Element<'_>, xml: &mut Xml<'_>) -> Result<(), HeaderError> {
        let name = element.name();
        if std::mem::take(&mut self.is_first) {
            self.header.container = match name {
                "WRMHEADER" => Container::WrmHeader,
                "MPD" | "ContentProtection" => Container::Dash,
                "SmoothStreamingMedia" | "Protection" | "ProtectionHeader" => Container::SmoothStreaming,
                _ => return Err(HeaderError::NotRecognised),
            };
        }
        match name {
            "WRMHEADER" => {
                let mut notes = Vec::new();
                let wrm = wrmheader::read(element, xml, &mut notes)?;
                self.header.note_all(notes)?;
                self.header.add_wrm(wrm, element.offset())
            }
            "ContentProtection" => self.content_protection(element, xml.depth()),
            "ProtectionHeader" => self.protection_header(element, xml),
            "Protection" => {
                self.header.is_protected = true;
                Ok(())
            }
            "pssh" if self.ends > 0 => self.boxes(xml),
            "pro" if self.ends > 0 => self.object(xml),
            "laurl" | "Laurl" | "LaURL" if self.ends > 0 => self.license_url(element, xml),
            _ => Ok(()),
        }
    }

    fn content_protection(&mut self, element: &Element<'_>, depth: usize) -> Result<(), HeaderError> {
        let offset = element.offset();
        self.ends = depth;
        self.header.is_protected = true;
        let kind = element.attribute("schemeIdUri")?.unwrap_or_default();
        self.system = SystemId::from_text(&kind);
        if let Some(system) = self.system {
            self.header.add_system_id(system, offset)?;
        }
        if kind.trim().eq_ignore_ascii_case(MP4_PROTECTION) {
            let scheme =
                element.attribute("value")?.and_then(|value| <[u8; 4]>::try_from(value.trim().as_bytes()).ok());
            self.header.add_scheme(scheme.map(FourCc));
        }
        if let Some(kids) = element.attribute("default_KID")? {
            for text in kids.split_ascii_whitespace() {
                match kid_from_text(text) {
                    Some(kid) => self.header.add_kid(kid, offset)?,
                    None => self.header.note(HeaderError::BadText { offset, field: "default_KID" })?,
                }
            }
        }
        Ok(())
    }

    /// `ProtectionHeader` of Smooth Streaming: a PlayReady Object, whatever the case of its system's UUID. What another
    /// system has there is not known.
    fn protection_header(&mut self, element: &Element<'_>, xml: &mut Xml<'_>) -> Result<(), HeaderError> {
        self.header.is_protected = true;
        let system = element.attribute("SystemID")?.and_then(|text| SystemId::from_text(&text));
        if let Some(system) = system {
            self.header.add_system_id(system, element.offset())?;
        }
        if system.is_none_or(|system| system == SystemId::PLAYREADY) { self.object(xml) } else { Ok(()) }
    }

    fn boxes(&mut self, xml: &mut Xml<'_>) -> Result<(), HeaderError> {
        let (offset, field) = (xml.offset(), "cenc:pssh");
        let text = xml.element_text()?;
        match base64(&text) {
            Some(bytes) => self.header.add_carried_boxes(&bytes, offset, field),
            None => self.header.note(HeaderError::BadText { offset, field }),
        }
    }

    fn object(&mut self, xml: &mut Xml<'_>) -> Result<(), HeaderError> {
        let (offset, field) = (xml.offset(), "PlayReady Object");
        let text = xml.element_text()?;
        match base64(&text) {
            Some(bytes) => self.header.add_object(&bytes, offset, field),
            None => self.header.note(HeaderError::BadText { offset, field }),
        }
    }

    fn license_url(&mut self, element: &Element<'_>, xml: &mut Xml<'_>) -> Result<(), HeaderError> {
        let attribute = element.attribute("licenseUrl")?;
        let url = match attribute {
            Some(url) => url,
            None => xml.element_text()?,
        };
        self.header.add_url(&url, self.system, element.offset())
    }
}
