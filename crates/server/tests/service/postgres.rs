//! The service on PostgreSQL, as owners, devices and broken servers meet it.

use std::collections::BTreeMap;
use std::path::Path;
use wmlicense_testkit::daemon::device::{Device, Known, get};
use wmlicense_testkit::daemon::{Data, GOLD, KEY, OPEN, Serving, run};
use wmlicense_testkit::postgres::{Cluster, Pooler, cluster};
use wmlicense_testkit::run::unpacked;
use wmlicense_wire::answer::{Outcome, Reason};
use wmlicense_wire::problem::ProblemKind;

const VERSIONS: [u32; 2] = [15, 18];

fn started(version: u32) -> (Data, Serving, Known) {
    let data = Data::over_postgres(version);
    data.fill();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    (data, serving, known)
}

/// What `stats` tells.
fn counts(data: &Data) -> BTreeMap<String, u64> {
    serde_json::from_value(data.json(&["stats"])).unwrap()
}

#[test]
fn a_device_individualizes_acquires_is_pre_delivered_backs_up_and_restores_elsewhere() {
    for version in VERSIONS {
        let (data, mut serving, known) = started(version);
        let token = data.account("tom", &["gold"]);
        let device = Device::individualized(&known);
        let (_, open) = device.acquire(&known, &[OPEN], None);
        let (delivered, gold) = device.ask(&known, &device.delivery_request(&known, Some("gold"), None), Some(&token));
        assert_eq!((delivered.outcome, open.len(), gold.len()), (Outcome::Done, 1, 1));
        assert_eq!(gold[0].license.policy.kid.to_hex(), GOLD);
        let backup = device.back_up(&known, &open, None);
        // Four devices in all, the first one included; also by a service that was started anew.
        for number in 1..=4 {
            if number == 3 {
                serving.terminate();
                serving = data.serve(&[]);
            }
            let known = Known::discover(&serving.url, data.authority);
            let (answer, restored) = Device::individualized(&known).restore(&known, &backup, None);
            match number {
                4 => assert_eq!(answer.refusals[0].reason, Reason::LimitReached),
                _ => assert_eq!(restored[0].license.policy, open[0].license.policy),
            }
        }
        let (counts, restores) = (counts(&data), data.json(&["restore", "list"]));
        assert_eq!((counts["licenses"], counts["restores"], restores.as_array().unwrap().len()), (2, 3, 3));
        assert!(!data.path().join("wmlicensed.db").exists(), "nothing is kept beside the server");
    }
}

#[test]
fn every_command_of_the_owner_works_on_a_server_while_the_service_runs() {
    let (data, _serving, known) = started(15);
    let device = Device::individualized(&known);
    let (_, held) = device.acquire(&known, &[OPEN], None);
    data.account("tom", &["gold"]);
    data.admin(&["account", "change", "tom", "--add-scope", "silver", "--remove-scope", "gold"]);
    data.admin(&["account", "token", "tom"]);
    data.policy("club", r#"{"backup":true}"#);
    data.admin(&["subscription", "add", "club", "--policy", "club", "--open"]);
    data.admin(&["license", "give", &device.id().to_hex(), OPEN]);
    data.admin(&["license", "revoke", "--lid", &held[0].license.policy.lid.to_hex(), "--reason", "lost"]);
    data.admin(&["content", "remove", GOLD]);
    data.admin(&["certificate", "renew"]);
    data.admin(&["status", "publish"]);
    for words in [
        ["content", "list"],
        ["policy", "list"],
        ["subscription", "list"],
        ["license", "list"],
        ["device", "list"],
        ["revocation", "list"],
    ] {
        assert!(!data.json(&words).as_array().unwrap().is_empty(), "{words:?}");
    }
    data.admin(&["device", "revoke", &device.id().to_hex()]);
    let (answer, _) = device.acquire(&Known::discover(&_serving.url, data.authority), &[OPEN], None);
    assert_eq!(answer.refusals[0].reason, Reason::DeviceRevoked);
}

#[test]
fn a_server_that_goes_away_costs_nobody_anything_and_serves_again_by_itself() {
    let cluster = Cluster::start(15);
    cluster.sql("postgres", "CREATE DATABASE licenses");
    let url = cluster.url("licenses");
    let data = Data::new();
    data.fill();
    data.admin(&["database", "copy", "--to", &url]);
    let serving = data.serve(&["--database", &url]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let request = device.sign(&device.licenses_request(&known, &[OPEN]));
    let answer = known.post("licenses", &request, None).granted();
    cluster.control(&["-m", "immediate", "stop"]);
    let refused = known.post("licenses", &request, None);
    assert_eq!((refused.status, refused.problem()), (503, ProblemKind::Unavailable));
    assert!(refused.retry_after.is_some());
    assert_eq!(
        (get(&format!("{}/readyz", serving.management)).status, get(&format!("{}/healthz", serving.management)).status),
        (503, 200)
    );
    let (code, told) = fails(data.path(), &["stats", "--database", &url]);
    assert_eq!(code, 1);
    assert!(told.contains("the database cannot be reached"), "{told}");
    cluster.control(&["start"]);
    assert_eq!(known.post("licenses", &request, None).granted(), answer, "what was told stays told");
    assert_eq!(device.acquire(&known, &[OPEN], None).1.len(), 1);
}

fn fails(data: &Path, words: &[&str]) -> (i32, String) {
    let output = run(words, data);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_database_that_is_not_the_services_own_is_refused_in_one_line() {
    let own = Data::over_postgres(15);
    let url = own.database().url();
    let other = Data::new();
    for words in
        [&["serve", "--database", &url][..], &["stats", "--database", &url], &["policy", "list", "--database", &url]]
    {
        let (code, told) = fails(other.path(), words);
        assert_eq!(code, 1, "{words:?}");
        assert!(told.contains("the database belongs to the service of authority"), "{told}");
        assert_eq!(told.trim_end().lines().count(), 1, "{told}");
    }
    own.database().sql("UPDATE wmlicensed_schema SET version = 1000");
    let (_, told) = fails(own.path(), &["stats"]);
    assert!(told.contains("the database has schema 1000"), "{told}");
    let empty = cluster(15).database(None);
    let (_, told) = fails(other.path(), &["stats", "--database", &empty.url()]);
    assert!(told.contains("no tables of this program"), "{told}");
    let (_, told) = fails(other.path(), &["stats", "--database", "mysql://somewhere"]);
    assert!(told.contains("postgres://… or sqlite:FILE is expected"), "{told}");
    let stranger = empty.url().replace("postgres@", "nobody@");
    let (_, told) = fails(other.path(), &["stats", "--database", &stranger]);
    assert!(told.contains("the database refuses the connection"), "{told}");
}

#[test]
fn an_owner_who_grew_takes_everything_along_and_devices_notice_nothing() {
    let data = Data::in_folder(tempfile::tempdir().unwrap());
    data.fill();
    let list: String = (0..40).map(|number| format!("{number:032x},{KEY},Title {number}\n")).collect();
    let file = data.path().join("list.csv");
    std::fs::write(&file, list).unwrap();
    data.admin(&["content", "import", file.to_str().unwrap(), "--scope", "silver"]);
    let token = data.account("tom", &["gold", "silver"]);
    let mut serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let request = device.sign(&device.licenses_request(&known, &[OPEN]));
    let answer = known.post("licenses", &request, None).granted();
    let (_, held) = device.acquire(&known, &[GOLD], Some(&token));
    let backup = device.back_up(&known, &held, held[0].license.policy.user);
    let second = Device::individualized(&known);
    assert_eq!(second.restore(&known, &backup, Some(&token)).1.len(), 1);
    let silver = second.delivery_request(&known, Some("silver"), None);
    let (_, delivered) = second.ask(&known, &silver, Some(&token));
    serving.terminate();
    let before = counts(&data);
    let database = cluster(18).database(None);
    let url = database.url();
    let copied = data.admin(&["database", "copy", "--to", &url]);
    assert!(copied.contains("\nlicense: 2\n") && copied.contains("\nseat: 3\n"), "{copied}");
    assert!(copied.contains("\ndelivery: 1\n") && copied.contains("\ndelivery_page: 1\n"), "{copied}");
    let (code, told) = data.fails(&["database", "copy", "--to", &url]);
    assert_eq!(code, 1);
    assert!(told.contains("the database is not empty"), "{told}");
    let after: BTreeMap<String, u64> = serde_json::from_value(data.json(&["stats", "--database", &url])).unwrap();
    assert_eq!(after, before);
    let serving = data.serve(&["--database", &url]);
    let known = Known::discover(&serving.url, data.authority);
    assert_eq!(known.post("licenses", &request, None).granted(), answer);
    let (_, again) = device.acquire(&known, &[GOLD], Some(&token));
    assert_eq!(again[0].license.policy.lid, held[0].license.policy.lid);
    let (_, again) = second.acquire(&known, &[&format!("{:032x}", 7)], Some(&token));
    assert_eq!(again[0].license.license.policy, delivered[7].license.license.policy);
    // Two seats were taken before the move; two are left.
    for is_room in [true, true, false] {
        let (answer, _) = Device::individualized(&known).restore(&known, &backup, Some(&token));
        assert_eq!(answer.refusals.is_empty(), is_room);
    }
    let (_, told) = data.fails(&["database", "copy", "--from", &url, "--to", &url]);
    assert!(told.contains("from sqlite:FILE to postgres://"), "{told}");
}

/// Connections of the pooler to the server, and of the service to the pooler; as many devices ask at once.
const POOLED: usize = 2;
const ASKING: usize = 5;

#[test]
fn a_pooler_that_gives_each_transaction_another_connection_changes_nothing() {
    let Some(program) = unpacked("pgbouncer") else { return };
    let data = Data::over_postgres(15);
    data.fill();
    let token = data.account("tom", &["gold"]);
    let pooler = Pooler::before(cluster(15), &program, POOLED);
    let name = data.database().name.clone();
    let url = format!("{}&connections={ASKING}", pooler.url(&name));
    let serving = data.serve(&["--database", &url]);
    let known = Known::discover(&serving.url, data.authority);
    let mut devices: Vec<Device> = std::thread::scope(|scope| {
        let journey = || {
            let device = Device::individualized(&known);
            let (_, open) = device.acquire(&known, &[OPEN], None);
            let (_, again) = device.acquire(&known, &[OPEN], None);
            let (delivered, gold) =
                device.ask(&known, &device.delivery_request(&known, Some("gold"), None), Some(&token));
            assert_eq!((delivered.outcome, gold.len()), (Outcome::Done, 1));
            assert_eq!(again[0].license.policy.lid, open[0].license.policy.lid);
            device
        };
        let asking: Vec<_> = (0..ASKING).map(|_| scope.spawn(journey)).collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let origin = devices.remove(0);
    let (_, held) = origin.acquire(&known, &[OPEN], None);
    let backup = origin.back_up(&known, &held, None);
    let restored = std::thread::scope(|scope| {
        let restore = |device: &Device| device.restore(&known, &backup, None).1.len();
        let asking: Vec<_> = devices.iter().map(|device| scope.spawn(move || restore(device))).collect();
        asking.into_iter().map(|one| one.join().unwrap()).sum::<usize>()
    });
    assert_eq!(restored, 3, "four devices in all");
    // The owner's commands go the same way, and all of it went over fewer connections than the service has open.
    assert_eq!(data.json(&["restore", "list", "--database", &url]).as_array().unwrap().len(), 3);
    let backends =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let metrics = String::from_utf8(get(&format!("{}/metrics", serving.management)).body).unwrap();
    let open = metrics.lines().find_map(|line| line.strip_prefix("wmlicensed_database_connections{state=\"open\"} "));
    let (open, behind): (usize, usize) =
        (open.unwrap().parse().unwrap(), data.database().sql(backends).parse().unwrap());
    assert!(behind <= POOLED && open > POOLED, "{open} connections over {behind}");
}
