//! Key IDs as people and catalogues write them: base64, hexadecimal, UUID, each in either byte order. Strict: what is taken
//! is one key ID written whole, in one of these forms and no other.

use crate::id::Kid;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How a key ID is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Standard base64, 24 characters.
    Base64,
    /// 32 hexadecimal digits.
    Hex,
    /// Five groups with hyphens between.
    Uuid,
}

/// The 16 bytes that a text stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Those of the UUID text.
    Uuid,
    /// Those of a GUID in the memory of Windows: the first three groups are reversed.
    Guid,
}

/// What is wrong with the text of a key ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KidTextError {
    /// No form has this length.
    #[error("a key ID has 24 characters of base64, 32 hexadecimal digits, or is a UUID of 36 characters")]
    Length,
    /// Not hexadecimal digits.
    #[error("the key ID has characters that are no hexadecimal digits")]
    Digits,
    /// Not base64.
    #[error("the key ID is not standard base64 of 16 bytes")]
    Base64,
    /// Hyphens elsewhere than in a UUID.
    #[error("the hyphens of the key ID do not stand where a UUID has them")]
    Hyphens,
    /// Braces that do not close, or around something else than a UUID.
    #[error("braces belong around a whole UUID")]
    Braces,
}

/// Where the hyphens of a UUID stand.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
const UUID_LEN: usize = 36;
const HEX_LEN: usize = 2 * Kid::LEN;
const BASE64_LEN: usize = 24;

/// Writes a key ID. Digits are lower-case; a UUID has no braces.
pub fn write(kid: Kid, form: Form, order: Order) -> String {
    let kid = ordered(kid, order);
    match form {
        Form::Base64 => kid.to_base64(),
        Form::Hex => kid.to_hex(),
        Form::Uuid => {
            let mut text = kid.to_hex();
            // From behind, where nothing moves the places of the others.
            for (before, place) in HYPHENS.into_iter().enumerate().rev() {
                text.insert(place - before, '-');
            }
            text
        }
    }
}

/// Reads a key ID in the form named, or in whichever it is. Digits are of either case; a UUID may have braces around.
pub fn read(text: &str, form: Option<Form>, order: Order) -> Result<Kid, KidTextError> {
    let form = match form {
        Some(form) => form,
        None => recognized(text)?,
    };
    let kid = match form {
        Form::Base64 => base64(text),
        Form::Hex => hex(text),
        Form::Uuid => uuid(text),
    }?;
    Ok(ordered(kid, order))
}

/// The other order of the same key ID; twice gives it back.
pub fn swapped(kid: Kid) -> Kid {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *kid.as_bytes();
    let [i, j, k, l, m, n, o, p] = rest;
    Kid::new([d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p])
}

fn ordered(kid: Kid, order: Order) -> Kid {
    match order {
        Order::Uuid => kid,
        Order::Guid => swapped(kid),
    }
}

/// The forms have different lengths, so that none is taken for another.
fn recognized(text: &str) -> Result<Form, KidTextError> {
    match text.len() {
        _ if text.contains(['{', '}']) => Ok(Form::Uuid),
        BASE64_LEN => Ok(Form::Base64),
        HEX_LEN => Ok(Form::Hex),
        UUID_LEN => Ok(Form::Uuid),
        _ => Err(KidTextError::Length),
    }
}

fn base64(text: &str) -> Result<Kid, KidTextError> {
    if text.len() != BASE64_LEN {
        return Err(KidTextError::Length);
    }
    let bytes = STANDARD.decode(text).map_err(|_| KidTextError::Base64)?;
    Kid::from_slice(&bytes).map_err(|_| KidTextError::Base64)
}

fn hex(text: &str) -> Result<Kid, KidTextError> {
    if text.len() != HEX_LEN {
        return Err(KidTextError::Length);
    }
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(KidTextError::Digits);
    }
    Kid::from_hex(text).map_err(|_| KidTextError::Digits)
}

fn uuid(text: &str) -> Result<Kid, KidTextError> {
    let bare = match (text.strip_prefix('{'), text.ends_with('}')) {
        (Some(rest), true) => rest.strip_suffix('}').ok_or(KidTextError::Braces)?,
        (None, false) => text,
        _ => return Err(KidTextError::Braces),
    };
    if bare.contains(['{', '}']) {
        return Err(KidTextError::Braces);
    }
    if bare.len() != UUID_LEN {
        return Err(KidTextError::Length);
    }
    if !bare.bytes().enumerate().all(|(place, byte)| (byte == b'-') == HYPHENS.contains(&place)) {
        return Err(KidTextError::Hyphens);
    }
    hex(&bare.replace('-', ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KID: Kid =
        Kid::new([0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff]);

    /// Worked out by hand from the bytes above, in both orders.
    const WRITTEN: [(Form, Order, &str); 6] = [
        (Form::Hex, Order::Uuid, "00112233445566778899aabbccddeeff"),
        (Form::Uuid, Order::Uuid, "00112233-4455-6677-8899-aabbccddeeff"),
        (Form::Base64, Order::Uuid, "ABEiM0RVZneImaq7zN3u/w=="),
        (Form::Hex, Order::Guid, "33221100554477668899aabbccddeeff"),
        (Form::Uuid, Order::Guid, "33221100-5544-7766-8899-aabbccddeeff"),
        (Form::Base64, Order::Guid, "MyIRAFVEd2aImaq7zN3u/w=="),
    ];

    #[test]
    fn each_form_is_written_and_read_in_both_orders() {
        for (form, order, text) in WRITTEN {
            assert_eq!(write(KID, form, order), text);
            assert_eq!(read(text, Some(form), order), Ok(KID), "{text}");
            assert_eq!(read(text, None, order), Ok(KID), "{text}");
            if form != Form::Base64 {
                assert_eq!(read(&text.to_uppercase(), None, order), Ok(KID), "{text}");
            }
        }
        assert_eq!(read("{00112233-4455-6677-8899-AABBCCDDEEFF}", None, Order::Uuid), Ok(KID));
    }

    #[test]
    fn what_is_not_one_whole_key_id_is_refused_with_what_is_wrong() {
        for (text, error) in [
            ("", KidTextError::Length),
            ("00112233445566778899aabbccddeef", KidTextError::Length),
            ("00112233445566778899aabbccddeeff0", KidTextError::Length),
            (" 00112233445566778899aabbccddeeff", KidTextError::Length),
            ("0x112233445566778899aabbccddeeff", KidTextError::Digits),
            ("0x00112233445566778899aabbccddeeff", KidTextError::Length),
            ("0g112233445566778899aabbccddeeff", KidTextError::Digits),
            ("+0112233445566778899aabbccddeeff", KidTextError::Digits),
            ("00112233-4455-6677-8899-aabbccddeefg", KidTextError::Digits),
            ("0011223344-55-6677-8899-aabbccddeeff", KidTextError::Hyphens),
            ("00112233-4455-6677-8899aabbccddeeff-", KidTextError::Hyphens),
            ("00112233445566778899aabbccddeeff----", KidTextError::Hyphens),
            ("{00112233-4455-6677-8899-aabbccddeeff", KidTextError::Braces),
            ("00112233-4455-6677-8899-aabbccddeeff}", KidTextError::Braces),
            ("{{00112233-4455-6677-8899-aabbccddeeff}}", KidTextError::Braces),
            ("}00112233-4455-6677-8899-aabbccddeeff{", KidTextError::Braces),
            ("{00112233445566778899aabbccddeeff}", KidTextError::Length),
            ("{}", KidTextError::Length),
            ("{", KidTextError::Braces),
            ("ABEiM0RVZneImaq7zN3u/w", KidTextError::Length),
            ("ABEiM0RVZneImaq7zN3u/w=", KidTextError::Length),
            ("ABEiM0RVZneImaq7zN3u/x==", KidTextError::Base64),
            ("ABEiM0RVZneImaq7zN3u_w==", KidTextError::Base64),
            ("ABEiM0RVZneImaq7zN3u/w=A", KidTextError::Base64),
            ("ABEiM0RVZneImaq7zN3u/wAA", KidTextError::Base64),
            ("ABEiM0RVZneImaq7zN3\u{e9}/w=", KidTextError::Base64),
        ] {
            assert_eq!(read(text, None, Order::Uuid), Err(error), "{text:?}");
        }
        assert_eq!(read("00", Some(Form::Hex), Order::Uuid), Err(KidTextError::Length));
        assert_eq!(read("AAAA", Some(Form::Base64), Order::Uuid), Err(KidTextError::Length));
        for (form, order, text) in WRITTEN {
            for other in [Form::Base64, Form::Hex, Form::Uuid].into_iter().filter(|other| *other != form) {
                assert!(read(text, Some(other), order).is_err(), "{text} as {other:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_key_id_comes_back(bytes: [u8; 16]) {
            for (form, order, _) in WRITTEN {
                prop_assert_eq!(read(&write(Kid::new(bytes), form, order), None, order), Ok(Kid::new(bytes)));
            }
        }

        #[test]
        fn any_text_is_read_or_refused_and_what_is_read_is_written_so(text in "\\{?[0-9a-fA-F+/=-]{0,40}\\}?") {
            if let Ok(kid) = read(&text, None, Order::Uuid) {
                let written = [Form::Base64, Form::Hex, Form::Uuid].map(|form| write(kid, form, Order::Uuid));
                let bare = text.trim_matches(['{', '}']);
                prop_assert!(written.iter().any(|form| form.eq_ignore_ascii_case(bare)));
            }
        }
    }
}
