//! Pages of a backup go into the store as they are, where all of their licenses may; the others go in license by license.

use super::*;
use wmlicense_core::event::Flow;
use wmlicense_core::operation::Context;
use wmlicense_core::store_keeper::check;
use wmlicense_testkit::tamper;
use wmlicense_wire::backup::page::PageBuilder;
use wmlicense_wire::id::Lid;
use wmlicense_wire::policy::Glance;

fn put_page(putting: &mut Putting<'_>, key: &PageKey, page: &[u8]) -> Result<(), StoreError> {
    let page = PageView::parse(page).unwrap();
    let glances: Vec<_> = page.licenses().map(|license| Glance::at(license.parts().unwrap().0).unwrap()).collect();
    putting.put_page(key, &page, &glances)
}

/// Puts what a backup of `from` would have in, its pages as they are.
fn put_all(from: &Store, putting: &mut Putting<'_>) -> Result<(), StoreError> {
    let snapshot = from.snapshot()?;
    for section in snapshot.sections()? {
        snapshot.stream(&section, &mut |item| match item {
            BackupItem::Batch { signed, .. } => putting.put_batch(section.authority, &signed),
            BackupItem::Page { key, page } => put_page(putting, &key, &page),
            BackupItem::License(license) => putting.put_license(&StagedLicense {
                index: license.index,
                license: &license.license,
                state: &license.state,
                key: &license.key,
            }),
        })?;
    }
    Ok(())
}

fn restore_pages(from: &Store, to: &Store) -> RestoreReport {
    to.stage(header(1)).unwrap().commit_with(|putting| put_all(from, putting)).unwrap()
}

fn pages(home: &Home<'_>) -> Vec<Vec<u8>> {
    let pages = tamper::pages(&tamper::database(home.path()));
    pages.iter().map(|(_, licenses)| tamper::page_of(licenses).unwrap()).collect()
}

fn assert_sound(home: &Home<'_>, policies: &[Policy]) {
    let context = Context::inline(None, |_| Flow::Continue);
    let licenses = home.client.store.license_count().unwrap();
    assert_eq!(check(&home.client, false, &context).unwrap().licenses, licenses);
    for policy in policies {
        let found = home.client.store.licenses(policy.kid).unwrap();
        assert_eq!(found.len(), 1, "{}", policy.kid);
        assert_eq!(home.client.store.unwrap_key(&found[0]).unwrap().as_bytes(), content_key(policy.kid));
    }
}

/// Licenses on two devices that have the certificates of one world; the second has none of them.
fn two(world: &World) -> (Home<'_>, Home<'_>, Vec<Policy>) {
    let (old, new) = (Home::new(world), Home::new(world));
    let policies: Vec<_> = (0..60).map(|number| world.policy(kid(number))).collect();
    old.acquire(&policies).unwrap();
    (old, new, policies)
}

#[test]
fn pages_of_licenses_that_are_new_go_in_as_they_are() {
    let world = World::new();
    let (old, new, policies) = two(&world);
    let report = restore_pages(&old.client.store, &new.client.store);
    assert_eq!((report.restored, report.forbidden.len()), (60, 0));
    assert!(pages(&new).len() > 2 && pages(&new) == pages(&old));
    assert_sound(&new, &policies);
    // The row of each was sealed for this store alone.
    let keys = |home: &Home<'_>| -> Vec<Vec<u8>> {
        let database = tamper::database(home.path());
        let mut statement = database.prepare("SELECT key FROM page").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    assert!(keys(&new).iter().all(|key| !keys(&old).contains(key)));
}

#[test]
fn of_a_page_only_what_is_new_and_may_go_in_does() {
    let world = World::new();
    let (old, new, mut policies) = two(&world);
    let (known, newer, buried) = (policies[1].clone(), policies[2].clone(), policies[3].clone());
    new.acquire(std::slice::from_ref(&known)).unwrap();
    new.acquire_at(std::slice::from_ref(&newer), NOW + 5).unwrap();
    let bury = Tombstone { lid: buried.lid, issuer: buried.issuer, removed_at: NOW }.encode();
    let store = &new.client.store;
    let report = store
        .stage(header(1))
        .unwrap()
        .commit_with(|putting| {
            putting.put_tombstone(&bury)?;
            put_all(&old.client.store, putting)
        })
        .unwrap();
    assert_eq!((report.restored, report.forbidden), (59, vec![(buried.lid, buried.kid)]));
    assert!(store.licenses(buried.kid).unwrap().is_empty());
    policies.remove(3);
    assert_sound(&new, &policies);
    assert_eq!(store.licenses(newer.kid).unwrap()[0].binding().unwrap().issued_at, NOW + 5, "the later binding stays");
}

#[test]
fn a_license_that_ended_is_left_out_of_its_page() {
    let world = World::new();
    let (old, new) = (Home::new(&world), Home::new(&world));
    let until =
        |number, end| world.policy_with(kid(number), Conditions { not_after: Some(end), ..Conditions::default() });
    let policies = [until(1, NOW), until(2, NOW + 1)];
    old.acquire(&policies).unwrap();
    let report = restore_pages(&old.client.store, &new.client.store);
    assert_eq!((report.restored, report.ended), (1, vec![(policies[0].lid, policies[0].kid)]));
    assert_sound(&new, &policies[1..]);
}

#[test]
fn a_page_that_comes_twice_in_one_restore_or_in_two_is_stored_once() {
    let world = World::new();
    let (old, new, policies) = two(&world);
    let twice = |putting: &mut Putting<'_>| {
        put_all(&old.client.store, putting)?;
        put_all(&old.client.store, putting)
    };
    let report = new.client.store.stage(header(1)).unwrap().commit_with(twice).unwrap();
    assert_eq!(report.restored, 120);
    assert_sound(&new, &policies);
    assert_eq!(restore_pages(&old.client.store, &new.client.store).restored, 60);
    assert_eq!(new.client.store.license_count().unwrap(), 60);
    assert_sound(&new, &policies);
}

#[test]
fn what_fails_at_the_end_of_a_restore_leaves_nothing_behind() {
    let world = World::new();
    let (old, new, policies) = two(&world);
    let failing = |putting: &mut Putting<'_>| {
        put_all(&old.client.store, putting)?;
        putting.put_title(kid(1), "A title")?;
        Err(StoreError::Cancelled)
    };
    let result = new.client.store.stage(header(1)).unwrap().commit_with(failing);
    assert!(matches!(result, Err(StoreError::Cancelled)));
    assert_eq!((new.client.store.license_count().unwrap(), pages(&new).len()), (0, 0));
    assert_eq!(new.client.store.title(kid(1)).unwrap(), None);
    assert_eq!(restore_pages(&old.client.store, &new.client.store).restored, 60);
    assert_sound(&new, &policies);
}

#[test]
fn licenses_of_one_page_that_meet_are_stored_as_if_each_came_alone() {
    let world = World::new();
    let first = world.policy(kid(1));
    let next = Policy { lid: Lid::random().unwrap(), replaces: Some(first.lid), ..first.clone() };
    for policies in [[first.clone(), first.clone()], [first.clone(), next]] {
        let home = Home::new(&world);
        let (signed, licenses) = rebound(&home, &policies);
        let (key, mut page) = (PageKey::random().unwrap(), PageBuilder::default());
        for license in &licenses {
            let wrapped = key.wrap(license.index, license.license.policy_hash(), &license.key);
            page.push(license.index, &license.license.encode(), &wrapped).unwrap();
        }
        let page = page.finish().unwrap();
        let put = |putting: &mut Putting<'_>| {
            putting.put_batch(world.pin(), &signed)?;
            put_page(putting, &key, &page)
        };
        let store = &home.client.store;
        assert_eq!(store.stage(header(1)).unwrap().commit_with(put).unwrap().restored, 2);
        assert_eq!(store.license_count().unwrap(), 1);
        assert_sound(&home, &policies[1..]);
        assert_eq!(store.licenses(kid(1)).unwrap()[0].policy.lid, policies[1].lid);
    }
}
