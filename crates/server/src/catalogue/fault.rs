//! What can be wrong with a CPIX document.

/// A CPIX document, or a key in it, cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CpixError {
    /// Not well-formed, too large, or with a document type, which could make it grow without end.
    #[error("line {line}, column {column}: not the XML of a CPIX document ({what})")]
    Xml {
        /// Counted from 1.
        line: u32,
        /// Counted from 1.
        column: u32,
        /// What is wrong.
        what: &'static str,
    },
    /// The document is another one.
    #[error("this XML is no CPIX document: CPIX of the namespace urn:dashif:org:cpix is expected as its first element")]
    Other,
    /// Its keys are encrypted, and nobody said to whom.
    #[error(
        "the keys of this document are encrypted: name the recipient's key and certificate with --cpix-key and --cpix-cert"
    )]
    Encrypted,
    /// Its keys are encrypted to others.
    #[error("the keys of this document are not encrypted to the certificate of --cpix-cert")]
    NotForUs,
    /// What stands under the recipient's certificate does not open with its key.
    #[error("what the document has for the recipient does not open with the key of --cpix-key")]
    NotOpened,
    /// An element that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// An element is there twice, and which of them counts nobody can say.
    #[error("{0} is there twice")]
    Twice(&'static str),
    /// A key in clear, which no MAC covers, in a document whose keys are encrypted.
    #[error("a key is in clear in a document whose keys are encrypted")]
    Clear,
    /// A value is not base64.
    #[error("{0} is not in base64")]
    Base64(&'static str),
    /// Another algorithm than those of CPIX.
    #[error("{0} uses another algorithm than CPIX has for it")]
    Algorithm(&'static str),
    /// An encrypted key was changed, or is another document's.
    #[error("the key is not what the sender encrypted: its ValueMAC does not fit")]
    Mac,
    /// A key of another length.
    #[error("a key has 16 bytes")]
    Length,
}
