//! Names of the numeric keys of each document (`docs/protocol.cddl`), and CBOR as JSON with them.

use crate::list::utc;
use minicbor::Decoder;
use minicbor::data::Type;
use serde_json::{Map, Value, json};
use wmlicense_wire::cose::Document;
use wmlicense_wire::id::Digest;

/// What a field shows.
#[derive(Clone, Copy)]
pub(super) enum Show {
    /// The value as it is.
    Plain,
    /// Seconds UTC as a date.
    Time,
    /// A whole document: its hash and length.
    Document,
    /// An array of documents.
    Documents,
    /// Digests that stand in a row.
    Digests,
}

/// Keys with their names.
pub(super) type Table = [(u64, &'static str, Show)];

use Show::{Digests, Documents, Plain, Time};

const AUTHORITY: &Table =
    &[(2, "name", Plain), (6, "issuedAt", Time), (10, "ed25519Key", Plain), (11, "mlDsa65Key", Plain)];
const SERVICE: &Table = &[
    (1, "authority", Plain),
    (2, "name", Plain),
    (4, "notAfter", Time),
    (5, "notBefore", Time),
    (6, "issuedAt", Time),
    (10, "serviceId", Plain),
    (11, "role", Plain),
    (12, "ed25519Key", Plain),
    (13, "backupKey", Plain),
    (14, "appoints", Plain),
];
const DEVICE: &Table = &[
    (1, "issuer", Plain),
    (4, "notAfter", Time),
    (5, "notBefore", Time),
    (6, "issuedAt", Time),
    (10, "deviceId", Plain),
    (11, "ed25519Key", Plain),
    (12, "hpkeKey", Plain),
    (13, "securityVersion", Plain),
    (14, "assurance", Plain),
];
const SERVICE_DOCUMENT: &Table = &[
    (4, "expiresAt", Time),
    (6, "issuedAt", Time),
    (10, "authority", Show::Document),
    (11, "certificates", Documents),
    (12, "urls", Plain),
    (13, "limits", Plain),
    (14, "privacyUrl", Plain),
    (15, "minimumVersions", Plain),
    (64, "revocationKeys", Plain),
];
const SIGNED_TIME: &Table = &[(6, "time", Time), (10, "nonce", Plain)];
const REQUEST: &Table = &[
    (3, "audience", Plain),
    (6, "time", Time),
    (7, "transaction", Plain),
    (10, "kind", Plain),
    (11, "page", Plain),
    (12, "cursor", Plain),
    (13, "epoch", Plain),
    (14, "statusNumber", Plain),
    (15, "held", Plain),
    (16, "client", Plain),
    (17, "deviceCertificate", Show::Document),
    (18, "body", Plain),
];
const ANSWER: &Table = &[
    (6, "issuedAt", Time),
    (7, "transaction", Plain),
    (10, "page", Plain),
    (11, "requestHash", Plain),
    (12, "thumbprint", Plain),
    (13, "outcome", Plain),
    (14, "refusals", Plain),
    (15, "withdrawn", Plain),
    (16, "nextCursor", Plain),
    (17, "epoch", Plain),
    (18, "statusNumber", Plain),
    (19, "suite", Plain),
    (20, "encHash", Plain),
    (21, "manifest", Digests),
    (22, "unlock", Plain),
    (23, "verdicts", Plain),
    (24, "deviceCertificate", Plain),
];
const STATUS_LIST: &Table = &[
    (1, "authority", Plain),
    (4, "nextUpdate", Time),
    (6, "issuedAt", Time),
    (10, "number", Plain),
    (11, "services", Plain),
    (12, "devices", Plain),
    (13, "applications", Plain),
];
const REVOCATION: &Table = &[
    (10, "ed25519Key", Plain),
    (11, "mlDsa65Key", Plain),
    (12, "number", Plain),
    (13, "target", Plain),
    (14, "entries", Plain),
];
const ACKNOWLEDGEMENT: &Table = &[
    (6, "takenAt", Time),
    (10, "blob", Plain),
    (11, "number", Plain),
    (12, "deviceId", Plain),
    (13, "removed", Plain),
    (14, "lids", Plain),
];
const REKEY: &Table = &[(10, "successor", Plain)];
const FOOTER: &Table = &[
    (6, "createdAt", Time),
    (10, "backupId", Plain),
    (11, "section", Plain),
    (12, "headerHash", Plain),
    (13, "streamHash", Plain),
    (14, "counts", Plain),
    (15, "storeId", Plain),
];
pub(super) const ENVELOPE: &Table = &[
    (1, "signed", Show::Document),
    (2, "enc", Plain),
    (3, "licenses", Plain),
    (4, "certificates", Documents),
    (5, "deviceCertificate", Show::Document),
    (6, "statusList", Show::Document),
];
pub(super) const POLICY: &Table = &[
    (1, "issuer", Plain),
    (6, "firstIssued", Time),
    (7, "lid", Plain),
    (10, "kid", Plain),
    (11, "kind", Plain),
    (12, "actions", Plain),
    (13, "backup", Plain),
    (14, "restoreLimit", Plain),
    (15, "management", Plain),
    (16, "rootKid", Plain),
    (17, "priority", Plain),
    (18, "title", Plain),
    (19, "revocationKey", Plain),
    (20, "user", Plain),
    (21, "replaces", Plain),
    (22, "minimumStatus", Plain),
    (23, "contentId", Plain),
    (64, "custom", Plain),
];
pub(super) const BINDING: &Table = &[
    (6, "issuedAt", Time),
    (10, "policyHash", Plain),
    (11, "deviceId", Plain),
    (12, "thumbprint", Plain),
    (13, "wrapped", Plain),
    (14, "state", Plain),
];

/// Names of the fields in the payload of a signed document; none for those that are reserved.
pub(super) fn payload_of(document: Document) -> Option<&'static Table> {
    match document {
        Document::AuthorityCertificate => Some(AUTHORITY),
        Document::ServiceCertificate => Some(SERVICE),
        Document::DeviceCertificate => Some(DEVICE),
        Document::ServiceDocument => Some(SERVICE_DOCUMENT),
        Document::SignedTime => Some(SIGNED_TIME),
        Document::Request => Some(REQUEST),
        Document::BackupFooter => Some(FOOTER),
        Document::Answer => Some(ANSWER),
        Document::StatusList => Some(STATUS_LIST),
        Document::Acknowledgement => Some(ACKNOWLEDGEMENT),
        Document::LicenseRevocation => Some(REVOCATION),
        Document::Rekey => Some(REKEY),
    }
}

/// A checked map with numeric keys, by name. Keys without a name keep their number.
pub(super) fn map(bytes: &[u8], table: &Table) -> Option<Value> {
    let mut decoder = Decoder::new(bytes);
    let length = decoder.map().ok()??;
    let mut object = Map::new();
    for _ in 0..length {
        let key = decoder.u64().ok()?;
        let start = decoder.position();
        decoder.skip().ok()?;
        let raw = bytes.get(start..decoder.position())?;
        let (name, show) = match table.iter().find(|(known, _, _)| *known == key) {
            Some((_, name, show)) => ((*name).to_owned(), *show),
            None => (key.to_string(), Plain),
        };
        object.insert(name, shown(raw, show)?);
    }
    Some(Value::Object(object))
}

fn shown(raw: &[u8], show: Show) -> Option<Value> {
    match show {
        Plain => value(raw),
        Time => Some(Value::String(utc(Decoder::new(raw).i64().ok()?))),
        Show::Document => Some(document(Decoder::new(raw).bytes().ok()?)),
        Documents => {
            let certificates = wmlicense_wire::cbor::read::items(raw, usize::MAX)?;
            let shown = certificates.into_iter().map(|raw| Some(document(Decoder::new(raw).bytes().ok()?)));
            shown.collect::<Option<Vec<_>>>().map(Value::Array)
        }
        Digests => {
            let digests = Decoder::new(raw).bytes().ok()?.chunks(Digest::LEN);
            Some(Value::Array(digests.map(|digest| Value::String(hex(digest))).collect()))
        }
    }
}

fn document(bytes: &[u8]) -> Value {
    json!({ "bytes": bytes.len(), "sha256": Digest::of(bytes).to_hex() })
}

/// Any checked item as JSON: byte strings in hexadecimal, numeric keys as text.
pub(super) fn value(raw: &[u8]) -> Option<Value> {
    let mut decoder = Decoder::new(raw);
    Some(match decoder.datatype().ok()? {
        Type::Bool => Value::Bool(decoder.bool().ok()?),
        Type::Null => Value::Null,
        Type::Bytes => Value::String(hex(decoder.bytes().ok()?)),
        Type::String => Value::String(decoder.str().ok()?.to_owned()),
        Type::Array => {
            let items = wmlicense_wire::cbor::read::items(raw, usize::MAX)?;
            Value::Array(items.into_iter().map(value).collect::<Option<_>>()?)
        }
        Type::Map => entries(raw)?,
        _ => number(&mut decoder)?,
    })
}

fn number(decoder: &mut Decoder<'_>) -> Option<Value> {
    let number: i128 = decoder.int().ok()?.into();
    let small = i64::try_from(number).map(Value::from).or_else(|_| u64::try_from(number).map(Value::from));
    Some(small.unwrap_or_else(|_| Value::String(number.to_string())))
}

fn entries(raw: &[u8]) -> Option<Value> {
    let mut decoder = Decoder::new(raw);
    let length = decoder.map().ok()??;
    let mut object = Map::new();
    for _ in 0..length {
        let key = match decoder.datatype().ok()? {
            Type::String => decoder.str().ok()?.to_owned(),
            _ => number(&mut decoder)?.to_string(),
        };
        let start = decoder.position();
        decoder.skip().ok()?;
        object.insert(key, value(raw.get(start..decoder.position())?)?);
    }
    Some(Value::Object(object))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
