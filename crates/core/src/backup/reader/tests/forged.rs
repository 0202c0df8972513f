//! What a dishonest device could write: well encrypted, well signed, and against the rules of the format.

use super::*;
use std::io::Write as _;
use wmlicense_wire::backup::{Item, Record};
use wmlicense_wire::chunked::Sealer;
use wmlicense_wire::cose::{Document, Unverified, sign};
use wmlicense_wire::id::BackupId;
use wmlicense_wire::key::SigningKey;

/// An honest backup taken apart.
pub(super) struct Parts {
    /// Everything before the section's length.
    pub(super) front: Vec<u8>,
    pub(super) ticket: DeviceTicket,
    /// The items before the footer.
    pub(super) items: Vec<Vec<u8>>,
    pub(super) footer: Footer,
}

pub(super) fn take_apart(bytes: &[u8], device: &TestDevice) -> Parts {
    let backup = Backup::open(Cursor::new(bytes)).unwrap();
    let ticket = open_tickets(&backup, device).unwrap().remove(0);
    let start = sections_start(bytes);
    let sealed = &bytes[start + 8..];
    let context = section_context(0, backup.header_hash);
    let mut opener = Opener::new(&ticket.keys.meta, &context, sealed, sealed.len() as u64).unwrap();
    let mut items = Vec::new();
    while !opener.at_end().unwrap() {
        let mut length = [0; 4];
        opener.read_up_to(&mut length).unwrap();
        let mut item = vec![0; u32::from_be_bytes(length) as usize];
        opener.read_up_to(&mut item).unwrap();
        items.push(item);
    }
    let Item::Footer(footer) = Item::decode(&items.pop().unwrap()).unwrap() else { panic!("no footer") };
    let footer = Footer::verify(&footer, &device.keys.signing, device.thumbprint()).unwrap();
    Parts { front: bytes[..start].to_vec(), ticket, items, footer }
}

impl Parts {
    /// Counts and hash as the items are.
    pub(super) fn account(&mut self) {
        let mut counts = Counts::default();
        let mut stream = Vec::new();
        for item in &self.items {
            match ItemView::parse(item).unwrap() {
                ItemView::Batch(_) => counts.batches += 1,
                ItemView::Record(_) => counts.records += 1,
                ItemView::Page(item) => counts.records += item.page.count() as u64,
                ItemView::Tombstone(_) => counts.tombstones += 1,
                ItemView::Title(..) => counts.titles += 1,
                _ => {}
            }
            stream.extend_from_slice(&(item.len() as u32).to_be_bytes());
            let footed = ItemView::parse(item).unwrap().footed_len(item.len());
            stream.extend_from_slice(&item[..footed]);
        }
        (self.footer.counts, self.footer.stream_hash) = (counts, Digest::of(&stream));
    }

    pub(super) fn put_together(&self, signer: &SigningKey, device: &TestDevice, after: &[Vec<u8>]) -> Vec<u8> {
        let footer = Item::Footer(self.footer.sign(signer, device.thumbprint()).unwrap()).encode();
        let mut stream = Vec::new();
        for item in self.items.iter().chain([&footer]).chain(after) {
            stream.extend_from_slice(&(item.len() as u32).to_be_bytes());
            stream.extend_from_slice(item);
        }
        self.sealed(&stream)
    }

    /// The file with this stream in the place of the section's.
    pub(super) fn sealed(&self, stream: &[u8]) -> Vec<u8> {
        let context = section_context(0, Digest::of(&self.front));
        let mut sealer = Sealer::new(&self.ticket.keys.meta, &context, Vec::new()).unwrap();
        sealer.write_all(stream).unwrap();
        let sealed = sealer.finish().unwrap();
        [&self.front[..], &(sealed.len() as u64).to_be_bytes(), &sealed].concat()
    }

    /// Places of the items that `is` picks.
    pub(super) fn places(&self, is: fn(&ItemView<'_>) -> bool) -> Vec<usize> {
        (0..self.items.len()).filter(|place| is(&ItemView::parse(&self.items[*place]).unwrap())).collect()
    }
}

/// The padding brought up to date after items changed.
pub(super) fn pad(parts: &mut Parts) {
    let padding = parts.places(|item| matches!(item, ItemView::Padding));
    padding.into_iter().rev().for_each(|place| drop(parts.items.remove(place)));
    let length: usize = parts.items.iter().map(|item| item.len() + 4).sum();
    let gap = (length + 64).next_multiple_of(PADDING as usize) - length;
    let item = (0..=gap).rev().map(|zeros| Item::Padding(vec![0; zeros]).encode()).find(|item| item.len() + 4 == gap);
    parts.items.push(item.unwrap());
}

fn forged(change: impl FnOnce(&mut Parts)) -> Result<Licenses, ReadError> {
    forged_of(Version::Records, change)
}

/// A file of this version with two batches, of three and of two licenses without a state, changed and signed anew.
pub(super) fn forged_of(version: Version, change: impl FnOnce(&mut Parts)) -> Result<Licenses, ReadError> {
    let (world, device) = (World::new(), TestDevice::new());
    let batches = vec![batch(&world, &device, 0..3), batch(&world, &device, 3..5)];
    let bytes = backup_of(version, &world, &device, &[batches]);
    let mut parts = take_apart(&bytes, &device);
    change(&mut parts);
    pad(&mut parts);
    parts.account();
    read(&parts.put_together(&device.signing, &device, &[]), &device)
}

pub(super) fn reason(result: Result<Licenses, ReadError>) -> String {
    match result {
        Err(ReadError::Corrupt(reason)) => reason,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    }
}

#[test]
fn a_backup_that_is_taken_apart_and_put_together_again_is_whole() {
    for version in [Version::Records, Version::Pages] {
        assert_eq!(forged_of(version, |_| {}).unwrap().len(), 5);
    }
}

#[test]
fn records_swapped_dropped_or_doubled_are_found_although_all_is_signed() {
    let records = |parts: &Parts| parts.places(|item| matches!(item, ItemView::Record(_)));
    let swapped = forged(|parts| {
        let at = records(parts);
        parts.items.swap(at[0], at[1]);
    });
    let dropped = forged(|parts| drop(parts.items.remove(records(parts)[1])));
    let doubled = forged(|parts| {
        let at = records(parts)[1];
        parts.items.insert(at, parts.items[at].clone());
    });
    for result in [swapped, dropped, doubled] {
        assert_eq!(reason(result), "records are out of order");
    }
}

#[test]
fn a_license_told_twice_under_numbers_of_its_own_is_found() {
    let twice = forged(|parts| {
        let at = parts.places(|item| matches!(item, ItemView::Record(_)));
        let Item::Record(last) = Item::decode(&parts.items[at[4]]).unwrap() else { panic!("no record") };
        let again = Record { number: 5, ..*last };
        parts.items.insert(at[4] + 1, Item::Record(Box::new(again)).encode());
    });
    assert_eq!(reason(twice), "records are out of order");
}

#[test]
fn a_record_under_another_batch_is_found() {
    let batches = |parts: &Parts| parts.places(|item| matches!(item, ItemView::Batch(_)));
    let without_first = forged(|parts| drop(parts.items.remove(batches(parts)[0])));
    assert_eq!(reason(without_first), "a record has no batch");
    let without_second = forged(|parts| drop(parts.items.remove(batches(parts)[1])));
    assert_eq!(reason(without_second), "records are out of order");
    let renumbered = forged(|parts| {
        // The last license claims a place of the first batch.
        let at = parts.places(|item| matches!(item, ItemView::Record(_)));
        let Item::Record(last) = Item::decode(&parts.items[at[4]]).unwrap() else { panic!("no record") };
        let moved = Record { number: 2, manifest_index: 2, ..*last };
        parts.items[at[2]] = Item::Record(Box::new(moved)).encode();
    });
    assert_eq!(reason(renumbered), "a license is not in its batch's manifest");
}

#[test]
fn items_out_of_their_order_are_found() {
    let title = |parts: &Parts| parts.places(|item| matches!(item, ItemView::Title(..)))[0];
    let late_title = forged(|parts| {
        let title = parts.items.remove(title(parts));
        parts.items.push(title);
    });
    let no_device = forged(|parts| drop(parts.items.remove(0)));
    let two_devices = forged(|parts| parts.items.insert(0, parts.items[0].clone()));
    let device_last = forged(|parts| {
        let device = parts.items.remove(0);
        parts.items.insert(1, device);
    });
    let list = || Item::StatusList(vec![7; 9]).encode();
    let two_lists = forged(|parts| {
        let at = title(parts);
        parts.items.splice(at..at, [list(), list()]);
    });
    assert!(forged(|parts| parts.items.insert(title(parts), list())).is_ok(), "one list may be there");
    for result in [late_title, no_device, two_devices, device_last, two_lists] {
        assert_eq!(reason(result), "items are out of order");
    }
}

#[test]
fn a_footer_that_says_anything_else_than_what_is_there_is_refused() {
    let (world, device) = (World::new(), TestDevice::new());
    let bytes = small(&world, &device);
    let with = |change: fn(&mut Footer)| {
        let mut parts = take_apart(&bytes, &device);
        change(&mut parts.footer);
        reason(read(&parts.put_together(&device.signing, &device, &[]), &device))
    };
    let elsewhere = "the footer belongs to another backup or section";
    let otherwise = "a section is not what its footer says";
    assert_eq!(with(|footer| footer.backup_id = BackupId::new([0; 16])), elsewhere);
    assert_eq!(with(|footer| footer.section = 1), elsewhere);
    assert_eq!(with(|footer| footer.header_hash = Digest::new([0; 32])), elsewhere);
    assert_eq!(with(|footer| footer.stream_hash = Digest::new([0; 32])), otherwise);
    assert_eq!(with(|footer| footer.counts.records += 1), otherwise);
    assert_eq!(with(|footer| footer.counts.titles -= 1), otherwise);

    let mut parts = take_apart(&bytes, &device);
    let stranger = SigningKey::generate().unwrap();
    assert!(reason(read(&parts.put_together(&stranger, &device, &[]), &device)).contains("signature"));
    let after = [Item::Padding(vec![0; 9]).encode()];
    assert_eq!(reason(read(&parts.put_together(&device.signing, &device, &after), &device)), "bytes follow a footer");
    parts.items.pop();
    parts.account();
    let unpadded = parts.put_together(&device.signing, &device, &[]);
    assert_eq!(reason(read(&unpadded, &device)), otherwise);
}

#[test]
fn a_stream_that_ends_in_the_middle_or_claims_too_much_says_so() {
    let (world, device) = (World::new(), TestDevice::new());
    let mut parts = take_apart(&small(&world, &device), &device);
    let said = |parts: &Parts, stream: &[u8]| reason(read(&parts.sealed(stream), &device));
    let first = &parts.items[0];
    let front = (first.len() as u32).to_be_bytes();
    let whole = [&front[..], first].concat();
    assert_eq!(said(&parts, &whole), "a section has no footer");
    for cut in [1, 3, 4, whole.len() - 1] {
        assert_eq!(said(&parts, &whole[..cut]), "an item is cut short", "{cut} bytes");
    }
    let claims = |length: usize| (length as u32).to_be_bytes();
    assert_eq!(said(&parts, &claims(MAX_ITEM_LEN)), "an item is cut short");
    assert_eq!(said(&parts, &claims(MAX_ITEM_LEN + 1)), "an item is too long");
    assert_eq!(said(&parts, &claims(u32::MAX as usize)), "an item is too long");
    // Padding stands at the end once.
    parts.items.push(Item::Padding(vec![0; 9]).encode());
    parts.account();
    let twice = parts.put_together(&device.signing, &device, &[]);
    assert_eq!(reason(read(&twice, &device)), "items are out of order");
}

/// Puts another license's hash into the manifest of the first batch. Whether the issuer signed it is looked at later: who opens the
/// section has its keys, and could have written this.
pub(super) fn name_instead(parts: &mut Parts, before: Digest, after: Digest, device: &TestDevice) {
    let place = parts.places(|item| matches!(item, ItemView::Batch(_)))[0];
    let ItemView::Batch(signed) = ItemView::parse(&parts.items[place]).unwrap() else { panic!("no batch") };
    let document = Unverified::parse(Document::Answer, signed, wmlicense_wire::answer::MAX_LEN).unwrap();
    let mut payload = document.unverified_payload().to_vec();
    let named = payload.windows(Digest::LEN).position(|bytes| bytes == before.as_bytes()).unwrap();
    payload[named..named + Digest::LEN].copy_from_slice(after.as_bytes());
    let signed = sign(Document::Answer, &payload, &device.signing, document.signer_id()).unwrap();
    parts.items[place] = Item::Batch(signed).encode();
}

#[test]
fn a_license_under_a_binding_of_another_one_is_found_although_its_batch_names_it() {
    let (world, device) = (World::new(), TestDevice::new());
    let other = TestDevice::new();
    let bytes = backup_of(Version::Records, &world, &device, &[vec![batch(&world, &device, 0..2)]]);
    let swapped = |bind: &dyn Fn(&Record, &Record) -> Vec<u8>| {
        let mut parts = take_apart(&bytes, &device);
        let at = parts.places(|item| matches!(item, ItemView::Record(_)));
        let record = |place: usize| match Item::decode(&parts.items[place]).unwrap() {
            Item::Record(record) => *record,
            _ => panic!("no record"),
        };
        let (mut first, second) = (record(at[0]), record(at[1]));
        let before = first.license.hash();
        first.license.binding = bind(&first, &second);
        name_instead(&mut parts, before, first.license.hash(), &device);
        parts.items[at[0]] = Item::Record(Box::new(first)).encode();
        pad(&mut parts);
        parts.account();
        reason(read(&parts.put_together(&device.signing, &device, &[]), &device))
    };
    let elsewhere = "a binding belongs to another license";
    assert_eq!(swapped(&|_, second| second.license.binding.clone()), elsewhere);
    let of_other = batch(&world, &other, 0..1).1.remove(0).license.binding;
    assert_eq!(swapped(&|_, _| of_other.clone()), elsewhere);
    assert_eq!(swapped(&|first, _| first.license.binding[..3].to_vec()), elsewhere);
}
