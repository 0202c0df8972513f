//! The folder a backup lies in: found without following links inside it, replaced only by a whole file, cleaned of what
//! crashed runs left. What the bytes mean is not known here.

use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use wmlicense_wire::backup::FILE_NAME;

const TEMPORARY_PREFIX: &str = ".licenses.wmbackup.";
const TEMPORARY_SUFFIX: &str = ".part";
const RANDOM_LEN: usize = 8;
/// Names tried before giving up; each is random, so a second try is already rare.
const ATTEMPTS: u32 = 16;

/// An open folder.
pub(crate) struct Place {
    folder: OwnedFd,
}

/// What stands at the backup's name in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occupant {
    /// Nothing.
    Nothing,
    /// A regular file.
    File,
    /// A folder, a link, a device: never followed, never replaced.
    Other,
}

/// A file being written beside the backup that it will replace. Dropping it removes it.
pub(crate) struct Temporary<'p> {
    place: &'p Place,
    name: OsString,
    file: File,
    kept: bool,
}

impl Place {
    /// Opens a folder. The path itself may lead over links; they are the user's choice.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { folder: rustix::fs::open(folder, flags, Mode::empty())? })
    }

    /// What stands at the backup's name.
    pub(crate) fn occupant(&self) -> io::Result<Occupant> {
        match rustix::fs::statat(&self.folder, FILE_NAME, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() => Ok(Occupant::File),
            Ok(_) => Ok(Occupant::Other),
            Err(Errno::NOENT) => Ok(Occupant::Nothing),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the backup for reading; `None` if there is none. A link or device is an error.
    pub(crate) fn open_backup(&self) -> io::Result<Option<File>> {
        match self.occupant()? {
            Occupant::Nothing => return Ok(None),
            Occupant::File => {}
            Occupant::Other => return Err(io::Error::other("what has the backup's name is not a file")),
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.folder, FILE_NAME, flags, Mode::empty()) {
            Ok(file) => Ok(Some(File::from(file))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes an empty file for the next backup: 0600, not a link, held under a lock that tells other processes that it
    /// is in use.
    pub(crate) fn create_temporary(&self) -> io::Result<Temporary<'_>> {
        for _ in 0..ATTEMPTS {
            let name = temporary_name()?;
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = match rustix::fs::openat(&self.folder, &name, flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => File::from(file),
                Err(Errno::EXIST) => continue,
                Err(error) => return Err(error.into()),
            };
            let temporary = Temporary { place: self, name, file, kept: false };
            // Between creation and lock, a cleaner may hold the file for stale and remove it: then another name is tried.
            // A file system that knows no locks has no cleaner either.
            if let Err(Errno::WOULDBLOCK) = rustix::fs::flock(&temporary.file, FlockOperation::NonBlockingLockExclusive)
            {
                continue;
            }
            if rustix::fs::fstat(&temporary.file)?.st_nlink > 0 {
                return Ok(temporary);
            }
        }
        Err(io::Error::other("no temporary file could be made"))
    }

    /// Removes temporary files that no process holds. What cannot be locked or removed stays.
    pub(crate) fn remove_stale(&self) {
        let Ok(entries) = rustix::fs::Dir::read_from(&self.folder) else { return };
        for entry in entries.flatten() {
            if is_temporary_name(entry.file_name().to_bytes()) {
                let _ = self.remove_if_stale(entry.file_name());
            }
        }
    }

    fn remove_if_stale(&self, name: &std::ffi::CStr) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.folder, name, flags, Mode::empty())?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        rustix::fs::unlinkat(&self.folder, name, AtFlags::empty())?;
        Ok(())
    }
}

impl Temporary<'_> {
    /// The file, for reading and writing.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Makes the file durable and gives it the backup's name. Without `replace` an existing backup stays and the error is
    /// [`io::ErrorKind::AlreadyExists`].
    pub(crate) fn publish(mut self, replace: bool) -> io::Result<()> {
        self.file.sync_all()?;
        let folder = &self.place.folder;
        if replace {
            rustix::fs::renameat(folder, &self.name, folder, FILE_NAME)?;
        } else {
            self.rename_to_free_name()?;
        }
        self.kept = true;
        rustix::fs::fsync(folder)?;
        Ok(())
    }

    fn rename_to_free_name(&self) -> io::Result<()> {
        let folder = &self.place.folder;
        match rustix::fs::renameat_with(folder, &self.name, folder, FILE_NAME, RenameFlags::NOREPLACE) {
            // FAT and network file systems know no exclusive rename: there, look first.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => match self.place.occupant()? {
                Occupant::Nothing => Ok(rustix::fs::renameat(folder, &self.name, folder, FILE_NAME)?),
                Occupant::File | Occupant::Other => Err(io::ErrorKind::AlreadyExists.into()),
            },
            result => Ok(result?),
        }
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.kept {
            let _ = rustix::fs::unlinkat(&self.place.folder, &self.name, AtFlags::empty());
        }
    }
}

fn temporary_name() -> io::Result<OsString> {
    let mut random = [0; RANDOM_LEN];
    getrandom::fill(&mut random).map_err(|_| io::Error::other("the system gave no random bytes"))?;
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{TEMPORARY_PREFIX}{hex}{TEMPORARY_SUFFIX}").into())
}

fn is_temporary_name(name: &[u8]) -> bool {
    let name = std::ffi::OsStr::from_bytes(name).to_str();
    name.and_then(|name| name.strip_prefix(TEMPORARY_PREFIX)?.strip_suffix(TEMPORARY_SUFFIX)).is_some_and(|random| {
        random.len() == 2 * RANDOM_LEN
            && random.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

#[cfg(test)]
mod tests;
