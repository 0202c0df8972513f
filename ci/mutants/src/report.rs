//! What a run found: a line for each mutant in a file, what survived and a table on the output.

use crate::hunt::{Mutant, Outcome};
use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::path::Path;

/// The counts of one module.
#[derive(Debug, Default, Clone)]
pub struct Counts {
    /// All but the equivalent ones.
    pub mutants: usize,
    /// Those that a test noticed.
    pub noticed: usize,
    /// Those that only a limit of time noticed, among them.
    pub hung: usize,
    /// Those that are listed as equivalent.
    pub equivalent: usize,
}

impl Counts {
    /// True if so many percent were noticed.
    pub fn is_enough(&self, least: usize) -> bool {
        self.noticed * 100 >= self.mutants * least
    }
}

/// Counts by module. A mutant that is listed as equivalent counts apart.
pub fn counted(found: &[(Mutant, Outcome)], equivalent: &BTreeMap<String, String>) -> BTreeMap<String, Counts> {
    let mut modules: BTreeMap<String, Counts> = BTreeMap::new();
    for (mutant, outcome) in found {
        let counts = modules.entry(mutant.module.clone()).or_default();
        if equivalent.contains_key(&mutant.name.to_string()) {
            counts.equivalent += 1;
            continue;
        }
        counts.mutants += 1;
        counts.noticed += usize::from(outcome.by().is_some());
        counts.hung += usize::from(matches!(outcome, Outcome::Hung(_)));
    }
    modules
}

/// The table.
pub fn table(modules: &BTreeMap<String, Counts>) -> String {
    let mut text = format!(
        "{:<12} {:>8} {:>8} {:>9} {:>8} {:>11}\n",
        "module", "mutants", "noticed", "survived", "percent", "equivalent"
    );
    for (name, counts) in modules {
        let Counts { mutants, noticed, hung: _, equivalent } = counts;
        let percent = (noticed * 1000).checked_div(*mutants).unwrap_or(1000);
        let percent = format!("{}.{}", percent / 10, percent % 10);
        let survived = mutants - noticed;
        text.push_str(&format!("{name:<12} {mutants:>8} {noticed:>8} {survived:>9} {percent:>8} {equivalent:>11}\n"));
    }
    text
}

/// A line about one that was not noticed.
pub fn line(mutant: &Mutant, outcome: &Outcome) -> String {
    let word = match outcome {
        Outcome::Noticed(_) | Outcome::Hung(_) => "noticed",
        Outcome::Survived => "survived",
        Outcome::Unreached => "reached by no test",
        Outcome::OutOfTime => "survived, not all tests had time",
    };
    format!("{}:{} ({word})\n    {}", mutant.name.file, mutant.line, mutant.name)
}

/// Results of the last run of each mutant, by name.
pub fn last(path: &Path) -> HashMap<String, (String, String)> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let words = |line: &str| {
        let mut words = line.split('\t');
        Some((words.next()?.to_owned(), (words.next()?.to_owned(), words.next()?.to_owned())))
    };
    text.lines().filter_map(words).collect()
}

/// How an outcome stands in the file.
fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Noticed(_) => "noticed",
        Outcome::Hung(_) => "hung",
        Outcome::Survived => "survived",
        Outcome::Unreached => "unreached",
        Outcome::OutOfTime => "out of time",
    }
}

fn entry(name: &str, word: &str, by: &str) -> String {
    format!("{name}\t{word}\t{by}\n")
}

/// Puts the result of one mutant at the end of the file, where it counts before an earlier one: a run that is broken off keeps
/// what it found.
pub fn note(path: &Path, mutant: &Mutant, outcome: &Outcome) -> std::io::Result<()> {
    let by = outcome.by().map_or("", String::as_str);
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(entry(&mutant.name.to_string(), word(outcome), by).as_bytes())
}

/// Keeps the results of this run with the last ones of other mutants, each once.
pub fn keep(
    path: &Path,
    mut known: HashMap<String, (String, String)>,
    found: &[(Mutant, Outcome)],
) -> std::io::Result<()> {
    for (mutant, outcome) in found {
        let by = outcome.by().cloned().unwrap_or_default();
        known.insert(mutant.name.to_string(), (word(outcome).to_owned(), by));
    }
    let mut lines: Vec<String> = known.iter().map(|(name, (word, by))| entry(name, word, by)).collect();
    lines.sort();
    std::fs::write(path, lines.concat())
}
