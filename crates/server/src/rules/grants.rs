//! Licenses with a state that go to a device again: how often a year sees that.

use super::epochs::YEAR;
use super::rows::{AgainRow, Booked};
use std::collections::HashMap;
use wmlicense_wire::id::Lid;
use wmlicense_wire::license::State;

/// How often within a year a license with a state goes again to a device that does not tell that it still has it.
const MAX_AGAIN: u64 = 2;

/// How often a device got a license again within a year.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Again {
    pub(crate) times: u64,
    /// From when on one time less counts, seconds UTC.
    pub(crate) from: i64,
}

impl Again {
    /// True if it may not get it once more at present.
    pub(crate) fn is_too_often(self) -> bool {
        self.times >= MAX_AGAIN
    }
}

/// A license with a state that goes again to a device that had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HandedOut {
    pub(crate) lid: Lid,
    /// What is left of it.
    pub(crate) state: State,
}

/// From when on what was booked counts at `now`. A clock that went back makes it no older.
pub(crate) fn counts_after(now: i64) -> i64 {
    now.saturating_sub(YEAR)
}

/// What a device got again within a year, and what it gets in the transaction that is running.
pub(crate) struct Bookings {
    /// Seconds UTC.
    now: i64,
    /// By line, which license of it the device got, and when.
    got: HashMap<Lid, Vec<(Lid, i64)>>,
    new: Vec<AgainRow>,
}

impl Bookings {
    pub(crate) fn new(now: i64, booked: impl IntoIterator<Item = Booked>) -> Self {
        let mut got: HashMap<Lid, Vec<(Lid, i64)>> = HashMap::new();
        for Booked { line, lid, at } in booked {
            got.entry(line).or_default().push((lid, at));
        }
        Self { now, got, new: Vec::new() }
    }

    /// How often the device got one of a line.
    pub(crate) fn again(&self, line: Lid) -> Again {
        let got = self.got.get(&line).into_iter().flatten();
        let times = got.map(|(_, at)| *at).filter(|at| *at > counts_after(self.now));
        let from = times.clone().min().map_or(self.now, |first| first.saturating_add(YEAR));
        Again { times: times.count() as u64, from }
    }

    /// True if the device got this license of a line at this time.
    pub(crate) fn has(&self, line: Lid, lid: Lid, at: i64) -> bool {
        self.got.get(&line).is_some_and(|got| got.contains(&(lid, at)))
    }

    /// Books that a license of a line goes to the device again; or how it stands if that happened too often.
    pub(crate) fn book(&mut self, line: Lid, lid: Lid, state: &State) -> Result<(), Again> {
        let again = self.again(line);
        if again.is_too_often() {
            return Err(again);
        }
        self.got.entry(line).or_default().push((lid, self.now));
        self.new.push(AgainRow { line, lid, granted_at: self.now, state: state.clone() });
        Ok(())
    }

    /// The rows to write.
    pub(crate) fn into_rows(self) -> Vec<AgainRow> {
        self.new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::epochs::DAY;
    use proptest::prelude::*;

    const LINE: Lid = Lid::new([1; 16]);
    const LATER: Lid = Lid::new([2; 16]);

    fn booked(at: i64) -> Booked {
        Booked { line: LINE, lid: LINE, at }
    }

    fn book(bookings: &mut Bookings, lid: Lid) -> Result<(), Again> {
        bookings.book(LINE, lid, &State::default())
    }

    #[test]
    fn twice_within_any_365_days_for_all_of_a_line_together() {
        let mut bookings = Bookings::new(5000, [booked(4000)]);
        assert_eq!(bookings.again(LINE), Again { times: 1, from: 4000 + YEAR });
        assert_eq!(book(&mut bookings, LATER), Ok(()));
        assert_eq!(book(&mut bookings, LINE), Err(Again { times: 2, from: 4000 + YEAR }));
        let rows = bookings.into_rows();
        assert_eq!(rows, [AgainRow { line: LINE, lid: LATER, granted_at: 5000, state: State::default() }]);
    }

    #[test]
    fn a_time_that_is_a_year_old_counts_no_more_and_one_of_a_clock_ahead_does() {
        let at = |now| Bookings::new(now, [booked(4000), booked(9000)]).again(LINE);
        assert_eq!(at(4000 + YEAR - 1), Again { times: 2, from: 4000 + YEAR });
        assert_eq!(at(4000 + YEAR), Again { times: 1, from: 9000 + YEAR });
        assert_eq!(at(9000 + YEAR), Again { times: 0, from: 9000 + YEAR });
        assert_eq!(at(10), Again { times: 2, from: 4000 + YEAR });
        assert_eq!(Bookings::new(10, []).again(LINE), Again { times: 0, from: 10 });
    }

    #[test]
    fn what_was_booked_is_known_by_its_line_license_and_time() {
        let mut bookings = Bookings::new(5000, [booked(4000)]);
        assert!(bookings.has(LINE, LINE, 4000));
        assert!(
            !bookings.has(LINE, LINE, 4001) && !bookings.has(LINE, LATER, 4000) && !bookings.has(LATER, LINE, 4000)
        );
        assert!(!bookings.has(LINE, LATER, 5000));
        book(&mut bookings, LATER).unwrap();
        assert!(bookings.has(LINE, LATER, 5000));
    }

    proptest! {
        /// Whenever and in whatever order a device asks: within no 365 days does it get one of a line more than twice, and it gets
        /// each time that this allows.
        #[test]
        fn no_year_sees_a_license_more_than_twice(pauses in prop::collection::vec(0_i64..200 * DAY, 0..40)) {
            let (mut now, mut got) = (0, Vec::<i64>::new());
            for pause in pauses {
                now += pause;
                let lately = got.iter().filter(|at| **at > now - YEAR).count();
                let mut bookings = Bookings::new(now, got.iter().map(|at| booked(*at)).collect::<Vec<_>>());
                let told = book(&mut bookings, LATER);
                prop_assert_eq!(told.is_ok(), lately < 2);
                if let Err(again) = told {
                    // From then on it may once more, and not a second before.
                    let at = |now| Bookings::new(now, got.iter().map(|at| booked(*at)).collect::<Vec<_>>()).again(LINE);
                    prop_assert!(at(again.from - 1).is_too_often() && !at(again.from).is_too_often());
                } else {
                    got.push(now);
                }
            }
        }
    }
}
