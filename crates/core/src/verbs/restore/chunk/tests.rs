//! Chunks are filled to what services and proxies take, and halved without losing or doubling a license.

use super::*;
use crate::backup::fixture;
use crate::backup::reader::{Backup, Entry, ReadError, Witness};
use std::io::Cursor;
use wmlicense_testkit::{TestDevice, World};
use wmlicense_wire::backup::Version;

/// Shows every entry of a backup with two batches of five plain licenses each.
fn each_entry(version: Version, visit: &mut dyn FnMut(&Entry<'_>)) {
    let (world, device) = (World::new(), TestDevice::new());
    let batches = vec![fixture::batch(&world, &device, 0..5), fixture::batch(&world, &device, 5..10)];
    let bytes = fixture::backup_of(version, &world, &device, &[batches]);
    let mut backup = Backup::open(Cursor::new(bytes)).unwrap();
    let (id, ticket) = (backup.header.backup_id, backup.header.sections[0].device.clone());
    let meta = ticket.open_as_device(&device.hpke, id, 0).unwrap().keys.meta;
    let read = backup.read_section(0, &meta, Witness::Own(&device.keys), &mut |entry| {
        visit(&entry);
        Ok::<(), ReadError>(())
    });
    read.unwrap();
}

type Visit<'v> = dyn FnMut(&mut Chunk, &LicenseEntry<'_>, Option<&PageEntry<'_>>, &Policy, &[u8]) + 'v;

/// Calls `each` with every license, its page, its policy and its batch, after `chunk` was told of the batch.
fn each_license(version: Version, chunk: &mut Chunk, each: &mut Visit<'_>) {
    let mut signed = Vec::new();
    each_entry(version, &mut |entry| {
        if let Entry::Batch(bytes) = entry {
            signed = bytes.to_vec();
            chunk.begin_batch();
        }
        let page = if let Entry::Page(page) = entry { Some(page) } else { None };
        for license in entry.licenses() {
            each(chunk, license, page, &license.policy().unwrap(), &signed);
        }
    });
}

/// A chunk of all licenses.
fn whole(version: Version) -> Chunk {
    let mut chunk = Chunk::default();
    each_license(version, &mut chunk, &mut |chunk, license, page, policy, signed| {
        assert!(chunk.has_room(license, page, signed));
        chunk.add(license, page, policy, signed);
    });
    chunk
}

/// The places in the manifests of a request's licenses, in order, by batch.
fn places(batches: &[RestoreBatch]) -> Vec<Vec<u32>> {
    let content = wmlicense_wire::backup::ContentKeys::of(&wmlicense_wire::aead::SecretKey::random().unwrap());
    let of = |batch: &RestoreBatch| {
        batch.licenses(&content).unwrap().iter().map(|license| license.manifest_index()).collect()
    };
    batches.iter().map(of).collect()
}

#[test]
fn what_is_asked_for_is_what_was_added_and_no_longer_than_it_was_counted() {
    for version in [Version::Records, Version::Pages] {
        let chunk = whole(version);
        let batches = chunk.batches();
        assert_eq!((chunk.count(), chunk.licenses().len(), batches.len()), (10, 10, 2));
        assert_eq!(places(&batches), [[0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]);
        let records: usize = batches.iter().map(|batch| batch.records.len()).sum();
        let pages: Vec<_> = batches.iter().flat_map(|batch| &batch.pages).map(|page| page.number).collect();
        match version {
            Version::Records => assert!(records == 10 && pages.is_empty()),
            Version::Pages => assert!(records == 0 && pages == [0, 1, 2, 3, 4, 5]),
        }
        let sent = |batch: &RestoreBatch| {
            let records: usize = batch.records.iter().map(|record| record.len() + 5).sum();
            let pages: usize = batch.pages.iter().map(|page| page.page.len() + page.wrapped_key.len() + 14).sum();
            batch.signed.len() + 12 + records + pages
        };
        let sent: usize = batches.iter().map(sent).sum();
        assert!(sent <= chunk.bytes() && chunk.bytes() < sent + 100 * 20, "{sent} of {}", chunk.bytes());
    }
}

#[test]
fn halves_have_every_license_once_down_to_single_ones() {
    for version in [Version::Records, Version::Pages] {
        let chunk = whole(version);
        let all = chunk.licenses();
        let (mut waiting, mut single) = (vec![chunk], Vec::new());
        while let Some(chunk) = waiting.pop() {
            assert_eq!(chunk.licenses().len(), chunk.count());
            let batches = chunk.batches();
            assert_eq!(places(&batches).concat().len(), chunk.count());
            assert!(batches.iter().all(|batch| !batch.records.is_empty() || !batch.pages.is_empty()));
            if chunk.count() == 1 {
                single.extend(chunk.licenses());
            } else {
                let (bytes, count) = (chunk.bytes(), chunk.count());
                let (first, second) = chunk.halves();
                assert_eq!((first.count(), second.count()), (count / 2, count - count / 2));
                assert!(first.bytes() < bytes && second.bytes() < bytes);
                waiting.extend([second, first]);
            }
        }
        assert_eq!(single, all);
    }
}

#[test]
fn a_request_is_filled_to_its_last_byte_and_not_over_it() {
    for version in [Version::Records, Version::Pages] {
        let mut seen = 0;
        each_license(version, &mut Chunk::default(), &mut |chunk, license, page, policy, signed| {
            seen += 1;
            if seen > 1 {
                let (before, cost) = (chunk.bytes, chunk.cost_of(license, page, signed));
                chunk.bytes = MAX_BYTES - cost;
                assert!(chunk.has_room(license, page, signed));
                chunk.bytes += 1;
                assert!(!chunk.has_room(license, page, signed));
                chunk.bytes = before;
                assert!(chunk.named || cost > signed.len(), "the first license of a batch brings the batch along");
            }
            chunk.add(license, page, policy, signed);
            assert_eq!(chunk.bytes, chunk.parts.iter().map(Part::cost).sum::<usize>(), "{seen}");
        });
        assert_eq!(seen, 10);
    }
}

#[test]
fn a_request_names_no_more_licenses_than_a_service_takes() {
    each_license(Version::Pages, &mut Chunk::default(), &mut |chunk, license, page, policy, signed| {
        if chunk.is_empty() {
            chunk.add(license, page, policy, signed);
            chunk.count = MAX_LICENSES - 1;
        }
        assert!(chunk.has_room(license, page, signed));
        chunk.count += 1;
        assert!(!chunk.has_room(license, page, signed));
        chunk.count -= 1;
    });
}

#[test]
fn a_license_whose_batch_fills_a_request_goes_alone() {
    let signed = vec![0; MAX_BYTES];
    each_license(Version::Records, &mut Chunk::default(), &mut |chunk, license, page, policy, _| {
        if chunk.is_empty() {
            assert!(chunk.has_room(license, page, &signed));
            chunk.add(license, page, policy, &signed);
        }
        assert!(!chunk.has_room(license, page, &signed));
    });
}
