//! Returns: a device gives licenses back, and its seats are freed within the limit. That it deleted them is a claim, not a
//! proof, where its keys are a file.

use super::rows::SeatRow;
use super::uses;
use wmlicense_wire::license::State;

/// Seats of one license that may be freed within [`PERIOD`].
const MAX_FREED: u64 = 2;
/// A year, in seconds.
const PERIOD: i64 = 365 * 24 * 60 * 60;

/// What a return changes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Returned {
    pub(crate) seat: SeatRow,
    /// The strictest state known by now, where one was told.
    pub(crate) state: Option<State>,
}

/// From when on a seat that was freed counts at `now`. A clock that went back makes it no older.
pub(crate) fn counts_after(now: i64) -> i64 {
    now.saturating_sub(PERIOD)
}

/// What changes when the device of a seat gives its license back with `told` left of it; nothing where it did that before.
/// `freed`: seats of the license that were freed after [`counts_after`]. `known`: the strictest state known.
pub(crate) fn give_back(seat: SeatRow, freed: u64, known: Option<&State>, told: &State, now: i64) -> Option<Returned> {
    if seat.returned_at.is_some() {
        return None;
    }
    let seat = SeatRow { returned_at: Some(now), freed: freed < MAX_FREED, ..seat };
    Some(Returned { seat, state: uses::kept(known, told, now) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use wmlicense_wire::id::{DeviceId, Kid, Lid};
    use wmlicense_wire::license::ActionState;

    fn seat() -> SeatRow {
        SeatRow {
            lid: Lid::new([1; 16]),
            device: DeviceId::new([2; 16]),
            kid: Kid::new([3; 16]),
            restored: false,
            elsewhere: false,
            since: 100,
            line: None,
            returned_at: None,
            freed: false,
            withdrawn: None,
        }
    }

    #[test]
    fn two_seats_a_year_are_freed_and_the_third_is_given_back_all_the_same() {
        for (freed, free) in [(0, true), (1, true), (2, false), (7, false)] {
            let returned = give_back(seat(), freed, None, &State::default(), 5000).unwrap();
            assert_eq!(returned.seat, SeatRow { returned_at: Some(5000), freed: free, ..seat() }, "{freed}");
            assert_eq!(returned.state, None);
        }
    }

    #[test]
    fn what_was_given_back_before_changes_nothing() {
        let before = SeatRow { returned_at: Some(5000), freed: true, ..seat() };
        assert_eq!(give_back(before, 0, None, &State::default(), 6000), None);
    }

    #[test]
    fn what_was_freed_counts_for_a_year() {
        assert_eq!(counts_after(PERIOD + 77), 77);
        let told =
            State { actions: [("Play".to_owned(), ActionState { counts_left: Some(1), first_use: None })].into() };
        let returned = give_back(seat(), 0, None, &told, 5000).unwrap();
        assert_eq!(returned.state, Some(told), "what is left is known from then on");
    }
}
