//! Which processes a connection from this machine belongs to, as Linux tells it below `/proc`. Elsewhere nobody does.

use super::processes;
use std::io;
use std::net::SocketAddr;
use std::path::Path;

/// Who is at the other end of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Another user, a process that hides what it has open, or nobody any more.
    Stranger,
    /// These processes of this user share the connection's other end.
    Processes(Vec<u32>),
    /// The system has no list of connections.
    Unknown,
    /// There is a list, which cannot be read at this moment.
    Untold,
}

/// Bytes of the list of connections: a hundred thousand of them.
const LIST_LIMIT: u64 = 16 << 20;
/// Where Linux lists connections over IPv4.
const LIST: &str = "/proc/net/tcp";

/// Who is at `there`, seen from `here`.
pub(super) fn of(there: SocketAddr, here: SocketAddr) -> Peer {
    judge(&processes::read(Path::new(LIST), LIST_LIMIT), processes::user(), there, here)
}

/// Only a system without a list knows of nobody. Where there is one, a connection that it does not lead to a process of this
/// user is a stranger's: a process can hide what it has open, and a socket can be on its way from one to another.
fn judge(list: &io::Result<String>, user: Option<u32>, there: SocketAddr, here: SocketAddr) -> Peer {
    let list = match list {
        Ok(list) => list,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Peer::Unknown,
        Err(_) => return Peer::Untold,
    };
    let found = find(list, there, here).filter(|(owner, socket)| Some(*owner) == user && *socket != 0);
    let processes = found.map(|(owner, socket)| processes_with(socket, owner)).unwrap_or_default();
    if processes.is_empty() { Peer::Stranger } else { Peer::Processes(processes) }
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
    let has_it = |process: &u32| {
        let files = Path::new("/proc").join(process.to_string()).join("fd");
        // Those of others do not show what they have open.
        processes::user_of(*process) == Some(user)
            && std::fs::read_dir(files).is_ok_and(|files| {
                files
                    .flatten()
                    .any(|file| std::fs::read_link(file.path()).is_ok_and(|place| place.as_os_str() == wanted.as_str()))
            })
    };
    processes::all().filter(has_it).collect()
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

    /// An entry of the list, for a connection from port 40000 to port 4000.
    fn entry(user: u32, socket: u64) -> io::Result<String> {
        let [there, here] = [40_000, 4000].map(|port| written(at(port)).unwrap_or_default());
        Ok(format!("  sl  local_address\n 0: {there} {here} 01 00:00 00:00 00 {user} 0 {socket} 1 0 20 4 30 10 -1\n"))
    }

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn another_users_connection_is_a_strangers() {
        let client = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let file = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&client));
        let place = std::fs::read_link(file).unwrap().to_string_lossy().into_owned();
        let socket = place.trim_start_matches("socket:[").trim_end_matches(']').parse().unwrap();
        let user = processes::user().unwrap();
        let judged = |list| judge(&list, Some(user), at(40_000), at(4000));
        // The same socket, which this process has, under the name of two users.
        assert!(matches!(judged(entry(user, socket)), Peer::Processes(_)));
        assert_eq!(judged(entry(user + 1, socket)), Peer::Stranger);
        assert_eq!(judged(entry(user, 0)), Peer::Stranger);
        assert_eq!(judge(&entry(user, socket), Some(user), at(4000), at(40_000)), Peer::Stranger);
        assert_eq!(judge(&entry(user, socket), None, at(40_000), at(4000)), Peer::Stranger);
    }

    #[test]
    fn only_a_system_without_a_list_does_not_tell() {
        let failed = |kind: io::ErrorKind| judge(&Err(kind.into()), Some(1), at(40_000), at(4000));
        assert_eq!(failed(io::ErrorKind::NotFound), Peer::Unknown);
        assert_eq!(failed(io::ErrorKind::PermissionDenied), Peer::Untold);
        assert_eq!(judge(&Ok(String::new()), Some(1), at(40_000), at(4000)), Peer::Stranger);
    }

    /// A program that has a connection which no process has open: it is on its way through a socket.
    const IN_FLIGHT: &str = "import socket, sys
one, other = socket.socketpair(socket.AF_UNIX)
client = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
socket.send_fds(one, [b'x'], [client.fileno()])
client.close()
print('sent', flush=True)
sys.stdin.read()";

    #[test]
    fn a_connection_of_no_process_that_can_be_seen_is_a_strangers() {
        use std::process::{Command, Stdio};
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let here = listener.local_addr().unwrap();
        let mut hidden = Command::new("python3");
        hidden.args(["-c", IN_FLIGHT, &here.port().to_string()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut hidden = hidden.spawn().unwrap();
        let mut line = String::new();
        let out = hidden.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line).unwrap();
        assert_eq!(line, "sent\n");
        let (_server, there) = listener.accept().unwrap();
        let found = of(there, here);
        drop(hidden.stdin.take());
        hidden.wait().unwrap();
        assert_eq!(found, Peer::Stranger);
    }
}
