//! `traceparent` of W3C Trace Context: the trace that a request belongs to, and the service's own place in it.

use axum::http::HeaderMap;

pub(super) const TRACEPARENT: &str = "traceparent";
/// The flag of a trace that its beginner records; the others of version 00 are not defined.
const SAMPLED: u8 = 1;

/// A request's place in a trace that began elsewhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trace {
    /// 32 digits.
    pub(super) id: String,
    sampled: bool,
}

impl Trace {
    /// What the headers say; nothing if they say it wrongly, or twice.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut found = headers.get_all(TRACEPARENT).iter();
        let text = found.next()?.to_str().ok()?;
        if found.next().is_some() { None } else { Self::parse(text) }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let version = digits(parts.next()?, 2)?;
        let (id, parent) = (digits(parts.next()?, 32)?, digits(parts.next()?, 16)?);
        let flags = digits(parts.next()?, 2)?;
        // Later versions may say more, the first one says no more.
        let is_version = version != "ff" && (version != "00" || parts.next().is_none());
        let is_named = [id, parent].iter().all(|name| name.bytes().any(|digit| digit != b'0'));
        let sampled = u8::from_str_radix(flags, 16).ok()? & SAMPLED != 0;
        (is_version && is_named).then(|| Self { id: id.to_owned(), sampled })
    }

    /// The header of the answer: the same trace, a place of its own.
    pub(super) fn header(&self) -> String {
        let mut bytes = [0; 8];
        // Without random bytes the place has a name that others have, too, and nothing else depends on it.
        let _ = getrandom::fill(&mut bytes);
        let place = u64::from_be_bytes(bytes).max(1);
        format!("00-{}-{place:016x}-{:02x}", self.id, u8::from(self.sampled))
    }
}

fn digits(text: &str, count: usize) -> Option<&str> {
    let good = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (text.len() == count && text.bytes().all(good)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_trace_goes_on_in_the_answer_with_a_place_of_its_own() {
        let trace = Trace::parse(GOOD).unwrap();
        assert_eq!(trace.id, "4bf92f3577b34da6a3ce929d0e0e4736");
        let answer = trace.header();
        assert_eq!(Trace::parse(&answer), Some(trace));
        assert!(answer.ends_with("-01") && !answer.contains("00f067aa0ba902b7"), "{answer}");
        let unsampled = Trace::parse(&GOOD.replace("-01", "-02")).unwrap();
        assert!(unsampled.header().ends_with("-00"));
        assert!(Trace::parse(&format!("01{}-more", &GOOD[2..])).is_some());
    }

    #[test]
    fn what_is_no_trace_is_passed_over() {
        let zeros = [
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        ];
        let others = [&GOOD.to_uppercase(), &format!("ff{}", &GOOD[2..]), &format!("{GOOD}-more"), &GOOD[..53], ""];
        for wrong in zeros.into_iter().chain(others.map(|text| text as &str)) {
            assert_eq!(Trace::parse(wrong), None, "{wrong}");
        }
        let mut headers = HeaderMap::new();
        headers.append(TRACEPARENT, HeaderValue::from_static(GOOD));
        assert!(Trace::of(&headers).is_some());
        headers.append(TRACEPARENT, HeaderValue::from_static(GOOD));
        assert_eq!(Trace::of(&headers), None);
    }
}
