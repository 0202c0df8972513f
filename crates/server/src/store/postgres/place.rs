//! Where a database is: the URL of PostgreSQL, with what this program adds to it.

use super::super::StoreError;
use deadpool_postgres::tokio_postgres::Config;
use deadpool_postgres::tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

/// Connections of one process at most, where the URL names no number.
const CONNECTIONS: usize = 16;
/// How long one host may take to answer, before the next one is tried; and how long somebody waits for a connection that others
/// use. The URL may say another time for both.
const HOST_TIMEOUT: Duration = Duration::from_secs(3);
const WAIT: Duration = Duration::from_secs(5);
/// After so long without a word from a host that was sent something, it counts as gone.
const SILENCE: Duration = Duration::from_secs(10);

/// A database of PostgreSQL.
#[derive(Clone)]
pub(crate) struct Place {
    config: Config,
    connections: usize,
    wait: Duration,
    /// Certificates of the authorities that the server's is checked against, PEM; those of the system if there is none.
    roots: Option<PathBuf>,
}

/// The password stands in no log.
impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").field("hosts", &self.config.get_hosts()).finish_non_exhaustive()
    }
}

impl Place {
    /// Reads `postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/NAME?…` as libpq knows it; `connections` and `sslrootcert` are read here.
    pub(crate) fn parse(url: &str) -> Result<Self, StoreError> {
        let (address, asked) = url.split_once('?').unwrap_or((url, ""));
        let (mut connections, mut roots, mut rest) = (CONNECTIONS, None, Vec::new());
        let (mut verified, mut is_said) = (false, false);
        for pair in asked.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("connections", number)) => {
                    let number = number.parse().ok().filter(|number| (1..=1000).contains(number));
                    connections = number.ok_or_else(|| wrong("connections is a number from 1 to 1000"))?;
                }
                Some(("sslrootcert", path)) => roots = Some(PathBuf::from(decoded(path))),
                // Every certificate is verified with the name of its host.
                Some(("sslmode", "verify-full" | "verify-ca")) => verified = true,
                other => {
                    is_said |= other.is_some_and(|(name, _)| name == "sslmode");
                    rest.push(pair);
                }
            }
        }
        let url = if rest.is_empty() { address.to_owned() } else { format!("{address}?{}", rest.join("&")) };
        let mut config = Config::from_str(&url).map_err(|error| wrong(&super::errors::words(&error)))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(wrong("it names no host"));
        }
        if verified || roots.is_some() {
            config.ssl_mode(SslMode::Require);
        }
        if !is_said && !is_near(&config) {
            // Whoever is between could take the offer of TLS out of what a server elsewhere says.
            config.ssl_mode(SslMode::Require);
        }
        if config.get_target_session_attrs() == TargetSessionAttrs::Any {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let wait = config.get_connect_timeout().copied().unwrap_or(WAIT);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(HOST_TIMEOUT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(SILENCE);
        }
        if config.get_application_name().is_none() {
            config.application_name("wmlicensed");
        }
        let is_local = |host: &Host| matches!(host, Host::Unix(_));
        if config.get_hosts().iter().all(is_local) && config.get_ssl_mode() == SslMode::Prefer {
            config.ssl_mode(SslMode::Disable);
        }
        Ok(Self { config, connections, wait, roots })
    }

    pub(super) fn config(&self) -> Config {
        self.config.clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.connections
    }

    pub(super) fn wait(&self) -> Duration {
        self.wait
    }

    pub(super) fn roots(&self) -> Option<&PathBuf> {
        self.roots.as_ref()
    }

    pub(super) fn asks_for_tls(&self) -> bool {
        self.config.get_ssl_mode() != SslMode::Disable
    }
}

/// True if every host is this machine: a socket or a loopback address.
fn is_near(config: &Config) -> bool {
    let is_near = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
        }
    };
    // An address that is given beside a name is the one that is connected to.
    let addresses = config.get_hostaddrs();
    let hosts = if addresses.is_empty() { config.get_hosts() } else { &[] };
    hosts.iter().all(is_near) && addresses.iter().all(|address| address.to_canonical().is_loopback())
}

fn wrong(why: &str) -> StoreError {
    StoreError::Url(why.to_owned())
}

/// A part of a URL without its percent signs.
fn decoded(text: &str) -> String {
    let escaped = text.replace('+', "%2B");
    form_urlencoded::parse(escaped.as_bytes()).next().map_or_else(String::new, |(name, _)| name.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_what_libpq_knows_and_two_words_of_this_program() {
        let place =
            Place::parse("postgres://tom:pass@a:5433,b/licenses?connections=7&sslrootcert=%2Fetc%2Fa%20b.pem").unwrap();
        assert_eq!((place.connections, place.config.get_hosts().len()), (7, 2));
        assert_eq!(place.config.get_ports(), [5433, 5432]);
        assert_eq!(place.roots().unwrap().to_str(), Some("/etc/a b.pem"));
        assert_eq!(place.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(place.config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        let local = Place::parse("postgresql:///licenses?host=/run/postgresql&user=tom").unwrap();
        assert!(!local.asks_for_tls() && local.connections == CONNECTIONS);
        assert!(Place::parse("postgres://h/d?sslmode=verify-full").unwrap().asks_for_tls());
        assert!(!format!("{place:?}").contains("pass"));
    }

    #[test]
    fn a_server_elsewhere_is_asked_for_tls_unless_the_url_says_otherwise() {
        let mode = |url: &str| Place::parse(url).unwrap().config.get_ssl_mode();
        for far in ["h", "10.0.0.1", "localhost,h", "h:5432,127.0.0.1"] {
            assert_eq!(mode(&format!("postgres://tom@{far}/d")), SslMode::Require, "{far}");
            assert_eq!(mode(&format!("postgres://tom@{far}/d?sslmode=prefer")), SslMode::Prefer, "{far}");
            assert_eq!(mode(&format!("postgres://tom@{far}/d?sslmode=disable")), SslMode::Disable, "{far}");
        }
        for near in ["localhost", "127.0.0.1", "[::1]", "localhost:1,127.0.0.2:2"] {
            assert_eq!(mode(&format!("postgres://tom@{near}/d")), SslMode::Prefer, "{near}");
        }
        assert_eq!(mode("postgres://tom@localhost/d?hostaddr=10.0.0.1"), SslMode::Require);
        assert_eq!(mode("postgres://tom@database/d?hostaddr=127.0.0.1"), SslMode::Prefer);
    }

    #[test]
    fn a_url_that_cannot_be_meant_is_refused_with_what_is_wrong() {
        let told = |url| Place::parse(url).unwrap_err().to_string();
        assert!(
            told("postgres://h/d?connections=0").contains("connections is a number"),
            "{}",
            told("postgres://h/d?connections=0")
        );
        assert!(told("postgres:///d?user=tom").contains("names no host"));
        assert!(told("postgres://h/d?nonsense=1").contains("nonsense"));
    }
}
