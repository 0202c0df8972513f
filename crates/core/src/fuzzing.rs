//! What fuzz targets need from inside, compiled for them and for tests alone.
#![allow(missing_docs)]

pub use crate::device::fuzzing as device;
pub use crate::transport::fuzzing as transport;

use crate::backup::reader::{Backup, Entry, ReadError, Witness};
use crate::clock::Reading;
use crate::rights::{self, Environment};
use crate::store::{Store, StoreError};
use std::io::Cursor;
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::backup::{ContentKeys, MAX_ITEM_LEN};
use wmlicense_wire::certificate::DeviceKeys;
use wmlicense_wire::license::State;
use wmlicense_wire::policy::Policy;

/// Reads the first section of a backup, as a restore on the device that made it does: the entries seen, or why not.
pub fn read_backup(bytes: &[u8], meta: &SecretKey, content: &SecretKey, keys: &DeviceKeys) -> Result<usize, String> {
    let mut backup = Backup::open(Cursor::new(bytes)).map_err(|error| error.to_string())?;
    let content = ContentKeys::of(content);
    let mut seen = 0;
    let mut visit = |entry: Entry<'_>| {
        seen += 1;
        assert!(entry.len() <= MAX_ITEM_LEN as u64 + 100);
        let page = match &entry {
            Entry::Page(page) => page.key(&content).ok(),
            _ => None,
        };
        for license in entry.licenses() {
            let _ = (license.state(), license.open(&content, page.as_ref()));
            if let Ok(policy) = license.policy() {
                assert!(policy.kind == license.glance.kind, "the quick look and the policy disagree about the kind");
                assert!(page.is_none() || !policy.is_stateful(), "a page with a license that has a state was read");
            }
        }
        Ok(())
    };
    backup.read_section::<ReadError>(0, meta, Witness::Own(keys), &mut visit).map_err(|error| error.to_string())?;
    Ok(seen)
}

/// True if a policy by itself permits an action in this state at this time.
pub fn permits(policy: &Policy, state: &State, reading: Reading, action: &str, environment: &Environment) -> bool {
    rights::refusals(policy, state, Some(reading), action, environment).is_empty()
}

/// True if every authenticated row of a store is the one that its head knows.
pub fn knows_its_rows(store: &Store) -> Result<bool, StoreError> {
    store.check_rows()
}
