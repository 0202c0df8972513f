//! Content keys as packagers take them: words for the command lines of Shaka Packager and Bento4, and CPIX documents.

use super::cpix::{AES_CBC, CPIX, DS, ENC, HMAC, OAEP, PSKC};
use super::recipient::{Addressee, NotSealed, Sealer};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt::Write as _;
use wmlicense_wire::id::Kid;
use zeroize::Zeroizing;

/// A content key and the label under which a packager finds it.
pub(crate) struct Named {
    /// Empty: for every track that has no label of its own.
    pub(crate) label: String,
    pub(crate) kid: Kid,
    pub(crate) key: Zeroizing<[u8; 16]>,
}

/// The namespaces of a document, by the prefixes that stand for them.
pub(super) const SPACES: [(&str, &str); 4] = [("cpix", CPIX), ("pskc", PSKC), ("ds", DS), ("enc", ENC)];

/// Longest text of one key in any of the forms, but for what is encrypted.
const MOST_A_KEY: usize = 512;

fn text(keys: &[Named]) -> Zeroizing<String> {
    let labels: usize = keys.iter().map(|key| key.label.len()).sum();
    // Of the longest that it can become, so that no copy of keys is left behind where it would have to grow.
    Zeroizing::new(String::with_capacity(1024 + labels + keys.len() * MOST_A_KEY))
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
}

fn push_base64(text: &mut String, bytes: &[u8]) {
    STANDARD.encode_string(bytes, text);
}

/// The options of Shaka Packager, a line each, as its `--flagfile` takes them.
pub(crate) fn shaka(keys: &[Named]) -> Zeroizing<String> {
    let mut text = text(keys);
    text.push_str("--enable_raw_key_encryption\n--keys=");
    for (index, Named { label, kid, key }) in keys.iter().enumerate() {
        let _ = write!(text, "{}label={label}:key_id={kid}:key=", if index == 0 { "" } else { "," });
        push_hex(&mut text, &**key);
    }
    text
}

/// Pairs as Bento4 takes them, a line each.
pub(crate) fn bento4(keys: &[Named]) -> Zeroizing<String> {
    let mut text = text(keys);
    for (index, Named { kid, key, .. }) in keys.iter().enumerate() {
        let _ = write!(text, "{}{kid}:", if index == 0 { "" } else { "\n" });
        push_hex(&mut text, &**key);
    }
    text
}

/// A CPIX document; where there are addressees, nobody else can read the keys in it.
pub(crate) fn cpix(keys: &[Named], addressees: &[Addressee]) -> Result<Zeroizing<String>, NotSealed> {
    let mut text = text(keys);
    text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    text.push_str("<cpix:CPIX");
    for (prefix, space) in SPACES {
        let _ = write!(text, " xmlns:{prefix}=\"{space}\"");
    }
    text.push_str(" version=\"2.3\">\n");
    let sealer = if addressees.is_empty() { None } else { Some(Sealer::new()?) };
    if let Some(sealer) = &sealer {
        text.push_str("<cpix:DeliveryDataList>\n");
        for addressee in addressees {
            let keys = sealer.keys_for(addressee)?;
            text.push_str(&delivery(addressee, keys));
        }
        text.push_str("</cpix:DeliveryDataList>\n");
    }
    text.push_str("<cpix:ContentKeyList>\n");
    for Named { kid, key, .. } in keys {
        let _ = write!(text, "<cpix:ContentKey kid=\"{}\">", uuid(*kid));
        push_data(&mut text, key, sealer.as_ref())?;
        text.push_str("</cpix:ContentKey>\n");
    }
    text.push_str("</cpix:ContentKeyList>\n</cpix:CPIX>");
    Ok(text)
}

/// What a content key carries: the key, in clear or for those who may open the document.
pub(super) fn push_data(text: &mut String, key: &[u8; 16], sealer: Option<&Sealer>) -> Result<(), NotSealed> {
    text.push_str("<cpix:Data><pskc:Secret>");
    match sealer {
        None => {
            text.push_str("<pskc:PlainValue>");
            push_base64(text, key);
            text.push_str("</pskc:PlainValue>");
        }
        Some(sealer) => {
            let (sealed, mac) = sealer.seal(key)?;
            text.push_str(&encrypted("pskc:EncryptedValue", AES_CBC, &sealed));
            text.push_str("<pskc:ValueMAC>");
            push_base64(text, &mac);
            text.push_str("</pskc:ValueMAC>");
        }
    }
    text.push_str("</pskc:Secret></cpix:Data>");
    Ok(())
}

fn delivery(addressee: &Addressee, keys: [Vec<u8>; 2]) -> String {
    let (certificate, keys) = (STANDARD.encode(addressee.certificate()), delivered_keys(&keys));
    format!(
        "<cpix:DeliveryData>\
         <cpix:DeliveryKey><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></cpix:DeliveryKey>\
         {keys}</cpix:DeliveryData>\n"
    )
}

/// Document key and MAC key for one of those who may open the document.
pub(super) fn delivered_keys([document_key, mac_key]: &[Vec<u8>; 2]) -> String {
    let document_key = encrypted("pskc:EncryptedValue", OAEP, document_key);
    let mac_key = encrypted("cpix:Key", OAEP, mac_key);
    format!(
        "<cpix:DocumentKey Algorithm=\"{AES_CBC}\"><cpix:Data><pskc:Secret>{document_key}</pskc:Secret></cpix:Data></cpix:DocumentKey>\
         <cpix:MACMethod Algorithm=\"{HMAC}\">{mac_key}</cpix:MACMethod>"
    )
}

fn encrypted(name: &str, algorithm: &str, sealed: &[u8]) -> String {
    let value = STANDARD.encode(sealed);
    format!(
        "<{name}><enc:EncryptionMethod Algorithm=\"{algorithm}\"/>\
         <enc:CipherData><enc:CipherValue>{value}</enc:CipherValue></enc:CipherData></{name}>"
    )
}

/// A key ID as XML documents write it.
pub(super) fn uuid(kid: Kid) -> String {
    let digits = kid.to_hex();
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

#[cfg(test)]
mod tests {
    use super::super::read;
    use super::*;

    fn keys(count: u8) -> Vec<Named> {
        let key = |n: u8| Named { label: format!("T{n}"), kid: Kid::new([n; 16]), key: Zeroizing::new([n ^ 0x55; 16]) };
        (1..=count).map(key).collect()
    }

    #[test]
    fn what_is_written_for_packagers_is_read_again() {
        let keys = keys(3);
        for written in [shaka(&keys), bento4(&keys), cpix(&keys, &[]).unwrap()] {
            assert!(written.capacity() <= 1024 + 6 + 3 * MOST_A_KEY, "it had to grow: {}", written.as_str());
            let list = read(written.as_bytes(), None).unwrap();
            let found: Vec<_> = list.keys.iter().map(|key| (key.kid, *key.key)).collect();
            assert_eq!(found, keys.iter().map(|key| (key.kid, *key.key)).collect::<Vec<_>>(), "{}", written.as_str());
        }
    }

    #[test]
    fn words_for_shaka_packager_are_as_its_manual_has_them() {
        let mut keys = keys(1);
        keys[0].label.clear();
        let (kid, key) = ("01".repeat(16), "54".repeat(16));
        assert_eq!(*shaka(&keys), format!("--enable_raw_key_encryption\n--keys=label=:key_id={kid}:key={key}"));
        assert_eq!(*bento4(&keys), format!("{kid}:{key}"));
    }
}
