//! What can be wrong with an answer that arrived whole.

use wmlicense_wire::answer::AnswerError;
use wmlicense_wire::certificate::CertificateError;
use wmlicense_wire::cose::CoseError;
use wmlicense_wire::id::{Kid, Lid};
use wmlicense_wire::service_document::ServiceDocumentError;

/// Why an answer is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerFault {
    /// Not a document of the one allowed form, or what is inside is damaged.
    #[error("{0}")]
    Malformed(String),
    /// A signature does not verify: the bytes were changed.
    #[error("its signature does not verify")]
    Signature,
    /// Signed by a service that is not known, not the one asked, or of another role.
    #[error("it is signed by another service than the one asked")]
    Signer,
    /// Signed with a key that was revoked.
    #[error("the key that signed it was revoked")]
    SignerRevoked,
    /// The signer's certificate does not hold at the time that the answer names.
    #[error("it was made when the service's certificate did not hold")]
    SignerDates,
    /// It answers another request: somebody plays an earlier answer again.
    #[error("it belongs to another request")]
    OtherRequest,
    /// It, or a license in it, is for another device.
    #[error("it is for another device")]
    OtherDevice,
    /// What comes with it is not what was signed.
    #[error("what comes with it is not what was signed")]
    Manifest,
    /// A license is one of an issuer for which this service may not sign.
    #[error("license {0} in it is of another issuer")]
    OtherIssuer(usize),
    /// A license comes twice.
    #[error("it holds license {0} twice")]
    Twice(Lid),
    /// A license that is stored comes with other terms, which is what another license ID would be for.
    #[error("license {0} in it has other terms than the stored one")]
    OtherTerms(Lid),
    /// A license for a key ID that was not asked for.
    #[error("nobody asked for key ID {0}")]
    UnaskedKid(Kid),
    /// A license that was not asked for.
    #[error("nobody asked for license {0}")]
    UnaskedLicense(Lid),
    /// A page that nobody asked for is announced, or pages without end.
    #[error("it announces a page that nobody asked for or that was there before")]
    Pages,
    /// The certificate for the device is missing or not the one asked for.
    #[error("{0}")]
    DeviceCertificate(&'static str),
    /// It decides nothing where a decision was due.
    #[error("it neither grants nor refuses")]
    Undecided,
    /// It is dated over a day ahead of the time that services told since the system started.
    #[error("it is dated over a day ahead of the time")]
    ServiceClock,
}

impl From<AnswerError> for AnswerFault {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Signature(error) => error.into(),
            AnswerError::Signer => Self::Signer,
            AnswerError::NotValid => Self::SignerDates,
            AnswerError::Mismatch => Self::OtherRequest,
            AnswerError::OtherDevice => Self::OtherDevice,
            AnswerError::Manifest => Self::Manifest,
            AnswerError::OtherIssuer { index } => Self::OtherIssuer(index),
            AnswerError::Content(_) | AnswerError::License { .. } | AnswerError::Suite => {
                Self::Malformed(error.to_string())
            }
        }
    }
}

impl From<CoseError> for AnswerFault {
    fn from(error: CoseError) -> Self {
        match error {
            CoseError::BadSignature => Self::Signature,
            CoseError::WrongSigner => Self::Signer,
            CoseError::Malformed | CoseError::TooLong(_) | CoseError::WrongType => Self::Malformed(error.to_string()),
        }
    }
}

/// Of a certificate that comes along; that the authority is none of the client's is no fault of the answer.
impl From<CertificateError> for AnswerFault {
    fn from(error: CertificateError) -> Self {
        match error {
            CertificateError::Signature(error) => error.into(),
            CertificateError::NotTrusted | CertificateError::WrongIssuer | CertificateError::WrongRole => Self::Signer,
            CertificateError::NotValid => Self::SignerDates,
            CertificateError::Content(_) | CertificateError::Key(_) => Self::Malformed(error.to_string()),
        }
    }
}

impl From<ServiceDocumentError> for AnswerFault {
    fn from(error: ServiceDocumentError) -> Self {
        match error {
            ServiceDocumentError::Signature(error) => error.into(),
            ServiceDocumentError::Certificate(error) => error.into(),
            ServiceDocumentError::UnknownSigner => Self::Signer,
            ServiceDocumentError::WrongNonce => Self::OtherRequest,
            ServiceDocumentError::Content(_) => Self::Malformed(error.to_string()),
        }
    }
}
