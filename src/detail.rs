//! Why a call or an operation failed, and the last failure of each thread. How C reads it is in `error_info.rs`, which core error
//! is which result in `failure.rs`.

use crate::result::{self, wm_result};
use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;
use wmlicense_core::transport::ServiceFailure;
use wmlicense_wire::id::Kid;

/// Everything known about a failure.
#[derive(Debug, Clone)]
pub(crate) struct Detail {
    pub(crate) result: wm_result,
    pub(crate) retry_after_ms: u64,
    pub(crate) http_status: u16,
    pub(crate) server_code: i32,
    pub(crate) kid: Option<Kid>,
    pub(crate) request_id: Option<String>,
    pub(crate) message: Cow<'static, str>,
}

/// Why a call or an operation failed. Boxed so that the happy path moves a pointer.
#[derive(Debug, Clone)]
pub(crate) struct Failure(Box<Detail>);

impl Failure {
    /// A failure that the result's own sentence explains.
    pub(crate) fn new(result: wm_result) -> Self {
        let message = result::row(result).and_then(|row| row.message.to_str().ok()).unwrap_or("Unknown result.");
        Self::with(result, message)
    }

    /// A failure with a sentence, or a clause that becomes one.
    pub(crate) fn with(result: wm_result, message: impl Into<Cow<'static, str>>) -> Self {
        let message = sentence(message.into());
        Self(Box::new(Detail {
            result,
            retry_after_ms: 0,
            http_status: 0,
            server_code: 0,
            kid: None,
            request_id: None,
            message,
        }))
    }

    /// Adds the key ID that it is about.
    pub(crate) fn about(mut self, kid: Kid) -> Self {
        self.0.kid = Some(kid);
        self
    }

    /// Adds when to try again.
    pub(crate) fn retry_after_seconds(mut self, seconds: u64) -> Self {
        self.0.retry_after_ms = seconds.saturating_mul(1000);
        self
    }

    /// Adds what the service told.
    pub(crate) fn told_by_service(mut self, told: &ServiceFailure) -> Self {
        self.0.http_status = told.http_status;
        self.0.server_code = told.server_code;
        self.0.request_id = told.request_id.clone();
        self.retry_after_seconds(told.retry_after.unwrap_or(0))
    }

    /// The result.
    pub(crate) fn result(&self) -> wm_result {
        self.0.result
    }

    /// A failure that was told already, for another caller.
    pub(crate) fn of_detail(detail: &Detail) -> Self {
        Self(Box::new(detail.clone()))
    }

    /// The detail, to share.
    pub(crate) fn into_detail(self) -> Arc<Detail> {
        Arc::new(*self.0)
    }
}

/// Core errors are lower-case clauses without a full stop; people read sentences.
fn sentence(text: Cow<'static, str>) -> Cow<'static, str> {
    let upper = text.chars().next().is_some_and(char::is_uppercase);
    if upper && text.ends_with('.') {
        return text;
    }
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().collect::<String>()).unwrap_or_default();
    Cow::Owned(format!("{first}{}.", letters.as_str().trim_end_matches('.')))
}

thread_local! {
    static LAST: RefCell<Option<Arc<Detail>>> = const { RefCell::new(None) };
}

/// Makes a detail the calling thread's own; `None` where a callback reports a success.
pub(crate) fn set(detail: Option<Arc<Detail>>) {
    // A thread whose locals are gone already keeps nothing, and nobody can ask it any more.
    let _ = LAST.try_with(|last| last.replace(detail));
}

pub(crate) fn last() -> Option<Arc<Detail>> {
    LAST.try_with(|last| last.borrow().clone()).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{WM_E_BAD_VALUE, WM_E_BUSY};

    #[test]
    fn clauses_become_sentences() {
        assert_eq!(sentence("the disk is full".into()), "The disk is full.");
        assert_eq!(sentence("Done.".into()), "Done.");
        assert_eq!(sentence("".into()), ".");
    }

    #[test]
    fn each_thread_has_a_detail_of_its_own() {
        set(Some(Failure::new(WM_E_BUSY).into_detail()));
        std::thread::spawn(|| set(Some(Failure::new(WM_E_BAD_VALUE).into_detail()))).join().ok();
        assert_eq!(last().map(|detail| detail.result), Some(WM_E_BUSY));
    }
}
