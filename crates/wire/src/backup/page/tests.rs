//! Pages are what was put into them, and no other bytes are pages.

use super::*;
use crate::aead::SecretKey;
use crate::license::{InnerKey, License};
use crate::policy::{LicenseKind, policy_hash};
use proptest::prelude::*;
use zeroize::Zeroizing;

/// What a license is pushed with.
type Pushed = (u32, Vec<u8>, Vec<u8>);

fn page(licenses: &[Pushed]) -> Vec<u8> {
    let mut builder = PageBuilder::default();
    for (index, license, wrapped) in licenses {
        builder.push(*index, license, wrapped).unwrap();
    }
    builder.finish().unwrap()
}

fn read(bytes: &[u8]) -> Option<Vec<Pushed>> {
    let page = PageView::parse(bytes).ok()?;
    let of = |license: PagedLicense<'_>| (license.index, license.license.to_vec(), license.wrapped.to_vec());
    Some(page.licenses().map(of).collect())
}

fn three() -> Vec<Pushed> {
    vec![(3, b"one".to_vec(), vec![7; 32]), (4, b"two, longer".to_vec(), vec![8; 48]), (4095, vec![9], vec![1])]
}

#[test]
fn a_page_is_laid_out_as_the_protocol_says() {
    let bytes = page(&three());
    let expected = [
        &[0, 3][..],
        &[0, 3, 0, 3, 0, 32],
        &[0, 4, 0, 11, 0, 48],
        &[0x0f, 0xff, 0, 1, 0, 1],
        &[7; 32],
        &[8; 48],
        &[1],
        b"onetwo, longer",
        &[9],
    ];
    assert_eq!(bytes, expected.concat());
    let view = PageView::parse(&bytes).unwrap();
    assert_eq!((view.count(), view.licenses().len(), view.bytes()), (3, 3, &bytes[..]));
    assert_eq!(view.front(), &bytes[..bytes.len() - 15]);
    assert_eq!(read(&bytes), Some(three()));
    assert_eq!(view.find(4).unwrap().license, b"two, longer");
    assert_eq!(view.find(5), None);
}

#[test]
fn a_key_opens_where_it_can_be_opened_and_nowhere_else() {
    let (key, other) = (PageKey::random().unwrap(), PageKey::random().unwrap());
    let (hash, kinds) = (policy_hash(b"terms"), [LicenseKind::Content, LicenseKind::Root, LicenseKind::Leaf]);
    for kind in kinds {
        let inner = InnerKey::new(kind, Zeroizing::new(vec![7; InnerKey::len_of(kind)])).unwrap();
        let wrapped = key.wrap(3, hash, &inner);
        let mut changed = wrapped.clone();
        changed[5] ^= 1;
        let cases = [
            (&key, 3, hash, &wrapped[..]),
            (&other, 3, hash, &wrapped),
            (&key, 4, hash, &wrapped),
            (&key, 3, policy_hash(b"others"), &wrapped),
            (&key, 3, hash, &changed),
            (&key, 3, hash, &wrapped[1..]),
            (&key, 3, hash, &[]),
            (&key, 3, hash, &[0; 200]),
        ];
        for (at, (key, index, hash, wrapped)) in cases.into_iter().enumerate() {
            for as_kind in kinds {
                let opens = key.unwrap(index, hash, as_kind, wrapped).is_ok();
                assert_eq!(key.opens(index, hash, as_kind, wrapped), opens);
                assert_eq!(opens, at == 0 && InnerKey::len_of(as_kind) == InnerKey::len_of(kind));
            }
        }
    }
}

#[test]
fn every_cut_and_every_extension_is_refused() {
    let bytes = page(&three());
    for length in 0..bytes.len() {
        assert!(PageView::parse(&bytes[..length]).is_err(), "cut to {length}");
    }
    assert!(PageView::parse(&[&bytes[..], &[0]].concat()).is_err());
}

#[test]
fn a_page_without_licenses_out_of_order_or_with_lengths_that_may_not_be_is_refused() {
    let good = page(&three());
    let with = |at: usize, bytes: &[u8]| {
        let mut changed = good.clone();
        changed[at..at + bytes.len()].copy_from_slice(bytes);
        PageView::parse(&changed).err()
    };
    let malformed = Some(PageError::Malformed);
    assert_eq!(PageView::parse(&[0, 0]).err(), malformed);
    for count in [0, 2, 4, 4096, 0xffff_u16] {
        assert_eq!(with(0, &count.to_be_bytes()), malformed, "{count} licenses");
    }
    for index in [0, 3, 4, 4096, 0xffff_u16] {
        assert_eq!(with(14, &(index & 0xfff).to_be_bytes()), (index & 0xfff < 5).then_some(PageError::Malformed));
    }
    assert_eq!(with(14, &4096_u16.to_be_bytes()), malformed, "a place that no manifest has");
    assert_eq!(with(8, &[0, 3]), malformed, "the same place twice");
    for (at, length) in [(4, 0), (4, 4), (4, 8193), (6, 0), (6, 31), (6, 65), (16, 0), (18, 0), (18, 2), (16, 2)] {
        assert_eq!(with(at, &u16::to_be_bytes(length)), malformed, "length {length} at {at}");
    }
    // Lengths that add up to what is there, but are longer than any license or key.
    let long_key = [&[0, 1, 0, 0, 0, 1, 0, 65][..], &[0; 66]].concat();
    let long_license = [&[0, 1, 0, 0, 0x20, 1, 0, 1][..], &vec![0; 8194]].concat();
    assert!(PageView::parse(&long_key).is_err() && PageView::parse(&long_license).is_err());
}

#[test]
fn a_builder_takes_licenses_in_order_until_the_page_is_full_and_begins_anew() {
    let mut builder = PageBuilder::default();
    assert!(builder.is_empty() && builder.finish().is_none());
    builder.push(5, b"license", &[1; 32]).unwrap();
    for (index, license, wrapped) in [(5, 1, 1), (4, 1, 1), (4096, 1, 1), (70_000, 1, 1), (6, 0, 1), (6, 1, 0)] {
        assert_eq!(builder.push(index, &vec![0; license], &vec![0; wrapped]), Err(PageError::Malformed));
    }
    assert_eq!(builder.push(6, &[0; 8193], &[1]), Err(PageError::Malformed));
    assert_eq!(builder.push(6, &[1], &[0; 65]), Err(PageError::Malformed));
    for index in 6..13 {
        builder.push(index, &[0; 8192], &[0; 64]).unwrap();
    }
    let room = MAX_PAGE_LEN - builder.len_with(0, 32);
    assert_eq!(builder.push(13, &vec![0; room + 1], &[0; 32]), Err(PageError::Full));
    builder.push(13, &vec![0; room], &[0; 32]).unwrap();
    assert_eq!(builder.push(14, &[1], &[1]), Err(PageError::Full));
    let full = builder.finish().unwrap();
    assert_eq!((full.len(), PageView::parse(&full).unwrap().count()), (MAX_PAGE_LEN, 9));
    let longer = [&full[..], &[0]].concat();
    assert!(PageView::parse(&longer).is_err());
    assert!(builder.is_empty());
    builder.push(0, &[1], &[1]).unwrap();
    assert_eq!(read(&builder.finish().unwrap()), Some(vec![(0, vec![1], vec![1])]));
}

#[test]
fn a_license_of_a_page_is_taken_apart_where_it_is_two_byte_strings_and_nothing_else() {
    let parts =
        |license: &[u8]| PagedLicense { index: 0, license, wrapped: &[] }.parts().map(|(a, b)| (a.len(), b.len()));
    for (policy, binding) in [(0, 0), (1, 23), (23, 24), (24, 255), (255, 256), (300, 7000)] {
        let license = License { policy: vec![1; policy], binding: vec![2; binding] };
        assert_eq!(parts(&license.encode()), Some((policy, binding)));
        assert_eq!(PagedLicense { index: 0, license: &license.encode(), wrapped: &[] }.hash(), license.hash());
    }
    let refused: [&[u8]; 12] = [
        b"",
        &[0x82],
        &[0x82, 0x40],
        &[0x81, 0x40],
        &[0x83, 0x40, 0x40, 0x40],
        &[0x82, 0x40, 0x40, 0],
        &[0x82, 0x40, 0x60],
        &[0x82, 0x58, 1, 0, 0x40],
        &[0x82, 0x59, 0, 1, 0, 0x40],
        &[0x82, 0x5a, 0, 0, 0, 1, 0, 0x40],
        &[0x82, 0x5f, 0xff, 0x40],
        &[0x82, 0x58, 24, 0, 0x40],
    ];
    for license in refused {
        assert_eq!(parts(license), None, "{license:?}");
        assert!(License::decode(license).is_err());
    }
}

#[test]
fn a_page_that_is_cut_down_keeps_the_rest_as_it_was() {
    let bytes = page(&three());
    let view = PageView::parse(&bytes).unwrap();
    assert_eq!(read(&view.without(4).unwrap()), Some(vec![three()[0].clone(), three()[2].clone()]));
    assert_eq!(view.without(5).unwrap(), bytes);
    assert_eq!(view.keep(|_| false), None);
    assert_eq!(view.keep(|index| index == 4095), Some(page(&three()[2..])));
    let single = page(&three()[1..2]);
    assert_eq!(PageView::parse(&single).unwrap().without(4), None);
}

#[test]
fn a_key_opens_in_its_place_for_its_policy_and_its_kind_only() {
    let key = |byte: u8| PageKey::new(SecretKey::new(Zeroizing::new([byte; 32])));
    let inner = InnerKey::new(LicenseKind::Content, Zeroizing::new(vec![5; 16])).unwrap();
    let (policy, other) = (policy_hash(b"policy"), policy_hash(b"another"));
    let wrapped = key(1).wrap(7, policy, &inner);
    let open = |page: &PageKey, index, policy, kind| {
        page.unwrap(index, policy, kind, &wrapped).map(|key| key.as_bytes().to_vec())
    };
    assert_eq!(open(&key(1), 7, policy, LicenseKind::Content).ok(), Some(vec![5; 16]));
    assert!(open(&key(2), 7, policy, LicenseKind::Content).is_err());
    assert!(open(&key(1), 8, policy, LicenseKind::Content).is_err());
    assert!(open(&key(1), 7, other, LicenseKind::Content).is_err());
    assert!(open(&key(1), 7, policy, LicenseKind::Root).is_err());

    let section = |byte: u8| SectionPageKeys::of(&SecretKey::new(Zeroizing::new([byte; 32])));
    let sealed = section(3).seal(9, &key(1));
    assert_eq!(sealed.len(), WRAPPED_PAGE_KEY_LEN);
    assert_eq!(section(3).open(9, &sealed).unwrap().as_bytes(), key(1).as_bytes());
    assert!(section(3).open(10, &sealed).is_err() && section(4).open(9, &sealed).is_err());
    let changed: Vec<u8> = sealed.iter().enumerate().map(|(at, byte)| byte ^ u8::from(at == 40)).collect();
    assert!(section(3).open(9, &changed).is_err() && section(3).open(9, &sealed[1..]).is_err());
    // A section's other keys are others.
    let record = SecretKey::new(Zeroizing::new([3; 32])).expand("wmlicense/1 record", &[]);
    assert!(record.open(&crate::aead::counter_nonce(9), &[], &sealed).is_err());
}

prop_compose! {
    fn licenses()(
        mut all in proptest::collection::vec(
            (0u32..4096, proptest::collection::vec(any::<u8>(), 1..90), proptest::collection::vec(any::<u8>(), 1..=64)),
            1..60,
        )
    ) -> Vec<Pushed> {
        all.sort_by_key(|license| license.0);
        all.dedup_by_key(|license| license.0);
        all
    }
}

proptest! {
    #[test]
    fn what_is_put_in_comes_back(licenses in licenses()) {
        let bytes = page(&licenses);
        prop_assert_eq!(read(&bytes), Some(licenses.clone()));
        let view = PageView::parse(&bytes).unwrap();
        prop_assert_eq!(view.front().len() + licenses.iter().map(|license| license.1.len()).sum::<usize>(), bytes.len());
        let odd: Vec<Pushed> = licenses.iter().filter(|license| license.0 % 2 == 1).cloned().collect();
        prop_assert_eq!(view.keep(|index| index % 2 == 1), (!odd.is_empty()).then(|| page(&odd)));
    }

    #[test]
    fn what_is_read_is_the_only_page_of_its_licenses(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), count in 0u8..4) {
        // Most random bytes are none: the lengths are brought near to what there is.
        if let Some(high) = bytes.first_mut() { *high = 0; }
        if let Some(low) = bytes.get_mut(1) { *low = count; }
        for entry in 0..usize::from(count) {
            for high in [2, 4, 6] {
                if let Some(high) = bytes.get_mut(2 + 6 * entry + high - 2) { *high &= 1; }
            }
        }
        if let Some(licenses) = read(&bytes) {
            prop_assert_eq!(page(&licenses), bytes);
        }
    }

    #[test]
    fn a_changed_byte_of_the_front_is_refused_or_says_something_else(licenses in licenses(), at: prop::sample::Index, bit in 0u8..8) {
        let mut bytes = page(&licenses);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert!(read(&bytes) != Some(licenses));
    }
}
