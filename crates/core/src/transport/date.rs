//! `Retry-After`: seconds, or a date as HTTP has it (RFC 9110, 5.6.7).

use std::time::UNIX_EPOCH;

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
    // A leap second is the second before.
    let time = httpdate::parse_http_date(&text.replacen(":60 ", ":59 ", 1)).ok()?;
    i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
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
