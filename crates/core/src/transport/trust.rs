//! Which server certificates are trusted: platform, bundled, the application's. Builds TLS configurations and keeps one.

use super::{NetworkSettings, TlsTrust};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
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
    let verifier: Arc<dyn ServerCertVerifier> = match trust.trust {
        TlsTrust::PlatformThenBundled => platform_then_bundled(own, provider)?,
        TlsTrust::Platform => platform(own, provider)?,
        TlsTrust::Bundled => under(bundled(own)?, provider)?,
        TlsTrust::PemOnly => under(roots_of(own)?, provider)?,
        TlsTrust::Pinned => Arc::new(Pinned {
            trusted: platform_then_bundled(Vec::new(), Arc::clone(&provider))?,
            pin: under(roots_of(own)?, provider)?,
        }),
    };
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

type Certificates = Vec<CertificateDer<'static>>;
type Verified = Result<Arc<dyn ServerCertVerifier>, String>;

/// The platform's certificates and these. Probed without these first, because an empty platform store is no error as soon
/// as there is one of them.
fn platform(own: Certificates, provider: Arc<CryptoProvider>) -> Verified {
    Verifier::new(Arc::clone(&provider)).map_err(|error| error.to_string())?;
    Ok(Arc::new(Verifier::new_with_extra_roots(own, provider).map_err(|error| error.to_string())?))
}

fn platform_then_bundled(own: Certificates, provider: Arc<CryptoProvider>) -> Verified {
    match platform(own.clone(), Arc::clone(&provider)) {
        Ok(verifier) => Ok(verifier),
        Err(_) => under(bundled(own)?, provider),
    }
}

fn under(roots: RootCertStore, provider: Arc<CryptoProvider>) -> Verified {
    let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    Ok(built.map_err(|error| {
        let none = if BUNDLED.is_empty() { NONE_BUNDLED } else { "" };
        format!("no certificate is trusted: {error}{none}")
    })?)
}

/// Public authorities, for systems that have none of their own.
#[cfg(feature = "bundled-roots")]
const BUNDLED: &[TrustAnchor<'static>] = webpki_roots::TLS_SERVER_ROOTS;
#[cfg(not(feature = "bundled-roots"))]
const BUNDLED: &[TrustAnchor<'static>] = &[];
const NONE_BUNDLED: &str =
    "; none are bundled with this build: install the system's certificates, or give an authority with TlsCaPem";

fn bundled(own: Certificates) -> Result<RootCertStore, String> {
    let mut roots = roots_of(own)?;
    roots.extend(BUNDLED.iter().cloned());
    Ok(roots)
}

fn roots_of(own: Certificates) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in own {
        roots.add(certificate).map_err(|error| format!("a certificate of the application is not usable: {error}"))?;
    }
    Ok(roots)
}

/// Demands two ways to trust a server: the usual one, and one that leads to an authority of the application. An authority
/// that came into the platform's store later, such as a filtering proxy's, is then not enough.
#[derive(Debug)]
struct Pinned {
    trusted: Arc<dyn ServerCertVerifier>,
    pin: Arc<dyn ServerCertVerifier>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.trusted.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)?;
        self.pin.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.trusted.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.trusted.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trusted.supported_verify_schemes()
    }
}

fn own_certificates(pem: Option<&str>) -> Result<Certificates, String> {
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
