//! TLS: whom the client trusts, what it insists on, and what it tells apart.

use super::send_with;
use super::server::*;
use crate::transport::{NetworkSettings, ProxyChoice, TlsTrust, TransportError};

const TLS13: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

fn trusting(pem: &str, trust: TlsTrust) -> NetworkSettings {
    NetworkSettings { tls_trust: trust, tls_ca_pem: Some(pem.to_owned()), retry_limit: 0, ..NetworkSettings::default() }
}

fn refused(result: Result<Vec<u8>, TransportError>) {
    assert!(matches!(result, Err(TransportError::Tls(_))), "{result:?}");
}

/// Accepts and lets the handshake run as far as the client takes it.
fn handshake() -> Act {
    Box::new(|wire, _, _| assert!(read_request(wire).is_none()))
}

#[test]
fn an_own_authority_in_pem_is_trusted_beside_every_other_trust() {
    for trust in [TlsTrust::PlatformThenBundled, TlsTrust::Bundled, TlsTrust::PemOnly] {
        let (pem, config) = certified(TLS13, "localhost");
        let server = Server::tls(config, vec![good(b"reply")]);
        assert_eq!(send_with(&trusting(&pem, trust), &server.https("/")).unwrap(), b"reply");
    }
    assert!(rustls::crypto::CryptoProvider::get_default().is_none(), "the process has a default that nobody asked for");
}

#[test]
fn another_authority_or_none_is_refused() {
    let (_, config) = certified(TLS13, "localhost");
    let (other, _) = certified(TLS13, "localhost");
    let server = Server::tls(config, vec![handshake(), handshake()]);
    refused(send_with(&trusting(&other, TlsTrust::PlatformThenBundled), &server.https("/")));
    let bundled = NetworkSettings { tls_trust: TlsTrust::Bundled, ..NetworkSettings::default() };
    refused(send_with(&bundled, &server.https("/")));
    server.seen();
}

#[test]
fn another_name_is_refused() {
    let (pem, config) = certified(TLS13, "elsewhere.example");
    let server = Server::tls(config, vec![handshake()]);
    refused(send_with(&trusting(&pem, TlsTrust::PemOnly), &server.https("/")));
    server.seen();
}

#[test]
fn a_certificate_outside_its_validity_is_refused() {
    for (from, to) in [(2000, 2001), (2900, 2901)] {
        let (pem, config) = certified_with(TLS13, "localhost", |leaf| {
            leaf.not_before = rcgen::date_time_ymd(from, 1, 1);
            leaf.not_after = rcgen::date_time_ymd(to, 1, 1);
        });
        let server = Server::tls(config, vec![handshake()]);
        let result = send_with(&trusting(&pem, TlsTrust::PemOnly), &server.https("/"));
        assert!(matches!(result, Err(TransportError::TlsDate(_))), "{result:?}");
        server.seen();
    }
}

#[test]
fn a_proxy_sees_the_name_and_nothing_else() {
    let (pem, config) = certified(TLS13, "license.test");
    let config = std::sync::Arc::new(config);
    let tunnel: Act = Box::new(move |wire, stream, log| {
        log.lock().unwrap().push(read_request(wire).unwrap());
        wire.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let mut connection = rustls::ServerConnection::new(config).unwrap();
        let mut socket = stream;
        good(b"reply")(&mut rustls::Stream::new(&mut connection, &mut socket), stream, log);
    });
    let proxy = Server::plain(vec![tunnel]);
    let settings = NetworkSettings {
        proxy: ProxyChoice::Url(format!("http://user:pass@{}", proxy.address)),
        ..trusting(&pem, TlsTrust::PemOnly)
    };
    assert_eq!(send_with(&settings, "https://license.test:9/secret").unwrap(), b"reply");
    let seen = proxy.seen();
    assert!(seen[0].head.starts_with("CONNECT license.test:9 HTTP/1.1\r\n"), "{}", seen[0].head);
    assert_eq!(seen[0].header("proxy-authorization"), Some("Basic dXNlcjpwYXNz"));
    assert!(seen[1].head.starts_with("POST /secret HTTP/1.1\r\n"), "{}", seen[1].head);
}

#[test]
fn older_tls_is_refused() {
    let (pem, config) = certified(&[&rustls::version::TLS12], "localhost");
    let server = Server::tls(config, vec![handshake()]);
    refused(send_with(&trusting(&pem, TlsTrust::PemOnly), &server.https("/")));
    server.seen();
}

#[test]
fn what_does_not_speak_tls_is_not_the_service() {
    let plain: Act = Box::new(|wire, _, _| {
        let mut hello = [0; 64];
        assert!(wire.read(&mut hello).unwrap() > 0);
        wire.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        until_closed(wire);
    });
    let server = Server::plain(vec![plain]);
    let result = send_with(&NetworkSettings::default(), &server.https("/"));
    assert!(matches!(result, Err(TransportError::NotTheService(_))), "{result:?}");
    server.seen();
}

#[test]
fn a_cut_handshake_is_a_fault_of_the_network_and_repeated() {
    let cut: Act = Box::new(|_, stream, _| reset(stream));
    let server = Server::plain(vec![cut, Box::new(|_, stream, _| reset(stream))]);
    let settings = NetworkSettings { retry_limit: 1, ..NetworkSettings::default() };
    let result = send_with(&settings, &server.https("/"));
    assert!(matches!(result, Err(TransportError::Broken(_))), "{result:?}");
    server.seen();
}

#[test]
fn a_redirect_from_https_to_http_is_not_followed() {
    let (pem, config) = certified(TLS13, "localhost");
    let server = Server::tls(config, vec![answer("308 Moved", "Location: http://127.0.0.1:9/\r\n", b"")]);
    let result = send_with(&trusting(&pem, TlsTrust::PemOnly), &server.https("/"));
    assert!(matches!(result, Err(TransportError::Redirect(_))), "{result:?}");
    server.seen();
}

#[test]
fn certificates_of_the_application_that_are_none_are_refused() {
    for pem in ["", "nonsense", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"] {
        let server = Server::plain(vec![Box::new(|wire, _, _| until_closed(wire))]);
        refused(send_with(&trusting(pem, TlsTrust::Bundled), &server.https("/")));
        server.seen();
    }
}
