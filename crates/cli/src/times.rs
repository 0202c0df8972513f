//! Times as people read them: by the clock on their wall, and how far away.

use crate::text::{count, utc};
use jiff::Timestamp;
use jiff::tz::TimeZone;

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;

/// A time, seconds UTC, in the zone of this machine (or of `TZ`); one that no calendar has as its seconds.
pub(crate) fn local(seconds: i64) -> String {
    in_zone(seconds, TimeZone::system())
}

fn in_zone(seconds: i64, zone: TimeZone) -> String {
    let time = Timestamp::from_second(seconds).map(|time| time.to_zoned(zone));
    time.map_or_else(|_| utc(seconds), |time| time.strftime("%Y-%m-%d %H:%M %Z").to_string())
}

/// How far a time is from `now`, in whole days or hours.
pub(crate) fn away(seconds: i64, now: i64) -> String {
    let distance = seconds.saturating_sub(now);
    match (length(distance.unsigned_abs()), distance > 0) {
        (length, true) => format!("in {length}"),
        (length, false) => format!("{length} ago"),
    }
}

/// A length of time in the largest unit of which there are two, or one.
pub(crate) fn length(seconds: u64) -> String {
    let [day, hour, minute] = [DAY, HOUR, 60].map(i64::unsigned_abs);
    match seconds {
        _ if seconds >= 2 * day => count(seconds / day, "day"),
        _ if seconds >= 2 * hour => count(seconds / hour, "hour"),
        _ if seconds >= minute => count(seconds / minute, "minute"),
        _ => count(seconds, "second"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_that_of_the_wall_with_its_zone() {
        let zone = |name: &str| TimeZone::posix(name).unwrap();
        assert_eq!(in_zone(1_800_000_000, TimeZone::UTC), "2027-01-15 08:00 UTC");
        assert_eq!(in_zone(1_800_000_000, zone("CET-1CEST,M3.5.0,M10.5.0/3")), "2027-01-15 09:00 CET");
        assert_eq!(in_zone(1_815_000_000, zone("CET-1CEST,M3.5.0,M10.5.0/3")), "2027-07-08 00:40 CEST");
        assert_eq!(in_zone(i64::MAX, TimeZone::UTC), format!("{} s", i64::MAX));
    }

    #[test]
    fn a_distance_is_told_in_units_that_people_count() {
        assert_eq!(away(10 * DAY, 0), "in 10 days");
        assert_eq!(away(0, DAY + 5), "24 hours ago");
        assert_eq!(away(90 * 60, 0), "in 90 minutes");
        assert_eq!(away(7, 7), "0 seconds ago");
        assert_eq!(away(i64::MAX, i64::MIN), "in 106751991167300 days");
    }
}
