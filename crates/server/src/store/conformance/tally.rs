//! What was counted by day and title.

use super::*;
use crate::clock::DAY;
use crate::rules::tally::{DayRow, KEPT_DAYS, Outcome, TallyRow, TitleRow};

fn row(day: i64, outcome: Outcome, subject: &str, number: u64) -> TallyRow {
    TallyRow { day, outcome, subject: subject.to_owned(), number }
}

fn title(subject: &str, outcome: Outcome, number: u64) -> TitleRow {
    TitleRow { subject: subject.to_owned(), outcome, number }
}

over_each_engine! {
    #[tokio::test]
    async fn counts_add_up_by_day_and_by_title(world: World) {
        let store = world.store();
        let first = vec![row(9, Outcome::Issued, "B", 2), row(10, Outcome::Issued, "", 7), row(10, Outcome::Issued, "a", 1)];
        store.add_tally(first).await.unwrap();
        world.other.add_tally(vec![row(10, Outcome::Issued, "a", 4), row(10, Outcome::Refused, "a", 2)]).await.unwrap();
        let day = |day, outcome, number| DayRow { day, outcome, number };
        let days = [day(9, Outcome::Issued, 2), day(10, Outcome::Issued, 12), day(10, Outcome::Refused, 2)];
        assert_eq!(store.tally_by_day(0).await.unwrap(), days);
        assert_eq!(store.tally_by_day(10).await.unwrap(), days[1..]);
        let titles = [title("a", Outcome::Issued, 5), title("B", Outcome::Issued, 2), title("a", Outcome::Refused, 2)];
        assert_eq!(store.tally_by_title(0, 9).await.unwrap(), titles);
        assert_eq!(store.tally_by_title(0, 1).await.unwrap(), titles[..1]);
        assert_eq!(store.tally_by_title(11, 9).await.unwrap(), []);
    }

    #[tokio::test]
    async fn of_two_who_count_at_once_nothing_is_lost(world: World) {
        let rows = || (0..40).map(|number| row(1, Outcome::Issued, &format!("{number:02}"), 1)).collect::<Vec<_>>();
        let (one, other) = tokio::join!(world.store.add_tally(rows()), world.other.add_tally(rows()));
        one.unwrap();
        other.unwrap();
        let sum = [DayRow { day: 1, outcome: Outcome::Issued, number: 80 }];
        assert_eq!(world.store.tally_by_day(0).await.unwrap(), sum);
    }

    #[tokio::test]
    async fn days_that_are_too_old_are_dropped(world: World) {
        let store = world.store();
        store.add_tally(vec![row(99, Outcome::Issued, "a", 1), row(100, Outcome::Issued, "a", 1)]).await.unwrap();
        store.drop_tally((100 + KEPT_DAYS) * DAY + 1).await.unwrap();
        assert_eq!(store.tally_by_day(0).await.unwrap(), [DayRow { day: 100, outcome: Outcome::Issued, number: 1 }]);
    }
}
