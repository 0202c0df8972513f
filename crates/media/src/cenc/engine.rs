//! AES in counter and chaining mode over contiguous and patterned blocks. Blocks are handed to the cipher in runs as
//! wide as its backend computes at once: one block at a time would leave most of the vector units idle.

use super::BLOCK;
use aes::cipher::consts::U16;
use aes::cipher::typenum::Unsigned;
use aes::cipher::{
    Array, BlockCipherDecBackend, BlockCipherDecClosure, BlockCipherDecrypt, BlockCipherEncBackend,
    BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser,
};
use aes::{Aes128Dec, Aes128Enc, Block};

/// Blocks of key stream computed ahead for short ranges; a multiple of every backend's width.
const BATCH: usize = 64;
/// Up to this many left-over blocks are computed singly; more are padded to a full run, which takes less time.
const SINGLES: usize = 2;
/// The same for blocks that must first be gathered.
const PATTERN_SINGLES: usize = 8;

/// A key stream that continues from range to range.
///
/// The block counter is the low 64 bits of the counter block and wraps without a carry (ISO/IEC 23001-7, 9.3).
/// Short ranges are served from a batch of key stream, so that many of them cost as little as one long one.
pub(super) struct Ctr<'k> {
    key: &'k Aes128Enc,
    high: [u8; 8],
    counter: u64,
    batch: [Block; BATCH],
    /// Bytes of the batch that were used, and bytes that it holds.
    used: usize,
    held: usize,
    /// Blocks that the sample may still need beyond the batch: none are computed for nothing.
    wanted: usize,
}

impl<'k> Ctr<'k> {
    /// A stream from this counter block, of which no more than `blocks` blocks will be needed.
    pub(super) fn new(key: &'k Aes128Enc, block: [u8; BLOCK], blocks: usize) -> Self {
        let (high, counter) = split_counter(block);
        Self { key, high, counter, batch: [Block::default(); BATCH], used: 0, held: 0, wanted: blocks }
    }

    /// Applies the stream to every byte.
    pub(super) fn apply(&mut self, data: &mut [u8]) {
        let mut data = data;
        while !data.is_empty() {
            if self.used < self.held {
                let count = data.len().min(self.held - self.used);
                let (head, rest) = data.split_at_mut(count);
                xor(head, &Array::slice_as_flattened(&self.batch)[self.used..self.held]);
                self.used += count;
                data = rest;
            } else if data.len() >= BATCH * BLOCK {
                let (whole, rest) = data.split_at_mut(data.len() - data.len() % BLOCK);
                self.apply_directly(whole);
                data = rest;
            } else {
                self.refill();
            }
        }
    }

    /// Applies the stream to the whole blocks that the pattern picks; the counter moves with those only.
    pub(super) fn apply_blocks(&mut self, data: &mut [u8], (crypt, skip): (usize, usize)) {
        if skip == 0 {
            let group = crypt.max(1) * BLOCK;
            let length = data.len() - data.len() % group;
            return self.apply(&mut data[..length]);
        }
        for group in data.chunks_mut((crypt + skip) * BLOCK) {
            if let Some(encrypted) = group.get_mut(..crypt * BLOCK) {
                self.apply(encrypted);
            }
        }
    }

    fn apply_directly(&mut self, data: &mut [u8]) {
        let blocks = data.len() / BLOCK;
        self.key.encrypt_with_backend(CtrRun { high: self.high, counter: self.counter, data });
        self.counter = self.counter.wrapping_add(blocks as u64);
        self.wanted = self.wanted.saturating_sub(blocks);
    }

    fn refill(&mut self) {
        let count = self.wanted.clamp(1, BATCH);
        fill(&mut self.batch[..count], self.high, &mut self.counter);
        self.key.encrypt_with_backend(Wide { blocks: &mut self.batch, count });
        self.wanted = self.wanted.saturating_sub(count);
        (self.used, self.held) = (0, count * BLOCK);
    }
}

#[inline(always)]
fn counter_block(high: [u8; 8], counter: u64) -> Block {
    let mut block = Block::default();
    block[..8].copy_from_slice(&high);
    block[8..].copy_from_slice(&counter.to_be_bytes());
    block
}

/// A chain that continues from range to range.
pub(super) struct Cbc<'k> {
    key: &'k Aes128Dec,
    previous: Block,
}

impl<'k> Cbc<'k> {
    pub(super) fn new(key: &'k Aes128Dec, iv: [u8; BLOCK]) -> Self {
        Self { key, previous: iv.into() }
    }

    /// Decrypts the whole groups of this many blocks; what is left over stays clear.
    pub(super) fn apply_groups(&mut self, data: &mut [u8], blocks: usize) {
        let length = data.len() - data.len() % (blocks * BLOCK);
        if length > 0 {
            let data = &mut data[..length];
            self.key.decrypt_with_backend(CbcRun { previous: &mut self.previous, data });
        }
    }

    /// Decrypts the blocks that the pattern picks; the chain runs over those only.
    pub(super) fn apply_pattern(&mut self, data: &mut [u8], (crypt, skip): (usize, usize)) {
        let positions = Positions { next: 0, end: data.len(), left_in_group: 0, crypt, skip };
        self.key.decrypt_with_backend(CbcPattern { previous: &mut self.previous, data, positions });
    }
}

/// Offsets of the blocks that a pattern encrypts. A group of encrypted blocks that does not fit stays clear.
#[derive(Clone)]
struct Positions {
    next: usize,
    end: usize,
    left_in_group: usize,
    crypt: usize,
    skip: usize,
}

impl Positions {
    /// No more positions than this are left before the first is taken.
    #[inline(always)]
    fn at_most(&self) -> usize {
        self.end.div_ceil((self.crypt + self.skip) * BLOCK) * self.crypt
    }
}

impl Iterator for Positions {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        if self.left_in_group == 0 {
            if self.end.saturating_sub(self.next) < self.crypt * BLOCK {
                return None;
            }
            self.left_in_group = self.crypt;
        }
        let position = self.next;
        self.left_in_group -= 1;
        self.next += BLOCK * if self.left_in_group == 0 { 1 + self.skip } else { 1 };
        Some(position)
    }
}

#[inline(always)]
fn xor(data: &mut [u8], mask: &[u8]) {
    for (byte, mask) in data.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

/// Decrypts one range with a key stream of its own.
pub(super) fn apply_once(key: &Aes128Enc, block: [u8; BLOCK], data: &mut [u8]) {
    let (high, counter) = split_counter(block);
    key.encrypt_with_backend(CtrRun { high, counter, data });
}

fn split_counter(block: [u8; BLOCK]) -> ([u8; 8], u64) {
    let number = u128::from_be_bytes(block);
    (((number >> 64) as u64).to_be_bytes(), number as u64)
}

/// Key stream from the start of a block. Runs inside the backend, so that the exclusive-or uses its vector width too.
struct CtrRun<'d> {
    high: [u8; 8],
    counter: u64,
    data: &'d mut [u8],
}

impl BlockSizeUser for CtrRun<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for CtrRun<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let Self { high, mut counter, data } = self;
        let width = B::ParBlocksSize::USIZE;
        let next_blocks = |counter: &mut u64| {
            let first = *counter;
            *counter = first.wrapping_add(width as u64);
            Array::<Block, B::ParBlocksSize>::from_fn(|index| counter_block(high, first.wrapping_add(index as u64)))
        };
        let mut runs = data.chunks_exact_mut(width * BLOCK);
        for run in &mut runs {
            let mut stream = next_blocks(&mut counter);
            backend.encrypt_par_blocks_inplace(&mut stream);
            xor(run, Array::slice_as_flattened(stream.as_slice()));
        }
        let rest = runs.into_remainder();
        if rest.len() > SINGLES * BLOCK {
            let mut stream = next_blocks(&mut counter);
            backend.encrypt_par_blocks_inplace(&mut stream);
            xor(rest, Array::slice_as_flattened(stream.as_slice()));
        } else {
            for place in rest.chunks_mut(BLOCK) {
                let mut block = counter_block(high, counter);
                backend.encrypt_block_inplace(&mut block);
                xor(place, &block);
                counter = counter.wrapping_add(1);
            }
        }
    }
}

#[inline(always)]
fn fill(stream: &mut [Block], high: [u8; 8], counter: &mut u64) {
    for block in stream {
        *block = counter_block(high, *counter);
        *counter = counter.wrapping_add(1);
    }
}

/// A chain over whole blocks, inside the backend for the same reason.
struct CbcRun<'d> {
    previous: &'d mut Block,
    data: &'d mut [u8],
}

impl BlockSizeUser for CbcRun<'_> {
    type BlockSize = U16;
}

impl BlockCipherDecClosure for CbcRun<'_> {
    #[inline(always)]
    fn call<B: BlockCipherDecBackend<BlockSize = U16>>(self, backend: &B) {
        let Self { previous, data } = self;
        let (blocks, _) = Array::<u8, U16>::slice_as_chunks_mut(data);
        let (runs, rest) = Array::<Block, B::ParBlocksSize>::slice_as_chunks_mut(blocks);
        for run in runs {
            let cipher_text = run.clone();
            backend.decrypt_par_blocks_inplace(run);
            unchain(previous, run, &cipher_text);
        }
        if rest.len() > SINGLES {
            let mut padded = Array::<Block, B::ParBlocksSize>::default();
            padded[..rest.len()].copy_from_slice(rest);
            backend.decrypt_par_blocks_inplace(&mut padded);
            unchain(previous, &mut padded[..rest.len()], rest);
            rest.copy_from_slice(&padded[..rest.len()]);
        } else {
            for block in rest.iter_mut() {
                let cipher_text = *block;
                backend.decrypt_block_inplace(block);
                xor(block, previous);
                *previous = cipher_text;
            }
        }
    }
}

/// Turns decrypted blocks into plaintext, given what they were decrypted from.
#[inline(always)]
fn unchain(previous: &mut Block, blocks: &mut [Block], cipher_text: &[Block]) {
    let (Some((first, others)), Some((last, before))) = (blocks.split_first_mut(), cipher_text.split_last()) else {
        return;
    };
    xor(first, previous);
    xor(Array::slice_as_flattened_mut(others), Array::slice_as_flattened(before));
    *previous = *last;
}

/// A chain over the blocks that a pattern encrypts, gathered into full runs.
struct CbcPattern<'d> {
    previous: &'d mut Block,
    data: &'d mut [u8],
    positions: Positions,
}

impl BlockSizeUser for CbcPattern<'_> {
    type BlockSize = U16;
}

impl BlockCipherDecClosure for CbcPattern<'_> {
    #[inline(always)]
    fn call<B: BlockCipherDecBackend<BlockSize = U16>>(self, backend: &B) {
        let Self { previous, data, mut positions } = self;
        if positions.at_most() <= PATTERN_SINGLES {
            for place in positions {
                let block = &mut data[place..place + BLOCK];
                let mut decrypted = Block::default();
                decrypted.copy_from_slice(block);
                let cipher_text = decrypted;
                backend.decrypt_block_inplace(&mut decrypted);
                xor(&mut decrypted, previous);
                block.copy_from_slice(&decrypted);
                *previous = cipher_text;
            }
            return;
        }
        loop {
            let (places, mut count) = (positions.clone(), 0);
            let mut cipher_text = Array::<Block, B::ParBlocksSize>::default();
            for (block, place) in cipher_text.iter_mut().zip(&mut positions) {
                block.copy_from_slice(&data[place..place + BLOCK]);
                count += 1;
            }
            if count == 0 {
                return;
            }
            let mut blocks = cipher_text.clone();
            if count > SINGLES {
                backend.decrypt_par_blocks_inplace(&mut blocks);
            } else {
                for block in &mut blocks[..count] {
                    backend.decrypt_block_inplace(block);
                }
            }
            unchain(previous, &mut blocks[..count], &cipher_text[..count]);
            for (block, place) in blocks.iter().zip(places).take(count) {
                data[place..place + BLOCK].copy_from_slice(block);
            }
        }
    }
}

/// The first `count` blocks of a batch, each on its own.
struct Wide<'b> {
    blocks: &'b mut [Block; BATCH],
    count: usize,
}

impl BlockSizeUser for Wide<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Wide<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let padded = padded_count(self.count, B::ParBlocksSize::USIZE);
        let (runs, _) = Array::<Block, B::ParBlocksSize>::slice_as_chunks_mut(&mut self.blocks[..padded]);
        for run in runs {
            backend.encrypt_par_blocks_inplace(run);
        }
        for block in self.blocks.get_mut(padded..self.count).unwrap_or_default() {
            backend.encrypt_block_inplace(block);
        }
    }
}

/// Blocks to compute in runs of `width`: all of `count`, unless the rest is better computed singly.
fn padded_count(count: usize, width: usize) -> usize {
    let over = count % width;
    if over > SINGLES && count - over + width <= BATCH { count - over + width } else { count - over }
}
