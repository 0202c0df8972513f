//! A list that grows block by block, so that it never holds its items twice, and counts the memory it takes.

use std::io;
use wmlicense_wire::memory;

/// Items of a block, unless one group of items needs more.
const BLOCK: usize = 4096;

/// Items in the order in which they were added.
pub(super) struct Blocks<T> {
    blocks: Vec<Vec<T>>,
}

impl<T> Default for Blocks<T> {
    fn default() -> Self {
        Self { blocks: Vec::new() }
    }
}

impl<T> Blocks<T> {
    /// Makes room for `count` items that must lie together. Returns the bytes that this takes.
    pub(super) fn reserve(&mut self, count: usize) -> io::Result<usize> {
        if self.blocks.last().is_some_and(|block| block.capacity() - block.len() >= count) {
            return Ok(0);
        }
        let block = memory::with_capacity(BLOCK.max(count))?;
        self.blocks.try_reserve(1)?;
        let bytes = block.capacity() * size_of::<T>() + size_of::<Vec<T>>();
        self.blocks.push(block);
        Ok(bytes)
    }

    /// Adds an item, for which room was made.
    pub(super) fn push(&mut self, item: T) {
        if let Some(block) = self.blocks.last_mut() {
            block.push(item);
        }
    }

    /// The item with this number in a list whose room was made one by one.
    pub(super) fn get(&self, index: usize) -> Option<&T> {
        self.blocks.get(index / BLOCK)?.get(index % BLOCK)
    }

    pub(super) fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.blocks.get_mut(index / BLOCK)?.get_mut(index % BLOCK)
    }

    /// The items from the first on, taken in the groups in which room was made for them.
    pub(super) fn cursor(&self) -> Cursor<'_, T> {
        Cursor { blocks: &self.blocks, at: 0 }
    }

    /// The place of a cursor of this list.
    pub(super) fn mark(&self, cursor: &Cursor<'_, T>) -> Mark {
        Mark { block: self.blocks.len().saturating_sub(cursor.blocks.len()), at: cursor.at }
    }

    /// A cursor at a place that was marked.
    pub(super) fn cursor_at(&self, mark: Mark) -> Cursor<'_, T> {
        Cursor { blocks: self.blocks.get(mark.block..).unwrap_or_default(), at: mark.at }
    }
}

/// A place in a list, kept.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    block: usize,
    at: usize,
}

/// A place in a list.
pub(super) struct Cursor<'b, T> {
    blocks: &'b [Vec<T>],
    at: usize,
}

impl<'b, T> Cursor<'b, T> {
    /// The next item, which stays the next one.
    pub(super) fn peek(&self) -> Option<&'b T> {
        match self.blocks {
            [block, ..] if self.at < block.len() => block.get(self.at),
            [_, rest @ ..] => rest.first()?.first(),
            [] => None,
        }
    }

    /// The next `count` items; none where there are no more.
    pub(super) fn take(&mut self, count: usize) -> &'b [T] {
        if count == 0 {
            return &[];
        }
        while let [block, rest @ ..] = self.blocks {
            if let Some(taken) = block.get(self.at..self.at + count) {
                self.at += count;
                return taken;
            }
            (self.blocks, self.at) = (rest, 0);
        }
        &[]
    }
}
