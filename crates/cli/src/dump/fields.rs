//! Names of the numeric keys of each document (`docs/protocol.cddl`), and CBOR as JSON with them.

use crate::text::utc;
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
    (64, "deviceName", Plain),
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
    (25, "since", Plain),
    (64, "account", Plain),
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
    (64, "given", Documents),
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

/// Names of the fields in the payload of a signed document.
pub(super) fn payload_of(document: Document) -> &'static Table {
    match document {
        Document::AuthorityCertificate => AUTHORITY,
        Document::ServiceCertificate => SERVICE,
        Document::DeviceCertificate => DEVICE,
        Document::ServiceDocument => SERVICE_DOCUMENT,
        Document::SignedTime => SIGNED_TIME,
        Document::Request => REQUEST,
        Document::BackupFooter => FOOTER,
        Document::Answer => ANSWER,
        Document::StatusList => STATUS_LIST,
        Document::Acknowledgement => ACKNOWLEDGEMENT,
        Document::LicenseRevocation => REVOCATION,
        Document::Rekey => REKEY,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The rules of the CDDL, each with the fields it lists.
    const RULES: [(&str, &Table); 15] = [
        ("authority-claims", AUTHORITY),
        ("service-claims", SERVICE),
        ("device-claims", DEVICE),
        ("service-description", SERVICE_DOCUMENT),
        ("time-over-nonce", SIGNED_TIME),
        ("request-content", REQUEST),
        ("answer-content", ANSWER),
        ("status-list-content", STATUS_LIST),
        ("revocation-content", REVOCATION),
        ("acknowledgement-content", ACKNOWLEDGEMENT),
        ("rekey-content", REKEY),
        ("footer-content", FOOTER),
        ("answer", ENVELOPE),
        ("policy", POLICY),
        ("binding", BINDING),
    ];

    /// A field of a rule: its key, what it holds, and the line that says so, comment and all.
    struct Line<'a> {
        key: u64,
        holds: &'a str,
        line: &'a str,
    }

    /// The lines of a rule, up to the next one.
    fn rule<'a>(cddl: &'a str, name: &str) -> &'a str {
        let start = cddl.find(&format!("\n{name} = ")).unwrap_or_else(|| panic!("no rule {name}"));
        let rest = &cddl[start + 1..];
        rest.split_once("\n\n").map_or(rest, |(rule, _)| rule)
    }

    /// The fields of a rule, with those of the group that it names.
    fn fields<'a>(cddl: &'a str, name: &str) -> Vec<Line<'a>> {
        let mut found: Vec<Line<'a>> = Vec::new();
        for line in rule(cddl, name).lines() {
            let text = line.split(';').next().unwrap();
            if text.trim() == "asked," {
                found.extend(fields(cddl, "asked"));
            }
            for (at, _) in text.match_indices(" => ") {
                let key = text[..at].rsplit([' ', '(', '{']).next().unwrap();
                // What stands inside a field has names for keys.
                if let Ok(key) = key.parse()
                    && found.iter().all(|field| field.key != key)
                {
                    let holds = text[at + 4..].trim_end().trim_end_matches(',');
                    found.push(Line { key, holds, line });
                }
            }
        }
        found.sort_by_key(|field| field.key);
        found
    }

    fn letters(text: &str) -> String {
        text.chars().filter(|letter| letter.is_ascii_alphanumeric()).collect::<String>().to_lowercase()
    }

    #[test]
    fn the_fields_are_those_of_the_cddl_by_key_name_and_kind() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/protocol.cddl");
        let cddl = std::fs::read_to_string(path).unwrap();
        let mut wrong = Vec::new();
        for (name, table) in RULES {
            let listed = fields(&cddl, name);
            let keys = |table: &Table| table.iter().map(|(key, _, _)| *key).collect::<Vec<_>>();
            assert_eq!(listed.iter().map(|field| field.key).collect::<Vec<_>>(), keys(table), "{name}");
            for (Line { key: _, holds, line }, (_, shown, show)) in listed.iter().zip(table) {
                let is_named = letters(line).contains(&letters(shown));
                let is_shown = match show {
                    Time => *holds == "seconds",
                    Show::Document => holds.ends_with("-bytes"),
                    Documents => holds.ends_with("-bytes]"),
                    Plain | Digests => *holds != "seconds" && !holds.contains("-bytes"),
                };
                if !is_named || !is_shown {
                    wrong.push(format!("{name}: {shown} as {line}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
