//! Which URLs may be used, how they are shown, and where a redirect leads.

use super::TransportError;
use std::net::IpAddr;
use ureq::http::Uri;
use wmlicense_wire::url::Url;

/// A URL that may be used.
pub(crate) struct Target {
    pub(crate) uri: Uri,
    /// The account token may travel there: the connection is encrypted, or never leaves the machine.
    pub(crate) private: bool,
}

impl Target {
    /// Accepts https anywhere, and http to loopback or where `allow_http` says so.
    pub(crate) fn parse(url: &str, allow_http: bool) -> Result<Self, TransportError> {
        let refused = || TransportError::Url(shown(url));
        let parts = Url::public(url).map_err(|_| refused())?;
        let private = parts.https || is_loopback(parts.host);
        if !private && !allow_http {
            return Err(refused());
        }
        let uri = url.parse().map_err(|_| refused())?;
        Ok(Self { uri, private })
    }

    /// Where a redirect from here leads: never from https to http, and never to a URL that could not be asked at once.
    pub(crate) fn redirected(&self, location: &str, allow_http: bool) -> Result<Self, TransportError> {
        let absolute = if location.starts_with('/') && !location.starts_with("//") {
            let scheme = self.uri.scheme_str().unwrap_or("https");
            let authority = self.uri.authority().map_or("", |authority| authority.as_str());
            format!("{scheme}://{authority}{location}")
        } else {
            location.to_owned()
        };
        let next = Self::parse(&absolute, allow_http)?;
        let downgraded = self.uri.scheme_str() == Some("https") && next.uri.scheme_str() != Some("https");
        if downgraded { Err(TransportError::Url(shown(&absolute))) } else { Ok(next) }
    }

    /// The host without brackets.
    pub(crate) fn host(&self) -> &str {
        self.uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    /// The port, also where the URL leaves it out.
    pub(crate) fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(if self.is_https() { 443 } else { 80 })
    }

    pub(crate) fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// True if both have the same scheme, host and port.
    pub(crate) fn same_origin(&self, other: &Self) -> bool {
        let same_host = self.host().eq_ignore_ascii_case(other.host());
        same_host && self.uri.scheme() == other.uri.scheme() && self.port() == other.port()
    }
}

pub(crate) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A URL as errors show it: without query, fragment and credentials.
pub(crate) fn shown(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = bare.split_once("://").unwrap_or(("", bare));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let text = if scheme.is_empty() { format!("{host}{path}") } else { format!("{scheme}://{host}{path}") };
    text.chars().filter(|letter| !letter.is_control()).take(200).collect()
}

/// `path` below a base URL.
pub(crate) fn join(base: &str, path: &str) -> String {
    format!("{}/{}", base.trim_end_matches('/'), path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(url: &str, allow_http: bool) -> Option<bool> {
        Target::parse(url, allow_http).ok().map(|target| target.private)
    }

    #[test]
    fn https_is_allowed_anywhere_and_http_only_to_loopback_or_by_option() {
        assert_eq!(allowed("https://example.org/a?b", false), Some(true));
        for local in ["http://127.0.0.1:1", "http://127.9.9.9/", "http://[::1]:2/x", "http://LOCALHOST/"] {
            assert_eq!(allowed(local, false), Some(true), "{local}");
        }
        assert_eq!(allowed("http://example.org/", false), None);
        assert_eq!(allowed("http://example.org/", true), Some(false));
        assert_eq!(allowed("http://127.0.0.1.example.org/", false), None);
    }

    #[test]
    fn malformed_urls_and_other_schemes_are_refused() {
        let (user, port) = ("https://user:secret@example.org/", "https://example.org:70000/");
        for url in ["", "/path", "ftp://example.org/", "https://", "https://[]46/", "https://exam ple.org/", user, port]
        {
            assert_eq!(allowed(url, true), None, "{url}");
        }
    }

    #[test]
    fn errors_show_neither_credentials_nor_queries() {
        assert_eq!(shown("https://user:secret@example.org/a?token=x#y"), "https://example.org/a");
        assert_eq!(shown("user:secret@example.org\n"), "example.org");
    }

    #[test]
    fn a_redirect_never_leads_from_https_to_http() {
        let from = Target::parse("https://example.org/a", true).unwrap();
        assert!(from.redirected("http://example.org/a", true).is_err());
        assert!(from.redirected("http://127.0.0.1/a", true).is_err());
        assert!(from.redirected("//example.com/a", true).is_err());
        assert!(from.redirected("a", true).is_err());
        let same = from.redirected("/b?c=1", false).unwrap();
        assert_eq!(same.uri.to_string(), "https://example.org/b?c=1");
        assert!(same.same_origin(&from));
        let other = from.redirected("https://example.com/b", false).unwrap();
        assert!(!other.same_origin(&from));
    }

    #[test]
    fn an_origin_is_scheme_host_and_port_however_they_are_written() {
        let from = Target::parse("https://example.org/a", true).unwrap();
        for (url, same) in [
            ("https://EXAMPLE.org:443/b?c", true),
            ("https://example.org:444/a", false),
            ("http://example.org:443/a", false),
            ("https://a.example.org/a", false),
            ("https://example.org.example/a", false),
        ] {
            assert_eq!(Target::parse(url, true).unwrap().same_origin(&from), same, "{url}");
        }
    }

    #[test]
    fn a_path_is_joined_with_one_slash() {
        assert_eq!(join("https://example.org/", "/v1/licenses"), "https://example.org/v1/licenses");
        assert_eq!(join("https://example.org/x", "v1/licenses"), "https://example.org/x/v1/licenses");
    }
}
