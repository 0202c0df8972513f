//! The Header Object of ASF files: its content encryption objects, and which streams are encrypted. All integers are
//! little-endian, GUIDs in GUID order. Only the Header Object is read, never the data behind it.

use crate::boxes::Fields;
use crate::error::HeaderError;
use crate::playready;
use crate::source::Source;
use crate::system::SystemId;
use crate::text::{kid_from_guid, modified_base64, utf8, utf16};
use crate::wrmheader::{self, WrmHeader};
use std::io::{Read, Seek};
use wmlicense_wire::id::Kid;

/// Largest Header Object: pictures of an album in its metadata make the largest ones.
const SIZE_LIMIT: u64 = 16 << 20;
/// Longest text of a Content Encryption Object; the longest seen has 200 letters.
const TEXT_LIMIT: u32 = 4096;

const HEADER: Guid = guid(0x75B2_2630_668E_11CF_A6D9_00AA_0062_CE6C);
const HEADER_EXTENSION: Guid = guid(0x5FBF_03B5_A92E_11CF_8EE3_00C0_0C20_5365);
const STREAM_PROPERTIES: Guid = guid(0xB7DC_0791_A9B7_11CF_8EE6_00C0_0C20_5365);
const EXTENDED_STREAM: Guid = guid(0x14E6_A5CB_C672_4332_8399_A969_5206_5B5A);
/// The type of a stream of commands that are encrypted.
const ENCRYPTED_COMMANDS: Guid = guid(0x8683_973A_6639_463A_ABD7_64F1_CE3E_EAE0);
/// The payload extension that carries the vectors of samples that PlayReady encrypted.
const SAMPLE_ENCRYPTION: Guid = guid(0x6698_B84E_0AFA_4330_AEB2_1C0A_98D7_A44D);
const CONTENT_ENCRYPTION: Guid = guid(0x2211_B3FB_BD23_11D2_B4B7_00A0_C955_FC6E);
const EXTENDED_ENCRYPTION: Guid = guid(0x298A_E614_2622_4C17_B935_DAE0_7EE9_289C);
const ADVANCED_ENCRYPTION: Guid = guid(0x4305_8533_6981_49E6_9B74_AD12_CB86_D58C);
const PROTECTION_SYSTEM: Guid = guid(0x9A04_F079_9840_4286_AB92_E65B_E088_5F95);
/// The system that the object above names when a PlayReady Object follows.
const PLAYREADY_DATA: Guid = guid(0xF463_7010_03C3_42CD_B932_B48A_DF3A_6A54);

type Guid = [u8; 16];

/// The bytes of a GUID in a file.
const fn guid(number: u128) -> Guid {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = number.to_be_bytes();
    [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p]
}

/// What the Header Object of an ASF file says about protection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AsfHeader {
    /// The Content Encryption Object, the record of the first Windows Media DRM.
    pub content_encryption: Option<ContentEncryption>,
    /// The WRMHEADER of the Extended Content Encryption Object or of the PlayReady object.
    pub(crate) wrm_headers: Vec<WrmHeader>,
    /// The records of the Advanced Content Encryption Object.
    pub advanced: Vec<AdvancedRecord>,
    /// The streams, in the order of the file: number, and whether their data is encrypted.
    pub streams: Vec<(u8, bool)>,
    /// Whether there is an object about protection, also one that cannot be read.
    has_protection: bool,
}

/// A Content Encryption Object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentEncryption {
    /// How many bytes of secret data there are. They are for the owner's software only.
    pub secret_size: u32,
    /// The protection type, `DRM`.
    pub protection_type: String,
    /// The key ID as it stands there: base64 of a GUID's bytes.
    pub key_id: String,
    /// Where licenses are acquired. Untrusted.
    pub license_url: String,
}

impl ContentEncryption {
    /// The key ID, if the text is one.
    pub fn kid(&self) -> Option<Kid> {
        modified_base64(&self.key_id)?.try_into().ok().map(kid_from_guid)
    }
}

/// One record of an Advanced Content Encryption Object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvancedRecord {
    /// The protection system.
    pub system: SystemId,
    /// The version of its data.
    pub version: u32,
    /// The streams that it protects.
    pub streams: Vec<u16>,
}

impl AsfHeader {
    /// Whether a license is needed.
    pub(crate) fn is_protected(&self) -> bool {
        self.has_protection || self.streams.iter().any(|(_, is_encrypted)| *is_encrypted)
    }
}

/// Whether bytes begin with the Header Object, or with one of the objects about protection alone.
pub(crate) fn looks_like_asf(head: &[u8]) -> bool {
    const OBJECTS: [Guid; 4] = [HEADER, CONTENT_ENCRYPTION, EXTENDED_ENCRYPTION, ADVANCED_ENCRYPTION];
    head.first_chunk::<16>().is_some_and(|first| OBJECTS.contains(first))
}

/// Reads the Header Object at the start of a file, or the objects about protection that a buffer consists of.
///
/// An object about protection that cannot be read goes to `notes`: its streams are protected all the same.
pub(crate) fn read<R: Read + Seek>(
    source: &mut Source<R>,
    notes: &mut Vec<HeaderError>,
) -> Result<AsfHeader, HeaderError> {
    let head = source.read_at(0, 24, "ASF object header")?;
    let mut fields = Fields::new(&head, 0);
    let mut header = AsfHeader::default();
    if fields.array::<16>("ASF object GUID")? != HEADER {
        let objects = source.read_all("ASF objects")?;
        header.objects(Fields::new(&objects, 0), false, notes)?;
        return Ok(header);
    }
    let size = u64::from_le_bytes(fields.array("ASF Header Object size")?);
    if size < 30 {
        return Err(HeaderError::BadValue { offset: 16, field: "ASF Header Object size", value: size });
    }
    if size > SIZE_LIMIT {
        let (field, limit) = ("ASF Header Object", SIZE_LIMIT);
        return Err(HeaderError::TooLarge { offset: 0, field, size, limit });
    }
    let body = source.read_at(24, size - 24, "ASF Header Object")?;
    let mut fields = Fields::new(&body, 24);
    let count = u32::from_le_bytes(fields.array("ASF object count")?);
    fields.u8("ASF reserved field 1")?;
    let reserved = fields.u8("ASF reserved field 2")?;
    if reserved != 2 {
        return Err(HeaderError::BadValue { offset: 29, field: "ASF reserved field 2", value: reserved.into() });
    }
    let found = header.objects(fields, false, notes)?;
    if found != u64::from(count) {
        return Err(HeaderError::BadValue { offset: 24, field: "ASF object count", value: count.into() });
    }
    Ok(header)
}

impl AsfHeader {
    /// Reads objects that follow each other, and tells how many there are.
    fn objects(
        &mut self,
        mut fields: Fields<'_>,
        is_inner: bool,
        notes: &mut Vec<HeaderError>,
    ) -> Result<u64, HeaderError> {
        let mut count = 0;
        while !fields.rest().is_empty() {
            let offset = fields.offset();
            let kind: Guid = fields.array("ASF object GUID")?;
            let size = u64::from_le_bytes(fields.array("ASF object size")?);
            let bad =
                HeaderError::BadValue { offset: offset.saturating_add(16), field: "ASF object size", value: size };
            let Some(size) = size.checked_sub(24).and_then(|size| usize::try_from(size).ok()) else { return Err(bad) };
            let start = fields.offset();
            let mut body = Fields::new(fields.take(size, "ASF object").map_err(|_| bad)?, start);
            match kind {
                HEADER_EXTENSION if is_inner => {}
                HEADER_EXTENSION => self.extension(&mut body, notes)?,
                STREAM_PROPERTIES => self.stream(&mut body)?,
                EXTENDED_STREAM => self.extended_stream(&mut body)?,
                _ => {
                    let result = self.protection(kind, &mut body, offset, notes);
                    notes.extend(result.err());
                }
            }
            count += 1;
        }
        Ok(count)
    }

    /// Reads an object about protection; others say nothing about it.
    fn protection(
        &mut self,
        kind: Guid,
        fields: &mut Fields<'_>,
        offset: u64,
        notes: &mut Vec<HeaderError>,
    ) -> Result<(), HeaderError> {
        let repeated = |field| Err(HeaderError::NotAllowed { offset, field });
        self.has_protection |=
            matches!(kind, CONTENT_ENCRYPTION | EXTENDED_ENCRYPTION | PROTECTION_SYSTEM | ADVANCED_ENCRYPTION);
        match kind {
            CONTENT_ENCRYPTION if self.content_encryption.is_some() => repeated("second Content Encryption Object"),
            CONTENT_ENCRYPTION => {
                self.content_encryption = Some(ContentEncryption::parse(fields)?);
                Ok(())
            }
            EXTENDED_ENCRYPTION | PROTECTION_SYSTEM if !self.wrm_headers.is_empty() => {
                repeated("second WRMHEADER object")
            }
            EXTENDED_ENCRYPTION => self.extended(fields, notes),
            PROTECTION_SYSTEM => self.protection_system(fields, notes),
            ADVANCED_ENCRYPTION if !self.advanced.is_empty() => repeated("second Advanced Content Encryption Object"),
            ADVANCED_ENCRYPTION => self.advanced(fields),
            _ => Ok(()),
        }
    }

    fn extended(&mut self, fields: &mut Fields<'_>, notes: &mut Vec<HeaderError>) -> Result<(), HeaderError> {
        let size = u32::from_le_bytes(fields.array("Extended Content Encryption data size")?);
        let offset = fields.offset();
        let data = fields.take(size as usize, "Extended Content Encryption data")?;
        let limit = wrmheader::SIZE_LIMIT as u64 * 2;
        if u64::from(size) > limit {
            return Err(HeaderError::TooLarge { offset, field: "WRMHEADER", size: size.into(), limit });
        }
        let (text, place) = utf16(data, offset, "WRMHEADER")?;
        self.wrm_headers.push(wrmheader::parse(&text, place, notes)?);
        Ok(())
    }

    fn protection_system(&mut self, fields: &mut Fields<'_>, notes: &mut Vec<HeaderError>) -> Result<(), HeaderError> {
        if fields.array::<16>("protection system GUID")? == PLAYREADY_DATA {
            let offset = fields.offset();
            self.wrm_headers.extend(playready::parse(fields.rest(), offset, notes)?);
        }
        Ok(())
    }

    fn advanced(&mut self, fields: &mut Fields<'_>) -> Result<(), HeaderError> {
        let count = u16::from_le_bytes(fields.array("content encryption record count")?);
        for _ in 0..count {
            let record = AdvancedRecord::parse(fields)?;
            self.advanced.push(record);
        }
        Ok(())
    }

    fn stream(&mut self, fields: &mut Fields<'_>) -> Result<(), HeaderError> {
        const STREAM_LIMIT: usize = 127;
        let offset = fields.offset();
        let kind = fields.rest().first_chunk::<16>().copied();
        fields.take(48, "Stream Properties")?;
        let flags = u16::from_le_bytes(fields.array("Stream Properties flags")?);
        if self.streams.len() == STREAM_LIMIT {
            let (count, limit) = (STREAM_LIMIT as u64 + 1, STREAM_LIMIT as u64);
            return Err(HeaderError::TooMany { offset, field: "streams", count, limit });
        }
        self.streams.push(((flags & 0x7F) as u8, flags & 0x8000 != 0 || kind == Some(ENCRYPTED_COMMANDS)));
        Ok(())
    }

    /// The Extended Stream Properties Object, which may say that samples carry vectors of PlayReady, and hold the
    /// properties of a stream that stand nowhere else.
    fn extended_stream(&mut self, fields: &mut Fields<'_>) -> Result<(), HeaderError> {
        fields.take(60, "Extended Stream Properties")?;
        let names = u16::from_le_bytes(fields.array("stream name count")?);
        let systems = u16::from_le_bytes(fields.array("payload extension system count")?);
        for _ in 0..names {
            fields.take(2, "stream name language")?;
            let size = u16::from_le_bytes(fields.array("stream name length")?);
            fields.take(size.into(), "stream name")?;
        }
        for _ in 0..systems {
            let system: Guid = fields.array("payload extension system GUID")?;
            self.has_protection |= system == SAMPLE_ENCRYPTION;
            fields.take(2, "payload extension data size")?;
            let size = u32::from_le_bytes(fields.array("payload extension system info length")?);
            fields.take(size as usize, "payload extension system info")?;
        }
        if fields.rest().is_empty() {
            return Ok(());
        }
        if fields.array::<16>("ASF object GUID")? == STREAM_PROPERTIES {
            fields.take(8, "ASF object size")?;
            self.stream(fields)?;
        }
        Ok(())
    }

    /// The Header Extension Object. Another one inside it is not read, so nothing nests.
    fn extension(&mut self, fields: &mut Fields<'_>, notes: &mut Vec<HeaderError>) -> Result<(), HeaderError> {
        fields.take(18, "Header Extension reserved fields")?;
        let size = u32::from_le_bytes(fields.array("Header Extension data size")?);
        let start = fields.offset();
        let data = fields.take(size as usize, "Header Extension data")?;
        self.objects(Fields::new(data, start), true, notes).map(drop)
    }
}

impl ContentEncryption {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, HeaderError> {
        let secret_size = u32::from_le_bytes(fields.array("Secret Data length")?);
        fields.take(secret_size as usize, "Secret Data")?;
        Ok(Self {
            secret_size,
            protection_type: text(fields, "Protection Type")?,
            key_id: text(fields, "Key ID")?,
            license_url: text(fields, "License URL")?,
        })
    }
}

impl AdvancedRecord {
    fn parse(fields: &mut Fields<'_>) -> Result<Self, HeaderError> {
        /// The kind of an ID that is a stream number.
        const STREAM_NUMBER: u16 = 1;
        let offset = fields.offset();
        let system = *kid_from_guid(fields.array("content encryption System ID")?).as_bytes();
        let system = SystemId(system);
        let version = u32::from_le_bytes(fields.array("content encryption System Version")?);
        if system == SystemId::NETWORK_DEVICES && version != 1 {
            let field = "content encryption System Version";
            return Err(HeaderError::BadValue { offset: offset.saturating_add(16), field, value: version.into() });
        }
        let count = u16::from_le_bytes(fields.array("encrypted object count")?);
        let mut streams = Vec::new();
        for _ in 0..count {
            let kind = u16::from_le_bytes(fields.array("encrypted object ID type")?);
            let size = u16::from_le_bytes(fields.array("encrypted object ID length")?);
            let id = fields.take(size.into(), "encrypted object ID")?;
            if let (STREAM_NUMBER, [low, high]) = (kind, id) {
                streams.push(u16::from_le_bytes([*low, *high]));
            }
        }
        let size = u32::from_le_bytes(fields.array("content encryption data size")?);
        fields.take(size as usize, "content encryption data")?;
        Ok(Self { system, version, streams })
    }
}

/// A length, then text with its NUL.
fn text(fields: &mut Fields<'_>, field: &'static str) -> Result<String, HeaderError> {
    let size = u32::from_le_bytes(fields.array(field)?);
    let offset = fields.offset();
    let bytes = fields.take(size as usize, field)?;
    if size > TEXT_LIMIT {
        return Err(HeaderError::TooLarge { offset, field, size: size.into(), limit: TEXT_LIMIT.into() });
    }
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    utf8(bytes.get(..end).unwrap_or_default(), offset, field).map(|(text, _)| text.to_owned())
}
