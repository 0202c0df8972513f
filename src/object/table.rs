//! The table of handles. What C holds is a token that is looked up here, never an address.
//!
//! A token is `generation:32 | kind:8 | slot:24`, mixed with a number that differs per process so that a token of another
//! process, or a small integer, does not hit by chance. A slot changes its generation when its object leaves and is
//! retired before generations would repeat, so no token is ever valid twice.

mod readers;
#[cfg(test)]
mod tests;

use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, Shared};
pub(crate) use readers::Reader;
use readers::Readers;
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

/// What changes a slot holds this. `generation` is that of the object in the slot, or of the next one.
struct Entry {
    generation: u32,
    references: u32,
}

struct Slot<T> {
    entry: Mutex<Entry>,
    /// Generation and kind of the object in the slot, [`EMPTY`] without one.
    state: AtomicU64,
    /// Changed under the entry's lock while `state` is [`EMPTY`] and no reader is left that saw another one.
    occupant: Shared<Option<T>>,
}

/// The state of a slot that nothing is in; generations begin with 1.
const EMPTY: u64 = 0;

// SAFETY: several threads may have a reference to the value at once, and one that changes it has it alone: see `occupant`.
unsafe impl<T: Send + Sync> Sync for Slot<T> {}

impl<T> Slot<T> {
    fn new(generation: u32) -> Self {
        let entry = Mutex::new(Entry { generation, references: 0 });
        Self { entry, state: AtomicU64::new(EMPTY), occupant: Shared::new(None) }
    }

    /// True if the object of the token is in the slot.
    fn has(&self, parts: &Parts) -> bool {
        self.state.load(Ordering::SeqCst) == parts.state()
    }
}

/// Handles for values that are cheap to clone.
pub(crate) struct Table<T> {
    /// Slots live in chunks that are never freed nor moved, so a lookup needs no lock.
    chunks: [OnceLock<Box<[Slot<T>]>>; CHUNKS],
    free: Mutex<FreeSlots>,
    readers: Readers,
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
            readers: Readers::new(),
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
            let slots = self
                .chunks
                .get(chunk)
                .ok_or(TableError::Full)?
                .get_or_init(|| (0..1 << chunk).map(|_| Slot::new(self.first_generation)).collect());
            let slot = slots.get(offset).ok_or(TableError::Full)?;
            let mut entry = lock(&slot.entry);
            let parts = Parts { generation: entry.generation, kind, slot: index };
            let token = self.token(&parts);
            if token == 0 {
                // NULL is no handle: this generation of the slot is passed over.
                self.free(&mut entry, index);
                continue;
            }
            entry.references = 1;
            // SAFETY: the slot is empty and its entry locked, so nobody else looks at the occupant.
            slot.occupant.with_mut(|occupant| unsafe { *occupant = Some(value) });
            slot.state.store(parts.state(), Ordering::SeqCst);
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

    /// Makes every token of the slot stale, waits for who looks at its object, and frees it.
    fn leave(&self, slot: &Slot<T>, entry: &mut Entry, index: usize) -> Option<T> {
        slot.state.store(EMPTY, Ordering::SeqCst);
        self.readers.wait_for(index);
        // SAFETY: no reader is left, none begins while the slot is empty, and its entry is locked.
        let occupant = slot.occupant.with_mut(|occupant| unsafe { (*occupant).take() });
        self.free(entry, index);
        occupant
    }

    /// Gives the slot its next generation and to who comes, unless its generations are used up.
    fn free(&self, entry: &mut Entry, index: usize) {
        if let Some(next) = entry.generation.checked_add(1) {
            entry.generation = next;
            lock(&self.free).returned.push(index as u32);
        }
    }

    /// Who looks objects up on one thread.
    pub(crate) fn reader(&self) -> Reader {
        self.readers.enter()
    }

    /// Shows the value behind a token. `kind`: only if it is of this kind. `look` neither waits nor calls the table: who releases the
    /// object's last reference meanwhile waits for it.
    pub(crate) fn with<R>(
        &self,
        reader: &Reader,
        (token, kind): (Token, Option<u8>),
        look: impl FnOnce(&T) -> R,
    ) -> Result<R, TableError> {
        let parts = self.parts(token);
        let slot = self.slot(parts.slot).ok_or(TableError::Invalid)?;
        let Some(_reading) = reader.begin(parts.slot) else { return self.get(token, kind).map(|value| look(&value)) };
        if !slot.has(&parts) || kind.is_some_and(|kind| kind != parts.kind) {
            return Err(TableError::Invalid);
        }
        // SAFETY: the slot had its object after the reader announced itself, and keeps it until the reader has ended.
        let looked = slot.occupant.with(|occupant| unsafe { (*occupant).as_ref().map(look) });
        looked.ok_or(TableError::Invalid)
    }

    /// The value behind a token, for who has no reader.
    pub(crate) fn get(&self, token: Token, kind: Option<u8>) -> Result<T, TableError> {
        let parts = self.parts(token);
        let slot = self.slot(parts.slot).ok_or(TableError::Invalid)?;
        let _entry = lock(&slot.entry);
        if !slot.has(&parts) || kind.is_some_and(|kind| kind != parts.kind) {
            return Err(TableError::Invalid);
        }
        // SAFETY: the occupant changes under the entry's lock only.
        slot.occupant.with(|occupant| unsafe { (*occupant).clone() }).ok_or(TableError::Invalid)
    }

    /// Counts one more reference.
    pub(crate) fn add_reference(&self, token: Token) -> Result<(), TableError> {
        let parts = self.parts(token);
        let slot = self.slot(parts.slot).ok_or(TableError::Invalid)?;
        let mut entry = lock(&slot.entry);
        if !slot.has(&parts) {
            return Err(TableError::Invalid);
        }
        entry.references = entry.references.checked_add(1).ok_or(TableError::Full)?;
        Ok(())
    }

    /// Counts one reference less. The last one gives the value back; from then on the token is stale.
    pub(crate) fn release(&self, token: Token) -> Result<Option<T>, TableError> {
        let parts = self.parts(token);
        let slot = self.slot(parts.slot).ok_or(TableError::Invalid)?;
        let mut entry = lock(&slot.entry);
        if !slot.has(&parts) {
            return Err(TableError::Invalid);
        }
        entry.references -= 1;
        Ok(if entry.references > 0 { None } else { self.leave(slot, &mut entry, parts.slot) })
    }
}

impl Parts {
    /// The state of the slot while this object is in it.
    fn state(&self) -> u64 {
        u64::from(self.generation) << KIND_BITS | u64::from(self.kind)
    }
}
