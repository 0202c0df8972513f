//! The newest service document of a client, read once: its certificates carry two signatures each, and every operation
//! looks at it. Fetching one is the session's.

use std::sync::{Arc, Mutex};
use wmlicense_wire::certificate::Directory;
use wmlicense_wire::id::Digest;
use wmlicense_wire::service_document::{ServiceDocument, ServiceDocumentError};

/// A document and its verified certificates.
pub(crate) struct Known {
    pub(crate) document: ServiceDocument,
    pub(crate) directory: Directory,
}

/// Remembers what the newest bytes said.
#[derive(Default)]
pub(crate) struct Documents {
    latest: Mutex<Option<(Digest, Arc<Known>)>>,
}

impl Documents {
    /// Reads a document under one of the pinned authorities, which are the same for all calls.
    pub(crate) fn read(&self, bytes: &[u8], pins: &[Digest]) -> Result<Arc<Known>, ServiceDocumentError> {
        let hash = Digest::of(bytes);
        let mut latest = self.latest.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some((known, document)) = latest.as_ref()
            && *known == hash
        {
            return Ok(Arc::clone(document));
        }
        let (document, directory) = ServiceDocument::parse(bytes, pins)?;
        let known = Arc::new(Known { document, directory });
        *latest = Some((hash, Arc::clone(&known)));
        Ok(known)
    }
}
