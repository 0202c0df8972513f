//! Content keys of a CPIX document (DASH-IF CPIX 2.1 to 2.4), clear or encrypted to a recipient. Periods, usage rules and
//! signalling are a packager's: only key IDs and keys are taken. Signatures are neither needed nor believed.

use super::fault::CpixError;
use super::recipient::{Opener, Recipient};
use super::{ContentError, ContentKey, Entries, Entry, Place};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roxmltree::{Document, Node, ParsingOptions};
use wmlicense_wire::id::Kid;
use zeroize::Zeroizing;

pub(super) const CPIX: &str = "urn:dashif:org:cpix";
pub(super) const PSKC: &str = "urn:ietf:params:xml:ns:keyprov:pskc";
pub(super) const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
pub(super) const ENC: &str = "http://www.w3.org/2001/04/xmlenc#";
pub(super) const AES_CBC: &str = "http://www.w3.org/2001/04/xmlenc#aes256-cbc";
pub(super) const OAEP: &str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
pub(super) const HMAC: &str = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha512";
const SHA1: &str = "http://www.w3.org/2000/09/xmldsig#sha1";

/// Most elements, attributes and texts of a document.
const MAX_NODES: u32 = 4_000_000;
/// Longest head of an element, with all its attributes, in bytes.
const MAX_HEAD: usize = 64 << 10;
/// Longest value in base64 that is decoded: a certificate.
const MAX_VALUE: usize = 64 * 1024;

/// Reads the text of a document. What concerns one key is told with its number; the document as a whole is refused at once.
pub(super) fn read(text: &str, recipient: Option<&Recipient>) -> Result<Entries, CpixError> {
    let document = parse(text)?;
    let root = document.root_element();
    let list = only(root, CPIX, "ContentKeyList")?;
    let keys = list.into_iter().flat_map(|list| list.children());
    let keys: Vec<Node<'_, '_>> = keys.filter(|node| node.has_tag_name((CPIX, "ContentKey"))).collect();
    let is_encrypted = |key: &Node<'_, '_>| key.descendants().any(|node| node.has_tag_name((PSKC, "EncryptedValue")));
    let opener = match (keys.iter().any(is_encrypted), recipient) {
        (false, _) => None,
        (true, None) => return Err(CpixError::Encrypted),
        (true, Some(recipient)) => Some(opener(root, recipient)?),
    };
    let read = |(index, key): (usize, &Node<'_, '_>)| (Place::Key(index + 1), entry(*key, opener.as_ref()));
    Ok(keys.iter().enumerate().map(read).collect())
}

/// The XML of a CPIX document, without a document type, and without more elements or attributes than such a document has.
pub(super) fn parse(text: &str) -> Result<Document<'_>, CpixError> {
    if let Some((line, column)) = long_head(text) {
        return Err(CpixError::Xml { line, column, what: "an element has too many attributes" });
    }
    let options = ParsingOptions { nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| refusal(&error))?;
    if document.root_element().has_tag_name((CPIX, "CPIX")) { Ok(document) } else { Err(CpixError::Other) }
}

/// Where it is wrong, in words of our own: those of the parser quote the document.
fn refusal(error: &roxmltree::Error) -> CpixError {
    let what = match error {
        roxmltree::Error::DtdDetected => "a document type is not allowed",
        roxmltree::Error::NodesLimitReached => "it has too many elements",
        _ => "not well-formed",
    };
    let at = error.pos();
    CpixError::Xml { line: at.row, column: at.col, what }
}

fn child<'a, 'input>(node: Node<'a, 'input>, space: &str, name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.has_tag_name((space, name)))
}

/// The child of this name, where there may be one and no second that somebody else reads.
pub(super) fn only<'a, 'input>(
    node: Node<'a, 'input>,
    space: &str,
    name: &'static str,
) -> Result<Option<Node<'a, 'input>>, CpixError> {
    let mut found = node.children().filter(|child| child.has_tag_name((space, name)));
    match (found.next(), found.next()) {
        (_, Some(_)) => Err(CpixError::Twice(name)),
        (found, None) => Ok(found),
    }
}

/// The element at the end of a path of children.
pub(super) fn descend<'a, 'input>(node: Node<'a, 'input>, path: &[(&str, &str)]) -> Option<Node<'a, 'input>> {
    path.iter().try_fold(node, |node, (space, name)| child(node, space, name))
}

/// Line and column of an element with a longer head than any of CPIX has: the parser compares each attribute with all others.
fn long_head(text: &str) -> Option<(u32, u32)> {
    let (mut rest, mut at) = (text, 0);
    while let Some(begin) = rest.find('<') {
        let head = &rest[begin..];
        let ends = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")];
        let length = match ends.iter().find(|(from, _)| head.starts_with(from)) {
            Some((_, to)) => head.find(to).map(|end| end + to.len()),
            None => head_length(head.as_bytes()),
        };
        // One without an end is the parser's to refuse, unless it is long.
        let is_other = ends.iter().any(|(from, _)| head.starts_with(from));
        let length = length.unwrap_or(head.len());
        if length > MAX_HEAD && !is_other {
            let before = &text[..at + begin];
            let line_begins = before.rfind('\n').map_or(0, |end| end + 1);
            let count = |number: usize| u32::try_from(number + 1).unwrap_or(u32::MAX);
            return Some((count(before.matches('\n').count()), count(before[line_begins..].chars().count())));
        }
        at += begin + length;
        rest = &rest[begin + length..];
    }
    None
}

/// The bytes of an element's head, its `>` included, which in a quoted value is none.
fn head_length(head: &[u8]) -> Option<usize> {
    let mut quote = None;
    let end = head.iter().position(|byte| {
        match quote {
            Some(open) if open == *byte => quote = None,
            Some(_) => {}
            None if matches!(byte, b'"' | b'\'') => quote = Some(*byte),
            None => return *byte == b'>',
        }
        false
    });
    end.map(|end| end + 1)
}

fn entry(key: Node<'_, '_>, opener: Option<&Opener>) -> Result<Entry, ContentError> {
    let kid = Kid::from_hex(key.attribute("kid").unwrap_or_default().trim()).map_err(|_| ContentError::Kid)?;
    let Some(data) = only(key, CPIX, "Data")? else { return Ok(Entry::Keyless(kid)) };
    let Some(secret) = only(data, PSKC, "Secret")? else { return Ok(Entry::Keyless(kid)) };
    let bytes = match (only(secret, PSKC, "PlainValue")?, only(secret, PSKC, "EncryptedValue")?, opener) {
        (Some(plain), None, None) => value(plain, "PlainValue")?,
        // Nothing says who put it there.
        (Some(_), ..) => return Err(CpixError::Clear.into()),
        (None, Some(sealed), Some(opener)) => {
            method(sealed, AES_CBC, "EncryptedValue")?;
            let mac = only(secret, PSKC, "ValueMAC")?.ok_or(CpixError::Missing("ValueMAC"))?;
            opener.open(&cipher_value(sealed)?, &value(mac, "ValueMAC")?)?
        }
        (None, Some(_), None) => return Err(CpixError::Encrypted.into()),
        (None, None, _) => return Ok(Entry::Keyless(kid)),
    };
    let key = bytes.as_slice().try_into().map(Zeroizing::new).map_err(|_| CpixError::Length)?;
    Ok(Entry::Key(ContentKey { kid, key, title: None }))
}

/// What opens the keys: document key and MAC key as they were encrypted to the recipient's certificate, which is compared byte for
/// byte, since a name says nothing about a key.
fn opener(root: Node<'_, '_>, recipient: &Recipient) -> Result<Opener, CpixError> {
    const CERTIFICATE: [(&str, &str); 3] = [(CPIX, "DeliveryKey"), (DS, "X509Data"), (DS, "X509Certificate")];
    let list = only(root, CPIX, "DeliveryDataList")?.ok_or(CpixError::Missing("DeliveryDataList"))?;
    let is_ours = |data: &Node<'_, '_>| {
        let certificate = descend(*data, &CERTIFICATE).and_then(|node| value(node, "X509Certificate").ok());
        certificate.is_some_and(|certificate| recipient.is(&certificate))
    };
    let mut all = list.children().filter(|node| node.has_tag_name((CPIX, "DeliveryData")));
    let ours = all.find(is_ours).ok_or(CpixError::NotForUs)?;
    let document_key = child(ours, CPIX, "DocumentKey").ok_or(CpixError::Missing("DocumentKey"))?;
    if document_key.attribute("Algorithm") != Some(AES_CBC) {
        return Err(CpixError::Algorithm("DocumentKey"));
    }
    let path = [(CPIX, "Data"), (PSKC, "Secret"), (PSKC, "EncryptedValue")];
    let sealed = descend(document_key, &path).ok_or(CpixError::Missing("EncryptedValue of DocumentKey"))?;
    method(sealed, OAEP, "DocumentKey")?;
    let mac_method = child(ours, CPIX, "MACMethod").ok_or(CpixError::Missing("MACMethod"))?;
    if mac_method.attribute("Algorithm") != Some(HMAC) {
        return Err(CpixError::Algorithm("MACMethod"));
    }
    let mac_key = child(mac_method, CPIX, "Key").ok_or(CpixError::Missing("Key of MACMethod"))?;
    method(mac_key, OAEP, "MACMethod")?;
    recipient.opener(&cipher_value(sealed)?, &cipher_value(mac_key)?)
}

/// Whether what is encrypted names this algorithm, and with OAEP no other digest than the one that CPIX means.
fn method(node: Node<'_, '_>, algorithm: &str, whose: &'static str) -> Result<(), CpixError> {
    let method = child(node, ENC, "EncryptionMethod").ok_or(CpixError::Missing("EncryptionMethod"))?;
    let digest = child(method, DS, "DigestMethod").and_then(|digest| digest.attribute("Algorithm"));
    let is_this = method.attribute("Algorithm") == Some(algorithm) && digest.is_none_or(|digest| digest == SHA1);
    if is_this { Ok(()) } else { Err(CpixError::Algorithm(whose)) }
}

fn cipher_value(node: Node<'_, '_>) -> Result<Zeroizing<Vec<u8>>, CpixError> {
    let node = descend(node, &[(ENC, "CipherData"), (ENC, "CipherValue")]).ok_or(CpixError::Missing("CipherValue"))?;
    value(node, "CipherValue")
}

/// The bytes of an element whose text is base64, which may be broken into lines.
pub(super) fn value(node: Node<'_, '_>, name: &'static str) -> Result<Zeroizing<Vec<u8>>, CpixError> {
    // Comments part a text, and are no part of it.
    let texts = || node.children().filter(Node::is_text).map(|child| child.text().unwrap_or_default());
    let length: usize = texts().map(str::len).sum();
    if length > MAX_VALUE {
        return Err(CpixError::Base64(name));
    }
    let mut joined = Zeroizing::new(String::with_capacity(length));
    joined.extend(texts().flat_map(str::chars).filter(|character| !character.is_ascii_whitespace()));
    let mut bytes = Zeroizing::new(vec![0; joined.len() / 4 * 3 + 3]);
    let length = STANDARD.decode_slice(joined.as_bytes(), &mut bytes).map_err(|_| CpixError::Base64(name))?;
    bytes.truncate(length);
    Ok(bytes)
}

#[cfg(test)]
mod tests;
