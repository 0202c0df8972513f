//! Keys that the user has, to compare with the checksums of headers. They are never shown.

use crate::failure::Failure;
use std::collections::BTreeMap;
use std::path::Path;
use wmlicense_media::WrmKey;
use wmlicense_wire::id::Kid;
use zeroize::Zeroizing;

/// Keys by key ID.
#[derive(Default)]
pub(super) struct Keys(BTreeMap<Kid, Zeroizing<Vec<u8>>>);

impl Keys {
    /// Reads lines of a key ID and a key in hexadecimal, with a blank, comma or colon between. `#` begins a comment.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::of_file(path, &error, "give a text file that you may read"))?;
        let text = Zeroizing::new(text);
        let mut keys = BTreeMap::new();
        for (index, line) in
            text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'))
        {
            let (kid, key) = pair(line).ok_or_else(|| {
                let sentence = format!("{}: line {} is no key ID and key", path.display(), index + 1);
                Failure::new(sentence, "write both in hexadecimal with a blank between: 32 digits, and 32 or 14")
            })?;
            keys.insert(kid, key);
        }
        Ok(Self(keys))
    }

    /// Whether the user's key is the one that the header means; `None` if that cannot be told.
    pub(super) fn verdict(&self, key: &WrmKey) -> Option<bool> {
        key.matches(self.0.get(&key.kid?)?)
    }
}

fn pair(line: &str) -> Option<(Kid, Zeroizing<Vec<u8>>)> {
    let mut words = line.split([' ', '\t', ',', ':']).filter(|word| !word.is_empty());
    let (kid, key) = (Kid::from_hex(words.next()?).ok()?, hex(words.next()?)?);
    words.next().is_none().then_some((kid, key))
}

/// A key of AES-128, or of the cipher before it.
fn hex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    if !matches!(text.len(), 14 | 32) {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut bytes = Zeroizing::new(Vec::with_capacity(16));
    for pair in text.as_bytes().as_chunks::<2>().0 {
        let [high, low] = *pair;
        bytes.push((digit(high)? * 16 + digit(low)?) as u8);
    }
    Some(bytes)
}
