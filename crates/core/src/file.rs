//! Opening files by name: regular ones only, so that no pipe and no device makes anybody wait. And waiting for their locks.

use crate::operation::patience::{Impatience, Patience};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Opens a file that the application or its user named, for reading. Links are followed: they are the user's choice.
pub fn open_named(path: &Path) -> io::Result<File> {
    opened(OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path))
}

/// Opens a file of the library's own, which no link stands for. What `options` make belongs to the user alone.
pub(crate) fn open_own(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_NOFOLLOW;
    opened(options.mode(0o600).custom_flags(flags).open(path))
}

/// Fails if something else than a regular file has the name; for files that another library opens. Nothing is fine.
pub(crate) fn check_own(path: &Path) -> io::Result<()> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(not_a_file()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn opened(result: io::Result<File>) -> io::Result<File> {
    // Pipes that nobody reads and sockets answer with the first, links that are not followed with the second.
    let is_other = |error: &io::Error| matches!(error.raw_os_error(), Some(libc::ENXIO | libc::ELOOP));
    regular(result.map_err(|error| if is_other(&error) { not_a_file() } else { error })?)
}

/// An open file, if it is a regular one.
pub(crate) fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(not_a_file()) }
}

fn not_a_file() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "it is not a regular file")
}

/// A lock of a file was not had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    /// Others held it for as long as was waited.
    #[error(transparent)]
    Held(#[from] Impatience),
    /// The system.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Waits until nobody else holds the lock of a file; it is held until the file is closed.
pub(crate) fn lock(file: &File) -> Result<(), LockError> {
    let mut patience = Patience::begin();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => patience.pause()?,
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
    }
}
