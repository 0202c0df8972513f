//! `POST /clearkey` for pages in browsers: who may read its answers (CORS), by which ID a page counts. Credentials come in
//! `Authorization` and never in a cookie, so that no page spends what its user is signed in to elsewhere.

use super::Answered;
use super::body::{discard, read_frames, wiped};
use super::requests::{Shared, source};
use crate::clear_key::{self, MAX_LEN, kid_text};
use crate::origin;
use crate::problem::{Fault, Members};
use crate::roles::clear_key::{Given, Page, Refusal, give};
use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse as _;
use serde_json::{Map, json};
use std::sync::Arc;
use wmlicense_wire::id::Kid;

/// What a page keeps and sends, so that it counts as one device.
const DEVICE: HeaderName = HeaderName::from_static("wmlicense-device");
const DEVICE_FIELD: &str = "device";
const ALLOWED_HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, content-type, wmlicense-device, x-request-id");
const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static("retry-after, www-authenticate, x-request-id");
/// Seconds for which a browser remembers what a preflight said; Chromium takes no more.
const MAX_AGE: u64 = 7200;

/// What a browser is told of who may read the answer: none where the page is the service's own or nobody's.
struct Reader(Option<HeaderValue>);

impl Reader {
    fn of(shared: &Shared, headers: &HeaderMap) -> Result<Self, Fault> {
        let Some(header) = headers.get(header::ORIGIN) else { return Ok(Self(None)) };
        let text = header.to_str().map_err(|_| Fault::OtherSite)?;
        if let Some(site) = shared.origins.iter().find(|site| site.is(text)) {
            return Ok(Self(Some(if site.is_any() { HeaderValue::from_static("*") } else { header.clone() })));
        }
        if is_own(shared, headers, text) { Ok(Self(None)) } else { Err(Fault::OtherSite) }
    }

    fn tell(self, mut response: Response<Body>) -> Response<Body> {
        let headers = response.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(site) = self.0 {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, site);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED_HEADERS);
        }
        response
    }
}

/// True for a page of the service's own site.
fn is_own(shared: &Shared, headers: &HeaderMap, site: &str) -> bool {
    let site = origin::of(site);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let asked =
        host.into_iter().flat_map(|host| ["https", "http"].map(|scheme| origin::of(&format!("{scheme}://{host}"))));
    let own = asked.chain([origin::of(&shared.service.presence.public_url)]);
    site.is_some() && own.into_iter().any(|own| own == site)
}

/// Answers `OPTIONS /clearkey`, which browsers ask first.
pub(super) async fn preflight(State(shared): State<Arc<Shared>>, request: Request) -> Answered {
    let reader = Reader::of(&shared, request.headers())?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED_HEADERS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from(MAX_AGE));
    Ok(reader.tell(response))
}

/// Answers `POST /clearkey`.
pub(super) async fn ask(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response<Body> {
    match Reader::of(&shared, request.headers()) {
        Ok(reader) => {
            let answered = answer(&shared, query.as_deref(), request).await;
            reader.tell(answered.unwrap_or_else(Fault::into_response))
        }
        Err(fault) => {
            discard(request.into_body());
            fault.into_response()
        }
    }
}

/// What the head of a request says.
struct Head {
    token: Option<String>,
    /// The ID that the page keeps.
    id: Option<String>,
}

impl Head {
    fn read(headers: &HeaderMap, query: Option<&str>) -> Result<Self, Fault> {
        let token = headers.get(header::AUTHORIZATION).map(|token| token.to_str().map(str::to_owned));
        let token = token.transpose().map_err(|_| Fault::Unauthorized)?;
        let fields = || form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let id = match headers.get(DEVICE) {
            Some(id) => Some(id.to_str().map_err(|_| Fault::BadRequest("The ID of a page is ASCII."))?.to_owned()),
            None => fields().find(|(name, _)| name == DEVICE_FIELD).map(|(_, id)| id.into_owned()),
        };
        Ok(Self { token, id })
    }
}

async fn answer(shared: &Arc<Shared>, query: Option<&str>, request: Request) -> Answered {
    let source = source(&request);
    let Head { token, id } = match Head::read(request.headers(), query) {
        Ok(head) => head,
        Err(fault) => {
            discard(request.into_body());
            return Err(fault);
        }
    };
    let mut room = shared.room(source)?;
    let bytes = read_frames(request.into_body(), MAX_LEN, &mut room).await?;
    let kids = clear_key::read(&bytes).map_err(Fault::BadRequest)?;
    let device = clear_key::device(id.as_deref()).map_err(Fault::BadRequest)?;
    let service = Arc::clone(&shared.service);
    let work = async move {
        let account = service.account(token.as_deref()).await?;
        let page = Page { account, device, is_named: id.is_some(), source };
        give(service, page, kids).await
    };
    shared.run(source, async { Ok(told(shared.service.run(source, work).await?)) }).await
}

/// The license with all keys that are given; where there is none, why.
fn told(Given { keys, refused }: Given) -> Response<Body> {
    if keys.is_empty() {
        return refusal(&refused);
    }
    let mut response = Response::new(wiped(clear_key::write(&keys)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn refusal(refused: &[(Kid, Refusal)]) -> Response<Body> {
    let detail = refused.first().map_or("No key was asked for.", |(_, refusal)| refusal.detail());
    let each = refused
        .iter()
        .map(|(kid, refusal)| json!({ "kid": kid_text(*kid), "reason": refusal.name(), "detail": refusal.detail() }));
    let members = Map::from_iter([("keys".to_owned(), each.collect())]);
    let mut response = Fault::NoKey(detail).into_response();
    response.extensions_mut().insert(Members(members));
    response
}
