//! The parts of a backup: header, tickets, items, records and footer.

use crate::world::*;
use std::collections::BTreeMap;
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::backup::{
    BackupFormatError, Counts, DeviceTicket, Footer, Header, Item, ItemView, Record, RecordKey, SectionHeader,
    SectionKeys, ServiceTicket, Ticket, Version, section_context,
};
use wmlicense_wire::cbor::{CborError, write};
use wmlicense_wire::cose::{CoseError, Document};
use wmlicense_wire::id::{BackupId, Digest, Kid, SignerId, StoreId, UserId};
use wmlicense_wire::kem::Suite;
use wmlicense_wire::license::{ActionState, License, State};
use wmlicense_wire::policy::LicenseKind;
use zeroize::Zeroizing;

const ID: BackupId = BackupId::new([0xbb; 16]);
const STORE: StoreId = StoreId::new([0x55; 16]);

fn secret(byte: u8) -> SecretKey {
    SecretKey::new(Zeroizing::new([byte; 32]))
}

fn section_keys() -> SectionKeys {
    SectionKeys { meta: secret(1), content: secret(2) }
}

fn device_ticket(section: u32) -> Ticket {
    let plain = DeviceTicket { keys: section_keys(), store_id: STORE };
    Ticket::for_device(&DEVICE.keys, ID, section, &plain).unwrap()
}

fn service_ticket(section: u32, user: Option<UserId>) -> Ticket {
    let (device_id, thumbprint) = (DEVICE_ID, DEVICE.thumbprint());
    let plain = ServiceTicket { keys: section_keys(), device_id, thumbprint, user, created_at: NOW };
    let recipient = WORLD.management.certificate.backup_key.as_ref().unwrap();
    Ticket::for_service(recipient, ID, section, &plain).unwrap()
}

fn header() -> Header {
    let sections = vec![
        SectionHeader { device: device_ticket(0), service: Some(service_ticket(0, None)) },
        SectionHeader { device: device_ticket(1), service: None },
    ];
    Header { version: Version::Pages, backup_id: ID, sections }
}

/// The CBOR part of an encoded header, found as a reader finds it.
fn body(bytes: &[u8]) -> Result<&[u8], BackupFormatError> {
    let length = Header::body_len(bytes[..12].try_into().unwrap())?;
    Ok(&bytes[12..12 + length])
}

#[test]
fn a_header_is_read_back() {
    let bytes = header().encode();
    let body = body(&bytes).unwrap();
    assert_eq!(body.len() + 12, bytes.len());
    assert_eq!(Header::decode(body).unwrap(), header_like(body));
}

/// The header as its bytes say; tickets differ from one making to the next.
fn header_like(body: &[u8]) -> Header {
    let header = Header::decode(body).unwrap();
    assert_eq!((header.backup_id, header.sections.len()), (ID, 2));
    assert!(header.sections[0].service.is_some() && header.sections[1].service.is_none());
    assert_eq!(header.encode()[12..], *body);
    header
}

#[test]
fn another_magic_or_length_is_refused_before_anything_is_read() {
    let mut front = *b"WMBACKUP\0\0\x10\0";
    assert_eq!(Header::body_len(&front), Ok(4096));
    front[8..].copy_from_slice(&(1u32 << 20).to_be_bytes());
    assert_eq!(Header::body_len(&front), Ok(1 << 20));
    let too_long = BackupFormatError::Content(CborError::TooLong { cap: 1 << 20 });
    for length in [(1 << 20) + 1, u32::MAX] {
        front[8..].copy_from_slice(&length.to_be_bytes());
        assert_eq!(Header::body_len(&front), Err(too_long.clone()));
    }
    for at in 0..8 {
        let mut other = *b"WMBACKUP\0\0\x10\0";
        other[at] ^= 0x20;
        assert_eq!(Header::body_len(&other), Err(BackupFormatError::Magic));
    }
}

#[test]
fn a_header_of_another_version_says_so_whatever_else_it_holds() {
    let bytes = header().encode();
    let later = edited(body(&bytes).unwrap(), |map| {
        map.insert(10, write::uint(3));
        map.insert(40, write::uint(1));
    });
    assert_eq!(Header::decode(&later), Err(BackupFormatError::Version(3)));
    let earlier = edited(body(&bytes).unwrap(), |map| drop(map.insert(10, write::uint(1))));
    assert_eq!(Header::decode(&earlier).unwrap().version, Version::Records);
    assert_eq!(Header::decode(&earlier).unwrap().encode()[12..], earlier);
}

#[test]
fn a_malformed_header_is_refused() {
    let bytes = header().encode();
    let body = body(&bytes).unwrap();
    let changed = |edit: &dyn Fn(&mut Map)| Header::decode(&edited(body, edit)).unwrap_err();
    let value = |field| BackupFormatError::Content(CborError::Value { field });
    for field in [10, 11, 12] {
        let missing = changed(&|map| drop(map.remove(&field)));
        assert_eq!(missing, BackupFormatError::Content(CborError::Missing { field }));
    }
    assert_eq!(changed(&|map| drop(map.insert(11, write::bytes([0; 15])))), value(11));
    let section = write::array([write::bytes([3; 32]), write::bytes([]), write::bytes([])]);
    let section = write::head(5, 1).into_iter().chain([1]).chain(section).collect::<Vec<u8>>();
    let sections = |count: usize| write::array((0..count).map(|_| &section));
    assert!(Header::decode(&edited(body, |map| drop(map.insert(12, sections(256))))).is_ok());
    assert_eq!(changed(&|map| drop(map.insert(12, sections(257)))), value(12));
    assert_eq!(changed(&|map| drop(map.insert(12, write::array([[0xa0]])))), value(12));
    let unknown = changed(&|map| drop(map.insert(13, vec![0])));
    assert_eq!(unknown, BackupFormatError::Content(CborError::Unknown { field: 13 }));
    for length in 0..body.len() {
        assert!(Header::decode(&body[..length]).is_err(), "{length}");
    }
}

#[test]
fn a_device_ticket_opens_for_its_backup_section_and_device_only() {
    let ticket = device_ticket(3);
    assert_eq!(ticket.recipient, DEVICE.thumbprint());
    let opened = ticket.open_as_device(&DEVICE.hpke, ID, 3).unwrap();
    assert_eq!(opened.keys.meta.as_bytes(), &[1; 32]);
    assert_eq!(opened.keys.content.as_bytes(), &[2; 32]);
    assert_eq!(opened.store_id, STORE);
    let other = device(6, Suite::XWing, &WORLD.individualization);
    for (key, id, section) in [
        (&DEVICE.hpke, ID, 2),
        (&DEVICE.hpke, BackupId::new([0; 16]), 3),
        (&other.hpke, ID, 3),
        (&WORLD.backup_key, ID, 3),
    ] {
        assert_eq!(ticket.open_as_device(key, id, section).err(), Some(BackupFormatError::Ticket));
    }
}

#[test]
fn a_service_ticket_opens_for_its_backup_section_and_service_only() {
    for user in [None, Some(UserId::new([8; 16]))] {
        let ticket = service_ticket(3, user);
        assert_eq!(ticket.recipient, WORLD.backup_key.public_key().key_id());
        let opened = ticket.open_as_service(&WORLD.backup_key, ID, 3).unwrap();
        assert_eq!(opened.keys.meta.as_bytes(), &[1; 32]);
        assert_eq!(opened.keys.content.as_bytes(), &[2; 32]);
        assert_eq!((opened.device_id, opened.thumbprint), (DEVICE_ID, DEVICE.thumbprint()));
        assert_eq!((opened.user, opened.created_at), (user, NOW));
        for (key, id, section) in
            [(&WORLD.backup_key, ID, 0), (&WORLD.backup_key, BackupId::new([0; 16]), 3), (&DEVICE.hpke, ID, 3)]
        {
            assert_eq!(ticket.open_as_service(key, id, section).err(), Some(BackupFormatError::Ticket));
        }
    }
}

#[test]
fn a_ticket_for_one_recipient_is_none_for_the_other() {
    // The same key on both sides shows that the label alone keeps the two apart.
    let device = &DEVICE;
    let ticket = device_ticket(0);
    assert_eq!(ticket.open_as_service(&device.hpke, ID, 0).err(), Some(BackupFormatError::Ticket));
    let ticket = service_ticket(0, None);
    assert_eq!(ticket.open_as_device(&WORLD.backup_key, ID, 0).err(), Some(BackupFormatError::Ticket));
}

#[test]
fn every_changed_byte_of_a_ticket_is_noticed() {
    let good = device_ticket(0);
    let key = &DEVICE.hpke;
    for at in (0..good.enc.len()).step_by(37).chain([good.enc.len() - 1]) {
        let mut changed = good.clone();
        changed.enc[at] ^= 1;
        assert_eq!(changed.open_as_device(key, ID, 0).err(), Some(BackupFormatError::Ticket), "{at}");
    }
    for at in 0..good.ciphertext.len() {
        let mut changed = good.clone();
        changed.ciphertext[at] ^= 1;
        assert_eq!(changed.open_as_device(key, ID, 0).err(), Some(BackupFormatError::Ticket), "{at}");
        changed.ciphertext.truncate(at);
        assert_eq!(changed.open_as_device(key, ID, 0).err(), Some(BackupFormatError::Ticket), "{at}");
    }
}

fn record(number: u64) -> Record {
    let actions = BTreeMap::from([("Play".to_owned(), ActionState { counts_left: Some(2), first_use: Some(NOW) })]);
    let license = License { policy: policy(1).encode(), binding: b"binding".to_vec() };
    let key = inner(LicenseKind::Content, 7);
    Record::seal(number, 4, license, State { actions }, &key, &RecordKey::of(&secret(2)))
}

#[test]
fn a_record_is_read_back_and_opens() {
    let record = record(300);
    let read = Record::decode(&record.encode()).unwrap();
    assert!(read == record);
    let key = read.open(LicenseKind::Content, &RecordKey::of(&secret(2))).unwrap();
    assert_eq!(key.as_bytes(), [7; 16]);
}

#[test]
fn a_record_with_any_bound_field_changed_does_not_open() {
    let key = RecordKey::of(&secret(2));
    let changes: [&dyn Fn(&mut Record); 9] = [
        &|record| record.number += 1,
        &|record| record.number = 0,
        &|record| record.manifest_index += 1,
        &|record| record.license.policy = policy(2).encode(),
        &|record| record.license.binding.push(0),
        &|record| record.state.actions.clear(),
        &|record| record.state.actions.get_mut("Play").unwrap().counts_left = Some(3),
        &|record| record.state.actions.get_mut("Play").unwrap().first_use = None,
        &|record| record.wrapped[0] ^= 1,
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut record = record(300);
        change(&mut record);
        assert!(record.open(LicenseKind::Content, &key).is_err(), "{number}");
    }
    assert!(record(300).open(LicenseKind::Content, &RecordKey::of(&secret(1))).is_err());
    assert!(record(300).open(LicenseKind::Root, &key).is_err());
    assert!(record(300).open(LicenseKind::Content, &key).is_ok());
}

#[test]
fn a_borrowed_record_is_the_same_record() {
    let owned = record(300);
    let item = Item::Record(Box::new(record(300))).encode();
    let Ok(ItemView::Record(view)) = ItemView::parse(&item) else { panic!("no record") };
    assert_eq!((view.number, view.manifest_index), (owned.number, owned.manifest_index));
    assert!(view.license() == owned.license && view.state() == Some(owned.state.clone()));
    assert_eq!((view.license_hash(), view.policy_hash()), (owned.license.hash(), owned.license.policy_hash()));
    assert_eq!(view.encoded, owned.encode());
    let key = RecordKey::of(&secret(2));
    assert_eq!(view.open(LicenseKind::Content, &key).unwrap().as_bytes(), [7; 16]);
    assert!(view.open(LicenseKind::Root, &key).is_err());
    assert!(view.open(LicenseKind::Content, &RecordKey::of(&secret(1))).is_err());
}

#[test]
fn a_borrowed_record_with_any_changed_byte_does_not_open() {
    let good = Item::Record(Box::new(record(300))).encode();
    let key = RecordKey::of(&secret(2));
    for at in 0..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 0x41;
        match ItemView::parse(&changed) {
            Ok(ItemView::Record(view)) => assert!(view.open(LicenseKind::Content, &key).is_err(), "{at}"),
            Ok(_) => panic!("{at}: another item"),
            Err(_) => {}
        }
        assert!(ItemView::parse(&good[..at]).is_err(), "{at}");
    }
}

#[test]
fn a_malformed_record_is_refused() {
    let good = record(0).encode();
    for length in 0..good.len() {
        assert!(Record::decode(&good[..length]).is_err(), "{length}");
    }
    let long = Record { wrapped: vec![0; 65], ..record(0) };
    assert!(Record::decode(&long.encode()).is_err());
    let license = License { policy: vec![0; 8190], binding: Vec::new() };
    let long = Record { license, ..record(0) };
    assert!(Record::decode(&long.encode()).is_err());
    assert!(ItemView::parse(&Item::Record(Box::new(long)).encode()).is_err());
    let huge = write::bytes(vec![0; 1040 * 1024]);
    assert_eq!(Record::decode(&huge).err(), Some(CborError::TooLong { cap: 1040 * 1024 }));
}

fn footer() -> Footer {
    Footer {
        created_at: NOW,
        backup_id: ID,
        section: 1,
        header_hash: Digest::of(b"header"),
        stream_hash: Digest::of(b"stream"),
        counts: Counts { batches: 1, records: 2, tombstones: 3, titles: 4 },
        store_id: STORE,
    }
}

fn signed_footer() -> Vec<u8> {
    footer().sign(&DEVICE.signing, DEVICE.thumbprint()).unwrap()
}

fn read_footer(bytes: &[u8]) -> Result<Footer, BackupFormatError> {
    Footer::verify(bytes, &DEVICE.keys.signing, DEVICE.thumbprint())
}

#[test]
fn a_footer_is_read_back_under_its_device_only() {
    let bytes = signed_footer();
    assert_eq!(read_footer(&bytes).unwrap(), footer());
    let other = device(6, Suite::X25519, &WORLD.individualization);
    let refused = Footer::verify(&bytes, &other.keys.signing, other.thumbprint()).err();
    assert_eq!(refused, Some(BackupFormatError::Footer(CoseError::WrongSigner)));
    let forged = footer().sign(&other.signing, DEVICE.thumbprint()).unwrap();
    assert_eq!(read_footer(&forged).err(), Some(BackupFormatError::Footer(CoseError::BadSignature)));
}

#[test]
fn every_changed_or_missing_byte_of_a_footer_is_noticed() {
    let bytes = signed_footer();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x41;
        assert!(matches!(read_footer(&changed), Err(BackupFormatError::Footer(_))), "{at}");
        assert!(matches!(read_footer(&bytes[..at]), Err(BackupFormatError::Footer(_))), "{at}");
    }
}

#[test]
fn a_malformed_footer_is_refused_even_from_its_device() {
    for field in [6, 10, 11, 12, 13, 14, 15] {
        let missing = resigned(Document::BackupFooter, &signed_footer(), &DEVICE.signing, |map| {
            map.remove(&field);
        });
        let expected = BackupFormatError::Content(CborError::Missing { field });
        assert_eq!(read_footer(&missing).err(), Some(expected));
    }
    let unknown = resigned(Document::BackupFooter, &signed_footer(), &DEVICE.signing, |map| {
        map.insert(16, vec![0]);
    });
    let expected = BackupFormatError::Content(CborError::Unknown { field: 16 });
    assert_eq!(read_footer(&unknown).err(), Some(expected));
}

#[test]
fn every_item_is_read_back() {
    let bytes = || vec![1, 2, 3];
    for item in [
        Item::DeviceCertificate(bytes()),
        Item::ServiceCertificate(bytes()),
        Item::StatusList(bytes()),
        Item::LicenseRevocation(bytes()),
        Item::Tombstone(bytes()),
        Item::Title(Kid::new([1; 16]), "Ein Titel".to_owned()),
        Item::Batch(bytes()),
        Item::Record(Box::new(record(9))),
        Item::Padding(vec![0; 70_000]),
        Item::Padding(Vec::new()),
        Item::Footer(signed_footer()),
        Item::Page { wrapped_key: vec![5; 48], page: [&[0, 1, 0, 7, 0, 1, 0, 1], &[9; 2][..]].concat() },
    ] {
        let encoded = item.encode();
        assert!(Item::decode(&encoded).unwrap() == item);
    }
}

#[test]
fn a_malformed_item_is_refused() {
    let fault = Some(CborError::Encoding { offset: 0 });
    for bytes in [
        write::array::<Vec<u8>>([]),
        write::array([write::uint(0), write::bytes([])]),
        write::array([write::uint(12), write::bytes([])]),
        write::array([write::uint(11), write::bytes([])]),
        write::array([write::uint(11), write::bytes([0; 48]), write::bytes([0, 0])]),
        write::array([write::uint(1)]),
        write::array([write::uint(1), write::text("")]),
        write::array([write::uint(1), write::bytes([]), write::bytes([])]),
        write::array([write::uint(6), write::bytes([0; 16])]),
        write::array([write::uint(6), write::bytes([0; 15]), write::text("")]),
        write::array([write::uint(6), write::bytes([0; 16]), write::text(&"t".repeat(1025))]),
        write::array([write::uint(8), write::bytes([])]),
        write::array([write::uint(9), write::bytes([0, 0, 1])]),
        write::uint(9),
    ] {
        assert_eq!(Item::decode(&bytes).err(), fault, "{bytes:x?}");
        assert_eq!(ItemView::parse(&bytes).err(), fault, "{bytes:x?}");
    }
    let long = Item::Padding(vec![0; 1040 * 1024]).encode();
    assert_eq!(Item::decode(&long).err(), Some(CborError::TooLong { cap: 1040 * 1024 }));
    assert_eq!(ItemView::parse(&long).err(), Some(CborError::TooLong { cap: 1040 * 1024 }));
}

#[test]
fn the_context_of_a_section_names_its_place_and_the_header() {
    let context = section_context(1, Digest::of(b"header"));
    assert_eq!(context, [b"wmlicense/1 backup section\0\0\0\0\x01", &Digest::of(b"header").as_bytes()[..]].concat());
    assert_ne!(context, section_context(0, Digest::of(b"header")));
    assert_ne!(context, section_context(1, Digest::of(b"other")));
    assert_eq!(SignerId::LEN, 32);
}
