//! How a whole new file gets the backup's name: at once where the file system can exchange two files, else step by step, so
//! that at every moment a whole backup has a name that is found.

use super::{ASIDE_SUFFIX, ATTEMPTS, Occupant, Place, Temporary, own_name};
use rustix::fd::AsFd;
use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use wmlicense_wire::backup::FILE_NAME;

/// `statfs` numbers of file systems that do not promise an exchange: FAT, exFAT, and all that programs serve.
const STEP_BY_STEP: [u64; 3] = [0x4d44, 0x2011_bab0, 0x6573_5546];

/// True if the file system promises that a rename onto an existing file leaves one of the two at its name, whatever happens.
pub(super) fn renames_over(folder: impl AsFd) -> bool {
    rustix::fs::fstatfs(folder).map_or(true, |found| !is_step_by_step(found.f_type as u64))
}

/// True for the number of a file system that does not. The upper half of it is the sign of the lower one on some machines.
pub(super) fn is_step_by_step(number: u64) -> bool {
    STEP_BY_STEP.contains(&(number & 0xffff_ffff))
}

impl Temporary<'_> {
    /// The file, for reading and writing.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Makes the file durable and gives it the backup's name. Without `replace` an existing backup stays and the error is
    /// [`io::ErrorKind::AlreadyExists`]. A folder that is elsewhere by then is [`io::ErrorKind::NotFound`].
    pub(crate) fn publish(mut self, replace: bool) -> io::Result<()> {
        self.file.sync_all()?;
        if replace {
            self.replace()?;
        } else {
            self.place.rename_to_free(&self.name, OsStr::new(FILE_NAME))?;
        }
        self.kept = true;
        self.place.sync()?;
        self.place.remove_stale();
        self.place.check_path()
    }

    fn replace(&self) -> io::Result<()> {
        if self.place.renames_over {
            let folder = &self.place.folder;
            match rustix::fs::renameat(folder, &self.name, folder, FILE_NAME) {
                Ok(()) => return Ok(()),
                // What file systems say that rename onto free names only.
                Err(Errno::EXIST | Errno::PERM | Errno::ACCESS | Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.replace_step_by_step()
    }

    /// The old backup steps aside, which is made durable, and the new one takes its name. Whoever finds no backup at the name
    /// takes the one that stands aside.
    fn replace_step_by_step(&self) -> io::Result<()> {
        for _ in 0..ATTEMPTS {
            let aside = self.place.set_aside()?;
            match self.place.rename_to_free(&self.name, OsStr::new(FILE_NAME)) {
                Ok(()) => return Ok(()),
                // Another process was first: then its backup is the old one.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => {
                    aside.iter().for_each(|aside| self.place.set_back(aside));
                    return Err(error);
                }
            }
        }
        Err(io::Error::other("other processes replaced the backup again and again"))
    }
}

impl Place {
    /// Moves the backup to a name of its own beside; `None` if there is none.
    fn set_aside(&self) -> io::Result<Option<OsString>> {
        let aside = own_name(ASIDE_SUFFIX)?;
        match self.rename_to_free(OsStr::new(FILE_NAME), &aside) {
            Ok(()) => {
                self.sync().inspect_err(|_| self.set_back(&aside))?;
                Ok(Some(aside))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Gives the old backup its name back. Where that fails it is found aside.
    fn set_back(&self, aside: &OsStr) {
        let _ = self.rename_to_free(aside, OsStr::new(FILE_NAME));
    }

    /// Renames unless there is something at the new name already.
    fn rename_to_free(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        match rustix::fs::renameat_with(&self.folder, from, &self.folder, to, RenameFlags::NOREPLACE) {
            // Some file systems know no exclusive rename: there, look first.
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => match self.occupant_of(to)? {
                Occupant::Nothing => Ok(rustix::fs::renameat(&self.folder, from, &self.folder, to)?),
                Occupant::File | Occupant::Other => Err(io::ErrorKind::AlreadyExists.into()),
            },
            result => Ok(result?),
        }
    }

    /// Makes the folder's names durable, where the file system can be told to.
    pub(super) fn sync(&self) -> io::Result<()> {
        match rustix::fs::fsync(&self.folder) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Ok(()),
            result => Ok(result?),
        }
    }

    /// An error if the path that was opened leads elsewhere by now: the medium was taken out, the folder moved or removed.
    fn check_path(&self) -> io::Result<()> {
        let (opened, found) = (rustix::fs::fstat(&self.folder)?, rustix::fs::stat(&self.path)?);
        if (opened.st_dev, opened.st_ino) == (found.st_dev, found.st_ino) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::NotFound, "the folder was moved while the backup was written"))
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.kept {
            let _ = rustix::fs::unlinkat(&self.place.folder, &self.name, AtFlags::empty());
        }
    }
}
