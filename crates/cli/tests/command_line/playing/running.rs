//! A bridge that runs without a player of its own, and what is asked of it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

/// A bridge that runs, and ends with its test.
pub(super) struct Running {
    pub(super) child: Child,
    /// Of the URL, which comes first on its output.
    pub(super) host: String,
    pub(super) path: String,
    pub(super) input: Option<ChildStdin>,
    pub(super) out: BufReader<ChildStdout>,
}

impl Running {
    pub(super) fn start(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (input, mut out) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let place = line.trim().strip_prefix("http://");
        let Some((host, path)) = place.and_then(|place| place.split_once('/')) else {
            panic!("{line}{:?}", child.wait_with_output())
        };
        let (host, path) = (host.to_owned(), format!("/{path}"));
        Self { child, host, path, input, out }
    }

    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.host).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    }

    /// A request for the film on a connection of its own.
    pub(super) fn ask(&self, method: &str, lines: &str) -> (String, Vec<u8>) {
        exchange(&mut self.connect(), &self.request(method, lines))
    }

    pub(super) fn request(&self, method: &str, lines: &str) -> String {
        format!("{method} {} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{lines}\r\n", self.path, self.host)
    }

    pub(super) fn ended(mut self) -> Output {
        let mut stdout = Vec::new();
        self.out.read_to_end(&mut stdout).unwrap();
        let mut stderr = Vec::new();
        self.child.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
        Output { status: self.child.wait().unwrap(), stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing to do about a failure: the process is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a request and reads to the end of the connection: the head, and what follows it.
pub(super) fn exchange(stream: &mut TcpStream, request: &str) -> (String, Vec<u8>) {
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    // A connection that is reset has said all it will.
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let body = bytes.split_off(end);
    (String::from_utf8(bytes).unwrap(), body)
}

/// Whoever does not know the path, or comes from a page, learns nothing.
pub(super) fn refuses_strangers(bridge: &Running) {
    let nothing = |(head, body): (String, Vec<u8>)| {
        assert!(head.starts_with("HTTP/1.1 404 ") && body.is_empty() && !head.contains("bytes"), "{head}");
    };
    let with_path =
        |path: &str| exchange(&mut bridge.connect(), &bridge.request("GET", "").replace(&bridge.path, path));
    nothing(with_path("/"));
    nothing(with_path("/film.mp4"));
    nothing(with_path(&bridge.path.replace("/film", "/fiLm")));
    nothing(bridge.ask("GET", "Origin: http://evil.example\r\n"));
    let rebound = bridge.request("GET", "").replace(&format!("Host: {}", bridge.host), "Host: evil.example");
    nothing(exchange(&mut bridge.connect(), &rebound));
    let long = format!("GET / HTTP/1.1\r\nHost: {}\r\nX: {}\r\n\r\n", bridge.host, "x".repeat(20_000));
    assert!(exchange(&mut bridge.connect(), &long).0.starts_with("HTTP/1.1 431 "));
}

/// Ranges of what was given as the whole.
pub(super) fn answers_ranges(bridge: &Running, whole: &[u8]) {
    let length = whole.len();
    let (head, body) = bridge.ask("HEAD", "");
    assert!(head.starts_with("HTTP/1.1 200 ") && body.is_empty() && head.contains(&length.to_string()), "{head}");
    for (range, expected) in [
        ("bytes=0-0", Some(0..1)),
        ("bytes=1000-4999", Some(1000..5000)),
        ("bytes=7000-", Some(7000..length)),
        ("bytes=-100", Some(length - 100..length)),
        ("bytes=0-9,20-29", None),
    ] {
        let (head, body) = bridge.ask("GET", &format!("Range: {range}\r\n"));
        let status = if expected.is_some() { "HTTP/1.1 206 " } else { "HTTP/1.1 200 " };
        assert!(head.starts_with(status) && body == whole[expected.unwrap_or(0..length)], "{range}: {head}");
    }
    let (head, body) = bridge.ask("GET", &format!("Range: bytes={length}-\r\n"));
    assert!(head.starts_with("HTTP/1.1 416 ") && body.is_empty(), "{head}");
    assert!(head.contains(&format!("Content-Range: bytes */{length}\r\n")), "{head}");
    assert!(bridge.ask("POST", "").0.starts_with("HTTP/1.1 405 "));
    // Several requests on one connection, as players do that read in small parts.
    let lines = "Range: bytes=5-9\r\n";
    let first = bridge.request("GET", lines).replace("Connection: close\r\n", "");
    let (head, rest) = exchange(&mut bridge.connect(), &(first + &bridge.request("GET", lines)));
    let second = [&whole[5..10], b"HTTP/1.1 206 "].concat();
    assert!(head.starts_with("HTTP/1.1 206 ") && rest.starts_with(&second), "{head}");
    assert!(rest.ends_with(&whole[5..10]));
}
