//! Signed documents against the crate `coset`, and everything that is not one of them.

use super::*;
use crate::key::{KeyKind, SigningKey};
use coset::iana::Algorithm;
use coset::{
    CborSerializable as _, CoseSign, CoseSign1, CoseSign1Builder, CoseSignBuilder, CoseSignature, CoseSignatureBuilder,
    Header, HeaderBuilder, TaggedCborSerializable as _, cbor::value::Value,
};
use std::sync::LazyLock;

const CAP: usize = 8192;
const PAYLOAD: &[u8] = b"payload";

static SINGLE: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_seed(&[1; 32]).unwrap());
static DUAL: LazyLock<DualSigningKey> = LazyLock::new(|| DualSigningKey::from_bytes(&[2; 64]).unwrap());

fn single_id() -> SignerId {
    SINGLE.verifying_key().signer_id(KeyKind::Service)
}

fn dual_id() -> SignerId {
    DUAL.verifying_key().signer_id(KeyKind::Authority)
}

fn signed(document: Document) -> Vec<u8> {
    if document.is_dual() {
        sign_dual(document, PAYLOAD, &DUAL, dual_id()).unwrap()
    } else {
        sign(document, PAYLOAD, &*SINGLE, single_id()).unwrap()
    }
}

/// Parses and verifies with the key that signs documents of this shape.
fn verified(document: Document, bytes: &[u8]) -> Result<&[u8], CoseError> {
    let unverified = Unverified::parse(document, bytes, CAP)?;
    if document.is_dual() {
        unverified.verify_dual(DUAL.verifying_key(), dual_id())
    } else {
        unverified.verify(SINGLE.verifying_key(), single_id())
    }
}

/// Headers as they should be, written by the other crate.
fn header(algorithm: Option<Algorithm>, kid: Option<SignerId>, document: Option<Document>) -> Header {
    let mut builder = HeaderBuilder::new();
    if let Some(algorithm) = algorithm {
        builder = builder.algorithm(algorithm);
    }
    if let Some(kid) = kid {
        builder = builder.key_id(kid.as_bytes().to_vec());
    }
    if let Some(document) = document {
        builder = builder.value(i64::from(TYP), Value::Text(document.media_type().to_owned()));
    }
    builder.build()
}

fn single_header(document: Document) -> Header {
    header(Some(Algorithm::Ed25519), Some(single_id()), Some(document))
}

/// A document with one signature that the other crate put together and signed over `aad`.
fn foreign_single(protected: Header, unprotected: Header, aad: &[u8]) -> CoseSign1 {
    CoseSign1Builder::new()
        .protected(protected)
        .unprotected(unprotected)
        .payload(PAYLOAD.to_vec())
        .create_signature(aad, |message| SINGLE.sign(message).unwrap().to_vec())
        .build()
}

/// A dual document that the other crate put together from signatures with these algorithms.
fn foreign_dual(document: Document, algorithms: &[Algorithm], kid: SignerId) -> Vec<u8> {
    let mut builder = CoseSignBuilder::new().protected(header(None, None, Some(document))).payload(PAYLOAD.to_vec());
    for algorithm in algorithms {
        let signature = CoseSignatureBuilder::new().protected(header(Some(*algorithm), Some(kid), None)).build();
        builder = builder.add_created_signature(signature, &external_aad(document, kid), |message| match algorithm {
            Algorithm::Ed25519 => DUAL.ed25519().sign(message).unwrap().to_vec(),
            _ => DUAL.sign_ml_dsa(message).unwrap(),
        });
    }
    builder.build().to_tagged_vec().unwrap()
}

fn with_signature(body: &CoseSign, signatures: Vec<CoseSignature>) -> Vec<u8> {
    CoseSign { signatures, ..body.clone() }.to_tagged_vec().unwrap()
}

#[test]
fn every_document_is_read_back_and_passes_as_no_other() {
    for is in Document::ALL {
        let bytes = signed(is);
        for taken_for in Document::ALL {
            let expected = if is == taken_for { Ok(PAYLOAD) } else { Err(CoseError::WrongType) };
            assert_eq!(verified(taken_for, &bytes), expected, "{is:?} as {taken_for:?}");
        }
    }
}

#[test]
fn names_and_codes_of_documents_are_unique() {
    let mut names: Vec<&str> = Document::ALL.iter().map(|document| document.media_type()).collect();
    assert!(names.iter().all(|name| name.starts_with("application/wmlicense-") && name.ends_with("+cose")));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 12);
    for (index, document) in Document::ALL.into_iter().enumerate() {
        assert_eq!(document as usize, index + 1);
    }
    let dual: Vec<u16> = Document::ALL.iter().filter(|document| document.is_dual()).map(|d| *d as u16).collect();
    assert_eq!(dual, [1, 2, 3, 12]);
}

#[test]
fn the_aad_has_fifty_bytes() {
    let aad = external_aad(Document::Answer, SignerId::new([9; 32]));
    assert_eq!(aad, [b"wmlicense/1\0\0\0\0\0\0\x0b".as_slice(), &[9; 32]].concat());
    assert_eq!(aad.len(), 50);
}

#[test]
fn a_document_whose_type_was_rewritten_does_not_verify() {
    for is in Document::ALL {
        for taken_for in Document::ALL.into_iter().filter(|other| *other != is && other.is_dual() == is.is_dual()) {
            // The right headers for `taken_for`, the signatures of `is`.
            let bytes = if is.is_dual() {
                let mut document = CoseSign::from_tagged_slice(&signed(is)).unwrap();
                document.protected = CoseSign::from_tagged_slice(&signed(taken_for)).unwrap().protected;
                document.to_tagged_vec().unwrap()
            } else {
                let mut document = CoseSign1::from_tagged_slice(&signed(is)).unwrap();
                document.protected = CoseSign1::from_tagged_slice(&signed(taken_for)).unwrap().protected;
                document.to_tagged_vec().unwrap()
            };
            assert_eq!(verified(taken_for, &bytes), Err(CoseError::BadSignature), "{is:?} as {taken_for:?}");
        }
    }
}

#[test]
fn a_signature_for_another_code_or_signer_does_not_verify() {
    let document = Document::Answer;
    let aad = external_aad(document, single_id());
    let good = foreign_single(single_header(document), Header::default(), &aad).to_tagged_vec().unwrap();
    assert_eq!(good, signed(document));
    assert_eq!(verified(document, &good), Ok(PAYLOAD));
    for aad in [external_aad(Document::Request, single_id()), external_aad(document, dual_id()), Vec::new()] {
        let bad = foreign_single(single_header(document), Header::default(), &aad).to_tagged_vec().unwrap();
        assert_eq!(verified(document, &bad), Err(CoseError::BadSignature));
    }
}

#[test]
fn an_independent_implementation_verifies_both_forms() {
    for document in Document::ALL {
        let bytes = signed(document);
        if document.is_dual() {
            let twin = CoseSign::from_tagged_slice(&bytes).unwrap();
            let aad = external_aad(document, dual_id());
            let key = DUAL.verifying_key();
            twin.verify_signature(0, &aad, |signature, message| key.ed25519().verify(message, signature)).unwrap();
            twin.verify_signature(1, &aad, |signature, message| key.verify_ml_dsa(message, signature)).unwrap();
            assert_eq!(twin.payload.as_deref(), Some(PAYLOAD));
            assert_eq!(twin.to_tagged_vec().unwrap(), bytes);
        } else {
            let twin = CoseSign1::from_tagged_slice(&bytes).unwrap();
            let aad = external_aad(document, single_id());
            twin.verify_signature(&aad, |signature, message| SINGLE.verifying_key().verify(message, signature))
                .unwrap();
            assert_eq!(twin.payload.as_deref(), Some(PAYLOAD));
            assert_eq!(twin.to_tagged_vec().unwrap(), bytes);
        }
    }
}

#[test]
fn every_changed_bit_of_a_document_is_noticed() {
    let bytes = signed(Document::Answer);
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(verified(Document::Answer, &changed).is_err(), "{bit}");
    }
}

#[test]
fn changed_bits_of_a_dual_document_are_noticed() {
    let bytes = signed(Document::ServiceCertificate);
    let head = 400 * 8;
    for bit in (0..head).chain((head..bytes.len() * 8).step_by(61)) {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(verified(Document::ServiceCertificate, &changed).is_err(), "{bit}");
    }
}

#[test]
fn a_document_cut_or_extended_anywhere_is_malformed() {
    for document in [Document::Answer, Document::StatusList] {
        let mut bytes = signed(document);
        for length in 0..bytes.len() {
            assert_eq!(verified(document, &bytes[..length]), Err(CoseError::Malformed), "{length}");
        }
        bytes.push(0);
        assert_eq!(verified(document, &bytes), Err(CoseError::Malformed));
    }
}

#[test]
fn a_longer_document_than_allowed_is_refused_unread() {
    let bytes = signed(Document::Answer);
    assert!(Unverified::parse(Document::Answer, &bytes, bytes.len()).is_ok());
    let cap = bytes.len() - 1;
    assert_eq!(Unverified::parse(Document::Answer, &bytes, cap).err(), Some(CoseError::TooLong(cap)));
}

#[test]
fn another_key_or_signer_id_is_refused() {
    let other = SigningKey::from_seed(&[3; 32]).unwrap();
    let bytes = signed(Document::Answer);
    let parse = || Unverified::parse(Document::Answer, &bytes, CAP).unwrap();
    assert_eq!(parse().signer_id(), single_id());
    assert_eq!(parse().unverified_payload(), PAYLOAD);
    assert_eq!(parse().verify(SINGLE.verifying_key(), dual_id()), Err(CoseError::WrongSigner));
    assert_eq!(parse().verify(other.verifying_key(), single_id()), Err(CoseError::BadSignature));
    assert_eq!(parse().verify_dual(DUAL.verifying_key(), single_id()), Err(CoseError::Malformed));

    let bytes = signed(Document::StatusList);
    let parse = || Unverified::parse(Document::StatusList, &bytes, CAP).unwrap();
    assert_eq!(parse().verify(DUAL.ed25519().verifying_key(), dual_id()), Err(CoseError::Malformed));
    assert_eq!(parse().verify_dual(DUAL.verifying_key(), single_id()), Err(CoseError::WrongSigner));
}

#[test]
fn both_signatures_of_a_dual_document_must_verify() {
    let public = DUAL.verifying_key();
    let other = DualSigningKey::from_bytes(&[4; 64]).unwrap();
    let other = other.verifying_key();
    let bytes = signed(Document::StatusList);
    for (ed25519, ml_dsa) in [(other, public), (public, other), (other, other)] {
        let key = DualVerifyingKey::from_slices(ed25519.ed25519().as_bytes(), ml_dsa.ml_dsa()).unwrap();
        let parsed = Unverified::parse(Document::StatusList, &bytes, CAP).unwrap();
        assert_eq!(parsed.verify_dual(&key, dual_id()), Err(CoseError::BadSignature));
    }
}

#[test]
fn one_signature_does_not_stand_in_for_two_nor_two_for_one() {
    let dual_as_single = foreign_dual(Document::Answer, &[Algorithm::Ed25519, Algorithm::ML_DSA_65], dual_id());
    let parsed = |document, bytes: &[u8]| Unverified::parse(document, bytes, CAP).map(|_| ());
    assert_eq!(parsed(Document::Answer, &dual_as_single), Err(CoseError::Malformed));
    let document = Document::ServiceCertificate;
    let protected = header(Some(Algorithm::Ed25519), Some(dual_id()), Some(document));
    let single_as_dual = CoseSign1Builder::new()
        .protected(protected)
        .payload(PAYLOAD.to_vec())
        .create_signature(&external_aad(document, dual_id()), |message| DUAL.ed25519().sign(message).unwrap().to_vec())
        .build();
    assert_eq!(parsed(document, &single_as_dual.to_tagged_vec().unwrap()), Err(CoseError::Malformed));
}

#[test]
fn a_dual_document_has_two_signatures_in_their_order_by_one_signer() {
    use Algorithm::{Ed25519, EdDSA, ML_DSA_44, ML_DSA_65};
    let document = Document::LicenseRevocation;
    let good = foreign_dual(document, &[Ed25519, ML_DSA_65], dual_id());
    assert_eq!(verified(document, &good), Ok(PAYLOAD));
    for algorithms in [
        [].as_slice(),
        &[Ed25519],
        &[ML_DSA_65],
        &[ML_DSA_65, Ed25519],
        &[Ed25519, Ed25519],
        &[ML_DSA_65, ML_DSA_65],
        &[Ed25519, ML_DSA_65, Ed25519],
        &[EdDSA, ML_DSA_65],
        &[Ed25519, ML_DSA_44],
    ] {
        let bytes = foreign_dual(document, algorithms, dual_id());
        assert_eq!(verified(document, &bytes), Err(CoseError::Malformed), "{algorithms:?}");
    }
    let body = CoseSign::from_tagged_slice(&good).unwrap();
    let other = CoseSign::from_tagged_slice(&foreign_dual(document, &[Ed25519, ML_DSA_65], single_id())).unwrap();
    let two_signers = vec![body.signatures[0].clone(), other.signatures[1].clone()];
    assert_eq!(verified(document, &with_signature(&body, two_signers)), Err(CoseError::Malformed));
    let mut labelled = body.signatures.clone();
    labelled[1].unprotected = header(None, Some(dual_id()), None);
    assert_eq!(verified(document, &with_signature(&body, labelled)), Err(CoseError::Malformed));
}

#[test]
fn no_other_header_is_taken_even_if_it_is_signed() {
    let document = Document::Answer;
    let aad = external_aad(document, single_id());
    let more = |label, value: Value| {
        let mut header = single_header(document);
        header.rest.push((coset::Label::Int(label), value));
        header
    };
    let text_label = || {
        let mut header = single_header(document);
        header.rest.push((coset::Label::Text("more".to_owned()), Value::Null));
        header
    };
    let content_type = HeaderBuilder::new().content_type("text/plain".to_owned()).build();
    for (protected, unprotected) in [
        (single_header(document), header(None, Some(single_id()), None)),
        (single_header(document), content_type.clone()),
        (more(15, Value::Map(Vec::new())), Header::default()),
        (more(-70_000, Value::Null), Header::default()),
        (text_label(), Header::default()),
        (Header { content_type: content_type.content_type, ..single_header(document) }, Header::default()),
        (header(Some(Algorithm::EdDSA), Some(single_id()), Some(document)), Header::default()),
        (header(Some(Algorithm::ML_DSA_65), Some(single_id()), Some(document)), Header::default()),
        (header(None, Some(single_id()), Some(document)), Header::default()),
        (header(Some(Algorithm::Ed25519), None, Some(document)), Header::default()),
        (header(Some(Algorithm::Ed25519), Some(single_id()), None), Header::default()),
        (Header { key_id: vec![1; 31], ..single_header(document) }, Header::default()),
        (Header::default(), single_header(document)),
    ] {
        let bytes = foreign_single(protected, unprotected, &aad).to_tagged_vec().unwrap();
        assert_eq!(verified(document, &bytes), Err(CoseError::Malformed));
    }
}

#[test]
fn other_encodings_of_the_same_document_are_refused() {
    let document = Document::Answer;
    let bytes = signed(document);
    let twin = CoseSign1::from_tagged_slice(&bytes).unwrap();
    assert_eq!(verified(document, &twin.clone().to_vec().unwrap()), Err(CoseError::Malformed), "untagged");
    let detached = CoseSign1 { payload: None, ..twin }.to_tagged_vec().unwrap();
    assert_eq!(verified(document, &detached), Err(CoseError::Malformed), "detached");
    let at = bytes.windows(1 + PAYLOAD.len()).position(|part| part[0] == 0x47 && part[1..] == *PAYLOAD).unwrap();
    let (before, rest) = bytes.split_at(at);
    for head in [[0x58, 7].as_slice(), &[0x59, 0, 7], &[0x5a, 0, 0, 0, 7], &[0x5b, 0, 0, 0, 0, 0, 0, 0, 7]] {
        let longer = [before, head, &rest[1..]].concat();
        assert_eq!(verified(document, &longer), Err(CoseError::Malformed), "{head:x?}");
    }
    let indefinite = [before, &[0x5f], &rest[..1 + PAYLOAD.len()], &[0xff], &rest[1 + PAYLOAD.len()..]].concat();
    assert_eq!(verified(document, &indefinite), Err(CoseError::Malformed), "indefinite");
    let long_tag = [&[0xd8, 18], &bytes[1..]].concat();
    assert_eq!(verified(document, &long_tag), Err(CoseError::Malformed), "tag");
    let lying = [before, &[0x5a, 0xff, 0xff, 0xff, 0xff], &rest[1..]].concat();
    assert_eq!(verified(document, &lying), Err(CoseError::Malformed), "length");
}

#[test]
fn payloads_of_any_length_are_signed_and_read() {
    for length in [0, 1, 23, 24, 255, 256, 65_535, 65_536] {
        let payload = vec![7; length];
        let bytes = sign(Document::Request, &payload, &*SINGLE, single_id()).unwrap();
        let parsed = Unverified::parse(Document::Request, &bytes, 100_000).unwrap();
        assert!(parsed.verify(SINGLE.verifying_key(), single_id()).unwrap() == payload);
    }
}
