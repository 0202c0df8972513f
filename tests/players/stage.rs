//! What the tests of all players share: packaged media, a service that has its keys, and stores of devices. No test lives
//! here.

use std::fmt::Write as _;
use std::path::PathBuf;

use tempfile::TempDir;

use wmlicense_testkit::c::service::Service;
use wmlicense_testkit::packager::{Media, Packaged, hex};

/// Terms without any limit.
const TERMS: &str = r#"{"actions":{"Play":{}},"backup":true}"#;

/// Media, a service, and a folder for stores and built programs.
pub(crate) struct Stage {
    pub(crate) media: Media,
    pub(crate) service: Service,
    folder: TempDir,
}

impl Stage {
    /// `None` where the tools that package are missing.
    pub(crate) fn set() -> Option<Self> {
        let media = Media::new()?;
        Some(Self { media, service: Service::start(), folder: tempfile::tempdir().unwrap() })
    }

    /// Gives the service the keys of what was packaged.
    pub(crate) fn import(&self, packaged: &Packaged) {
        let mut list = String::new();
        // One key for both tracks stands in the list once.
        let mut keys: Vec<_> = packaged.keys().map(|key| (hex(&key.kid), hex(&key.key))).collect();
        keys.sort();
        keys.dedup();
        for (kid, key) in keys {
            writeln!(list, "{kid},{key},Packaged").unwrap();
        }
        self.service.import(&list, TERMS);
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}
