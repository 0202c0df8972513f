//! What keeps a service running for years: backups and the way back, checks, certificates, upgrades, who can read its files.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use wmlicense_testkit::crash::copy;
use wmlicense_testkit::daemon::device::{Device, Held, Known};
use wmlicense_testkit::daemon::{COUNTED, Data, GOLD, OPEN, Serving, program};
use wmlicense_wire::answer::{Answer, Reason};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Digest, Epoch, Lid};
use wmlicense_wire::kem::{HpkePrivateKey, Suite};
use wmlicense_wire::key::SigningKey;
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::request::{Body, Request};

/// What a device that holds a counted license asks the issuer with: what is left of it, and the newest epoch that it knows.
struct Store {
    device: Device,
    lid: Lid,
    left: u32,
    epoch: Option<Epoch>,
}

impl Store {
    fn ask(&mut self, known: &Known) -> (Answer, Vec<Held>) {
        let request = Request { epoch: self.epoch, ..self.device.licenses_request(known, &[COUNTED]) };
        let mut request = request;
        let Body::Licenses { usage, .. } = &mut request.body else { unreachable!() };
        let play = ActionState { counts_left: Some(self.left), first_use: None };
        usage.push((self.lid, State { actions: [("Play".to_owned(), play)].into() }));
        let (answer, held) = self.device.ask(known, &request, None);
        self.epoch = answer.epoch.or(self.epoch);
        (answer, held)
    }
}

fn left(held: &Held) -> Option<u32> {
    held.license.binding.state.as_ref().and_then(|state| state.actions["Play"].counts_left)
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// What a check finds of a thing, and its verdict.
fn found(data: &Path, words: &[&str], what: &str) -> (String, String) {
    let output = wmlicense_testkit::daemon::run(&[&["check", "--json"], words].concat(), data);
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap().to_owned();
    let row = rows.as_array().unwrap().iter().find(|row| row["what"] == what).unwrap();
    let is_bad = rows.as_array().unwrap().iter().any(|row| row["verdict"] == "bad");
    assert_eq!(output.status.code(), Some(i32::from(is_bad)));
    (text(row, "verdict"), text(row, "found"))
}

/// The way back as `docs/operations.md` has it: stop, put the file in the place of the database, check, serve.
#[test]
fn a_database_that_was_lost_is_put_back_and_devices_go_on_with_what_they_had_left() {
    let data = Data::new();
    data.fill();
    let mut serving = data.serve(&["--epoch-period", "0"]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let (answer, held) = device.acquire(&known, &[COUNTED], None);
    let mut store = Store { device, lid: held[0].license.policy.lid, left: 3, epoch: answer.epoch };
    assert_eq!(left(&store.ask(&known).1[0]), Some(3));
    let file = data.path().join("Sicherung – 1.db");
    let printed = data.admin(&["backup", "--to", file.to_str().unwrap()]);
    assert!(printed.contains("not in it: keys") && printed.contains("keys/master.key"), "{printed}");
    assert_eq!(mode(&file), 0o600);
    assert!(data.fails(&["backup", "--to", file.to_str().unwrap()]).1.contains("exists"));
    // What happened since is in no backup.
    store.left = 2;
    assert_eq!(left(&store.ask(&known).1[0]), Some(2));
    let late = Device::individualized(&known);
    serving.kill();
    for end in ["", "-wal", "-shm"] {
        std::fs::remove_file(data.path().join(format!("wmlicensed.db{end}"))).ok();
    }
    assert_eq!(found(data.path(), &["--file", file.to_str().unwrap()], "content keys").0, "good");
    std::fs::copy(&file, data.path().join("wmlicensed.db")).unwrap();
    assert_eq!(found(data.path(), &[], "database").0, "good");
    let serving = data.serve(&["--epoch-period", "0"]);
    let known = Known::discover(&serving.url, data.authority);
    let (answer, again) = store.ask(&known);
    assert_eq!((answer.refusals.len(), again[0].license.policy.lid, left(&again[0])), (0, store.lid, Some(2)));
    // The device presents an epoch that this database never gave out: one fork, which is forgiven.
    let forks = |id: &str| data.json(&["device", "list", "--device", id])[0]["forks"].clone();
    assert_eq!(forks(&store.device.id().to_hex()), 1);
    store.left = 1;
    assert_eq!(left(&store.ask(&known).1[0]), Some(1));
    assert_eq!(forks(&store.device.id().to_hex()), 1);
    // A device that the database does not know any more is served by its certificate.
    assert_eq!(late.acquire(&known, &[OPEN], None).1.len(), 1);
    assert_eq!(data.json(&["audit", "list", "--act", "backup"]), serde_json::json!([]));
}

#[test]
fn a_backup_is_one_state_of_a_database_that_is_written_meanwhile() {
    let data = Data::new();
    data.fill();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(std::sync::atomic::Ordering::SeqCst) {
                Device::individualized(&known).acquire(&known, &[OPEN], None);
            }
        });
        for number in 0..4 {
            let file = data.path().join(format!("{number}.db"));
            data.admin(&["backup", "--to", file.to_str().unwrap()]);
            let database = rusqlite::Connection::open(&file).unwrap();
            let count = |sql: &str| database.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
            assert_eq!(count("SELECT count(*) FROM license"), count("SELECT count(*) FROM seat"));
            assert_eq!(count("SELECT count(*) FROM content"), 5);
        }
        is_over.store(true, std::sync::atomic::Ordering::SeqCst);
    });
    let nowhere = data.path().join("no folder/file");
    assert!(data.fails(&["backup", "--to", nowhere.to_str().unwrap()]).1.contains("No such file"));
}

#[test]
fn a_check_names_what_is_damaged_lost_or_of_another_service() {
    let (data, other) = (Data::new(), Data::new());
    data.fill();
    other.fill();
    let path = |data: &Data, name: &str| data.path().join(name);
    // How much room there is is the machine's.
    let all = data.admin(&["check"]);
    assert!(
        all.lines()
            .filter(|line| !line.contains("free space"))
            .all(|line| line.starts_with("good") || line.starts_with("verdict")),
        "{all}"
    );
    // A backup of another service opens under none of these keys.
    let foreign = path(&other, "foreign.db");
    other.admin(&["backup", "--to", foreign.to_str().unwrap()]);
    let (verdict, told) = found(data.path(), &["--file", foreign.to_str().unwrap()], "content keys");
    assert!(verdict == "bad" && told.contains("5 of 5 do not open"), "{told}");
    let stranger = path(&data, "stranger.db");
    rusqlite::Connection::open(&stranger).unwrap().execute_batch("CREATE TABLE a (b)").unwrap();
    assert_eq!(found(data.path(), &["--file", stranger.to_str().unwrap()], "database").0, "bad");
    // A page in the middle is overwritten.
    let file = path(&data, "damaged.db");
    data.admin(&["backup", "--to", file.to_str().unwrap()]);
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0xa5);
    std::fs::write(&file, bytes).unwrap();
    let (verdict, told) = found(data.path(), &["--file", file.to_str().unwrap()], "database");
    assert!(verdict == "bad" && told.contains("put a backup back"), "{told}");
    let keys = || std::fs::read_dir(path(&data, "keys")).unwrap().map(|entry| entry.unwrap().path());
    let named = |start: &str| keys().find(|key| key.file_name().unwrap().to_str().unwrap().starts_with(start)).unwrap();
    std::fs::set_permissions(named("issuer-"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let (verdict, told) = found(data.path(), &[], "key files");
    assert!(verdict == "warning" && told.contains("chmod 600") && told.contains("issuer-"), "{told}");
    std::fs::remove_file(named("backup-")).unwrap();
    assert_eq!(found(data.path(), &[], "backup keys").0, "warning");
    std::fs::write(path(&data, "keys/master.key"), [7; 32]).unwrap();
    assert_eq!(found(data.path(), &[], "content keys").0, "bad");
    std::fs::remove_file(path(&data, "wmlicensed.db")).unwrap();
    assert!(data.fails(&["check"]).1.contains("wmlicensed.db is missing"));
}

#[test]
fn a_check_names_a_delivery_whose_page_is_damaged_and_a_rule_is_written_down_all_the_same() {
    let data = Data::new();
    super::delivery::import(&data, 40, "gold");
    let token = data.account("alice", &["gold"]);
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let (_, held) = device.ask(&known, &device.delivery_request(&known, None, None), Some(&token));
    assert_eq!(held.len(), 40);
    drop(serving);
    assert_eq!(
        found(data.path(), &[], "deliveries"),
        ("good".to_owned(), "1, with the pages that say what was delivered".to_owned())
    );
    let database = rusqlite::Connection::open(data.path().join("wmlicensed.db")).unwrap();
    assert_eq!(database.execute("UPDATE delivery_page SET about = x'ff'", []).unwrap(), 1);
    let (verdict, told) = found(data.path(), &[], "deliveries");
    assert!(verdict == "bad" && told.contains(&device.id().to_hex()) && told.contains("its page is damaged"), "{told}");
    let kid = held[7].license.policy.kid.to_hex();
    let revoked = wmlicense_testkit::daemon::run(&["license", "revoke", "--kid", &kid], data.path());
    let (printed, warned) = (String::from_utf8(revoked.stdout).unwrap(), String::from_utf8(revoked.stderr).unwrap());
    assert!(revoked.status.success() && printed.contains("devices: 0"), "{printed}");
    assert!(warned.contains("1 deliveries are damaged"), "{warned}");
    assert_eq!(data.json(&["revocation", "list"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_running_service_takes_renewed_certificates_over_by_itself() {
    let data = Data::new();
    data.fill();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let key = |known: &Known| {
        let of_role = known.directory.services().iter().filter(|service| service.role == Role::Issuer);
        of_role.max_by_key(|service| service.issued_at).unwrap().signer_id()
    };
    // The authority's keys are kept elsewhere, and come for this command only.
    let kept = data.path().join("kept elsewhere.key");
    std::fs::rename(data.path().join("keys/authority.key"), &kept).unwrap();
    assert!(data.fails(&["certificate", "renew"]).1.contains("--authority-key"));
    data.admin(&["certificate", "renew", "--authority-key", kept.to_str().unwrap()]);
    serving.wait_for_log("the renewed certificate for issuer is in use");
    let renewed = Known::discover(&serving.url, data.authority);
    assert_ne!(key(&renewed), key(&known));
    assert_eq!(device.acquire(&renewed, &[OPEN], None).1.len(), 1);
    let list = data.json(&["certificate", "list"]);
    let states = |what: &str| {
        let rows = list.as_array().unwrap().iter().filter(|row| row["what"] == what);
        let mut states: Vec<&str> = rows.map(|row| row["state"].as_str().unwrap()).collect();
        states.sort_unstable();
        states
    };
    assert_eq!(states("issuer"), ["in use", "retired"]);
    assert_eq!((states("management"), states("backup key")), (states("issuer"), vec!["opens backups"; 2]));
    let in_use =
        list.as_array().unwrap().iter().find(|row| row["what"] == "issuer" && row["state"] == "in use").unwrap();
    assert_eq!((&in_use["id"], &in_use["days"]), (&key(&renewed).to_hex().into(), &399.into()));
    data.admin(&["status", "publish", "--authority-key", kept.to_str().unwrap()]);
    let list = data.json(&["certificate", "list"]);
    let due = list.as_array().unwrap().iter().find(|row| row["what"] == "status list").unwrap();
    assert!((29..=30).contains(&due["days"].as_i64().unwrap()), "{due}");
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

/// A device of the first version, which has its keys and knows no certificate any more.
fn device_of(told: &serde_json::Value) -> Device {
    let bytes = |name: &str| hex(told[name].as_str().unwrap());
    Device {
        signing: SigningKey::from_seed(&bytes("signing")).unwrap(),
        hpke: HpkePrivateKey::from_bytes(Suite::XWing, &bytes("hpke")).unwrap(),
        certificate: None,
    }
}

/// `tests/data/first-version` was made by the first version's own service, with two devices that asked and restored.
#[test]
fn a_data_folder_of_the_first_version_is_upgraded_and_serves() {
    let kept = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/first-version");
    let told: serde_json::Value = serde_json::from_slice(&std::fs::read(kept.join("devices.json")).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    copy(&kept, &path);
    let (verdict, text) = found(&path, &[], "database");
    assert!(verdict == "good" && text.contains("of schema 2; the next start makes it"), "{text}");
    assert_eq!(found(&path, &[], "content keys"), ("good".to_owned(), "5 open under keys/master.key".to_owned()));
    // A copy of it leaves it to the service that may be running on it.
    let saved = folder.path().join("a copy.db");
    let output = wmlicense_testkit::daemon::run(&["backup", "--to", saved.to_str().unwrap()], &path);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && said.contains("of another version"), "{said}");
    assert!(saved.is_file());
    assert!(found(&path, &[], "database").1.contains("of schema 2;"));
    let admin = |words: &[&str]| {
        let output = wmlicense_testkit::daemon::run(words, &path);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let json =
        |words: &[&str]| -> serde_json::Value { serde_json::from_str(&admin(&[words, &["--json"]].concat())).unwrap() };
    // Its certificates have ended by the time that this is read.
    admin(&["certificate", "renew"]);
    let serving = Serving::start(None, &path, &[]).unwrap();
    assert_eq!(mode(&path.join("wmlicensed.db")), 0o600);
    let known = Known::discover(&serving.url, Digest::from_base64(told["authority"].as_str().unwrap()).unwrap());
    let (mut first, mut second) = (device_of(&told["first"]), device_of(&told["second"]));
    for (device, of) in [(&mut first, "first"), (&mut second, "second")] {
        device.individualize(&known);
        assert_eq!(device.id().to_hex(), told[of]["id"].as_str().unwrap());
    }
    // The licenses are the ones of then, and so is the token.
    let token = told["token"].as_str().unwrap();
    let (_, held) = first.acquire(&known, &[OPEN, COUNTED], None);
    let (_, gold) = first.acquire(&known, &[GOLD], Some(token));
    let lids: Vec<String> = held.iter().chain(&gold).map(|held| held.license.policy.lid.to_hex()).collect();
    assert_eq!(serde_json::json!(lids), told["licenses"]);
    // Both seats of the first one are taken since then.
    let third = Device::individualized(&known);
    let backup = first.back_up(&known, &held[..1], None);
    assert_eq!(third.restore(&known, &backup, None).0.refusals[0].reason, Reason::LimitReached);
    assert_eq!(second.restore(&known, &backup, None).1.len(), 1);
    assert_eq!(json(&["restore", "list"])[0]["device"], told["second"]["id"]);
    assert_eq!(json(&["license", "list", "--account", "alice"]).as_array().unwrap().len(), 1);
    assert_eq!(json(&["account", "token", "alice", "--list"])[0]["token"], "default");
    assert_eq!(json(&["account", "list", "--scope", "silver"])[0]["account"], "bob");
    assert_eq!(json(&["revocation", "list"]).as_array().unwrap().len(), 1);
    assert!(admin(&["account", "change", "alice", "--remove-scope", "gold"]).contains("alice"));
    assert_eq!(found(&path, &[], "database").0, "good");
}

#[test]
fn nobody_else_can_read_the_database_and_one_that_others_could_is_closed() {
    let data = Data::new();
    let database = data.path().join("wmlicensed.db");
    assert_eq!(mode(&database), 0o600);
    std::fs::set_permissions(&database, std::fs::Permissions::from_mode(0o644)).unwrap();
    let _serving = data.serve(&[]);
    data.open_content(OPEN, None);
    for end in ["", "-wal", "-shm"] {
        assert_eq!(mode(&data.path().join(format!("wmlicensed.db{end}"))), 0o600, "{end}");
    }
}

#[test]
fn a_service_listens_on_a_name_and_says_where() {
    let data = Data::new();
    let mut serving = Command::new(program())
        .args(["serve", "--listen", "localhost:0", "--data"])
        .arg(data.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut printed = BufReader::new(serving.stdout.take().unwrap());
    printed.read_line(&mut line).unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    let is_there = Known::try_discover(&url, data.authority).is_some();
    serving.kill().unwrap();
    serving.wait().unwrap();
    assert!(is_there && (url.starts_with("http://127.0.0.1:") || url.starts_with("http://[::1]:")), "{url}");
    let (status, complaint) = data.fails(&["serve", "--listen", "no such name:0"]);
    assert!(status == 2 && complaint.contains("--listen"), "{complaint}");
}
