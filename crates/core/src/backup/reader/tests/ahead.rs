//! What a look ahead finds, and that it goes by nothing but the encryption and the footer.

use super::forged::{Parts, take_apart};
use super::*;
use wmlicense_testkit::kid;
use wmlicense_wire::backup::Item;
use wmlicense_wire::chunked::CHUNK_LEN;
use wmlicense_wire::id::BackupId;

/// A section of several chunks.
const LICENSES: u64 = 120;

fn made(world: &World, device: &TestDevice) -> Vec<u8> {
    backup(world, device, &[vec![mixed_batch(world, device, 0..LICENSES)]])
}

/// What a look ahead at the only section says, which tells of all its plain bytes.
fn looked(bytes: &[u8], parts: &Parts, device: &TestDevice) -> Result<Summary, ReadError> {
    let mut backup = Backup::open(Cursor::new(bytes))?;
    let (mut told, length) = (0, backup.section_len(0));
    let seen = &mut |length| {
        told += length;
        Ok::<(), ReadError>(())
    };
    let summary = backup.look_ahead(0, &parts.ticket.keys.meta, &device.keys, seen)?;
    assert!(told < length && told > length / 100 * 99, "{told} of {length}");
    Ok(summary)
}

fn is_corrupt(result: &Result<Summary, ReadError>, why: &str) -> bool {
    matches!(result, Err(ReadError::Corrupt(reason)) if reason == why)
}

#[test]
fn a_section_that_is_whole_is_found_so_and_one_with_any_byte_changed_or_cut_is_not() {
    let (world, device) = (World::new(), TestDevice::new());
    let bytes = made(&world, &device);
    let parts = take_apart(&bytes, &device);
    let read = Backup::open(Cursor::new(&bytes)).unwrap().read_section(
        0,
        &parts.ticket.keys.meta,
        Witness::Own(&device.keys),
        &mut |_| Ok::<(), ReadError>(()),
    );
    assert_eq!(looked(&bytes, &parts, &device).unwrap(), read.unwrap());
    let start = parts.front.len();
    assert!(bytes.len() - start > 3 * CHUNK_LEN);
    for place in (start..bytes.len()).step_by(997).chain([bytes.len() - 1]) {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        let found = looked(&changed, &parts, &device);
        assert!(matches!(found, Err(ReadError::Corrupt(_))), "byte {place}: {found:?}");
    }
    // Cut so that the length in front says the same, and on both sides of where a chunk ends.
    for cut in [1, 16, 400, CHUNK_LEN, CHUNK_LEN + 16, 2 * CHUNK_LEN + 32] {
        let sealed = &bytes[start + 8..bytes.len() - cut];
        let cut = [&bytes[..start], &(sealed.len() as u64).to_be_bytes(), sealed].concat();
        let found = looked(&cut, &parts, &device);
        assert!(is_corrupt(&found, "a section does not open"), "{found:?}");
    }
}

#[test]
fn a_stream_that_opens_counts_for_nothing_without_the_footer_of_this_device_and_section() {
    let (world, device) = (World::new(), TestDevice::new());
    let bytes = made(&world, &device);
    let parts = take_apart(&bytes, &device);
    let stream = |items: &[Vec<u8>]| {
        items.iter().flat_map(|item| [&(item.len() as u32).to_be_bytes()[..], item].concat()).collect::<Vec<u8>>()
    };
    let without = "a section has no footer";
    assert!(is_corrupt(&looked(&parts.sealed(&stream(&parts.items)), &parts, &device), without));
    // A title, a footer cut short, and one that does not stand where a footer does.
    let ends = |end: &[u8]| parts.sealed(&[&stream(&parts.items)[..], end].concat());
    let title = stream(&[Item::Title(kid(0), "a title".into()).encode()]);
    let footer = stream(&[Item::Footer(parts.footer.sign(&device.signing, device.thumbprint()).unwrap()).encode()]);
    assert!(is_corrupt(&looked(&ends(&title), &parts, &device), without));
    assert!(is_corrupt(&looked(&ends(&footer[..footer.len() - 1]), &parts, &device), without));
    assert!(is_corrupt(&looked(&ends(&[&footer[..], &title].concat()), &parts, &device), without));
    assert!(looked(&ends(&footer), &parts, &device).is_ok());
    let other = TestDevice::new();
    let of_another = parts.put_together(&other.signing, &device, &[]);
    assert!(matches!(looked(&of_another, &parts, &device), Err(ReadError::Corrupt(_))));
}

#[test]
fn a_footer_of_another_backup_or_section_is_none() {
    let (world, device) = (World::new(), TestDevice::new());
    let bytes = made(&world, &device);
    let of_another = |change: fn(&mut Parts)| {
        let mut parts = take_apart(&bytes, &device);
        change(&mut parts);
        let bytes = parts.put_together(&device.signing, &device, &[]);
        is_corrupt(&looked(&bytes, &parts, &device), "the footer belongs to another backup or section")
    };
    assert!(of_another(|parts| parts.footer.backup_id = BackupId::random().unwrap()));
    assert!(of_another(|parts| parts.footer.section += 1));
    assert!(of_another(|parts| parts.footer.header_hash = Digest::of(b"another")));
    assert!(!of_another(|_| {}));
    // What it says of the stream is found when that is read for good.
    assert!(!of_another(|parts| parts.footer.stream_hash = Digest::of(b"another")));
}
