//! Where requests come from: the address that limits are counted by, also behind proxies that the owner trusts. What is limited
//! is not here.

use axum::http::HeaderMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// Bits of an IPv6 address that name a network, of which one machine has every address.
const NETWORK_BITS: u32 = 64;
/// Bits of one that name a site, whose owner has every network of it.
const SITE_BITS: u32 = 48;
/// Most addresses of a header that are looked at, from its end: more proxies in a row nobody has.
const MAX_HOPS: usize = 16;
const LISTED: &str = "x-forwarded-for";
const FORWARDED: &str = "forwarded";

/// What limits by address are counted by: an IPv4 address, or a network of IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Source(IpAddr);

impl Source {
    /// No address: what the service does by itself.
    pub(crate) const NONE: Self = Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED));

    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(beginning(address, NETWORK_BITS)),
            address @ IpAddr::V4(_) => address,
        })
    }

    /// The site of a network of IPv6, which may be that of one owner or of many; none for IPv4.
    pub(crate) fn site(self) -> Option<Self> {
        match self.0 {
            IpAddr::V6(address) => Some(Self(IpAddr::V6(beginning(address, SITE_BITS)))),
            IpAddr::V4(_) => None,
        }
    }
}

/// An address with only its first bits.
fn beginning(address: Ipv6Addr, bits: u32) -> Ipv6Addr {
    let others = u128::BITS - bits;
    Ipv6Addr::from_bits(address.to_bits() >> others << others)
}

/// A neighbour that sends what only proxies send, and that the owner does not name as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Unnamed(pub(crate) IpAddr);

/// A network, as `192.0.2.0/24`; an address alone is one of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "an address or a network such as 192.0.2.0/24 or 2001:db8::/32 is expected".to_owned();
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| expected())?;
        let longest = bits(address).1;
        let prefix = match prefix {
            None => longest,
            Some(prefix) => prefix.parse().ok().filter(|prefix| *prefix <= longest).ok_or_else(expected)?,
        };
        Ok(Self { address, prefix })
    }
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        let ((own, length), (other, others)) = (bits(self.address), bits(address.to_canonical()));
        // A shift by all bits leaves none, which `checked_shr` does not do.
        let network = |bits: u128| bits.checked_shr(length - self.prefix).unwrap_or(0);
        length == others && network(own) == network(other)
    }
}

/// The bits of an address, and how many they are.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), u32::BITS),
        IpAddr::V6(address) => (address.to_bits(), u128::BITS),
    }
}

/// Proxies whose word on where a request comes from is believed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies(Vec<Network>);

impl Proxies {
    pub(crate) fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// Who sends on what others ask, as it seems, and is not trusted: then all of them are counted as one. Only a neighbour,
    /// because anybody else can write such a header.
    pub(crate) fn unnamed(&self, peer: IpAddr, headers: &HeaderMap) -> Option<Unnamed> {
        let is_told = headers.contains_key(LISTED) || headers.contains_key(FORWARDED);
        (is_told && is_near(peer) && !self.trusts(peer)).then(|| Unnamed(peer.to_canonical()))
    }

    /// Where a request comes from. What a header says counts only where a trusted proxy sent it: then it is the last address
    /// that is no such proxy's, because whatever stands before it the client may have written. Where the header cannot be read,
    /// or two headers contradict each other, it is the proxy's own address.
    pub(crate) fn source(&self, peer: IpAddr, headers: &HeaderMap) -> Source {
        if !self.trusts(peer) {
            return Source::of(peer);
        }
        let listed = headers.contains_key(LISTED).then(|| self.client(values(headers, LISTED).map(node)));
        let forwarded = headers.contains_key(FORWARDED).then(|| self.client(values(headers, FORWARDED).map(named)));
        let told = match (listed, forwarded) {
            (Some(listed), Some(forwarded)) if listed == forwarded => listed,
            (Some(_), Some(_)) | (None, None) => None,
            (Some(told), None) | (None, Some(told)) => told,
        };
        Source::of(told.unwrap_or(peer))
    }

    /// The last of the addresses that is no trusted proxy's, or the first one; none where one on the way cannot be read.
    fn client(&self, addresses: impl DoubleEndedIterator<Item = Option<IpAddr>>) -> Option<IpAddr> {
        let mut client = None;
        for address in addresses.rev().take(MAX_HOPS) {
            client = Some(address?);
            if !client.is_some_and(|address| self.trusts(address)) {
                break;
            }
        }
        client
    }
}

/// True for addresses of this machine and of networks that are not the internet.
fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local(),
    }
}

/// The elements of a header that is a list, over all its lines.
fn values<'h>(headers: &'h HeaderMap, name: &str) -> impl DoubleEndedIterator<Item = &'h str> {
    let lines: Vec<&str> = headers.get_all(name).iter().map(|value| value.to_str().unwrap_or_default()).collect();
    lines.into_iter().flat_map(|line| line.split(','))
}

/// The address in an element of `Forwarded` (RFC 7239).
fn named(element: &str) -> Option<IpAddr> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| node(value))?
    })
}

/// An address, perhaps in brackets or quotes, perhaps with a port.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().or_else(|_| text.parse::<SocketAddr>().map(|address| address.ip()));
    address.ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn source(address: &str) -> Source {
        Source::of(address.parse().unwrap())
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn told(trusted: &[&str], peer: &str, lines: &[(&'static str, &str)]) -> Source {
        let networks = trusted.iter().map(|network| network.parse().unwrap()).collect();
        Proxies::new(networks).source(peer.parse().unwrap(), &headers(lines))
    }

    #[test]
    fn addresses_of_one_machine_are_one_source() {
        assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff::9"));
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
        assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
    }

    #[test]
    fn networks_of_one_site_are_told_by_their_first_48_bits() {
        assert_eq!(source("2001:db8:1:2::1").site(), source("2001:db8:1:ffff::9").site());
        assert_ne!(source("2001:db8:1:2::1").site(), source("2001:db8:2:2::1").site());
        assert_eq!(source("192.0.2.1").site(), None);
    }

    #[test]
    fn a_neighbour_that_forwards_and_is_not_named_is_found_out() {
        let unnamed = |trusted: &[&str], peer: &str, lines: &[(&'static str, &str)]| {
            let networks = trusted.iter().map(|network| network.parse().unwrap()).collect();
            Proxies::new(networks).unnamed(peer.parse().unwrap(), &headers(lines))
        };
        let listed = [("x-forwarded-for", "203.0.113.9")];
        for near in ["127.0.0.1", "10.1.1.1", "172.17.0.1", "192.168.1.1", "::1", "fd00::1", "::ffff:10.1.1.1"] {
            let peer = near.parse::<IpAddr>().unwrap().to_canonical();
            assert_eq!(unnamed(&[], near, &listed), Some(Unnamed(peer)), "{near}");
            assert_eq!(unnamed(&[], near, &[]), None);
            assert_eq!(unnamed(&["0.0.0.0/0", "::/0"], near, &listed), None);
        }
        assert_eq!(unnamed(&[], "::1", &[("forwarded", "for=203.0.113.9")]), Some(Unnamed("::1".parse().unwrap())));
        assert_eq!(unnamed(&[], "198.51.100.1", &listed), None, "anybody may write that");
    }

    #[test]
    fn networks_hold_the_addresses_that_begin_as_they_do() {
        let holds =
            |network: &str, address: &str| network.parse::<Network>().unwrap().contains(address.parse().unwrap());
        assert!(holds("10.0.0.0/8", "10.255.1.2") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("10.0.0.1", "10.0.0.1") && !holds("10.0.0.1", "10.0.0.2"));
        assert!(holds("0.0.0.0/0", "203.0.113.9") && !holds("0.0.0.0/0", "2001:db8::1"));
        assert!(holds("::/0", "2001:db8::1") && holds("10.0.0.0/8", "::ffff:10.1.1.1"));
        for wrong in ["", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0", "2001:db8::/129", "proxy.example"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_a_trusted_proxy_is_believed_where_a_request_comes_from() {
        let spoofed = [("x-forwarded-for", "203.0.113.9")];
        assert_eq!(told(&[], "192.0.2.1", &spoofed), source("192.0.2.1"));
        assert_eq!(told(&["10.0.0.0/8"], "192.0.2.1", &spoofed), source("192.0.2.1"));
        assert_eq!(told(&["10.0.0.0/8"], "10.1.1.1", &spoofed), source("203.0.113.9"));
    }

    #[test]
    fn the_last_address_that_is_no_proxys_counts_whatever_the_client_wrote_before_it() {
        let through = |value: &str| told(&["10.0.0.0/8"], "10.1.1.1", &[("x-forwarded-for", value)]);
        assert_eq!(through("198.51.100.7, 203.0.113.9"), source("203.0.113.9"));
        assert_eq!(through("198.51.100.7, 203.0.113.9, 10.2.2.2"), source("203.0.113.9"));
        assert_eq!(through("nonsense, 203.0.113.9:4711"), source("203.0.113.9"));
        assert_eq!(through("[2001:db8::1]:80"), source("2001:db8::1"));
        assert_eq!(through("10.3.3.3, 10.2.2.2"), source("10.3.3.3"), "all of them are proxies");
        for unreadable in ["", "unknown", "203.0.113.9, _hidden"] {
            assert_eq!(through(unreadable), source("10.1.1.1"), "{unreadable}");
        }
        let lines = [("x-forwarded-for", "198.51.100.7"), ("x-forwarded-for", "203.0.113.9")];
        assert_eq!(told(&["10.0.0.0/8"], "10.1.1.1", &lines), source("203.0.113.9"), "a list over two lines");
    }

    #[test]
    fn forwarded_counts_like_the_older_header_and_must_not_contradict_it() {
        let through = |lines: &[(&'static str, &str)]| told(&["::1"], "::1", lines);
        let forwarded = ("forwarded", "for=198.51.100.7, For=\"[2001:db8::17]:4711\";proto=https;by=203.0.113.43");
        assert_eq!(through(&[forwarded]), source("2001:db8::17"));
        assert_eq!(through(&[("forwarded", "proto=https")]), source("::1"));
        assert_eq!(through(&[forwarded, ("x-forwarded-for", "2001:db8::17")]), source("2001:db8::17"));
        // A proxy that sets one of them passes the other on as the client wrote it.
        assert_eq!(through(&[forwarded, ("x-forwarded-for", "203.0.113.9")]), source("::1"));
    }
}
