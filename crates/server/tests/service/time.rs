//! What depends on the time: the service runs in this process with a clock that the test moves. And TLS.

use crate::clock::{DAY, with_clock, with_clock_watched};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use wmlicense_testkit::daemon::device::{Device, get};
use wmlicense_testkit::daemon::{Data, OPEN};
use wmlicense_wire::problem::ProblemKind;

#[test]
fn answers_are_repeated_for_thirty_days_and_then_gone() {
    let data = Data::new();
    data.fill();
    with_clock(&data, |known, clock| {
        let device = Device::individualized(known);
        let bytes = device.sign(&device.licenses_request(known, &[OPEN]));
        let first = known.post("licenses", &bytes, None).granted();
        clock.0.store(29 * DAY, Ordering::SeqCst);
        assert_eq!(known.post("licenses", &bytes, None).granted(), first);
        clock.0.store(31 * DAY, Ordering::SeqCst);
        let reply = known.post("licenses", &bytes, None);
        assert_eq!((reply.status, reply.problem()), (410, ProblemKind::Gone));
    });
}

#[test]
fn a_device_renews_a_certificate_that_ended_and_stays_the_same() {
    let data = Data::new();
    data.fill();
    with_clock(&data, |known, clock| {
        let mut device = Device::individualized(known);
        let id = device.id();
        clock.0.store(366 * DAY, Ordering::SeqCst);
        let bytes = device.sign(&device.licenses_request(known, &[OPEN]));
        let reply = known.post("licenses", &bytes, None);
        assert_eq!((reply.status, reply.problem()), (403, ProblemKind::UnknownDevice));
        device.individualize(known);
        assert_eq!(device.id(), id);
        assert_eq!(device.acquire(known, &[OPEN], None).1.len(), 1);
    });
}

#[test]
fn a_service_whose_certificates_ended_says_that_it_is_not_ready() {
    let data = Data::new();
    with_clock_watched(&data, |_, clock, management| {
        assert_eq!(get(&format!("{management}/readyz")).status, 200);
        clock.0.store(401 * DAY, Ordering::SeqCst);
        let reply = get(&format!("{management}/readyz"));
        assert_eq!((reply.status, reply.problem()), (503, ProblemKind::Unavailable));
        assert_eq!(reply.retry_after.as_deref(), Some("2"));
    });
}

#[test]
fn tls_is_served_with_the_certificate_given() {
    let data = Data::new();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (data.path().join("tls.pem"), data.path().join("tls.key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let files = [certificate.to_str().unwrap(), key.to_str().unwrap()];
    let serving = data.serve(&["--tls-cert", files[0], "--tls-key", files[1]]);
    let address = serving.url.strip_prefix("https://").unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connection = rustls::ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let mut stream = rustls::StreamOwned::new(connection, TcpStream::connect(address).unwrap());
    stream.write_all(b"GET /support HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    assert!(reply.starts_with("HTTP/1.1 200") && reply.contains("About a refused license"), "{reply}");
    let (status, complaint) = data.fails(&["serve", "--tls-cert", files[1], "--tls-key", files[0]]);
    assert_eq!(status, 1);
    assert!(complaint.contains("PEM"), "{complaint}");
}
