//! What a request may take: room for its body while that comes, a place among those that run once it is there, and room for its
//! answer until that is sent. Each is shared fairly among those who ask.

use super::body::{discard, read_body};
use super::{Answered, cose};
use crate::accounts::Account;
use crate::metrics::count;
use crate::origin::Origin;
use crate::problem::Fault;
use crate::roles::mailbox::Sender;
use crate::service::Service;
use crate::shares::{Share, Shares};
use crate::source::Source;
use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Response, header};
use axum::middleware::Next;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use wmlicense_wire::endpoint::Endpoint;

/// Most requests that run at once; more are told to come again.
const MAX_REQUESTS: u64 = 384;
/// Most restores among them, whose documents are long.
const MAX_RESTORES: u64 = 36;
/// Bytes of all bodies that are there in part or whole, and of all answers that are not sent yet. The system's own buffers are
/// not counted.
const MAX_BODIES: u64 = 64 * 1024 * 1024;
const MAX_ANSWERS: u64 = 64 * 1024 * 1024;
/// A body up to this length is read before the token beside it is looked up, where one job does both.
const SHORT_BODY: u64 = 64 * 1024;
/// Answers up to this length are not counted.
const SHORT: u64 = 4096;
/// Longest time from the end of a request to its answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// What handlers share.
pub(super) struct Shared {
    pub(super) service: Arc<Service>,
    /// Sites whose pages may have keys.
    pub(super) origins: Vec<Origin>,
    running: Arc<Shares>,
    restoring: Arc<Shares>,
    bodies: Arc<Shares>,
    answers: Arc<Shares>,
}

/// For whom a request asks.
enum For {
    /// For nobody, or for an account that was looked up.
    Known(Option<Account>),
    /// For that of a token, as the header says it.
    Token(String),
}

impl For {
    async fn account(self, service: &Service) -> Result<Option<Account>, Fault> {
        match self {
            Self::Known(account) => Ok(account),
            Self::Token(token) => service.account(Some(&token)).await,
        }
    }
}

/// A request whose body came.
pub(super) struct Received {
    pub(super) source: Source,
    asks_for: For,
    pub(super) bytes: Vec<u8>,
    room: Share,
    endpoint: Endpoint,
}

/// Where a request comes from.
pub(super) fn source(request: &Request) -> Source {
    // The listener puts it into each request.
    request.extensions().get().copied().unwrap_or(Source::NONE)
}

impl Shared {
    pub(super) fn new(service: Arc<Service>, origins: Vec<Origin>) -> Self {
        Self {
            service,
            origins,
            running: Shares::new(MAX_REQUESTS),
            restoring: Shares::new(MAX_RESTORES),
            bodies: Shares::new(MAX_BODIES),
            answers: Shares::new(MAX_ANSWERS),
        }
    }

    fn share(&self, of: &Arc<Shares>, limit: &'static str, source: Source, amount: u64) -> Result<Share, Fault> {
        of.take(source, amount).ok_or_else(|| {
            count(&self.service.metrics.shed, 1);
            self.service.metrics.limit(limit);
            Fault::Overloaded
        })
    }

    /// Room for a body that is still to come.
    pub(super) fn room(&self, source: Source) -> Result<Share, Fault> {
        self.share(&self.bodies, "bodies", source, 0)
    }

    /// Runs a request, for so long at most, where not too many run.
    pub(super) async fn run(&self, source: Source, work: impl Future<Output = Answered>) -> Answered {
        let _place = self.share(&self.running, "requests", source, 1)?;
        tokio::time::timeout(REQUEST_TIMEOUT, work).await.unwrap_or(Err(Fault::Unavailable))
    }

    /// The request of a device to an endpoint that asks for no account.
    pub(super) async fn receive(&self, request: Request, endpoint: Endpoint) -> Result<Received, Fault> {
        self.received(request, endpoint, For::Known(None)).await
    }

    /// The request of a device, and for whom. The token is looked up before a long body is read.
    pub(super) async fn receive_for_account(&self, request: Request, endpoint: Endpoint) -> Result<Received, Fault> {
        let is_short = request.body().size_hint().exact().is_some_and(|length| length <= SHORT_BODY);
        let in_job = is_short && self.service.store.reads_here();
        let asks_for = match request.headers().get(header::AUTHORIZATION).map(HeaderValue::to_str) {
            None => Ok(For::Known(None)),
            Some(Err(_)) => Err(Fault::Unauthorized),
            Some(Ok(token)) if in_job => Ok(For::Token(token.to_owned())),
            Some(Ok(token)) => self.account(source(&request), token).await.map(For::Known),
        };
        match asks_for {
            Ok(asks_for) => self.received(request, endpoint, asks_for).await,
            Err(fault) => {
                discard(request.into_body());
                Err(fault)
            }
        }
    }

    async fn account(&self, source: Source, token: &str) -> Result<Option<Account>, Fault> {
        let _place = self.share(&self.running, "requests", source, 1)?;
        self.service.account(Some(token)).await
    }

    async fn received(&self, request: Request, endpoint: Endpoint, asks_for: For) -> Result<Received, Fault> {
        let source = source(&request);
        let mut room = self.room(source)?;
        let bytes = read_body(request, endpoint.body_cap(), &mut room).await?;
        Ok(Received { source, asks_for, bytes, room, endpoint })
    }

    /// The answer of a role to a request, with what waits in the mailbox of who asked.
    pub(super) async fn answer<F>(
        &self,
        received: Received,
        role: impl FnOnce(Arc<Service>, Vec<u8>, Option<Account>, Source) -> F + Send + 'static,
    ) -> Answered
    where
        F: Future<Output = Result<Vec<u8>, Fault>> + Send + 'static,
    {
        let Received { source, asks_for, bytes, room: _room, endpoint } = received;
        let is_restore = endpoint == Endpoint::Restores;
        let _restoring = is_restore.then(|| self.share(&self.restoring, "restores", source, 1)).transpose()?;
        // The issuer looks for letters when it takes a request up, and restores are long enough without them.
        let looks = matches!(endpoint, Endpoint::Individualize | Endpoint::RestorePreview);
        let sender = if looks { Sender::of(&bytes) } else { None };
        let service = Arc::clone(&self.service);
        let asked = async move {
            let account = asks_for.account(&service).await?;
            role(service, bytes, account, source).await
        };
        let work = async {
            let answer = self.service.run(source, asked).await?;
            // A long one is counted from here on, and again until it is sent.
            let length = answer.len() as u64;
            let _counted =
                (length > SHORT).then(|| self.share(&self.answers, "answers", source, length)).transpose()?;
            Ok(cose(match sender {
                Some(sender) => sender.with_mail(&self.service, answer).await,
                None => answer,
            }))
        };
        self.run(source, work).await
    }
}

/// Runs a request without a body.
pub(super) async fn bounded(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Answered {
    let source = source(&request);
    shared.run(source, async { Ok(next.run(request).await) }).await
}

/// An answer that is counted until it was sent.
struct Held {
    bytes: Bytes,
    _share: Share,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Counts what waits to be sent. An answer for which there is no room is not lost: the same request gets it later.
pub(super) async fn counted(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Answered {
    let source = source(&request);
    let response = next.run(request).await;
    let length = response.body().size_hint().lower();
    if length <= SHORT {
        return Ok(response);
    }
    let share = shared.share(&shared.answers, "answers", source, length)?;
    let (head, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.map_err(|_| Fault::Internal)?;
    Ok(Response::from_parts(head, Body::from(Bytes::from_owner(Held { bytes, _share: share }))))
}
