//! The command line.

use std::path::PathBuf;

/// Licenses of the stores that everything is measured with, unless the command line says otherwise.
const LICENSES: [u64; 2] = [100_000, 1_000_000];
/// Fewer rounds do for what takes long by itself.
const FEW_ROUNDS: usize = 3;
const MANY: u64 = 500_000;

/// What to measure, how often, and where the files go.
pub(crate) struct Arguments {
    /// Licenses in the stores, one store after the other.
    pub(crate) licenses: Vec<u64>,
    /// Measurements of each kind.
    pub(crate) rounds: usize,
    /// Folder on the disk to measure.
    pub(crate) folder: PathBuf,
    /// Only this part.
    only: Option<String>,
    /// Set in the child process that is a device: the words of its job.
    pub(crate) job: Option<Vec<String>>,
}

impl Arguments {
    pub(crate) fn of_process() -> Self {
        let folder = std::env::temp_dir();
        let mut arguments = Self { licenses: Vec::new(), rounds: 5, folder, only: None, job: None };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            if word == "--job" {
                arguments.job = Some(words.by_ref().collect());
                break;
            }
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} needs a value"));
            match word.as_str() {
                "--licenses" => arguments.licenses.push(value().parse().expect("a number of licenses")),
                "--rounds" => arguments.rounds = value().parse().expect("a number of rounds"),
                "--folder" => arguments.folder = value().into(),
                "--only" => arguments.only = Some(value()),
                _ => panic!("unknown argument {word}; see the first lines of bench/src/main.rs"),
            }
        }
        if arguments.licenses.is_empty() {
            arguments.licenses = LICENSES.to_vec();
        }
        arguments
    }

    /// True if a part is to be measured.
    pub(crate) fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }

    /// Rounds for a store of this many licenses.
    pub(crate) fn rounds_for(&self, licenses: u64) -> usize {
        if licenses >= MANY { self.rounds.min(FEW_ROUNDS) } else { self.rounds }
    }
}
