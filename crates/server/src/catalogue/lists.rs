//! Lists of content keys, a line or an element each: CSV, JSON, and what Shaka Packager and Bento4 take on their command lines.

use super::{ContentError, ContentKey, Entries, Entry, Place};
use serde::Deserialize;
use zeroize::{Zeroize as _, Zeroizing};

/// Reads a list, whose kind its beginning tells.
pub(super) fn read(text: &str) -> Result<Entries, ContentError> {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    if first.starts_with('[') {
        return json(text);
    }
    let field = first.split(',').next().unwrap_or_default();
    Ok(match () {
        () if first.starts_with("--") || field.contains("key_id=") => shaka(text),
        // No key ID and no head line of a CSV file has a colon.
        () if field.contains(':') => bento4(text),
        () => csv(text),
    })
}

fn entry_of(kid: &str, key: &str, title: Option<&str>) -> Result<Entry, ContentError> {
    ContentKey::read(kid, key, title).map(Entry::Key)
}

/// Keys as Shaka Packager takes them behind `--keys`, separated by commas or in lines; its options may stand around them. Labels
/// say which track gets which key and are not kept.
fn shaka(text: &str) -> Entries {
    let parts = text.split([',', '\n', ' ', '\t', '\r']).map(|part| part.trim_matches(['"', '\'', '\\']));
    let parts = parts.map(|part| part.strip_prefix("--keys=").unwrap_or(part));
    let parts = parts.filter(|part| !part.is_empty() && !part.starts_with("--"));
    parts.enumerate().map(|(index, part)| (Place::Key(index + 1), shaka_key(part))).collect()
}

fn shaka_key(part: &str) -> Result<Entry, ContentError> {
    let (mut kid, mut key) = (None, None);
    for field in part.split(':') {
        match field.split_once('=').ok_or(ContentError::Shaka)? {
            ("key_id", text) if kid.is_none() => kid = Some(text),
            ("key", text) if key.is_none() => key = Some(text),
            ("label" | "iv", _) => {}
            _ => return Err(ContentError::Shaka),
        }
    }
    entry_of(kid.ok_or(ContentError::Shaka)?, key.ok_or(ContentError::Shaka)?, None)
}

/// Pairs of key ID and key as Bento4 takes them, in lines or separated by commas.
fn bento4(text: &str) -> Entries {
    let read = |part: &str| {
        let (kid, key) = part.split_once(':').ok_or(ContentError::Bento4)?;
        entry_of(kid, key, None)
    };
    let lines = text.lines().enumerate();
    let parts = lines.flat_map(|(index, line)| line.split(',').map(move |part| (index + 1, part.trim())));
    parts.filter(|(_, part)| !part.is_empty()).map(|(line, part)| (Place::Line(line), read(part))).collect()
}

#[derive(Deserialize)]
struct JsonEntry {
    kid: String,
    key: String,
    #[serde(default)]
    title: Option<String>,
}

impl Drop for JsonEntry {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

fn json(text: &str) -> Result<Entries, ContentError> {
    let entries: Vec<JsonEntry> = serde_json::from_str(text).map_err(|_| ContentError::Json)?;
    let read = |(index, entry): (usize, &JsonEntry)| {
        (Place::Element(index), entry_of(&entry.kid, &entry.key, entry.title.as_deref()))
    };
    Ok(entries.iter().enumerate().map(read).collect())
}

fn csv(text: &str) -> Entries {
    let mut entries = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || (index == 0 && line.trim_start().to_ascii_lowercase().starts_with("kid")) {
            continue;
        }
        let entry = match csv_fields(line).unwrap_or_default().as_slice() {
            [kid, key] => entry_of(kid, key, None),
            [kid, key, title] => entry_of(kid, key, Some(title)),
            _ => Err(ContentError::Fields),
        };
        entries.push((Place::Line(index + 1), entry));
    }
    entries
}

/// The fields of one line (RFC 4180 §2); a quoted field may hold commas and doubled quotes, but no line break.
fn csv_fields(line: &str) -> Option<Vec<Zeroizing<String>>> {
    let mut fields = vec![Zeroizing::new(String::new())];
    let mut characters = line.chars().peekable();
    let mut quoted = false;
    while let Some(character) = characters.next() {
        let field = fields.last_mut()?;
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                field.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if field.is_empty() => quoted = true,
            ',' if !quoted => fields.push(Zeroizing::new(String::new())),
            other => field.push(other),
        }
    }
    (!quoted).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::super::{List, read};

    const KIDS: [&str; 2] = ["a1a2a3a4b1b2c1c2d1d2d3d4d5d6d7d8", "0f0e0d0c0b0a09080706050403020100"];
    const KEYS: [&str; 2] = ["00112233445566778899aabbccddeeff", "ffeeddccbbaa99887766554433221100"];

    fn taken(text: &str) -> Vec<(String, u8)> {
        let List { keys, keyless } = read(text.as_bytes(), None).unwrap();
        assert!(keyless.is_empty());
        keys.iter().map(|key| (key.kid.to_hex(), key.key[0])).collect()
    }

    fn fault(text: &str) -> String {
        read(text.as_bytes(), None).err().unwrap().to_string()
    }

    #[test]
    fn a_list_of_shaka_packager_is_read_with_its_options_or_without() {
        let keys = [0, 1].map(|at| format!("label=L{at}:key_id={}:key={}", KIDS[at], KEYS[at]));
        let expected = [(KIDS[0].to_owned(), 0), (KIDS[1].to_owned(), 0xff)];
        for text in [
            keys.join(","),
            format!("{}\n{}\r\n", keys[0], keys[1]),
            format!("--enable_raw_key_encryption --keys {},\\\n  {}", keys[0], keys[1]),
            format!("--keys={},{}:iv=00112233445566778899aabbccddeeff --clear_lead=0", keys[0], keys[1]),
        ] {
            assert_eq!(taken(&text), expected, "{text}");
        }
        assert_eq!(taken(&format!("key_id={}:key={}", KIDS[0], KEYS[0])), expected[..1]);
    }

    #[test]
    fn titles_do_not_make_a_list_another_one() {
        let text = format!("{},{},\"label=a:key_id={}\"\n", KIDS[0], KEYS[0], KIDS[1]);
        assert_eq!(taken(&text), [(KIDS[0].to_owned(), 0)]);
        assert_eq!(taken(&format!("kid,key,key_id=\n{text}")), [(KIDS[0].to_owned(), 0)]);
    }

    #[test]
    fn a_list_of_bento4_is_read_in_lines_and_in_one() {
        let expected = [(KIDS[0].to_owned(), 0), (KIDS[1].to_owned(), 0xff)];
        let pairs = [0, 1].map(|at| format!("{}:{}", KIDS[at], KEYS[at]));
        assert_eq!(taken(&pairs.join("\n")), expected);
        assert_eq!(taken(&format!("\r\n{}\r\n", pairs.join(", "))), expected);
    }

    #[test]
    fn a_wrong_entry_of_a_packagers_list_is_named() {
        let (kid, key) = (KIDS[0], KEYS[0]);
        let good = format!("label=:key_id={kid}:key={key}");
        assert_eq!(fault(&format!("{good},label=A:key={key}")), "key number 2: label=…:key_id=…:key=… is expected");
        assert_eq!(fault(&format!("key_id={kid}:key=00")), "key number 1: the key is not 32 hexadecimal digits");
        assert_eq!(fault(&format!("{good}:pssh=00")), "key number 1: label=…:key_id=…:key=… is expected");
        assert_eq!(fault(&format!("{kid}:{key}\n{kid}")), "line 2: KID:KEY is expected");
        assert_eq!(fault(&format!("{kid}:{key}\nx:{key}")), "line 2: the key ID is not 32 hexadecimal digits");
        let twice = format!("{kid}:{key}\n{kid}:{}", KEYS[1]);
        assert!(fault(&twice).starts_with("line 2: key ID"), "{}", fault(&twice));
    }
}
