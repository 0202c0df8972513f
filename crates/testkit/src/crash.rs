//! Processes that die, or meet a failing disk, at a chosen system call. Such a process is whatever a [`Run`] starts; or a test of
//! the same binary that does nothing unless [`folder_of_child`] gives it a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const FOLDER: &str = "WM_TEST_CRASH_FOLDER";
/// With this variable set every point is tried instead of a spread of them.
const ALL_POINTS: &str = "WM_TEST_CRASH_ALL";
/// Calls that change what is on the disk.
pub const DISK: &str = "write,pwrite64,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink,unlinkat,link,linkat";

/// A system call of one kind, counted from 1.
#[derive(Debug, Clone)]
pub struct Point {
    pub call: String,
    pub number: usize,
}

/// What happens at the point.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// The process is gone.
    Kill,
    /// The call fails with this error.
    Error(&'static str),
}

impl Fault {
    /// What tells `strace` to let it happen there.
    pub fn at(self, point: &Point) -> String {
        let what = match self {
            Self::Kill => "signal=KILL".into(),
            Self::Error(name) => format!("error={name}"),
        };
        format!("inject={}:{what}:when={}", point.call, point.number)
    }
}

/// Runs a process on a folder: its program and arguments go behind the given `strace` and its arguments. True if it ended well.
pub type Run<'r> = &'r dyn Fn(Command, &Path) -> bool;

/// The folder to work in, in a process that was started to die.
pub fn folder_of_child() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// True if strace is here and may trace. Where all tools were installed, its absence is a failure.
pub fn can_trace() -> bool {
    let traced = Command::new("strace").args(["-qq", "-e", "trace=none", "true"]).output();
    let works = traced.is_ok_and(|output| output.status.success());
    if !works {
        crate::skip("strace is missing: run ci/install.sh");
    }
    works
}

/// Runs a test of this binary.
fn run_test(name: &str, mut strace: Command, folder: &Path) -> bool {
    let status = strace
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.unwrap().success()
}

fn traced(run: Run<'_>, folder: &Path, arguments: &[String]) -> bool {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq"]).args(arguments);
    run(strace, folder)
}

/// All points of an undisturbed run at these calls.
pub fn points(run: Run<'_>, folder: &Path, calls: &str) -> Vec<Point> {
    points_beside(run, folder, calls, ("", &[]))
}

/// As [`points`], in a run in which other calls are traced and fail.
fn points_beside(run: Run<'_>, folder: &Path, calls: &str, (also, always): (&str, &[String])) -> Vec<Point> {
    let log = folder.with_extension("trace");
    let arguments = ["-o".into(), log.display().to_string(), "-e".into(), format!("trace={calls}{also}")];
    assert!(traced(run, folder, &[&arguments[..], always].concat()), "the run fails without a fault");
    let mut counts: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for line in std::fs::read_to_string(&log).unwrap().lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        if !calls.split(',').any(|known| known == call) {
            continue;
        }
        *counts.entry(call.to_owned()).or_default().entry(thread.to_owned()).or_default() += 1;
    }
    let all = counts.into_iter().flat_map(|(call, threads)| {
        let most = threads.into_values().max().unwrap_or(0);
        (1..=most).map(move |number| Point { call: call.clone(), number })
    });
    all.collect()
}

/// Runs `child` once for each of up to `most` points, each time over a fresh copy of `base`, and then lets `check` look at
/// what is left. `check` is told whether the child ended well. Gives the number of points.
pub fn at_each_point(
    child: &str,
    base: &Path,
    most: usize,
    fault: Fault,
    check: &mut dyn FnMut(&Path, &Point, bool),
) -> usize {
    at_each_call(DISK, child, base, most, fault, check)
}

/// As [`at_each_point`], at other calls than those of the disk.
pub fn at_each_call(
    calls: &str,
    child: &str,
    base: &Path,
    most: usize,
    fault: Fault,
    check: &mut dyn FnMut(&Path, &Point, bool),
) -> usize {
    at_each_call_with(&[], calls, child, base, (most, fault), check)
}

/// As [`at_each_call`], in runs in which these calls, none of `calls`, fail as well: (call, error).
pub fn at_each_call_with(
    failing: &[(&str, &str)],
    calls: &str,
    child: &str,
    base: &Path,
    how: (usize, Fault),
    check: &mut dyn FnMut(&Path, &Point, bool),
) -> usize {
    let run = |strace: Command, folder: &Path| run_test(child, strace, folder);
    at_each_call_of((child, &run), failing, calls, base, how, check)
}

/// As [`at_each_call_with`], of what `run` starts.
pub fn at_each_call_of(
    (name, run): (&str, Run<'_>),
    failing: &[(&str, &str)],
    calls: &str,
    base: &Path,
    (most, fault): (usize, Fault),
    check: &mut dyn FnMut(&Path, &Point, bool),
) -> usize {
    let work = tempfile::tempdir().unwrap();
    let folder = work.path().join("run");
    copy(base, &folder);
    let always: Vec<_> =
        failing.iter().flat_map(|(call, error)| ["-e".into(), format!("inject={call}:error={error}")]).collect();
    let also: String = failing.iter().map(|(call, _)| format!(",{call}")).collect();
    let all = points_beside(run, &folder, calls, (&also, &always));
    let most = if std::env::var_os(ALL_POINTS).is_some() { all.len() } else { most };
    let step = all.len().div_ceil(most.max(1)).max(1);
    let mut tried = 0;
    for point in all.iter().step_by(step) {
        std::fs::remove_dir_all(&folder).unwrap();
        copy(base, &folder);
        let inject = fault.at(point);
        // Only a call that is traced is injected into.
        let trace = format!("trace={}{also}", point.call);
        let arguments = ["-o", "/dev/null", "-e", &trace, "-e", &inject].map(String::from);
        let ended_well = traced(run, &folder, &[&arguments[..], &always].concat());
        // How many reads an answer takes is up to the network.
        let must_reach = calls == DISK && matches!(fault, Fault::Kill);
        assert!(!ended_well || !must_reach, "{point:?} was not reached");
        check(&folder, point, ended_well);
        tried += 1;
    }
    // `make test-crash` adds these up.
    println!("{name}: faults at {tried} points");
    tried
}

/// Copies a folder with everything below it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}
