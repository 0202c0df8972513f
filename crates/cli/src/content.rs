//! Which content a person means: by a key ID, or by a file that names some.

use crate::exit::Code;
use crate::failure::{self, Failure};
use crate::inspect;
use std::path::{Path, PathBuf};
use wmlicense_core::failure::FailureKind;
use wmlicense_media::ContentHeader;
use wmlicense_wire::id::Kid;
use wmlicense_wire::kid_text::{self, Order};

/// What one word means.
enum Meant {
    Kid(Kid),
    File(Box<ContentHeader>),
}

/// The key IDs that these words mean, each once. What reads as a key ID is one; a file of that name is written `./NAME`.
pub(crate) fn kids(words: &[PathBuf]) -> Result<Vec<Kid>, Failure> {
    let mut kids = Vec::new();
    for word in words {
        match of_word(word)? {
            Meant::Kid(kid) => add(&mut kids, &[kid]),
            Meant::File(header) => add(&mut kids, header.kids()),
        }
    }
    Ok(kids)
}

/// Content of which something is taken away.
#[derive(Default)]
pub(crate) struct Own {
    /// The key IDs that these words mean: of a file those of its samples.
    pub(crate) kids: Vec<Kid>,
    /// What files name beside them, which may be another film's.
    pub(crate) beside: Vec<Kid>,
}

/// As [`kids`], but of a file only what its samples are encrypted with: a box that names another film's key ID can be
/// appended by anybody.
pub(crate) fn own(words: &[PathBuf]) -> Result<Own, Failure> {
    let mut own = Own::default();
    for word in words {
        match of_word(word)? {
            Meant::Kid(kid) => add(&mut own.kids, &[kid]),
            Meant::File(header) => {
                let kids = header.sample_kids();
                if kids.is_empty() {
                    let sentence = format!("{}: only boxes beside the samples name a key ID", word.display());
                    return Err(Failure::new(sentence, failure::NAME_KEY_ID));
                }
                add(&mut own.kids, &kids);
                add(&mut own.beside, header.kids());
            }
        }
    }
    own.beside.retain(|kid| !own.kids.contains(kid));
    Ok(own)
}

fn add(kids: &mut Vec<Kid>, more: &[Kid]) {
    for kid in more {
        if !kids.contains(kid) {
            kids.push(*kid);
        }
    }
}

/// A file that this gives names at least one key ID.
fn of_word(word: &Path) -> Result<Meant, Failure> {
    if let Some(Ok(kid)) = word.to_str().map(|text| kid_text::read(text, None, Order::Uuid)) {
        return Ok(Meant::Kid(kid));
    }
    if !word.exists() {
        let sentence = format!("{} is neither a file nor a key ID", word.display());
        let remedy = "give a media file, or a key ID: 32 hexadecimal digits, a UUID, or 24 characters of base64";
        return Err(Failure::new(sentence, remedy).with(Code::Usage));
    }
    let header = inspect::read(word)?;
    if !header.is_protected() {
        return Err(Failure::new(format!("{} is not protected and needs no license", word.display()), ""));
    }
    if header.kids().is_empty() {
        let sentence = format!("{}: {}", word.display(), FailureKind::NoKeyId.sentence().to_lowercase());
        return Err(Failure::new(sentence.trim_end_matches('.'), failure::NAME_KEY_ID));
    }
    Ok(Meant::File(Box::new(header)))
}
