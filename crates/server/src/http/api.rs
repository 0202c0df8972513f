//! The owner's API on the management listener: what the commands do, as JSON, for whoever has a token with a role that may. The
//! routes are one table, which requests are held to and the document is made of.

mod accounts;
mod content;
mod document;
mod fields;
mod licenses;
mod offers;
mod route;
mod service;
mod tally;
mod terms;

use super::body::{discard, read_frames, wiped};
use crate::policy::to_rfc3339;
use crate::problem::{Fault, Refusal};
use crate::rules::admins::Repeat;
use crate::rules::audit::Acting;
use crate::service::Service;
use crate::shares::Shares;
use crate::source::Source;
use crate::store::{AccountEntry, Filter, Repeated};
use axum::Router;
use axum::body::Body;
use axum::extract::{RawPathParams, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use axum::routing::{MethodFilter, on};
use fields::{Values, wipe};
use route::{Asked, Route, Taken};
use std::sync::Arc;
use wmlicense_wire::id::{Digest, Kid};
use zeroize::Zeroizing;

/// Longest body: of fields, of a list of keys.
const MAX_FIELDS: usize = 256 * 1024;
const MAX_KEYS: usize = 16 * 1024 * 1024;
/// Bytes of all bodies that are there in part or whole.
const MAX_BODIES: u64 = 64 * 1024 * 1024;
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Longest key that makes a request one that is done once.
const MAX_KEY_LEN: usize = 128;

/// All routes.
fn routes() -> impl Iterator<Item = &'static Route> {
    [service::ROUTES, accounts::ROUTES, content::ROUTES, terms::ROUTES, offers::ROUTES, licenses::ROUTES, tally::ROUTES]
        .into_iter()
        .flatten()
}

pub(super) fn router() -> Router<Arc<Service>> {
    let bodies = Shares::new(MAX_BODIES);
    routes().fold(Router::new(), |router, route| {
        let bodies = Arc::clone(&bodies);
        let handler = move |State(service): State<Arc<Service>>, path: RawPathParams, request: Request| {
            serve(route, service, Arc::clone(&bodies), path, request)
        };
        router.route(route.path, on(method(&route.method), handler))
    })
}

fn method(method: &Method) -> MethodFilter {
    MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET)
}

/// The way of every request: who asks and may, what is said, whether it was done before, doing it, keeping the answer.
async fn serve(
    route: &'static Route,
    service: Arc<Service>,
    bodies: Arc<Shares>,
    path: RawPathParams,
    request: Request,
) -> Result<Response<Body>, Refusal> {
    let (head, body) = request.into_parts();
    let header = head.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let admin = match service.admin(header, route.right).await {
        Ok(admin) => admin,
        Err(refusal) => {
            discard(body);
            return Err(refusal);
        }
    };
    // Whoever has a token is one source, wherever it comes from: proxies stand before this listener.
    let mut room = bodies.take(Source::NONE, 0).ok_or(Fault::Overloaded)?;
    let cap = if matches!(route.takes, Taken::Keys) { MAX_KEYS } else { MAX_FIELDS };
    let body = Zeroizing::new(read_frames(body, cap, &mut room).await?);
    let values = said(route, &path, head.uri.query(), &body)?;
    let mut by = Acting::begun(format!("admin {}", admin.name), service.clock.now())?;
    if route.method != Method::GET
        && let Some(key) = repeat_key(&head.headers)?
    {
        let asked = [head.method.as_str(), &head.uri.to_string(), ""].join("\0");
        let request = Digest::of_parts(&[asked.as_bytes(), &body]);
        let repeat = Repeat { admin: admin.name.clone(), key, request, claim: by.id };
        if let Some(answer) = known_answer(&service, &repeat, by.now).await? {
            return Ok(answer);
        }
        by.repeat = Some(repeat);
    }
    let repeat = by.repeat.clone();
    let asked = Asked { service: Arc::clone(&service), admin, by, values, body };
    let mut given = (route.run)(asked).await?;
    let text = Zeroizing::new(if given.is_null() { Vec::new() } else { given.to_string().into_bytes() });
    wipe(&mut given);
    if let Some(repeat) = repeat {
        keep(&service, repeat, route.status(), &text).await;
    }
    Ok(answer(route.status(), text))
}

/// What a request says.
fn said(route: &Route, path: &RawPathParams, query: Option<&str>, body: &[u8]) -> Result<Values, Refusal> {
    let mut values = Values::default();
    values.take_texts(route.in_path, path.iter(), "The path")?;
    let query: Vec<(String, String)> =
        form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect();
    values.take_texts(&route.queried(), query.iter().map(|(name, text)| (&**name, &**text)), "The query")?;
    if let Taken::Fields(fields) = route.takes {
        values.take_body(fields, if body.is_empty() { b"{}" } else { body })?;
    }
    Ok(values)
}

/// The key that a request is done once by, where it names one.
fn repeat_key(headers: &HeaderMap) -> Result<Option<String>, Refusal> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let is_key = |key: &&str| (1..=MAX_KEY_LEN).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    let key = value.to_str().ok().filter(is_key);
    let wrong = || Refusal::Wrong(format!("An Idempotency-Key has 1 to {MAX_KEY_LEN} visible ASCII characters."));
    key.map(|key| Some(key.to_owned())).ok_or_else(wrong)
}

/// The answer that a request had, where it was done before.
async fn known_answer(service: &Service, repeat: &Repeat, now: i64) -> Result<Option<Response<Body>>, Refusal> {
    match service.store.repeated(repeat.clone(), now).await? {
        Repeated::New => Ok(None),
        Repeated::Answered(claim, status, sealed) => {
            let text = service.master.open(Kid::new(claim), &sealed).ok_or(Fault::Internal)?;
            let mut answer = answer(status, text);
            answer.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
            Ok(Some(answer))
        }
        Repeated::Begun => Err(crate::store::StoreError::Repeated.into()),
        Repeated::Other => {
            let told = "The Idempotency-Key came before with another request; each request has a key of its own.";
            Err(Refusal::Unfit(told.to_owned()))
        }
        Repeated::TooMany => Err(Fault::QuotaUsedUp(60 * 60).into()),
    }
}

/// Keeps an answer under the master key, because there are tokens and keys in some.
async fn keep(service: &Service, repeat: Repeat, status: u16, text: &[u8]) {
    let sealed = service.master.seal(Kid::new(repeat.claim), text);
    let kept = match sealed {
        Ok(sealed) => service.store.keep_answer(repeat, status, sealed).await,
        Err(_) => return tracing::error!("the system gave no random bytes; an answer is not kept"),
    };
    if let Err(error) = kept {
        // It was done, and whoever sends it again is told that.
        tracing::error!(%error, "the answer to a request of an admin is not kept");
    }
}

/// An answer of JSON, or of nothing.
fn answer(status: u16, text: Zeroizing<Vec<u8>>) -> Response<Body> {
    let is_empty = text.is_empty();
    let mut response = Response::new(wiped(text));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    if !is_empty {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Which rows of a list a request means; an account that never was is said to be none.
async fn facts(asked: &Asked) -> Result<Filter, Refusal> {
    let values = &asked.values;
    let (account, since, until) = (values.text("account"), values.time("since"), values.time("until"));
    if let Some(name) = &account {
        let named = Filter { account: Some(name.clone()), removed: true, ..Filter::default() };
        if asked.service.store.listed::<AccountEntry>(named, None, 1).await?.is_empty() {
            return Err(accounts::missing(name));
        }
    }
    Ok(Filter { account, device: values.id("device"), kid: values.id("kid"), since, until, ..Filter::default() })
}

/// A token that is made ends later than now.
fn check_end(ends_at: Option<i64>, now: i64) -> Result<(), Refusal> {
    match ends_at.filter(|end| *end <= now) {
        Some(end) => Err(Refusal::Unfit(format!("{} is over; a token ends later than now.", to_rfc3339(end)))),
        None => Ok(()),
    }
}

/// How many routes a text is a query or a body of.
#[cfg(any(fuzzing, test))]
pub(crate) fn api_requests(text: &str) -> usize {
    let query: Vec<(String, String)> = form_urlencoded::parse(text.as_bytes()).into_owned().collect();
    let is_one = |route: &&Route| {
        let texts = query.iter().map(|(name, text)| (&**name, &**text));
        let asked = Values::default().take_texts(&route.queried(), texts, "The query").is_ok();
        let body = match route.takes {
            Taken::Fields(fields) => Values::default().take_body(fields, text.as_bytes()).is_ok(),
            _ => false,
        };
        asked || body
    };
    routes().filter(is_one).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_in_the_document_and_the_document_has_no_other() {
        let document = document::document();
        let paths = document["paths"].as_object().unwrap();
        let mut told = 0;
        for (path, methods) in paths {
            for method in methods.as_object().unwrap().keys() {
                let is_route =
                    |route: &&Route| route.path == path && route.method.as_str().eq_ignore_ascii_case(method);
                assert!(routes().any(|route| is_route(&route)), "{method} {path}");
                told += 1;
            }
        }
        assert_eq!(told, routes().count());
    }

    #[test]
    fn a_text_is_a_request_of_the_routes_that_know_its_fields() {
        assert_eq!(api_requests(r#"{"name":"a","role":"king"}"#), 0);
        assert_eq!(api_requests("removed=true&limit=3"), 1);
    }

    #[test]
    fn the_fields_of_a_route_have_different_names_and_those_of_its_path_are_in_it() {
        for route in routes() {
            let body: &[fields::Field] = if let Taken::Fields(fields) = route.takes { fields } else { &[] };
            let all: Vec<&str> =
                route.in_path.iter().chain(&route.queried()).chain(body).map(|field| field.name).collect();
            let mut single = all.clone();
            single.sort_unstable();
            single.dedup();
            assert_eq!(single.len(), all.len(), "{}", route.path);
            assert_eq!(route.path.matches('{').count(), route.in_path.len(), "{}", route.path);
            assert!(route.in_path.iter().all(|field| route.path.contains(&format!("{{{}}}", field.name))));
        }
    }
}
