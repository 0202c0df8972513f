//! TLS of the listener: certificate and key from two files, read again when they change. Who accepts connections is `listener`.

use crate::clock::DAY;
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use x509_cert::der::Decode as _;

/// A certificate that has less of its life left than this part of it, and fewer seconds than that, is spoken of.
const ENDS_SOON: (i64, i64) = (4, 21 * DAY);

/// Certificate or key for TLS cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    /// A file cannot be read.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What a file holds is not PEM.
    #[error("{0} holds no certificate or key in PEM form")]
    Pem(String),
    /// Certificate and key do not fit, or are not supported.
    #[error("the certificate and key for TLS cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// What is used for handshakes from now on; those that have begun keep theirs.
#[derive(Debug)]
struct Held(RwLock<Arc<CertifiedKey>>);

impl Held {
    fn get(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ResolvesServerCert for Held {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.get())
    }
}

/// What tells that a file is another one or has another content, without reading it: device, number, length, time of change.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

fn stamp(path: &Path) -> Stamp {
    // Links are followed: many tools renew by leading a link elsewhere.
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}

/// What was seen of the two files.
struct Seen {
    read: [Stamp; 2],
    /// What they looked like a moment ago: two files are not replaced at once, so they are read when they are still.
    before: [Stamp; 2],
}

/// Certificate chain and key of a listener, both PEM, with TLS 1.3.
pub(crate) struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    held: Arc<Held>,
    seen: Mutex<Seen>,
    provider: Arc<CryptoProvider>,
}

impl Tls {
    pub(crate) fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let stamps = [stamp(certificate), stamp(key)];
        let held = read(certificate, key, &provider)?;
        Ok(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            held: Arc::new(Held(RwLock::new(Arc::new(held)))),
            seen: Mutex::new(Seen { read: stamps, before: stamps }),
            provider,
        })
    }

    /// How connections are accepted, with whatever certificate is held at that time.
    pub(crate) fn config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&self.held) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Reads the files again, whether they changed or not. Files that cannot be used leave in use what was.
    pub(crate) fn reload(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.read = self.stamps();
        seen.before = seen.read;
        match read(&self.certificate, &self.key, &self.provider) {
            Ok(found) => {
                *self.held.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(found);
                let until = self.not_after().map(crate::policy::to_rfc3339);
                tracing::info!(until, "the certificate and key for TLS were read again");
            }
            Err(error) => {
                tracing::error!(%error, "the new certificate and key for TLS cannot be used; the old ones stay in use");
            }
        }
    }

    /// Reads the files again if they changed and have come to rest, so each change is read, and spoken of, once.
    pub(crate) fn look(&self) {
        let now = self.stamps();
        let changed = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let is_still = std::mem::replace(&mut seen.before, now) == now;
            is_still && seen.read != now
        };
        if changed {
            self.reload();
        }
    }

    fn stamps(&self) -> [Stamp; 2] {
        [stamp(&self.certificate), stamp(&self.key)]
    }

    /// When the certificate begins and ends to be valid, if it says so in a way that can be read.
    fn validity(&self) -> Option<(i64, i64)> {
        let held = self.held.get();
        let certificate = x509_cert::Certificate::from_der(held.cert.first()?).ok()?;
        let validity = certificate.tbs_certificate.validity;
        let seconds = |time: x509_cert::time::Time| i64::try_from(time.to_unix_duration().as_secs()).ok();
        Some((seconds(validity.not_before)?, seconds(validity.not_after)?))
    }

    /// When the certificate ends.
    pub(crate) fn not_after(&self) -> Option<i64> {
        self.validity().map(|(_, end)| end)
    }

    /// Warns of a certificate that nobody renewed in time.
    pub(crate) fn warn_of_end(&self, now: i64) {
        let Some((begin, end)) = self.validity() else { return };
        let (left, until) = (end - now, crate::policy::to_rfc3339(end));
        if left <= 0 {
            tracing::error!(until, "the certificate for TLS has ended; clients refuse it");
        } else if left < ((end - begin) / ENDS_SOON.0).min(ENDS_SOON.1) {
            tracing::warn!(until, days = left / DAY, "the certificate for TLS ends soon; renew it");
        }
    }
}

fn read(certificate: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let empty = |path: &Path| TlsError::Pem(path.display().to_string());
    let unreadable = |path: &Path, error| match error {
        pem::Error::Io(source) => TlsError::File { path: path.to_owned(), source },
        _ => empty(path),
    };
    let chain = CertificateDer::pem_file_iter(certificate).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let chain = chain.map_err(|error| unreadable(certificate, error))?;
    if chain.is_empty() {
        return Err(empty(certificate));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, error))?;
    Ok(CertifiedKey::from_der(chain, key, provider)?)
}
