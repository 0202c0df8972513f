//! What a restore leaves out, for people and for programs: why, and what helps.

use crate::failure;
use crate::text::{plain, with};
use serde_json::{Value, json};
use std::time::Duration;
use wmlicense_core::event::{ClosedSections, LeftOut, Why};
use wmlicense_core::failure::{Explain as _, Failure};
use wmlicense_wire::answer::Refusal;

const DAY: u64 = 24 * 60 * 60;

/// One clause that says why.
pub(crate) fn text(why: &Why) -> String {
    let said = plain(&why.explain().clause());
    match why {
        Why::Refused { reason: _, wait } => until_possible(said, *wait),
        Why::Unasked(_) => format!("the service could not be asked: {said}"),
        // The library's clause is about a whole backup.
        Why::NoKey => "neither this device nor a service opens it".to_owned(),
    }
}

/// A clause with how long it will be so, where that is known.
pub(crate) fn until_possible(said: String, wait: Option<Duration>) -> String {
    match wait {
        Some(wait) => format!("{said}; possible {}", from(wait)),
        None => said,
    }
}

/// What helps; empty if nothing is known.
pub(crate) fn help(why: &Why, url: Option<&str>) -> String {
    failure::help(&Failure { page: url.map(str::to_owned), ..why.explain() })
}

/// In how many days, or less than one.
fn from(wait: Duration) -> String {
    match wait.as_secs().div_ceil(DAY) {
        0 | 1 => "within a day".to_owned(),
        days => format!("in {days} days"),
    }
}

/// The lines for people.
pub(crate) fn lines(left_out: &[LeftOut], closed: &[ClosedSections]) -> String {
    let mut lines = String::new();
    for LeftOut { kid, why } in left_out {
        lines.push_str(&format!("left out: {kid}: {}\n", text(why)));
    }
    lines.push_str(&closed_lines(closed));
    lines
}

/// The lines about sections that stay closed.
pub(crate) fn closed_lines(closed: &[ClosedSections]) -> String {
    let line = |ClosedSections { why, sections, bytes, url }: &ClosedSections| {
        let parts = crate::text::count((*sections).into(), "part");
        let help = help(why, url.as_deref());
        let help = if help.is_empty() { help } else { format!("\n  help: {help}") };
        format!("closed: {parts} of the backup ({bytes} bytes): {}{help}\n", text(why))
    };
    closed.iter().map(line).collect()
}

/// The same for programs.
pub(crate) fn object(why: &Why) -> Value {
    let wait = match why {
        Why::Refused { wait, .. } => *wait,
        Why::Unasked(_) | Why::NoKey => None,
    };
    json!({
        "reason": why.reason().map(|reason| reason as u32),
        "text": text(why),
        "help": help(why, None),
        "retryAfterSeconds": wait.map(|wait| wait.as_secs()),
    })
}

/// A license that is left out, for programs.
pub(crate) fn license(LeftOut { kid, why }: &LeftOut) -> Value {
    with(object(why), json!({ "kid": kid.to_hex() }))
}

/// What a service refused at `now` beside what it gave, as lines for people.
pub(crate) fn refusal_lines(refusals: &[Refusal], now: i64) -> String {
    let line = |refusal: &Refusal| {
        let why = Why::refused(refusal, now);
        let subject = refusal.kid.map_or_else(|| "a license".to_owned(), |kid| kid.to_string());
        let help = help(&why, refusal.url.as_deref());
        let help = if help.is_empty() { help } else { format!("\n  help: {help}") };
        format!("left out: {subject}: {}{help}\n", text(&why))
    };
    refusals.iter().map(line).collect()
}

/// The same for programs.
pub(crate) fn refusals(refusals: &[Refusal], now: i64) -> Value {
    let one = |refusal: &Refusal| {
        let kid = refusal.kid.map(|kid| kid.to_hex());
        with(object(&Why::refused(refusal, now)), json!({ "kid": kid, "url": refusal.url }))
    };
    refusals.iter().map(one).collect()
}

/// Sections that stay closed, for programs.
fn section(ClosedSections { why, sections, bytes, url }: &ClosedSections) -> Value {
    with(object(why), json!({ "sections": sections, "bytes": bytes, "url": url }))
}

/// All sections that stay closed, for programs.
pub(crate) fn sections(closed: &[ClosedSections]) -> Value {
    json!({
        "closedSections": closed.iter().map(|closed| u64::from(closed.sections)).sum::<u64>(),
        "closed": closed.iter().map(section).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wmlicense_wire::answer::Reason;

    #[test]
    fn a_refusal_for_a_time_says_how_long() {
        let why = |seconds| Why::Refused { reason: Reason::GrantedTooOften, wait: Some(Duration::from_secs(seconds)) };
        assert!(text(&why(365 * DAY)).ends_with("possible in 365 days"), "{}", text(&why(365 * DAY)));
        assert!(text(&why(1)).ends_with("possible within a day"));
        assert_eq!(object(&why(7))["retryAfterSeconds"], 7);
    }

    #[test]
    fn parts_that_stay_closed_are_told_with_reason_size_and_help() {
        let url = Some("https://license.test/".to_owned());
        let closed = [
            ClosedSections { why: Reason::OtherAccount.into(), sections: 2, bytes: 9, url },
            ClosedSections { why: Why::NoKey, sections: 1, bytes: 7, url: None },
        ];
        let expected = "closed: 2 parts of the backup (9 bytes): the license belongs to another account\n  \
            help: give the token of that account with --token-file; see https://license.test/\n\
            closed: 1 part of the backup (7 bytes): neither this device nor a service opens it\n  \
            help: restore it on the device that made it\n";
        assert_eq!(closed_lines(&closed), expected);
        let object = section(&closed[0]);
        assert_eq!(
            (&object["sections"], &object["reason"], &object["url"]),
            (&json!(2), &json!(6), &json!("https://license.test/"))
        );
    }

    #[test]
    fn every_reason_says_what_helps() {
        for reason in Reason::ALL {
            let why = Why::from(reason);
            assert!(!text(&why).is_empty() && !help(&why, None).is_empty(), "{reason:?}");
            assert!(help(&why, Some("https://license.test/")).ends_with("; see https://license.test/"));
        }
    }
}
