//! Whole backups come back; changed, cut, reordered, spliced and foreign ones are refused.

mod ahead;
mod forged;
mod pages;

use super::*;
use crate::backup::fixture::{STORE, backup, backup_of, batch, mixed_batch};
use std::io::Cursor;
use wmlicense_testkit::{NOW, TestDevice, World, content_key};
use wmlicense_wire::backup::{ContentKeys, DeviceTicket, SectionHeader};
use wmlicense_wire::id::Kid;

/// What a backup gave: (KID, key) of each license.
type Licenses = Vec<(Kid, Vec<u8>)>;

/// Opens every section with the device's own key and reads it wholly, as a restore on the same device does.
fn read(bytes: &[u8], device: &TestDevice) -> Result<Licenses, ReadError> {
    let backup = Backup::open(Cursor::new(bytes))?;
    let tickets = open_tickets(&backup, device)?;
    read_sections(backup, &tickets, device)
}

fn open_tickets(backup: &Backup<Cursor<&[u8]>>, device: &TestDevice) -> Result<Vec<DeviceTicket>, ReadError> {
    let open = |(section, header): (usize, &SectionHeader)| {
        if header.device.recipient != device.thumbprint() {
            return Err(corrupt("another device's"));
        }
        Ok(header.device.open_as_device(&device.hpke, backup.header.backup_id, section as u32)?)
    };
    backup.header.sections.iter().enumerate().map(open).collect()
}

fn read_sections<R: Read + Seek>(
    mut backup: Backup<R>,
    tickets: &[DeviceTicket],
    device: &TestDevice,
) -> Result<Licenses, ReadError> {
    let mut licenses = Vec::new();
    for (section, ticket) in tickets.iter().enumerate() {
        let content = ContentKeys::of(&ticket.keys.content);
        let witness = Witness::Own(&device.keys);
        let summary = backup.read_section(section as u32, &ticket.keys.meta, witness, &mut |entry| {
            let page = match &entry {
                Entry::Page(page) => Some(page.key(&content).map_err(|_| corrupt("key of a page"))?),
                _ => None,
            };
            for license in entry.licenses() {
                let key = license.open(&content, page.as_ref()).map_err(|_| corrupt("key"))?;
                licenses.push((license.policy()?.kid, key.as_bytes().to_vec()));
            }
            Ok::<(), ReadError>(())
        })?;
        assert_eq!((summary.store_id, summary.created_at), (STORE, NOW));
    }
    Ok(licenses)
}

/// As [`is_refused`] for a file whose header is as it was made: the tickets need not be opened again.
fn is_refused_behind_the_header(bytes: &[u8], tickets: &[DeviceTicket], device: &TestDevice) -> bool {
    let licenses = Backup::open(Cursor::new(bytes)).and_then(|backup| read_sections(backup, tickets, device));
    matches!(licenses, Err(ReadError::Corrupt(_)))
}

fn is_refused(bytes: &[u8], device: &TestDevice) -> bool {
    matches!(read(bytes, device), Err(ReadError::Corrupt(_) | ReadError::TooNew))
}

/// Two licenses in a page and one that counts in a record.
fn small(world: &World, device: &TestDevice) -> Vec<u8> {
    small_of(Version::Pages, world, device)
}

fn small_of(version: Version, world: &World, device: &TestDevice) -> Vec<u8> {
    backup_of(version, world, device, &[vec![mixed_batch(world, device, 0..3)]])
}

/// Offset of the first section's length in a file.
fn sections_start(bytes: &[u8]) -> usize {
    12 + u32::from_be_bytes(bytes[8..12].try_into().unwrap()) as usize
}

#[test]
fn every_license_of_every_section_and_batch_comes_back_with_its_key() {
    let (world, device) = (World::new(), TestDevice::new());
    for version in [Version::Records, Version::Pages] {
        // The second batch keeps only some of its licenses: manifest indices have gaps.
        let mut gaps = mixed_batch(&world, &device, 10..60);
        gaps.1.retain(|license| license.index % 3 == 1);
        let sections = [vec![batch(&world, &device, 0..3), gaps], vec![], vec![batch(&world, &device, 100..101)]];
        let bytes = backup_of(version, &world, &device, &sections);
        let licenses = read(&bytes, &device).unwrap();
        assert_eq!(licenses.len(), 3 + 17 + 1);
        assert!(licenses.iter().all(|(kid, key)| content_key(*kid)[..] == key[..]));
        assert!(is_refused(&bytes, &TestDevice::new()), "another device opens nothing");
    }
}

#[test]
fn a_backup_without_sections_is_whole() {
    let (world, device) = (World::new(), TestDevice::new());
    let bytes = backup(&world, &device, &[]);
    assert!(read(&bytes, &device).unwrap().is_empty());
    assert!(is_refused(&[&bytes[..], &[0]].concat(), &device));
}

#[test]
fn every_changed_byte_is_found() {
    every_changed_byte_of(Version::Pages);
}

#[test]
fn every_changed_byte_of_an_earlier_file_is_found() {
    every_changed_byte_of(Version::Records);
}

fn every_changed_byte_of(version: Version) {
    let (world, device) = (World::new(), TestDevice::new());
    let bytes = small_of(version, &world, &device);
    assert_eq!(read(&bytes, &device).unwrap().len(), 3);
    let start = sections_start(&bytes);
    let tickets = open_tickets(&Backup::open(Cursor::new(&bytes[..])).unwrap(), &device).unwrap();
    in_parallel(bytes.len(), &|index| {
        let mut changed = bytes.clone();
        changed[index] ^= 1 << (index % 8);
        let refused = match index < start {
            true => is_refused(&changed, &device),
            false => is_refused_behind_the_header(&changed, &tickets, &device),
        };
        assert!(refused, "byte {index} of {}", bytes.len());
    });
}

#[test]
fn every_truncation_and_every_extension_is_found() {
    let (world, device) = (World::new(), TestDevice::new());
    let bytes = small(&world, &device);
    in_parallel(bytes.len(), &|length| assert!(is_refused(&bytes[..length], &device), "cut to {length}"));
    for more in [1, 8, 16, 100_000] {
        assert!(is_refused(&[&bytes[..], &vec![0; more]].concat(), &device));
    }
    // Cut, with a section length that says so: the last chunk is missing.
    let start = sections_start(&bytes);
    let tickets = open_tickets(&Backup::open(Cursor::new(&bytes[..])).unwrap(), &device).unwrap();
    in_parallel(bytes.len() - start - 8, &|missing| {
        let mut cut = bytes[..bytes.len() - 1 - missing].to_vec();
        let length = (cut.len() - start - 8) as u64;
        cut[start..start + 8].copy_from_slice(&length.to_be_bytes());
        assert!(is_refused_behind_the_header(&cut, &tickets, &device), "consistently cut by {}", missing + 1);
    });
}

/// Runs `test` for every index below `count` on all cores.
fn in_parallel(count: usize, test: &(dyn Fn(usize) + Sync)) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || (thread..count).step_by(threads).for_each(test));
        }
    });
}

#[test]
fn swapped_dropped_and_doubled_sections_are_found() {
    let (world, device) = (World::new(), TestDevice::new());
    let bytes = backup(&world, &device, &[vec![batch(&world, &device, 0..1)], vec![batch(&world, &device, 1..2)]]);
    assert_eq!(read(&bytes, &device).unwrap().len(), 2);
    let start = sections_start(&bytes);
    let length = u64::from_be_bytes(bytes[start..start + 8].try_into().unwrap()) as usize;
    let (header, sections) = bytes.split_at(start);
    let (first, second) = sections.split_at(8 + length);
    assert_eq!(first.len(), second.len());
    for forged in [vec![second, first], vec![first], vec![second], vec![first, first], vec![first, second, second]] {
        assert!(is_refused(&[header, &forged.concat()].concat(), &device));
    }
}

#[test]
fn two_backups_spliced_together_are_found() {
    let (world, device) = (World::new(), TestDevice::new());
    let (one, other) = (small(&world, &device), small(&world, &device));
    assert_eq!(one.len(), other.len());
    let start = sections_start(&one);
    assert!(is_refused(&[&one[..start], &other[start..]].concat(), &device));
    // Chunk by chunk: each belongs to its own salt.
    let data = start + 8 + 56;
    for chunk in 0..(one.len() - data).div_ceil(16 * 1024 + 16) {
        let from = data + chunk * (16 * 1024 + 16);
        let to = (from + 16 * 1024 + 16).min(one.len());
        let spliced = [&one[..from], &other[from..to], &one[to..]].concat();
        assert!(is_refused(&spliced, &device), "chunk {chunk}");
    }
}

#[test]
fn a_header_that_lies_about_lengths_is_refused_before_memory_is_taken() {
    let (world, device) = (World::new(), TestDevice::new());
    let bytes = small(&world, &device);
    let start = sections_start(&bytes);
    for length in [0, 1, 55, 56, 71, u64::MAX, u64::MAX - start as u64 - 8, 10 << 30] {
        let mut lying = bytes.clone();
        lying[start..start + 8].copy_from_slice(&length.to_be_bytes());
        assert!(is_refused(&lying, &device), "{length}");
    }
    for length in [0, 1, 1 << 20, (1 << 20) + 1, u32::MAX] {
        let mut lying = bytes.clone();
        lying[8..12].copy_from_slice(&length.to_be_bytes());
        assert!(is_refused(&lying, &device), "{length}");
    }
    assert!(is_refused(b"", &device) && is_refused(b"WMBACKUP", &device));
    // Each is found before anything is read for it.
    let said = |at: usize, bytes_of_length: &[u8]| {
        let mut lying = bytes.clone();
        lying[at..at + bytes_of_length.len()].copy_from_slice(bytes_of_length);
        read(&lying, &device).unwrap_err().to_string()
    };
    let size = bytes.len() as u32;
    assert_eq!(said(8, &(size + 1).to_be_bytes()), "the header is longer than the file");
    assert_eq!(said(8, &size.to_be_bytes()), "the file is cut short");
    assert_eq!(said(start, &(u64::from(size) - start as u64 - 7).to_be_bytes()), "a section is cut short");
    assert_eq!(said(start, &(u64::from(size) - start as u64 - 9).to_be_bytes()), "bytes follow the last section");
}

#[test]
fn a_section_is_as_long_as_its_data_and_one_that_is_not_there_is_nothing() {
    let (world, device) = (World::new(), TestDevice::new());
    let bytes = small(&world, &device);
    let mut backup = Backup::open(Cursor::new(&bytes[..])).unwrap();
    assert_eq!(backup.section_len(0), (bytes.len() - sections_start(&bytes) - 8) as u64);
    assert_eq!(backup.section_len(1), 0);
    let meta = open_tickets(&backup, &device).unwrap().remove(0).keys.meta;
    let missing = backup.read_section(1, &meta, Witness::Own(&device.keys), &mut |_| Ok::<(), ReadError>(()));
    assert!(matches!(missing, Err(ReadError::Corrupt(reason)) if reason == "there is no such section"));
}

#[test]
fn a_device_that_an_authority_certified_is_believed_by_the_certificates_in_the_section() {
    let (world, device) = (World::new(), TestDevice::new());
    let bytes = small(&world, &device);
    let read = |witness: Witness<'_>| {
        let mut backup = Backup::open(Cursor::new(&bytes[..])).unwrap();
        let meta = open_tickets(&backup, &device).unwrap().remove(0).keys.meta;
        let mut entries = 0;
        let mut visit = |entry: Entry<'_>| {
            entries += entry.len();
            Ok::<(), ReadError>(())
        };
        backup.read_section(0, &meta, witness, &mut visit).map(|_| entries)
    };
    let certified = |world: &World| read(Witness::Certified(Directory::new(world.authority.clone())));
    // The authority alone is known before: who certified the device stands in the section.
    assert_eq!(certified(&world).unwrap(), read(Witness::Own(&device.keys)).unwrap());
    assert!(matches!(certified(&World::new()), Err(ReadError::Corrupt(_))));
}

#[test]
fn an_entry_is_about_as_long_as_what_it_holds() {
    let kid = Kid::new([1; 16]);
    assert_eq!(Entry::Title(kid, "a title".into()).len(), 23);
    assert_eq!(Entry::Tombstone(&[0; 5]).len(), 5);
    assert_eq!(Entry::Batch(&[0; 9]).len(), 9);
}

#[test]
fn a_later_version_is_told_apart_from_damage() {
    let (world, device) = (World::new(), TestDevice::new());
    let bytes = small(&world, &device);
    // Key 10 of the header's map: the version.
    let at = 12 + 2;
    assert_eq!(bytes[12..15], [0xa3, 10, 2]);
    let with_version = |version: u8| {
        let mut changed = bytes.clone();
        changed[at] = version;
        read(&changed, &device).unwrap_err()
    };
    assert!(matches!(with_version(3), ReadError::TooNew));
    // The tickets are of the version as well: the header's hash is in all that is sealed.
    assert!(matches!(with_version(1), ReadError::Corrupt(_)));
    assert!(matches!(with_version(0), ReadError::Corrupt(_)));
}

#[test]
fn ten_gigabytes_of_nothing_are_refused_at_once() {
    let (world, device) = (World::new(), TestDevice::new());
    let bytes = small(&world, &device);
    let file = tempfile::tempfile().unwrap();
    let refused = |whole: &[u8], size: u64| {
        std::os::unix::fs::FileExt::write_all_at(&file, whole, 0).unwrap();
        file.set_len(size).unwrap();
        let tickets = open_tickets(&Backup::open(Cursor::new(&bytes[..])).unwrap(), &device).unwrap();
        let opened = Backup::open(file.try_clone().unwrap());
        matches!(opened.and_then(|backup| read_sections(backup, &tickets, &device)), Err(ReadError::Corrupt(_)))
    };
    // Nothing at all; a whole backup and nothing; a section whose length takes the nothing in.
    const SIZE: u64 = 10 << 30;
    let start = sections_start(&bytes);
    let mut longer = bytes.clone();
    longer[start..start + 8].copy_from_slice(&(SIZE - start as u64 - 8).to_be_bytes());
    assert!(refused(&vec![0; bytes.len()], SIZE));
    assert!(refused(&bytes, SIZE));
    assert!(refused(&longer, SIZE));
    assert!(refused(&longer[..start + 8 + 56], SIZE));
}
