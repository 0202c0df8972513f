//! The C names for what the clock is worth. Judging it is `core::clock`'s.

use crate::lists::named;
use wmlicense_core::clock::ClockVerdict;

named! {
    /// Values of WM_PROP_CLOCK_VERDICT, each with what helps.
    VERDICTS = "WM_CLOCK_" of ClockVerdict;
    GOOD = Good, "a service told the time since the system started; the wall clock does not matter";
    UNKNOWN = Unknown, "nothing speaks for the wall clock or against it; licenses follow it";
    BEHIND = Behind, "the wall clock is behind what is known to have passed; licenses with dates wait until it is set right, or until one contact with a service";
    AHEAD = Ahead, "the wall clock is over 30 days ahead of what is known; licenses may seem to have ended until it is set right, or until one contact with a service";
}
