//! Dates as RFC 3339 texts.

/// Reads a date with time and offset (RFC 3339 §5.6) as seconds UTC; fractions of a second are cut off.
pub(crate) fn parse_rfc3339(text: &str) -> Option<i64> {
    let (date, time) = text.split_at_checked(10)?;
    let [year, month, day] = numbers(date, [4, 2, 2], '-')?;
    let time = time.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = time.split_at_checked(8)?;
    let [hour, minute, second] = numbers(clock, [2, 2, 2], ':')?;
    let in_range = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !in_range {
        return None;
    }
    let offset = offset_seconds(skip_fraction(rest)?)?;
    Some(days_from_epoch(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second.min(59) - offset)
}

/// Seconds UTC as a text.
pub(crate) fn to_rfc3339(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = date_of(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

fn numbers<const N: usize>(text: &str, widths: [usize; N], separator: char) -> Option<[i64; N]> {
    let mut values = [0; N];
    let mut parts = text.split(separator);
    for (value, width) in values.iter_mut().zip(widths) {
        let part = parts.next().filter(|part| part.len() == width && part.bytes().all(|b| b.is_ascii_digit()))?;
        *value = part.parse().ok()?;
    }
    parts.next().is_none().then_some(values)
}

fn skip_fraction(text: &str) -> Option<&str> {
    match text.strip_prefix('.') {
        None => Some(text),
        Some(fraction) => {
            let rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            (rest.len() < fraction.len()).then_some(rest)
        }
    }
}

fn offset_seconds(text: &str) -> Option<i64> {
    if text == "Z" || text == "z" {
        return Some(0);
    }
    let sign = match text.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let [hours, minutes] = numbers(text.get(1..)?, [2, 2], ':')?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar, counted in years that begin in March so that a leap day is the last.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn date_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
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
    }
}
