use super::*;
use crate::rules::content::Part;
use crate::rules::revocation::Order;
use crate::rules::rows::{Booked, SeatRow};
use wmlicense_testkit::policy::played;
use wmlicense_wire::id::Digest;
use wmlicense_wire::revocation::Entry;

const DEVICE: DeviceId = DeviceId::new([1; 16]);
const OTHER: DeviceId = DeviceId::new([2; 16]);
const USER: UserId = UserId::new([5; 16]);
const KID: Kid = Kid::new([8; 16]);
const LID: Lid = Lid::new([7; 16]);
const LATER: Lid = Lid::new([6; 16]);

fn seat(device: DeviceId) -> SeatRow {
    SeatRow {
        lid: LID,
        device,
        kid: KID,
        restored: false,
        elsewhere: false,
        since: 0,
        line: None,
        returned_at: None,
        freed: false,
        withdrawn: None,
    }
}

fn renewing(account: Option<UserId>) -> Renewing {
    Renewing { device: DEVICE, account, rules: Arc::new([Rule::default()]) }
}

fn content(scope: Option<&str>) -> Content {
    let scope = scope.map(str::to_owned);
    Content::catalogued(vec![], None, None, scope, Part::Content)
}

fn row(lid: Lid, user: Option<UserId>) -> LicenseRow {
    LicenseRow { user, lid, terms: Digest::new([4; 32]), policy: vec![7], withdrawn: None, returned_at: None }
}

fn left() -> Option<State> {
    Some(played(Some(2), None))
}

/// What is kept of a license that the device holds, and was used.
fn kept() -> Kept {
    Kept { seats: vec![seat(OTHER), seat(DEVICE)], state: left(), orders: vec![] }
}

fn found(account: Option<UserId>, kept: &Kept, own: Option<KeptLicense>, first: Option<LicenseRow>) -> Renewable {
    let bookings = Bookings::new(1000, [Booked { line: LID, lid: LID, at: 900 }]);
    renewing(account).renewable((KID, LID), content(Some("gold")), kept, own, first, &bookings)
}

#[track_caller]
fn held(found: Renewable) -> HeldLicense {
    let Renewable::Held(held) = found else { panic!("not held") };
    *held
}

#[test]
fn a_device_holds_what_it_has_a_seat_for_and_did_not_give_back() {
    let held = |seats| renewing(None).held(&Kept { seats, ..Kept::default() });
    assert_eq!(held(vec![]), None);
    assert_eq!(held(vec![seat(OTHER)]), None);
    assert_eq!(held(vec![seat(OTHER), seat(DEVICE)]), Some(KID));
    assert_eq!(held(vec![SeatRow { returned_at: Some(5), ..seat(DEVICE) }]), None);
    assert_eq!(held(vec![SeatRow { returned_at: Some(5), ..seat(OTHER) }, seat(DEVICE)]), Some(KID));
}

#[test]
fn the_license_that_the_device_got_itself_stands_for_the_one_asked_about() {
    let own = KeptLicense { row: row(LATER, None), state: Some(played(Some(1), None)), line: LID, orders: vec![] };
    let held = held(found(None, &kept(), Some(own), Some(row(LID, Some(USER)))));
    assert_eq!((held.kid, held.restored, held.taken_back, held.state), (KID, false, false, None));
    assert_eq!(held.rules[..], [Rule::default()]);
    let current = held.current.unwrap();
    assert_eq!((current.lid, current.line, current.again.times), (LATER, LID, 1));
    assert_eq!(current.state, Some(played(Some(1), None)));
}

#[test]
fn what_was_restored_is_renewed_for_the_account_that_it_was_issued_to() {
    let first = || Some(row(LID, Some(USER)));
    for account in [None, Some(UserId::new([9; 16]))] {
        let found = found(account, &kept(), None, first());
        assert!(matches!(found, Renewable::OtherAccount(of) if of == KID));
        assert_eq!(found.kid(), Some(KID));
    }
    let found = found(Some(USER), &kept(), None, first());
    assert_eq!(found.kid(), Some(KID));
    let held = held(found);
    assert_eq!((held.restored, held.state), (true, None), "its state is that of the license");
    let current = held.current.unwrap();
    assert_eq!((current.lid, current.line, current.again.times, current.state), (LID, LID, 1, left()));
}

#[test]
fn whether_its_first_device_gave_it_back_says_nothing_of_a_restored_license() {
    for first in [
        LicenseRow { returned_at: Some(5), ..row(LID, Some(USER)) },
        LicenseRow { withdrawn: Some(5), ..row(LID, Some(USER)) },
    ] {
        assert!(!held(found(Some(USER), &kept(), None, Some(first))).current.unwrap().withdrawn);
    }
    let own = LicenseRow { withdrawn: Some(5), ..row(LID, Some(USER)) };
    let own = KeptLicense { row: own, state: None, line: LID, orders: vec![] };
    assert!(held(found(Some(USER), &kept(), Some(own), None)).current.unwrap().withdrawn, "its own it had to drop");
}

#[test]
fn of_a_license_that_is_known_only_by_its_seat_what_was_used_is_known_still() {
    let held = held(found(None, &kept(), None, None));
    assert!(held.current.is_none() && held.restored);
    assert_eq!(held.state, left());
}

#[test]
fn what_was_taken_back_by_its_id_is_renewed_as_that() {
    for (device, taken_back) in [(None, true), (Some(DEVICE), true), (Some(OTHER), false)] {
        let kept = Kept { orders: vec![Order { entry: Entry::License(LID), device }], ..kept() };
        assert_eq!(held(found(None, &kept, None, None)).taken_back, taken_back);
    }
}

#[test]
fn a_license_that_is_not_held_is_for_no_key_id() {
    assert_eq!(Renewable::NotHeld.kid(), None);
    assert_eq!(Renewable::NoContent(KID).kid(), Some(KID));
    assert_eq!(renewing(Some(USER)).holder(&content(None)), None);
    assert_eq!(renewing(Some(USER)).holder(&content(Some("gold"))), Some(USER));
}
