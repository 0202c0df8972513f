//! Opening a store that is there. Only a restore makes one.

use crate::failure::{Failure, shortage_remedy};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use wmlicense_core::client::{Client, OpenSettings};
use wmlicense_core::clock::SystemClock;
use wmlicense_core::shortage::Shortage;
use wmlicense_core::store::FILE_NAME;
use wmlicense_wire::id::Digest;

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

/// Opens the store in `folder`, or makes one.
pub(crate) fn open_or_create(folder: &Path, authorities: Vec<Digest>) -> Result<Arc<Client>, Failure> {
    check_room()?;
    let settings = OpenSettings { store_path: folder.to_path_buf(), authorities };
    Ok(Client::open(&settings, Arc::new(SystemClock))?)
}

/// Opens the store in `folder`, which must be there.
pub(crate) fn open(folder: &Path) -> Result<Arc<Client>, Failure> {
    if !folder.join(FILE_NAME).is_file() {
        let sentence = format!("there is no license store in {}", folder.display());
        return Err(Failure::new(sentence, "give the folder that the application uses, which holds licenses.db"));
    }
    open_or_create(folder, Vec::new())
}
