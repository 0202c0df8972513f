//! The owner's API: what it does is what the commands show, who may do it, what is refused and how, what comes twice. Every answer is
//! held to the document that the API gives of itself.

mod shop;
mod tally;

use serde_json::{Value, json};
use shop::{Sent, Shop, Told};
use wmlicense_testkit::daemon::device::{Device, Known};
use wmlicense_testkit::daemon::{Data, GOLD, KEY, OPEN};

const FILM: &str = "c00000000000000000000000000000f1";

/// An account from its making to its end, on which engine ever.
fn an_account_lives(shop: &Shop) {
    let token = shop.ask("POST", "accounts", json!({ "name": "zoe b", "scopes": ["gold"] })).is(201);
    let token = token["token"].as_str().unwrap();
    let known = Known::discover(&shop.serving.url, shop.data.authority);
    let device = Device::individualized(&known);
    assert_eq!(device.acquire(&known, &[GOLD], Some(token)).1.len(), 1);
    let told = shop.ask("POST", "accounts", json!({ "name": "zoe b" })).refused(409);
    assert!(told.contains("zoe b already"), "{told}");
    assert_eq!(shop.get("accounts?scope=gold")["rows"], shop.data.json(&["account", "list", "--scope", "gold"]));
    // The account's licenses and devices, as the commands have them.
    let licenses = shop.get("licenses?account=zoe%20b");
    assert_eq!(licenses["rows"], shop.data.json(&["license", "list", "--account", "zoe b"]));
    assert_eq!(licenses["rows"][0]["kid"], GOLD);
    assert_eq!(shop.get("devices?account=zoe%20b")["rows"], shop.data.json(&["device", "list", "--account", "zoe b"]));
    assert_eq!(shop.get("restores")["rows"], json!([]));
    shop.ask("PATCH", "accounts/zoe%20b", json!({ "addScopes": ["silver"], "removeScopes": ["gold"] })).is(204);
    assert_eq!(shop.get("accounts?account=zoe%20b")["rows"][0]["scopes"], json!(["silver"]));
    let phone = shop.ask("POST", "accounts/zoe%20b/tokens", json!({ "called": "phone" })).is(201);
    assert_ne!(phone["token"], token);
    assert_eq!(shop.get("accounts/zoe%20b/tokens").as_array().unwrap().len(), 2);
    shop.ask("DELETE", "accounts/zoe%20b/tokens/phone", Value::Null).is(204);
    assert!(shop.ask("DELETE", "accounts/zoe%20b/tokens/phone", Value::Null).refused(404).contains("no token phone"));
    let late = json!({ "until": "2001-01-01T00:00:00Z" });
    assert!(shop.ask("POST", "accounts/zoe%20b/tokens", late).refused(422).contains("is over"));
    shop.ask("DELETE", "accounts/zoe%20b", Value::Null).is(204);
    for (method, path) in
        [("DELETE", "accounts/zoe%20b"), ("GET", "accounts/zoe%20b/tokens"), ("GET", "licenses?account=nobody")]
    {
        assert!(shop.ask(method, path, Value::Null).refused(404).contains("no account"), "{method} {path}");
    }
    let ada = |act: &str| ("admin ada".to_owned(), act.to_owned());
    let acts = ["account remove", "account token end", "account token", "account change", "account add"].map(ada);
    assert_eq!(shop.acts()[..5], acts);
}

#[test]
fn an_account_lives_at_the_api_as_at_the_commands() {
    an_account_lives(&Shop::new());
}

#[test]
fn an_account_lives_the_same_over_postgresql() {
    an_account_lives(&Shop::over(Data::over_postgres(15)));
}

#[test]
fn content_is_added_imported_exported_and_forgotten_and_its_terms_are_set() {
    let shop = Shop::new();
    let added = shop.ask("POST", "content", json!({ "kid": FILM, "key": KEY, "title": "Film", "open": true })).is(200);
    assert_eq!(added, json!({ "kid": FILM, "became": "added" }));
    let policy = json!({ "actions": { "Play": { "count": 3 } }, "backup": true });
    assert_eq!(shop.ask("PUT", "policies/rent", policy.clone()).is(200), json!({ "new": true }));
    assert_eq!(shop.get("policies/rent"), policy);
    let on = json!({ "kid": FILM, "key": KEY, "policy": "rent", "scope": "gold" });
    assert_eq!(shop.ask("POST", "content", on).is(200)["became"], "changed");
    let other = json!({ "kid": FILM, "key": "ff".repeat(16), "open": true });
    assert!(shop.ask("POST", "content", other).refused(409).contains("another key"));
    for (body, why) in [
        (json!({ "kid": FILM, "key": KEY, "open": true, "scope": "gold" }), "cannot be said both"),
        (json!({ "key": KEY, "open": 1 }), "true or false"),
        (json!({ "kid": FILM, "key": "short", "open": true }), "32 hexadecimal digits"),
    ] {
        let told = shop.ask("POST", "content", body).refused(400);
        assert!(told.contains(why), "{told}");
    }
    let unknown = json!({ "kid": FILM, "key": KEY, "open": true, "policy": "none" });
    assert!(shop.ask("POST", "content", unknown).refused(422).contains("no policy none"));
    let wrong = shop.ask("PUT", "policies/rent", json!({ "acton": {} })).refused(422);
    assert!(wrong.contains("acton"), "{wrong}");
    // Lists of keys, all or none.
    let import = |query: &str, list: &str| {
        let sent = Sent { body: Some(list.as_bytes()), ..Sent::default() };
        shop.sent("POST", &format!("content/import?{query}"), sent)
    };
    let list = "c00000000000000000000000000000f2,00112233445566778899aabbccddeeff,Two\n\
                c00000000000000000000000000000f3,00112233445566778899aabbccddeeff,Three\n";
    assert_eq!(import("scope=gold&dryRun=true", list).is(200)["new"], 2);
    assert_eq!(shop.get("content?title=three")["rows"], json!([]));
    assert_eq!(import("scope=gold", list).is(200)["new"], 2);
    assert_eq!(shop.get("content?title=three")["rows"][0]["scope"], "gold");
    assert!(import("open=true", list).refused(409).contains("with replace it is"));
    assert_eq!(import("open=true&replace=true", list).is(200)["changed"], true);
    assert!(import("open=true", &format!("{list}half a line")).refused(422).contains("Line 3"));
    assert_eq!(shop.get("content")["rows"], shop.data.json(&["content", "list"]));
    let text = shop.ask("POST", "content/export", json!({ "kids": [FILM], "form": "bento4" })).is(200);
    assert_eq!(text["text"].as_str().unwrap().trim(), format!("{FILM}:{KEY}"));
    shop.ask("DELETE", &format!("content/{FILM}"), Value::Null).is(204);
    assert!(shop.ask("DELETE", &format!("content/{FILM}"), Value::Null).refused(404).contains("no content"));
    let root = shop.ask("PUT", "subscriptions/all", json!({ "scope": "gold" })).is(200);
    assert_eq!(root["new"], true);
    assert!(shop.ask("PUT", "subscriptions/all", json!({ "policy": "rent" })).refused(422).contains("counts uses"));
    assert_eq!(shop.get("subscriptions")["rows"], shop.data.json(&["subscription", "list"]));
    assert_eq!(shop.get("policies")["rows"], shop.data.json(&["policy", "list"]));
}

#[test]
fn licenses_are_taken_back_and_devices_revoked() {
    let shop = Shop::new();
    let known = Known::discover(&shop.serving.url, shop.data.authority);
    let device = Device::individualized(&known);
    device.acquire(&known, &[OPEN], None);
    let lid = shop.get("licenses")["rows"][0]["lid"].as_str().unwrap().to_owned();
    let order = shop.ask("POST", "revocations", json!({ "lid": lid, "reason": "mistake" })).is(201);
    assert_eq!(order["devices"], 1);
    assert_eq!(shop.get("revocations")["rows"], shop.data.json(&["revocation", "list"]));
    assert_eq!(shop.get("licenses")["rows"][0]["revoked"], true);
    for body in [json!({}), json!({ "lid": lid, "all": true }), json!({ "all": true, "kid": OPEN })] {
        assert!(shop.ask("POST", "revocations", body).refused(400).contains("Say lid"));
    }
    let revoke = format!("devices/{}/revoke", device.id().to_hex());
    let lose = |device: &str| shop.ask("POST", &format!("devices/{device}/lose"), Value::Null);
    assert_eq!(lose(&device.id().to_hex()).is(200), json!({ "titles": 0, "uses": 0 }));
    assert!(lose(&"00".repeat(16)).refused(404).contains("no device"));
    shop.ask("POST", &revoke, json!({ "reason": "lost" })).is(204);
    assert!(
        shop.ask("POST", &format!("devices/{}/revoke", "00".repeat(16)), json!({})).refused(404).contains("no device")
    );
    shop.ask("POST", "applications/bad%20player/revoke", json!({})).is(204);
    let keys = shop.get("revoked-keys");
    assert_eq!(keys, shop.data.json(&["status", "show"]));
    assert_eq!(keys.as_array().unwrap().len(), 2);
    assert_eq!(shop.get("certificates"), shop.data.json(&["certificate", "list"]));
    assert_eq!(shop.get("stats"), shop.data.json(&["stats"]));
}

#[test]
fn each_role_does_what_it_may_and_nothing_else() {
    let shop = Shop::new();
    let token = |role: &str| {
        let made = shop.ask("POST", "admins", json!({ "name": role, "role": role })).is(201);
        made["token"].as_str().unwrap().to_owned()
    };
    let (seller, packager, support, reader) = (token("shop"), token("packager"), token("support"), token("reader"));
    let asks = |token: &str, method: &str, path: &str, body: Value| {
        let text = body.to_string();
        let body = (!body.is_null()).then_some(text.as_bytes());
        shop.sent(method, path, Sent { token: Some(token), body, key: None })
    };
    let account = |name: &str| json!({ "name": name });
    asks(&seller, "POST", "accounts", account("a")).is(201);
    for token in [&packager, &support, &reader] {
        let told = asks(token, "POST", "accounts", account("b")).refused(403);
        assert!(told.contains("for the role owner or shop"), "{told}");
    }
    asks(&packager, "POST", "content", json!({ "open": true })).is(200);
    for token in [&seller, &support, &reader] {
        asks(token, "POST", "content", json!({ "open": true })).refused(403);
        asks(token, "POST", "content/export", json!({ "kids": [OPEN], "form": "shaka" })).refused(403);
        asks(token, "GET", "accounts", Value::Null).is(200);
    }
    asks(&packager, "GET", "accounts", Value::Null).refused(403);
    for token in [&seller, &packager, &support, &reader] {
        asks(token, "GET", "content", Value::Null).is(200);
        asks(token, "POST", "revocations", json!({ "all": true })).refused(403);
        asks(token, "POST", "admins", json!({ "name": "eve", "role": "owner" })).refused(403);
        asks(token, "PUT", "policies/p", json!({})).refused(403);
    }
    let lose = format!("devices/{}/lose", "00".repeat(16));
    asks(&support, "POST", &lose, Value::Null).refused(404);
    asks(&reader, "POST", &lose, Value::Null).refused(403);
    asks(&reader, "GET", "audit", Value::Null).is(200);
    asks(&support, "GET", "audit", Value::Null).refused(403);
    // What was refused left nothing, and who was let go is told so.
    assert_eq!(shop.get("accounts")["rows"].as_array().unwrap().len(), 1);
    shop.ask("DELETE", "admins/shop", Value::Null).is(204);
    assert!(asks(&seller, "GET", "accounts", Value::Null).refused(401).contains("has ended"));
    assert!(asks("wrong", "GET", "accounts", Value::Null).refused(401).contains("wmlicensed admin add"));
    let again = shop.ask("POST", "admins/reader/token", Value::Null).is(201);
    assert!(asks(&reader, "GET", "me", Value::Null).refused(401).contains("has ended"));
    assert_eq!(asks(again["token"].as_str().unwrap(), "GET", "me", Value::Null).is(200)["role"], "reader");
    assert_eq!(shop.get("admins?removed=true"), shop.data.json(&["admin", "list", "--removed"]));
}

#[test]
fn a_request_with_a_key_is_done_once_and_answered_as_before() {
    let shop = Shop::new();
    let ask = |key: &str, name: &str| {
        let body = json!({ "name": name }).to_string();
        shop.sent("POST", "accounts", Sent { body: Some(body.as_bytes()), key: Some(key), token: None })
    };
    let first = ask("order-17", "a");
    assert!(!first.replayed);
    let again = ask("order-17", "a");
    assert_eq!((again.status, &again.body, again.replayed), (201, &first.body, true));
    assert!(ask("order-17", "b").refused(422).contains("another request"));
    // Without a key it is another request; one that was refused did nothing and may be mended under its key.
    assert!(shop.ask("POST", "accounts", json!({ "name": "a" })).refused(409).contains("already"));
    assert!(ask("order-18", "a").refused(409).contains("already"));
    assert!(!ask("order-18", "c").replayed);
    // A key is of one admin.
    let other = shop.ask("POST", "admins", json!({ "name": "shop", "role": "shop" })).is(201);
    let body = json!({ "name": "d" }).to_string();
    let sent = Sent { token: other["token"].as_str(), body: Some(body.as_bytes()), key: Some("order-17") };
    assert!(!shop.sent("POST", "accounts", sent).replayed);
    let acts = shop.acts();
    assert_eq!(acts.iter().filter(|(_, act)| act == "account add").count(), 3);
    for wrong in ["", "order 19", &"k".repeat(129)] {
        assert!(ask(wrong, "e").refused(400).contains("Idempotency-Key"));
    }
    // The kept answer has a token in it, which the database does not show.
    let database = shop.data.path().join("wmlicensed.db");
    let log = std::fs::read(shop.data.path().join("wmlicensed.db-wal")).unwrap_or_default();
    let kept = [std::fs::read(database).unwrap_or_default(), log].concat();
    let token = first.body["token"].as_str().unwrap().as_bytes();
    assert!(!kept.windows(token.len()).any(|bytes| bytes == token));
}

#[test]
fn of_eight_at_once_with_one_key_one_is_done() {
    let shop = Shop::new();
    let told: Vec<Told> = std::thread::scope(|scope| {
        let ask = || {
            let body = br#"{"called":"phone"}"#;
            shop.raw("POST", "accounts/alice/tokens", Sent { body: Some(body), key: Some("k"), token: None })
        };
        shop.ask("POST", "accounts", json!({ "name": "alice" })).is(201);
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    let first = told.iter().find(|told| told.status == 201 && !told.replayed).unwrap();
    for told in &told {
        assert!(told.status == 409 || (told.status == 201 && told.body == first.body), "{told:?}");
    }
    assert_eq!(shop.get("accounts/alice/tokens").as_array().unwrap().len(), 2);
    assert_eq!(shop.acts().iter().filter(|(_, act)| act == "account token").count(), 1);
}

#[test]
fn lists_come_in_pages_whose_cursors_are_of_that_list() {
    let shop = Shop::new();
    for name in ["a", "b", "c", "d", "e"] {
        shop.ask("POST", "accounts", json!({ "name": name })).is(201);
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = shop.get(&format!("accounts?limit=2{cursor}"));
        names.extend(page["rows"].as_array().unwrap().iter().map(|row| row["account"].as_str().unwrap().to_owned()));
        let Some(next) = page["cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(names, ["a", "b", "c", "d", "e"]);
    let page = shop.get("accounts?limit=1");
    let foreign = format!("content?cursor={}", page["cursor"].as_str().unwrap());
    for (path, why) in [
        (foreign.as_str(), "none of this list"),
        ("accounts?cursor=x", "none of this list"),
        ("accounts?limit=0", "from 1 to 1000"),
        ("accounts?limit=1001", "from 1 to 1000"),
        ("accounts?scop=x", "scope is known"),
        ("accounts?scope=x&scope=y", "twice"),
        ("accounts?since=yesterday", "2027"),
        ("licenses?device=xyz", "32 hexadecimal digits"),
    ] {
        let told = shop.ask("GET", path, Value::Null).refused(400);
        assert!(told.contains(why), "{path}: {told}");
    }
}

#[test]
fn a_list_of_ten_million_lines_is_refused_and_nothing_of_it_is_done() {
    use std::io::{Read as _, Write as _};
    let shop = Shop::new();
    let before = shop.get("stats");
    let address = shop.serving.management.strip_prefix("http://").unwrap();
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let line = b"c00000000000000000000000000000f2,00112233445566778899aabbccddeeff,Two\n";
    let head = format!(
        "POST /admin/v1/content/import?open=true HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
         content-length: {}\r\n\r\n",
        shop.owner,
        line.len() * 10_000_000
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
    assert_eq!(shop.get("stats"), before);
}

#[test]
fn a_shop_sells_by_offers_and_grants() {
    let shop = Shop::new();
    let made = shop.ask("POST", "admins", json!({ "name": "shop", "role": "shop" })).is(201);
    let seller = made["token"].as_str().unwrap();
    let ask = |method: &str, path: &str, body: Value| {
        let text = body.to_string();
        let body = (!body.is_null()).then_some(text.as_bytes());
        shop.sent(method, path, Sent { token: Some(seller), body, key: None })
    };
    shop.ask("POST", "content", json!({ "kid": FILM, "key": KEY })).is(200);
    shop.ask("PUT", "policies/rent", json!({ "actions": { "Play": {} }, "backup": true })).is(200);
    let offer = json!({ "policy": "rent", "kids": [FILM] });
    ask("PUT", "offers/rental", offer.clone()).refused(403);
    assert_eq!(shop.ask("PUT", "offers/rental", offer).is(200), json!({ "new": true }));
    assert!(shop.ask("PUT", "offers/empty", json!({})).refused(400).contains("Say scopes or kids"));
    assert!(
        shop.ask("PUT", "offers/x", json!({ "policy": "none", "kids": [FILM] })).refused(422).contains("no policy")
    );
    let token = ask("POST", "accounts", json!({ "name": "alice" })).is(201)["token"].as_str().unwrap().to_owned();
    let known = Known::discover(&shop.serving.url, shop.data.authority);
    let device = Device::individualized(&known);
    let licenses = || device.acquire(&known, &[FILM], Some(&token)).1.len();
    assert_eq!(licenses(), 0);
    let order = json!({ "account": "alice", "offer": "rental", "until": "2090-01-01T00:00:00Z", "reference": "17" });
    let grant = ask("POST", "grants", order).is(201)["grant"].as_str().unwrap().to_owned();
    assert_eq!(licenses(), 1);
    assert_eq!(ask("GET", "grants?reference=17", Value::Null).is(200)["rows"], shop.data.json(&["grant", "list"]));
    assert_eq!(ask("GET", "offers", Value::Null).is(200)["rows"], shop.data.json(&["offer", "list"]));
    assert!(shop.ask("DELETE", "offers/rental", Value::Null).refused(409).contains("1 grants of it"));
    for (body, why) in [
        (json!({ "account": "bob", "offer": "rental" }), "no account bob"),
        (json!({ "account": "alice", "offer": "sale" }), "no offer sale"),
        (
            json!({ "account": "alice", "offer": "rental", "from": "2091-01-01T00:00:00Z", "until": "2090-01-01T00:00:00Z" }),
            "before it begins",
        ),
    ] {
        assert!(ask("POST", "grants", body).refused(422).contains(why), "{why}");
    }
    let path = format!("grants/{grant}");
    ask("PATCH", &path, json!({ "unbound": true, "reference": "18" })).is(204);
    assert_eq!(ask("GET", "grants?current=true", Value::Null).is(200)["rows"][0]["until"], Value::Null);
    assert!(ask("PATCH", &path, json!({})).refused(400).contains("nothing that changes"));
    ask("DELETE", &path, Value::Null).is(204);
    assert!(ask("DELETE", &path, Value::Null).refused(409).contains("was ended"));
    assert!(ask("DELETE", &format!("grants/{}", "00".repeat(16)), Value::Null).refused(404).contains("no grant"));
    assert_eq!(shop.acts()[0], ("admin shop".to_owned(), "grant end".to_owned()));
    shop.ask("DELETE", "offers/rental", Value::Null).is(204);
}
