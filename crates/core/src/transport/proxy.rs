//! Which proxy a request goes through: none, one that the application names, or the environment's.

use super::url::{is_loopback, shown};
use super::{Target, TransportError};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use ureq::{Proxy, ProxyProtocol};
use wmlicense_wire::url::Url;

/// Where the proxy comes from. Loopback addresses are always asked directly.
#[derive(Clone, Default)]
pub enum ProxyChoice {
    /// No proxy.
    #[default]
    None,
    /// The URL of an HTTP proxy, for every host that is not on this machine.
    Url(String),
    /// What the environment said when it was read.
    Environment(Arc<ProxyEnvironment>),
}

/// URLs of proxies may hold a password.
impl fmt::Debug for ProxyChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Url(_) => "Url",
            Self::Environment(_) => "Environment",
        })
    }
}

/// The proxy variables of the environment, as other programs understand them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProxyEnvironment {
    https: Option<String>,
    http: Option<String>,
    exceptions: Vec<Exception>,
}

impl ProxyEnvironment {
    /// Reads the environment: `https_proxy`, `http_proxy`, `all_proxy` and `no_proxy`, each in small letters or, failing
    /// that, in capitals. `HTTP_PROXY` does not count where `REQUEST_METHOD` is set: there a client could have sent it.
    pub fn read() -> Self {
        Self::from(|name| std::env::var(name).ok())
    }

    /// As [`ProxyEnvironment::read`], from another place than the environment.
    pub fn from(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|text| !text.trim().is_empty());
        let either = |name: &str| set(name).or_else(|| set(&name.to_ascii_uppercase()));
        let all = either("all_proxy");
        let http = if variable("REQUEST_METHOD").is_some() { set("http_proxy") } else { either("http_proxy") };
        let exceptions = either("no_proxy").unwrap_or_default();
        Self {
            https: either("https_proxy").or_else(|| all.clone()),
            http: http.or(all),
            exceptions: exceptions.split([',', ' ']).filter_map(Exception::parse).collect(),
        }
    }

    fn proxy(&self, target: &Target) -> Option<&str> {
        let host = target.host().trim_end_matches('.').to_ascii_lowercase();
        let port = target.port();
        if self.exceptions.iter().any(|exception| exception.covers(&host, port)) {
            return None;
        }
        if target.is_https() { self.https.as_deref() } else { self.http.as_deref() }
    }
}

/// One item of `no_proxy`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Exception {
    /// `*`.
    All,
    /// A name and everything below it (`example.org`, `.example.org`, `*.example.org`), at one port or all.
    Name(String, Option<u16>),
    /// An address, at one port or all.
    Address(IpAddr, Option<u16>),
    /// A network (`10.0.0.0/8`).
    Network(IpAddr, u8),
}

impl Exception {
    fn parse(item: &str) -> Option<Self> {
        let item = item.trim().to_ascii_lowercase();
        if item == "*" {
            return Some(Self::All);
        }
        if let Some((network, length)) = item.split_once('/') {
            let network: IpAddr = network.parse().ok()?;
            let most = if network.is_ipv4() { 32 } else { 128 };
            return length.parse().ok().filter(|length| *length <= most).map(|length| Self::Network(network, length));
        }
        if let Ok(address) = item.trim_start_matches('[').trim_end_matches(']').parse() {
            return Some(Self::Address(address, None));
        }
        let (host, port) = match item.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse().ok()?)),
            None => (item.as_str(), None),
        };
        if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse() {
            return Some(Self::Address(address, port));
        }
        let name = host.trim_start_matches('*').trim_matches('.');
        (!name.is_empty()).then(|| Self::Name(name.to_owned(), port))
    }

    /// `host` in small letters, without brackets.
    fn covers(&self, host: &str, port: u16) -> bool {
        let at = |wanted: &Option<u16>| wanted.is_none_or(|wanted| wanted == port);
        let address: Option<IpAddr> = host.parse().ok();
        match self {
            Self::All => true,
            Self::Name(name, wanted) => {
                let below = host.strip_suffix(name.as_str());
                at(wanted) && below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            Self::Address(known, wanted) => at(wanted) && address == Some(*known),
            Self::Network(network, length) => address.is_some_and(|address| within(address, *network, *length)),
        }
    }
}

fn within(address: IpAddr, network: IpAddr, length: u8) -> bool {
    let (address, network, bits) = match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            (u128::from(address.to_bits()), u128::from(network.to_bits()), 32)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => (address.to_bits(), network.to_bits(), 128),
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
    };
    let ignored = bits - u32::from(length);
    address.checked_shr(ignored).unwrap_or(0) == network.checked_shr(ignored).unwrap_or(0)
}

/// The proxy for a request to `target`, or none.
pub(super) fn proxy_for(choice: &ProxyChoice, target: &Target) -> Result<Option<Proxy>, TransportError> {
    let url = match choice {
        _ if is_loopback(target.host()) => None,
        ProxyChoice::None => None,
        ProxyChoice::Url(url) => Some(url.as_str()),
        ProxyChoice::Environment(environment) => environment.proxy(target),
    };
    url.map(usable).transpose()
}

/// A proxy that this version can use. Going around one that it cannot use would show the user's address.
fn usable(url: &str) -> Result<Proxy, TransportError> {
    let malformed = || TransportError::Proxy(format!("the proxy {} cannot be used", shown(url)));
    // The environment may name a host alone.
    let url = url.trim();
    let whole = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    Url::proxy(&whole)
        .map_err(|error| TransportError::Proxy(format!("the proxy {} cannot be used: {error}", shown(url))))?;
    let proxy = Proxy::new(&whole).map_err(|_| malformed())?;
    match proxy.protocol() {
        ProxyProtocol::Http | ProxyProtocol::Https if !proxy.host().is_empty() => Ok(proxy),
        // The agent's enum is open.
        _ => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> ProxyEnvironment {
        ProxyEnvironment::from(|name| {
            pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn proxy(pairs: &[(&str, &str)], url: &str) -> Option<String> {
        let choice = ProxyChoice::Environment(Arc::new(environment(pairs)));
        let proxy = proxy_for(&choice, &Target::parse(url, true).unwrap()).unwrap();
        proxy.map(|proxy| format!("{}:{}", proxy.host(), proxy.port()))
    }

    #[test]
    fn each_scheme_has_its_variable_and_all_is_for_the_rest() {
        let both = [("https_proxy", "http://s:1"), ("HTTP_PROXY", "h:2"), ("ALL_PROXY", "http://a:3")];
        assert_eq!(proxy(&both, "https://example.org/").as_deref(), Some("s:1"));
        assert_eq!(proxy(&both, "http://example.org/").as_deref(), Some("h:2"));
        assert_eq!(proxy(&both[2..], "https://example.org/").as_deref(), Some("a:3"));
        assert_eq!(proxy(&both[2..], "http://example.org/").as_deref(), Some("a:3"));
        assert_eq!(proxy(&[], "https://example.org/"), None);
        let small_first = [("HTTPS_PROXY", "http://big:1"), ("https_proxy", "http://small:1")];
        assert_eq!(proxy(&small_first, "https://example.org/").as_deref(), Some("small:1"));
        assert_eq!(proxy(&[("https_proxy", " ")], "https://example.org/"), None);
    }

    #[test]
    fn a_variable_that_a_client_of_a_web_server_could_set_does_not_count() {
        let cgi = [("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "http://evil:1")];
        assert_eq!(proxy(&cgi, "http://example.org/"), None);
    }

    #[test]
    fn loopback_is_never_asked_through_a_proxy() {
        for url in ["http://127.0.0.1:1/", "https://localhost/", "http://[::1]/", "https://127.8.8.8/"] {
            assert_eq!(proxy(&[("ALL_PROXY", "http://a:3")], url), None, "{url}");
            let named = ProxyChoice::Url("http://a:3".to_owned());
            assert!(proxy_for(&named, &Target::parse(url, true).unwrap()).unwrap().is_none(), "{url}");
        }
    }

    #[test]
    fn exceptions_are_names_ports_addresses_and_networks() {
        let covered =
            |list: &str, url: &str| proxy(&[("https_proxy", "http://p:1"), ("no_proxy", list)], url).is_none();
        for (list, url) in [
            ("example.org", "https://example.org/"),
            ("example.org", "https://a.b.example.org/"),
            (".example.org", "https://a.example.org/"),
            ("*.example.org", "https://a.EXAMPLE.org./"),
            ("x, example.org:8443", "https://example.org:8443/"),
            ("example.org:443", "https://example.org/"),
            ("*", "https://anything/"),
            ("10.1.2.3", "https://10.1.2.3/"),
            ("10.0.0.0/8", "https://10.200.1.1/"),
            ("0.0.0.0/0", "https://1.2.3.4/"),
            ("fd00::/8", "https://[fd12::1]/"),
            ("[fd12::1]:443", "https://[fd12::1]/"),
            ("fd12::1", "https://[fd12::1]:9/"),
        ] {
            assert!(covered(list, url), "{list} {url}");
        }
        for (list, url) in [
            ("example.org", "https://badexample.org/"),
            ("example.org:8443", "https://example.org/"),
            ("10.0.0.0/8", "https://11.0.0.1/"),
            ("10.0.0.0/33", "https://10.0.0.1/"),
            ("10.0.0.0/8", "https://example.org/"),
            ("fd00::/8", "https://10.0.0.1/"),
            ("", "https://example.org/"),
        ] {
            assert!(!covered(list, url), "{list} {url}");
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_no_reason_to_go_around_it() {
        let target = Target::parse("https://example.org/", false).unwrap();
        for url in
            ["socks5://user:secret@p:1080", "http://", "http://user:secret@", "user:secret@p:70000", "http://[]46"]
        {
            let Err(TransportError::Proxy(reason)) = proxy_for(&ProxyChoice::Url(url.to_owned()), &target) else {
                unreachable!("{url} was accepted")
            };
            assert!(!reason.contains("secret"), "{reason}");
        }
        assert_eq!(format!("{:?}", ProxyChoice::Url("http://user:secret@p".to_owned())), "Url");
    }
}
