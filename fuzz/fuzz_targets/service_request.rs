//! Requests as a device signs them that has gone mad: any content, signed anew with certified keys, decided by a whole service.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;
use tempfile::TempDir;
use wmlicense_server::fuzzing::BareService;
use wmlicense_server::{DataFolder, run};
use wmlicense_wire::answer::{Envelope, read_vouched};
use wmlicense_wire::certificate::{Assurance, DeviceKeys, Role};
use wmlicense_wire::cose::{Document, sign};
use wmlicense_wire::id::{Digest, SignerId, TransactionId};
use wmlicense_wire::kem::{HpkePrivateKey, Suite};
use wmlicense_wire::key::{Signer as _, SigningKey};
use wmlicense_wire::request::{Body, ClientInfo, MAX_RESTORE_LEN, Request};

struct World {
    service: BareService,
    signing: SigningKey,
    thumbprint: SignerId,
    certificate: Vec<u8>,
    _folder: TempDir,
}

/// Inputs that share a service before a fresh one is made, whose database is small again.
const SHARING: usize = 20_000;

thread_local! {
    static WORLD: RefCell<Option<(usize, World)>> = const { RefCell::new(None) };
}

fn command(words: &[&str], folder: &TempDir) {
    let data = folder.path().as_os_str().to_owned();
    let words = ["wmlicensed"].iter().chain(words).map(Into::into);
    let _ = run(words.chain(["--data".into(), data]));
}

fn world() -> World {
    let folder = tempfile::tempdir().expect("a folder");
    command(&["init"], &folder);
    for kid in ["c0", "c1", "c2"] {
        let (kid, key) = (kid.repeat(16), "00".repeat(16));
        command(&["content", "add", "--kid", &kid, "--key", &key, "--open"], &folder);
    }
    let service = BareService::open(DataFolder::new(folder.path())).expect("the service opens");
    let signing = SigningKey::from_seed(&[3; 32]).expect("a seed");
    let hpke = HpkePrivateKey::generate(Suite::XWing).expect("a key");
    let keys = DeviceKeys { signing: *signing.verifying_key(), hpke: hpke.public_key().clone() };
    let thumbprint = keys.thumbprint();
    let body = Body::Individualize { keys, assurance: Assurance::File, consent: true, current: None, rekey: None };
    let mut world = World { service, signing, thumbprint, certificate: Vec::new(), _folder: folder };
    let request = Request {
        audience: world.audience(&body),
        time: 1,
        transaction: TransactionId::new([1; 16]),
        page: 0,
        cursor: None,
        epoch: None,
        status_number: None,
        held: Vec::new(),
        client: ClientInfo { security_version: "1.0.0.0".to_owned(), ..ClientInfo::default() },
        device_certificate: None,
        body,
    };
    let bytes = request.sign(&world.signing, thumbprint).expect("signs");
    let answer = world.service.post(&request.body, bytes).expect("a device is individualized");
    let envelope = Envelope::parse(&answer).expect("an answer");
    world.certificate = envelope.device_certificate.expect("a certificate");
    world
}

impl World {
    /// The service that answers such a request.
    fn audience(&self, body: &Body) -> wmlicense_wire::id::ServiceId {
        let role = match body {
            Body::Individualize { .. } => Role::Individualization,
            Body::Licenses { .. }
            | Body::Renewals { .. }
            | Body::Returns { .. }
            | Body::Revocations { .. }
            | Body::Mailbox { .. } => Role::Issuer,
            Body::RestorePreview { .. } | Body::Restore { .. } => Role::Management,
        };
        let directory = self.service.directory();
        directory.services().iter().find(|service| service.role == role).expect("all roles").service_id
    }
}

fuzz_target!(|data: &[u8]| {
    WORLD.with_borrow_mut(|kept| {
        let (number, world) = kept.take().filter(|(number, _)| *number < SHARING).unwrap_or_else(|| (0, world()));
        decide(&world, data);
        *kept = Some((number + 1, world));
    });
});

fn decide(world: &World, data: &[u8]) {
    let signed = sign(Document::Request, data, &world.signing, world.thumbprint).expect("signs");
    let Ok(document) = Request::parse(&signed, MAX_RESTORE_LEN) else { return };
    let Ok(request) = Request::decode_unverified(&document) else { return };
    // As the device wrote it, and as one that reaches the decision.
    let _ = world.service.post(&request.body, signed.clone());
    let own = matches!(request.body, Body::Individualize { .. });
    let request = Request {
        audience: world.audience(&request.body),
        transaction: TransactionId::new(*Digest::of(data).as_bytes().first_chunk().expect("16 of 32")),
        epoch: None,
        device_certificate: (!own).then(|| world.certificate.clone()),
        ..request
    };
    let bytes = request.sign(&world.signing, world.thumbprint).expect("signs");
    match world.service.post(&request.body, bytes.clone()) {
        Err(own_failure) => assert!(!own_failure, "a request made the service fail"),
        Ok(answer) if answer.is_empty() || Envelope::parse(&answer).is_err() => {}
        Ok(answer) => {
            let signed = Envelope::parse(&answer).expect("read before").signed;
            let content = read_vouched(&signed).expect("the service writes what devices read");
            assert!(content.request_hash == Digest::of(&bytes) && content.transaction == request.transaction);
        }
    }
}
