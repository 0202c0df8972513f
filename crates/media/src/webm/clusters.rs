//! Frames of one track of WebM: each block's head, the signal byte of a protected frame, its vector and its partitions.

use super::tracks::{WebmTrack, parse_tracks};
use super::walk::{CLUSTER, Enter, TRACKS, Walk};
use crate::boxes::Fields;
use crate::cenc::Subsample;
use crate::ebml::{Head, read_vint};
use crate::error::HeaderError;
use crate::source::Source;
use crate::table::{Parameters, Rows};
use crate::track::Iv;
use std::io::{Read, Seek};

const BLOCK: u32 = 0xA1;
const SIMPLE_BLOCK: u32 = 0xA3;

/// Bytes at the start of a block that are read: track number, time, flags, then signal byte, vector and number of
/// partitions. The partitions themselves are read where there are any.
const BLOCK_HEAD: u64 = 8 + 3 + 10;

/// Bits of the signal byte.
const ENCRYPTED: u8 = 1;
const PARTITIONED: u8 = 2;
const EXTENSION: u8 = 0x80;

/// Reads the frames of a track.
pub(crate) fn read_samples<R: Read + Seek>(source: &mut Source<R>, wanted: u32) -> Result<Rows, HeaderError> {
    let mut walk = Walk::begin(source)?;
    let (mut frames, mut rows) = (None, Rows::default());
    while let Some(head) = walk.next(source, Enter::All)? {
        match (head.id, &frames) {
            (TRACKS, None) => frames = Some(Frames::find(parse_tracks(source, &head)?, wanted, head.offset)?),
            // Segments that follow each other repeat their tracks, or have others.
            (TRACKS, Some(frames)) if *frames != Frames::find(parse_tracks(source, &head)?, wanted, head.offset)? => {
                return Err(HeaderError::NotSupported { offset: head.offset, field: "second Tracks" });
            }
            (SIMPLE_BLOCK | BLOCK, Some(frames)) => frames.add_block(source, &head, &mut rows)?,
            (SIMPLE_BLOCK | BLOCK | CLUSTER, None) => {
                return Err(HeaderError::Missing { offset: head.offset, field: "Tracks before the first block" });
            }
            _ => {}
        }
    }
    if frames.is_none() { Err(walk.missing_tracks()) } else { Ok(rows) }
}

/// What all frames of a track share.
#[derive(PartialEq, Eq)]
struct Frames {
    number: u64,
    /// `None` if frames have no signal byte.
    parameters: Option<Parameters>,
}

impl Frames {
    fn find(tracks: Vec<WebmTrack>, wanted: u32, offset: u64) -> Result<Self, HeaderError> {
        let track = tracks.into_iter().find(|found| found.track.id == wanted);
        let WebmTrack { track, other_encoding, note: _ } = track.ok_or(HeaderError::NoSuchTrack { track: wanted })?;
        if let Some((offset, value)) = other_encoding {
            return Err(HeaderError::BadValue { offset, field: "ContentEncodingType", value });
        }
        let Some(protection) = track.protection() else { return Ok(Self { number: wanted.into(), parameters: None }) };
        let unknown = HeaderError::UnknownScheme { track: wanted, scheme: protection.scheme };
        let scheme = protection.cipher.ok_or(unknown)?;
        let missing = HeaderError::Missing { offset, field: "ContentEncKeyID of 16 bytes" };
        let encryption = protection.defaults.ok_or(missing)?;
        Ok(Self { number: wanted.into(), parameters: Some(Parameters { scheme, encryption }) })
    }

    fn add_block<R: Read + Seek>(
        &self,
        source: &mut Source<R>,
        block: &Head,
        rows: &mut Rows,
    ) -> Result<(), HeaderError> {
        let size = block.size.unwrap_or_default();
        let bytes = source.peek(block.body, BLOCK_HEAD.min(size))?;
        let mut fields = Fields::new(&bytes, block.body);
        if read_vint(&mut fields, "block track number")? != Some(self.number) {
            return Ok(());
        }
        fields.u16("block timestamp")?;
        let (offset, flags) = (fields.offset(), fields.u8("block flags")?);
        if flags & 0x06 != 0 {
            return Err(HeaderError::BadValue { offset, field: "block lacing", value: (flags >> 1 & 3).into() });
        }
        let end = block.body.saturating_add(size);
        source.check_end(end, "block")?;
        let Some(parameters) = self.parameters else { return push(rows, fields.offset(), end, block) };
        let signal = fields.u8("block signal byte")?;
        if signal & EXTENSION != 0 {
            let (offset, value) = (fields.offset() - 1, signal.into());
            return Err(HeaderError::BadValue { offset, field: "block signal byte", value });
        }
        if signal & ENCRYPTED == 0 {
            return push(rows, fields.offset(), end, block);
        }
        let iv = Iv::read(&mut fields, 8, "block vector")?;
        let index = rows.len();
        if signal & PARTITIONED == 0 {
            push(rows, fields.offset(), end, block)?;
            rows.assign(index, Some(parameters), block.offset)?;
            return rows.set_protection(index, &iv, [].into_iter(), block.offset);
        }
        let partitions = Partitions::read(source, &mut fields, end)?;
        push(rows, partitions.frame, end, block)?;
        if partitions.ranges.iter().any(|range| range.encrypted > 0) {
            rows.assign(index, Some(parameters), block.offset)?;
            rows.set_protection(index, &iv, partitions.ranges.into_iter().map(Ok), block.offset)?;
        }
        Ok(())
    }
}

/// Clear and encrypted ranges of a frame, given as offsets in it; the first is clear.
struct Partitions {
    /// Where the frame begins.
    frame: u64,
    ranges: Vec<Subsample>,
}

impl Partitions {
    /// Reads the table whose count is the next field. The frame reaches from its end to `end`.
    fn read<R: Read + Seek>(source: &mut Source<R>, fields: &mut Fields<'_>, end: u64) -> Result<Self, HeaderError> {
        let count = u64::from(fields.u8("block num_partitions")?);
        let (table, field) = (fields.offset(), "block partition offset");
        let frame = table + 4 * count;
        let size = end.checked_sub(frame).ok_or(HeaderError::Truncated { offset: table, field })?;
        let size = u32::try_from(size).map_err(|_| HeaderError::BadValue { offset: table, field, value: size })?;
        let bytes = source.read_at(table, 4 * count, field)?;
        let mut offsets = Fields::new(&bytes, table);
        let mut ranges: Vec<Subsample> = Vec::with_capacity(count as usize / 2 + 1);
        let mut before = 0;
        for index in 0..=count {
            let place = offsets.offset();
            let next = if index == count { size } else { offsets.u32(field)? };
            if next > size {
                return Err(HeaderError::BadValue { offset: place, field, value: next.into() });
            }
            let bad = HeaderError::BadValue { offset: place, field, value: next.into() };
            let length = u32::checked_sub(next, before).ok_or(bad)?;
            match ranges.last_mut() {
                Some(range) if index % 2 == 1 => range.encrypted = length,
                _ => ranges.push(Subsample { clear: length, encrypted: 0 }),
            }
            before = next;
        }
        Ok(Self { frame, ranges })
    }
}

/// Adds the frame from `offset` to `end`, clear for the time being.
fn push(rows: &mut Rows, offset: u64, end: u64, block: &Head) -> Result<(), HeaderError> {
    let size = end.saturating_sub(offset);
    let size = u32::try_from(size).map_err(|_| block.bad_size())?;
    rows.push(offset, size, 0)
}
