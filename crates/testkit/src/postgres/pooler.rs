//! PgBouncer before a cluster: a client has a connection of the server for one transaction at a time. It keeps to the rules of the
//! keepers beside it: it runs as the user of servers and ends with this process.

use super::{Cluster, PATIENCE, as_server, folder, free_port, keeper, started};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin};
use std::time::{Duration, Instant};

/// Runs the program until its own input ends. Words: program, folder.
const KEEPER: &str = r#"
trap '' INT HUP TERM
"$1" "$2/pooler.ini" </dev/null >"$2/said" 2>&1 & pooler=$!
echo started
read -r _
kill "$pooler"
wait "$pooler"
rm -rf "$2"
"#;
/// Between two looks whether it listens.
const PAUSE: Duration = Duration::from_millis(10);

/// A pooler that runs.
pub struct Pooler {
    folder: PathBuf,
    port: u16,
    keeper: Child,
    _input: ChildStdin,
}

impl Pooler {
    /// Before a cluster, with so many connections to each of its databases.
    pub fn before(cluster: &Cluster, program: &Path, connections: usize) -> Self {
        let (folder, port) = (folder(), free_port());
        let place = folder.display();
        let text = format!(
            "[databases]\n* = host={} port={} user=postgres\n[pgbouncer]\npool_mode = transaction\n\
             default_pool_size = {connections}\nmax_client_conn = 100\nauth_type = any\nlisten_port = {port}\n\
             unix_socket_dir = {place}\nlogfile = {place}/log\npidfile = {place}/process\n",
            cluster.folder.display(),
            cluster.port,
        );
        std::fs::write(folder.join("pooler.ini"), text).unwrap();
        // Where its user may not look into the folder that it was unpacked into.
        let own = folder.join("program");
        std::fs::copy(program, &own).unwrap();
        let reads = as_server("test").arg("-x").arg(&own).status().unwrap();
        assert!(reads.success(), "{} cannot be run", own.display());
        let mut keeper = keeper(&folder);
        keeper.args(["-c", KEEPER, "sh"]).arg(own).arg(&folder);
        let (keeper, input, _) = started(keeper);
        let pooler = Self { folder, port, keeper, _input: input };
        pooler.wait();
        pooler
    }

    /// Until it listens.
    fn wait(&self) {
        let begun = Instant::now();
        while UnixStream::connect(self.folder.join(format!(".s.PGSQL.{}", self.port))).is_err() {
            let said = || std::fs::read_to_string(self.folder.join("said")).unwrap_or_default();
            assert!(begun.elapsed() < PATIENCE, "the pooler does not start: {}", said());
            std::thread::sleep(PAUSE);
        }
    }

    /// The URL of a database of the cluster, through the pooler.
    pub fn url(&self, name: &str) -> String {
        format!("postgres://postgres@/{name}?host={}&port={}", self.folder.display(), self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // The keeper ends when its input does, which is with this.
        let _ = self.keeper.try_wait();
    }
}
