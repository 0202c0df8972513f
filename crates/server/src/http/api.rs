//! The owner's API on the management listener: what the commands do, as JSON, for whoever has a token with a role that may.

use crate::problem::Refusal;
use crate::rules::admins::{Admin, Right};
use crate::service::Service;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Response, header};
use axum::routing::get;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn router() -> Router<Arc<Service>> {
    Router::new().route("/admin/v1/me", get(me))
}

/// Who sends a request, if they have a right.
async fn known(service: &Service, headers: &HeaderMap, right: Right) -> Result<Admin, Refusal> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    service.admin(header, right).await
}

/// Whose token it is, and what it is good for.
async fn me(State(service): State<Arc<Service>>, headers: HeaderMap) -> Result<Response<Body>, Refusal> {
    let Admin { name, role } = known(&service, &headers, Right::SeeCatalogue).await?;
    let rights: Vec<&str> = role.rights().iter().map(|right| right.name()).collect();
    Ok(answer(&json!({ "admin": name, "role": role.name(), "rights": rights })))
}

fn answer(value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
