//! The page of a service on which the user accepts before a license comes: telling it, opening it, waiting, going on later.

use super::{Asked, Errand, acquired_output, needs_individualization};
use crate::exit::Code;
use crate::failure::Failure;
use crate::interrupt;
use crate::output::Output;
use crate::settings;
use crate::text::plain;
use serde_json::{Value, json};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use wmlicense_core::acquire::{Loopback, Wake};
use wmlicense_core::failure::Category;
use wmlicense_wire::id::TransactionId;

/// Options for the page.
#[derive(clap::Args)]
pub(super) struct Page {
    /// Open the page in a browser, if the user has to accept on one.
    #[arg(long)]
    open: bool,
    /// Do not wait until the user has accepted. The same command goes on then.
    #[arg(long, conflicts_with = "open")]
    no_wait: bool,
    /// Wait so long at most. The same command goes on then.
    #[arg(long, value_name = "SECONDS", conflicts_with = "no_wait")]
    timeout: Option<u64>,
}

/// A request that waits for the user.
#[derive(Clone)]
pub(super) struct Waiting {
    pub(super) transaction: TransactionId,
    /// The page.
    pub(super) url: String,
    /// The six digits that the page shows as well.
    pub(super) code: Option<String>,
}

/// How the page's end is learned of before the next question.
#[derive(Default)]
pub(super) struct WayBack {
    pub(super) loopback: Option<Arc<Loopback>>,
    pub(super) wake: Arc<Wake>,
}

/// Tells of the page and waits until the user has decided.
pub(super) fn accept(errand: &Errand, options: &Page, waiting: Waiting) -> Result<Output, Failure> {
    if options.no_wait {
        return Ok(waiting_output(&waiting));
    }
    interrupt::announce();
    // On standard error: what is printed at the end stays one result.
    eprintln!("{}\nwaiting until you have decided there; Ctrl-C ends the waiting, not the request", lines(&waiting));
    let mut way_back = WayBack::default();
    if options.open {
        // Without the way back the questions find out.
        way_back.loopback = Loopback::bind().ok().map(Arc::new);
        let page = way_back.loopback.as_ref().map_or_else(|| waiting.url.clone(), |back| back.page(&waiting.url));
        open(page);
    }
    let (asked, reported) = errand.wait(&waiting, options.timeout.map(Duration::from_secs), Some(way_back))?;
    match asked {
        Asked::Acquired(acquired) => {
            Ok(acquired_output(&acquired, &reported, Some(&waiting), errand.client.clock.now()))
        }
        Asked::Waiting(waiting) => Ok(waiting_output(&waiting)),
        Asked::NeedsIndividualization => Err(needs_individualization()),
    }
}

fn lines(waiting: &Waiting) -> String {
    let code = waiting.code.as_deref().map_or_else(String::new, |code| {
        format!("\ncode: {code} (the page shows it too; if it does not, close the page)")
    });
    format!("the user has to accept on a page first\npage: {}{code}", plain(&waiting.url))
}

fn waiting_output(waiting: &Waiting) -> Output {
    let text = format!("{}\nthen run the same command again\n", lines(waiting));
    let json = json!({
        "stored": 0,
        "refused": [],
        "renewalDue": [],
        "partial": false,
        "waiting": true,
    });
    Output { text, json: crate::text::with(json, object(Some(waiting))), code: Code::Waiting }
}

/// The page, for programs.
pub(super) fn object(waiting: Option<&Waiting>) -> Value {
    json!({
        "page": waiting.map(|waiting| waiting.url.clone()),
        "code": waiting.and_then(|waiting| waiting.code.clone()),
        "transaction": waiting.map(|waiting| waiting.transaction.to_hex()),
    })
}

/// Who stops waiting has given up nothing.
pub(super) fn stopped(failure: Failure) -> Failure {
    if failure.kind.is_some_and(|kind| kind.category() == Category::Cancelled) {
        let remedy = "the request still waits for the user; the same command goes on";
        return Failure { remedy: remedy.to_owned(), ..failure };
    }
    failure
}

/// Shows a page in the user's browser.
fn open(url: String) {
    let mut browser = settings::stranger("xdg-open");
    let started = browser.arg(&url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    match started {
        // It may stay as long as it likes; only how it failed is of interest.
        Ok(mut child) => {
            let _ = std::thread::Builder::new().spawn(move || {
                if child.wait().is_ok_and(|status| !status.success()) {
                    eprintln!("warning: xdg-open could not open the page; open it yourself");
                }
            });
        }
        Err(error) => eprintln!("warning: no browser can be started: xdg-open: {error}; open the page yourself"),
    }
}
