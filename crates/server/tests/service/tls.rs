//! The listener's certificate and key: read again when they change or on SIGHUP, kept where the new ones cannot be used.

use rcgen::{CertificateParams, CertifiedKey, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;
use wmlicense_testkit::daemon::device::get;
use wmlicense_testkit::daemon::{Data, Serving};

fn certificate(until: i32) -> CertifiedKey<KeyPair> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = date_time_ymd(until, 1, 1);
    let signing_key = KeyPair::generate().unwrap();
    CertifiedKey { cert: params.self_signed(&signing_key).unwrap(), signing_key }
}

/// The two files of a service.
struct Files {
    folder: TempDir,
}

impl Files {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Replaces a file in one step, as tools that renew certificates do.
    fn put(&self, name: &str, text: &str) {
        let new = self.path("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.path(name)).unwrap();
    }

    fn put_both(&self, made: &CertifiedKey<KeyPair>) {
        self.put("cert.pem", &made.cert.pem());
        self.put("key.pem", &made.signing_key.serialize_pem());
    }

    fn serve(&self, data: &Path) -> Result<Serving, String> {
        let (certificate, key) = (self.path("cert.pem"), self.path("key.pem"));
        let words = ["--tls-cert", certificate.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
        Serving::start(None, data, &words)
    }
}

/// Shakes hands believing this certificate alone, offering these protocols; gives the one that was chosen.
fn handshake(url: &str, trusted: &CertificateDer<'_>, protocols: &[&str]) -> Result<Option<Vec<u8>>, String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone().into_owned()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = TcpStream::connect(url.strip_prefix("https://").unwrap()).unwrap();
    while client.is_handshaking() {
        client.complete_io(&mut stream).map_err(|error| error.to_string())?;
    }
    Ok(client.alpn_protocol().map(<[u8]>::to_vec))
}

#[test]
fn new_files_are_used_without_a_restart_and_broken_ones_are_not() {
    let (data, files) = (Data::new(), Files::new());
    let (first, second, third) = (certificate(2100), certificate(2100), certificate(2100));
    files.put_both(&first);
    let mut serving = files.serve(data.path()).unwrap();
    handshake(&serving.url, first.cert.der(), &[]).unwrap();

    // Changed, and nobody says so.
    files.put_both(&second);
    serving.wait_for_log("were read again");
    handshake(&serving.url, second.cert.der(), &[]).unwrap();
    assert!(handshake(&serving.url, first.cert.der(), &[]).is_err());

    // A certificate without its key, as after half of a renewal.
    files.put("cert.pem", &third.cert.pem());
    serving.wait_for_log("the old ones stay in use");
    handshake(&serving.url, second.cert.der(), &[]).unwrap();
    files.put("key.pem", &third.signing_key.serialize_pem());
    serving.signal("HUP");
    serving.wait_for_log("status list are read again");
    let log = serving.terminate();
    assert_eq!(log.0, Some(0));
    assert!(log.1.contains("keys may not be consistent") || log.1.contains("InconsistentKeys"), "{}", log.1);
}

#[test]
fn a_hangup_reads_the_files_at_once_and_never_ends_the_process() {
    let (data, files) = (Data::new(), Files::new());
    let (first, second) = (certificate(2100), certificate(2100));
    files.put_both(&first);
    let mut serving = files.serve(data.path()).unwrap();
    files.put_both(&second);
    serving.signal("HUP");
    serving.wait_for_log("were read again");
    handshake(&serving.url, second.cert.der(), &[]).unwrap();
    files.put("key.pem", "nothing of that kind");
    serving.signal("HUP");
    serving.wait_for_log("key.pem holds no certificate or key");
    handshake(&serving.url, second.cert.der(), &[]).unwrap();
    assert_eq!(serving.terminate().0, Some(0));

    let mut plain = data.serve(&[]);
    plain.signal("HUP");
    plain.wait_for_log("status list are read again");
    assert!(plain.is_alive());
}

#[test]
fn only_http_1_is_agreed_on() {
    let (data, files) = (Data::new(), Files::new());
    let made = certificate(2100);
    files.put_both(&made);
    let serving = files.serve(data.path()).unwrap();
    let chosen = handshake(&serving.url, made.cert.der(), &["h2", "http/1.1"]).unwrap();
    assert_eq!(chosen.as_deref(), Some(&b"http/1.1"[..]));
    handshake(&serving.url, made.cert.der(), &["h2"]).unwrap_err();
}

#[test]
fn a_certificate_that_ended_is_spoken_of_and_lone_or_missing_files_are_refused() {
    let (data, files) = (Data::new(), Files::new());
    files.put_both(&certificate(2001));
    let serving = files.serve(data.path()).unwrap();
    serving.wait_for_log("the certificate for TLS has ended");
    let metrics = String::from_utf8(get(&format!("{}/metrics", serving.management)).body).unwrap();
    let ends = "wmlicensed_certificate_remaining_seconds{certificate=\"tls\"} -";
    assert!(metrics.contains(ends), "{metrics}");
    drop(serving);

    let (code, said) = data.fails(&["serve", "--listen", "127.0.0.1:0", "--tls-cert", "cert.pem"]);
    assert_eq!((code, said.trim()), (1, "wmlicensed: --tls-cert is set and --tls-key is not; both are needed"));
    std::fs::remove_file(files.path("key.pem")).unwrap();
    let refused = files.serve(data.path()).err().unwrap();
    assert!(refused.contains("key.pem: No such file"), "{refused}");
}
