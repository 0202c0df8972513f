//! The C names for what the clock is worth. Judging it is `core::clock`'s.

use crate::lists::numbers;
use wmlicense_core::clock::ClockVerdict;

numbers! {
    /// Values of WM_PROP_CLOCK_VERDICT, each with what helps.
    VERDICTS = "WM_CLOCK_": u32;
    GOOD = ClockVerdict::Good as u32, "a service told the time since the system started; the wall clock does not matter";
    UNKNOWN = ClockVerdict::Unknown as u32, "nothing speaks for the wall clock or against it; licenses follow it";
    BEHIND = ClockVerdict::Behind as u32, "the wall clock is behind what is known to have passed; licenses with dates wait until it is set right, or until one contact with a service";
    AHEAD = ClockVerdict::Ahead as u32, "the wall clock is over 30 days ahead of what is known; licenses may seem to have ended until it is set right, or until one contact with a service";
}
