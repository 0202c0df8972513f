//! Which files belong to which module, how many of a module's mutants must be noticed, and what is asked of one run.

use std::collections::BTreeMap;
use std::time::Duration;

/// The modules that are measured.
#[derive(Debug, Default)]
pub struct Plan {
    /// Files and folders of each.
    pub modules: BTreeMap<String, Vec<String>>,
    /// Tests that no mutant is shown to: a program, or a module of one behind `::`.
    pub without: Vec<String>,
    /// Percent of mutants that must be noticed.
    pub least: usize,
}

impl Plan {
    /// Reads `name: words`, a line each.
    pub fn read(text: &str) -> Result<Self, String> {
        let mut plan = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()) {
            let (name, words) = line.split_once(':').ok_or_else(|| format!("not `name: words`: {line}"))?;
            let words: Vec<String> = words.split_whitespace().map(str::to_owned).collect();
            match name {
                "least" => plan.least = words.concat().parse().map_err(|_| format!("not a number: {line}"))?,
                "without" => plan.without.extend(words),
                name => plan.modules.entry(name.to_owned()).or_default().extend(words),
            }
        }
        Ok(plan)
    }

    /// The module of a file.
    pub fn module_of(&self, file: &str) -> Option<&str> {
        let owns = |path: &String| {
            file.strip_prefix(path.as_str())
                .is_some_and(|rest| rest.is_empty() || path.ends_with('/') || rest.starts_with('/'))
        };
        self.modules.iter().find(|(_, paths)| paths.iter().any(owns)).map(|(name, _)| name.as_str())
    }

    /// Paths of the plan at which no file is.
    pub fn missing<'p>(&'p self, files: &[&str]) -> Vec<&'p String> {
        let is_there = |path: &String| files.iter().any(|file| file.starts_with(path.as_str()));
        self.modules.values().flatten().filter(|path| !is_there(path)).collect()
    }
}

/// What one run is asked for.
#[derive(Debug)]
pub struct Wish {
    /// Only these modules.
    pub modules: Vec<String>,
    /// Only files whose path contains this.
    pub file: Option<String>,
    /// Only so many mutants, spread evenly.
    pub sample: Option<usize>,
    /// Only those that were not noticed the last time.
    pub survivors: bool,
    /// Only those that no run has shown yet: what a run that was broken off has left.
    pub rest: bool,
    /// What one mutant may cost.
    pub budget: Duration,
    /// How many run at the same time.
    pub workers: usize,
    /// Only the tests beside the code, and those of [`Self::tests`].
    pub unit: bool,
    /// Only these of the test programs, and the tests beside the code.
    pub tests: Vec<String>,
    /// Only names them, and builds nothing.
    pub list: bool,
}

impl Wish {
    /// Reads the arguments.
    pub fn read(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let mut wish = Self {
            modules: Vec::new(),
            file: None,
            sample: None,
            survivors: false,
            rest: false,
            budget: Duration::from_secs(20),
            workers,
            unit: false,
            tests: Vec::new(),
            list: false,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} what?"));
            let number = |text: String| text.parse().map_err(|_| format!("not a number: {text}"));
            match word.as_str() {
                "--module" => wish.modules.push(value()?),
                "--file" => wish.file = Some(value()?),
                "--sample" => wish.sample = Some(number(value()?)?),
                "--budget" => wish.budget = Duration::from_secs(number(value()?)? as u64),
                "--workers" => wish.workers = number(value()?)?.max(1),
                "--survivors" => wish.survivors = true,
                "--rest" => wish.rest = true,
                "--test" => wish.tests.push(value()?),
                "--unit" => wish.unit = true,
                "--list" => wish.list = true,
                _ => {
                    return Err(format!(
                        "{word} is none of --module --file --sample --survivors --rest --budget --workers --unit --test --list"
                    ));
                }
            }
        }
        Ok(wish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_belongs_to_the_module_whose_path_it_lies_below() {
        let plan = Plan::read("least: 90\nclock: src/clock.rs src/clock\nwire: wire/src/\n").unwrap();
        assert_eq!(plan.module_of("src/clock.rs"), Some("clock"));
        assert_eq!(plan.module_of("src/clock/record.rs"), Some("clock"));
        assert_eq!(plan.module_of("src/clocks.rs"), None);
        assert_eq!(plan.module_of("wire/src/key.rs"), Some("wire"));
        assert_eq!(plan.missing(&["src/clock.rs", "src/clock/record.rs"]), ["wire/src/"]);
    }
}
