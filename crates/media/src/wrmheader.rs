//! WRMHEADER, the XML that says how Windows Media DRM (2.0) and PlayReady (4.0 to 4.3) protect content. Written strictly
//! by the book and read leniently, because real headers are not; entities and DOCTYPE are refused all the same.

use crate::checksum::{Algorithm, checksum};
use crate::error::HeaderError;
use crate::text::{Place, kid_from_guid, modified_base64};
use crate::xml::{Element, Xml};
use std::collections::BTreeSet;
use wmlicense_wire::id::Kid;

/// Longest header; PlayReady recommends 1 KiB, and the longest seen has 2 KiB.
pub(crate) const SIZE_LIMIT: usize = 64 << 10;
/// Keys, or attributes of the content's owner, in one header.
const LIST_LIMIT: usize = 1024;

/// What a WRMHEADER says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WrmHeader {
    /// The version, such as `4.0.0.0`.
    pub version: String,
    /// The keys.
    pub keys: Vec<WrmKey>,
    /// `LA_URL`, or `LAINFO` of version 2: where licenses are acquired. Untrusted.
    pub license_url: Option<String>,
    /// `LUI_URL`: a page where a user acquires licenses. Untrusted.
    pub user_url: Option<String>,
    /// `DS_ID`: base64 GUID of the domain service.
    pub domain_service: Option<String>,
    /// `CID`: the owner's name of the content (version 2).
    pub content_id: Option<String>,
    /// `SECURITYVERSION`: the individualization version asked for (version 2).
    pub security_version: Option<String>,
    /// Whether the license is set up on demand (`DECRYPTORSETUP`, version 4.1 on).
    pub is_on_demand: bool,
    /// Custom elements of the content's owner: of `DATA` in version 2, of `CUSTOMATTRIBUTES` in version 4.
    pub attributes: Vec<(String, String)>,
    /// Whether the header carries a signature (version 2). It is not verified: the keys for that were never public.
    pub is_signed: bool,
    /// Names of elements that came again. The first of each counts.
    pub repeated: Vec<String>,
}

/// One key that a WRMHEADER names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrmKey {
    /// The key ID as it stands in the header: base64 of a GUID's bytes, or any text in version 2.
    pub text: String,
    /// The key ID; `None` if the text is no base64 of 16 bytes.
    pub kid: Option<Kid>,
    /// The algorithm; `None` if the header names none, or an unknown one.
    pub algorithm: Option<Algorithm>,
    /// The checksum, decoded.
    pub checksum: Option<Vec<u8>>,
}

impl WrmHeader {
    /// Whether the header is one of PlayReady, not of Windows Media DRM.
    pub fn is_playready(&self) -> bool {
        !self.version.starts_with("2.")
    }
}

impl WrmKey {
    /// Whether this is the key that the header means; `None` if the header has nothing to tell it by.
    pub fn matches(&self, key: &[u8]) -> Option<bool> {
        let (kid, expected) = (self.kid?, self.checksum.as_ref()?);
        // Headers before 4.0 name no algorithm: their checksums are those of the first cipher.
        let algorithm =
            self.algorithm.unwrap_or(if expected.len() == 7 { Algorithm::Cocktail } else { Algorithm::AesCtr });
        checksum(algorithm, kid, key).map(|sum| &sum == expected)
    }
}

/// Which elements a header has, and where.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// 2.x: everything in `DATA`.
    Media,
    /// 4.0 to 4.3.
    PlayReady,
}

/// Reads a header that was decoded to text. What is wrong with one of its keys goes to `notes`.
pub(crate) fn parse(text: &str, place: Place, notes: &mut Vec<HeaderError>) -> Result<WrmHeader, HeaderError> {
    let (offset, field) = (place.start, "WRMHEADER");
    if text.len() > SIZE_LIMIT {
        let (size, limit) = (text.len() as u64, SIZE_LIMIT as u64);
        return Err(HeaderError::TooLarge { offset, field, size, limit });
    }
    let mut xml = Xml::new(text, place, field);
    let root = xml.next_child(0)?.filter(|root| root.name() == field).ok_or(HeaderError::BadText { offset, field })?;
    read(&root, &mut xml, notes)
}

/// Reads the element that has just begun, as [`parse`] does.
pub(crate) fn read(
    root: &Element<'_>,
    xml: &mut Xml<'_>,
    notes: &mut Vec<HeaderError>,
) -> Result<WrmHeader, HeaderError> {
    let missing = HeaderError::Missing { offset: root.offset(), field: "WRMHEADER version" };
    let version = root.attribute("version")?.ok_or(missing)?;
    let layout = layout_of(&version, root.offset())?;
    let header = WrmHeader { version, ..WrmHeader::default() };
    let depth = xml.depth();
    let mut reader =
        Reader { header, layout, notes, seen: BTreeSet::new(), kid: None, algorithm: None, checksum: None };
    while let Some(element) = xml.next_child(depth)? {
        match element.name() {
            "DATA" => reader.data(xml)?,
            "SIGNATURE" => reader.header.is_signed = true,
            _ => {}
        }
    }
    Ok(reader.finish())
}

/// The layout of a version. A version above those known is refused, as the specification wants.
fn layout_of(version: &str, offset: u64) -> Result<Layout, HeaderError> {
    let field = "WRMHEADER version";
    let numbers = version.split('.').map(|part| part.parse::<u16>().ok()).collect::<Option<Vec<_>>>();
    let numbers = numbers.ok_or(HeaderError::BadText { offset, field })?;
    let (major, minor) = (numbers.first().copied().unwrap_or_default(), numbers.get(1).copied().unwrap_or_default());
    match (major, minor) {
        (2, _) => Ok(Layout::Media),
        (4, 0..=3) => Ok(Layout::PlayReady),
        _ => Err(HeaderError::UnknownVersion { offset, field, major, minor }),
    }
}

/// A text with the place of its element.
type Found = (String, u64);

/// Collects the parts of a header.
struct Reader<'n> {
    header: WrmHeader,
    layout: Layout,
    /// What is wrong with a key and does not hide the others.
    notes: &'n mut Vec<HeaderError>,
    /// Names of the elements that were there.
    seen: BTreeSet<String>,
    /// The one key of versions that name it in elements of its own.
    kid: Option<Found>,
    algorithm: Option<Algorithm>,
    checksum: Option<Found>,
}

impl Reader<'_> {
    fn data(&mut self, xml: &mut Xml<'_>) -> Result<(), HeaderError> {
        let depth = xml.depth();
        while let Some(element) = xml.next_child(depth)? {
            let name = element.name().to_owned();
            match (self.layout, name.as_str()) {
                (Layout::PlayReady, "PROTECTINFO") => self.protect_info(xml)?,
                (Layout::PlayReady, "CUSTOMATTRIBUTES") => self.custom_attributes(xml)?,
                _ => {
                    let text = xml.element_text()?;
                    if self.is_first(&name, &element)? {
                        self.element(name, text, &element);
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether this is the first element of its name. What comes later is told and not believed.
    fn is_first(&mut self, name: &str, element: &Element<'_>) -> Result<bool, HeaderError> {
        let is_first = self.seen.insert(name.to_owned());
        if !is_first && !self.header.repeated.iter().any(|known| known == name) {
            self.header.repeated.push(name.to_owned());
        }
        within_limit(self.seen.len() - 1, "WRMHEADER elements", element)?;
        Ok(is_first)
    }

    /// An element of `DATA` that holds text only.
    fn element(&mut self, name: String, text: String, element: &Element<'_>) {
        let is_media = self.layout == Layout::Media;
        let header = &mut self.header;
        let place = match name.as_str() {
            "KID" => return self.kid = Some((text, element.offset())),
            "CHECKSUM" => return self.checksum = Some((text, element.offset())),
            "LAINFO" if is_media => &mut header.license_url,
            "CID" if is_media => &mut header.content_id,
            "SECURITYVERSION" if is_media => &mut header.security_version,
            "LA_URL" if !is_media => &mut header.license_url,
            "LUI_URL" if !is_media => &mut header.user_url,
            "DS_ID" if !is_media => &mut header.domain_service,
            "DECRYPTORSETUP" if !is_media => return header.is_on_demand = text == "ONDEMAND",
            _ if is_media => return header.attributes.push((name, text)),
            _ => return,
        };
        *place = Some(text).filter(|text| !text.is_empty());
    }

    fn protect_info(&mut self, xml: &mut Xml<'_>) -> Result<(), HeaderError> {
        let depth = xml.depth();
        while let Some(element) = xml.next_child(depth)? {
            match element.name() {
                "ALGID" => self.algorithm = Algorithm::from_text(&xml.element_text()?),
                "KID" => self.key(&element)?,
                "KIDS" => {
                    let depth = xml.depth();
                    while let Some(element) = xml.next_child(depth)? {
                        if element.name() == "KID" {
                            self.key(&element)?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A `KID` element with attributes (4.1 on).
    fn key(&mut self, element: &Element<'_>) -> Result<(), HeaderError> {
        let Some(text) = element.attribute("VALUE")? else {
            self.notes.push(HeaderError::Missing { offset: element.offset(), field: "KID VALUE" });
            return Ok(());
        };
        let algorithm = element.attribute("ALGID")?.and_then(|name| Algorithm::from_text(&name));
        let checksum = element.attribute("CHECKSUM")?.map(|text| (text, element.offset()));
        within_limit(self.header.keys.len(), "KID", element)?;
        self.push_key((text, element.offset()), algorithm, checksum);
        Ok(())
    }

    fn push_key(&mut self, (text, offset): Found, algorithm: Option<Algorithm>, checksum: Option<Found>) {
        let kid = modified_base64(&text).and_then(|bytes| <[u8; 16]>::try_from(bytes).ok()).map(kid_from_guid);
        // Before version 4 a key ID may be any text.
        if kid.is_none() && self.layout == Layout::PlayReady {
            self.notes.push(HeaderError::BadText { offset, field: "KID" });
        }
        let checksum = checksum.filter(|(text, _)| !text.is_empty()).and_then(|(text, offset)| {
            let decoded = modified_base64(&text);
            if decoded.is_none() {
                self.notes.push(HeaderError::BadText { offset, field: "CHECKSUM" });
            }
            decoded
        });
        self.header.keys.push(WrmKey { text, kid, algorithm, checksum });
    }

    fn custom_attributes(&mut self, xml: &mut Xml<'_>) -> Result<(), HeaderError> {
        let depth = xml.depth();
        while let Some(element) = xml.next_child(depth)? {
            let name = element.name().to_owned();
            let text = xml.element_text()?;
            within_limit(self.header.attributes.len(), "CUSTOMATTRIBUTES", &element)?;
            self.header.attributes.push((name, text));
        }
        Ok(())
    }

    fn finish(mut self) -> WrmHeader {
        if let Some(kid) = self.kid.take() {
            let (algorithm, checksum) = (self.algorithm, self.checksum.take());
            self.push_key(kid, algorithm, checksum);
        }
        self.header
    }
}

fn within_limit(count: usize, field: &'static str, element: &Element<'_>) -> Result<(), HeaderError> {
    if count < LIST_LIMIT {
        return Ok(());
    }
    Err(HeaderError::TooMany { offset: element.offset(), field, count: count as u64 + 1, limit: LIST_LIMIT as u64 })
}
