//! The real service on the loopback interface, with a catalogue of its own.

use crate::device::Owner;
use crate::meter::{Counts, SYNCS, new_count};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use wmlicense_testkit::daemon::DATABASE_VARIABLE;
use wmlicense_testkit::postgres::Database;
use wmlicense_wire::id::Digest;

/// As many devices as a benchmark has rounds.
const TERMS: &str = r#"{"actions":{"Play":{}},"backup":true,"restoreDevices":100}"#;

/// The service of a folder, stopped when dropped.
pub(crate) struct Service {
    child: Child,
    url: String,
    authority: String,
    token: String,
    /// Where its syncs are counted.
    syncs: PathBuf,
}

fn program() -> PathBuf {
    std::env::current_exe().unwrap().with_file_name("wmlicensed")
}

/// The program with the database of a server, where it has one.
fn command(database: Option<&Database>) -> Command {
    let mut command = Command::new(program());
    if let Some(database) = database {
        command.env(DATABASE_VARIABLE, database.url());
    }
    command
}

fn admin(data: &Path, database: Option<&Database>, words: &[&str]) -> String {
    let output = command(database).args(words).arg("--data").arg(data).output();
    let output = output.expect("wmlicensed is built beside this program (ci/bench.sh does)");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn after<'t>(printed: &'t str, label: &str) -> &'t str {
    printed.strip_prefix(label).unwrap().trim()
}

impl Service {
    /// Starts a service whose one account may have `count` licenses.
    pub(crate) fn start(data: &Path, count: u64) -> Self {
        Self::start_over(data, count, None)
    }

    /// The same with an empty database of a server.
    pub(crate) fn start_on(data: &Path, count: u64, database: &Database) -> Self {
        Self::start_over(data, count, Some(database))
    }

    fn start_over(data: &Path, count: u64, database: Option<&Database>) -> Self {
        let admin = |words: &[&str]| admin(data, database, words);
        let authority = after(&admin(&["init"]), "authority: ").to_owned();
        let list = (0..count).fold(String::new(), |mut list, number| {
            writeln!(list, "{},00112233445566778899aabbccddeeff,Title {number}", Self::kid(number)).unwrap();
            list
        });
        let [list_file, terms_file] = ["list.csv", "terms.json"].map(|name| data.join(name).display().to_string());
        std::fs::write(&list_file, list).unwrap();
        std::fs::write(&terms_file, TERMS).unwrap();
        admin(&["policy", "set", "all", &terms_file]);
        admin(&["content", "import", &list_file, "--policy", "all", "--scope", "all"]);
        let token = after(&admin(&["account", "add", "bench", "--scope", "all"]), "token: ").to_owned();
        let syncs = data.join("syncs");
        new_count(&syncs);
        let mut child = command(database)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .env(SYNCS, &syncs)
            // One arena of the C library: what it keeps for each thread that once held a page is no need of the service.
            .env("MALLOC_ARENA_MAX", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, url: after(&line, "listening on ").to_owned(), authority, token, syncs }
    }

    /// A key ID of its catalogue, in hexadecimal.
    pub(crate) fn kid(number: u64) -> String {
        Digest::of(&number.to_be_bytes()).to_hex().split_at(32).0.to_owned()
    }

    /// A device of its account.
    pub(crate) fn owner(&self) -> Owner<'_> {
        Owner { authority: &self.authority, service: Some((&self.url, &self.token)) }
    }

    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// What it has used so far.
    pub(crate) fn counts(&self) -> Counts {
        Counts::of_process(self.process(), &self.syncs)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
