//! Killed at any system call of the disk or the network, a device goes on where it was: the same request again, one license.

use std::path::Path;
use std::sync::Arc;
use wmlicense_core::acquire::{LicenseWish, acquire};
use wmlicense_core::client::{Client, OpenSettings, Settings};
use wmlicense_core::contact::Credentials;
use wmlicense_core::event::Flow;
use wmlicense_core::give_back::delete;
use wmlicense_core::individualize::{individualize, is_current};
use wmlicense_core::operation::Context;
use wmlicense_core::renew::{RenewalWish, renew};
use wmlicense_core::transport::NetworkSettings;
use wmlicense_testkit::crash::{DISK, Fault, Point, at_each_call, can_trace, copy, folder_of_child};
use wmlicense_testkit::desk::Desk;
use wmlicense_testkit::service::{Post, Service};
use wmlicense_testkit::{ManualClock, NOW, content_key, kid};
use wmlicense_wire::id::{Digest, Lid};
use wmlicense_wire::policy::Policy;
use wmlicense_wire::request::Body;

const NETWORK: &str = "connect,sendto,recvfrom";

fn context() -> Context {
    Context::inline(None, |_| Flow::Continue)
}

/// Pins and service URL are in files beside the store.
fn open(base: &Path) -> (Arc<Client>, Settings) {
    let pin = Digest::from_slice(&std::fs::read(base.join("pin")).unwrap()).unwrap();
    let settings = OpenSettings { store_path: base.join("store"), authorities: vec![pin] };
    let client = Client::open(&settings, ManualClock::at(NOW)).unwrap();
    let service_url = Some(std::fs::read_to_string(base.join("url")).unwrap());
    let network = NetworkSettings { retry_limit: 0, ..NetworkSettings::default() };
    (client, Settings { service_url, network, ..Settings::default() })
}

/// A folder with a closed copy of the desk's store, and the service that runs on.
fn base_of(desk: Desk) -> (tempfile::TempDir, Service) {
    let Desk { world, service, folder, client, .. } = desk;
    drop(client);
    service.posts.lock().unwrap().clear();
    let base = tempfile::tempdir().unwrap();
    std::fs::write(base.path().join("pin"), world.pin().as_bytes()).unwrap();
    std::fs::write(base.path().join("url"), &service.base).unwrap();
    copy(folder.path(), &base.path().join("store"));
    (base, service)
}

/// What `check` looks at: the folder after the fault, and what the service was sent until then.
struct Left<'a> {
    folder: &'a Path,
    point: &'a Point,
    ended_well: bool,
    sent: Vec<Post>,
}

/// Kills the child at calls of disk and network, and fails some of them.
fn at_all_faults(child: &str, base: &Path, service: &Service, check: &dyn Fn(Left<'_>)) -> usize {
    let faults = [
        (DISK, 40, Fault::Kill),
        (NETWORK, 20, Fault::Kill),
        (DISK, 6, Fault::Error("ENOSPC")),
        (DISK, 6, Fault::Error("EIO")),
        (NETWORK, 12, Fault::Error("ECONNRESET")),
    ];
    let at = |(calls, most, fault)| {
        let mut undisturbed = 1;
        at_each_call(calls, child, base, most, fault, &mut |folder, point, ended_well| {
            // Before the first fault the child ran once without any.
            let sent = service.posts().split_off(std::mem::take(&mut undisturbed));
            service.posts.lock().unwrap().clear();
            check(Left { folder, point, ended_well, sent });
            service.posts.lock().unwrap().clear();
        })
    };
    faults.into_iter().map(at).sum()
}

fn wish() -> LicenseWish {
    LicenseWish { kids: vec![kid(1)], ..LicenseWish::default() }
}

#[test]
#[ignore = "a process of the tests beside it"]
fn child_acquires() {
    let Some(base) = folder_of_child() else { return };
    let (client, settings) = open(&base);
    assert_eq!(acquire(&client, &settings, &wish(), &context()).unwrap().stored, 1);
}

#[test]
fn an_acquisition_is_whole_or_goes_on_with_the_same_request() {
    if !can_trace() {
        return;
    }
    let desk = Desk::certified();
    desk.service.offer(kid(1));
    let (base, service) = base_of(desk);
    let tried = at_all_faults("exchange_crashes::child_acquires", base.path(), &service, &|left| {
        let Left { folder, point, ended_well, sent } = left;
        let (client, settings) = open(folder);
        client.store.check_integrity().unwrap();
        let count = client.store.license_count().unwrap();
        let pending = client.store.pending_count().unwrap();
        assert!(count + pending <= 1 && (count == 1 || !ended_well), "{count} and {pending} after {point:?}");
        assert!(count + pending == 1 || sent.is_empty(), "sent before it was stored, at {point:?}");
        assert_eq!(acquire(&client, &settings, &wish(), &context()).unwrap().stored, 1, "after {point:?}");
        assert_eq!(client.store.license_count().unwrap(), 1, "after {point:?}");
        assert_eq!(client.store.pending_count().unwrap(), 0, "after {point:?}");
        let license = &client.store.licenses(kid(1)).unwrap()[0];
        assert_eq!(client.store.unwrap_key(license).unwrap().as_bytes(), content_key(kid(1)));
        let after = service.posts();
        let same = sent.iter().all(|post| post.bytes == after[0].bytes);
        assert!(count == 1 || same, "another request after {point:?}");
    });
    assert!(tried >= 40, "{tried} points");
}

#[test]
#[ignore = "a process of the tests beside it"]
fn child_individualizes() {
    let Some(base) = folder_of_child() else { return };
    let (client, settings) = open(&base);
    individualize(&client, &settings, false, &context()).unwrap();
}

#[test]
fn an_individualization_is_whole_or_goes_on_with_the_same_keys() {
    if !can_trace() {
        return;
    }
    let (base, service) = base_of(Desk::new());
    let tried = at_all_faults("exchange_crashes::child_individualizes", base.path(), &service, &|left| {
        let Left { folder, point, ended_well, sent } = left;
        let (client, settings) = open(folder);
        let authority = client.authorities[0];
        let current = is_current(&client, authority).unwrap();
        assert!(current || !ended_well, "after {point:?}");
        individualize(&client, &settings, false, &context()).unwrap();
        assert!(is_current(&client, authority).unwrap());
        assert_eq!(client.store.pending_count().unwrap(), 0, "after {point:?}");
        let after = service.posts();
        let same = sent.iter().all(|post| after.first().is_some_and(|again| post.bytes == again.bytes));
        assert!(current && after.is_empty() || same, "another request after {point:?}");
    });
    assert!(tried >= 40, "{tried} points");
}

#[test]
#[ignore = "a process of the tests beside it"]
fn child_gets_new_keys() {
    let Some(base) = folder_of_child() else { return };
    let (client, settings) = open(&base);
    individualize(&client, &settings, true, &context()).unwrap();
}

#[test]
fn new_keys_come_whole_or_the_old_ones_stay_good() {
    if !can_trace() {
        return;
    }
    let desk = Desk::certified();
    desk.service.offer(kid(1));
    let old = desk.client.store.device_certificate(desk.world.pin()).unwrap().unwrap();
    let (base, service) = base_of(desk);
    let tried = at_all_faults("exchange_crashes::child_gets_new_keys", base.path(), &service, &|left| {
        let Left { folder, point, ended_well, .. } = left;
        let (client, settings) = open(folder);
        let authority = client.authorities[0];
        // Whichever keys it has, it is the same device, asks as it, and opens what comes.
        let credentials = Credentials::load(&client, authority).unwrap().unwrap();
        assert_eq!(credentials.certificate.device_id, old.device_id, "after {point:?}");
        assert!(!ended_well || credentials.certificate.thumbprint() != old.thumbprint(), "after {point:?}");
        assert_eq!(acquire(&client, &settings, &wish(), &context()).unwrap().stored, 1, "after {point:?}");
        assert!(client.device.all_identities().iter().any(|(_, identity)| identity.keys == old.keys));
        individualize(&client, &settings, true, &context()).unwrap();
        let again = Credentials::load(&client, authority).unwrap().unwrap();
        assert_eq!(again.certificate.device_id, old.device_id, "after {point:?}");
        assert_ne!(again.certificate.thumbprint(), old.thumbprint());
        assert_eq!(client.store.pending_count().unwrap(), 0, "after {point:?}");
    });
    assert!(tried >= 40, "{tried} points");
}

const PAGES: u64 = 4;
const EACH: u64 = 3;

fn everything() -> LicenseWish {
    LicenseWish { scope: Some("gold".into()), ..LicenseWish::default() }
}

#[test]
#[ignore = "a process of the tests beside it"]
fn child_is_delivered() {
    let Some(base) = folder_of_child() else { return };
    let (client, settings) = open(&base);
    assert_eq!(acquire(&client, &settings, &everything(), &context()).unwrap().stored, PAGES * EACH);
}

#[test]
fn a_pre_delivery_goes_on_at_its_page_and_ends_with_the_same_store() {
    if !can_trace() {
        return;
    }
    let desk = Desk::certified();
    let page = |number| (number * EACH..(number + 1) * EACH).map(|number| desk.world.policy(kid(number))).collect();
    *desk.service.pages.lock().unwrap() = (0..PAGES).map(page).collect();
    let (base, service) = base_of(desk);
    let tried = at_all_faults("exchange_crashes::child_is_delivered", base.path(), &service, &|left| {
        let Left { folder, point, ended_well, sent } = left;
        let (client, settings) = open(folder);
        client.store.check_integrity().unwrap();
        let count = client.store.license_count().unwrap();
        let pending = client.store.pending_count().unwrap();
        assert!(count % EACH == 0 && (count == PAGES * EACH || !ended_well), "{count} after {point:?}");
        assert!((count > 0 && count < PAGES * EACH) <= (pending == 1), "{count} and {pending} after {point:?}");
        let acquired = acquire(&client, &settings, &everything(), &context()).unwrap();
        let after = service.posts();
        if pending == 1 {
            assert_eq!(acquired.stored, PAGES * EACH - count, "after {point:?}");
            assert_eq!(u64::from(after[0].request.page), count / EACH, "after {point:?}");
            let place = |post: &Post| (post.request.transaction, post.request.page);
            let again = sent.iter().filter(|post| place(post) == place(&after[0]));
            assert!(again.into_iter().all(|post| post.bytes == after[0].bytes), "another request after {point:?}");
        }
        assert_eq!(client.store.license_count().unwrap(), PAGES * EACH, "after {point:?}");
        assert_eq!(client.store.pending_count().unwrap(), 0, "after {point:?}");
        for number in 0..PAGES * EACH {
            let license = &client.store.licenses(kid(number)).unwrap()[0];
            assert_eq!(client.store.unwrap_key(license).unwrap().as_bytes(), content_key(kid(number)));
        }
        acquire(&client, &settings, &everything(), &context()).unwrap();
        let Body::Licenses { since, .. } = service.posts()[after.len()].request.body else { panic!() };
        assert_eq!(since, Some(NOW), "after {point:?}");
    });
    assert!(tried >= 60, "{tried} points");
}

#[test]
#[ignore = "a process of the tests beside it"]
fn child_deletes() {
    let Some(base) = folder_of_child() else { return };
    let (client, settings) = open(&base);
    assert_eq!(delete(&client, &settings, kid(1)).unwrap(), 1);
    // What is asked next tells the service first.
    let wish = LicenseWish { kids: vec![kid(2)], ..LicenseWish::default() };
    acquire(&client, &settings, &wish, &context()).unwrap();
}

#[test]
fn a_deletion_is_whole_and_told_or_waits_to_be_told() {
    if !can_trace() {
        return;
    }
    let desk = Desk::certified();
    let lid = [1, 2].map(|number| desk.service.offer(kid(number)).lid)[0];
    desk.acquire(&[kid(1), kid(2)]).unwrap();
    let (base, service) = base_of(desk);
    let tried = at_all_faults("exchange_crashes::child_deletes", base.path(), &service, &|left| {
        let Left { folder, point, sent, .. } = left;
        let (client, settings) = open(folder);
        client.store.check_integrity().unwrap();
        let is_there = !client.store.licenses(kid(1)).unwrap().is_empty();
        let told = sent.iter().filter(|post| post.path == "/v1/returns").count();
        let waits = client.store.give_back_places().unwrap().len();
        assert!(!is_there || (told, waits) == (0, 0), "told of a license that is there, at {point:?}");
        assert!(is_there || told + waits > 0, "gone and never told, at {point:?}");
        assert_eq!(delete(&client, &settings, kid(1)).unwrap(), u64::from(is_there), "after {point:?}");
        let wish = LicenseWish { kids: vec![kid(2)], ..LicenseWish::default() };
        acquire(&client, &settings, &wish, &context()).unwrap();
        assert_eq!(client.store.give_back_places().unwrap().len(), 0, "after {point:?}");
        assert!(client.store.licenses(kid(1)).unwrap().is_empty(), "back after {point:?}");
        let returns: Vec<Post> =
            sent.into_iter().chain(service.posts()).filter(|post| post.path == "/v1/returns").collect();
        // It is told once, or again with the same bytes.
        assert!(!returns.is_empty() && returns.iter().all(|post| post.bytes == returns[0].bytes), "after {point:?}");
        let Body::Returns { licenses } = &returns[0].request.body else { panic!("{point:?}") };
        assert!(licenses.len() == 1 && licenses[0].0 == lid, "after {point:?}");
    });
    assert!(tried >= 40, "{tried} points");
}

#[test]
#[ignore = "a process of the tests beside it"]
fn child_renews() {
    let Some(base) = folder_of_child() else { return };
    let (client, settings) = open(&base);
    assert_eq!(renew(&client, &settings, &renewal(), &context()).unwrap().stored, 1);
}

fn renewal() -> RenewalWish {
    RenewalWish { kids: vec![kid(1)], ..RenewalWish::default() }
}

#[test]
fn a_renewal_is_whole_or_goes_on_with_the_same_request() {
    if !can_trace() {
        return;
    }
    let desk = Desk::certified();
    let old = desk.service.offer(kid(1));
    desk.acquire(&[kid(1)]).unwrap();
    let lid = Lid::new([7; 16]);
    let fresh = Policy { lid, replaces: Some(old.lid), ..old.clone() };
    desk.service.catalogue.lock().unwrap().insert(kid(1), fresh);
    let (base, service) = base_of(desk);
    let tried = at_all_faults("exchange_crashes::child_renews", base.path(), &service, &|left| {
        let Left { folder, point, ended_well, sent } = left;
        let (client, settings) = open(folder);
        client.store.check_integrity().unwrap();
        let stored = || -> Vec<Lid> { client.store.licenses(kid(1)).unwrap().iter().map(|of| of.policy.lid).collect() };
        let before = stored();
        assert!(before == [old.lid] || before == [lid], "{before:?} after {point:?}");
        assert!(!ended_well || before == [lid], "after {point:?}");
        renew(&client, &settings, &renewal(), &context()).unwrap();
        assert_eq!((stored(), client.store.pending_count().unwrap()), (vec![lid], 0), "after {point:?}");
        let after = service.posts();
        let same = sent.iter().all(|post| post.bytes == after[0].bytes);
        assert!(before == [lid] || same, "another request after {point:?}");
    });
    assert!(tried >= 40, "{tried} points");
}
