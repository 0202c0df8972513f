//! A library of more licenses than one request carries, from one device to others through the real service: acquired,
//! backed up, restored within the limit and refused beyond it.

use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use wmlicense_core::acquire::{LicenseWish, acquire};
use wmlicense_core::backup::back_up;
use wmlicense_core::client::{Client, OpenSettings, Settings};
use wmlicense_core::clock::SystemClock;
use wmlicense_core::event::{Event, Flow};
use wmlicense_core::individualize::individualize;
use wmlicense_core::operation::Context;
use wmlicense_core::restore::{RestoreError, Restored, restore};
use wmlicense_testkit::c::service::Service;
use wmlicense_wire::answer::Reason;
use wmlicense_wire::id::Kid;

/// The terms: two devices in all.
const TERMS: &str = r#"{"actions":{"Play":{}},"backup":true,"restoreDevices":2}"#;
/// More than one chunk of a restore holds.
pub(crate) const LICENSES: u64 = 4200;

fn kid(number: u64) -> Kid {
    Kid::from_hex(&format!("{number:032x}")).expect("32 digits")
}

/// The content key that the service has for a key ID.
fn key(number: u64) -> String {
    format!("{:032x}", u128::from(number) ^ 0xabc0_0000_0000_0000_0000)
}

/// A device with a folder of its own.
pub(crate) struct Device {
    pub(crate) client: Arc<Client>,
    pub(crate) settings: Settings,
    _folder: TempDir,
}

impl Device {
    fn new(service: &Service) -> Self {
        Self::by_way_of(service, &service.url)
    }

    /// One that knows the service by this URL.
    pub(crate) fn by_way_of(service: &Service, url: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let authority = wmlicense_wire::id::Digest::from_base64(&service.authority).expect("a printed authority");
        let open = OpenSettings { store_path: folder.path().join("store"), authorities: vec![authority] };
        let client = Client::open(&open, Arc::new(SystemClock)).expect("an empty folder opens");
        let settings = Settings { service_url: Some(url.to_owned()), ..Settings::default() };
        Self { client, settings, _folder: folder }
    }

    /// Restores; a device that has no certificate gets one first.
    pub(crate) fn restore(&self, place: &Path) -> (Result<Restored, RestoreError>, Vec<Event>) {
        let events = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&events);
        let context = Context::inline(None, move |event| {
            kept.lock().expect("no test thread panicked").push(event.clone());
            Flow::Continue
        });
        let result = restore(&self.client, &self.settings, place, true, &context);
        let events = events.lock().expect("no test thread panicked").clone();
        (result, events)
    }

    fn plays(&self, number: u64) -> bool {
        let licenses = self.client.store.licenses(kid(number)).expect("the store reads");
        let Some(license) = licenses.first() else { return false };
        let found = self.client.store.unwrap_key(license).expect("the key opens");
        Kid::from_slice(found.as_bytes()).expect("16 bytes").to_hex() == key(number)
    }
}

pub(crate) fn quiet() -> Context {
    Context::inline(None, |_| Flow::Continue)
}

/// Position of the first event that `is` picks.
fn position(events: &[Event], is: impl Fn(&Event) -> bool) -> Option<usize> {
    events.iter().position(is)
}

/// Gives the service a large library and the device all of it, and backs the device up.
pub(crate) fn backed_up(service: &Service, device: &Device) -> TempDir {
    let lines = (0..LICENSES).map(|number| format!("{},{},Title {number}\n", kid(number).to_hex(), key(number)));
    service.import(&lines.collect::<String>(), TERMS);
    individualize(&device.client, &device.settings, false, &quiet()).expect("the service individualizes");
    let wish = LicenseWish { kids: (0..LICENSES).map(kid).collect(), ..LicenseWish::default() };
    let acquired = acquire(&device.client, &device.settings, &wish, &quiet()).expect("the service licenses");
    assert_eq!(acquired.stored, LICENSES);
    let place = tempfile::tempdir().expect("a temporary folder");
    let report = back_up(&device.client, place.path(), false, &quiet()).expect("the backup is written");
    assert_eq!(report.backed_up, LICENSES);
    place
}

#[test]
fn a_large_library_moves_to_as_many_devices_as_are_allowed() {
    let service = Service::start();
    let first = Device::new(&service);
    let place = backed_up(&service, &first);

    let second = Device::new(&service);
    let (result, events) = second.restore(place.path());
    assert_eq!(result.expect("the service grants"), Restored { restored: LICENSES, ..Restored::default() });
    let individualized = position(&events, |event| matches!(event, Event::Individualize { .. }));
    let connected = position(&events, |event| *event == Event::Connecting);
    let disconnected = position(&events, |event| *event == Event::Disconnecting);
    let begun = position(&events, |event| *event == Event::BackupRestoreBegin);
    assert!(individualized.is_some() && individualized < connected);
    assert!(connected < disconnected && disconnected < begun);
    assert!([0, 1, 4095, 4096, LICENSES - 1].into_iter().all(|number| second.plays(number)));
    // Once more is free, and on the device that has them all it changes nothing.
    assert_eq!(second.restore(place.path()).0.expect("known pairs are free").restored, LICENSES);

    let third = Device::new(&service);
    let (result, events) = third.restore(place.path());
    let refused = matches!(&result, Err(RestoreError::Refused { reason: Reason::LimitReached, url: Some(_), .. }));
    assert!(refused, "{result:?}");
    let told = events.iter().filter(|event| matches!(event, Event::LicenseRefused(_))).count();
    assert_eq!(told as u64, LICENSES);
    assert_eq!(events.iter().filter(|event| matches!(event, Event::ErrorWithUrl { .. })).count(), 1);
    assert_eq!(third.client.store.license_count().expect("the store reads"), 0);
    // The devices within the limit keep what they have.
    assert_eq!(first.restore(place.path()).0.expect("the same device needs no service").restored, LICENSES);
}
