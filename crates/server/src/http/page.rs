//! The page of an interaction: shows who asks for what, signs the user in, takes the decision. What it says to the device
//! that asked is decided in `roles`. Forms carry a sealed token of the page instead of a cookie, so that no other site can
//! send them.

pub(super) mod devices;
mod form;
mod html;
mod terms;
mod texts;

use super::body::read_frames;
use super::requests::{Shared, source};
use crate::accounts::token_hash;
use crate::policy::{Terms, parse};
use crate::problem::Fault;
use crate::roles::entitlement::may_have;
use crate::service::Service;
use crate::shares::Share;
use crate::store::{Content, Decision, Interaction, Presented};
use axum::body::Body;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use form::{Back, Fields};
use html::{Facts, Problem, Step};
use std::sync::Arc;
use texts::{Texts, fill};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::UserId;
use wmlicense_wire::request::interaction_code;

/// Where the page behind this query leads back to, as fuzz targets ask for it.
#[cfg(any(fuzzing, test))]
pub(crate) fn led_back(query: &str) -> Option<String> {
    Back::parse(Fields::parse(query).get("return")?).map(|back| back.url("i"))
}

/// Longest form read, in bytes.
const MAX_FORM: usize = 4096;
/// Failed sign-ins on a device's open pages before no more are taken.
const MAX_FAILURES: u64 = 10;
const FORM: &str = "application/x-www-form-urlencoded";

/// Answers `GET /privacy`, for services whose owner names no privacy statement.
pub(super) async fn privacy(texts: &'static Texts) -> Response<Body> {
    html::fixed(texts, texts.privacy_title, texts.privacy_page)
}

/// Answers `GET /support`: the page behind the URL of a refusal, for services whose owner names none.
pub(super) async fn support(texts: &'static Texts) -> Response<Body> {
    html::fixed(texts, texts.support_title, texts.support_page)
}

/// Answers `GET /`, for people who look at where their app asks.
pub(super) async fn home(State(shared): State<Arc<Shared>>, texts: &'static Texts) -> Response<Body> {
    let service = &shared.service;
    let privacy_url = privacy_url(service);
    let devices = format!("{}/devices", service.presence.public_url);
    let mut links = vec![(service.presence.support_url.as_str(), texts.home_help)];
    if service.roles.contains(&Role::Issuer) {
        links.push((&devices, texts.devices_title));
    }
    links.extend(service.presence.terms_url.iter().map(|url| (url.as_str(), texts.terms_of_use)));
    links.push((&privacy_url, texts.privacy));
    html::home(texts, &service.keyring().directory.authority.name, &links)
}

fn privacy_url(service: &Service) -> String {
    let presence = &service.presence;
    presence.privacy_url.clone().unwrap_or_else(|| format!("{}/privacy", presence.public_url))
}

/// Answers `GET /interaction/{id}`.
pub(super) async fn show(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    texts: &'static Texts,
) -> Response<Body> {
    let visit = match Visit::begin(&shared.service, texts, id, query).await {
        Ok(visit) => visit,
        Err(response) => return response,
    };
    visit.or_failed(visit.question(visit.interaction.account, StatusCode::OK, None).await)
}

/// Answers `POST /interaction/{id}`.
pub(super) async fn act(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    texts: &'static Texts,
    request: Request,
) -> Response<Body> {
    let (source, own) = (source(&request), is_own(request.headers()));
    let read = async { read_form(request, &mut shared.room(source)?).await };
    let fields = match read.await {
        Ok(fields) => fields,
        Err(fault) => return failed(texts, fault),
    };
    let act = async {
        Ok(match Visit::begin(&shared.service, texts, id, query).await {
            Ok(visit) => visit.or_failed(visit.act(&fields, own).await),
            Err(response) => response,
        })
    };
    shared.run(source, act).await.unwrap_or_else(|fault| failed(texts, fault))
}

/// False if the browser says that another site sent the form. Browsers that say nothing are held to the sealed token.
fn is_own(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
    site.is_none_or(|site| site == b"same-origin" || site == b"none")
}

async fn read_form(request: Request, room: &mut Share) -> Result<Fields, Fault> {
    let media_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = media_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case(FORM) {
        return Err(Fault::BadRequest("A form is expected."));
    }
    let bytes = read_frames(request.into_body(), MAX_FORM, room).await?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Fault::BadRequest("A form is ASCII."))?;
    Ok(Fields::parse(text))
}

/// One request of a browser to the page of an interaction.
struct Visit<'s> {
    service: &'s Arc<Service>,
    texts: &'static Texts,
    interaction: Interaction,
    back: Option<Back>,
    now: i64,
}

impl<'s> Visit<'s> {
    /// Finds the interaction; one that is unknown or over has no page to act on.
    async fn begin(
        service: &'s Arc<Service>,
        texts: &'static Texts,
        id: String,
        query: Option<String>,
    ) -> Result<Self, Response<Body>> {
        let now = service.clock.now();
        let back = query.as_deref().and_then(|query| Back::parse(Fields::parse(query).get("return")?));
        let found = service.store.interaction(id).await;
        let found = found.map_err(|error| failed(texts, error.into()))?;
        let interaction = found.ok_or_else(|| {
            html::response(StatusCode::NOT_FOUND, html::told(texts, texts.unknown_title, texts.unknown, None), None)
        })?;
        let visit = Self { service, texts, interaction, back, now };
        match visit.interaction.decision {
            None if visit.interaction.expires_at <= now => {
                Err(visit.told(StatusCode::GONE, texts.late_title, texts.late))
            }
            Some(decision) => Err(visit.over(StatusCode::OK, decision)),
            None => Ok(visit),
        }
    }

    fn told(&self, status: StatusCode, title: &str, text: &str) -> Response<Body> {
        let back = self.back.as_ref().map(|back| back.url(&self.interaction.id));
        html::response(status, html::told(self.texts, title, text, back.as_deref()), None)
    }

    fn over(&self, status: StatusCode, decision: Decision) -> Response<Body> {
        match decision {
            Decision::Accepted(_) => self.told(status, self.texts.accepted_title, self.texts.accepted),
            Decision::Declined => self.told(status, self.texts.declined_title, self.texts.declined),
        }
    }

    fn or_failed(&self, result: Result<Response<Body>, Fault>) -> Response<Body> {
        result.unwrap_or_else(|fault| failed(self.texts, fault))
    }

    /// The page with what the user can do: as the holder of an account, or before signing in.
    async fn question(
        &self,
        user: Option<UserId>,
        status: StatusCode,
        problem: Option<Problem>,
    ) -> Result<Response<Body>, Fault> {
        let contents = self.contents(user).await?;
        let name = match user {
            Some(user) => self.service.store.account_name(user).await?,
            None => None,
        };
        let sealed = self.seal(user.filter(|_| name.is_some()))?;
        let step = match name {
            Some(name) => Step::Decide(Some(name)),
            None if needs_account(&contents) => Step::SignIn,
            None => Step::Decide(None),
        };
        let page = html::question(self.texts, &self.facts(contents)?, &step, &sealed, problem);
        Ok(html::response(status, page, self.back.as_ref()))
    }

    /// What is asked about, as an account, or who names none, may have it.
    async fn contents(&self, user: Option<UserId>) -> Result<Vec<Option<Content>>, Fault> {
        Ok(self.service.store.contents_of(user, self.interaction.kids.clone(), self.now).await?)
    }

    fn facts(&self, contents: Vec<Option<Content>>) -> Result<Facts, Fault> {
        let texts = self.texts;
        let titled = self.interaction.kids.iter().zip(contents).map(|(kid, content)| {
            let Some(content) = content else { return Ok((fill(texts.content_gone, [&kid.to_string()]), Vec::new())) };
            let terms = match &content.policy {
                None => Terms::of_no_policy(),
                Some(policy) => parse(&policy.1).map_err(|_| Fault::Internal)?,
            };
            let terms = content.bound(terms);
            let title = content.title.unwrap_or_else(|| fill(texts.content, [&kid.to_string()]));
            Ok((title, terms::sentences(&terms, texts)))
        });
        Ok(Facts {
            issuer: self.service.keyring().directory.authority.name.clone(),
            code: interaction_code(self.interaction.request_hash),
            device: self.interaction.device.to_hex(),
            application: self.interaction.application.clone(),
            titles: titled.collect::<Result<_, Fault>>()?,
            privacy_url: privacy_url(self.service),
            terms_url: self.service.presence.terms_url.clone(),
        })
    }

    async fn act(&self, fields: &Fields, own: bool) -> Result<Response<Body>, Fault> {
        let session = fields.get("session").and_then(|sealed| self.open(sealed)).filter(|_| own);
        let Some(user) = session else {
            return self.question(self.interaction.account, StatusCode::FORBIDDEN, Some(Problem::Stale)).await;
        };
        match fields.get("action") {
            Some("sign-in") => self.sign_in(fields.get("token").unwrap_or_default()).await,
            Some("decline") => self.decide(Decision::Declined).await,
            Some("accept") => {
                let contents = self.contents(user).await?;
                if user.is_none() && needs_account(&contents) {
                    return self.question(None, StatusCode::FORBIDDEN, Some(Problem::NoToken)).await;
                }
                self.decide(Decision::Accepted(user)).await
            }
            Some(_) | None => Err(Fault::BadRequest("The form asks for something else.")),
        }
    }

    async fn sign_in(&self, token: &str) -> Result<Response<Body>, Fault> {
        let store = &self.service.store;
        if store.failed_sign_ins(self.interaction.thumbprint, self.now).await? >= MAX_FAILURES {
            let texts = self.texts;
            let mut response = self.told(StatusCode::TOO_MANY_REQUESTS, texts.attempts_title, texts.attempts);
            let wait = self.interaction.expires_at.saturating_sub(self.now).unsigned_abs();
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
            return Ok(response);
        }
        let token = token.trim();
        let problem = match (token.is_empty(), store.account(token_hash(token), self.now).await?) {
            (true, _) => Problem::NoToken,
            (false, Presented::Unknown) => {
                store.count_failed_sign_in(self.interaction.id.clone()).await?;
                Problem::WrongToken
            }
            (false, Presented::Ended) => Problem::EndedToken,
            (false, Presented::Account(account)) => {
                let contents = self.contents(Some(account.user)).await?;
                if contents.iter().flatten().any(|content| may_have(content).is_ok()) {
                    return self.question(Some(account.user), StatusCode::OK, None).await;
                }
                Problem::NotIncluded
            }
        };
        self.question(None, StatusCode::UNPROCESSABLE_ENTITY, Some(problem)).await
    }

    async fn decide(&self, decision: Decision) -> Result<Response<Body>, Fault> {
        let id = self.interaction.id.clone();
        if self.service.store.decide(id.clone(), decision, self.now).await? {
            tracing::info!(accepted = matches!(decision, Decision::Accepted(_)), "the user decided");
            return Ok(self.led_back(decision));
        }
        // Another tab was first, or the time has passed meanwhile.
        let known = self.service.store.interaction(id).await?.and_then(|interaction| interaction.decision);
        Ok(match known {
            Some(decision) => self.over(StatusCode::CONFLICT, decision),
            None => self.told(StatusCode::GONE, self.texts.late_title, self.texts.late),
        })
    }

    /// The way back to the application, where it waits for one that a browser lets a form take.
    fn led_back(&self, decision: Decision) -> Response<Body> {
        let mut response = self.over(StatusCode::OK, decision);
        let back = self.back.as_ref().filter(|back| back.policy_source().is_some());
        if let Some(back) = back
            && let Ok(location) = HeaderValue::from_str(&back.url(&self.interaction.id))
        {
            *response.status_mut() = StatusCode::SEE_OTHER;
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }

    /// What the form brings back: that it is of this page, and who signed in on it.
    fn seal(&self, user: Option<UserId>) -> Result<String, Fault> {
        let content = user.map_or_else(Vec::new, |user| user.as_bytes().to_vec());
        Ok(URL_SAFE_NO_PAD.encode(self.service.master.seal_page(&self.interaction.id, &content)?))
    }

    fn open(&self, sealed: &str) -> Option<Option<UserId>> {
        let content = self.service.master.open_page(&self.interaction.id, &URL_SAFE_NO_PAD.decode(sealed).ok()?)?;
        if content.is_empty() { Some(None) } else { UserId::from_slice(&content).ok().map(Some) }
    }
}

fn needs_account(contents: &[Option<Content>]) -> bool {
    contents.iter().flatten().any(|content| may_have(content).is_err())
}

fn failed(texts: &Texts, fault: Fault) -> Response<Body> {
    let status = StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    html::response(status, html::told(texts, texts.failed_title, texts.failed, None), None)
}
