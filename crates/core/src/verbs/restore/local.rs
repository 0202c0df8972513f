//! Sections of this device. Each is looked through before the transaction, so that a damaged one is told while the store is as it
//! was: of what this very store wrote the encryption and the footer, of what another store of the device wrote each license, because
//! something may have to be told of it. Callbacks are told before the transaction alone, because they may use the store.

use super::RestoreError;
use super::ask::Asked;
use super::open::{Opened, Opening, OwnSection};
use super::ready::{self, Give, Incoming, Ready, damaged};
use crate::backup::reader::{Backup, Entry, PageEntry};
use crate::event::LeftOut;
use crate::operation::{Cancelled, Context};
use std::collections::HashSet;
use std::io::{Read, Seek};
use wmlicense_wire::answer::Reason;
use wmlicense_wire::backup::ContentKeys;
use wmlicense_wire::backup::page::PageKey;
use wmlicense_wire::revocation::{Revocation, VerifiedRevocation};
use wmlicense_wire::status_list::StatusList;

/// Sections shorter than this in all are not worth a second thread.
const ALONE: u64 = 1 << 20;

/// Reads every section that this device opens to its end, without changing anything, so that what is damaged is told before
/// anybody has to wait for the store, and is in memory at once when it is read again. Of another store's section each item is checked
/// too, and what only a service could give is noted.
pub(super) fn look_through<R: Read + Seek>(
    backup: &mut Backup<R>,
    opened: &[Opened],
    asked: &mut Asked,
    context: &Context,
) -> Result<(), RestoreError> {
    let size = backup.size;
    let mut done = backup.front_len();
    let mut seen = |length: u64| {
        done += length;
        // The last progress comes with the commit.
        if done < size { context.progress(done, size) } else { context.check() }
    };
    seen(0)?;
    for section in opened {
        let Opening::Own(own) = &section.opening else { continue };
        if own.same_store {
            let (meta, device) = (&own.ticket.keys.meta, &own.identity.keys);
            let mut seen = |length| Ok::<(), RestoreError>(seen(length)?);
            own.check(&backup.look_ahead(section.section, meta, device, &mut seen)?)?;
        } else {
            each(backup, std::slice::from_ref(section), &mut |local, entry| {
                seen(entry.len())?;
                local.check(entry, asked)
            })?;
        }
    }
    Ok(())
}

/// Has `commit` take in every section that this device opens, in one transaction: an error of what comes in, that of a footer as
/// well, must undo it. Nothing is told meanwhile.
pub(super) fn put_all<R: Read + Seek + Send, T>(
    backup: &mut Backup<R>,
    opened: &[Opened],
    context: &Context,
    commit: impl FnOnce(Incoming<'_>) -> Result<T, RestoreError>,
) -> Result<T, RestoreError> {
    let own = opened.iter().filter(|section| matches!(section.opening, Opening::Own(_)));
    let length: u64 = own.map(|section| backup.section_len(section.section)).sum();
    let canceller = context.canceller();
    let mut read = |give: &mut Give<'_>| {
        each(backup, opened, &mut |local, entry| {
            if canceller.is_cancelled() {
                return Err(Cancelled.into());
            }
            local.ready(entry)?.map_or(Ok(()), &mut *give)
        })
    };
    if length < ALONE { commit(Incoming::here(&mut read)) } else { ready::beside(&mut read, commit) }
}

/// Gives every entry of the sections that this device opens.
fn each<R: Read + Seek>(
    backup: &mut Backup<R>,
    opened: &[Opened],
    take: &mut dyn FnMut(&Local<'_>, Entry<'_>) -> Result<(), RestoreError>,
) -> Result<(), RestoreError> {
    for section in opened {
        if let Opening::Own(own) = &section.opening {
            let content = ContentKeys::of(&own.ticket.keys.content);
            let local = Local { own, content, may_ask: section.ticket.is_some() };
            let meta = &own.ticket.keys.meta;
            let mut take = |entry: Entry<'_>| take(&local, entry);
            let summary = backup.read_section(section.section, meta, own.witness(), &mut take)?;
            own.check(&summary)?;
        }
    }
    Ok(())
}

struct Local<'a> {
    own: &'a OwnSection,
    content: ContentKeys,
    /// A service can be asked for what does not go in without one.
    may_ask: bool,
}

impl Local<'_> {
    fn check(&self, entry: Entry<'_>, asked: &mut Asked) -> Result<(), RestoreError> {
        let key = self.page_key(&entry)?;
        for license in entry.licenses() {
            if self.own.goes_in_offline(license)? {
                if !license.opens(&self.content, key.as_ref()) || license.state().is_none() {
                    return Err(damaged());
                }
            } else if !self.may_ask {
                let kid = license.policy()?.kid;
                asked.left_out.push(LeftOut { kid, why: Reason::NotAllowed.into() });
            }
        }
        match entry {
            Entry::StatusList(bytes) => self.status_list(bytes).map(|_| ()),
            Entry::LicenseRevocation(bytes) => revocation(bytes).map(|_| ()),
            _ => Ok(()),
        }
    }

    /// What of an entry goes in, its keys opened.
    fn ready(&self, entry: Entry<'_>) -> Result<Option<Ready>, RestoreError> {
        Ok(match entry {
            // What is here was verified under the same authority when the licenses came.
            Entry::ServiceCertificate(_) => None,
            Entry::StatusList(bytes) => Some(Ready::StatusList(Box::new(self.status_list(bytes)?), bytes.to_vec())),
            Entry::LicenseRevocation(bytes) => Some(Ready::Revocation(Box::new(revocation(bytes)?), bytes.to_vec())),
            Entry::Tombstone(bytes) => self.own.same_store.then(|| Ready::Tombstone(bytes.to_vec())),
            Entry::Title(kid, title) => Some(Ready::Title(kid, title)),
            Entry::Batch(signed) => Some(Ready::Batch(self.own.authority, signed.to_vec())),
            Entry::License(entry) => {
                if !self.own.goes_in_offline(&entry)? {
                    return Ok(None);
                }
                let key = entry.open(&self.content, None).map_err(|_| damaged())?;
                let (license, state) = (entry.license(), entry.state().ok_or_else(damaged)?);
                Some(Ready::License { index: entry.index, license, state, key })
            }
            Entry::Page(page) => self.ready_page(&page)?,
        })
    }

    /// The page, or what of it goes in.
    fn ready_page(&self, page: &PageEntry<'_>) -> Result<Option<Ready>, RestoreError> {
        let key = Box::new(page.key(&self.content).map_err(|_| damaged())?);
        let mut left_out = HashSet::new();
        let mut glances = Vec::with_capacity(page.licenses.len());
        for license in &page.licenses {
            if !self.own.goes_in_offline(license)? {
                left_out.insert(license.index);
            } else if license.opens(&self.content, Some(&key)) {
                glances.push(license.glance);
            } else {
                return Err(damaged());
            }
        }
        let rest = match left_out.is_empty() {
            true => Some(page.page.bytes().to_vec()),
            false => page.page.keep(|index| !left_out.contains(&index)),
        };
        Ok(rest.map(|page| Ready::Page { key, page, glances }))
    }

    fn page_key(&self, entry: &Entry<'_>) -> Result<Option<PageKey>, RestoreError> {
        match entry {
            Entry::Page(page) => page.key(&self.content).map(Some).map_err(|_| damaged()),
            _ => Ok(None),
        }
    }

    /// Reads a status list. As the certificates, it was verified here, and the footer says that it was this device that kept it.
    fn status_list(&self, bytes: &[u8]) -> Result<StatusList, RestoreError> {
        let list = StatusList::read_vouched(bytes).map_err(|error| RestoreError::Corrupt(error.to_string()))?;
        if list.authority != self.own.authority {
            return Err(RestoreError::Corrupt("a status list of another authority".into()));
        }
        Ok(list)
    }
}

fn revocation(bytes: &[u8]) -> Result<VerifiedRevocation, RestoreError> {
    Revocation::verify(bytes).map_err(|error| RestoreError::Corrupt(error.to_string()))
}
