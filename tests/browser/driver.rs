//! A WebDriver client as small as these tests need: a headless Chromium behind a chromedriver, both gone when dropped.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use wmlicense_testkit::run;

/// How long the driver waits for an element that an expected page has.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a driver is started that finds its port taken.
const TRIES: usize = 8;
/// Name of the field that holds an element's reference (W3C WebDriver, 12.2).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
/// Codes of keys that type no letter (W3C WebDriver, 17.4.2).
pub(crate) const TAB: &str = "\u{e004}";
pub(crate) const ENTER: &str = "\u{e007}";

/// One browser with a profile of its own.
pub(crate) struct Browser {
    agent: ureq::Agent,
    session: String,
    driver: Child,
    /// What it prints must have a reader.
    _printed: BufReader<ChildStdout>,
}

impl Browser {
    /// `None` where there is no browser.
    pub(crate) fn start() -> Option<Self> {
        // The compiler and the database's shell are the stage's.
        if !["chromium", "chromedriver", "gcc", "sqlite3"].into_iter().all(run::has_tool) {
            return None;
        }
        let (driver, printed, port) = (0..TRIES).find_map(|_| drive()).expect("chromedriver finds no port");
        let agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().new_agent();
        // From here on the drop stops the driver, also when there will be no session.
        let mut browser = Self { agent, session: String::new(), driver, _printed: printed };
        let sessions = format!("http://127.0.0.1:{port}/session");
        // The pages are the tests' own, and many machines that test give programs no sandbox.
        let options = json!({ "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
            "--no-first-run", "--disable-extensions", "--disable-background-networking", "--no-proxy-server", "--hide-scrollbars",
            "--window-size=1000,900"] });
        let wanted = json!({ "browserName": "chrome", "acceptInsecureCerts": true, "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" }, "timeouts": { "implicit": PATIENCE.as_millis() } });
        let made = browser.send("POST", &sessions, json!({ "capabilities": { "alwaysMatch": wanted } }));
        browser.session = format!("{sessions}/{}", made["sessionId"].as_str().unwrap());
        Some(browser)
    }

    fn send(&self, method: &str, url: &str, body: Value) -> Value {
        self.try_send(method, url, body).unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    /// The answer, or what the driver says is wrong.
    fn try_send(&self, method: &str, url: &str, body: Value) -> Result<Value, Value> {
        let sent = match method {
            "POST" => self.agent.post(url).content_type("application/json").send(body.to_string()),
            "DELETE" => self.agent.delete(url).call(),
            _ => self.agent.get(url).call(),
        };
        let mut response = sent.unwrap_or_else(|error| panic!("{url}: {error}"));
        let text = response.body_mut().with_config().limit(64 << 20).read_to_string().unwrap();
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        let value = answer["value"].take();
        if response.status() == 200 { Ok(value) } else { Err(value) }
    }

    fn post(&self, command: &str, body: Value) -> Value {
        self.send("POST", &format!("{}/{command}", self.session), body)
    }

    fn get(&self, what: &str) -> Value {
        self.send("GET", &format!("{}/{what}", self.session), Value::Null)
    }

    pub(crate) fn open(&self, url: &str) {
        self.post("url", json!({ "url": url }));
    }

    pub(crate) fn url(&self) -> String {
        self.get("url").as_str().unwrap().to_owned()
    }

    pub(crate) fn title(&self) -> String {
        self.get("title").as_str().unwrap().to_owned()
    }

    pub(crate) fn back(&self) {
        self.post("back", json!({}));
    }

    /// The element of this selector, as soon as there is one.
    fn element(&self, selector: &str) -> String {
        let found = self.post("element", json!({ "using": "css selector", "value": selector }));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// The text that a user sees of an element, or why it cannot be told: its page may just be left.
    fn text(&self, selector: &str) -> Result<String, Value> {
        let wanted = json!({ "using": "css selector", "value": selector });
        let found = self.try_send("POST", &format!("{}/element", self.session), wanted)?;
        let url = format!("{}/element/{}/text", self.session, found[ELEMENT].as_str().unwrap());
        Ok(self.try_send("GET", &url, Value::Null)?.as_str().unwrap().to_owned())
    }

    /// Waits until a user sees this text in an element.
    pub(crate) fn shows(&self, selector: &str, text: &str) {
        let seen = || self.text(selector).ok().filter(|seen| seen.contains(text));
        until(seen).unwrap_or_else(|| panic!("{selector} does not show {text:?} but {:?}", self.text(selector)));
    }

    pub(crate) fn click(&self, selector: &str) {
        self.post(&format!("element/{}/click", self.element(selector)), json!({}));
    }

    pub(crate) fn type_into(&self, selector: &str, text: &str) {
        self.post(&format!("element/{}/value", self.element(selector)), json!({ "text": text }));
    }

    /// Presses keys of the keyboard, wherever the focus is.
    pub(crate) fn press(&self, keys: &str) {
        let presses =
            keys.chars().flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })));
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": presses.collect::<Vec<_>>() });
        self.post("actions", json!({ "actions": [keyboard] }));
    }

    /// Waits until the element with this attribute has the focus, in a way that can be seen.
    pub(crate) fn focuses(&self, attribute: &str, value: &str) {
        let outline = format!("[{attribute}={value}]:focus-visible");
        let seen = || {
            self.script(&format!(
                "return getComputedStyle(document.querySelector('{outline}') ?? document.documentElement).outlineStyle"
            )) != "none"
        };
        assert!(until(|| seen().then_some(())).is_some(), "{outline} matches nothing");
    }

    /// Windows and tabs, the present one among them.
    pub(crate) fn tabs(&self) -> Vec<String> {
        self.get("window/handles").as_array().unwrap().iter().map(|tab| tab.as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn tab(&self) -> String {
        self.get("window").as_str().unwrap().to_owned()
    }

    pub(crate) fn switch_to(&self, tab: &str) {
        self.post("window", json!({ "handle": tab }));
    }

    pub(crate) fn new_tab(&self) -> String {
        let tab = self.post("window/new", json!({ "type": "tab" }))["handle"].as_str().unwrap().to_owned();
        self.switch_to(&tab);
        tab
    }

    pub(crate) fn close_tab(&self) {
        self.send("DELETE", &format!("{}/window", self.session), Value::Null);
    }

    /// What the body of a function answers, whatever the page forbids itself; a promise is waited for.
    pub(crate) fn script(&self, body: &str) -> Value {
        self.post("execute/sync", json!({ "script": body, "args": [] }))
    }

    /// A command of the browser's own protocol.
    pub(crate) fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("goog/cdp/execute", json!({ "cmd": command, "params": parameters }))
    }

    /// From here on the browser asks for pages in this language.
    pub(crate) fn speaks(&self, language: &str) {
        let agent = self.script("return navigator.userAgent");
        let spoken = json!({ "userAgent": agent, "acceptLanguage": language });
        self.devtools("Emulation.setUserAgentOverride", spoken);
    }

    /// What the browser warned of since the last call, but for answers that say by their status that something is wrong.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let records = self.post("se/log", json!({ "type": "browser" }));
        let warnings = records.as_array().unwrap().iter().filter(|record| record["level"] != "DEBUG");
        let texts = warnings.map(|record| record["message"].as_str().unwrap().to_owned());
        texts.filter(|text| !text.contains("the server responded with a status of")).collect()
    }

    /// Keeps a picture of the whole page in the target folder.
    pub(crate) fn screenshot(&self, name: &str) {
        Self::keep(name, &self.devtools("Page.captureScreenshot", json!({ "captureBeyondViewport": true })));
    }

    /// Writes what `Page.captureScreenshot` answered.
    pub(crate) fn keep(name: &str, picture: &Value) {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("page");
        std::fs::create_dir_all(&folder).unwrap();
        let picture = STANDARD.decode(picture["data"].as_str().unwrap()).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), picture).unwrap();
    }
}

/// Asks again until there is an answer, for as long as an expected page may take.
pub(crate) fn until<T>(mut answer: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        // Each question is a round trip to the browser, which is pause enough.
        if let Some(answer) = answer() {
            return Some(answer);
        }
    }
    None
}

/// A driver in the background, with what it prints and its port. None where somebody took the port meanwhile: it looks for one in two
/// steps, and ends where the second fails.
fn drive() -> Option<(Child, BufReader<ChildStdout>, u16)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut printed = BufReader::new(driver.stdout.take().unwrap());
    let told = port(&mut printed);
    if told.is_err() {
        driver.wait().unwrap();
    }
    match told {
        Ok(port) => Some((driver, printed, port)),
        Err(said) => {
            assert!(said.contains("port not available"), "chromedriver ended: {said}");
            None
        }
    }
}

/// Reads what the driver prints until it tells its port, or all of it where it ends before.
fn port(printed: &mut BufReader<ChildStdout>) -> Result<u16, String> {
    let mut said = String::new();
    loop {
        let mut line = String::new();
        if printed.read_line(&mut line).unwrap() == 0 {
            return Err(said);
        }
        let told = line.trim().strip_suffix('.').and_then(|line| line.split_once("successfully on port "));
        if let Some((_, port)) = told {
            return Ok(port.parse().unwrap());
        }
        let _ = write!(said, "{line}");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            // A browser that is gone already needs no end.
            let _ = self.agent.delete(&self.session).call();
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
