//! Connections on which nothing passes: a player that pauses is waited for, one that is gone or whose license ended is not.

use super::running::Running;
use super::{has_players, licensed, long_film, play};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Command, Stdio};

/// A client that takes a little of what it asked for, then says so and is silent until its input ends, a minute at most. With
/// `away` no process has its connection open then: it is on its way through another socket.
const CLIENT: &str = "import select, socket, sys
host, port = sys.argv[1].split(':')
client = socket.create_connection((host, int(port)))
client.sendall(sys.argv[2].encode())
got = b''
while len(got) < int(sys.argv[3]):
    part = client.recv(int(sys.argv[3]) - len(got))
    if not part:
        sys.exit('the bridge ended')
    got += part
if sys.argv[4] == 'away':
    one, other = socket.socketpair(socket.AF_UNIX)
    socket.send_fds(one, [b'x'], [client.fileno()])
    client.close()
print('silent', flush=True)
select.select([sys.stdin], [], [], 60)";

/// A client of a bridge that is silent.
struct Silent(Child);

impl Silent {
    fn start(bridge: &Running, request: &str, bytes: usize, place: &str) -> Self {
        let mut client = Command::new("python3");
        client.args(["-c", CLIENT, &bridge.host, request, &bytes.to_string(), place]);
        let mut child = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "silent\n");
        Self(child)
    }

    /// Whether it is there still, so that what ended did so by itself.
    fn waits(mut self) -> bool {
        let waits = self.0.try_wait().unwrap().is_none();
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
        waits
    }
}

#[test]
fn a_player_that_pauses_is_waited_for_and_one_that_is_gone_is_not() {
    if !has_players() {
        return;
    }
    let (_service, machine) = licensed(Some(r#"{"actions":{"Play":{}},"backup":true}"#));
    let film = long_film(&machine.home);
    let length = std::fs::metadata(&film).unwrap().len() as usize;
    let start = || Running::start(&mut play(&machine, &film, &[]));
    // Both in an answer and between two.
    let [pausing, writing, between] = [start(), start(), start()];
    let mut paused = pausing.connect();
    paused.write_all(pausing.request("GET", "").as_bytes()).unwrap();
    let mut bytes = vec![0; 1000];
    paused.read_exact(&mut bytes).unwrap();
    let mut idle = pausing.connect();
    let part = |bridge: &Running| bridge.request("GET", "Range: bytes=0-0\r\n").replace("Connection: close\r\n", "");
    idle.write_all(part(&pausing).as_bytes()).unwrap();
    let mut head = vec![0; 12];
    idle.read_exact(&mut head).unwrap();
    assert_eq!(head, b"HTTP/1.1 206");

    let gone = [
        Silent::start(&writing, &writing.request("GET", ""), 1000, "away"),
        Silent::start(&between, &part(&between), 100, "away"),
    ];
    for (bridge, client) in [writing, between].into_iter().zip(gone) {
        let output = bridge.ended();
        assert!(client.waits(), "the bridge ended with its client only");
        assert!(output.status.success(), "{output:?}");
    }
    // Who paused all the while gets the rest, and an answer to what it asks then.
    idle.write_all(pausing.request("GET", "Range: bytes=0-0\r\n").as_bytes()).unwrap();
    idle.read_to_end(&mut head).unwrap();
    assert_eq!(String::from_utf8_lossy(&head).matches("HTTP/1.1 206").count(), 2);
    paused.read_to_end(&mut bytes).unwrap();
    let body = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    assert_eq!(bytes.len() - body, length);
}

#[test]
fn a_license_that_closes_with_its_end_is_not_held_open_by_a_player_that_pauses() {
    if !has_players() {
        return;
    }
    let terms = r#"{"actions":{"Play":{"secondsAfterFirstUse":1,"closeAtExpiry":true}},"backup":true}"#;
    let (_service, machine) = licensed(Some(terms));
    let film = long_film(&machine.home);
    let bridge = Running::start(&mut play(&machine, &film, &[]));
    let client = Silent::start(&bridge, &bridge.request("GET", ""), 1000, "here");
    let output = bridge.ended();
    assert!(client.waits(), "the bridge ended with its client only");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("key ID 11111111222233334444555555555501: ") && said.contains("end"), "{said}");
}
