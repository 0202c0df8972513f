//! XML of content headers and manifests: a reader that gives elements and text one after another. It expands nothing but
//! the five predefined entities, refuses DOCTYPE, and bounds depth and attributes.

use crate::error::HeaderError;
use crate::text::Place;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;
use std::borrow::Cow;

/// Elements inside each other; manifests have a dozen.
const DEPTH_LIMIT: usize = 32;
/// Attributes of one element.
const ATTRIBUTE_LIMIT: usize = 128;

/// Reads a document that was decoded to text.
pub(crate) struct Xml<'a> {
    reader: Reader<&'a [u8]>,
    text: &'a str,
    place: Place,
    /// The document, for messages.
    field: &'static str,
    depth: usize,
}

/// What comes next in a document.
pub(crate) enum Node<'a> {
    Start(Element<'a>),
    Text(Cow<'a, str>),
    End,
}

/// The start of an element.
pub(crate) struct Element<'a> {
    start: BytesStart<'a>,
    text: &'a str,
    place: Place,
    position: usize,
    field: &'static str,
}

impl<'a> Xml<'a> {
    pub(crate) fn new(text: &'a str, place: Place, field: &'static str) -> Self {
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        Self { reader, text, place, field, depth: 0 }
    }

    /// How many elements are open.
    pub(crate) fn depth(&self) -> usize {
        self.depth
    }

    /// Where what comes next begins.
    pub(crate) fn offset(&self) -> u64 {
        self.place.offset(self.text, self.reader.buffer_position() as usize)
    }

    /// The next element, text or end of an element; `None` at the end of the document.
    pub(crate) fn next(&mut self) -> Result<Option<Node<'a>>, HeaderError> {
        loop {
            let position = self.reader.buffer_position() as usize;
            let event = self.reader.read_event();
            let offset = || self.place.offset(self.text, position);
            let bad = || HeaderError::BadText { offset: offset(), field: self.field };
            let refused = |field| HeaderError::NotAllowed { offset: offset(), field };
            return Ok(Some(match event.map_err(|_| bad())? {
                Event::Start(start) => {
                    self.depth += 1;
                    if self.depth > DEPTH_LIMIT {
                        let (field, count) = ("elements inside each other", self.depth as u64);
                        return Err(HeaderError::TooMany { offset: offset(), field, count, limit: DEPTH_LIMIT as u64 });
                    }
                    let (text, place, field) = (self.text, self.place, self.field);
                    Node::Start(Element { start, text, place, position, field })
                }
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    Node::End
                }
                Event::Text(text) => Node::Text(text.into_inner()),
                Event::CData(text) => Node::Text(text.into_inner()),
                Event::GeneralRef(reference) => Node::Text(resolve(&reference).ok_or_else(|| refused("XML entity"))?),
                Event::DocType(_) => return Err(refused("XML DOCTYPE")),
                Event::Eof if self.depth > 0 => {
                    return Err(HeaderError::Truncated { offset: offset(), field: self.field });
                }
                Event::Eof => return Ok(None),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => continue,
            }));
        }
    }

    /// The text of the element that has just begun, without that of elements inside it. Its end is read as well.
    pub(crate) fn element_text(&mut self) -> Result<String, HeaderError> {
        let (depth, mut text) = (self.depth, String::new());
        while self.depth >= depth {
            match self.next()? {
                Some(Node::Text(part)) if self.depth == depth => text.push_str(&part),
                Some(Node::Text(_) | Node::Start(_) | Node::End) => {}
                None => break,
            }
        }
        let trimmed = text.trim();
        Ok(if trimmed.len() == text.len() { text } else { trimmed.to_owned() })
    }

    /// The next element inside the one at this depth; `None` when that has ended.
    pub(crate) fn next_child(&mut self, depth: usize) -> Result<Option<Element<'a>>, HeaderError> {
        while self.depth >= depth {
            match self.next()? {
                Some(Node::Start(element)) if self.depth == depth + 1 => return Ok(Some(element)),
                Some(_) => {}
                None => break,
            }
        }
        Ok(None)
    }
}

/// The letter that a reference stands for, if it is predefined or names an allowed character.
fn resolve(reference: &BytesRef<'_>) -> Option<Cow<'static, str>> {
    if reference.is_char_ref() {
        let letter = reference.resolve_char_ref().ok()??;
        let allowed = !letter.is_control() || matches!(letter, '\t' | '\n' | '\r');
        return allowed.then(|| Cow::Owned(letter.to_string()));
    }
    resolve_predefined_entity(reference).map(Cow::Borrowed)
}

impl Element<'_> {
    /// The name without its prefix. Prefixes are free, and the names that matter are in one vocabulary each.
    pub(crate) fn name(&self) -> &str {
        local(self.start.name().0)
    }

    /// Where the element begins. Counted only when asked for: in UTF-16 that takes as long as the text before it.
    pub(crate) fn offset(&self) -> u64 {
        self.place.offset(self.text, self.position)
    }

    /// The value of the attribute with this local name.
    pub(crate) fn attribute(&self, name: &str) -> Result<Option<String>, HeaderError> {
        let bad = || HeaderError::BadText { offset: self.offset(), field: self.field };
        let mut attributes = self.start.attributes();
        // The library's own check compares each name with all before it.
        for (index, attribute) in attributes.with_checks(false).enumerate() {
            if index == ATTRIBUTE_LIMIT {
                let (offset, count) = (self.offset(), index as u64 + 1);
                return Err(HeaderError::TooMany { offset, field: "XML attributes", count, limit: index as u64 });
            }
            let attribute = attribute.map_err(|_| bad())?;
            if local(attribute.key.0) == name {
                let value = attribute.normalized_value(XmlVersion::Implicit1_0);
                let value =
                    value.map_err(|_| HeaderError::NotAllowed { offset: self.offset(), field: "XML entity" })?;
                return if value.chars().any(char::is_control) { Err(bad()) } else { Ok(Some(value.into_owned())) };
            }
        }
        Ok(None)
    }
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}
