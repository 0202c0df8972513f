//! The page on which people see the devices of their account, and free one for another. It carries who signed in like that of an
//! interaction, sealed in its forms.

use super::form::Fields;
use super::html::{around, document, hidden, quoted, response};
use super::texts::{Texts, fill};
use super::{failed, is_own, read_form};
use crate::http::requests::{Shared, source};
use crate::policy::to_rfc3339;
use crate::problem::Fault;
use crate::rules::audit::Acting;
use crate::service::Service;
use crate::store::{DeviceEntry, Freeing};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use maud::{Markup, html};
use std::sync::Arc;
use wmlicense_wire::id::{DeviceId, UserId};

/// What the seal of its forms is for.
const NAME: &str = "devices";
/// For how long who signed in may act, in seconds.
const LIFETIME: i64 = 30 * 60;

/// Answers `GET /devices`.
pub(in crate::http) async fn show(texts: &'static Texts) -> Response<Body> {
    response(StatusCode::OK, sign_in(texts, None), None)
}

/// Answers `POST /devices`.
pub(in crate::http) async fn act(
    State(shared): State<Arc<Shared>>,
    texts: &'static Texts,
    request: Request,
) -> Response<Body> {
    let (source, own) = (source(&request), is_own(request.headers()));
    let read = async { read_form(request, &mut shared.room(source)?).await };
    let fields = match read.await {
        Ok(fields) => fields,
        Err(fault) => return failed(texts, fault),
    };
    let visit = Visit { service: &shared.service, texts, now: shared.service.clock.now() };
    shared.run(source, visit.act(&fields, own)).await.unwrap_or_else(|fault| failed(texts, fault))
}

struct Visit<'s> {
    service: &'s Arc<Service>,
    texts: &'static Texts,
    now: i64,
}

impl Visit<'_> {
    async fn act(&self, fields: &Fields, own: bool) -> Result<Response<Body>, Fault> {
        let stale = || Ok(response(StatusCode::FORBIDDEN, sign_in(self.texts, Some(self.texts.stale)), None));
        if !own {
            return stale();
        }
        match fields.get("action") {
            Some("sign-in") => self.sign_in(fields.get("token").unwrap_or_default().trim()).await,
            Some("free") => {
                let device = fields.get("device").and_then(|device| DeviceId::from_hex(device).ok());
                match (fields.get("session").and_then(|sealed| self.open(sealed)), device) {
                    (Some(user), Some(device)) => self.free(user, device).await,
                    (None, _) | (_, None) => stale(),
                }
            }
            Some(_) | None => Err(Fault::BadRequest("The form asks for something else.")),
        }
    }

    async fn sign_in(&self, token: &str) -> Result<Response<Body>, Fault> {
        let wrong = |text| Ok(response(StatusCode::UNPROCESSABLE_ENTITY, sign_in(self.texts, Some(text)), None));
        if token.is_empty() {
            return wrong(self.texts.no_token);
        }
        match self.service.account(Some(&format!("Bearer {token}"))).await {
            Ok(Some(account)) => self.list(account.user, None).await,
            Ok(None) | Err(Fault::Unauthorized) => wrong(self.texts.wrong_token),
            Err(Fault::TokenEnded) => wrong(self.texts.ended_token),
            Err(fault) => Err(fault),
        }
    }

    async fn free(&self, user: UserId, device: DeviceId) -> Result<Response<Body>, Fault> {
        let Some(name) = self.service.store.account_name(user).await? else {
            return Ok(response(StatusCode::FORBIDDEN, sign_in(self.texts, Some(self.texts.stale)), None));
        };
        let by = Acting::begun(format!("account {name}"), self.now)?;
        let told = match self.service.store.free_device(name, device, true, by).await? {
            Freeing::Freed(_) => fill(self.texts.device_freed, [&device.to_hex()]),
            Freeing::TooOften(from) => fill(self.texts.freed_too_often, [&to_rfc3339(from)[..10]]),
            Freeing::NoAccount | Freeing::NotIts => fill(self.texts.device_not_yours, [&device.to_hex()]),
        };
        self.list(user, Some(told)).await
    }

    async fn list(&self, user: UserId, told: Option<String>) -> Result<Response<Body>, Fault> {
        let Some((name, devices)) = self.service.store.devices_of(user).await? else {
            return Ok(response(StatusCode::FORBIDDEN, sign_in(self.texts, Some(self.texts.stale)), None));
        };
        let page = listed(self.texts, &name, &devices, &self.seal(user)?, told.as_deref());
        Ok(response(StatusCode::OK, page, None))
    }

    fn seal(&self, user: UserId) -> Result<String, Fault> {
        let content = [user.as_bytes().as_slice(), &self.now.saturating_add(LIFETIME).to_be_bytes()].concat();
        Ok(URL_SAFE_NO_PAD.encode(self.service.master.seal_page(NAME, &content)?))
    }

    /// Who signed in, while that counts.
    fn open(&self, sealed: &str) -> Option<UserId> {
        let content = self.service.master.open_page(NAME, &URL_SAFE_NO_PAD.decode(sealed).ok()?)?;
        let (user, end) = content.split_at_checked(UserId::LEN)?;
        let end = i64::from_be_bytes(end.try_into().ok()?);
        UserId::from_slice(user).ok().filter(|_| self.now < end)
    }
}

fn sign_in(texts: &Texts, problem: Option<&str>) -> Markup {
    let main = html! {
        @if let Some(problem) = problem {
            div.problem role="alert" tabindex="-1" autofocus aria-labelledby="problem" {
                h2 #problem { (texts.problem) }
                p #problem-text { a href="#token" { (problem) } }
            }
        }
        h1 { (texts.devices_title) }
        p { (texts.devices_purpose) }
        form method="post" {
            label for="token" { (texts.token) }
            input #token name="token" type="password" autocomplete="current-password" maxlength="256" required
                aria-invalid=[problem.map(|_| "true")] aria-describedby="hint";
            div { button.first name="action" value="sign-in" { (texts.sign_in) } }
            p #hint { (texts.hint) }
        }
    };
    let title =
        if problem.is_some() { fill(texts.error, [texts.devices_title]) } else { texts.devices_title.to_owned() };
    document(texts, &title, None, &main)
}

fn listed(texts: &Texts, account: &str, devices: &[DeviceEntry], sealed: &str, told: Option<&str>) -> Markup {
    let main = html! {
        h1 { (texts.devices_title) }
        p { (around(texts.signed_in, &html! { strong { (quoted(account)) } })) }
        @if let Some(told) = told { p role="status" { strong { (told) } } }
        @if devices.is_empty() { p { (texts.no_devices) } } @else { p { (texts.devices_help) } }
        ul.devices {
            @for device in devices {
                @let id = device.device.to_hex();
                li {
                    h2 #{ "d" (id) } {
                        @match &device.name {
                            Some(name) => { (quoted(name)) }
                            None => { (texts.device) }
                        }
                    }
                    p.id { (id) }
                    p { (fill(texts.device_since, [&to_rfc3339(device.since)[..10]])) }
                    form method="post" {
                        (hidden(sealed))
                        input type="hidden" name="device" value=(id);
                        button name="action" value="free" aria-describedby={ "d" (id) } { (texts.device_free) }
                    }
                }
            }
        }
    };
    document(texts, texts.devices_title, None, &main)
}
