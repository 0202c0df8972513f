//! Errors of the service as RFC 9457 problems. They are not signed: one may end a transaction, never touch a license.

use serde::{Deserialize, Serialize};

/// Media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// Longest problem read, in bytes.
pub const MAX_LEN: usize = 16 * 1024;
/// What the names of all kinds begin with.
pub const TYPE_PREFIX: &str = "urn:wmlicense:problem:";

/// What went wrong, by a stable name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// The request is malformed or contradicts itself.
    BadRequest,
    /// The request is signed by a device that this service does not know or whose certificate ended.
    UnknownDevice,
    /// The account token is missing or not valid.
    Unauthorized,
    /// Who asks may not have it.
    Forbidden,
    /// The transaction exists with other bytes or for another account.
    Conflict,
    /// The transaction is older than answers are kept.
    Gone,
    /// Too many requests.
    RateLimited,
    /// Longer than allowed.
    TooLarge,
    /// The service cannot answer at present.
    Unavailable,
    /// The service failed.
    Internal,
    /// This service does not have the role asked for.
    NotFound,
}

impl ProblemKind {
    /// All kinds.
    pub const ALL: [Self; 11] = [
        Self::BadRequest,
        Self::UnknownDevice,
        Self::Unauthorized,
        Self::Forbidden,
        Self::Conflict,
        Self::Gone,
        Self::RateLimited,
        Self::TooLarge,
        Self::Unavailable,
        Self::Internal,
        Self::NotFound,
    ];

    /// Last part of the type URN.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BadRequest => "bad-request",
            Self::UnknownDevice => "unknown-device",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::Conflict => "conflict",
            Self::Gone => "gone",
            Self::RateLimited => "rate-limited",
            Self::TooLarge => "too-large",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
            Self::NotFound => "not-found",
        }
    }

    /// HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::UnknownDevice | Self::Forbidden => 403,
            Self::Unauthorized => 401,
            Self::Conflict => 409,
            Self::Gone => 410,
            Self::RateLimited => 429,
            Self::TooLarge => 413,
            Self::Unavailable => 503,
            Self::Internal => 500,
            Self::NotFound => 404,
        }
    }

    /// Published number: the HTTP status and a place in it, stable for ever.
    pub const fn code(self) -> i32 {
        let place = if matches!(self, Self::Forbidden) { 1 } else { 0 };
        self.status() as i32 * 100 + place
    }
}

/// A problem document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `urn:wmlicense:problem:NAME`.
    #[serde(rename = "type")]
    pub kind: String,
    /// One sentence for people, the same for every problem of the kind.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What to do about this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Published number.
    #[serde(default)]
    pub code: i32,
    /// Seconds to wait before asking again.
    #[serde(default, rename = "retryAfter", skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// Finds the request in the service's log.
    #[serde(default, rename = "requestId", skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// A problem of a kind.
    pub fn new(kind: ProblemKind, title: &str) -> Self {
        Self {
            kind: format!("{TYPE_PREFIX}{}", kind.name()),
            title: title.to_owned(),
            status: kind.status(),
            detail: None,
            code: kind.code(),
            retry_after: None,
            request_id: None,
        }
    }

    /// Reads a problem; `None` if the bytes are not one.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_LEN { None } else { serde_json::from_slice(bytes).ok() }
    }
}
