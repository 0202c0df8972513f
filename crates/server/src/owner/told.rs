//! Rows of the owner's lists as they are told: names, kinds and values of their columns, the same for commands and for the API.

use crate::policy::to_rfc3339;
use crate::rules::accounts::counts;
use crate::rules::admins::AdminRow;
use crate::rules::granted::OFFERS_ONLY;
use crate::rules::revocation::RevokedRow;
use crate::rules::rows::TokenRow;
use crate::store::{
    AccountEntry, AuditRow, ContentEntry, DeviceEntry, GrantEntry, LicenseEntry, OfferEntry, OrderEntry, RestoreEntry,
    SubscriptionEntry,
};
use serde_json::{Map, Value, json};
use wmlicense_wire::id::Kid;
use wmlicense_wire::revocation::{Entry, Rule};

/// What kind of value a column has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Texts,
    /// Never below zero.
    Number,
    /// Whole, below zero where something is over.
    Days,
    Flag,
    /// As 2027-01-01T00:00:00Z.
    Time,
}

/// A column of a list, or a field of an answer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// It may be null.
    pub(crate) lacks: bool,
}

/// A column that always has a value.
pub(crate) const fn has(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, lacks: false }
}

/// A column that may be null.
pub(crate) const fn may(name: &'static str, kind: Kind) -> Column {
    Column { name, kind, lacks: true }
}

/// A row that is told.
pub(crate) trait Told {
    const COLUMNS: &'static [Column];
    /// The values of its columns at `now`, seconds UTC.
    fn cells(self, now: i64) -> Vec<Value>;
}

/// The names of a row's columns.
pub(crate) fn names<T: Told>() -> Vec<&'static str> {
    T::COLUMNS.iter().map(|column| column.name).collect()
}

/// Names with values as an object.
pub(crate) fn object(names: &[&str], row: Vec<Value>) -> Value {
    Value::Object(names.iter().zip(row).map(|(name, value)| ((*name).to_owned(), value)).collect::<Map<_, _>>())
}

fn at(time: Option<i64>) -> Value {
    json!(time.map(to_rfc3339))
}

/// A scope by which accounts have something.
fn scope(scope: Option<&str>) -> Value {
    json!(scope.filter(|scope| *scope != OFFERS_ONLY))
}

impl Told for ContentEntry {
    const COLUMNS: &'static [Column] = &[
        has("kid", Kind::Text),
        may("title", Kind::Text),
        may("policy", Kind::Text),
        may("scope", Kind::Text),
        has("open", Kind::Flag),
    ];

    fn cells(self, _: i64) -> Vec<Value> {
        vec![
            json!(self.kid.to_hex()),
            json!(self.title),
            json!(self.policy),
            scope(self.scope.as_deref()),
            json!(self.scope.is_none()),
        ]
    }
}

impl Told for AccountEntry {
    const COLUMNS: &'static [Column] = &[
        has("account", Kind::Text),
        has("scopes", Kind::Texts),
        has("tokens", Kind::Number),
        has("since", Kind::Time),
        may("removed", Kind::Time),
    ];

    fn cells(self, now: i64) -> Vec<Value> {
        vec![
            json!(self.account.name),
            json!(self.scopes),
            json!(self.tokens.iter().filter(|token| counts(token, now)).count()),
            at(Some(self.account.created_at)),
            at(self.account.removed_at),
        ]
    }
}

impl Told for TokenRow {
    const COLUMNS: &'static [Column] = &[
        has("token", Kind::Text),
        has("counts", Kind::Flag),
        has("made", Kind::Time),
        may("until", Kind::Time),
        may("ended", Kind::Time),
    ];

    fn cells(self, now: i64) -> Vec<Value> {
        let counts = counts(&self, now);
        vec![json!(self.name), json!(counts), at(Some(self.created_at)), at(self.ends_at), at(self.ended_at)]
    }
}

impl Told for AdminRow {
    const COLUMNS: &'static [Column] = &[
        has("admin", Kind::Text),
        has("role", Kind::Text),
        has("counts", Kind::Flag),
        has("made", Kind::Time),
        may("until", Kind::Time),
        may("ended", Kind::Time),
    ];

    fn cells(self, now: i64) -> Vec<Value> {
        let counts = self.counts(now);
        let (made, until, ended) = (at(Some(self.created_at)), at(self.ends_at), at(self.ended_at));
        vec![json!(self.name), json!(self.role.name()), json!(counts), made, until, ended]
    }
}

impl Told for LicenseEntry {
    const COLUMNS: &'static [Column] = &[
        has("lid", Kind::Text),
        has("kid", Kind::Text),
        may("title", Kind::Text),
        may("account", Kind::Text),
        has("device", Kind::Text),
        has("devices", Kind::Number),
        has("issued", Kind::Time),
        may("returned", Kind::Time),
        has("revoked", Kind::Flag),
        may("acknowledged", Kind::Time),
    ];

    fn cells(self, _: i64) -> Vec<Value> {
        vec![
            json!(self.lid.to_hex()),
            json!(self.kid.to_hex()),
            json!(self.title),
            json!(self.account),
            json!(self.device.to_hex()),
            json!(self.devices),
            at(Some(self.issued_at)),
            at(self.returned_at),
            json!(self.taken_back),
            at(self.acknowledged_at),
        ]
    }
}

impl Told for RestoreEntry {
    const COLUMNS: &'static [Column] = &[
        has("lid", Kind::Text),
        has("kid", Kind::Text),
        may("title", Kind::Text),
        may("account", Kind::Text),
        has("device", Kind::Text),
        has("devices", Kind::Number),
        has("restored", Kind::Time),
    ];

    fn cells(self, _: i64) -> Vec<Value> {
        vec![
            json!(self.lid.to_hex()),
            json!(self.kid.to_hex()),
            json!(self.title),
            json!(self.account),
            json!(self.device.to_hex()),
            json!(self.devices),
            at(Some(self.since)),
        ]
    }
}

impl Told for DeviceEntry {
    const COLUMNS: &'static [Column] = &[
        has("device", Kind::Text),
        may("name", Kind::Text),
        has("accounts", Kind::Texts),
        has("securityVersion", Kind::Text),
        has("since", Kind::Time),
        has("certified", Kind::Time),
        may("revoked", Kind::Time),
        may("reason", Kind::Text),
        has("forks", Kind::Number),
        may("lastFork", Kind::Time),
    ];

    fn cells(self, _: i64) -> Vec<Value> {
        vec![
            json!(self.device.to_hex()),
            json!(self.name),
            json!(self.accounts),
            json!(self.security_version),
            at(Some(self.since)),
            at(Some(self.certified_at)),
            at(self.revoked_at),
            json!(self.reason),
            json!(self.forks),
            at(self.forked_at),
        ]
    }
}

impl Told for OrderEntry {
    const COLUMNS: &'static [Column] = &[
        has("number", Kind::Number),
        may("lid", Kind::Text),
        may("kid", Kind::Text),
        may("account", Kind::Text),
        may("issuedBefore", Kind::Time),
        may("device", Kind::Text),
        has("devices", Kind::Number),
        has("acknowledged", Kind::Number),
        may("reason", Kind::Text),
    ];

    fn cells(self, _: i64) -> Vec<Value> {
        let (lid, Rule { kid, issued_before, user: _ }) = match self.order.entry {
            Entry::License(lid) => (Some(lid), Rule::default()),
            Entry::Rule(rule) => (None, rule),
        };
        vec![
            json!(self.number),
            json!(lid.map(|lid| lid.to_hex())),
            json!(kid.map(|kid| kid.to_hex())),
            json!(self.account),
            at(issued_before),
            json!(self.order.device.map(|device| device.to_hex())),
            json!(self.devices),
            json!(self.acknowledged),
            json!(self.reason),
        ]
    }
}

impl Told for RevokedRow {
    const COLUMNS: &'static [Column] = &[
        has("kind", Kind::Text),
        has("name", Kind::Text),
        has("key", Kind::Text),
        has("from", Kind::Time),
        has("revoked", Kind::Time),
        may("reason", Kind::Text),
    ];

    fn cells(self, _: i64) -> Vec<Value> {
        let (from, revoked) = (at(Some(self.from)), at(Some(self.revoked_at)));
        vec![
            json!(self.kind),
            json!(self.name.to_lowercase()),
            json!(self.key.to_hex()),
            from,
            revoked,
            json!(self.reason),
        ]
    }
}

impl Told for AuditRow {
    const COLUMNS: &'static [Column] = &[
        has("at", Kind::Time),
        has("who", Kind::Text),
        has("act", Kind::Text),
        may("about", Kind::Text),
        may("was", Kind::Text),
        may("became", Kind::Text),
    ];

    fn cells(self, _: i64) -> Vec<Value> {
        let at = at(Some(self.done_at));
        vec![at, json!(self.who), json!(self.act), json!(self.about), json!(self.was), json!(self.became)]
    }
}

impl Told for SubscriptionEntry {
    const COLUMNS: &'static [Column] = &[
        has("name", Kind::Text),
        has("kid", Kind::Text),
        may("policy", Kind::Text),
        may("scope", Kind::Text),
        has("leaves", Kind::Number),
    ];

    fn cells(self, _: i64) -> Vec<Value> {
        let kid = json!(self.kid.to_hex());
        vec![json!(self.name), kid, json!(self.policy), scope(self.scope.as_deref()), json!(self.leaves)]
    }
}

impl Told for OfferEntry {
    const COLUMNS: &'static [Column] = &[
        has("offer", Kind::Text),
        may("policy", Kind::Text),
        has("scopes", Kind::Texts),
        has("kids", Kind::Texts),
        has("open", Kind::Flag),
        has("grants", Kind::Number),
    ];

    fn cells(self, _: i64) -> Vec<Value> {
        let Self { offer, grants } = self;
        let kids: Vec<String> = offer.kids.iter().map(Kid::to_hex).collect();
        vec![json!(offer.name), json!(offer.policy), json!(offer.scopes), json!(kids), json!(offer.open), json!(grants)]
    }
}

impl Told for GrantEntry {
    const COLUMNS: &'static [Column] = &[
        has("grant", Kind::Text),
        may("account", Kind::Text),
        has("offer", Kind::Text),
        may("from", Kind::Time),
        may("until", Kind::Time),
        may("uses", Kind::Number),
        may("devices", Kind::Number),
        may("reference", Kind::Text),
        has("made", Kind::Time),
        may("ended", Kind::Time),
        has("counts", Kind::Flag),
    ];

    fn cells(self, now: i64) -> Vec<Value> {
        let Self { grant, account } = self;
        vec![
            json!(grant.id.to_hex()),
            json!(account),
            json!(grant.offer),
            at(grant.from),
            at(grant.until),
            json!(grant.uses),
            json!(grant.devices),
            json!(grant.reference),
            at(Some(grant.created_at)),
            at(grant.ended_at),
            json!(grant.counts(now)),
        ]
    }
}

/// Name of a policy, and when it was changed.
impl Told for (String, i64) {
    const COLUMNS: &'static [Column] = &[has("name", Kind::Text), has("changed", Kind::Time)];

    fn cells(self, _: i64) -> Vec<Value> {
        vec![json!(self.0), at(Some(self.1))]
    }
}
