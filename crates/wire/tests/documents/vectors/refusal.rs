//! The class of each refusal, by which other implementations compare theirs.

use wmlicense_wire::answer::AnswerError;
use wmlicense_wire::backup::BackupFormatError;
use wmlicense_wire::cbor::CborError;
use wmlicense_wire::certificate::CertificateError;
use wmlicense_wire::cose::CoseError;
use wmlicense_wire::request::RequestError;
use wmlicense_wire::revocation::RevocationError;
use wmlicense_wire::service_document::ServiceDocumentError;
use wmlicense_wire::status_list::StatusListError;

pub(super) fn of_cbor(error: &CborError) -> &'static str {
    match error {
        CborError::Encoding { .. } => "encoding",
        CborError::Depth { .. } => "depth",
        CborError::Trailing { .. } => "trailing",
        CborError::Missing { .. } => "missing",
        CborError::Value { .. } => "value",
        CborError::Unknown { .. } => "unknown",
        CborError::TooLong { .. } => "too-long",
    }
}

fn of_cose(error: &CoseError) -> &'static str {
    match error {
        CoseError::Malformed => "malformed",
        CoseError::TooLong(_) => "too-long",
        CoseError::WrongType => "wrong-type",
        CoseError::WrongSigner => "wrong-signer",
        CoseError::BadSignature => "bad-signature",
    }
}

pub(super) fn of_certificate(error: CertificateError) -> &'static str {
    match error {
        CertificateError::Signature(error) => of_cose(&error),
        CertificateError::Content(error) => of_cbor(&error),
        CertificateError::Key(_) => "key",
        CertificateError::NotTrusted => "not-trusted",
        CertificateError::WrongIssuer => "wrong-issuer",
        CertificateError::NotValid => "not-valid",
        CertificateError::WrongRole => "wrong-role",
    }
}

pub(super) fn of_service_document(error: ServiceDocumentError) -> &'static str {
    match error {
        ServiceDocumentError::Signature(error) => of_cose(&error),
        ServiceDocumentError::Content(error) => of_cbor(&error),
        ServiceDocumentError::Certificate(error) => of_certificate(error),
        ServiceDocumentError::UnknownSigner => "unknown-signer",
        ServiceDocumentError::WrongNonce => "wrong-nonce",
    }
}

pub(super) fn of_request(error: RequestError) -> &'static str {
    match error {
        RequestError::Signature(error) => of_cose(&error),
        RequestError::Content(error) => of_cbor(&error),
    }
}

pub(super) fn of_revocation(error: RevocationError) -> &'static str {
    match error {
        RevocationError::Signature(error) => of_cose(&error),
        RevocationError::Content(error) => of_cbor(&error),
        RevocationError::Key(_) => "key",
    }
}

pub(super) fn of_status_list(error: StatusListError) -> &'static str {
    match error {
        StatusListError::Signature(error) => of_cose(&error),
        StatusListError::Content(error) => of_cbor(&error),
        StatusListError::WrongAuthority => "wrong-issuer",
    }
}

pub(super) fn of_answer(error: AnswerError) -> &'static str {
    match error {
        AnswerError::Signature(error) => of_cose(&error),
        AnswerError::Content(error) => of_cbor(&error),
        AnswerError::Signer | AnswerError::NotValid => "signer",
        AnswerError::Mismatch | AnswerError::OtherDevice => "mismatch",
        AnswerError::Manifest => "manifest",
        AnswerError::License { .. } | AnswerError::OtherIssuer { .. } => "license",
        AnswerError::Suite => "suite",
    }
}

pub(super) fn of_backup(error: BackupFormatError) -> &'static str {
    match error {
        BackupFormatError::Magic => "magic",
        BackupFormatError::Version(_) => "version",
        BackupFormatError::Content(error) => of_cbor(&error),
        BackupFormatError::Footer(error) => of_cose(&error),
        BackupFormatError::Ticket => "ticket",
    }
}
