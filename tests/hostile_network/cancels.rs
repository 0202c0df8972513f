//! A cancel through C in every phase of a contact, and how long the operation then took to end. 100 ms are promised, and a
//! loaded test machine takes longer to run a thread that is ready, so the bound is ten times that; no time-out is as short.

use crate::player::Player;
use crate::scenarios::{HEAD, acquire, answer};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;
use wmlicense_testkit::c::compile::Form;
use wmlicense_testkit::kid;
use wmlicense_testkit::run;
use wmlicense_wire::answer::Outcome;
use wmlicense_wire::certificate::Role;

const SOON: Duration = Duration::from_secs(1);

/// Until the client goes.
fn until_closed(stream: &mut TcpStream) {
    while stream.read(&mut [0; 256]).unwrap_or(0) > 0 {}
}

/// What was begun ends as cancelled, soon; the store is as it was.
fn cancelled(player: &mut Player, phase: &str) {
    let told = player.ask("cancel");
    let (result, micros) = told.split_once(' ').unwrap();
    assert_eq!(result, "WM_S_ACQUIRE_CANCELLED", "{phase}");
    let took = Duration::from_micros(micros.parse().unwrap());
    println!("{phase}: cancelled in {took:?}");
    assert!(took < SOON, "{phase}: {took:?}");
    player.unchanged(phase);
}

/// The operation is cancelled as soon as the next POST has been answered with these bytes, and nothing more comes.
fn after_bytes(player: &mut Player, phase: &str, bytes: Vec<u8>) {
    let (reached, wait) = channel();
    player.then_take(move |mut stream| {
        stream.write_all(&bytes).unwrap();
        reached.send(()).unwrap();
        until_closed(&mut stream);
    });
    begins(player, "-");
    wait.recv().unwrap();
    cancelled(player, phase);
}

fn begins(player: &mut Player, url: &str) {
    assert_eq!(player.ask(&format!("begin {url} {}", kid(2).to_base64())), "WM_S_OK");
}

/// Takes one connection and its first byte, tells, and says nothing.
fn silent(reached: Sender<()>) -> (SocketAddr, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0]).unwrap();
        reached.send(()).unwrap();
        until_closed(&mut stream);
    });
    (address, thread)
}

fn on_the_way(player: &mut Player) {
    begins(player, "https://stuck.test");
    assert_eq!(player.ask("looking"), "looking");
    cancelled(player, "looking a name up");

    // A listener that accepts nothing and whose queue is full leaves further connections without an answer.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        queued.push(stream);
        assert!(queued.len() < 64, "the queue never fills");
    }
    begins(player, &format!("http://{address}"));
    // State 2 in the system's table: asked for and not answered.
    let row = format!(" 0100007F:{:04X} 02 ", address.port());
    while !std::fs::read_to_string("/proc/net/tcp").unwrap().contains(&row) {
        std::thread::park_timeout(Duration::from_millis(5));
    }
    cancelled(player, "connecting");

    let (reached, wait) = channel();
    let (address, peer) = silent(reached);
    begins(player, &format!("https://{address}"));
    wait.recv().unwrap();
    cancelled(player, "shaking hands");
    peer.join().unwrap();
}

fn in_the_pauses(player: &mut Player) {
    assert_eq!(player.ask("set RetryLimit 1"), "WM_S_OK");
    let (reached, wait) = channel();
    player.then_take(move |mut stream| {
        stream.write_all(answer("503 Service Unavailable", "Retry-After: 20\r\n", "").as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        until_closed(&mut stream);
        reached.send(()).unwrap();
    });
    begins(player, "-");
    wait.recv().unwrap();
    cancelled(player, "pausing between two attempts");
    assert_eq!(player.ask("set RetryLimit 0"), "WM_S_OK");

    let (reached, wait) = channel();
    player.then_answer(move |service, post| {
        let later = Outcome::Later { from: service.now() + 60, until: service.now() + 120 };
        let bytes = service.ends(post, Role::Issuer, later, Vec::new());
        reached.send(()).unwrap();
        bytes
    });
    begins(player, "-");
    wait.recv().unwrap();
    cancelled(player, "waiting as the service asks");
}

#[test]
fn a_cancel_ends_every_phase_of_a_contact_at_once() {
    if !run::has_tool("gcc") {
        return;
    }
    let mut player = Player::start(Form::Shared);
    player.offer(2);
    on_the_way(&mut player);
    after_bytes(&mut player, "waiting for the answer", Vec::new());
    let half = format!("{HEAD}Content-Length: 1000\r\n\r\nhalf");
    after_bytes(&mut player, "reading the answer", half.into_bytes());
    in_the_pauses(&mut player);
    assert!(player.ask(&acquire(2)).starts_with("WM_S_LICENSE_ACQUIRED "), "the same request is still welcome");
    player.end();
}
