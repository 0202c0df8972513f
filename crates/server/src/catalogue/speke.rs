//! SPEKE 2.0 and 2.1: a packager's CPIX document that asks for keys, and the same document with everything filled in that came empty.
//! Which documents are refused is in `speke/rules.rs`, what stands for DRM systems in `speke/signals.rs`. No key is made or kept here.

mod copy;
mod rules;
mod signals;

use super::cpix::{self, CPIX, DS, descend, only};
use super::recipient::{Addressee, NotSealed};
use super::{read_title, text};
use copy::Filler;
use roxmltree::Node;
use rules::Rules;
use std::collections::HashMap;
use wmlicense_wire::id::Kid;
use zeroize::Zeroizing;

/// Longest document read, in bytes.
pub(crate) const MAX_LEN: usize = 256 * 1024;
/// Most keys of a document.
const MAX_KEYS: usize = 256;
/// Most of those to whom keys are encrypted.
const MAX_ADDRESSEES: usize = 16;

/// Why a document is not answered, in the words that packagers of its author show.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unfit(String);

impl Unfit {
    /// New content is to be licensed on a policy that is not there.
    pub(crate) fn no_policy(name: &str) -> Self {
        Self(format!("The key server has no policy {name} for new content: its owner sets it, or names another one"))
    }
}

impl From<&str> for Unfit {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<NotSealed> for Unfit {
    fn from(_: NotSealed) -> Self {
        Self::from("The system of the key server gave no random bytes")
    }
}

/// Versions of SPEKE, each with that of its CPIX documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    Two,
    TwoOne,
}

impl Version {
    /// That of the header `X-Speke-Version`.
    pub(crate) fn read(header: Option<&str>) -> Result<Self, Unfit> {
        match header.map(str::trim) {
            Some("2.0") => Ok(Self::Two),
            Some("2.1") => Ok(Self::TwoOne),
            _ => Err("Unsupported SPEKE version".into()),
        }
    }

    /// As the header of the answer repeats it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Two => "2.0",
            Self::TwoOne => "2.1",
        }
    }

    fn cpix(self) -> &'static str {
        match self {
            Self::Two => "2.3",
            Self::TwoOne => "2.4",
        }
    }
}

/// A document that can be answered.
pub(crate) struct Asked {
    text: Zeroizing<String>,
    pub(crate) content: String,
    /// In the order of the document, each once.
    pub(crate) kids: Vec<Kid>,
    /// Those to whom the keys are encrypted; none: they go in clear.
    addressees: Vec<Addressee>,
}

/// The content keys of a document.
pub(crate) type Keys = HashMap<Kid, Zeroizing<[u8; 16]>>;

/// Reads a document, or says what is wrong with it.
pub(crate) fn read(bytes: &[u8], version: Version) -> Result<Asked, Unfit> {
    let text = text::decode(bytes).ok_or(Unfit::from("The document is no text in UTF-8 or UTF-16"))?;
    let document = cpix::parse(&text).map_err(|error| Unfit(error.to_string()))?;
    let root = document.root_element();
    let content = root.attribute("contentId").map(str::trim).filter(|content| !content.is_empty());
    let content = content.ok_or(Unfit::from("Missing CPIX@contentId"))?;
    let content = read_title(Some(content)).ok().flatten().ok_or(Unfit::from("Unsupported CPIX@contentId"))?;
    match root.attribute("version").map(str::trim) {
        None => return Err("Missing CPIX@version".into()),
        Some(found) if found != version.cpix() => return Err("Unsupported CPIX@version".into()),
        Some(_) => {}
    }
    let kids = Rules::new(root, version)?.check()?;
    let addressees = addressees(root)?;
    drop(document);
    Ok(Asked { text, content, kids, addressees })
}

/// Those to whom the keys are to be encrypted.
fn addressees(root: Node<'_, '_>) -> Result<Vec<Addressee>, Unfit> {
    const CERTIFICATE: [(&str, &str); 3] = [(CPIX, "DeliveryKey"), (DS, "X509Data"), (DS, "X509Certificate")];
    let list = only(root, CPIX, "DeliveryDataList").map_err(|error| Unfit(error.to_string()))?;
    let Some(list) = list else { return Ok(Vec::new()) };
    let all = list.children().filter(|node| node.has_tag_name((CPIX, "DeliveryData")));
    let all: Vec<Node<'_, '_>> = all.collect();
    if all.is_empty() || all.len() > MAX_ADDRESSEES {
        return Err("Unsupported number of CPIX/DeliveryDataList/DeliveryData".into());
    }
    let read = |data: &Node<'_, '_>| {
        let certificate = descend(*data, &CERTIFICATE).ok_or(Unfit::from("Missing X509Certificate of DeliveryData"))?;
        let bytes = cpix::value(certificate, "X509Certificate").map_err(|error| Unfit(error.to_string()))?;
        Addressee::read(&bytes).map_err(|error| Unfit(format!("X509Certificate of DeliveryData: {error}")))
    };
    all.iter().map(read).collect()
}

impl Asked {
    /// The document with these keys, and with what DRM systems show of key IDs.
    pub(crate) fn fill(&self, keys: &Keys) -> Result<Zeroizing<String>, Unfit> {
        let document = cpix::parse(&self.text).map_err(|error| Unfit(error.to_string()))?;
        Filler::new(keys, &self.addressees, self.text.len())?.fill(document.root_element())
    }
}

/// Text of a document as it is told to somebody: cut, and in one line.
fn told(text: &str) -> String {
    text.chars().take(64).filter(|letter| !letter.is_control()).collect()
}

#[cfg(test)]
mod tests;
