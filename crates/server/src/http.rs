//! The public HTTP interface: routes, and the documents that everybody may have. What a request may take is in `http/requests.rs`,
//! listening in `http/listener.rs`, deciding in the roles.

mod api;
mod body;
mod clear_key;
mod connection;
mod crowd;
pub(crate) mod listener;
pub(crate) mod management;
mod observe;
mod page;
mod requests;
mod speke;
pub(crate) mod tls;
mod trace;
#[cfg(any(fuzzing, test))]
pub(crate) use api::api_requests;
#[cfg(any(fuzzing, test))]
pub(crate) use page::led_back;

use crate::origin::Origin;
use crate::problem::{Fault, Refusal};
use crate::roles::{
    give_back::give_back, individualize::individualize, issue::issue, mailbox::mailbox, manage, renew::renew,
    revocations::revocations,
};
use crate::service::Service;
use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use requests::{Shared, bounded, counted, source};
use std::sync::Arc;
use wmlicense_wire::certificate::Role;
use wmlicense_wire::endpoint::{self, Endpoint};
use wmlicense_wire::id::Digest;
use wmlicense_wire::service_document::{ServiceDocument, sign_time};

/// The service document is valid for this long and made anew far earlier. Seconds.
const DOCUMENT_VALIDITY: i64 = 7 * 24 * 60 * 60;
const DOCUMENT_LIFETIME: i64 = 60 * 60;
const COSE: &str = "application/cose";

type Answered = Result<Response<Body>, Fault>;

/// The routes of the roles that this service has. Those with a body bound what they take when it is there.
pub(crate) fn router(service: Arc<Service>, origins: Vec<Origin>) -> Router {
    let has = |role| service.roles.contains(&role);
    let (individualizes, issues, manages) = (has(Role::Individualization), has(Role::Issuer), has(Role::Management));
    let shared = Arc::new(Shared::new(Arc::clone(&service), origins));
    let short = from_fn_with_state(Arc::clone(&shared), bounded);
    let mut router = Router::new()
        .route(endpoint::SERVICE_DOCUMENT, get(document).layer(short.clone()))
        .route(&endpoint::path(endpoint::TIME), get(time).layer(short.clone()))
        .route(&endpoint::path(endpoint::STATUS_LIST), get(status_list).layer(short.clone()))
        .route("/", get(page::home))
        .route("/privacy", get(page::privacy))
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
            .route("/clearkey", post(clear_key::ask).options(clear_key::preflight))
            .route("/devices", get(page::devices::show).post(page::devices::act))
            .route("/interaction/{id}", get(page::show).layer(short).post(page::act));
    }
    if manages {
        router = router
            .route(&Endpoint::Restores.path(), post(post_restores))
            .route(&Endpoint::RestorePreview.path(), post(post_preview));
    }
    router
        .fallback(async || -> Answered { Err(Fault::NotFound) })
        .method_not_allowed_fallback(async || -> Answered {
            Err(Fault::BadRequest("The resource does not know this method."))
        })
        .layer(from_fn_with_state(Arc::clone(&shared), counted))
        .layer(from_fn_with_state(service, observe::observed))
        .with_state(shared)
}

impl axum::response::IntoResponse for Refusal {
    /// As of a fault.
    fn into_response(self) -> Response<Body> {
        if let Self::Fault(fault) = self {
            return fault.into_response();
        }
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(self);
        response
    }
}

impl axum::response::IntoResponse for Fault {
    /// The outermost layer, which knows the request ID, makes the response of it.
    fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(self);
        response
    }
}

fn cose(bytes: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(COSE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn post_mailbox(State(shared): State<Arc<Shared>>, request: Request) -> Answered {
    let received = shared.receive(request, Endpoint::Mailbox).await?;
    shared.answer(received, |service, bytes, _, source| mailbox(service, bytes, source)).await
}

async fn post_individualize(State(shared): State<Arc<Shared>>, request: Request) -> Answered {
    let received = shared.receive(request, Endpoint::Individualize).await?;
    shared.answer(received, |service, bytes, _, source| individualize(service, bytes, source)).await
}

async fn post_licenses(State(shared): State<Arc<Shared>>, request: Request) -> Answered {
    let received = shared.receive_for_account(request, Endpoint::Licenses).await?;
    shared.answer(received, issue).await
}

async fn post_renewals(State(shared): State<Arc<Shared>>, request: Request) -> Answered {
    let received = shared.receive_for_account(request, Endpoint::Renewals).await?;
    shared.answer(received, renew).await
}

async fn post_returns(State(shared): State<Arc<Shared>>, request: Request) -> Answered {
    let received = shared.receive(request, Endpoint::Returns).await?;
    shared.answer(received, |service, bytes, _, source| give_back(service, bytes, source)).await
}

async fn post_preview(State(shared): State<Arc<Shared>>, request: Request) -> Answered {
    let received = shared.receive_for_account(request, Endpoint::RestorePreview).await?;
    shared.answer(received, manage::preview).await
}

async fn post_restores(State(shared): State<Arc<Shared>>, request: Request) -> Answered {
    let received = shared.receive_for_account(request, Endpoint::Restores).await?;
    shared.answer(received, manage::restore).await
}

async fn post_revocations(State(shared): State<Arc<Shared>>, request: Request) -> Answered {
    let received = shared.receive(request, Endpoint::Revocations).await?;
    let (service, source, bytes) = (Arc::clone(&shared.service), received.source, received.bytes);
    shared.run(source, async { Ok(revocations(service, bytes, source).await?.map_or_else(nothing, cose)) }).await
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

async fn document(State(shared): State<Arc<Shared>>, request: Request) -> Answered {
    let service = Arc::clone(&shared.service);
    Ok(cose(shared.service.compute(source(&request), move || service_document(&service)).await??))
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

async fn time(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery, request: Request) -> Answered {
    let nonce = query.as_deref().and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("nonce=")));
    let nonce = nonce.and_then(read_nonce);
    let nonce = nonce.ok_or(Fault::BadRequest("A nonce of 16 to 32 bytes in hexadecimal or base64url is expected."))?;
    let service = Arc::clone(&shared.service);
    let sign = move || -> Result<Vec<u8>, Fault> {
        let keyring = service.keyring();
        let signer = keyring.roles().first().ok_or(Fault::Internal)?;
        Ok(sign_time(service.clock.now(), &nonce, &signer.signing)?)
    };
    Ok(cose(shared.service.compute(source(&request), sign).await??))
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
