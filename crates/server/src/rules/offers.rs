//! Offers and grants: which account may have what, on which terms. Every way to a license asks [`Rights::settle`], over the rows
//! of its own transaction.

use super::content::{Content, NamedPolicy, Part, RootKey};
use super::granted::{GrantDevice, GrantId, GrantRow, OFFERS_ONLY, Right};
use super::ledger::{LedgerRow, is_spent};
use super::rows::{Openness, ScopeRow};
use crate::clear_key::is_page;
use crate::policy::{Terms, parse};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use wmlicense_wire::answer::Reason;
use wmlicense_wire::id::{DeviceId, Kid, UserId};
use wmlicense_wire::policy::Policy;

/// An offer as requests meet it.
#[derive(Debug, Clone)]
pub(crate) struct OfferRow {
    pub(crate) name: String,
    pub(crate) policy: Option<NamedPolicy>,
    /// The subscription that its licenses are leaves of.
    pub(crate) root: Option<RootKey>,
    pub(crate) open: bool,
    pub(crate) scopes: Vec<String>,
    /// It names key IDs.
    pub(crate) names_kids: bool,
    /// Number of the last change to it or its policy.
    pub(crate) changed: i64,
}

impl OfferRow {
    /// Its licenses are of this subscription, or are this subscription.
    fn is_of(&self, root: Kid) -> bool {
        self.root.as_ref().is_some_and(|own| own.kid == root)
    }
}

/// How terms compare; what comes first gives the license.
type Order = (bool, bool, Reverse<i64>, bool, Reverse<i64>);

/// One way to content.
struct Way {
    right: Right,
    /// None: the content's own terms.
    offer: Option<usize>,
}

/// What accounts have, as far as requests ask.
#[derive(Default)]
pub(crate) struct Rights {
    scopes: HashMap<UserId, HashSet<String>>,
    /// Those that are not over.
    grants: HashMap<UserId, Vec<GrantRow>>,
    /// In the order of their names.
    offers: Vec<OfferRow>,
    /// Offers by the key IDs that they name.
    named: HashMap<Kid, HashSet<String>>,
    /// Terms that were read, by the names of their policies.
    terms: HashMap<Option<String>, Terms>,
    /// Uses of accounts, the devices that have something of grants, and the device that asks for some.
    ledger: HashMap<(GrantId, Kid), Vec<LedgerRow>>,
    devices: HashMap<GrantId, HashSet<DeviceId>>,
    device: Option<DeviceId>,
    now: i64,
}

impl Rights {
    pub(crate) fn of(scopes: Vec<ScopeRow>, grants: Vec<GrantRow>, mut offers: Vec<OfferRow>, now: i64) -> Self {
        offers.sort_by(|a, b| a.name.cmp(&b.name));
        let mut rights = Self { offers, now, ..Self::default() };
        for ScopeRow { user, scope, changed: _ } in scopes.into_iter().filter(|row| row.scope != OFFERS_ONLY) {
            rights.scopes.entry(user).or_default().insert(scope);
        }
        for grant in grants.into_iter().filter(|grant| !grant.is_over(now)) {
            rights.grants.entry(grant.user).or_default().push(grant);
        }
        rights
    }

    /// Adds which key IDs offers name.
    pub(crate) fn with_named(mut self, named: Vec<(String, Kid)>) -> Self {
        for (offer, kid) in named {
            self.named.entry(kid).or_default().insert(offer);
        }
        self
    }

    /// Adds what is kept of uses and of devices, and the device that asks.
    pub(crate) fn on_device(mut self, device: DeviceId, ledger: Vec<LedgerRow>, devices: Vec<GrantDevice>) -> Self {
        for GrantDevice { grant, device, .. } in devices {
            self.devices.entry(grant).or_default().insert(device);
        }
        for row in ledger {
            self.ledger.entry((row.grant, row.kid)).or_default().push(row);
        }
        Self { device: Some(device), ..self }
    }

    /// All grants.
    pub(crate) fn granted(&self) -> Vec<GrantId> {
        self.grants.values().flatten().map(|grant| grant.id).collect()
    }

    /// Offers that name key IDs and that somebody here may have.
    pub(crate) fn naming(&self) -> Vec<String> {
        self.offers.iter().filter(|offer| offer.names_kids).map(|offer| offer.name.clone()).collect()
    }

    fn covers(&self, offer: &OfferRow, kid: Kid, scope: Option<&str>) -> bool {
        offer.is_of(kid)
            || scope.is_some_and(|scope| offer.scopes.iter().any(|of| of == scope))
            || self.named.get(&kid).is_some_and(|names| names.contains(&offer.name))
    }

    fn offer(&self, name: &str) -> Option<(usize, &OfferRow)> {
        let at = self.offers.binary_search_by(|offer| offer.name.as_str().cmp(name)).ok()?;
        Some((at, self.offers.get(at)?))
    }

    /// The grants of an account, with their offers.
    fn grants_of(&self, user: Option<UserId>) -> impl Iterator<Item = (&GrantRow, usize, &OfferRow)> {
        let grants = user.and_then(|user| self.grants.get(&user)).into_iter().flatten();
        grants.filter_map(|grant| self.offer(&grant.offer).map(|(at, offer)| (grant, at, offer)))
    }

    /// True if the device that asks has something of a grant already. Who asks with none is not counted.
    fn is_on_device(&self, grant: &GrantRow) -> bool {
        let devices = self.devices.get(&grant.id);
        self.device.is_none_or(|device| devices.is_some_and(|devices| devices.contains(&device)))
    }

    /// True if a grant counts, and has room for the device that asks.
    fn serves(&self, grant: &GrantRow) -> bool {
        let devices = self.devices.get(&grant.id).map_or(0, HashSet::len);
        grant.counts(self.now) && (self.is_on_device(grant) || has_room(grant, devices))
    }

    fn has_scope(&self, user: Option<UserId>, scope: &str) -> bool {
        user.and_then(|user| self.scopes.get(&user)).is_some_and(|scopes| scopes.contains(scope))
    }

    /// True if who asks may use leaves of this subscription.
    fn has_root(&self, user: Option<UserId>, root: &RootKey) -> bool {
        root.scope.as_ref().is_none_or(|scope| self.has_scope(user, scope))
            || self.offers.iter().any(|offer| offer.open && self.covers(offer, root.kid, root.scope.as_deref()))
            || self
                .grants_of(user)
                .any(|(grant, _, offer)| self.serves(grant) && self.covers(offer, root.kid, root.scope.as_deref()))
    }

    /// True if an account may have what is offered under a key ID.
    pub(crate) fn allow(&self, user: UserId, kid: Kid, content: &Openness) -> bool {
        let scope = match content {
            // Open content is licensed to nobody, so an account's license for it makes room for one without account.
            Openness::Open => None,
            Openness::Scope(scope) => Some(scope.as_str()),
        };
        scope.is_some_and(|scope| self.has_scope(Some(user), scope))
            || self
                .grants_of(Some(user))
                .any(|(grant, _, offer)| grant.counts(self.now) && self.covers(offer, kid, scope))
    }

    /// True if everybody may have what is offered under a key ID.
    pub(crate) fn allow_all(&self, kid: Kid, content: &Openness) -> bool {
        match content {
            Openness::Open => true,
            Openness::Scope(scope) => {
                self.offers.iter().any(|offer| offer.open && self.covers(offer, kid, Some(scope.as_str())))
            }
        }
    }

    /// Scopes of which an account, or everybody, has all: its own, and those of offers.
    pub(crate) fn all_scopes(&self, user: Option<UserId>) -> HashSet<String> {
        let own = user.and_then(|user| self.scopes.get(&user)).into_iter().flatten();
        let open = self.offers.iter().filter(|offer| offer.open);
        let granted = self.grants_of(user).filter(|(grant, ..)| grant.counts(self.now)).map(|(_, _, offer)| offer);
        own.chain(open.chain(granted).flat_map(|offer| &offer.scopes)).cloned().collect()
    }

    /// Offers that an account, or everybody, has something of beyond scopes: key IDs, or a subscription.
    pub(crate) fn beyond_scopes(&self, user: Option<UserId>) -> Vec<String> {
        let open = self.offers.iter().filter(|offer| offer.open);
        let granted = self.grants_of(user).filter(|(grant, ..)| grant.counts(self.now)).map(|(_, _, offer)| offer);
        let more = open.chain(granted).filter(|offer| offer.names_kids || offer.root.is_some());
        let names: HashSet<&String> = more.map(|offer| &offer.name).collect();
        let mut names: Vec<String> = names.into_iter().cloned().collect();
        names.sort_unstable();
        names
    }

    /// The content as who asks may have it at present: the best of all ways to it gives right, terms and subscription.
    pub(crate) fn settle(&mut self, kid: Kid, content: Content, user: Option<UserId>) -> Content {
        let ways = self.ways(kid, &content, user);
        let latest = ways.iter().map(|way| way.right.grant().and_then(GrantRow::over_at));
        // No end is later than any.
        let latest = latest.max_by_key(|end| end.unwrap_or(i64::MAX)).flatten();
        match self.best(kid, &content, ways) {
            None => self.refused(kid, content, user),
            Some(Way { right, offer }) => {
                let ledger =
                    right.grant().and_then(|grant| self.ledger.get(&(grant.id, kid))).cloned().unwrap_or_default();
                let joins = right.grant().filter(|grant| !self.is_on_device(grant)).map(|grant| grant.id);
                self.on_terms(Content { right, ledger, latest, joins, ..content }, offer)
            }
        }
    }

    /// The best way; most content has one, of which no terms have to be read.
    fn best(&mut self, kid: Kid, content: &Content, mut ways: Vec<Way>) -> Option<Way> {
        if ways.len() < 2 {
            return ways.pop();
        }
        let ordered: Vec<_> = ways.into_iter().map(|way| (self.order(kid, content, &way), way)).collect();
        let best = ordered.into_iter().min_by(|(a, way), (b, other)| {
            let tie = |way: &Way| way.right.grant().map(|grant| (grant.created_at, grant.id));
            a.cmp(b).then_with(|| tie(way).cmp(&tie(other)))
        });
        best.map(|(_, way)| way)
    }

    /// All ways in which who asks may have content.
    fn ways(&self, kid: Kid, content: &Content, user: Option<UserId>) -> Vec<Way> {
        let mut ways = Vec::new();
        let scope = content.scope.as_deref();
        let has_root = match &content.part {
            Part::Leaf(root) => self.has_root(user, root),
            Part::Content | Part::Root => true,
        };
        match scope {
            None if has_root => ways.push(Way { right: Right::Anybody, offer: None }),
            Some(scope) if has_root && self.has_scope(user, scope) => {
                ways.push(Way { right: Right::Account, offer: None });
            }
            None | Some(_) => {}
        }
        let open = self.offers.iter().enumerate().filter(|(_, offer)| offer.open && self.covers(offer, kid, scope));
        ways.extend(open.map(|(at, _)| Way { right: Right::Anybody, offer: Some(at) }));
        let granted = self.grants_of(user).filter(|(grant, ..)| self.serves(grant));
        let granted = granted.filter(|(_, _, offer)| self.covers(offer, kid, scope));
        ways.extend(
            granted.map(|(grant, at, _)| Way { right: Right::Granted(Box::new(grant.clone())), offer: Some(at) }),
        );
        ways
    }

    /// What compares first is best: what is not over, for a page what pages may have, the highest priority, what has no state, the
    /// latest end.
    fn order(&mut self, kid: Kid, content: &Content, way: &Way) -> Order {
        let policy = match way.offer {
            Some(at) if !matches!(content.part, Part::Root) => {
                self.offers.get(at).and_then(|offer| offer.policy.clone())
            }
            Some(_) | None => content.policy.clone(),
        };
        let now = self.now;
        let terms = self.terms.entry(policy.as_ref().map(|policy| policy.0.clone()));
        let terms = terms.or_insert_with(|| {
            // Terms that cannot be read are told of where a license is made.
            policy.map_or_else(Terms::of_no_policy, |policy| parse(&policy.1).unwrap_or_default())
        });
        let grant = way.right.grant();
        let end = terms.end(now).into_iter().chain(grant.and_then(GrantRow::over_at)).min().unwrap_or(i64::MAX);
        let stateful = terms.is_stateful() || grant.is_some_and(|grant| grant.uses.is_some());
        let rows = grant.and_then(|grant| self.ledger.get(&(grant.id, kid)));
        let spent = grant
            .zip(rows)
            .zip(self.device)
            .is_some_and(|((grant, rows), device)| is_spent(&terms.clone().of_account(grant.uses), rows, device, now));
        let for_pages = terms.clear_key && !stateful && terms.beyond_pages().is_none();
        let is_kept = !for_pages && self.device.is_some_and(is_page);
        (end <= now || spent, is_kept, Reverse(terms.priority), stateful, Reverse(end))
    }

    /// Content on the terms of an offer; its own where there is none. A subscription is always on its own.
    fn on_terms(&self, content: Content, offer: Option<usize>) -> Content {
        let offer = offer.and_then(|at| self.offers.get(at));
        let Some(offer) = offer.filter(|_| !matches!(content.part, Part::Root)) else { return content };
        let part = offer.root.clone().map_or(Part::Content, Part::Leaf);
        Content { policy: offer.policy.clone(), part, ..content }
    }

    /// Content that who asks may not have. Who names no account is told the terms on which some account could have it.
    fn refused(&self, kid: Kid, content: Content, user: Option<UserId>) -> Content {
        let scope = content.scope.clone();
        if user.is_none() {
            let offer = self.offers.iter().position(|offer| self.covers(offer, kid, scope.as_deref()));
            let offer = offer.filter(|_| scope.as_deref() == Some(OFFERS_ONLY));
            return self.on_terms(Content { right: Right::Refused(Reason::AccountRequired, None), ..content }, offer);
        }
        let covering = || self.grants_of(user).filter(|(_, _, offer)| self.covers(offer, kid, scope.as_deref()));
        if covering().any(|(grant, ..)| grant.counts(self.now) && !self.serves(grant)) {
            return Content { right: Right::Refused(Reason::LimitReached, None), ..content };
        }
        let later = covering();
        let from = later.filter_map(|(grant, ..)| grant.from).filter(|from| *from > self.now).min();
        Content { right: Right::Refused(Reason::NotEntitled, from), ..content }
    }
}

/// True if another device may have something of a grant that so many have.
pub(crate) fn has_room(grant: &GrantRow, devices: usize) -> bool {
    grant.devices.is_none_or(|limit| devices < limit as usize)
}

/// True if what offers give is other than at a mark: of those that reach a scope, or with none those that name key IDs or a
/// subscription.
pub(crate) fn is_news(scope: Option<&str>, grants: &[GrantRow], offers: &[OfferRow], since: i64, now: i64) -> bool {
    let reaches = |offer: &&OfferRow| match scope {
        Some(scope) => offer.scopes.iter().any(|of| of == scope),
        None => offer.names_kids || offer.root.is_some(),
    };
    let changed = |offer: &OfferRow| {
        let mut of = grants.iter().filter(|grant| grant.offer == offer.name);
        offer.changed > since || of.any(|grant| grant.is_news(since, now))
    };
    offers.iter().filter(reaches).any(changed)
}

/// True if a license would go on longer than any terms of today: what a restore hands out keeps its policy.
pub(crate) fn outlives(policy: &Policy, latest: Option<i64>) -> bool {
    let Some(latest) = latest else { return false };
    policy.actions.iter().any(|(_, conditions)| conditions.not_after.is_none_or(|end| end > latest))
}

#[cfg(test)]
mod tests;
