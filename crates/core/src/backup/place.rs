//! The folder a backup lies in: found without following links inside it, cleaned of what crashed runs left. How a new backup
//! gets its name is `place/publish.rs`; what the bytes mean is not known here.

mod publish;

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use std::ffi::{CStr, CString, OsString};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use wmlicense_wire::backup::FILE_NAME;

const PREFIX: &str = ".licenses.wmbackup.";
const TEMPORARY_SUFFIX: &str = ".part";
/// Ends the name of a backup that stepped aside for its successor, where a file system does not exchange the two at once.
const ASIDE_SUFFIX: &str = ".old";
const RANDOM_LEN: usize = 8;
/// Names tried before giving up; each is random, so a second try is already rare.
const ATTEMPTS: u32 = 16;

/// An open folder.
pub(crate) struct Place {
    folder: OwnedFd,
    path: PathBuf,
    /// A rename onto an existing file puts the one in the place of the other at once, also when the power fails.
    renames_over: bool,
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
        let path = std::path::absolute(folder)?;
        let folder = rustix::fs::open(folder, flags, Mode::empty())?;
        let renames_over = publish::renames_over(&folder);
        Ok(Self { folder, path, renames_over })
    }

    /// What stands at the backup's name. A backup that a crash left aside counts as one that has it.
    pub(crate) fn occupant(&self) -> io::Result<Occupant> {
        match self.occupant_of(FILE_NAME)? {
            Occupant::Nothing if self.newest_aside()?.is_some() => Ok(Occupant::File),
            found => Ok(found),
        }
    }

    fn occupant_of(&self, name: impl rustix::path::Arg) -> io::Result<Occupant> {
        match rustix::fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file() => Ok(Occupant::File),
            Ok(_) => Ok(Occupant::Other),
            Err(Errno::NOENT) => Ok(Occupant::Nothing),
            Err(error) => Err(error.into()),
        }
    }

    /// The backup that a crash, or a replacement that is under way, left aside; of several the newest.
    fn newest_aside(&self) -> io::Result<Option<CString>> {
        let mut newest = None;
        for name in self.names(ASIDE_SUFFIX)? {
            let Ok(stat) = rustix::fs::statat(&self.folder, &name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            let is_file = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file();
            let age = (stat.st_mtime, stat.st_mtime_nsec);
            if is_file && newest.as_ref().is_none_or(|(known, _)| *known < age) {
                newest = Some((age, name));
            }
        }
        Ok(newest.map(|(_, name)| name))
    }

    /// Opens the backup for reading; `None` if there is none. A link or device is an error.
    pub(crate) fn open_backup(&self) -> io::Result<Option<File>> {
        // Between two looks a replacement may move what was seen: it is then at the other name.
        for _ in 0..ATTEMPTS {
            let name = match self.occupant_of(FILE_NAME)? {
                Occupant::File => CString::new(FILE_NAME)?,
                Occupant::Other => return Err(io::Error::other("what has the backup's name is not a file")),
                Occupant::Nothing => match self.newest_aside()? {
                    Some(name) => name,
                    None if self.occupant_of(FILE_NAME)? == Occupant::Nothing => return Ok(None),
                    None => continue,
                },
            };
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
            match rustix::fs::openat(&self.folder, &name, flags, Mode::empty()) {
                Ok(file) => return crate::file::regular(File::from(file)).map(Some),
                Err(Errno::NOENT) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// Makes an empty file for the next backup: 0600, not a link, held under a lock that tells other processes that it
    /// is in use.
    pub(crate) fn create_temporary(&self) -> io::Result<Temporary<'_>> {
        for _ in 0..ATTEMPTS {
            let name = own_name(TEMPORARY_SUFFIX)?;
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = match rustix::fs::openat(&self.folder, &name, flags, Mode::RUSR | Mode::WUSR) {
                Ok(file) => File::from(file),
                Err(Errno::EXIST) => continue,
                Err(error) => return Err(error.into()),
            };
            let temporary = Temporary { place: self, name, file, kept: false };
            if temporary.is_held()? {
                return Ok(temporary);
            }
        }
        Err(io::Error::other("no temporary file could be made"))
    }

    /// Removes temporary files that no process holds, and backups left aside whose successor has the name. What cannot be
    /// locked or removed stays.
    pub(crate) fn remove_stale(&self) {
        for name in self.names(TEMPORARY_SUFFIX).unwrap_or_default() {
            let _ = self.remove_if_stale(&name);
        }
        // First seen aside, then another at the name: that one is whole, and whatever moves it leaves it whole as well.
        let aside = self.names(ASIDE_SUFFIX).unwrap_or_default();
        if matches!(self.occupant_of(FILE_NAME), Ok(Occupant::File)) {
            for name in aside {
                let _ = rustix::fs::unlinkat(&self.folder, &name, AtFlags::empty());
            }
        }
    }

    fn remove_if_stale(&self, name: &CStr) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.folder, name, flags, Mode::empty())?;
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        rustix::fs::unlinkat(&self.folder, name, AtFlags::empty())?;
        Ok(())
    }

    /// Names in the folder that this module made and that end so.
    fn names(&self, suffix: &str) -> io::Result<Vec<CString>> {
        let entries = rustix::fs::Dir::read_from(&self.folder)?.flatten();
        Ok(entries.map(|entry| entry.file_name().to_owned()).filter(|name| is_own_name(name, suffix)).collect())
    }
}

impl Temporary<'_> {
    /// Takes the lock; false if somebody was faster: between creation and lock, a cleaner may hold the file for stale and
    /// remove it. A file system that knows no locks has no cleaner either.
    fn is_held(&self) -> io::Result<bool> {
        if let Err(Errno::WOULDBLOCK) = rustix::fs::flock(&self.file, FlockOperation::NonBlockingLockExclusive) {
            return Ok(false);
        }
        Ok(rustix::fs::fstat(&self.file)?.st_nlink > 0)
    }
}

/// True if the kernel has it in memory that something in `folder` has the backup's name. Nothing is opened and no medium is
/// asked, so this returns at once on one that is slow, asleep or gone; a kernel that cannot answer so says no.
pub(crate) fn is_known_to_exist(folder: &Path) -> bool {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat2(CWD, folder.join(FILE_NAME), flags, Mode::empty(), ResolveFlags::CACHED).is_ok()
}

/// True if the medium failed or is gone, rather than that it is full or may not be written.
pub(crate) fn is_medium_failure(error: &io::Error) -> bool {
    const GONE: [Errno; 7] =
        [Errno::IO, Errno::NXIO, Errno::NODEV, Errno::STALE, Errno::NOTCONN, Errno::REMOTEIO, Errno::NOMEDIUM];
    error.raw_os_error().is_some_and(|raw| GONE.iter().any(|gone| gone.raw_os_error() == raw))
}

fn own_name(suffix: &str) -> io::Result<OsString> {
    let mut random = [0; RANDOM_LEN];
    getrandom::fill(&mut random).map_err(|_| io::Error::other("the system gave no random bytes"))?;
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{PREFIX}{hex}{suffix}").into())
}

fn is_own_name(name: &CStr, suffix: &str) -> bool {
    let name = std::ffi::OsStr::from_bytes(name.to_bytes()).to_str();
    name.and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(suffix)).is_some_and(|random| {
        random.len() == 2 * RANDOM_LEN
            && random.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

#[cfg(test)]
mod tests;
