//! Text of files that others wrote: which encoding its mark at the beginning names.

use zeroize::Zeroizing;

/// The text of UTF-8, with a byte order mark or without, or of UTF-16 with one; without the mark.
pub(super) fn decode(bytes: &[u8]) -> Option<Zeroizing<String>> {
    let (units, is_big) = match bytes {
        [0xff, 0xfe, rest @ ..] => (rest, false),
        [0xfe, 0xff, rest @ ..] => (rest, true),
        [0xef, 0xbb, 0xbf, rest @ ..] => return utf8(rest),
        bytes => return utf8(bytes),
    };
    let (pairs, []) = units.as_chunks::<2>() else { return None };
    // Of the longest that it can become, so that no copy of keys is left behind where it would have to grow.
    let mut text = Zeroizing::new(String::with_capacity(pairs.len() * 3));
    let unit = |pair: &[u8; 2]| if is_big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) };
    for character in char::decode_utf16(pairs.iter().map(unit)) {
        text.push(character.ok()?);
    }
    Some(text)
}

fn utf8(bytes: &[u8]) -> Option<Zeroizing<String>> {
    std::str::from_utf8(bytes).ok().map(|text| Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn marks_name_the_encoding_and_are_no_text() {
        let text = "<a b=\"ü€😀\"/>";
        let units: Vec<u16> = text.encode_utf16().collect();
        let little: Vec<u8> =
            [0xff, 0xfe].into_iter().chain(units.iter().flat_map(|unit| unit.to_le_bytes())).collect();
        let big: Vec<u8> = [0xfe, 0xff].into_iter().chain(units.iter().flat_map(|unit| unit.to_be_bytes())).collect();
        let marked: Vec<u8> = [0xef, 0xbb, 0xbf].into_iter().chain(text.bytes()).collect();
        for bytes in [text.as_bytes(), &marked, &little, &big] {
            assert_eq!(decode(bytes).unwrap().as_str(), text);
        }
        let odd = &little[..little.len() - 1];
        for bad in [odd, &[0xff, 0xfe, 0x00, 0xd8], &[0xc3], &[0x00, 0xff]] {
            assert!(decode(bad).is_none(), "{bad:?}");
        }
    }
}
