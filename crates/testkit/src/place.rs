//! Folders for backups, copies of homes, and the events of an operation.

use crate::home::{Home, open};
use std::path::Path;
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use wmlicense_core::backup::{BackupError, BackupReport, back_up};
use wmlicense_core::client::{Client, OpenError, Settings};
use wmlicense_core::event::{Event, Flow};
use wmlicense_core::operation::Context;
use wmlicense_core::restore::{RestoreError, Restored, restore};

/// The events that an operation told.
#[derive(Clone, Default)]
pub struct Events(Arc<Mutex<Vec<Event>>>);

impl Events {
    pub fn all(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }
    /// All but progress.
    pub fn milestones(&self) -> Vec<Event> {
        self.all().into_iter().filter(|event| !matches!(event, Event::Progress(_))).collect()
    }
    /// A context that keeps its events here and is cancelled by the first that `cancel` picks.
    pub fn context(&self, cancel: impl Fn(&Event) -> bool + Send + 'static) -> Context {
        let events = self.0.clone();
        Context::inline(None, move |event| {
            events.lock().unwrap().push(event.clone());
            if cancel(event) { Flow::Cancel } else { Flow::Continue }
        })
    }
}

/// Backs a home up and gives the events as well.
pub fn backed_up(home: &Home<'_>, folder: &Path, overwrite: bool) -> (Result<BackupReport, BackupError>, Events) {
    let events = Events::default();
    let result = back_up(&home.client, folder, overwrite, &events.context(|_| false));
    (result, events)
}

/// Restores without a service URL: a network is out of reach.
pub fn restored(home: &Home<'_>, folder: &Path) -> (Result<Restored, RestoreError>, Events) {
    let events = Events::default();
    let result = restore(&home.client, &Settings::default(), folder, false, &events.context(|_| false));
    (result, events)
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

impl<'w> Home<'w> {
    /// A copy of the folder as it is, with a client of its own: the same device with the same store at this time.
    pub fn copied(&self) -> Self {
        self.copied_with(|_| true)
    }

    /// The same device whose store is lost: only its keys were copied. It knows its certificate again.
    pub fn without_store(&self) -> Self {
        let copy = self.copied_with(|name| name == "device.key");
        copy.client.store.save_directory(&self.world.directory).unwrap();
        let transaction = crate::home::pending(&copy.client, self.world, random());
        let certificate = self.world.certify(self.device_id, &self.identity().keys);
        copy.client.store.save_device_certificate(self.world.pin(), &certificate, transaction).unwrap();
        copy
    }

    /// Opens a copy of the folder that lacks these files.
    pub fn copied_without(&self, lacks: impl Fn(&str) -> bool) -> (TempDir, Result<Arc<Client>, OpenError>) {
        let folder = TempDir::new().unwrap();
        for entry in std::fs::read_dir(self.path()).unwrap() {
            let entry = entry.unwrap();
            if !lacks(entry.file_name().to_str().unwrap()) {
                std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
            }
        }
        let opened = open(self.world, folder.path(), &self.clock);
        (folder, opened)
    }

    fn copied_with(&self, copies: impl Fn(&str) -> bool) -> Self {
        let folder = Arc::new(TempDir::new().unwrap());
        for entry in std::fs::read_dir(self.path()).unwrap() {
            let entry = entry.unwrap();
            if copies(entry.file_name().to_str().unwrap()) {
                std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
            }
        }
        let client = open(self.world, folder.path(), &self.clock).unwrap();
        Self { world: self.world, folder, clock: self.clock.clone(), client, device_id: self.device_id }
    }
}

fn random() -> wmlicense_wire::id::TransactionId {
    wmlicense_wire::id::TransactionId::random().unwrap()
}
