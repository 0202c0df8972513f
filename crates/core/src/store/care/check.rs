//! Looking at everything in the store: the database's own structure, every license against its batch, every
//! authenticated row against the head. Nothing is written; `store/care/repair.rs` mends.

use super::rebuild::verify;
use crate::event::LicenseFault;
use crate::store::head::Head;
use crate::store::index::verify::check_shape;
use crate::store::integrity::Table;
use crate::store::records::at_rest::{Scope, batch_of};
use crate::store::records::pages::{self, PageRow, policy_of};
use crate::store::records::section::{section_by_id, section_of};
use crate::store::records::tombstone;
use crate::store::{Section, Store, StoreError, error::fixed};
use rusqlite::{Connection, OptionalExtension as _, Row};
use std::collections::HashSet;
use wmlicense_wire::answer::{read_vouched, verify_signed};
use wmlicense_wire::backup::page::{PageKey, PageView, PagedLicense};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Digest, Kid, Lid};
use wmlicense_wire::license::Binding;
use wmlicense_wire::policy::Policy;
use wmlicense_wire::request::MAX_LICENSES;

/// Licenses that are read in one go, about.
const CHUNK: u64 = MAX_LICENSES as u64;

/// A license with a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Damaged {
    /// Row of its page.
    pub(in crate::store) page: i64,
    /// Its place in the manifest; none where the page cannot be read at all.
    pub(in crate::store) index: Option<u32>,
    /// Its key ID, as far as that can be read.
    pub kid: Kid,
    /// What is wrong.
    pub fault: LicenseFault,
}

/// A place in a walk over all licenses.
#[derive(Default)]
pub(crate) struct Walk {
    /// The page that was looked at last.
    after: Option<i64>,
    batch: Option<SignedBatch>,
    /// Pages whose rows say something else of their licenses than these do: their rows, and what they should say.
    pub(super) mislabelled: Vec<Label>,
    /// Licenses seen so far.
    pub seen: u64,
}

/// Row of a page, the section of its licenses, and whether they count.
pub(super) type Label = (i64, Option<Section>, bool);

/// A page whose key opens.
struct Opened {
    key: PageKey,
    stateful: bool,
    /// What the row should say, where it says something else.
    label: Option<Label>,
}

impl Walk {
    /// True if a page was found whose row says something else of its licenses than these do.
    pub(crate) fn has_mislabelled(&self) -> bool {
        !self.mislabelled.is_empty()
    }
}

/// The batch that licenses are compared with.
struct SignedBatch {
    number: i64,
    /// `None` where there is no batch, or its signature does not verify.
    sound: Option<Sound>,
    /// Places in the manifest that were seen: each is in one page.
    seen: HashSet<u32>,
}

/// A batch that verified.
struct Sound {
    at_rest: [u8; 16],
    authority: Digest,
    manifest: Vec<Digest>,
}

impl Store {
    /// Checks the pages and indexes of the database, and that the index of licenses can be read. `interruptible` gets a function that ends the check early.
    pub fn check_database(&self, interruptible: &mut dyn FnMut(rusqlite::InterruptHandle)) -> Result<(), StoreError> {
        self.inner.readers.with(|connection| {
            interruptible(connection.get_interrupt_handle());
            let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
            if found != "ok" {
                return Err(StoreError::Damaged(found));
            }
            check_shape(&*crate::store::connection::read(connection)?)
        })
    }

    /// Checks that the index of licenses finds each of them and nothing else. `interruptible` as with [`Self::check_database`].
    pub(crate) fn check_index(
        &self,
        interruptible: &mut dyn FnMut(rusqlite::InterruptHandle),
    ) -> Result<(), StoreError> {
        let inner = &*self.inner;
        inner.readers.with(|connection| {
            interruptible(connection.get_interrupt_handle());
            verify(&*crate::store::connection::read(connection)?, &inner.index)
        })
    }

    /// Checks the next licenses and gives those with a fault; `None` at the end.
    pub(crate) fn check_licenses(&self, walk: &mut Walk) -> Result<Option<Vec<Damaged>>, StoreError> {
        let inner = &*self.inner;
        inner.readers.with(|connection| {
            let transaction = crate::store::connection::read(connection)?;
            // The first page may have the least ID there is.
            let condition = if walk.after.is_none() { "id >= ?1" } else { "id > ?1" };
            let sql = format!("SELECT {} FROM page WHERE {condition} ORDER BY id", pages::COLUMNS);
            let mut statement = transaction.prepare_cached(&sql)?;
            let mut rows = statement.query([walk.after.unwrap_or(i64::MIN)])?;
            let (mut damaged, begun) = (Vec::new(), walk.seen);
            while walk.seen - begun < CHUNK
                && let Some(row) = rows.next()?
            {
                let page = PageRow::read(row)?;
                let number = batch_of(page.id);
                if walk.batch.as_ref().is_none_or(|batch| batch.number != number) {
                    let sound = self.signed_batch(&transaction, number)?;
                    walk.batch = Some(SignedBatch { number, sound, seen: HashSet::new() });
                }
                if let Some(batch) = &mut walk.batch {
                    let found = (&mut damaged, &mut walk.mislabelled);
                    walk.seen += self.check_page(&transaction, &page, batch, found)?;
                }
                walk.after = Some(page.id);
            }
            Ok((walk.seen > begun).then_some(damaged))
        })
    }

    /// Checks the licenses of a page, and gives their number. A page that cannot be read counts as one.
    fn check_page(
        &self,
        connection: &Connection,
        page: &PageRow<'_>,
        batch: &mut SignedBatch,
        (damaged, mislabelled): (&mut Vec<Damaged>, &mut Vec<Label>),
    ) -> Result<u64, StoreError> {
        let Ok(view) = page.view() else {
            let kid = Kid::new([0; 16]);
            damaged.push(Damaged { page: page.id, index: None, kid, fault: LicenseFault::Unreadable });
            return Ok(1);
        };
        let opened = batch.sound.as_ref().and_then(|sound| self.open_page(connection, (page, view), sound).transpose());
        let opened = opened.transpose()?;
        let key = opened.as_ref().map(|opened| (&opened.key, opened.stateful));
        for license in view.licenses() {
            let twice = !batch.seen.insert(license.index);
            let sound = batch.sound.as_ref().filter(|_| !twice);
            let (kid, fault) = self.fault(connection, &license, key, sound)?;
            damaged.extend(fault.map(|fault| Damaged { page: page.id, index: Some(license.index), kid, fault }));
        }
        mislabelled.extend(opened.and_then(|opened| opened.label));
        Ok(view.count() as u64)
    }

    /// Opens the key of a page: for what the row says of the page, or else for what its licenses say, which whoever uses one goes by.
    fn open_page(
        &self,
        connection: &Connection,
        (page, view): (&PageRow<'_>, PageView<'_>),
        sound: &Sound,
    ) -> Result<Option<Opened>, StoreError> {
        let open = |scope: Scope| self.inner.page_keys.open(&scope, page.key).ok();
        if let Some(key) = self.scope(connection, page, sound)?.and_then(open) {
            return Ok(Some(Opened { key, stateful: page.stateful, label: None }));
        }
        let by_license = |license: PagedLicense<'_>| {
            let policy = policy_of(&license).ok()?;
            let key = open(Scope::of(sound.authority, &policy, &sound.at_rest))?;
            let (section, stateful) = (section_of(sound.authority, &policy), policy.is_stateful());
            Some(Opened { key, stateful, label: Some((page.id, section, stateful)) })
        };
        Ok(view.licenses().find_map(by_license))
    }

    /// What the row says of a page.
    fn scope(&self, connection: &Connection, page: &PageRow<'_>, sound: &Sound) -> Result<Option<Scope>, StoreError> {
        let section = match page.section.map(|id| section_by_id(connection, id)) {
            None => None,
            // One of another authority than its batch opens here and for nobody who uses the license.
            Some(Ok(Some(section))) if section.authority == sound.authority => Some(section),
            Some(Ok(_) | Err(StoreError::Damaged(_))) => return Ok(None),
            Some(Err(error)) => return Err(error),
        };
        Ok(Some(Scope::new(sound.authority, section.as_ref(), page.stateful, &sound.at_rest)))
    }

    /// Whether every authenticated row is the one that the head knows.
    pub(crate) fn check_rows(&self) -> Result<bool, StoreError> {
        match self.check_integrity() {
            Ok(()) => Ok(true),
            Err(StoreError::Tampered) => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn signed_batch(&self, connection: &Connection, number: i64) -> Result<Option<Sound>, StoreError> {
        let found: Option<(Vec<u8>, Vec<u8>, Vec<u8>)> = connection
            .prepare_cached("SELECT at_rest, authority, signed FROM batch WHERE id = ?1")?
            .query_row([number], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?;
        let Some((at_rest, authority, signed)) = found else { return Ok(None) };
        let (Ok(at_rest), Ok(authority)) = (fixed(&at_rest), fixed(&authority)) else { return Ok(None) };
        let answer = match self.directory(Digest::new(authority))? {
            Some(directory) => {
                verify_signed(&signed, &directory, &[Role::Issuer, Role::Management]).map(|(answer, _)| answer)
            }
            None => read_vouched(&signed),
        };
        let authority = Digest::new(authority);
        Ok(answer.ok().map(|answer| Sound { at_rest, authority, manifest: answer.manifest }))
    }

    /// What is wrong with a license, with its key ID.
    fn fault(
        &self,
        connection: &Connection,
        license: &PagedLicense<'_>,
        key: Option<(&PageKey, bool)>,
        sound: Option<&Sound>,
    ) -> Result<(Kid, Option<LicenseFault>), StoreError> {
        let parts = license.parts();
        let policy = parts.and_then(|(policy, _)| Policy::decode(policy).ok());
        let Some((policy, (policy_bytes, binding))) = policy.zip(parts) else {
            return Ok((Kid::new([0; 16]), Some(LicenseFault::Unreadable)));
        };
        let fault = |fault| Ok((policy.kid, Some(fault)));
        let policy_hash = Digest::of(policy_bytes);
        if !Binding::decode(binding).is_ok_and(|binding| binding.policy_hash == policy_hash) {
            return fault(LicenseFault::Unreadable);
        }
        let Some(Sound { manifest, .. }) = sound else { return fault(LicenseFault::NotSigned) };
        if manifest.get(license.index as usize) != Some(&license.hash()) {
            return fault(LicenseFault::NotSigned);
        }
        let opens = key.is_some_and(|(key, stateful)| {
            stateful == policy.is_stateful()
                && key.unwrap(license.index, policy_hash, policy.kind, license.wrapped).is_ok()
        });
        if !opens {
            return fault(LicenseFault::KeyLost);
        }
        // Its rows were put back by hand: the store took it away for good.
        if tombstone::forbids(connection, &self.inner.integrity, policy.lid, policy.issuer)? {
            return fault(LicenseFault::NotSigned);
        }
        let state = crate::store::records::lookup::read_state(connection, &self.inner.integrity, &policy)?;
        Ok((policy.kid, state.is_none().then_some(LicenseFault::StateLost)))
    }
}

/// A column of bytes.
fn blob<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r [u8], StoreError> {
    Ok(row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from)?)
}

/// The buckets whose rows are not those that the head knows.
pub(in crate::store) fn changed_buckets(
    head: &Head,
    connection: &Connection,
    integrity: &crate::store::integrity::Integrity,
) -> Result<Vec<u8>, StoreError> {
    let mut changed = Vec::new();
    for bucket in 0..=u8::MAX {
        match head.check_bucket(connection, integrity, bucket) {
            Ok(()) => {}
            Err(StoreError::Tampered) => changed.push(bucket),
            Err(error) => return Err(error),
        }
    }
    Ok(changed)
}

/// License IDs of a bucket's rows in a table, whether their codes verify or not.
pub(in crate::store) fn lids(connection: &Connection, table: Table, bucket: u8) -> Result<Vec<Lid>, StoreError> {
    let (first, last) = crate::store::integrity::bucket_bounds(bucket);
    let mut statement = connection.prepare_cached(table.select_bucket())?;
    let mut rows = statement.query((first, last))?;
    let mut lids = Vec::new();
    while let Some(row) = rows.next()? {
        lids.push(Lid::new(fixed(blob(row, 0)?)?));
    }
    Ok(lids)
}
