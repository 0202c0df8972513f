//! A client beside a running test service: one folder, one clock, the settings that lead to the service.

use crate::home::open;
use crate::service::Service;
use crate::{ManualClock, NOW, World};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;
use wmlicense_core::acquire::{AcquireError, Acquired, LicenseWish, acquire};
use wmlicense_core::client::{Client, Settings};
use wmlicense_core::event::{Event, Flow};
use wmlicense_core::individualize::{IndividualizeError, Individualized, individualize};
use wmlicense_core::operation::Context;
use wmlicense_core::rights::Application;
use wmlicense_core::transport::{AccountToken, NetworkSettings};
use wmlicense_wire::id::Kid;

pub struct Desk {
    pub world: Arc<World>,
    pub service: Service,
    pub folder: TempDir,
    pub clock: Arc<ManualClock>,
    pub client: Arc<Client>,
    pub settings: Settings,
    pub events: Arc<Mutex<Vec<Event>>>,
}

impl Desk {
    /// A device that is not individualized.
    pub fn new() -> Self {
        let world = Arc::new(World::new());
        let service = Service::start(&world);
        let folder = tempfile::tempdir().unwrap();
        let clock = ManualClock::at(NOW);
        let client = open(&world, folder.path(), &clock).unwrap();
        let settings = Settings {
            service_url: Some(service.base.clone()),
            account_token: Arc::new(AccountToken::new("the-token".to_owned())),
            application: Application { id: Some("player".to_owned()), level: 3 },
            device_name: None,
            network: NetworkSettings { retry_limit: 0, ..NetworkSettings::default() },
        };
        Self { world, service, folder, clock, client, settings, events: Arc::default() }
    }

    /// A device that is individualized.
    pub fn certified() -> Self {
        let desk = Self::new();
        assert_eq!(desk.individualize(false).unwrap(), Individualized::Certified);
        desk.events.lock().unwrap().clear();
        desk
    }

    /// A context that writes events down.
    pub fn context(&self) -> Context {
        let events = Arc::clone(&self.events);
        Context::inline(Some(Duration::from_secs(60)), move |event: &Event| {
            events.lock().unwrap().push(event.clone());
            Flow::Continue
        })
    }

    pub fn individualize(&self, force: bool) -> Result<Individualized, IndividualizeError> {
        individualize(&self.client, &self.settings, force, &self.context())
    }

    pub fn acquire(&self, kids: &[Kid]) -> Result<Acquired, AcquireError> {
        self.wish(&LicenseWish { kids: kids.to_vec(), ..LicenseWish::default() })
    }

    pub fn wish(&self, wish: &LicenseWish) -> Result<Acquired, AcquireError> {
        acquire(&self.client, &self.settings, wish, &self.context())
    }

    /// The process ends and another one begins.
    pub fn restart(&mut self) {
        self.client = open(&self.world, self.folder.path(), &self.clock).unwrap();
    }

    /// Both clocks move.
    pub fn pass(&self, seconds: i64) {
        self.clock.advance(seconds);
        self.service.now.fetch_add(seconds, std::sync::atomic::Ordering::SeqCst);
    }

    pub fn pending(&self) -> u64 {
        self.client.store.pending_count().unwrap()
    }

    pub fn events(&self) -> Vec<Event> {
        // How a service was asked depends on the network; the tests of the transport look at that.
        let told = self.events.lock().unwrap();
        told.iter().filter(|event| !matches!(event, Event::Network(_))).cloned().collect()
    }

    /// The content key that the store gives for a key ID.
    pub fn key(&self, kid: Kid) -> Option<Vec<u8>> {
        let licenses = self.client.store.licenses(kid).unwrap();
        let license = licenses.first()?;
        Some(self.client.store.unwrap_key(license).unwrap().as_bytes().to_vec())
    }
}
