//! Protection system boxes (`pssh`, ISO/IEC 23001-7 8.1): reading all of them, writing ours.
//! What other systems put in their data is not interpreted here.

use crate::boxes::{Fields, Mp4Box};
use crate::error::HeaderError;
use crate::system::SystemId;
use crate::text::is_license_url;
use wmlicense_wire::id::Kid;

/// One `pssh` box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtectionSystem {
    /// The system that the box speaks for.
    pub system: SystemId,
    /// 0, or 1 if the box can list key IDs.
    pub version: u8,
    /// The key IDs that the box lists, as they stand there.
    pub kids: Vec<Kid>,
    /// The system's own data.
    pub data: Vec<u8>,
}

impl ProtectionSystem {
    pub(crate) fn parse(pssh: &Mp4Box<'_>) -> Result<Self, HeaderError> {
        let mut fields = pssh.fields();
        let (version, _) = fields.version_and_flags("pssh version")?;
        if version > 1 {
            return Err(HeaderError::BadValue {
                offset: pssh.body_offset,
                field: "pssh version",
                value: version.into(),
            });
        }
        let system = SystemId(fields.array("pssh SystemID")?);
        let kids = if version == 1 { read_kids(&mut fields)? } else { Vec::new() };
        let size = fields.count(1, "pssh DataSize")?;
        let data = fields.take(size, "pssh Data")?.to_vec();
        Ok(Self { system, version, kids, data })
    }

    /// The license URL that a box of this project's system carries.
    ///
    /// Fails if the data is no text that could be a URL: printable ASCII that begins with `http://` or `https://`.
    pub(crate) fn license_url(&self, offset: u64) -> Result<Option<&str>, HeaderError> {
        if self.system != SystemId::WMLICENSE || self.data.is_empty() {
            return Ok(None);
        }
        let url = std::str::from_utf8(&self.data).ok().filter(|url| is_license_url(url));
        url.map(Some).ok_or(HeaderError::BadText { offset, field: "pssh license URL" })
    }

    /// The whole box, as it stands in a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let listed = if self.version == 0 { 0 } else { 4 + 16 * self.kids.len() };
        let size = 8 + 4 + 16 + listed + 4 + self.data.len();
        let mut bytes = Vec::with_capacity(size);
        bytes.extend((size as u32).to_be_bytes());
        bytes.extend(b"pssh");
        bytes.extend([self.version, 0, 0, 0]);
        bytes.extend(self.system.0);
        if self.version > 0 {
            bytes.extend((self.kids.len() as u32).to_be_bytes());
            bytes.extend(self.kids.iter().flat_map(|kid| kid.as_bytes()));
        }
        bytes.extend((self.data.len() as u32).to_be_bytes());
        bytes.extend(&self.data);
        bytes
    }
}

fn read_kids(fields: &mut Fields<'_>) -> Result<Vec<Kid>, HeaderError> {
    let count = fields.count(16, "pssh KID_count")?;
    (0..count).map(|_| fields.kid("pssh KID")).collect()
}
