use super::*;
use crate::contact::{AnswerFault, SessionError};
use crate::store::StoreError;
use crate::transport::{ServiceFailure, TransportError};
use crate::verbs::acquire::AcquireError;
use crate::verbs::individualize::IndividualizeError;
use crate::verbs::restore::RestoreError;
use crate::verbs::revoke::RevokeError;
use std::collections::BTreeSet;
use std::io;
use std::time::Duration;
use wmlicense_wire::answer::Reason;
use wmlicense_wire::id::{Kid, Lid};

const WORDS: [contact::Words; 4] =
    [contact::INDIVIDUALIZATION, contact::ISSUER, contact::MANAGEMENT, contact::REVOCATION];

#[test]
fn every_reason_of_a_service_is_of_a_kind_of_its_own() {
    let kinds: BTreeSet<_> = Reason::ALL.into_iter().map(|why| why.explain().kind).collect();
    // To decline and to leave a page alone come to the same.
    assert_eq!(kinds.len(), Reason::ALL.len() - 1);
}

#[test]
fn each_trouble_on_the_way_to_a_service_is_of_a_kind_of_its_own() {
    let told = ServiceFailure::default;
    let unauthorized = ServiceFailure { http_status: 401, ..told() };
    let troubles = [
        TransportError::Cancelled,
        TransportError::DeadlinePassed,
        TransportError::Offline,
        TransportError::Url(String::new()),
        TransportError::Unreachable(String::new()),
        TransportError::Tls(String::new()),
        TransportError::Refused(told()),
        TransportError::Refused(unauthorized),
        TransportError::Unavailable(told()),
        TransportError::NotTheService(String::new()),
        TransportError::Broken(String::new()),
        TransportError::Proxy(String::new()),
        TransportError::TlsDate(String::new()),
        TransportError::CaptivePortal(String::new()),
        TransportError::Redirect(String::new()),
        TransportError::TooLarge,
    ]
    .map(SessionError::Transport);
    for words in WORDS {
        let kinds: BTreeSet<_> = troubles.iter().map(|error| error.explain_in(&words).kind).collect();
        assert_eq!(kinds.len(), troubles.len());
    }
}

#[test]
fn each_fault_of_an_answer_is_of_a_kind_of_its_own() {
    let faults = [
        AnswerFault::Malformed(String::new()),
        AnswerFault::Signature,
        AnswerFault::Signer,
        AnswerFault::SignerRevoked,
        AnswerFault::SignerDates,
        AnswerFault::OtherRequest,
        AnswerFault::OtherDevice,
        AnswerFault::Manifest,
        AnswerFault::OtherIssuer(0),
        AnswerFault::Twice(Lid::new([0; 16])),
        AnswerFault::OtherTerms(Lid::new([0; 16])),
        AnswerFault::UnaskedKid(Kid::new([0; 16])),
        AnswerFault::Pages,
        AnswerFault::DeviceCertificate(""),
        AnswerFault::ServiceClock,
    ];
    for words in WORDS {
        let kind = |fault: &AnswerFault| SessionError::BadAnswer(fault.clone()).explain_in(&words).kind;
        assert_eq!(faults.iter().map(kind).collect::<BTreeSet<_>>().len(), faults.len());
        assert_eq!(kind(&AnswerFault::Undecided), words.bad_answer);
    }
}

/// Each verb names the service that it could not reach, and no other.
#[test]
fn a_verb_whose_service_cannot_be_reached_names_that_service() {
    let unreachable = || SessionError::from(TransportError::Unreachable(String::new()));
    let kinds = [
        IndividualizeError::from(unreachable()).explain().kind,
        AcquireError::from(unreachable()).explain().kind,
        RestoreError::from(unreachable()).explain().kind,
        RevokeError::from(unreachable()).explain().kind,
    ];
    let expected = [
        FailureKind::IndividualizationUnreachable,
        FailureKind::IssuerUnreachable,
        FailureKind::ManagementUnreachable,
        FailureKind::RevocationUnreachable,
    ];
    assert_eq!(kinds, expected);
}

/// Only an acquisition that was cancelled is a success by its number.
#[test]
fn what_was_cancelled_while_it_waited_for_the_store_is_cancelled_in_every_verb() {
    let waiting = || SessionError::from(StoreError::Cancelled);
    let told = [
        waiting().explain(),
        SessionError::Cancelled.explain(),
        IndividualizeError::from(waiting()).explain(),
        RestoreError::from(waiting()).explain(),
        RevokeError::from(waiting()).explain(),
    ];
    assert_eq!(told.each_ref().map(|failure| failure.kind), [FailureKind::Cancelled; 5]);
    // What was done before it had to wait stays done.
    for failure in [&told[0], &told[2], &told[3], &told[4]] {
        assert_eq!(failure.sentence(), "The operation was cancelled.");
    }
    let acquired = AcquireError::from(waiting()).explain();
    assert_eq!(acquired, AcquireError::from(SessionError::Cancelled).explain());
    assert_eq!(acquired.kind, FailureKind::AcquisitionCancelled);
}

#[test]
fn each_verb_says_what_to_do_about_a_service_that_it_does_not_know() {
    let told = |error: &dyn Explain| error.explain().sentence().into_owned();
    let unset = || SessionError::NoService;
    assert_eq!(told(&IndividualizeError::from(unset())), "No service URL is set.");
    assert_eq!(told(&AcquireError::from(unset())), "No service URL is set.");
    assert_eq!(told(&RestoreError::from(unset())), "No service URL is set.");
    assert_eq!(told(&RevokeError::from(unset())), "No service is known; set ServiceURL and individualize.");
    let unknown = || SessionError::UnknownService;
    assert!(told(&AcquireError::from(unknown())).contains("or acquire something over the network"));
    assert!(told(&RevokeError::from(unknown())).contains("or refresh revocations over the network"));
}

#[test]
fn an_individualization_says_that_keys_could_not_be_made_and_the_others_that_they_cannot_be_used() {
    let told = |error: &dyn Explain| error.explain().sentence().into_owned();
    assert_eq!(told(&IndividualizeError::from(SessionError::Keys)), "Keys could not be made.");
    let others: [&dyn Explain; 4] = [
        &AcquireError::from(SessionError::Keys),
        &RestoreError::from(SessionError::Keys),
        &RevokeError::from(SessionError::Keys),
        &SessionError::Keys,
    ];
    assert!(others.iter().all(|error| told(error) == "The device's keys cannot be used."));
}

#[test]
fn a_missing_place_differs_from_a_forbidden_and_a_full_one() {
    let kinds = [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied, io::ErrorKind::StorageFull]
        .map(|kind| storage::place(&io::Error::from(kind)).kind);
    assert_eq!(kinds, [FailureKind::PlaceNotFound, FailureKind::PlaceUnusable, FailureKind::DiskFull]);
}

#[test]
fn what_the_service_told_is_in_the_failure() {
    let told = ServiceFailure {
        http_status: 503,
        server_code: 50300,
        request_id: Some("r-1".to_owned()),
        retry_after: Some(2),
        message: "busy".to_owned(),
    };
    let failure = SessionError::Transport(TransportError::Unavailable(told)).explain();
    assert_eq!((failure.http_status, failure.server_code), (503, 50300));
    assert_eq!((failure.retry_after, failure.request_id.as_deref()), (Some(Duration::from_secs(2)), Some("r-1")));
}

#[test]
fn what_is_wrong_with_licenses_that_nobody_asked_for_is_of_kinds_of_its_own() {
    let bad = |fault| AcquireError::Service(SessionError::BadAnswer(fault));
    let errors = [
        AcquireError::TooOld,
        AcquireError::IssuerNotTrusted,
        AcquireError::RemovedForGood,
        bad(AnswerFault::OtherDevice),
        bad(AnswerFault::OtherTerms(Lid::new([1; 16]))),
        bad(AnswerFault::Signature),
        bad(AnswerFault::OtherIssuer(0)),
    ];
    let expected = [
        FailureKind::LicensesTooOld,
        FailureKind::IssuerNotTrusted,
        FailureKind::LicensesRemoved,
        FailureKind::OtherDevice,
        FailureKind::LicenseTerms,
        FailureKind::AnswerChanged,
        FailureKind::LicenseIssuer,
    ];
    assert_eq!(errors.map(|error| error.explain().kind), expected);
}

#[test]
fn no_sentence_names_a_refusal_as_the_code_does() {
    for why in Reason::ALL {
        let refused = IndividualizeError::Refused(why, ServiceFailure::default());
        let told = [
            RevokeError::Refused { reason: why, url: None }.explain().sentence().into_owned(),
            RestoreError::Refused { reason: why, wait: None, url: None }.explain().sentence().into_owned(),
            refused.explain().sentence().into_owned(),
            refused.to_string(),
        ];
        assert!(told.iter().all(|text| !text.contains(&format!("{why:?}"))), "{told:?}");
    }
}
