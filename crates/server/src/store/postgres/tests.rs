use super::super::conformance::{World, owner};
use super::super::{Committed, Failure, Prior, Store};
use super::*;
use crate::keyring::MasterKey;
use std::collections::BTreeSet;
use wmlicense_testkit::postgres::{Cluster, cluster};
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::id::Digest;

/// Files with their names.
macro_rules! files {
    ($($name:literal),+ $(,)?) => { &[$(($name, include_str!($name))),+] };
}

/// Every file of statements.
const FILES: &[(&str, &str)] = files! {
    "schema.sql", "schema_2.sql", "schema_3.sql", "schema_4.sql", "schema_5.sql", "schema_6.sql",
    "schema_7.sql", "schema_8.sql", "schema_9.sql", "schema_10.sql", "schema_11.sql", "tally.sql",
    "ledger.sql", "admins.sql", "offers.sql", "catalogue.sql", "deliveries.sql", "exchanges.sql",
    "licenses.sql", "lists.sql", "revocation.sql"
};

/// What a distributed database that speaks PostgreSQL's language, or a pooler between two transactions, does not have or has in
/// another way.
const REFUSED: [&str; 14] = [
    "SERIAL",
    "BIGSERIAL",
    "IDENTITY",
    "NEXTVAL",
    "ADVISORY",
    "LISTEN",
    "NOTIFY",
    "LOCK TABLE",
    "TEMP",
    "TEMPORARY",
    "DEFERRABLE",
    "SKIP LOCKED",
    "PREPARE",
    "SET SESSION",
];

fn place(url: &str) -> Place {
    Place::parse(url).unwrap()
}

/// Words of SQL in capitals, without comments, one blank between them.
fn words(sql: &str) -> String {
    let code = sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect::<Vec<_>>().join(" ");
    let letters = code.to_uppercase().replace(|letter: char| !letter.is_alphanumeric() && letter != '_', " ");
    format!(" {} ", letters.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn statements_use_nothing_that_a_distributed_database_or_a_pooler_lacks() {
    for (file, sql) in FILES {
        for word in REFUSED {
            assert!(!words(sql).contains(&format!(" {word} ")), "{file} has {word}");
        }
    }
    assert!(words("SELECT 1 FOR UPDATE\n SKIP  locked; -- TEMP").contains(" SKIP LOCKED "), "it would be seen");
}

#[test]
fn every_statement_of_the_files_is_used_and_has_a_name_of_its_own() {
    let used = [
        admins::ALL,
        catalogue::ALL,
        deliveries::ALL,
        exchanges::ALL,
        licenses::ALL,
        lists::ALL,
        ledger::ALL,
        offers::ALL,
        revocation::ALL,
        tally::ALL,
        rows::ALL,
        seats::ALL,
        waiting::ALL,
        ALL,
    ];
    let used: BTreeSet<&str> = used.iter().flat_map(|all| all.iter().map(|(name, _)| *name)).collect();
    let mut all = BTreeSet::new();
    for (file, sql) in FILES {
        let named: Vec<&str> = sql.lines().filter_map(|line| line.strip_prefix("-- name: ")).collect();
        assert_eq!(named.len(), named.iter().collect::<BTreeSet<_>>().len(), "{file}");
        all.extend(named);
    }
    assert_eq!(all, used);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_tables_can_be_made_by_several_at_once_and_are_made_by_none_who_was_not_told_to() {
    let database = cluster(15).database(None);
    let url = database.url();
    let refused = Postgres::open(&place(&url), &owner(), false).await.err().unwrap();
    assert!(matches!(refused, StoreError::NoTables), "{refused}");
    let all: Vec<_> = (0..6)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { Postgres::open(&place(&url), &owner(), true).await.map(|_| ()) })
        })
        .collect();
    for one in all {
        one.await.unwrap().unwrap();
    }
    assert_eq!(database.sql("SELECT version FROM wmlicensed_schema"), "11");
    Postgres::open(&place(&url), &owner(), false).await.unwrap();
}

#[tokio::test]
async fn a_database_of_another_service_of_other_keys_of_a_later_schema_or_of_another_program_is_refused() {
    let database = cluster(15).database(None);
    drop(Postgres::open(&place(&database.url()), &owner(), true).await.unwrap());
    let refused = async |owner: Owner| Postgres::open(&place(&database.url()), &owner, true).await.err().unwrap();
    let authority = refused(Owner { authority: Digest::new([8; 32]), ..owner() }).await;
    assert!(matches!(authority, StoreError::OtherService { .. }), "{authority}");
    let master = MasterKey::new(SecretKey::from_slice(&[8; 32]).unwrap());
    let keys = refused(Owner { master, ..owner() }).await;
    assert!(matches!(keys, StoreError::OtherMaster), "{keys}");
    database.sql("UPDATE wmlicensed_schema SET version = 77");
    let newer = refused(owner()).await;
    assert!(matches!(newer, StoreError::Newer { found: 77, known: 11 }), "{newer}");
    let other = cluster(15).database(None);
    other.sql("CREATE TABLE account (number bigint)");
    let taken = Postgres::open(&place(&other.url()), &owner(), true).await.err().unwrap();
    assert!(matches!(taken, StoreError::Taken), "{taken}");
    assert_eq!(other.sql("SELECT count(*) FROM pg_class WHERE relname = 'license'"), "0", "nothing was made");
}

#[tokio::test]
async fn a_server_that_is_not_there_or_lets_nobody_in_is_told_with_its_reason() {
    let told = async |url: &str| Postgres::open(&place(url), &owner(), false).await.err().unwrap();
    let gone = told("postgres://tom@127.0.0.1:1/licenses").await;
    assert!(matches!(&gone, StoreError::Unreachable(why) if why.contains("refused")), "{gone}");
    let cluster = cluster(15);
    let nobody = told(&cluster.url("postgres").replace("postgres@", "nobody@")).await;
    assert!(matches!(&nobody, StoreError::Refused(why) if why.contains("nobody")), "{nobody}");
    let nowhere = told(&cluster.url("nowhere")).await;
    assert!(matches!(&nowhere, StoreError::Refused(why) if why.contains("nowhere")), "{nowhere}");
    let plain = told(&format!("postgres://postgres@127.0.0.1:{}/postgres?sslmode=require", cluster.port())).await;
    assert!(matches!(&plain, StoreError::Unreachable(why) if why.contains("does not support TLS")), "{plain}");
}

#[tokio::test]
async fn a_database_that_takes_no_writes_is_neither_ready_nor_written_and_is_used_again_when_it_does() {
    let world = World::postgres(15).await;
    world.store().ready().await.unwrap();
    let database = world.database();
    database.sql(&format!("ALTER DATABASE {} SET default_transaction_read_only = on", database.name));
    // What is open goes on as it began; new connections find a standby.
    database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()");
    let refused = loop {
        match world.issue_by(world.store(), 1).await {
            Err(StoreError::Lost(_)) => {}
            other => break other.unwrap_err(),
        }
    };
    assert!(matches!(refused, StoreError::ReadOnly), "{refused}");
    // By who is connected to another one: in this one nothing is changed by now.
    let again = format!("ALTER DATABASE {} RESET default_transaction_read_only", database.name);
    cluster(15).sql("postgres", &again);
    assert_eq!(world.issue_by(world.store(), 1).await.unwrap(), Committed::Done);
}

#[tokio::test]
async fn connections_that_end_are_replaced_and_work_that_was_not_committed_is_run_again() {
    let world = World::postgres(15).await;
    for number in 1..6 {
        world.database().sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()");
        assert_eq!(world.issue_by(world.store(), number).await.unwrap(), Committed::Done, "request {number}");
    }
    assert_eq!(world.issued().await, 5);
}

#[tokio::test]
async fn who_finds_all_connections_in_use_is_told_so() {
    let database = cluster(15).database(None);
    let one = place(&format!("{}&connections=1&connect_timeout=1", database.url()));
    let postgres = Postgres::open(&one, &owner(), true).await.unwrap();
    let held = postgres.lend().await.unwrap();
    let refused = postgres.lend().await.err().unwrap();
    assert!(matches!(refused, StoreError::Exhausted(1)), "{refused}");
    drop(held);
    postgres.lend().await.unwrap().give_back();
}

/// Work that takes a moment between two statements.
struct Slow;

impl Work for Slow {
    fn run<'r>(&'r self, rows: &'r mut dyn super::super::rows::Rows) -> Pending<'r, bool> {
        Box::pin(async move {
            rows.put_mark(7).await?;
            tokio::time::sleep(Duration::from_millis(20)).await;
            rows.put_mark(8).await?;
            Ok(true)
        })
    }
}

#[tokio::test]
async fn who_hangs_up_costs_no_connection_wherever_the_transaction_is() {
    let database = cluster(15).database(None);
    let place = place(&format!("{}&connections=3", database.url()));
    let postgres = Postgres::open(&place, &owner(), true).await.unwrap();
    let backends = || {
        database.sql("SELECT string_agg(pid::text, ',' ORDER BY pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
    };
    let all: Vec<_> = (0..3).map(|_| postgres.run(Access::Once, Arc::new(Slow))).collect();
    for one in all {
        one.await.unwrap();
    }
    let before = backends();
    assert_eq!(before.split(',').count(), 3);
    for milliseconds in 0..40 {
        let given_up = postgres.run(Access::Once, Arc::new(Slow));
        let _ = tokio::time::timeout(Duration::from_millis(milliseconds), given_up).await;
    }
    while postgres.load().connections.is_some_and(|[in_use, ..]| in_use > 0) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(backends(), before);
    assert_eq!(postgres.load().connections, Some([0, 3, 3]));
}

#[test]
fn a_connection_outlives_the_runtime_of_who_asked_for_it_first() {
    let database = cluster(15).database(None);
    let place = place(&format!("{}&connections=1", database.url()));
    let own = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let postgres = own.block_on(Postgres::open(&place, &owner(), true)).unwrap();
    let backend = || {
        database.sql("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
    };
    database.sql("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()");
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    while other.block_on(postgres.ready()).is_err() {}
    drop(other);
    let before = backend();
    own.block_on(postgres.run(Access::Once, Arc::new(Slow))).unwrap();
    assert_eq!(backend(), before);
}

#[tokio::test]
async fn a_device_that_is_forgotten_leaves_no_guard() {
    use wmlicense_wire::id::DeviceId;
    let world = World::postgres(15).await;
    let certified = super::super::CertifiedDevice {
        device_id: super::super::conformance::OWN,
        security_version: "1.0.0.0".to_owned(),
        assurance: 1,
        certified_at: 1000,
        replaces: None,
        name: None,
    };
    world.store().certify(super::super::conformance::exchange(1, 1000), certified, vec![1]).await.unwrap();
    assert_ne!(world.database().sql("SELECT count(*) FROM guard"), "0");
    assert_eq!(world.store().forget_unused(DeviceId::new([0; 16]), 2000, 10).await.unwrap(), (None, 1));
    assert_eq!(world.database().sql("SELECT count(*) FROM guard"), "0");
}

/// A function that fails with an SQLSTATE when an exchange is written.
fn failing(state: &str) -> String {
    format!(
        "CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            RAISE EXCEPTION 'injected' USING ERRCODE = '{state}';
        END $$;
        CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON exchange FOR EACH ROW EXECUTE FUNCTION fail();"
    )
}

#[tokio::test]
async fn what_the_server_cannot_do_at_present_may_be_asked_again() {
    let world = World::postgres(15).await;
    for state in ["57014", "55P03", "53200", "53300", "53400"] {
        world.database().sql(&failing(state));
        let told = world.issue_by(world.store(), 1).await.unwrap_err();
        assert!(matches!(told, StoreError::Busy), "{state}: {told:?}");
    }
    for state in ["57P01", "57P04", "57P05", "25P03"] {
        world.database().sql(&failing(state));
        let told = world.issue_by(world.store(), 1).await.unwrap_err();
        assert!(matches!(told, StoreError::Lost(_)), "{state}: {told:?}");
    }
    world.database().sql(&failing("53100"));
    let told = world.issue_by(world.store(), 1).await.unwrap_err();
    assert!(matches!(told, StoreError::Failed(Failure::Disk, _)), "{told:?}");
    world.database().sql("DROP TRIGGER fail ON exchange");
    assert_eq!(world.issue_by(world.store(), 1).await.unwrap(), Committed::Done);
}

#[tokio::test]
async fn a_server_with_tls_is_believed_when_its_certificate_is_good_for_its_name() {
    let cluster = Cluster::start(15);
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    cluster.encrypt(&made.cert.pem(), &made.signing_key.serialize_pem());
    let folder = tempfile::tempdir().unwrap();
    let roots = folder.path().join("authority of ours.pem");
    std::fs::write(&roots, made.cert.pem()).unwrap();
    let roots = format!("sslrootcert={}", roots.display().to_string().replace(' ', "%20"));
    let open = async |host: &str, more: &str| {
        let url = format!("postgres://postgres@{host}:{}/postgres?{more}", cluster.port());
        Postgres::open(&place(&url), &owner(), true).await
    };
    let encrypted = open("localhost", &roots).await.unwrap();
    let mut lent = encrypted.lend().await.unwrap();
    let told = lent.client().unwrap().simple_query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").await;
    let is_on = told.unwrap().into_iter().any(|message| match message {
        deadpool_postgres::tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0) == Some("t"),
        _ => false,
    });
    assert!(is_on);
    for (host, more) in [("127.0.0.1", roots.as_str()), ("localhost", "sslmode=require")] {
        let refused = open(host, more).await.err().unwrap();
        assert!(matches!(&refused, StoreError::Unreachable(why) if why.contains("certificate")), "{refused}");
    }
}

/// A third of what is written in a storm meets somebody, as on a database of many machines.
const STORM: &str = "
CREATE FUNCTION storm() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF random() < 0.3 THEN
        RAISE EXCEPTION 'injected' USING ERRCODE = CASE WHEN random() < 0.5 THEN '40001' ELSE '40P01' END;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER storm BEFORE INSERT ON exchange FOR EACH ROW EXECUTE FUNCTION storm();";

#[tokio::test]
async fn what_meets_others_is_run_again_until_it_is_done() {
    let world = World::postgres(15).await;
    world.database().sql(STORM);
    let mut done = 0;
    for number in 0..60 {
        match world.issue_by(world.store(), number).await {
            Ok(Committed::Done) => done += 1,
            // Five times in a row, which happens to one of four hundred.
            Err(StoreError::Overtaken) => {}
            other => panic!("request {number}: {other:?}"),
        }
    }
    assert!(done >= 50, "{done} of 60");
    assert_eq!(world.issued().await, done);
}

#[tokio::test]
async fn a_commit_whose_end_nobody_heard_is_found_by_its_answer() {
    let cluster = Cluster::start(15);
    cluster.sql("postgres", "CREATE DATABASE own");
    let store = Store::over(Arc::new(Postgres::open(&place(&cluster.url("own")), &owner(), true).await.unwrap()));
    let asked = || super::super::conformance::exchange(1, 1000);
    let issue = || super::super::conformance::issued(vec![super::super::conformance::license(1, None)]);
    let device = super::super::conformance::OWN;
    assert_eq!(store.issue(asked(), device, issue(), vec![1]).await.unwrap(), Committed::Done);
    cluster.control(&["-m", "immediate", "stop"]);
    let refused = store.issue(asked(), device, issue(), vec![2]).await.unwrap_err();
    assert!(matches!(refused, StoreError::Unreachable(_) | StoreError::Lost(_)), "{refused}");
    assert!(store.ready().await.is_err());
    cluster.control(&["start"]);
    let again = store.issue(asked(), device, issue(), vec![2]).await.unwrap();
    assert_eq!(again, Committed::Prior(Prior::Answered(Some(vec![1]))));
    store.ready().await.unwrap();
}

#[tokio::test]
async fn both_engines_have_the_same_tables_and_columns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    drop(super::super::sqlite::Sqlite::create(&path).unwrap());
    let file = super::super::sqlite::snapshot(&path).unwrap();
    let world = World::postgres(15).await;
    let of_server = |what: &str| -> Vec<String> {
        let told = world.database().sql(what);
        told.lines().map(str::to_owned).collect()
    };
    let mut tables: BTreeSet<String> = ["guard", "probe", "service", "wmlicensed_schema"].map(str::to_owned).into();
    for table in file.tables().unwrap() {
        let columns = of_server(&format!(
            "SELECT column_name FROM information_schema.columns WHERE table_name = '{table}' ORDER BY column_name COLLATE \"C\""
        ));
        assert_eq!(columns, file.columns(&table).unwrap(), "{table}");
        tables.insert(table);
    }
    let there = of_server(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
        AND relnamespace = 'public'::regnamespace",
    );
    assert_eq!(there.into_iter().collect::<BTreeSet<_>>(), tables);
}
