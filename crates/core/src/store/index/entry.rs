//! Entries of the index and their bytes: a hash with the place of a license that came, or that went.

/// Bytes of an entry: hash ‖ place; of one that went, the complement of the place.
pub(in crate::store) const ENTRY_LEN: usize = 16;

/// A license with this hash is at this place, or is there no more. Sorted by hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::store) struct Entry {
    pub(in crate::store) hash: i64,
    pub(in crate::store) place: i64,
    /// Takes one entry of the same hash and place away.
    pub(in crate::store) gone: bool,
}

impl Entry {
    pub(in crate::store) fn at(hash: i64, place: i64) -> Self {
        Self { hash, place, gone: false }
    }

    /// What takes this entry away, or back.
    pub(in crate::store) fn opposite(self) -> Self {
        Self { gone: !self.gone, ..self }
    }

    fn read(bytes: &[u8; ENTRY_LEN]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *bytes;
        let place = i64::from_be_bytes([i, j, k, l, m, n, o, p]);
        let gone = place < 0;
        Self { hash: i64::from_be_bytes([a, b, c, d, e, f, g, h]), place: if gone { !place } else { place }, gone }
    }

    fn append(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.hash.to_be_bytes());
        out.extend_from_slice(&(if self.gone { !self.place } else { self.place }).to_be_bytes());
    }
}

pub(in crate::store) fn encode(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * ENTRY_LEN);
    entries.iter().for_each(|entry| entry.append(&mut bytes));
    bytes
}

/// Entries as they stand in their bytes; `None` if these are cut.
pub(in crate::store) fn raw(bytes: &[u8]) -> Option<&[[u8; ENTRY_LEN]]> {
    let (entries, rest) = bytes.as_chunks();
    rest.is_empty().then_some(entries)
}

/// Appends the entries in the bytes, sorted and of different places each; `None`, and nothing of use, where they are not.
pub(in crate::store) fn decode(bytes: &[u8], entries: &mut Vec<Entry>) -> Option<()> {
    let start = entries.len();
    entries.extend(raw(bytes)?.iter().map(Entry::read));
    entries.get(start..)?.is_sorted_by(|a, b| a < b).then_some(())
}

/// True if one of sorted entries in bytes has this hash.
pub(in crate::store) fn has(entries: &[[u8; ENTRY_LEN]], hash: i64) -> bool {
    entries.binary_search_by_key(&hash, |entry| Entry::read(entry).hash).is_ok()
}

/// Appends those of sorted entries in bytes that have this hash.
pub(in crate::store) fn collect_raw(entries: &[[u8; ENTRY_LEN]], hash: i64, found: &mut Vec<Entry>) {
    let from = entries.partition_point(|entry| Entry::read(entry).hash < hash);
    let rest = entries.iter().skip(from).map(Entry::read);
    found.extend(rest.take_while(|entry| entry.hash == hash));
}

/// Appends those of sorted entries that have this hash.
pub(in crate::store) fn collect(entries: &[Entry], hash: i64, found: &mut Vec<Entry>) {
    let from = entries.partition_point(|entry| entry.hash < hash);
    found.extend(entries.iter().skip(from).take_while(|entry| entry.hash == hash));
}

/// Sorts entries and takes away those that take each other away.
pub(in crate::store) fn settle(entries: &mut Vec<Entry>) {
    entries.sort();
    if !entries.iter().any(|entry| entry.gone) {
        return;
    }
    let mut kept: Vec<Entry> = Vec::with_capacity(entries.len());
    for group in entries.chunk_by(|a, b| (a.hash, a.place) == (b.hash, b.place)) {
        let gone = group.iter().filter(|entry| entry.gone).count();
        let came = group.len() - gone;
        kept.extend(group.iter().filter(|entry| !entry.gone).take(came.saturating_sub(gone)));
        kept.extend(group.iter().filter(|entry| entry.gone).take(gone.saturating_sub(came)));
    }
    *entries = kept;
}

/// Two sorted runs as one.
pub(in crate::store) fn merged(a: &[Entry], b: &[Entry]) -> Vec<Entry> {
    let mut all = Vec::with_capacity(a.len() + b.len());
    all.extend_from_slice(a);
    all.extend_from_slice(b);
    // Two sorted runs in a row are what the sort is quickest with.
    settle(&mut all);
    all
}
