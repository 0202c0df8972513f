//! `wmlicense acquire`: which licenses are asked for, and what is told of the answer. The page on which a user accepts first is
//! `acquire/page.rs`.

mod page;

use crate::ask;
use crate::content;
use crate::exit::Code;
use crate::failure::{CONSENT, Failure};
use crate::left_out;
use crate::missing::{self, Need};
use crate::open;
use crate::output::Output;
use crate::settings::{Common, ServiceOptions, Settings};
use crate::text::{self, count};
use crate::watch::{self, Reported, Stopped};
use clap::ValueHint;
use page::{Page, Waiting, WayBack};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use wmlicense_core::acquire::interaction::{monitor, pending_challenge};
use wmlicense_core::acquire::{AcquireError, Acquired, Brought, LicenseWish, acquire};
use wmlicense_core::client::{self, Client};
use wmlicense_core::contact::SessionError;
use wmlicense_core::ensure::EnsureError;
use wmlicense_core::failure::FailureKind;
use wmlicense_core::individualize::individualize;
use wmlicense_core::operation::Context;
use wmlicense_core::rights::action::PLAY;
use wmlicense_core::rights::action_name;
use wmlicense_wire::id::Kid;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    service: ServiceOptions,
    /// Content: key IDs (hexadecimal, UUID or base64) and media files. A file that is named like a key ID is written ./NAME.
    #[arg(value_name = "KID|FILE", value_hint = ValueHint::AnyPath, required_unless_present_any = ["scope", "all"])]
    content: Vec<PathBuf>,
    /// Everything of this scope that the account may have, or what changed since the last time.
    #[arg(long, conflicts_with = "content")]
    scope: Option<String>,
    /// Everything that the account may have, or what changed since the last time.
    #[arg(long, conflicts_with_all = ["content", "scope"])]
    all: bool,
    /// What is to be done with the content; may stand more than once.
    #[arg(long, value_name = "ACTION", default_value = PLAY)]
    action: Vec<String>,
    /// Let the service give this device an ID if it has none. This is the user's consent.
    #[arg(long)]
    individualize: bool,
    #[command(flatten)]
    page: Page,
}

/// How asking once ended.
#[derive(Clone)]
enum Asked {
    Acquired(Acquired),
    /// The user has to accept on a page first.
    Waiting(Waiting),
    NeedsIndividualization,
}

pub(crate) fn run(arguments: &Arguments, common: &Common) -> Result<Output, Failure> {
    let kids = content::kids(&arguments.content)?;
    let mut settings = Settings::of(common, &arguments.service)?;
    let token = if arguments.all { Need::Token } else { Need::TokenIfAny };
    missing::complete(common, &mut settings, &[Need::Service, Need::Authority, token])?;
    let wish = LicenseWish {
        kids,
        actions: arguments.action.iter().map(|action| action_name(action).to_owned()).collect(),
        scope: arguments.scope.clone(),
        ..LicenseWish::default()
    };
    let mut consent = arguments.individualize;
    if !consent && !open::exists(&settings) {
        consent = agrees(common)?;
    }
    let client_settings = Arc::new(settings.of_client()?);
    let errand =
        Errand { client: open::open_or_create(&settings)?, settings: client_settings, wish, json: common.json };
    let (mut asked, mut reported) = errand.ask(consent)?;
    if matches!(asked, Asked::NeedsIndividualization) {
        agrees(common)?;
        (asked, reported) = errand.ask(true)?;
    }
    match asked {
        Asked::Acquired(acquired) => Ok(acquired_output(&acquired, &reported, None, errand.client.clock.now())),
        Asked::Waiting(waiting) => page::accept(&errand, &arguments.page, waiting),
        Asked::NeedsIndividualization => Err(needs_individualization()),
    }
}

fn needs_individualization() -> Failure {
    let kind = FailureKind::NeedsIndividualization;
    Failure { kind: Some(kind), ..Failure::new("the device must be individualized first", CONSENT) }
}

/// Asks for the user's consent to individualization; fails where nobody gives it.
fn agrees(common: &Common) -> Result<bool, Failure> {
    let agreed = ask::is_possible(common.json)
        && ask::yes("The device has no ID yet. Do you agree that the service gives it one?")?;
    if agreed { Ok(true) } else { Err(needs_individualization()) }
}

/// What is asked for, and at which service.
struct Errand {
    client: Arc<Client>,
    settings: Arc<client::Settings>,
    wish: LicenseWish,
    json: bool,
}

impl Errand {
    /// Asks once.
    fn ask(&self, may_individualize: bool) -> Result<(Asked, Reported), Failure> {
        let (client, settings, wish) = (Arc::clone(&self.client), Arc::clone(&self.settings), self.wish.clone());
        let work = move |context: &Context| match acquire(&client, &settings, &wish, context) {
            Err(AcquireError::Service(SessionError::NeedsIndividualization)) if may_individualize => {
                individualize(&client, &settings, false, context).map_err(EnsureError::Individualize)?;
                asked(&client, acquire(&client, &settings, &wish, context))
            }
            result => asked(&client, result),
        };
        watch::run(self.json, work).map_err(nothing_acquired)
    }

    /// Waits until the user has decided, for so long at most.
    fn wait(
        &self,
        waiting: &Waiting,
        timeout: Option<Duration>,
        way_back: Option<WayBack>,
    ) -> Result<(Asked, Reported), Failure> {
        let (client, settings) = (Arc::clone(&self.client), Arc::clone(&self.settings));
        let wish = LicenseWish { resume: Some(waiting.transaction), ..self.wish.clone() };
        let work = move |context: &Context| {
            let WayBack { loopback, wake } = way_back.unwrap_or_default();
            asked(&client, monitor(&client, &settings, &wish, loopback.as_ref(), &wake, context))
        };
        watch::run_within(timeout, self.json, work).map_err(|stopped| page::stopped(nothing_acquired(stopped)))
    }
}

/// What a person is told of the end of a request; a page to accept on is no failure.
fn asked(client: &Client, result: Result<Acquired, AcquireError>) -> Result<Asked, EnsureError> {
    match result {
        Ok(acquired) => Ok(Asked::Acquired(acquired)),
        Err(AcquireError::Service(SessionError::NeedsIndividualization)) => Ok(Asked::NeedsIndividualization),
        Err(error) => match error.waiting_page() {
            Some((url, transaction)) => {
                let code = pending_challenge(client, transaction)?.map(|challenge| challenge.code());
                Ok(Asked::Waiting(Waiting { transaction, url: url.to_owned(), code }))
            }
            None => Err(error.into()),
        },
    }
}

/// Nothing came: of each license it is told why.
fn nothing_acquired(Stopped { failure, reported }: Stopped) -> Failure {
    let left_out = &reported.left_out;
    if left_out.is_empty() {
        return failure;
    }
    let refused: Vec<Value> = left_out.iter().map(left_out::license).collect();
    failure.telling(left_out::lines(left_out, &[]), json!({ "refused": refused }))
}

fn acquired_output(acquired: &Acquired, reported: &Reported, waited: Option<&Waiting>, now: i64) -> Output {
    let stored = acquired.stored + acquired.before;
    let mut text = match (acquired.brought(), stored) {
        (Brought::Licenses, 0) => "another process took the answer and stored the licenses\n".to_owned(),
        (Brought::Licenses | Brought::MoreToFetch, stored) => format!("{} stored\n", count(stored, "license")),
        (Brought::Nothing, _) => "the service has nothing new for this device\n".to_owned(),
    };
    text.push_str(&left_out::refusal_lines(&acquired.refusals, now));
    for kid in &reported.due {
        text.push_str(&format!("due for renewal: {kid}: run `wmlicense renew {kid}`\n"));
    }
    if reported.account_not_presented {
        text.push_str("the service decided for nobody although a token was given\n");
    }
    let partial = !acquired.refusals.is_empty();
    let json = json!({
        "stored": stored,
        "refused": left_out::refusals(&acquired.refusals, now),
        "renewalDue": reported.due.iter().map(Kid::to_hex).collect::<Vec<_>>(),
        "partial": partial,
        "waiting": false,
    });
    Output { text, json: text::with(json, page::object(waited)), code: Code::of(partial) }
}
