use super::super::conformance::World;
use super::super::rows::{For, Rows};
use super::*;
use crate::source::Source;
use crate::turns::Turns;
use std::collections::HashSet;
use wmlicense_wire::id::{DeviceId, Lid};

#[test]
fn a_database_can_be_made_by_several_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| Sqlite::create(&path).unwrap());
        }
    });
}

#[tokio::test]
async fn a_database_of_each_earlier_schema_opens_with_what_it_has() {
    for version in 1..SCHEMA_VERSION {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let old = Connection::open(&path).unwrap();
        MIGRATIONS[..version as usize].iter().for_each(|step| old.execute_batch(step).unwrap());
        old.pragma_update(None, "user_version", version).unwrap();
        let insert = "INSERT INTO seat (lid, device_id, kid, restored, since) VALUES (?1, ?2, ?2, 0, 1)";
        old.execute(insert, ([7; 16], [2; 16])).unwrap();
        drop(old);
        let store = super::super::Store::over(Arc::new(Sqlite::open(&path).unwrap()));
        let (device, lid) = (DeviceId::new([2; 16]), Lid::new([7; 16]));
        let state = wmlicense_wire::license::State {
            actions: [("Play".to_owned(), wmlicense_wire::license::ActionState::default())].into(),
        };
        assert_eq!(
            store.report(device, vec![(lid, state)], 5).await.unwrap(),
            HashSet::from([lid]),
            "schema {version}"
        );
    }
}

#[test]
fn every_statement_can_be_prepared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    drop(Sqlite::create(&path).unwrap());
    let connection = connect(&path, OpenFlags::empty()).unwrap();
    let files = [
        admins::ALL,
        exchanges::ALL,
        catalogue::ALL,
        offers::ALL,
        ledger::ALL,
        deliveries::ALL,
        licenses::ALL,
        revocation::ALL,
        tally::ALL,
        waiting::ALL,
        lists::ALL,
    ];
    let all: Vec<_> = files.concat();
    for (name, sql) in &all {
        let statement = connection.prepare(sql).unwrap_or_else(|error| panic!("{name}: {error}"));
        // SQLite counts them as they come, whatever their numbers.
        for place in 1..=statement.parameter_count() {
            assert_eq!(statement.parameter_name(place), Some(format!("${place}").as_str()), "{name}");
        }
    }
    assert!(all.len() <= STATEMENTS, "{} statements are more than a connection keeps", all.len());
}

#[tokio::test]
async fn changes_that_come_together_are_kept_or_undone_one_by_one() {
    let world = Arc::new(World::sqlite());
    let tasks: Vec<_> = (0..100_u8)
        .map(|number| {
            let world = Arc::clone(&world);
            // Two of three contradict the first one of their key.
            tokio::spawn(async move { world.issue_under(number, number / 3).await })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += usize::from(task.await.unwrap());
    }
    assert_eq!(done, 34);
    assert_eq!(world.issued().await, 34);
}

/// Reads the mark, and keeps what it read.
#[derive(Default)]
struct Marks(Mutex<Vec<i64>>);

impl Work for Marks {
    fn run<'r>(&'r self, rows: &'r mut dyn Rows) -> Pending<'r, bool> {
        Box::pin(async move {
            let mark = rows.mark(For::Reading).await?;
            self.0.lock().unwrap().push(mark);
            Ok(true)
        })
    }
}

#[tokio::test]
async fn a_job_reads_one_state_of_the_database_until_it_writes_or_computes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let (sqlite, marks) = (Arc::new(Sqlite::create(&path).unwrap()), Arc::new(Marks::default()));
    let other = Connection::open(&path).unwrap();
    let (asked, seen) = (Arc::clone(&sqlite), Arc::clone(&marks));
    let request = async move {
        let read = async || asked.run(Access::Reading, seen.clone()).await.unwrap();
        read().await;
        other.execute("UPDATE mark SET number = 4", []).unwrap();
        read().await;
        jobs::let_go();
        read().await;
        other.execute("UPDATE mark SET number = 5", []).unwrap();
        let written = asked.write(|_| Ok(false));
        read().await;
        assert!(jobs::is_here(), "it waited for nobody yet");
        written.await.unwrap();
        other.execute("UPDATE mark SET number = 6", []).unwrap();
        read().await;
    };
    let turn = Turns::new(1).turn(Source::NONE).await.unwrap();
    jobs::run(turn, request).await.unwrap();
    assert_eq!(*marks.0.lock().unwrap(), [0, 0, 4, 5, 6]);
    let idle = || sqlite.readers.idle.lock().unwrap().len();
    assert!((1..=2).contains(&idle()), "{} connections wait for the next job", idle());
}

#[tokio::test]
async fn a_connection_that_was_in_use_when_its_job_panicked_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Arc::new(Sqlite::create(&folder.path().join("test.db")).unwrap());
    let asked = Arc::clone(&sqlite);
    let request = async move {
        asked.run(Access::Reading, Arc::new(Marks::default())).await.unwrap();
        assert!(!jobs::is_here(), "as it is meant to");
    };
    let turn = Turns::new(1).turn(Source::NONE).await.unwrap();
    assert!(jobs::run(turn, request).await.unwrap_err().is_panic());
    assert!(sqlite.readers.idle.lock().unwrap().is_empty());
    sqlite.run(Access::Reading, Arc::new(Marks::default())).await.unwrap();
    assert_eq!(sqlite.readers.idle.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_a_job_writes_whose_request_was_dropped_meanwhile_is_committed_once_and_all_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Arc::new(Sqlite::create(&folder.path().join("test.db")).unwrap());
    let (turns, marks) = (Turns::new(1), Arc::new(Marks::default()));
    let (begun, began) = tokio::sync::oneshot::channel();
    let (go_on, told) = std::sync::mpsc::channel::<()>();
    let (asked, seen) = (Arc::clone(&sqlite), Arc::clone(&marks));
    let request = async move {
        asked.run(Access::Reading, seen).await.unwrap();
        begun.send(()).unwrap();
        told.recv().unwrap();
        let add = |connection: &mut Connection| {
            connection.execute("UPDATE mark SET number = number + 1", [])?;
            Ok(true)
        };
        asked.write(add).await.unwrap();
    };
    let running = tokio::spawn(jobs::run(turns.turn(Source::NONE).await.unwrap(), request));
    began.await.unwrap();
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    go_on.send(()).unwrap();
    // Had when the job is over, and done behind what that wrote.
    turns.turn(Source::NONE).await.unwrap();
    sqlite.write(|_| Ok(false)).await.unwrap();
    assert_eq!(sqlite.readers.idle.lock().unwrap().len(), 1);
    sqlite.run(Access::Reading, marks.clone()).await.unwrap();
    assert_eq!(*marks.0.lock().unwrap(), [0, 1]);
}
