//! Makes answers that nobody asked for, and those that a thief or a faulty issuer could hand out as such.

use super::make::SERVICES;
use super::make_answers::WEAK_DEVICE;
use super::read::hex;
use crate::world::*;
use wmlicense_testkit::vectors::Vector;
use wmlicense_wire::answer::{Answer, Beside, MAX_GIVEN_AGE, put_beside, seal};
use wmlicense_wire::cbor::{read, write};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Digest, Lid};
use wmlicense_wire::policy::Policy;

fn given() -> Answer {
    Answer::given(TRANSACTION, DEVICE.thumbprint(), NOW)
}

fn to(device: &Device, key: &str, vector: Vector) -> Vector {
    vector
        .with("authority", "authority-certificate-ok")
        .with("certificates", SERVICES)
        .with("thumbprint", device.thumbprint())
        .with("device-id", DEVICE_ID)
        .with("recipient-key", key)
        .with("floor", 0)
}

fn of(name: &str, about: &str, expect: &str, bytes: Vec<u8>) -> Vector {
    at(NOW + DAY, name, about, expect, bytes)
}

/// Read at another time.
fn at(time: i64, name: &str, about: &str, expect: &str, bytes: Vec<u8>) -> Vector {
    let vector = Vector::new(&format!("given-{name}"), about, "given", expect, bytes);
    to(&DEVICE, "key-device", vector).with("time", time)
}

fn ok(vector: Vector, count: u8) -> Vector {
    let keys = (0..count).map(|byte| hex(&[byte; 16])).collect::<Vec<_>>().join(" ");
    vector.with("gives-keys", keys).with("gives-transaction", TRANSACTION)
}

pub(crate) fn all() -> Vec<Vector> {
    [good(), refused(), beside()].into_iter().flatten().collect()
}

fn good() -> Vec<Vector> {
    let weak = &*WEAK_DEVICE;
    let answer = Answer { thumbprint: weak.thumbprint(), ..given() };
    let bytes = seal(answer, DEVICE_ID, &weak.keys, &grants(2), None, &Beside::default(), &WORLD.issuer.key).unwrap();
    let about = "two licenses under suite 0, for readers without X-Wing";
    let suite_0 = to(weak, "key-device-suite-0", Vector::new("given-suite-0", about, "given", "ok", bytes));
    let about = "one second before it is too old";
    let last = at(NOW + MAX_GIVEN_AGE - 1, "last-second", about, "ok", sealed(given(), &grants(1)));
    vec![
        ok(of("ok", "two licenses that nobody asked for", "ok", sealed(given(), &grants(2))), 2),
        ok(last, 1),
        ok(suite_0.with("time", NOW), 2),
    ]
}

fn refused() -> Vec<Vector> {
    let good = sealed(given(), &grants(2));
    let signed = signed_part(&good);
    let mut changed = good.clone();
    let place = changed.windows(signed.len()).position(|part| part == signed).unwrap();
    changed[place + signed.len() - 1] ^= 1;
    let dropped = edited(&good, |map| {
        let licenses = write::array(&read::items(&map[&3], 8).unwrap()[..1]);
        map.insert(3, licenses);
    });
    let other_issuer = Policy { issuer: WORLD.management.id, ..policy(1) };
    let elsewhere = Answer { thumbprint: WEAK_DEVICE.thumbprint(), ..given() };
    let old = at(NOW + MAX_GIVEN_AGE, "old", "thirty days old", "too-old", good.clone());
    let done = resigned_answer(&good, &WORLD.issuer, |map| drop(map.insert(13, write::array([write::uint(0)]))));
    let asked = sealed(Answer { request_hash: Digest::of(REQUEST), ..given() }, &grants(1));
    let withdrawing = sealed(Answer { withdrawn: vec![Lid::new([4; 16])], ..given() }, &grants(1));
    vec![
        old,
        of("changed", "the signature is wrong", "bad-signature", changed),
        of("dropped", "a license is missing", "manifest", dropped),
        of("other-device", "for another device", "mismatch", sealed(elsewhere, &grants(1))),
        of("asked", "in answer to a request", "mismatch", asked),
        of("answer", "an answer that somebody asked for", "mismatch", sealed(reply(), &grants(1))),
        of(
            "by-management",
            "signed by the management service",
            "signer",
            sealed_by(&WORLD.management, given(), &grants(1)),
        ),
        of("other-issuer", "a policy of another issuer", "license", sealed(given(), &[grant(&other_issuer)])),
        of(
            "early",
            "from before the signer's certificate",
            "signer",
            sealed(Answer { issued_at: NOW - 2 * DAY, ..given() }, &grants(1)),
        ),
        of("empty", "without a license", "value", sealed(given(), &[])),
        of("done", "of another outcome", "value", done),
        of("page", "a page after the first one", "value", sealed(Answer { page: 1, ..given() }, &grants(1))),
        of("withdrawing", "takes a license back as well", "value", withdrawing),
    ]
}

/// Answers with what waits in a mailbox beside them.
fn beside() -> Vec<Vector> {
    let answer = |name: &str, about: &str, expect: &str, bytes| {
        to(&DEVICE, "key-device", Vector::new(&format!("answer-{name}"), about, "answer", expect, bytes))
            .with("role", Role::Issuer.name())
            .with("transaction", TRANSACTION)
            .with("page", 0)
            .with("request-hash", Digest::of(REQUEST))
    };
    let plain = sealed(reply(), &[]);
    let letters = put_beside(plain.clone(), &[sealed(given(), &grants(1)), sealed(given(), &grants(2))]);
    let not_bytes = edited(&plain, |map| drop(map.insert(64, write::array([write::uint(1)]))));
    let many = edited(&plain, |map| drop(map.insert(64, write::array(vec![write::bytes([0]); 17]))));
    vec![
        answer("letters", "two answers out of the mailbox beside it", "ok", letters).with("gives-letters", 2),
        answer("letters-form", "what is beside it is no bytes", "value", not_bytes),
        answer("letters-many", "more of them than are allowed", "value", many),
    ]
}
