//! What the library is compared with: `sqlite3`, `age`, a bare encrypting copy, and plain SQLite.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rusqlite::Connection;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const CHUNK: usize = 16 * 1024;
/// Bytes handed to the system at once, as many as the library hands.
const BUFFER: usize = 1 << 20;

fn run(command: &mut Command) {
    let name = format!("{command:?}");
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.is_ok_and(|status| status.success()), "failed (is it installed?): {name}");
}

/// A key pair of `age`: file of the identity, recipient.
pub(crate) fn age_key(folder: &Path) -> (std::path::PathBuf, String) {
    let file = folder.join("age.key");
    let _ = std::fs::remove_file(&file);
    run(Command::new("age-keygen").arg("-o").arg(&file));
    let text = std::fs::read_to_string(&file).unwrap();
    let recipient = text.lines().find_map(|line| line.strip_prefix("# public key: ")).unwrap().to_owned();
    (file, recipient)
}

/// `sqlite3 .backup`, then `age -r`, then the bytes are on the disk.
pub(crate) fn backup(store: &Path, folder: &Path, recipient: &str) {
    let (copy, sealed) = (folder.join("copy.db"), folder.join("copy.age"));
    let _ = std::fs::remove_file(&copy);
    let _ = std::fs::remove_file(&sealed);
    run(Command::new("sqlite3").arg(store).arg(format!(".backup '{}'", copy.display())));
    run(Command::new("age").arg("-r").arg(recipient).arg("-o").arg(&sealed).arg(&copy));
    File::open(&sealed).unwrap().sync_all().unwrap();
}

/// `age -d`, then `sqlite3 .restore` into an empty database.
pub(crate) fn restore(folder: &Path, identity: &Path) {
    let (sealed, copy, target) = (folder.join("copy.age"), folder.join("opened.db"), folder.join("restored.db"));
    let _ = std::fs::remove_file(&copy);
    let _ = std::fs::remove_file(&target);
    run(Command::new("age").arg("-d").arg("-i").arg(identity).arg("-o").arg(&copy).arg(&sealed));
    run(Command::new("sqlite3").arg(&target).arg(format!(".restore '{}'", copy.display())));
    File::open(&target).unwrap().sync_all().unwrap();
}

/// Read, AES-256-GCM, write, fdatasync: what no backup of these bytes can do without.
pub(crate) fn encrypting_copy(from: &Path, to: &Path) {
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
    let (mut from, file) = (File::open(from).unwrap(), File::create(to).unwrap());
    let mut to = std::io::BufWriter::with_capacity(BUFFER, file);
    let mut buffer = Vec::with_capacity(CHUNK + 16);
    for number in 0u64.. {
        buffer.resize(CHUNK, 0);
        let length = read_up_to(&mut from, &mut buffer);
        buffer.truncate(length);
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&number.to_be_bytes());
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut buffer).unwrap();
        to.write_all(&buffer).unwrap();
        if length < CHUNK {
            break;
        }
    }
    to.into_inner().unwrap().sync_data().unwrap();
}

/// The time of one Ed25519 verification, as `openssl speed` has it.
pub(crate) fn ed25519_verification() -> Duration {
    let output = Command::new("openssl").args(["speed", "-mr", "-seconds", "1", "ed25519"]).output();
    let text = String::from_utf8(output.expect("openssl is installed").stdout).unwrap();
    let line = text.lines().find(|line| line.starts_with("+F6:")).unwrap_or_else(|| panic!("{text}"));
    let a_second: f64 = line.rsplit(':').next().unwrap().parse().unwrap();
    Duration::from_secs_f64(1.0 / a_second)
}

fn read_up_to(file: &mut File, buffer: &mut [u8]) -> usize {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]).unwrap() {
            0 => break,
            read => filled += read,
        }
    }
    filled
}

/// A plain table of rows with random keys, durable at each commit.
pub(crate) struct PlainSqlite {
    connection: Connection,
    row: Vec<u8>,
}

impl PlainSqlite {
    pub(crate) fn new(path: &Path, row_len: usize) -> Self {
        let connection = Connection::open(path).unwrap();
        let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
        connection.pragma_update(None, "synchronous", "FULL").unwrap();
        connection.execute_batch("CREATE TABLE entry (key BLOB PRIMARY KEY, value BLOB NOT NULL)").unwrap();
        let mut row = vec![0; row_len];
        getrandom::fill(&mut row).unwrap();
        Self { connection, row }
    }

    pub(crate) fn insert(&self, keys: impl Iterator<Item = [u8; 16]>) {
        let transaction = self.connection.unchecked_transaction().unwrap();
        {
            let mut statement = transaction.prepare("INSERT INTO entry (key, value) VALUES (?1, ?2)").unwrap();
            for key in keys {
                statement.execute((&key, &self.row)).unwrap();
            }
        }
        transaction.commit().unwrap();
    }

    /// Copies the log into the database, as a store that is at rest has it.
    pub(crate) fn settle(&self) {
        self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    }

    /// Looks every key up with one held statement.
    pub(crate) fn look_up(&self, keys: &[[u8; 16]]) -> usize {
        let mut statement = self.connection.prepare("SELECT value FROM entry WHERE key = ?1").unwrap();
        keys.iter().map(|key| statement.query_row([key], |row| Ok(row.get_ref(0)?.as_blob()?.len())).unwrap()).sum()
    }
}
