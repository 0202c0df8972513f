//! URLs, proxies, dates, answers and whole exchanges, as fuzz targets ask for them.
#![allow(missing_docs)]

use super::date::retry_after;
use super::proxy::proxy_for;
use super::response::{Received, Reply, receive};
use super::url::{self, Target};
use super::{HttpRequest, HttpTransport, NetworkSettings, ProxyChoice, ProxyEnvironment, TlsConfigs, Transport as _};
use crate::event::Flow;
use crate::operation::Context;
use std::io::Cursor;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::header::{HeaderMap, HeaderName, HeaderValue};

/// A URL that may be asked.
pub struct Asked(Target);

impl Asked {
    pub fn of(url: &str, allow_http: bool) -> Option<Self> {
        Target::parse(url, allow_http).ok().map(Self)
    }
    pub fn redirected(&self, location: &str, allow_http: bool) -> Option<Self> {
        self.0.redirected(location, allow_http).ok().map(Self)
    }
    pub fn port(&self) -> u16 {
        self.0.port()
    }
    pub fn host(&self) -> &str {
        self.0.host()
    }
    pub fn is_https(&self) -> bool {
        self.0.is_https()
    }
    pub fn is_private(&self) -> bool {
        self.0.private
    }
    pub fn text(&self) -> String {
        self.0.uri.to_string()
    }
    pub fn same_origin(&self, other: &Self) -> bool {
        self.0.same_origin(&other.0)
    }
    /// The host of the proxy that these variables of the environment name for it; `None` in `Some` for none.
    pub fn proxy(&self, http: &str, https: &str, no: &str) -> Option<Option<String>> {
        let environment = ProxyEnvironment::from(|name| match name {
            "http_proxy" => Some(http.to_owned()),
            "https_proxy" => Some(https.to_owned()),
            "no_proxy" => Some(no.to_owned()),
            _ => None,
        });
        let proxy = proxy_for(&ProxyChoice::Environment(Arc::new(environment)), &self.0).ok()?;
        Some(proxy.map(|proxy| proxy.host().to_owned()))
    }
}

pub fn shown(url: &str) -> String {
    url::shown(url)
}

pub fn seconds_to_wait(value: &str, date: Option<&str>, now: i64) -> Option<u64> {
    retry_after(value, date, now)
}

/// What becomes of an answer, as text that people and logs see.
pub fn told(status: u16, headers: &[(String, String)], length: Option<u64>, body: Vec<u8>) -> String {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            map.append(name, value);
        }
    }
    let Ok(reply) = Reply::new(status, map, length, Box::new(Cursor::new(body))) else { return String::new() };
    let request = HttpRequest { url: "https://a.example/", body: None, token: None, cap: 1 << 20, progress: None };
    match receive(reply, &request, "id") {
        Ok(Received::Body(body)) => {
            assert!(body.len() <= request.cap);
            String::new()
        }
        Ok(Received::Redirect { location, .. }) => shown(&location),
        Err(failed) => failed.error.to_string(),
    }
}

/// One exchange over a connection of our own.
pub fn send(url: &str, cap: usize) -> Result<Vec<u8>, String> {
    let deadline = Some(Duration::from_secs(3));
    let settings = NetworkSettings { retry_limit: 0, deadline, ..NetworkSettings::default() };
    let transport =
        HttpTransport::new(&settings, &Arc::new(TlsConfigs::default())).map_err(|error| error.to_string())?;
    let context = Context::inline(None, |_| Flow::Continue);
    let request = HttpRequest { url, body: None, token: None, cap, progress: None };
    transport.send(&request, &context).map_err(|error| error.to_string())
}
