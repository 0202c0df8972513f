//! Readers of single checked values, to be passed to [`super::Fields::required`] and [`super::Fields::optional`].

use super::{check_text, item_end};
use crate::id::Id;
use minicbor::Decoder;
use minicbor::data::Type;

/// Items that most arrays have at most; of longer ones nothing is believed before it is read.
const EXPECTED_ITEMS: u64 = 8;

/// Unsigned number.
pub fn uint(raw: &[u8]) -> Option<u64> {
    Decoder::new(raw).u64().ok()
}

/// Unsigned number of at most 32 bits.
pub(crate) fn uint32(raw: &[u8]) -> Option<u32> {
    Decoder::new(raw).u32().ok()
}

/// Signed number.
pub fn int(raw: &[u8]) -> Option<i64> {
    Decoder::new(raw).i64().ok()
}

/// Truth value.
pub fn bool(raw: &[u8]) -> Option<bool> {
    Decoder::new(raw).bool().ok()
}

/// Byte string.
pub fn bytes(raw: &[u8]) -> Option<&[u8]> {
    Decoder::new(raw).bytes().ok()
}

/// Byte string of at most `cap` bytes.
pub(crate) fn bytes_up_to(cap: usize) -> impl Fn(&[u8]) -> Option<&[u8]> {
    move |raw| bytes(raw).filter(|bytes| bytes.len() <= cap)
}

/// Text that [`super::check_text`] finds good.
pub fn text(raw: &[u8]) -> Option<String> {
    Decoder::new(raw).str().ok().filter(|text| check_text(text).is_ok()).map(str::to_owned)
}

/// Identifier as a byte string of its length.
pub fn id<const N: usize, K>(raw: &[u8]) -> Option<Id<N, K>> {
    Id::from_slice(bytes(raw)?).ok()
}

/// Array whose items are read with `item`, at most `cap` of them.
pub fn array<'a, T>(cap: usize, item: impl Fn(&'a [u8]) -> Option<T>) -> impl Fn(&'a [u8]) -> Option<Vec<T>> {
    move |raw| items(raw, cap)?.into_iter().map(&item).collect()
}

/// The raw items of an array of at most `cap` items.
pub fn items(raw: &[u8], cap: usize) -> Option<Vec<&[u8]>> {
    let mut decoder = Decoder::new(raw);
    let length = decoder.array().ok().flatten().filter(|length| *length <= cap as u64)?;
    let mut at = decoder.position();
    let mut items = Vec::with_capacity(length.min(EXPECTED_ITEMS) as usize);
    for _ in 0..length {
        let end = item_end(raw, at)?;
        items.push(raw.get(at..end)?);
        at = end;
    }
    Some(items)
}

/// The raw items of an array of exactly `N` items.
pub fn tuple<const N: usize>(raw: &[u8]) -> Option<[&[u8]; N]> {
    let mut decoder = Decoder::new(raw);
    decoder.array().ok().flatten().filter(|length| *length == N as u64)?;
    let (mut tuple, mut at) = ([raw; N], decoder.position());
    for item in &mut tuple {
        let end = item_end(raw, at)?;
        *item = raw.get(at..end)?;
        at = end;
    }
    Some(tuple)
}

/// Text-keyed map with values read by `value`, at most `cap` entries.
pub fn text_map<'a, T>(
    cap: usize,
    value: impl Fn(&'a [u8]) -> Option<T>,
) -> impl Fn(&'a [u8]) -> Option<Vec<(String, T)>> {
    move |raw| {
        let mut decoder = Decoder::new(raw);
        let length = decoder.map().ok().flatten().filter(|length| *length <= cap as u64)?;
        let mut entries = Vec::with_capacity(length.min(EXPECTED_ITEMS) as usize);
        for _ in 0..length {
            let key = decoder.str().ok().filter(|key| key.len() <= 256 && check_text(key).is_ok())?.to_owned();
            let start = decoder.position();
            let end = item_end(raw, start)?;
            entries.push((key, value(raw.get(start..end)?)?));
            decoder.set_position(end);
        }
        Some(entries)
    }
}

/// A value that may be null.
pub(crate) fn nullable<'a, T>(raw: &'a [u8], read: impl FnOnce(&'a [u8]) -> Option<T>) -> Option<Option<T>> {
    if is_null(raw) { Some(None) } else { read(raw).map(Some) }
}

/// True if the item is null.
pub fn is_null(raw: &[u8]) -> bool {
    matches!(Decoder::new(raw).datatype(), Ok(Type::Null))
}
