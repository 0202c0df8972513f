//! The same troubles met by the other verbs: individualization, a restore through the service, an encrypted connection.

use crate::player::{Player, service_apart};
use crate::scenarios::answer;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use wmlicense::kinds::Remedy;
use wmlicense_testkit::c::compile::Form;
use wmlicense_testkit::service::Post;
use wmlicense_testkit::{TestDevice, kid};
use wmlicense_wire::answer::{Answer, Beside, Outcome, Reason, Refusal, seal};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::request::Body;

const DAY: i64 = 86_400;
const CONTACT: u32 = Remedy::ContactIssuer as u32;
const RETRY: u32 = Remedy::Retry as u32;
const COSE: &str = "Content-Type: application/cose\r\n";
const HTML: &str = "Content-Type: text/html\r\n";

fn refusal() -> Vec<Refusal> {
    vec![Refusal { subject: None, kid: None, reason: Reason::NotAllowed, url: None, again: None }]
}

/// What goes wrong before anything is signed is the same for each verb, but for the name of a connection that `broke`.
fn before_any_signature(player: &mut Player, command: &str, broke: &str) {
    for (bytes, result, remedy) in [
        (String::new(), broke, RETRY),
        (answer("200 OK", HTML, "<html>Log in</html>"), "WM_E_CAPTIVE_PORTAL", Remedy::NetworkSignIn as u32),
        (answer("503 Service Unavailable", "Retry-After: 7\r\n", ""), "WM_E_SERVICE_FAILING", RETRY),
        (answer("200 OK", COSE, "nonsense"), "WM_E_BAD_ANSWER", CONTACT),
    ] {
        player.then_raw(bytes);
        player.fails(result, command, result, remedy);
    }
}

/// Signed by the wrong service, to another request, to another device, in another time.
fn after_the_signature(player: &mut Player, command: &str, role: Role) {
    player.then_answer(|service, post| service.ends(post, Role::Issuer, Outcome::Refused, refusal()));
    player.fails("a signature by the wrong role", command, "WM_E_ANSWER_SIGNER", CONTACT);
    player.then_answer(move |service, post| {
        let earlier = Post { bytes: [post.bytes.as_slice(), b"x"].concat(), ..post.clone() };
        let device = TestDevice::new();
        let to = service.to(&earlier, device.keys.thumbprint());
        seal(to, device.device_id, &device.keys, &[], None, &Beside::default(), service.key(role)).unwrap()
    });
    player.fails("an answer to another request", command, "WM_E_ANSWER_REPLAYED", RETRY);
    player.then_answer(move |service, post| {
        let device = TestDevice::new();
        let to = Answer { outcome: Outcome::Refused, ..service.to(post, device.keys.thumbprint()) };
        seal(to, device.device_id, &device.keys, &[], None, &Beside::default(), service.key(role)).unwrap()
    });
    player.fails("an answer to another device", command, "WM_E_INVALID_MACHINE", CONTACT);
    player.then_answer_off(7 * DAY, move |service, post| service.ends(post, role, Outcome::Refused, refusal()));
    player.fails("a clock far off", command, "WM_E_SERVICE_CLOCK", CONTACT);
    player.then_answer_off(4000 * DAY, move |service, post| service.ends(post, role, Outcome::Refused, refusal()));
    player.fails("a certificate long gone", command, "WM_E_LICENSE_CERT_EXPIRED", CONTACT);
}

/// A certificate for the device.
pub(crate) fn in_an_individualization(player: &mut Player) {
    before_any_signature(player, "individualize", "WM_E_CONNECTION_LOST");
    after_the_signature(player, "individualize", Role::Individualization);
    player.then_answer(|service, post| {
        let Body::Individualize { keys, .. } = &post.request.body else { panic!() };
        let other = service.world.certify_at(service.device_id(keys), &TestDevice::new().keys, service.now());
        service.certified(post, keys, other)
    });
    player.fails("a certificate for other keys", "individualize", "WM_E_INVALID_CERTIFICATE", CONTACT);
    assert!(player.ask("individualize").starts_with("WM_S_INDIVIDUALIZED "));
}

/// Another device restores what this one backed up.
pub(crate) fn in_a_restore(player: &mut Player) {
    let place = player.folder.path().join("copy");
    std::fs::create_dir(&place).unwrap();
    assert!(player.ask(&format!("backup {}", place.display())).starts_with("WM_S_OK "));
    assert_eq!(player.ask("client other"), "WM_S_OK");
    player.prepare();
    let command = format!("restore {}", place.display());
    before_any_signature(player, &command, "WM_E_BACKUP_RESTORE_TOO_MANY_RESETS");
    after_the_signature(player, &command, Role::Management);
    let later = Outcome::Later { from: 0, until: 1 };
    player.then_answer(|service, post| service.ends(post, Role::Management, later, Vec::new()));
    player.fails("neither granted nor refused", &command, "WM_E_BAD_ANSWER", CONTACT);
    player.then_answer(|service, post| service.ends(post, Role::Management, Outcome::Refused, refusal()));
    player.fails("refused in good order", &command, "WM_E_NOT_ALLOWED", CONTACT);
}

/// A device whose clock stands before its service's authority was made: the fault is not the service's, whose word is taken.
pub(crate) fn in_the_clock_of_the_device(form: Form) {
    let mut player = Player::new(form, service_apart(10 * DAY));
    player.prepare();
    let kid = player.offer(2);
    assert!(player.ask(&format!("acquire {}", kid.to_base64())).starts_with("WM_S_LICENSE_ACQUIRED "));
    player.end();
}

/// An encrypted service that leads to an open one.
pub(crate) fn in_a_redirect(player: &mut Player) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let pem = player.folder.path().join("ca.pem");
    std::fs::write(&pem, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let open = format!("Location: {}/.well-known/wmlicense\r\n", player.service.base);
    let server = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut wire = rustls::Stream::new(&mut connection, &mut socket);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            wire.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        wire.write_all(answer("307 Temporary Redirect", &open, "").as_bytes()).unwrap();
    });
    let contacts = player.service.contacts();
    assert_eq!(player.ask(&format!("trust {}", pem.display())), "WM_S_OK");
    let elsewhere = format!("url {url} {}", kid(2).to_base64());
    player.fails("https leads to http", &elsewhere, "WM_E_REDIRECT_REFUSED", CONTACT);
    assert_eq!(player.service.contacts(), contacts, "the open service is not asked");
    server.join().unwrap();
}
