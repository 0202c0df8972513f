//! Which fault of an answer is which result.

use crate::result::*;
use wmlicense_core::contact::AnswerFault;

/// `general`: what the verb says of an answer with which there is no more to be done than to refuse it.
pub(super) fn result(fault: &AnswerFault, general: wm_result) -> wm_result {
    match fault {
        AnswerFault::Malformed(_) | AnswerFault::Undecided => general,
        AnswerFault::Signature => WM_E_SIGNATURE_FAILURE,
        AnswerFault::Signer => WM_E_ANSWER_SIGNER,
        AnswerFault::SignerRevoked => WM_E_ISSUER_REVOKED,
        AnswerFault::SignerDates => WM_E_LICENSE_CERT_EXPIRED,
        AnswerFault::OtherRequest => WM_E_ANSWER_REPLAYED,
        AnswerFault::OtherDevice => WM_E_INVALID_MACHINE,
        AnswerFault::Manifest => WM_E_ANSWER_MANIFEST,
        AnswerFault::OtherIssuer(_) => WM_E_LICENSE_ISSUER,
        AnswerFault::Twice(_) => WM_E_LICENSE_TWICE,
        AnswerFault::OtherTerms(_) => WM_E_LICENSE_TERMS,
        AnswerFault::UnaskedKid(_) | AnswerFault::UnaskedLicense(_) => WM_E_LICENSE_UNASKED,
        AnswerFault::Pages => WM_E_ENDLESS_ANSWER,
        AnswerFault::DeviceCertificate(_) => WM_E_INVALID_CERTIFICATE,
        AnswerFault::ServiceClock => WM_E_SERVICE_CLOCK,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use wmlicense_wire::id::{Kid, Lid};

    #[test]
    fn each_fault_of_an_answer_has_a_result_of_its_own() {
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
        for general in [WM_E_BAD_ANSWER, WM_E_INVALID_LICENSE_ACQUIRED] {
            let results: BTreeSet<_> = faults.iter().map(|fault| result(fault, general)).collect();
            assert_eq!(results.len(), faults.len());
            assert_eq!(result(&AnswerFault::Undecided, general), general);
        }
    }
}
