//! Common Encryption (ISO/IEC 23001-7) of one sample, in place: the four schemes, subsamples and patterns.
//! Knows nothing of files, licenses or counts; the AES loops are in `cenc/engine.rs`.

// The loops of the cipher take ranges whose lengths they have computed, in which a second check of each would be paid for a
// block at a time.
#[allow(clippy::indexing_slicing)]
mod engine;
#[cfg(test)]
mod tests;

use aes::cipher::KeyInit;
use aes::{Aes128Dec, Aes128Enc};
use engine::{Cbc, Ctr};
use wmlicense_wire::stack;

const BLOCK: usize = 16;
/// Patterns are stored in four bits each (`tenc`, ISO/IEC 23001-7 8.2).
const PATTERN_LIMIT: u32 = 15;
/// How deep the stack is below the decryption of a sample, in bytes: the cipher's round keys lie there, each as often as it
/// computes blocks at once. Whatever the cipher's code is on a machine, the deepest of each way was 2368 (one range), 3976 (a
/// chain), 5040 (a key stream computed ahead) and 5672 bytes (a chain over gathered blocks); a wipe takes some 8 ns a KiB.
const ONE_RANGE: usize = frames(3);
const CHAIN: usize = frames(5);
const STREAM: usize = frames(6);
const GATHERED: usize = frames(7);

const fn frames(kib: usize) -> usize {
    if cfg!(debug_assertions) { 16 << 10 } else { kib << 10 }
}

/// A protection scheme of ISO/IEC 23001-7, clause 10.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// AES-CTR over all protected bytes, one key stream per sample.
    Cenc,
    /// AES-CTR over the blocks a pattern picks.
    Cens,
    /// AES-CBC over all whole protected blocks, one chain per sample.
    Cbc1,
    /// AES-CBC over the blocks a pattern picks, one chain per subsample.
    Cbcs,
}

impl Scheme {
    /// The scheme with this four-character code, read as a big-endian number (`'cenc'` is 0x63656E63).
    pub fn from_fourcc(code: u32) -> Option<Self> {
        [Self::Cenc, Self::Cens, Self::Cbc1, Self::Cbcs].into_iter().find(|scheme| scheme.fourcc() == code)
    }

    /// The four-character code, read as a big-endian number.
    pub const fn fourcc(self) -> u32 {
        u32::from_be_bytes(match self {
            Self::Cenc => *b"cenc",
            Self::Cens => *b"cens",
            Self::Cbc1 => *b"cbc1",
            Self::Cbcs => *b"cbcs",
        })
    }
}

/// Clear bytes followed by protected bytes. Laid out as the C structure of the same meaning.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Subsample {
    /// Clear bytes.
    pub clear: u32,
    /// Protected bytes that follow the clear ones.
    pub encrypted: u32,
}

/// What a container says about the protection of one sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleInfo<'a> {
    /// The scheme.
    pub scheme: Scheme,
    /// 8 or 16 bytes for `cenc` and `cens` (8 bytes are the upper half of the counter block), 16 for `cbc1` and `cbcs`.
    pub iv: &'a [u8],
    /// Clear and protected ranges that cover the sample; empty if the whole sample is protected.
    pub subsamples: &'a [Subsample],
    /// Encrypted blocks of a pattern; both zero means that every whole block is encrypted.
    pub crypt_byte_block: u32,
    /// Clear blocks of a pattern, after the encrypted ones.
    pub skip_byte_block: u32,
}

/// Why a sample was refused. The data is then as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SampleError {
    /// The subsamples do not cover exactly the sample.
    #[error("the subsamples cover {covered} bytes but the sample has {size}")]
    Subsamples {
        /// Bytes that the subsamples cover.
        covered: u64,
        /// Bytes of the sample.
        size: u64,
    },
    /// The initialization vector has another length than the scheme takes.
    #[error("an initialization vector of {found} bytes does not fit the scheme")]
    IvLength {
        /// Bytes of the vector.
        found: usize,
    },
    /// The scheme has no pattern, or the pattern encrypts nothing, or a number needs more than four bits.
    #[error("the pattern {crypt}:{skip} does not fit the scheme")]
    Pattern {
        /// Encrypted blocks.
        crypt: u32,
        /// Clear blocks.
        skip: u32,
    },
}

/// One content key, expanded, ready for any number of samples on any number of threads.
///
/// Holds no state between samples and allocates nothing; the round keys are wiped when it is dropped.
pub struct SampleCipher {
    enc: Aes128Enc,
    dec: Aes128Dec,
}

impl SampleCipher {
    /// Expands an AES-128 content key.
    pub fn new(content_key: &[u8; 16]) -> Self {
        let key = content_key.into();
        Self { enc: Aes128Enc::new(key), dec: Aes128Dec::new(key) }
    }

    /// Decrypts the protected bytes of one sample in place. On an error `data` is untouched.
    pub fn decrypt_in_place(&self, info: &SampleInfo<'_>, data: &mut [u8]) -> Result<(), SampleError> {
        check_pattern(info)?;
        let protected = check_subsamples(info.subsamples, data.len())?;
        let iv = counter_block(info)?;
        let pattern = (info.crypt_byte_block as usize, info.skip_byte_block as usize);
        // Each way is a frame of its own, no deeper than what it does.
        match info.scheme {
            Scheme::Cenc if info.subsamples.len() < 2 => stack::wiped::<ONE_RANGE, _>(|| {
                for_each_protected(info.subsamples, data, |range| engine::apply_once(&self.enc, iv, range));
            }),
            Scheme::Cenc => stack::wiped::<STREAM, _>(|| {
                let mut stream = Ctr::new(&self.enc, iv, protected.div_ceil(BLOCK));
                for_each_protected(info.subsamples, data, |range| stream.apply(range));
            }),
            Scheme::Cens => stack::wiped::<STREAM, _>(|| {
                let group = (pattern.0 + pattern.1).max(1) * BLOCK;
                let blocks = protected.div_ceil(group) * pattern.0.max(1);
                let mut stream = Ctr::new(&self.enc, iv, blocks);
                for_each_protected(info.subsamples, data, |range| stream.apply_blocks(range, pattern));
            }),
            Scheme::Cbc1 => stack::wiped::<CHAIN, _>(|| {
                let mut chain = Cbc::new(&self.dec, iv);
                for_each_protected(info.subsamples, data, |range| chain.apply_groups(range, 1));
            }),
            Scheme::Cbcs if pattern.1 == 0 => stack::wiped::<CHAIN, _>(|| {
                for_each_protected(info.subsamples, data, |range| {
                    Cbc::new(&self.dec, iv).apply_groups(range, pattern.0.max(1));
                });
            }),
            Scheme::Cbcs => stack::wiped::<GATHERED, _>(|| {
                for_each_protected(info.subsamples, data, |range| {
                    Cbc::new(&self.dec, iv).apply_pattern(range, pattern);
                });
            }),
        }
        Ok(())
    }
}

fn check_pattern(info: &SampleInfo<'_>) -> Result<(), SampleError> {
    let (crypt, skip) = (info.crypt_byte_block, info.skip_byte_block);
    let fits = match info.scheme {
        Scheme::Cenc | Scheme::Cbc1 => crypt == 0 && skip == 0,
        Scheme::Cens | Scheme::Cbcs => crypt <= PATTERN_LIMIT && skip <= PATTERN_LIMIT && (crypt > 0 || skip == 0),
    };
    if fits { Ok(()) } else { Err(SampleError::Pattern { crypt, skip }) }
}

/// Checks that the subsamples cover the sample. Returns the protected bytes.
fn check_subsamples(subsamples: &[Subsample], size: usize) -> Result<usize, SampleError> {
    if subsamples.is_empty() {
        return Ok(size);
    }
    let (mut clear, mut encrypted) = (0u64, 0u64);
    for part in subsamples {
        clear = clear.saturating_add(part.clear.into());
        encrypted = encrypted.saturating_add(part.encrypted.into());
    }
    let (covered, size) = (clear.saturating_add(encrypted), size as u64);
    if covered == size { Ok(encrypted as usize) } else { Err(SampleError::Subsamples { covered, size }) }
}

/// The first counter block or chaining value. An 8-byte vector is followed by a block counter of zero.
fn counter_block(info: &SampleInfo<'_>) -> Result<[u8; BLOCK], SampleError> {
    let mut block = [0; BLOCK];
    let short_is_allowed = matches!(info.scheme, Scheme::Cenc | Scheme::Cens);
    let taken = match info.iv.len() {
        BLOCK => Some(BLOCK),
        8 if short_is_allowed => Some(8),
        _ => None,
    };
    let taken = taken.and_then(|length| block.get_mut(..length));
    taken.ok_or(SampleError::IvLength { found: info.iv.len() })?.copy_from_slice(info.iv);
    Ok(block)
}

/// Calls `apply` with each protected range in order. The subsamples were checked to cover `data` exactly.
fn for_each_protected(subsamples: &[Subsample], data: &mut [u8], mut apply: impl FnMut(&mut [u8])) {
    if subsamples.is_empty() {
        return apply(data);
    }
    let mut rest = data;
    for part in subsamples {
        let (_, after_clear) = rest.split_at_mut(part.clear as usize);
        let (protected, after) = after_clear.split_at_mut(part.encrypted as usize);
        if !protected.is_empty() {
            apply(protected);
        }
        rest = after;
    }
}
