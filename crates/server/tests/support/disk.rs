//! Small file systems that a test fills.

use std::path::Path;
use std::process::{Command, Stdio};

/// A file system of its own in memory.
pub struct Disk(tempfile::TempDir);

impl Disk {
    /// `None` where mounting one is not allowed; where all tools were installed that is a failure.
    pub fn new(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        if mount(&format!("size={size}"), folder.path()) {
            return Some(Self(folder));
        }
        assert!(std::env::var_os("WM_TEST_ALL_TOOLS").is_none(), "this test mounts a file system, which needs root");
        eprintln!("skipped: this test mounts a file system, which needs root");
        None
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn change(&self, options: &str) {
        assert!(mount(&format!("remount,{options}"), self.path()));
    }
}

fn mount(options: &str, at: &Path) -> bool {
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", options, "tmpfs"])
        .arg(at)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    mount.is_ok_and(|status| status.success())
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, because something may still be open while a test fails.
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
