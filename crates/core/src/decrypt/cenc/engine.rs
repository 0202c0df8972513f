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

/// Blocks gathered from a pattern before they go to the cipher; a multiple of every backend's width.
const BATCH: usize = 64;
/// Up to this many left-over blocks are computed singly; more are padded to a full run, which costs less.
const SINGLES: usize = 2;

/// A key stream that continues from range to range.
///
/// The block counter is the low 64 bits of the counter block and wraps without a carry (ISO/IEC 23001-7, 9.3).
pub(super) struct Ctr<'k> {
    key: &'k Aes128Enc,
    high: [u8; 8],
    counter: u64,
    /// The block of key stream that the previous range ended in, and how much of it is used.
    partial: Block,
    used: usize,
}

impl<'k> Ctr<'k> {
    pub(super) fn new(key: &'k Aes128Enc, block: [u8; BLOCK]) -> Self {
        let number = u128::from_be_bytes(block);
        let (high, counter) = (((number >> 64) as u64).to_be_bytes(), number as u64);
        Self { key, high, counter, partial: Block::default(), used: 0 }
    }

    /// Applies the stream to every byte.
    pub(super) fn apply(&mut self, data: &mut [u8]) {
        let mut data = data;
        if self.used > 0 {
            let count = data.len().min(BLOCK - self.used);
            let (head, rest) = data.split_at_mut(count);
            xor(head, &self.partial[self.used..]);
            self.used = (self.used + count) % BLOCK;
            data = rest;
        }
        let (whole, tail) = data.split_at_mut(data.len() - data.len() % BLOCK);
        self.apply_contiguous(whole);
        if !tail.is_empty() {
            self.partial = self.counter_block();
            self.key.encrypt_block(&mut self.partial);
            self.counter = self.counter.wrapping_add(1);
            xor(tail, &self.partial);
            self.used = tail.len();
        }
    }

    /// Applies the stream to the whole blocks that the pattern picks; the counter moves with those only.
    pub(super) fn apply_blocks(&mut self, data: &mut [u8], (crypt, skip): (usize, usize)) {
        if skip == 0 {
            let group = crypt.max(1) * BLOCK;
            let length = data.len() - data.len() % group;
            return self.apply_contiguous(&mut data[..length]);
        }
        let mut positions = Positions::new(data.len(), crypt, skip);
        let (mut at, mut stream) = ([0; BATCH], [Block::default(); BATCH]);
        loop {
            let count = positions.take_into(&mut at);
            if count == 0 {
                return;
            }
            for block in &mut stream[..count] {
                *block = self.counter_block();
                self.counter = self.counter.wrapping_add(1);
            }
            self.key.encrypt_with_backend(Wide { blocks: &mut stream, count });
            for (block, position) in stream.iter().zip(&at[..count]) {
                xor(&mut data[*position..*position + BLOCK], block);
            }
        }
    }

    fn apply_contiguous(&mut self, data: &mut [u8]) {
        if data.is_empty() {
            return;
        }
        let blocks = (data.len() / BLOCK) as u64;
        self.key.encrypt_with_backend(CtrRun { high: self.high, counter: self.counter, data });
        self.counter = self.counter.wrapping_add(blocks);
    }

    fn counter_block(&self) -> Block {
        counter_block(self.high, self.counter)
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

    /// Decrypts the whole blocks that the pattern picks; the chain runs over those only.
    pub(super) fn apply_blocks(&mut self, data: &mut [u8], (crypt, skip): (usize, usize)) {
        if skip == 0 {
            let group = crypt.max(1) * BLOCK;
            let length = data.len() - data.len() % group;
            if length > 0 {
                let data = &mut data[..length];
                self.key.decrypt_with_backend(CbcRun { previous: &mut self.previous, data });
            }
            return;
        }
        let mut positions = Positions::new(data.len(), crypt, skip);
        let (mut at, mut blocks) = ([0; BATCH], [Block::default(); BATCH]);
        loop {
            let count = positions.take_into(&mut at);
            if count == 0 {
                return;
            }
            for (block, position) in blocks.iter_mut().zip(&at[..count]) {
                block.copy_from_slice(&data[*position..*position + BLOCK]);
            }
            self.key.decrypt_with_backend(Wide { blocks: &mut blocks, count });
            for (block, position) in blocks.iter_mut().zip(&at[..count]) {
                let place = &mut data[*position..*position + BLOCK];
                xor(block, &self.previous);
                self.previous.copy_from_slice(place);
                place.copy_from_slice(block);
            }
        }
    }
}

/// Offsets of the blocks that a pattern encrypts. A group of encrypted blocks that does not fit stays clear.
struct Positions {
    next: usize,
    end: usize,
    left_in_group: usize,
    crypt: usize,
    skip: usize,
}

impl Positions {
    fn new(end: usize, crypt: usize, skip: usize) -> Self {
        Self { next: 0, end, left_in_group: 0, crypt, skip }
    }

    fn take_into(&mut self, at: &mut [usize; BATCH]) -> usize {
        let mut count = 0;
        while count < BATCH {
            if self.left_in_group == 0 {
                if self.end.saturating_sub(self.next) < self.crypt * BLOCK {
                    break;
                }
                self.left_in_group = self.crypt;
            }
            at[count] = self.next;
            count += 1;
            self.next += BLOCK;
            self.left_in_group -= 1;
            if self.left_in_group == 0 {
                self.next += self.skip * BLOCK;
            }
        }
        count
    }
}

#[inline(always)]
fn xor(data: &mut [u8], mask: &[u8]) {
    for (byte, mask) in data.iter_mut().zip(mask) {
        *byte ^= mask;
    }
}

/// Key stream over whole blocks. Runs inside the backend, so that the exclusive-or uses its vector width too.
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
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(mut self, backend: &B) {
        let mut stream = Array::<Block, B::ParBlocksSize>::default();
        let mut runs = self.data.chunks_exact_mut(B::ParBlocksSize::USIZE * BLOCK);
        for run in &mut runs {
            fill(&mut stream, self.high, &mut self.counter);
            backend.encrypt_par_blocks_inplace(&mut stream);
            xor(run, Array::slice_as_flattened(stream.as_slice()));
        }
        let rest = runs.into_remainder();
        let count = rest.len() / BLOCK;
        fill(&mut stream[..count], self.high, &mut self.counter);
        if count > SINGLES {
            backend.encrypt_par_blocks_inplace(&mut stream);
        } else {
            for block in &mut stream[..count] {
                backend.encrypt_block_inplace(block);
            }
        }
        xor(rest, Array::slice_as_flattened(stream.as_slice()));
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
        let mut blocks = Array::<Block, B::ParBlocksSize>::default();
        let mut runs = data.chunks_exact_mut(B::ParBlocksSize::USIZE * BLOCK);
        for run in &mut runs {
            Array::slice_as_flattened_mut(blocks.as_mut_slice()).copy_from_slice(run);
            backend.decrypt_par_blocks_inplace(&mut blocks);
            unchain(previous, run, Array::slice_as_flattened_mut(blocks.as_mut_slice()));
        }
        let rest = runs.into_remainder();
        let count = rest.len() / BLOCK;
        Array::slice_as_flattened_mut(&mut blocks[..count]).copy_from_slice(rest);
        if count > SINGLES {
            backend.decrypt_par_blocks_inplace(&mut blocks);
        } else {
            for block in &mut blocks[..count] {
                backend.decrypt_block_inplace(block);
            }
        }
        unchain(previous, rest, Array::slice_as_flattened_mut(&mut blocks[..count]));
    }
}

/// Turns `data` from ciphertext into plaintext, given its blocks decrypted; both have the same length.
#[inline(always)]
fn unchain(previous: &mut Block, data: &mut [u8], decrypted: &mut [u8]) {
    let Some(last) = data.last_chunk::<BLOCK>().copied() else { return };
    let (first, others) = decrypted.split_at_mut(BLOCK);
    xor(first, previous);
    xor(others, data);
    data.copy_from_slice(decrypted);
    *previous = last.into();
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

impl BlockCipherDecClosure for Wide<'_> {
    #[inline(always)]
    fn call<B: BlockCipherDecBackend<BlockSize = U16>>(self, backend: &B) {
        let padded = padded_count(self.count, B::ParBlocksSize::USIZE);
        let (runs, _) = Array::<Block, B::ParBlocksSize>::slice_as_chunks_mut(&mut self.blocks[..padded]);
        for run in runs {
            backend.decrypt_par_blocks_inplace(run);
        }
        for block in self.blocks.get_mut(padded..self.count).unwrap_or_default() {
            backend.decrypt_block_inplace(block);
        }
    }
}

/// Blocks to compute in runs of `width`: all of `count`, unless so few are over that single steps are cheaper.
fn padded_count(count: usize, width: usize) -> usize {
    let over = count % width;
    if over > SINGLES && count - over + width <= BATCH { count - over + width } else { count - over }
}
