//! Tokens that the owner's own shop signs: whom they name, what they sell, how keys change, what is refused. What a token has to be is
//! tested beside `shop.rs`.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use wmlicense_testkit::daemon::device::{Device, Known, Reply, now};
use wmlicense_testkit::daemon::{Data, GOLD, KEY, Serving};
use wmlicense_wire::answer::Reason;
use wmlicense_wire::problem::ProblemKind;

pub(super) const FILM: &str = "c00000000000000000000000000000f1";

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The shop: what it signs with, and its public keys in a file.
pub(super) struct Signer(Ed25519KeyPair, &'static str);

impl Signer {
    pub(super) fn new(kid: &'static str) -> Self {
        Self(Ed25519KeyPair::generate().unwrap(), kid)
    }

    pub(super) fn key(&self) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "kid": self.1, "x": text(self.0.public_key()) })
    }

    pub(super) fn token(&self, claims: &Value) -> String {
        let header = json!({ "alg": "EdDSA", "kid": self.1 });
        let signed = format!("{}.{}", text(header.to_string()), text(claims.to_string()));
        let signature = text(self.0.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

pub(super) fn claims(account: &str, lifetime: i64, grants: Value) -> Value {
    json!({ "iss": "shop", "aud": "licenses", "sub": account, "exp": now() + lifetime, "grants": grants })
}

fn publish(data: &Data, keys: &[&Signer]) {
    let keys: Vec<Value> = keys.iter().map(|signer| signer.key()).collect();
    std::fs::write(data.path().join("shop.json"), json!({ "keys": keys }).to_string()).unwrap();
}

/// An offer of one film.
pub(super) fn set_up(data: &Data) {
    data.fill();
    data.admin(&["content", "add", "--kid", FILM, "--key", KEY]);
    data.admin(&["offer", "set", "rental", "--kid", FILM]);
}

/// A service that trusts the shop.
fn trusting(data: &Data, signer: &Signer) -> Serving {
    set_up(data);
    publish(data, &[signer]);
    let keys = data.path().join("shop.json");
    let words = ["--shop-keys", keys.to_str().unwrap(), "--shop-issuer", "shop", "--shop-audience", "licenses"];
    data.serve(&words)
}

pub(super) fn asks(known: &Known, device: &Device, kid: &str, token: &str) -> Reply {
    known.post("licenses", &device.sign(&device.licenses_request(known, &[kid])), Some(token))
}

fn sells(data: Data) {
    let signer = Signer::new("one");
    let serving = trusting(&data, &signer);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let order = json!([{ "offer": "rental", "reference": "order 17", "until": "2090-01-01T00:00:00Z", "devices": 1, "uses": 5 }]);
    // The account is there by the token alone, and the order once however often the token comes.
    let browsing = signer.token(&claims("zoe", 60, json!([])));
    assert!(device.acquire(&known, &[FILM], Some(&browsing)).1.is_empty());
    let paid = signer.token(&claims("zoe", 60, order.clone()));
    assert_eq!(device.acquire(&known, &[FILM], Some(&paid)).1.len(), 1);
    let again = signer.token(&claims("zoe", 120, order.clone()));
    assert_eq!(device.acquire(&known, &[FILM], Some(&again)).1.len(), 1);
    assert!(device.acquire(&known, &[GOLD], Some(&again)).1.is_empty());
    let grants = data.json(&["grant", "list", "--account", "zoe"]);
    assert_eq!((grants.as_array().unwrap().len(), &grants[0]["reference"]), (1, &json!("order 17")));
    assert_eq!((&grants[0]["uses"], &grants[0]["devices"]), (&json!(5), &json!(1)));
    assert_eq!(data.json(&["audit", "list", "--who", "token of the shop"]).as_array().unwrap().len(), 2);
    // An order of an account is no other's, and the owner has the last word.
    let other = signer.token(&claims("adam", 60, json!([])));
    assert!(Device::individualized(&known).acquire(&known, &[FILM], Some(&other)).1.is_empty());
    data.admin(&["grant", "end", grants[0]["grant"].as_str().unwrap()]);
    assert!(Device::individualized(&known).acquire(&known, &[FILM], Some(&paid)).1.is_empty());
    // Tokens of the service itself go on beside.
    let own = data.account("alice", &["gold"]);
    assert_eq!(device.acquire(&known, &[GOLD], Some(&own)).1.len(), 1);
}

fn sells_a_scope(data: Data) {
    let signer = Signer::new("one");
    let serving = trusting(&data, &signer);
    data.admin(&["offer", "set", "subscription", "--scope", "gold"]);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let sold = json!([{ "offer": "subscription", "reference": "order 18" }]);
    let token = signer.token(&claims("zoe", 60, sold));
    let titles = |scope, token: Option<&str>| {
        let (answer, licenses) = device.ask(&known, &device.delivery_request(&known, scope, None), token);
        (answer.refusals.iter().map(|refusal| refusal.reason).collect::<Vec<_>>(), licenses.len())
    };
    assert_eq!(titles(Some("gold"), Some(&token)), (vec![], 1));
    assert_eq!(titles(Some("silver"), Some(&token)), (vec![Reason::NotEntitled], 0));
    assert_eq!(titles(Some("gold"), None), (vec![Reason::AccountRequired], 0));
}

#[test]
fn what_the_shop_sold_of_a_scope_is_delivered_by_the_scopes_name() {
    sells_a_scope(Data::new());
}

#[test]
fn what_the_shop_sold_of_a_scope_is_delivered_by_its_name_over_postgresql() {
    sells_a_scope(Data::over_postgres(15));
}

#[test]
fn a_token_of_the_shop_names_an_account_and_what_it_sold_it() {
    sells(Data::new());
}

#[test]
fn a_token_of_the_shop_sells_the_same_over_postgresql() {
    sells(Data::over_postgres(15));
}

#[test]
fn a_token_that_is_over_of_another_key_or_sells_what_is_no_offer_is_refused() {
    let data = Data::new();
    let (signer, next) = (Signer::new("one"), Signer::new("two"));
    let serving = trusting(&data, &signer);
    let known = Known::discover(&serving.url, data.authority);
    let device = Device::individualized(&known);
    let good = signer.token(&claims("zoe", 60, json!([])));
    assert_eq!(asks(&known, &device, FILM, &good).status, 200);
    let none = json!([{ "offer": "sale", "reference": "1" }]);
    for token in [
        signer.token(&claims("zoe", -60, json!([]))),
        signer.token(&claims("new", 60, none)),
        next.token(&claims("zoe", 60, json!([]))),
        format!("{}.", good.rsplit_once('.').unwrap().0),
    ] {
        let reply = asks(&known, &device, FILM, &token);
        assert_eq!((reply.status, reply.problem()), (401, ProblemKind::Unauthorized));
    }
    assert_eq!(data.json(&["account", "list"]).as_array().unwrap().len(), 1);
    // Another key is taken over; a file that cannot be used changes nothing.
    publish(&data, &[&next]);
    serving.signal("HUP");
    serving.wait_for_log("the shop's changed keys are in use");
    assert_eq!(asks(&known, &device, FILM, &good).status, 401);
    let token = next.token(&claims("zoe", 60, json!([])));
    assert_eq!(asks(&known, &device, FILM, &token).status, 200);
    std::fs::write(data.path().join("shop.json"), "{}").unwrap();
    serving.signal("HUP");
    serving.wait_for_log("the old ones stay in use");
    assert_eq!(asks(&known, &device, FILM, &token).status, 200);
}

#[test]
fn without_the_keys_of_a_shop_no_such_token_counts_and_half_a_trust_is_refused() {
    let data = Data::new();
    data.fill();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    let token = Signer::new("one").token(&claims("zoe", 60, json!([])));
    assert_eq!(asks(&known, &Device::individualized(&known), GOLD, &token).status, 401);
    let keys = data.path().join("none.json");
    let keys = keys.to_str().unwrap();
    let lone = Serving::start(None, data.path(), &["--shop-keys", keys, "--shop-issuer", "shop"]).err().unwrap();
    assert!(lone.contains("--shop-audience is not"), "{lone}");
    let words = ["--shop-keys", keys, "--shop-issuer", "shop", "--shop-audience", "licenses"];
    let missing = Serving::start(None, data.path(), &words).err().unwrap();
    assert!(missing.contains("none.json"), "{missing}");
}
