//! What a request can fail with, told to clients as RFC 9457 problems. Causes stay in the log.

use crate::rules::admins::{AdminRole, Right, who_may};
use crate::store::{Failure, StoreError};
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use wmlicense_wire::key::KeyError;
use wmlicense_wire::problem::{MEDIA_TYPE, Problem, ProblemKind, TYPE_PREFIX};

/// Seconds after which an overloaded service may be asked again.
const RETRY_AFTER: u64 = 2;

/// Members that a problem has beside the common ones (RFC 9457, 3.2); a response carries them beside its fault.
#[derive(Debug, Clone)]
pub(crate) struct Members(pub(crate) serde_json::Map<String, serde_json::Value>);

/// A request that gets no signed answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Malformed or contradictory, and how.
    BadRequest(&'static str),
    /// The device's certificate is not good here, and why.
    UnknownDevice(&'static str),
    /// The account token is not valid.
    Unauthorized,
    /// The account token was valid once.
    TokenEnded,
    /// No key goes to a page, and why.
    NoKey(&'static str),
    /// A page of another site asked.
    OtherSite,
    /// The transaction exists with other bytes or for another account.
    Conflict,
    /// The answer was given too long ago.
    Gone,
    /// The body is longer than allowed.
    TooLarge,
    /// Too much is being asked at once.
    Overloaded,
    /// So much was kept today for who asks that no more is, for so many seconds.
    QuotaUsedUp(u64),
    /// The database is busy, or what was decided could not be written.
    Unavailable,
    /// The database takes no writes.
    NotWritable,
    /// The certificate of a role is not valid at present.
    NotCertified,
    /// The service failed.
    Internal,
    /// No such resource, or this service does not have the role.
    NotFound,
}

impl Fault {
    fn kind(self) -> ProblemKind {
        match self {
            Self::BadRequest(_) => ProblemKind::BadRequest,
            Self::UnknownDevice(_) => ProblemKind::UnknownDevice,
            Self::Unauthorized | Self::TokenEnded => ProblemKind::Unauthorized,
            Self::NoKey(_) | Self::OtherSite => ProblemKind::Forbidden,
            Self::Conflict => ProblemKind::Conflict,
            Self::Gone => ProblemKind::Gone,
            Self::TooLarge => ProblemKind::TooLarge,
            Self::QuotaUsedUp(_) => ProblemKind::RateLimited,
            Self::Overloaded | Self::Unavailable | Self::NotWritable | Self::NotCertified => ProblemKind::Unavailable,
            Self::Internal => ProblemKind::Internal,
            Self::NotFound => ProblemKind::NotFound,
        }
    }

    /// The fault in one word, for counters.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad_request",
            Self::UnknownDevice(_) => "unknown_device",
            Self::Unauthorized => "unauthorized",
            Self::TokenEnded => "token_ended",
            Self::NoKey(_) => "no_key",
            Self::OtherSite => "other_site",
            Self::Conflict => "conflict",
            Self::Gone => "gone",
            Self::TooLarge => "too_large",
            Self::Overloaded => "overloaded",
            Self::QuotaUsedUp(_) => "quota_used_up",
            Self::Unavailable => "unavailable",
            Self::NotWritable => "not_writable",
            Self::NotCertified => "not_certified",
            Self::Internal => "internal",
            Self::NotFound => "not_found",
        }
    }

    fn detail(self) -> &'static str {
        match self {
            Self::BadRequest(detail) | Self::UnknownDevice(detail) | Self::NoKey(detail) => detail,
            Self::OtherSite => {
                "Pages of this site may not ask here. The owner of the service names those that may with --clearkey-origin."
            }
            Self::Unauthorized => "Sign in again to get a valid account token.",
            Self::TokenEnded => {
                "The account token has ended: its time is over, or another one took its place. Get a new one where you got this one."
            }
            Self::Conflict => "Start a new transaction.",
            Self::Gone => "The answer is no longer kept. Start a new transaction.",
            Self::TooLarge => "Ask for less at a time.",
            Self::QuotaUsedUp(_) => "The day's quota is used up. Send the same request again later.",
            Self::Overloaded => "The service is busy. Send the same request again later.",
            Self::Unavailable => "The service cannot reach its data. Send the same request again later.",
            Self::NotWritable => "The service cannot write to its database. Its disk may be full, read-only or broken.",
            Self::NotCertified => "A certificate of the service is not valid at present. It has to be renewed.",
            Self::Internal => "Send the same request again later; if it fails again, tell the request ID to support.",
            Self::NotFound => "This service offers no such resource.",
        }
    }

    /// Seconds after which the same request may be sent again.
    fn retry_after(self) -> Option<u64> {
        match self {
            Self::QuotaUsedUp(seconds) => Some(seconds),
            other => (other.kind() == ProblemKind::Unavailable).then_some(RETRY_AFTER),
        }
    }

    /// HTTP status of the fault.
    pub(crate) fn status(self) -> u16 {
        self.kind().status()
    }

    /// The problem as a response, with what else it tells.
    pub(crate) fn response(self, request_id: &str, more: Option<&Members>) -> Response<Body> {
        let kind = self.kind();
        let mut problem = Problem::new(kind, title(kind));
        problem.detail = Some(self.detail().to_owned());
        problem.request_id = Some(request_id.to_owned());
        problem.retry_after = self.retry_after();
        let mut value = serde_json::to_value(&problem).unwrap_or_default();
        if let (Some(object), Some(Members(more))) = (value.as_object_mut(), more) {
            object.extend(more.clone());
        }
        let body = serde_json::to_vec(&value).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        let challenge = match self {
            Self::TokenEnded => Some("Bearer error=\"invalid_token\", error_description=\"The token has ended\""),
            _ if kind == ProblemKind::Unauthorized => Some("Bearer error=\"invalid_token\""),
            _ => None,
        };
        if let Some(challenge) = challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

fn title(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::BadRequest => "The request cannot be understood.",
        ProblemKind::UnknownDevice => "The device must be individualized again.",
        ProblemKind::Unauthorized => "The account token is not valid.",
        ProblemKind::Forbidden => "Who asks may not have it.",
        ProblemKind::Conflict => "The transaction was used for another request.",
        ProblemKind::Gone => "The transaction is over.",
        ProblemKind::RateLimited => "Too many requests.",
        ProblemKind::TooLarge => "The request is too long.",
        ProblemKind::Unavailable => "The service is not available at present.",
        ProblemKind::Internal => "The service failed.",
        ProblemKind::NotFound => "There is nothing here.",
    }
}

/// What whoever acts for the owner is refused; told with what helps, because they may know what there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No token, or one that never was.
    NoAdmin,
    /// A token that counted once.
    AdminEnded,
    /// The role has not this right.
    Role(AdminRole, Right),
    /// There is nothing of this name, as told.
    Missing(String),
    /// The request cannot be understood, as told.
    Wrong(String),
    /// What is there stands against it, as told.
    Clash(String),
    /// What is asked makes no sense, as told.
    Unfit(String),
    /// As for everybody.
    Fault(Fault),
}

impl Refusal {
    /// Name, place among those of its status, status, title.
    fn kind(&self) -> (&'static str, i32, StatusCode, &'static str) {
        match self {
            Self::NoAdmin | Self::AdminEnded => {
                ("unauthorized", 0, StatusCode::UNAUTHORIZED, "The admin token is not valid.")
            }
            Self::Role(..) => ("forbidden", 1, StatusCode::FORBIDDEN, "The role of the admin token does not suffice."),
            Self::Missing(_) => ("not-found", 0, StatusCode::NOT_FOUND, "There is no such thing."),
            Self::Wrong(_) => ("bad-request", 0, StatusCode::BAD_REQUEST, "The request cannot be understood."),
            Self::Clash(_) => ("conflict", 0, StatusCode::CONFLICT, "What is there stands against the request."),
            Self::Unfit(_) => ("unprocessable", 0, StatusCode::UNPROCESSABLE_ENTITY, "What is asked cannot be done."),
            Self::Fault(fault) => {
                let kind = fault.kind();
                let status = StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                (kind.name(), 0, status, title(kind))
            }
        }
    }

    /// What to do about it.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::NoAdmin => {
                "Send the token that `wmlicensed admin add` printed in `Authorization: Bearer`, or as a password in \
                 `Authorization: Basic`."
                    .to_owned()
            }
            Self::AdminEnded => {
                "The token has ended. `wmlicensed admin token NAME` prints another one for who still may.".to_owned()
            }
            Self::Role(role, right) => {
                format!("This is for the role {}; the token has the role {role}.", who_may(*right))
            }
            Self::Missing(told) | Self::Wrong(told) | Self::Clash(told) | Self::Unfit(told) => told.clone(),
            Self::Fault(fault) => fault.detail().to_owned(),
        }
    }

    /// The problem as a response.
    pub(crate) fn response(&self, request_id: &str) -> Response<Body> {
        let (name, place, status, title) = self.kind();
        let problem = Problem {
            kind: format!("{TYPE_PREFIX}{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: Some(self.detail()),
            code: i32::from(status.as_u16()) * 100 + place,
            retry_after: None,
            request_id: Some(request_id.to_owned()),
        };
        let mut response = Response::new(Body::from(serde_json::to_vec(&problem).unwrap_or_default()));
        *response.status_mut() = status;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store failed");
        match error {
            StoreError::Exhausted(_) => Self::Overloaded,
            StoreError::Busy
            | StoreError::Overtaken
            | StoreError::Unknown
            | StoreError::NotCommitted
            | StoreError::Closed
            | StoreError::Lost(_)
            | StoreError::Unreachable(_)
            | StoreError::Refused(_)
            | StoreError::ReadOnly
            | StoreError::Failed(Failure::Disk, _) => Self::Unavailable,
            StoreError::Newer { .. }
            | StoreError::Url(_)
            | StoreError::NoTables
            | StoreError::Taken
            | StoreError::NotEmpty(_)
            | StoreError::Changing
            | StoreError::NoWay
            | StoreError::Repeated
            | StoreError::OtherService { .. }
            | StoreError::OtherMaster
            | StoreError::Damaged(_)
            | StoreError::Failed(Failure::Other, _) => Self::Internal,
        }
    }
}

impl From<KeyError> for Fault {
    fn from(error: KeyError) -> Self {
        tracing::error!(%error, "keys failed");
        Self::Internal
    }
}

impl From<getrandom::Error> for Fault {
    fn from(error: getrandom::Error) -> Self {
        tracing::error!(%error, "the system gave no random bytes");
        Self::Internal
    }
}
