//! Account tokens that the owner's own shop signs (JWT, RFC 7519): with which keys, and what a token that is good says. What becomes
//! of that is in `store/`.

mod jwk;

use crate::fetch::{FetchError, fetch};
use crate::policy::parse_rfc3339;
use crate::rules::accounts::is_name;
use crate::rules::shop::{Sold, SoldGrant};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jwk::{Algorithm, Key};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

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

/// How old keys become before they are read again: of a file, and of an address.
const FILE_AGE: Duration = Duration::from_secs(60);
const FETCHED_AGE: Duration = Duration::from_secs(300);
/// The same where a token names a key that is not known, or nothing was fetched yet: whoever sends such tokens makes the shop be
/// asked no more often.
const WANTED_AGE: Duration = Duration::from_secs(30);
/// Longest time of a fetch.
const FETCH_TIME: Duration = Duration::from_secs(10);

/// The keys of a shop cannot be used.
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
    /// They cannot be fetched.
    #[error("{url}: {source}")]
    Fetch {
        /// The address.
        url: String,
        /// What became of it.
        source: FetchError,
    },
    /// They are no set of keys.
    #[error(
        "{place}: a JSON Web Key Set with 1 to {MAX_KEYS} public keys for EdDSA, ES256 or RS256 is expected: {why}"
    )]
    Keys {
        /// The file or the address.
        place: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Where the shop's public keys are, a JSON Web Key Set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeysPlace {
    /// In a file.
    File(PathBuf),
    /// At an address, over TLS or on this machine.
    Url(String),
}

/// Whose tokens count, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// Where its public keys are.
    pub keys: KeysPlace,
    /// What the shop calls itself (`iss`).
    pub issuer: String,
    /// What it calls this service (`aud`).
    pub audience: String,
}

/// The shop, with its keys at present.
pub(crate) struct Shop {
    trust: Trust,
    keys: RwLock<Arc<Vec<Key>>>,
    /// When they were read last, or were tried to be.
    tried: Mutex<Instant>,
    /// A token named a key that is not known.
    wanted: AtomicBool,
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
    uses: Option<u32>,
    devices: Option<u32>,
}

impl Shop {
    /// Reads the keys. Without those of a file nothing begins; those of an address may come later.
    pub(crate) async fn open(trust: Trust) -> Result<Self, KeysError> {
        let keys = match (read_keys(&trust.keys).await, &trust.keys) {
            (Err(error), KeysPlace::Url(_)) => {
                tracing::error!(%error, "the shop's keys are not there yet, and its tokens are refused until they are");
                Vec::new()
            }
            (read, _) => read?,
        };
        let (keys, tried) = (RwLock::new(Arc::new(keys)), Mutex::new(Instant::now()));
        Ok(Self { trust, keys, tried, wanted: AtomicBool::new(false) })
    }

    /// A shop whose keys are these, where they are some.
    #[cfg(any(fuzzing, test))]
    pub(crate) fn of(keys: &[u8]) -> Option<Self> {
        let keys = jwk::read(keys).ok().filter(|keys| !keys.is_empty())?;
        let place = KeysPlace::File(PathBuf::new());
        let trust = Trust { keys: place, issuer: "shop".to_owned(), audience: "licenses".to_owned() };
        let (keys, tried) = (RwLock::new(Arc::new(keys)), Mutex::new(Instant::now()));
        Some(Self { trust, keys, tried, wanted: AtomicBool::new(false) })
    }

    fn keys(&self) -> Arc<Vec<Key>> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// True once the keys are old enough to be read again; whoever is told so does it.
    pub(crate) fn is_due(&self, anyway: bool) -> bool {
        let wanted = self.wanted.load(Ordering::Relaxed) || self.keys().is_empty();
        let age = match &self.trust.keys {
            KeysPlace::File(_) => FILE_AGE,
            KeysPlace::Url(_) if wanted => WANTED_AGE,
            KeysPlace::Url(_) => FETCHED_AGE,
        };
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        let due = anyway || tried.elapsed() >= age;
        if due {
            *tried = Instant::now();
        }
        due
    }

    /// Takes over keys that were changed; true if they are other ones. Those before stay where the new ones cannot be used.
    pub(crate) async fn reload(&self) -> Result<bool, KeysError> {
        let keys = Arc::new(read_keys(&self.trust.keys).await?);
        self.wanted.store(false, Ordering::Relaxed);
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
        let keys = self.keys();
        let mut named = keys.iter().filter(|key| header.kid.is_none() || key.id == header.kid).peekable();
        if named.peek().is_none() {
            self.wanted.store(true, Ordering::Relaxed);
            return Err(Untrusted::Key);
        }
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
    let grant = |GrantClaim { offer, reference, from, until, uses, devices }: GrantClaim| {
        let (from, until) = (time(from)?, time(until)?);
        let is_named = is_name(&offer) && is_name(&reference) && reference.len() <= MAX_REFERENCE;
        let is_good = is_named && uses != Some(0);
        // As everywhere, 0 devices are as many as there are.
        let devices = devices.filter(|devices| *devices > 0);
        is_good.then_some(SoldGrant { offer, reference, from, until, uses, devices }).ok_or(Untrusted::Claims)
    };
    let grants: BTreeMap<(String, String), SoldGrant> = claims
        .grants
        .into_iter()
        .map(|claim| grant(claim).map(|grant| ((grant.offer.clone(), grant.reference.clone()), grant)))
        .collect::<Result<_, _>>()?;
    Ok(Sold { account: claims.sub, grants: grants.into_values().collect() })
}

async fn read_keys(place: &KeysPlace) -> Result<Vec<Key>, KeysError> {
    let (text, place) = match place {
        KeysPlace::File(path) => (read_file(path)?, path.display().to_string()),
        KeysPlace::Url(url) => {
            let fetched = fetch(url, MAX_FILE as usize, FETCH_TIME).await;
            (fetched.map_err(|source| KeysError::Fetch { url: url.clone(), source })?, url.clone())
        }
    };
    let keys = match jwk::read(&text) {
        Ok(keys) => keys,
        Err(why) => return Err(KeysError::Keys { place, why }),
    };
    match keys.len() {
        1..=MAX_KEYS => Ok(keys),
        count => Err(KeysError::Keys { place, why: format!("there are {count}") }),
    }
}

fn read_file(path: &Path) -> Result<Vec<u8>, KeysError> {
    let at = |source| KeysError::File { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    File::open(path).map_err(at)?.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(at)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(at(io::Error::from(io::ErrorKind::FileTooLarge)));
    }
    Ok(bytes)
}

/// The token of an `Authorization` header, if it has the form of a JWT.
pub(crate) fn token(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && token.matches('.').count() == 2).then_some(token)
}

#[cfg(test)]
mod tests;
