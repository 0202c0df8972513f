//! Small, full and read-only file systems. A test that mounts runs in a process with mounts of its own, so that none is left.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// Set in the process that has mounts of its own.
const INSIDE: &str = "WM_TEST_OWN_MOUNTS";

/// True in a process whose mounts nobody else sees; else runs the test named `test` in one. Where all tools were installed it is a
/// failure if there can be none.
pub fn has_own_mounts(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    // Mounting takes rights that anybody has in a user namespace of their own. The right to write whatever the modes say is given up.
    let forms: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    let unshare = |form: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(form).args(["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]);
        command
    };
    let Some(form) =
        forms.into_iter().find(|form| unshare(form).arg("true").output().is_ok_and(|ran| ran.status.success()))
    else {
        crate::skip("no process may have mounts of its own");
        return false;
    };
    let ran = unshare(form)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success() && out.contains("1 passed"), "{out}\n{err}");
    false
}

fn mount(arguments: &[&str], at: &Path) {
    let ran = Command::new("mount").args(arguments).arg(at).output().unwrap();
    assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

/// Mounts an empty file system in memory, with these options.
pub fn mount_small(at: &Path, options: &str) {
    mount(&["-t", "tmpfs", "-o", options, "tmpfs"], at);
}

/// Changes the options of what is mounted there.
pub fn remount(at: &Path, options: &str) {
    mount(&["-o", &format!("remount,{options}")], at);
}

/// Lets nobody write there, or lets them again.
pub fn set_read_only(at: &Path, read_only: bool) {
    remount(at, if read_only { "ro" } else { "rw" });
}

/// Takes all the room that is left, in a file of this name.
pub fn fill(file: &Path) {
    let mut file = std::fs::File::create(file).unwrap();
    // Smaller pieces find room where larger ones do not.
    for length in [65536, 4096, 512, 1] {
        while file.write_all(&vec![7; length]).is_ok() {}
    }
}
