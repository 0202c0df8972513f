//! Answers that nobody asked for: read by themselves and beside others, for one device and as one piece.

use crate::world::*;
use wmlicense_wire::answer::{
    Answer, AnswerError, Envelope, MAX_GIVEN, Outcome, Reason, Refusal, Verdict, put_beside, unasked,
};
use wmlicense_wire::cbor::{CborError, write};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Epoch, Lid, ServiceId, SignerId, TransactionId};

fn given() -> Answer {
    Answer::given(TransactionId::new([9; 16]), DEVICE.thumbprint(), NOW)
}

fn check(bytes: &[u8]) -> Result<usize, AnswerError> {
    let envelope = Envelope::parse(bytes)?;
    let verified = envelope.verify_given(&[DEVICE.thumbprint()], |_| 0, &WORLD.directory)?;
    Ok(verified.open_licenses(&DEVICE.hpke, DEVICE_ID, &WORLD.directory)?.len())
}

#[test]
fn what_nobody_asked_for_is_read_by_itself_and_is_no_answer_to_anything() {
    let bytes = sealed(given(), &grants(3));
    assert_eq!(check(&bytes), Ok(3));
    let envelope = Envelope::parse(&bytes).unwrap();
    let result = envelope.verify(&expected(Role::Issuer), &WORLD.directory);
    assert_eq!(result.err(), Some(AnswerError::Mismatch));
    // What was asked for is not what nobody asked for either, whatever outcome it names.
    assert_eq!(check(&sealed(reply(), &grants(1))), Err(AnswerError::Mismatch));
    assert_eq!(check(&sealed(Answer { request_hash: unasked(), ..given() }, &grants(1))), Ok(1));
}

#[test]
fn what_belongs_to_a_conversation_has_no_place_in_it() {
    let refusal = Refusal { subject: None, kid: None, reason: Reason::Revoked, url: None, again: None };
    let lid = Lid::new([1; 16]);
    let verdict = Verdict { lid, refusal: None, devices_used: 1, devices_limit: 1, again: None };
    let cases = [
        (10, Answer { page: 1, ..given() }),
        (13, Answer { outcome: Outcome::Done, ..given() }),
        (14, Answer { refusals: vec![refusal], ..given() }),
        (15, Answer { withdrawn: vec![lid], ..given() }),
        (16, Answer { next_cursor: Some(vec![1]), ..given() }),
        (17, Answer { epoch: Some(Epoch::new([1; 16])), ..given() }),
        (22, Answer { unlock: Some(vec![0; 48]), ..given() }),
        (23, Answer { verdicts: vec![verdict], ..given() }),
        (25, Answer { since: Some(NOW), ..given() }),
        (64, Answer { account: Some(true), ..given() }),
    ];
    let refused = |field| Err(AnswerError::Content(CborError::Value { field }));
    for (field, answer) in cases {
        assert_eq!(check(&sealed(answer, &grants(1))), refused(field));
    }
    assert_eq!(check(&sealed(given(), &[])), refused(21), "it gives something");
    let certified = resigned_answer(&sealed(given(), &grants(1)), &WORLD.issuer, |map| {
        map.insert(24, write::bytes([1; 32]));
    });
    assert_eq!(check(&certified), refused(24));
}

#[test]
fn it_is_for_one_of_the_devices_keys() {
    let bytes = sealed(given(), &grants(1));
    let envelope = Envelope::parse(&bytes).unwrap();
    let at = |keys: &[SignerId]| envelope.verify_given(keys, |_| 0, &WORLD.directory).map(|_| ()).err();
    let other = SignerId::new([1; 32]);
    assert_eq!(at(&[other, DEVICE.thumbprint()]), None);
    assert_eq!(at(&[other]), Some(AnswerError::OtherDevice));
}

#[test]
fn the_floor_of_its_own_issuer_counts_for_its_certificate() {
    let bytes = sealed(given(), &grants(1));
    let envelope = Envelope::parse(&bytes).unwrap();
    let at = |floor: i64| {
        let floor = |service: ServiceId| if service == WORLD.issuer.id { floor } else { 0 };
        envelope.verify_given(&[DEVICE.thumbprint()], floor, &WORLD.directory).map(|_| ()).err()
    };
    assert_eq!((at(NOW), at(NOW + 5000 * DAY)), (None, Some(AnswerError::NotValid)));
}

#[test]
fn every_changed_byte_of_it_is_found() {
    let bytes = sealed(given(), &grants(1));
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(check(&changed).is_err(), "byte {at}");
    }
}

#[test]
fn what_waits_comes_beside_an_answer_and_changes_nothing_of_it() {
    let answer = sealed(reply(), &grants(1));
    let letters: Vec<Vec<u8>> = (1..=MAX_GIVEN as u16).map(|count| sealed(given(), &grants(count))).collect();
    let together = put_beside(answer.clone(), &letters);
    let envelope = Envelope::parse(&together).unwrap();
    assert_eq!(envelope.given, letters);
    assert_eq!(envelope.signed, signed_part(&answer));
    let verified = envelope.verify(&expected(Role::Issuer), &WORLD.directory).unwrap();
    assert_eq!(verified.open_licenses(&DEVICE.hpke, DEVICE_ID, &WORLD.directory).unwrap().len(), 1);
    assert_eq!(put_beside(answer.clone(), &[]), answer);
    let twice = put_beside(together, &letters[..1]);
    assert!(Envelope::parse(&twice).is_err());
    // Bytes that are no answer stay what they are.
    for other in [Vec::new(), vec![0x80], b"{}".to_vec()] {
        assert_eq!(put_beside(other.clone(), &letters), other);
    }
}
