//! The stores that rows are measured with, and the plain database beside each: made once a size, when the first row wants them.

use crate::peers::PlainSqlite;
use std::cell::OnceCell;
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use tempfile::TempDir;
use wmlicense_testkit::home::Home;
use wmlicense_testkit::{NOW, World, content_key, grant, kid};
use wmlicense_wire::answer::Grant;
use wmlicense_wire::id::Lid;
use wmlicense_wire::license::License;

/// Licenses in one answer.
pub(crate) const BATCH: u64 = 4096;
/// First bytes of a license ID as the service makes them: the time.
const LID_TIME_LEN: usize = 4;

/// A license ID as the service makes them: it sorts behind those of earlier batches and among those of its own by chance.
pub(crate) fn lid(at: i64) -> Lid {
    let mut bytes = *Lid::random().unwrap().as_bytes();
    bytes[..LID_TIME_LEN].copy_from_slice(&at.to_be_bytes()[size_of::<i64>() - LID_TIME_LEN..]);
    Lid::new(bytes)
}

/// Grants of content keys with these numbers, decided at one time.
pub(crate) fn grants(world: &World, numbers: std::ops::Range<u64>, at: i64) -> Vec<Grant> {
    let policy = |number| wmlicense_wire::policy::Policy { lid: lid(at), ..world.policy(kid(number)) };
    numbers.map(policy).map(|policy| grant(&policy, content_key(policy.kid))).collect()
}

/// A store with so many licenses, and the same device before it had any.
pub(crate) struct Full<'w> {
    pub(crate) licenses: u64,
    pub(crate) home: Home<'w>,
    pub(crate) before: Home<'w>,
    /// Where everything else is written.
    pub(crate) scratch: TempDir,
    plain: OnceCell<PlainSqlite>,
}

impl<'w> Full<'w> {
    pub(crate) fn new(world: &'w World, licenses: u64) -> Self {
        let home = Home::new(world);
        let before = home.copied();
        let batches = (0..licenses).step_by(BATCH as usize).map(|first| first..(first + BATCH).min(licenses));
        let (answers, arrived) = sync_channel(2);
        std::thread::scope(|scope| {
            let its_home = &home;
            scope.spawn(move || {
                for (number, batch) in batches.enumerate() {
                    let grants = grants(world, batch, NOW + number as i64);
                    answers.send(its_home.receive(&grants, NOW)).unwrap();
                }
            });
            let stored: u64 = arrived.iter().map(|answer| home.import(answer).unwrap().stored).sum();
            assert_eq!(stored, licenses);
        });
        Self { licenses, home, before, scratch: TempDir::new().unwrap(), plain: OnceCell::new() }
    }

    pub(crate) fn store_file(&self) -> PathBuf {
        self.home.path().join(wmlicense_core::store::FILE_NAME)
    }

    /// Bytes of a row of a plain table that has what a license has.
    pub(crate) fn row_len(&self) -> usize {
        row_len(&self.home)
    }

    /// A plain table with as many rows as the store has licenses, under the same keys.
    pub(crate) fn plain(&self) -> &PlainSqlite {
        self.plain.get_or_init(|| {
            let plain = PlainSqlite::new(&self.scratch.path().join("plain.db"), self.row_len());
            (0..self.licenses).step_by(BATCH as usize).for_each(|first| {
                plain.insert((first..(first + BATCH).min(self.licenses)).map(|number| *kid(number).as_bytes()));
            });
            plain.settle();
            plain
        })
    }
}

/// Closes a store while its folder is there: only then what its log holds goes into the database.
pub(crate) fn close(home: Home<'_>) {
    let Home { client, folder: _folder, .. } = home;
    drop(client);
}

fn license_len(home: &Home<'_>) -> usize {
    let license = home.client.store.licenses(kid(0)).unwrap().remove(0);
    License { policy: license.policy.encode(), binding: license.binding().unwrap().encode() }.encode().len()
}

/// A license, its key and the key's tag.
pub(crate) fn row_len(home: &Home<'_>) -> usize {
    license_len(home) + 32
}

/// Bytes that a backup must carry: each license with its key and the manifest's hash. The licenses are alike.
pub(crate) fn payload(full: &Full<'_>) -> f64 {
    (row_len(&full.home) + 32) as f64 * full.licenses as f64
}
