use super::*;
use crate::policy::parse;

const GRANT: GrantId = GrantId::new([1; 16]);
const KID: Kid = Kid::new([2; 16]);

fn device(number: u8) -> DeviceId {
    DeviceId::new([number; 16])
}

fn lid(number: u8) -> Lid {
    Lid::new([number; 16])
}

fn row(number: u8, given: u32, used: u32) -> LedgerRow {
    let (device, lid) = (device(number), lid(number));
    LedgerRow { grant: GRANT, kid: KID, action: "Play".to_owned(), device, lid, given, used, first_use: None }
}

fn terms(json: &str) -> Terms {
    parse(json).unwrap()
}

fn ten() -> Terms {
    terms(r#"{"actions":{"Play":{"count":10},"Copy":{}}}"#)
}

fn share_of(terms: &Terms, rows: &[LedgerRow], number: u8, current: Option<u8>) -> (Option<u32>, bool) {
    let share = share(terms, rows, (GRANT, KID, device(number)), current.map(lid));
    (share.state.actions["Play"].counts_left, share.stays())
}

#[test]
fn a_device_gets_all_that_no_other_one_has() {
    assert_eq!(share_of(&ten(), &[], 1, None), (Some(10), false));
    assert_eq!(share_of(&ten(), &[row(1, 10, 3)], 2, None), (Some(0), false), "what is out counts as used");
    assert_eq!(share_of(&ten(), &[row(1, 3, 3)], 2, None), (Some(7), false));
    assert_eq!(share_of(&ten(), &[row(1, 10, 3)], 1, Some(1)), (Some(7), true), "it has them already");
    let rows = share(&ten(), &[row(1, 3, 3)], (GRANT, KID, device(2)), None).rows(lid(9));
    assert_eq!(rows, [LedgerRow { device: device(2), lid: lid(9), ..row(2, 7, 0) }]);
}

#[test]
fn who_used_up_its_share_gets_what_came_back_and_a_license_of_another_grant_does_not_stay() {
    assert_eq!(share_of(&ten(), &[row(1, 4, 4), row(2, 6, 6)], 1, Some(1)), (Some(0), true));
    assert_eq!(share_of(&ten(), &[row(1, 4, 4), row(2, 2, 2)], 1, Some(1)), (Some(4), false));
    assert_eq!(share_of(&ten(), &[row(1, 4, 1)], 1, Some(7)), (Some(9), false));
}

#[test]
fn an_allotment_is_what_a_device_gets_at_once() {
    let terms = terms(r#"{"allotment":2,"actions":{"Play":{"count":10}}}"#);
    assert_eq!(share_of(&terms, &[], 1, None), (Some(2), false));
    assert_eq!(share_of(&terms, &[row(1, 2, 2)], 1, Some(1)), (Some(2), false));
    assert_eq!(share_of(&terms, &[row(1, 2, 1)], 1, Some(1)), (Some(2), true), "something is left of the one before");
    assert_eq!(share_of(&terms, &[row(2, 9, 0)], 1, None), (Some(1), false));
}

#[test]
fn what_was_lost_and_used_all_the_same_is_used() {
    let mut lost = row(1, 10, 3);
    lost.close();
    assert_eq!((lost.given, lost.out()), (3, 0));
    assert_eq!(share_of(&ten(), &[lost.clone()], 2, None), (Some(7), false));
    let late = LedgerRow { used: 5, ..lost };
    assert_eq!(share_of(&ten(), &[late], 2, None), (Some(5), false));
}

#[test]
fn a_report_counts_up_only_and_a_first_use_is_the_earliest_of_all_devices() {
    let told = |left, first_use| State {
        actions: [("Play".to_owned(), ActionState { counts_left: Some(left), first_use })].into(),
    };
    let mut own = row(1, 10, 3);
    own.report(&told(9, Some(500)), 400);
    assert_eq!((own.used, own.first_use), (3, Some(400)), "no use is undone, and none is of tomorrow");
    own.report(&told(2, Some(500)), 600);
    assert_eq!((own.used, own.first_use), (8, Some(400)));
    let rent = terms(r#"{"actions":{"Play":{"secondsAfterFirstUse":100}}}"#);
    let rows = [LedgerRow { given: 0, used: 0, ..own }];
    let of_other = share(&rent, &rows, (GRANT, KID, device(2)), None);
    assert_eq!(of_other.state.actions["Play"], ActionState { counts_left: None, first_use: Some(400) });
    assert!(is_spent(&rent, &rows, device(2), 500) && !is_spent(&rent, &rows, device(2), 499));
}

#[test]
fn a_grant_is_spent_where_nothing_of_any_action_is_left() {
    let counted = terms(r#"{"actions":{"Play":{"count":10}}}"#);
    assert!(is_spent(&counted, &[row(1, 10, 0)], device(2), 0) && !is_spent(&counted, &[row(1, 10, 0)], device(1), 0));
    assert!(!is_spent(&ten(), &[row(1, 10, 10)], device(1), 0), "copying is not counted");
}
