use super::*;
use std::collections::BTreeSet;

#[test]
fn every_reason_of_a_service_has_a_result_of_its_own() {
    let results: BTreeSet<_> = Reason::ALL.into_iter().map(|why| reason(why).result()).collect();
    // To decline and to leave a page alone come to the same.
    assert_eq!(results.len(), Reason::ALL.len() - 1);
}

#[test]
fn each_trouble_on_the_way_to_a_service_has_a_result_of_its_own() {
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
    ];
    for service in [INDIVIDUALIZATION, ISSUER, MANAGEMENT, REVOCATION] {
        let results: BTreeSet<_> = troubles.iter().map(|error| transport(error, &service).result()).collect();
        assert_eq!(results.len(), troubles.len());
    }
}

#[test]
fn a_missing_place_differs_from_a_forbidden_and_a_full_one() {
    let results = [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied, io::ErrorKind::StorageFull]
        .map(|kind| place(&io::Error::from(kind)).result());
    assert_eq!(results, [WM_E_PATH_NOT_FOUND, WM_E_PATH_UNUSABLE, WM_E_DISK_FULL]);
}

#[test]
fn what_the_service_told_is_in_the_detail() {
    let told = ServiceFailure {
        http_status: 503,
        server_code: 50300,
        request_id: Some("r-1".to_owned()),
        retry_after: Some(2),
        message: "busy".to_owned(),
    };
    let detail = transport(&TransportError::Unavailable(told), &ISSUER).into_detail();
    assert_eq!((detail.http_status, detail.server_code, detail.retry_after_ms), (503, 50300, 2000));
    assert_eq!(detail.request_id.as_deref(), Some("r-1"));
}

#[test]
fn what_is_wrong_with_licenses_that_nobody_asked_for_has_results_of_its_own() {
    use wmlicense_core::contact::AnswerFault;
    use wmlicense_wire::id::Lid;
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
    let results = errors.each_ref().map(|error| acquire(error, 0).result());
    let expected = [
        WM_E_LICENSE_TOO_OLD,
        WM_E_ISSUER_NOT_TRUSTED,
        WM_E_LICENSE_REMOVED,
        WM_E_INVALID_MACHINE,
        WM_E_LICENSE_TERMS,
        WM_E_SIGNATURE_FAILURE,
        WM_E_LICENSE_ISSUER,
    ];
    assert_eq!(results, expected);
}

#[test]
fn no_sentence_names_a_refusal_as_the_code_does() {
    for why in Reason::ALL {
        let told = [
            revoke(&RevokeError::Refused { reason: why, url: None }),
            individualize(&IndividualizeError::Refused(why, ServiceFailure::default())),
        ];
        let mut texts = told.map(|failure| failure.into_detail().message.to_string()).to_vec();
        texts.push(IndividualizeError::Refused(why, ServiceFailure::default()).to_string());
        assert!(texts.iter().all(|text| !text.contains(&format!("{why:?}"))), "{texts:?}");
    }
}
