//! Whether an answer is acceptable, and whether one that is not can ever become so.

use super::{AnswerFault, Question, Session, SessionError};
use wmlicense_wire::answer::{self, AnswerError, Envelope, Verified};

impl Session<'_> {
    /// Verifies an answer to `question`: signer, role, service asked, request, device, licenses of the manifest, and that its
    /// date can be. It tells the time.
    pub fn verify<'e>(&self, envelope: &'e Envelope, question: &Question) -> Result<Verified<'e>, SessionError> {
        let verified = envelope.verify(&question.expected(self.floor(question)?), &self.directory)?;
        if verified.signer.service_id != question.content.audience {
            return Err(AnswerError::Signer.into());
        }
        if let Some(list) = self.client.store.status_list(self.authority())?
            && list.revokes_service(verified.signer.signer_id(), verified.answer.issued_at)
        {
            return Err(SessionError::BadAnswer(AnswerFault::SignerRevoked));
        }
        self.note_time(verified.signer.service_id, verified.answer.issued_at, question.made_at)?;
        Ok(verified)
    }

    /// True if an answer that [`Self::verify`] refused can never become good: it is this service's own word on this very
    /// request, which the same bytes would only bring again (`docs/protocol.md` §6). Whatever somebody on the way could have sent
    /// is not.
    pub(crate) fn is_final(&self, error: &SessionError, envelope: &Envelope, question: &Question) -> bool {
        let SessionError::BadAnswer(fault) = error else { return false };
        match fault {
            AnswerFault::ServiceClock | AnswerFault::SignerRevoked | AnswerFault::OtherDevice => true,
            AnswerFault::SignerDates => self.is_of_ended_signer(envelope, question),
            // Signed by the service and unreadable is final; anything else may be anybody's.
            AnswerFault::Malformed(_) => matches!(
                answer::verify_signed(&envelope.signed, &self.directory, &[question.endpoint().role()]),
                Err(AnswerError::Content(_))
            ),
            AnswerFault::Signature | AnswerFault::Signer | AnswerFault::OtherRequest | AnswerFault::Manifest => false,
            AnswerFault::OtherIssuer(_)
            | AnswerFault::Twice(_)
            | AnswerFault::OtherTerms(_)
            | AnswerFault::UnaskedKid(_)
            | AnswerFault::UnaskedLicense(_)
            | AnswerFault::Pages
            | AnswerFault::DeviceCertificate(_)
            | AnswerFault::Undecided => true,
        }
    }

    /// True if the answer is to this request, and its signer's certificate did not hold when it was made, or ended before a time
    /// that is beyond doubt.
    fn is_of_ended_signer(&self, envelope: &Envelope, question: &Question) -> bool {
        let Ok(record) = self.client.store.clock_record() else { return false };
        let Ok(answer) = answer::read_vouched(&envelope.signed) else { return false };
        let expected = question.expected(record.beyond_doubt(question.content.audience));
        answer.transaction == expected.transaction
            && answer.page == expected.page
            && answer.request_hash == expected.request_hash
            && matches!(envelope.verify(&expected, &self.directory), Err(AnswerError::NotValid))
    }
}
