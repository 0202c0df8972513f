//! Pages that a dishonest device, or whoever got a section's keys, could write: swapped, doubled, of another batch, section or
//! backup, with places or states that may not be, with other keys.

use super::forged::{Parts, forged_of, name_instead, pad, reason, take_apart};
use super::*;
use wmlicense_wire::backup::Item;
use wmlicense_wire::backup::page::{PageBuilder, PageView, PagedLicense, SectionPageKeys};
use wmlicense_wire::license::License;

fn pages(parts: &Parts) -> Vec<usize> {
    parts.places(|item| matches!(item, ItemView::Page(_)))
}

/// Wrapped key and page of the item at a place.
fn page_at(parts: &Parts, place: usize) -> (Vec<u8>, Vec<u8>) {
    let Item::Page { wrapped_key, page } = Item::decode(&parts.items[place]).unwrap() else { panic!("no page") };
    (wrapped_key, page)
}

fn put(parts: &mut Parts, place: usize, (wrapped_key, page): (Vec<u8>, Vec<u8>)) {
    parts.items[place] = Item::Page { wrapped_key, page }.encode();
}

/// A page of the same licenses after a change of each.
fn rebuilt(page: &[u8], change: impl Fn(usize, &mut (u32, Vec<u8>, Vec<u8>))) -> Vec<u8> {
    let mut builder = PageBuilder::default();
    for (at, PagedLicense { index, license, wrapped }) in PageView::parse(page).unwrap().licenses().enumerate() {
        let mut changed = (index, license.to_vec(), wrapped.to_vec());
        change(at, &mut changed);
        builder.push(changed.0, &changed.1, &changed.2).unwrap();
    }
    builder.finish().unwrap()
}

/// What is said of a file of pages with this change, although it is signed anew.
fn said(change: impl FnOnce(&mut Parts)) -> String {
    reason(forged_of(Version::Pages, change))
}

const TWICE: &str = "a license comes twice, or from outside its batch";
const NOT_NAMED: &str = "a license is not in its batch's manifest";

#[test]
fn pages_of_a_backup_have_two_licenses_here_and_stand_under_their_batch() {
    let counts = |parts: &Parts| -> Vec<usize> {
        let count = |place| PageView::parse(&page_at(parts, place).1).unwrap().count();
        pages(parts).into_iter().map(count).collect()
    };
    let whole = forged_of(Version::Pages, |parts| assert_eq!(counts(parts), [2, 1, 2]));
    assert_eq!(whole.unwrap().len(), 5);
}

#[test]
fn pages_swapped_doubled_or_under_another_batch_are_found() {
    let swapped = said(|parts| {
        let at = pages(parts);
        parts.items.swap(at[0], at[1]);
    });
    assert_eq!(swapped, "key of a page");
    let doubled = said(|parts| {
        let at = pages(parts)[0];
        parts.items.insert(at, parts.items[at].clone());
    });
    assert_eq!(doubled, TWICE);
    let elsewhere = said(|parts| {
        let at = pages(parts);
        parts.items.swap(at[0], at[2]);
    });
    assert_eq!(elsewhere, NOT_NAMED);
    let batch = |parts: &Parts, number: usize| parts.places(|item| matches!(item, ItemView::Batch(_)))[number];
    assert_eq!(said(|parts| drop(parts.items.remove(batch(parts, 0)))), "a page has no batch");
    assert_eq!(said(|parts| drop(parts.items.remove(batch(parts, 1)))), TWICE);
}

#[test]
fn a_page_that_was_dropped_shows_in_the_numbers_of_those_after_it() {
    assert_eq!(said(|parts| drop(parts.items.remove(pages(parts)[0]))), "key of a page");
    // The last one is missed by the footer, which this device signed anew here: what it leaves out is its own word.
    let last = forged_of(Version::Pages, |parts| drop(parts.items.remove(pages(parts)[2])));
    assert_eq!(last.unwrap().len(), 3);
}

#[test]
fn places_outside_the_manifest_in_other_pages_or_of_other_licenses_are_found() {
    let moved = |to: u32| {
        said(move |parts| {
            let at = pages(parts)[1];
            let (key, page) = page_at(parts, at);
            put(parts, at, (key, rebuilt(&page, |_, license| license.0 = to)));
        })
    };
    assert_eq!(moved(0), TWICE, "the place of a license of the page before");
    assert_eq!(moved(3), NOT_NAMED, "a place that the manifest does not have");
    assert_eq!(moved(4095), NOT_NAMED);
    let swapped = said(|parts| {
        let at = pages(parts)[0];
        let (key, page) = page_at(parts, at);
        let licenses: Vec<Vec<u8>> =
            PageView::parse(&page).unwrap().licenses().map(|license| license.license.to_vec()).collect();
        put(parts, at, (key, rebuilt(&page, |at, license| license.1 = licenses[1 - at].clone())));
    });
    assert_eq!(swapped, NOT_NAMED);
}

#[test]
fn keys_of_other_pages_and_of_other_licenses_do_not_open() {
    let keys_of_pages = said(|parts| {
        let at = pages(parts);
        let (first, second) = (page_at(parts, at[0]), page_at(parts, at[1]));
        put(parts, at[0], (second.0, first.1));
        put(parts, at[1], (first.0, second.1));
    });
    assert_eq!(keys_of_pages, "key of a page");
    let keys_of_licenses = said(|parts| {
        let at = pages(parts)[0];
        let (key, page) = page_at(parts, at);
        let wrapped: Vec<Vec<u8>> =
            PageView::parse(&page).unwrap().licenses().map(|license| license.wrapped.to_vec()).collect();
        put(parts, at, (key, rebuilt(&page, |at, license| license.2 = wrapped[1 - at].clone())));
    });
    assert_eq!(keys_of_licenses, "key");
    // The right page key in the wrong place: sealed anew by one that has the section's.
    let other_page = said(|parts| {
        let at = pages(parts);
        let section = SectionPageKeys::of(&parts.ticket.keys.content);
        let second = section.open(1, &page_at(parts, at[1]).0).unwrap();
        let page = page_at(parts, at[0]).1;
        put(parts, at[0], (section.seal(0, &second), page));
    });
    assert_eq!(other_page, "key");
}

#[test]
fn a_license_with_a_state_in_a_page_is_refused_although_all_else_is_right() {
    let (world, device) = (World::new(), TestDevice::new());
    let bytes = small(&world, &device);
    let mut parts = take_apart(&bytes, &device);
    let at = parts.places(|item| matches!(item, ItemView::Record(_)))[0];
    let Item::Record(record) = Item::decode(&parts.items[at]).unwrap() else { panic!("no record") };
    let mut page = PageBuilder::default();
    page.push(record.manifest_index, &record.license.encode(), &[0; 32]).unwrap();
    let wrapped_key = page_at(&parts, pages(&parts)[0]).0;
    parts.items[at] = Item::Page { wrapped_key, page: page.finish().unwrap() }.encode();
    pad(&mut parts);
    parts.account();
    let refused = reason(read(&parts.put_together(&device.signing, &device, &[]), &device));
    assert_eq!(refused, "a license with a state stands in a page");
}

#[test]
fn a_license_in_a_page_is_bound_to_the_device_and_to_its_own_policy_although_its_batch_names_it() {
    let (world, device, other) = (World::new(), TestDevice::new(), TestDevice::new());
    let bytes = backup(&world, &device, &[vec![batch(&world, &device, 0..2)]]);
    let of_other = batch(&world, &other, 0..1).1.remove(0).license.binding;
    let said = |bind: &dyn Fn(&License, &License) -> License| {
        let mut parts = take_apart(&bytes, &device);
        let at = pages(&parts)[0];
        let (key, page) = page_at(&parts, at);
        let licenses: Vec<License> =
            PageView::parse(&page).unwrap().licenses().map(|paged| License::decode(paged.license).unwrap()).collect();
        let changed = bind(&licenses[0], &licenses[1]);
        name_instead(&mut parts, licenses[0].hash(), changed.hash(), &device);
        let change = |at: usize, license: &mut (u32, Vec<u8>, Vec<u8>)| {
            if at == 0 {
                license.1 = changed.encode();
            }
        };
        put(&mut parts, at, (key, rebuilt(&page, change)));
        pad(&mut parts);
        parts.account();
        reason(read(&parts.put_together(&device.signing, &device, &[]), &device))
    };
    let bound = |binding: &[u8]| {
        let binding = binding.to_vec();
        said(&move |first, _| License { binding: binding.clone(), ..first.clone() })
    };
    assert_eq!(bound(&of_other), "a binding belongs to another license");
    assert_eq!(bound(b""), "a binding belongs to another license");
    assert_eq!(said(&|first, _| License { policy: vec![0], ..first.clone() }), "a policy is malformed");
    // The policy that a binding names is the one that the key is wrapped for.
    assert_eq!(said(&|first, second| License { binding: second.binding.clone(), ..first.clone() }), "key");
}

#[test]
fn a_page_in_a_file_of_the_earlier_version_is_refused() {
    let (world, device) = (World::new(), TestDevice::new());
    let page = take_apart(&small(&world, &device), &device);
    let page = page.items[pages(&page)[0]].clone();
    let refused = forged_of(Version::Records, |parts| {
        let at = parts.places(|item| matches!(item, ItemView::Record(_)))[0];
        parts.items.insert(at, page);
    });
    assert_eq!(reason(refused), "a page in a file of an earlier version");
}

#[test]
fn pages_of_another_backup_or_section_of_the_same_device_do_not_open() {
    let (world, device) = (World::new(), TestDevice::new());
    // The same licenses twice, as two backups and as two sections.
    let one = batch(&world, &device, 0..2);
    let copy = || (one.0.clone(), batch_again(&one));
    let (first, second) = (backup(&world, &device, &[vec![copy()]]), backup(&world, &device, &[vec![copy()]]));
    let (mut parts, other) = (take_apart(&first, &device), take_apart(&second, &device));
    let (at, from) = (pages(&parts)[0], pages(&other)[0]);
    parts.items[at] = other.items[from].clone();
    parts.account();
    let spliced = read(&parts.put_together(&device.signing, &device, &[]), &device);
    assert_eq!(reason(spliced), "key of a page");
    let sections = backup(&world, &device, &[vec![copy()], vec![copy()]]);
    let opened = Backup::open(Cursor::new(&sections[..])).unwrap();
    let tickets = open_tickets(&opened, &device).unwrap();
    let keys = |section: usize| SectionPageKeys::of(&tickets[section].keys.content);
    let sealed = keys(0).seal(0, &keys_of_page());
    assert!(keys(0).open(0, &sealed).is_ok() && keys(1).open(0, &sealed).is_err());
}

fn keys_of_page() -> wmlicense_wire::backup::page::PageKey {
    wmlicense_wire::backup::page::PageKey::random().unwrap()
}

/// The licenses of a batch once more.
fn batch_again(batch: &crate::backup::fixture::Batch) -> Vec<wmlicense_wire::answer::OpenedLicense> {
    use wmlicense_wire::answer::OpenedLicense;
    use wmlicense_wire::license::InnerKey;
    let again = |license: &OpenedLicense| OpenedLicense {
        index: license.index,
        license: license.license.clone(),
        policy: license.policy.clone(),
        binding: license.binding.clone(),
        key: InnerKey::new(license.policy.kind, license.key.as_bytes().to_vec().into()).unwrap(),
    };
    batch.1.iter().map(again).collect()
}

/// Reads without opening a key, as a device that has K_meta alone does.
fn read_without_keys(bytes: &[u8], parts: &Parts, device: &TestDevice) -> Result<usize, ReadError> {
    let mut backup = Backup::open(Cursor::new(bytes))?;
    let mut licenses = 0;
    backup.read_section(0, &parts.ticket.keys.meta, Witness::Own(&device.keys), &mut |entry| {
        licenses += entry.licenses().len();
        Ok::<(), ReadError>(())
    })?;
    Ok(licenses)
}

#[test]
fn every_byte_of_the_stream_is_covered_by_a_signature_whoever_can_seal_it() {
    for version in [Version::Records, Version::Pages] {
        let (world, device) = (World::new(), TestDevice::new());
        let parts = take_apart(&small_of(version, &world, &device), &device);
        let footer = Item::Footer(parts.footer.sign(&device.signing, device.thumbprint()).unwrap()).encode();
        let mut stream = Vec::new();
        let mut flips = Vec::new();
        for item in parts.items.iter().chain([&footer]) {
            let start = stream.len();
            stream.extend_from_slice(&(item.len() as u32).to_be_bytes());
            stream.extend_from_slice(item);
            // Certificates and padding are long, and each byte of them is like the next.
            let alike = matches!(
                ItemView::parse(item).unwrap(),
                ItemView::ServiceCertificate(_) | ItemView::DeviceCertificate(_) | ItemView::Padding
            );
            flips.extend((start..stream.len()).step_by(if alike { 211 } else { 1 }));
        }
        assert_eq!(read_without_keys(&parts.sealed(&stream), &parts, &device).unwrap(), 3);
        in_parallel(flips.len(), &|flip| {
            let mut changed = stream.clone();
            changed[flips[flip]] ^= 1 << (flip % 8);
            let read = read_without_keys(&parts.sealed(&changed), &parts, &device);
            assert!(matches!(read, Err(ReadError::Corrupt(_))), "byte {} of {}", flips[flip], stream.len());
        });
    }
}
