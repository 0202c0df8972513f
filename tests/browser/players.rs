//! Players of pages, those that most sites use, on freshly packaged files with keys by `POST /clearkey`: pictures are those of the
//! clear file, and a refusal is heard.

mod site;

use std::process::{Command, Stdio};

use serde_json::{Value, json};
use wmlicense_testkit::daemon::{Data, Serving};
use wmlicense_testkit::packager::{Key, Media, hex};
use wmlicense_testkit::run;

use crate::driver::Browser;
use site::Site;

/// What the media take for Clear Key in a manifest, in place of what packagers write.
const PACKAGERS: &str = "urn:uuid:1077efec-c0b2-4d02-ace3-3c1e52e2fb4b";
/// Mean difference of a color of a pixel between a decrypted frame and the clear one; browsers scale and convert both.
const ALIKE: f64 = 8.0;

/// A film with its keys, a service that has them, and a site that shows it.
struct Cinema {
    browser: Browser,
    site: Site,
    data: Data,
    serving: Serving,
    media: Media,
    /// Keys of the picture and of the tone.
    keys: [Key; 2],
    token: String,
    grant: String,
}

impl Cinema {
    fn open(terms: &str) -> Option<Self> {
        let (browser, media) = (Browser::start()?, Media::new()?);
        let site = Site::open(media.path("."))?;
        let (data, keys) = (Data::new(), [Key::random(), Key::random()]);
        data.policy("pages", terms);
        for Key { kid, key } in &keys {
            data.admin(&["content", "add", "--kid", &hex(kid), "--key", &hex(key), "--title", "Film"]);
        }
        let [picture, tone] = keys.map(|key| hex(&key.kid));
        data.admin(&["offer", "set", "film", "--policy", "pages", "--kid", &picture, "--kid", &tone]);
        let token = data.account("viewer", &[]);
        let grant = data.admin(&["grant", "add", "viewer", "film"]);
        let grant = grant.trim().strip_prefix("grant: ").unwrap().to_owned();
        let serving = data.serve(&["--clearkey-origin", &site.url]);
        Some(Self { browser, site, data, serving, media, keys, token, grant })
    }

    /// Packages the film, and gives the manifest as Shaka Player takes it and as dash.js wants it.
    fn package(&self, scheme: &str) {
        let source = self.media.clear_mp4();
        let mut command = Command::new(self.media.tools().packager());
        for track in ["video", "audio"] {
            let output = self.media.path(&format!("{scheme}-{track}.mp4"));
            command.arg(format!(
                "in={},stream={track},output={},drm_label={track}",
                source.display(),
                output.display()
            ));
        }
        let label = |track, key: &Key| format!("label={track}:key_id={}:key={}", hex(&key.kid), hex(&key.key));
        let keys = format!("{},{}", label("video", &self.keys[0]), label("audio", &self.keys[1]));
        command.args(["--quiet", "--segment_duration", "1", "--clear_lead", "0", "--enable_raw_key_encryption"]);
        command.args(["--protection_scheme", scheme, "--keys", &keys, "--mpd_output"]);
        run::succeed(command.arg(self.media.path(&format!("{scheme}.mpd"))).stdin(Stdio::null()));
        let manifest = std::fs::read_to_string(self.media.path(&format!("{scheme}.mpd"))).unwrap();
        let own = format!(
            r#"<ContentProtection schemeIdUri="urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e" value="ClearKey1.0">
<dashif:Laurl xmlns:dashif="https://dashif.org/CPS">{}/clearkey</dashif:Laurl></ContentProtection>"#,
            self.serving.url
        );
        let with_own: String = manifest
            .split("<ContentProtection")
            .enumerate()
            .map(|(at, part)| {
                if at == 0 {
                    return part.to_owned();
                }
                let (element, rest) = match part.split_once("</ContentProtection>") {
                    Some((element, rest)) if !element.contains("/>") => {
                        (format!("<ContentProtection{element}</ContentProtection>"), rest)
                    }
                    _ => {
                        let (element, rest) = part.split_once("/>").unwrap();
                        (format!("<ContentProtection{element}/>"), rest)
                    }
                };
                if element.contains(PACKAGERS) { format!("{own}{rest}") } else { format!("{element}{rest}") }
            })
            .collect();
        assert!(with_own.contains("Laurl"), "{manifest}");
        std::fs::write(self.media.path(&format!("{scheme}-laurl.mpd")), with_own).unwrap();
    }

    /// Has a player play a manifest to its end; what became of it.
    fn play(&self, player: &str, manifest: &str, page: &str) -> Value {
        self.browser.open(&format!("{}/{player}.html", self.site.url));
        let asked = json!({
            "manifest": format!("{}/media/{manifest}", self.site.url),
            "server": format!("{}/clearkey", self.serving.url),
            "headers": { "Authorization": format!("Bearer {}", self.token), "Wmlicense-Device": page },
        });
        self.browser.script(&format!("return play({asked})"))
    }

    /// The picture that the page shows, its pixels one behind the other.
    fn picture(&self, name: &str) -> Vec<u8> {
        let clip = json!({ "x": 0, "y": 0, "width": 192, "height": 108, "scale": 1 });
        let picture = self.browser.devtools("Page.captureScreenshot", json!({ "clip": clip }));
        Browser::keep(name, &picture);
        // The canvas of a page shows no protected film, but every picture.
        let pixels = self.browser.script(&format!(
            "return fetch('data:image/png;base64,{}').then(told => told.blob()).then(createImageBitmap).then(picture => {{
                const canvas = new OffscreenCanvas(picture.width, picture.height).getContext('2d');
                canvas.drawImage(picture, 0, 0);
                return Array.from(canvas.getImageData(0, 0, picture.width, picture.height).data.filter((_, at) => at % 4 < 3));
            }})",
            picture["data"].as_str().unwrap()
        ));
        pixels.as_array().unwrap().iter().map(|part| part.as_u64().unwrap() as u8).collect()
    }

    /// The frame of the second half, as the clear file has it.
    fn clear_picture(&self) -> Vec<u8> {
        self.browser.open(&format!("{}/clear.html", self.site.url));
        assert_eq!(self.browser.script("return still()"), json!(true));
        self.picture("player-clear")
    }
}

fn difference(one: &[u8], other: &[u8]) -> f64 {
    assert_eq!((one.len(), other.len()), (192 * 108 * 3, 192 * 108 * 3));
    let sum: u64 = one.iter().zip(other).map(|(one, other)| u64::from(one.abs_diff(*other))).sum();
    sum as f64 / one.len() as f64
}

#[test]
fn shaka_player_and_dash_js_show_what_the_clear_file_shows() {
    let Some(cinema) = Cinema::open(r#"{"clearKey":true}"#) else { return };
    let clear = cinema.clear_picture();
    for scheme in ["cenc", "cbcs"] {
        cinema.package(scheme);
        for (player, manifest) in [("shaka", format!("{scheme}.mpd")), ("dash", format!("{scheme}-laurl.mpd"))] {
            let told = cinema.play(player, &manifest, "0b8e1c2a-6d51-4f0a-9a53-0c1d2e3f4a5b");
            assert_eq!(told["ended"], json!(true), "{player} {manifest}: {told}");
            assert!(told["frames"].as_u64().unwrap() >= 20, "{player} {manifest}: {told}");
            assert_eq!(cinema.browser.script("return still()"), json!(true));
            let picture = cinema.picture(&format!("player-{player}-{scheme}"));
            assert!(difference(&picture, &clear) < ALIKE, "{player} {scheme}: {}", difference(&picture, &clear));
        }
    }
    // It was written down before it left, under one device.
    let licenses = cinema.data.json(&["license", "list", "--account", "viewer"]);
    assert_eq!(licenses.as_array().unwrap().len(), 2, "{licenses}");
    // What is a black picture is none of these.
    assert!(difference(&vec![0; clear.len()], &clear) > 4.0 * ALIKE);
}

#[test]
fn a_player_hears_why_its_viewer_gets_no_key() {
    let Some(cinema) = Cinema::open("{}") else { return };
    cinema.package("cenc");
    let page = "1b8e1c2a-6d51-4f0a-9a53-0c1d2e3f4a5b";
    let kept = cinema.play("shaka", "cenc.mpd", page);
    assert_eq!((&kept["code"], kept["frames"].as_u64()), (&json!(6007), Some(0)), "{kept}");
    assert!(kept["data"].as_str().unwrap().contains("keep its key from browsers"), "{kept}");
    cinema.data.policy("pages", r#"{"clearKey":true}"#);
    cinema.data.admin(&["grant", "change", &cinema.grant, "--devices", "1"]);
    assert_eq!(cinema.play("shaka", "cenc.mpd", page)["ended"], json!(true));
    let other = cinema.play("shaka", "cenc.mpd", "2b8e1c2a-6d51-4f0a-9a53-0c1d2e3f4a5b");
    assert!(other["data"].as_str().unwrap().contains("As many devices as the account may have"), "{other}");
    cinema.data.admin(&["grant", "end", &cinema.grant]);
    let ended = cinema.play("shaka", "cenc.mpd", page);
    assert_eq!((&ended["code"], ended["frames"].as_u64()), (&json!(6007), Some(0)), "{ended}");
    assert!(ended["data"].as_str().unwrap().contains("does not include this content"), "{ended}");
    let heard = cinema.play("dash", "cenc-laurl.mpd", page);
    assert!(heard["ended"] == json!(false) && heard["data"].as_str().is_some_and(|data| !data.is_empty()), "{heard}");
}
