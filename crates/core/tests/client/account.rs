//! Which services the account token goes to: that of the settings and where it says its endpoints are, nobody else.

use std::sync::Arc;
use tempfile::TempDir;
use wmlicense_core::acquire::interaction::{prepare, process};
use wmlicense_core::acquire::{AcquireError, LicenseWish, acquire};
use wmlicense_core::client::{Client, OpenSettings, Settings};
use wmlicense_core::clock::SharedClock;
use wmlicense_core::event::Event;
use wmlicense_core::failure::{Explain, FailureKind};
use wmlicense_core::individualize::{Individualized, individualize};
use wmlicense_core::renew::{RenewError, RenewalWish, Renewed, renew};
use wmlicense_core::revoke;
use wmlicense_core::transport::AccountToken;
use wmlicense_testkit::desk::Desk;
use wmlicense_testkit::service::{Post, Service, Step};
use wmlicense_testkit::{ManualClock, World, kid};
use wmlicense_wire::answer::Answer;
use wmlicense_wire::id::Kid;
use wmlicense_wire::problem::ProblemKind;
use wmlicense_wire::request::{MAX_LEN, Request};

/// A client of two owners, the desk's and another one, with a token of the desk's service.
struct TwoOwners {
    desk: Desk,
    other: Service,
    client: Arc<Client>,
    _folder: TempDir,
}

impl TwoOwners {
    fn new() -> Self {
        let (desk, world, folder) = (Desk::new(), Arc::new(World::new()), tempfile::tempdir().unwrap());
        let other = Service::start(&world);
        let authorities = vec![desk.world.pin(), world.pin()];
        let clock: SharedClock = Arc::<ManualClock>::clone(&desk.clock);
        let client =
            Client::open(&OpenSettings { store_path: folder.path().to_path_buf(), authorities }, clock).unwrap();
        let owners = Self { desk, other, client, _folder: folder };
        for settings in [owners.at(&owners.desk.service), owners.at(&owners.other)] {
            let certified = individualize(&owners.client, &settings, false, &owners.desk.context()).unwrap();
            assert_eq!(certified, Individualized::Certified);
        }
        owners
    }

    /// The settings of an application that uses this service with a token of it.
    fn at(&self, service: &Service) -> Settings {
        let service_url = Some(service.base.clone());
        let account_token = Arc::new(AccountToken::new(format!("of {}", service.base)));
        Settings { service_url, account_token, ..self.desk.settings.clone() }
    }

    /// A license of each service, each asked for with its own token.
    fn acquire(&self) {
        for (number, service) in [(1, &self.desk.service), (2, &self.other)] {
            service.offer(kid(number));
            let wish = LicenseWish { kids: vec![kid(number)], ..LicenseWish::default() };
            acquire(&self.client, &self.at(service), &wish, &self.desk.context()).unwrap();
        }
    }

    fn renew(&self, settings: &Settings) -> Result<Renewed, RenewError> {
        renew(&self.client, settings, &RenewalWish::default(), &self.desk.context())
    }
}

/// The tokens that came with the requests to an endpoint.
fn tokens(service: &Service, path: &str) -> Vec<Option<String>> {
    service.posts().into_iter().filter(|post| post.path == path).map(|post| post.token).collect()
}

fn bearer(token: &str) -> Option<String> {
    Some(format!("Bearer {token}"))
}

/// Another service of the desk's authority, at a place of its own.
fn sibling(desk: &Desk) -> Service {
    Service::start(&desk.world)
}

/// Makes the desk's service say that its endpoints are at `place`.
fn endpoints_at(desk: &Desk, place: &Service) {
    *desk.service.document.lock().unwrap() = Some(desk.service.service_document(&place.base, desk.service.now()));
}

fn at(service: &Service, kid: Kid) -> LicenseWish {
    service.offer(kid);
    LicenseWish { kids: vec![kid], url: Some(service.base.clone()), ..LicenseWish::default() }
}

#[test]
fn a_renewal_takes_the_token_to_the_service_it_is_of_and_to_no_other_owner() {
    let owners = TwoOwners::new();
    owners.acquire();
    let (mine, theirs) = (&owners.desk.service, &owners.other);
    assert_eq!(owners.renew(&owners.at(mine)).unwrap().stored, 2);
    assert_eq!(tokens(mine, "/v1/renewals"), [bearer(&format!("of {}", mine.base))]);
    assert_eq!(tokens(theirs, "/v1/renewals"), [None]);
    // With the other service among the settings it is the other way around.
    assert_eq!(owners.renew(&owners.at(theirs)).unwrap().stored, 2);
    assert_eq!(tokens(mine, "/v1/renewals")[1..], [None]);
    assert_eq!(tokens(theirs, "/v1/renewals")[1..], [bearer(&format!("of {}", theirs.base))]);
    assert_eq!(tokens(theirs, "/v1/licenses"), [bearer(&format!("of {}", theirs.base))]);
}

#[test]
fn a_request_with_a_url_of_its_own_takes_no_token_to_another_owner() {
    let owners = TwoOwners::new();
    let (settings, context) = (owners.at(&owners.desk.service), owners.desk.context());
    acquire(&owners.client, &settings, &at(&owners.other, kid(2)), &context).unwrap();
    let wish = RenewalWish { url: Some(owners.other.base.clone()), ..RenewalWish::default() };
    renew(&owners.client, &settings, &wish, &context).unwrap();
    assert_eq!(tokens(&owners.other, "/v1/licenses"), [None]);
    assert_eq!(tokens(&owners.other, "/v1/renewals"), [None]);
}

#[test]
fn a_service_that_names_the_host_of_another_owner_gets_nothing_there_by_it() {
    let owners = TwoOwners::new();
    let settings = owners.at(&owners.desk.service);
    // What the set service names may be anybody's host; what is asked there must still be of its authority.
    let named = owners.desk.service.service_document(&owners.other.base, owners.desk.service.now() + 1);
    *owners.desk.service.document.lock().unwrap() = Some(named);
    owners.desk.pass(7200);
    owners.other.now.fetch_add(7200, std::sync::atomic::Ordering::SeqCst);
    let _ = revoke::refresh(&owners.client, &settings, &owners.desk.context());
    acquire(&owners.client, &settings, &at(&owners.other, kid(2)), &owners.desk.context()).unwrap();
    assert_eq!(tokens(&owners.other, "/v1/licenses"), [None]);
}

#[test]
fn endpoints_on_another_host_get_the_token_where_the_set_service_names_them() {
    let desk = Desk::new();
    let roles = sibling(&desk);
    endpoints_at(&desk, &roles);
    desk.individualize(false).unwrap();
    roles.offer(kid(1));
    desk.acquire(&[kid(1)]).unwrap();
    desk.wish(&at(&roles, kid(2))).unwrap();
    let renewed = renew(&desk.client, &desk.settings, &RenewalWish::default(), &desk.context()).unwrap();
    assert_eq!(renewed.stored, 2);
    let sent = bearer("the-token");
    assert_eq!(tokens(&roles, "/v1/licenses"), [sent.clone(), sent.clone()]);
    assert_eq!(tokens(&roles, "/v1/renewals"), [sent.clone(), sent]);
    assert_eq!(tokens(&roles, "/v1/individualize"), [None]);
}

#[test]
fn a_service_of_the_same_authority_that_the_set_one_does_not_name_gets_none() {
    let desk = Desk::certified();
    let unnamed = sibling(&desk);
    desk.wish(&at(&unnamed, kid(1))).unwrap();
    renew(&desk.client, &desk.settings, &RenewalWish::default(), &desk.context()).unwrap();
    assert_eq!(tokens(&unnamed, "/v1/licenses"), [None]);
    assert_eq!(tokens(&unnamed, "/v1/renewals"), [None]);
}

#[test]
fn licenses_of_the_same_origin_are_renewed_with_the_token_whatever_path_is_set() {
    let mut desk = Desk::certified();
    desk.service.offer(kid(1));
    desk.acquire(&[kid(1)]).unwrap();
    desk.settings.service_url = Some(format!("{}/tenant", desk.service.base));
    renew(&desk.client, &desk.settings, &RenewalWish::default(), &desk.context()).unwrap();
    assert_eq!(tokens(&desk.service, "/v1/renewals"), [bearer("the-token")]);
    // Another port is another origin, even of the same machine.
    let elsewhere = sibling(&desk);
    desk.settings.service_url = Some(elsewhere.base.clone());
    renew(&desk.client, &desk.settings, &RenewalWish::default(), &desk.context()).unwrap();
    assert_eq!(tokens(&desk.service, "/v1/renewals")[1..], [None]);
}

#[test]
fn without_a_set_service_only_the_one_owner_that_is_trusted_gets_the_token() {
    let mut desk = Desk::certified();
    desk.service.offer(kid(1));
    desk.acquire(&[kid(1)]).unwrap();
    desk.settings.service_url = None;
    renew(&desk.client, &desk.settings, &RenewalWish::default(), &desk.context()).unwrap();
    assert_eq!(tokens(&desk.service, "/v1/renewals"), [bearer("the-token")]);
    let owners = TwoOwners::new();
    owners.acquire();
    let settings = Settings { service_url: None, ..owners.at(&owners.desk.service) };
    owners.renew(&settings).unwrap();
    for service in [&owners.desk.service, &owners.other] {
        assert_eq!(tokens(service, "/v1/renewals"), [None]);
    }
}

#[test]
fn who_needs_the_account_that_was_kept_back_is_named_with_what_helps() {
    let owners = TwoOwners::new();
    owners.acquire();
    let (mine, theirs) = (&owners.desk.service, &owners.other);
    theirs.then(Step::Problem(ProblemKind::Unauthorized));
    let failure = owners.renew(&owners.at(mine)).unwrap_err().explain();
    assert_eq!(failure.kind, FailureKind::AccountRequired);
    let text = failure.text;
    assert!(text.contains("the account token was not sent") && !text.contains("Bearer"), "{text}");
    assert!(text.contains(&mine.base) && text.contains(&format!("set the service {}", theirs.base)), "{text}");
    // Where it went, nothing is said of it.
    mine.then(Step::Problem(ProblemKind::Unauthorized));
    let text = owners.renew(&owners.at(mine)).unwrap_err().explain().text;
    assert!(!text.contains("was not sent"), "{text}");
}

#[test]
fn an_answer_for_nobody_misses_no_account_where_the_token_does_not_go() -> Result<(), AcquireError> {
    let owners = TwoOwners::new();
    for (service, missed) in [(&owners.other, false), (&owners.desk.service, true)] {
        let settings = owners.at(&owners.desk.service);
        let wish =
            LicenseWish { url: Some(service.base.clone()), scope: Some("gold".into()), ..LicenseWish::default() };
        let bytes = prepare(&owners.client, &settings, &wish)?.request;
        let request = Request::decode_unverified(&Request::parse(&bytes, MAX_LEN).unwrap()).unwrap();
        let post = Post { path: String::new(), bytes, request, token: None };
        let answer = service.page(&post, &[], |answer| Answer { account: Some(false), since: Some(7), ..answer });
        process(&owners.client, &settings, &wish, &answer, &owners.desk.context())?;
        assert_eq!(owners.desk.events().contains(&Event::AccountNotPresented), missed);
    }
    Ok(())
}
