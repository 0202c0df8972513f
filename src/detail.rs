//! Why a call or an operation failed, and the last failure of each thread. How C reads it is in `error_info.rs`; what an error of
//! the core is, the core explains.

use crate::result::{self, wm_result};
use std::borrow::Cow;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;
use wmlicense_core::failure::{self as core, Explain};
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
        let message = core::sentence(message.into());
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

/// What the core explains, under its number.
impl<E: Explain> From<E> for Failure {
    fn from(error: E) -> Self {
        let explained = error.explain();
        let message = explained.sentence();
        // Each field is named, so that none that comes later can be forgotten here.
        let core::Failure { kind, retry_after, http_status, server_code, request_id, kid, page: _, text: _ } =
            explained;
        let milliseconds = |wait: Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let (result, retry_after_ms) = (result::of(kind), retry_after.map_or(0, milliseconds));
        Self(Box::new(Detail { result, retry_after_ms, http_status, server_code, kid, request_id, message }))
    }
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
    use crate::result::{WM_E_BAD_VALUE, WM_E_BUSY, WM_E_OPERATION_CANCELED};
    use wmlicense_core::contact::SessionError;
    use wmlicense_core::store::StoreError;
    use wmlicense_wire::answer::Reason;

    #[test]
    fn a_failure_of_the_core_keeps_its_sentence_and_gets_the_number_of_its_kind() {
        for reason in Reason::ALL {
            let (told, detail) = (reason.explain(), Failure::from(reason).into_detail());
            assert_eq!((detail.message.as_ref(), detail.result), (told.sentence().as_ref(), result::of(told.kind)));
        }
    }

    /// Nobody asks a success by its number what it was.
    #[test]
    fn a_deletion_that_was_cancelled_is_a_failure() {
        for error in [SessionError::Cancelled, SessionError::from(StoreError::Cancelled)] {
            assert_eq!(Failure::from(error).result(), WM_E_OPERATION_CANCELED);
        }
    }

    #[test]
    fn each_thread_has_a_detail_of_its_own() {
        set(Some(Failure::new(WM_E_BUSY).into_detail()));
        std::thread::spawn(|| set(Some(Failure::new(WM_E_BAD_VALUE).into_detail()))).join().ok();
        assert_eq!(last().map(|detail| detail.result), Some(WM_E_BUSY));
    }
}
