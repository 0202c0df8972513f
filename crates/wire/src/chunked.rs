//! Cobblestone-256 (C2SP chunked-encryption, AES-256-GCM): a committing, streaming encryption of one section of a backup.

use crate::aead::{SecretKey, TAG_LEN, constant_time_eq};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf;
use std::io;
use zeroize::Zeroizing;

/// Plain bytes in every chunk but the last, which is always shorter.
pub const CHUNK_LEN: usize = 16 * 1024;
/// Salt 24 ‖ commitment 32.
pub const HEADER_LEN: usize = 56;

const SALT_LEN: usize = 24;
const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 12;
const COMMITMENT_LEN: usize = 32;
const DERIVED_LEN: usize = KEY_LEN + NONCE_LEN + COMMITMENT_LEN;
/// The specification's name of the construction and of the AEAD, and the byte that ends them.
const INFO_PREFIX: &[u8] = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0";
/// Chunks that are handed on at once.
const AT_ONCE: usize = 64;
/// More chunks than this are never sealed under one key.
const MAX_CHUNKS: u64 = 1 << 38;

/// A stream does not open.
#[derive(Debug, thiserror::Error)]
pub enum ChunkedError {
    /// Changed, truncated, extended or sealed under another key or context.
    #[error("the encrypted stream is damaged")]
    Damaged,
    /// The stream below could not be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Length of the encrypted form of `plain` bytes.
pub fn sealed_len(plain: u64) -> u64 {
    HEADER_LEN as u64 + plain + TAG_LEN as u64 * (plain / CHUNK_LEN as u64 + 1)
}

/// Key, counted nonce and commitment of one stream.
struct Chunks {
    key: LessSafeKey,
    base_nonce: [u8; NONCE_LEN],
    next: u64,
    commitment: [u8; COMMITMENT_LEN],
}

impl Chunks {
    fn derive(key: &SecretKey, salt: &[u8; SALT_LEN], context: &[u8]) -> Result<Self, Unspecified> {
        let prk = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA512, key.as_bytes());
        let mut derived = Zeroizing::new([0; DERIVED_LEN]);
        prk.expand(&[INFO_PREFIX, salt, context], DerivedLen)?.fill(&mut *derived)?;
        let (key, rest) = derived.split_at(KEY_LEN);
        let (nonce, rest) = rest.split_at(NONCE_LEN);
        let mut chunks = Self {
            key: LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key)?),
            base_nonce: [0; NONCE_LEN],
            next: 0,
            commitment: [0; COMMITMENT_LEN],
        };
        chunks.base_nonce.copy_from_slice(nonce);
        chunks.commitment.copy_from_slice(rest);
        Ok(chunks)
    }
    /// Base nonce XOR big-endian chunk number.
    fn next_nonce(&mut self) -> Result<Nonce, Unspecified> {
        if self.next >= MAX_CHUNKS {
            return Err(Unspecified);
        }
        let mut nonce = self.base_nonce;
        for (byte, count) in nonce[4..].iter_mut().zip(self.next.to_be_bytes()) {
            *byte ^= count;
        }
        self.next += 1;
        Ok(Nonce::assume_unique_for_key(nonce))
    }
    /// Replaces the plain bytes from `start` on by the sealed chunk.
    fn seal(&mut self, buffer: &mut Vec<u8>, start: usize) -> Result<(), Unspecified> {
        let nonce = self.next_nonce()?;
        let plain = buffer.get_mut(start..).ok_or(Unspecified)?;
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::empty(), plain)?;
        buffer.extend_from_slice(tag.as_ref());
        Ok(())
    }
    /// Replaces the sealed chunk in `buffer` by its plain bytes.
    fn open(&mut self, buffer: &mut Vec<u8>) -> Result<(), Unspecified> {
        let nonce = self.next_nonce()?;
        let length = self.key.open_in_place(nonce, Aad::empty(), buffer)?.len();
        buffer.truncate(length);
        Ok(())
    }
}

/// Length of the derived bytes, as the library wants it.
struct DerivedLen;

impl hkdf::KeyType for DerivedLen {
    fn len(&self) -> usize {
        DERIVED_LEN
    }
}

/// Encrypts what is written to it and hands the result to `inner`; constant memory.
pub struct Sealer<W> {
    inner: W,
    chunks: Chunks,
    /// Sealed chunks, then plain bytes of the chunk being filled; never a whole one between calls.
    buffer: Zeroizing<Vec<u8>>,
    /// Where the plain bytes begin.
    start: usize,
    /// A chunk was lost on its way to `inner`: nothing may follow it.
    broken: bool,
}

impl<W: io::Write> Sealer<W> {
    /// Starts a stream with a fresh random salt: writes salt and commitment.
    pub fn new(key: &SecretKey, context: &[u8], inner: W) -> io::Result<Self> {
        let mut salt = [0; SALT_LEN];
        getrandom::fill(&mut salt).map_err(|_| io::Error::other("the system gave no random bytes"))?;
        Self::with_salt(key, context, inner, &salt)
    }
    fn with_salt(key: &SecretKey, context: &[u8], mut inner: W, salt: &[u8; SALT_LEN]) -> io::Result<Self> {
        let chunks = Chunks::derive(key, salt, context).map_err(failed)?;
        inner.write_all(salt)?;
        inner.write_all(&chunks.commitment)?;
        let buffer = Zeroizing::new(Vec::with_capacity(AT_ONCE * (CHUNK_LEN + TAG_LEN)));
        Ok(Self { inner, chunks, buffer, start: 0, broken: false })
    }
    /// Writes the last chunk and gives `inner` back. A stream that was not finished does not open.
    pub fn finish(mut self) -> io::Result<W> {
        self.seal()?;
        self.hand_on()?;
        self.inner.flush()?;
        Ok(self.inner)
    }
    fn seal(&mut self) -> io::Result<()> {
        self.check()?;
        self.broken = true;
        self.chunks.seal(&mut self.buffer, self.start).map_err(failed)?;
        (self.start, self.broken) = (self.buffer.len(), false);
        Ok(())
    }
    /// Writes what is sealed. Plain bytes stay.
    fn hand_on(&mut self) -> io::Result<()> {
        self.check()?;
        self.broken = true;
        let (sealed, _) = self.buffer.split_at(self.start);
        self.inner.write_all(sealed)?;
        self.buffer.drain(..self.start);
        (self.start, self.broken) = (0, false);
        Ok(())
    }
    fn check(&self) -> io::Result<()> {
        if self.broken { Err(io::Error::other("the encrypted stream failed before")) } else { Ok(()) }
    }
}

impl<W: io::Write> io::Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
        let room = CHUNK_LEN - (self.buffer.len() - self.start);
        let taken = bytes.split_at_checked(room).map_or(bytes, |(taken, _)| taken);
        self.buffer.extend_from_slice(taken);
        if taken.len() == room {
            self.seal()?;
            if self.start >= AT_ONCE * (CHUNK_LEN + TAG_LEN) {
                self.hand_on()?;
            }
        }
        Ok(taken.len())
    }
    /// Flushes whole chunks only: a chunk that is not full is by definition the last.
    fn flush(&mut self) -> io::Result<()> {
        self.hand_on()?;
        self.inner.flush()
    }
}

fn failed(_: Unspecified) -> io::Error {
    io::Error::other("the stream could not be encrypted")
}

/// Decrypts a stream of known length; constant memory. Yields only authenticated bytes, and fails at the end of a truncated stream.
pub struct Opener<R> {
    inner: R,
    chunks: Chunks,
    /// Sealed bytes not read yet.
    remaining: u64,
    /// Plain bytes of the newest chunk; those before `given` were given out.
    buffer: Zeroizing<Vec<u8>>,
    given: usize,
    state: State,
}

/// How far an [`Opener`] came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// At least one chunk follows.
    Open,
    /// The last chunk is in the buffer.
    Last,
    /// A chunk did not open or could not be read: nothing more is given out.
    Failed,
}

impl<R: io::Read> Opener<R> {
    /// Reads salt and commitment and checks the commitment. `sealed_len` bytes belong to the stream.
    pub fn new(key: &SecretKey, context: &[u8], mut inner: R, sealed_len: u64) -> Result<Self, ChunkedError> {
        let remaining = sealed_len.checked_sub(HEADER_LEN as u64).ok_or(ChunkedError::Damaged)?;
        let mut salt = [0; SALT_LEN];
        let mut commitment = [0; COMMITMENT_LEN];
        read_exact(&mut inner, &mut salt)?;
        read_exact(&mut inner, &mut commitment)?;
        let chunks = Chunks::derive(key, &salt, context).map_err(|_| ChunkedError::Damaged)?;
        if !constant_time_eq(&chunks.commitment, &commitment) {
            return Err(ChunkedError::Damaged);
        }
        let buffer = Zeroizing::new(Vec::with_capacity(CHUNK_LEN + TAG_LEN));
        Ok(Self { inner, chunks, remaining, buffer, given: 0, state: State::Open })
    }
    /// Fills `buffer` wholly or fails; at the true end returns the number of bytes left.
    pub fn read_up_to(&mut self, buffer: &mut [u8]) -> Result<usize, ChunkedError> {
        let wanted = buffer.len();
        let mut left = buffer;
        while !left.is_empty() && !self.at_end()? {
            let taken = self.take(left.len());
            let (filled, rest) = left.split_at_mut(taken.len());
            filled.copy_from_slice(taken);
            left = rest;
        }
        Ok(wanted - left.len())
    }
    /// Appends `length` bytes to `out`, fewer only at the true end. Memory is taken as authenticated bytes arrive.
    pub fn append_up_to(&mut self, out: &mut Vec<u8>, length: usize) -> Result<usize, ChunkedError> {
        let mut appended = 0;
        while appended < length && !self.at_end()? {
            let taken = self.take(length - appended);
            out.extend_from_slice(taken);
            appended += taken.len();
        }
        Ok(appended)
    }
    /// Gives out what is left of the chunk in the buffer, or the whole next one; nothing at the true end.
    pub fn next_part(&mut self) -> Result<Option<&[u8]>, ChunkedError> {
        if self.at_end()? { Ok(None) } else { Ok(Some(self.take(CHUNK_LEN))) }
    }
    /// Gives out at most `most` bytes of the chunk in the buffer.
    fn take(&mut self, most: usize) -> &[u8] {
        let (_, rest) = self.buffer.split_at(self.given);
        let taken = rest.split_at_checked(most).map_or(rest, |(taken, _)| taken);
        self.given += taken.len();
        taken
    }
    /// True once the last chunk was read and authenticated and all its bytes were given out.
    pub fn at_end(&mut self) -> Result<bool, ChunkedError> {
        if self.given == self.buffer.len() && self.state == State::Open {
            // Until it is over, the reading below counts as failed, so that no early return leaves a stream in use.
            self.state = State::Failed;
            self.state = self.next_chunk()?;
        }
        match self.state {
            State::Failed => Err(ChunkedError::Damaged),
            State::Open => Ok(false),
            State::Last => Ok(self.given == self.buffer.len()),
        }
    }
    /// Reads and opens one chunk. A chunk that is not full is the last, and whether one is full shows from what remains.
    fn next_chunk(&mut self) -> Result<State, ChunkedError> {
        let full = (CHUNK_LEN + TAG_LEN) as u64;
        let length = self.remaining.min(full);
        if length < TAG_LEN as u64 {
            return Err(ChunkedError::Damaged);
        }
        self.given = 0;
        // The old bytes are overwritten or, on an error, cleared.
        self.buffer.resize(length as usize, 0);
        let read = read_exact(&mut self.inner, &mut self.buffer);
        let opened = read.and_then(|()| self.chunks.open(&mut self.buffer).map_err(|_| ChunkedError::Damaged));
        if let Err(error) = opened {
            self.buffer.clear();
            return Err(error);
        }
        self.remaining -= length;
        Ok(if length < full { State::Last } else { State::Open })
    }
}

/// Reads all of `buffer`; an early end is damage, because the length was promised.
fn read_exact(inner: &mut impl io::Read, buffer: &mut [u8]) -> Result<(), ChunkedError> {
    inner.read_exact(buffer).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => ChunkedError::Damaged,
        _ => ChunkedError::Io(error),
    })
}

#[cfg(test)]
mod tests;
