//! Opening the store that the settings name; commands that need none say so, and only they make one.

use crate::failure::{Failure, OTHER_FOLDER, shortage_remedy};
use crate::settings::{Origin, Settings};
use std::fs::DirBuilder;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use wmlicense_core::client::{Client, OpenSettings};
use wmlicense_core::clock::SystemClock;
use wmlicense_core::shortage::Shortage;
use wmlicense_core::store::FILE_NAME;

/// Bytes for the many small pieces of memory whose lack would end the process: threads, buffers, pages of the store.
const ROOM: usize = 16 << 20;

/// Fails if the system does not give that much memory, which is given back at once.
fn check_room() -> Result<(), Failure> {
    let mut room: Vec<u8> = Vec::new();
    // Seen by nobody, the memory would not be asked for.
    match black_box(&mut room).try_reserve_exact(ROOM) {
        Ok(()) => Ok(()),
        Err(_) => {
            let sentence = format!("no memory: less than {} MiB are left", ROOM >> 20);
            Err(Failure::new(sentence, shortage_remedy(Shortage::Memory)))
        }
    }
}

/// Opens the store of these settings, or makes one.
pub(crate) fn open_or_create(settings: &Settings) -> Result<Arc<Client>, Failure> {
    check_room()?;
    let folder = settings.store();
    if settings.store.origin == Origin::Default {
        make_parents(folder)?;
    }
    let settings = OpenSettings { store_path: folder.to_path_buf(), authorities: settings.authorities() };
    Ok(Client::open(&settings, Arc::new(SystemClock))?)
}

/// Makes the folders that lead to the default store, for the user alone. Of other stores only the last one is made, so that a
/// mistyped path makes no tree.
fn make_parents(folder: &Path) -> Result<(), Failure> {
    let Some(parent) = folder.parent() else { return Ok(()) };
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(parent).map_err(|error| Failure::of_file(parent, &error, OTHER_FOLDER))
}

/// True if the store is there.
pub(crate) fn exists(settings: &Settings) -> bool {
    settings.store().join(FILE_NAME).is_file()
}

/// Opens the store of these settings, which must be there.
pub(crate) fn open(settings: &Settings) -> Result<Arc<Client>, Failure> {
    if exists(settings) { open_or_create(settings) } else { Err(not_there(settings)) }
}

fn not_there(settings: &Settings) -> Failure {
    let sentence = format!("there is no license store in {}", settings.store().display());
    let given = "give the folder that the application uses, which holds licenses.db";
    let elsewhere = "give the folder that the application uses, which holds licenses.db, with --store, or make a store with \
                     `wmlicense individualize`";
    Failure::new(sentence, if settings.store.origin == Origin::Default { elsewhere } else { given })
}
