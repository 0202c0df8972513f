//! Pre-delivery: where a run stands, and what a device has to drop.

use super::exchanges::Prior;
use super::licenses::{Offered, Withdrawn};
use super::offers::Rights;
use super::rows::{HeldRow, Holder, ScopeRow};
use std::sync::Arc;
use wmlicense_wire::answer::Reason;
use wmlicense_wire::id::{Kid, Lid, UserId};

/// A mark before every other: what was told at any time is told.
pub(crate) const EVER: i64 = -1;
/// Bytes of a key ID and of a license ID at the front of a [`HeldKey`].
const FRONT: (usize, usize) = (Kid::LEN, Lid::LEN);

/// The place behind every scope in a pre-delivery: what offers name by its key ID, and the subscriptions of their policies.
pub(crate) const NAMED: &str = "\u{10ffff}";

/// Where a pre-delivery stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Position {
    /// What the device has to drop, after this license of its: a [`HeldKey`] as bytes, or the ID of a delivery, which come after
    /// what has rows of its own.
    Withdrawn(Vec<u8>),
    /// Licenses of a scope (empty: open to all) or of what is [`NAMED`], after this key ID.
    Scope(String, Vec<u8>),
}

impl Position {
    /// What is to be read from here on: scopes of these, which are in their order, each with the key ID that it goes on behind. A
    /// scope that was taken away in between has nothing, and the next one begins at its beginning.
    pub(crate) fn scopes<'a>(&'a self, held: &'a [String]) -> impl Iterator<Item = (&'a String, &'a [u8])> {
        let (first, after) = match self {
            Self::Withdrawn(_) => (0, None),
            Self::Scope(scope, after) => (held.partition_point(|held| held < scope), Some((scope, after.as_slice()))),
        };
        held.iter().skip(first).map(move |scope| {
            let after = after.filter(|(from, _)| *from == scope).map_or(&[][..], |(_, after)| after);
            (scope, after)
        })
    }
}

/// What a pre-delivery asks for next.
#[derive(Debug, Clone)]
pub(crate) struct DeliveryQuery {
    /// This scope alone; none: everything.
    pub(crate) scope: Option<String>,
    /// Only what changed after this mark.
    pub(crate) since: Option<i64>,
    pub(crate) from: Position,
}

/// One page of a pre-delivery.
pub(crate) struct DeliveryPage {
    pub(crate) prior: Prior,
    pub(crate) revoked: bool,
    /// Number of the last change that this page rests on.
    pub(crate) mark: i64,
    /// Licenses that the device has to drop.
    pub(crate) withdrawn: Vec<Withdrawn>,
    /// Why there is nothing.
    pub(crate) refusal: Option<Reason>,
    /// With the place in which it was found: a scope, or [`NAMED`].
    pub(crate) items: Vec<(Arc<str>, Kid, Offered)>,
    /// How many deliveries the device got before.
    pub(crate) deliveries: u64,
    /// Where more may be; `None` at the end.
    pub(crate) next: Option<Position>,
}

/// What the licenses of a device are ordered by: key ID, account and license ID. Each part may be empty, and sorts before all
/// others then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct HeldKey {
    pub(crate) kid: Vec<u8>,
    pub(crate) user: Vec<u8>,
    pub(crate) lid: Vec<u8>,
}

impl HeldKey {
    /// That of a license.
    pub(crate) fn of(kid: Kid, user: Option<UserId>, lid: Lid) -> Self {
        let user = user.map(|user| user.as_bytes().to_vec()).unwrap_or_default();
        Self { kid: kid.as_bytes().to_vec(), user, lid: lid.as_bytes().to_vec() }
    }

    /// Key ID, license ID and account joined.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        [self.kid.as_slice(), &self.lid, &self.user].concat()
    }

    /// Reads what [`Self::to_bytes`] gave; anything shorter is the beginning.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let (kid, rest) = bytes.split_at_checked(FRONT.0).unwrap_or((&[], &[]));
        let (lid, user) = rest.split_at_checked(FRONT.1).unwrap_or((&[], &[]));
        Self { kid: kid.to_vec(), user: user.to_vec(), lid: lid.to_vec() }
    }
}

/// True if a device has to drop a license that it holds, or was told to after its last run, which ended at the mark `since`:
/// the account that it was issued to may not have it any more, whoever asks.
pub(crate) fn is_over(held: &HeldRow, rights: &Rights, since: i64) -> bool {
    match (held.withdrawn, &held.content, held.holder) {
        (Some(told), ..) => told > since,
        (None, None, _) => true,
        // Only the content's end takes back what nobody knows the account of.
        (None, Some(_), Holder::Unknown) => false,
        (None, Some(content), Holder::Anybody) => !rights.allow_all(held.kid, content),
        (None, Some(content), Holder::Account(user)) => !rights.allow(user, held.kid, content),
    }
}

/// The mark after which changes are told, of a device whose last run ended at `told`. One that this database never reached is of
/// a former life of it.
pub(crate) fn since(told: Option<i64>, mark: i64) -> i64 {
    told.filter(|told| *told <= mark).unwrap_or(EVER)
}

/// The mark after which changes of a scope are told: all of a scope that the account got since then.
pub(crate) fn since_of(scope: &str, user: Option<UserId>, granted: &[ScopeRow], since: i64) -> i64 {
    let is_new = |row: &ScopeRow| Some(row.user) == user && row.scope == scope && row.changed > since;
    if granted.iter().any(is_new) { EVER } else { since }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::rows::Openness;

    const USER: UserId = UserId::new([5; 16]);

    fn held(holder: Holder, content: Option<&str>) -> HeldRow {
        let content = content.map(|scope| match scope {
            "" => Openness::Open,
            scope => Openness::Scope(scope.to_owned()),
        });
        HeldRow { kid: Kid::new([1; 16]), lid: Lid::new([2; 16]), holder, withdrawn: None, content }
    }

    fn gold() -> Rights {
        Rights::of(vec![ScopeRow { user: USER, scope: "gold".to_owned(), changed: 7 }], Vec::new(), Vec::new(), 0)
    }

    #[test]
    fn who_may_not_have_the_content_any_more_drops_its_license() {
        let over = |holder, content| is_over(&held(holder, content), &gold(), 0);
        assert!(!over(Holder::Account(USER), Some("gold")));
        assert!(over(Holder::Account(USER), Some("silver")));
        assert!(over(Holder::Account(UserId::new([6; 16])), Some("gold")));
        assert!(over(Holder::Account(USER), Some("")), "open content is licensed to nobody");
        assert!(!over(Holder::Anybody, Some("")));
        assert!(over(Holder::Anybody, Some("gold")));
        for holder in [Holder::Account(USER), Holder::Anybody, Holder::Unknown] {
            assert!(over(holder, None), "the content ended");
        }
        assert!(!over(Holder::Unknown, Some("silver")), "nobody knows whose it is");
    }

    #[test]
    fn what_was_told_after_the_last_run_is_told_and_what_was_told_before_is_not() {
        let told = |mark| HeldRow { withdrawn: Some(mark), ..held(Holder::Account(USER), Some("gold")) };
        assert!(is_over(&told(8), &gold(), 7) && is_over(&told(0), &gold(), EVER));
        assert!(!is_over(&told(7), &gold(), 7));
        let ended = HeldRow { withdrawn: Some(7), ..held(Holder::Anybody, None) };
        assert!(!is_over(&ended, &gold(), 7), "it was told already");
    }

    #[test]
    fn a_scope_that_the_account_got_since_then_is_told_whole() {
        let granted = [ScopeRow { user: USER, scope: "gold".to_owned(), changed: 7 }];
        assert_eq!(since_of("gold", Some(USER), &granted, 7), 7);
        assert_eq!(since_of("gold", Some(USER), &granted, 6), EVER);
        assert_eq!(since_of("", Some(USER), &granted, 6), 6);
        assert_eq!(since_of("gold", None, &granted, 6), 6);
    }

    #[test]
    fn a_mark_of_a_former_life_of_the_database_tells_nothing() {
        assert_eq!((since(None, 9), since(Some(9), 9), since(Some(10), 9)), (EVER, 9, EVER));
    }

    #[test]
    fn a_run_goes_on_in_its_scope_and_begins_the_next_one_at_its_beginning() {
        let held = ["", "gold", "silver"].map(str::to_owned);
        let scopes = |position: Position| {
            let scopes = position.scopes(&held).map(|(scope, after)| (scope.clone(), after.to_vec()));
            scopes.collect::<Vec<_>>()
        };
        let named = |scope: &str, after: &[u8]| (scope.to_owned(), after.to_vec());
        let all = [named("", &[]), named("gold", &[]), named("silver", &[])];
        assert_eq!(scopes(Position::Withdrawn(vec![7])), all);
        assert_eq!(scopes(Position::Scope("gold".to_owned(), vec![7])), [named("gold", &[7]), named("silver", &[])]);
        assert_eq!(scopes(Position::Scope("lost".to_owned(), vec![7])), [named("silver", &[])], "it was taken away");
        assert_eq!(scopes(Position::Scope("tin".to_owned(), vec![7])), []);
    }

    #[test]
    fn a_key_is_read_as_it_was_written_and_a_short_one_is_the_beginning() {
        for user in [None, Some(USER)] {
            let key = HeldKey::of(Kid::new([1; 16]), user, Lid::new([2; 16]));
            assert_eq!(HeldKey::from_bytes(&key.to_bytes()), key);
        }
        assert_eq!(HeldKey::from_bytes(&[]), HeldKey::default());
    }

    #[test]
    fn of_all_that_an_account_got_only_the_scope_that_is_asked_for_counts() {
        let got = |scope: &str, changed| ScopeRow { user: USER, scope: scope.to_owned(), changed };
        let granted = [got("gold", 7), got("silver", 3), ScopeRow { user: UserId::new([6; 16]), ..got("tin", 7) }];
        let since = ["gold", "silver", "tin"].map(|scope| since_of(scope, Some(USER), &granted, 5));
        assert_eq!(since, [EVER, 5, 5]);
        assert_eq!(since_of("gold", Some(USER), &[], 5), 5);
    }

    #[test]
    fn an_account_has_all_of_its_scopes_and_none_of_anothers() {
        let other = UserId::new([6; 16]);
        let row = |user, scope: &str| ScopeRow { user, scope: scope.to_owned(), changed: 7 };
        let rights = Rights::of(vec![row(USER, "gold"), row(other, "silver")], Vec::new(), Vec::new(), 0);
        let may = |user, content: Openness| rights.allow(user, Kid::new([1; 16]), &content);
        let scope = |scope: &str| Openness::Scope(scope.to_owned());
        assert!(may(USER, scope("gold")) && may(other, scope("silver")));
        assert!(!may(USER, scope("silver")) && !may(other, scope("gold")) && !may(other, Openness::Open));
    }
}
