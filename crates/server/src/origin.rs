//! Sites whose pages may read answers (Fetch, 3.2): what their owner says, and what browsers say.

use std::str::FromStr;
use wmlicense_wire::url::Url;

/// A site, as `https://video.example`, or all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

const ANY: &str = "*";

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == ANY {
            return Ok(Self(ANY.to_owned()));
        }
        let expected = || "a site such as https://video.example, without a path, or * for all is expected".to_owned();
        let bare = text.strip_suffix('/').unwrap_or(text);
        Url::public(bare).ok().filter(|url| url.rest.is_empty()).ok_or_else(expected)?;
        of(bare).map(Self).ok_or_else(expected)
    }
}

impl Origin {
    /// True if it is the site of an `Origin` header, or stands for all.
    pub(crate) fn is(&self, header: &str) -> bool {
        self.0 == ANY || of(header).is_some_and(|site| site == self.0)
    }

    pub(crate) fn is_any(&self) -> bool {
        self.0 == ANY
    }
}

/// The site of a URL, as browsers write it.
pub(crate) fn of(url: &str) -> Option<String> {
    let url = Url::public(url).ok()?;
    let (scheme, default) = if url.https { ("https", 443) } else { ("http", 80) };
    let host = url.host.to_ascii_lowercase();
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    Some(match url.port.filter(|port| *port != default) {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_the_same_however_its_owner_writes_it() {
        for text in ["https://Video.Example", "https://video.example:443", "https://video.example/"] {
            let site: Origin = text.parse().unwrap();
            assert!(site.is("https://video.example") && !site.is_any(), "{text}");
            for other in ["http://video.example", "https://video.example:8443", "https://example", "null", ""] {
                assert!(!site.is(other), "{text}: {other}");
            }
        }
        assert!("http://[::1]:8080".parse::<Origin>().unwrap().is("http://[::1]:8080"));
        assert!("*".parse::<Origin>().unwrap().is("null"));
        for bad in ["", "video.example", "https://video.example/a", "https://a@b.example", "null", "**", "https://"] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }
}
