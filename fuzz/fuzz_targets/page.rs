//! Pages of licenses: what is read is the only page of its licenses, what is cut down is a page, and no key opens that was not wrapped.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::backup::page::{MAX_PAGE_LEN, PageBuilder, PageKey, PageView, PagedLicense, SectionPageKeys};
use wmlicense_wire::license::License;
use wmlicense_wire::policy::{LicenseKind, policy_hash};
use zeroize::Zeroizing;

fn key(byte: u8) -> SecretKey {
    SecretKey::new(Zeroizing::new([byte; 32]))
}

fuzz_target!(|data: &[u8]| {
    assert!(SectionPageKeys::of(&key(1)).open(data.len() as u64, data).is_err());
    let Ok(view) = PageView::parse(data) else { return };
    assert!(data.len() <= MAX_PAGE_LEN && view.bytes() == data);
    assert_eq!(view.licenses().len(), view.count());
    assert_eq!(built(view.licenses()).as_deref(), Some(data));
    let lengths: usize = view.licenses().map(|license| license.license.len()).sum();
    assert_eq!(view.front().len() + lengths, data.len());
    let page = PageKey::new(key(2));
    for license in view.licenses() {
        one(&view, license, &page);
    }
    let odd = view.keep(|index| index % 2 == 1);
    assert_eq!(odd, built(view.licenses().filter(|license| license.index % 2 == 1)));
});

fn built<'a>(licenses: impl Iterator<Item = PagedLicense<'a>>) -> Option<Vec<u8>> {
    let mut builder = PageBuilder::default();
    for PagedLicense { index, license, wrapped } in licenses {
        builder.push(index, license, wrapped).expect("what was read from a page goes into one");
    }
    builder.finish()
}

fn one(view: &PageView<'_>, license: PagedLicense<'_>, page: &PageKey) {
    assert!(view.find(license.index) == Some(license));
    let rest = view.without(license.index);
    assert_eq!(rest.is_none(), view.count() == 1);
    if let Some(rest) = rest {
        let rest = PageView::parse(&rest).expect("a page that was cut down is a page");
        assert!(rest.count() == view.count() - 1 && rest.find(license.index).is_none());
    }
    // Bytes that are two byte strings are read alike by both readers.
    match (license.parts(), License::decode(license.license)) {
        (Some((policy, binding)), Ok(read)) => {
            assert!(policy == read.policy && binding == read.binding && read.hash() == license.hash());
            let opened = page.unwrap(license.index, policy_hash(policy), LicenseKind::Content, license.wrapped);
            assert!(opened.is_err());
        }
        (None, Err(_)) => {}
        _ => panic!("the two readers of a license disagree"),
    }
}
