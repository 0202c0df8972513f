//! What every engine has to do, told as the service asks it: each rule in its transaction, each race, what a transaction leaves
//! that did not end. It runs over SQLite, over the oldest and the newest PostgreSQL, and over an engine in memory in fair weather and
//! in a storm.

mod accounts;
mod admins;
mod deliveries;
mod devices;
mod exchanges;
mod licenses;
mod lives;
mod memory;
mod offers;
mod owner;
mod seats;
mod sold;
mod tally;

use super::postgres::{Place, Postgres};
use super::sqlite::Sqlite;
use super::*;
use crate::keyring::MasterKey;
use crate::policy::{Facts, Terms};
use crate::rules::epochs::Standing;
use memory::Memory;
use tokio::sync::OnceCell;
use wmlicense_testkit::postgres::{self as testkit, cluster};
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::id::{DeviceId, Digest, Epoch, Kid, Lid, ServiceId, SignerId, TransactionId};
use wmlicense_wire::policy::{Conditions, LicenseKind, Policy};

/// A database and who opens it.
pub(super) struct World {
    store: Store,
    /// The same database, opened by somebody else.
    other: Store,
    _folder: Option<tempfile::TempDir>,
    /// Behind the stores, whose connections keep it.
    database: Option<testkit::Database>,
}

/// The service that databases of tests belong to.
pub(super) fn owner() -> Owner {
    Owner { authority: Digest::new([7; 32]), master: MasterKey::new(SecretKey::from_slice(&[7; 32]).unwrap()) }
}

impl World {
    pub(super) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.db");
        let store = Store::over(Arc::new(Sqlite::create(&path).unwrap()));
        let other = Store::over(Arc::new(Sqlite::open(&path).unwrap()));
        Self { store, other, _folder: Some(folder), database: None }
    }

    /// A copy of a database whose tables are made once.
    pub(super) async fn postgres(version: u32) -> Self {
        static MODELS: [OnceCell<()>; 2] = [const { OnceCell::const_new() }; 2];
        let open = async |url: String, make| {
            let place = Place::parse(&format!("{url}&connections=4")).unwrap();
            Store::over(Arc::new(Postgres::open(&place, &owner(), make).await.unwrap()))
        };
        let cluster = cluster(version);
        let model = MODELS[usize::from(version > 15)].get_or_init(async || {
            cluster.sql("postgres", "CREATE DATABASE model");
            drop(open(cluster.url("model"), true).await);
            // Nobody may be connected to what is copied, and a runtime that waits closes no connection.
            let end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'model'";
            cluster.sql("postgres", end);
        });
        model.await;
        let database = cluster.database(Some("model"));
        let (store, other) = (open(database.url(), false).await, open(database.url(), false).await);
        Self { store, other, _folder: None, database: Some(database) }
    }

    fn fair() -> Self {
        Self::in_memory(Arc::new(Memory::fair()))
    }

    fn stormy() -> Self {
        Self::in_memory(Arc::new(Memory::stormy()))
    }

    fn in_memory(engine: Arc<Memory>) -> Self {
        Self { store: Store::over(engine.clone()), other: Store::over(engine), _folder: None, database: None }
    }

    /// Issues a license for a key ID of which there is one at most; true if it is the one.
    pub(super) async fn issue_under(&self, number: u8, kid: u8) -> bool {
        let license = NewLicense { kid: Kid::new([kid; 16]), ..license(number, None) };
        self.issue(number, 1000, license).await == Committed::Done
    }

    /// How many licenses there are.
    pub(super) async fn issued(&self) -> usize {
        licenses(&self.store).await.len()
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    pub(super) fn database(&self) -> &testkit::Database {
        self.database.as_ref().unwrap()
    }

    /// Issues a license under a key ID of its own.
    pub(super) async fn issue_by(&self, store: &Store, number: u8) -> Result<Committed, StoreError> {
        let license = NewLicense { kid: Kid::new([number; 16]), ..license(number, None) };
        store.issue(exchange(number, 1000), OWN, issued(vec![license]), vec![number]).await
    }

    async fn issue(&self, number: u8, now: i64, license: NewLicense) -> Committed {
        self.store.issue(exchange(number, now), OWN, issued(vec![license]), vec![number]).await.unwrap()
    }
}

/// Runs each test over each engine.
macro_rules! over_each_engine {
    ($($(#[$attribute:meta])* async fn $name:ident($world:ident: World) $body:block)+) => {
        $crate::store::conformance::over_each_engine!(@ sqlite (World::sqlite()) $($(#[$attribute])* $name $world $body)+);
        $crate::store::conformance::over_each_engine!(@ fair (World::fair()) $($(#[$attribute])* $name $world $body)+);
        $crate::store::conformance::over_each_engine!(@ stormy (World::stormy()) $($(#[$attribute])* $name $world $body)+);
        $crate::store::conformance::over_each_engine!(@ postgres_15 (World::postgres(15).await)
            $($(#[$attribute])* $name $world $body)+);
        $crate::store::conformance::over_each_engine!(@ postgres_18 (World::postgres(18).await)
            $($(#[$attribute])* $name $world $body)+);
    };
    (@ $engine:ident ($made:expr) $($(#[$attribute:meta])* $name:ident $world:ident $body:block)+) => {
        mod $engine {
            use super::*;
            $(
                $(#[$attribute])*
                async fn $name() {
                    let $world = $made;
                    $body
                }
            )+
        }
    };
}

use over_each_engine;

pub(super) const OWN: DeviceId = DeviceId::new([2; 16]);
const OWN_KEYS: SignerId = SignerId::new([1; 32]);
const KID: Kid = Kid::new([3; 16]);

fn device(number: u8) -> DeviceId {
    DeviceId::new([number; 16])
}

fn lid(number: u8) -> Lid {
    Lid::new([number; 16])
}

pub(super) fn exchange(number: u8, now: i64) -> Exchange {
    Exchange {
        thumbprint: OWN_KEYS,
        transaction: TransactionId::new([number; 16]),
        page: 0,
        request_hash: Digest::new([number; 32]),
        account: None,
        now,
        presented: None,
        fresh: Epoch::new([0; 16]),
        standing: Standing::default(),
    }
}

/// Terms of a license, with so many uses where they are counted.
fn policy(number: u8, count: Option<u32>) -> Policy {
    let facts = Facts {
        lid: lid(number),
        kid: KID,
        kind: LicenseKind::Content,
        root_kid: None,
        issuer: ServiceId::new([4; 16]),
        management: None,
        revocation: None,
        title: None,
        user: None,
        first_issued: 1000,
        replaces: None,
    };
    let play = Conditions { count, ..Conditions::default() };
    Terms { actions: vec![("Play".to_owned(), play)], ..Terms::of_no_policy() }.policy(facts)
}

pub(super) fn license(number: u8, replaces: Option<u8>) -> NewLicense {
    let issued = Issued::new(lid(number), Digest::new([number; 32]), policy(number, None).encode());
    let line = replaces.map(lid);
    NewLicense { kid: KID, user: None, issued, replaces: line, line, state: None }
}

pub(super) fn issued(licenses: Vec<NewLicense>) -> Issue {
    Issue { licenses, ..Issue::default() }
}

/// The answer is written: by the run that says so, or by one before of which nobody was told.
#[track_caller]
fn written(committed: Committed, answer: &[u8]) {
    let before = Prior::Answered(Some(answer.to_vec()));
    assert!(committed == Committed::Done || committed == Committed::Prior(before), "{committed:?}");
}

/// What is known of an exchange.
async fn prior(store: &Store, exchange: Exchange) -> Prior {
    store.known_device(exchange, None).await.unwrap().0
}

impl Store {
    /// Adds content, whatever is there on other terms.
    pub(super) fn add_content(&self, contents: Vec<NewContent>, same: Vec<Kid>, now: i64) -> Pending<'_, Added> {
        self.add(Adding { act: "content import", contents, same, replace: true, dry: false }, now)
    }
}

/// What became of content of which so many key IDs are new, and so many were on other terms.
fn added(new: u64, moves: &[(Offering, Offering)]) -> Added {
    let moved = moves.iter().cloned().map(|of| (of, 1)).collect();
    Added::Done(Changes { new, moved, ..Changes::default() })
}

/// All licenses that were issued.
async fn licenses(store: &Store) -> Vec<LicenseEntry> {
    store.all().await.unwrap()
}
