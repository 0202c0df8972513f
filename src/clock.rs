//! The C names for what the clock is worth. Judging it is `core::clock`'s.

use wmlicense_core::clock::Verdict;

/// Values of WM_PROP_CLOCK_VERDICT, each with what helps.
pub(crate) const VERDICTS: &[(&str, Verdict, &str)] = &[
    (
        "WM_CLOCK_GOOD",
        Verdict::Good,
        "a service told the time since the system started; the wall clock does not matter",
    ),
    ("WM_CLOCK_UNKNOWN", Verdict::Unknown, "nothing speaks for the wall clock or against it; licenses follow it"),
    (
        "WM_CLOCK_BEHIND",
        Verdict::Behind,
        "the wall clock is behind what is known to have passed; licenses with dates wait until it is set right, or until one \
         contact with a service",
    ),
    (
        "WM_CLOCK_AHEAD",
        Verdict::Ahead,
        "the wall clock is over 30 days ahead of what is known; licenses may seem to have ended until it is set right, or until \
         one contact with a service",
    ),
];
