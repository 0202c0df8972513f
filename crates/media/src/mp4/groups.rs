//! Sample groups of type `seig` (ISO/IEC 23001-7, 6): encryption parameters that change within a track.

use super::{encryption, movie};
use crate::boxes::{Fields, Mp4Box};
use crate::error::HeaderError;
use crate::fourcc::FourCc;
use crate::track::TrackEncryption;
use wmlicense_wire::id::Kid;
use wmlicense_wire::memory;

/// From this index on a group is described in the fragment, not in the movie (ISO/IEC 14496-12, 8.9.4).
const LOCAL_GROUPS: u32 = 0x1_0000;

/// Descriptions in one box: two days of live content that changes its key every ten seconds.
const DESCRIPTION_LIMIT: usize = 1 << 14;

/// The descriptions of an `sgpd` box.
#[derive(Default, Clone)]
pub(super) struct Descriptions {
    /// The keys of each group; none for one that cannot be read.
    list: Vec<Vec<TrackEncryption>>,
    /// The group of samples that are assigned to none, from 1; 0 for none.
    default: u32,
    offset: u64,
}

/// Descriptions and assignment of one `stbl` or `traf`.
pub(super) struct Groups<'a> {
    pub(super) descriptions: Descriptions,
    /// Entries of `sbgp`: a count of samples and the index of their group, 0 for none.
    assignment: Fields<'a>,
    offset: u64,
}

impl<'a> Groups<'a> {
    pub(super) fn parse(parent: &Mp4Box<'a>) -> Result<Self, HeaderError> {
        let (descriptions, assignment) = (Descriptions::default(), Fields::new(&[], parent.offset));
        let mut groups = Self { descriptions, assignment, offset: 0 };
        let (mut is_described, mut is_assigned) = (false, false);
        for child in parent.children() {
            let child = child?;
            let kind = &child.kind.0;
            if !matches!(kind, b"sgpd" | b"sbgp" | b"csgp") || grouping_type(&child)? != *b"seig" {
                continue;
            }
            // Two boxes of one kind would be a choice between keys; the compact form is not read.
            let is_second = if kind == b"sgpd" { &mut is_described } else { &mut is_assigned };
            if kind == b"csgp" || std::mem::replace(is_second, true) {
                return Err(HeaderError::NotSupported { offset: child.offset, field: "csgp or second box of seig" });
            }
            if kind == b"sgpd" {
                groups.descriptions = read_descriptions(&child, None)?;
            } else {
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
        movie: &'g Descriptions,
    ) -> impl Iterator<Item = Result<Option<&'g TrackEncryption>, HeaderError>> {
        let (mut entries, mut left, mut group) = (self.assignment.clone(), 0, 0);
        std::iter::from_fn(move || {
            while left == 0 {
                if entries.rest().is_empty() {
                    return Some(self.default(movie));
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

    /// What holds for samples that are not assigned: the default of the fragment, or of the movie.
    fn default<'g>(&'g self, movie: &'g Descriptions) -> Result<Option<&'g TrackEncryption>, HeaderError> {
        match (self.descriptions.default, movie.default) {
            (0, 0) => Ok(None),
            (0, index) => movie.get(index, movie.offset).map(Some),
            // Its own box is meant, whether or not the index says so.
            (index, _) => self.descriptions.get(index % LOCAL_GROUPS, self.descriptions.offset).map(Some),
        }
    }

    fn description<'g>(
        &'g self,
        movie: &'g Descriptions,
        index: u32,
    ) -> Result<Option<&'g TrackEncryption>, HeaderError> {
        match index {
            0 => Ok(None),
            index if index > LOCAL_GROUPS => self.descriptions.get(index - LOCAL_GROUPS, self.offset).map(Some),
            index => movie.get(index, self.offset).map(Some),
        }
    }
}

impl Descriptions {
    /// The parameters of a group's samples, by its number from 1.
    fn get(&self, index: u32, offset: u64) -> Result<&TrackEncryption, HeaderError> {
        let field = "sbgp group_description_index";
        let bad = HeaderError::BadValue { offset, field, value: index.into() };
        match (index as usize).checked_sub(1).and_then(|index| self.list.get(index)).map(Vec::as_slice) {
            None => Err(bad),
            Some([one]) => Ok(one),
            Some([]) => Err(HeaderError::NotSupported { offset: self.offset, field: "seig group" }),
            Some(_) => {
                Err(HeaderError::NotSupported { offset: self.offset, field: "several keys for one sample (seig)" })
            }
        }
    }
}

pub(super) fn grouping_type(group: &Mp4Box<'_>) -> Result<FourCc, HeaderError> {
    let mut fields = group.fields();
    fields.version_and_flags("grouping version")?;
    fields.four_cc("grouping_type")
}

/// Calls `found` with the key ID of each `seig` group that a `moov` or `moof` describes. Descriptions that cannot be read
/// go to `notes`.
pub(crate) fn group_kids(
    part: &Mp4Box<'_>,
    notes: &mut Vec<HeaderError>,
    mut found: impl FnMut(Kid) -> Result<(), HeaderError>,
) -> Result<(), HeaderError> {
    for child in part.children() {
        let child = child?;
        let parent = match &child.kind.0 {
            b"trak" => movie::sample_table(&child)?,
            b"traf" => child,
            _ => continue,
        };
        for table in parent.children() {
            let table = table?;
            if table.kind != *b"sgpd" || !grouping_type(&table).is_ok_and(|kind| kind == *b"seig") {
                continue;
            }
            match read_descriptions(&table, Some(notes)) {
                Ok(groups) => {
                    for key in groups.list.iter().flatten().filter(|key| key.is_protected) {
                        found(key.kid)?;
                    }
                }
                Err(error) => notes.push(error),
            }
        }
    }
    Ok(())
}

/// Reads an `sgpd` of type `seig`. A group that cannot be read is left empty where `notes` take the reason, or where its
/// length is known; then only its samples cannot be.
fn read_descriptions(sgpd: &Mp4Box<'_>, mut notes: Option<&mut Vec<HeaderError>>) -> Result<Descriptions, HeaderError> {
    let mut fields = sgpd.fields();
    let (offset, (version, _)) = (fields.offset(), fields.version_and_flags("sgpd version")?);
    fields.four_cc("sgpd grouping_type")?;
    if version > 3 {
        return Err(HeaderError::BadValue { offset, field: "sgpd version", value: version.into() });
    }
    let default_length = if version >= 1 { fields.u32("sgpd default_length")? } else { 0 };
    let default = if version >= 2 { fields.u32("sgpd default_group_description_index")? } else { 0 };
    let offset = fields.offset();
    let count = fields.count(20, "sgpd entry_count")?;
    if count > DESCRIPTION_LIMIT {
        let (count, limit) = (count as u64, DESCRIPTION_LIMIT as u64);
        return Err(HeaderError::TooMany { offset, field: "sgpd entry_count", count, limit });
    }
    let mut list = memory::with_capacity(count)?;
    for _ in 0..count {
        if version == 0 {
            list.push(encryption::read_group(&mut fields)?);
            continue;
        }
        let length = if default_length == 0 { fields.u32("sgpd description_length")? } else { default_length };
        let offset = fields.offset();
        let body = fields.take(length as usize, "sgpd entry")?;
        list.push(encryption::read_group(&mut Fields::new(body, offset)).unwrap_or_else(|error| {
            if let Some(notes) = notes.as_deref_mut() {
                notes.push(error);
            }
            Vec::new()
        }));
    }
    Ok(Descriptions { list, default, offset: sgpd.offset })
}

/// The entries of an `sbgp` of type `seig`.
fn read_assignment<'a>(sbgp: &Mp4Box<'a>) -> Result<Fields<'a>, HeaderError> {
    let mut fields = sbgp.fields();
    let (offset, (version, _)) = (fields.offset(), fields.version_and_flags("sbgp version")?);
    if version > 1 {
        return Err(HeaderError::BadValue { offset, field: "sbgp version", value: version.into() });
    }
    fields.four_cc("sbgp grouping_type")?;
    if version == 1 {
        fields.u32("sbgp grouping_type_parameter")?;
    }
    let count = fields.count(8, "sbgp entry_count")?;
    let offset = fields.offset();
    Ok(Fields::new(fields.take(count * 8, "sbgp entries")?, offset))
}
