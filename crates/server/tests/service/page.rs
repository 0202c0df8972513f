//! The page on which a user accepts: over HTTP as a browser does, and what the device hears of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use wmlicense_server::{Clock, DataFolder, Limits, Options, Server};
use wmlicense_testkit::daemon::Data;
use wmlicense_testkit::daemon::device::{Device, Known, Reply, agent, kid, now};
use wmlicense_wire::answer::{Answer, Outcome, Reason};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::id::{Digest, TransactionId};
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::request::interaction_code;

const ASKED: &str = "c0000000000000000000000000000010";
const ASKED_OPEN: &str = "c0000000000000000000000000000011";

struct Moved(AtomicI64);

impl Clock for Moved {
    fn now(&self) -> i64 {
        now() + self.0.load(Ordering::SeqCst)
    }
}

/// A service in this process with a clock that the test moves.
struct World {
    data: Data,
    known: Known,
    clock: Arc<Moved>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    runtime: tokio::runtime::Runtime,
}

impl World {
    fn new() -> Self {
        let data = Data::new();
        data.fill();
        data.policy("asked", r#"{"actions":{"Play":{"count":3}},"interaction":"page"}"#);
        let title = "<script>alert(1)</script> & \u{202e}more";
        for (kid, whose) in [(ASKED, ["--scope", "gold"].as_slice()), (ASKED_OPEN, &["--open"])] {
            let words = [
                "content",
                "add",
                "--kid",
                kid,
                "--key",
                wmlicense_testkit::daemon::KEY,
                "--title",
                title,
                "--policy",
                "asked",
            ];
            data.admin(&[&words, whose].concat());
        }
        let clock = Arc::new(Moved(AtomicI64::new(0)));
        let options = Options {
            listen: "127.0.0.1:0".parse().unwrap(),
            management: None,
            public_url: None,
            support_url: None,
            privacy_url: None,
            terms_url: Some("https://example.org/terms?a=1&b=2".to_owned()),
            roles: Role::ALL.to_vec(),
            predelivery_rate: None,
            epoch_period: wmlicense_server::DEFAULT_EPOCH_PERIOD,
            poll_seconds: 2,
            clearkey_origins: Vec::new(),
            packaging: Default::default(),
            tls: None,
            limits: Limits::default(),
            shop: None,
            database: data.url(),
        };
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = runtime.block_on(Server::bind(DataFolder::new(data.path()), options, clock.clone())).unwrap();
        let url = server.url().to_owned();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        runtime.spawn(server.run(async move {
            // Both a word and a dropped sender mean stop.
            let _ = stopped.await;
        }));
        let known = Known::discover(&url, data.authority);
        Self { data, known, clock, stop: Some(stop), runtime }
    }

    fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.take();
        // A server that still has a connection open needs no more time than this.
        let runtime =
            std::mem::replace(&mut self.runtime, tokio::runtime::Builder::new_current_thread().build().unwrap());
        runtime.shutdown_background();
    }
}

/// A request that waits for its user.
struct Asking<'w> {
    world: &'w World,
    device: Device,
    bytes: Vec<u8>,
    transaction: TransactionId,
    token: Option<String>,
    url: String,
}

impl<'w> Asking<'w> {
    fn new(world: &'w World, kids: &[&str], token: Option<&str>) -> Self {
        let device = Device::individualized(&world.known);
        let mut request = device.licenses_request(&world.known, kids);
        request.client.application = Some("Player <b>\"1\"</b>".to_owned());
        let (bytes, transaction) = (device.sign(&request), request.transaction);
        let token = token.map(str::to_owned);
        let mut asking = Self { world, device, bytes, transaction, token, url: String::new() };
        let (answer, licenses) = asking.poll();
        assert_eq!(licenses, 0);
        let Outcome::Interaction { url } = answer.outcome else { panic!("{:?}", answer.outcome) };
        asking.url = url;
        asking
    }

    /// Sends the same bytes again.
    fn poll(&self) -> (Answer, usize) {
        let known = &self.world.known;
        let reply = known.post("licenses", &self.bytes, self.token.as_deref()).granted();
        let (answer, licenses, _) = self.device.verify(known, Role::Issuer, &self.bytes, self.transaction, &reply);
        (answer, licenses.len())
    }

    fn get(&self) -> Page {
        Page::read(agent().get(&self.url).call().unwrap())
    }

    fn post(&self, fields: &[(&str, &str)]) -> Page {
        post(&self.url, fields, &[])
    }

    fn signed_in(&self, token: &str) -> Page {
        self.post(&[("session", &self.get().session()), ("action", "sign-in"), ("token", token)])
    }
}

struct Page {
    status: u16,
    location: Option<String>,
    policy: String,
    text: String,
}

impl Page {
    fn read(response: ureq::http::Response<ureq::Body>) -> Self {
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("cache-control").as_deref(), Some("no-store"));
        assert_eq!(header("referrer-policy").as_deref(), Some("no-referrer"));
        assert_eq!(header("set-cookie"), None);
        let (location, policy) = (header("location"), header("content-security-policy").unwrap());
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        let reply = Reply::read(response);
        assert_eq!(reply.content_type, "text/html; charset=utf-8");
        Self { status: reply.status, location, policy, text: String::from_utf8(reply.body).unwrap() }
    }

    fn session(&self) -> String {
        let (_, rest) = self.text.split_once("name=\"session\" value=\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    fn shows(&self, text: &str) -> bool {
        self.text.contains(text)
    }
}

fn post(url: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Page {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().new_agent();
    let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut request = agent.post(url).content_type("application/x-www-form-urlencoded");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Page::read(request.send(body.join("&")).unwrap())
}

#[test]
fn a_user_signs_in_and_accepts_and_the_device_gets_its_license() {
    let world = World::new();
    let token = world.data.account("ann", &["gold"]);
    let asking = Asking::new(&world, &[ASKED], None);
    let page = asking.get();
    assert_eq!(page.status, 200);
    assert!(page.shows(&interaction_code(Digest::of(&asking.bytes))) && page.shows(&asking.device.id().to_hex()));
    assert!(page.shows("Play: up to 3 times.") && page.shows("<label for=\"token\">") && page.shows("/privacy\""));
    assert!(!page.shows("value=\"accept\""));
    let page = asking.signed_in(&token);
    assert_eq!(page.status, 200);
    assert!(page.shows("<strong><bdi>ann</bdi></strong>"));
    assert!(matches!(asking.poll().0.outcome, Outcome::Interaction { url } if url == asking.url));
    let done = asking.post(&[("session", &page.session()), ("action", "accept")]);
    assert!(done.status == 200 && done.shows("You can go back to the app"), "{}", done.text);
    let (answer, licenses) = asking.poll();
    assert_eq!((answer.outcome, licenses), (Outcome::Done, 1));
    // The answer is final: the same bytes again, and a page that only tells.
    assert_eq!(asking.poll().1, 1);
    assert!(asking.get().shows("You accepted"));
    assert_eq!(world.data.json(&["license", "list"])[0]["account"], "ann");
    // The device has agreed to these terms.
    assert_eq!(asking.device.acquire(&world.known, &[ASKED], Some(&token)).1.len(), 1);
}

#[test]
fn what_the_user_declines_is_refused_and_what_needs_no_word_is_granted() {
    let world = World::new();
    let asking = Asking::new(&world, &[ASKED_OPEN, wmlicense_testkit::daemon::OPEN], None);
    let page = asking.get();
    assert!(page.shows("No account is needed") && page.shows("value=\"accept\""));
    let done = asking.post(&[("session", &page.session()), ("action", "decline")]);
    assert!(done.status == 200 && done.shows("You declined"));
    let (answer, licenses) = asking.poll();
    assert_eq!((answer.outcome, licenses), (Outcome::Done, 1));
    assert_eq!(
        (answer.refusals[0].reason, answer.refusals[0].subject),
        (Reason::Declined, Some(*kid(ASKED_OPEN).as_bytes()))
    );
    // A second decision comes too late.
    let late = asking.post(&[("session", &page.session()), ("action", "accept")]);
    assert!(late.shows("You declined"));
}

#[test]
fn an_account_of_the_application_only_has_to_accept() {
    let world = World::new();
    let token = world.data.account("ann", &["gold"]);
    let asking = Asking::new(&world, &[ASKED], Some(&token));
    let page = asking.get();
    assert!(page.shows("<bdi>ann</bdi>") && page.shows("value=\"accept\""));
    asking.post(&[("session", &page.session()), ("action", "accept")]);
    assert_eq!(asking.poll().1, 1);
    // Without its account the same request is another's.
    let reply = world.known.post("licenses", &asking.bytes, None);
    assert_eq!((reply.status, reply.problem()), (409, ProblemKind::Conflict));
}

#[test]
fn after_half_an_hour_the_page_is_closed_and_the_request_refused() {
    let world = World::new();
    let asking = Asking::new(&world, &[ASKED_OPEN], None);
    let session = asking.get().session();
    world.pass(30 * 60);
    assert_eq!(asking.get().status, 410);
    assert_eq!(asking.post(&[("session", &session), ("action", "accept")]).status, 410);
    let (answer, licenses) = asking.poll();
    assert_eq!((answer.outcome, licenses, answer.refusals[0].reason), (Outcome::Refused, 0, Reason::NotDecided));
    let unknown = agent().get(format!("{}/interaction/AAAAAAAAAAAAAAAAAAAAAA", world.known.url)).call().unwrap();
    assert_eq!(Page::read(unknown).status, 404);
}

#[test]
fn a_form_from_elsewhere_decides_nothing() {
    let world = World::new();
    let token = world.data.account("ann", &["gold"]);
    let (asking, other) = (Asking::new(&world, &[ASKED], None), Asking::new(&world, &[ASKED], None));
    let mine = asking.get().session();
    let theirs = other.signed_in(&token).session();
    let forged = "A".repeat(mine.len());
    for session in ["", "x", &forged, &theirs] {
        let page = asking.post(&[("session", session), ("action", "accept")]);
        assert!(page.status == 403 && page.shows("There is a problem"), "{session}");
    }
    // Signed out, nobody accepts.
    assert_eq!(asking.post(&[("session", &mine), ("action", "accept")]).status, 403);
    let crossed = post(&asking.url, &[("session", &mine), ("action", "decline")], &[("sec-fetch-site", "cross-site")]);
    assert_eq!(crossed.status, 403);
    assert_eq!(asking.post(&[("session", &mine), ("action", "other")]).status, 400);
    let json = agent().post(&asking.url).content_type("application/json").send("{}").unwrap();
    assert_eq!(Page::read(json).status, 400);
    let long = "x".repeat(5000);
    assert_eq!(asking.post(&[("session", &long)]).status, 413);
    assert!(matches!(asking.poll().0.outcome, Outcome::Interaction { .. }));
}

#[test]
fn wrong_tokens_are_told_and_counted() {
    let world = World::new();
    let (gold, plain) = (world.data.account("gold", &["gold"]), world.data.account("plain", &[]));
    let asking = Asking::new(&world, &[ASKED], None);
    assert!(asking.signed_in("").shows("Enter the account token"));
    let page = asking.signed_in(&plain);
    assert!(page.status == 422 && page.shows("does not include"));
    for _ in 0..10 {
        let page = asking.signed_in("wrong");
        assert!(page.status == 422 && page.shows("No account has this token") && page.shows("aria-invalid"));
    }
    let page = asking.signed_in(&gold);
    assert!(page.status == 429 && page.shows("Too many"));
    // Another device's user is not held up.
    assert_eq!(Asking::new(&world, &[ASKED], None).signed_in(&gold).status, 200);
}

#[test]
fn what_others_wrote_is_shown_as_text() {
    let world = World::new();
    let page = Asking::new(&world, &[ASKED], None).get();
    assert!(!page.shows("<script") && !page.shows("<b>") && !page.shows("\u{202e}"));
    assert!(page.shows("&lt;script&gt;alert(1)&lt;/script&gt; &amp; more"));
    assert!(page.shows("Player &lt;b&gt;&quot;1&quot;&lt;/b&gt;"));
    assert!(page.shows("href=\"https://example.org/terms?a=1&amp;b=2\""));
}

#[test]
fn a_page_leads_back_to_the_own_machine_only() {
    let world = World::new();
    let decide = |back: &str| {
        let asking = Asking::new(&world, &[ASKED_OPEN], None);
        let url = format!("{}?return={back}", asking.url);
        let page = Page::read(agent().get(&url).call().unwrap());
        let done = post(&url, &[("session", &page.session()), ("action", "accept")], &[]);
        let id = asking.url.rsplit('/').next().unwrap().to_owned();
        (page, done, id)
    };
    let (page, done, id) = decide("http%3A%2F%2F127.0.0.1%3A4711%2Fabc");
    assert!(page.policy.contains("form-action 'self' http://127.0.0.1:4711;"), "{}", page.policy);
    let expected = format!("http://127.0.0.1:4711/abc?interaction={id}");
    assert_eq!((done.status, done.location.as_deref()), (303, Some(expected.as_str())));
    let (_, done, id) = decide("http://[::1]:4711/abc");
    assert_eq!((done.status, done.location.as_deref()), (200, None));
    assert!(done.shows(&format!("href=\"http://[::1]:4711/abc?interaction={id}\"")));
    let (page, done, _) = decide("https://evil.example/");
    assert!(page.policy.contains("form-action 'self';"));
    assert_eq!((done.status, done.location.as_deref()), (200, None));
    assert!(!done.shows("evil"));
}

#[test]
fn pages_for_everybody_are_guarded_as_well() {
    let world = World::new();
    for (name, heading) in
        [("privacy", "What this service keeps"), ("support", "About a refused license"), ("", "Licenses from <bdi>")]
    {
        let page = Page::read(agent().get(format!("{}/{name}", world.known.url)).call().unwrap());
        assert!(page.status == 200 && page.shows(heading) && !page.shows("<script"), "{name}");
    }
}

#[test]
fn who_opens_the_address_of_the_service_learns_whose_it_is_and_what_it_keeps() {
    let world = World::new();
    let page = Page::read(agent().get(format!("{}/", world.known.url)).call().unwrap());
    for text in
        ["gives licenses for protected content", "/privacy\"", "/support\"", "https://example.org/terms?a=1&amp;b=2"]
    {
        assert!(page.shows(text), "{text}: {}", page.text);
    }
}

#[test]
fn pages_and_their_refusals_are_in_the_language_of_who_asks() {
    let world = World::new();
    let asking = Asking::new(&world, &[ASKED], None);
    let get =
        |url: &str, language: &str| Page::read(agent().get(url).header("accept-language", language).call().unwrap());
    let german = get(&asking.url, "it, de-CH;q=0.8, en;q=0.5");
    assert!(german.shows("<html lang=\"de\">") && german.shows("Abspielen: bis zu 3-mal."), "{}", german.text);
    let french = get(&asking.url, "fr");
    assert!(french.shows("<html lang=\"fr\">") && french.shows("Lire : jusqu’à 3 fois."), "{}", french.text);
    assert!(get(&asking.url, "it").shows("<html lang=\"en\">"));
    let unknown = get(&format!("{}/interaction/none", world.known.url), "de");
    assert!(unknown.status == 404 && unknown.shows("Diese Seite gibt es nicht"), "{}", unknown.text);
    let wrong = [("session", french.session()), ("action", "sign-in".to_owned()), ("token", "wrong".to_owned())];
    let wrong = wrong.each_ref().map(|(name, value)| (*name, value.as_str()));
    let refused = post(&asking.url, &wrong, &[("accept-language", "fr")]);
    assert!(refused.status == 422 && refused.shows("Aucun compte n’a ce jeton."), "{}", refused.text);
    let other =
        post(&asking.url, &[("action", "else")], &[("accept-language", "fr"), ("sec-fetch-site", "cross-site")]);
    assert!(other.status == 403 && other.shows("Le formulaire ne vient pas de cette page."), "{}", other.text);
    let declined = [("session", french.session()), ("action", "else".to_owned())];
    let declined = declined.each_ref().map(|(name, value)| (*name, value.as_str()));
    let failed = post(&asking.url, &declined, &[("accept-language", "de")]);
    assert!(failed.status == 400 && failed.shows("Das hat nicht geklappt"), "{}", failed.text);
}
