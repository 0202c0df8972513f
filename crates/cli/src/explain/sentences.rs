//! The sentences of `wmlicense explain`: what is left of a right, and the dates and numbers behind a refusal.

use crate::text::{count, plain};
use crate::times::{away, length, local};
use wmlicense_core::license::StoredLicense;
use wmlicense_core::rights::{self, Category, Environment, LicenseState, Refusal};
use wmlicense_wire::policy::Conditions;

/// What is left of a right.
pub(super) struct Said {
    /// Behind the word that says that it is permitted.
    pub(super) text: String,
    pub(super) counts_left: Option<u32>,
    /// Seconds UTC.
    pub(super) not_before: Option<i64>,
    /// Seconds UTC.
    pub(super) not_after: Option<i64>,
}

/// What a state says at `now`, seconds UTC.
pub(super) fn permitted(state: &LicenseState, now: i64) -> Said {
    let (begin, end) = match (state.category, state.dates.as_slice()) {
        (Category::From | Category::CountFrom, [begin]) => (Some(*begin), None),
        (Category::FromUntil | Category::CountFromUntil, [begin, end]) => (Some(*begin), Some(*end)),
        (Category::Until | Category::CountUntil, [end]) => (None, Some(*end)),
        (_, dates) => (None, dates.last().copied()),
    };
    let mut parts = Vec::new();
    if let Some(begin) = begin {
        parts.push(format!("since {}", local(begin)));
    }
    if let Some(end) = end {
        parts.push(format!("until {} ({})", local(end), away(end, now)));
    }
    if state.seconds_after_first_use > 0 {
        parts.push(format!("for {} from the first use on", length(state.seconds_after_first_use)));
    }
    if state.category == Category::Unlimited {
        parts.push("without limit".to_owned());
    }
    let counts_left = state.counts.first().copied();
    let counted = counts_left.map_or_else(String::new, |left| format!(", {} left", count(left.into(), "use")));
    let vague = if state.vague { "; another license permits more" } else { "" };
    let dated = if parts.is_empty() { String::new() } else { format!(" {}", parts.join(", ")) };
    let text = format!("{dated}{counted}{vague}");
    Said { text, counts_left, not_before: begin, not_after: end }
}

/// When the last license ends that grants an action.
pub(super) fn ends(licenses: &[StoredLicense], action: &str) -> Option<i64> {
    licenses.iter().filter_map(|license| rights::end(license, action)).max()
}

/// The dates and numbers behind a refusal, where there are some.
pub(super) fn detail(
    licenses: &[StoredLicense],
    action: &str,
    refusal: Refusal,
    environment: &Environment,
) -> Option<String> {
    let conditions = || licenses.iter().filter_map(|license| license.policy.action(action));
    let now = environment.now;
    match refusal {
        Refusal::Expired | Refusal::SubscriptionEnded => {
            ends(licenses, action).map(|end| format!("it ended on {}{}", local(end), behind(end, now)))
        }
        Refusal::NotStarted => {
            let begin = conditions().filter_map(|conditions| conditions.not_before).min()?;
            Some(format!("it begins on {}{}", local(begin), ahead(begin, now)))
        }
        Refusal::Exhausted => {
            let all: u64 = conditions().filter_map(|conditions| conditions.count).map(u64::from).sum();
            (all > 0).then(|| format!("there {} {}", if all == 1 { "was" } else { "were" }, count(all, "use")))
        }
        Refusal::ApplicationLevelTooLow => {
            let least = conditions().filter_map(|conditions| conditions.minimum_application_level).min()?;
            Some(format!("it wants one of level {least} at least"))
        }
        Refusal::NeedsIndividualization => {
            let wanted =
                conditions().find_map(|conditions: &Conditions| conditions.minimum_security_version.clone())?;
            Some(format!(
                "it wants security version {}, and this device has {}",
                plain(&wanted),
                plain(&environment.security_version)
            ))
        }
        Refusal::Clock => Some(format!("it shows {}", local(now))),
        Refusal::NoLicense
        | Refusal::NoRight
        | Refusal::UnknownCondition
        | Refusal::RootMissing
        | Refusal::StateLost
        | Refusal::IssuerRevoked
        | Refusal::DeviceRevoked
        | Refusal::ApplicationRevoked
        | Refusal::StatusListTooOld => None,
    }
}

/// How long something is over. A license may know better than the wall clock that it is.
fn behind(end: i64, now: i64) -> String {
    if end <= now { format!(" ({})", away(end, now)) } else { String::new() }
}

/// How far something is off, if the wall clock knows of it as well.
fn ahead(begin: i64, now: i64) -> String {
    if begin > now { format!(" ({})", away(begin, now)) } else { String::new() }
}

/// When a renewal is due, and where.
pub(super) fn renewal(time: i64, page: &str, now: i64) -> String {
    let when = if time <= now { "since" } else { "from" };
    let page = if page.is_empty() { String::new() } else { format!("; its owner's page: {}", plain(page)) };
    format!("  a renewal is due {when} {} ({}): run `wmlicense renew`{page}\n", local(time), away(time, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sentence_says_that_something_ended_in_the_future() {
        assert_eq!((behind(10, 10), behind(11, 10)), (" (0 seconds ago)".to_owned(), String::new()));
        assert_eq!((ahead(11, 10), ahead(10, 10)), (" (in 1 second)".to_owned(), String::new()));
    }

    #[test]
    fn a_right_is_told_with_all_of_its_limits() {
        let state = |category, dates: &[i64], counts: &[u32], vague| {
            let (dates, counts) = (dates.to_vec(), counts.to_vec());
            permitted(&LicenseState { category, counts, dates, seconds_after_first_use: 0, vague }, 0)
        };
        let both = state(Category::CountFromUntil, &[-86_400 * 3, 86_400 * 2], &[1], true);
        assert!(both.text.starts_with(" since ") && both.text.contains(" (in 2 days), 1 use left"), "{}", both.text);
        assert!(both.text.ends_with("; another license permits more"));
        assert_eq!((both.not_before, both.not_after, both.counts_left), (Some(-86_400 * 3), Some(86_400 * 2), Some(1)));
        assert_eq!(state(Category::Unlimited, &[], &[], false).text, " without limit");
        assert_eq!(state(Category::Count, &[], &[2], false).text, ", 2 uses left");
        let from = state(Category::From, &[-5], &[], false);
        assert_eq!((from.not_before, from.not_after), (Some(-5), None));
    }
}
