//! The Protected Interoperable File Format 1.1, from which Common Encryption grew: the same data in `uuid` boxes, and an
//! algorithm number instead of a scheme. Files of the time between have both forms; the standard's own is then read.

use crate::boxes::{Children, Fields, Mp4Box};
use crate::cenc::Scheme;
use crate::error::HeaderError;
use crate::fourcc::FourCc;
use crate::track::{Iv, TrackEncryption};

/// The scheme type of its `schm` box.
pub(super) const SCHEME: FourCc = FourCc(*b"piff");
/// `pssh` box: the same body behind an extended type.
pub(crate) const PSSH: [u8; 16] = 0xD08A_4F18_10F3_4A82_B6C8_32D8_ABA1_83D3_u128.to_be_bytes();
const TRACK_ENCRYPTION: [u8; 16] = 0x8974_DBCE_7BE7_4C51_84F9_7148_F988_2554_u128.to_be_bytes();
pub(super) const SAMPLE_ENCRYPTION: [u8; 16] = 0xA239_4F52_5A9B_4F14_A244_6C42_7C64_8DF4_u128.to_be_bytes();

/// The defaults of a track, in its `schi`.
pub(super) fn track_encryption(schi: &Mp4Box<'_>) -> Result<Option<(Option<Scheme>, TrackEncryption)>, HeaderError> {
    let Some(found) = find(schi.children(), TRACK_ENCRYPTION)? else { return Ok(None) };
    let mut fields = found.fields();
    let (offset, (version, _)) = (fields.offset(), fields.version_and_flags("PIFF track encryption version")?);
    if version > 0 {
        let field = "PIFF track encryption version";
        return Err(HeaderError::BadValue { offset, field, value: version.into() });
    }
    read_parameters(&mut fields).map(Some)
}

/// Per-sample data of a fragment, in its `traf`.
pub(super) fn sample_encryption<'a>(traf: &Mp4Box<'a>) -> Result<Option<Mp4Box<'a>>, HeaderError> {
    find(traf.children(), SAMPLE_ENCRYPTION)
}

/// Parameters as a track and a fragment give them: algorithm, size of the vectors, key ID.
pub(super) fn read_parameters(fields: &mut Fields<'_>) -> Result<(Option<Scheme>, TrackEncryption), HeaderError> {
    let offset = fields.offset();
    let word = fields.u32("PIFF AlgorithmID")?;
    let (algorithm, iv_size) = (word >> 8, word as u8);
    let (cipher, allowed): (_, &[u8]) = match algorithm {
        0 => (None, &[0, 8, 16]),
        1 => (Some(Scheme::Cenc), &[8, 16]),
        2 => (Some(Scheme::Cbc1), &[16]),
        value => return Err(HeaderError::BadValue { offset, field: "PIFF AlgorithmID", value: value.into() }),
    };
    if !allowed.contains(&iv_size) {
        return Err(HeaderError::BadValue { offset, field: "PIFF IV_size", value: iv_size.into() });
    }
    let (kid, constant_iv) = (fields.kid("PIFF KID")?, Iv::default());
    let is_protected = algorithm != 0;
    Ok((cipher, TrackEncryption { is_protected, iv_size, kid, constant_iv, crypt_byte_block: 0, skip_byte_block: 0 }))
}

fn find<'a>(children: Children<'a>, extended: [u8; 16]) -> Result<Option<Mp4Box<'a>>, HeaderError> {
    for child in children {
        let child = child?;
        if child.extended == Some(extended) {
            return Ok(Some(child));
        }
    }
    Ok(None)
}
