//! What a request tells of itself while it goes on.

use super::server::*;
use super::{post, transport};
use crate::event::{Event, Flow, HttpPhase, Network};
use crate::operation::Context;
use crate::transport::{NetworkSettings, Transport as _, TransportError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Told = Arc<Mutex<Vec<Network>>>;

fn listening(flow: impl Fn(&Network) -> Flow + Send + 'static) -> (Context, Told) {
    let told = Told::default();
    let kept = Arc::clone(&told);
    let listen = move |event: &Event| {
        let Event::Network(network) = event else { panic!("{event:?}") };
        kept.lock().unwrap().push(network.clone());
        flow(network)
    };
    (Context::inline(Some(Duration::from_secs(60)), listen), told)
}

/// Phase, attempt, attempts, and whether the next attempt is waited for.
fn steps(told: &Told) -> Vec<(HttpPhase, u32, u32, bool)> {
    let told = told.lock().unwrap();
    told.iter().map(|told| (told.phase, told.attempt, told.attempts, told.next_try.is_some())).collect()
}

#[test]
fn every_attempt_and_the_wait_between_them_is_told() {
    use HttpPhase::{Completed, Connecting, NotInitiated, Receiving, Requesting};
    let busy = || answer("503 Service Unavailable", "", b"");
    let server = Server::plain(vec![busy(), busy(), good(b"reply")]);
    let (context, told) = listening(|_| Flow::Continue);
    let url = server.url("/");
    assert_eq!(transport(&NetworkSettings::default()).send(&post(&url, b"question"), &context).unwrap(), b"reply");
    let failed =
        |attempt| [Connecting, Requesting, NotInitiated].map(|phase| (phase, attempt, 5, phase == NotInitiated));
    let last = [Connecting, Requesting, Receiving, Completed].map(|phase| (phase, 3, 5, false));
    assert_eq!(steps(&told), [&failed(1)[..], &failed(2), &last].concat());
    let told = told.lock().unwrap();
    assert!(told.iter().all(|told| told.host == "127.0.0.1"));
    assert_eq!(told.last().map(|told| (told.bytes, told.bytes_total)), Some((5, 5)));
}

#[test]
fn a_connection_that_is_there_is_not_said_to_be_made() {
    let keep = |body: &[u8]| {
        let head = format!("HTTP/1.1 200 OK\r\n{COSE}Content-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let (first, second) = (keep(b"one"), keep(b"two"));
    let act = after_request(move |wire, _| {
        wire.write_all(&first).unwrap();
        read_request(wire).unwrap();
        wire.write_all(&second).unwrap();
    });
    let server = Server::plain(vec![act]);
    let (url, transport) = (server.url("/"), transport(&NetworkSettings::default()));
    let (context, _) = listening(|_| Flow::Continue);
    assert_eq!(transport.send(&post(&url, b"question"), &context).unwrap(), b"one");
    let (context, told) = listening(|_| Flow::Continue);
    assert_eq!(transport.send(&post(&url, b"question"), &context).unwrap(), b"two");
    assert_eq!(steps(&told).first().map(|step| step.0), Some(HttpPhase::Requesting));
}

#[test]
fn bytes_are_told_at_most_every_tenth_of_a_second() {
    let body = vec![7; 900];
    let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n{COSE}Content-Length: {}\r\n\r\n", body.len());
    let act = after_request(move |wire, _| {
        wire.write_all(head.as_bytes()).unwrap();
        for piece in body.chunks(1) {
            wire.write_all(piece).unwrap();
        }
    });
    let server = Server::plain(vec![act]);
    let (context, told) = listening(|_| Flow::Continue);
    let (url, begun) = (server.url("/"), std::time::Instant::now());
    assert_eq!(transport(&NetworkSettings::default()).send(&post(&url, b"question"), &context).unwrap().len(), 900);
    let most = 1 + begun.elapsed().as_millis() / 100;
    let received = steps(&told).iter().filter(|step| step.0 == HttpPhase::Receiving).count();
    assert!((1..=most).contains(&(received as u128)), "{received} times");
}

#[test]
fn a_receiver_that_cancels_ends_the_request_in_every_phase() {
    use HttpPhase::{Completed, Connecting, NotInitiated, Receiving, Requesting};
    for phase in [Connecting, Requesting, NotInitiated, Receiving, Completed] {
        let busy = answer("503 Service Unavailable", "", b"");
        let acts = if phase == NotInitiated { vec![busy] } else { vec![good(b"reply")] };
        let server = Server::plain(if phase == Connecting { Vec::new() } else { acts });
        let (context, told) = listening(move |told| if told.phase == phase { Flow::Cancel } else { Flow::Continue });
        let url = server.url("/");
        let result = transport(&NetworkSettings::default()).send(&post(&url, b"question"), &context);
        // The answer was there already; whoever asked looks at the cancel next.
        let answered = matches!(phase, Receiving | Completed) && result.as_ref().is_ok_and(|body| body == b"reply");
        assert!(answered || matches!(result, Err(TransportError::Cancelled)), "{phase:?}: {result:?}");
        assert_eq!(told.lock().unwrap().last().map(|told| told.phase), Some(phase), "nothing is told afterwards");
        drop(server);
    }
}
