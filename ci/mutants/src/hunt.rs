//! Shows each mutant to the tests that reach it until one notices: the likeliest first, then the fastest, first one by one and then
//! many of a program in one process.

use crate::point::Name;
use crate::suite::{Suite, Test};
use std::collections::HashMap;
use std::error::Error;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// So many tests run alone before others of their program run with them.
const ALONE: usize = 4;
/// So many tests run in one process at most.
const TOGETHER: usize = 40;
/// What a run may take beside a multiple of its time without mutants: this machine has other work too.
const PATIENCE: Duration = Duration::from_secs(10);

/// A mutant to be shown.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// As the programs know it.
    pub number: u32,
    /// Its name.
    pub name: Name,
    /// For the reader.
    pub line: usize,
    /// The module it belongs to.
    pub module: String,
    /// The test that noticed it the last time.
    pub noticed_by: Option<String>,
}

/// What became of a mutant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// This test failed.
    Noticed(String),
    /// This test did not end.
    Hung(String),
    /// No test failed.
    Survived,
    /// No test reaches it.
    Unreached,
    /// No test failed, and not all had their turn.
    OutOfTime,
}

/// What all workers share.
struct Hunt<'h> {
    suite: &'h Suite,
    budget: Duration,
    /// The tests that reach a number, fastest first.
    reaching: HashMap<u32, Vec<usize>>,
    /// Who noticed mutants of a function, the last in front.
    likely: Mutex<HashMap<(String, String), Vec<usize>>>,
}

/// Takes each outcome as it comes.
pub type Note<'n> = dyn Fn(&Mutant, &Outcome) -> std::io::Result<()> + Sync + 'n;

/// Shows all mutants with so many workers; no mutant gets more than the budget, counted in the tests' time without mutants.
pub fn hunted(
    suite: &Suite,
    mutants: &[Mutant],
    budget: Duration,
    workers: usize,
    note: &Note<'_>,
) -> Result<Vec<Outcome>, Box<dyn Error>> {
    let mut order: Vec<usize> = (0..suite.tests.len()).collect();
    order.sort_by_key(|index| suite.tests.get(*index).map(|test| test.took));
    let mut reaching: HashMap<u32, Vec<usize>> = HashMap::new();
    for index in order {
        for number in suite.tests.get(index).into_iter().flat_map(|test| &test.reached) {
            reaching.entry(*number).or_default().push(index);
        }
    }
    let hunt = Hunt { suite, budget, reaching, likely: Mutex::default() };
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(vec![Outcome::Unreached; mutants.len()]);
    std::thread::scope(|scope| {
        let (hunt, next, outcomes) = (&hunt, &next, &outcomes);
        let work = move |worker| -> Result<(), String> {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(mutant) = mutants.get(index) else { return Ok(()) };
                if index.is_multiple_of(50) {
                    eprintln!("  {index} of {}", mutants.len());
                }
                let outcome = hunt.shown(mutant, worker).map_err(|error| format!("{}: {error}", mutant.name))?;
                // Told at once too: tests for it can be written while the others are shown.
                if outcome.by().is_none() {
                    eprintln!("{}", crate::report::line(mutant, &outcome));
                }
                let mut outcomes = outcomes.lock().map_err(|_| "a worker ended")?;
                note(mutant, &outcome).map_err(|error| format!("the results: {error}"))?;
                outcomes.get_mut(index).ok_or("no such mutant")?.clone_from(&outcome);
            }
        };
        let running: Vec<_> = (0..workers).map(|worker| scope.spawn(move || work(worker))).collect();
        running.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a worker ended".to_owned())?)
    })?;
    Ok(outcomes.into_inner().map_err(|_| "a worker ended")?)
}

/// Tests that noticed something and fail without mutants too: what they noticed is not known.
pub fn unreliable(suite: &Suite, outcomes: &[Outcome]) -> Result<Vec<String>, Box<dyn Error>> {
    let mut names: Vec<&String> = outcomes.iter().filter_map(Outcome::by).collect();
    names.sort();
    names.dedup();
    let mut found = Vec::new();
    for (index, test) in suite.tests.iter().enumerate() {
        let name = suite.name(index);
        if names.contains(&&name) {
            let command = suite.command(test.binary, &[&test.name], 0)?;
            if !suite.run(command, 0, limit(test.took))?.0.is_success() {
                found.push(name);
            }
        }
    }
    Ok(found)
}

fn limit(took: Duration) -> Duration {
    took * 10 + PATIENCE
}

impl Outcome {
    /// The test that noticed.
    pub fn by(&self) -> Option<&String> {
        match self {
            Self::Noticed(test) | Self::Hung(test) => Some(test),
            Self::Survived | Self::Unreached | Self::OutOfTime => None,
        }
    }
}

impl Suite {
    /// How a test is named in results.
    pub fn name(&self, index: usize) -> String {
        let test = self.tests.get(index);
        let binary = test.and_then(|test| self.binaries.get(test.binary)).map_or("", |binary| binary.name.as_str());
        format!("{binary} {}", test.map_or("", |test| test.name.as_str()))
    }
}

impl Hunt<'_> {
    fn test(&self, index: usize) -> Result<&Test, Box<dyn Error>> {
        Ok(self.suite.tests.get(index).ok_or("no such test")?)
    }

    fn shown(&self, mutant: &Mutant, worker: usize) -> Result<Outcome, Box<dyn Error>> {
        let Some(reaching) = self.reaching.get(&mutant.number) else { return Ok(Outcome::Unreached) };
        let place = (mutant.name.file.clone(), mutant.name.function.clone());
        let likely = self.likely.lock().map_err(|_| "a worker ended")?.get(&place).cloned().unwrap_or_default();
        let mut order: Vec<usize> = Vec::new();
        let last = mutant.noticed_by.as_ref().and_then(|name| reaching.iter().find(|i| self.suite.name(**i) == *name));
        let mut by_distance = reaching.clone();
        by_distance.sort_by_key(|index| self.distance(*index, mutant));
        let likely = likely.iter().filter(|index| reaching.contains(index));
        for index in last.into_iter().chain(likely).chain(&by_distance) {
            if !order.contains(index) {
                order.push(*index);
            }
        }
        let mut spent = Duration::ZERO;
        for together in self.grouped(&order)? {
            let took: Duration = together.iter().filter_map(|index| Some(self.suite.tests.get(*index)?.took)).sum();
            if spent + took > self.budget && !spent.is_zero() {
                return Ok(Outcome::OutOfTime);
            }
            spent += took;
            if let Some((by, outcome)) = self.run(mutant, &together, worker)? {
                let mut likely = self.likely.lock().map_err(|_| "a worker ended")?;
                let likely = likely.entry(place).or_default();
                likely.retain(|other| *other != by);
                likely.insert(0, by);
                return Ok(outcome);
            }
        }
        Ok(Outcome::Survived)
    }

    /// Tests beside the code know it best; then those of the package that the file belongs to, which are there for what it promises.
    fn distance(&self, index: usize, mutant: &Mutant) -> u8 {
        let binary = self.suite.tests.get(index).and_then(|test| self.suite.binaries.get(test.binary));
        let name = binary.map(|binary| binary.name.as_str()).unwrap_or_default();
        let of =
            mutant.name.file.strip_prefix("crates/").and_then(|rest| rest.split('/').next()).unwrap_or("wmlicense");
        match name.strip_prefix(of) {
            Some("") => 0,
            Some(rest) if rest.starts_with(['/', ' ']) => 1,
            _ => 2,
        }
    }

    /// The tests in the order in which they run, those of one process together.
    fn grouped(&self, order: &[usize]) -> Result<Vec<Vec<usize>>, Box<dyn Error>> {
        let (alone, others) = order.split_at(order.len().min(ALONE));
        let mut groups: Vec<Vec<usize>> = alone.iter().map(|index| vec![*index]).collect();
        let begin = groups.len();
        for index in others {
            let test = self.test(*index)?;
            let own = groups.iter_mut().skip(begin).rfind(|group| {
                let first = group.first().and_then(|first| self.suite.tests.get(*first));
                // Long ones run alone, so that a short one which notices is not kept waiting.
                first.is_some_and(|first| first.binary == test.binary) && group.len() < TOGETHER
            });
            match own {
                Some(group) if test.took < Duration::from_millis(300) => group.push(*index),
                _ => groups.push(vec![*index]),
            }
        }
        Ok(groups)
    }

    /// Shows a mutant to some tests of one program; who noticed it, and how.
    fn run(&self, mutant: &Mutant, tests: &[usize], worker: usize) -> Result<Option<(usize, Outcome)>, Box<dyn Error>> {
        let first = *tests.first().ok_or("no test")?;
        let names: Result<Vec<&str>, _> = tests.iter().map(|index| Ok(self.test(*index)?.name.as_str())).collect();
        let names: Vec<&str> = names.map_err(|error: Box<dyn Error>| error)?;
        let mut took = Duration::ZERO;
        for index in tests {
            took += self.test(*index)?.took;
        }
        let mut command = self.suite.command(self.test(first)?.binary, &names, worker)?;
        command.env("WM_MUTANT", mutant.number.to_string());
        let (ended, output) = self.suite.run(command, worker, limit(took))?;
        if ended.is_success() {
            return Ok(None);
        }
        if tests.len() > 1 {
            return self.confirmed(mutant, tests, &output, worker);
        }
        let by = self.suite.name(first);
        Ok(Some((first, if ended.status.is_some() { Outcome::Noticed(by) } else { Outcome::Hung(by) })))
    }

    /// Of tests that ran together, the one that notices the mutant by itself too: first those that the output names.
    fn confirmed(
        &self,
        mutant: &Mutant,
        tests: &[usize],
        output: &str,
        worker: usize,
    ) -> Result<Option<(usize, Outcome)>, Box<dyn Error>> {
        let is_named = |index: &usize| {
            let name = self.suite.tests.get(*index).map_or("", |test| test.name.as_str());
            output
                .lines()
                .any(|line| line.starts_with("test ") && line.contains(&format!(" {name} ")) && !line.ends_with("ok"))
        };
        let (named, others): (Vec<usize>, Vec<usize>) = tests.iter().partition(|index| is_named(index));
        for index in named.into_iter().chain(others) {
            if let Some(noticed) = self.run(mutant, &[index], worker)? {
                return Ok(Some(noticed));
            }
        }
        Ok(None)
    }
}
