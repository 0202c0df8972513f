//! HTTP: routes, body caps and the bound on what runs at once. What surrounds every request is in `observe`, deciding is the roles'.

mod body;
pub(crate) mod listener;
mod observe;
mod page;
pub(crate) mod tls;
mod trace;
#[cfg(any(fuzzing, test))]
pub(crate) use page::led_back;

use self::body::{discard, read_body};
use self::observe::observed;
use crate::metrics::count;
use crate::problem::Fault;
use crate::roles::{
    give_back::give_back, individualize::individualize, issue::issue, mailbox::Sender, mailbox::mailbox, manage,
    renew::renew, revocations::revocations,
};
use crate::service::Service;
use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::sync::Arc;
use tokio::sync::Semaphore;
use wmlicense_wire::certificate::Role;
use wmlicense_wire::endpoint::{self, Endpoint};
use wmlicense_wire::id::Digest;
use wmlicense_wire::service_document::{ServiceDocument, sign_time};

/// Most requests that run at once; more are told to come again.
const MAX_REQUESTS: usize = 256;
/// Most restores among them, whose bodies are long.
const MAX_RESTORES: usize = 24;
/// The service document is valid for this long and made anew far earlier. Seconds.
const DOCUMENT_VALIDITY: i64 = 7 * 24 * 60 * 60;
const DOCUMENT_LIFETIME: i64 = 60 * 60;
const COSE: &str = "application/cose";

/// What handlers share.
struct Shared {
    service: Arc<Service>,
    requests: Semaphore,
    restores: Semaphore,
}

type Answered = Result<Response<Body>, Fault>;

/// The routes of the roles that this service has.
pub(crate) fn router(service: Arc<Service>) -> Router {
    let has = |role| service.roles.contains(&role);
    let (individualizes, issues, manages) = (has(Role::Individualization), has(Role::Issuer), has(Role::Management));
    let (requests, restores) = (Semaphore::new(MAX_REQUESTS), Semaphore::new(MAX_RESTORES));
    let shared = Arc::new(Shared { service: Arc::clone(&service), requests, restores });
    let mut router = Router::new()
        .route(endpoint::SERVICE_DOCUMENT, get(document))
        .route(&endpoint::path(endpoint::TIME), get(time))
        .route(&endpoint::path(endpoint::STATUS_LIST), get(status_list))
        .route("/support", get(page::support));
    if individualizes {
        router = router.route(&Endpoint::Individualize.path(), post(post_individualize));
    }
    if issues {
        router = router
            .route(&Endpoint::Licenses.path(), post(post_licenses))
            .route(&Endpoint::Renewals.path(), post(post_renewals))
            .route(&Endpoint::Returns.path(), post(post_returns))
            .route(&Endpoint::Revocations.path(), post(post_revocations))
            .route(&Endpoint::Mailbox.path(), post(post_mailbox))
            .route("/interaction/{id}", get(page::show).post(page::act))
            .route("/privacy", get(page::privacy));
    }
    if manages {
        router = router
            .route(&Endpoint::Restores.path(), post(post_restores))
            .route(&Endpoint::RestorePreview.path(), post(post_preview));
    }
    router
        .layer(from_fn_with_state(Arc::clone(&shared), bounded))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(async || -> Answered { Err(Fault::NotFound) })
        .method_not_allowed_fallback(async || -> Answered {
            Err(Fault::BadRequest("The resource does not know this method."))
        })
        .layer(from_fn_with_state(service, observed))
        .with_state(shared)
}

impl axum::response::IntoResponse for Fault {
    /// The outermost layer, which knows the request ID, makes the response of it.
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(self);
        response
    }
}

/// Turns requests away when too many are running, without keeping anything of their bodies.
async fn bounded(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Answered {
    let restores = request.uri().path().starts_with(&Endpoint::Restores.path()).then_some(&shared.restores);
    let permits = (shared.requests.try_acquire(), restores.map(Semaphore::try_acquire));
    if permits.0.is_err() || matches!(permits.1, Some(Err(_))) {
        count(&shared.service.metrics.shed, 1);
        discard(request.into_body());
        return Err(Fault::Overloaded);
    }
    Ok(next.run(request).await)
}

fn cose(bytes: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(COSE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An answer, with what waits in the mailbox of who asked.
async fn answered(shared: &Shared, sender: Option<Sender>, answer: Vec<u8>) -> Answered {
    Ok(cose(match sender {
        Some(sender) => sender.with_mail(&shared.service, answer).await,
        None => answer,
    }))
}

async fn post_mailbox(State(shared): State<Arc<Shared>>, request: Request) -> Answered {
    let bytes = read_body(request, Endpoint::Mailbox.body_cap()).await?;
    let sender = Sender::of(&bytes);
    answered(&shared, sender, mailbox(Arc::clone(&shared.service), bytes).await?).await
}

async fn post_individualize(State(shared): State<Arc<Shared>>, request: Request) -> Answered {
    let bytes = read_body(request, Endpoint::Individualize.body_cap()).await?;
    let sender = Sender::of(&bytes);
    answered(&shared, sender, individualize(Arc::clone(&shared.service), bytes).await?).await
}

/// Account of the caller, and the body. The token is looked up before a long body is read.
async fn account_and_body(
    shared: &Shared,
    request: Request,
    cap: usize,
) -> Result<(Option<crate::accounts::Account>, Vec<u8>), Fault> {
    let account = match request.headers().get(header::AUTHORIZATION).map(HeaderValue::to_str) {
        None => Ok(None),
        Some(Err(_)) => Err(Fault::Unauthorized),
        Some(Ok(token)) => shared.service.account(Some(token)).await,
    };
    match account {
        Ok(account) => Ok((account, read_body(request, cap).await?)),
        Err(fault) => {
            discard(request.into_body());
            Err(fault)
        }
    }
}

async fn post_licenses(State(shared): State<Arc<Shared>>, request: Request) -> Answered {
    let (account, bytes) = account_and_body(&shared, request, Endpoint::Licenses.body_cap()).await?;
    let sender = Sender::of(&bytes);
    answered(&shared, sender, issue(Arc::clone(&shared.service), bytes, account).await?).await
}

async fn post_renewals(State(shared): State<Arc<Shared>>, request: Request) -> Answered {
    let (account, bytes) = account_and_body(&shared, request, Endpoint::Renewals.body_cap()).await?;
    let sender = Sender::of(&bytes);
    answered(&shared, sender, renew(Arc::clone(&shared.service), bytes, account).await?).await
}

async fn post_returns(State(shared): State<Arc<Shared>>, request: Request) -> Answered {
    let bytes = read_body(request, Endpoint::Returns.body_cap()).await?;
    let sender = Sender::of(&bytes);
    answered(&shared, sender, give_back(Arc::clone(&shared.service), bytes).await?).await
}

async fn post_preview(State(shared): State<Arc<Shared>>, request: Request) -> Answered {
    let (account, bytes) = account_and_body(&shared, request, Endpoint::RestorePreview.body_cap()).await?;
    let sender = Sender::of(&bytes);
    answered(&shared, sender, manage::preview(Arc::clone(&shared.service), bytes, account).await?).await
}

async fn post_restores(State(shared): State<Arc<Shared>>, request: Request) -> Answered {
    let (account, bytes) = account_and_body(&shared, request, Endpoint::Restores.body_cap()).await?;
    Ok(cose(manage::restore(Arc::clone(&shared.service), bytes, account).await?))
}

async fn post_revocations(State(shared): State<Arc<Shared>>, request: Request) -> Answered {
    let bytes = read_body(request, Endpoint::Revocations.body_cap()).await?;
    Ok(revocations(Arc::clone(&shared.service), bytes).await?.map_or_else(nothing, cose))
}

async fn status_list(State(shared): State<Arc<Shared>>) -> Answered {
    let published = shared.service.reload_status().await?;
    Ok(published.map_or_else(nothing, |published| cose(published.bytes.clone())))
}

/// An answer without content.
fn nothing() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

async fn document(State(shared): State<Arc<Shared>>) -> Answered {
    let service = Arc::clone(&shared.service);
    Ok(cose(service.clone().compute(move || service_document(&service)).await??))
}

fn service_document(service: &Service) -> Result<Vec<u8>, Fault> {
    let keyring = service.keyring();
    let certificates: Vec<_> = Role::ALL.into_iter().filter_map(|role| keyring.newest(role)).collect();
    let hashes: Vec<&[u8]> = certificates.iter().map(|certificate| certificate.hash.as_bytes().as_slice()).collect();
    service.document(DOCUMENT_LIFETIME, Digest::of_parts(&hashes), |now| {
        let signer = keyring.roles().first().ok_or(Fault::Internal)?;
        let url = |name: &str| (name.to_owned(), format!("{}{}", service.presence.public_url, endpoint::path(name)));
        let mut urls = vec![url(endpoint::TIME), url(endpoint::STATUS_LIST)];
        urls.push(("support".to_owned(), service.presence.support_url.clone()));
        let asked = Endpoint::ALL.into_iter().filter(|endpoint| service.roles.contains(&endpoint.role()));
        urls.extend(asked.map(|endpoint| url(endpoint.name())));
        let document = ServiceDocument {
            expires_at: now + DOCUMENT_VALIDITY,
            issued_at: now,
            authority: keyring.directory.authority.bytes.clone(),
            certificates: certificates.iter().map(|certificate| certificate.bytes.clone()).collect(),
            urls,
            limits: vec![
                ("restoreDevices".to_owned(), crate::policy::DEFAULT_RESTORE_DEVICES.into()),
                ("pollSeconds".to_owned(), service.presence.poll_seconds),
            ],
            privacy_url: service.presence.privacy_url.clone(),
            minimum_versions: Vec::new(),
            revocation_keys: keyring.revocation.iter().copied().collect(),
        };
        Ok(document.sign(&signer.signing)?)
    })
}

async fn time(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery) -> Answered {
    let nonce = query.as_deref().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("nonce=")));
    let nonce = nonce.and_then(read_nonce);
    let nonce = nonce.ok_or(Fault::BadRequest("A nonce of 16 to 32 bytes in hexadecimal or base64url is expected."))?;
    let service = Arc::clone(&shared.service);
    let sign = move || -> Result<Vec<u8>, Fault> {
        let keyring = service.keyring();
        let signer = keyring.roles().first().ok_or(Fault::Internal)?;
        Ok(sign_time(service.clock.now(), &nonce, &signer.signing)?)
    };
    Ok(cose(shared.service.compute(sign).await??))
}

/// 16 to 32 bytes as hexadecimal, or else as base64url without padding.
fn read_nonce(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let hexadecimal = || pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    let bytes: Option<Vec<u8>> = if rest.is_empty() { hexadecimal() } else { None };
    let in_range = |bytes: &Vec<u8>| (16..=32).contains(&bytes.len());
    bytes.filter(in_range).or_else(|| URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok().filter(in_range))
}

async fn ready(State(shared): State<Arc<Shared>>) -> Answered {
    if let Err(error) = shared.service.store.ready().await {
        tracing::error!(%error, "the database takes no writes");
        return Err(Fault::NotWritable);
    }
    let (keyring, now) = (shared.service.keyring(), shared.service.clock.now());
    if keyring.roles().iter().any(|role| role.certificate.check_valid_at(now).is_err()) {
        tracing::error!("a role's certificate is not valid; run `wmlicensed certificate renew`");
        return Err(Fault::NotCertified);
    }
    Ok(Response::new(Body::from("ready\n")))
}

async fn metrics(State(shared): State<Arc<Shared>>) -> Response<Body> {
    let mut response = Response::new(Body::from(shared.service.metrics.render()));
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nonces_are_read_as_hexadecimal_or_base64url() {
        assert_eq!(read_nonce(&"0f".repeat(16)), Some(vec![15; 16]));
        assert_eq!(read_nonce(&URL_SAFE_NO_PAD.encode([0xfb; 32])), Some(vec![0xfb; 32]));
        assert_eq!(read_nonce(&"0f".repeat(15)), None);
        assert_eq!(read_nonce(&URL_SAFE_NO_PAD.encode([1; 33])), None);
        assert_eq!(read_nonce("é"), None);
    }
}
