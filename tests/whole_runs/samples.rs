//! The service behind nginx and Caddy as the samples in `deploy` put it there: TLS ends at the proxy, and a whole acquisition, a
//! pre-delivery and a restore of more than a proxy's usual 1 MiB go through.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use tempfile::TempDir;
use wmlicense_core::acquire::{LicenseWish, acquire};
use wmlicense_core::backup::back_up;
use wmlicense_core::client::{Client, OpenSettings, Settings};
use wmlicense_core::clock::SystemClock;
use wmlicense_core::event::Flow;
use wmlicense_core::individualize::individualize;
use wmlicense_core::operation::Context;
use wmlicense_core::restore::restore;
use wmlicense_core::transport::{AccountToken, NetworkSettings};
use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::{root, run};
use wmlicense_wire::id::{Digest, Kid};

/// So many that their backup is longer than proxies let pass at once.
const LICENSES: u64 = 4200;
const MANY: u64 = 1 << 20;
/// How often another port is tried where somebody else took it.
const TRIES: usize = 5;

fn kid(number: u64) -> Kid {
    Kid::from_hex(&format!("{number:032x}")).unwrap()
}

fn quiet() -> Context {
    Context::inline(None, |_| Flow::Continue)
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A proxy in the background, ended when dropped.
struct Proxy {
    process: PathBuf,
    folder: TempDir,
}

impl Proxy {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { process: folder.path().join("process"), folder }
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.place(name), text).unwrap();
        self.place(name)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // A proxy that did not start has left no file.
        if let Ok(process) = std::fs::read_to_string(&self.process) {
            let _ = Command::new("kill").args(["-KILL", process.trim()]).status();
        }
    }
}

/// What a proxy stands before, and what it shows.
struct Front<'f> {
    program: &'f Path,
    /// `127.0.0.1:8080` of the service.
    upstream: &'f str,
    port: u16,
    certificate: &'f Path,
    key: &'f Path,
}

/// The sample with the lines filled in that its user fills in, each of which is there.
fn filled(sample: &str, lines: &[(&str, String)]) -> String {
    let text = std::fs::read_to_string(root().join("deploy").join(sample)).unwrap();
    lines.iter().fold(text, |text, (found, put)| {
        assert_eq!(text.matches(found).count(), 1, "{found} in {sample}");
        text.replace(found, put)
    })
}

fn nginx(front: &Front<'_>) -> Option<Proxy> {
    let proxy = Proxy::new();
    let site = filled(
        "nginx.conf",
        &[
            ("server 127.0.0.1:8080;", format!("server {};", front.upstream)),
            ("listen 443 ssl;", format!("listen 127.0.0.1:{} ssl;", front.port)),
            ("server_name licenses.example;", "server_name 127.0.0.1;".to_owned()),
            ("/etc/letsencrypt/live/licenses.example/fullchain.pem", front.certificate.display().to_string()),
            ("/etc/letsencrypt/live/licenses.example/privkey.pem", front.key.display().to_string()),
        ],
    );
    let site = proxy.write("site.conf", &site);
    let places = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {};\n", proxy.place(name).display()));
    // Its workers are other users otherwise, who may not look into the folder; only root is asked for one.
    let user = if is_root() { "user root root;\n" } else { "" };
    let text = format!(
        "{user}pid {};\nerror_log {} warn;\nevents {{}}\nhttp {{\n{}include {};\n}}\n",
        proxy.process.display(),
        proxy.place("log").display(),
        places.concat(),
        site.display()
    );
    let whole = proxy.write("nginx.conf", &text);
    // It goes into the background when it listens.
    let mut start = Command::new(front.program);
    start.arg("-e").arg(proxy.place("log")).arg("-p").arg(proxy.folder.path()).arg("-c").arg(whole);
    started(&mut start, "Address already in use").then_some(proxy)
}

fn is_root() -> bool {
    run::succeed(Command::new("id").arg("-u")).trim() == "0"
}

fn caddy(front: &Front<'_>) -> Option<Proxy> {
    let proxy = Proxy::new();
    let sample = filled("Caddyfile", &[]);
    let whole = proxy.write(
        "Caddyfile",
        &format!("{{\nadmin off\ndefault_bind 127.0.0.1\nauto_https disable_redirects\n}}\n{sample}"),
    );
    let mut start = Command::new(front.program);
    start.args(["start", "--adapter", "caddyfile", "--config"]).arg(whole).arg("--pidfile").arg(&proxy.process);
    start.env("HOME", proxy.folder.path()).env_remove("XDG_DATA_HOME").env_remove("XDG_CONFIG_HOME");
    start.env("SITE", format!("https://127.0.0.1:{}", front.port)).env("UPSTREAM", front.upstream);
    start.env("TLS", format!("tls {} {}", front.certificate.display(), front.key.display()));
    started(&mut start, "address already in use").then_some(proxy)
}

/// Starts a program that goes into the background; false if another one has its port.
fn started(start: &mut Command, port_taken: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    // Not pipes: what is in the background keeps them open.
    let log = folder.path().join("log");
    let said = std::fs::File::create(&log).unwrap();
    let status = start.stdout(said.try_clone().unwrap()).stderr(said).status().unwrap();
    let text = std::fs::read_to_string(log).unwrap();
    assert!(status.success() || text.contains(port_taken), "{start:?}: {status}\n{text}");
    status.success()
}

/// A service, and a proxy before it.
struct Stage {
    url: String,
    certificate: String,
    service: Service,
    _proxy: Proxy,
    files: TempDir,
}

impl Stage {
    fn new(program: &Path, start: fn(&Front<'_>) -> Option<Proxy>) -> Self {
        let files = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let (certificate, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        for _ in 0..TRIES {
            let port = free_port();
            let url = format!("https://127.0.0.1:{port}");
            let service = Service::start_with(&["--public-url", &url, "--trusted-proxy", "127.0.0.1"]);
            let upstream = service.url.strip_prefix("http://").unwrap();
            let front = Front { program, upstream, port, certificate: &certificate, key: &key };
            if let Some(proxy) = start(&front) {
                return Self { url, certificate: made.cert.pem(), service, _proxy: proxy, files };
            }
        }
        panic!("no port stayed free");
    }

    fn device(&self) -> Device {
        let folder = tempfile::tempdir().unwrap();
        let authority = Digest::from_base64(&self.service.authority).unwrap();
        let open = OpenSettings { store_path: folder.path().join("store"), authorities: vec![authority] };
        let client = Client::open(&open, Arc::new(SystemClock)).unwrap();
        let network = NetworkSettings { tls_ca_pem: Some(self.certificate.clone()), ..NetworkSettings::default() };
        let settings = Settings {
            service_url: Some(self.url.clone()),
            account_token: Arc::new(AccountToken::new(self.service.gold_token.clone())),
            network,
            ..Settings::default()
        };
        Device { client, settings, _folder: folder }
    }
}

struct Device {
    client: Arc<Client>,
    settings: Settings,
    _folder: TempDir,
}

impl Device {
    fn acquire(&self, wish: &LicenseWish) -> u64 {
        acquire(&self.client, &self.settings, wish, &quiet()).unwrap().stored
    }
}

fn journey(stage: &Stage) {
    let lines: String = (0..LICENSES).map(|number| format!("{0},{0},Title {number}\n", kid(number).to_hex())).collect();
    let terms = r#"{"actions":{"Play":{}},"backup":true,"restoreDevices":2}"#;
    stage.service.import_for(&["--scope", "gold"], &lines, terms);
    let first = stage.device();
    individualize(&first.client, &first.settings, false, &quiet()).unwrap();
    assert_eq!(first.acquire(&LicenseWish { kids: vec![kid(1)], ..LicenseWish::default() }), 1);
    first.acquire(&LicenseWish { scope: Some("gold".to_owned()), ..LicenseWish::default() });
    assert!(first.client.store.license_count().unwrap() >= LICENSES);

    let place = tempfile::tempdir().unwrap();
    let written = back_up(&first.client, place.path(), false, &quiet()).unwrap().backed_up;
    let files = std::fs::read_dir(place.path()).unwrap();
    let length: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
    assert!(written >= LICENSES && length > MANY, "{written} licenses in {length} bytes");
    let second = stage.device();
    let restored = restore(&second.client, &second.settings, place.path(), true, &quiet()).unwrap();
    assert_eq!(restored.restored, written);
}

/// Status of what the proxy answers.
fn status(stage: &Stage, path: &str) -> String {
    let mut ask = Command::new("openssl");
    let place = stage.url.strip_prefix("https://").unwrap();
    ask.args(["s_client", "-quiet", "-connect", place, "-CAfile"]).arg(stage.files.path().join("cert.pem"));
    let mut child = ask.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {place}\r\nconnection: close\r\n\r\n");
    child.stdin.as_mut().unwrap().write_all(request.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stdout).split(' ').nth(1).unwrap_or_default().to_owned()
}

/// What owners watch the service by is not the world's.
fn is_shielded(stage: &Stage) {
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(status(stage, path), "404", "{path}");
    }
    assert_eq!(status(stage, "/support"), "200");
}

#[test]
fn everything_goes_through_nginx_as_the_sample_has_it() {
    let Some(program) = run::unpacked("nginx") else { return };
    let stage = Stage::new(&program, nginx);
    is_shielded(&stage);
    journey(&stage);
}

#[test]
fn everything_goes_through_caddy_as_the_sample_has_it() {
    let Some(program) = run::unpacked("caddy") else { return };
    let stage = Stage::new(&program, caddy);
    is_shielded(&stage);
    journey(&stage);
}
