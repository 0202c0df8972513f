//! `POST /speke/v2` on the owner's listener: keys for packagers that speak SPEKE 2.0 or 2.1. What is refused is told as text, in the
//! words that such packagers show; who may ask is told as everywhere there.

use super::body::{discard, read_frames, wiped};
use super::requests::source;
use crate::catalogue::speke::{self, MAX_LEN, Unfit, Version};
use crate::packaging::{Packaging, keys};
use crate::problem::{Fault, Refusal};
use crate::rules::admins::Right;
use crate::rules::audit::Acting;
use crate::service::Service;
use crate::shares::Shares;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use axum::routing::post;
use std::sync::Arc;
use zeroize::Zeroizing;

const VERSION: HeaderName = HeaderName::from_static("x-speke-version");
const AGENT: HeaderName = HeaderName::from_static("x-speke-user-agent");
const OWN_AGENT: &str = concat!("wmlicensed/", env!("CARGO_PKG_VERSION"));
const XML: &str = "application/xml";
const TEXT: &str = "text/plain; charset=utf-8";
/// Bytes of all documents that are there in part or whole.
const MAX_BODIES: u64 = 8 * 1024 * 1024;

pub(super) fn router(packaging: Packaging) -> Router<Arc<Service>> {
    let (packaging, bodies) = (Arc::new(packaging), Shares::new(MAX_BODIES));
    let ask = move |State(service): State<Arc<Service>>, request: Request| {
        let (packaging, bodies) = (Arc::clone(&packaging), Arc::clone(&bodies));
        async move { ask(&service, &packaging, &bodies, request).await }
    };
    Router::new().route("/speke/v2", post(ask))
}

async fn ask(
    service: &Arc<Service>,
    packaging: &Packaging,
    bodies: &Arc<Shares>,
    request: Request,
) -> Result<Response<Body>, Refusal> {
    let token = text(request.headers(), &header::AUTHORIZATION);
    let admin = match service.admin(token.as_deref(), Right::ChangeContent).await {
        Ok(admin) => admin,
        Err(refusal) => {
            discard(request.into_body());
            return Err(refusal);
        }
    };
    let version = Version::read(text(request.headers(), &VERSION).as_deref());
    let mut room = bodies.take(source(&request), 0).ok_or(Fault::Overloaded)?;
    let bytes = Zeroizing::new(read_frames(request.into_body(), MAX_LEN, &mut room).await?);
    let asked = match version.and_then(|version| Ok((version, speke::read(&bytes, version)?))) {
        Ok(asked) => asked,
        Err(unfit) => return Ok(refused(&unfit)),
    };
    let (version, asked) = asked;
    let by = Acting::begun(format!("admin {}", admin.name), service.clock.now()).map_err(Fault::from)?;
    let keys = match keys(service, packaging, &asked, by).await? {
        Ok(keys) => keys,
        Err(name) => return Ok(refused(&Unfit::no_policy(&name))),
    };
    Ok(match asked.fill(&keys) {
        Ok(mut document) => answer(version, Zeroizing::new(std::mem::take(&mut *document).into_bytes())),
        Err(unfit) => refused(&unfit),
    })
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

fn answer(version: Version, document: Zeroizing<Vec<u8>>) -> Response<Body> {
    let mut response = Response::new(wiped(document));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(XML));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VERSION, HeaderValue::from_static(version.name()));
    headers.insert(AGENT, HeaderValue::from_static(OWN_AGENT));
    response
}

fn refused(unfit: &Unfit) -> Response<Body> {
    tracing::info!(%unfit, "a packager's document is refused");
    let mut response = Response::new(Body::from(unfit.to_string()));
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(TEXT));
    headers.insert(AGENT, HeaderValue::from_static(OWN_AGENT));
    response
}
