//! The cluster of PostgreSQL that services are measured on, and `pgbench` with the statements of a request for one license: their
//! texts are those of the service, what they are asked is made up for devices that nobody else asks with.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::OnceLock;
use wmlicense_testkit::postgres::{Cluster, Database};
use wmlicense_testkit::root;

/// The oldest version that services run on.
const VERSION: u32 = 15;
/// What is committed is on the disk, as of every other row; statements are counted.
const OPTIONS: &str =
    "-c fsync=on -c synchronous_commit=on -c max_wal_size=4GB -c shared_preload_libraries=pg_stat_statements";

pub(crate) fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start_with(VERSION, OPTIONS))
}

/// A database whose statements are counted.
pub(crate) fn database() -> Database {
    let database = cluster().database(None);
    database.sql("CREATE EXTENSION pg_stat_statements");
    database
}

/// Bytes of its log that the server wrote so far.
pub(crate) fn log_written(database: &Database) -> u64 {
    database.sql("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint").parse().unwrap()
}

/// Statements that were run in a database since they were counted last, those that begin and end transactions as well.
pub(crate) fn statements(database: &Database) -> u64 {
    const COUNT: &str = "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements JOIN pg_database ON oid = dbid
        WHERE datname = current_database() AND query NOT LIKE '%pg_stat_statements%'";
    let count = database.sql(COUNT).parse().unwrap();
    database.sql("SELECT pg_stat_statements_reset()");
    count
}

/// Statement of a transaction: the file and the name under which it stands there, and what it is asked.
type Statement = (&'static str, &'static str, &'static [&'static str]);

const DEVICE: &str = "decode(:device, 'hex')";
const KEYS: &str = "decode(:keys, 'hex')";
const USER: &str = "decode(:account, 'hex')";
const KIDS: &str = "ARRAY[substring(sha256(int8send(:kid)) FOR 16)]";
const USERS: &str = "ARRAY[decode(:account, 'hex')]";
const NOW: &str = "extract(epoch FROM now())::bigint";
const RANDOM: &str = "decode(md5(:id), 'hex')";
const HASH: &str = "sha256(decode(md5(:id), 'hex'))";
/// A license ID sorts by its time.
const LIDS: &str =
    "ARRAY[substring(int8send(extract(epoch FROM now())::bigint) FROM 5) || substring(decode(md5(:id), 'hex') FOR 12)]";
const HASHES: &str = "ARRAY[sha256(decode(md5(:id), 'hex'))]";
const POLICIES: &str = "ARRAY[decode(repeat('5a', 420), 'hex')]";

/// For whom somebody asks, how the device stands, what it may have: one state of the database each.
const READING: [&[Statement]; 3] = [
    &[("catalogue", "TOKEN", &["decode(:token, 'hex')"]), ("catalogue", "SCOPES", &[USERS])],
    &[
        ("exchanges", "EPOCHS", &[DEVICE]),
        ("exchanges", "FORKS", &[DEVICE, KEYS, NOW]),
        ("exchanges", "LATE", &[DEVICE, KEYS, "1::bigint", NOW]),
        ("exchanges", "REVOKED", &[DEVICE]),
        ("revocation", "RECIPIENT", &[KEYS]),
        ("revocation", "LETTERS", &[DEVICE, "0::bigint", "16::bigint"]),
    ],
    &[
        ("exchanges", "FIND", &[KEYS, RANDOM, "0::bigint"]),
        ("exchanges", "REVOKED", &[DEVICE]),
        ("catalogue", "OFFERED", &[KIDS]),
        ("revocation", "RULES", &[]),
        ("licenses", "LICENSES", &[DEVICE, KIDS, USERS]),
        ("licenses", "HELD_FOR", &[DEVICE, KIDS]),
    ],
];

/// What is written, in one transaction. `ANSWER` stands for bytes of the answer's length.
const WRITING: &[Statement] = &[
    ("exchanges", "CLAIM", &[KEYS, RANDOM, "0::bigint", HASH, USER, NOW, "1::bigint", "ANSWER"]),
    ("exchanges", "LOCK_KEYS", &["ARRAY[decode(:device, 'hex')]"]),
    ("exchanges", "LOCK_EPOCHS", &[DEVICE]),
    ("exchanges", "FORKS", &[DEVICE, KEYS, NOW]),
    ("exchanges", "LATE", &[DEVICE, KEYS, "1::bigint", NOW]),
    ("licenses", "INSERT_LICENSES", &[DEVICE, KIDS, USERS, LIDS, HASHES, POLICIES, NOW]),
    (
        "licenses",
        "INSERT_SEATS",
        &[
            LIDS,
            "ARRAY[decode(:device, 'hex')]",
            KIDS,
            "ARRAY[FALSE]",
            "ARRAY[FALSE]",
            "ARRAY[extract(epoch FROM now())::bigint]",
            "ARRAY[NULL::bytea]",
            "ARRAY[NULL::bigint]",
            "ARRAY[FALSE]",
            "ARRAY[NULL::bigint]",
        ],
    ),
];

/// What each connection remembers: whose device it is.
const WHO: &str = r"\if :known = 0
SELECT device, keys, account, token FROM bench_device WHERE client = :client_id \gset
\set known 1
\endif
";

fn text(&(file, name, asked): &Statement, answer: usize) -> String {
    let path = root().join(format!("crates/server/src/store/postgres/{file}.sql"));
    let all = std::fs::read_to_string(path).unwrap();
    let mark = format!("-- name: {name}\n");
    let (_, text) = all.split_once(&mark).unwrap_or_else(|| panic!("{file}.sql has no statement {name}"));
    let mut text = text.split_once(';').unwrap().0.to_owned();
    // The last one first, so that none is the beginning of another.
    for (at, asked) in asked.iter().enumerate().rev() {
        let asked = if *asked == "ANSWER" { &format!("decode(repeat('5a', {answer}), 'hex')") } else { *asked };
        text = text.replace(&format!("${}", at + 1), asked);
    }
    assert!(!text.contains('$'), "{name} is asked more than it was: {text}");
    text
}

fn script(kids: usize, answer: usize) -> String {
    let mut script = format!("{WHO}\\set kid random(0, {})\n\\set id random(1, 9000000000000000000)\n", kids - 1);
    let mut transaction = |begin: &str, statements: &[Statement]| {
        let all: String = statements.iter().map(|statement| format!("{};\n", text(statement, answer))).collect();
        writeln!(script, "START TRANSACTION ISOLATION LEVEL {begin};\n{all}COMMIT;").unwrap();
    };
    for reading in READING {
        transaction("REPEATABLE READ, READ ONLY", reading);
    }
    transaction("READ COMMITTED, READ WRITE", WRITING);
    script
}

/// What connections do.
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) requests: usize,
    /// Key IDs to ask for.
    pub(crate) kids: usize,
    /// Bytes of an answer.
    pub(crate) answer: usize,
}

impl Load {
    /// Puts devices beside those that are there, one for each connection, which hold nothing.
    fn put_devices(&self, database: &Database) {
        let salt = "substring(sha256(random()::text::bytea) FOR 8)";
        database.sql(&format!(
            "DROP TABLE IF EXISTS bench_device;
            CREATE TABLE bench_device AS SELECT row_number() OVER () - 1 AS client, was, was_keys,
                substring(sha256(was || salt) FOR 16) AS id, sha256(was_keys || salt) AS key
            FROM (SELECT device_id AS was, thumbprint AS was_keys, {salt} AS salt FROM recipient LIMIT {}) AS each;
            ALTER TABLE bench_device ADD device text, ADD keys text, ADD account text, ADD token text;
            UPDATE bench_device SET device = encode(id, 'hex'), keys = encode(key, 'hex'),
                account = (SELECT encode(user_id, 'hex') FROM account_token LIMIT 1),
                token = (SELECT encode(token_hash, 'hex') FROM account_token LIMIT 1);
            CREATE TEMP TABLE copied AS SELECT * FROM device WHERE device_id IN (SELECT was FROM bench_device);
            UPDATE copied SET device_id = id, thumbprint = key FROM bench_device WHERE thumbprint = was_keys;
            INSERT INTO device SELECT * FROM copied;
            DROP TABLE copied;
            CREATE TEMP TABLE copied AS SELECT * FROM epoch WHERE device_id IN (SELECT was FROM bench_device);
            UPDATE copied SET device_id = id, thumbprint = key FROM bench_device WHERE thumbprint = was_keys;
            INSERT INTO epoch SELECT * FROM copied;
            DROP TABLE copied;
            CREATE TEMP TABLE copied AS SELECT * FROM recipient WHERE thumbprint IN (SELECT was_keys FROM bench_device);
            UPDATE copied SET device_id = id, thumbprint = key FROM bench_device WHERE thumbprint = was_keys;
            INSERT INTO recipient SELECT * FROM copied;",
            self.connections
        ));
    }

    /// Transactions a second of `pgbench`, which keeps statements prepared (`prepared`) or not, as the service (`extended`).
    pub(crate) fn run(&self, database: &Database, protocol: &str) -> f64 {
        self.put_devices(database);
        let mut pgbench = cluster().program("pgbench");
        let (connections, each) = (self.connections.to_string(), (self.requests / self.connections).to_string());
        pgbench.args(["-n", "-f", "-", "-j", "2", "-D", "known=0", "-M", protocol, "-c", &connections, "-t", &each]);
        let mut pgbench = pgbench
            .arg(database.url())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        pgbench.stdin.take().unwrap().write_all(script(self.kids, self.answer).as_bytes()).unwrap();
        let output = pgbench.wait_with_output().unwrap();
        let (told, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{told}{errors}");
        let rate = told.lines().find_map(|line| line.strip_prefix("tps = ")).unwrap();
        rate.split(' ').next().unwrap().parse().unwrap()
    }
}
