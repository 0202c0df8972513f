//! Cobblestone-256 (C2SP chunked-encryption, AES-256-GCM): a committing, streaming encryption of one section of a backup.

use crate::aead::SecretKey;

/// Plain bytes in every chunk but the last, which is always shorter.
pub const CHUNK_LEN: usize = 16 * 1024;
/// Salt 24 ‖ commitment 32.
pub const HEADER_LEN: usize = 56;

/// A stream does not open.
#[derive(Debug, thiserror::Error)]
pub enum ChunkedError {
    /// Changed, truncated, extended or sealed under another key or context.
    #[error("the encrypted stream is damaged")]
    Damaged,
    /// The stream below could not be read or written.
    #[error("{0}")]
    Io(#[from] std::io::Error),
}

/// Length of the encrypted form of `plain` bytes.
pub fn sealed_len(plain: u64) -> u64 {
    HEADER_LEN as u64 + plain + 16 * (plain / CHUNK_LEN as u64 + 1)
}

/// Encrypts what is written to it and hands the result to `inner`; constant memory.
pub struct Sealer<W> {
    inner: W,
}

impl<W: std::io::Write> Sealer<W> {
    /// Starts a stream with a fresh random salt: writes salt and commitment.
    pub fn new(key: &SecretKey, context: &[u8], inner: W) -> std::io::Result<Self> {
        todo!()
    }
    /// Writes the last chunk and gives `inner` back. A stream that was not finished does not open.
    pub fn finish(self) -> std::io::Result<W> {
        todo!()
    }
}

impl<W: std::io::Write> std::io::Write for Sealer<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        todo!()
    }
    fn flush(&mut self) -> std::io::Result<()> {
        todo!()
    }
}

/// Decrypts a stream of known length; constant memory. Yields only authenticated bytes, and fails at the end of a truncated stream.
pub struct Opener<R> {
    inner: R,
}

impl<R: std::io::Read> Opener<R> {
    /// Reads salt and commitment and checks the commitment. `sealed_len` bytes belong to the stream.
    pub fn new(key: &SecretKey, context: &[u8], inner: R, sealed_len: u64) -> Result<Self, ChunkedError> {
        todo!()
    }
    /// Fills `buffer` wholly or fails; at the true end returns the number of bytes left.
    pub fn read_up_to(&mut self, buffer: &mut [u8]) -> Result<usize, ChunkedError> {
        todo!()
    }
    /// True once the last chunk was read and authenticated and all its bytes were given out.
    pub fn at_end(&mut self) -> Result<bool, ChunkedError> {
        todo!()
    }
}
