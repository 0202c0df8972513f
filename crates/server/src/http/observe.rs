//! What surrounds every request: its ID and trace, the problem in place of a fault, its line in the log.

use super::trace::{TRACEPARENT, Trace};
use crate::problem::{Fault, Members, Refusal};
use crate::service::Service;
use crate::source::Unnamed;
use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response};
use axum::middleware::Next;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::Instrument as _;

const REQUEST_ID: &str = "x-request-id";
/// What proxies tell of themselves.
const OF_PROXIES: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "via"];
/// Paths that are asked by whoever watches the service: every few seconds, for years.
const PROBES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// Gives each request an ID, turns faults into problems, logs and counts.
pub(super) async fn observed(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response<Body> {
    let (id, trace) = (request_id(request.headers()), Trace::of(request.headers()));
    let span = tracing::info_span!("request", request_id = id, trace_id = trace.as_ref().map(|trace| &*trace.id));
    // The route and not the path, which may hold what no log should.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    look_for_proxy(&service, request.headers());
    look_for_unnamed(&service, request.extensions().get());
    let started = Instant::now();
    let work = async {
        let _running = service.metrics.begin();
        let mut response = next.run(request).await;
        if let Some(refusal) = response.extensions_mut().remove::<Refusal>() {
            response = refusal.response(&id);
        }
        let fault = response.extensions().get::<Fault>().copied();
        let mut response = match fault {
            Some(fault) => problem(fault, &id, response),
            None => response,
        };
        let mut name = |header: &'static str, text: &str| {
            if let Ok(value) = HeaderValue::from_str(text) {
                response.headers_mut().insert(header, value);
            }
        };
        name(REQUEST_ID, &id);
        if let Some(trace) = &trace {
            name(TRACEPARENT, &trace.header());
        }
        let status = response.status().as_u16();
        let (route, took) = (route.as_ref().map_or("other", MatchedPath::as_str), started.elapsed());
        service.metrics.answered(route, status, fault, took);
        log(&method, route, status, took, fault);
        response
    };
    work.instrument(span).await
}

/// The problem of a fault, with what was said beside it.
fn problem(fault: Fault, id: &str, told: Response<Body>) -> Response<Body> {
    let mut response = fault.response(id, told.extensions().get::<Members>());
    response.headers_mut().extend(told.into_parts().0.headers);
    response
}

/// One line a request, without whose it is.
fn log(method: &Method, route: &str, status: u16, took: Duration, fault: Option<Fault>) {
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let fault = fault.map(tracing::field::debug);
    if PROBES.contains(&route) && status < 400 {
        tracing::debug!(%method, route, status, milliseconds, "answered");
    } else {
        tracing::info!(%method, route, status, milliseconds, fault, "answered");
    }
}

/// Says once that devices are told an address that they hardly reach: behind a proxy it is the proxy's that they need.
fn look_for_proxy(service: &Service, headers: &HeaderMap) {
    let presence = &service.presence;
    if presence.is_said {
        return;
    }
    if let Some(header) = OF_PROXIES.into_iter().find(|header| headers.contains_key(*header)) {
        service.proxy_told.call_once(|| {
            tracing::warn!(
                header,
                told = presence.public_url,
                "a request came through a proxy, and devices are told the service's own address, not the proxy's; \
                 set --public-url to the URL by which clients reach the proxy"
            );
        });
    }
}

/// Says once that a proxy is not named as one, behind which all who ask have one address's share.
fn look_for_unnamed(service: &Service, unnamed: Option<&Unnamed>) {
    if let Some(Unnamed(proxy)) = unnamed {
        service.unnamed_told.call_once(|| {
            tracing::warn!(
                %proxy,
                "a request came through a proxy that is not named, so all its clients count as one address and share one \
                 quota; add --trusted-proxy {proxy}, and let the proxy set X-Forwarded-For or Forwarded itself"
            );
        });
    }
}

/// The client's ID of the request if it is harmless, else a random one.
fn request_id(headers: &HeaderMap) -> String {
    let harmless = |id: &&str| {
        (1..=64).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(harmless);
    given.map_or_else(
        || {
            let mut bytes = [0; 12];
            // Without random bytes the ID is less useful, and nothing else depends on it.
            let _ = getrandom::fill(&mut bytes);
            URL_SAFE_NO_PAD.encode(bytes)
        },
        str::to_owned,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_harmless_request_ids_are_taken_over() {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_static("abc-1.2_3"));
        assert_eq!(request_id(&headers), "abc-1.2_3");
        headers.insert(REQUEST_ID, HeaderValue::from_static("a b"));
        assert_ne!(request_id(&headers), "a b");
        assert_eq!(request_id(&HeaderMap::new()).len(), 16);
    }
}
