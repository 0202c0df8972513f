//! Who opens which section of a backup: this device, the management service, or nobody.

use super::RestoreError;
use crate::backup::reader::{Backup, LicenseEntry, ReadError, Summary, Witness};
use crate::client::Client;
use crate::device::DeviceIdentity;
use crate::operation::Context;
use crate::store::is_own_section;
use std::io::{Read, Seek};
use std::sync::Arc;
use wmlicense_wire::backup::{DeviceTicket, SectionHeader, Ticket};
use wmlicense_wire::id::{BackupId, Digest};

/// A section and who opens it.
pub(super) struct Opened {
    /// Index in the header.
    pub(super) section: u32,
    pub(super) opening: Opening,
    /// The section's service ticket.
    pub(super) ticket: Option<Ticket>,
}

/// Who opens a section.
pub(super) enum Opening {
    /// This device.
    Own(Box<OwnSection>),
    /// The management service.
    Service,
    /// Nobody here.
    Closed,
}

/// A section that this device's keys open.
pub(super) struct OwnSection {
    pub(super) authority: Digest,
    pub(super) identity: Arc<DeviceIdentity>,
    pub(super) ticket: DeviceTicket,
    /// The section was made of this very store: state and tombstones in it are this store's own.
    pub(super) same_store: bool,
    /// Licenses that the service must be asked for although the device opens them.
    pub(super) to_ask: u64,
    /// Some license goes in without the service.
    pub(super) offers_offline: bool,
}

impl OwnSection {
    /// True if a license goes in without the service: what this store itself wrote down, or what nobody can use up and
    /// nobody can revoke.
    pub(super) fn goes_in_offline(&self, license: &LicenseEntry<'_>) -> Result<bool, ReadError> {
        if self.same_store {
            return Ok(true);
        }
        let policy = license.policy()?;
        Ok(!policy.is_stateful() && policy.revocation_key.is_none())
    }

    /// Fails where the section's footer is of another store than its ticket.
    pub(super) fn check(&self, summary: &Summary) -> Result<(), RestoreError> {
        if summary.store_id == self.ticket.store_id {
            return Ok(());
        }
        Err(RestoreError::Corrupt("ticket and footer name different stores".into()))
    }

    /// Whose signature the section's footer has.
    pub(super) fn witness(&self) -> Witness<'_> {
        Witness::Own(&self.identity.keys)
    }
}

impl Opened {
    /// True if something of the section goes in without the service.
    pub(super) fn offers_offline(&self) -> bool {
        matches!(&self.opening, Opening::Own(own) if own.offers_offline)
    }

    /// True if the management service must be asked for the section or a part of it.
    pub(super) fn needs_service(&self) -> bool {
        match &self.opening {
            Opening::Own(own) => own.to_ask > 0 && self.ticket.is_some(),
            Opening::Service => true,
            Opening::Closed => false,
        }
    }
}

/// Finds out for every section who opens it.
pub(super) fn open_sections<R: Read + Seek>(
    client: &Client,
    backup: &mut Backup<R>,
    context: &Context,
) -> Result<Vec<Opened>, RestoreError> {
    let headers = backup.header.sections.clone();
    let identities = client.device.all_identities();
    let mut opened = Vec::with_capacity(headers.len());
    for (section, header) in (0..).zip(headers) {
        context.check()?;
        let opening = match open_as_device(&header, &identities, backup.header.backup_id, section)? {
            Some((authority, identity, ticket)) => {
                let same_store = is_own_section(&ticket, &client.store)?;
                let mut own =
                    OwnSection { authority, identity, ticket, same_store, to_ask: 0, offers_offline: same_store };
                if !same_store {
                    (own.to_ask, own.offers_offline) = count_to_ask(backup, section, &own, context)?;
                }
                Opening::Own(Box::new(own))
            }
            None if header.service.is_some() => Opening::Service,
            None => Opening::Closed,
        };
        opened.push(Opened { section, opening, ticket: header.service });
    }
    Ok(opened)
}

type Own = (Digest, Arc<DeviceIdentity>, DeviceTicket);

/// Opens a ticket with whichever of the device's keys it is for. A ticket that names our key and does not open is damaged,
/// and so is one that opens although it names another.
fn open_as_device(
    header: &SectionHeader,
    identities: &[(Digest, Arc<DeviceIdentity>)],
    backup_id: BackupId,
    section: u32,
) -> Result<Option<Own>, RestoreError> {
    for (authority, identity) in identities {
        let is_named = header.device.recipient == identity.keys.thumbprint();
        match (is_named, header.device.open_as_device(&identity.hpke, backup_id, section)) {
            (true, Ok(ticket)) => return Ok(Some((*authority, Arc::clone(identity), ticket))),
            (true, Err(error)) => return Err(ReadError::from(error).into()),
            (false, Ok(_)) => return Err(RestoreError::Corrupt("a ticket names another key than it is for".into())),
            (false, Err(_)) => {}
        }
    }
    Ok(None)
}

/// Reads a section of another store of this device and counts the licenses that do not go in offline; says too whether some
/// do.
fn count_to_ask<R: Read + Seek>(
    backup: &mut Backup<R>,
    section: u32,
    own: &OwnSection,
    context: &Context,
) -> Result<(u64, bool), RestoreError> {
    let (mut count, mut offers_offline) = (0, false);
    backup.read_section(section, &own.ticket.keys.meta, own.witness(), &mut |entry| {
        for license in entry.licenses() {
            let offline = own.goes_in_offline(license)?;
            count += u64::from(!offline);
            offers_offline |= offline;
        }
        Ok::<(), RestoreError>(context.check()?)
    })?;
    Ok((count, offers_offline))
}
