//! Keys for packagers that speak SPEKE: who gets them, under which terms new content stands, and a film from the first request to its
//! picture on a device.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::path::Path;
use std::process::{Command, Stdio};
use wmlicense_testkit::daemon::device::{Device, Known, agent, kid};
use wmlicense_testkit::daemon::{Data, KEY, OPEN, Serving};
use wmlicense_testkit::packager::{Media, hex};
use wmlicense_testkit::{documents, root, run};
use wmlicense_wire::answer::Reason;

const VIDEO: &str = "a1a2a3a4-b1b2-c1c2-d1d2-d3d4d5d6d7d8";
const AUDIO: &str = "b1a2a3a4-b1b2-c1c2-d1d2-d3d4d5d6d7d8";
const COMMON: &str = "1077efec-c0b2-4d02-ace3-3c1e52e2fb4b";

/// A document that asks for keys of these key IDs.
fn document(kids: &[&str], version: &str, certificate: Option<&str>) -> String {
    let each = |part: &dyn Fn(&str) -> String| kids.iter().map(|kid| part(kid)).collect::<String>();
    let keys = each(&|kid| format!("<cpix:ContentKey kid=\"{kid}\" commonEncryptionScheme=\"cbcs\"/>"));
    let systems =
        each(&|kid| format!("<cpix:DRMSystem kid=\"{kid}\" systemId=\"{COMMON}\"><cpix:PSSH/></cpix:DRMSystem>"));
    let rules = each(&|kid| {
        format!(
            "<cpix:ContentKeyUsageRule kid=\"{kid}\" intendedTrackType=\"{kid}\"><cpix:VideoFilter/></cpix:ContentKeyUsageRule>"
        )
    });
    let delivery = certificate.map(|certificate| {
        format!(
            "<cpix:DeliveryDataList><cpix:DeliveryData id=\"origin\"><cpix:DeliveryKey><ds:X509Data><ds:X509Certificate>{certificate}\
             </ds:X509Certificate></ds:X509Data></cpix:DeliveryKey></cpix:DeliveryData></cpix:DeliveryDataList>"
        )
    });
    format!(
        "<cpix:CPIX contentId=\"film-1\" version=\"{version}\" xmlns:cpix=\"urn:dashif:org:cpix\" \
         xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">{}<cpix:ContentKeyList>{keys}</cpix:ContentKeyList>\
         <cpix:DRMSystemList>{systems}</cpix:DRMSystemList><cpix:ContentKeyUsageRuleList>{rules}\
         </cpix:ContentKeyUsageRuleList></cpix:CPIX>",
        delivery.unwrap_or_default()
    )
}

/// What came back.
struct Answer {
    status: u16,
    text: String,
    headers: ureq::http::HeaderMap,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The keys in clear, in order, as hexadecimal digits.
    fn keys(&self) -> Vec<String> {
        assert_eq!((self.status, self.header("content-type")), (200, "application/xml"), "{}", self.text);
        let values = self.text.split("<pskc:PlainValue>").skip(1).map(|rest| rest.split('<').next().unwrap());
        values.map(|value| hex(&STANDARD.decode(value).unwrap())).collect()
    }
}

fn post(serving: &Serving, token: &str, version: &str, body: &[u8]) -> Answer {
    let mut response = agent()
        .post(format!("{}/speke/v2", serving.management))
        .header("authorization", format!("Bearer {token}"))
        .header("x-speke-version", version)
        .content_type("application/xml")
        .send(body)
        .unwrap();
    let text = response.body_mut().read_to_string().unwrap();
    Answer { status: response.status().as_u16(), text, headers: response.headers().clone() }
}

fn token(data: &Data, role: &str) -> String {
    let printed = data.admin(&["admin", "add", role, "--role", role]);
    printed.strip_prefix("token: ").unwrap().trim().to_owned()
}

#[test]
fn the_same_key_comes_again_and_its_content_stands_under_the_owners_terms() {
    let data = Data::new();
    data.policy("films", "{}");
    let packager = token(&data, "packager");
    let serving = data.serve(&["--packager-policy", "films", "--packager-scope", "gold"]);
    let ask = |kids: &[&str]| post(&serving, &packager, "2.0", document(kids, "2.3", None).as_bytes());
    let first = ask(&[VIDEO, AUDIO]);
    assert_eq!(first.header("x-speke-version"), "2.0");
    assert!(first.header("x-speke-user-agent").starts_with("wmlicensed/"));
    let keys = first.keys();
    assert!(keys[0] != keys[1] && !keys.contains(&"0".repeat(32)), "{keys:?}");
    assert_eq!(ask(&[VIDEO, AUDIO]).keys(), keys);
    assert_eq!(ask(&[AUDIO]).keys(), keys[1..]);
    let later = post(&serving, &packager, "2.1", document(&[VIDEO], "2.4", None).as_bytes());
    assert_eq!((later.keys(), later.header("x-speke-version")), (keys[..1].to_vec(), "2.1"));
    let listed = data.json(&["content", "list"]);
    for row in listed.as_array().unwrap() {
        assert_eq!((&row["title"], &row["policy"], &row["scope"]), (&"film-1".into(), &"films".into(), &"gold".into()));
    }
    assert_eq!(listed.as_array().unwrap().len(), 2);
    let exported = data.admin(&["content", "export", "--bento4", VIDEO]);
    assert_eq!(exported.trim(), format!("{}:{}", VIDEO.replace('-', ""), keys[0]));
    let audit = data.json(&["audit", "list", "--act", "speke"]);
    let rows = audit.as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["about"], &rows[0]["who"]), (4, &"film-1".into(), &"admin packager".into()));
    assert!(rows[3]["became"].as_str().unwrap().starts_with("2 of 2 new: a1a2"), "{audit}");
    assert!(keys.iter().all(|key| !audit.to_string().contains(key)), "the audit holds no key");
    // What the owner added before keeps its key and its terms.
    data.open_content(OPEN, None);
    assert_eq!(ask(&[OPEN]).keys(), [KEY]);
    assert_eq!(data.json(&["content", "list", "--kid", OPEN])[0]["open"], true);
}

#[test]
fn packagers_that_ask_at_once_for_the_same_film_get_the_same_keys() {
    let data = Data::new();
    let packager = token(&data, "packager");
    let (first, second) = (data.serve(&[]), data.serve(&[]));
    let body = document(&[VIDEO, AUDIO], "2.3", None);
    let answers: Vec<Vec<String>> = std::thread::scope(|scope| {
        let ask = |number: usize| {
            let (serving, packager, body) = (if number.is_multiple_of(2) { &first } else { &second }, &packager, &body);
            scope.spawn(move || post(serving, packager, "2.0", body.as_bytes()).keys())
        };
        let asked: Vec<_> = (0..8).map(ask).collect();
        asked.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|keys| *keys == answers[0]), "{answers:?}");
    let rows = data.json(&["audit", "list", "--act", "speke"]);
    let new = rows.as_array().unwrap().iter().filter(|row| row["became"].as_str().unwrap().starts_with("2 of 2 new"));
    assert_eq!(new.count(), 1, "{rows}");
}

#[test]
fn only_who_may_package_gets_keys_and_where_nothing_is_said_only_offers_reach_them() {
    let data = Data::new();
    let (packager, shop) = (token(&data, "packager"), token(&data, "shop"));
    let serving = data.serve(&[]);
    let body = document(&[VIDEO], "2.3", None);
    let account = data.account("bob", &["gold"]);
    for (wrong, status) in [("", 401), ("wrong", 401), (account.as_str(), 401), (shop.as_str(), 403)] {
        let refused = post(&serving, wrong, "2.0", body.as_bytes());
        assert_eq!((refused.status, refused.header("content-type")), (status, "application/problem+json"), "{wrong}");
    }
    assert_eq!(data.json(&["content", "list"]), serde_json::json!([]));
    let public = agent().post(format!("{}/speke/v2", serving.url)).send(body.as_bytes()).unwrap();
    assert_eq!(public.status().as_u16(), 404, "devices have no such path");
    assert_eq!(post(&serving, &packager, "2.0", body.as_bytes()).keys().len(), 1);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let video = VIDEO.replace('-', "");
    let (answer, _) = device.acquire(&known, &[&video], Some(&account));
    assert_eq!(answer.refusals[0].reason, Reason::NotEntitled);
    data.admin(&["offer", "set", "films", "--kid", &video]);
    data.admin(&["grant", "add", "bob", "films"]);
    let (answer, held) = device.acquire(&known, &[&video], Some(&account));
    assert_eq!((held.len(), answer.refusals.len()), (1, 0));
    assert_eq!(held[0].license.policy.kid, kid(&video));
    drop(serving);
    let both = data.fails(&["serve", "--listen", "127.0.0.1:0", "--packager-open", "--packager-scope", "gold"]);
    assert!(both.0 != 0 && both.1.contains("--packager-open") && both.1.contains("--packager-scope"), "{both:?}");
    let serving = data.serve(&["--packager-policy", "nowhere"]);
    let refused = post(&serving, &packager, "2.0", document(&[AUDIO], "2.3", None).as_bytes());
    assert!(refused.status == 422 && refused.text.contains("no policy nowhere"), "{}", refused.text);
    assert_eq!(data.json(&["content", "list"]).as_array().unwrap().len(), 1, "nothing is half done");
}

#[test]
fn documents_that_are_refused_are_told_in_text_and_nothing_of_them_is_kept() {
    let data = Data::new();
    let packager = token(&data, "packager");
    let serving = data.serve(&[]);
    let good = document(&[VIDEO], "2.3", None);
    let ask = |version: &str, body: &[u8]| post(&serving, &packager, version, body);
    for (version, body, told) in [
        ("1.0", good.clone(), "Unsupported SPEKE version"),
        ("2.1", good.clone(), "Unsupported CPIX@version"),
        ("2.0", good.replace(" contentId=\"film-1\"", ""), "Missing CPIX@contentId"),
        ("2.0", good.replace(" version=\"2.3\"", ""), "Missing CPIX@version"),
        (
            "2.0",
            good.replace(" commonEncryptionScheme=\"cbcs\"", ""),
            "Missing ContentKey@commonEncryptionScheme for KID",
        ),
        ("2.0", good[..good.len() / 2].to_owned(), "line 1, column "),
        ("2.0", format!("<!DOCTYPE a []>{good}"), "a document type is not allowed"),
        ("2.0", String::new(), "line 1, column "),
    ] {
        let refused = ask(version, body.as_bytes());
        assert_eq!((refused.status, refused.header("content-type")), (422, "text/plain; charset=utf-8"), "{told}");
        assert!(refused.text.starts_with(told) || refused.text.contains(told), "{told}: {}", refused.text);
    }
    let billion = good.replacen("<cpix:VideoFilter/>", &"<cpix:VideoFilter/>".repeat(20_000), 1);
    assert_eq!(ask("2.0", billion.as_bytes()).status, 413);
    assert_eq!(data.json(&["content", "list"]), serde_json::json!([]));
    assert_eq!(data.json(&["audit", "list", "--act", "speke"]), serde_json::json!([]));
    let units: Vec<u8> = [0xff, 0xfe].into_iter().chain(good.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(ask("2.0", &units).keys().len(), 1, "UTF-16 with its mark is XML as well");
}

#[test]
fn keys_go_to_the_certificate_of_a_packager_and_another_implementation_opens_them() {
    let Some(python) = documents::python() else { return };
    let data = Data::new();
    let packager = token(&data, "packager");
    let serving = data.serve(&[]);
    let folder = data.path().join("cpix");
    std::fs::create_dir(&folder).unwrap();
    let script = root().join("ci/cpix.py");
    run::succeed(Command::new(&python).arg(&script).arg("make").arg(&folder));
    let certificate = STANDARD.encode(std::fs::read(folder.join("ours.der")).unwrap());
    let sealed = post(&serving, &packager, "2.0", document(&[VIDEO, AUDIO], "2.3", Some(&certificate)).as_bytes());
    assert_eq!(sealed.status, 200, "{}", sealed.text);
    assert!(!sealed.text.contains("PlainValue") && sealed.text.contains("<cpix:DeliveryData id=\"origin\">"));
    let file = folder.join("answer.xml");
    std::fs::write(&file, &sealed.text).unwrap();
    let mut read = Command::new(&python);
    read.arg(&script).arg("read").arg(&file).args([folder.join("ours.pem"), folder.join("ours.key")]);
    let mut found: Vec<String> = run::succeed(&mut read).lines().map(str::to_owned).collect();
    found.sort();
    let exported = data.admin(&["content", "export", "--bento4", VIDEO, AUDIO]);
    assert_eq!(found, exported.lines().collect::<Vec<_>>());
    let odd = document(&[VIDEO], "2.3", Some("MAA="));
    let refused = post(&serving, &packager, "2.0", odd.as_bytes());
    assert!(refused.status == 422 && refused.text.starts_with("X509Certificate"), "{}", refused.text);
}

/// The hashes of the frames of a picture, as one printed them.
fn frames(printed: &str) -> Vec<String> {
    let lines = printed.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.rsplit(", ").next()).map(|hash| hash.trim().to_owned()).collect()
}

/// `wmlicense` on a device of its own, on a service.
fn client(data: &Data, serving: &Serving, words: &[&str]) -> Command {
    let mut command = Command::new(run::built("wmlicense"));
    command.args(words).env("WMLICENSE_SERVICE", &serving.url);
    command.env("WMLICENSE_AUTHORITY", data.authority.to_base64()).env("WMLICENSE_STORE", data.path().join("device"));
    command.env("HOME", data.path()).stdin(Stdio::null());
    command
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_film_that_was_packaged_with_these_keys_plays_as_the_clear_one() {
    let Some(media) = Media::new() else { return };
    if !run::has_program("ffmpeg") {
        return;
    }
    let data = Data::new();
    let packager = token(&data, "packager");
    let serving = data.serve(&["--packager-open"]);
    let keys = post(&serving, &packager, "2.0", document(&[VIDEO], "2.3", None).as_bytes()).keys();
    let film = media.path("film.mp4");
    let (source, kid) = (media.clear_mp4(), VIDEO.replace('-', ""));
    let mut package = Command::new(media.tools().packager());
    package.arg(format!("in={},stream=video,output={}", source.display(), film.display()));
    package.args(["--quiet", "--protection_scheme", "cbcs", "--clear_lead", "0", "--enable_raw_key_encryption"]);
    package.arg("--keys").arg(format!("label=:key_id={kid}:key={}", keys[0]));
    run::succeed(package.stdin(Stdio::null()));
    run::succeed(&mut client(&data, &serving, &["acquire", "--individualize", text(&film)]));
    let hashes = ["-map", "0:v", "-f", "framemd5", "-"];
    let begin = ["-v", "error", "-nostdin", "-i"];
    let clear = run::succeed(Command::new("ffmpeg").args(begin).arg(&source).args(hashes));
    let words = [&["play", text(&film), "--", "ffmpeg"], &begin[..], &["{}"], &hashes[..]].concat();
    let played = run::succeed(&mut client(&data, &serving, &words));
    assert_eq!((frames(&clear).len(), frames(&played)), (75, frames(&clear)));
}
