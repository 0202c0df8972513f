//! What is counted for the owner by day and title: how much was issued, renewed, restored, given to pages and refused. A process
//! gathers in memory what it adds to the rows every some seconds; no request waits for that.

use crate::clock::DAY;
use std::collections::{BTreeMap, BTreeSet};

/// Days that are kept: a year can be compared with the one before it.
pub(crate) const KEPT_DAYS: i64 = 400;
/// Titles of a day that a process tells apart; the rest is counted as [`OTHER`].
const MAX_SUBJECTS: usize = 500;
/// Characters of a title that are kept.
const MAX_CHARS: usize = 120;
/// What stands for titles beyond [`MAX_SUBJECTS`].
pub(crate) const OTHER: &str = "(other)";

/// What came of a license that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    ClearKey,
    Issued,
    Refused,
    Renewed,
    Restored,
}

impl Outcome {
    pub(crate) const ALL: [Self; 5] = [Self::ClearKey, Self::Issued, Self::Refused, Self::Renewed, Self::Restored];

    /// Its name in rows and answers.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ClearKey => "clear-key",
            Self::Issued => "issued",
            Self::Refused => "refused",
            Self::Renewed => "renewed",
            Self::Restored => "restored",
        }
    }

    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

/// The number of the day of a time, seconds UTC.
pub(crate) fn day(now: i64) -> i64 {
    now.div_euclid(DAY)
}

/// How often something came of a title, or of a scope; neither where it is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts(BTreeMap<(Outcome, String), u64>);

impl Counts {
    /// Counts `more` of a title or scope; of none where nobody knows which it is.
    pub(crate) fn add(&mut self, outcome: Outcome, subject: Option<&str>, more: usize) {
        if more > 0 {
            *self.0.entry((outcome, subject.map(kept).unwrap_or_default())).or_default() += more as u64;
        }
    }
}

/// A title as it is kept: not too long, and without characters that an engine would not take.
fn kept(title: &str) -> String {
    let letters = title.chars().take(MAX_CHARS);
    letters.map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}

/// Something that was counted on a day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TallyRow {
    pub(crate) day: i64,
    pub(crate) outcome: Outcome,
    pub(crate) subject: String,
    pub(crate) number: u64,
}

/// What came on a day, of whatever title.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DayRow {
    pub(crate) day: i64,
    pub(crate) outcome: Outcome,
    pub(crate) number: u64,
}

/// What came of a title, on whatever day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TitleRow {
    pub(crate) subject: String,
    pub(crate) outcome: Outcome,
    pub(crate) number: u64,
}

/// What a process counted and did not add to the rows yet.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    day: i64,
    /// Those of the day that were told apart.
    subjects: BTreeSet<String>,
    numbers: BTreeMap<(i64, Outcome, String), u64>,
}

impl Gathered {
    pub(crate) fn add(&mut self, day: i64, counts: &Counts) {
        if self.day != day {
            self.day = day;
            self.subjects.clear();
        }
        for ((outcome, subject), more) in &counts.0 {
            let known = subject.is_empty() || self.subjects.contains(subject);
            let subject = if known || self.subjects.len() < MAX_SUBJECTS { subject.as_str() } else { OTHER };
            if !known && subject != OTHER {
                self.subjects.insert(subject.to_owned());
            }
            *self.numbers.entry((day, *outcome, subject.to_owned())).or_default() += more;
        }
    }

    /// Takes everything out, in the order of keys: who writes rows in one order does not meet another who does.
    pub(crate) fn take(&mut self) -> Vec<TallyRow> {
        let row = |((day, outcome, subject), number)| TallyRow { day, outcome, subject, number };
        std::mem::take(&mut self.numbers).into_iter().map(row).collect()
    }

    /// Puts back what could not be written.
    pub(crate) fn give_back(&mut self, rows: Vec<TallyRow>) {
        for TallyRow { day, outcome, subject, number } in rows {
            *self.numbers.entry((day, outcome, subject)).or_default() += number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(subject: &str) -> Counts {
        let mut counts = Counts::default();
        counts.add(Outcome::Issued, Some(subject), 1);
        counts
    }

    #[test]
    fn titles_beyond_the_limit_are_counted_together_until_the_next_day() {
        let mut gathered = Gathered::default();
        for number in 0..MAX_SUBJECTS + 3 {
            gathered.add(7, &counts(&format!("film {number}")));
        }
        gathered.add(7, &counts("film 1"));
        gathered.add(8, &counts("new"));
        let rows = gathered.take();
        let number = |subject: &str| rows.iter().find(|row| row.subject == subject).map(|row| (row.day, row.number));
        assert_eq!((number(OTHER), number("film 1"), number("new")), (Some((7, 3)), Some((7, 2)), Some((8, 1))));
        assert_eq!(rows.len(), MAX_SUBJECTS + 2);
        assert_eq!(gathered.take(), []);
    }

    #[test]
    fn what_is_put_back_is_added_to_what_came_meanwhile() {
        let mut gathered = Gathered::default();
        gathered.add(7, &counts("film"));
        let rows = gathered.take();
        gathered.add(7, &counts("film"));
        gathered.give_back(rows);
        let number = 2;
        let row = TallyRow { day: 7, outcome: Outcome::Issued, subject: "film".to_owned(), number };
        assert_eq!(gathered.take(), [row]);
    }

    #[test]
    fn a_title_is_cut_and_has_no_control_characters() {
        assert_eq!(kept("a\0b\u{7}c"), "a\u{fffd}b\u{fffd}c");
        assert_eq!(kept(&"ä".repeat(300)).chars().count(), MAX_CHARS);
    }

    #[test]
    fn days_begin_at_midnight_also_before_1970() {
        assert_eq!([-1, 0, 86_399, 86_400].map(day), [-1, 0, 0, 1]);
    }
}
