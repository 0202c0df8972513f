//! Makes what a restore says beyond the common parts: usage in its requests, and refusals and verdicts that hold for a time only.

use super::make::{SERVICES, request};
use super::make_answers::to_device;
use super::make_backups::{header, page, record};
use crate::world::*;
use std::collections::BTreeMap;
use wmlicense_testkit::vectors::Vector;
use wmlicense_wire::answer::{Answer, Outcome, Reason, Refusal, Verdict};
use wmlicense_wire::cbor::{read, write};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::cose::Document;
use wmlicense_wire::id::Digest;
use wmlicense_wire::license::{ActionState, State};
use wmlicense_wire::request::{Body, RestoreBatch, RestorePage, RestoreSource};

const YEAR: i64 = 365 * DAY;

pub(crate) fn all() -> Vec<Vector> {
    [requests(), answers()].concat()
}

fn usage() -> Vec<(wmlicense_wire::id::Lid, State)> {
    let play = ActionState { counts_left: Some(2), first_use: Some(NOW) };
    vec![(policy(1).lid, State { actions: BTreeMap::from([("Play".to_owned(), play)]) })]
}

fn requests() -> Vec<Vector> {
    let device = &DEVICE;
    let sign = |body| {
        let request = request(&WORLD.management, body, Some(device.certificate.bytes.clone()));
        request.sign(&device.signing, device.thumbprint()).unwrap()
    };
    let of = |name: &str, about, expect, bytes| {
        Vector::new(&format!("request-{name}"), about, "request", expect, bytes)
            .with("authority", "authority-certificate-ok")
            .with("certificates", SERVICES)
            .with("device", "device-certificate-ok")
    };
    let ok = |name, about, bytes| {
        let vector = of(name, about, "ok", bytes);
        vector.with("gives-audience", WORLD.management.id).with("gives-transaction", TRANSACTION)
    };
    let header = header();
    let ticket = header.sections[0].service.clone().unwrap();
    let source = RestoreSource { backup_id: header.backup_id, section: 0, ticket };
    let restore = Body::Restore {
        source: source.clone(),
        header_hash: Digest::of(&header.encode()),
        batches: vec![RestoreBatch {
            signed: signed_part(&sealed(reply(), &grants(2))),
            records: vec![record(0).encode()],
            ..RestoreBatch::default()
        }],
        certificates: vec![WORLD.issuer.certificate.bytes.clone()],
        usage: usage(),
    };
    let good = sign(restore);
    let paged = |page: Vec<u8>, wrapped_key: Vec<u8>| {
        let pages = vec![RestorePage { number: 3, wrapped_key, page }];
        let signed = signed_part(&sealed(reply(), &grants(2)));
        sign(Body::Restore {
            source: source.clone(),
            header_hash: Digest::of(&header.encode()),
            batches: vec![RestoreBatch { signed, pages, ..RestoreBatch::default() }],
            certificates: Vec::new(),
            usage: Vec::new(),
        })
    };
    let (page_key, whole) = page(3);
    let cut = whole[..whole.len() - 1].to_vec();
    let without_pages = resigned(Document::Request, &good, &device.signing, |map| {
        let body = edited(&map[&18], |body| {
            let none = write::array([write::bytes(b"signed"), write::array([[]; 0]), write::array([[]; 0])]);
            body.insert(5, write::array([none]));
        });
        map.insert(18, body);
    });
    let preview =
        sign(Body::RestorePreview { source: source.clone(), lids: vec![policy(1).lid, policy(2).lid], usage: usage() });
    let emptied = |bytes: &[u8], field| {
        resigned(Document::Request, bytes, &device.signing, |map| {
            let body = edited(&map[&18], |body| drop(body.insert(field, write::array([[]; 0]))));
            map.insert(18, body);
        })
    };
    vec![
        of("restore-empty-usage", "a restore with usage of nothing", "value", emptied(&good, 7)),
        of("preview-empty-usage", "a preview with usage of nothing", "value", emptied(&preview, 5)),
        of("restore-no-pages", "a batch with pages, of which there are none", "value", without_pages),
        of("restore-page-cut", "a page whose last byte is missing", "value", paged(cut, page_key.clone())),
        of("restore-page-key", "a page key of 31 bytes", "value", paged(whole.clone(), page_key[..47].to_vec())),
        ok("restore-pages", "a restore of two licenses in a page", paged(whole, page_key)),
        ok("restore-usage", "a restore by a device that still has the license and tells what is left", good),
        ok("preview-usage", "the question what that would give", preview),
    ]
}

fn answers() -> Vec<Vector> {
    let of = |name: &str, about, expect, bytes| {
        let vector = Vector::new(&format!("answer-{name}"), about, "answer", expect, bytes);
        to_device(Role::Management, vector)
    };
    let again = Some(NOW + YEAR);
    let refusal = Refusal {
        subject: Some(*policy(1).lid.as_bytes()),
        kid: Some(policy(1).kid),
        reason: Reason::GrantedTooOften,
        url: Some("https://license.test/support".to_owned()),
        again,
    };
    let refused = Answer { outcome: Outcome::Refused, refusals: vec![refusal], ..reply() };
    let refused = sealed_by(&WORLD.management, refused, &[]);
    let verdict = |refusal, again| Verdict { lid: policy(1).lid, refusal, devices_used: 2, devices_limit: 4, again };
    let verdicts = vec![verdict(None, None), verdict(Some(Reason::GrantedTooOften), again)];
    let previewed = sealed_by(&WORLD.management, Answer { verdicts, ..reply() }, &[]);
    let longer = |bytes: &[u8], field| {
        resigned_answer(bytes, &WORLD.management, |map| {
            let list: Vec<Vec<u8>> = read::items(&map[&field], 8).unwrap().into_iter().map(more).collect();
            map.insert(field, write::array(list));
        })
    };
    vec![
        of("refusal-long", "a refusal with a sixth member", "value", longer(&refused, 14)),
        of("verdict-long", "verdicts with a member too many", "value", longer(&previewed, 23)),
        of("refusal-again", "refused for a time: from then on it may be granted", "ok", refused),
        of("verdicts", "what a restore would give, one of it later only", "ok", previewed),
    ]
}

/// The array with a number more, up to six.
fn more(array: &[u8]) -> Vec<u8> {
    let mut items: Vec<Vec<u8>> = read::items(array, 8).unwrap().into_iter().map(<[u8]>::to_vec).collect();
    items.resize(6, write::uint(0));
    write::array(items)
}
