//! A signal while something is under way: what runs is cancelled, and the store is as whole as before.

use super::program::{Machine, cleared};
use super::terminal::Terminal;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use wmlicense_testkit::c::service::Service;

/// Longest time that anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A service that takes connections and never says a word.
fn silent(machine: &Machine) -> Receiver<TcpStream> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    machine.configure(&format!(
        "service = \"http://127.0.0.1:{port}\"\nauthority = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"\n"
    ));
    let (send, connections) = channel();
    // It ends with the process of the tests at the latest.
    std::thread::spawn(move || listener.incoming().flatten().try_for_each(|stream| send.send(stream)));
    connections
}

#[test]
fn a_signal_cancels_what_waits_for_a_service_and_ends_with_its_number() {
    let service = Service::start();
    let machine = Machine::of(&service);
    machine.run(&["acquire", "--individualize", "c0000000000000000000000000000001"]).ended(0);
    let connections = silent(&machine);
    for (signal, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let mut command = machine.command(&["individualize", "--json"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // It has asked, and waits for the answer.
        let held = connections.recv_timeout(PATIENCE).unwrap();
        let id = child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{signal}"), &id]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(code), "{signal}: {printed}");
        let told: serde_json::Value = serde_json::from_str(&printed).unwrap();
        assert!(told["error"].as_str().unwrap().contains("cancelled"), "{told}");
        drop(held);
    }
    assert_eq!(machine.json(0, &["check"])["licenses"], 1);
}

/// Where nothing runs that could be cancelled, the program just ends, and the terminal shows again what is typed.
#[test]
fn ctrl_c_at_a_question_ends_the_program_and_leaves_the_terminal_as_it_was() {
    let machine = Machine::new();
    let prepare = |setsid| machine.prepared(cleared(setsid), &[]);
    let words = ["-c", "\"$0\" acquire --all --service https://a.test --authority $1; stty -a; exit 0"];
    let program = env!("CARGO_BIN_EXE_wmlicense");
    let pin = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let mut terminal = Terminal::start_program(prepare, "bash", &[&words[..], &[program, pin]].concat());
    terminal.shows("Account token, empty if there is none (not shown): ");
    terminal.types("s3cr\u{3}");
    let (_, shown) = terminal.ends();
    assert!(shown.contains(" echo ") && !shown.contains(" -echo "), "{shown}");
    assert!(!shown.contains("s3cr"), "{shown}");
}
