//! TLS to PostgreSQL: rustls as everywhere, and a certificate that is verified with the name of its host, or no connection.

use super::super::StoreError;
use super::place::Place;
use deadpool_postgres::tokio_postgres::Socket;
use deadpool_postgres::tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream as RustlsStream;

/// Makes connections of plain ones, where the place asks for that.
#[derive(Clone)]
pub(super) struct Connector(Option<Arc<ClientConfig>>);

impl Connector {
    pub(super) fn new(place: &Place) -> Result<Self, StoreError> {
        if !place.asks_for_tls() {
            return Ok(Self(None));
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| unusable(&error))?;
        let verifier: Arc<dyn ServerCertVerifier> = match place.roots() {
            Some(path) => under(path, provider)?,
            None => Arc::new(Verifier::new(provider).map_err(|error| unusable(&error))?),
        };
        Ok(Self(Some(Arc::new(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))))
    }
}

fn unusable(error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Url(format!("TLS cannot be used: {error}"))
}

/// Trusts the authorities of a file alone.
fn under(path: &Path, provider: Arc<CryptoProvider>) -> Result<Arc<dyn ServerCertVerifier>, StoreError> {
    let of_file = |error: &dyn std::fmt::Display| StoreError::Url(format!("sslrootcert={}: {error}", path.display()));
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut roots = RootCertStore::empty();
    for certificate in certificates.map_err(|error| of_file(&error))? {
        roots.add(certificate).map_err(|error| of_file(&error))?;
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
    Ok(verifier.map_err(|error| of_file(&error))?)
}

/// TLS to one host.
pub(super) struct ToHost {
    config: Option<Arc<ClientConfig>>,
    host: String,
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

impl MakeTlsConnect<Socket> for Connector {
    type Stream = Stream;
    type TlsConnect = ToHost;
    type Error = Failed;

    fn make_tls_connect(&mut self, host: &str) -> Result<ToHost, Failed> {
        Ok(ToHost { config: self.0.clone(), host: host.to_owned() })
    }
}

impl TlsConnect<Socket> for ToHost {
    type Stream = Stream;
    type Error = Failed;
    type Future = Pin<Box<dyn Future<Output = Result<Stream, Failed>> + Send>>;

    fn connect(self, socket: Socket) -> Self::Future {
        Box::pin(async move {
            let config = self.config.ok_or("TLS is not configured")?;
            let host = ServerName::try_from(self.host)?;
            Ok(Stream(Box::new(tokio_rustls::TlsConnector::from(config).connect(host, socket).await?)))
        })
    }
}

/// An encrypted connection.
pub(super) struct Stream(Box<RustlsStream<Socket>>);

impl TlsStream for Stream {
    /// The certificate is verified, which is what a binding of the password to it would be for.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(cx)
    }
}
