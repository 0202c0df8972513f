use super::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roxmltree::Document;

const KID: &str = "a1a2a3a4-b1b2-c1c2-d1d2-d3d4d5d6d7d8";
const OTHER: &str = "b1a2a3a4-b1b2-c1c2-d1d2-d3d4d5d6d7d8";
const COMMON: &str = "1077efec-c0b2-4d02-ace3-3c1e52e2fb4b";
const FAIRPLAY: &str = "94ce86fb-07ff-4f43-adb8-93d2fa968ca2";
const PLAYREADY: &str = "9a04f079-9840-4286-ab92-e65be0885f95";

/// A document whose parts a test may exchange.
struct Draft {
    head: String,
    keys: String,
    systems: String,
    more: String,
    rules: String,
}

impl Draft {
    fn new() -> Self {
        Self {
            head: "contentId=\"film-1\" version=\"2.3\"".to_owned(),
            keys: key(KID, "commonEncryptionScheme=\"cenc\""),
            systems: system(COMMON, KID, "<cpix:PSSH/><cpix:ContentProtectionData/>"),
            more: String::new(),
            rules: rule(KID, "VIDEO", "<cpix:VideoFilter/>"),
        }
    }

    fn text(&self) -> String {
        let Self { head, keys, systems, more, rules } = self;
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><cpix:CPIX {head} xmlns:cpix=\"urn:dashif:org:cpix\" \
             xmlns:pskc=\"urn:ietf:params:xml:ns:keyprov:pskc\" xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">\
             <cpix:ContentKeyList>{keys}</cpix:ContentKeyList><cpix:DRMSystemList>{systems}</cpix:DRMSystemList>{more}\
             <cpix:ContentKeyUsageRuleList>{rules}</cpix:ContentKeyUsageRuleList></cpix:CPIX>"
        )
    }

    fn refused(change: impl FnOnce(&mut Self)) -> String {
        let mut draft = Self::new();
        change(&mut draft);
        refused(&draft.text(), Version::Two)
    }
}

fn key(kid: &str, more: &str) -> String {
    format!("<cpix:ContentKey kid=\"{kid}\" {more}/>")
}

fn system(id: &str, kid: &str, signals: &str) -> String {
    format!("<cpix:DRMSystem kid=\"{kid}\" systemId=\"{id}\">{signals}</cpix:DRMSystem>")
}

fn rule(kid: &str, kind: &str, filters: &str) -> String {
    format!("<cpix:ContentKeyUsageRule kid=\"{kid}\" intendedTrackType=\"{kind}\">{filters}</cpix:ContentKeyUsageRule>")
}

fn refused(text: &str, version: Version) -> String {
    read(text.as_bytes(), version).err().unwrap_or_else(|| panic!("taken: {text}")).to_string()
}

/// What a document is answered, with a key of its own for each key ID.
fn answered(text: &str, version: Version) -> String {
    let asked = read(text.as_bytes(), version).unwrap();
    let keys = asked.kids.iter().map(|kid| (*kid, Zeroizing::new(kid.as_bytes().map(|byte| byte ^ 0x55)))).collect();
    asked.fill(&keys).unwrap().to_string()
}

/// The texts of all elements of a name.
fn texts(answer: &str, name: &str) -> Vec<String> {
    let document = Document::parse(answer).unwrap();
    let nodes = document.descendants().filter(|node| node.tag_name().name() == name);
    nodes.map(|node| node.text().unwrap_or_default().to_owned()).collect()
}

fn decoded(text: &str) -> String {
    String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
}

#[test]
fn the_answer_is_the_document_with_keys_and_signals_filled_in() {
    let answer = answered(&Draft::new().text(), Version::Two);
    let key = Kid::from_hex(KID).unwrap().as_bytes().map(|byte| byte ^ 0x55);
    assert_eq!(texts(&answer, "PlainValue"), [STANDARD.encode(key)]);
    // The example of the specification.
    let pssh = "AAAANHBzc2gBAAAAEHfv7MCyTQKs4zweUuL7SwAAAAGhoqOksbLBwtHS09TV1tfYAAAAAA==";
    assert_eq!(texts(&answer, "PSSH"), [pssh]);
    let protection = decoded(&texts(&answer, "ContentProtectionData")[0]);
    assert_eq!(protection, format!("<pssh xmlns=\"urn:mpeg:cenc:2013\">{pssh}</pssh>"));
    let (document, root) = (Document::parse(&answer).unwrap(), Draft::new().text());
    let names = |text: &str| {
        let document = Document::parse(text).unwrap();
        let elements = document.descendants().filter(Node::is_element);
        elements.map(|node| node.tag_name().name().to_owned()).collect::<Vec<_>>()
    };
    let kept: Vec<String> =
        names(&answer).into_iter().filter(|name| !["Data", "Secret", "PlainValue"].contains(&name.as_str())).collect();
    assert_eq!(kept, names(&root), "nothing else came or went");
    assert_eq!(document.root_element().attribute("contentId"), Some("film-1"));
}

#[test]
fn an_initialization_vector_and_whatever_else_came_is_sent_back() {
    let mut draft = Draft::new();
    let iv = STANDARD.encode([7; 16]);
    draft.head += " id=\"old\" xml:lang=\"en\" xmlns:x=\"urn:x\" x:y=\"a&amp;&quot;b\"";
    draft.keys = key(KID, &format!("explicitIV=\"{iv}\" commonEncryptionScheme=\"cenc\""));
    draft.rules = rule(KID, "VIDEO", "<cpix:VideoFilter maxPixels=\"589824\"/><x xmlns=\"urn:other\">a &lt; b</x>");
    draft.systems =
        system(COMMON, KID, "<cpix:PSSH>kept</cpix:PSSH><other:Own xmlns:other=\"urn:other\">1</other:Own>");
    let answer = answered(&draft.text(), Version::Two);
    let document = Document::parse(&answer).unwrap();
    let find = |name: &str| document.descendants().find(|node| node.tag_name().name() == name).unwrap();
    assert_eq!(find("ContentKey").attribute("explicitIV"), Some(iv.as_str()));
    assert_eq!(find("VideoFilter").attribute("maxPixels"), Some("589824"));
    assert_eq!((find("x").text(), find("x").tag_name().namespace()), (Some("a < b"), Some("urn:other")));
    assert_eq!((texts(&answer, "PSSH"), find("Own").text()), (vec!["kept".to_owned()], Some("1")));
    let root = document.root_element();
    assert_eq!((root.attribute("id"), root.attribute(("urn:x", "y"))), (None, Some("a&\"b")), "an ID is of SPEKE 1");
}

#[test]
fn playlists_name_the_key_in_the_form_of_each_system() {
    let lists = "<cpix:HLSSignalingData playlist=\"media\"/><cpix:HLSSignalingData playlist=\"master\"> \n </cpix:HLSSignalingData>";
    for (id, scheme, method, format, uri) in [
        (FAIRPLAY, "cbcs", "SAMPLE-AES", "com.apple.streamingkeydelivery", format!("skd://{KID}")),
        (
            PLAYREADY,
            "cenc",
            "SAMPLE-AES-CTR",
            "com.microsoft.playready",
            "data:text/plain;base64,AAAANHBzc2gB".to_owned(),
        ),
        (
            COMMON,
            "cbcs",
            "SAMPLE-AES",
            "urn:uuid:1077efec-c0b2-4d02-ace3-3c1e52e2fb4b",
            "data:text/plain;base64,AAAANHBzc2gB".to_owned(),
        ),
    ] {
        let mut draft = Draft::new();
        draft.keys = key(KID, &format!("commonEncryptionScheme=\"{scheme}\""));
        draft.systems = system(id, KID, lists);
        let found = texts(&answered(&draft.text(), Version::Two), "HLSSignalingData");
        for (text, tag) in found.iter().zip(["#EXT-X-KEY:", "#EXT-X-SESSION-KEY:"]) {
            let line = decoded(text);
            assert!(line.starts_with(&format!("{tag}METHOD={method},URI=\"{uri}")), "{line}");
            assert!(line.ends_with(&format!("KEYFORMAT=\"{format}\",KEYFORMATVERSIONS=\"1\"")), "{line}");
        }
        assert_eq!(found.len(), 2);
    }
}

#[test]
fn an_element_that_would_stay_empty_is_refused_and_not_sent() {
    for (signal, name) in [
        ("<cpix:SmoothStreamingProtectionHeaderData/>", "SmoothStreamingProtectionHeaderData"),
        ("<cpix:PSSH/><cpix:HDSSignalingData> </cpix:HDSSignalingData>", "HDSSignalingData"),
        ("<cpix:HLSSignalingData playlist=\"other\"/>", "HLSSignalingData@playlist other"),
    ] {
        let told = Draft::refused(|draft| draft.systems = system(PLAYREADY, KID, signal));
        assert!(told.contains(&format!("Unsupported {name} of DRMSystem {PLAYREADY}")), "{told}");
    }
}

#[test]
fn versions_and_identifiers_are_refused_in_the_words_of_the_specification() {
    for header in [None, Some(""), Some("1.0"), Some("2.2"), Some("2")] {
        assert_eq!(Version::read(header).unwrap_err().to_string(), "Unsupported SPEKE version", "{header:?}");
    }
    assert_eq!(Version::read(Some("2.1")).unwrap().name(), "2.1");
    let head = |head: &str| Draft::refused(|draft| head.clone_into(&mut draft.head));
    assert_eq!(head("version=\"2.3\""), "Missing CPIX@contentId");
    assert_eq!(head("contentId=\" \" version=\"2.3\""), "Missing CPIX@contentId");
    assert_eq!(head("contentId=\"film\""), "Missing CPIX@version");
    for version in ["2.4", "2.2", "", "3"] {
        assert_eq!(head(&format!("contentId=\"film\" version=\"{version}\"")), "Unsupported CPIX@version", "{version}");
    }
    assert_eq!(refused(&Draft::new().text(), Version::TwoOne), "Unsupported CPIX@version");
    assert_eq!(head(&format!("contentId=\"{}\" version=\"2.3\"", "x".repeat(513))), "Unsupported CPIX@contentId");
}

#[test]
fn the_three_lists_and_a_child_in_each_must_be_there() {
    let text = Draft::new().text();
    for (list, item) in [
        ("ContentKeyList", "ContentKey"),
        ("DRMSystemList", "DRMSystem"),
        ("ContentKeyUsageRuleList", "ContentKeyUsageRule"),
    ] {
        let (begin, end) = (format!("<cpix:{list}>"), format!("</cpix:{list}>"));
        let (from, to) = (text.find(&begin).unwrap(), text.find(&end).unwrap());
        let emptied = [&text[..from + begin.len()], &text[to..]].concat();
        assert_eq!(refused(&emptied, Version::Two), format!("Missing CPIX/{list}/{item}"));
        let removed = [&text[..from], &text[to + end.len()..]].concat();
        assert_eq!(refused(&removed, Version::Two), format!("Missing CPIX/{list}"));
        let doubled = [&text[..to + end.len()], &text[from..]].concat();
        assert_eq!(refused(&doubled, Version::Two), format!("{list} is there twice"));
    }
}

#[test]
fn all_keys_have_one_scheme_and_fairplay_has_its_own() {
    let two = |one: &str, other: &str| Draft::refused(|draft| draft.keys = key(KID, one) + &key(OTHER, other));
    assert_eq!(two("", ""), format!("Missing ContentKey@commonEncryptionScheme for KID {KID}"));
    let (cenc, cbcs) = ("commonEncryptionScheme=\"cenc\"", "commonEncryptionScheme=\"cbcs\"");
    assert_eq!(two(cenc, cbcs), "Non compliant ContentKey@commonEncryptionScheme combination");
    assert_eq!(
        two("commonEncryptionScheme=\"aes\"", "commonEncryptionScheme=\"aes\""),
        "Unsupported ContentKey@commonEncryptionScheme aes"
    );
    let told = Draft::refused(|draft| draft.systems = system(FAIRPLAY, KID, "<cpix:HLSSignalingData/>"));
    assert_eq!(told, "Non compliant ContentKey@commonEncryptionScheme combination");
}

#[test]
fn a_track_type_for_all_stands_alone_and_each_rule_has_a_filter() {
    let filter = "<cpix:AudioFilter/>";
    let told = Draft::refused(|draft| {
        draft.keys += &key(OTHER, "commonEncryptionScheme=\"cenc\"");
        draft.systems += &system(COMMON, OTHER, "<cpix:PSSH/>");
        draft.rules = rule(KID, "ALL", filter) + &rule(OTHER, "AUDIO", filter);
    });
    assert_eq!(told, "Non compliant ContentKeyUsageRule@intendedTrackType combination");
    assert!(
        Draft::refused(|draft| draft.rules = rule(KID, "VIDEO", "")).starts_with("Missing VideoFilter or AudioFilter")
    );
    let told = Draft::refused(|draft| {
        draft.rules = format!("<cpix:ContentKeyUsageRule kid=\"{KID}\">{filter}</cpix:ContentKeyUsageRule>");
    });
    assert_eq!(told, "Missing ContentKeyUsageRule@intendedTrackType");
}

#[test]
fn systems_and_rules_name_exactly_the_keys_of_the_list() {
    let both = key(KID, "commonEncryptionScheme=\"cenc\"") + &key(OTHER, "commonEncryptionScheme=\"cenc\"");
    let told = Draft::refused(|draft| draft.keys.clone_from(&both));
    assert!(told.starts_with(&format!("Missing DRMSystem {COMMON} for KID ")), "{told}");
    let told = Draft::refused(|draft| {
        draft.keys.clone_from(&both);
        draft.systems += &system(COMMON, OTHER, "<cpix:PSSH/>");
    });
    assert!(told.starts_with("Missing ContentKeyUsageRule for KID "), "{told}");
    let told = Draft::refused(|draft| draft.systems += &system(COMMON, OTHER, "<cpix:PSSH/>"));
    assert!(told.contains("of which there is no ContentKey"), "{told}");
    let told = Draft::refused(|draft| draft.rules += &rule(OTHER, "VIDEO", "<cpix:VideoFilter/>"));
    assert!(told.contains("of which there is no ContentKey"), "{told}");
    for (attribute, told) in [("kid", "Missing DRMSystem@kid"), ("systemId", "Missing DRMSystem@systemId")] {
        let without = Draft::new().systems.replacen(&format!(" {attribute}="), " other=", 1);
        assert_eq!(Draft::refused(|draft| draft.systems = without), told);
    }
    assert!(Draft::refused(|draft| draft.keys = key("film", "")).starts_with("Unsupported ContentKey@kid film"));
    assert!(Draft::refused(|draft| draft.keys += &draft.keys.clone()).contains("is there twice"));
}

#[test]
fn a_document_with_a_key_in_it_is_refused_because_keys_are_made_here() {
    let own = format!(
        "<cpix:ContentKey kid=\"{KID}\" commonEncryptionScheme=\"cenc\"><cpix:Data><pskc:Secret><pskc:PlainValue>AAAA</pskc:PlainValue></pskc:Secret></cpix:Data></cpix:ContentKey>"
    );
    assert!(Draft::refused(|draft| draft.keys = own).contains("has a key already"));
    let mut draft = Draft::new();
    draft.keys =
        format!("<cpix:ContentKey kid=\"{KID}\" commonEncryptionScheme=\"cenc\"><cpix:Data/></cpix:ContentKey>");
    assert_eq!(texts(&answered(&draft.text(), Version::Two), "Data").len(), 1);
}

#[test]
fn periods_have_an_index_and_from_2_1_on_times() {
    let with = |period: &str, filter: &str, version| {
        let mut draft = Draft::new();
        draft.head = draft.head.replace("2.3", if version == Version::Two { "2.3" } else { "2.4" });
        draft.more =
            format!("<cpix:ContentKeyPeriodList><cpix:ContentKeyPeriod {period}/></cpix:ContentKeyPeriodList>");
        draft.rules = rule(KID, "VIDEO", &format!("<cpix:KeyPeriodFilter periodId=\"{filter}\"/><cpix:VideoFilter/>"));
        draft.text()
    };
    let timed = "id=\"p\" start=\"2027-01-01T00:00:00Z\" end=\"2027-01-01T01:00:00Z\"";
    let answer = answered(&with(timed, "p", Version::TwoOne), Version::TwoOne);
    assert!(answer.contains("end=\"2027-01-01T01:00:00Z\"") && answer.contains("periodId=\"p\""), "{answer}");
    let answer = answered(&with("id=\"p\" index=\"11425\"", "p", Version::Two), Version::Two);
    assert!(answer.contains("index=\"11425\""), "{answer}");
    let refused = |period: &str, filter: &str| refused(&with(period, filter, Version::Two), Version::Two);
    assert_eq!(refused(timed, "p"), "Unsupported ContentKeyPeriod@start or ContentKeyPeriod@end");
    assert_eq!(refused("id=\"p\"", "p"), "Missing ContentKeyPeriod@index");
    assert_eq!(refused("id=\"p\" index=\"now\"", "p"), "Unsupported ContentKeyPeriod@index now");
    assert_eq!(refused("index=\"1\"", "p"), "Missing ContentKeyPeriod@id");
    assert_eq!(refused("id=\"p\" index=\"1\"", "q"), "Unknown KeyPeriodFilter@periodId q");
}

#[test]
fn documents_that_are_half_bottomless_or_in_another_encoding_are_judged_by_what_they_are() {
    let text = Draft::new().text();
    for end in (0..text.len()).step_by(7) {
        refused(&text[..end], Version::Two);
    }
    let dtd = text.replacen("?>", "?><!DOCTYPE a [<!ENTITY b \"c\">]>", 1);
    assert!(refused(&dtd, Version::Two).contains("a document type is not allowed"));
    let deep = text.replacen("<cpix:VideoFilter/>", &format!("<cpix:VideoFilter/>{}", "<a>".repeat(200_000)), 1);
    refused(&deep, Version::Two);
    let wide = text.replacen("<cpix:VideoFilter/>", &"<cpix:VideoFilter/>".repeat(300_000), 1);
    assert!(read(wide.as_bytes(), Version::Two).is_ok(), "how long a document is, its reader says");
    let units: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(read(&units, Version::Two).unwrap().content, "film-1");
    assert!(read(&[0xff, 0xfe, 0x00], Version::Two).is_err());
    let keys: String =
        (0..=MAX_KEYS).map(|number| key(&format!("{number:032x}"), "commonEncryptionScheme=\"cenc\"")).collect();
    assert!(Draft::refused(|draft| draft.keys = keys).starts_with("More than 256"));
}

#[test]
fn keys_go_encrypted_to_whoever_names_a_certificate_and_to_nobody_else() {
    let list = |certificate: &str| {
        let mut draft = Draft::new();
        draft.more = format!(
            "<cpix:DeliveryDataList><cpix:DeliveryData id=\"o\"><cpix:DeliveryKey><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></cpix:DeliveryKey></cpix:DeliveryData></cpix:DeliveryDataList>"
        );
        draft.text()
    };
    for (bad, told) in [
        ("", "X509Certificate"),
        ("!", "X509Certificate is not in base64"),
        ("MAA=", "X509Certificate of DeliveryData: "),
    ] {
        let refused = refused(&list(bad), Version::Two);
        assert!(refused.contains(told), "{bad}: {refused}");
    }
    let empty = Draft::refused(|draft| "<cpix:DeliveryDataList/>".clone_into(&mut draft.more));
    assert!(empty.contains("DeliveryData"), "{empty}");
    let missing = Draft::refused(|draft| {
        "<cpix:DeliveryDataList><cpix:DeliveryData/></cpix:DeliveryDataList>".clone_into(&mut draft.more);
    });
    assert!(missing.starts_with("Missing X509Certificate"), "{missing}");
}
