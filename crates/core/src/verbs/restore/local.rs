//! Sections of this device: read and checked without a network, then read again into the open transaction of the store. Callbacks
//! are told during the first reading alone, because they may use the store.

use super::RestoreError;
use super::ask::Asked;
use super::open::{Opened, Opening, OwnSection};
use crate::backup::reader::{Backup, Entry, LicenseEntry};
use crate::event::LeftOut;
use crate::operation::Context;
use crate::store::{Putting, StagedLicense};
use std::collections::HashSet;
use std::io::{Read, Seek};
use wmlicense_wire::answer::Reason;
use wmlicense_wire::backup::ContentKeys;
use wmlicense_wire::backup::page::{PageKey, PageView};
use wmlicense_wire::revocation::{Revocation, VerifiedRevocation};
use wmlicense_wire::status_list::StatusList;

/// Reads every section that this device opens to its end, without changing anything: what is not whole is refused, and what only
/// a service could give is noted. The footer of each was verified when this returns.
pub(super) fn check_all<R: Read + Seek>(
    backup: &mut Backup<R>,
    opened: &[Opened],
    asked: &mut Asked,
    context: &Context,
) -> Result<(), RestoreError> {
    let size = backup.size;
    let mut done = 0;
    let mut seen = |entry: &Entry<'_>| {
        done += entry.len();
        // The last progress comes with the commit.
        if done < size { context.progress(done, size) } else { context.check() }
    };
    each(backup, opened, &mut |local, entry| {
        seen(&entry)?;
        local.check(entry, asked)
    })
}

/// Puts every section that this device opens in, in the open transaction of the store. Nothing is told meanwhile, and an error, that
/// of a footer as well, leaves the store as it was.
pub(super) fn put_all<R: Read + Seek>(
    backup: &mut Backup<R>,
    opened: &[Opened],
    putting: &mut Putting<'_>,
    context: &Context,
) -> Result<(), RestoreError> {
    each(backup, opened, &mut |local, entry| {
        context.check()?;
        local.put(entry, putting)
    })
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
            if summary.store_id != own.ticket.store_id {
                return Err(RestoreError::Corrupt("ticket and footer name different stores".into()));
            }
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
                license.open(&self.content, key.as_ref()).map_err(|_| damaged())?;
                license.state().ok_or_else(damaged)?;
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

    fn put(&self, entry: Entry<'_>, putting: &mut Putting<'_>) -> Result<(), RestoreError> {
        match entry {
            // What is here was verified under the same authority when the licenses came.
            Entry::ServiceCertificate(_) => {}
            Entry::StatusList(bytes) => putting.put_status_list(&self.status_list(bytes)?, bytes)?,
            Entry::LicenseRevocation(bytes) => putting.put_revocation(&revocation(bytes)?, bytes)?,
            Entry::Tombstone(tombstone) => {
                if self.own.same_store {
                    putting.put_tombstone(tombstone)?;
                }
            }
            Entry::Title(kid, title) => putting.put_title(kid, &title)?,
            Entry::Batch(signed) => putting.put_batch(self.own.authority, signed)?,
            Entry::License(license) => {
                if self.own.goes_in_offline(&license)? {
                    self.put_license(&license, putting)?;
                }
            }
            Entry::Page(page) => {
                let key = page.key(&self.content).map_err(|_| damaged())?;
                let mut offline = HashSet::new();
                for license in &page.licenses {
                    if self.own.goes_in_offline(license)? {
                        offline.insert(license.index);
                    }
                }
                if offline.len() == page.licenses.len() {
                    putting.put_page(&key, &page.page)?;
                } else if let Some(rest) = page.page.keep(|index| offline.contains(&index)) {
                    putting.put_page(&key, &PageView::parse(&rest).map_err(|_| damaged())?)?;
                }
            }
        }
        Ok(())
    }

    fn page_key(&self, entry: &Entry<'_>) -> Result<Option<PageKey>, RestoreError> {
        match entry {
            Entry::Page(page) => page.key(&self.content).map(Some).map_err(|_| damaged()),
            _ => Ok(None),
        }
    }

    fn put_license(&self, entry: &LicenseEntry<'_>, putting: &mut Putting<'_>) -> Result<(), RestoreError> {
        let key = entry.open(&self.content, None).map_err(|_| damaged())?;
        let (license, state) = (entry.license(), entry.state().ok_or_else(damaged)?);
        let staged = StagedLicense { index: entry.index, license: &license, state: &state, key: &key };
        Ok(putting.put_license(&staged)?)
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

fn damaged() -> RestoreError {
    RestoreError::Corrupt("a license's key does not open".into())
}
