//! A whole run of the client against the service, every document of which has the form that docs/protocol.cddl gives.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use wmlicense_core::acquire::{LicenseWish, acquire};
use wmlicense_core::backup::back_up;
use wmlicense_core::client::{Client, OpenSettings, Settings};
use wmlicense_core::clock::SystemClock;
use wmlicense_core::event::Flow;
use wmlicense_core::give_back::delete;
use wmlicense_core::individualize::individualize;
use wmlicense_core::operation::Context;
use wmlicense_core::renew::{RenewalWish, renew};
use wmlicense_core::restore::{preview, restore};
use wmlicense_core::revoke::refresh;
use wmlicense_core::transport::{
    AccountToken, AppFailure, AppRequest, AppResponse, AppStack, AppTransport, NetworkSettings,
};
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::daemon::program;
use wmlicense_testkit::documents::Documents;
use wmlicense_wire::cose::{Document, Unverified};
use wmlicense_wire::id::{Digest, Kid};

const MAX_LEN: usize = 4 << 20;
const PLAIN: &str = "c0000000000000000000000000000001";
const DELETED: &str = "c0000000000000000000000000000002";
const COUNTED: &str = "c2000000000000000000000000000001";
const LEAF: &str = "c6000000000000000000000000000001";
const ASKED: &str = "ca000000000000000000000000000001";
const REVOCABLE: &str = "d1000000000000000000000000000001";

/// Sends what the client would send, and keeps every document on its way.
struct Recorder {
    agent: ureq::Agent,
    /// Rule and bytes.
    seen: Mutex<Vec<(&'static str, Vec<u8>)>>,
}

impl Recorder {
    fn keep(&self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.seen.lock().unwrap().push((rule_of(bytes), bytes.to_vec()));
        }
    }
}

/// The rule for a document: that of what it says it is, or else that of an answer, which is signed inside only.
fn rule_of(bytes: &[u8]) -> &'static str {
    let is = |document: &Document| Unverified::parse(*document, bytes, MAX_LEN).is_ok();
    match Document::ALL.into_iter().find(is) {
        Some(Document::AuthorityCertificate) => "authority-certificate",
        Some(Document::ServiceCertificate) => "service-certificate",
        Some(Document::StatusList) => "status-list",
        Some(Document::DeviceCertificate) => "device-certificate",
        Some(Document::ServiceDocument) => "service-document",
        Some(Document::SignedTime) => "signed-time",
        Some(Document::Request) => "request",
        Some(Document::Acknowledgement) => "acknowledgement",
        Some(Document::BackupFooter) => "footer",
        Some(Document::Rekey) => "rekey",
        Some(Document::Answer) => "signed-answer",
        Some(Document::LicenseRevocation) => "revocation",
        None => "answer",
    }
}

impl AppTransport for Recorder {
    fn exchange(&self, request: &AppRequest<'_>) -> Result<AppResponse, AppFailure> {
        let mut head = ureq::http::Request::builder().method(request.method).uri(request.url);
        for (name, value) in &request.headers {
            head = head.header(*name, value.as_str());
        }
        self.keep(request.body);
        let sent = head.body(request.body.to_vec()).map_err(|_| AppFailure::NotHttp)?;
        let mut response = self.agent.run(sent).map_err(|_| AppFailure::Unreachable)?;
        let body =
            response.body_mut().with_config().limit(MAX_LEN as u64).read_to_vec().map_err(|_| AppFailure::Broken)?;
        let headers = response.headers().iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()));
        let (status, headers) = (response.status().as_u16(), headers.collect());
        if status == 200 {
            self.keep(&body);
        }
        Ok(AppResponse { status, headers, body })
    }
}

struct Device {
    client: Arc<Client>,
    settings: Settings,
    _folder: TempDir,
}

impl Device {
    fn new(service: &Service, recorder: &Arc<Recorder>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Digest::from_base64(&service.authority).unwrap();
        let open = OpenSettings { store_path: folder.path().join("store"), authorities: vec![authority] };
        let client = Client::open(&open, Arc::new(SystemClock)).unwrap();
        let stack: Arc<dyn AppTransport> = Arc::<Recorder>::clone(recorder);
        let settings = Settings {
            service_url: Some(service.url.clone()),
            account_token: Arc::new(AccountToken::new(service.gold_token.clone())),
            network: NetworkSettings { app_stack: Some(AppStack(stack)), ..NetworkSettings::default() },
            ..Settings::default()
        };
        Self { client, settings, _folder: folder }
    }

    fn acquire(&self, kids: &[&str]) -> u64 {
        let wish = LicenseWish { kids: kids.iter().map(|hex| kid(hex)).collect(), ..LicenseWish::default() };
        acquire(&self.client, &self.settings, &wish, &quiet()).unwrap().stored
    }

    fn individualize(&self, force: bool) {
        individualize(&self.client, &self.settings, force, &quiet()).unwrap();
    }
}

fn kid(hex: &str) -> Kid {
    Kid::from_hex(hex).unwrap()
}

fn quiet() -> Context {
    Context::inline(None, |_| Flow::Continue)
}

/// Everything that a client asks a service for, but for the time, which none asks for whose clock is right.
fn run(service: &Service, recorder: &Arc<Recorder>, place: &Path) {
    let first = Device::new(service, recorder);
    let (client, settings) = (&first.client, &first.settings);
    first.individualize(false);
    assert!(first.acquire(&[PLAIN, DELETED, COUNTED, LEAF, REVOCABLE]) >= 5);
    // What the user must accept first, and what nobody has, are answers as well.
    for unheard in [ASKED, "ee000000000000000000000000000001"] {
        let wish = LicenseWish { kids: vec![kid(unheard)], ..LicenseWish::default() };
        assert!(acquire(client, settings, &wish, &quiet()).is_err());
    }
    acquire(client, settings, &LicenseWish::default(), &quiet()).unwrap();
    let wish = RenewalWish { kids: vec![kid(COUNTED)], ..RenewalWish::default() };
    renew(client, settings, &wish, &quiet()).unwrap();
    assert!(back_up(client, place, true, &quiet()).unwrap().backed_up > 0);
    assert!(delete(client, settings, kid(DELETED)).unwrap() > 0);
    first.acquire(&[PLAIN]);

    let second = Device::new(service, recorder);
    second.individualize(false);
    assert!(preview(&second.client, &second.settings, place, false, &quiet()).unwrap().restorable > 0);
    assert!(restore(&second.client, &second.settings, place, false, &quiet()).unwrap().restored > 0);

    let words = ["license", "revoke", "--kid", REVOCABLE, "--reason", "test", "--data"];
    assert!(Command::new(program()).args(words).arg(service.data()).output().unwrap().status.success());
    refresh(client, settings, &quiet()).unwrap();
    first.individualize(true);
    first.acquire(&[PLAIN]);
}

#[test]
fn every_document_of_a_run_has_the_form_that_the_cddl_gives() {
    let service = Service::start();
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let recorder = Arc::new(Recorder { agent, seen: Mutex::default() });
    let place = tempfile::tempdir().unwrap();
    run(&service, &recorder, place.path());

    let documents = Documents::new();
    let file = std::fs::read(place.path().join("licenses.wmbackup")).unwrap();
    let length = u32::from_be_bytes(file[8..12].try_into().unwrap()) as usize;
    documents.keep("backup", "backup-header", &file[12..12 + length]);
    let seen = recorder.seen.lock().unwrap();
    for (number, (rule, bytes)) in seen.iter().enumerate() {
        documents.keep(&format!("{number:03}"), rule, bytes);
    }
    let rules: BTreeSet<&str> = seen.iter().map(|(rule, _)| *rule).collect();
    let expected = ["acknowledgement", "answer", "request", "revocation", "service-document"];
    assert!(expected.iter().all(|rule| rules.contains(rule)), "{rules:?}");
    documents.hold();
}
