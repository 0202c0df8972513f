//! Reads a vector as its file says.

use super::refusal::{
    of_answer, of_backup, of_cbor, of_certificate, of_request, of_revocation, of_service_document, of_status_list,
};
use std::collections::BTreeMap;
use std::io::Read as _;
use wmlicense_testkit::vectors::Vector;
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::answer::{Envelope, Expected, MAX_GIVEN_AGE};
use wmlicense_wire::backup::page::{PageView, SectionPageKeys};
use wmlicense_wire::backup::{Footer, Header, Item, Record, RecordKey, Tombstone, section_context};
use wmlicense_wire::cbor;
use wmlicense_wire::certificate::{AuthorityCertificate, DeviceCertificate, Directory, Role, ServiceCertificate};
use wmlicense_wire::chunked::Opener;
use wmlicense_wire::id::{Digest, Id};
use wmlicense_wire::kem::{HpkePrivateKey, Suite};
use wmlicense_wire::license::{License, State};
use wmlicense_wire::policy::{LicenseKind, Policy};
use wmlicense_wire::request::{MAX_RESTORE_LEN, Request};
use wmlicense_wire::revocation::{Acknowledgement, Revocation};
use wmlicense_wire::service_document::{ServiceDocument, verify_time};
use wmlicense_wire::status_list::StatusList;

/// What a vector can be read as.
pub(crate) const KINDS: [&str; 23] = [
    "acknowledgement",
    "answer",
    "authority-certificate",
    "backup-header",
    "cbor",
    "device-certificate",
    "device-ticket",
    "footer",
    "given",
    "hpke-private-key",
    "item",
    "license",
    "page-item",
    "policy",
    "record",
    "request",
    "revocation",
    "section",
    "service-certificate",
    "service-document",
    "service-ticket",
    "signed-time",
    "status-list",
];

type Gives = Vec<(String, String)>;
type Vectors = BTreeMap<String, Vector>;

/// A reading of one vector, with the others at hand that it names.
struct Reader<'v> {
    vector: &'v Vector,
    all: &'v Vectors,
}

/// What reading gives, or the class of its refusal.
pub(crate) fn read(vector: &Vector, all: &Vectors) -> Result<Gives, &'static str> {
    let reader = Reader { vector, all };
    let bytes = &vector.bytes;
    match vector.field("read-as") {
        "acknowledgement" => reader.acknowledgement(),
        "answer" => reader.answer(),
        "authority-certificate" => {
            let pins = [Digest::new(vector.hex("pin").try_into().unwrap())];
            AuthorityCertificate::parse_pinned(bytes, &pins).map(|_| Vec::new()).map_err(of_certificate)
        }
        "backup-header" => reader.backup_header(),
        "cbor" => cbor::check(bytes).map(|()| Vec::new()).map_err(|error| of_cbor(&error)),
        "device-certificate" => reader.device_certificate(),
        "device-ticket" | "service-ticket" => reader.ticket(),
        "footer" => reader.footer(),
        "given" => reader.given(),
        "hpke-private-key" => {
            let key = HpkePrivateKey::from_bytes(reader.suite(), bytes).map_err(|_| "key")?;
            gives(&[("public", hex(Digest::of(key.public_key().as_bytes()).as_bytes()))])
        }
        "item" => item(bytes),
        "license" => License::decode(bytes).map(|_| Vec::new()).map_err(|error| of_cbor(&error)),
        "page-item" => reader.page_item(),
        "policy" => reader.policy(),
        "record" => reader.record(),
        "request" => reader.request(),
        "revocation" => {
            let verified = Revocation::verify(bytes).map_err(of_revocation)?;
            let (number, entries) = (verified.content.number.to_string(), verified.content.entries.len().to_string());
            gives(&[("key", verified.key.to_hex()), ("number", number), ("entries", entries)])
        }
        "section" => reader.section(),
        "service-certificate" => reader.service_certificate(),
        "service-document" => {
            let pins = [Digest::new(vector.hex("pin").try_into().unwrap())];
            let parsed = ServiceDocument::parse(bytes, &pins).map_err(of_service_document)?;
            gives(&[("certificates", parsed.1.services().len().to_string())])
        }
        "signed-time" => {
            let verified = verify_time(bytes, &vector.hex("nonce"), &reader.directory());
            gives(&[("time", verified.map_err(of_service_document)?.0.to_string())])
        }
        "status-list" => {
            let list = StatusList::parse(bytes, &reader.authority()).map_err(of_status_list)?;
            let revoked = list.services.len() + list.devices.len() + list.applications.len();
            gives(&[("number", list.number.to_string()), ("revoked", revoked.to_string())])
        }
        other => panic!("{}: read as {other}", vector.name),
    }
}

fn gives(results: &[(&str, String)]) -> Result<Gives, &'static str> {
    Ok(results.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn item(bytes: &[u8]) -> Result<Gives, &'static str> {
    let Item::Tombstone(inside) = Item::decode(bytes).map_err(|error| of_cbor(&error))? else { return Ok(Vec::new()) };
    let tombstone = Tombstone::decode(&inside).map_err(|error| of_cbor(&error))?;
    assert_eq!(Item::Tombstone(tombstone.encode()).encode(), bytes);
    gives(&[
        ("lid", tombstone.lid.to_hex()),
        ("issuer", tombstone.issuer.to_hex()),
        ("removed-at", tombstone.removed_at.to_string()),
    ])
}

impl Reader<'_> {
    fn other(&self, field: &str) -> &[u8] {
        &self.all[self.vector.field(field)].bytes
    }

    fn id<const N: usize, K>(&self, field: &str) -> Id<N, K> {
        Id::from_slice(&self.vector.hex(field)).unwrap()
    }

    fn secret(&self, field: &str) -> SecretKey {
        SecretKey::from_slice(&self.vector.hex(field)).unwrap()
    }

    fn suite(&self) -> Suite {
        Suite::from_number(self.vector.number("suite")).unwrap()
    }

    fn hpke_key(&self) -> HpkePrivateKey {
        let key = &self.all[self.vector.field("recipient-key")];
        HpkePrivateKey::from_bytes(Suite::from_number(key.number("suite")).unwrap(), &key.bytes).unwrap()
    }

    fn authority(&self) -> AuthorityCertificate {
        AuthorityCertificate::parse(self.other("authority")).unwrap()
    }

    /// The authority and the services whose certificates the vector names.
    fn directory(&self) -> Directory {
        let mut directory = Directory::new(self.authority());
        for name in self.vector.field("certificates").split(' ') {
            directory.add(&self.all[name].bytes).unwrap();
        }
        directory
    }

    fn device(&self) -> DeviceCertificate {
        self.directory().device(self.other("device")).unwrap()
    }

    fn service_certificate(&self) -> Result<Gives, &'static str> {
        let parsed = ServiceCertificate::parse(&self.vector.bytes, &self.authority()).map_err(of_certificate)?;
        parsed.check_valid_at(self.vector.number("time")).map_err(of_certificate)?;
        gives(&[("service", parsed.service_id.to_hex()), ("signer", parsed.signer_id().to_hex())])
    }

    fn device_certificate(&self) -> Result<Gives, &'static str> {
        let parsed = self.directory().device(&self.vector.bytes).map_err(of_certificate)?;
        gives(&[("device", parsed.device_id.to_hex()), ("thumbprint", parsed.thumbprint().to_hex())])
    }

    fn policy(&self) -> Result<Gives, &'static str> {
        let policy = Policy::decode(&self.vector.bytes).map_err(|error| of_cbor(&error))?;
        let play = policy.action("Play").is_some_and(|conditions| !conditions.unknown_critical);
        gives(&[("kid", policy.kid.to_hex()), ("play", play.to_string())])
    }

    fn request(&self) -> Result<Gives, &'static str> {
        let device = self.device();
        let parsed = Request::parse(&self.vector.bytes, MAX_RESTORE_LEN).map_err(of_request)?;
        let request = Request::verify(parsed, &device.keys.signing, device.thumbprint()).map_err(of_request)?;
        gives(&[("audience", request.audience.to_hex()), ("transaction", request.transaction.to_hex())])
    }

    fn answer(&self) -> Result<Gives, &'static str> {
        let vector = self.vector;
        let role = Role::ALL.into_iter().find(|role| role.name() == vector.field("role")).unwrap();
        let expected = Expected {
            role,
            transaction: self.id("transaction"),
            page: vector.number("page"),
            request_hash: self.id("request-hash"),
            thumbprint: self.id("thumbprint"),
            floor: vector.number("floor"),
        };
        let directory = self.directory();
        let envelope = Envelope::parse(&vector.bytes).map_err(of_answer)?;
        let verified = envelope.verify(&expected, &directory).map_err(of_answer)?;
        let key = self.hpke_key();
        let licenses = verified.open_licenses(&key, self.id("device-id"), &directory).map_err(of_answer)?;
        let mut results = Vec::new();
        if !envelope.given.is_empty() {
            results.push(("letters", envelope.given.len().to_string()));
        }
        if !licenses.is_empty() {
            let keys: Vec<String> = licenses.iter().map(|license| hex(license.key.as_bytes())).collect();
            results.push(("keys", keys.join(" ")));
        }
        if vector.find("backup-id").is_some() {
            let unlock = verified.open_unlock(&key, self.id("backup-id"), vector.number("section"));
            results.push(("meta-key", hex(unlock.map_err(of_answer)?.ok_or("no-unlock")?.as_bytes())));
        }
        gives(&results)
    }

    /// An answer that nobody asked for, read at the vector's time.
    fn given(&self) -> Result<Gives, &'static str> {
        let (vector, directory) = (self.vector, self.directory());
        let envelope = Envelope::parse(&vector.bytes).map_err(of_answer)?;
        let verified = envelope.verify_given(&[self.id("thumbprint")], |_| vector.number("floor"), &directory);
        let verified = verified.map_err(of_answer)?;
        if verified.answer.issued_at + MAX_GIVEN_AGE <= vector.number("time") {
            return Err("too-old");
        }
        let licenses = verified.open_licenses(&self.hpke_key(), self.id("device-id"), &directory);
        let licenses = licenses.map_err(of_answer)?;
        let keys: Vec<String> = licenses.iter().map(|license| hex(license.key.as_bytes())).collect();
        gives(&[("keys", keys.join(" ")), ("transaction", verified.answer.transaction.to_hex())])
    }

    fn acknowledgement(&self) -> Result<Gives, &'static str> {
        let device = self.device();
        let parsed = Acknowledgement::parse(&self.vector.bytes).map_err(of_revocation)?;
        let read = Acknowledgement::verify(parsed, &device.keys.signing, device.thumbprint()).map_err(of_revocation)?;
        gives(&[("number", read.number.to_string()), ("removed", read.removed.to_string())])
    }

    fn backup_header(&self) -> Result<Gives, &'static str> {
        let front = self.vector.bytes.first_chunk().ok_or("magic")?;
        let length = Header::body_len(front).map_err(of_backup)?;
        let body = self.vector.bytes.get(12..12 + length).ok_or("encoding")?;
        let header = Header::decode(body).map_err(of_backup)?;
        gives(&[("backup-id", header.backup_id.to_hex()), ("sections", header.sections.len().to_string())])
    }

    /// A ticket in the first section of a header.
    fn ticket(&self) -> Result<Gives, &'static str> {
        let vector = self.vector;
        let header = Header::decode(vector.cbor()).map_err(of_backup)?;
        let section = header.sections.into_iter().next().unwrap();
        let (key, id, number) = (self.hpke_key(), self.id("backup-id"), vector.number("section"));
        if vector.field("read-as") == "service-ticket" {
            let ticket = section.service.unwrap().open_as_service(&key, id, number).map_err(of_backup)?;
            return gives(&[("meta-key", hex(ticket.keys.meta.as_bytes())), ("device", ticket.device_id.to_hex())]);
        }
        let ticket = section.device.open_as_device(&key, id, number).map_err(of_backup)?;
        gives(&[
            ("meta-key", hex(ticket.keys.meta.as_bytes())),
            ("content-key", hex(ticket.keys.content.as_bytes())),
            ("store-id", ticket.store_id.to_hex()),
        ])
    }

    fn record(&self) -> Result<Gives, &'static str> {
        let record = Record::decode(&self.vector.bytes).map_err(|error| of_cbor(&error))?;
        let key = RecordKey::of(&self.secret("content-key"));
        let opened = record.open(LicenseKind::Content, &key).map_err(|_| "damaged")?;
        let state = State::encode(&record.state);
        gives(&[("key", hex(opened.as_bytes())), ("state", hex(&state))])
    }

    fn page_item(&self) -> Result<Gives, &'static str> {
        let item = Item::decode(&self.vector.bytes).map_err(|error| of_cbor(&error))?;
        let Item::Page { wrapped_key, page } = item else { return Err("encoding") };
        let keys = SectionPageKeys::of(&self.secret("content-key"));
        let key = keys.open(self.vector.number("number"), &wrapped_key).map_err(|_| "damaged")?;
        let (mut places, mut opened) = (Vec::new(), Vec::new());
        for paged in PageView::parse(&page).unwrap().licenses() {
            let license = License::decode(paged.license).map_err(|error| of_cbor(&error))?;
            let inner = key.unwrap(paged.index, license.policy_hash(), LicenseKind::Content, paged.wrapped);
            opened.push(hex(inner.map_err(|_| "damaged")?.as_bytes()));
            places.push(paged.index.to_string());
        }
        gives(&[("places", places.join(" ")), ("keys", opened.join(" "))])
    }

    fn footer(&self) -> Result<Gives, &'static str> {
        let device = self.device();
        let footer = Footer::verify(&self.vector.bytes, &device.keys.signing, device.thumbprint());
        let footer = footer.map_err(of_backup)?;
        gives(&[("records", footer.counts.records.to_string()), ("store-id", footer.store_id.to_hex())])
    }

    fn section(&self) -> Result<Gives, &'static str> {
        let context = section_context(self.vector.number("section"), self.id("header-hash"));
        let sealed = &self.vector.bytes;
        let opener = Opener::new(&self.secret("meta-key"), &context, sealed.as_slice(), sealed.len() as u64);
        let mut opener = opener.map_err(|_| "damaged")?;
        let mut plain = vec![0; sealed.len()];
        let length = opener.read_up_to(&mut plain).map_err(|_| "damaged")?;
        let mut stream = &plain[..length];
        let mut kinds = Vec::new();
        while !stream.is_empty() {
            let mut front = [0; 4];
            stream.read_exact(&mut front).map_err(|_| "encoding")?;
            let (item, rest) = stream.split_at_checked(u32::from_be_bytes(front) as usize).ok_or("encoding")?;
            Item::decode(item).map_err(|error| of_cbor(&error))?;
            kinds.push(item[1].to_string());
            stream = rest;
        }
        gives(&[("plain-hash", Digest::of(&plain[..length]).to_hex()), ("items", kinds.join(" "))])
    }
}
