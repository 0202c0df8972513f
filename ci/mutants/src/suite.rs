//! All tests of the built programs: what each takes and which mutants it reaches, from one run of each without mutants.

use crate::compile::Binary;
use crate::process::{Ended, run};
use std::collections::HashSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};

/// A test that takes longer is shown to no mutant.
const SLOWEST: Duration = Duration::from_secs(20);

/// In front of tests that are left out, in the file of what is known.
const LEFT_OUT: char = '!';

/// One test.
#[derive(Debug, Clone)]
pub struct Test {
    /// Index of its program.
    pub binary: usize,
    /// Its path in the program.
    pub name: String,
    /// What it took.
    pub took: Duration,
    /// Numbers of the mutants whose place it reaches.
    pub reached: HashSet<u32>,
}

/// What was recorded of one program: its tests, and those that are left out.
type Known = (Vec<Test>, Vec<(usize, String)>);

/// What runs the tests.
pub struct Suite {
    /// Programs with tests.
    pub binaries: Vec<Binary>,
    /// Tests that pass without mutants.
    pub tests: Vec<Test>,
    /// The others with their program, and why.
    pub left_out: Vec<(usize, String)>,
    libraries: PathBuf,
    /// Where results of recordings are kept.
    kept: PathBuf,
    /// A folder for each worker.
    temporary: PathBuf,
}

impl Suite {
    /// All tests of the programs, each run once without mutants by so many workers.
    pub fn recorded(
        binaries: Vec<Binary>,
        without: &[String],
        work: &Path,
        workers: usize,
    ) -> Result<Self, Box<dyn Error>> {
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let temporary = place.join(format!("wmlicense-mutants.{}", std::process::id()));
        for worker in 0..workers {
            std::fs::create_dir_all(temporary.join(worker.to_string()))?;
        }
        let libraries = binaries.first().and_then(|binary| binary.program.parent()).ok_or("nothing was built")?.into();
        let kept = work.join("reached");
        std::fs::create_dir_all(&kept)?;
        let mut suite = Self { binaries, tests: Vec::new(), left_out: Vec::new(), libraries, kept, temporary };
        suite.record(without, workers)?;
        Ok(suite)
    }

    /// The command that runs these tests of a program one after the other.
    pub fn command(&self, binary: usize, names: &[&str], worker: usize) -> Result<Command, Box<dyn Error>> {
        let binary = self.binaries.get(binary).ok_or("no such program")?;
        let folder = self.temporary.join(worker.to_string()).join("tmp");
        drop(std::fs::remove_dir_all(&folder));
        std::fs::create_dir_all(&folder)?;
        let mut command = Command::new(&binary.program);
        command.arg("--exact").args(names).arg("--test-threads=1").current_dir(&binary.folder);
        command.env("TMPDIR", folder).env("LD_LIBRARY_PATH", &self.libraries);
        command.env("WM_TEST_PROGRAMS_BUILT", "1");
        // The same random inputs each time, and none kept from a mutant for the next.
        command.env("PROPTEST_RNG_SEED", "1").env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true");
        command.env_remove("WM_TEST_ALL_TOOLS");
        Ok(command)
    }

    /// Runs a command of [`Self::command`]; its output is answered too.
    pub fn run(&self, mut command: Command, worker: usize, limit: Duration) -> Result<(Ended, String), Box<dyn Error>> {
        let output = self.temporary.join(worker.to_string()).join("output");
        let ended = run(&mut command, &output, limit)?;
        Ok((ended, String::from_utf8_lossy(&std::fs::read(output)?).into_owned()))
    }

    fn record(&mut self, without: &[String], workers: usize) -> Result<(), Box<dyn Error>> {
        let mut all = Vec::new();
        for index in 0..self.binaries.len() {
            match self.known(index)? {
                Some((tests, left_out)) => {
                    self.tests.extend(tests);
                    self.left_out.extend(left_out);
                }
                None => all.extend(self.listed(index, without)?.into_iter().map(|name| (index, name))),
            }
        }
        eprintln!("  {} tests are recorded, {} are known", all.len(), self.tests.len());
        let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        std::thread::scope(|scope| -> Result<(), String> {
            let (suite, all, next, done) = (&*self, &all, &next, &done);
            let running: Vec<_> = (0..workers)
                .map(|worker| {
                    scope.spawn(move || -> Result<(), String> {
                        while let Some((binary, name)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                            let test = suite.one(*binary, name, worker).map_err(|error| format!("{name}: {error}"))?;
                            done.lock().map_err(|_| "a worker ended")?.push(test);
                        }
                        Ok(())
                    })
                })
                .collect();
            running.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a worker ended".to_owned())?)
        })?;
        let recorded: HashSet<usize> = all.iter().map(|(binary, _)| *binary).collect();
        for test in done.into_inner().map_err(|_| "a worker ended")? {
            match test {
                Ok(test) => self.tests.push(test),
                Err(said) => self.left_out.push(said),
            }
        }
        recorded.into_iter().try_for_each(|binary| self.keep(binary))
    }

    /// The names of a program's tests, without those that are ignored or shown no mutant.
    fn listed(&self, binary: usize, without: &[String]) -> Result<Vec<String>, Box<dyn Error>> {
        let Binary { name: of, program, folder: _ } = self.binaries.get(binary).ok_or("no such program")?;
        let names = |arguments: &[&str]| -> Result<HashSet<String>, Box<dyn Error>> {
            let mut command = Command::new(program);
            command.args(["--list", "--format=terse"]).args(arguments).env("LD_LIBRARY_PATH", &self.libraries);
            let text = String::from_utf8(command.output()?.stdout)?;
            Ok(text.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect())
        };
        let ignored = names(&["--ignored"])?;
        let mut names: Vec<String> = names(&[])?.into_iter().filter(|name| !ignored.contains(name)).collect();
        let is_left = |name: &String, left: &String| format!("{of}::{name}::").starts_with(&format!("{left}::"));
        names.retain(|name| !without.iter().any(|left| is_left(name, left)));
        names.sort();
        Ok(names)
    }

    /// Runs one test without mutants; in the inner result, why it is left out.
    fn one(&self, binary: usize, name: &str, worker: usize) -> Result<Result<Test, (usize, String)>, Box<dyn Error>> {
        let mut command = self.command(binary, &[name], worker)?;
        let record = self.temporary.join(worker.to_string()).join("record");
        std::fs::write(&record, [])?;
        command.env("WM_MUTANT_RECORD", &record);
        let (ended, _) = self.run(command, worker, SLOWEST)?;
        let of = self.binaries.get(binary).map_or("", |binary| binary.name.as_str());
        if !ended.is_success() {
            let why = if ended.status.is_some() { "fails without a mutant" } else { "takes too long" };
            return Ok(Err((binary, format!("{of} {name}: {why}"))));
        }
        let bytes = std::fs::read(record)?;
        let reached = bytes.as_chunks::<4>().0.iter().map(|&number| u32::from_le_bytes(number)).collect();
        Ok(Ok(Test { binary, name: name.to_owned(), took: ended.took, reached }))
    }

    /// The time at which a program was made: what was recorded of another is not true of it.
    fn made(&self, binary: usize) -> Result<u128, Box<dyn Error>> {
        let own = &self.binaries.get(binary).ok_or("no such program")?;
        // Tests of whole programs run others of the build too.
        let others = if own.name.contains('/') { self.binaries.as_slice() } else { std::slice::from_ref(*own) };
        let mut last = 0;
        for program in others {
            let made = std::fs::metadata(&program.program)?.modified()?.duration_since(UNIX_EPOCH)?;
            let counts = !program.name.contains('/') || program.program == own.program;
            last = if counts { made.as_nanos().max(last) } else { last };
        }
        Ok(last)
    }

    fn kept_in(&self, binary: usize) -> Option<PathBuf> {
        Some(self.kept.join(self.binaries.get(binary)?.program.file_name()?))
    }

    fn known(&self, binary: usize) -> Result<Option<Known>, Box<dyn Error>> {
        let path = self.kept_in(binary).ok_or("no such program")?;
        let Ok(text) = std::fs::read_to_string(path) else { return Ok(None) };
        let mut lines = text.lines();
        if lines.next() != Some(self.made(binary)?.to_string().as_str()) {
            return Ok(None);
        }
        let test = |line: &str| {
            let mut words = line.split('\t');
            let (name, took) = (words.next()?.to_owned(), Duration::from_micros(words.next()?.parse().ok()?));
            let reached = words.next()?.split(' ').filter_map(|number| number.parse().ok()).collect();
            Some(Test { binary, name, took, reached })
        };
        let (left_out, tests): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with(LEFT_OUT));
        let left_out =
            left_out.into_iter().map(|line| (binary, line.trim_start_matches(LEFT_OUT).to_owned())).collect();
        let tests: Option<Vec<Test>> = tests.into_iter().map(test).collect();
        Ok(tests.map(|tests| (tests, left_out)))
    }

    fn keep(&self, binary: usize) -> Result<(), Box<dyn Error>> {
        let path = self.kept_in(binary).ok_or("no such program")?;
        let mut text = format!("{}\n", self.made(binary)?);
        for test in self.tests.iter().filter(|test| test.binary == binary) {
            let reached: Vec<String> = test.reached.iter().map(u32::to_string).collect();
            text.push_str(&format!("{}\t{}\t{}\n", test.name, test.took.as_micros(), reached.join(" ")));
        }
        for (_, said) in self.left_out.iter().filter(|(of, _)| *of == binary) {
            text.push_str(&format!("{LEFT_OUT}{said}\n"));
        }
        Ok(std::fs::write(path, text)?)
    }
}

impl Drop for Suite {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.temporary));
    }
}
