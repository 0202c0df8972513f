//! Requests: every kind round trips, limits hold, and a request is one device's to one service.

use crate::world::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use wmlicense_wire::backup::Ticket;
use wmlicense_wire::cbor::{CborError, write};
use wmlicense_wire::certificate::Assurance;
use wmlicense_wire::cose::{CoseError, Document};
use wmlicense_wire::id::{BackupId, Digest, Epoch, Id, Kid, Lid, ServiceId, SignerId, TransactionId};
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::request::{
    Body, ClientInfo, MAX_DEVICE_NAME, MAX_LEN, MAX_NAMED, MAX_RESTORE_LEN, Request, RequestError, RestoreBatch,
    RestoreSource, interaction_code,
};

fn request(body: Body) -> Request {
    Request {
        audience: WORLD.issuer.id,
        time: NOW,
        transaction: TRANSACTION,
        page: 0,
        cursor: None,
        epoch: None,
        status_number: None,
        held: vec![WORLD.issuer.certificate.hash],
        client: ClientInfo {
            library: "0.1.0".to_owned(),
            security_version: "1.0.0.0".to_owned(),
            application: Some("player".to_owned()),
            application_level: 2,
            device_name: Some("Küche".to_owned()),
        },
        device_certificate: Some(DEVICE.certificate.bytes.clone()),
        body,
    }
}

fn licenses(kids: Vec<Kid>) -> Body {
    Body::Licenses {
        kids,
        header: None,
        scope: None,
        since: None,
        actions: vec!["Play".to_owned()],
        custom: None,
        usage: Vec::new(),
    }
}

fn source() -> RestoreSource {
    let ticket = Ticket { recipient: SignerId::new([3; 32]), enc: vec![4; 1120], ciphertext: vec![5; 150] };
    RestoreSource { backup_id: BackupId::new([1; 16]), section: 2, ticket }
}

fn restore(batches: Vec<RestoreBatch>) -> Body {
    telling_restore(batches, Vec::new())
}

fn telling_restore(batches: Vec<RestoreBatch>, usage: Vec<(Lid, State)>) -> Body {
    let certificates = vec![WORLD.issuer.certificate.bytes.clone()];
    Body::Restore { source: source(), header_hash: Digest::of(b"header"), batches, certificates, usage }
}

fn bodies() -> Vec<Body> {
    let actions = BTreeMap::from([("Play".to_owned(), ActionState { counts_left: Some(1), first_use: None })]);
    let states = vec![(Lid::new([1; 16]), State { actions })];
    vec![
        Body::Individualize {
            keys: DEVICE.keys.clone(),
            assurance: Assurance::Tpm2,
            consent: true,
            current: None,
            rekey: None,
        },
        Body::Individualize {
            keys: DEVICE.keys.clone(),
            assurance: Assurance::File,
            consent: false,
            current: Some(vec![1; 3]),
            rekey: Some(vec![2; 3]),
        },
        licenses(vec![Kid::new([1; 16]), Kid::new([2; 16])]),
        Body::Licenses {
            kids: Vec::new(),
            header: Some(vec![7; 100]),
            scope: Some("series/1".to_owned()),
            since: Some(NOW),
            actions: Vec::new(),
            custom: Some(vec![8; 10]),
            usage: states.clone(),
        },
        Body::Renewals { licenses: states.clone(), custom: Some(vec![8; 10]) },
        Body::Renewals { licenses: Vec::new(), custom: None },
        Body::Returns { licenses: states.clone() },
        telling_restore(Vec::new(), states.clone()),
        Body::RestorePreview { source: source(), lids: vec![Lid::new([1; 16])], usage: Vec::new() },
        Body::RestorePreview { source: source(), lids: vec![Lid::new([1; 16])], usage: states },
        Body::Mailbox { taken: vec![TransactionId::new([1; 16]), TransactionId::new([2; 16])] },
        Body::Mailbox { taken: Vec::new() },
        restore(vec![RestoreBatch {
            signed: vec![1; 400],
            records: vec![vec![2; 300], vec![3; 300]],
            ..RestoreBatch::default()
        }]),
    ]
}

fn signed(request: &Request) -> Vec<u8> {
    request.sign(&DEVICE.signing, DEVICE.thumbprint()).unwrap()
}

fn read(bytes: &[u8]) -> Result<Request, RequestError> {
    let device = &DEVICE;
    Request::verify(Request::parse(bytes, MAX_RESTORE_LEN)?, &device.keys.signing, device.thumbprint())
}

/// The refusal of a request that its device signed with this change.
fn changed(body: Body, edit: impl FnOnce(&mut Map)) -> RequestError {
    read(&resigned(Document::Request, &signed(&request(body)), &DEVICE.signing, edit)).err().unwrap()
}

/// As [`changed`], for a change of the part that depends on the kind.
fn changed_body(body: Body, edit: impl FnOnce(&mut Map)) -> RequestError {
    changed(body, |map| {
        let inner = edited(&map[&18], edit);
        map.insert(18, inner);
    })
}

#[test]
fn the_name_of_a_device_is_a_line_of_64_characters() {
    let named = |name: &str| {
        changed(licenses(Vec::new()), |map| {
            map.insert(64, write::text(name));
        })
    };
    for wrong in ["x".repeat(MAX_DEVICE_NAME + 1), "two\nlines".to_owned()] {
        assert!(matches!(named(&wrong), RequestError::Content(CborError::Value { field: 64 })), "{wrong:?}");
    }
    for right in [None, Some(String::new()), Some("\u{1f4fa}".repeat(MAX_DEVICE_NAME))] {
        let client = ClientInfo { device_name: right, ..request(licenses(Vec::new())).client };
        let request = Request { client, ..request(licenses(Vec::new())) };
        assert!(read(&signed(&request)).unwrap() == request);
    }
}

#[test]
fn every_kind_of_request_is_read_back() {
    for body in bodies() {
        let full = Request {
            page: 3,
            cursor: Some(vec![1; 5]),
            epoch: Some(Epoch::new([2; 16])),
            status_number: Some(9),
            ..request(body.clone())
        };
        let bare =
            Request { held: Vec::new(), client: ClientInfo::default(), device_certificate: None, ..request(body) };
        for request in [full, bare] {
            let bytes = signed(&request);
            assert!(read(&bytes).unwrap() == request);
            let unverified = Request::parse(&bytes, MAX_LEN).unwrap();
            assert!(Request::decode_unverified(&unverified).unwrap() == request);
            assert_eq!(unverified.signer_id(), DEVICE.thumbprint());
        }
    }
}

#[test]
fn a_request_for_licenses_stays_small() {
    let length = signed(&request(licenses(vec![Kid::new([1; 16])]))).len();
    assert!(length < 2200, "{length}");
}

#[test]
fn a_request_signed_by_another_key_is_refused() {
    let request = request(licenses(Vec::new()));
    let device = &DEVICE;
    let forged = request.sign(&WORLD.issuer.key, device.thumbprint()).unwrap();
    assert_eq!(read(&forged).err(), Some(RequestError::Signature(CoseError::BadSignature)));
    let other = request.sign(&device.signing, service_signer(&device.signing)).unwrap();
    assert_eq!(read(&other).err(), Some(RequestError::Signature(CoseError::WrongSigner)));
}

#[test]
fn every_changed_byte_of_a_request_is_noticed() {
    let bytes = signed(&request(licenses(vec![Kid::new([1; 16])])));
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x41;
        assert!(read(&changed).is_err(), "{at}");
        assert!(read(&bytes[..at]).is_err(), "{at}");
    }
}

#[test]
fn only_a_restore_may_be_long() {
    let big = RestoreBatch { signed: vec![1; 400], records: vec![vec![2; 100_000]], ..RestoreBatch::default() };
    let bytes = signed(&request(restore(vec![big])));
    assert!(read(&bytes).is_ok());
    let refused = Request::parse(&bytes, MAX_LEN).err();
    assert_eq!(refused, Some(RequestError::Signature(CoseError::TooLong(MAX_LEN))));
}

#[test]
fn a_malformed_request_is_refused_even_from_its_device() {
    let plain = || licenses(Vec::new());
    for field in [3, 6, 7, 10, 11, 15, 16, 18] {
        let missing = changed(plain(), |map| drop(map.remove(&field)));
        assert_eq!(missing, RequestError::Content(CborError::Missing { field }));
    }
    for (field, value) in [
        (3, write::bytes([0; 15])),
        (10, write::uint(0)),
        (10, write::uint(9)),
        (11, write::uint(1 << 32)),
        (12, write::bytes([0; 1025])),
        (15, write::array((0..257).map(|_| write::bytes([0; 32])))),
        (16, write::array([write::text("0.1.0")])),
        (17, write::bytes(vec![0; 8193])),
    ] {
        let wrong = changed(plain(), |map| drop(map.insert(field, value)));
        assert_eq!(wrong, RequestError::Content(CborError::Value { field }));
    }
    let unknown = changed(plain(), |map| drop(map.insert(19, vec![0])));
    assert_eq!(unknown, RequestError::Content(CborError::Unknown { field: 19 }));
}

#[test]
fn a_malformed_body_is_refused_even_from_its_device() {
    let kids = |count: usize| write::array((0..count).map(|_| write::bytes([0; 16])));
    let value = |field| RequestError::Content(CborError::Value { field });
    assert_eq!(changed_body(licenses(Vec::new()), |map| drop(map.insert(1, kids(1025)))), value(1));
    let preview = || Body::RestorePreview { source: source(), lids: Vec::new(), usage: Vec::new() };
    assert_eq!(changed_body(preview(), |map| drop(map.insert(5, kids(0)))), value(5));
    assert_eq!(changed_body(preview(), |map| drop(map.insert(4, kids(4097)))), value(4));
    assert_eq!(changed_body(preview(), |map| drop(map.insert(3, write::array([[0xf6]])))), value(3));
    let long = write::array([write::bytes([3; 32]), write::bytes(vec![0; 4097]), write::bytes([])]);
    assert_eq!(changed_body(preview(), |map| drop(map.insert(3, long))), value(3));
    let mailbox = || Body::Mailbox { taken: Vec::new() };
    assert_eq!(changed_body(mailbox(), |map| drop(map.insert(1, kids(257)))), value(1));
    let individualize = bodies().swap_remove(0);
    assert_eq!(changed_body(individualize.clone(), |map| drop(map.insert(3, vec![4]))), value(3));
    assert_eq!(changed_body(individualize.clone(), |map| drop(map.insert(1, write::bytes([0; 32])))), value(1));
    assert_eq!(changed_body(individualize, |map| drop(map.insert(4, vec![1]))), value(4));
    let unknown = changed_body(licenses(Vec::new()), |map| drop(map.insert(8, vec![0])));
    assert_eq!(unknown, RequestError::Content(CborError::Unknown { field: 8 }));
    let swapped = changed(licenses(Vec::new()), |map| drop(map.insert(10, write::uint(6))));
    assert!(matches!(swapped, RequestError::Content(_)));
}

#[test]
fn the_six_digits_are_the_first_eight_bytes_of_the_hash_modulo_a_million() {
    let mut hash = [0xff; 32];
    hash[..8].copy_from_slice(&[0, 0, 0, 0, 0, 0x1e, 0x84, 0x87]);
    // 0x1e8487 is 2 000 007.
    assert_eq!(interaction_code(Digest::new(hash)), "000007");
    assert_eq!(interaction_code(Digest::new([0xff; 32])), "551615");
}

#[test]
fn a_restore_holds_at_most_4096_records_in_all_its_batches() {
    let batch =
        |count| RestoreBatch { signed: Vec::new(), records: vec![Vec::new(); count], ..RestoreBatch::default() };
    let read = |counts: &[usize]| read(&signed(&request(restore(counts.iter().map(|count| batch(*count)).collect()))));
    assert!(read(&[4096]).is_ok());
    assert!(read(&[2048, 2048]).is_ok());
    for counts in [&[4097][..], &[4096, 1], &[2048, 2048, 1]] {
        assert_eq!(read(counts).err(), Some(RequestError::Content(CborError::Value { field: 5 })));
    }
}

fn ids<const N: usize, K>() -> impl Strategy<Value = Id<N, K>> {
    any::<[u8; N]>().prop_map(Id::new)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_request_for_licenses_is_read_back(audience in ids(), time in any::<i64>(), transaction in ids(),
        page in any::<u32>(), cursor in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..50)),
        kids in proptest::collection::vec(ids(), 0..20), held in proptest::collection::vec(ids(), 0..9),
        texts in any::<(String, String, Option<String>, Vec<String>)>(), level in any::<u32>()) {
        let (audience, transaction): (ServiceId, TransactionId) = (audience, transaction);
        let (library, security_version, application, mut actions) = texts;
        actions.truncate(32);
        let client =
            ClientInfo { library, security_version, application, application_level: level, device_name: None };
        let mut body = licenses(kids);
        if let Body::Licenses { actions: wanted, .. } = &mut body {
            *wanted = actions;
        }
        let request = Request { audience, time, transaction, page, cursor, held, client, ..request(body) };
        prop_assert!(read(&signed(&request)).unwrap() == request);
    }
}

/// Everything beside the body at its longest.
fn longest(body: Body) -> Request {
    let text = || "x".repeat(1024);
    Request {
        page: u32::MAX,
        time: i64::MAX,
        cursor: Some(vec![1; 1024]),
        epoch: Some(Epoch::new([2; 16])),
        status_number: Some(u64::MAX),
        held: vec![Digest::of(b"held"); 256],
        client: ClientInfo {
            library: text(),
            security_version: text(),
            application: Some(text()),
            application_level: u32::MAX,
            device_name: Some("\u{1f4fa}".repeat(MAX_DEVICE_NAME)),
        },
        device_certificate: Some(vec![3; wmlicense_wire::certificate::MAX_LEN]),
        ..request(body)
    }
}

#[test]
fn a_request_has_room_for_all_that_it_may_name_whatever_else_it_says() {
    let states = |count: usize| vec![(Lid::new([1; 16]), State::default()); count];
    let source = || RestoreSource {
        ticket: Ticket { recipient: SignerId::new([3; 32]), enc: vec![4; 1120], ciphertext: vec![5; 256] },
        ..source()
    };
    let bodies = |count: usize| {
        [
            Body::Renewals { licenses: states(count), custom: None },
            Body::Returns { licenses: states(count) },
            Body::RestorePreview { source: source(), lids: vec![Lid::new([1; 16]); count], usage: Vec::new() },
        ]
    };
    let read = |body: Body| {
        let signed = longest(body).sign(&DEVICE.signing, DEVICE.thumbprint()).unwrap();
        let length = signed.len();
        let document = Request::parse(&signed, MAX_LEN)?;
        Request::decode_unverified(&document).map(|_| length)
    };
    for body in bodies(MAX_NAMED) {
        assert!(read(body).is_ok_and(|length| length <= MAX_LEN));
    }
    for body in bodies(MAX_NAMED + 1) {
        assert!(matches!(read(body), Err(RequestError::Content(CborError::Value { field: 1 | 4 }))));
    }
}
