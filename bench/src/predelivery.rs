//! Pre-delivery of whole catalogues through the real service on the loopback interface, beside what it cannot do without.

use crate::arguments::{Arguments, Predelivery};
use crate::memory::Watch;
use crate::peers::PlainSqlite;
use crate::table::{Table, Times};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use wmlicense_core::acquire::{LicenseWish, acquire};
use wmlicense_core::client::{Client, OpenSettings, Settings};
use wmlicense_core::clock::SystemClock;
use wmlicense_core::event::Flow;
use wmlicense_core::individualize::individualize;
use wmlicense_core::operation::Context;
use wmlicense_core::transport::AccountToken;
use wmlicense_wire::id::{Digest, Kid};
use wmlicense_wire::key::{Signer as _, SigningKey};

const COUNTS: [u64; 2] = [10_000, 100_000];
/// About what a row of a license takes.
const ROW_LEN: usize = 480;
const BATCH: u64 = 4096;
/// Bytes that a license of its own would sign.
const MESSAGE_LEN: usize = 400;

/// The service of a folder, stopped when dropped.
struct Service {
    child: Child,
    url: String,
    authority: String,
    token: String,
}

fn program() -> PathBuf {
    std::env::current_exe().unwrap().with_file_name("wmlicensed")
}

fn admin(data: &Path, words: &[&str]) -> String {
    let output = Command::new(program()).args(words).arg("--data").arg(data).output().expect("wmlicensed is built");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn after<'t>(printed: &'t str, label: &str) -> &'t str {
    printed.strip_prefix(label).unwrap().trim()
}

impl Service {
    fn start(data: &Path, count: u64) -> Self {
        let authority = after(&admin(data, &["init"]), "authority: ").to_owned();
        let list = (0..count).fold(String::new(), |mut list, number| {
            let kid = Digest::of(&number.to_be_bytes()).to_hex();
            writeln!(list, "{},00112233445566778899aabbccddeeff,Title {number}", &kid[..32]).unwrap();
            list
        });
        let file = data.join("list.csv");
        std::fs::write(&file, list).unwrap();
        admin(data, &["content", "import", file.to_str().unwrap(), "--scope", "all"]);
        let token = after(&admin(data, &["account", "add", "bench", "--scope", "all"]), "token: ").to_owned();
        let mut child = Command::new(program())
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, url: after(&line, "listening on ").to_owned(), authority, token }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The child: one device that is delivered everything; prints the seconds and the licenses.
pub(crate) fn measure_here(of: &Predelivery) {
    let authorities = vec![Digest::from_base64(&of.authority).unwrap()];
    let open = OpenSettings { store_path: of.store.clone(), authorities };
    let client = Client::open(&open, Arc::new(SystemClock)).unwrap();
    let settings = Settings {
        service_url: Some(of.url.clone()),
        account_token: Arc::new(AccountToken::new(of.token.clone())),
        ..Settings::default()
    };
    let context = || Context::inline(None, |_| Flow::Continue);
    individualize(&client, &settings, false, &context()).unwrap();
    let start = Instant::now();
    let acquired = acquire(&client, &settings, &LicenseWish::default(), &context()).unwrap();
    println!("{} {}", start.elapsed().as_secs_f64(), acquired.stored);
}

struct Run {
    time: Duration,
    client_mb: f64,
    service_mb: f64,
}

fn run(count: u64, folder: &Path) -> Run {
    let scratch = tempfile::tempdir_in(folder).unwrap();
    let service = Service::start(scratch.path(), count);
    let device = Command::new(std::env::current_exe().unwrap())
        .arg("--predelivery-of")
        .args([&service.authority, &service.url, &service.token])
        .arg(scratch.path().join("device"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let watches = [device.id(), service.child.id()].map(Watch::over);
    let output = device.wait_with_output().unwrap();
    let [client_mb, service_mb] = watches.map(|watch| watch.peak_kb() as f64 / 1024.0);
    let text = String::from_utf8(output.stdout).unwrap();
    let words: Vec<&str> = text.split_whitespace().collect();
    let [seconds, stored] = words[..] else { panic!("the device said {text:?}") };
    assert_eq!(stored.parse::<u64>().unwrap(), count);
    Run { time: Duration::from_secs_f64(seconds.parse().unwrap()), client_mb, service_mb }
}

pub(crate) fn measure(arguments: &Arguments, table: &mut Table) {
    let key = SigningKey::generate().unwrap();
    let mut memory: Vec<(f64, f64)> = Vec::new();
    for count in COUNTS {
        let [mut ours, mut signing, mut plain] = <[Times; 3]>::default();
        let (mut client_mb, mut service_mb) = (0_f64, 0_f64);
        for _ in 0..arguments.rounds {
            let run = run(count, &arguments.folder);
            ours.add(run.time);
            (client_mb, service_mb) = (client_mb.max(run.client_mb), service_mb.max(run.service_mb));
            let sign = |number: u64| key.sign(&[number as u8; MESSAGE_LEN]).unwrap();
            signing.measure(|| (0..count).for_each(|number| assert_ne!(sign(number), [0; 64])));
            let scratch = tempfile::tempdir_in(&arguments.folder).unwrap();
            let mut peer = PlainSqlite::new(&scratch.path().join("plain.db"), ROW_LEN);
            let keys: Vec<[u8; 16]> = (0..count).map(|_| *Kid::random().unwrap().as_bytes()).collect();
            plain.measure(|| keys.chunks(BATCH as usize).for_each(|batch| peer.insert(batch.iter().copied())));
        }
        table.title(&format!("pre-delivery of {count} licenses, service and client on the loopback interface"));
        table.licenses("wmlicense, until all are durable on the device", &ours, count);
        table.licenses("Ed25519 signatures alone, one a license", &signing, count);
        table.licenses("plain SQLite inserts of rows of the same size", &plain, count);
        table.time("  the whole", &ours, count);
        table.ratio("to Ed25519 signatures alone, time", ours.ratio_to(&signing), 1.0);
        table.ratio("to plain SQLite, once for each side, time", ours.ratio_to(&plain) / 2.0, 1.0);
        memory.push((client_mb, service_mb));
    }
    table.title("own memory in a pre-delivery at its peak, MB: of 10 000, of 100 000 licenses, growth");
    if let [(small, small_service), (large, large_service)] = memory[..] {
        table.ratio("client, 10 000", small, 64.0);
        table.ratio("client, growth", large / small, 1.2);
        table.ratio("service, 10 000", small_service, 128.0);
        table.ratio("service, growth", large_service / small_service, 1.2);
    }
}
