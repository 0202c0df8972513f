//! What the page of a delivery holds: what its licenses are. What becomes of a delivered license is decided in the files beside.

use super::delivered::{DeliveryRow, PageRow};
use super::licenses::{Issued, NewLicense};
use super::rows::{LicenseRow, SeatRow};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use wmlicense_wire::cbor::{self, read, write};
use wmlicense_wire::id::{Digest, Kid, Lid};
use wmlicense_wire::policy::Policy;
use wmlicense_wire::request::MAX_LICENSES;

/// Terms on one page at most.
const MAX_TERMS: usize = MAX_LICENSES;
/// Bytes of pages that are kept in memory, as they are in the database.
const KEPT_BYTES: usize = 16 * 1024 * 1024;
/// Fewer licenses than this get rows of their own: the rows of a device's deliveries are read with each of its requests.
pub(crate) const MIN_DELIVERED: usize = 32;

/// What the licenses of deliveries are: the same for all devices that got the same at the same state of what is offered.
pub(crate) struct Page {
    pub(crate) hash: Digest,
    /// In their order.
    pub(crate) kids: Vec<Kid>,
    /// With the hash of each, without what differs from license to license.
    terms: Vec<(Digest, Policy)>,
    /// By place.
    of: Vec<u16>,
    titles: Vec<Option<Box<str>>>,
    /// As it is in the database.
    bytes: usize,
}

/// Terms without what differs from license to license: their hash is that of the terms.
fn neutral(policy: &Policy) -> Policy {
    let (lid, kid) = (Lid::new([0; Lid::LEN]), Kid::new([0; Kid::LEN]));
    Policy { lid, kid, title: None, user: None, first_issued: 0, replaces: None, ..policy.clone() }
}

fn hash(kids: &[u8], about: &[u8]) -> Digest {
    Digest::of(&write::array([write::bytes(kids), about.to_vec()]))
}

impl PageRow {
    /// The page of licenses in the order of their key IDs.
    pub(crate) fn of(licenses: &[(Policy, NewLicense)]) -> Self {
        let (mut terms, mut known, mut of) = (Vec::new(), HashMap::new(), Vec::with_capacity(licenses.len() * 2));
        for (policy, license) in licenses {
            let place = *known.entry(license.issued.terms).or_insert_with(|| {
                terms.push(write::bytes(neutral(policy).encode()));
                terms.len() - 1
            });
            of.extend_from_slice(&(place as u16).to_be_bytes());
        }
        let policies = licenses.iter().map(|(policy, _)| policy);
        let titles = policies.clone().map(|policy| policy.title.as_deref().map_or_else(write::null, write::text));
        let about = write::array([write::array(&terms), write::bytes(&of), write::array(titles)]);
        let kids: Vec<u8> = policies.flat_map(|policy| *policy.kid.as_bytes()).collect();
        Self { hash: hash(&kids, &about), kids, about }
    }
}

impl Page {
    /// Reads a page; none if it is damaged.
    fn read(row: &PageRow) -> Option<Self> {
        if hash(&row.kids, &row.about) != row.hash {
            return None;
        }
        let (kids, rest) = row.kids.as_chunks::<{ Kid::LEN }>();
        let kids: Vec<Kid> = kids.iter().map(|kid| Kid::new(*kid)).collect();
        cbor::check(&row.about).ok()?;
        let [terms, of, titles] = read::tuple(&row.about)?;
        let terms = read::array(MAX_TERMS, |raw| {
            let bytes = read::bytes(raw)?;
            Some((Digest::of(bytes), Policy::decode(bytes).ok()?))
        })(terms)?;
        let of: Vec<u16> = read::bytes(of)?.as_chunks::<2>().0.iter().map(|place| u16::from_be_bytes(*place)).collect();
        let title = |raw| if read::is_null(raw) { Some(None) } else { read::text(raw).map(|text| Some(text.into())) };
        let titles: Vec<Option<Box<str>>> = read::array(MAX_LICENSES, title)(titles)?;
        let in_order = kids.is_sorted_by(|kid, next| kid < next);
        let whole = rest.is_empty() && in_order && of.len() == kids.len() && titles.len() == kids.len();
        let known = of.iter().all(|place| usize::from(*place) < terms.len());
        let bytes = row.kids.len() + row.about.len();
        (whole && known).then_some(Self { hash: row.hash, kids, terms, of, titles, bytes })
    }

    /// The place of a key ID.
    pub(crate) fn place(&self, kid: Kid) -> Option<u32> {
        self.kids.binary_search(&kid).ok().map(|place| place as u32)
    }

    /// Hash of the terms at a place.
    fn terms(&self, place: u32) -> Option<Digest> {
        Some(self.terms.get(usize::from(*self.of.get(place as usize)?))?.0)
    }

    /// The policy at a place of a delivery, the same bytes as the device got.
    pub(crate) fn policy(&self, delivery: &DeliveryRow, place: u32) -> Option<Policy> {
        let at = place as usize;
        let (_, terms) = self.terms.get(usize::from(*self.of.get(at)?))?;
        Some(Policy {
            lid: delivery.lid(place),
            kid: *self.kids.get(at)?,
            title: self.titles.get(at)?.as_deref().map(str::to_owned),
            user: delivery.user,
            first_issued: delivery.issued_at,
            ..terms.clone()
        })
    }

    /// The license at a place of a delivery as its row would say it.
    pub(crate) fn license(&self, delivery: &DeliveryRow, place: u32) -> Option<LicenseRow> {
        Some(LicenseRow {
            user: delivery.user,
            lid: delivery.lid(place),
            terms: self.terms(place)?,
            policy: self.policy(delivery, place)?.encode(),
            withdrawn: delivery.withdrawn,
            returned_at: None,
        })
    }

    /// The seat of the device that it was delivered to as its row would say it.
    pub(crate) fn seat(&self, delivery: &DeliveryRow, place: u32) -> Option<SeatRow> {
        Some(SeatRow {
            lid: delivery.lid(place),
            device: delivery.device,
            kid: *self.kids.get(place as usize)?,
            restored: false,
            elsewhere: false,
            since: delivery.issued_at,
            line: None,
            returned_at: None,
            freed: false,
            withdrawn: None,
        })
    }

    /// The license at a place to be written down in rows of its own.
    pub(crate) fn own(&self, delivery: &DeliveryRow, place: u32) -> Option<NewLicense> {
        let LicenseRow { user, lid, terms, policy, .. } = self.license(delivery, place)?;
        let (kid, issued) = (*self.kids.get(place as usize)?, Issued::new(lid, terms, policy));
        Some(NewLicense { kid, user, issued, replaces: None, line: None, state: None })
    }

    /// What a delivery says of its page or of itself that is not so.
    pub(crate) fn contradicted(&self, delivery: &DeliveryRow) -> Option<&'static str> {
        let ends = self.kids.first().zip(self.kids.last());
        match delivery {
            _ if self.kids.len() != delivery.count as usize => Some("it counts other licenses than its page has"),
            _ if ends.is_none_or(|(first, last)| (*first, *last) != delivery.kids) => {
                Some("its page begins or ends with another key ID")
            }
            _ if delivery.places().count() != delivery.live as usize => {
                Some("it counts other licenses without rows of their own than it has")
            }
            _ => None,
        }
    }
}

/// Pages that were read. Each is found by the hash of its bytes, so that whoever asks for one gets the same, whatever the database.
#[derive(Default)]
struct Known {
    pages: HashMap<Digest, (Arc<Page>, u64)>,
    /// Of all of them.
    bytes: usize,
    /// Counts uses.
    clock: u64,
}

fn known() -> std::sync::MutexGuard<'static, Known> {
    static KNOWN: OnceLock<Mutex<Known>> = OnceLock::new();
    KNOWN.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

/// A page that is in memory.
pub(crate) fn known_page(hash: Digest) -> Option<Arc<Page>> {
    let mut known = known();
    known.clock += 1;
    let clock = known.clock;
    let (page, used) = known.pages.get_mut(&hash)?;
    *used = clock;
    Some(Arc::clone(page))
}

/// Reads a page and keeps it in memory, in place of the one that was not used for longest; none if it is damaged.
pub(crate) fn keep_page(row: &PageRow) -> Option<Arc<Page>> {
    let page = Arc::new(Page::read(row)?);
    let mut known = known();
    known.clock += 1;
    let clock = known.clock;
    if let Some((before, _)) = known.pages.insert(page.hash, (Arc::clone(&page), clock)) {
        known.bytes -= before.bytes;
    }
    known.bytes += page.bytes;
    while known.bytes > KEPT_BYTES {
        let oldest = known.pages.iter().min_by_key(|(_, (_, used))| *used).map(|(hash, _)| *hash);
        let Some((gone, _)) = oldest.and_then(|hash| known.pages.remove(&hash)) else { break };
        known.bytes -= gone.bytes;
    }
    Some(page)
}
