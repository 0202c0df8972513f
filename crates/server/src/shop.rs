//! Account tokens that the owner's own shop signs (JWT, RFC 7519): with which keys, and what a token that is good says. What becomes
//! of that is in `store/`.

mod jwk;

use crate::policy::parse_rfc3339;
use crate::rules::accounts::is_name;
use crate::rules::shop::{Sold, SoldGrant};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwk::{Algorithm, Key};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// Longest token in bytes.
pub(crate) const MAX_LEN: usize = 8 * 1024;
/// Longest file of keys in bytes, and most keys of one.
const MAX_FILE: u64 = 256 * 1024;
const MAX_KEYS: usize = 64;
/// By how much the clocks of shop and service may differ. Seconds.
const SKEW: i64 = 30;
/// Most grants of a token, and longest reference of one.
const MAX_GRANTS: usize = 16;
const MAX_REFERENCE: usize = 128;

/// The keys of a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be read.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no set of keys.
    #[error("{}: a JSON Web Key Set with 1 to {MAX_KEYS} public keys for EdDSA, ES256 or RS256 is expected: {why}", .path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// Whose tokens count, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// File with the shop's public keys, a JSON Web Key Set.
    pub keys: PathBuf,
    /// What the shop calls itself (`iss`).
    pub issuer: String,
    /// What it calls this service (`aud`).
    pub audience: String,
}

/// The shop, with its keys at present.
pub(crate) struct Shop {
    trust: Trust,
    keys: RwLock<Arc<Vec<Key>>>,
}

/// A token that does not count, and why: for the log, not for whoever sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Untrusted {
    #[error("it is no JWT that is read here")]
    Form,
    #[error("its algorithm is none of EdDSA, ES256 and RS256, or not that of the key")]
    Algorithm,
    #[error("no key of the shop has its name")]
    Key,
    #[error("its signature is wrong")]
    Signature,
    #[error("its issuer or audience is another one")]
    Meant,
    #[error("its time is over")]
    Over,
    #[error("its time has not begun")]
    Early,
    #[error("what it says of the account or its grants cannot be used")]
    Claims,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that have to be understood; none is.
    crit: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    #[serde(default)]
    grants: Vec<GrantClaim>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantClaim {
    offer: String,
    reference: String,
    from: Option<String>,
    until: Option<String>,
}

impl Shop {
    /// Reads the keys.
    pub(crate) fn read(trust: Trust) -> Result<Self, KeysError> {
        let keys = RwLock::new(Arc::new(read_keys(&trust.keys)?));
        Ok(Self { trust, keys })
    }

    /// Takes over keys that were changed; true if they are other ones. Those before stay where the file cannot be used.
    pub(crate) fn reload(&self) -> Result<bool, KeysError> {
        let keys = Arc::new(read_keys(&self.trust.keys)?);
        let mut held = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let changed = *held != keys;
        *held = keys;
        Ok(changed)
    }

    /// What a token says, if it is the shop's, for this service, and good at `now`, seconds UTC. Nothing of it is believed before its
    /// signature was verified; which algorithm verifies it says the key.
    pub(crate) fn verify(&self, token: &str, now: i64) -> Result<Sold, Untrusted> {
        let (signed, signature) = token.rsplit_once('.').filter(|_| token.len() <= MAX_LEN).ok_or(Untrusted::Form)?;
        let (header, claims) = signed.split_once('.').ok_or(Untrusted::Form)?;
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Untrusted::Form);
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| Untrusted::Form)?;
        if header.crit.is_some() {
            return Err(Untrusted::Form);
        }
        let algorithm = Algorithm::of_name(&header.alg).ok_or(Untrusted::Algorithm)?;
        let (claims, signature) = (decode(claims)?, decode(signature)?);
        let keys = Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner));
        let mut named = keys.iter().filter(|key| header.kid.is_none() || key.id == header.kid).peekable();
        named.peek().ok_or(Untrusted::Key)?;
        let mut fitting = named.filter(|key| key.algorithm() == algorithm).peekable();
        fitting.peek().ok_or(Untrusted::Algorithm)?;
        if !fitting.any(|key| key.verifies(signed.as_bytes(), &signature)) {
            return Err(Untrusted::Signature);
        }
        let claims: Claims = serde_json::from_slice(&claims).map_err(|_| Untrusted::Claims)?;
        self.meant(&claims, now)?;
        said(claims)
    }

    fn meant(&self, claims: &Claims, now: i64) -> Result<(), Untrusted> {
        let is_ours = |name: &String| *name == self.trust.audience;
        let for_us = match &claims.aud {
            Audience::One(name) => is_ours(name),
            Audience::Several(names) => names.iter().any(is_ours),
        };
        if claims.iss != self.trust.issuer || !for_us {
            return Err(Untrusted::Meant);
        }
        let now = now as f64;
        if now >= claims.exp + SKEW as f64 {
            return Err(Untrusted::Over);
        }
        match claims.nbf {
            Some(begin) if begin > now + SKEW as f64 => Err(Untrusted::Early),
            _ => Ok(()),
        }
    }
}

fn said(claims: Claims) -> Result<Sold, Untrusted> {
    if !is_name(&claims.sub) || claims.grants.len() > MAX_GRANTS {
        return Err(Untrusted::Claims);
    }
    let time = |text: Option<String>| match text {
        None => Ok(None),
        Some(text) => parse_rfc3339(&text).map(Some).ok_or(Untrusted::Claims),
    };
    let grant = |GrantClaim { offer, reference, from, until }: GrantClaim| {
        let (from, until) = (time(from)?, time(until)?);
        let is_good = is_name(&offer) && is_name(&reference) && reference.len() <= MAX_REFERENCE;
        is_good.then_some(SoldGrant { offer, reference, from, until }).ok_or(Untrusted::Claims)
    };
    let grants: BTreeMap<(String, String), SoldGrant> = claims
        .grants
        .into_iter()
        .map(|claim| grant(claim).map(|grant| ((grant.offer.clone(), grant.reference.clone()), grant)))
        .collect::<Result<_, _>>()?;
    Ok(Sold { account: claims.sub, grants: grants.into_values().collect() })
}

fn read_keys(path: &Path) -> Result<Vec<Key>, KeysError> {
    use std::io::Read as _;
    let at = |source| KeysError::File { path: path.to_owned(), source };
    let mut text = String::new();
    std::fs::File::open(path).map_err(at)?.take(MAX_FILE + 1).read_to_string(&mut text).map_err(at)?;
    if text.len() as u64 > MAX_FILE {
        return Err(at(std::io::Error::from(std::io::ErrorKind::FileTooLarge)));
    }
    let keys = jwk::read(&text).map_err(|why| KeysError::Keys { path: path.to_owned(), why })?;
    match keys.len() {
        1..=MAX_KEYS => Ok(keys),
        count => Err(KeysError::Keys { path: path.to_owned(), why: format!("there are {count}") }),
    }
}

/// The token of an `Authorization` header, if it has the form of a JWT.
pub(crate) fn token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && token.matches('.').count() == 2).then_some(token)
}

#[cfg(test)]
mod tests;
