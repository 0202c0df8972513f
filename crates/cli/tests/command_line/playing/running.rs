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
