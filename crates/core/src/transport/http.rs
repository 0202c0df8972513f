//! The transport over HTTP: one agent per operation, attempts, redirects, pauses between attempts, one deadline for all.

use super::connect::{AddressesOf, Lookup, Tcp, system_lookup};
use super::interrupt::Interrupt;
use super::line::{self, Line, Made};
use super::proxy::proxy_for;
use super::response::{Failed, REQUEST_ID, Received, Reply, receive};
use super::tls::Tls;
use super::trust::{TlsConfigs, Trust};
use super::url::{Target, shown};
use super::{
    AccountToken, DEFAULT_DEADLINE, HttpRequest, NetworkSettings, ServiceFailure, Transport, TransportError, app,
};
use crate::event::HttpPhase;
use crate::logging::{Level, Log, target};
use crate::operation::Context;
use std::sync::Arc;
use std::time::{Duration, Instant};
use ureq::Agent;
use ureq::config::{AutoHeaderValue, Config};
use ureq::http::{HeaderValue, Request, header};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector as _};
use zeroize::Zeroizing;

/// Redirects followed for one attempt.
const MAX_REDIRECTS: usize = 3;
/// First and longest pause between attempts; each is drawn from zero to its turn's bound.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// Time for a name lookup, for a connection, for the head of an answer, and between two pieces of it.
const LOOKUP_TIME: Duration = Duration::from_secs(10);
const CONNECT_TIME: Duration = Duration::from_secs(15);
const RESPONSE_TIME: Duration = Duration::from_secs(30);
const SILENCE_TIME: Duration = Duration::from_secs(30);

const ACCEPT: &str = "application/cose, application/problem+json";
const COSE: &str = "application/cose";
/// How much too early a time-out may come that was set to the deadline.
const EARLY: Duration = Duration::from_millis(10);

/// Sends requests of one operation. A cancel ends it for good.
pub(crate) struct HttpTransport {
    agent: Agent,
    interrupt: Arc<Interrupt>,
    line: Arc<Line>,
    settings: NetworkSettings,
    log: Log,
    created: Instant,
    first_pause: Duration,
}

impl HttpTransport {
    /// Opens no connection.
    pub(crate) fn new(settings: &NetworkSettings, configs: &Arc<TlsConfigs>) -> Result<Self, TransportError> {
        Self::with_lookup(settings, configs, system_lookup)
    }

    pub(super) fn with_lookup(
        settings: &NetworkSettings,
        configs: &Arc<TlsConfigs>,
        addresses_of: AddressesOf,
    ) -> Result<Self, TransportError> {
        let interrupt = Arc::new(Interrupt::default());
        let tls = Tls { configs: Arc::clone(configs), trust: Trust::of(settings) };
        let line = Arc::new(Line::default());
        let connector = ().chain(ConnectProxyConnector::default()).chain(Tcp(Arc::clone(&interrupt))).chain(tls);
        let connector = connector.chain(Made(Arc::clone(&line)));
        let agent =
            Agent::with_parts(config(settings), connector, Lookup { interrupt: Arc::clone(&interrupt), addresses_of });
        let (settings, created) = (settings.clone(), Instant::now());
        let log = Log::default();
        Ok(Self { agent, interrupt, line, settings, log, created, first_pause: FIRST_PAUSE })
    }

    /// Records of its requests go to `log`.
    pub(crate) fn telling(self, log: Log) -> Self {
        Self { log, ..self }
    }

    #[cfg(test)]
    pub(super) fn with_first_pause(mut self, pause: Duration) -> Self {
        self.first_pause = pause;
        self
    }

    /// When a request that begins now must be over.
    fn end(&self, context: &Context) -> Instant {
        let set = self.settings.deadline.and_then(|deadline| self.created.checked_add(deadline));
        match (context.deadline(), set) {
            (Some(one), Some(other)) => one.min(other),
            (Some(end), None) | (None, Some(end)) => end,
            (None, None) => Instant::now() + DEFAULT_DEADLINE,
        }
    }

    fn attempt(&self, first: &Target, request: &HttpRequest<'_>, id: &str, end: Instant) -> Result<Vec<u8>, Failed> {
        let mut moved: Option<Target> = None;
        for _ in 0..=MAX_REDIRECTS {
            let target = moved.as_ref().unwrap_or(first);
            // A service that sends the client elsewhere does not thereby send the token there.
            let token = request.token.filter(|_| target.private && target.same_origin(first));
            match receive(self.call(target, request, token, id, end)?, request, id)? {
                Received::Body(body) => return Ok(body),
                Received::Redirect { location, keeps_method } => {
                    let next = target.redirected(&location, self.settings.allow_http);
                    moved = match next {
                        Ok(next) if request.body.is_none() || keeps_method => Some(next),
                        Ok(_) | Err(_) => return Err(not_followed(target, &location).into()),
                    };
                }
            }
        }
        Err(TransportError::Redirect(shown(request.url)).into())
    }

    fn call(
        &self,
        target: &Target,
        request: &HttpRequest<'_>,
        token: Option<&AccountToken>,
        id: &str,
        end: Instant,
    ) -> Result<Reply, Failed> {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(TransportError::DeadlinePassed.into());
        }
        let token = token.and_then(|token| token.0.as_ref()).map(|token| authorization(token)).transpose()?;
        if let Some(stack) = &self.settings.app_stack {
            let headers = self.headers(request, token, id);
            return app::call(stack, &self.interrupt, target, headers, request.body, left, request.cap);
        }
        let proxy = proxy_for(&self.settings.proxy, target)?;
        let proxied = proxy.is_some();
        let mut builder = Request::builder().uri(target.uri.clone()).header(REQUEST_ID, id);
        if let Some(token) = token {
            builder = builder.header(header::AUTHORIZATION, sensitive(&token)?);
        }
        let malformed = |_| Failed::from(TransportError::Url(shown(&target.uri.to_string())));
        let response = match request.body {
            Some(body) => {
                let builder = builder.method("POST").header(header::CONTENT_TYPE, COSE);
                let request = self.agent.configure_request(builder.body(body).map_err(malformed)?);
                self.agent.run(request.timeout_global(Some(left)).proxy(proxy).build())
            }
            None => {
                let request = self.agent.configure_request(builder.method("GET").body(()).map_err(malformed)?);
                self.agent.run(request.timeout_global(Some(left)).proxy(proxy).build())
            }
        };
        response.map(Reply::from).map_err(|error| by_proxy(error.into(), proxied))
    }

    /// What our own agent would send.
    fn headers(
        &self,
        request: &HttpRequest<'_>,
        token: Option<Zeroizing<String>>,
        id: &str,
    ) -> Vec<(&'static str, Zeroizing<String>)> {
        let mut headers = vec![
            ("User-Agent", user_agent(&self.settings)),
            ("Accept", ACCEPT.to_owned()),
            ("Accept-Encoding", "identity".to_owned()),
            ("X-Request-Id", id.to_owned()),
        ];
        if request.body.is_some() {
            headers.push(("Content-Type", COSE.to_owned()));
        }
        let mut headers: Vec<_> = headers.into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect();
        headers.extend(token.map(|token| ("Authorization", token)));
        headers
    }

    fn tell(&self, level: Level, url: &str, id: &str, what: std::fmt::Arguments<'_>) {
        self.log.record(level, target::HTTP, format_args!("{} {id}: {what}", shown(url)));
    }

    /// Full jitter: anything between zero and a bound that doubles with every attempt, and at least what the service asks
    /// for.
    fn pause(&self, attempt: u32, error: &TransportError) -> Duration {
        let bound = self.first_pause.saturating_mul(1 << attempt.min(16)).min(LONGEST_PAUSE);
        let share = getrandom::u32().map_or(1.0, |random| f64::from(random) / f64::from(u32::MAX));
        let asked = if let TransportError::Unavailable(failure) = error { failure.retry_after.unwrap_or(0) } else { 0 };
        bound.mul_f64(share).max(Duration::from_secs(asked))
    }
}

/// The application's name for itself; the agent takes what it is given for a valid header.
fn user_agent(settings: &NetworkSettings) -> String {
    let named: String = settings.user_agent.chars().filter(|letter| matches!(letter, ' '..='~')).collect();
    if named.is_empty() { concat!("wmlicense/", env!("CARGO_PKG_VERSION")).to_owned() } else { named }
}

fn config(settings: &NetworkSettings) -> Config {
    Agent::config_builder()
        .proxy(None)
        .user_agent(AutoHeaderValue::Provided(Arc::new(user_agent(settings))))
        .accept(AutoHeaderValue::Provided(Arc::new(ACCEPT.to_owned())))
        .accept_encoding(AutoHeaderValue::Provided(Arc::new("identity".to_owned())))
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_resolve(Some(LOOKUP_TIME))
        .timeout_connect(Some(CONNECT_TIME))
        .timeout_recv_response(Some(RESPONSE_TIME))
        .timeout_per_read(Some(SILENCE_TIME))
        .timeout_per_write(Some(SILENCE_TIME))
        .build()
}

/// A random ID by which all attempts of a request are found in the service's log, also where no answer came back.
fn request_id() -> String {
    getrandom::u64().map_or_else(|_| "-".to_owned(), |random| format!("{random:016x}"))
}

fn authorization(token: &str) -> Result<Zeroizing<String>, TransportError> {
    // A header value takes bytes beyond ASCII too, which no later step reads as text.
    if !AccountToken::is_sendable(token) {
        return Err(unsendable());
    }
    Ok(Zeroizing::new(format!("Bearer {token}")))
}

fn unsendable() -> TransportError {
    let message = "the account token holds characters that cannot be sent".to_owned();
    TransportError::Refused(ServiceFailure { message, ..ServiceFailure::default() })
}

fn sensitive(text: &str) -> Result<HeaderValue, TransportError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| unsendable())?;
    value.set_sensitive(true);
    Ok(value)
}

/// Where there is no TLS, a redirect of a request that has a body leads to a login page; with TLS it is the server's own
/// doing.
fn not_followed(from: &Target, location: &str) -> TransportError {
    let to = shown(location);
    if from.is_https() { TransportError::Redirect(to) } else { TransportError::CaptivePortal(format!("at {to}")) }
}

/// With a proxy, only the proxy is connected to.
fn by_proxy(failed: Failed, proxied: bool) -> Failed {
    match failed.error {
        TransportError::Unreachable(reason) if proxied => {
            Failed { error: TransportError::Proxy(reason), again: failed.again }
        }
        error => Failed { error, again: failed.again },
    }
}

impl Transport for HttpTransport {
    fn send(&self, request: &HttpRequest<'_>, context: &Context) -> Result<Vec<u8>, TransportError> {
        context.check()?;
        if self.settings.offline_only {
            return Err(TransportError::Offline);
        }
        let target = Target::parse(request.url, self.settings.allow_http)?;
        let interrupt = Arc::clone(&self.interrupt);
        let _guard = context.on_cancel(Arc::new(move || interrupt.set()));
        let attempts = self.settings.retry_limit.checked_add(1).unwrap_or(0);
        let line = self.line.begin(context.network_teller(), target.host(), attempts);
        let told = |phase, bytes, total| {
            if let Some(progress) = request.progress {
                progress(phase, bytes, total);
            }
            // A cancel inside the event is seen by the exchange itself.
            let _ = line.received(phase, bytes, total);
        };
        let sent = HttpRequest { progress: Some(&told), ..*request };
        self.repeat(&target, request, &sent, &line, context)
    }
}

impl HttpTransport {
    /// Makes attempts until one succeeds, or no other would help or be in time. `sent` is the request with what tells of
    /// its answer.
    fn repeat(
        &self,
        target: &Target,
        request: &HttpRequest<'_>,
        sent: &HttpRequest<'_>,
        line: &line::Request,
        context: &Context,
    ) -> Result<Vec<u8>, TransportError> {
        let (end, id) = (self.end(context), request_id());
        let mut repeated = 0;
        loop {
            line.attempt()?;
            if self.settings.app_stack.is_some() {
                line.sent()?;
            }
            if let Some(progress) = request.progress {
                progress(if request.body.is_some() { HttpPhase::Requesting } else { HttpPhase::Connecting }, 0, 0);
            }
            let begun = Instant::now();
            let failed = match self.attempt(target, sent, &id, end) {
                Ok(body) => {
                    let took = begun.elapsed().as_millis();
                    line.answered()?;
                    self.tell(Level::Debug, request.url, &id, format_args!("{} bytes in {took} ms", body.len()));
                    return Ok(body);
                }
                Err(failed) => failed,
            };
            // A cancel shows as one fault or another.
            context.check()?;
            // And so does a deadline that passes while a peer is looked for.
            let is_looking = matches!(&failed.error, TransportError::Unreachable(_) | TransportError::Broken(_));
            if is_looking && end.saturating_duration_since(Instant::now()) < EARLY {
                self.tell(Level::Warn, request.url, &id, format_args!("{}", failed.error));
                return Err(TransportError::DeadlinePassed);
            }
            let pause = self.pause(repeated, &failed.error);
            let until = Instant::now() + pause;
            if !failed.again || repeated >= self.settings.retry_limit || until >= end {
                self.tell(Level::Warn, request.url, &id, format_args!("{}", failed.error));
                return Err(failed.error);
            }
            let again = format_args!("{}; again in {} ms", failed.error, pause.as_millis());
            self.tell(Level::Warn, request.url, &id, again);
            line.waits(pause)?;
            context.wait_until(until)?;
            repeated += 1;
        }
    }
}
