//! Processes of this machine, as Linux tells of them below `/proc`: who they are of, and who started whom.

use std::io::{self, Read as _};
use std::path::Path;

/// Bytes of what a process says of itself.
const STATUS_LIMIT: u64 = 64 << 10;
/// Processes between one and its forefather.
const DEPTH_LIMIT: usize = 64;

/// Text of a file, up to a limit.
pub(super) fn read(path: &Path, limit: u64) -> io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(path)?.take(limit).read_to_string(&mut text)?;
    Ok(text)
}

/// The user of this process.
pub(super) fn user() -> Option<u32> {
    user_of(std::process::id())
}

pub(super) fn user_of(process: u32) -> Option<u32> {
    status(process, "Uid:")?.parse().ok()
}

/// All processes that can be seen.
pub(super) fn all() -> impl Iterator<Item = u32> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Whether a process is this one, or one that it started, or those, and so on.
pub(super) fn is_within(process: u32, forefather: u32) -> bool {
    let mut at = process;
    for _ in 0..DEPTH_LIMIT {
        if at == forefather {
            return true;
        }
        match parent(at) {
            Some(parent) if parent > 1 => at = parent,
            _ => return false,
        }
    }
    false
}

fn parent(process: u32) -> Option<u32> {
    status(process, "PPid:")?.parse().ok()
}

/// The first word of a line of a process's status.
fn status(process: u32, name: &str) -> Option<String> {
    let text = read(&Path::new("/proc").join(process.to_string()).join("status"), STATUS_LIMIT).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next().map(str::to_owned)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_within_its_parent_and_not_the_other_way() {
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        assert!(is_within(child.id(), std::process::id()));
        assert!(!is_within(std::process::id(), child.id()));
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
