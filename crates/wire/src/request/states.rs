//! The states of stored licenses that a request tells of.

use crate::cbor::{CborError, Fields, MapWriter, read, write};
use crate::id::Lid;
use crate::license::State;

pub(super) fn encode_states(licenses: &[(Lid, State)]) -> Vec<u8> {
    write::array(licenses.iter().map(|(lid, state)| write::array([write::bytes(lid), state.encode()])))
}

pub(super) fn read_states(cap: usize) -> impl Fn(&[u8]) -> Option<Vec<(Lid, State)>> {
    move |raw| {
        read::array(cap, |raw| {
            let [lid, state] = read::tuple(raw)?;
            Some((read::id(lid)?, State::of_checked(state)?))
        })(raw)
    }
}

/// Adds the states of stored licenses that a request about a backup tells of; a field that is empty is not there.
pub(super) fn encode_usage(map: MapWriter, field: u64, usage: &[(Lid, State)]) -> MapWriter {
    if usage.is_empty() { map } else { map.raw(field, &encode_states(usage)) }
}

pub(super) fn read_usage(fields: &mut Fields<'_>, field: u64, cap: usize) -> Result<Vec<(Lid, State)>, CborError> {
    let usage = fields.optional(field, |raw| read_states(cap)(raw).filter(|usage| !usage.is_empty()))?;
    Ok(usage.unwrap_or_default())
}
