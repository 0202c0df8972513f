//! Layout of the data folder: which file holds what, and how files get to the disk whole. What is in them is the key ring's.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Longest key or certificate file read, in bytes.
const MAX_FILE: u64 = 64 * 1024;
/// Ending of a file that is being written, behind the name that it will have.
const PART: &str = "part";

/// The data folder of one service.
///
/// `authority.cose` is written last, so its presence says that the folder is whole. `init.unfinished` is there from before the
/// first file until the owner was told the authority: what is in a folder with it and without `authority.cose` nobody has seen.
/// `keys/authority.key` is needed only to renew certificates and may be kept elsewhere in between.
#[derive(Debug, Clone)]
pub struct DataFolder(PathBuf);

impl DataFolder {
    /// The folder at `path`; it need not exist yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn authority(&self) -> PathBuf {
        self.0.join("authority.cose")
    }

    pub(crate) fn certificates(&self) -> PathBuf {
        self.0.join("certificates")
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    pub(crate) fn authority_key(&self) -> PathBuf {
        self.keys().join("authority.key")
    }

    pub(crate) fn master_key(&self) -> PathBuf {
        self.keys().join("master.key")
    }

    pub(crate) fn revocation_key(&self) -> PathBuf {
        self.keys().join("revocation-default.key")
    }

    /// Database of content, accounts, licenses and restores.
    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("wmlicensed.db")
    }

    /// The database with the files that stand beside it while it is open.
    fn database_files(&self) -> [PathBuf; 3] {
        ["wmlicensed.db", "wmlicensed.db-wal", "wmlicensed.db-shm"].map(|name| self.0.join(name))
    }

    /// Makes the file of the database, for its owner only, where there is none: what stands beside it later has the same mode.
    pub(crate) fn create_database(&self) -> io::Result<()> {
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(self.database()).map(drop)
    }

    /// Takes the files of the database from everybody but their owner. Those of another owner stay as they are.
    pub(crate) fn close_database(&self) {
        for path in self.database_files() {
            let is_open = fs::metadata(&path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0);
            if is_open && let Err(error) = fs::set_permissions(&path, fs::Permissions::from_mode(0o600)) {
                tracing::warn!(%error, path = %path.display(), "others can read the database");
            }
        }
    }

    /// The key files that others than their owner can read.
    pub(crate) fn open_keys(&self) -> io::Result<Vec<PathBuf>> {
        let mut keys = files_with_ending(&self.keys(), "key")?;
        keys.retain(|path| fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0));
        Ok(keys)
    }

    fn unfinished(&self) -> PathBuf {
        self.0.join("init.unfinished")
    }

    /// True if any file of a service is in the folder already.
    pub(crate) fn is_taken(&self) -> bool {
        [self.authority(), self.certificates(), self.keys(), self.database()].iter().any(|path| path.exists())
    }

    /// True if a service was begun here and the owner was not told of it yet.
    pub(crate) fn is_unfinished(&self) -> bool {
        self.unfinished().exists()
    }

    /// Makes the folder, for its owner only.
    pub(crate) fn create(&self) -> io::Result<()> {
        let missing: Vec<&Path> = self.0.ancestors().take_while(|path| !path.exists()).collect();
        new_folder(&self.0)?;
        // From the outermost on: each is an entry of the one around it.
        missing.into_iter().rev().filter_map(Path::parent).try_for_each(sync_folder)
    }

    /// Keeps other processes from making or renewing keys here until the file is dropped.
    pub(crate) fn lock(&self) -> io::Result<File> {
        let folder = File::open(&self.0)?;
        folder.try_lock()?;
        Ok(folder)
    }

    /// Notes that a service is being made, in place of one whose making did not end.
    pub(crate) fn begin(&self) -> io::Result<()> {
        if !self.is_unfinished() {
            write_private(&self.unfinished(), &[])?;
        }
        for folder in [self.keys(), self.certificates()] {
            match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => new_folder(&folder)?,
            }
        }
        Ok(())
    }

    /// Notes that the owner knows of the service.
    pub(crate) fn finish(&self) -> io::Result<()> {
        fs::remove_file(self.unfinished())?;
        sync_folder(&self.0)
    }

    /// Removes what was left of files that were not written to their end.
    pub(crate) fn sweep(&self) -> io::Result<()> {
        for folder in [self.keys(), self.certificates()] {
            files_with_ending(&folder, PART)?.iter().try_for_each(fs::remove_file)?;
        }
        Ok(())
    }
}

fn new_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    // The folder around a relative name is the current one.
    File::open(if path.as_os_str().is_empty() { Path::new(".") } else { path })?.sync_all()
}

/// Writes a file that did not exist before, readable by its owner only: under another name, which it changes when all of it is on
/// the disk. The caller keeps others from writing a file of this name.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if path.exists() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let mut part = path.as_os_str().to_owned();
    part.push(".");
    part.push(PART);
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&part, path)
    };
    write().inspect_err(|_| {
        // What cannot be removed either is swept away later.
        let _ = fs::remove_file(&part);
    })?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// Writes a new file wherever its user wants it, readable by its owner only. What others put there under this name is neither
/// written into nor replaced.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.inspect_err(|_| {
        // The failure is told; what is left of the file is its owner's alone.
        let _ = fs::remove_file(path);
    })
}

/// Reads a file of bounded length into memory that is wiped.
pub(crate) fn read_private(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let length = fs::metadata(path)?.len();
    if length > MAX_FILE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is longer than a key or certificate"));
    }
    fs::read(path).map(Zeroizing::new)
}

/// The files of a folder with this ending, sorted by name.
pub(crate) fn files_with_ending(folder: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == ending) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
