//! New keys for a device: who may bring them, what stays, and what becomes of the old ones.

use crate::clock::{DAY, with_clock};
use std::sync::atomic::Ordering;
use wmlicense_testkit::daemon::device::{Device, Known};
use wmlicense_testkit::daemon::{COUNTED, Data, OPEN};
use wmlicense_wire::answer::{Answer, Outcome, Reason};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::Epoch;
use wmlicense_wire::license::State;
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::rekey::Rekey;
use wmlicense_wire::request::{Body, Request};

fn started() -> (Data, wmlicense_testkit::daemon::Serving, Known) {
    let data = Data::new();
    data.fill();
    let serving = data.serve(&[]);
    let known = Known::discover(&serving.url, data.authority);
    (data, serving, known)
}

fn rekeyed(known: &Known, old: &Device) -> Device {
    let mut new = Device::new();
    let request = old.rekey_request(known, &new);
    assert_eq!(new.certify(known, &request).outcome, Outcome::Done);
    new
}

fn reasons(answer: &Answer) -> Vec<Reason> {
    answer.refusals.iter().map(|refusal| refusal.reason).collect()
}

/// What a device is refused with at every endpoint that it asks.
fn refused_everywhere(
    known: &Known,
    device: &Device,
    backup: &wmlicense_testkit::daemon::device::Backup,
) -> Vec<Reason> {
    let renewal = device.request(known, Role::Issuer, Body::Renewals { licenses: Vec::new(), custom: None });
    let back = device.request(known, Role::Issuer, Body::Returns { licenses: Vec::new() });
    let posted = |name, role, request: &Request| {
        let bytes = device.sign(request);
        let reply = known.post(name, &bytes, None).granted();
        reasons(&device.verify(known, role, &bytes, request.transaction, &reply).0)
    };
    [
        reasons(&device.acquire(known, &[OPEN], None).0),
        posted("renewals", Role::Issuer, &renewal),
        posted("returns", Role::Issuer, &back),
        reasons(&device.preview(known, backup, Vec::new(), None).0),
        reasons(&device.restore(known, backup, None).0),
    ]
    .concat()
}

#[test]
fn new_keys_that_the_old_key_speaks_for_are_the_same_device() {
    let (data, _serving, known) = started();
    let old = Device::individualized(&known);
    let (_, held) = old.acquire(&known, &[OPEN, COUNTED], None);
    let backup = old.back_up(&known, &held, None);
    let new = rekeyed(&known, &old);
    assert_eq!(new.id(), old.id());
    let (_, again) = new.acquire(&known, &[OPEN, COUNTED], None);
    let lids = |held: &[wmlicense_testkit::daemon::device::Held]| -> Vec<_> {
        held.iter().map(|held| held.license.policy.lid).collect()
    };
    assert_eq!(lids(&again), lids(&held));
    // No seat: neither for what comes from the old keys' backup.
    assert_eq!(new.restore(&known, &backup, None).1.len(), 2);
    assert_eq!(data.json(&["restore", "list"]).as_array().unwrap().len(), 0);
    assert_eq!(data.json(&["device", "list"]).as_array().unwrap().len(), 1);
}

#[test]
fn the_old_keys_are_refused_from_the_first_request_of_the_new_ones_on() {
    let (_data, _serving, known) = started();
    let mut old = Device::individualized(&known);
    let (_, held) = old.acquire(&known, &[OPEN], None);
    let backup = old.back_up(&known, &held, None);
    let new = rekeyed(&known, &old);
    // The answer to the rekey may have been lost.
    assert_eq!(old.acquire(&known, &[OPEN], None).1.len(), 1);
    let request = old.individualize_request(&known, true);
    assert_eq!(reasons(&old.certify(&known, &request)), [Reason::KeyReplaced], "but no certificate any more");
    new.acquire(&known, &[OPEN], None);
    assert_eq!(refused_everywhere(&known, &old, &backup), [Reason::KeyReplaced; 5]);
    assert_eq!(new.acquire(&known, &[OPEN], None).1.len(), 1);
    assert_eq!(new.restore(&known, &backup, None).1.len(), 1);
}

#[test]
fn only_one_successor_is_taken_and_that_one_again() {
    let (_data, _serving, known) = started();
    let old = Device::individualized(&known);
    let mut new = rekeyed(&known, &old);
    let (first, again) = (new.certificate.clone().unwrap(), old.rekey_request(&known, &new));
    assert_eq!(new.certify(&known, &again).outcome, Outcome::Done);
    assert_eq!((new.id(), new.certificate.as_ref().unwrap().issued_at >= first.issued_at), (old.id(), true));
    let mut thief = Device::new();
    let request = old.rekey_request(&known, &thief);
    assert_eq!(reasons(&thief.certify(&known, &request)), [Reason::KeyReplaced]);
    let third = rekeyed(&known, &new);
    assert_eq!(third.id(), old.id());
}

#[test]
fn the_word_must_be_the_old_keys_own_and_for_these_keys() {
    let (_data, _serving, known) = started();
    let (old, other, new) = (Device::individualized(&known), Device::individualized(&known), Device::new());
    let good = old.rekey_request(&known, &new);
    let Body::Individualize { keys, assurance, consent, current, .. } = good.body.clone() else { panic!() };
    let word =
        |signer: &Device, successor| Some(Rekey { successor }.sign(&signer.signing, signer.thumbprint()).unwrap());
    let own = word(&old, new.thumbprint());
    for (current, rekey) in [
        (current.clone(), word(&other, new.thumbprint())),
        (current.clone(), word(&old, other.thumbprint())),
        (current.clone(), Some(Vec::new())),
        (other.certificate.as_ref().map(|certificate| certificate.bytes.clone()), own.clone()),
        (None, own),
    ] {
        let body = Body::Individualize { keys: keys.clone(), assurance, consent, current, rekey };
        let bytes = new.sign(&Request { body, ..good.clone() });
        assert_eq!(known.post("individualize", &bytes, None).problem(), ProblemKind::BadRequest);
    }
}

#[test]
fn a_revoked_device_gets_no_new_keys() {
    let (data, _serving, known) = started();
    let old = Device::individualized(&known);
    data.admin(&["device", "revoke", &old.id().to_hex()]);
    let mut new = Device::new();
    let request = old.rekey_request(&known, &new);
    assert_eq!(reasons(&new.certify(&known, &request)), [Reason::DeviceRevoked]);
    assert!(new.certificate.is_none());
}

#[test]
fn a_device_that_was_copied_too_often_is_made_anew_by_new_keys() {
    let data = Data::new();
    data.fill();
    with_clock(&data, |known, clock| {
        let old = Device::individualized(known);
        let told = std::cell::RefCell::new(Vec::new());
        let ask = |device: &Device, epoch| {
            let mut request = Request { epoch, ..device.licenses_request(known, &[COUNTED]) };
            let Body::Licenses { usage, .. } = &mut request.body else { unreachable!() };
            usage.clone_from(&told.borrow());
            let bytes = device.sign(&request);
            let reply = known.post("licenses", &bytes, None).granted();
            let (answer, licenses, _) = device.verify(known, Role::Issuer, &bytes, request.transaction, &reply);
            // The device has what it got, and says so.
            *told.borrow_mut() = licenses.iter().map(|of| (of.policy.lid, State::initial(&of.policy))).collect();
            answer
        };
        ask(&old, None);
        for number in 0..5 {
            clock.0.fetch_add(DAY, Ordering::SeqCst);
            let answer = ask(&old, Some(Epoch::new([number; 16])));
            assert_eq!(answer.outcome == Outcome::Done, number < 4);
        }
        assert_eq!(reasons(&ask(&old, None)), [Reason::DeviceCopied]);
        let new = rekeyed(known, &old);
        assert_eq!(ask(&new, Some(Epoch::new([1; 16]))).outcome, Outcome::Done);
        assert_eq!(reasons(&ask(&old, None)), [Reason::KeyReplaced]);
    });
}
