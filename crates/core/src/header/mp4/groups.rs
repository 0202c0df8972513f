//! Sample groups of type `seig` (ISO/IEC 23001-7, 6): encryption parameters that change within a track.

use super::super::boxes::{Fields, Mp4Box};
use super::super::error::HeaderError;
use super::encryption::TrackEncryption;
use wmlicense_wire::id::Kid;

/// From this index on a group is described in the fragment, not in the movie (ISO/IEC 14496-12, 8.9.4).
const LOCAL_GROUPS: u32 = 0x1_0000;

/// Descriptions in one box: as many as the key IDs that a header may name.
const DESCRIPTION_LIMIT: usize = 65_536;

/// Descriptions and assignment of one `stbl` or `traf`.
#[derive(Default)]
pub(super) struct Groups {
    descriptions: Vec<TrackEncryption>,
    /// Counts of samples with the index of their group; 0 for none.
    runs: Vec<(u32, u32)>,
    offset: u64,
}

impl Groups {
    pub(super) fn parse(parent: &Mp4Box<'_>) -> Result<Self, HeaderError> {
        let mut groups = Self::default();
        for child in parent.children() {
            let child = child?;
            if child.kind == *b"sgpd" && groups.descriptions.is_empty() {
                groups.descriptions = read_descriptions(&child)?;
            } else if child.kind == *b"sbgp" && groups.runs.is_empty() {
                groups.runs = read_assignment(&child)?;
                groups.offset = child.offset;
            }
        }
        Ok(groups)
    }

    /// The parameters of each sample of this part in order; `None` where the track's defaults hold. Samples that are
    /// not assigned follow without end. `movie` describes the groups that fragments share.
    pub(super) fn parameters<'g>(
        &'g self,
        movie: &'g Groups,
    ) -> impl Iterator<Item = Result<Option<&'g TrackEncryption>, HeaderError>> {
        let assigned = self.runs.iter().flat_map(|(count, index)| std::iter::repeat_n(*index, *count as usize));
        assigned
            .chain(std::iter::repeat(0))
            .map(|index| self.description(movie, index).transpose())
            .map(Option::transpose)
    }

    fn description<'g>(&'g self, movie: &'g Groups, index: u32) -> Result<Option<&'g TrackEncryption>, HeaderError> {
        let (list, place) = match index {
            0 => return Ok(None),
            index if index > LOCAL_GROUPS => (&self.descriptions, index - LOCAL_GROUPS),
            index => (&movie.descriptions, index),
        };
        let (offset, field) = (self.offset, "sbgp group_description_index");
        let bad = HeaderError::BadValue { offset, field, value: index.into() };
        list.get(place as usize - 1).map(Some).ok_or(bad)
    }
}

/// Calls `found` with the key ID of each `seig` group that a `moov` or `moof` describes.
pub(in super::super) fn group_kids(
    part: &Mp4Box<'_>,
    mut found: impl FnMut(Kid) -> Result<(), HeaderError>,
) -> Result<(), HeaderError> {
    for child in part.children() {
        let child = child?;
        let parent = match &child.kind.0 {
            b"trak" => super::sample_table(&child)?,
            b"traf" => child,
            _ => continue,
        };
        for table in parent.children() {
            let table = table?;
            if table.kind == *b"sgpd" {
                for description in read_descriptions(&table)? {
                    if description.is_protected {
                        found(description.kid)?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Reads `sgpd`; empty if it is of another grouping type.
fn read_descriptions(sgpd: &Mp4Box<'_>) -> Result<Vec<TrackEncryption>, HeaderError> {
    let mut fields = sgpd.fields();
    let (version, _) = fields.version_and_flags("sgpd version")?;
    if fields.four_cc("sgpd grouping_type")? != *b"seig" {
        return Ok(Vec::new());
    }
    let default_length = if version >= 1 { fields.u32("sgpd default_length")? } else { 0 };
    if version >= 2 {
        fields.u32("sgpd default_group_description_index")?;
    }
    let offset = fields.offset();
    let count = fields.count(20, "sgpd entry_count")?;
    if count > DESCRIPTION_LIMIT {
        let (count, limit) = (count as u64, DESCRIPTION_LIMIT as u64);
        return Err(HeaderError::TooMany { offset, field: "sgpd entry_count", count, limit });
    }
    let mut descriptions = Vec::new();
    for _ in 0..count {
        descriptions.push(match (version, default_length) {
            (0, _) => TrackEncryption::read(&mut fields, true)?,
            (_, 0) => {
                let length = fields.u32("sgpd description_length")?;
                read_sized(&mut fields, length)?
            }
            (_, length) => read_sized(&mut fields, length)?,
        });
    }
    Ok(descriptions)
}

fn read_sized(fields: &mut Fields<'_>, length: u32) -> Result<TrackEncryption, HeaderError> {
    let offset = fields.offset();
    let body = fields.take(length as usize, "sgpd entry")?;
    TrackEncryption::read(&mut Fields::new(body, offset), true)
}

/// Reads `sbgp`; empty if it is of another grouping type.
fn read_assignment(sbgp: &Mp4Box<'_>) -> Result<Vec<(u32, u32)>, HeaderError> {
    let mut fields = sbgp.fields();
    let (version, _) = fields.version_and_flags("sbgp version")?;
    if fields.four_cc("sbgp grouping_type")? != *b"seig" {
        return Ok(Vec::new());
    }
    if version >= 1 {
        fields.u32("sbgp grouping_type_parameter")?;
    }
    let count = fields.count(8, "sbgp entry_count")?;
    (0..count).map(|_| Ok((fields.u32("sbgp sample_count")?, fields.u32("sbgp group_description_index")?))).collect()
}
