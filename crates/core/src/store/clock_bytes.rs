//! What the head remembers of the time, as bytes: in its columns and under its MAC.

use super::{StoreError, error::fixed};
use crate::clock::{Anchors, ClockRecord, Doubt, SinceBoot};
use std::collections::BTreeMap;
use wmlicense_wire::id::ServiceId;

/// Service ID ‖ seconds UTC.
const FLOOR_LEN: usize = 24;
/// Service ID ‖ seconds UTC beyond doubt ‖ seconds UTC of the first doubt.
const DOUBT_LEN: usize = 32;
/// Run of the system ‖ seconds; zeros where none was noted.
const LONGEST_LEN: usize = 24;

pub(super) fn encode_floors(floors: &BTreeMap<ServiceId, i64>) -> Vec<u8> {
    floors.iter().flat_map(|(service, time)| service.as_bytes().iter().copied().chain(time.to_be_bytes())).collect()
}

pub(super) fn decode_floors(bytes: &[u8]) -> Result<BTreeMap<ServiceId, i64>, StoreError> {
    let (floors, rest) = bytes.as_chunks::<FLOOR_LEN>();
    if !rest.is_empty() {
        return Err(StoreError::Tampered);
    }
    let floor = |bytes: &[u8; FLOOR_LEN]| {
        let (service, time) = bytes.split_at(16);
        Ok((ServiceId::new(fixed(service)?), i64::from_be_bytes(fixed(time)?)))
    };
    floors.iter().map(floor).collect()
}

/// Run of the system ‖ its start by each service, in the form of floors; empty without an anchor.
pub(super) fn encode_anchors(anchors: Option<&Anchors>) -> Vec<u8> {
    anchors.map_or_else(Vec::new, |anchors| [&anchors.boot[..], &encode_floors(&anchors.started)].concat())
}

pub(super) fn decode_anchors(bytes: &[u8]) -> Result<Option<Anchors>, StoreError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let (boot, started) = bytes.split_at_checked(16).ok_or(StoreError::Tampered)?;
    Ok(Some(Anchors { boot: fixed(boot)?, started: decode_floors(started)? }))
}

/// The longest time since the start of the system ‖ the doubts; empty where there is neither.
pub(super) fn encode_rest(clock: &ClockRecord) -> Vec<u8> {
    if clock.longest.is_none() && clock.doubts.is_empty() {
        return Vec::new();
    }
    let longest = clock.longest.unwrap_or(SinceBoot { boot: [0; 16], seconds: 0 });
    let mut bytes = [&longest.boot[..], &longest.seconds.to_be_bytes()].concat();
    for (service, doubt) in &clock.doubts {
        bytes.extend_from_slice(service.as_bytes());
        bytes.extend(doubt.confirmed.to_be_bytes());
        bytes.extend(doubt.since.to_be_bytes());
    }
    bytes
}

type Rest = (Option<SinceBoot>, BTreeMap<ServiceId, Doubt>);

pub(super) fn decode_rest(bytes: &[u8]) -> Result<Rest, StoreError> {
    if bytes.is_empty() {
        return Ok(Rest::default());
    }
    let (longest, doubts) = bytes.split_at_checked(LONGEST_LEN).ok_or(StoreError::Tampered)?;
    let (boot, seconds) = longest.split_at(16);
    let longest = SinceBoot { boot: fixed(boot)?, seconds: i64::from_be_bytes(fixed(seconds)?) };
    let (doubts, rest) = doubts.as_chunks::<DOUBT_LEN>();
    if !rest.is_empty() {
        return Err(StoreError::Tampered);
    }
    let time = |bytes: &[u8]| Ok::<_, StoreError>(i64::from_be_bytes(fixed(bytes)?));
    let doubt = |bytes: &[u8; DOUBT_LEN]| {
        let (service, times) = bytes.split_at(16);
        let (confirmed, since) = times.split_at(8);
        Ok((ServiceId::new(fixed(service)?), Doubt { confirmed: time(confirmed)?, since: time(since)? }))
    };
    let noted = longest != SinceBoot { boot: [0; 16], seconds: 0 };
    Ok((noted.then_some(longest), doubts.iter().map(doubt).collect::<Result<_, StoreError>>()?))
}
