//! Writes a document as it came, and fills in what came empty.

use super::super::cpix::CPIX;
use super::super::export::{SPACES, delivered_keys, push_data};
use super::super::recipient::{Addressee, Sealer};
use super::rules::kid;
use super::signals::{System, filled};
use super::{Keys, Unfit};
use roxmltree::Node;
use std::fmt::Write as _;
use zeroize::Zeroizing;

const XML: &str = "http://www.w3.org/XML/1998/namespace";
/// Room for what is filled in: of one key with one DRM system, and of one of those who may open the document.
const A_KEY: usize = 4096;
const AN_ADDRESSEE: usize = 8192;

pub(super) struct Filler<'k> {
    keys: &'k Keys,
    addressees: std::slice::Iter<'k, Addressee>,
    sealer: Option<Sealer>,
    text: Zeroizing<String>,
}

impl<'k> Filler<'k> {
    /// For a document of this length.
    pub(super) fn new(keys: &'k Keys, addressees: &'k [Addressee], length: usize) -> Result<Self, Unfit> {
        let sealer = if addressees.is_empty() { None } else { Some(Sealer::new()?) };
        // Of about the longest that it can become, so that keys in clear leave no copies behind where it would have to grow.
        let room = 2 * length + keys.len() * A_KEY + addressees.len() * AN_ADDRESSEE;
        Ok(Self { keys, addressees: addressees.iter(), sealer, text: Zeroizing::new(String::with_capacity(room)) })
    }

    pub(super) fn fill(mut self, root: Node<'_, '_>) -> Result<Zeroizing<String>, Unfit> {
        self.text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<cpix:CPIX");
        for (prefix, space) in SPACES {
            let _ = write!(self.text, " xmlns:{prefix}=\"{space}\"");
        }
        // What names a document is its content; an ID beside that is an earlier version's.
        self.attributes(root, &["id"]);
        self.text.push('>');
        root.children().try_for_each(|child| self.node(child))?;
        self.text.push_str("</cpix:CPIX>");
        Ok(self.text)
    }

    fn node(&mut self, node: Node<'_, '_>) -> Result<(), Unfit> {
        if node.is_text() {
            escape(&mut self.text, node.text().unwrap_or_default(), false);
            return Ok(());
        }
        if !node.is_element() {
            return Ok(());
        }
        let name = self.open(node);
        if is_item(node, "ContentKeyList", "ContentKey") {
            self.content_key(node)?;
        } else if is_item(node, "DeliveryDataList", "DeliveryData") {
            self.delivery(node)?;
        } else if is_item(node, "DRMSystemList", "DRMSystem") {
            self.system(node)?;
        } else {
            node.children().try_for_each(|child| self.node(child))?;
        }
        let _ = write!(self.text, "</{name}>");
        Ok(())
    }

    /// Begins an element; its name as it is written.
    fn open(&mut self, node: Node<'_, '_>) -> String {
        let (name, space) = (node.tag_name().name(), node.tag_name().namespace());
        let prefix = SPACES.iter().find(|(_, known)| Some(*known) == space).map(|(prefix, _)| prefix);
        let name = prefix.map_or_else(|| name.to_owned(), |prefix| format!("{prefix}:{name}"));
        let _ = write!(self.text, "<{name}");
        if prefix.is_none() {
            self.text.push_str(" xmlns=\"");
            escape(&mut self.text, space.unwrap_or_default(), true);
            self.text.push('"');
        }
        self.attributes(node, &[]);
        self.text.push('>');
        name
    }

    fn attributes(&mut self, node: Node<'_, '_>, but: &[&str]) {
        for (number, attribute) in node.attributes().enumerate() {
            match attribute.namespace() {
                None if but.contains(&attribute.name()) => continue,
                None => {
                    let _ = write!(self.text, " {}=\"", attribute.name());
                }
                Some(XML) => {
                    let _ = write!(self.text, " xml:{}=\"", attribute.name());
                }
                Some(space) => {
                    let _ = write!(self.text, " xmlns:a{number}=\"");
                    escape(&mut self.text, space, true);
                    let _ = write!(self.text, "\" a{number}:{}=\"", attribute.name());
                }
            }
            escape(&mut self.text, attribute.value(), true);
            self.text.push('"');
        }
    }

    fn content_key(&mut self, node: Node<'_, '_>) -> Result<(), Unfit> {
        let kid = kid(node)?;
        let key = self.keys.get(&kid).ok_or_else(|| Unfit(format!("No key for KID {kid}")))?;
        push_data(&mut self.text, key, self.sealer.as_ref())?;
        // An empty element in the place of the key is taken for none.
        node.children().filter(|child| !child.has_tag_name((CPIX, "Data"))).try_for_each(|child| self.node(child))
    }

    fn delivery(&mut self, node: Node<'_, '_>) -> Result<(), Unfit> {
        let filled =
            |child: &Node<'_, '_>| ["DocumentKey", "MACMethod"].iter().any(|name| child.has_tag_name((CPIX, *name)));
        node.children().filter(|child| !filled(child)).try_for_each(|child| self.node(child))?;
        if let (Some(sealer), Some(addressee)) = (&self.sealer, self.addressees.next()) {
            let keys = sealer.keys_for(addressee)?;
            self.text.push_str(&delivered_keys(&keys));
        }
        Ok(())
    }

    fn system(&mut self, node: Node<'_, '_>) -> Result<(), Unfit> {
        let (kid, system) = (kid(node)?, System::read(node.attribute("systemId").unwrap_or_default())?);
        let mut all = node.document().descendants();
        let key = all.find(|node| is_item(*node, "ContentKeyList", "ContentKey"));
        let scheme = key.and_then(|key| key.attribute("commonEncryptionScheme")).unwrap_or_default();
        for child in node.children() {
            match child.is_element().then(|| filled(child, system, kid, scheme.trim())).flatten() {
                None => self.node(child)?,
                Some(value) => {
                    let name = self.open(child);
                    let _ = write!(self.text, "{value}</{name}>");
                }
            }
        }
        Ok(())
    }
}

/// True for an item of one of the document's own lists; what stands elsewhere under the same name is nobody's.
fn is_item(node: Node<'_, '_>, list: &str, item: &str) -> bool {
    let parent = node.parent().filter(|parent| parent.has_tag_name((CPIX, list)));
    let root = parent.and_then(|list| list.parent());
    node.has_tag_name((CPIX, item)) && root == Some(node.document().root_element())
}

/// Text as XML writes it.
fn escape(text: &mut String, value: &str, in_attribute: bool) {
    for letter in value.chars() {
        match letter {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' if in_attribute => text.push_str("&quot;"),
            '\t' | '\n' if in_attribute => {
                let _ = write!(text, "&#{};", u32::from(letter));
            }
            '\r' => text.push_str("&#13;"),
            _ => text.push(letter),
        }
    }
}
