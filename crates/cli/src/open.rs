//! Opening a store that is there. Only a restore makes one.

use crate::failure::Failure;
use std::path::Path;
use std::sync::Arc;
use wmlicense_core::client::{Client, OpenSettings};
use wmlicense_core::clock::SystemClock;
use wmlicense_core::store::FILE_NAME;
use wmlicense_wire::id::Digest;

/// Opens the store in `folder`, or makes one.
pub(crate) fn open_or_create(folder: &Path, authorities: Vec<Digest>) -> Result<Arc<Client>, Failure> {
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
