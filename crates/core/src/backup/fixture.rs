//! Backup files that need no store: what tests of the format are made of.

use super::writer::{BackupWriter, Maker, WriteError};
use std::fs::File;
use wmlicense_testkit::{Asked, NOW, TestDevice, World, content_key, grant, kid};
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::answer::OpenedLicense;
use wmlicense_wire::backup::page::{PageBuilder, PageKey, PageView};
use wmlicense_wire::backup::{DeviceTicket, Header, Item, SectionHeader, SectionKeys, ServiceTicket, Ticket, Version};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{BackupId, StoreId};
use wmlicense_wire::license::State;
use wmlicense_wire::policy::{BackupRight, Conditions, Policy};

/// The store that everything here is made of.
pub(crate) const STORE: StoreId = StoreId::new([0x53; 16]);

/// Licenses in a page here.
const IN_PAGE: usize = 2;

/// A signed answer and its licenses.
pub(crate) type Batch = (Vec<u8>, Vec<OpenedLicense>);

/// A signed batch of plain licenses for the key IDs with these numbers.
pub(crate) fn batch(world: &World, device: &TestDevice, numbers: std::ops::Range<u64>) -> Batch {
    batch_of(world, device, &numbers.map(|n| world.policy(kid(n))).collect::<Vec<_>>())
}

/// A signed batch for the key IDs with these numbers, the odd ones of licenses that count.
pub(crate) fn mixed_batch(world: &World, device: &TestDevice, numbers: std::ops::Range<u64>) -> Batch {
    let counted = Conditions { count: Some(5), ..Conditions::default() };
    let policy = |n: u64| {
        let stateful = Policy { backup: BackupRight::Stateful, ..world.policy_with(kid(n), counted.clone()) };
        if n % 2 == 1 { stateful } else { world.policy(kid(n)) }
    };
    batch_of(world, device, &numbers.map(policy).collect::<Vec<_>>())
}

fn batch_of(world: &World, device: &TestDevice, policies: &[Policy]) -> Batch {
    let grants: Vec<_> = policies.iter().map(|policy| grant(policy, content_key(policy.kid))).collect();
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

/// A backup with one section of these batches a list, every license in a page with its neighbours.
pub(crate) fn backup(world: &World, device: &TestDevice, sections: &[Vec<Batch>]) -> Vec<u8> {
    backup_of(Version::Pages, world, device, sections)
}

/// As [`backup`], in a file of this version; in one of the earlier every license stands in a record.
pub(crate) fn backup_of(version: Version, world: &World, device: &TestDevice, sections: &[Vec<Batch>]) -> Vec<u8> {
    let backup_id = BackupId::random().unwrap();
    let (keys, headers): (Vec<_>, Vec<_>) =
        (0..sections.len()).map(|section| tickets(world, device, backup_id, section as u32)).unzip();
    let file = tempfile::tempfile().unwrap();
    let maker = Maker { signer: &device.signing, thumbprint: device.thumbprint(), store_id: STORE, created_at: NOW };
    let mut writer = BackupWriter::new(&file, Header { version, backup_id, sections: headers }).unwrap();
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
                    // What has a state stands in records.
                    let in_page = |license: &OpenedLicense| version == Version::Pages && !license.policy.is_stateful();
                    for license in licenses.iter().filter(|license| !in_page(license)) {
                        let state = State::initial(&license.policy);
                        section.put_license(license.index, &license.license, &state, &license.key)?;
                    }
                    let paged: Vec<_> = licenses.iter().filter(|license| in_page(license)).collect();
                    for few in paged.chunks(IN_PAGE) {
                        let key = PageKey::random().unwrap();
                        let page = page(few, &key);
                        section.put_page(&key, &PageView::parse(&page).unwrap())?;
                    }
                }
                Ok(())
            })
            .unwrap();
    }
    writer.finish().unwrap();
    read_all(&file)
}

/// A page of these licenses under `key`.
pub(crate) fn page(licenses: &[&OpenedLicense], key: &PageKey) -> Vec<u8> {
    let mut page = PageBuilder::default();
    for OpenedLicense { index, license, key: inner, .. } in licenses {
        page.push(*index, &license.encode(), &key.wrap(*index, license.policy_hash(), inner)).unwrap();
    }
    page.finish().unwrap()
}

fn read_all(file: &File) -> Vec<u8> {
    use std::os::unix::fs::FileExt as _;
    let mut bytes = vec![0; file.metadata().unwrap().len() as usize];
    file.read_exact_at(&mut bytes, 0).unwrap();
    bytes
}
