//! The command line.

use std::path::PathBuf;

/// What to measure, how often, and where the files go.
pub(crate) struct Arguments {
    /// Licenses in the store.
    pub(crate) licenses: u64,
    /// Measurements of each kind.
    pub(crate) rounds: usize,
    /// Folder on the disk to measure.
    pub(crate) folder: PathBuf,
    /// Only this part.
    only: Option<String>,
    /// Set in the child process whose memory is measured.
    pub(crate) memory: Option<MemoryOf>,
    /// Set in the child process that is a device.
    pub(crate) predelivery: Option<Predelivery>,
}

/// A pre-delivery to a process of its own.
pub(crate) struct Predelivery {
    pub(crate) authority: String,
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) store: PathBuf,
}

/// A backup of its own process.
pub(crate) struct MemoryOf {
    pub(crate) authority: String,
    pub(crate) store: PathBuf,
    pub(crate) place: PathBuf,
}

impl Arguments {
    pub(crate) fn of_process() -> Self {
        let folder = std::env::temp_dir();
        let mut arguments = Self { licenses: 100_000, rounds: 5, folder, only: None, memory: None, predelivery: None };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} needs a value"));
            match word.as_str() {
                "--licenses" => arguments.licenses = value().parse().expect("a number of licenses"),
                "--rounds" => arguments.rounds = value().parse().expect("a number of rounds"),
                "--folder" => arguments.folder = value().into(),
                "--only" => arguments.only = Some(value()),
                "--memory-of-backup" => {
                    let (authority, store, place) = (value(), value().into(), value().into());
                    arguments.memory = Some(MemoryOf { authority, store, place });
                }
                "--predelivery-of" => {
                    let (authority, url, token, store) = (value(), value(), value(), value().into());
                    arguments.predelivery = Some(Predelivery { authority, url, token, store });
                }
                _ => panic!("unknown argument {word}; see the first lines of bench/src/main.rs"),
            }
        }
        arguments
    }

    /// True if a part is to be measured.
    pub(crate) fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }
}
