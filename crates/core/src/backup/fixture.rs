//! Backup files that need no store: what tests of the format are made of.

use super::writer::{BackupWriter, Maker, WriteError};
use std::fs::File;
use wmlicense_testkit::{Asked, NOW, TestDevice, World, content_key, grant, kid};
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::answer::OpenedLicense;
use wmlicense_wire::backup::{DeviceTicket, Header, Item, SectionHeader, SectionKeys, ServiceTicket, Ticket};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{BackupId, StoreId};
use wmlicense_wire::license::State;

/// The store that everything here is made of.
pub(crate) const STORE: StoreId = StoreId::new([0x53; 16]);

/// A signed answer and its licenses.
pub(crate) type Batch = (Vec<u8>, Vec<OpenedLicense>);

/// A signed batch of plain licenses for the key IDs with these numbers.
pub(crate) fn batch(world: &World, device: &TestDevice, numbers: std::ops::Range<u64>) -> Batch {
    let grants: Vec<_> = numbers.map(|n| grant(&world.policy(kid(n)), content_key(kid(n)))).collect();
    let asked = Asked::by(device.device_id, &device.keys);
    world.open(Role::Issuer, &asked, &device.hpke, &world.answer(&world.issuer, &asked, &grants))
}

/// Fresh keys of a section and its tickets.
pub(crate) fn tickets(
    world: &World,
    device: &TestDevice,
    backup_id: BackupId,
    section: u32,
) -> (SectionKeys, SectionHeader) {
    let kept = SectionKeys::random().unwrap();
    let copy = |key: &SecretKey| SecretKey::from_slice(key.as_bytes()).unwrap();
    let copies = || SectionKeys { meta: copy(&kept.meta), content: copy(&kept.content) };
    let own = DeviceTicket { keys: copies(), store_id: STORE };
    let service = ServiceTicket {
        keys: copies(),
        device_id: device.device_id,
        thumbprint: device.thumbprint(),
        user: None,
        created_at: NOW,
    };
    let management = world.directory.by_service(world.management.id, Role::Management).unwrap();
    let backup_key = management.backup_key.as_ref().unwrap();
    let header = SectionHeader {
        device: Ticket::for_device(&device.keys, backup_id, section, &own).unwrap(),
        service: Some(Ticket::for_service(backup_key, backup_id, section, &service).unwrap()),
    };
    (kept, header)
}

/// A backup with one section of these batches a list.
pub(crate) fn backup(world: &World, device: &TestDevice, sections: &[Vec<Batch>]) -> Vec<u8> {
    let backup_id = BackupId::random().unwrap();
    let (keys, headers): (Vec<_>, Vec<_>) =
        (0..sections.len()).map(|section| tickets(world, device, backup_id, section as u32)).unzip();
    let file = tempfile::tempfile().unwrap();
    let maker = Maker { signer: &device.signing, thumbprint: device.thumbprint(), store_id: STORE, created_at: NOW };
    let mut writer = BackupWriter::new(&file, Header { backup_id, sections: headers }).unwrap();
    for (batches, keys) in sections.iter().zip(&keys) {
        writer
            .section::<WriteError>(keys, &maker, |section| {
                section.put(&Item::DeviceCertificate(world.certify(device.device_id, &device.keys)))?;
                for service in world.directory.services() {
                    section.put(&Item::ServiceCertificate(service.bytes.clone()))?;
                }
                section.put(&Item::Title(kid(0), "a title".into()))?;
                for (signed, licenses) in batches {
                    section.put(&Item::Batch(signed.clone()))?;
                    for license in licenses {
                        let state = State::initial(&license.policy);
                        section.put_license(license.index, &license.license, &state, &license.key)?;
                    }
                }
                Ok(())
            })
            .unwrap();
    }
    writer.finish().unwrap();
    read_all(&file)
}

fn read_all(file: &File) -> Vec<u8> {
    use std::os::unix::fs::FileExt as _;
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}
