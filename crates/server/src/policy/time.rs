//! Dates as RFC 3339 texts.

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// Reads a date with time and offset (RFC 3339 §5.6) as seconds UTC; fractions of a second are cut off.
pub(crate) fn parse_rfc3339(text: &str) -> Option<i64> {
    // The RFC leaves open what may stand between date and time.
    text.as_bytes().get(10).filter(|between| b"Tt ".contains(between))?;
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?.checked_to_offset(UtcOffset::UTC)?;
    // What was read can be written again.
    (time.year() >= 0).then(|| time.unix_timestamp())
}

/// Seconds UTC as a text; a time that no calendar has as its seconds.
pub(crate) fn to_rfc3339(seconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds).ok();
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| format!("{seconds} s"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_the_calendar_counts_them() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2001-01-01T00:00:00Z", 978_307_200),
            ("2024-02-29T12:34:56Z", 1_709_210_096),
            ("2024-02-29T12:34:56.789Z", 1_709_210_096),
            ("2090-01-01T01:00:00+01:00", 3_786_912_000),
            ("1969-12-31T19:00:00-05:00", 0),
            ("0001-01-01T00:00:00Z", -62_135_596_800),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(parse_rfc3339(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn a_leap_second_is_the_last_second_of_its_day() {
        assert_eq!(parse_rfc3339("2016-12-31T23:59:60Z"), Some(1_483_228_799));
        assert_eq!(parse_rfc3339("2016-12-31T18:59:60-05:00"), Some(1_483_228_799));
        assert_eq!(parse_rfc3339("2016-12-31T23:59:61Z"), None);
        assert_eq!(parse_rfc3339("2016-12-31T23:60:00Z"), None);
    }

    #[test]
    fn leap_days_are_in_every_fourth_year_but_three_of_four_centuries() {
        for (text, seconds) in [
            ("2000-02-29T00:00:00Z", Some(951_782_400)),
            ("2096-02-29T00:00:00Z", Some(3_981_312_000)),
            ("2100-02-28T23:59:59Z", Some(4_107_542_399)),
            ("2100-02-29T00:00:00Z", None),
            ("2100-03-01T00:00:00Z", Some(4_107_542_400)),
            ("2400-02-29T00:00:00Z", Some(13_574_563_200)),
            ("2023-02-29T00:00:00Z", None),
            ("2024-02-30T00:00:00Z", None),
        ] {
            assert_eq!(parse_rfc3339(text), seconds, "{text}");
            assert!(seconds.is_none_or(|seconds| to_rfc3339(seconds) == text), "{text}");
        }
        for month in [4, 6, 9, 11] {
            assert!(parse_rfc3339(&format!("2027-{month:02}-30T00:00:00Z")).is_some());
            assert_eq!(parse_rfc3339(&format!("2027-{month:02}-31T00:00:00Z")), None);
        }
        for month in [1, 3, 5, 7, 8, 10, 12] {
            assert!(parse_rfc3339(&format!("2027-{month:02}-31T00:00:00Z")).is_some());
            assert_eq!(parse_rfc3339(&format!("2027-{month:02}-32T00:00:00Z")), None);
        }
        assert_eq!(parse_rfc3339("2027-00-01T00:00:00Z"), None);
        assert_eq!(parse_rfc3339("2027-01-00T00:00:00Z"), None);
    }

    #[test]
    fn offsets_are_less_than_a_day_and_count_against_the_clock() {
        for (text, seconds) in [
            ("1970-01-01T05:45:00+05:45", Some(0)),
            ("1969-12-31T23:30:00-00:30", Some(0)),
            ("1970-01-01T23:59:00+23:59", Some(0)),
            ("1969-12-31T00:01:00-23:59", Some(0)),
            ("1970-01-01T00:00:00+24:00", None),
            ("1970-01-01T00:00:00-24:00", None),
            ("1970-01-01T00:00:00+00:60", None),
            ("1970-01-01T00:00:00+0000", None),
            ("1970-01-01T00:00:00*00:00", None),
            ("1970-01-01t00:00:00z", Some(0)),
            ("1970-01-01 00:00:00Z", Some(0)),
            ("1970-01-01_00:00:00Z", None),
        ] {
            assert_eq!(parse_rfc3339(text), seconds, "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "2027-01-01",
            "2027-02-29T00:00:00Z",
            "2027-13-01T00:00:00Z",
            "2027-01-01T24:00:00Z",
            "2027-01-01T00:00:00",
            "2027-01-01T00:00:00.Z",
            "2027-1-1T00:00:00Z",
            "2027-01-01T00:00:00+1:00",
            "+027-01-01T00:00:00Z",
            "2027-01-01T00:00:00Zjunk",
            "2027-01-01T00:00:00é",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn a_date_survives_writing_and_reading() {
        for seconds in [0, 951_782_400, 951_868_799, 1_709_210_096, 4_102_444_800, -62_135_596_800] {
            assert_eq!(parse_rfc3339(&to_rfc3339(seconds)), Some(seconds));
        }
        assert_eq!(to_rfc3339(i64::MAX), format!("{} s", i64::MAX));
        for beyond in ["0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"] {
            assert_eq!(parse_rfc3339(beyond), None, "{beyond}");
        }
    }
}
