//! `Retry-After`: seconds, or a date in one of the three forms of HTTP (RFC 9110, 5.6.7).

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds to wait. A date is held against the answer's own `Date`, so that the clock here does not matter, or against
/// `now` (seconds UTC) where the answer has none; a date that has passed means at once.
pub(super) fn retry_after(value: &str, date: Option<&str>, now: i64) -> Option<u64> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are as good as for ever.
        return Some(value.parse().unwrap_or(u64::MAX));
    }
    let from = date.and_then(http_date).unwrap_or(now);
    Some(u64::try_from(http_date(value)?.saturating_sub(from)).unwrap_or(0))
}

/// Seconds UTC of `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` or `Sun Nov  6 08:49:37 1994`.
fn http_date(text: &str) -> Option<i64> {
    let words: Vec<&str> = text.trim().split([' ', ',', '-']).filter(|word| !word.is_empty()).collect();
    let (day, month, year, time) = match words.as_slice() {
        [_, day, month, year, time, "GMT"] => (day, month, year, time),
        [_, month, day, time, year] => (day, month, year, time),
        _ => return None,
    };
    let month = MONTHS.iter().position(|name| name == month)? as i64 + 1;
    let day = number(day, 31).filter(|day| *day > 0)?;
    let mut clock = time.split(':');
    let (hour, minute) = (number(clock.next()?, 23)?, number(clock.next()?, 59)?);
    // A leap second is the second before.
    let second = number(clock.next()?, 60)?.min(59);
    if clock.next().is_some() {
        return None;
    }
    Some(days(full_year(year)?, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn number(digits: &str, most: i64) -> Option<i64> {
    let plain = (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|number| plain && *number <= most)
}

/// Two digits mean the year within fifty years of the century's turn that this code was written after.
fn full_year(digits: &str) -> Option<i64> {
    let year: i64 = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())??;
    match digits.len() {
        4 => Some(year),
        2 => Some(if year < 70 { 2000 + year } else { 1900 + year }),
        _ => None,
    }
}

/// Days since 1970-01-01 of a date in the Gregorian calendar; years begin in March so that the leap day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, month) = (year.div_euclid(400), (month + 9) % 12);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1994-11-06 08:49:37 UTC, the example of RFC 9110.
    const EXAMPLE: i64 = 784_111_777;

    #[test]
    fn the_three_forms_of_a_date_are_one_time() {
        for text in ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"] {
            assert_eq!(http_date(text), Some(EXAMPLE), "{text}");
        }
        assert_eq!(http_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(http_date("Thu, 29 Feb 2024 23:59:60 GMT"), Some(1_709_251_199));
    }

    #[test]
    fn seconds_and_dates_say_how_long_to_wait() {
        assert_eq!(retry_after(" 120 ", None, 0), Some(120));
        assert_eq!(retry_after("99999999999999999999999", None, 0), Some(u64::MAX));
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(retry_after(date, None, EXAMPLE - 30), Some(30));
        assert_eq!(retry_after(date, None, EXAMPLE + 30), Some(0));
        assert_eq!(retry_after(date, Some("Sun, 06 Nov 1994 08:48:37 GMT"), 4_000_000_000), Some(60));
    }

    #[test]
    fn what_is_neither_says_nothing() {
        for text in [
            "",
            "soon",
            "-1",
            "1.5",
            "Sun, 06 Nov 1994 08:49 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nox 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "Sun, 06 Nov +994 08:49:37 GMT",
        ] {
            assert_eq!(retry_after(text, None, 0), None, "{text}");
        }
    }
}
