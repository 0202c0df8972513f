//! Which server certificates are trusted: platform, bundled, the application's. Builds TLS configurations and keeps one.

use super::{NetworkSettings, TlsTrust};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use std::sync::{Arc, Mutex};

/// Most certificates read from the application's PEM.
const MAX_PEM: usize = 1024;

/// What a configuration depends on.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Trust {
    trust: TlsTrust,
    pem: Option<String>,
}

impl Trust {
    pub(super) fn of(settings: &NetworkSettings) -> Self {
        Self { trust: settings.tls_trust, pem: settings.tls_ca_pem.clone() }
    }
}

/// The newest TLS configuration of a client: building one reads the platform's certificates, which takes 20 ms.
#[derive(Default)]
pub(crate) struct TlsConfigs {
    latest: Mutex<Option<(Trust, Arc<ClientConfig>)>>,
}

impl TlsConfigs {
    /// The configuration for `trust`; the error is one clause for people.
    pub(super) fn get(&self, trust: &Trust) -> Result<Arc<ClientConfig>, String> {
        let mut latest = self.latest.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some((known, config)) = latest.as_ref()
            && known == trust
        {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(build(trust)?);
        *latest = Some((trust.clone(), Arc::clone(&config)));
        Ok(config)
    }
}

/// A provider given explicitly: the process-wide default is the application's.
fn build(trust: &Trust) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| error.to_string())?;
    let own = own_certificates(trust.pem.as_deref())?;
    // Without extra certificates, because an empty platform store is no error as soon as there is one of them.
    let platform = || Verifier::new(Arc::clone(&provider)).map_err(|error| error.to_string());
    let bundled = match trust.trust {
        TlsTrust::PlatformThenBundled => platform().is_err(),
        TlsTrust::Platform => {
            platform()?;
            false
        }
        TlsTrust::Bundled | TlsTrust::PemOnly => true,
    };
    if !bundled {
        let verifier = Verifier::new_with_extra_roots(own, provider).map_err(|error| error.to_string())?;
        let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
        return Ok(builder.with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    if trust.trust != TlsTrust::PemOnly {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for certificate in own {
        roots.add(certificate).map_err(|error| format!("a certificate of the application is not usable: {error}"))?;
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn own_certificates(pem: Option<&str>) -> Result<Vec<CertificateDer<'static>>, String> {
    let Some(pem) = pem else { return Ok(Vec::new()) };
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .take(MAX_PEM)
        .collect::<Result<_, _>>()
        .map_err(|_| "the application's certificates are not PEM".to_owned())?;
    if certificates.is_empty() {
        Err("the application's PEM holds no certificate".to_owned())
    } else {
        Ok(certificates)
    }
}
