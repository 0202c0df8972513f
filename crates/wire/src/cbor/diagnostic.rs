//! Diagnostic notation (RFC 8949 §8) laid out for people, with CBOR inside byte strings opened as `<< … >>`.

use super::{check, head};

/// Widest array, map or byte string that stays on one line.
const WIDTH: usize = 100;
/// Bytes of a byte string on one line.
const BYTES_A_LINE: usize = 48;
/// Deepest nesting shown, embedded items included.
const MAX_SHOWN_DEPTH: usize = 24;

/// The notation of one item, tags of signed documents included; `None` if the bytes are not exactly one item.
pub fn pretty(bytes: &[u8]) -> Option<String> {
    let (text, end) = item(bytes, 0, 0)?;
    (end == bytes.len()).then_some(text)
}

fn item(bytes: &[u8], start: usize, depth: usize) -> Option<(String, usize)> {
    if depth > MAX_SHOWN_DEPTH {
        return None;
    }
    let (major, value, next) = head(bytes, start)?;
    match major {
        0 => Some((value.to_string(), next)),
        1 => Some(((-1 - i128::from(value)).to_string(), next)),
        2 | 3 => {
            let end = next.checked_add(usize::try_from(value).ok()?)?;
            let content = bytes.get(next..end)?;
            let text =
                if major == 2 { byte_string(content, depth) } else { quoted(std::str::from_utf8(content).ok()?) };
            Some((text, end))
        }
        4 => group(bytes, value, next, depth, '[', ']'),
        5 => group(bytes, value, next, depth, '{', '}'),
        6 => item(bytes, next, depth + 1).map(|(text, end)| (format!("{value}({text})"), end)),
        _ => {
            let name = ["false", "true", "null"].get(usize::try_from(value.checked_sub(20)?).ok()?)?;
            (next == start + 1).then(|| ((*name).to_owned(), next))
        }
    }
}

fn group(bytes: &[u8], count: u64, start: usize, depth: usize, open: char, close: char) -> Option<(String, usize)> {
    let mut at = start;
    let mut parts = Vec::new();
    for _ in 0..count {
        let (mut part, end) = item(bytes, at, depth + 1)?;
        at = end;
        if open == '{' {
            let (value, end) = item(bytes, at, depth + 1)?;
            part = format!("{part}: {value}");
            at = end;
        }
        parts.push(part);
    }
    let line = parts.join(", ");
    let text = if line.len() <= WIDTH && !line.contains('\n') {
        format!("{open}{line}{close}")
    } else {
        format!("{open}\n{}\n{close}", indented(&parts.join(",\n")))
    };
    Some((text, at))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

fn byte_string(content: &[u8], depth: usize) -> String {
    if let Some(text) = embedded(content, depth) {
        return text;
    }
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    if content.len() <= BYTES_A_LINE {
        return format!("h'{}'", hex(content));
    }
    let lines: Vec<String> = content.chunks(BYTES_A_LINE).map(hex).collect();
    format!("h'\n{}\n'", indented(&lines.join("\n")))
}

/// Text of a byte string that is itself a whole array, map or signed document.
fn embedded(content: &[u8], depth: usize) -> Option<String> {
    let first = content.first()? >> 5;
    let untagged = content.strip_prefix(&[0xd2]).or_else(|| content.strip_prefix(&[0xd8, 0x62]));
    if !matches!(first, 4 | 5) && untagged.is_none() || check(untagged.unwrap_or(content)).is_err() {
        return None;
    }
    let (text, _) = item(content, 0, depth + 1)?;
    Some(format!("<< {text} >>"))
}

fn quoted(text: &str) -> String {
    let escaped: String = text
        .chars()
        .map(|c| match c {
            '"' | '\\' => format!("\\{c}"),
            c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
            c => c.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_item_is_shown() {
        let bytes = [
            0xd2, 0x89, 0x18, 0x64, 0x20, 0x42, 1, 0xff, 0x63, b'a', b'"', b'\n', 0xf4, 0xf5, 0xf6, 0xa1, 1, 0x80, 0x80,
        ];
        assert_eq!(
            pretty(&bytes).as_deref(),
            Some(r#"18([100, -1, h'01ff', "a\"\u000a", false, true, null, {1: []}, []])"#)
        );
        assert_eq!(pretty(&[0x3b, 255, 255, 255, 255, 255, 255, 255, 255]).as_deref(), Some("-18446744073709551616"));
    }

    #[test]
    fn what_is_inside_byte_strings_is_opened() {
        assert_eq!(pretty(&[0x43, 0x82, 1, 2]).as_deref(), Some("<< [1, 2] >>"));
        assert_eq!(pretty(&[0x42, 0xd2, 0x80]).as_deref(), Some("<< 18([]) >>"));
        assert_eq!(pretty(&[0x42, 0x82, 1]).as_deref(), Some("h'8201'"));
        assert_eq!(pretty(&[0x41, 5]).as_deref(), Some("h'05'"));
    }

    #[test]
    fn long_items_are_broken_into_lines() {
        let long = [&[0x81, 0x58, 50][..], &[7; 50]].concat();
        let expected = format!("[\n  h'\n    {}\n    0707\n  '\n]", "07".repeat(48));
        assert_eq!(pretty(&long), Some(expected));
    }

    #[test]
    fn a_line_is_as_wide_as_allowed() {
        // 34 digits with commas between are 100 characters.
        let digits = |count: u8| pretty(&[vec![0x98, count], vec![1; count.into()]].concat()).unwrap();
        assert_eq!(digits(34), format!("[{}1]", "1, ".repeat(33)));
        assert_eq!(digits(35), format!("[\n{}  1\n]", "  1,\n".repeat(34)));
        let bytes = [vec![0x58, 48], vec![7; 48]].concat();
        assert_eq!(pretty(&bytes), Some(format!("h'{}'", "07".repeat(48))));
    }

    #[test]
    fn nesting_is_shown_to_a_depth_and_then_not_at_all() {
        for level in [&[0x81][..], &[0xd2], &[0xa1, 0]] {
            let nested = |levels| pretty(&[level.repeat(levels), vec![0]].concat()).is_some();
            assert_eq!([24, 25].map(nested), [true, false], "{level:x?}");
        }
        // A signed document in a byte string, and in it as many levels as a document may have.
        let inside = |levels| [vec![0xd8, 0x62], vec![0x81; levels], vec![0]].concat();
        let embedded = |outer, levels| pretty(&[vec![0x81; outer], vec![0x4b], inside(levels)].concat()).unwrap();
        assert!(embedded(14, 8).contains("<< 98([[[[[[[[0]]]]]]]]) >>"));
        assert!(embedded(15, 8).contains("h'd862818181818181818100'"));
    }

    #[test]
    fn a_byte_string_with_more_than_one_document_is_shown_as_bytes() {
        assert_eq!(pretty(&[0x42, 0x80, 0]).as_deref(), Some("h'8000'"));
    }

    #[test]
    fn what_is_no_single_item_is_not_shown() {
        for bytes in [&[][..], &[0x80, 0x80], &[0x82, 1], &[0x9f, 0xff], &[0xf9, 0, 0], &[0x61, 0xff], &[0x81; 100]] {
            assert_eq!(pretty(bytes), None, "{bytes:x?}");
        }
    }
}
