//! What fuzz targets need from inside, compiled for them and for tests alone: an owner's input, and a whole service without HTTP.
#![allow(missing_docs)]

use crate::catalogue::speke;
use crate::clock::SystemClock;
use crate::folder::DataFolder;
use crate::limits::Daily;
use crate::pace::Pace;
use crate::policy::{self, Facts};
use crate::problem::Fault;
use crate::quota::Quotas;
use crate::roles::{
    give_back::give_back, individualize::individualize, issue::issue, mailbox::mailbox, manage, renew::renew,
    revocations::revocations,
};
use crate::service::{Measure, Presence, Service, open_database};
use crate::shop::Shop;
use crate::source::Source;
use crate::store::Database;
use std::net::Ipv4Addr;
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};
use wmlicense_wire::certificate::{Directory, Role};
use wmlicense_wire::id::{Kid, Lid, ServiceId, SignerId, UserId};
use wmlicense_wire::policy::{LicenseKind, Policy};
use wmlicense_wire::request::Body;
use zeroize::Zeroizing;

/// The policies that terms in JSON become, with the shortest and the longest title, where they are accepted.
pub fn policies(text: &str) -> Option<Vec<Policy>> {
    let terms = policy::parse(text).ok()?;
    let facts = |kind, title: Option<String>| Facts {
        lid: Lid::new([1; 16]),
        kid: Kid::new([2; 16]),
        kind,
        root_kid: terms.subscription.is_some().then(|| Kid::new([3; 16])),
        issuer: ServiceId::new([4; 16]),
        management: Some(ServiceId::new([5; 16])),
        revocation: Some(SignerId::new([6; 32])),
        title,
        user: Some(UserId::new([7; 16])),
        first_issued: i64::MAX,
        replaces: Some(Lid::new([8; 16])),
    };
    let longest = || Some("x".repeat(crate::catalogue::MAX_TITLE_LEN));
    let each = [(LicenseKind::Content, None), (LicenseKind::Root, longest()), (LicenseKind::Leaf, longest())];
    Some(each.into_iter().map(|(kind, title)| terms.policy(facts(kind, title))).collect())
}

/// A key of RFC 8037, with which nobody who tries tokens signs.
const SHOP_KEYS: &[u8] =
    br#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

/// True if a token is believed to be a shop's that did not sign it, or one is by keys that came with it.
pub fn is_shops(token: &str) -> bool {
    Shop::of(SHOP_KEYS).is_some_and(|shop| shop.verify(token, 0).is_ok())
}

/// Reads the keys of a shop.
pub fn shop_keys(bytes: &[u8]) -> bool {
    Shop::of(bytes).is_some_and(|shop| shop.verify("e30.e30.", 0).is_ok())
}

/// Reads a query and a body as each route of the owner's API does.
pub fn api_requests(text: &str) -> usize {
    crate::http::api_requests(text)
}

/// The titles of a file of content keys, where it is accepted.
pub fn titles(bytes: &[u8]) -> Option<Vec<Option<String>>> {
    crate::catalogue::read(bytes, None).ok().map(|list| list.keys.into_iter().map(|entry| entry.title).collect())
}

/// How many key IDs the request of a page names, where it is accepted.
pub fn keys_of_page(bytes: &[u8]) -> Option<usize> {
    crate::clear_key::read(bytes).ok().map(|kids| kids.len())
}

/// How many keys the document of a packager asks for, where it is accepted, and what it is answered.
pub fn keys_of_packager(bytes: &[u8], is_newer: bool) -> Option<(usize, Result<String, String>)> {
    let version = if is_newer { speke::Version::TwoOne } else { speke::Version::Two };
    let asked = speke::read(bytes, version).ok()?;
    let key = |kid: &Kid| (*kid, Zeroizing::new(*kid.as_bytes()));
    let answer = asked.fill(&asked.kids.iter().map(key).collect());
    Some((asked.kids.len(), answer.map(|text| text.to_string()).map_err(|unfit| unfit.to_string())))
}

/// True for the XML of a CPIX document.
pub fn is_cpix(text: &str) -> bool {
    crate::catalogue::read(text.as_bytes(), None).is_ok() || text.contains("EncryptedValue")
}

pub fn date(text: &str) -> Option<i64> {
    policy::parse_rfc3339(text)
}

pub fn date_text(seconds: i64) -> String {
    policy::to_rfc3339(seconds)
}

pub fn led_back(query: &str) -> Option<String> {
    crate::http::led_back(query)
}

/// A service in a folder, without HTTP.
pub struct BareService {
    runtime: Runtime,
    service: Arc<Service>,
}

impl BareService {
    /// The service of a folder that commands filled, in all its roles.
    pub fn open(folder: DataFolder) -> Option<Self> {
        let presence = Presence {
            public_url: "https://a.example".to_owned(),
            is_said: true,
            support_url: "https://a.example/support".to_owned(),
            privacy_url: None,
            terms_url: None,
            poll_seconds: 5,
        };
        let clock = Arc::new(SystemClock);
        let runtime = Builder::new_current_thread().enable_all().build().ok()?;
        let store = runtime.block_on(open_database(&folder, &Database::Sqlite(folder.database()), false)).ok()?;
        let (pace, quotas) = (Pace::new(None), Quotas::new(&Daily::default()));
        let measure = Measure { pace, quotas, epoch_period: 3600 };
        let service = Service::open(folder, store, Role::ALL.to_vec(), presence, measure, clock).ok()?;
        Some(Self { runtime, service: Arc::new(service) })
    }

    /// Certificates of the roles.
    pub fn directory(&self) -> Directory {
        self.service.keyring().directory.clone()
    }

    /// Answers a request of this kind. `Err` is a problem: true if it is the service's own failure.
    pub fn post(&self, body: &Body, bytes: Vec<u8>) -> Result<Vec<u8>, bool> {
        let (service, source) = (Arc::clone(&self.service), Source::of(Ipv4Addr::LOCALHOST.into()));
        let answer = async {
            match body {
                Body::Individualize { .. } => individualize(service, bytes, source).await,
                Body::Licenses { .. } => issue(service, bytes, None, source).await,
                Body::Renewals { .. } => renew(service, bytes, None, source).await,
                Body::Returns { .. } => give_back(service, bytes, source).await,
                Body::RestorePreview { .. } => manage::preview(service, bytes, None, source).await,
                Body::Restore { .. } => manage::restore(service, bytes, None, source).await,
                Body::Mailbox { .. } => mailbox(service, bytes, source).await,
                Body::Revocations { .. } => revocations(service, bytes, source).await.map(Option::unwrap_or_default),
            }
        };
        self.runtime.block_on(answer).map_err(|fault| matches!(fault, Fault::Internal))
    }
}
