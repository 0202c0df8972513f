//! Licenses that devices get: what is known when one is asked for, and what is written with the answer.

use super::content::{Content, Part};
use super::delivered::NewDelivery;
use super::exchanges::Prior;
use super::granted::{GrantId, Right};
use super::grants::{Again, Bookings, HandedOut};
use super::ledger::LedgerRow;
use super::revocation::{Order, is_taken_back};
use super::rows::{LicenseRow, SeatRow};
use std::collections::BTreeSet;
use std::sync::Arc;
use wmlicense_wire::id::{DeviceId, Digest, Kid, Lid, UserId};
use wmlicense_wire::license::State;
use wmlicense_wire::revocation::Rule;

/// License that a device got for a key ID.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub(crate) lid: Lid,
    /// Hash of the terms it was issued on.
    pub(crate) terms: Digest,
    pub(crate) policy: Vec<u8>,
    /// The device was told to drop it.
    pub(crate) withdrawn: bool,
    /// The strictest state known of it, where that was looked up.
    pub(crate) state: Option<State>,
    /// First license of those that took the place of each other on the device, where that was looked up.
    pub(crate) line: Lid,
    /// How often the device got one of them again, where that was looked up.
    pub(crate) again: Again,
}

impl Issued {
    /// A license of which nothing else is known.
    pub(crate) fn new(lid: Lid, terms: Digest, policy: Vec<u8>) -> Self {
        Self { lid, terms, policy, withdrawn: false, state: None, line: lid, again: Again::default() }
    }
}

/// Uses of a title that a device gets of its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UsesOut {
    pub(crate) grant: GrantId,
    pub(crate) kid: Kid,
    /// The ledger when it was decided.
    pub(crate) seen: Vec<LedgerRow>,
    pub(crate) rows: Vec<LedgerRow>,
}

/// A license of a device that it may not have any more.
pub(crate) struct Withdrawn {
    pub(crate) lid: Lid,
    pub(crate) kid: Kid,
    pub(crate) user: Option<UserId>,
}

/// What is written with an answer of the issuer.
#[derive(Default)]
pub(crate) struct Issue {
    pub(crate) licenses: Vec<NewLicense>,
    /// Licenses that get no rows of their own.
    pub(crate) delivered: Vec<NewDelivery>,
    /// How many deliveries the device had got when this was decided.
    pub(crate) deliveries: u64,
    /// Licenses that the device had and does not tell of.
    pub(crate) again: Vec<HandedOut>,
    /// Uses of accounts that are handed out.
    pub(crate) uses: Vec<UsesOut>,
    /// Grants of which the device gets something for the first time.
    pub(crate) joins: BTreeSet<GrantId>,
    pub(crate) withdrawn: Vec<Withdrawn>,
    /// The answer is not kept: asked for again it is made again of what is written here, and says the same.
    pub(crate) made_again: bool,
}

impl Issue {
    /// True if nothing is to be written.
    pub(crate) fn is_empty(&self) -> bool {
        let nothing_goes_out = self.licenses.is_empty() && self.delivered.is_empty() && self.again.is_empty();
        nothing_goes_out && self.joins.is_empty() && self.withdrawn.is_empty()
    }
}

/// What the service knows for a license request.
pub(crate) struct Offer {
    pub(crate) prior: Prior,
    pub(crate) revoked: bool,
    /// For each key ID in the order asked: the content, and the license that the holder has on this device.
    pub(crate) items: Vec<Option<Offered>>,
    /// The subscriptions of the leaves among them that were not asked for themselves.
    pub(crate) roots: Vec<(Kid, Offered)>,
    /// Licenses for these key IDs that the device has to drop.
    pub(crate) withdrawn: Vec<Withdrawn>,
    /// How many deliveries the device got before.
    pub(crate) deliveries: u64,
}

/// Content with the licenses that this device has for it.
pub(crate) struct Offered {
    pub(crate) content: Content,
    /// Issued to the account that asks, or to nobody where the content is open.
    pub(crate) current: Option<Issued>,
    /// That license was taken back.
    pub(crate) taken_back: bool,
    /// Rules by which licenses are taken back from this device.
    pub(crate) rules: Arc<[Rule]>,
}

/// A license to be written down.
pub(crate) struct NewLicense {
    pub(crate) kid: Kid,
    /// Account it is issued to.
    pub(crate) user: Option<UserId>,
    pub(crate) issued: Issued,
    /// License that it takes the place of.
    pub(crate) replaces: Option<Lid>,
    /// First license of those that took the place of each other on the device; none if it is this one.
    pub(crate) line: Option<Lid>,
    /// State that it starts from, where that is less than its policy says.
    pub(crate) state: Option<State>,
}

/// What was kept of the license that a device has for a key ID.
pub(crate) struct KeptLicense {
    pub(crate) row: LicenseRow,
    /// The strictest state known.
    pub(crate) state: Option<State>,
    /// First license of those that took the place of each other on the device.
    pub(crate) line: Lid,
    /// By which it was taken back by its ID.
    pub(crate) orders: Vec<Order>,
}

impl Issued {
    /// The license of a row. One that was given back is as one that the device was told to drop: another comes in its place.
    pub(crate) fn of(row: LicenseRow) -> Self {
        let withdrawn = row.withdrawn.or(row.returned_at).is_some();
        Self { withdrawn, ..Self::new(row.lid, row.terms, row.policy) }
    }

    /// As [`Self::of`], with what was used of it and how it was handed out.
    pub(crate) fn with_uses(row: LicenseRow, state: Option<State>, line: Lid, bookings: &Bookings) -> Self {
        Self { state, line, again: bookings.again(line), ..Self::of(row) }
    }
}

impl NewLicense {
    /// The seat of the device that it is issued to.
    pub(crate) fn first_seat(&self, device: DeviceId, now: i64) -> SeatRow {
        SeatRow {
            lid: self.issued.lid,
            device,
            kid: self.kid,
            restored: false,
            elsewhere: false,
            since: now,
            line: self.line,
            returned_at: None,
            freed: false,
            withdrawn: None,
        }
    }
}

impl Offered {
    /// Content with the license that a device has for it, and what was taken back of both.
    pub(crate) fn of(
        content: Content,
        kept: Option<KeptLicense>,
        device: DeviceId,
        rules: &Arc<[Rule]>,
        bookings: &Bookings,
    ) -> Self {
        let taken_back = kept.as_ref().is_some_and(|kept| is_taken_back(&kept.orders, device));
        let current =
            kept.map(|KeptLicense { row, state, line, orders: _ }| Issued::with_uses(row, state, line, bookings));
        Self { content, current, taken_back, rules: Arc::clone(rules) }
    }
}

/// Whose license for content it is: nobody's where everybody may have it.
pub(crate) fn holder(content: &Content, user: Option<UserId>) -> Option<UserId> {
    match content.right {
        Right::Anybody => None,
        Right::Account | Right::Granted(_) => user,
        Right::Refused(..) => user.filter(|_| content.scope.is_some()),
    }
}

/// Key IDs of the subscriptions without which leaves among the content would not open, in order and once, but for those that
/// were asked for themselves.
pub(crate) fn missing_roots<'a>(contents: impl IntoIterator<Item = &'a Content>, asked: &[Kid]) -> Vec<Kid> {
    let root = |content: &Content| match &content.part {
        Part::Leaf(root) => Some(root.kid),
        Part::Content | Part::Root => None,
    };
    let mut roots: Vec<Kid> = contents.into_iter().filter_map(root).filter(|root| !asked.contains(root)).collect();
    roots.sort_unstable();
    roots.dedup();
    roots
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::content::RootKey;
    use crate::rules::rows::Booked;
    use wmlicense_wire::revocation::Entry;

    const DEVICE: DeviceId = DeviceId::new([1; 16]);
    const LID: Lid = Lid::new([2; 16]);
    const LINE: Lid = Lid::new([3; 16]);

    fn row() -> LicenseRow {
        let terms = Digest::new([4; 32]);
        LicenseRow { user: None, lid: LID, terms, policy: vec![7], withdrawn: None, returned_at: None }
    }

    fn content(scope: Option<&str>, part: Part) -> Content {
        Content::catalogued(vec![], None, None, scope.map(str::to_owned), part)
    }

    fn kept(orders: Vec<Order>) -> KeptLicense {
        KeptLicense { row: row(), state: Some(State::default()), line: LINE, orders }
    }

    #[test]
    fn another_comes_in_the_place_of_one_that_was_given_back_or_had_to_be_dropped() {
        assert!(!Issued::of(row()).withdrawn && !Issued::new(LID, Digest::new([4; 32]), vec![]).withdrawn);
        assert!(Issued::of(LicenseRow { returned_at: Some(5), ..row() }).withdrawn);
        assert!(Issued::of(LicenseRow { withdrawn: Some(5), ..row() }).withdrawn);
    }

    #[test]
    fn the_device_that_a_license_is_issued_to_has_its_first_seat() {
        let license = NewLicense {
            kid: Kid::new([6; 16]),
            user: None,
            issued: Issued::of(row()),
            replaces: Some(LINE),
            line: Some(LINE),
            state: None,
        };
        let seat = SeatRow {
            lid: LID,
            device: DEVICE,
            kid: Kid::new([6; 16]),
            restored: false,
            elsewhere: false,
            since: 1000,
            line: Some(LINE),
            returned_at: None,
            freed: false,
            withdrawn: None,
        };
        assert_eq!(license.first_seat(DEVICE, 1000), seat);
    }

    #[test]
    fn content_is_offered_with_the_license_that_the_device_has_and_what_was_taken_back_of_it() {
        let rules: Arc<[Rule]> = Arc::new([Rule::default()]);
        let bookings = Bookings::new(1000, [Booked { line: LINE, lid: LINE, at: 900 }]);
        let offered = |kept| Offered::of(content(None, Part::Content), kept, DEVICE, &rules, &bookings);
        let nothing = offered(None);
        assert!(nothing.current.is_none() && !nothing.taken_back);
        let order = |device| Order { entry: Entry::License(LID), device };
        for (orders, taken_back) in [
            (vec![], false),
            (vec![order(Some(DeviceId::new([9; 16])))], false),
            (vec![order(Some(DEVICE))], true),
            (vec![order(None)], true),
        ] {
            let offered = offered(Some(kept(orders)));
            assert_eq!((offered.taken_back, &offered.rules[..]), (taken_back, &rules[..]));
            let current = offered.current.unwrap();
            assert_eq!((current.lid, current.line, current.again.times), (LID, LINE, 1));
            assert_eq!(current.state, Some(State::default()));
        }
    }

    #[test]
    fn a_license_for_open_content_is_nobodys() {
        let user = UserId::new([5; 16]);
        assert_eq!(holder(&content(None, Part::Content), Some(user)), None);
        assert_eq!(holder(&content(Some("gold"), Part::Content), Some(user)), Some(user));
        assert_eq!(holder(&content(Some("gold"), Part::Content), None), None);
    }

    #[test]
    fn subscriptions_that_leaves_need_come_once_and_in_order_and_those_asked_for_do_not() {
        let kid = |number: u8| Kid::new([number; 16]);
        let leaf = |number| content(None, Part::Leaf(RootKey { kid: kid(number), sealed_key: [].into(), scope: None }));
        let contents = [leaf(9), content(None, Part::Root), leaf(7), leaf(8), leaf(9), content(None, Part::Content)];
        assert_eq!(missing_roots(&contents, &[kid(8), kid(1)]), [kid(7), kid(9)]);
        assert_eq!(missing_roots(&contents[1..2], &[]), []);
    }
}
