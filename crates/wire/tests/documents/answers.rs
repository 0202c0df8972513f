//! Answers without licenses: who answered what, and the content of the signed part.

use crate::world::*;
use wmlicense_wire::aead::SecretKey;
use wmlicense_wire::answer::{
    Answer, AnswerError, Beside, Envelope, Outcome, Reason, Refusal, Unlock, Verdict, seal, verify_signed,
};
use wmlicense_wire::cbor::{CborError, write};
use wmlicense_wire::certificate::{Directory, Role};
use wmlicense_wire::cose::{CoseError, Document, sign};
use wmlicense_wire::id::{BackupId, Digest, Epoch, Kid, Lid, SignerId, TransactionId};
use wmlicense_wire::kem::Suite;

const BACKUP_ID: BackupId = BackupId::new([0xbb; 16]);

/// The refusal of an answer, and that nothing of it was given out.
fn refused(sealed: &[u8], role: Role) -> AnswerError {
    Envelope::parse(sealed)
        .and_then(|envelope| envelope.verify(&expected(role), &WORLD.directory).map(drop))
        .unwrap_err()
}

#[test]
fn everything_in_an_answer_is_read_back() {
    let reason = |reason| Refusal {
        subject: Some([1; 16]),
        kid: Some(Kid::new([2; 16])),
        reason,
        url: Some("https://example.com/help".to_owned()),
        again: (reason == Reason::GrantedTooOften).then_some(NOW + 3),
    };
    let verdict = |refusal: Option<Reason>| {
        let again = refusal.map(|_| NOW + 3);
        Verdict { lid: Lid::new([3; 16]), refusal, devices_used: 1, devices_limit: 4, again }
    };
    let outcomes = [
        Outcome::Done,
        Outcome::Refused,
        Outcome::Interaction { url: "https://example.com/i/1".to_owned() },
        Outcome::Later { from: NOW + 1, until: NOW + 2 },
        Outcome::Given,
    ];
    for outcome in outcomes {
        let bare = Refusal { subject: None, kid: None, reason: Reason::NotEntitled, url: None, again: None };
        let answer = Answer {
            outcome,
            refusals: Reason::ALL.into_iter().map(reason).chain([bare]).collect(),
            withdrawn: vec![Lid::new([4; 16])],
            next_cursor: Some(vec![5; 9]),
            epoch: Some(Epoch::new([6; 16])),
            status_number: Some(7),
            verdicts: vec![verdict(None), verdict(Some(Reason::LimitReached))],
            ..reply()
        };
        let sealed = sealed(answer.clone(), &[]);
        let envelope = Envelope::parse(&sealed).unwrap();
        let verified = envelope.verify(&expected(Role::Issuer), &WORLD.directory).unwrap();
        assert_eq!(verified.answer, answer);
        assert_eq!(verified.signer.service_id, WORLD.issuer.id);
        let licenses = verified.open_licenses(&DEVICE.hpke, DEVICE_ID, &WORLD.directory).unwrap();
        assert!(licenses.is_empty());
    }
}

#[test]
fn an_answer_to_another_request_transaction_page_or_device_is_refused() {
    let others = [
        Answer { request_hash: Digest::of(b"other"), ..reply() },
        Answer { transaction: TransactionId::new([0; 16]), ..reply() },
        Answer { page: 1, ..reply() },
    ];
    for answer in others {
        assert_eq!(refused(&sealed(answer, &[]), Role::Issuer), AnswerError::Mismatch);
    }
    let stranger = Answer { thumbprint: SignerId::new([0; 32]), ..reply() };
    assert_eq!(refused(&sealed(stranger, &[]), Role::Issuer), AnswerError::OtherDevice);
}

#[test]
fn a_service_answers_only_in_its_role() {
    for (service, own) in [
        (&WORLD.individualization, Role::Individualization),
        (&WORLD.issuer, Role::Issuer),
        (&WORLD.management, Role::Management),
    ] {
        let sealed = sealed_by(service, reply(), &[]);
        for role in Role::ALL {
            let verdict = Envelope::parse(&sealed).unwrap().verify(&expected(role), &WORLD.directory).map(drop);
            assert_eq!(verdict, if role == own { Ok(()) } else { Err(AnswerError::Signer) }, "{own:?} as {role:?}");
        }
    }
}

#[test]
fn an_answer_of_a_service_of_another_authority_is_refused() {
    let sealed = sealed(reply(), &[]);
    let other = Directory::new(authority("Other", &WORLD.authority_key));
    let refused = Envelope::parse(&sealed).unwrap().verify(&expected(Role::Issuer), &other).map(drop);
    assert_eq!(refused, Err(AnswerError::Signer));
}

#[test]
fn the_certificate_of_the_signer_is_valid_when_the_answer_was_made() {
    let certificate = &WORLD.issuer.certificate;
    for (time, valid) in [
        (certificate.not_before - 1, false),
        (certificate.not_before, true),
        (certificate.not_after - 1, true),
        (certificate.not_after, false),
    ] {
        let sealed = sealed(Answer { issued_at: time, ..reply() }, &[]);
        let envelope = Envelope::parse(&sealed).unwrap();
        let verdict = envelope.verify(&expected(Role::Issuer), &WORLD.directory).map(drop);
        assert_eq!(verdict, if valid { Ok(()) } else { Err(AnswerError::NotValid) }, "{time}");
        let alone = verify_signed(&envelope.signed, &WORLD.directory, &Role::ALL).map(drop);
        assert_eq!(alone, verdict);
    }
}

#[test]
fn a_dated_back_answer_does_not_revive_an_expired_certificate() {
    let sealed = sealed(reply(), &[]);
    let envelope = Envelope::parse(&sealed).unwrap();
    for (floor, valid) in [(NOW + 399 * DAY, true), (WORLD.issuer.certificate.not_after, false)] {
        let mut expected = expected(Role::Issuer);
        expected.floor = floor;
        let verdict = envelope.verify(&expected, &WORLD.directory).map(drop);
        assert_eq!(verdict, if valid { Ok(()) } else { Err(AnswerError::NotValid) });
    }
}

#[test]
fn a_certificate_that_was_renewed_for_the_same_key_takes_over() {
    let expired = service_with(13, |claims| claims.not_after = NOW);
    let renewed = service_with(13, |claims| (claims.not_before, claims.issued_at) = (NOW, NOW));
    for order in [[&expired, &renewed], [&renewed, &expired]] {
        let directory = directory_with(&order);
        for (time, certificate) in [(NOW - 1, &expired), (NOW, &renewed)] {
            let sealed = sealed_by(&expired, Answer { issued_at: time, ..reply() }, &[]);
            let envelope = Envelope::parse(&sealed).unwrap();
            let (_, signer) = verify_signed(&envelope.signed, &directory, &[Role::Issuer]).unwrap();
            assert_eq!(signer.hash, certificate.certificate.hash);
            let verified = envelope.verify(&expected(Role::Issuer), &directory).unwrap();
            assert_eq!(verified.signer.hash, certificate.certificate.hash);
            // Seen later, only the renewed certificate counts.
            let mut late = expected(Role::Issuer);
            late.floor = NOW + DAY;
            assert_eq!(envelope.verify(&late, &directory).unwrap().signer.hash, renewed.certificate.hash);
        }
    }
}

#[test]
fn another_document_of_the_same_key_is_no_answer() {
    let good = sealed(reply(), &[]);
    let payload = bytes_of(&map_of(&{
        let signed = signed_part(&good);
        let document = wmlicense_wire::cose::Unverified::parse(Document::Answer, &signed, 4096).unwrap();
        document.unverified_payload().to_vec()
    }));
    for document in [Document::SignedTime, Document::ServiceDocument, Document::DeviceCertificate, Document::Request] {
        let signed = sign(document, &payload, &WORLD.issuer.key, WORLD.issuer.signer_id()).unwrap();
        let swapped = edited(&good, |map| drop(map.insert(1, write::bytes(signed))));
        assert_eq!(refused(&swapped, Role::Issuer), AnswerError::Signature(CoseError::WrongType));
    }
    let stranger = sign(Document::Answer, &payload, &DEVICE.signing, WORLD.issuer.signer_id()).unwrap();
    let swapped = edited(&good, |map| drop(map.insert(1, write::bytes(stranger))));
    assert_eq!(refused(&swapped, Role::Issuer), AnswerError::Signature(CoseError::BadSignature));
}

#[test]
fn a_malformed_signed_part_is_refused_even_from_its_signer() {
    let good = sealed(reply(), &[]);
    for field in [6, 7, 10, 11, 12, 13, 14, 15, 21, 23] {
        let missing = resigned_answer(&good, &WORLD.issuer, |map| drop(map.remove(&field)));
        assert_eq!(refused(&missing, Role::Issuer), AnswerError::Content(CborError::Missing { field }));
        let wrong = resigned_answer(&good, &WORLD.issuer, |map| drop(map.insert(field, vec![0xf6])));
        assert_eq!(refused(&wrong, Role::Issuer), AnswerError::Content(CborError::Value { field }));
    }
    // Members behind the last that is known.
    let refusal = [write::null(), write::null(), write::uint(1), write::null(), write::int(NOW), write::null()];
    let verdict = [write::bytes([1; 16]), write::null(), vec![1], vec![1], write::int(NOW), write::null()];
    for (field, value) in [
        (14, write::array([write::array(refusal)])),
        (23, write::array([write::array(verdict)])),
        (13, write::array([write::uint(5)])),
        (13, write::array([write::uint(0), write::uint(0)])),
        (13, write::array([write::uint(2)])),
        (14, write::array([write::array([write::null(), write::null(), write::uint(0), write::null()])])),
        (
            14,
            write::array([write::array([
                write::null(),
                write::null(),
                write::uint(Reason::ALL.len() as u64 + 1),
                write::null(),
            ])]),
        ),
        (14, write::array([write::array([write::bytes([1; 15]), write::null(), write::uint(1), write::null()])])),
        (15, write::array((0..4097).map(|_| write::bytes([0; 16])))),
        (16, write::bytes([0; 1025])),
        (19, write::uint(2)),
        (21, write::bytes([0; 31])),
        (21, write::bytes(vec![0; 4097 * 32])),
        (22, write::bytes([0; 65])),
    ] {
        let wrong = resigned_answer(&good, &WORLD.issuer, |map| drop(map.insert(field, value)));
        assert_eq!(refused(&wrong, Role::Issuer), AnswerError::Content(CborError::Value { field }));
    }
    let unknown = resigned_answer(&good, &WORLD.issuer, |map| drop(map.insert(26, vec![0])));
    assert_eq!(refused(&unknown, Role::Issuer), AnswerError::Content(CborError::Unknown { field: 26 }));
}

#[test]
fn a_malformed_envelope_is_refused() {
    let good = sealed(reply(), &[]);
    let error = |bytes: &[u8]| Envelope::parse(bytes).err().unwrap();
    for (field, value) in [
        (1, vec![0xf6]),
        (2, write::bytes([0; 1121])),
        (3, write::bytes([])),
        (4, write::array((0..65).map(|_| write::bytes([])))),
        (4, write::array([write::bytes(vec![0; 8193])])),
        (5, write::bytes(vec![0; 8193])),
        (6, write::bytes(vec![0; (1 << 20) + 1])),
    ] {
        let wrong = edited(&good, |map| drop(map.insert(field, value)));
        assert_eq!(error(&wrong), AnswerError::Content(CborError::Value { field }));
    }
    let unknown = edited(&good, |map| drop(map.insert(7, vec![0])));
    assert_eq!(error(&unknown), AnswerError::Content(CborError::Unknown { field: 7 }));
    let long = edited(&good, |map| drop(map.insert(64, write::bytes(vec![0; 4 << 20]))));
    assert_eq!(error(&long), AnswerError::Content(CborError::TooLong { cap: 4 << 20 }));
    for length in 0..good.len() {
        assert!(matches!(error(&good[..length]), AnswerError::Content(_)), "{length}");
    }
}

#[test]
fn a_device_certificate_beside_is_the_one_that_was_signed() {
    let certificate = DEVICE.certificate.bytes.clone();
    let beside = Beside { device_certificate: Some(certificate), ..Beside::default() };
    let service = &WORLD.individualization;
    let good = seal(reply(), DEVICE_ID, &DEVICE.keys, &[], None, &beside, &service.key).unwrap();
    let envelope = Envelope::parse(&good).unwrap();
    let verified = envelope.verify(&expected(Role::Individualization), &WORLD.directory).unwrap();
    assert_eq!(verified.answer.device_certificate, Some(DEVICE.certificate.hash));
    assert_eq!(envelope.device_certificate.as_deref(), Some(DEVICE.certificate.bytes.as_slice()));
    let without = edited(&good, |map| drop(map.remove(&5)));
    let other = edited(&good, |map| drop(map.insert(5, write::bytes(b"other"))));
    let added = edited(&sealed_by(service, reply(), &[]), |map| drop(map.insert(5, write::bytes(b"other"))));
    for changed in [without, other, added] {
        assert_eq!(refused(&changed, Role::Individualization), AnswerError::Manifest);
    }
}

#[test]
fn an_unlock_opens_one_section_of_one_backup_for_one_device() {
    let key = SecretKey::new(zeroize::Zeroizing::new([9; 32]));
    let unlock = Unlock { backup_id: BACKUP_ID, section: 2, key: &key };
    let (keys, beside) = (&DEVICE.keys, Beside::default());
    let sealed = seal(reply(), DEVICE_ID, keys, &[], Some(&unlock), &beside, &WORLD.management.key).unwrap();
    let envelope = Envelope::parse(&sealed).unwrap();
    let verified = envelope.verify(&expected(Role::Management), &WORLD.directory).unwrap();
    let open = |id, section| verified.open_unlock(&DEVICE.hpke, id, section);
    assert_eq!(open(BACKUP_ID, 2).unwrap().unwrap().as_bytes(), &[9; 32]);
    assert_eq!(open(BACKUP_ID, 3).err(), Some(AnswerError::Mismatch));
    assert_eq!(open(BackupId::new([0; 16]), 2).err(), Some(AnswerError::Mismatch));
    let other = device(6, Suite::XWing, &WORLD.individualization);
    assert_eq!(verified.open_unlock(&other.hpke, BACKUP_ID, 2).err(), Some(AnswerError::Mismatch));
}

#[test]
fn an_answer_without_an_unlock_gives_none() {
    let sealed = sealed_by(&WORLD.management, reply(), &[]);
    let envelope = Envelope::parse(&sealed).unwrap();
    let verified = envelope.verify(&expected(Role::Management), &WORLD.directory).unwrap();
    assert!(verified.open_unlock(&DEVICE.hpke, BACKUP_ID, 0).unwrap().is_none());
}
