//! Why content cannot be used although everything was tried, as the result of the step that failed.

use super::{acquire, first_refusal, individualize, stored};
use crate::detail::Failure;
use crate::result::WM_E_NO_RIGHTS;
use wmlicense_core::ensure::EnsureError;

/// `now`: seconds UTC, to tell how long to wait.
pub(crate) fn ensure(error: &EnsureError, now: i64) -> Failure {
    match error {
        EnsureError::Individualize(error) => individualize(error),
        // There is no status that could carry the page.
        EnsureError::UserMustAct { kid, url } => {
            let text = format!("The user must act first on the page {url} to get the license.");
            Failure::with(WM_E_NO_RIGHTS, text).about(*kid)
        }
        EnsureError::Acquire(error) => acquire(error, now),
        EnsureError::Withheld(kid, refusal) => first_refusal(std::slice::from_ref(refusal), now).about(*kid),
        EnsureError::Refused(kid, refusal) => stored::right(*refusal).about(*kid),
    }
}
