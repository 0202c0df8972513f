use super::*;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;

/// Runs what waits for no network.
fn now<T>(doing: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(doing)
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key of each algorithm.
struct Keys {
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
    rsa: RsaKeyPair,
}

impl Keys {
    fn new() -> Self {
        let ec = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        Self { ed: Ed25519KeyPair::generate().unwrap(), ec, rsa }
    }

    fn set(&self) -> Value {
        let ec = self.ec.public_key().as_ref();
        // At the end of its DER: 256 bytes of the modulus, and the exponent 65537 as an INTEGER of three bytes.
        let rsa = self.rsa.public_key().as_ref();
        let (n, e) = (text(&rsa[rsa.len() - 261..rsa.len() - 5]), text(&rsa[rsa.len() - 3..]));
        json!({ "keys": [
            { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": text(self.ed.public_key().as_ref()) },
            { "kty": "EC", "crv": "P-256", "kid": "ec", "use": "sig", "x": text(&ec[1..33]), "y": text(&ec[33..]) },
            { "kty": "RSA", "kid": "rsa", "alg": "RS256", "n": n, "e": e },
            { "kty": "RSA", "kid": "other", "alg": "RSA-OAEP", "n": n, "e": e },
            { "kty": "oct", "kid": "oct", "k": text(b"secret of both") },
        ] })
    }

    fn signature(&self, alg: &str, signed: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match alg {
            "ES256" => self.ec.sign(&random, signed).unwrap().as_ref().to_vec(),
            "RS256" => {
                let mut signature = vec![0; self.rsa.public_modulus_len()];
                self.rsa.sign(&RSA_PKCS1_SHA256, &random, signed, &mut signature).unwrap();
                signature
            }
            _ => self.ed.sign(signed).as_ref().to_vec(),
        }
    }

    /// A token with this header and these claims, signed with the key of an algorithm.
    fn token(&self, header: &Value, claims: &Value, by: &str) -> String {
        let signed = format!("{}.{}", text(header.to_string().as_bytes()), text(claims.to_string().as_bytes()));
        let signature = text(&self.signature(by, signed.as_bytes()));
        format!("{signed}.{signature}")
    }
}

fn claims() -> Value {
    json!({ "iss": "https://shop.example", "aud": "licenses", "sub": "alice", "exp": NOW + 60 })
}

fn shop(set: &Value) -> (tempfile::TempDir, Shop) {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys.json");
    std::fs::write(&keys, set.to_string()).unwrap();
    let trust = Trust {
        keys: KeysPlace::File(keys),
        issuer: "https://shop.example".to_owned(),
        audience: "licenses".to_owned(),
    };
    (folder, now(Shop::open(trust)).unwrap())
}

#[test]
fn a_token_of_each_algorithm_names_its_account_and_grants() {
    let keys = Keys::new();
    let (_folder, shop) = shop(&keys.set());
    for (alg, kid) in [("EdDSA", "ed"), ("Ed25519", "ed"), ("ES256", "ec"), ("RS256", "rsa")] {
        let token = keys.token(&json!({ "alg": alg, "kid": kid, "typ": "JWT" }), &claims(), alg);
        assert_eq!(shop.verify(&token, NOW), Ok(Sold { account: "alice".to_owned(), grants: vec![] }), "{alg}");
        let token = keys.token(&json!({ "alg": alg }), &claims(), alg);
        assert!(shop.verify(&token, NOW).is_ok(), "{alg} without a kid");
    }
    let mut sold = claims();
    sold["aud"] = json!(["elsewhere", "licenses"]);
    let grant = json!({
        "offer": "rental", "reference": "order 17", "until": "2027-06-01T00:00:00Z", "uses": 5, "devices": 2
    });
    sold["grants"] = json!([grant, grant]);
    let sold = shop.verify(&keys.token(&json!({ "alg": "EdDSA" }), &sold, "EdDSA"), NOW).unwrap();
    let until = parse_rfc3339("2027-06-01T00:00:00Z");
    let (offer, reference) = ("rental".to_owned(), "order 17".to_owned());
    assert_eq!(sold.grants, [SoldGrant { offer, reference, from: None, until, uses: Some(5), devices: Some(2) }]);
}

#[test]
fn no_algorithm_but_that_of_the_key_is_believed() {
    let keys = Keys::new();
    let (_folder, shop) = shop(&keys.set());
    let unsigned = |alg: &str| {
        let header = text(json!({ "alg": alg }).to_string().as_bytes());
        format!("{header}.{}.", text(claims().to_string().as_bytes()))
    };
    for alg in ["none", "None", "HS256", "HS512", "PS256", "ES384", ""] {
        assert_eq!(shop.verify(&unsigned(alg), NOW), Err(Untrusted::Algorithm), "{alg}");
    }
    for alg in ["EdDSA", "ES256", "RS256"] {
        assert_eq!(shop.verify(&unsigned(alg), NOW), Err(Untrusted::Signature), "{alg}");
    }
    // The name of one key, the algorithm of another one; and what is not for signatures, or known to both sides.
    for (alg, kid) in [("EdDSA", "ec"), ("ES256", "rsa"), ("RS256", "ed")] {
        let token = keys.token(&json!({ "alg": alg, "kid": kid }), &claims(), alg);
        assert_eq!(shop.verify(&token, NOW), Err(Untrusted::Algorithm), "{alg}");
    }
    for kid in ["oct", "other", "gone"] {
        let token = keys.token(&json!({ "alg": "RS256", "kid": kid }), &claims(), "RS256");
        assert_eq!(shop.verify(&token, NOW), Err(Untrusted::Key), "{kid}");
    }
    let token = keys.token(&json!({ "alg": "EdDSA", "crit": ["exp"] }), &claims(), "EdDSA");
    assert_eq!(shop.verify(&token, NOW), Err(Untrusted::Form));
}

#[test]
fn a_token_of_another_shop_for_another_service_or_another_time_is_refused() {
    let keys = Keys::new();
    let (_folder, shop) = shop(&keys.set());
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        shop.verify(&keys.token(&json!({ "alg": "EdDSA" }), &claims, "EdDSA"), NOW)
    };
    for (name, value, why) in [
        ("iss", json!("https://other.example"), Untrusted::Meant),
        ("aud", json!("elsewhere"), Untrusted::Meant),
        ("aud", json!([]), Untrusted::Meant),
        ("exp", json!(NOW - 30), Untrusted::Over),
        ("exp", json!(-1e300), Untrusted::Over),
        ("nbf", json!(NOW + 31), Untrusted::Early),
        ("exp", json!("tomorrow"), Untrusted::Claims),
        ("sub", json!(""), Untrusted::Claims),
        ("sub", json!("a\nb"), Untrusted::Claims),
        ("sub", Value::Null, Untrusted::Claims),
        ("grants", json!([{ "offer": "rental" }]), Untrusted::Claims),
        ("grants", json!([{ "offer": "rental", "reference": "1", "seats": 3 }]), Untrusted::Claims),
        ("grants", json!([{ "offer": "rental", "reference": "1", "uses": 0 }]), Untrusted::Claims),
        ("grants", json!([{ "offer": "rental", "reference": "1", "devices": -1 }]), Untrusted::Claims),
        ("grants", json!([{ "offer": "rental", "reference": "1", "until": 5 }]), Untrusted::Claims),
        ("grants", json!(vec![json!({ "offer": "rental", "reference": "1" }); 17]), Untrusted::Claims),
    ] {
        assert_eq!(with(name, value.clone()), Err(why), "{name} {value}");
    }
    assert!(with("exp", json!(NOW - 29)).is_ok() && with("nbf", json!(NOW + 30)).is_ok());
    let mut token = keys.token(&json!({ "alg": "EdDSA" }), &claims(), "EdDSA");
    let other = Keys::new().token(&json!({ "alg": "EdDSA" }), &claims(), "EdDSA");
    assert_eq!(shop.verify(&other, NOW), Err(Untrusted::Signature));
    for wrong in ["", ".", "..", "a.b.c", &token[..token.len() - 1], &token.replace('.', "..")] {
        assert!(shop.verify(wrong, NOW).is_err(), "{wrong}");
    }
    token.push_str(&"A".repeat(MAX_LEN));
    assert_eq!(shop.verify(&token, NOW), Err(Untrusted::Form));
}

#[test]
fn keys_are_taken_over_when_their_file_changes_and_kept_where_it_cannot_be_used() {
    let (old, new) = (Keys::new(), Keys::new());
    let (folder, shop) = shop(&old.set());
    let (old_token, new_token) = (
        old.token(&json!({ "alg": "ES256" }), &claims(), "ES256"),
        new.token(&json!({ "alg": "ES256" }), &claims(), "ES256"),
    );
    let file = folder.path().join("keys.json");
    let secret = json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "x": text(&[1; 32]), "d": text(&[2; 32]) }] });
    let short = json!({ "keys": [{ "kty": "RSA", "n": text(&[255; 128]), "e": "AQAB" }] });
    let only_oct = json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] });
    for (wrong, why) in [
        ("", "EOF"),
        ("[]", "JSON Web Key Set"),
        (r#"{"keys":[]}"#, "there are 0"),
        (&only_oct.to_string(), "there are 0"),
        (&secret.to_string(), "secret"),
        (&short.to_string(), "2048"),
        (&format!("{{\"keys\":[],\"x\":\"{}\"}}", "a".repeat(300_000)), "large"),
    ] {
        std::fs::write(&file, wrong).unwrap();
        let told = now(shop.reload()).unwrap_err().to_string();
        assert!(told.contains(why), "{told}");
        assert!(shop.verify(&old_token, NOW).is_ok());
    }
    std::fs::write(&file, new.set().to_string()).unwrap();
    assert!(now(shop.reload()).unwrap() && !now(shop.reload()).unwrap());
    assert_eq!(shop.verify(&old_token, NOW), Err(Untrusted::Signature));
    assert!(shop.verify(&new_token, NOW).is_ok());
    std::fs::remove_file(&file).unwrap();
    assert!(now(shop.reload()).is_err() && shop.verify(&new_token, NOW).is_ok());
}
