//! Several processes on one database, while one of them is killed, the server falls over or a standby takes its place, and a third of
//! what is written meets others: no seat too many, and nothing that a device was told is lost or told otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};
use wmlicense_testkit::daemon::device::{Backup, Device, Known};
use wmlicense_testkit::daemon::{Data, KEY, Serving};
use wmlicense_testkit::postgres::Cluster;
use wmlicense_wire::answer::Reason;
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{DeviceId, Lid};

/// Licenses that everybody wants, and devices that may hold each of them.
const LICENSES: usize = 8;
const LIMIT: usize = 4;
/// Clients side by side, and restores that each of them asks for.
const CLIENTS: usize = 6;
const RESTORES: usize = 12;
/// Restores that were answered before a replica is killed, and before the server is.
const KILLED_AFTER: usize = 12;
const STOPPED_AFTER: usize = 30;
/// For how long a client asks for one answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two attempts: a refusal says when to come again, in seconds that no test waits for.
const PAUSE: Duration = Duration::from_millis(100);

/// A third of the transactions that write an answer is refused as a database of many machines would do it.
const STORM: &str = "
CREATE FUNCTION storm() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF random() < 0.3 THEN
        RAISE EXCEPTION 'injected' USING ERRCODE = CASE WHEN random() < 0.5 THEN '40001' ELSE '40P01' END;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER storm BEFORE INSERT ON exchange FOR EACH ROW EXECUTE FUNCTION storm();";

/// What a device was told about a license that it wanted to restore.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Told {
    Restored(Lid),
    Full,
}

/// An answer that came, with the request.
struct Acknowledged {
    device: Device,
    request: Vec<u8>,
    transaction: wmlicense_wire::id::TransactionId,
    told: Told,
}

/// Processes that answer, of which one may be away.
type Replicas = Arc<RwLock<Vec<Known>>>;

fn ask(known: &Known, device: &Device, request: &[u8], transaction: wmlicense_wire::id::TransactionId) -> Option<Told> {
    let reply = known.try_post("restores", request, None).ok()?;
    if reply.status == 503 {
        return None;
    }
    let reply = reply.granted();
    let (answer, licenses, _) = device.verify(known, Role::Management, request, transaction, &reply);
    Some(match licenses.first() {
        Some(license) => Told::Restored(license.policy.lid),
        None => {
            assert_eq!(answer.refusals[0].reason, Reason::LimitReached);
            Told::Full
        }
    })
}

/// Asks whoever is there until somebody answers.
fn insist<T>(replicas: &Replicas, first: usize, mut attempt: impl FnMut(&Known) -> Option<T>) -> T {
    let begun = Instant::now();
    for turn in first.. {
        let known = {
            let known = replicas.read().unwrap();
            known[turn % known.len()].clone()
        };
        if let Some(told) = attempt(&known) {
            return told;
        }
        assert!(begun.elapsed() < PATIENCE, "nobody answers");
        std::thread::sleep(PAUSE);
    }
    unreachable!()
}

fn client(number: usize, replicas: &Replicas, backups: &[Backup], told: &Sender<Acknowledged>) {
    for turn in 0..RESTORES {
        let device = insist(replicas, number, |known| {
            let mut device = Device::new();
            let request = device.individualize_request(known, true);
            let bytes = device.sign(&request);
            let reply = known.try_post("individualize", &bytes, None).ok().filter(|reply| reply.status == 200)?;
            let (_, _, envelope) =
                device.verify(known, Role::Individualization, &bytes, request.transaction, &reply.granted());
            device.certificate = Some(known.directory.device(&envelope.device_certificate.unwrap()).unwrap());
            Some(device)
        });
        let backup = &backups[(number * 5 + turn) % backups.len()];
        let (request, transaction) = {
            let request = device.restore_request(&replicas.read().unwrap()[0], backup);
            (device.sign(&request), request.transaction)
        };
        let what = insist(replicas, number + turn, |known| ask(known, &device, &request, transaction));
        told.send(Acknowledged { device, request, transaction, told: what }).unwrap();
    }
}

/// A service on a server, with licenses that everybody wants, and their backups.
struct Stage {
    data: Data,
    url: String,
    served: Vec<Serving>,
    replicas: Replicas,
    backups: Vec<Backup>,
}

impl Stage {
    /// Two processes with the database at this URL.
    fn new(url: String) -> Self {
        let words = ["--database", url.as_str()];
        let data = Data::in_folder(tempfile::tempdir().unwrap());
        let kids: Vec<String> = (0..LICENSES).map(|number| format!("d{number:031x}")).collect();
        for kid in &kids {
            data.admin(&["content", "add", "--kid", kid, "--key", KEY, "--open"]);
        }
        data.admin(&["database", "copy", "--to", &url]);
        let served = vec![data.serve(&words), data.serve(&words)];
        let known: Vec<Known> = served.iter().map(|serving| Known::discover(&serving.url, data.authority)).collect();
        let origin = Device::individualized(&known[0]);
        let backup = |kid: &String| {
            let (_, held) = origin.acquire(&known[0], &[kid], None);
            origin.back_up(&known[0], &held, None)
        };
        let backups: Vec<Backup> = kids.iter().map(backup).collect();
        Self { replicas: Arc::new(RwLock::new(known)), data, url, served, backups }
    }

    /// Has all clients restore while something happens that hears of each answer. Gives what came.
    fn run(&mut self, havoc: impl FnOnce(&mut Havoc<'_>) + Send) -> Vec<Acknowledged> {
        let (sender, receiver) = channel();
        let (came, coming) = channel();
        let mut all: Vec<Acknowledged> = Vec::new();
        let Self { data, url, served, replicas, backups } = self;
        std::thread::scope(|scope| {
            for number in 0..CLIENTS {
                let (sender, replicas, backups) = (sender.clone(), Arc::clone(replicas), &*backups);
                scope.spawn(move || client(number, &replicas, backups, &sender));
            }
            drop(sender);
            let replicas = Arc::clone(replicas);
            let mut own = Havoc { data, url, second: &mut served[1], replicas, coming };
            let havoc = scope.spawn(move || havoc(&mut own));
            for acknowledged in receiver {
                all.push(acknowledged);
                // Havoc listens to the first ones only.
                let _ = came.send(());
            }
            havoc.join().unwrap();
        });
        assert_eq!(all.len(), CLIENTS * RESTORES);
        all
    }

    /// Holds what the database says against what the devices were told.
    fn judge(&self, all: &[Acknowledged]) {
        let restores = self.data.json(&["restore", "list", "--database", &self.url]);
        let mut seats: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for row in restores.as_array().unwrap() {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            assert!(seats.entry(text("lid")).or_default().insert(text("device")), "a seat is listed twice");
        }
        let is_there = |lid: &Lid, device: DeviceId| {
            seats.get(&lid.to_hex()).is_some_and(|devices| devices.contains(&device.to_hex()))
        };
        let oversold = seats.values().filter(|devices| devices.len() + 1 > LIMIT).count();
        let restored: Vec<_> = all.iter().filter(|told| matches!(told.told, Told::Restored(_))).collect();
        let is_lost =
            |told: &Acknowledged| matches!(&told.told, Told::Restored(lid) if !is_there(lid, told.device.id()));
        let lost = restored.iter().filter(|told| is_lost(told)).count();
        let others = self.replicas.read().unwrap().clone();
        let is_other = |(turn, told): &(usize, &Acknowledged)| {
            let known = &others[turn % others.len()];
            ask(known, &told.device, &told.request, told.transaction).as_ref() != Some(&told.told)
        };
        let contradicting = all.iter().enumerate().filter(is_other).count();
        let (taken, restored): (usize, _) = (seats.values().map(BTreeSet::len).sum(), restored.len());
        println!(
            "seats: {taken} of {}, acknowledged: {} ({restored} restored), oversold: {oversold}, lost: {lost}, contradicting: {contradicting}",
            LICENSES * (LIMIT - 1),
            all.len()
        );
        assert_eq!((oversold, lost, contradicting), (0, 0, 0));
        // Whoever was refused was refused because all seats were taken.
        assert_eq!((taken, restored), (LICENSES * (LIMIT - 1), LICENSES * (LIMIT - 1)));
    }
}

/// What something that happens to a service can do.
struct Havoc<'s> {
    data: &'s Data,
    url: &'s str,
    second: &'s mut Serving,
    replicas: Replicas,
    coming: Receiver<()>,
}

impl Havoc<'_> {
    /// Waits until so many more answers came.
    fn wait(&self, answers: usize) {
        self.coming.iter().take(answers).for_each(drop);
    }

    /// Starts the second replica anew.
    fn serve_again(&mut self) {
        *self.second = self.data.serve(&["--database", self.url]);
        self.replicas.write().unwrap()[1] = Known::discover(&self.second.url, self.data.authority);
    }
}

#[test]
fn no_seat_is_given_twice_and_no_answer_is_lost_while_a_replica_and_the_server_are_killed() {
    let cluster = Cluster::start(15);
    cluster.sql("postgres", "CREATE DATABASE licenses");
    let mut stage = Stage::new(format!("{}&connections=8", cluster.url("licenses")));
    cluster.sql("licenses", STORM);
    let all = stage.run(|havoc| {
        havoc.wait(KILLED_AFTER);
        havoc.second.kill();
        havoc.wait(STOPPED_AFTER - KILLED_AFTER);
        cluster.control(&["-m", "immediate", "stop"]);
        cluster.control(&["start"]);
        havoc.serve_again();
    });
    // From here on the weather is fair.
    cluster.sql("licenses", "DROP TRIGGER storm ON exchange");
    stage.judge(&all);
}

#[test]
fn a_standby_that_is_waited_for_goes_on_with_every_seat_and_every_answer() {
    let primary = Cluster::start(15);
    primary.sql("postgres", "CREATE DATABASE licenses");
    let standby = primary.standby(15);
    primary.wait_for_standby();
    let mut stage = Stage::new(format!("{}&connections=8", primary.url_with(&standby, "licenses")));
    primary.sql("licenses", STORM);
    let mut away = Duration::ZERO;
    let all = stage.run(|havoc| {
        havoc.wait(STOPPED_AFTER);
        let since = Instant::now();
        primary.control(&["-m", "immediate", "stop"]);
        standby.control(&["promote"]);
        havoc.wait(1);
        away = since.elapsed();
    });
    println!("the next answer came {away:.1?} after the primary fell");
    assert_eq!(standby.sql("postgres", "SELECT pg_is_in_recovery()"), "f");
    standby.sql("licenses", "DROP TRIGGER storm ON exchange");
    stage.judge(&all);
}
