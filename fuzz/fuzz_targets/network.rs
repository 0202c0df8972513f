//! URLs, redirects, proxies, dates of HTTP, and what an answer's head and body become.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wmlicense_core::fuzzing::transport::{Asked, seconds_to_wait, shown, told};

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    let lines: Vec<&str> = text.split('\n').collect();
    if choice & 1 == 0 { urls(*choice, &lines) } else { answers(*choice, &lines) }
});

fn line<'t>(lines: &[&'t str], number: usize) -> &'t str {
    lines.get(number).copied().unwrap_or("")
}

fn urls(choice: u8, lines: &[&str]) {
    let (url, location, allow_http) = (line(lines, 0), line(lines, 1), choice & 2 != 0);
    let seen = shown(url);
    assert!(seen.chars().count() <= 200 && !seen.contains(['?', '#']) && !seen.contains(char::is_control));
    let Some(asked) = Asked::of(url, allow_http) else { return };
    assert!(asked.is_https() || asked.is_private() || allow_http);
    assert!(
        !asked.host().is_empty() && !asked.host().contains(['@', '/', '?', '#', '\\']),
        "{:?} of {url:?}",
        asked.host()
    );
    // A port that is written is the port that is asked.
    let authority = url.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next()).unwrap_or("");
    if let Some((_, port)) = authority.rsplit(']').next().and_then(|tail| tail.rsplit_once(':'))
        && !port.is_empty()
    {
        assert_eq!(port.parse().ok(), Some(asked.port()), "the port of {url:?}");
    }
    if let Some(next) = asked.redirected(location, allow_http) {
        assert!(!asked.is_https() || next.is_https());
        assert!(Asked::of(&next.text(), allow_http).is_some(), "{:?} is not asked again", next.text());
        assert!(!location.starts_with('/') || next.same_origin(&asked), "{url:?} to {:?}", next.text());
    }
    let proxy = asked.proxy(line(lines, 2), line(lines, 3), line(lines, 4));
    if line(lines, 4).split([',', ' ']).any(|item| item == "*") {
        assert_eq!(proxy, Some(None));
    }
}

fn answers(choice: u8, lines: &[&str]) {
    let date = Some(line(lines, 1)).filter(|date| !date.is_empty());
    let _ = seconds_to_wait(line(lines, 0), date, i64::from_le_bytes([choice; 8]));
    let pair = |line: &&str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    let headers: Vec<_> = lines.iter().skip(3).take(6).filter_map(pair).collect();
    let body = lines.get(9..).unwrap_or_default().join("\n").into_bytes();
    let length = (choice & 4 != 0).then_some(body.len() as u64);
    let said = told(line(lines, 2).parse().unwrap_or(503), &headers, length, body);
    assert!(!said.contains(char::is_control) && said.len() < 4096, "{said:?}");
}
