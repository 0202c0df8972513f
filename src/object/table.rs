//! The table of handles. What C holds is a token that is looked up here, never an address.
//!
//! A token is `generation:32 | kind:8 | slot:24`, mixed with a number that differs per process so that a token of another
//! process, or a small integer, does not hit by chance. A slot changes its generation when its object leaves and is
//! retired before generations would repeat, so no token is ever valid twice.

use crate::sync::{Mutex, MutexGuard, RwLock};
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::{OnceLock, PoisonError};

const SLOT_BITS: u32 = 24;
const KIND_BITS: u32 = 8;
/// Each chunk has twice the slots of the one before; the first has one.
const CHUNKS: usize = SLOT_BITS as usize;
const SLOTS: usize = (1 << CHUNKS) - 1;

const _: () = assert!(size_of::<usize>() == size_of::<u64>(), "a token travels in a pointer");

/// The value of a handle.
pub(crate) type Token = u64;

/// A table entry could not be found, made or counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TableError {
    /// The token is not valid, or of another kind.
    Invalid,
    /// No slot or no reference is left.
    Full,
}

struct Entry<T> {
    generation: u32,
    kind: u8,
    references: u32,
    occupant: Option<T>,
}

struct Slot<T>(RwLock<Entry<T>>);

/// Handles for values that are cheap to clone.
pub(crate) struct Table<T> {
    /// Slots live in chunks that are never freed nor moved, so a lookup needs no lock but the slot's own.
    chunks: [OnceLock<Box<[Slot<T>]>>; CHUNKS],
    free: Mutex<FreeSlots>,
    salt: OnceLock<u64>,
    first_generation: u32,
}

struct FreeSlots {
    returned: Vec<u32>,
    next: usize,
}

struct Parts {
    generation: u32,
    kind: u8,
    slot: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The chunk of a slot, and where in it the slot is.
fn place(index: usize) -> (usize, usize) {
    let chunk = (index + 1).ilog2();
    (chunk as usize, index + 1 - (1 << chunk))
}

impl<T: Clone> Table<T> {
    /// An empty table.
    pub(crate) fn new() -> Self {
        Self::beginning_at(1)
    }

    /// A table whose slots begin with this generation; `new` begins with the first.
    pub(crate) fn beginning_at(first_generation: u32) -> Self {
        Self {
            chunks: [const { OnceLock::new() }; CHUNKS],
            free: Mutex::new(FreeSlots { returned: Vec::new(), next: 0 }),
            salt: OnceLock::new(),
            first_generation,
        }
    }

    fn salt(&self) -> u64 {
        *self.salt.get_or_init(|| RandomState::new().hash_one(std::process::id()))
    }

    fn token(&self, parts: &Parts) -> Token {
        let value = (parts.generation as u64) << (SLOT_BITS + KIND_BITS) | (parts.kind as u64) << SLOT_BITS;
        (value | parts.slot as u64) ^ self.salt()
    }

    fn parts(&self, token: Token) -> Parts {
        let value = token ^ self.salt();
        Parts {
            generation: (value >> (SLOT_BITS + KIND_BITS)) as u32,
            kind: (value >> SLOT_BITS) as u8,
            slot: (value & ((1 << SLOT_BITS) - 1)) as usize,
        }
    }

    fn slot(&self, index: usize) -> Option<&Slot<T>> {
        let (chunk, offset) = place(index);
        self.chunks.get(chunk)?.get()?.get(offset)
    }

    /// Takes a value in, with one reference.
    pub(crate) fn insert(&self, kind: u8, value: T) -> Result<Token, TableError> {
        loop {
            let index = self.take_slot()?;
            let (chunk, offset) = place(index);
            let slots = self.chunks.get(chunk).ok_or(TableError::Full)?.get_or_init(|| {
                let empty = || Entry { generation: self.first_generation, kind: 0, references: 0, occupant: None };
                (0..1 << chunk).map(|_| Slot(RwLock::new(empty()))).collect()
            });
            let slot = slots.get(offset).ok_or(TableError::Full)?;
            let mut entry = slot.0.write().unwrap_or_else(PoisonError::into_inner);
            let token = self.token(&Parts { generation: entry.generation, kind, slot: index });
            if token == 0 {
                // NULL is no handle: this generation of the slot is passed over.
                self.leave(&mut entry, index);
                continue;
            }
            (entry.kind, entry.references, entry.occupant) = (kind, 1, Some(value));
            return Ok(token);
        }
    }

    fn take_slot(&self) -> Result<usize, TableError> {
        let mut free = lock(&self.free);
        if let Some(index) = free.returned.pop() {
            return Ok(index as usize);
        }
        if free.next == SLOTS {
            return Err(TableError::Full);
        }
        free.next += 1;
        Ok(free.next - 1)
    }

    /// Makes every token of the entry stale and frees the slot, unless its generations are used up.
    fn leave(&self, entry: &mut Entry<T>, index: usize) -> Option<T> {
        if let Some(next) = entry.generation.checked_add(1) {
            entry.generation = next;
            lock(&self.free).returned.push(index as u32);
        }
        entry.occupant.take()
    }

    /// The value behind a token. `kind`: only if it is of this kind.
    pub(crate) fn get(&self, token: Token, kind: Option<u8>) -> Result<T, TableError> {
        let parts = self.parts(token);
        let slot = self.slot(parts.slot).ok_or(TableError::Invalid)?;
        let entry = slot.0.read().unwrap_or_else(PoisonError::into_inner);
        if !entry.is(&parts) || kind.is_some_and(|kind| kind != parts.kind) {
            return Err(TableError::Invalid);
        }
        entry.occupant.clone().ok_or(TableError::Invalid)
    }

    /// Counts one more reference.
    pub(crate) fn add_reference(&self, token: Token) -> Result<(), TableError> {
        let parts = self.parts(token);
        let slot = self.slot(parts.slot).ok_or(TableError::Invalid)?;
        let mut entry = slot.0.write().unwrap_or_else(PoisonError::into_inner);
        if !entry.is(&parts) {
            return Err(TableError::Invalid);
        }
        entry.references = entry.references.checked_add(1).ok_or(TableError::Full)?;
        Ok(())
    }

    /// Counts one reference less. The last one gives the value back; from then on the token is stale.
    pub(crate) fn release(&self, token: Token) -> Result<Option<T>, TableError> {
        let parts = self.parts(token);
        let slot = self.slot(parts.slot).ok_or(TableError::Invalid)?;
        let mut entry = slot.0.write().unwrap_or_else(PoisonError::into_inner);
        if !entry.is(&parts) {
            return Err(TableError::Invalid);
        }
        entry.references -= 1;
        Ok(if entry.references > 0 { None } else { self.leave(&mut entry, parts.slot) })
    }
}

impl<T> Entry<T> {
    fn is(&self, parts: &Parts) -> bool {
        self.occupant.is_some() && self.generation == parts.generation && self.kind == parts.kind
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const KIND: u8 = 3;

    #[test]
    fn a_released_token_stays_stale_when_its_slot_is_used_again() {
        let table = Table::new();
        let first = table.insert(KIND, 1).unwrap();
        assert_eq!(table.release(first), Ok(Some(1)));
        for round in 0..1000 {
            let token = table.insert(KIND, round).unwrap();
            assert_ne!(token, first);
            assert_eq!(table.get(first, None), Err(TableError::Invalid));
            assert_eq!(table.release(first), Err(TableError::Invalid));
            assert_eq!(table.release(token), Ok(Some(round)));
        }
    }

    #[test]
    fn another_kind_is_refused() {
        let table = Table::new();
        let token = table.insert(KIND, 1).unwrap();
        assert_eq!(table.get(token, Some(KIND)), Ok(1));
        assert_eq!(table.get(token, Some(KIND + 1)), Err(TableError::Invalid));
    }

    #[test]
    fn a_token_changed_in_any_bit_is_refused() {
        let table = Table::new();
        let token = table.insert(KIND, 1).unwrap();
        for bit in 0..64 {
            assert_eq!(table.get(token ^ 1 << bit, None), Err(TableError::Invalid), "bit {bit}");
        }
    }

    #[test]
    fn references_are_counted() {
        let table = Table::new();
        let token = table.insert(KIND, 1).unwrap();
        table.add_reference(token).unwrap();
        assert_eq!(table.release(token), Ok(None));
        assert_eq!(table.get(token, None), Ok(1));
        assert_eq!(table.release(token), Ok(Some(1)));
        assert_eq!(table.add_reference(token), Err(TableError::Invalid));
    }

    #[test]
    fn a_slot_is_retired_before_its_generations_repeat() {
        let table = Table::beginning_at(u32::MAX - 1);
        let slots: Vec<usize> = (0..3)
            .map(|value| {
                let token = table.insert(KIND, value).unwrap();
                table.release(token).unwrap();
                for stale in
                    [table.get(token, None).map(drop), table.add_reference(token), table.release(token).map(drop)]
                {
                    assert_eq!(stale, Err(TableError::Invalid));
                }
                table.parts(token).slot
            })
            .collect();
        assert_eq!(slots, [0, 0, 1]);
    }

    #[test]
    fn tokens_of_one_table_mean_nothing_to_another() {
        let tables: [Table<u8>; 4] = std::array::from_fn(|_| Table::new());
        let tokens = tables.each_ref().map(|table| table.insert(KIND, 1).unwrap());
        for (index, table) in tables.iter().enumerate() {
            let known = tokens.map(|token| table.get(token, None).is_ok());
            assert_eq!(known, std::array::from_fn(|other| other == index));
            let small = (0..100).filter(|number| table.get(*number, None).is_ok());
            assert_eq!(small.count(), 0);
        }
    }

    #[test]
    fn null_is_no_token() {
        let table = Table::new();
        // Mixed with this, the first token would be 0.
        table.salt.set(1 << (SLOT_BITS + KIND_BITS) | u64::from(KIND) << SLOT_BITS).unwrap();
        let token = table.insert(KIND, 1).unwrap();
        assert_ne!(token, 0);
        assert_eq!((table.get(0, None), table.get(token, Some(KIND))), (Err(TableError::Invalid), Ok(1)));
        assert_eq!(table.parts(token).slot, 0, "the slot is used all the same");
    }

    #[test]
    fn no_more_values_than_slots_are_taken_in() {
        let table = Table::new();
        lock(&table.free).next = SLOTS;
        assert_eq!(table.insert(KIND, 1), Err(TableError::Full));
        lock(&table.free).next = 0;
        let token = table.insert(KIND, 1).unwrap();
        table.slot(0).unwrap().0.write().unwrap().references = u32::MAX;
        assert_eq!(table.add_reference(token), Err(TableError::Full));
        assert_eq!(table.get(token, None), Ok(1));
    }

    #[test]
    fn more_objects_than_a_chunk_holds_have_handles() {
        let table = Table::new();
        let tokens: Vec<Token> = (0..5000).map(|value| table.insert(KIND, value).unwrap()).collect();
        for (value, token) in tokens.into_iter().enumerate() {
            assert_eq!(table.get(token, Some(KIND)), Ok(value));
        }
    }

    #[test]
    fn every_slot_has_a_place_of_its_own() {
        assert_eq!([0, 1, 2, 3, 6, 7].map(place), [(0, 0), (1, 0), (1, 1), (2, 0), (2, 3), (3, 0)]);
        let (chunk, offset) = place(SLOTS - 1);
        assert_eq!((chunk, offset), (CHUNKS - 1, (1 << (CHUNKS - 1)) - 1));
    }

    /// Threads race on the same few tokens; each value must be given back exactly once and never be seen afterwards.
    #[test]
    fn each_object_leaves_exactly_once_under_eight_threads() {
        struct Guest(AtomicUsize);
        let table: Table<Arc<Guest>> = Table::new();
        let tokens: [std::sync::atomic::AtomicU64; 4] = Default::default();
        let (entered, left) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let leave = |guest: Arc<Guest>| {
            assert_eq!(guest.0.fetch_add(1, Ordering::Relaxed), 0);
            left.fetch_add(1, Ordering::Relaxed);
        };
        std::thread::scope(|scope| {
            for thread in 0..8_usize {
                let (table, tokens, entered, leave) = (&table, &tokens, &entered, &leave);
                scope.spawn(move || {
                    for step in 0..20_000_usize {
                        let place = &tokens[(step / 3 + thread) % 4];
                        let token = place.load(Ordering::Relaxed);
                        match (step + thread) % 4 {
                            0 => {
                                let token = table.insert(KIND, Arc::new(Guest(AtomicUsize::new(0)))).unwrap();
                                entered.fetch_add(1, Ordering::Relaxed);
                                let before = place.swap(token, Ordering::Relaxed);
                                table.release(before).into_iter().flatten().for_each(leave);
                            }
                            1 => drop(table.get(token, Some(KIND))),
                            2 => {
                                if table.add_reference(token).is_ok() {
                                    table.release(token).into_iter().flatten().for_each(leave);
                                }
                            }
                            _ => table.release(token).into_iter().flatten().for_each(leave),
                        }
                    }
                });
            }
        });
        for place in &tokens {
            table.release(place.load(Ordering::Relaxed)).into_iter().flatten().for_each(leave);
        }
        assert_eq!(left.load(Ordering::Relaxed), entered.load(Ordering::Relaxed));
    }
}
