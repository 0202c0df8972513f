//! URLs of services, proxies and pages: the one reader of them. It is stricter than the standard where programs disagree:
//! what is accepted means the same host and port to everybody. Whether one may be asked is not decided here.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Longest URL, in bytes.
pub const MAX_LEN: usize = 2048;
/// Longest name of a host, and of one of its parts.
const MAX_HOST: usize = 253;
const MAX_LABEL: usize = 63;

/// What is wrong with a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.why())]
pub enum UrlError {
    /// Longer than [`MAX_LEN`].
    TooLong,
    /// A blank, a control character, or one that must be written in another way.
    Letter,
    /// Neither `https` nor `http`.
    Scheme,
    /// No host.
    NoHost,
    /// Neither a name nor an address.
    Host,
    /// What the brackets hold is no address, or they do not close.
    Brackets,
    /// An address that means something on one machine only.
    Zone,
    /// Something other than a port behind the brackets.
    BehindHost,
    /// No number from 1 to 65535.
    Port,
    /// Credentials where none belong.
    User,
    /// A fragment, which never reaches a service.
    Fragment,
    /// A path or query where only a host belongs.
    Path,
}

impl UrlError {
    /// The fault as a clause.
    pub fn why(self) -> &'static str {
        match self {
            Self::TooLong => "a URL has at most 2048 bytes",
            Self::Letter => {
                "a URL has neither blanks nor control characters, and letters outside ASCII are percent-encoded"
            }
            Self::Scheme => "the URL does not begin with https:// or http://",
            Self::NoHost => "the URL names no host",
            Self::Host => "the host of the URL is neither a name nor an IPv4 address",
            Self::Brackets => "the brackets of the URL do not hold an IPv6 address",
            Self::Zone => "the IPv6 address of the URL has a zone, which only this machine understands",
            Self::BehindHost => "the URL has text between its host and its port or path",
            Self::Port => "the port of the URL is not a number from 1 to 65535",
            Self::User => "the URL holds a user name or password",
            Self::Fragment => "the URL has a part behind #, which is never sent",
            Self::Path => "the URL of a proxy ends after its port",
        }
    }
}

/// The parts of a URL, as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Url<'u> {
    /// `https` rather than `http`.
    pub https: bool,
    /// User name and password, without the `@`.
    pub user: Option<&'u str>,
    /// Name or address, without brackets.
    pub host: &'u str,
    /// The port, if it is written.
    pub port: Option<u16>,
    /// Path, query and fragment.
    pub rest: &'u str,
}

impl<'u> Url<'u> {
    /// Reads any `http` or `https` URL.
    pub fn parse(text: &'u str) -> Result<Self, UrlError> {
        if text.len() > MAX_LEN {
            return Err(UrlError::TooLong);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(UrlError::Letter);
        }
        let (scheme, behind) = text.split_once("://").ok_or(UrlError::Scheme)?;
        let https = scheme.eq_ignore_ascii_case("https");
        if !https && !scheme.eq_ignore_ascii_case("http") {
            return Err(UrlError::Scheme);
        }
        // Some programs end the host at a backslash, others do not.
        let (authority, rest) = behind.split_at(behind.find(['/', '?', '#', '\\']).unwrap_or(behind.len()));
        if rest.starts_with('\\') {
            return Err(UrlError::BehindHost);
        }
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let (host, port) = host_and_port(place)?;
        Ok(Self { https, user, host, port, rest })
    }

    /// Reads the URL of a service or a page: nothing in it is secret, and all of it is sent.
    pub fn public(text: &'u str) -> Result<Self, UrlError> {
        let url = Self::parse(text)?;
        match url {
            Self { user: Some(_), .. } => Err(UrlError::User),
            _ if url.rest.contains('#') => Err(UrlError::Fragment),
            _ => Ok(url),
        }
    }

    /// Reads the URL of a page that a person opens.
    pub fn page(text: &'u str) -> Result<Self, UrlError> {
        let url = Self::parse(text)?;
        if url.user.is_some() { Err(UrlError::User) } else { Ok(url) }
    }

    /// Reads the URL of a proxy: a host, a port, and credentials if it wants them.
    pub fn proxy(text: &'u str) -> Result<Self, UrlError> {
        let url = Self::parse(text)?;
        if url.rest.is_empty() || url.rest == "/" { Ok(url) } else { Err(UrlError::Path) }
    }
}

fn host_and_port(place: &str) -> Result<(&str, Option<u16>), UrlError> {
    let (host, behind) = match place.strip_prefix('[') {
        Some(bracketed) => {
            let (address, behind) = bracketed.split_once(']').ok_or(UrlError::Brackets)?;
            if address.contains('%') {
                return Err(UrlError::Zone);
            }
            address.parse::<Ipv6Addr>().map_err(|_| UrlError::Brackets)?;
            (address, behind)
        }
        None => {
            let (host, behind) = place.split_at(place.find(':').unwrap_or(place.len()));
            name(host)?;
            (host, behind)
        }
    };
    match behind.strip_prefix(':') {
        Some(digits) => Ok((host, Some(port(digits)?))),
        None if behind.is_empty() => Ok((host, None)),
        None => Err(UrlError::BehindHost),
    }
}

/// A number of digits only: `parse` alone would take a sign as well.
fn port(digits: &str) -> Result<u16, UrlError> {
    let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten();
    number.filter(|number| *number != 0).ok_or(UrlError::Port)
}

/// A name, or an IPv4 address. A name that ends in a number is an address, or nothing.
fn name(host: &str) -> Result<(), UrlError> {
    if host.is_empty() {
        return Err(UrlError::NoHost);
    }
    let bare = host.strip_suffix('.').unwrap_or(host);
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let label = |label: &str| (1..=MAX_LABEL).contains(&label.len()) && label.bytes().all(letter);
    let last = bare.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    let numeric = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
    let good = bare.len() <= MAX_HOST && bare.split('.').all(label) && (!numeric || host.parse::<Ipv4Addr>().is_ok());
    if good { Ok(()) } else { Err(UrlError::Host) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_urls_are_taken_apart() {
        let parts = |text| Url::public(text).map(|url| (url.https, url.host, url.port, url.rest)).unwrap();
        assert_eq!(parts("https://example.org/a?b=c"), (true, "example.org", None, "/a?b=c"));
        assert_eq!(parts("HTTP://EXAMPLE.org.:8080?q"), (false, "EXAMPLE.org.", Some(8080), "?q"));
        assert_eq!(parts("https://[2001:db8::1]:65535/"), (true, "2001:db8::1", Some(65535), "/"));
        assert_eq!(parts("http://127.0.0.1:1"), (false, "127.0.0.1", Some(1), ""));
        assert_eq!(parts("https://a_b.xn--bcher-kva.example/a:b@c").1, "a_b.xn--bcher-kva.example");
        assert_eq!(parts("https://4you.example/").1, "4you.example");
        let proxy = Url::proxy("http://user:p%40ss@proxy.example:3128/").unwrap();
        assert_eq!((proxy.user, proxy.host, proxy.port), (Some("user:p%40ss"), "proxy.example", Some(3128)));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, error) in [
            ("https://example.org:65536/", UrlError::Port),
            ("https://example.org:70000", UrlError::Port),
            ("https://example.org:99999999999999999999/", UrlError::Port),
            ("https://example.org:0/", UrlError::Port),
            ("https://example.org:/", UrlError::Port),
            ("https://example.org:+443/", UrlError::Port),
            ("https://example.org:443x/", UrlError::Port),
            ("https://example.org:80:80/", UrlError::Port),
            ("https://2001:db8::1/", UrlError::Host),
            ("https://[]46/", UrlError::Brackets),
            ("https://[]/", UrlError::Brackets),
            ("https://[::1/", UrlError::Brackets),
            ("https://[127.0.0.1]/", UrlError::Brackets),
            ("https://[::1]46/", UrlError::BehindHost),
            ("https://[::1].example.org/", UrlError::BehindHost),
            ("https://[::1]:/", UrlError::Port),
            ("https://[::1]:65536/", UrlError::Port),
            ("https://[fe80::1%25eth0]/", UrlError::Zone),
            ("https://[fe80::1%eth0]:443/", UrlError::Zone),
            ("https://example.org\\@evil.example/", UrlError::BehindHost),
            ("https://", UrlError::NoHost),
            ("https:///path", UrlError::NoHost),
            ("https://?x", UrlError::NoHost),
            ("https://:443/", UrlError::NoHost),
            ("https://user@/", UrlError::NoHost),
            ("https://a..b/", UrlError::Host),
            ("https://.a/", UrlError::Host),
            ("https://./", UrlError::Host),
            ("https://a%2eb/", UrlError::Host),
            ("https://a]b/", UrlError::Host),
            ("https://256.1.1.1/", UrlError::Host),
            ("https://1.2.3/", UrlError::Host),
            ("https://127.0.0.1./", UrlError::Host),
            ("https://0x7f000001/", UrlError::Host),
            ("https://2130706433/", UrlError::Host),
            ("https://user:secret@example.org/", UrlError::User),
            ("https://@example.org/", UrlError::User),
            ("https://example.org/#part", UrlError::Fragment),
            ("https://exam ple.org/", UrlError::Letter),
            (" https://example.org/", UrlError::Letter),
            ("https://example.org/\n", UrlError::Letter),
            ("https://example.org/\u{7f}", UrlError::Letter),
            ("https://b\u{fc}cher.example/", UrlError::Letter),
            ("", UrlError::Scheme),
            ("example.org", UrlError::Scheme),
            ("https:example.org", UrlError::Scheme),
            ("ftp://example.org/", UrlError::Scheme),
            ("file:///etc/passwd", UrlError::Scheme),
        ] {
            assert_eq!(Url::public(text), Err(error), "{text:?}");
        }
        let (long, label) = (format!("https://a/{}", "a".repeat(MAX_LEN)), format!("https://{}/", "a".repeat(64)));
        assert_eq!(Url::public(&long), Err(UrlError::TooLong));
        assert!(UrlError::TooLong.why().contains(&MAX_LEN.to_string()));
        assert_eq!(Url::public(&label), Err(UrlError::Host));
    }

    #[test]
    fn a_proxy_is_a_host_and_a_port() {
        for (text, error) in [
            ("http://proxy.example/path", UrlError::Path),
            ("http://proxy.example?x", UrlError::Path),
            ("http://proxy.example:70000", UrlError::Port),
            ("http://u:p@[]46", UrlError::Brackets),
            ("http://u:p@", UrlError::NoHost),
            ("socks5://proxy.example", UrlError::Scheme),
        ] {
            assert_eq!(Url::proxy(text), Err(error), "{text:?}");
        }
    }
}
