//! What a restore puts aside until it may touch the store: a scratch file that no crash leaves behind, and a log of the
//! chunks that a service answered, which the next run goes on with. No database is involved.

use crate::file::open_own;
use crate::store::StoreError;
use crate::store::integrity::Integrity;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufReader, BufWriter, Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use wmlicense_wire::aead::constant_time_eq;
use wmlicense_wire::id::Digest;
use wmlicense_wire::license::State;

const BUFFER: usize = 256 * 1024;
const LOG_NAME: &str = "restore.chunks";
/// What a chunk log of another layout begins with is another one's, and dropped.
const MAGIC: &[u8; 8] = b"WMCHUNK2";
const LOG_FRONT: usize = 8 + 32;
const CODE_LEN: usize = 32;
/// Longest entry and longest chunk accepted; an answer has at most 4 MiB.
const MAX_LEN: usize = 16 << 20;

pub(in crate::store) fn torn() -> StoreError {
    StoreError::Damaged("the staging area of a restore cannot be read".into())
}

/// One thing put aside.
pub(in crate::store) enum Entry<'a> {
    Batch { authority: Digest, at_rest: [u8; 16], signed: &'a [u8] },
    License(Staged<'a>),
}

/// A license that is put aside.
pub(in crate::store) struct Staged<'a> {
    /// Place in the manifest of its batch.
    pub(in crate::store) index: u32,
    /// What is left of it, where something says so.
    pub(in crate::store) state: Option<State>,
    /// The license, encoded.
    pub(in crate::store) license: &'a [u8],
    /// Its key under the at-rest key of the batch.
    pub(in crate::store) wrapped: &'a [u8],
}

fn put_long(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// Reads fields one after the other.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }
    fn long(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_be_bytes(self.array()?) as usize;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }
    fn flag(&mut self) -> Option<bool> {
        match self.array()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}

impl<'a> Entry<'a> {
    /// Appends u32 length ‖ entry.
    pub(in crate::store) fn append(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        match self {
            Self::Batch { authority, at_rest, signed } => {
                out.push(1);
                out.extend_from_slice(authority.as_bytes());
                out.extend_from_slice(at_rest);
                put_long(out, signed);
            }
            Self::License(license) => append_license(out, license),
        }
        let length = (out.len() - start - 4) as u32;
        out[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        let entry = match cursor.array()? {
            [1] => Self::Batch {
                authority: Digest::new(cursor.array()?),
                at_rest: cursor.array()?,
                signed: cursor.long()?,
            },
            [2] => Self::License(read_license(&mut cursor)?),
            _ => return None,
        };
        cursor.0.is_empty().then_some(entry)
    }
}

fn append_license(out: &mut Vec<u8>, license: &Staged<'_>) {
    out.push(2);
    out.extend_from_slice(&license.index.to_be_bytes());
    out.push(u8::from(license.state.is_some()));
    if let Some(state) = &license.state {
        put_long(out, &state.encode());
    }
    put_long(out, license.license);
    put_long(out, license.wrapped);
}

fn read_license<'a>(cursor: &mut Cursor<'a>) -> Option<Staged<'a>> {
    Some(Staged {
        index: u32::from_be_bytes(cursor.array()?),
        state: if cursor.flag()? { Some(State::decode(cursor.long()?).ok()?) } else { None },
        license: cursor.long()?,
        wrapped: cursor.long()?,
    })
}

/// Entries in the order in which they came, in a file without a name: the system removes it when the process ends.
pub(in crate::store) struct Scratch {
    file: BufWriter<File>,
    buffer: Vec<u8>,
}

impl Scratch {
    pub(in crate::store) fn new(folder: &Path) -> Result<Self, StoreError> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|_| StoreError::Random)?;
        let path = folder.join(format!("restore.{:016x}", u64::from_be_bytes(random)));
        let file = open_own(OpenOptions::new().read(true).write(true).create_new(true), &path)?;
        std::fs::remove_file(&path)?;
        Ok(Self { file: BufWriter::with_capacity(BUFFER, file), buffer: Vec::new() })
    }

    pub(in crate::store) fn put(&mut self, entry: &Entry<'_>) -> Result<(), StoreError> {
        self.buffer.clear();
        entry.append(&mut self.buffer);
        Ok(self.file.write_all(&self.buffer)?)
    }

    /// Gives every entry in order.
    pub(in crate::store) fn each(
        &mut self,
        take: &mut dyn FnMut(Entry<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.file.flush()?;
        let file = self.file.get_mut();
        let mut left = file.stream_position()?;
        file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::with_capacity(BUFFER, file);
        let mut bytes = Vec::new();
        while left > 0 {
            let mut length = [0; 4];
            reader.read_exact(&mut length)?;
            let length = u32::from_be_bytes(length) as usize;
            if length > MAX_LEN {
                return Err(torn());
            }
            bytes.resize(length, 0);
            reader.read_exact(&mut bytes)?;
            take(Entry::read(&bytes).ok_or_else(torn)?)?;
            left = left.saturating_sub(4 + length as u64);
        }
        Ok(())
    }
}

/// Takes the section, number and entries of a chunk.
type TakeChunk<'a> = dyn FnMut((u32, u32), &[u8]) -> Result<(), StoreError> + 'a;

/// Answered chunks of one backup: front ‖ per chunk: u32 length ‖ section ‖ number ‖ entries ‖ HMAC. A torn end is cut off.
/// The file is held under a lock while it is open, and is never removed, so that two restores cannot hold two of it.
pub(in crate::store) struct ChunkLog {
    file: File,
    header_hash: Digest,
    chunks: Vec<(u32, u32)>,
    end: u64,
}

impl ChunkLog {
    /// Opens the log of the backup with this header; what another backup left is dropped.
    pub(in crate::store) fn open(
        folder: &Path,
        header_hash: Digest,
        integrity: &Integrity,
    ) -> Result<Self, StoreError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = open_own(&mut options, &folder.join(LOG_NAME))?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StoreError::Busy,
            TryLockError::Error(error) => error.into(),
        })?;
        let mut log = Self { file, header_hash, chunks: Vec::new(), end: 0 };
        let mut chunks = Vec::new();
        log.scan(integrity, &mut |chunk, _| {
            chunks.push(chunk);
            Ok(())
        })?;
        log.chunks = chunks;
        Ok(log)
    }

    /// Empties a log that holds no whole chunk, unless a restore has it open.
    pub(in crate::store) fn drop_stale(folder: &Path, integrity: &Integrity) -> Result<(), StoreError> {
        let log = open_own(OpenOptions::new().read(true).write(true), &folder.join(LOG_NAME));
        let Ok(mut file) = log else { return Ok(()) };
        if file.metadata()?.len() == 0 || file.try_lock().is_err() {
            return Ok(());
        }
        let mut front = [0; LOG_FRONT];
        let header_hash = match file.read_exact(&mut front) {
            Ok(()) => Digest::from_slice(&front[MAGIC.len()..]).map_err(|_| torn())?,
            Err(_) => Digest::new([0; 32]),
        };
        let mut log = Self { file, header_hash, chunks: Vec::new(), end: 0 };
        let mut whole = 0;
        log.scan(integrity, &mut |_, _| {
            whole += 1;
            Ok(())
        })?;
        if whole == 0 { log.clear() } else { Ok(()) }
    }

    pub(in crate::store) fn is_done(&self, section: u32, chunk: u32) -> bool {
        self.chunks.contains(&(section, chunk))
    }

    /// Appends a chunk's entries and syncs: then it counts as answered.
    pub(in crate::store) fn put(
        &mut self,
        (section, chunk): (u32, u32),
        entries: &[u8],
        integrity: &Integrity,
    ) -> Result<(), StoreError> {
        let mut bytes = Vec::with_capacity(LOG_FRONT + 12 + entries.len() + CODE_LEN);
        if self.end == 0 {
            bytes.extend_from_slice(MAGIC);
            bytes.extend_from_slice(self.header_hash.as_bytes());
        }
        bytes.extend_from_slice(&(8 + entries.len() as u32).to_be_bytes());
        let payload = bytes.len();
        bytes.extend_from_slice(&section.to_be_bytes());
        bytes.extend_from_slice(&chunk.to_be_bytes());
        bytes.extend_from_slice(entries);
        let code = self.code(integrity, &bytes[payload..]);
        bytes.extend_from_slice(&code);
        self.file.set_len(self.end)?;
        self.file.seek(SeekFrom::Start(self.end))?;
        self.file.write_all(&bytes)?;
        self.file.sync_data()?;
        self.end += bytes.len() as u64;
        self.chunks.push((section, chunk));
        Ok(())
    }

    /// Gives every entry of every chunk in order.
    pub(in crate::store) fn each(
        &mut self,
        integrity: &Integrity,
        take: &mut dyn FnMut(Entry<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.scan(integrity, &mut |_, entries| {
            let mut cursor = Cursor(entries);
            while !cursor.0.is_empty() {
                take(cursor.long().and_then(Entry::read).ok_or_else(torn)?)?;
            }
            Ok(())
        })
    }

    /// Drops everything.
    pub(in crate::store) fn clear(&mut self) -> Result<(), StoreError> {
        self.file.set_len(0)?;
        (self.end, self.chunks) = (0, Vec::new());
        Ok(())
    }

    fn code(&self, integrity: &Integrity, payload: &[u8]) -> [u8; CODE_LEN] {
        integrity.code(&[b"chunk\0", self.header_hash.as_bytes(), payload])
    }

    /// Walks over the whole chunks and sets the end after the last of them.
    fn scan(&mut self, integrity: &Integrity, take: &mut TakeChunk<'_>) -> Result<(), StoreError> {
        self.end = 0;
        self.file.seek(SeekFrom::Start(0))?;
        let mut reader = BufReader::with_capacity(BUFFER, &self.file);
        let mut front = [0; LOG_FRONT];
        if reader.read_exact(&mut front).is_err() || front != front_of(self.header_hash) {
            return Ok(());
        }
        let mut end = LOG_FRONT as u64;
        while let Some(payload) = read_chunk(&mut reader) {
            let (payload, code) = payload.split_at(payload.len() - CODE_LEN);
            if !constant_time_eq(code, &self.code(integrity, payload)) {
                break;
            }
            let mut cursor = Cursor(payload);
            let (Some(section), Some(chunk)) = (cursor.array(), cursor.array()) else { break };
            take((u32::from_be_bytes(section), u32::from_be_bytes(chunk)), cursor.0)?;
            end += 4 + (payload.len() + CODE_LEN) as u64;
        }
        self.end = end;
        Ok(())
    }
}

impl Drop for ChunkLog {
    fn drop(&mut self) {
        // A process that another thread forks just then has the file open as well until it runs its program, and would keep the
        // lock that long. What cannot be unlocked is when the file is closed.
        let _ = self.file.unlock();
    }
}

fn front_of(header_hash: Digest) -> [u8; LOG_FRONT] {
    let mut front = [0; LOG_FRONT];
    front[..MAGIC.len()].copy_from_slice(MAGIC);
    front[MAGIC.len()..].copy_from_slice(header_hash.as_bytes());
    front
}

/// The next chunk with its code, if it is there whole.
fn read_chunk(reader: &mut impl Read) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    reader.read_exact(&mut length).ok()?;
    let length = u32::from_be_bytes(length) as usize;
    if length > MAX_LEN {
        return None;
    }
    let mut payload = vec![0; length + CODE_LEN];
    reader.read_exact(&mut payload).ok()?;
    Some(payload)
}
