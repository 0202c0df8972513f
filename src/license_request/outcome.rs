//! How an acquisition ended, as its final status: one translation for acquiring, monitoring and renewing.

use super::Progress;
use crate::detail::Failure;
use crate::prop::Properties;
use crate::prop::names::TRANSACTION_ID;
use crate::result::{WM_S_ACQUIRE_CANCELLED, WM_S_LICENSE_ACQUIRED, WM_S_MORE_TO_FETCH, WM_S_NOTHING_NEW, wm_result};
use crate::teller::Outcome;
use std::sync::Arc;
use wmlicense_core::acquire::{AcquireError, Acquired, Brought};
use wmlicense_core::failure::Explain as _;

/// Success codes that a verb has of its own.
#[derive(Clone, Copy)]
pub(super) struct Codes {
    /// The application cancelled.
    pub(super) cancelled: wm_result,
    /// The user must act on a page; `None` where that is a failure.
    pub(super) page: Option<wm_result>,
}

impl Codes {
    /// Of a verb that works without the user.
    pub(super) const SILENT: Self = Self { cancelled: WM_S_ACQUIRE_CANCELLED, page: None };
}

/// What the end of an operation needs. It does not keep the object.
pub(super) struct Ending {
    pub(super) properties: Arc<Properties>,
    pub(super) progress: Arc<Progress>,
    pub(super) codes: Codes,
}

impl Ending {
    pub(super) fn of(&self, result: Result<Acquired, AcquireError>) -> Outcome {
        match result {
            Ok(acquired) => {
                self.ended(&acquired);
                Outcome::success(code(acquired.brought()))
            }
            Err(error) => self.failed(&error),
        }
    }

    /// A transaction that ended is not resumed by the next call.
    fn ended(&self, acquired: &Acquired) {
        self.properties.forget(TRANSACTION_ID.key());
        self.progress.remember(acquired.transaction);
    }

    pub(super) fn failed(&self, error: &AcquireError) -> Outcome {
        let told = error.explain();
        let help = told.page.clone();
        let failure = Failure::from(told);
        if failure.result() == WM_S_ACQUIRE_CANCELLED {
            return Outcome::success(self.codes.cancelled);
        }
        let Some((page, transaction)) = error.waiting_page() else { return Outcome::failure(failure).with_url(help) };
        let outcome = self.codes.page.map_or_else(|| Outcome::failure(failure), Outcome::success);
        outcome.with_url(Some(self.page(page, transaction)))
    }

    /// The page that waits for the user, with the way back.
    fn page(&self, url: &str, transaction: wmlicense_wire::id::TransactionId) -> String {
        self.progress.remember(transaction);
        self.progress.way_back(url.to_owned(), &self.properties)
    }
}

/// The success that tells what came.
pub(super) fn code(brought: Brought) -> wm_result {
    match brought {
        Brought::Licenses => WM_S_LICENSE_ACQUIRED,
        Brought::Nothing => WM_S_NOTHING_NEW,
        Brought::MoreToFetch => WM_S_MORE_TO_FETCH,
    }
}
