//! One license for one key ID: may the account have it, on which terms, and is it the license that the device has already.

use super::super::ask::Consent;
use super::super::entitlement::may_have;
use super::super::role_key;
use crate::accounts::Account;
use crate::keyring::Keyring;
use crate::policy::{Facts, Renewal, Terms, carried, known_state, over, parse};
use crate::problem::Fault;
use crate::rules::delivered::DeliveryId;
use crate::rules::granted::{GrantId, Right};
use crate::rules::ledger::{Share, share};
use crate::rules::licenses::holder;
use crate::service::Service;
use crate::store::{Content, HandedOut, Issued, NewLicense, Offered, Part, UsesOut};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use wmlicense_wire::answer::{Grant, Reason};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{DeviceId, Digest, Id, Kid, Lid, UserId};
use wmlicense_wire::license::{InnerKey, State};
use wmlicense_wire::policy::{LicenseKind, Policy};
use wmlicense_wire::revocation::Rule;

/// Bytes at the front of a license ID, or of that of a delivery, that are the low bytes of the seconds UTC at which it was made.
const LID_TIME_LEN: usize = 4;

/// Grants licenses of one answer.
pub(crate) struct Granter {
    pub(crate) service: Arc<Service>,
    pub(crate) keyring: Arc<Keyring>,
    /// Who asks.
    pub(crate) account: Option<Account>,
    /// For which device.
    pub(crate) device: DeviceId,
    /// The user's word, where it was asked for.
    pub(crate) consent: Option<Consent>,
    /// The device was copied too often to be given what counts.
    pub(crate) copied: bool,
    /// Lines of the licenses that the device tells that it has.
    pub(crate) told: Arc<HashSet<Lid>>,
    /// Seconds UTC.
    pub(crate) now: i64,
}

/// Why there is no license at present.
pub(crate) enum NotGranted {
    /// It is refused.
    Refused(Reason),
    /// The user must act first.
    AskUser,
    /// The device had it before, and got it again as often as a year allows; from this time on it may once more.
    TooOften(i64),
    /// The account has it from this time on.
    NotYet(i64),
}

impl NotGranted {
    /// Why, and from when on it may be granted where time alone helps. A request without a page has no other way to ask the
    /// user than to refuse.
    pub(crate) fn reason(&self) -> (Reason, Option<i64>) {
        match self {
            Self::Refused(reason) => (*reason, None),
            Self::AskUser => (Reason::UserMustAct, None),
            Self::TooOften(again) => (Reason::GrantedTooOften, Some(*again)),
            Self::NotYet(from) => (Reason::NotEntitled, Some(*from)),
        }
    }
}

impl From<Reason> for NotGranted {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason)
    }
}

/// A license to put into an answer.
pub(crate) struct Granted {
    pub(crate) grant: Grant,
    /// The row to write where it is a new one.
    pub(crate) license: Option<NewLicense>,
    /// What to book where the device had it.
    pub(crate) again: Option<HandedOut>,
    /// Uses of its account that it takes out.
    pub(crate) uses: Option<UsesOut>,
    /// The grant that it is the device's first license of.
    pub(crate) joins: Option<GrantId>,
    /// It counts, or runs from its first use.
    pub(crate) stateful: bool,
    /// Its terms, where it needs no rows of its own.
    pub(crate) delivered: Option<Policy>,
}

impl Granter {
    /// Whether the account may have the content. With `asks_user` the user must have accepted, and may have named the account
    /// while doing so.
    fn check_entitled(&self, content: &Content, asks_user: bool) -> Result<(), NotGranted> {
        let entitled = may_have(content).map_err(|denied| match denied {
            (_, Some(from)) => NotGranted::NotYet(from),
            (reason, None) => NotGranted::Refused(reason),
        });
        match (entitled, self.consent) {
            (Err(denied), _) if self.account.is_some() => Err(denied),
            // The user may yet name an account.
            (_, None) if asks_user => Err(NotGranted::AskUser),
            (_, Some(Consent::Withheld(reason))) if asks_user => Err(NotGranted::Refused(reason)),
            (entitled, None | Some(_)) => entitled,
        }
    }

    /// The license for a key ID, with the row to write where it is a new one; or why there is none.
    pub(crate) fn grant(
        &self,
        kid: Kid,
        offered: Option<Offered>,
        terms: &mut TermsByName,
    ) -> Result<Result<Granted, NotGranted>, Fault> {
        self.grant_at(kid, offered, terms, None)
    }

    /// As [`Self::grant`]. `place`: the ID of the license where it needs no rows of its own: it is the first one of the device, never
    /// changes what is left of it, and is no subscription.
    pub(crate) fn grant_at(
        &self,
        kid: Kid,
        offered: Option<Offered>,
        terms: &mut TermsByName,
        place: Option<Lid>,
    ) -> Result<Result<Granted, NotGranted>, Fault> {
        let Some(Offered { content, current, taken_back, rules }) = offered else {
            return Ok(Err(NotGranted::Refused(Reason::UnknownContent)));
        };
        if taken_back {
            return Ok(Err(NotGranted::Refused(Reason::Revoked)));
        }
        let user = holder(&content, self.account.map(|account| account.user));
        let known = terms.of(&content)?;
        check(&content, &known.terms, &self.keyring)?;
        let is_plain = current.is_none() && !known.terms.is_stateful() && !matches!(content.part, Part::Root);
        let place = place.filter(|_| is_plain);
        let facts = self.facts(kid, &content, user, current.as_ref(), place)?;
        let hash = *known.hash.get_or_insert_with(|| known.terms.hash(&facts));
        // Whose license has or had these terms agreed to them.
        let agreed = current.as_ref().is_some_and(|license| license.terms == hash);
        if let Err(not_granted) = self.check_entitled(&content, known.terms.asks_user && !agreed) {
            return Ok(Err(not_granted));
        }
        let share = self.share(kid, &content, &known.terms, current.as_ref());
        let is_shared = share.as_ref().is_none_or(Share::stays);
        let stays = |of: &Issued| of.terms == hash && !of.withdrawn && stands(&rules, &of.policy) && is_shared;
        match current {
            // The same terms give the same license, so that asking again resets no counter.
            Some(current) if stays(&current) => self.same(kid, &content, &current),
            current => {
                let (lid, replaces, renewal) = (facts.lid, facts.replaces, known.terms.renewal);
                let terms = known.terms.policy(facts);
                // A rule without a time takes back what it matches for good; after one with a time, another license may follow.
                if rules.iter().any(|rule| rule.matches(&terms)) {
                    return Ok(Err(NotGranted::Refused(Reason::Revoked)));
                }
                let issued = Issued::new(lid, hash, terms.encode());
                let line = current.as_ref().map(|old| old.line);
                let license = NewLicense { kid, user, issued, replaces, line, state: None };
                let granted = self.other(&content, license, &terms, current, (renewal, share))?;
                Ok(granted.map(|granted| Granted { delivered: place.map(|_| terms), ..granted }))
            }
        }
    }

    /// The device's share of the uses of its account, where they are that.
    fn share(&self, kid: Kid, content: &Content, terms: &Terms, current: Option<&Issued>) -> Option<Share> {
        let Right::Granted(grant) = &content.right else { return None };
        let is_shared = terms.is_stateful() && !matches!(content.part, Part::Root);
        let of = (grant.id, kid, self.device);
        is_shared.then(|| share(terms, &content.ledger, of, current.map(|current| current.lid)))
    }

    /// The license that the device has, once more.
    fn same(&self, kid: Kid, content: &Content, current: &Issued) -> Result<Result<Granted, NotGranted>, Fault> {
        let policy = Policy::decode(&current.policy).map_err(|_| {
            tracing::error!("a stored license cannot be read");
            Fault::Internal
        })?;
        let state = known_state(&policy, current.state.as_ref());
        let left = state.clone().unwrap_or_else(|| State::initial(&policy));
        if self.copied && policy.is_stateful() {
            return Ok(Err(NotGranted::Refused(Reason::DeviceCopied)));
        }
        if let Some(reason) = over(&policy, &left, self.now) {
            return Ok(Err(NotGranted::Refused(reason)));
        }
        let is_lost = policy.is_stateful() && !self.told.contains(&current.line);
        if is_lost && current.again.is_too_often() {
            return Ok(Err(NotGranted::TooOften(current.again.from)));
        }
        let again = is_lost.then_some(HandedOut { lid: current.lid, state: left });
        let key = inner_key(&self.service, kid, content, &current.policy)?;
        let grant = Grant { policy: current.policy.clone(), key, state };
        Ok(Ok(Granted {
            grant,
            license: None,
            again,
            uses: None,
            joins: content.joins,
            stateful: policy.is_stateful(),
            delivered: None,
        }))
    }

    /// Another license, in place of `old` where there was one. Neither other terms nor giving a license back make uses undone,
    /// unless the owner says so.
    fn other(
        &self,
        content: &Content,
        license: NewLicense,
        terms: &Policy,
        old: Option<Issued>,
        (renewal, share): (Renewal, Option<Share>),
    ) -> Result<Result<Granted, NotGranted>, Fault> {
        if self.copied && terms.is_stateful() {
            return Ok(Err(NotGranted::Refused(Reason::DeviceCopied)));
        }
        let before = old.as_ref().and_then(|old| Policy::decode(&old.policy).ok());
        let left = old.as_ref().filter(|_| renewal != Renewal::Fresh).and_then(|old| old.state.as_ref());
        let carried = left.and_then(|left| carried(before.as_ref(), left, terms));
        // Uses of an account count by its ledger, whatever this device had before.
        let start = share.as_ref().map_or(carried, |share| Some(share.state.clone()));
        let first = start.clone().unwrap_or_else(|| State::initial(terms));
        let mut again = None;
        if (old.is_some() || share.is_some())
            && let Some(reason) = over(terms, &first, self.now)
        {
            return Ok(Err(NotGranted::Refused(reason)));
        }
        if let Some(old) = &old {
            // What the device was told to drop, or gave back, it need not tell of.
            let counts = terms.is_stateful() && before.is_none_or(|before| before.is_stateful());
            // Of another grant's license nothing goes out again.
            let counts = counts && share.as_ref().is_none_or(|share| share.is_out);
            if counts && !old.withdrawn && !self.told.contains(&old.line) {
                if old.again.is_too_often() {
                    return Ok(Err(NotGranted::TooOften(old.again.from)));
                }
                again = Some(HandedOut { lid: license.issued.lid, state: first });
            }
        }
        let policy = license.issued.policy.clone();
        let key = inner_key(&self.service, license.kid, content, &policy)?;
        let license = NewLicense { state: start.clone(), ..license };
        let grant = Grant { policy, key, state: start };
        let uses = share.and_then(|share| uses_out(content, license.kid, share, license.issued.lid));
        Ok(Ok(Granted {
            grant,
            license: Some(license),
            again,
            uses,
            joins: content.joins,
            stateful: terms.is_stateful(),
            delivered: None,
        }))
    }

    fn facts(
        &self,
        kid: Kid,
        content: &Content,
        user: Option<UserId>,
        current: Option<&Issued>,
        place: Option<Lid>,
    ) -> Result<Facts, Fault> {
        let (kind, root_kid) = match &content.part {
            Part::Content => (LicenseKind::Content, None),
            Part::Root => (LicenseKind::Root, None),
            Part::Leaf(root) => (LicenseKind::Leaf, Some(root.kid)),
        };
        Ok(Facts {
            lid: place.map_or_else(|| new_lid(self.now), Ok)?,
            kid,
            kind,
            root_kid,
            issuer: role_key(&self.keyring, Role::Issuer)?.certificate.service_id,
            management: self.keyring.newest(Role::Management).map(|service| service.service_id),
            revocation: self.keyring.revocation,
            title: content.title.clone(),
            user,
            first_issued: self.now,
            replaces: current.map(|license| license.lid),
        })
    }
}

fn uses_out(content: &Content, kid: Kid, share: Share, lid: Lid) -> Option<UsesOut> {
    let Right::Granted(grant) = &content.right else { return None };
    Some(UsesOut { grant: grant.id, kid, seen: content.ledger.clone(), rows: share.rows(lid) })
}

/// A license ID that sorts near those of the same time, so that tables and indexes by license ID, here and on devices, grow at
/// their end. It tells no more than the policy beside it, which has the time as well; the rest is random.
fn new_lid(now: i64) -> Result<Lid, Fault> {
    Ok(at(Lid::random()?, now))
}

/// An ID of a delivery, made in the same way.
pub(super) fn new_delivery(now: i64) -> Result<DeliveryId, Fault> {
    Ok(at(DeliveryId::random()?, now))
}

fn at<const N: usize, K>(random: Id<N, K>, now: i64) -> Id<N, K> {
    let mut bytes = *random.as_bytes();
    bytes[..LID_TIME_LEN].copy_from_slice(&now.to_be_bytes()[size_of::<i64>() - LID_TIME_LEN..]);
    Id::new(bytes)
}

/// Refuses terms that the service cannot put into a license; they are checked when they are set.
fn check(content: &Content, terms: &Terms, keyring: &Keyring) -> Result<(), Fault> {
    if terms.revocable && keyring.revocation.is_none() {
        tracing::error!("a policy names the revocation key, which is not in the data folder");
        return Err(Fault::Internal);
    }
    if terms.subscription.is_some() != matches!(content.part, Part::Leaf(_)) {
        tracing::error!("a policy names a subscription that does not exist, or a subscription itself");
        return Err(Fault::Internal);
    }
    Ok(())
}

/// What a license for a key ID carries under this policy.
pub(crate) fn inner_key(service: &Service, kid: Kid, content: &Content, policy: &[u8]) -> Result<InnerKey, Fault> {
    let open = |kid, sealed: &[u8]| service.master.open(kid, sealed);
    let own = |kind| InnerKey::new(kind, content.sealed_key.opened(|sealed| open(kid, sealed))?);
    let key = match &content.part {
        Part::Content => own(LicenseKind::Content),
        Part::Root => own(LicenseKind::Root),
        Part::Leaf(root) => own(LicenseKind::Content)
            .zip(open(root.kid, &root.sealed_key).and_then(|key| InnerKey::new(LicenseKind::Root, key)))
            .and_then(|(key, root)| InnerKey::leaf(&root, Digest::of(policy), &key)),
    };
    key.ok_or_else(|| {
        tracing::error!("a key does not open under the master key");
        Fault::Internal
    })
}

/// True if no rule takes a license with this policy back.
fn stands(rules: &[Rule], policy: &[u8]) -> bool {
    rules.is_empty() || Policy::decode(policy).is_ok_and(|policy| !rules.iter().any(|rule| rule.matches(&policy)))
}

/// What terms are known by: that they are a subscription's, the name of their policy, and what a grant bounds.
type TermsKey = (bool, Option<String>, Option<i64>, Option<Option<u32>>);

/// Terms by the name of their policy, each read and hashed once a request.
#[derive(Default)]
pub(crate) struct TermsByName(HashMap<TermsKey, KnownTerms>);

pub(crate) struct KnownTerms {
    pub(crate) terms: Terms,
    hash: Option<Digest>,
}

impl TermsByName {
    pub(crate) fn of(&mut self, content: &Content) -> Result<&mut KnownTerms, Fault> {
        let name = content.policy.as_ref().map(|policy| policy.0.clone());
        // A subscription and its leaves may share the name of their terms where neither has any.
        let is_root = matches!(content.part, Part::Root);
        let (until, uses) = content.bounds();
        match self.0.entry((is_root, name, until, uses)) {
            std::collections::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(free) => {
                let terms = match &content.policy {
                    None => Terms::of_no_policy(),
                    Some(policy) => parse(&policy.1).map_err(|_| {
                        tracing::error!("a stored policy cannot be read");
                        Fault::Internal
                    })?,
                };
                Ok(free.insert(KnownTerms { terms: content.bound(terms), hash: None }))
            }
        }
    }
}
