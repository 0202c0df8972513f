//! The command line.

use std::path::PathBuf;

/// Fewer rounds do for what takes long by itself.
const FEW_ROUNDS: usize = 3;
const MANY: u64 = 100_000;

/// What to measure, how often, and where the files go.
pub(crate) struct Arguments {
    /// Measurements of each kind.
    pub(crate) rounds: usize,
    /// Folder on the disk to measure.
    pub(crate) folder: PathBuf,
    /// The library as it is packaged.
    pub(crate) library: Option<PathBuf>,
    /// Only these rows, by the beginnings of their names.
    rows: Vec<String>,
    /// Set in the child process that is a device: the words of its job.
    pub(crate) job: Option<Vec<String>>,
}

impl Arguments {
    pub(crate) fn of_process() -> Self {
        let mut arguments =
            Self { rounds: 5, folder: std::env::temp_dir(), library: None, rows: Vec::new(), job: None };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            if word == "--job" {
                arguments.job = Some(words.by_ref().collect());
                break;
            }
            let mut value = || words.next().unwrap_or_else(|| panic!("{word} needs a value"));
            match word.as_str() {
                "--rounds" => arguments.rounds = value().parse().expect("a number of rounds"),
                "--folder" => arguments.folder = value().into(),
                "--library" => arguments.library = Some(value().into()),
                _ if word.starts_with('-') => panic!("unknown option {word}; see the first lines of bench/src/main.rs"),
                _ => arguments.rows.push(word),
            }
        }
        arguments
    }

    /// The row that was asked for and does not exist.
    pub(crate) fn unknown(&self, known: &[String]) -> Option<&str> {
        let is_known = |row: &String| known.iter().any(|name| covers(row, name));
        self.rows.iter().find(|row| !is_known(row)).map(String::as_str)
    }

    /// True if a row is to be measured.
    pub(crate) fn wants(&self, row: &str) -> bool {
        self.rows.is_empty() || self.names(row)
    }

    /// True if a row is asked for by name.
    pub(crate) fn names(&self, row: &str) -> bool {
        self.rows.iter().any(|wanted| covers(wanted, row))
    }

    /// Rounds for so many licenses.
    pub(crate) fn rounds_for(&self, licenses: u64) -> usize {
        if licenses > MANY { self.rounds.min(FEW_ROUNDS) } else { self.rounds }
    }
}

/// True if `wanted` is a row's name, or its words from the first on.
fn covers(wanted: &str, row: &str) -> bool {
    row.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}
