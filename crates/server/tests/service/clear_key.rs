//! Keys for pages in browsers: who gets one, what is written before it leaves, and what is said where none does.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use wmlicense_testkit::daemon::device::{agent, get, kid};
use wmlicense_testkit::daemon::{COUNTED, Data, GOLD, KEY, NO_BACKUP, OPEN, Serving};

const PAGE: &str = "0b8e1c2a-6d51-4f0a-9a53-0c1d2e3f4a5b";
const OTHER_PAGE: &str = "ffffffff-6d51-4f0a-9a53-0c1d2e3f4a5b";
const SITE: &str = "https://video.example";

/// What came back.
struct Answer {
    status: u16,
    body: Value,
    headers: ureq::http::HeaderMap,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Key IDs of the keys that came.
    fn kids(&self) -> Vec<&str> {
        assert_eq!((self.status, self.header("cache-control")), (200, Some("no-store")), "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.body["type"], "temporary");
        let key = URL_SAFE_NO_PAD.encode(kid(KEY).as_bytes());
        let keys = self.body["keys"].as_array().unwrap().iter();
        keys.map(|jwk| {
            assert_eq!((&jwk["kty"], &jwk["k"]), (&json!("oct"), &json!(key)));
            jwk["kid"].as_str().unwrap()
        })
        .collect()
    }

    /// Why the first key ID got none, after checking that the problem is one.
    fn reason(&self) -> &str {
        assert_eq!((self.status, &self.body["code"]), (403, &json!(40301)), "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(self.body["type"], "urn:wmlicense:problem:forbidden");
        assert_eq!(self.body["requestId"], self.header("x-request-id").unwrap());
        let first = &self.body["keys"][0];
        assert_eq!(first["detail"], self.body["detail"]);
        assert!(!self.body.to_string().contains(&URL_SAFE_NO_PAD.encode(kid(KEY).as_bytes())));
        first["reason"].as_str().unwrap()
    }
}

/// As pages write key IDs.
fn named(kids: &[&str]) -> Vec<String> {
    kids.iter().map(|hex| URL_SAFE_NO_PAD.encode(kid(hex).as_bytes())).collect()
}

/// Asks as a player does, with these headers.
fn post(serving: &Serving, kids: &[&str], headers: &[(&str, &str)]) -> Answer {
    let body = json!({ "kids": named(kids), "type": "temporary" }).to_string();
    send(&format!("{}/clearkey", serving.url), "POST", body.as_bytes(), headers)
}

fn send(url: &str, method: &str, body: &[u8], headers: &[(&str, &str)]) -> Answer {
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = agent().run(request.body(body.to_vec()).unwrap()).unwrap();
    let text = response.body_mut().read_to_string().unwrap();
    Answer {
        status: response.status().as_u16(),
        body: serde_json::from_str(&text).unwrap_or_default(),
        headers: response.headers().clone(),
    }
}

fn of(token: &str) -> String {
    format!("Bearer {token}")
}

/// Content for everybody, for the scope gold, and on terms of both kinds.
fn filled() -> Data {
    let data = Data::new();
    data.policy("pages", r#"{"clearKey":true}"#);
    data.policy("devices", r#"{"clearKey":false}"#);
    data.open_content(OPEN, Some("pages"));
    data.admin(&["content", "add", "--kid", GOLD, "--key", KEY, "--scope", "gold", "--policy", "pages"]);
    data.open_content(NO_BACKUP, Some("devices"));
    data
}

#[test]
fn a_page_gets_the_keys_of_its_account_and_they_are_written_down() {
    let data = filled();
    let serving = data.serve(&[]);
    let token = of(&data.account("bob", &["gold"]));
    let asks = |page, kids: &[&str]| post(&serving, kids, &[("authorization", &token), ("wmlicense-device", page)]);
    assert_eq!(asks(PAGE, &[GOLD, OPEN, GOLD]).kids(), named(&[GOLD, OPEN]));
    let licenses = || data.json(&["license", "list"]).as_array().unwrap().clone();
    let first = licenses();
    assert_eq!(first.len(), 2);
    let gold = first.iter().find(|row| row["kid"] == GOLD).unwrap();
    assert_eq!(gold["account"], "bob");
    assert!(gold["device"].as_str().unwrap().starts_with("70616765"), "{gold}");
    assert_eq!(asks(PAGE, &[GOLD]).kids(), named(&[GOLD]));
    assert_eq!(licenses(), first, "the same page has what it had");
    let by_query = format!("{}/clearkey?device={PAGE}", serving.url);
    let body = json!({ "kids": named(&[GOLD]) }).to_string();
    assert_eq!(send(&by_query, "POST", body.as_bytes(), &[("authorization", &token)]).kids(), named(&[GOLD]));
    assert_eq!(licenses(), first, "it may say who it is in the query as well");
    assert_eq!(asks(OTHER_PAGE, &[GOLD]).kids(), named(&[GOLD]));
    assert_eq!(licenses().len(), 3, "another page is another device");
    let metrics = String::from_utf8(get(&format!("{}/metrics", serving.management)).body).unwrap();
    for line in ["wmlicensed_clear_keys_total 5", "wmlicensed_clear_keys_refused_total 0"] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[test]
fn what_a_page_may_not_have_is_left_out_and_where_nothing_is_left_it_hears_why() {
    let data = filled();
    data.open_content(COUNTED, None);
    let serving = data.serve(&[]);
    let (gold, silver) = (of(&data.account("gold", &["gold"])), of(&data.account("silver", &["silver"])));
    let asks =
        |token: &str, kids: &[&str]| post(&serving, kids, &[("authorization", token), ("wmlicense-device", PAGE)]);
    let nowhere = "c00000000000000000000000000000ff";
    assert_eq!(asks(&silver, &[NO_BACKUP, GOLD, nowhere, OPEN]).kids(), named(&[OPEN]));
    assert_eq!(asks(&silver, &[GOLD]).reason(), "not-entitled");
    assert_eq!(asks(&gold, &[NO_BACKUP]).reason(), "kept-from-pages");
    assert_eq!(asks(&gold, &[COUNTED]).reason(), "kept-from-pages", "no policy is no word of the owner");
    assert_eq!(asks(&gold, &[nowhere]).reason(), "unknown-content");
    assert_eq!(post(&serving, &[GOLD], &[]).reason(), "account-required");
    let both = asks(&silver, &[GOLD, NO_BACKUP]);
    assert_eq!((both.reason(), &both.body["keys"][1]["reason"]), ("not-entitled", &json!("kept-from-pages")));
    assert_eq!(both.body["keys"][1]["kid"], named(&[NO_BACKUP])[0].as_str());
    let licenses = data.json(&["license", "list"]);
    let kids: Vec<_> = licenses.as_array().unwrap().iter().map(|row| row["kid"].clone()).collect();
    assert_eq!(kids, [OPEN], "what was refused is not written");
    data.policy("devices", r#"{"clearKey":true}"#);
    assert_eq!(asks(&gold, &[NO_BACKUP]).kids(), named(&[NO_BACKUP]));
    data.policy("pages", "{}");
    assert_eq!(asks(&silver, &[OPEN]).reason(), "kept-from-pages", "also from who had it");
    assert_eq!(data.json(&["policy", "list"]).as_array().unwrap().len(), 2);
    assert!(data.admin(&["policy", "show", "devices"]).contains("\"clearKey\":true"));
}

#[test]
fn of_two_grants_a_page_has_the_one_that_pages_may_have() {
    let data = Data::new();
    data.admin(&["content", "add", "--kid", GOLD, "--key", KEY]);
    data.policy("buy", r#"{"priority":1}"#);
    data.policy("watch", r#"{"clearKey":true}"#);
    for name in ["buy", "watch"] {
        data.admin(&["offer", "set", name, "--policy", name, "--kid", GOLD]);
    }
    let token = data.account("viewer", &[]);
    data.admin(&["grant", "add", "viewer", "buy"]);
    let serving = data.serve(&[]);
    let bearer = of(&token);
    let ask = || post(&serving, &[GOLD], &[("authorization", &bearer), ("wmlicense-device", PAGE)]);
    assert_eq!(ask().reason(), "kept-from-pages");
    data.admin(&["grant", "add", "viewer", "watch"]);
    assert_eq!(ask().kids(), named(&[GOLD]));
}

#[test]
fn tokens_that_are_none_and_pages_without_an_id_get_no_key_of_an_account() {
    let data = filled();
    let serving = data.serve(&[]);
    let token = data.account("bob", &["gold"]);
    let whole = of(&token);
    for (token, page) in [("Bearer wrong", Some(PAGE)), ("Basic Ym9iOg==", Some(PAGE))] {
        let headers: Vec<_> =
            [("authorization", token)].into_iter().chain(page.map(|id| ("wmlicense-device", id))).collect();
        let refused = post(&serving, &[GOLD], &headers);
        assert_eq!((refused.status, refused.header("www-authenticate").is_some()), (401, true), "{token}");
    }
    assert_eq!(post(&serving, &[GOLD], &[("authorization", &whole)]).reason(), "device-required");
    let odd = post(&serving, &[GOLD], &[("authorization", &whole), ("wmlicense-device", "../../etc/passwd")]);
    assert_eq!(odd.status, 400);
    assert_eq!(post(&serving, &[OPEN], &[]).kids(), named(&[OPEN]), "open content needs neither");
    assert_eq!(post(&serving, &[OPEN], &[]).kids(), named(&[OPEN]));
    assert_eq!(data.json(&["license", "list"]).as_array().unwrap().len(), 1, "such pages are one device");
    data.admin(&["account", "token", "bob", "--end"]);
    let ended = post(&serving, &[GOLD], &[("authorization", &whole), ("wmlicense-device", PAGE)]);
    assert_eq!(ended.status, 401);
}

#[test]
fn what_was_taken_back_no_page_gets_any_more() {
    let data = filled();
    let serving = data.serve(&[]);
    let (bob, eve) = (of(&data.account("bob", &["gold"])), of(&data.account("eve", &["gold"])));
    let asks =
        |token: &str, kids: &[&str]| post(&serving, kids, &[("authorization", token), ("wmlicense-device", PAGE)]);
    for token in [&bob, &eve] {
        assert_eq!(asks(token, &[GOLD]).kids(), named(&[GOLD]));
    }
    data.admin(&["license", "revoke", "--account", "bob"]);
    assert_eq!(asks(&bob, &[GOLD]).reason(), "revoked");
    assert_eq!(asks(&eve, &[GOLD]).kids(), named(&[GOLD]));
    data.admin(&["license", "revoke", "--kid", GOLD]);
    assert_eq!(asks(&eve, &[GOLD]).reason(), "revoked");
    assert_eq!(asks(&eve, &[OPEN]).kids(), named(&[OPEN]));
    let listed = data.json(&["license", "list", "--kid", GOLD]);
    assert!(listed.as_array().unwrap().iter().all(|row| row["revoked"] == true), "{listed}");
    data.admin(&["account", "change", "eve", "--remove-scope", "gold"]);
    assert_eq!(asks(&eve, &[GOLD]).status, 403);
}

#[test]
fn dates_hold_for_pages_too() {
    let data = Data::new();
    let now = wmlicense_testkit::daemon::device::now();
    let date = wmlicense_testkit::daemon::rfc3339;
    for (name, condition, kid) in [
        ("over", format!(r#""notAfter":"{}""#, date(now - 60)), OPEN),
        ("soon", format!(r#""notBefore":"{}""#, date(now + 3600)), GOLD),
        ("runs", format!(r#""notAfter":"{}""#, date(now + 3600)), NO_BACKUP),
    ] {
        data.policy(name, &format!(r#"{{"clearKey":true,"actions":{{"Play":{{{condition}}},"Copy":{{}}}}}}"#));
        data.open_content(kid, Some(name));
    }
    let serving = data.serve(&[]);
    assert_eq!(post(&serving, &[OPEN], &[]).reason(), "expired");
    assert_eq!(post(&serving, &[GOLD], &[]).reason(), "not-yet");
    assert_eq!(post(&serving, &[OPEN, GOLD, NO_BACKUP], &[]).kids(), named(&[NO_BACKUP]));
}

#[test]
fn terms_that_no_page_can_keep_are_refused_when_the_owner_sets_them() {
    let data = Data::new();
    let file = data.path().join("counted.json");
    std::fs::write(&file, r#"{"clearKey":true,"actions":{"Play":{"count":3}}}"#).unwrap();
    let (status, complaint) = data.fails(&["policy", "set", "counted", file.to_str().unwrap()]);
    assert!(status == 1 && complaint.contains("/clearKey: ") && complaint.contains("count"), "{complaint}");
}

#[test]
fn leaves_open_with_their_subscription_and_a_subscription_is_nothing_to_play() {
    let data = Data::new();
    data.policy("month", "{}");
    data.admin(&["subscription", "add", "club", "--policy", "month", "--scope", "club"]);
    data.policy("leaf", r#"{"subscription":"club","clearKey":true}"#);
    data.open_content(OPEN, Some("leaf"));
    let serving = data.serve(&[]);
    let (member, guest) = (of(&data.account("member", &["club"])), of(&data.account("guest", &[])));
    let asks =
        |token: &str, kids: &[&str]| post(&serving, kids, &[("authorization", token), ("wmlicense-device", PAGE)]);
    let root = data.json(&["subscription", "list"])[0]["kid"].as_str().unwrap().to_owned();
    assert_eq!(asks(&member, &[OPEN]).kids(), named(&[OPEN]));
    assert_eq!(asks(&guest, &[OPEN]).reason(), "not-entitled");
    assert_eq!(asks(&member, &[&root]).reason(), "unknown-content");
    assert_eq!(asks(&member, &[&root, OPEN]).kids(), named(&[OPEN]));
    data.policy("month", r#"{"actions":{"Play":{"notAfter":"2001-01-01T00:00:00Z"}}}"#);
    assert_eq!(asks(&member, &[OPEN]).reason(), "expired", "when the subscription ends, all of it does");
}

#[test]
fn pages_of_other_sites_ask_only_where_the_owner_names_them() {
    let data = filled();
    let serving = data.serve(&["--clearkey-origin", &format!("{SITE},https://other.example:8443")]);
    let url = format!("{}/clearkey", serving.url);
    let preflight = |origin: &str| {
        let asked = [("origin", origin), ("access-control-request-method", "POST")];
        send(&url, "OPTIONS", b"", &asked)
    };
    let told = preflight(SITE);
    assert_eq!((told.status, told.header("access-control-allow-origin")), (204, Some(SITE)));
    assert_eq!(told.header("access-control-allow-methods"), Some("POST"));
    for name in ["authorization", "content-type", "wmlicense-device"] {
        assert!(told.header("access-control-allow-headers").unwrap().split(", ").any(|allowed| allowed == name));
    }
    assert_eq!(told.header("access-control-allow-credentials"), None, "no cookies");
    let given = post(&serving, &[OPEN], &[("origin", SITE)]);
    assert_eq!((given.kids().len(), given.header("access-control-allow-origin")), (1, Some(SITE)));
    assert_eq!(given.header("vary"), Some("Origin"));
    let refused = post(&serving, &[GOLD], &[("origin", SITE)]);
    assert_eq!(refused.reason(), "account-required");
    assert_eq!(refused.header("access-control-allow-origin"), Some(SITE), "it may read why");
    assert!(refused.header("access-control-expose-headers").unwrap().contains("x-request-id"));
    for stranger in ["https://evil.example", "http://video.example", "https://video.example:444", "null"] {
        let refused = post(&serving, &[OPEN], &[("origin", stranger)]);
        assert_eq!((refused.status, refused.header("access-control-allow-origin")), (403, None), "{stranger}");
        assert!(refused.body["detail"].as_str().unwrap().contains("--clearkey-origin"), "{stranger}");
        assert_eq!(preflight(stranger).status, 403, "{stranger}");
    }
    let own = serving.url.clone();
    assert_eq!(post(&serving, &[OPEN], &[("origin", &own)]).kids().len(), 1, "its own site needs no word");
    drop(serving);
    let open = data.serve(&["--clearkey-origin", "*"]);
    let given = post(&open, &[OPEN], &[("origin", "https://anywhere.example")]);
    assert_eq!((given.kids().len(), given.header("access-control-allow-origin")), (1, Some("*")));
    let (status, complaint) = data.fails(&["serve", "--listen", "127.0.0.1:0", "--clearkey-origin", "video.example"]);
    assert!(status == 2 && complaint.contains("https://video.example"), "{complaint}");
}

#[test]
fn requests_that_are_none_are_told_so_and_long_ones_are_not_read() {
    let data = filled();
    let serving = data.serve(&[]);
    let url = format!("{}/clearkey", serving.url);
    for bad in ["", "{}", "[]", r#"{"kids":[]}"#, r#"{"kids":["AA"]}"#, r#"{"kids":"x"}"#, "\u{feff}{}"] {
        let refused = send(&url, "POST", bad.as_bytes(), &[]);
        assert_eq!((refused.status, &refused.body["code"]), (400, &json!(40000)), "{bad}");
    }
    let kept = json!({ "kids": named(&[OPEN]), "type": "persistent-license" }).to_string();
    assert_eq!(send(&url, "POST", kept.as_bytes(), &[]).status, 400);
    let long = format!("{}{}", json!({ "kids": named(&[OPEN]) }), " ".repeat(20_000));
    assert_eq!(send(&url, "POST", long.as_bytes(), &[]).status, 413);
    assert_eq!(send(&url, "GET", b"", &[]).status, 400);
    let issues_not = data.serve(&["--roles", "individualization,management"]);
    assert_eq!(post(&issues_not, &[OPEN], &[]).status, 404);
}

#[test]
fn pages_are_held_to_the_quota_of_their_address() {
    let data = Data::new();
    data.policy("pages", r#"{"clearKey":true}"#);
    let kids: Vec<String> = (1..=60).map(|number| format!("{number:032x}")).collect();
    let file = data.path().join("list.csv");
    std::fs::write(&file, kids.iter().map(|kid| format!("{kid},{KEY}\n")).collect::<String>()).unwrap();
    data.admin(&["content", "import", file.to_str().unwrap(), "--open", "--policy", "pages"]);
    let serving = data.serve(&["--kept-per-address", "1"]);
    let kids: Vec<&str> = kids.iter().map(String::as_str).collect();
    let asks = |page: usize| post(&serving, &kids, &[("wmlicense-device", &format!("page-number-{page:08}"))]);
    let refused = (0..100).map(asks).find(|answer| answer.status != 200).expect("a mebibyte is full at some time");
    assert_eq!((refused.status, &refused.body["code"]), (429, &json!(42900)));
    assert!(refused.header("retry-after").is_some());
    assert_eq!(asks(0).kids().len(), 60, "what it has costs nothing more");
}
