//! Documents in clear and hostile ones. Those that others encrypted are opened by the tests of the command.

use super::super::fault::CpixError;
use super::super::{ContentError, List, read};

const KID: &str = "a1a2a3a4-b1b2-c1c2-d1d2-d3d4d5d6d7d8";
const KEY: &str = "ABEiM0RVZneImaq7zN3u/w==";

fn document(keys: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><CPIX xmlns=\"urn:dashif:org:cpix\" xmlns:p=\"urn:ietf:params:xml:ns:keyprov:pskc\" \
         xmlns:e=\"http://www.w3.org/2001/04/xmlenc#\"><ContentKeyList>{keys}</ContentKeyList></CPIX>"
    )
}

fn key(kid: &str, value: &str) -> String {
    format!("<ContentKey kid=\"{kid}\"><Data><p:Secret>{value}</p:Secret></Data></ContentKey>")
}

fn plain(value: &str) -> String {
    key(KID, &format!("<p:PlainValue>{value}</p:PlainValue>"))
}

fn fault(text: &str) -> ContentError {
    read(text.as_bytes(), None).err().unwrap()
}

#[test]
fn clear_keys_are_read_with_line_breaks_and_comments_in_them() {
    for value in [
        KEY,
        "\n  ABEiM0RVZne\r\n Imaq7zN3u/w==\t",
        "ABEi<!-- -->M0RVZneImaq7zN3u/w==",
        "<![CDATA[ABEiM0RVZneImaq7zN3u/w==]]>",
    ] {
        let List { keys, keyless } = read(document(&plain(value)).as_bytes(), None).unwrap();
        assert_eq!((keys.len(), keyless.len()), (1, 0));
        assert_eq!(
            (keys[0].kid.to_hex().as_str(), keys[0].key[15]),
            ("a1a2a3a4b1b2c1c2d1d2d3d4d5d6d7d8", 0xff),
            "{value}"
        );
    }
}

#[test]
fn a_key_id_without_a_key_is_left_out_and_never_gets_a_key_of_zeros() {
    let other = "00000000-0000-0000-0000-000000000001";
    let keyless =
        format!("<ContentKey kid=\"{other}\"/><ContentKey kid=\"{KID}\"><Data><p:Secret/></Data></ContentKey>");
    let list = read(document(&(keyless + &plain(KEY))).as_bytes(), None).unwrap();
    assert_eq!(list.keys.len(), 1);
    assert_eq!(list.keyless.iter().map(|kid| kid.to_hex()).collect::<Vec<_>>(), [other.replace('-', "")]);
}

#[test]
fn what_is_wrong_with_a_key_names_the_key() {
    for (value, expected) in [
        ("ABEiM0RVZneImaq7zN3u", "key number 2: a key has 16 bytes"),
        ("", "key number 2: a key has 16 bytes"),
        ("ABEiM0RVZneImaq7zN3u/w", "key number 2: PlainValue is not in base64"),
        (&"A".repeat(100_000), "key number 2: PlainValue is not in base64"),
    ] {
        let first = plain(KEY).replace("a1a2", "0000");
        assert_eq!(fault(&document(&(first + &plain(value)))).to_string(), expected);
    }
    let bad = key("a1a2", &format!("<p:PlainValue>{KEY}</p:PlainValue>"));
    assert_eq!(fault(&document(&bad)).to_string(), "key number 1: the key ID is not 32 hexadecimal digits");
    let twice = document(&(plain(KEY) + &plain("/xEiM0RVZneImaq7zN3u/w==")));
    assert!(fault(&twice).to_string().contains("twice with different keys"));
    let sealed = key(KID, "<p:EncryptedValue/>");
    assert_eq!(fault(&document(&sealed)), CpixError::Encrypted.into());
}

#[test]
fn what_is_there_twice_or_in_clear_among_what_is_encrypted_is_refused() {
    let value = format!("<p:PlainValue>{KEY}</p:PlainValue>");
    let secret = format!("<p:Secret>{value}</p:Secret>");
    let with = |inside: &str| document(&format!("<ContentKey kid=\"{KID}\">{inside}</ContentKey>"));
    for (inside, name) in [
        (format!("<Data>{secret}</Data><Data>{secret}</Data>"), "Data"),
        (format!("<Data>{secret}{secret}</Data>"), "Secret"),
        (format!("<Data><p:Secret>{value}{value}</p:Secret></Data>"), "PlainValue"),
    ] {
        assert_eq!(fault(&with(&inside)).to_string(), format!("key number 1: {name} is there twice"));
    }
    let two = document(&plain(KEY)).replace("<ContentKeyList>", "<ContentKeyList/><ContentKeyList>");
    assert_eq!(fault(&two), CpixError::Twice("ContentKeyList").into());
}

#[test]
fn an_element_with_more_attributes_than_can_be_compared_is_refused_at_once() {
    let many: String = (0..200_000).map(|number| format!(" a{number}='>'")).collect();
    let text = format!("<?xml version='1.0'?>\n<!-- {many} -->\n <CPIX{many} xmlns='urn:dashif:org:cpix'/>");
    let said = fault(&text).to_string();
    assert!(said.starts_with("line 3, column 2: ") && said.contains("too many attributes"), "{said}");
    let open = format!("<CPIX xmlns='urn:dashif:org:cpix'><a{}", "x".repeat(70_000));
    assert!(fault(&open).to_string().contains("too many attributes"));
    let long_text = document(&format!("<!-- {many} --><![CDATA[{many}]]>{}", plain(KEY)));
    assert_eq!(read(long_text.as_bytes(), None).unwrap().keys.len(), 1);
}

#[test]
fn hostile_documents_are_refused_with_their_place() {
    let xml = |text: &str| fault(text).to_string();
    let laughs =
        format!("<!DOCTYPE CPIX [<!ENTITY a \"aaaaaaaaaa\">]>{}", document(&plain("&a;")).split_once("?>").unwrap().1);
    assert!(xml(&laughs).contains("a document type is not allowed"), "{}", xml(&laughs));
    let external = "<!DOCTYPE CPIX SYSTEM \"file:///etc/passwd\"><CPIX xmlns=\"urn:dashif:org:cpix\"/>";
    assert!(xml(external).contains("a document type is not allowed"));
    let deep = "<a>".repeat(200_000);
    assert!(xml(&deep).contains("not the XML of a CPIX document"), "{}", xml(&deep));
    let wide = document(&"<a/>".repeat(4_000_001));
    assert!(xml(&wide).contains("it has too many elements"));
    for text in [
        "<",
        "<CPIX",
        "<CPIX xmlns='urn:dashif:org:cpix'></CPI>",
        "<a b='1' b='2'/>",
        "<a>&#0;</a>",
        "<a>&nothing;</a>",
    ] {
        assert!(xml(text).starts_with("line 1, column "), "{text}: {}", xml(text));
    }
    for text in ["<html/>", "<CPIX/>", "<CPIX xmlns='urn:dashif:org:cpix:2'/>"] {
        assert_eq!(fault(text), CpixError::Other.into(), "{text}");
    }
}

#[test]
fn a_document_without_keys_is_empty() {
    let List { keys, keyless } = read(b"<CPIX xmlns='urn:dashif:org:cpix'/>", None).unwrap();
    assert!(keys.is_empty() && keyless.is_empty());
}
