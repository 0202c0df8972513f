//! Kills a C program at writes, syncs, renames, locks and sends of acquiring, backing up and restoring, and looks at what is left:
//! the old state or the new one, never something between, and the same step then succeeds.

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use wmlicense_testkit::c;
use wmlicense_testkit::c::compile::{Form, compile};
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::crash::{self, Fault, Point};
use wmlicense_testkit::daemon::program;
use wmlicense_testkit::{root, run};

/// What opens, changes or locks files, or talks to the service. `strace` counts each system call and each thread by
/// itself, and an operation has a thread of its own.
const CHANGES: &str = "write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,ftruncate,\
                       openat,fcntl,connect,sendto,recvfrom";
/// Titles that the steps acquire.
const LICENSES: u32 = 4;
/// Points in one run of the tests; the long run (`make test-crash`) kills at all of them.
const POINTS: usize = 50;

struct Stage {
    service: Service,
    program: PathBuf,
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let program = compile("gcc", Form::Shared, &root().join("tests/c/crash/step.c"), folder.path());
        Self { service: Service::start(), program, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, before: &[&str], store: &Path, words: &[&str]) -> Command {
        let program = self.program.to_str().expect("a plain path");
        let mut command = run::limited(before.iter().copied().chain([program]));
        c::with_service(&mut command, &self.service);
        command.arg(store).args(words);
        command
    }

    fn run(&self, store: &Path, words: &[&str]) -> String {
        run::succeed(&mut self.command(&[], store, words))
    }

    /// Licenses stored and titles playable.
    fn count(&self, store: &Path) -> (u32, u32) {
        let printed = self.run(store, &["count"]);
        let numbers: Vec<u32> = printed.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        (numbers[0], numbers[1])
    }

    /// Where a step that runs to its end can be killed: all points, or a spread of them.
    fn points(&self, store: &Path, words: &[&str]) -> Vec<Point> {
        let run = |strace: Command, store: &Path| {
            let before: Vec<&str> =
                std::iter::once(strace.get_program()).chain(strace.get_args()).filter_map(OsStr::to_str).collect();
            self.command(&before, store, words).output().expect("strace runs").status.success()
        };
        let all = crash::points(&run, store, CHANGES);
        assert!(all.iter().any(|point| point.call == "pwrite64"), "the step changed nothing");
        if all.len() <= POINTS || std::env::var_os("WM_TEST_LONG").is_some() {
            return all;
        }
        (0..POINTS).map(|index| all[index * (all.len() - 1) / (POINTS - 1)].clone()).collect()
    }

    /// Runs a step and kills it at a point. True if it was killed.
    fn killed_at(&self, point: &Point, store: &Path, words: &[&str]) -> bool {
        let (trace, inject) = (format!("trace={}", point.call), Fault::Kill.at(point));
        let strace = ["strace", "-f", "-o", "/dev/null", "-e", &trace, "-e", &inject];
        let status = self.command(&strace, store, words).output().expect("strace runs").status;
        // The programs in between report the kill or pass it on; any other failure would be the step's own.
        let killed = status.signal() == Some(9) || status.code() == Some(128 + 9);
        assert!(killed || status.success(), "{words:?} failed by itself at {point:?}: {status}");
        killed
    }
}

/// Puts a copy of a folder in the place of another.
fn copy(from: &Path, to: &Path) {
    if to.exists() {
        std::fs::remove_dir_all(to).expect("the copy can be removed");
    }
    crash::copy(from, to);
}

#[test]
fn a_crash_anywhere_leaves_the_old_state_or_the_new_one() {
    if !crash::can_trace() {
        return;
    }
    let stage = Stage::new();
    let (first, second) = (stage.path("first"), stage.path("second"));
    stage.run(&first, &["individualize"]);
    stage.run(&second, &["individualize"]);
    let mut kills = 0;
    kills += acquiring(&stage, &first);
    stage.run(&first, &["acquire"]);
    kills += backing_up(&stage, &first);
    kills += restoring(&stage, &second);
    println!("killed at {kills} points");
    assert!(kills >= 100, "only {kills} kills");
}

#[test]
fn a_medium_that_fails_is_told_with_what_helps_and_keeps_the_older_backup() {
    if !crash::can_trace() {
        return;
    }
    let stage = Stage::new();
    let (store, place) = (stage.path("store"), stage.path("backup"));
    std::fs::create_dir(&place).expect("a new folder");
    let place = place.to_str().expect("a plain path");
    stage.run(&store, &["individualize"]);
    stage.run(&store, &["acquire"]);
    stage.run(&store, &["backup", place]);
    let kept = std::fs::read(Path::new(place).join("licenses.wmbackup")).expect("a backup");
    let (another_place, more_space) = (8, 9);
    let troubles = [
        ("fsync", "EIO", "WM_E_MEDIUM_FAILED", another_place),
        ("fsync", "ENOSPC", "WM_E_DISK_FULL", more_space),
        ("fsync", "EDQUOT", "WM_E_DISK_FULL", more_space),
        ("renameat", "ENODEV", "WM_E_MEDIUM_FAILED", another_place),
        ("renameat", "EROFS", "WM_E_PATH_READ_ONLY", another_place),
    ];
    for (call, error, result, remedy) in troubles {
        let inject = format!("inject={call}:error={error}");
        let trace = ["strace", "-f", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject];
        let told = run::succeed(&mut stage.command(&trace, &store, &["try-backup", place]));
        assert_eq!(told.trim(), format!("{result} remedy {remedy}"), "{call} {error}");
        assert_eq!(std::fs::read(Path::new(place).join("licenses.wmbackup")).ok().as_ref(), Some(&kept));
        assert_eq!(std::fs::read_dir(place).expect("a readable folder").count(), 1, "{call} {error}");
    }
    // Where no file takes the place of another at once, the old one steps aside.
    for refusal in ["EEXIST", "EPERM"] {
        let inject = format!("inject=renameat:error={refusal}");
        let trace = ["strace", "-f", "-o", "/dev/null", "-e", "trace=renameat", "-e", &inject];
        let told = run::succeed(&mut stage.command(&trace, &store, &["try-backup", place]));
        assert_eq!(told.trim(), "WM_S_OK remedy 0", "{refusal}");
        assert_eq!(std::fs::read_dir(place).expect("a readable folder").count(), 1, "{refusal}");
    }
    assert_ne!(std::fs::read(Path::new(place).join("licenses.wmbackup")).expect("a backup"), kept);
    stage.run(&store, &["restore", place]);
}

fn acquiring(stage: &Stage, before: &Path) -> usize {
    let store = stage.path("store");
    copy(before, &store);
    let points = stage.points(&store, &["acquire"]);
    let mut kills = 0;
    for point in &points {
        copy(before, &store);
        kills += usize::from(stage.killed_at(point, &store, &["acquire"]));
        let left = stage.count(&store);
        assert!(left == (0, 0) || left == (LICENSES, LICENSES), "acquire killed at {point:?}: {left:?}");
        stage.run(&store, &["acquire"]);
        assert_eq!(stage.count(&store), (LICENSES, LICENSES), "acquire after a kill at {point:?}");
    }
    kills
}

fn backing_up(stage: &Stage, store: &Path) -> usize {
    let (place, restored) = (stage.path("backup"), stage.path("restored"));
    let place_text = place.to_str().expect("a plain path").to_owned();
    std::fs::create_dir(&place).expect("a new folder");
    let file = place.join("licenses.wmbackup");
    let points = stage.points(store, &["backup", &place_text]);
    let mut kills = 0;
    for (turn, point) in points.iter().enumerate() {
        // Every other time there is no older backup.
        if turn % 2 == 1 {
            std::fs::remove_file(&file).expect("the backup can be removed");
        }
        let older = std::fs::read(&file).ok();
        kills += usize::from(stage.killed_at(point, store, &["backup", &place_text]));
        let left = std::fs::read(&file).ok();
        if left != older {
            copy(store, &restored);
            stage.run(&restored, &["restore", &place_text]);
        }
        assert_eq!(stage.count(store), (LICENSES, LICENSES), "backup killed at {point:?}");
        stage.run(store, &["backup", &place_text]);
        let names = std::fs::read_dir(&place).expect("a readable folder").count();
        assert_eq!(names, 1, "backup killed at {point:?}: temporary files stay");
    }
    kills
}

fn restoring(stage: &Stage, before: &Path) -> usize {
    let place = stage.path("backup");
    let place = place.to_str().expect("a plain path");
    let store = stage.path("store");
    copy(before, &store);
    let points = stage.points(&store, &["restore", place]);
    let mut kills = 0;
    for point in &points {
        copy(before, &store);
        kills += usize::from(stage.killed_at(point, &store, &["restore", place]));
        let left = stage.count(&store);
        assert!(left == (0, 0) || left == (LICENSES, LICENSES), "restore killed at {point:?}: {left:?}");
        // The device is counted already: the same restore is free, however often it crashed.
        stage.run(&store, &["restore", place]);
        assert_eq!(stage.count(&store), (LICENSES, LICENSES), "restore after a kill at {point:?}");
    }
    // One seat a license, however often the restore was broken off.
    let mut list = Command::new(program());
    list.args(["restore", "list", "--json", "--data"]).arg(stage.service.data());
    assert_eq!(run::succeed(&mut list).matches("\"device\"").count() as u32, LICENSES);
    kills
}
