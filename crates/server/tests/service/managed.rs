//! A service under a manager of services, such as systemd: when it is ready, when it stops, and how long it takes.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;
use wmlicense_testkit::daemon::{Data, Serving};

#[test]
fn the_manager_is_told_when_the_service_is_ready_and_when_it_stops() {
    let data = Data::new();
    let place = data.path().join("manager");
    let manager = UnixDatagram::bind(&place).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut env = Command::new("env");
    env.env("NOTIFY_SOCKET", &place);
    let mut serving = Serving::start(Some(env), data.path(), &[]).unwrap();
    let mut told = [0; 64];
    let mut hear = || {
        let length = manager.recv(&mut told).unwrap();
        String::from_utf8(told[..length].to_vec()).unwrap()
    };
    assert_eq!(hear(), "READY=1\n");
    assert_eq!(serving.terminate().0, Some(0));
    assert_eq!(hear(), "STOPPING=1\n");

    // Without the manager's socket it serves all the same.
    std::fs::remove_file(&place).unwrap();
    let mut env = Command::new("env");
    env.env("NOTIFY_SOCKET", &place);
    let mut serving = Serving::start(Some(env), data.path(), &[]).unwrap();
    let (status, log) = serving.terminate();
    assert!(status == Some(0) && log.contains("could not be told"), "{log}");
}

#[test]
fn a_request_that_runs_when_the_service_is_told_to_stop_is_answered() {
    let data = Data::new();
    let mut serving = data.serve(&[]);
    let mut stream = TcpStream::connect(serving.url.strip_prefix("http://").unwrap()).unwrap();
    // The service waits for the body, which comes after the signal.
    let body = [0; 100];
    let head =
        "POST /v1/individualize HTTP/1.1\r\nhost: a\r\ncontent-type: application/cose\r\nexpect: 100-continue\r\n";
    stream.write_all(format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes()).unwrap();
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    serving.signal("TERM");
    serving.wait_for_log("stopping");
    stream.write_all(&body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let (status, log) = serving.terminated();
    assert!(status == Some(0) && !log.contains("cut off"), "{log}");
}
