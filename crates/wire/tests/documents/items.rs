//! Items of a backup at the limits of their form: both readers, the one that owns and the one that borrows, draw them alike.

use crate::world::*;
use wmlicense_wire::backup::{BackupFormatError, Header, Item, ItemView, MAX_ITEM_LEN, Record, Tombstone};
use wmlicense_wire::cbor::{CborError, write};
use wmlicense_wire::id::{BackupId, Lid, ServiceId};
use wmlicense_wire::license::{License, State};

const NOT_READ: CborError = CborError::Encoding { offset: 0 };

/// What both readers of items say.
fn both(bytes: &[u8]) -> Result<(), CborError> {
    let owned = Item::decode(bytes).map(|_| ());
    assert_eq!(ItemView::parse(bytes).map(|_| ()), owned);
    owned
}

/// A record's item of these members.
fn record(members: &[Vec<u8>]) -> Vec<u8> {
    write::array([write::uint(8), write::array(members)])
}

/// The members of a record that both readers take.
fn members() -> Vec<Vec<u8>> {
    let license = write::array([write::bytes(b"policy"), write::bytes(b"binding")]);
    vec![write::uint(0), write::uint(4), license, State::default().encode(), write::bytes([0; 64])]
}

#[test]
fn what_stands_in_a_backup_is_borrowed_as_what_it_is() {
    let bytes = b"content".to_vec();
    let borrowed = |item: &Item| match ItemView::parse(&item.encode()).unwrap() {
        ItemView::DeviceCertificate(content) => (1, content.to_vec()),
        ItemView::ServiceCertificate(content) => (2, content.to_vec()),
        ItemView::StatusList(content) => (3, content.to_vec()),
        ItemView::LicenseRevocation(content) => (4, content.to_vec()),
        ItemView::Tombstone(content) => (5, content.to_vec()),
        ItemView::Batch(content) => (7, content.to_vec()),
        ItemView::Footer(content) => (10, content.to_vec()),
        ItemView::Title(..) | ItemView::Record(_) | ItemView::Page(_) | ItemView::Padding => panic!("another item"),
    };
    assert_eq!(borrowed(&Item::DeviceCertificate(bytes.clone())), (1, bytes.clone()));
    assert_eq!(borrowed(&Item::ServiceCertificate(bytes.clone())), (2, bytes.clone()));
    assert_eq!(borrowed(&Item::StatusList(bytes.clone())), (3, bytes.clone()));
    assert_eq!(borrowed(&Item::LicenseRevocation(bytes.clone())), (4, bytes.clone()));
    assert_eq!(borrowed(&Item::Tombstone(bytes.clone())), (5, bytes.clone()));
    assert_eq!(borrowed(&Item::Batch(bytes.clone())), (7, bytes.clone()));
    assert_eq!(borrowed(&Item::Footer(bytes.clone())), (10, bytes));
}

#[test]
fn an_item_may_be_as_long_as_the_longest_and_no_longer() {
    let head = Item::Batch(vec![0; MAX_ITEM_LEN]).encode().len() - MAX_ITEM_LEN;
    assert_eq!(both(&Item::Batch(vec![0; MAX_ITEM_LEN - head]).encode()), Ok(()));
    let longer = Item::Batch(vec![0; MAX_ITEM_LEN - head + 1]).encode();
    assert_eq!(both(&longer), Err(CborError::TooLong { cap: MAX_ITEM_LEN }));
}

#[test]
fn a_number_in_two_forms_or_bytes_behind_the_end_are_no_item_record_or_tombstone() {
    let of = |bytes: &[u8]| (both(bytes), Record::decode(bytes).err(), Tombstone::decode(bytes).err());
    // A batch, a record and a tombstone whose first number could be shorter.
    let long_number = || vec![0x18, 7];
    let batch = write::array([long_number(), write::bytes([])]);
    assert_eq!(both(&batch), Err(CborError::Encoding { offset: 1 }));
    let [_, rest @ ..] = members().try_into().unwrap_or([const { Vec::new() }; 5]);
    let numbered = [vec![long_number()], rest.to_vec()].concat();
    assert_eq!(Record::decode(&write::array(&numbered)).err(), Some(CborError::Encoding { offset: 1 }));
    let tombstone = Tombstone { lid: Lid::new([1; 16]), issuer: WORLD.issuer.id, removed_at: 5 }.encode();
    let (_, rest) = tombstone.split_at(tombstone.len() - 1);
    assert_eq!(rest, [5]);
    let longer = [&tombstone[..tombstone.len() - 1], &[0x18, 5]].concat();
    let offset = tombstone.len() - 1;
    assert_eq!(Tombstone::decode(&longer), Err(CborError::Encoding { offset }));
    for good in [Item::Batch(Vec::new()).encode(), write::array(members()), tombstone] {
        let trailing = CborError::Trailing { offset: good.len() };
        let followed = [good, vec![0]].concat();
        assert_eq!(of(&followed), (Err(trailing.clone()), Some(trailing.clone()), Some(trailing)));
    }
    assert_eq!(of(&write::array([write::uint(1)])), (Err(NOT_READ), Some(NOT_READ), Some(NOT_READ)));
}

#[test]
fn a_record_has_five_members_and_its_license_two() {
    assert_eq!(both(&record(&members())), Ok(()));
    let six = [members(), vec![write::uint(0)]].concat();
    assert_eq!(both(&record(&six)), Err(NOT_READ));
    // A license of three, with what would be read in the places of state and key.
    let [number, index, _, state, key] = members().try_into().unwrap_or([const { Vec::new() }; 5]);
    let three = write::array([write::bytes(b"policy"), write::bytes(b"binding"), state]);
    assert_eq!(both(&record(&[number, index, three, key, write::uint(0)])), Err(NOT_READ));
}

#[test]
fn a_record_has_a_key_and_a_license_up_to_their_lengths() {
    let with = |place: usize, member: Vec<u8>| {
        let mut members = members();
        members[place] = member;
        both(&record(&members))
    };
    assert_eq!(with(4, write::bytes([0; 65])), Err(NOT_READ));
    let license = |length| License { policy: vec![0; length], binding: Vec::new() }.encode();
    let head = license(8000).len() - 8000;
    assert_eq!(with(2, license(8 * 1024 - head)), Ok(()));
    assert_eq!(with(2, license(8 * 1024 - head + 1)), Err(NOT_READ));
}

#[test]
fn a_tombstone_keeps_out_what_its_issuer_made_or_all_if_it_says_so() {
    let (own, other) = (ServiceId::new([1; 16]), ServiceId::new([2; 16]));
    let of = |issuer| Tombstone { lid: Lid::new([1; 16]), issuer, removed_at: 0 };
    assert_eq!([own, other].map(|issuer| of(own).forbids(issuer)), [true, false]);
    assert_eq!([own, other].map(|issuer| of(Tombstone::EVERY_ISSUER).forbids(issuer)), [true, true]);
}

#[test]
fn a_section_with_a_field_that_nobody_knows_is_refused() {
    let ticket = write::array([write::bytes([3; 32]), write::bytes([]), write::bytes([])]);
    let header = |section: Map| {
        let fields = [(10, write::uint(1)), (11, write::bytes(BackupId::new([0; 16])))];
        let sections = write::array([bytes_of(&section)]);
        Header::decode(&bytes_of(&fields.into_iter().chain([(12, sections)]).collect())).map(|_| ())
    };
    assert_eq!(header(Map::from([(1, ticket.clone())])), Ok(()));
    let refused = BackupFormatError::Content(CborError::Value { field: 12 });
    assert_eq!(header(Map::from([(1, ticket), (3, vec![0])])), Err(refused));
}
