//! Sections of this device: read, checked and staged without a network.

use super::RestoreError;
use super::ask::Asked;
use super::open::{Opened, Opening, OwnSection};
use crate::backup::reader::{Backup, Entry, LicenseEntry};
use crate::event::LeftOut;
use crate::operation::Context;
use crate::store::{StagedLicense, Staging};
use std::io::{Read, Seek};
use wmlicense_wire::answer::Reason;
use wmlicense_wire::backup::ContentKeys;
use wmlicense_wire::backup::page::PageKey;
use wmlicense_wire::revocation::Revocation;
use wmlicense_wire::status_list::StatusList;

/// Stages every section that this device opens. The footer of each was verified when this returns.
pub(super) fn stage_all<R: Read + Seek>(
    backup: &mut Backup<R>,
    opened: &[Opened],
    staging: &mut Staging,
    asked: &mut Asked,
    context: &Context,
) -> Result<(), RestoreError> {
    let size = backup.size;
    let mut done = 0;
    for section in opened {
        if let Opening::Own(own) = &section.opening {
            let mut local = Local { own, content: ContentKeys::of(&own.ticket.keys.content), staging, asked };
            let may_ask = section.ticket.is_some();
            let summary = backup.read_section(section.section, &own.ticket.keys.meta, own.witness(), &mut |entry| {
                done += entry.len();
                // The last progress comes with the commit.
                if done < size {
                    context.progress(done, size)?
                } else {
                    context.check()?
                }
                local.stage(entry, may_ask)
            })?;
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
    staging: &'a mut Staging,
    asked: &'a mut Asked,
}

impl Local<'_> {
    fn stage(&mut self, entry: Entry<'_>, may_ask: bool) -> Result<(), RestoreError> {
        match entry {
            // What is here was verified under the same authority when the licenses came.
            Entry::ServiceCertificate(_) => {}
            Entry::StatusList(bytes) => {
                // As the certificates, and the footer will say that it was this device that kept it.
                let list = StatusList::read_vouched(bytes).map_err(|error| RestoreError::Corrupt(error.to_string()))?;
                if list.authority != self.own.authority {
                    return Err(RestoreError::Corrupt("a status list of another authority".into()));
                }
                self.staging.put_status_list(list, bytes);
            }
            Entry::LicenseRevocation(bytes) => {
                let verified = Revocation::verify(bytes).map_err(|error| RestoreError::Corrupt(error.to_string()))?;
                self.staging.put_revocation(verified, bytes);
            }
            Entry::Tombstone(tombstone) => {
                if self.own.same_store {
                    self.staging.put_tombstone(tombstone)?;
                }
            }
            Entry::Title(kid, title) => self.staging.put_title(kid, &title)?,
            Entry::Batch(signed) => self.staging.put_batch(self.own.authority, signed)?,
            Entry::License(license) => self.license(&license, None, may_ask)?,
            Entry::Page(page) => {
                let key = page.key(&self.content).map_err(|_| damaged())?;
                for license in &page.licenses {
                    self.license(license, Some(&key), may_ask)?;
                }
            }
        }
        Ok(())
    }

    fn license(
        &mut self,
        license: &LicenseEntry<'_>,
        page: Option<&PageKey>,
        may_ask: bool,
    ) -> Result<(), RestoreError> {
        if self.own.goes_in_offline(license)? {
            self.stage_license(license, page)?;
        } else if !may_ask {
            let kid = license.policy()?.kid;
            self.asked.left_out.push(LeftOut { kid, why: Reason::NotAllowed.into() });
        }
        Ok(())
    }

    fn stage_license(&mut self, entry: &LicenseEntry<'_>, page: Option<&PageKey>) -> Result<(), RestoreError> {
        let key = entry.open(&self.content, page).map_err(|_| damaged())?;
        let (license, state) = (entry.license(), entry.state().ok_or_else(damaged)?);
        let staged = StagedLicense { index: entry.index, license: &license, state: &state, key: &key };
        Ok(self.staging.put_license(&staged)?)
    }
}

fn damaged() -> RestoreError {
    RestoreError::Corrupt("a license's key does not open".into())
}
