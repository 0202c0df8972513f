//! The store from inside: what its parts keep and forget, where no client is needed to see it. What users of a store see is in
//! `tests/client/`.

mod bytes;
mod connections;
mod documents;
mod given;
mod held;
mod returns;
mod staged;

use super::*;
use crate::clock::Clock;
use std::sync::atomic::{AtomicI64, Ordering};
use tempfile::TempDir;
use wmlicense_testkit::{Asked, CertifiedService, NOW, TestDevice, World, content_key, grant, kid};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::policy::{Conditions, Policy};

/// A clock that moves when it is told to.
struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// A store of its own, with an owner's world and a device that its licenses are bound to.
struct Room {
    folder: TempDir,
    clock: Arc<Hand>,
    store: Store,
    world: World,
    device: TestDevice,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(NOW)));
        let store = open(folder.path(), &clock);
        let world = World::new();
        store.save_directory(&world.directory).unwrap();
        Self { folder, clock, store, world, device: TestDevice::new() }
    }

    fn set_clock(&self, now: i64) {
        self.clock.0.store(now, Ordering::SeqCst);
    }

    /// Another opening of the same folder, as another process has it.
    fn again(&self) -> Store {
        open(self.folder.path(), &self.clock)
    }

    fn sql(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.folder.path().join(FILE_NAME)).unwrap()
    }

    fn count(&self, table: &str) -> i64 {
        self.sql().query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }

    /// A verified answer of a service with these licenses.
    fn answer(
        &self,
        service: &CertifiedService,
        role: Role,
        policies: &[Policy],
        issued_at: i64,
    ) -> (TransactionId, Vec<u8>, Vec<OpenedLicense>) {
        let asked = Asked::by(self.device.device_id, &self.device.keys);
        let grants: Vec<_> = policies.iter().map(|policy| grant(policy, content_key(policy.kid))).collect();
        let bytes = self.world.answer_at(service, &asked, &grants, issued_at);
        let (signed, licenses) = self.world.open(role, &asked, &self.device.hpke, &bytes);
        (asked.transaction, signed, licenses)
    }

    /// Stores licenses that were asked for, with this recipe where there is one.
    fn acquire(&self, policies: &[Policy], recipe: Option<&Recipe>) -> ImportReport {
        let (id, signed, licenses) = self.answer(&self.world.issuer, Role::Issuer, policies, NOW);
        let transaction = self.pending(id, NOW);
        match recipe {
            Some(recipe) => self.store.prepare_with(&transaction, recipe).unwrap(),
            None => self.store.prepare(&transaction).unwrap(),
        }
        self.import(id, &signed, licenses)
    }

    fn import(&self, transaction: TransactionId, signed: &[u8], licenses: Vec<OpenedLicense>) -> ImportReport {
        let (authority, end, page) = (self.world.pin(), TransactionState::Answered, Page::default());
        self.store.import(&Import { authority, signed, licenses, transaction, end, page }).unwrap()
    }

    fn pending(&self, id: TransactionId, created_at: i64) -> Transaction {
        Transaction {
            id,
            authority: self.world.pin(),
            url: "https://license.test".into(),
            wish: Digest::of(id.as_bytes()),
            request: id.as_bytes().to_vec(),
            state: TransactionState::Prepared,
            created_at,
        }
    }

    fn counted(&self, number: u64) -> Policy {
        self.world.policy_with(kid(number), Conditions { count: Some(5), ..Conditions::default() })
    }
}

fn open(folder: &Path, clock: &Arc<Hand>) -> Store {
    let device = Arc::new(Device::open(folder, true).unwrap());
    Store::open(folder, device, clock.clone(), Log::default()).unwrap()
}

fn recipe(url: &str) -> Recipe {
    Recipe { url: url.into(), ..Recipe::default() }
}
