//! Sample groups of type `seig` (ISO/IEC 23001-7, 6): encryption parameters that change within a track.

use super::super::boxes::{Fields, Mp4Box};
use super::super::error::HeaderError;
use super::encryption::TrackEncryption;
use wmlicense_wire::id::Kid;

/// From this index on a group is described in the fragment, not in the movie (ISO/IEC 14496-12, 8.9.4).
const LOCAL_GROUPS: u32 = 0x1_0000;

/// Descriptions in one box: two days of live content that changes its key every ten seconds.
const DESCRIPTION_LIMIT: usize = 1 << 14;

/// Descriptions and assignment of one `stbl` or `traf`.
pub(super) struct Groups<'a> {
    pub(super) descriptions: Vec<TrackEncryption>,
    /// Entries of `sbgp`: a count of samples and the index of their group, 0 for none.
    assignment: Fields<'a>,
    offset: u64,
}

impl<'a> Groups<'a> {
    pub(super) fn parse(parent: &Mp4Box<'a>) -> Result<Self, HeaderError> {
        let mut groups = Self { descriptions: Vec::new(), assignment: Fields::new(&[], parent.offset), offset: 0 };
        for child in parent.children() {
            let child = child?;
            if child.kind == *b"sgpd" && groups.descriptions.is_empty() {
                groups.descriptions = read_descriptions(&child)?;
            } else if child.kind == *b"sbgp" && groups.assignment.rest().is_empty() {
                groups.assignment = read_assignment(&child)?;
                groups.offset = child.offset;
            }
        }
        Ok(groups)
    }

    /// The parameters of each sample of this part in order; `None` where the track's defaults hold. Samples that are
    /// not assigned follow without end. `movie` describes the groups that fragments share.
    pub(super) fn parameters<'g>(
        &'g self,
        movie: &'g [TrackEncryption],
    ) -> impl Iterator<Item = Result<Option<&'g TrackEncryption>, HeaderError>> {
        let (mut entries, mut left, mut group) = (self.assignment.clone(), 0, 0);
        std::iter::from_fn(move || {
            while left == 0 {
                if entries.rest().is_empty() {
                    return Some(Ok(None));
                }
                let (count, index) = (entries.u32("sbgp sample_count"), entries.u32("sbgp group_description_index"));
                match (count, index) {
                    (Ok(count), Ok(index)) => {
                        left = count;
                        group = index;
                    }
                    (Err(error), _) | (_, Err(error)) => return Some(Err(error)),
                }
            }
            left -= 1;
            Some(self.description(movie, group))
        })
    }

    fn description<'g>(
        &'g self,
        movie: &'g [TrackEncryption],
        index: u32,
    ) -> Result<Option<&'g TrackEncryption>, HeaderError> {
        let (list, place) = match index {
            0 => return Ok(None),
            index if index > LOCAL_GROUPS => (self.descriptions.as_slice(), index - LOCAL_GROUPS),
            index => (movie, index),
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
    let mut descriptions = Vec::with_capacity(count);
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

/// The entries of `sbgp`; none if it is of another grouping type.
fn read_assignment<'a>(sbgp: &Mp4Box<'a>) -> Result<Fields<'a>, HeaderError> {
    let mut fields = sbgp.fields();
    let (version, _) = fields.version_and_flags("sbgp version")?;
    if fields.four_cc("sbgp grouping_type")? != *b"seig" {
        return Ok(Fields::new(&[], sbgp.offset));
    }
    if version >= 1 {
        fields.u32("sbgp grouping_type_parameter")?;
    }
    let count = fields.count(8, "sbgp entry_count")?;
    let offset = fields.offset();
    Ok(Fields::new(fields.take(count * 8, "sbgp entries")?, offset))
}
