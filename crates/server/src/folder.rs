//! Layout of the data folder: which file holds what, and how secrets are written. What is in the files is the key ring's.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Longest key or certificate file read, in bytes.
const MAX_FILE: u64 = 64 * 1024;

/// The data folder of one service.
///
/// `authority.cose` is written last, so its presence says that the folder is whole. `keys/authority.key` is needed only to
/// renew certificates and may be kept elsewhere in between.
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

    /// True if any file of a service is in the folder already.
    pub(crate) fn is_taken(&self) -> bool {
        [self.authority(), self.certificates(), self.keys(), self.database()].iter().any(|path| path.exists())
    }

    /// Makes the folders, for their owner only.
    pub(crate) fn create(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder.create(&self.0)?;
        builder.create(self.keys())?;
        builder.create(self.certificates())
    }
}

/// Writes a file that did not exist before, readable by its owner only, and syncs it and its folder.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    match path.parent() {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
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
