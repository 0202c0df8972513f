//! Public keys as JSON Web Keys (RFC 7517, RFC 8037), and signatures of JWTs verified with them. Secret ones are refused.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

/// Bytes of a coordinate of P-256, and of a key of Ed25519.
const LEN: usize = 32;
/// Bytes of a modulus: 2048 to 8192 bits.
const MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;

/// What signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    EdDsa,
    Es256,
    Rs256,
}

impl Algorithm {
    /// By its name in a header.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        match name {
            // The second one is its name by RFC 9864.
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            "ES256" => Some(Self::Es256),
            "RS256" => Some(Self::Rs256),
            _ => None,
        }
    }
}

/// A public key, which has one algorithm whatever a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) id: Option<String>,
    public: Public,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Public {
    Ed25519(Vec<u8>),
    /// Uncompressed.
    P256(Vec<u8>),
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    /// The secret part.
    d: Option<serde::de::IgnoredAny>,
}

/// The keys of a set that can verify tokens here; others of it are passed over.
pub(super) fn read(text: &[u8]) -> Result<Vec<Key>, String> {
    let set: Set = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let mut keys = Vec::new();
    for jwk in set.keys {
        let name = jwk.kid.clone().unwrap_or_else(|| "without a kid".to_owned());
        if jwk.d.is_some() {
            return Err(format!("the key {name} is a secret one, which belongs to the shop alone"));
        }
        let Some(public) = public(&jwk).map_err(|why| format!("the key {name}: {why}"))? else { continue };
        let key = Key { id: jwk.kid, public };
        if jwk.alg.is_some_and(|alg| Algorithm::of_name(&alg) != Some(key.algorithm())) {
            continue;
        }
        if jwk.usage.is_none_or(|usage| usage == "sig") {
            keys.push(key);
        }
    }
    Ok(keys)
}

fn public(jwk: &Jwk) -> Result<Option<Public>, &'static str> {
    let bytes = |text: &Option<String>| {
        let text = text.as_deref().ok_or("a part is missing")?;
        URL_SAFE_NO_PAD.decode(text).map_err(|_| "a part is not base64url")
    };
    let of_len = |bytes: Vec<u8>| if bytes.len() == LEN { Ok(bytes) } else { Err("a part has another length") };
    Ok(match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("OKP", Some("Ed25519")) => Some(Public::Ed25519(of_len(bytes(&jwk.x)?)?)),
        ("EC", Some("P-256")) => {
            let (x, y) = (of_len(bytes(&jwk.x)?)?, of_len(bytes(&jwk.y)?)?);
            Some(Public::P256([&[4][..], &x, &y].concat()))
        }
        ("RSA", _) => {
            let (modulus, exponent) = (bytes(&jwk.n)?, bytes(&jwk.e)?);
            if !MODULUS.contains(&modulus.len()) || exponent.is_empty() || exponent.len() > 8 {
                return Err("an RSA key has 2048 to 8192 bits");
            }
            Some(Public::Rsa { modulus, exponent })
        }
        _ => None,
    })
}

impl Key {
    pub(super) fn algorithm(&self) -> Algorithm {
        match self.public {
            Public::Ed25519(_) => Algorithm::EdDsa,
            Public::P256(_) => Algorithm::Es256,
            Public::Rsa { .. } => Algorithm::Rs256,
        }
    }

    pub(super) fn verifies(&self, signed: &[u8], signature: &[u8]) -> bool {
        match &self.public {
            Public::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(signed, signature).is_ok(),
            Public::P256(key) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(signed, signature).is_ok()
            }
            Public::Rsa { modulus, exponent } => {
                let key = RsaPublicKeyComponents { n: modulus, e: exponent };
                key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature).is_ok()
            }
        }
    }
}
