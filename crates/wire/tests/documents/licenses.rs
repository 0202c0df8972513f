//! Licenses, bindings, the state of rights and the keys inside.

use crate::world::{DEVICE_ID, NOW, edited, policy};
use proptest::prelude::*;
use std::collections::BTreeMap;
use wmlicense_wire::cbor::{CborError, write};
use wmlicense_wire::id::{Digest, SignerId};
use wmlicense_wire::license::{ActionState, Binding, InnerKey, License, State};
use wmlicense_wire::policy::LicenseKind;
use zeroize::Zeroizing;

fn states() -> impl Strategy<Value = State> {
    let action = (any::<Option<u32>>(), any::<Option<i64>>())
        .prop_map(|(counts_left, first_use)| ActionState { counts_left, first_use });
    proptest::collection::btree_map("[A-Za-z.]{0,30}", action, 0..6).prop_map(|actions| State { actions })
}

proptest! {
    #[test]
    fn every_state_is_read_back_from_its_one_encoding(state in states()) {
        let bytes = state.encode();
        let read = State::decode(&bytes).unwrap();
        prop_assert_eq!(read.encode(), bytes);
        prop_assert_eq!(read, state);
    }

    #[test]
    fn the_strictest_state_gives_neither_side_more(a in states(), b in states()) {
        let both = a.clone().strictest(&b);
        prop_assert_eq!(&b.clone().strictest(&a), &both);
        prop_assert_eq!(&both.clone().strictest(&a), &both);
        for (action, state) in a.actions.iter().chain(&b.actions) {
            let strict = both.actions[action];
            prop_assert!(state.counts_left.is_none_or(|counts| strict.counts_left.is_some_and(|s| s <= counts)));
            prop_assert!(state.first_use.is_none_or(|time| strict.first_use.is_some_and(|s| s <= time)));
        }
    }

    #[test]
    fn arbitrary_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        if let Ok(state) = State::decode(&bytes) {
            prop_assert_eq!(state.encode(), bytes.clone());
        }
        prop_assert!(Binding::decode(&bytes).is_err());
        if let Ok(license) = License::decode(&bytes) {
            prop_assert_eq!(license.encode(), bytes);
        }
    }
}

fn binding() -> Binding {
    let actions = BTreeMap::from([("Play".to_owned(), ActionState { counts_left: Some(1), first_use: Some(NOW) })]);
    Binding {
        policy_hash: Digest::of(&policy(1).encode()),
        device_id: DEVICE_ID,
        thumbprint: SignerId::new([5; 32]),
        wrapped: vec![6; 32],
        issued_at: NOW,
        state: Some(State { actions }),
    }
}

#[test]
fn a_binding_is_read_back_with_and_without_state() {
    for state in [None, binding().state] {
        let binding = Binding { state, ..binding() };
        assert!(Binding::decode(&binding.encode()).unwrap() == binding);
    }
}

#[test]
fn a_malformed_binding_is_refused() {
    let bytes = binding().encode();
    for field in [6, 10, 11, 12, 13] {
        let missing = edited(&bytes, |map| drop(map.remove(&field)));
        assert_eq!(Binding::decode(&missing).err(), Some(CborError::Missing { field }));
        let wrong = edited(&bytes, |map| drop(map.insert(field, vec![0xf6])));
        assert_eq!(Binding::decode(&wrong).err(), Some(CborError::Value { field }));
    }
    let long = edited(&bytes, |map| drop(map.insert(13, write::bytes([0; 65]))));
    assert_eq!(Binding::decode(&long).err(), Some(CborError::Value { field: 13 }));
    let unknown = edited(&bytes, |map| drop(map.insert(15, vec![0])));
    assert_eq!(Binding::decode(&unknown).err(), Some(CborError::Unknown { field: 15 }));
}

#[test]
fn a_state_with_impossible_values_is_refused() {
    for value in [
        write::array([write::int(-1), write::null()]),
        write::array([write::uint(1 << 32), write::null()]),
        write::array([write::null()]),
        write::array([write::null(), write::null(), write::null()]),
        write::array([write::text("2"), write::null()]),
        write::uint(2),
    ] {
        let bytes = write::text_map([("Play", value)]);
        assert_eq!(State::decode(&bytes), Err(CborError::Encoding { offset: 0 }), "{bytes:x?}");
    }
    let names: Vec<String> = (0..33).map(|number| format!("{number:02}")).collect();
    let of = |count: usize| {
        let value = write::array([write::null(), write::null()]);
        write::text_map(names[..count].iter().map(|name| (name.as_str(), value.clone())))
    };
    assert!(State::decode(&of(32)).is_ok());
    assert!(State::decode(&of(33)).is_err());
}

#[test]
fn a_license_keeps_the_bytes_that_were_signed() {
    let license = License { policy: policy(1).encode(), binding: binding().encode() };
    let bytes = license.encode();
    let read = License::decode(&bytes).unwrap();
    assert!(read == license);
    assert_eq!(read.hash(), Digest::of(&bytes));
    assert_eq!(read.policy_hash(), binding().policy_hash);
}

#[test]
fn a_license_is_two_byte_strings_of_at_most_8_kib() {
    let of = |length| License { policy: vec![0; length], binding: Vec::new() }.encode();
    assert!(License::decode(&of(8192 - 5)).is_ok());
    assert_eq!(License::decode(&of(8192 - 4)).err(), Some(CborError::TooLong { cap: 8192 }));
    for bytes in [vec![0x81, 0x40], vec![0x83, 0x40, 0x40, 0x40], vec![0x82, 0x40, 0x60], vec![0xa0], vec![]] {
        assert_eq!(License::decode(&bytes).err(), Some(CborError::Encoding { offset: 0 }), "{bytes:x?}");
    }
    assert_eq!(License::decode(&[0x82, 0x40, 0x40, 0]).err(), Some(CborError::Trailing { offset: 3 }));
}

#[test]
fn a_key_inside_has_exactly_the_length_of_its_kind() {
    for (kind, length) in [(LicenseKind::Content, 16), (LicenseKind::Root, 32), (LicenseKind::Leaf, 32)] {
        for tried in [0, 15, 16, 17, 24, 31, 32, 33] {
            let key = InnerKey::new(kind, Zeroizing::new(vec![7; tried]));
            assert_eq!(key.is_some(), tried == length, "{kind:?} {tried}");
            assert!(key.is_none_or(|key| key.as_bytes() == vec![7; tried]));
        }
    }
}
