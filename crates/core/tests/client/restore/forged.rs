//! Backups of this device that are well encrypted and well signed, and hold what no honest device writes: each is refused.

use super::*;
use std::io::Write as _;
use wmlicense_core::restore::{Verified, verify};
use wmlicense_testkit::NOW;
use wmlicense_testkit::place::restored;
use wmlicense_wire::aead::{SecretKey, counter_nonce};
use wmlicense_wire::backup::{DeviceTicket, Footer, Header, Item, ItemView, PADDING, Record, Ticket, section_context};
use wmlicense_wire::chunked::{Opener, Sealer};
use wmlicense_wire::cose::{Document, Unverified, sign};
use wmlicense_wire::id::{BackupId, Digest, StoreId};
use wmlicense_wire::license::License;
use wmlicense_wire::status_list::StatusList;

/// The only section of a backup, taken apart.
struct Parts {
    ticket: DeviceTicket,
    /// The items before padding and footer.
    items: Vec<Vec<u8>>,
    footer: Footer,
}

/// A backup of three plain licenses and a counted one.
struct Made<'w> {
    home: Home<'w>,
    folder: TempDir,
    bytes: Vec<u8>,
}

impl<'w> Made<'w> {
    fn new(world: &'w World) -> Self {
        let home = Home::new(world);
        home.acquire(&[plain(world, 0..3), vec![counted(world, 9)]].concat()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        backed_up(&home, folder.path(), false).0.unwrap();
        let bytes = std::fs::read(folder.path().join(FILE_NAME)).unwrap();
        Self { home, folder, bytes }
    }

    /// Puts a backup in its place that is the same but for what `change` makes of its section, whole and signed by the device.
    fn forge(&self, change: impl FnOnce(&mut Parts)) {
        let identity = self.home.identity();
        let begin = 12 + Header::body_len(self.bytes.first_chunk().unwrap()).unwrap();
        let mut header = Header::decode(&self.bytes[12..begin]).unwrap();
        let id = header.backup_id;
        let ticket = header.sections[0].device.open_as_device(&identity.hpke, id, 0).unwrap();
        let context = |front: &[u8]| section_context(0, Digest::of(front));
        let mut items = opened(&ticket.keys.meta, &context(&self.bytes[..begin]), &self.bytes[begin + 8..]);
        let Item::Footer(footer) = Item::decode(&items.pop().unwrap()).unwrap() else { panic!("no footer") };
        items.retain(|item| !matches!(ItemView::parse(item), Ok(ItemView::Padding)));
        let thumbprint = identity.keys.thumbprint();
        let footer = Footer::verify(&footer, &identity.keys.signing, thumbprint).unwrap();
        let mut parts = Parts { ticket, items, footer };
        change(&mut parts);
        header.sections[0].device = Ticket::for_device(&identity.keys, id, 0, &parts.ticket).unwrap();
        let front = header.encode();
        let stream = streamed(&parts.items);
        let gap = (stream.len() + 64).next_multiple_of(PADDING as usize) - stream.len();
        let padding = (0..=gap).rev().map(|zeros| Item::Padding(vec![0; zeros]).encode());
        parts.items.push(padding.into_iter().find(|item| item.len() + 4 == gap).unwrap());
        let mut stream = streamed(&parts.items);
        (parts.footer.header_hash, parts.footer.stream_hash) = (Digest::of(&front), footed(&parts.items));
        stream.extend(streamed(&[Item::Footer(parts.footer.sign(&identity.signing, thumbprint).unwrap()).encode()]));
        let mut sealer = Sealer::new(&parts.ticket.keys.meta, &context(&front), Vec::new()).unwrap();
        sealer.write_all(&stream).unwrap();
        let sealed = sealer.finish().unwrap();
        let file = [&front[..], &(sealed.len() as u64).to_be_bytes(), &sealed].concat();
        std::fs::write(self.folder.path().join(FILE_NAME), file).unwrap();
    }

    fn verified(&self) -> Result<Verified, RestoreError> {
        verify(&self.home.client, self.folder.path(), &Events::default().context(|_| false))
    }

    /// What a restore of the store that made it, and one of another store of the device, say.
    fn restored(&self) -> [Result<Restored, RestoreError>; 2] {
        [&self.home, &self.home.without_store()].map(|home| restored(home, self.folder.path()).0)
    }
}

fn opened(meta: &SecretKey, context: &[u8], sealed: &[u8]) -> Vec<Vec<u8>> {
    let mut opener = Opener::new(meta, context, sealed, sealed.len() as u64).unwrap();
    let mut items = Vec::new();
    while !opener.at_end().unwrap() {
        let mut length = [0; 4];
        opener.read_up_to(&mut length).unwrap();
        let mut item = vec![0; u32::from_be_bytes(length) as usize];
        opener.read_up_to(&mut item).unwrap();
        items.push(item);
    }
    items
}

fn streamed(items: &[Vec<u8>]) -> Vec<u8> {
    items.iter().flat_map(|item| [&(item.len() as u32).to_be_bytes()[..], item].concat()).collect()
}

/// SHA-256 of what a footer covers: all but the licenses of pages.
fn footed(items: &[Vec<u8>]) -> Digest {
    let covered = |item: &Vec<u8>| {
        let length = ItemView::parse(item).map_or(item.len(), |view| view.footed_len(item.len()));
        [&(item.len() as u32).to_be_bytes()[..], &item[..length]].concat()
    };
    Digest::of(&items.iter().flat_map(covered).collect::<Vec<u8>>())
}

fn is_corrupt<T>(result: Result<T, RestoreError>, why: &str) -> bool {
    matches!(result, Err(RestoreError::Corrupt(reason)) if reason == why)
}

#[test]
fn a_backup_that_is_taken_apart_and_put_together_again_is_whole() {
    let world = World::new();
    let made = Made::new(&world);
    made.forge(|_| {});
    assert_eq!(made.verified().unwrap(), Verified { licenses: 4, closed_sections: 0 });
    assert_eq!(made.restored()[0].as_ref().unwrap().restored, 4);
}

#[test]
fn a_backup_whose_keys_do_not_open_is_not_whole_although_every_byte_is_as_it_was_signed() {
    let world = World::new();
    let made = Made::new(&world);
    made.forge(|parts| parts.ticket.keys.content = SecretKey::random().unwrap());
    assert!(is_corrupt(made.verified(), "a license's key does not open"));
    assert!(is_corrupt(made.restored()[0].as_ref().map_err(copied), "a license's key does not open"));
}

/// An error of the backup that can be looked at twice.
fn copied(error: &RestoreError) -> RestoreError {
    match error {
        RestoreError::Corrupt(reason) => RestoreError::Corrupt(reason.clone()),
        other => panic!("{other}"),
    }
}

#[test]
fn a_ticket_that_names_another_store_than_the_footer_makes_no_state_of_it_this_store_s() {
    let world = World::new();
    let made = Made::new(&world);
    let other = StoreId::new([9; 16]);
    let changes: [fn(&mut Parts, StoreId); 2] =
        [|parts, other| parts.ticket.store_id = other, |parts, other| parts.footer.store_id = other];
    for change in changes {
        made.forge(|parts| change(parts, other));
        let why = "ticket and footer name different stores";
        assert!(is_corrupt(made.verified(), why));
        assert!(made.restored().into_iter().any(|result| is_corrupt(result, why)));
        assert_eq!(made.home.client.store.license_count().unwrap(), 4);
    }
    // Both as they are of another store: then it is one, and what counts is asked for.
    made.forge(|parts| (parts.ticket.store_id, parts.footer.store_id) = (other, other));
    assert_eq!(made.verified().unwrap().licenses, 4);
    let [here, _] = made.restored();
    assert_eq!(here.unwrap().left_out.len(), 1);
}

/// The places of the records.
fn records(parts: &Parts) -> Vec<usize> {
    let is_record = |item: &Vec<u8>| matches!(ItemView::parse(item), Ok(ItemView::Record(_)));
    (0..parts.items.len()).filter(|place| is_record(&parts.items[*place])).collect()
}

fn record(parts: &Parts, place: usize) -> Record {
    let Item::Record(record) = Item::decode(&parts.items[place]).unwrap() else { panic!("no record") };
    *record
}

/// The item of a record with this license and state, its key bound to both.
fn sealed(parts: &Parts, record: &Record, license: &License, state: &[u8]) -> Vec<u8> {
    let key = parts.ticket.keys.content.expand("wmlicense/1 record", &[]);
    let numbers = [record.number as u8, record.manifest_index as u8];
    let front = [&[0x84][..], &numbers, &license.encode(), state].concat();
    let content = content_key(Policy::decode(&record.license.policy).unwrap().kid);
    let wrapped = key.seal(&counter_nonce(record.number), Digest::of(&front).as_bytes(), &content);
    [&[0x82, 8, 0x85], &front[1..], &[0x58, wrapped.len() as u8], &wrapped].concat()
}

/// Bytes with some of them in the place of others.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[test]
fn a_policy_that_cannot_be_read_is_found_before_anything_of_its_section_is_told() {
    let world = World::new();
    let made = Made::new(&world);
    let identity = made.home.identity();
    made.forge(|parts| {
        let place = *records(parts).last().unwrap();
        let record = record(parts, place);
        // Another name in the place of the last field's, at which no glance looks.
        let mut policy = record.license.policy.clone();
        let [.., name, 0] = policy.as_mut_slice() else { panic!("the priority is not the last field") };
        assert_eq!(std::mem::replace(name, 16), 17);
        let mut license = License { policy, binding: Vec::new() };
        let (old, new) = (record.license.policy_hash(), license.policy_hash());
        license.binding = replaced(&record.license.binding, old.as_bytes(), new.as_bytes());
        parts.items[place] = sealed(parts, &record, &license, &record.state.encode());
        let is_batch = |item: &Vec<u8>| matches!(ItemView::parse(item), Ok(ItemView::Batch(_)));
        let batch = parts.items.iter().position(is_batch).unwrap();
        let Item::Batch(signed) = Item::decode(&parts.items[batch]).unwrap() else { panic!("no batch") };
        let document = Unverified::parse(Document::Answer, &signed, wmlicense_wire::answer::MAX_LEN).unwrap();
        let (old, new) = (record.license.hash(), license.hash());
        let payload = replaced(document.unverified_payload(), old.as_bytes(), new.as_bytes());
        let signed = sign(Document::Answer, &payload, &identity.signing, document.signer_id()).unwrap();
        parts.items[batch] = Item::Batch(signed).encode();
    });
    let unreadable = |error: &RestoreError| matches!(error, RestoreError::Corrupt(why) if why.starts_with("policy: "));
    assert!(unreadable(&made.verified().unwrap_err()));
    let (fake, events) = (Fake::new(&world), Events::default());
    let context = events.context(|_| false);
    let connect = || fake.connect(&made.home, &context);
    let found = through::preview(&made.home.client, made.folder.path(), &connect, &context);
    assert!(unreadable(&found.unwrap_err()) && events.all().is_empty(), "{:?}", events.all());
}

#[test]
fn a_record_whose_state_cannot_be_read_is_found_although_its_key_opens() {
    let world = World::new();
    let made = Made::new(&world);
    made.forge(|parts| {
        let place = records(parts)[0];
        let record = record(parts, place);
        // A number where the state is.
        parts.items[place] = sealed(parts, &record, &record.license, &[0]);
    });
    assert!(is_corrupt(made.verified(), "a license's key does not open"));
    // Another store of the device asks the service for what counts, and does not look.
    let [here, _] = made.restored();
    assert!(is_corrupt(here, "a license's key does not open"));
}

#[test]
fn a_status_list_counts_for_its_own_authority_alone() {
    let (world, other) = (World::new(), World::new());
    let made = Made::new(&world);
    let with = |owner: &World| {
        let list = StatusList {
            authority: owner.pin(),
            next_update: NOW + 86_400,
            issued_at: NOW,
            number: 7,
            services: Vec::new(),
            devices: Vec::new(),
            applications: Vec::new(),
        };
        list.sign(&owner.authority_key).unwrap()
    };
    let put = |list: Vec<u8>| {
        made.forge(|parts| {
            let is_certificate = |item: &Vec<u8>| {
                matches!(ItemView::parse(item), Ok(ItemView::DeviceCertificate(_) | ItemView::ServiceCertificate(_)))
            };
            let at = parts.items.iter().position(|item| !is_certificate(item)).unwrap();
            parts.items.insert(at, Item::StatusList(list).encode());
        });
        made.restored()
    };
    for result in put(with(&other)) {
        assert!(is_corrupt(result, "a status list of another authority"));
    }
    assert!(put(b"no list".to_vec()).into_iter().all(|result| matches!(result, Err(RestoreError::Corrupt(_)))));
    assert!(made.home.client.store.status_list(world.pin()).unwrap().is_none());
    put(with(&world))[0].as_ref().unwrap();
    assert_eq!(made.home.client.store.status_number(world.pin()).unwrap(), Some(7));
}

#[test]
fn a_footer_of_another_backup_or_section_vouches_for_nothing() {
    let world = World::new();
    let made = Made::new(&world);
    let changes: [fn(&mut Parts); 2] =
        [|parts| parts.footer.backup_id = BackupId::random().unwrap(), |parts| parts.footer.section += 1];
    for change in changes {
        made.forge(change);
        for result in made.restored() {
            assert!(is_corrupt(result, "the footer belongs to another backup or section"));
        }
    }
}
