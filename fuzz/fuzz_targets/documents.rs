//! Everything without a signature: what is read has one encoding, and both readers of backup items agree.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wmlicense_wire::backup::{Header, Item, ItemView, Record, Tombstone};
use wmlicense_wire::cbor::{check, diagnostic::pretty};
use wmlicense_wire::license::{Binding, License, State, bound_to};
use wmlicense_wire::policy::{Conditions, Glance, Policy};
use wmlicense_wire::problem::Problem;

fuzz_target!(|data: &[u8]| {
    let _ = Problem::parse(data);
    let shown = pretty(data);
    if check(data).is_err() {
        assert!(Policy::decode(data).is_err() && Item::decode(data).is_err() && ItemView::parse(data).is_err());
        return;
    }
    assert!(shown.is_some());
    // Keys of 64 and more may be skipped, so a policy, binding or header may come out shorter, but it stays the same one.
    if let Ok(policy) = Policy::decode(data) {
        let again = Policy::decode(&policy.encode());
        // An unknown critical condition is known by its effect only.
        assert!(again.is_ok());
        let _ = (policy.may_back_up(), State::initial(&policy).encode());
        let glance = Glance::at(data).expect("what is read wholly can be glanced at");
        assert!(glance.kind == policy.kind && glance.stateful == policy.is_stateful(), "{policy:?}");
        assert!((glance.lid, glance.kid, glance.issuer) == (policy.lid, policy.kid, policy.issuer), "{policy:?}");
        assert!((glance.management, glance.user) == (policy.management, policy.user), "{policy:?}");
        assert!((glance.revocation_key, glance.replaces) == (policy.revocation_key, policy.replaces), "{policy:?}");
        assert!(glance.may_back_up() == policy.may_back_up(), "{policy:?}");
        let ends = |conditions: &Conditions| conditions.not_after.or(conditions.seconds_after_storing.map(|_| 0));
        assert!(glance.dated || policy.actions.iter().all(|(_, terms)| ends(terms).is_none()), "{policy:?}");
    }
    if let Ok(tombstone) = Tombstone::decode(data) {
        assert_eq!(tombstone.encode(), data);
    }
    if let Ok(binding) = Binding::decode(data) {
        assert_eq!(bound_to(data), Some((binding.policy_hash, binding.thumbprint)));
        assert!(Binding::decode(&binding.encode()).is_ok_and(|again| again == binding));
    }
    if let Ok(header) = Header::decode(data) {
        assert!(Header::decode(&header.encode()[12..]).is_ok_and(|again| again == header));
    }
    if let Ok(license) = License::decode(data) {
        assert_eq!(license.encode(), data);
    }
    if let Ok(state) = State::decode(data) {
        assert_eq!(state.encode(), data);
    }
    if let Ok(record) = Record::decode(data) {
        assert_eq!(record.encode(), data);
    }
    items(data);
});

fn items(data: &[u8]) {
    match (Item::decode(data), ItemView::parse(data)) {
        (Ok(item), Ok(view)) => {
            assert_eq!(item.encode(), data);
            if let (Item::Record(record), ItemView::Record(view)) = (item, view) {
                assert!(view.license() == record.license && view.license_hash() == record.license.hash());
                assert!(view.state() == Some(record.state));
                assert_eq!((view.number, view.manifest_index), (record.number, record.manifest_index));
            }
        }
        // The view reads the state only when it is asked for.
        (Err(_), Ok(ItemView::Record(view))) => assert!(view.state().is_none()),
        (Ok(_), Err(error)) => panic!("only the view refuses: {error}"),
        (Err(error), Ok(_)) => panic!("only the owner refuses: {error}"),
        (Err(_), Err(_)) => {}
    }
}
