//! The keys of a shop at an address: fetched over TLS, and what becomes of an address that is slow, huge, elsewhere or gone.

use super::shop_tokens::{FILM, Signer, asks, claims, set_up};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};
use wmlicense_testkit::daemon::device::{Device, Known};
use wmlicense_testkit::daemon::{Data, Serving};

/// What the address answers.
enum Answer {
    Document(String),
    Redirect,
    /// More than anybody wants, as long as somebody reads.
    Endless,
    /// Nothing: it takes the question and is silent.
    Silent,
    /// It hangs up.
    Gone,
}

/// An address that has the shop's keys, over TLS or not.
struct Address {
    url: String,
    answer: Arc<Mutex<Answer>>,
}

impl Address {
    fn new(tls: Option<Arc<ServerConfig>>, document: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let answer = Arc::new(Mutex::new(Answer::Document(document)));
        let shared = Arc::clone(&answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (shared, tls) = (Arc::clone(&shared), tls.clone());
                std::thread::spawn(move || match tls {
                    // Who does not trust it hangs up.
                    Some(config) => {
                        serve(StreamOwned::new(ServerConnection::new(config).unwrap(), stream.unwrap()), &shared)
                    }
                    None => serve(stream.unwrap(), &shared),
                });
            }
        });
        Self { url: format!("{scheme}://localhost:{port}/keys"), answer }
    }

    fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }
}

/// Answers one question; whoever hangs up ends it.
fn serve(stream: impl Read + Write, answer: &Mutex<Answer>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while !matches!(line.as_str(), "\r\n") {
        line.clear();
        if !matches!(stream.read_line(&mut line), Ok(1..)) {
            return;
        }
    }
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let text = match &*answer.lock().unwrap() {
        Answer::Document(text) => format!("{head}content-length: {}\r\n\r\n{text}", text.len()),
        Answer::Redirect => "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n".to_owned(),
        Answer::Endless => format!("{head}content-length: 100000000\r\n\r\n"),
        Answer::Silent => String::new(),
        Answer::Gone => return,
    };
    let endless = text.contains("100000000");
    let mut written = stream.get_mut().write_all(text.as_bytes()).and_then(|()| stream.get_mut().flush());
    while endless && written.is_ok() {
        written = stream.get_mut().write_all(&[b' '; 65536]);
    }
    // Until the other side hangs up.
    let _ = stream.read(&mut [0]);
}

fn document(signer: &Signer) -> String {
    json!({ "keys": [signer.key()] }).to_string()
}

fn serving(before: Option<Command>, data: &Data, url: &str) -> Serving {
    let words = ["--shop-keys", url, "--shop-issuer", "shop", "--shop-audience", "licenses"];
    Serving::start(before, data.path(), &words).unwrap()
}

#[test]
fn keys_are_fetched_and_stay_whatever_becomes_of_their_address() {
    let data = Data::new();
    let (one, two) = (Signer::new("one"), Signer::new("two"));
    set_up(&data);
    let address = Address::new(None, document(&one));
    let serving = serving(None, &data, &address.url);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let asks = |signer: &Signer| asks(&known, &device, FILM, &signer.token(&claims("zoe", 60, json!([])))).status;
    assert_eq!((asks(&one), asks(&two)), (200, 401));
    for (answer, told) in [
        (Answer::Redirect, "answers with status 302"),
        (Answer::Endless, "more than 262144 bytes"),
        (Answer::Document("<html>".to_owned()), "JSON Web Key Set"),
        (Answer::Gone, "cannot be reached"),
        (Answer::Silent, "did not answer within 10 seconds"),
    ] {
        address.answers(answer);
        serving.signal("HUP");
        serving.wait_for_log(told);
        assert_eq!((asks(&one), asks(&two)), (200, 401), "{told}");
    }
    address.answers(Answer::Document(document(&two)));
    serving.signal("HUP");
    serving.wait_for_log("the shop's changed keys are in use");
    assert_eq!((asks(&one), asks(&two)), (401, 200));
}

#[test]
fn keys_are_fetched_over_tls_from_whom_the_machine_trusts_alone() {
    let data = Data::new();
    let signer = Signer::new("one");
    set_up(&data);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let secret = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], secret).unwrap();
    let address = Address::new(Some(Arc::new(config)), document(&signer));
    let trusted = data.path().join("trusted.pem");
    std::fs::write(&trusted, certificate.pem()).unwrap();
    for (trusts, status) in [(true, 200), (false, 401)] {
        let mut env = Command::new("env");
        if trusts {
            env.env("SSL_CERT_FILE", &trusted);
        }
        // Without it the service begins all the same, and takes no such token.
        let serving = serving(Some(env), &data, &address.url);
        let known = Known::discover(&serving.url, data.authority);
        let token = signer.token(&claims("zoe", 60, json!([])));
        assert_eq!(asks(&known, &Device::individualized(&known), FILM, &token).status, status);
        if !trusts {
            serving.wait_for_log("its TLS cannot be trusted");
        }
    }
    let words = ["--shop-keys", "http://shop.example/", "--shop-issuer", "shop", "--shop-audience", "licenses"];
    let plain = Serving::start(None, data.path(), &words).err().unwrap();
    assert!(plain.contains("https is expected"), "{plain}");
}
