//! What a restore leaves out of a backup: put together, counted, and told as a failure where nothing else is left.

use super::RestoreError;
use crate::event::{ClosedSections, LeftOut, Why};
use wmlicense_wire::answer::{Reason, Refusal};

/// Adds a section that stays closed to those that do for the same reason.
pub(super) fn close(closed: &mut Vec<ClosedSections>, why: Why, bytes: u64, url: Option<&str>) {
    match closed.iter_mut().find(|known| known.why == why && known.url.as_deref() == url) {
        Some(known) => {
            known.sections += 1;
            known.bytes += bytes;
        }
        None => closed.push(ClosedSections { why, sections: 1, bytes, url: url.map(str::to_owned) }),
    }
}

/// A page where the user finds help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) url: String,
    /// What it helps with.
    pub(super) reason: Reason,
}

/// Keeps the page that the user needs most: the one about the limit of devices, else the first one named.
pub(super) fn note_page(page: &mut Option<Page>, refusals: &[Refusal]) {
    for refusal in refusals {
        let about_limit = |page: &Page| page.reason == Reason::LimitReached;
        let wanted = match page.as_ref() {
            None => true,
            Some(known) => refusal.reason == Reason::LimitReached && !about_limit(known),
        };
        if let Some(url) = refusal.url.as_ref().filter(|_| wanted) {
            *page = Some(Page { url: url.clone(), reason: refusal.reason });
        }
    }
}

/// The failure where nothing at all was given: the limit of devices if that is among the reasons, because there the user can
/// do something; else the first reason.
pub(super) fn nothing_given(left_out: &[LeftOut], closed: Vec<ClosedSections>, page: Option<Page>) -> RestoreError {
    let all = || left_out.iter().map(|left_out| &left_out.why).chain(closed.iter().map(|closed| &closed.why));
    let limit = all().find(|why| why.reason() == Some(Reason::LimitReached));
    let refused = limit.or_else(|| all().find(|why| why.reason().is_some()));
    match refused {
        Some(Why::Refused { reason, wait }) => {
            let url = page.map(|page| page.url);
            RestoreError::Refused { reason: *reason, wait: *wait, url }
        }
        Some(Why::Unasked(_) | Why::NoKey) | None => RestoreError::NotRestorable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(reason: Reason, url: Option<&str>) -> Refusal {
        Refusal { subject: None, kid: None, reason, url: url.map(str::to_owned), again: None }
    }

    #[test]
    fn the_page_about_the_limit_is_kept_whichever_comes_first() {
        let (other, limit) = (refusal(Reason::Returned, Some("a")), refusal(Reason::LimitReached, Some("b")));
        let silent = refusal(Reason::LimitReached, None);
        let kept = |refusals: &[Refusal]| {
            let mut page = None;
            note_page(&mut page, refusals);
            page.map(|page| (page.url, page.reason))
        };
        assert_eq!(kept(&[other.clone(), limit.clone()]), Some(("b".to_owned(), Reason::LimitReached)));
        assert_eq!(kept(&[limit, other.clone()]), Some(("b".to_owned(), Reason::LimitReached)));
        assert_eq!(kept(&[silent.clone(), other]), Some(("a".to_owned(), Reason::Returned)));
        assert_eq!(kept(&[silent]), None);
        let (first, second) = (refusal(Reason::Returned, Some("a")), refusal(Reason::OtherAccount, Some("c")));
        assert_eq!(kept(&[first, second]), Some(("a".to_owned(), Reason::Returned)));
        let limits = [refusal(Reason::LimitReached, Some("b")), refusal(Reason::LimitReached, Some("d"))];
        assert_eq!(kept(&limits), Some(("b".to_owned(), Reason::LimitReached)));
    }

    #[test]
    fn the_service_s_word_is_the_reason_of_the_failure_wherever_there_is_one() {
        let closed = |why| ClosedSections { why, sections: 1, bytes: 1, url: None };
        let reason = |all: Vec<ClosedSections>| match nothing_given(&[], all, None) {
            RestoreError::Refused { reason, .. } => Some(reason),
            _ => None,
        };
        let other = Reason::OtherAccount;
        assert_eq!(reason(vec![closed(Why::NoKey), closed(other.into())]), Some(other));
        let limit = Reason::LimitReached;
        assert_eq!(reason(vec![closed(other.into()), closed(limit.into())]), Some(limit));
        assert_eq!(reason(vec![closed(Why::NoKey)]), None);
    }

    #[test]
    fn sections_are_counted_by_reason_and_page() {
        let mut closed = Vec::new();
        close(&mut closed, Why::NoKey, 3, None);
        close(&mut closed, Reason::OtherAccount.into(), 5, Some("a"));
        close(&mut closed, Why::NoKey, 4, None);
        close(&mut closed, Reason::OtherAccount.into(), 6, None);
        close(&mut closed, Reason::OtherAccount.into(), 7, Some("b"));
        close(&mut closed, Reason::OtherAccount.into(), 8, Some("a"));
        let found: Vec<_> =
            closed.iter().map(|closed| (closed.sections, closed.bytes, closed.url.as_deref())).collect();
        assert_eq!(found, [(2, 7, None), (2, 13, Some("a")), (1, 6, None), (1, 7, Some("b"))]);
    }
}
