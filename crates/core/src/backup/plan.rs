//! What a backup will consist of: its sections, their fresh keys, who may open them, and what stands before the licenses.

use super::BackupError;
use super::writer::Maker;
use crate::client::Client;
use crate::device::DeviceIdentity;
use crate::store::{Section, Snapshot, Store};
use std::sync::Arc;
use wmlicense_wire::backup::{
    DeviceTicket, Header, MAX_SECTIONS, SectionHeader, SectionKeys, ServiceTicket, Ticket, Version,
};
use wmlicense_wire::certificate::{BackupKey, Directory, Role};
use wmlicense_wire::id::{BackupId, DeviceId, Kid, StoreId};
use wmlicense_wire::key::KeyError;

impl From<KeyError> for BackupError {
    fn from(_: KeyError) -> Self {
        Self::Keys
    }
}

/// One backup.
pub(super) struct Plan {
    backup_id: BackupId,
    store_id: StoreId,
    created_at: i64,
    pub(super) sections: Vec<SectionPlan>,
}

/// One section of it.
pub(super) struct SectionPlan {
    pub(super) section: Section,
    pub(super) keys: SectionKeys,
    identity: Arc<DeviceIdentity>,
    header: SectionHeader,
    pub(super) device_certificate: Vec<u8>,
    pub(super) directory: Arc<Directory>,
    pub(super) status_list: Option<Vec<u8>>,
    pub(super) revocations: Vec<Vec<u8>>,
    pub(super) tombstones: Vec<Vec<u8>>,
    pub(super) titles: Vec<(Kid, String)>,
}

impl Plan {
    pub(super) fn of(client: &Client, snapshot: &Snapshot) -> Result<Self, BackupError> {
        let backup_id = BackupId::random().map_err(|_| BackupError::Keys)?;
        let mut plan =
            Self { backup_id, store_id: client.store.id()?, created_at: client.clock.now(), sections: Vec::new() };
        let titles = snapshot.titles()?;
        let sections = snapshot.sections()?;
        if sections.len() > MAX_SECTIONS {
            let message = "the licenses belong to more accounts and services than one backup can hold";
            return Err(BackupError::Place(std::io::Error::other(message)));
        }
        for section in sections {
            let index = plan.sections.len() as u32;
            let mut section = plan.section(client, index, section)?;
            section.titles = titles_of(&client.store, &section.section, &titles)?;
            section.status_list = snapshot.status_list(section.section.authority)?;
            plan.sections.push(section);
        }
        // Tombstones and revocations count on this device only, which opens every section: one is enough to carry them, and
        // the first is one without a service where there is any.
        if let Some(first) = plan.sections.first_mut() {
            first.revocations = snapshot.revocations()?;
            first.tombstones = snapshot.tombstones()?;
        }
        Ok(plan)
    }

    fn section(&self, client: &Client, index: u32, section: Section) -> Result<SectionPlan, BackupError> {
        let certificate = client.store.device_certificate(section.authority)?.ok_or(BackupError::Keys)?;
        let identity = client.device.identity_of(section.authority, &certificate.keys, &client.log);
        let identity = identity.ok_or(BackupError::Keys)?;
        let directory = client.store.directory(section.authority)?.ok_or(BackupError::Keys)?;
        let keys = SectionKeys::random().map_err(|_| BackupError::Keys)?;
        let own = DeviceTicket { keys: copy(&keys)?, store_id: self.store_id };
        let device = Ticket::for_device(&identity.keys, self.backup_id, index, &own)?;
        let service = match backup_key(&directory, &section, self.created_at) {
            None => None,
            Some(recipient) => {
                let ticket = self.service_ticket(&keys, certificate.device_id, &identity, &section)?;
                Some(Ticket::for_service(recipient, self.backup_id, index, &ticket)?)
            }
        };
        Ok(SectionPlan {
            section,
            keys,
            identity,
            header: SectionHeader { device, service },
            device_certificate: certificate.bytes,
            directory,
            status_list: None,
            revocations: Vec::new(),
            tombstones: Vec::new(),
            titles: Vec::new(),
        })
    }

    fn service_ticket(
        &self,
        keys: &SectionKeys,
        device_id: DeviceId,
        identity: &DeviceIdentity,
        section: &Section,
    ) -> Result<ServiceTicket, BackupError> {
        Ok(ServiceTicket {
            keys: copy(keys)?,
            device_id,
            thumbprint: identity.keys.thumbprint(),
            user: section.user,
            created_at: self.created_at,
        })
    }

    pub(super) fn header(&self) -> Header {
        let sections = self.sections.iter().map(|section| section.header.clone()).collect();
        Header { version: Version::Pages, backup_id: self.backup_id, sections }
    }

    pub(super) fn maker<'p>(&self, section: &'p SectionPlan) -> Maker<'p> {
        Maker {
            signer: &section.identity.signing,
            thumbprint: section.identity.keys.thumbprint(),
            store_id: self.store_id,
            created_at: self.created_at,
        }
    }
}

/// A second copy of a section's keys, for a ticket.
fn copy(keys: &SectionKeys) -> Result<SectionKeys, BackupError> {
    use wmlicense_wire::aead::SecretKey;
    let copy = |key: &SecretKey| SecretKey::from_slice(key.as_bytes()).ok_or(BackupError::Keys);
    Ok(SectionKeys { meta: copy(&keys.meta)?, content: copy(&keys.content)? })
}

/// The key of the section's management service, from the certificates that came with the licenses. A certificate whose
/// signing validity ended still counts until the date of its HPKE key.
fn backup_key<'d>(directory: &'d Directory, section: &Section, now: i64) -> Option<&'d BackupKey> {
    let management = section.management?;
    directory
        .services()
        .iter()
        .filter(|service| service.service_id == management && service.role == Role::Management)
        .filter_map(|service| service.backup_key.as_ref())
        .filter(|key| now < key.until)
        .max_by_key(|key| key.until)
}

/// The titles of key IDs that have a license in the section: no service reads what belongs to another's.
fn titles_of(store: &Store, section: &Section, titles: &[(Kid, String)]) -> Result<Vec<(Kid, String)>, BackupError> {
    let mut taken = Vec::new();
    for (kid, title) in titles.iter() {
        let in_section = |license: &crate::license::StoredLicense| {
            (license.policy.management, license.policy.user) == (section.management, section.user)
        };
        if store.licenses(*kid)?.iter().any(in_section) {
            taken.push((*kid, title.clone()));
        }
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wmlicense_testkit::{NOW, World, service_claims};
    use wmlicense_wire::certificate::{ServiceCertificate, ServiceClaims};
    use wmlicense_wire::id::ServiceId;
    use wmlicense_wire::kem::{HpkePrivateKey, Suite};
    use wmlicense_wire::key::SigningKey;

    #[test]
    fn a_section_is_sealed_to_its_own_management_service_as_long_as_that_has_a_key() {
        let world = World::new();
        let section = |management| Section { authority: world.pin(), management, user: None };
        let key = |management, now| backup_key(&world.directory, &section(management), now).map(|key| key.key.key_id());
        let own = Some(world.management.id);
        let until = world.management.certificate.backup_key.as_ref().unwrap().until;
        assert_eq!(key(own, NOW), Some(world.backup_key.public_key().key_id()));
        assert!(key(own, until - 1).is_some() && key(own, until).is_none());
        for other in [None, Some(ServiceId::new([9; 16])), Some(world.issuer.id)] {
            assert_eq!(key(other, NOW), None);
        }
        assert!(backup_key(&Directory::new(world.authority.clone()), &section(own), NOW).is_none());
    }

    #[test]
    fn a_key_that_a_service_of_another_role_has_under_the_same_name_opens_no_backup() {
        let world = World::new();
        let certified = world.management.certificate.backup_key.as_ref().unwrap();
        let other = HpkePrivateKey::generate(Suite::XWing).unwrap();
        let later = BackupKey { key: other.public_key().clone(), until: certified.until + 1 };
        let key = SigningKey::generate().unwrap();
        let claims = ServiceClaims {
            name: Role::Management.name(),
            backup_key: Some(&later),
            ..service_claims(&key, Role::Issuer, NOW)
        };
        let mut directory = world.directory.clone();
        directory
            .add(&ServiceCertificate::issue(&claims, world.authority.hash, &world.authority_key).unwrap())
            .unwrap();
        let section = Section { authority: world.pin(), management: Some(world.management.id), user: None };
        assert_eq!(directory.services().last().unwrap().service_id, world.management.id);
        assert_eq!(backup_key(&directory, &section, NOW).unwrap().key.key_id(), certified.key.key_id());
    }
}
