//! A person in front of the page of the service: a headless Chromium, a real `wmlicensed` over TLS, and a device that waits,
//! through C. Pictures of every view are kept in the target folder, in `tmp/page`.
#![cfg(test)]

mod driver;
mod inspection;
mod players;
mod stage;
use std::time::{Duration, Instant};

use driver::{Browser, ENTER, TAB, until};
use inspection::Inspector;
use serde_json::json;
use stage::{Content, Stage, TERMS_TITLE};

const ACCEPT: &str = "button[value=accept]";
const DECLINE: &str = "button[value=decline]";
const ACQUIRED: &str = "WM_S_LICENSE_ACQUIRED 0x000D2726 playable";

/// Follows a link that opens a tab, and answers the title of the page there.
fn title_behind(browser: &Browser, link: &str) -> String {
    let own = browser.tab();
    browser.click(link);
    let other = until(|| browser.tabs().into_iter().find(|tab| *tab != own));
    browser.switch_to(&other.unwrap());
    browser.shows("h1", "");
    let title = browser.title();
    browser.close_tab();
    browser.switch_to(&own);
    title
}

#[test]
fn a_user_reads_signs_in_and_accepts_and_the_page_leads_back() {
    let (Some(browser), Some(inspector)) = (Browser::start(), Inspector::new()) else { return };
    // A device that is not led back would ask again in a minute.
    let stage = Stage::set(&["--poll-seconds", "60"]);
    let device = stage.device(Content::Gold(1), true);
    browser.open(&device.page);
    browser.shows("#code", &device.code);
    for text in ["Songs of the Forest", "Play: until 2090-01-01, 00:00 UTC, up to 9 times.", "It calls itself Player"] {
        browser.shows("main", text);
    }
    assert_eq!(title_behind(&browser, "footer li:first-child a"), TERMS_TITLE);
    assert_eq!(title_behind(&browser, "footer li:last-child a"), "What this service keeps");

    browser.type_into("#token", "wrong");
    browser.press(ENTER);
    browser.shows("[role=alert]", "No account has this token");
    browser.focuses("class", "problem");
    browser.click("[role=alert] a");
    browser.focuses("id", "token");
    browser.press(&format!("{}{ENTER}", stage.service.gold_token));
    browser.shows("main strong bdi", "Songs of the Forest");
    browser.shows("p strong", "bob");
    let accepted = Instant::now();
    browser.click(ACCEPT);
    browser.shows("h1", "Back to the app");
    assert!(browser.url().starts_with("http://127.0.0.1:") && browser.url().contains("?interaction="));
    assert_eq!(device.ended().trim_end(), ACQUIRED);
    assert!(accepted.elapsed() < Duration::from_secs(45), "{:?}", accepted.elapsed());
    inspector.inspect(&browser, "back-to-the-app");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_user_declines_by_keyboard_without_scripts() {
    let Some(browser) = Browser::start() else { return };
    let stage = Stage::set(&[]);
    let device = stage.device(Content::Gold(1), false);
    browser.devtools("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
    browser.open("data:text/html,<title>off</title><script>document.title = 'on'</script>");
    assert_eq!(browser.title(), "off");
    browser.open(&device.page);
    browser.shows("#code", &device.code);
    browser.press(TAB);
    browser.focuses("id", "token");
    browser.press(&format!("{}{ENTER}", stage.service.gold_token));
    browser.shows(ACCEPT, "Accept");
    for button in ["accept", "decline"] {
        browser.press(TAB);
        browser.focuses("value", button);
    }
    browser.press(ENTER);
    browser.shows("main", "You declined");
    assert_eq!(device.ended(), "WM_E_LICENSE_NOTACQUIRED 0xC00D2759 not playable The user declined.");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn what_was_decided_stays_in_other_tabs_and_when_going_back() {
    let Some(browser) = Browser::start() else { return };
    let stage = Stage::set(&[]);
    let device = stage.device(Content::Open(1), false);
    let first = browser.tab();
    browser.open(&device.page);
    let second = browser.new_tab();
    browser.open(&device.page);
    browser.switch_to(&first);
    browser.click(ACCEPT);
    browser.shows("h1", "Accepted");
    browser.back();
    browser.shows("h1", "Accepted");
    browser.switch_to(&second);
    browser.click(DECLINE);
    browser.shows("h1", "Accepted");
    assert_eq!(device.ended().trim_end(), ACQUIRED);
}

#[test]
fn every_view_passes_axe_and_fits_a_narrow_window_and_a_dark_scheme() {
    let (Some(browser), Some(inspector)) = (Browser::start(), Inspector::new()) else { return };
    let stage = Stage::set(&[]);
    let view = |heading: &str, name: &str| {
        browser.shows("h1", heading);
        inspector.inspect(&browser, name);
    };
    let question = "Unlock this for your app?";

    let device = stage.device(Content::Gold(1), false);
    browser.open(&device.page);
    view(question, "sign-in");
    let others = &stage.service.token;
    for (name, token, problem) in [("wrong-token", "wrong", "No account"), ("not-included", others, "does not include")]
    {
        browser.type_into("#token", token);
        browser.press(ENTER);
        browser.shows("[role=alert]", problem);
        view(question, name);
    }
    browser.type_into("#token", &stage.service.gold_token);
    browser.press(ENTER);
    browser.shows("p strong", "bob");
    view(question, "signed-in");
    browser.script("document.querySelector('[name=session]').value = 'stale'");
    browser.click(ACCEPT);
    browser.shows("[role=alert]", "not sent from this page");
    view(question, "stale-form");
    stage.change(&device, "failures = 10");
    browser.type_into("#token", &stage.service.gold_token);
    browser.press(ENTER);
    view("Too many attempts", "too-many-attempts");
    stage.change(&device, "expires_at = 1");
    browser.open(&device.page);
    view("Too late", "expired");
    assert_eq!(device.ended(), "WM_E_LICENSE_NOTACQUIRED 0xC00D2759 not playable The user did not decide in time.");

    for (number, button, heading) in [(1, ACCEPT, "Accepted"), (2, DECLINE, "Declined")] {
        let device = stage.device(Content::Open(number), false);
        browser.open(&device.page);
        browser.shows("main", "No account is needed");
        view(question, "no-account");
        browser.click(button);
        view(heading, &heading.to_lowercase());
    }
    for (path, heading, name) in [
        ("interaction/AAAAAAAAAAAAAAAAAAAAAA", "There is no such page", "unknown"),
        ("privacy", "What this service keeps", "privacy"),
        ("support", "About a refused license", "support"),
        ("", "Licenses from", "home"),
    ] {
        browser.open(&format!("{}/{path}", stage.service.url));
        view(heading, name);
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn the_page_speaks_the_language_of_the_browser_and_a_small_telephone_shows_the_decision_at_once() {
    let (Some(browser), Some(inspector)) = (Browser::start(), Inspector::new()) else { return };
    let stage = Stage::set(&[]);
    let asked = [".asked strong", ".facts .id", "#code", DECLINE];
    for (number, language, question, unknown, accepted, home) in [
        (1, "en", "Unlock this for your app?", "No account has", "You can go back to the app", "Licenses from"),
        (2, "de-AT", "Für Ihre App freischalten?", "Kein Konto hat", "können zur App zurückkehren", "Lizenzen von"),
        (
            3,
            "fr",
            "Débloquer pour votre application ?",
            "Aucun compte n’a",
            "pouvez revenir à l’application",
            "Licences de",
        ),
    ] {
        browser.speaks(language);
        let code = &language[..2];
        let view = |heading: &str, name: &str| {
            browser.shows("h1", heading);
            assert_eq!(browser.script("return document.documentElement.lang"), code);
            inspector.inspect(&browser, &format!("{name}-{code}"));
        };
        let device = stage.device(Content::Gold(number), false);
        browser.open(&device.page);
        view(question, "sign-in");
        Inspector::is_seen_at_once(&browser, &format!("sign-in-{code}"), &[&asked[..], &["#token"]].concat());
        browser.type_into("#token", "wrong");
        browser.press(ENTER);
        browser.shows("[role=alert]", unknown);
        view(question, "wrong-token");
        browser.type_into("#token", &stage.service.gold_token);
        browser.press(ENTER);
        browser.shows("p strong", "bob");
        view(question, "signed-in");
        Inspector::is_seen_at_once(&browser, &format!("signed-in-{code}"), &[&asked[..], &[ACCEPT]].concat());
        browser.click(ACCEPT);
        browser.shows("main", accepted);
        assert_eq!(device.ended().trim_end(), ACQUIRED);
        for (path, heading) in [("", home), ("privacy", ""), ("support", ""), ("devices", "")] {
            browser.open(&format!("{}/{path}", stage.service.url));
            view(heading, if path.is_empty() { "home" } else { path });
        }
        browser.type_into("#token", "wrong");
        browser.press(ENTER);
        browser.shows("[role=alert]", unknown);
        browser.focuses("class", "problem");
        view("", "devices-wrong-token");
        browser.type_into("#token", &stage.service.gold_token);
        browser.press(ENTER);
        browser.shows("p strong", "bob");
        view("", "devices-listed");
        assert_eq!(browser.script("return document.querySelectorAll('.devices li').length"), number);
        if number == 3 {
            browser.click(".devices button");
            browser.shows("[role=status]", "est libéré");
            view("", "devices-freed");
        }
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
