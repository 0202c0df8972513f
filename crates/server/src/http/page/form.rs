//! Reading what a browser sends: queries and small forms as `application/x-www-form-urlencoded`, and the URL to lead back
//! to, which is only ever one on the user's own machine.

/// Fields of a query or form, in order.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads fields; what is not UTF-8 in them becomes U+FFFD.
    pub(super) fn parse(text: &str) -> Self {
        Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The first field of this name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Longest name in a URL to lead back to.
const MAX_NAME: usize = 64;

/// Where an application on the user's machine waits to hear that the user has decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Back {
    origin: String,
    name: String,
}

impl Back {
    /// Accepts `http://127.0.0.1:PORT/NAME` and `http://[::1]:PORT/NAME`, where NAME holds letters, digits, `-` and `_`.
    pub(super) fn parse(url: &str) -> Option<Self> {
        let host = ["http://127.0.0.1:", "http://[::1]:"].into_iter().find(|host| url.starts_with(host))?;
        let (port, name) = url.strip_prefix(host)?.split_once('/')?;
        let port: u16 = Some(port).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let good = port != 0 && name.len() <= MAX_NAME && name.bytes().all(plain);
        good.then(|| Self { origin: format!("{host}{port}"), name: name.to_owned() })
    }

    /// The URL with the interaction, which is all that it tells.
    pub(super) fn url(&self, interaction: &str) -> String {
        format!("{}/{}?interaction={interaction}", self.origin, self.name)
    }

    /// The origin as a content security policy can name it, which knows no IPv6 addresses.
    pub(super) fn policy_source(&self) -> Option<&str> {
        (!self.origin.contains('[')).then_some(self.origin.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_leads_back_to_the_same_machine_only() {
        let back = Back::parse("http://127.0.0.1:4711/a_B-9").unwrap();
        assert_eq!(back.url("id"), "http://127.0.0.1:4711/a_B-9?interaction=id");
        assert_eq!(back.policy_source(), Some("http://127.0.0.1:4711"));
        let six = Back::parse("http://[::1]:80/").unwrap();
        assert_eq!((six.url("id").as_str(), six.policy_source()), ("http://[::1]:80/?interaction=id", None));
        for other in [
            "https://127.0.0.1:1/",
            "http://127.0.0.1/",
            "http://127.0.0.1:1",
            "http://127.0.0.1:0/",
            "http://127.0.0.1:65536/",
            "http://127.0.0.1:+1/",
            "http://127.0.0.1:1@evil.example/",
            "http://127.0.0.1:1/a/b",
            "http://127.0.0.1:1/?x",
            "http://127.0.0.1:1/a#b",
            "http://127.0.0.1.evil.example:1/",
            "http://localhost:1/",
            "//127.0.0.1:1/",
            "javascript:alert(1)",
        ] {
            assert_eq!(Back::parse(other), None, "{other}");
        }
    }
}
