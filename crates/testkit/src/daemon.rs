//! A real `wmlicensed` on a free port: its data folder, its commands, its process. The catalogue that C programs expect is not here.

pub mod device;
pub mod issuer;

use crate::postgres::{Database, cluster};
use crate::run::built;
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;
use wmlicense_wire::id::Digest;

pub const OPEN: &str = "c0000000000000000000000000000001";
pub const GOLD: &str = "c0000000000000000000000000000002";
pub const NO_BACKUP: &str = "c0000000000000000000000000000003";
pub const COUNTED: &str = "c0000000000000000000000000000004";
pub const ENDED: &str = "c0000000000000000000000000000005";
pub const KEY: &str = "00112233445566778899aabbccddeeff";

/// A data folder with an authority.
pub struct Data {
    pub folder: TempDir,
    pub authority: Digest,
    /// Where it is on a server.
    database: Option<Database>,
}

/// Which of PostgreSQL's versions keeps what services of this process keep; SQLite where it is not set.
const VERSION_VARIABLE: &str = "WM_TEST_POSTGRES";
/// What names the database to the program.
pub const DATABASE_VARIABLE: &str = "WMLICENSED_DATABASE";

/// The databases of data folders that are on a server.
fn on_servers() -> MutexGuard<'static, HashMap<PathBuf, String>> {
    static ON_SERVERS: LazyLock<Mutex<HashMap<PathBuf, String>>> = LazyLock::new(Mutex::default);
    ON_SERVERS.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn run(words: &[&str], data: &Path) -> Output {
    run_under(None, words, data)
}

/// As [`run`], behind the words of another program.
pub fn run_under(before: Option<Command>, words: &[&str], data: &Path) -> Output {
    command(before, data).args(words).arg("--data").arg(data).output().unwrap()
}

/// The service program of this build, built once per test process when it is not there yet.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| built("wmlicensed"))
}

/// The program, perhaps behind another one, with the database of a data folder.
fn command(before: Option<Command>, data: &Path) -> Command {
    let mut command = match before {
        None => Command::new(program()),
        Some(mut before) => {
            before.arg(program());
            before
        }
    };
    match on_servers().get(data) {
        Some(url) => command.env(DATABASE_VARIABLE, url),
        None => command.env_remove(DATABASE_VARIABLE),
    };
    command
}

impl Data {
    pub fn new() -> Self {
        match std::env::var(VERSION_VARIABLE) {
            Ok(version) => Self::over_postgres(version.parse().unwrap()),
            Err(_) => Self::in_folder(tempfile::tempdir().unwrap()),
        }
    }

    /// With a database of its own on a server of this version.
    pub fn over_postgres(version: u32) -> Self {
        let (database, folder) = (cluster(version).database(None), tempfile::tempdir().unwrap());
        on_servers().insert(folder.path().to_owned(), format!("{}&connections=8", database.url()));
        Self { database: Some(database), ..Self::in_folder(folder) }
    }

    /// What names the database to a service in this process; none where it is in the folder.
    pub fn url(&self) -> Option<String> {
        on_servers().get(self.path()).cloned()
    }

    /// The database on a server, where it is there.
    pub fn database(&self) -> &Database {
        self.database.as_ref().expect("this data folder has a database on a server")
    }

    pub fn in_folder(folder: TempDir) -> Self {
        let output = run(&["init"], folder.path());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(output.stdout).unwrap();
        let authority = Digest::from_base64(printed.strip_prefix("authority: ").unwrap().trim()).unwrap();
        Self { folder, authority, database: None }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a command that has to succeed and gives what it printed.
    pub fn admin(&self, words: &[&str]) -> String {
        let output = run(words, self.path());
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub fn json(&self, words: &[&str]) -> serde_json::Value {
        let words = [words, &["--json"]].concat();
        serde_json::from_str(&self.admin(&words)).unwrap()
    }

    /// Runs a command that has to fail and gives its exit status and complaint.
    pub fn fails(&self, words: &[&str]) -> (i32, String) {
        let output = run(words, self.path());
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    pub fn policy(&self, name: &str, terms: &str) {
        let file = self.path().join(format!("{name}.json"));
        std::fs::write(&file, terms).unwrap();
        self.admin(&["policy", "set", name, file.to_str().unwrap()]);
    }

    pub fn open_content(&self, kid: &str, policy: Option<&str>) {
        let mut words = vec!["content", "add", "--kid", kid, "--key", KEY, "--title", "A title", "--open"];
        words.extend(policy.into_iter().flat_map(|name| ["--policy", name]));
        self.admin(&words);
    }

    /// Adds an account and gives its token.
    pub fn account(&self, name: &str, scopes: &[&str]) -> String {
        let mut words = vec!["account", "add", name];
        words.extend(scopes.iter().flat_map(|scope| ["--scope", scope]));
        self.admin(&words).strip_prefix("token: ").unwrap().trim().to_owned()
    }

    /// The catalogue that most tests use.
    pub fn fill(&self) {
        self.open_content(OPEN, None);
        self.admin(&["content", "add", "--kid", GOLD, "--key", KEY, "--scope", "gold"]);
        self.policy("no-backup", r#"{"backup":false}"#);
        self.open_content(NO_BACKUP, Some("no-backup"));
        self.policy("counted", r#"{"actions":{"Play":{"count":5}},"backup":"stateful"}"#);
        self.open_content(COUNTED, Some("counted"));
        self.policy("ended", r#"{"actions":{"Play":{"notAfter":"2001-01-01T00:00:00Z"}},"backup":true}"#);
        self.open_content(ENDED, Some("ended"));
    }

    pub fn serve(&self, words: &[&str]) -> Serving {
        Serving::start(None, self.path(), words).unwrap_or_else(|complaint| panic!("{complaint}"))
    }
}

/// A time as commands take it.
pub fn rfc3339(seconds: i64) -> String {
    let database = rusqlite::Connection::open_in_memory().unwrap();
    database.query_row("SELECT strftime('%Y-%m-%dT%H:%M:%SZ', ?1, 'unixepoch')", [seconds], |row| row.get(0)).unwrap()
}

/// Longest that a service takes to write into its log what it is about to.
const LOGGED_WITHIN: Duration = Duration::from_secs(60);

/// What a service wrote to standard error so far.
type Log = Arc<(Mutex<String>, Condvar)>;

/// A running service, killed when dropped.
pub struct Serving {
    child: Child,
    pub url: String,
    /// Where the owner's machines ask; empty where that is switched off.
    pub management: String,
    log: Log,
    reader: Option<JoinHandle<()>>,
}

impl Serving {
    /// Serves a data folder, perhaps behind the words of another program; or gives what it printed before it ended.
    pub fn start(before: Option<Command>, data: &Path, words: &[&str]) -> Result<Self, String> {
        let listen: &[&str] = if words.contains(&"--listen") { &[] } else { &["--listen", "127.0.0.1:0"] };
        let mut child = command(before, data)
            .args(["serve", "--data"])
            .arg(data)
            .args(listen)
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut line, mut second) = (String::new(), String::new());
        let mut printed = BufReader::new(child.stdout.take().unwrap());
        printed.read_line(&mut line).unwrap();
        if !words.contains(&"off") {
            printed.read_line(&mut second).unwrap();
        }
        // The log is read all the time, so that the service never waits for room in the pipe.
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let log = Log::default();
        let kept = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in stderr.lines() {
                kept.0.lock().unwrap().push_str(&(line.unwrap() + "\n"));
                kept.1.notify_all();
            }
        });
        let management = second.strip_prefix("management on ").unwrap_or_default().trim().to_owned();
        let mut serving = Self { child, url: String::new(), management, log, reader: Some(reader) };
        match line.strip_prefix("listening on ") {
            Some(url) => {
                url.trim().clone_into(&mut serving.url);
                Ok(serving)
            }
            None => Err(format!("{line}{}", serving.kill())),
        }
    }

    /// The ID of the process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// True while the process runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends the process at once, as `kill -9` does, and gives its log.
    pub fn kill(&mut self) -> String {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.whole_log()
    }

    /// Asks the process to stop and gives its exit status and log.
    pub fn terminate(&mut self) -> (Option<i32>, String) {
        self.signal("TERM");
        self.terminated()
    }

    /// The same for a process that is told already.
    pub fn terminated(&mut self) -> (Option<i32>, String) {
        let status = self.child.wait().unwrap();
        (status.code(), self.whole_log())
    }

    /// Sends the process a signal by its name.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap().success());
    }

    /// Waits until the log holds this text.
    pub fn wait_for_log(&self, text: &str) {
        let (log, grown) = &*self.log;
        let lacks = |log: &mut String| !log.contains(text);
        let (log, waited) = grown.wait_timeout_while(log.lock().unwrap(), LOGGED_WITHIN, lacks).unwrap();
        assert!(!waited.timed_out(), "the log has no {text:?}:\n{log}");
    }

    fn whole_log(&mut self) -> String {
        self.reader.take().unwrap().join().unwrap();
        self.log.0.lock().unwrap().clone()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // A test that ended it itself left nothing to do.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
