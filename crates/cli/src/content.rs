//! Which content a person means: by a key ID, or by a file that names some.

use crate::exit::Code;
use crate::failure::{self, Failure};
use crate::inspect;
use std::path::{Path, PathBuf};
use wmlicense_core::failure::FailureKind;
use wmlicense_wire::id::Kid;
use wmlicense_wire::kid_text::{self, Order};

/// The key IDs that these words mean, each once. What reads as a key ID is one; a file of that name is written `./NAME`.
pub(crate) fn kids(words: &[PathBuf]) -> Result<Vec<Kid>, Failure> {
    let mut kids = Vec::new();
    for word in words {
        for kid in of_word(word)? {
            if !kids.contains(&kid) {
                kids.push(kid);
            }
        }
    }
    Ok(kids)
}

fn of_word(word: &Path) -> Result<Vec<Kid>, Failure> {
    if let Some(Ok(kid)) = word.to_str().map(|text| kid_text::read(text, None, Order::Uuid)) {
        return Ok(vec![kid]);
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
    match header.kids() {
        [] => {
            let sentence = format!("{}: {}", word.display(), FailureKind::NoKeyId.sentence().to_lowercase());
            Err(Failure::new(sentence.trim_end_matches('.'), failure::NAME_KEY_ID))
        }
        kids => Ok(kids.to_vec()),
    }
}
