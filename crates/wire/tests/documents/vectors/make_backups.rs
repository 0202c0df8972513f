//! Makes headers, tickets, items, records, footers and whole sections of backups.

use super::make::SERVICES;
use super::read::hex;
use crate::world::*;
use std::collections::BTreeMap;
use std::io::Write as _;
use wmlicense_testkit::vectors::Vector;
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::backup::page::{PageBuilder, PageKey, PageView, SectionPageKeys};
use wmlicense_wire::backup::{
    Counts, DeviceTicket, Footer, Header, Item, Record, RecordKey, SectionHeader, SectionKeys, ServiceTicket, Ticket,
    Tombstone, Version, section_context,
};
use wmlicense_wire::cbor::write;
use wmlicense_wire::chunked::Sealer;
use wmlicense_wire::id::{BackupId, Digest, Kid, ServiceId, StoreId};
use wmlicense_wire::license::{ActionState, License, State};
use wmlicense_wire::policy::LicenseKind;
use zeroize::Zeroizing;

const ID: BackupId = BackupId::new([0xbb; 16]);
const STORE: StoreId = StoreId::new([0x55; 16]);

fn secret(byte: u8) -> SecretKey {
    SecretKey::new(Zeroizing::new([byte; 32]))
}

fn section_keys() -> SectionKeys {
    SectionKeys { meta: secret(0x4d), content: secret(0x43) }
}

/// A header of the earlier version.
pub(crate) fn header() -> Header {
    header_of(Version::Records)
}

fn header_of(version: Version) -> Header {
    let device = DeviceTicket { keys: section_keys(), store_id: STORE };
    let device = Ticket::for_device(&DEVICE.keys, ID, 0, &device).unwrap();
    let (device_id, thumbprint) = (DEVICE_ID, DEVICE.thumbprint());
    let service = ServiceTicket { keys: section_keys(), device_id, thumbprint, user: None, created_at: NOW };
    let recipient = WORLD.management.certificate.backup_key.as_ref().unwrap();
    let service = Ticket::for_service(recipient, ID, 0, &service).unwrap();
    Header { version, backup_id: ID, sections: vec![SectionHeader { device, service: Some(service) }] }
}

pub(crate) fn all() -> Vec<Vector> {
    let (header, newer) = (header().encode(), header_of(Version::Pages).encode());
    let sections = [section("ok", &header, records_stream()), section("pages", &newer, pages_stream())].concat();
    [headers(&header, &newer), tickets(&header), records(), pages(), items(), footers(&header), sections]
        .into_iter()
        .flatten()
        .collect()
}

fn headers(good: &[u8], newer: &[u8]) -> Vec<Vector> {
    let of = |name: &str, about, expect, bytes: &[u8]| {
        Vector::new(&format!("backup-header-{name}"), about, "backup-header", expect, bytes)
    };
    let with = |edit: &dyn Fn(&mut Map)| {
        let body = edited(&good[12..], edit);
        [b"WMBACKUP".as_slice(), &(body.len() as u32).to_be_bytes(), &body].concat()
    };
    let mut magic = good.to_vec();
    magic[0] = b'w';
    let mut length = good.to_vec();
    length[8] = 1;
    let later = with(&|map| drop(map.insert(10, vec![3])));
    let many = with(&|map| drop(map.insert(12, write::array((0..257).map(|_| vec![0xa0])))));
    vec![
        of("ok", "version 1: one section with both tickets", "ok", good)
            .with("gives-backup-id", ID)
            .with("gives-sections", 1),
        of("pages", "version 2: one section with both tickets", "ok", newer)
            .with("gives-backup-id", ID)
            .with("gives-sections", 1),
        of("magic", "another first byte", "magic", &magic),
        of("length", "a length over 1 MiB", "too-long", &length),
        of("truncated", "the last byte is missing", "encoding", &good[..good.len() - 1]),
        of("later", "a later version of the format", "version", &later),
        of("sections", "more than 256 sections", "value", &many),
    ]
}

fn tickets(good: &[u8]) -> Vec<Vector> {
    let of = |kind: &str, name: &str, about, expect, section: u32| {
        let key = if kind == "device-ticket" { "key-device" } else { "key-management" };
        let vector = Vector::new(&format!("{kind}-{name}"), about, kind, expect, good);
        vector.with("recipient-key", key).with("backup-id", ID).with("section", section)
    };
    let (meta, content) = (hex(secret(0x4d).as_bytes()), hex(secret(0x43).as_bytes()));
    vec![
        of("device-ticket", "ok", "opens with the device's key", "ok", 0)
            .with("gives-meta-key", &meta)
            .with("gives-content-key", content)
            .with("gives-store-id", STORE),
        of("device-ticket", "other-section", "the ticket of another section", "ticket", 1),
        of("service-ticket", "ok", "opens with the management service's key", "ok", 0)
            .with("gives-meta-key", meta)
            .with("gives-device", DEVICE_ID),
        of("service-ticket", "other-section", "the ticket of another section", "ticket", 1),
    ]
}

pub(crate) fn record(number: u64) -> Record {
    let actions = BTreeMap::from([("Play".to_owned(), ActionState { counts_left: Some(2), first_use: Some(NOW) })]);
    let key = inner(LicenseKind::Content, 7);
    Record::seal(number, 0, license(1), State { actions }, &key, &RecordKey::of(&secret(0x43)))
}

fn records() -> Vec<Vector> {
    let of = |name: &str, about, expect, bytes: Vec<u8>| {
        let vector = Vector::new(&format!("record-{name}"), about, "record", expect, bytes);
        vector.with("content-key", hex(secret(0x43).as_bytes()))
    };
    let state = record(5).state.encode();
    let more = |change: &dyn Fn(&mut Record)| {
        let mut record = record(5);
        change(&mut record);
        record.encode()
    };
    vec![
        of("ok", "a counted license with its state", "ok", record(5).encode())
            .with("gives-key", hex(&[7; 16]))
            .with("gives-state", hex(&state)),
        of("number", "another number", "damaged", more(&|record| record.number = 6)),
        of("place", "another place in the manifest", "damaged", more(&|record| record.manifest_index = 1)),
        of(
            "state",
            "more counts than were left",
            "damaged",
            more(&|record| {
                record.state.actions.get_mut("Play").unwrap().counts_left = Some(3);
            }),
        ),
        of("license", "another license", "damaged", more(&|record| record.license.policy = policy(2).encode())),
        of("short", "four fields in place of five", "encoding", write::array(vec![vec![0]; 4])),
    ]
}

fn page_key() -> PageKey {
    PageKey::new(secret(0x50))
}

/// Places and licenses of the page, their keys 7 and 8.
fn paged() -> [(u32, License, u8); 2] {
    [(0, license(1), 7), (4095, license(2), 8)]
}

/// The wrapped key of the section's page with this number, and a page of two licenses.
pub(crate) fn page(number: u64) -> (Vec<u8>, Vec<u8>) {
    let mut builder = PageBuilder::default();
    for (index, license, byte) in paged() {
        let key = page_key().wrap(index, license.policy_hash(), &inner(LicenseKind::Content, byte));
        builder.push(index, &license.encode(), &key).unwrap();
    }
    (SectionPageKeys::of(&secret(0x43)).seal(number, &page_key()), builder.finish().unwrap())
}

/// Bytes of the licenses of a page.
fn page_licenses(page: &[u8]) -> usize {
    page.len() - PageView::parse(page).unwrap().front().len()
}

fn pages() -> Vec<Vector> {
    let of = |name: &str, about, expect, (wrapped_key, page): (Vec<u8>, Vec<u8>)| {
        let bytes = Item::Page { wrapped_key, page }.encode();
        Vector::new(&format!("page-{name}"), about, "page-item", expect, bytes)
            .with("content-key", hex(secret(0x43).as_bytes()))
            .with("number", 5)
    };
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let (key, mut bytes) = page(5);
        change(&mut bytes);
        (key, bytes)
    };
    let bytes = |at: usize, bytes: [u8; 2]| move |page: &mut Vec<u8>| page[at..at + 2].copy_from_slice(&bytes);
    // The wrapped keys of its licenses stand behind two entries of six bytes.
    let swapped = with(&|page| page[14..14 + 64].rotate_left(32));
    vec![
        of("ok", "two licenses without a state", "ok", page(5))
            .with("gives-places", "0 4095")
            .with("gives-keys", format!("{} {}", hex(&[7; 16]), hex(&[8; 16]))),
        of("number", "the page of another number", "damaged", page(6)),
        of("keys", "the wrapped keys of the two licenses exchanged", "damaged", swapped),
        of("twice", "two licenses of one place", "encoding", with(&bytes(8, [0, 0]))),
        of("outside", "a place that no manifest has", "encoding", with(&bytes(8, [0x10, 0]))),
        of("count", "three licenses where there are two", "encoding", with(&bytes(0, [0, 3]))),
        of("cut", "the last byte is missing", "encoding", with(&|page| page.truncate(page.len() - 1))),
        of("short-key", "a page key of 31 bytes", "encoding", (vec![0; 47], page(5).1)),
    ]
}

fn tombstone(name: &str, about: &str, issuer: ServiceId) -> Vector {
    let tombstone = Tombstone { lid: policy(1).lid, issuer, removed_at: NOW };
    Vector::new(name, about, "item", "ok", Item::Tombstone(tombstone.encode()).encode())
        .with("gives-lid", tombstone.lid)
        .with("gives-issuer", issuer)
        .with("gives-removed-at", NOW)
}

fn items() -> Vec<Vector> {
    let of = |name: &str, about, expect, bytes: Vec<u8>| Vector::new(name, about, "item", expect, bytes);
    vec![
        of("item-title", "the title of a key ID", "ok", Item::Title(policy(1).kid, "Title".to_owned()).encode()),
        tombstone("item-tombstone", "a license that was removed", WORLD.issuer.id),
        tombstone("item-tombstone-every", "no license of an ID, whoever issued it", Tombstone::EVERY_ISSUER),
        of("item-tombstone-short", "a tombstone without its time", "encoding", {
            Item::Tombstone(write::array([write::bytes(policy(1).lid), write::bytes(WORLD.issuer.id)])).encode()
        }),
        of("item-unknown", "a kind of item that no reader knows", "encoding", write::array([vec![12], vec![0x40]])),
        of("item-padding", "padding that is not zero", "encoding", write::array([vec![9], vec![0x41, 1]])),
    ]
}

fn footer(header: &[u8], stream: &[u8], records: u64) -> Vec<u8> {
    let footer = Footer {
        created_at: NOW,
        backup_id: ID,
        section: 0,
        header_hash: Digest::of(header),
        stream_hash: Digest::of(stream),
        counts: Counts { records, titles: 1, ..Counts::default() },
        store_id: STORE,
    };
    footer.sign(&DEVICE.signing, DEVICE.thumbprint()).unwrap()
}

fn footers(header: &[u8]) -> Vec<Vector> {
    let of = |name: &str, about, expect, bytes: Vec<u8>| {
        Vector::new(&format!("footer-{name}"), about, "footer", expect, bytes)
            .with("authority", "authority-certificate-ok")
            .with("certificates", SERVICES)
            .with("device", "device-certificate-ok")
    };
    let good = footer(header, b"stream", 2);
    let mut changed = good.clone();
    let at = changed.windows(2).position(|part| part == [0x0e, 0x84]).unwrap();
    changed[at + 3] ^= 1;
    vec![
        of("ok", "the signed end of a section", "ok", good).with("gives-records", 2).with("gives-store-id", STORE),
        of("counts", "another number of records", "bad-signature", changed),
    ]
}

type Stream = (Vec<Item>, &'static str);

fn records_stream() -> Stream {
    let items = vec![
        Item::Title(Kid::new([0xc0; 16]), "Title".to_owned()),
        Item::Record(Box::new(record(0))),
        Item::Padding(vec![0; 17_000]),
    ];
    (items, "title, record, padding and footer in two chunks")
}

fn pages_stream() -> Stream {
    let (wrapped_key, page) = page(0);
    let items = vec![
        Item::Title(Kid::new([0xc0; 16]), "Title".to_owned()),
        Item::Page { wrapped_key, page },
        Item::Record(Box::new(record(0))),
        Item::Padding(vec![0; 17_000]),
    ];
    (items, "title, page, record, padding and footer in two chunks")
}

fn section(name: &str, header: &[u8], (items, about): Stream) -> Vec<Vector> {
    let (mut stream, mut footed, mut kinds) = (Vec::new(), Vec::new(), String::new());
    for item in &items {
        let bytes = item.encode();
        let licenses = if let Item::Page { page, .. } = item { page_licenses(page) } else { 0 };
        kinds += &format!("{} ", bytes[1]);
        stream.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        stream.extend_from_slice(&bytes);
        footed.extend_from_slice(&stream[stream.len() - bytes.len() - 4..stream.len() - licenses]);
    }
    let count = items.iter().map(|item| match item {
        Item::Page { page, .. } => PageView::parse(page).unwrap().count(),
        Item::Record(_) => 1,
        _ => 0,
    });
    let footer = Item::Footer(footer(header, &footed, count.sum::<usize>() as u64)).encode();
    stream.extend_from_slice(&(footer.len() as u32).to_be_bytes());
    stream.extend_from_slice(&footer);

    let context = section_context(0, Digest::of(header));
    let mut sealer = Sealer::new(&secret(0x4d), &context, Vec::new()).unwrap();
    sealer.write_all(&stream).unwrap();
    let sealed = sealer.finish().unwrap();
    let of = |name: &str, about, expect, section: u32, bytes: &[u8]| {
        Vector::new(&format!("section-{name}"), about, "section", expect, bytes)
            .with("meta-key", hex(secret(0x4d).as_bytes()))
            .with("section", section)
            .with("header-hash", Digest::of(header))
    };
    let whole = of(name, about, "ok", 0, &sealed)
        .with("gives-plain-hash", Digest::of(&stream))
        .with("gives-items", kinds + "10");
    if name != "ok" {
        return vec![whole];
    }
    let whole_chunk = &sealed[..56 + 16 * 1024 + 16];
    let mut swapped = sealed.clone();
    swapped[100] ^= 1;
    vec![
        whole,
        of("truncated", "the last chunk is missing", "damaged", 0, whole_chunk),
        of("changed", "one bit is changed", "damaged", 0, &swapped),
        of("other-place", "read as another section", "damaged", 1, &sealed),
    ]
}
