//! Requests that are too long, of another type, garbage, or cut off; processes that are killed or told to stop.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use wmlicense_testkit::daemon::device::{Device, Known, agent, get, kind};
use wmlicense_testkit::daemon::{Data, OPEN};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::problem::{Problem, ProblemKind};
use wmlicense_wire::request;

fn started() -> (Data, wmlicense_testkit::daemon::Serving, Known) {
    let data = Data::new();
    data.fill();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    (data, serving, known)
}

/// Sends bytes over a bare connection and gives status and body of what comes back.
fn raw(url: &str, bytes: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    stream.write_all(bytes).unwrap();
    let mut reply = BufReader::new(stream);
    let mut lines = reply.by_ref().lines().map(Result::unwrap).take_while(|line| !line.is_empty());
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    // The connection may stay for what it said would come.
    let length = lines.filter_map(|line| line.strip_prefix("content-length: ").map(|it| it.parse().unwrap())).last();
    let mut body = vec![0; length.unwrap()];
    reply.read_exact(&mut body).unwrap();
    (status, body)
}

fn head(path: &str, more: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/cose\r\n{more}\r\n\r\n")
        .into()
}

#[test]
fn a_body_over_the_cap_is_refused_before_it_is_read() {
    let (_data, serving, _known) = started();
    for (path, cap) in [("/v1/licenses", request::MAX_LEN), ("/v1/restores", request::MAX_RESTORE_LEN)] {
        let (status, body) = raw(&serving.url, &head(path, &format!("content-length: {}", cap + 1)));
        assert_eq!(status, 413);
        assert_eq!(kind(&Problem::parse(&body).unwrap()), ProblemKind::TooLarge);
    }
    // Without a length, as soon as too much came.
    let mut bytes = head("/v1/individualize", "transfer-encoding: chunked");
    bytes.extend_from_slice(b"10001\r\n");
    bytes.extend_from_slice(&vec![0; 0x10001]);
    assert_eq!(raw(&serving.url, &bytes).0, 413);
}

#[test]
fn a_refusal_arrives_though_the_body_is_long_and_the_connection_goes_on() {
    let (_data, serving, known) = started();
    let (agent, body) = (agent(), vec![0; request::MAX_RESTORE_LEN]);
    for _ in 0..8 {
        let foreign = agent.post(format!("{}/v1/restores", serving.url)).header("content-type", "image/png");
        assert_eq!(foreign.send(&body[..]).unwrap().status(), 400);
        assert_eq!(known.post("restores", &body, Some("nobody's token")).status, 401);
    }
}

#[test]
fn only_the_media_type_of_the_protocol_is_taken() {
    let (_data, serving, known) = started();
    let url = format!("{}/v1/licenses", serving.url);
    for media_type in ["application/json", "application/cosexyz", ""] {
        let mut reply = agent().post(&url).header("content-type", media_type).send(&b"{}"[..]).unwrap();
        let problem = Problem::parse(&reply.body_mut().read_to_vec().unwrap()).unwrap();
        assert_eq!(kind(&problem), ProblemKind::BadRequest);
    }
    let device = Device::individualized(&known);
    let bytes = device.sign(&device.licenses_request(&known, &[OPEN]));
    let reply = agent().post(&url).header("content-type", "Application/COSE; cose-type=\"x\"").send(&bytes[..]);
    assert_eq!(reply.unwrap().status(), 200);
}

#[test]
fn garbage_is_answered_with_a_problem_at_every_endpoint() {
    let (_data, _serving, known) = started();
    let device = Device::individualized(&known);
    let good = device.sign(&device.licenses_request(&known, &[OPEN]));
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for name in ["individualize", "licenses", "restores", "restores/preview"] {
        for body in [&b""[..], b"\xd2\x84", &[0xff; 4096], &good[..good.len() - 1], &flipped] {
            let reply = known.post(name, body, None);
            assert_eq!((reply.status, reply.problem()), (400, ProblemKind::BadRequest), "{name}");
            assert!(reply.request_id.is_some());
        }
    }
    let reply = known.post("restores", &good, None);
    assert_eq!(reply.problem(), ProblemKind::BadRequest);
}

#[test]
fn a_request_to_another_service_or_by_a_stranger_is_refused() {
    let (_data, _serving, known) = started();
    let other = Data::new();
    let foreign_serving = other.serve(&[]);
    let foreign = Known::discover(&foreign_serving.url, other.authority);
    let stranger = Device::individualized(&foreign);
    let mut request = stranger.licenses_request(&foreign, &[OPEN]);
    assert_eq!(known.post("licenses", &stranger.sign(&request), None).problem(), ProblemKind::BadRequest);
    request.audience = known.directory.services().iter().find(|s| s.role == Role::Issuer).unwrap().service_id;
    assert_eq!(known.post("licenses", &stranger.sign(&request), None).problem(), ProblemKind::UnknownDevice);
    request.device_certificate = None;
    assert_eq!(known.post("licenses", &stranger.sign(&request), None).problem(), ProblemKind::UnknownDevice);
}

#[test]
fn unknown_paths_and_methods_are_problems_with_the_id_of_the_client() {
    let (_data, serving, _known) = started();
    assert_eq!(get(&format!("{}/nothing", serving.url)).problem(), ProblemKind::NotFound);
    assert_eq!(get(&format!("{}/v1/licenses", serving.url)).problem(), ProblemKind::BadRequest);
    let reply = agent().get(format!("{}/support", serving.url)).header("x-request-id", "mine-1").call().unwrap();
    assert_eq!(reply.headers()["x-request-id"], "mine-1");
}

#[test]
fn health_and_metrics_are_told_to_the_owners_machines_alone() {
    let (_data, serving, known) = started();
    let text = |path: &str| {
        let reply = get(&format!("{}{path}", serving.management));
        assert_eq!(reply.status, 200, "{path}");
        assert!(reply.request_id.is_some());
        String::from_utf8(reply.body).unwrap()
    };
    assert_eq!(text("/healthz"), "ok\n");
    assert_eq!(text("/readyz"), "ready\n");
    Device::individualized(&known).acquire(&known, &[OPEN], None);
    let metrics = text("/metrics");
    assert!(metrics.contains("\nwmlicensed_licenses_issued_total 1\n"), "{metrics}");
    assert!(metrics.contains("\nwmlicensed_devices_certified_total 1\n"), "{metrics}");
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(get(&format!("{}{path}", serving.url)).problem(), ProblemKind::NotFound, "{path}");
    }
    assert_eq!(get(&format!("{}/v1/licenses", serving.management)).problem(), ProblemKind::NotFound);
}

#[test]
fn the_management_listener_is_where_it_is_wanted_or_nowhere() {
    let data = Data::new();
    let serving = data.serve(&["--management-listen", "127.0.0.1:0"]);
    assert!(serving.management.starts_with("http://127.0.0.1:") && serving.management != serving.url);
    assert_eq!(get(&format!("{}/healthz", serving.management)).status, 200);
    let taken = serving.management.strip_prefix("http://").unwrap();
    let (status, complaint) = data.fails(&["serve", "--listen", "127.0.0.1:0", "--management-listen", taken]);
    assert_eq!(status, 1);
    assert!(complaint.contains(taken) && complaint.contains("--management-listen"), "{complaint}");
    let (status, complaint) = data.fails(&["serve", "--management-listen", "localhost"]);
    assert_eq!(status, 2);
    assert!(complaint.contains("off, is expected"), "{complaint}");
    let silent = data.serve(&["--management-listen", "off"]);
    assert_eq!((silent.management.as_str(), get(&format!("{}/support", silent.url)).status), ("", 200));
}

#[test]
fn the_page_of_refusals_is_served() {
    let (_data, serving, _known) = started();
    let reply = get(&format!("{}/support", serving.url));
    assert_eq!(reply.status, 200);
    assert!(String::from_utf8(reply.body).unwrap().contains("<h1>About a refused license</h1>"));
}

#[test]
fn no_log_holds_a_token_a_key_or_a_device() {
    let (data, mut serving, known) = started();
    let token = data.account("gold", &["gold"]);
    let device = Device::individualized(&known);
    device.acquire(&known, &[OPEN, wmlicense_testkit::daemon::GOLD], Some(&token));
    known.post("licenses", b"x", Some("not-a-token"));
    get(&format!("{}/v1/{token}", serving.url));
    let (status, log) = serving.terminate();
    assert_eq!(status, Some(0));
    assert!(log.contains("/v1/licenses") && log.contains("stopping"), "{log}");
    for secret in [
        &token,
        "not-a-token",
        wmlicense_testkit::daemon::KEY,
        &device.id().to_hex(),
        wmlicense_testkit::daemon::GOLD,
        "gold",
    ] {
        assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
    }
}

#[test]
fn a_kill_in_the_middle_counts_nothing_twice() {
    let (data, mut serving, known) = started();
    let devices: Vec<Device> = (0..8).map(|_| Device::individualized(&known)).collect();
    let requests: Vec<Vec<u8>> =
        devices.iter().map(|device| device.sign(&device.licenses_request(&known, &[OPEN]))).collect();
    let answered = AtomicBool::new(false);
    let mut before: Vec<Option<Vec<u8>>> = vec![None; devices.len()];
    std::thread::scope(|scope| {
        for (bytes, slot) in requests.iter().zip(&mut before) {
            let (known, answered) = (&known, &answered);
            scope.spawn(move || {
                if let Ok(reply) = known.try_post("licenses", bytes, None) {
                    *slot = Some(reply.granted());
                    answered.store(true, Ordering::Release);
                }
            });
        }
        while !answered.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        serving.kill();
    });
    let again = data.serve(&[]);
    let known = Known::discover(&again.url, data.authority);
    for (bytes, before) in requests.iter().zip(&before) {
        let after = known.post("licenses", bytes, None).granted();
        assert!(before.as_ref().is_none_or(|before| *before == after));
    }
    assert_eq!(data.json(&["stats"])["licenses"], 8);
    assert_eq!(data.json(&["license", "list"]).as_array().unwrap().len(), 8);
}

#[test]
fn a_body_that_does_not_come_holds_no_place() {
    let (_data, serving, known) = started();
    let open = || {
        let mut stream = TcpStream::connect(serving.url.strip_prefix("http://").unwrap()).unwrap();
        stream.write_all(&head("/v1/restores", "content-length: 1")).unwrap();
        stream
    };
    let waiting: Vec<TcpStream> = (0..200).map(|_| open()).collect();
    assert_eq!(known.post("restores", b"x", None).problem(), ProblemKind::BadRequest);
    let device = Device::individualized(&known);
    assert_eq!(device.acquire(&known, &[OPEN], None).1.len(), 1);
    // And each of them is answered once it came.
    for mut stream in waiting {
        stream.write_all(b"x").unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.starts_with("HTTP/1.1 400 "), "{reply}");
    }
}

#[test]
fn requests_beyond_what_is_run_at_once_are_told_to_come_again() {
    let (data, serving, known) = started();
    let request = |_| {
        let device = Device::new();
        device.sign(&device.individualize_request(&known, true))
    };
    let requests: Vec<Vec<u8>> = (0..160).map(request).collect();
    let individualize = |bytes: &[u8]| known.post("individualize", bytes, None);
    let database = rusqlite::Connection::open(data.path().join("wmlicensed.db")).unwrap();
    // Nothing is written meanwhile, so each one holds its place.
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        let running: Vec<_> = requests.iter().map(|bytes| scope.spawn(move || individualize(bytes))).collect();
        while !running.iter().any(std::thread::ScopedJoinHandle::is_finished) {
            std::thread::yield_now();
        }
        assert_eq!(get(&format!("{}/healthz", serving.management)).status, 200);
        database.execute_batch("ROLLBACK").unwrap();
        let replies = running.into_iter().map(|thread| thread.join().unwrap());
        let (served, refused): (Vec<_>, Vec<_>) = replies.partition(|reply| reply.status == 200);
        assert!(served.len() >= 100 && !refused.is_empty(), "{} served, {} refused", served.len(), refused.len());
        for reply in refused {
            assert_eq!((reply.problem(), reply.retry_after.as_deref()), (ProblemKind::Unavailable, Some("2")));
        }
    });
    assert_eq!(individualize(&request(0)).status, 200);
}

#[test]
fn only_a_security_version_that_can_be_compared_is_certified() {
    let (_data, _serving, known) = started();
    let device = Device::new();
    for version in ["", "1.0.0", "1.0.0.0.0", "1.0.0.x", "1.0.0.70000", "+1.0.0.0"] {
        let mut request = device.individualize_request(&known, true);
        request.client.security_version = version.to_owned();
        let reply = known.post("individualize", &device.sign(&request), None);
        assert_eq!(reply.problem(), ProblemKind::BadRequest, "{version}");
    }
}

#[test]
fn keys_of_a_suite_for_tests_only_are_not_certified() {
    let (_data, _serving, known) = started();
    let mut device = Device::new();
    device.hpke = wmlicense_wire::kem::HpkePrivateKey::generate(wmlicense_wire::kem::Suite::X25519).unwrap();
    let bytes = device.sign(&device.individualize_request(&known, true));
    assert_eq!(known.post("individualize", &bytes, None).problem(), ProblemKind::BadRequest);
    // Nor are keys that somebody else signed for.
    let (device, other) = (Device::new(), Device::new());
    let bytes = other.sign(&device.individualize_request(&known, true));
    assert_eq!(known.post("individualize", &bytes, None).problem(), ProblemKind::BadRequest);
}
