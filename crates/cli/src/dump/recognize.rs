//! Tells what bytes are: a vector's text, a backup's front, a signed document, or one of the parts without a signature.

use super::Found;
use super::fields::{self, Table};
use serde_json::{Value, json};
use std::fmt;
use wmlicense_wire::backup::page::{PageView, PagedLicense};
use wmlicense_wire::backup::{BackupFormatError, Header, Item, MAGIC, Record, Ticket};
use wmlicense_wire::cbor;
use wmlicense_wire::cose::{Document, Unverified};
use wmlicense_wire::license::{Binding, License};
use wmlicense_wire::policy::Policy;

/// The file cannot be shown.
pub(super) enum NotShown {
    /// Nothing of this protocol.
    Unknown,
    /// Private keys.
    Secret,
    /// A store.
    Store,
    /// A backup whose front is damaged.
    Backup(BackupFormatError),
}

impl fmt::Display for NotShown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("not a document of the license protocol"),
            Self::Secret => f.write_str("holds private keys, which are not shown"),
            Self::Store => f.write_str("is a database"),
            Self::Backup(error) => error.fmt(f),
        }
    }
}

impl NotShown {
    pub(super) fn remedy(&self) -> &'static str {
        match self {
            Self::Unknown => "it shows certificates, requests, answers, licenses, policies, backups and test vectors",
            Self::Secret => "",
            Self::Store => "list what a store holds with `wmlicense list --store FOLDER`",
            Self::Backup(_) => "use another copy of the backup if there is one",
        }
    }
}

/// A test vector: its lines and its bytes.
pub(crate) struct Vector {
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) bytes: Vec<u8>,
}

/// Reads a test vector (`tests/vectors/README.md`).
pub(crate) fn vector(bytes: &[u8]) -> Option<Vector> {
    let text = std::str::from_utf8(bytes).ok()?;
    let (head, body) = text.split_once("\n\n")?;
    let field = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    let fields: Vec<(String, String)> = head.lines().map(field).collect::<Option<_>>()?;
    if !fields.iter().any(|(name, _)| name == "expect") {
        return None;
    }
    use base64::Engine as _;
    let body: String = body.split_whitespace().collect();
    Some(Vector { fields, bytes: base64::engine::general_purpose::STANDARD.decode(body).ok()? })
}

/// What `bytes` are; they are the front of a file of `length` bytes.
pub(super) fn recognize(bytes: &[u8], length: u64) -> Result<Found, NotShown> {
    if bytes.starts_with(MAGIC) {
        return backup(bytes, length).map_err(NotShown::Backup);
    }
    if bytes.starts_with(b"WMDEVKEY") {
        return Err(NotShown::Secret);
    }
    if bytes.starts_with(b"SQLite format 3\0") {
        return Err(NotShown::Store);
    }
    signed(bytes).or_else(|| unsigned(bytes)).ok_or(NotShown::Unknown)
}

fn backup(bytes: &[u8], length: u64) -> Result<Found, BackupFormatError> {
    let fault = || BackupFormatError::Content(cbor::CborError::Encoding { offset: bytes.len() });
    let front = bytes.first_chunk().ok_or_else(fault)?;
    let end = front.len() + Header::body_len(front)?;
    let body = bytes.get(front.len()..end).ok_or_else(fault)?;
    let header = Header::decode(body)?;
    let ticket = |ticket: &Ticket| json!({ "recipient": ticket.recipient.to_hex() });
    let sections: Vec<Value> = header
        .sections
        .iter()
        .map(|section| json!({ "device": ticket(&section.device), "service": section.service.as_ref().map(ticket) }))
        .collect();
    let fields = json!({
        "version": header.version as u8,
        "backupId": header.backup_id.to_hex(),
        "sections": sections,
        "encryptedBytes": length.saturating_sub(end as u64),
    });
    Ok(Found { kind: "backup header".to_owned(), fields, cbor: body.to_vec() })
}

fn signed(bytes: &[u8]) -> Option<Found> {
    let parsed = |document: Document| Some((document, Unverified::parse(document, bytes, bytes.len()).ok()?));
    let (document, unverified) = Document::ALL.into_iter().find_map(parsed)?;
    let payload = unverified.unverified_payload();
    let kind = document.media_type().trim_start_matches("application/wmlicense-").trim_end_matches("+cose");
    let content = cbor::check(payload).ok().and_then(|()| fields::map(payload, fields::payload_of(document)));
    let fields = json!({
        "document": document as u16,
        "type": document.media_type(),
        "signatures": if document.is_dual() { 2 } else { 1 },
        "signer": unverified.signer_id().to_hex(),
        "content": content,
    });
    Some(Found { kind: kind.replace('-', " "), fields, cbor: bytes.to_vec() })
}

/// Parts that are no documents by themselves, from the one with the most particular form on.
fn unsigned(bytes: &[u8]) -> Option<Found> {
    cbor::check(bytes).ok()?;
    let found = |kind: &str, table: &Table| {
        Some(Found { kind: kind.to_owned(), fields: fields::map(bytes, table)?, cbor: bytes.to_vec() })
    };
    if Policy::decode(bytes).is_ok() {
        return found("policy", fields::POLICY);
    }
    if Binding::decode(bytes).is_ok() {
        return found("binding", fields::BINDING);
    }
    if wmlicense_wire::answer::Envelope::parse(bytes).is_ok() {
        return found("answer", fields::ENVELOPE);
    }
    let found = |kind: &str| Some(Found { kind: kind.to_owned(), fields: fields::value(bytes)?, cbor: bytes.to_vec() });
    if License::decode(bytes).is_ok() {
        return found("license");
    }
    if Record::decode(bytes).is_ok() {
        return found("backup record");
    }
    match Item::decode(bytes) {
        Ok(Item::Page { page, .. }) => {
            Some(Found { kind: "backup page".to_owned(), fields: licenses(&page)?, cbor: bytes.to_vec() })
        }
        Ok(_) => found("backup item"),
        Err(_) => None,
    }
}

/// The licenses of a page, whose form CBOR does not know.
fn licenses(page: &[u8]) -> Option<Value> {
    let of = |license: PagedLicense<'_>| {
        let policy = license.parts().and_then(|(policy, _)| Policy::decode(policy).ok());
        json!({
            "place": license.index,
            "bytes": license.license.len(),
            "sha256": license.hash().to_hex(),
            "lid": policy.as_ref().map(|policy| policy.lid.to_hex()),
            "kid": policy.as_ref().map(|policy| policy.kid.to_hex()),
        })
    };
    Some(PageView::parse(page).ok()?.licenses().map(of).collect())
}
