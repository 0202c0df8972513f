//! Which processes a connection from this machine belongs to, as Linux tells it below `/proc`. Elsewhere nobody does.

use std::net::SocketAddr;
use std::path::Path;

/// Who is at the other end of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Another user, or nobody any more.
    Stranger,
    /// These processes of this user share the connection's other end.
    Processes(Vec<u32>),
    /// The system does not tell.
    Unknown,
}

/// Bytes of the list of connections: a hundred thousand of them.
const LIST_LIMIT: u64 = 16 << 20;
/// Processes between one and its forefather.
const DEPTH_LIMIT: usize = 64;

/// Who is at `there`, seen from `here`.
pub(super) fn of(there: SocketAddr, here: SocketAddr) -> Peer {
    let (SocketAddr::V4(_), Some(list)) = (there, read(Path::new("/proc/net/tcp"))) else { return Peer::Unknown };
    let Some(user) = user() else { return Peer::Unknown };
    match find(&list, there, here) {
        Some((owner, socket)) if owner == user && socket != 0 => {
            let processes = processes_with(socket, user);
            if processes.is_empty() { Peer::Unknown } else { Peer::Processes(processes) }
        }
        _ => Peer::Stranger,
    }
}

fn read(path: &Path) -> Option<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(LIST_LIMIT).read_to_string(&mut text).ok()?;
    Some(text)
}

/// The user of this process.
fn user() -> Option<u32> {
    status("self", "Uid:")
}

/// The first number of a line of a process's status.
fn status(process: &str, name: &str) -> Option<u32> {
    let text = read(&Path::new("/proc").join(process).join("status"))?;
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// User and socket of the connection from `there` to `here` in the list of all.
fn find(list: &str, there: SocketAddr, here: SocketAddr) -> Option<(u32, u64)> {
    let (there, here) = (written(there)?, written(here)?);
    list.lines().skip(1).find_map(|line| {
        // Number, local and remote address, state, queues, timer, retransmissions, user, timeout, socket.
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_it = words.get(1) == Some(&there.as_str()) && words.get(2) == Some(&here.as_str());
        if is_it { Some((words.get(7)?.parse().ok()?, words.get(9)?.parse().ok()?)) } else { None }
    })
}

/// An address as the list has it: the bytes of the machine's own order, and the port.
fn written(address: SocketAddr) -> Option<String> {
    let SocketAddr::V4(address) = address else { return None };
    Some(format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port()))
}

/// The processes of a user that have a socket open.
fn processes_with(socket: u64, user: u32) -> Vec<u32> {
    let wanted = format!("socket:[{socket}]");
    let Ok(all) = std::fs::read_dir("/proc") else { return Vec::new() };
    let numbers = all.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let has_it = |process: &u32| {
        let name = process.to_string();
        // Those of others do not show what they have open.
        status(&name, "Uid:") == Some(user)
            && std::fs::read_dir(Path::new("/proc").join(name).join("fd")).is_ok_and(|files| {
                files
                    .flatten()
                    .any(|file| std::fs::read_link(file.path()).is_ok_and(|place| place.as_os_str() == wanted.as_str()))
            })
    };
    numbers.filter(has_it).collect()
}

/// Whether a process is this one, or one that it started, or those, and so on.
pub(super) fn is_within(process: u32, forefather: u32) -> bool {
    let mut at = process;
    for _ in 0..DEPTH_LIMIT {
        if at == forefather {
            return true;
        }
        match status(&at.to_string(), "PPid:") {
            Some(parent) if parent > 1 => at = parent,
            _ => return false,
        }
    }
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn the_own_connection_is_found_and_nobodys_is_a_strangers() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = listener.local_addr().unwrap();
        let client = TcpStream::connect(here).unwrap();
        let (_server, there) = listener.accept().unwrap();
        let Peer::Processes(found) = of(there, here) else { panic!("{:?}", of(there, here)) };
        assert!(found.contains(&std::process::id()), "{found:?}");
        let mut other = here;
        other.set_port(there.port() ^ 1);
        assert_eq!(of(there, other), Peer::Stranger);
        drop(client);
    }

    #[test]
    fn another_users_connection_is_a_strangers() {
        let list = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                    0: 0100007F:9C40 0100007F:0FA0 01 00000000:00000000 00:00000000 00000000  4242        0 77 1 0 20 4 30 10 -1\n";
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        if cfg!(target_endian = "little") {
            assert_eq!(find(list, at(40_000), at(4000)), Some((4242, 77)));
        }
        assert_eq!(find(list, at(4000), at(40_000)), None);
        assert_eq!(find("", at(4000), at(40_000)), None);
    }

    #[test]
    fn a_child_is_within_its_parent_and_not_the_other_way() {
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        assert!(is_within(child.id(), std::process::id()));
        assert!(!is_within(std::process::id(), child.id()));
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
