//! Revocation: what an order takes back, what a device has to be told of it, and whose word for it counts.

use super::delivered::DeliveryRow;
use wmlicense_wire::id::{DeviceId, Digest, Kid, SignerId, UserId};
use wmlicense_wire::policy::Policy;
use wmlicense_wire::revocation::{Acknowledgement, Entry, Revocation, Rule};
use wmlicense_wire::status_list::Revoked;

/// Licenses that the owner takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Order {
    /// One license, or all that a rule matches.
    pub(crate) entry: Entry,
    /// Only on this device.
    pub(crate) device: Option<DeviceId>,
}

impl Order {
    /// True if a license with these terms is taken back from a device.
    pub(crate) fn matches(&self, policy: &Policy, device: DeviceId) -> bool {
        applies(self, device)
            && match self.entry {
                Entry::License(lid) => policy.lid == lid,
                Entry::Rule(rule) => rule.matches(policy),
            }
    }

    /// True if it is a rule that takes back licenses of a delivery: all, or where it names a key ID those that are for it.
    pub(crate) fn may_match(&self, delivery: &DeliveryRow) -> bool {
        let Entry::Rule(rule) = self.entry else { return false };
        applies(self, delivery.device) && rule.may_match(delivery.user, delivery.issued_at)
    }
}

/// An order and its number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NumberedOrder {
    pub(crate) number: u64,
    pub(crate) order: Order,
}

/// What a device has to be told.
pub(crate) struct Due {
    /// Number of the newest order for it.
    pub(crate) number: u64,
    /// The device, where something is said to it alone.
    pub(crate) target: Option<DeviceId>,
    pub(crate) entries: Vec<Entry>,
    /// The signed blob, where one of this number was made before.
    pub(crate) signed: Option<Vec<u8>>,
}

/// What a device has to be told: rules, and orders about licenses that it held; none where nothing was ever taken back from it.
pub(crate) fn due(device: DeviceId, rules: &[NumberedOrder], held: &[NumberedOrder]) -> Option<Due> {
    let rules = rules.iter().filter(|row| applies(&row.order, device));
    let mut orders: Vec<&NumberedOrder> = rules.chain(held).collect();
    orders.sort_by_key(|row| row.number);
    let mut due = Due { number: orders.last()?.number, target: None, entries: Vec::new(), signed: None };
    for NumberedOrder { order: Order { entry, device: only }, .. } in orders {
        if only.is_some() || matches!(entry, Entry::License(_)) {
            due.target = Some(device);
        }
        if !due.entries.contains(entry) {
            due.entries.push(*entry);
        }
    }
    Some(due)
}

/// True if an order is for a device, among others or alone.
fn applies(order: &Order, device: DeviceId) -> bool {
    order.device.is_none_or(|only| only == device)
}

/// The rules that apply to a device.
pub(crate) fn rules_for(rules: &[NumberedOrder], device: DeviceId) -> Vec<Rule> {
    let rule = |row: &NumberedOrder| match row.order.entry {
        Entry::Rule(rule) => applies(&row.order, device).then_some(rule),
        Entry::License(_) => None,
    };
    rules.iter().filter_map(rule).collect()
}

/// True if a license was taken back by its ID, from everybody or from this device. `orders`: those about the license.
pub(crate) fn is_taken_back(orders: &[Order], device: DeviceId) -> bool {
    orders.iter().any(|order| applies(order, device))
}

/// True if a rule takes back every license of this key ID from a device, whoever has it and since when.
pub(crate) fn is_named(order: &Order, kid: Option<Kid>, device: DeviceId) -> bool {
    match order.entry {
        Entry::License(_) => false,
        Entry::Rule(Rule { user, kid: only, issued_before }) => {
            user.is_none()
                && issued_before.is_none()
                && only.is_none_or(|only| kid == Some(only))
                && applies(order, device)
        }
    }
}

/// A number for a change or an order: about the time at which it is made, and above all before it.
pub(crate) fn next_number(newest: Option<i64>, now: i64) -> i64 {
    newest.map_or(now, |newest| now.max(newest.saturating_add(1)))
}

/// True if nothing of this number or a higher one is known.
pub(crate) fn is_newer(newest: Option<u64>, number: u64) -> bool {
    newest.is_none_or(|newest| newest < number)
}

/// True if a blob is the one that an acknowledgement is for, and was for `target`.
pub(crate) fn is_acknowledged(acknowledgement: &Acknowledgement, target: Option<DeviceId>, blob: &[u8]) -> bool {
    let of_target = || Revocation::read_vouched(blob).is_ok_and(|read| read.content.target == target);
    Digest::of(blob) == acknowledgement.blob && of_target()
}

/// Keys that a status list may name beside devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i64)]
pub(crate) enum ListedKey {
    /// Signing key of a service.
    Service = 1,
    /// Application, by what it calls itself.
    Application = 2,
}

/// One row of `status show`.
pub(crate) struct RevokedRow {
    pub(crate) kind: &'static str,
    pub(crate) key: SignerId,
    pub(crate) name: String,
    pub(crate) from: i64,
    pub(crate) revoked_at: i64,
    pub(crate) reason: Option<String>,
}

/// A key beside those of devices that the next status list names.
#[derive(Debug, Clone)]
pub(crate) struct RevokedKeyRow {
    pub(crate) kind: ListedKey,
    pub(crate) key: SignerId,
    pub(crate) name: String,
    pub(crate) counts_from: i64,
    pub(crate) revoked_at: i64,
    pub(crate) reason: Option<String>,
}

/// The row of a key that is revoked, or revoked once more: from the earliest time on, and as it was called first.
pub(crate) fn revoke(new: NewRevokedKey, known: Option<RevokedKeyRow>, now: i64) -> RevokedKeyRow {
    let NewRevokedKey { kind, key, name, from, reason } = new;
    match known {
        None => RevokedKeyRow { kind, key, name, counts_from: from, revoked_at: now, reason },
        Some(known) => {
            let reason = reason.or_else(|| known.reason.clone());
            RevokedKeyRow { counts_from: known.counts_from.min(from), reason, ..known }
        }
    }
}

impl RevokedRow {
    /// As a status list has it.
    pub(crate) fn listed(&self) -> Revoked {
        Revoked { key: self.key, from: self.from }
    }
}

/// A revoked key as the owner names it.
#[derive(Debug, Clone)]
pub(crate) struct NewRevokedKey {
    pub(crate) kind: ListedKey,
    pub(crate) key: SignerId,
    pub(crate) name: String,
    pub(crate) from: i64,
    pub(crate) reason: Option<String>,
}

/// The rule of a row.
pub(crate) fn rule(user: Option<UserId>, kid: Option<Kid>, issued_before: Option<i64>) -> Entry {
    Entry::Rule(Rule { user, kid, issued_before })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wmlicense_testkit::policy::policy;
    use wmlicense_wire::id::Lid;
    use wmlicense_wire::key::DualSigningKey;

    const DEVICE: DeviceId = DeviceId::new([1; 16]);
    const OTHER: DeviceId = DeviceId::new([2; 16]);
    const KID: Kid = Kid::new([3; 16]);

    fn of_rule(number: u64, kid: Option<Kid>, device: Option<DeviceId>) -> NumberedOrder {
        NumberedOrder { number, order: Order { entry: rule(None, kid, None), device } }
    }

    fn of_license(number: u64, lid: u8, device: Option<DeviceId>) -> NumberedOrder {
        NumberedOrder { number, order: Order { entry: Entry::License(Lid::new([lid; 16])), device } }
    }

    #[test]
    fn nothing_is_due_to_whom_nothing_is_about() {
        assert!(due(DEVICE, &[], &[]).is_none());
        assert!(due(DEVICE, &[of_rule(7, None, Some(OTHER))], &[]).is_none());
    }

    #[test]
    fn rules_for_all_are_one_blob_for_all_and_what_is_said_to_one_is_for_it_alone() {
        let all = due(DEVICE, &[of_rule(7, Some(KID), None), of_rule(9, None, Some(OTHER))], &[]).unwrap();
        assert_eq!((all.number, all.target, all.entries.len()), (7, None, 1));
        let own = due(DEVICE, &[of_rule(7, Some(KID), None), of_rule(8, None, Some(DEVICE))], &[]).unwrap();
        assert_eq!((own.number, own.target, own.entries.len()), (8, Some(DEVICE), 2));
        let held = due(DEVICE, &[of_rule(9, Some(KID), None)], &[of_license(8, 5, None)]).unwrap();
        assert_eq!((held.number, held.target), (9, Some(DEVICE)));
        assert_eq!(held.entries, [Entry::License(Lid::new([5; 16])), rule(None, Some(KID), None)], "the oldest first");
    }

    #[test]
    fn the_same_is_said_once_under_the_newest_number() {
        let twice = due(DEVICE, &[of_rule(7, None, None), of_rule(9, None, None)], &[]).unwrap();
        assert_eq!((twice.number, twice.entries.len()), (9, 1));
    }

    #[test]
    fn an_order_for_one_device_takes_nothing_from_another() {
        let (all, one) = (of_license(1, 5, None).order, of_license(2, 5, Some(OTHER)).order);
        assert!(is_taken_back(&[all], DEVICE) && is_taken_back(&[one], OTHER));
        assert!(!is_taken_back(&[one], DEVICE) && !is_taken_back(&[], DEVICE));
        assert!(is_named(&of_rule(1, Some(KID), None).order, Some(KID), DEVICE));
        assert!(is_named(&of_rule(1, None, Some(DEVICE)).order, None, DEVICE));
        assert!(!is_named(&of_rule(1, Some(KID), None).order, None, DEVICE));
        assert!(!is_named(&of_rule(1, None, Some(OTHER)).order, Some(KID), DEVICE));
        assert_eq!(rules_for(&[of_rule(1, None, Some(OTHER)), of_rule(2, Some(KID), None)], DEVICE).len(), 1);
    }

    #[test]
    fn numbers_follow_the_clock_and_never_fall_behind_the_newest() {
        assert_eq!(next_number(None, 1000), 1000);
        assert_eq!(next_number(Some(900), 1000), 1000);
        assert_eq!(next_number(Some(1000), 1000), 1001);
        assert_eq!(next_number(Some(5000), 1000), 5001);
    }

    #[test]
    fn a_key_that_is_revoked_again_counts_from_the_earlier_time_and_keeps_its_name() {
        let new = |from, reason: Option<&str>| NewRevokedKey {
            kind: ListedKey::Service,
            key: SignerId::new([7; 32]),
            name: format!("from {from}"),
            from,
            reason: reason.map(str::to_owned),
        };
        let first = revoke(new(500, Some("lost")), None, 1000);
        assert_eq!((first.counts_from, first.revoked_at), (500, 1000));
        let again = revoke(new(700, None), Some(first), 2000);
        assert_eq!((again.counts_from, again.revoked_at, again.name.as_str()), (500, 1000, "from 500"));
        assert_eq!(again.reason.as_deref(), Some("lost"));
        let earlier = revoke(new(100, Some("stolen")), Some(again), 3000);
        assert_eq!((earlier.counts_from, earlier.reason.as_deref()), (100, Some("stolen")));
    }

    #[test]
    fn an_order_takes_back_the_license_or_those_that_its_rule_means_on_its_device() {
        let policy = policy(&[]);
        let order = |entry, device| Order { entry, device }.matches(&policy, DEVICE);
        let (own, by_rule) = (Entry::License(policy.lid), rule(None, Some(policy.kid), None));
        for entry in [own, by_rule, rule(None, None, None)] {
            assert!(order(entry, None) && order(entry, Some(DEVICE)));
            assert!(!order(entry, Some(OTHER)));
        }
        assert!(!order(Entry::License(Lid::new([9; 16])), None));
        assert!(!order(rule(None, Some(Kid::new([9; 16])), None), None));
    }

    #[test]
    fn a_rule_that_asks_for_more_than_a_key_id_names_nothing_by_it() {
        let named = |entry| is_named(&Order { entry, device: None }, Some(KID), DEVICE);
        assert!(named(rule(None, None, None)) && named(rule(None, Some(KID), None)));
        assert!(!named(rule(Some(UserId::new([5; 16])), Some(KID), None)), "whose it is nobody knows");
        assert!(!named(rule(None, Some(KID), Some(1000))), "since when it is there nobody knows");
        assert!(!named(rule(None, Some(Kid::new([9; 16])), None)));
        assert!(!named(Entry::License(Lid::new([9; 16]))));
    }

    #[test]
    fn of_several_orders_about_a_license_one_for_the_device_is_enough() {
        let (own, other) = (of_license(1, 5, Some(DEVICE)).order, of_license(2, 5, Some(OTHER)).order);
        assert!(is_taken_back(&[other, own], DEVICE) && is_taken_back(&[own, other], DEVICE));
        let rules = [of_license(1, 5, None), of_rule(2, Some(KID), Some(DEVICE)), of_rule(3, None, None)];
        let (of_kid, of_all) = (Rule { kid: Some(KID), ..Rule::default() }, Rule::default());
        assert_eq!(rules_for(&rules, DEVICE), [of_kid, of_all]);
        assert_eq!(rules_for(&rules, OTHER), [of_all]);
    }

    #[test]
    fn only_a_number_above_all_that_are_known_is_newer() {
        assert!(is_newer(None, 0) && is_newer(Some(6), 7));
        assert!(!is_newer(Some(7), 7) && !is_newer(Some(8), 7));
    }

    #[test]
    fn an_acknowledgement_is_for_the_very_blob_and_whom_it_was_for() {
        let key = DualSigningKey::generate().unwrap();
        let blob = |target| Revocation { number: 7, target, entries: vec![rule(None, None, None)] }.sign(&key).unwrap();
        let (own, all) = (blob(Some(DEVICE)), blob(None));
        let word = |blob: &[u8]| Acknowledgement {
            device_id: DEVICE,
            number: 7,
            blob: Digest::of(blob),
            removed: 0,
            lids: vec![],
            taken_at: 1000,
        };
        assert!(is_acknowledged(&word(&own), Some(DEVICE), &own) && is_acknowledged(&word(&all), None, &all));
        assert!(!is_acknowledged(&word(&own), Some(DEVICE), &all) && !is_acknowledged(&word(&all), Some(DEVICE), &all));
        assert!(!is_acknowledged(&word(&own), Some(OTHER), &own) && !is_acknowledged(&word(&own), None, &own));
        assert!(!is_acknowledged(&word(b"no blob"), None, b"no blob"));
    }

    #[test]
    fn a_revoked_key_is_listed_from_the_time_that_its_row_says() {
        let (key, name) = (SignerId::new([7; 32]), String::new());
        let row = RevokedRow { kind: "service", key, name, from: 500, revoked_at: 900, reason: None };
        assert_eq!(row.listed(), Revoked { key, from: 500 });
    }
}
