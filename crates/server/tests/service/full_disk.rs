//! A service whose disk is full, or whose database is held by another, hands out nothing that it could not write down, and says that it is not ready.

use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;
use wmlicense_testkit::daemon::device::{Device, Known, get};
use wmlicense_testkit::daemon::{Data, KEY, OPEN};
use wmlicense_testkit::disk::{has_own_mounts, mount_small, remount};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::TransactionId;
use wmlicense_wire::problem::ProblemKind;

const CONTENTS: usize = 2048;
/// Key IDs of one request.
const TOGETHER: usize = 16;
const DEVICES: usize = 8;

/// A data folder with content on a small disk.
fn filled(disk: &Path) -> Data {
    let data = Data::in_folder(tempfile::tempdir_in(disk).unwrap());
    let mut list = String::new();
    for number in 0..CONTENTS {
        writeln!(list, "{number:032x},{KEY}").unwrap();
    }
    let file = data.path().join("keys.csv");
    std::fs::write(&file, list).unwrap();
    data.admin(&["content", "import", file.to_str().unwrap(), "--open"]);
    data
}

/// A request with what came of it, each time that it was sent.
struct Sent {
    transaction: TransactionId,
    bytes: Vec<u8>,
    /// Answers that were handed out.
    answers: Vec<Vec<u8>>,
}

/// Sends each request twice at once, so that both come into one commit, until none is answered any more.
fn until_full(known: &Known, device: &Device, number: usize, sent: &Mutex<Vec<(usize, Sent)>>) {
    let mut refused = 0;
    for first in (number..CONTENTS).step_by(DEVICES * TOGETHER).chain(std::iter::repeat(number)) {
        let kids: Vec<String> = (0..TOGETHER).map(|n| format!("{:032x}", (first + n * DEVICES) % CONTENTS)).collect();
        let request = device.licenses_request(known, &kids.iter().map(String::as_str).collect::<Vec<_>>());
        let bytes = device.sign(&request);
        let replies = std::thread::scope(|scope| {
            let threads = [0, 1].map(|_| scope.spawn(|| known.post("licenses", &bytes, None)));
            threads.map(|thread| thread.join().unwrap())
        });
        let mut answers = Vec::new();
        for reply in replies {
            match reply.status {
                200 => answers.push(reply.body),
                _ => assert_eq!(reply.problem(), ProblemKind::Unavailable),
            }
        }
        refused += usize::from(answers.is_empty());
        sent.lock().unwrap().push((number, Sent { transaction: request.transaction, bytes, answers }));
        if refused == 12 {
            return;
        }
    }
}

/// The answer that a database has for an exchange.
fn kept(database: &Connection, device: &Device, sent: &Sent) -> Option<Vec<u8>> {
    const FIND: &str = "SELECT answer FROM exchange WHERE thumbprint = $1 AND transaction_id = $2 AND page = 0";
    let thumbprint = device.thumbprint();
    let keys = params![thumbprint.as_bytes(), sent.transaction.as_bytes()];
    database.query_row(FIND, keys, |row| row.get(0)).optional().unwrap()
}

#[test]
fn answers_that_were_handed_out_on_a_full_disk_are_all_written_down() {
    if !has_own_mounts("full_disk::answers_that_were_handed_out_on_a_full_disk_are_all_written_down") {
        return;
    }
    let disk = tempfile::tempdir().unwrap();
    mount_small(disk.path(), "size=8m");
    let data = filled(disk.path());
    let mut serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let devices: Vec<Device> = (0..DEVICES).map(|_| Device::individualized(&known)).collect();
    assert_eq!(get(&format!("{}/readyz", serving.management)).status, 200);
    let sent = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for (number, device) in devices.iter().enumerate() {
            let (known, sent) = (&known, &sent);
            scope.spawn(move || until_full(known, device, number, sent));
        }
    });
    let reply = get(&format!("{}/readyz", serving.management));
    assert_eq!((reply.status, reply.retry_after.as_deref()), (503, Some("2")));
    assert!(String::from_utf8_lossy(&reply.body).contains("cannot write to its database"));
    assert!(serving.kill().contains("the database did not commit"));
    // Elsewhere, because opening it needs room.
    let copy = tempfile::tempdir().unwrap();
    for end in ["", "-wal"] {
        let name = format!("wmlicensed.db{end}");
        std::fs::copy(data.path().join(&name), copy.path().join(&name)).unwrap();
    }
    let database = Connection::open(copy.path().join("wmlicensed.db")).unwrap();
    let licenses = "SELECT 1 FROM license WHERE lid = $1 AND device_id = $2";
    let sent = sent.into_inner().unwrap();
    let mut handed_out = HashMap::<bool, usize>::new();
    for (number, sent) in &sent {
        let (device, id) = (&devices[*number], devices[*number].id());
        *handed_out.entry(!sent.answers.is_empty()).or_default() += 1;
        for answer in &sent.answers {
            assert_eq!(kept(&database, device, sent).as_ref(), Some(answer), "handed out and not written down");
            let (_, opened, _) = device.verify(&known, Role::Issuer, &sent.bytes, sent.transaction, answer);
            assert_eq!(opened.len(), TOGETHER);
            for license in opened {
                let keys = params![license.policy.lid.as_bytes(), id.as_bytes()];
                assert!(database.prepare_cached(licenses).unwrap().exists(keys).unwrap());
            }
        }
    }
    assert!(handed_out[&true] > 50 && handed_out[&false] >= DEVICES, "{handed_out:?}");
    // With room again everything that was asked for is answered, once.
    remount(disk.path(), "size=64m");
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    for (_, sent) in &sent {
        let answer = known.post("licenses", &sent.bytes, None).granted();
        assert!(sent.answers.iter().all(|known| *known == answer));
    }
    assert_eq!(get(&format!("{}/readyz", serving.management)).status, 200);
}

#[test]
fn a_database_that_another_process_holds_is_told_and_nothing_is_handed_out() {
    let data = Data::new();
    data.open_content(OPEN, None);
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let database = Connection::open(data.path().join("wmlicensed.db")).unwrap();
    database.execute_batch("BEGIN IMMEDIATE").unwrap();
    let request = device.licenses_request(&known, &[OPEN]);
    let bytes = device.sign(&request);
    assert_eq!(known.post("licenses", &bytes, None).problem(), ProblemKind::Unavailable);
    assert_eq!(get(&format!("{}/readyz", serving.management)).status, 503);
    database.execute_batch("ROLLBACK").unwrap();
    let answer = known.post("licenses", &bytes, None).granted();
    assert_eq!(device.verify(&known, Role::Issuer, &bytes, request.transaction, &answer).1.len(), 1);
}
