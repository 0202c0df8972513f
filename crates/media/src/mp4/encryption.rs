//! The encryption parameters that `tenc` boxes and `seig` sample groups share (ISO/IEC 23001-7, 6 and 8.2).

use crate::boxes::{Fields, Mp4Box};
use crate::error::HeaderError;
use crate::track::{Iv, TrackEncryption};

pub(super) fn from_tenc(tenc: &Mp4Box<'_>) -> Result<TrackEncryption, HeaderError> {
    let mut fields = tenc.fields();
    let (offset, (version, _)) = (fields.offset(), fields.version_and_flags("tenc version")?);
    if version > 1 {
        return Err(HeaderError::BadValue { offset, field: "tenc version", value: version.into() });
    }
    read(&mut fields, version > 0)
}

/// Reads the description of a `seig` group: the parameters of each key that its samples have. That is one, unless
/// the group says that several parts of a sample have keys of their own.
pub(super) fn read_group(fields: &mut Fields<'_>) -> Result<Vec<TrackEncryption>, HeaderError> {
    const SEVERAL_KEYS: u8 = 0x80;
    if fields.rest().first().is_none_or(|first| first & SEVERAL_KEYS == 0) {
        return Ok(vec![read(fields, true)?]);
    }
    fields.u8("encryption flags")?;
    let pattern = fields.u8("encryption pattern")?;
    let is_protected = one_of(fields, &[0, 1], "encryption isProtected")? == 1;
    let offset = fields.offset();
    let count = fields.u16("encryption key_count")?;
    if count == 0 {
        return Err(HeaderError::BadValue { offset, field: "encryption key_count", value: 0 });
    }
    (0..count).map(|_| read_key(fields, pattern, is_protected)).collect()
}

/// Reads what both carriers have in common, from the first reserved byte on.
pub(super) fn read(fields: &mut Fields<'_>, has_pattern: bool) -> Result<TrackEncryption, HeaderError> {
    fields.u8("encryption reserved")?;
    let pattern = fields.u8("encryption pattern")?;
    let is_protected = one_of(fields, &[0, 1], "encryption isProtected")? == 1;
    read_key(fields, if has_pattern { pattern } else { 0 }, is_protected)
}

fn read_key(fields: &mut Fields<'_>, pattern: u8, is_protected: bool) -> Result<TrackEncryption, HeaderError> {
    let iv_size = one_of(fields, &[0, 8, 16], "encryption Per_Sample_IV_Size")?;
    let kid = fields.kid("encryption KID")?;
    let constant_iv = if is_protected && iv_size == 0 {
        let length = one_of(fields, &[8, 16], "encryption constant_IV_size")?;
        Iv::read(fields, length, "encryption constant_IV")?
    } else {
        Iv::default()
    };
    let (crypt_byte_block, skip_byte_block) = (pattern >> 4, pattern & 15);
    Ok(TrackEncryption { is_protected, iv_size, kid, constant_iv, crypt_byte_block, skip_byte_block })
}

fn one_of(fields: &mut Fields<'_>, allowed: &[u8], field: &'static str) -> Result<u8, HeaderError> {
    let offset = fields.offset();
    let value = fields.u8(field)?;
    let bad = HeaderError::BadValue { offset, field, value: value.into() };
    if allowed.contains(&value) { Ok(value) } else { Err(bad) }
}
