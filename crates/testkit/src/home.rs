//! A user's machine for tests: a folder with keys and store, individualized at one world without a network.

use crate::{Asked, ManualClock, NOW, World, content_key, grant};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use wmlicense_core::client::{Client, OpenSettings};
use wmlicense_core::device::DeviceIdentity;
use wmlicense_core::store::{Import, ImportReport, Page, StoreError, Transaction, TransactionState};
use wmlicense_wire::answer::{Answer, Beside, Grant, OpenedLicense, seal};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{DeviceId, Digest, Lid, TransactionId};
use wmlicense_wire::policy::Policy;

/// One client over a folder of its own.
pub struct Home<'w> {
    pub world: &'w World,
    pub folder: Arc<TempDir>,
    pub clock: Arc<ManualClock>,
    pub client: Arc<Client>,
    pub device_id: DeviceId,
}

impl<'w> Home<'w> {
    /// A fresh folder, individualized.
    pub fn new(world: &'w World) -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let clock = ManualClock::at(NOW);
        let client = open(world, folder.path(), &clock).unwrap();
        let device_id = individualized(&client, world, NOW);
        Self { world, folder, clock, client, device_id }
    }

    /// Over a client whose folder and clock are the test's.
    pub fn over(world: &'w World, client: Arc<Client>) -> Self {
        let now = client.clock.now();
        let device_id = individualized(&client, world, now);
        Self { world, folder: Arc::new(tempfile::tempdir().unwrap()), clock: ManualClock::at(now), client, device_id }
    }

    /// The path of the folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Another client over the same folder, as another process would have it.
    pub fn again(&self) -> Self {
        let client = open(self.world, self.path(), &self.clock).unwrap();
        Self {
            world: self.world,
            folder: self.folder.clone(),
            clock: self.clock.clone(),
            client,
            device_id: self.device_id,
        }
    }

    /// The device's keys at the world.
    pub fn identity(&self) -> Arc<DeviceIdentity> {
        self.client.device.identity(self.world.pin()).unwrap()
    }

    /// A verified answer of the issuer with these licenses, made at `issued_at`.
    pub fn receive(&self, grants: &[Grant], issued_at: i64) -> (TransactionId, Vec<u8>, Vec<OpenedLicense>) {
        let identity = self.identity();
        let asked = Asked::by(self.device_id, &identity.keys);
        let bytes = self.world.answer_at(&self.world.issuer, &asked, grants, issued_at);
        let (signed, licenses) = self.world.open(Role::Issuer, &asked, &identity.hpke, &bytes);
        (asked.transaction, signed, licenses)
    }

    /// A verified answer of the issuer that takes these licenses back.
    pub fn receive_withdrawing(&self, withdrawn: Vec<Lid>) -> (TransactionId, Vec<u8>, Vec<OpenedLicense>) {
        let identity = self.identity();
        let asked = Asked::by(self.device_id, &identity.keys);
        let answer = Answer::to(asked.transaction, 0, asked.request_hash, identity.keys.thumbprint(), NOW);
        let answer = Answer { withdrawn, ..answer };
        let beside = Beside::default();
        let bytes = seal(answer, self.device_id, &identity.keys, &[], None, &beside, &self.world.issuer.key).unwrap();
        let (signed, licenses) = self.world.open(Role::Issuer, &asked, &identity.hpke, &bytes);
        (asked.transaction, signed, licenses)
    }

    /// Stores licenses with these terms; each key is [`content_key`] of its key ID.
    pub fn acquire(&self, policies: &[Policy]) -> Result<ImportReport, StoreError> {
        self.acquire_at(policies, NOW)
    }

    /// As [`Self::acquire`], from an answer made at `issued_at`.
    pub fn acquire_at(&self, policies: &[Policy], issued_at: i64) -> Result<ImportReport, StoreError> {
        let grants: Vec<_> = policies.iter().map(|policy| grant(policy, content_key(policy.kid))).collect();
        self.import(self.receive(&grants, issued_at))
    }

    /// Stores what [`Self::receive`] gave.
    pub fn import(&self, received: (TransactionId, Vec<u8>, Vec<OpenedLicense>)) -> Result<ImportReport, StoreError> {
        let (transaction, signed, licenses) = received;
        let transaction = pending(&self.client, self.world, transaction);
        let authority = self.world.pin();
        let end = TransactionState::Answered;
        self.client.store.import(&Import {
            authority,
            signed: &signed,
            licenses,
            transaction,
            end,
            page: Page::default(),
        })
    }
}

/// Gives the device of a client its keys and a certificate for them.
fn individualized(client: &Client, world: &World, now: i64) -> DeviceId {
    let device_id = DeviceId::random().unwrap();
    client.store.save_directory(&world.directory).unwrap();
    let keys = &client.device.create_identity(world.pin()).unwrap().keys;
    let transaction = pending(client, world, TransactionId::random().unwrap());
    let certificate = world.certify_at(device_id, keys, now);
    client.store.save_device_certificate(world.pin(), &certificate, transaction).unwrap();
    device_id
}

/// Opens a client of `world` over a folder.
pub fn open(
    world: &World,
    folder: &Path,
    clock: &Arc<ManualClock>,
) -> Result<Arc<Client>, wmlicense_core::client::OpenError> {
    let settings = OpenSettings { store_path: folder.to_path_buf(), authorities: vec![world.pin()] };
    Client::open(&settings, clock.clone())
}

/// Prepares a transaction with this ID.
pub fn pending(client: &Client, world: &World, id: TransactionId) -> TransactionId {
    let transaction = Transaction {
        id,
        authority: world.pin(),
        url: "https://license.test".into(),
        wish: Digest::of(id.as_bytes()),
        request: b"request".to_vec(),
        state: TransactionState::Prepared,
        created_at: NOW,
    };
    client.store.prepare(&transaction).unwrap();
    id
}
