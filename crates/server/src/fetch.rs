//! A short document from an address that the owner named: bounded in time and size, over TLS as everywhere, no redirect followed.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use bytes::Bytes;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::Builder;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::Verifier;
use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use wmlicense_wire::url::Url;

/// Longest head of an answer in bytes.
const MAX_HEAD: usize = 32 * 1024;

/// Nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address is none.
    #[error("{0}")]
    Url(String),
    /// Nobody answers there, or not in HTTP.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// TLS fails: a certificate that nobody trusts, or of another name.
    #[error("its TLS cannot be trusted: {0}")]
    Tls(String),
    /// The answer takes too long.
    #[error("it did not answer within {} seconds", .0.as_secs())]
    Late(Duration),
    /// The answer is none: a redirect, which is not followed, or a refusal.
    #[error("it answers with status {0}")]
    Status(u16),
    /// The answer is too long.
    #[error("its answer has more than {0} bytes")]
    TooLong(usize),
}

/// An address that is asked: over TLS, or on this machine.
pub(crate) fn address(text: &str) -> Result<(), String> {
    let url = Url::public(text).map_err(|error| error.to_string())?;
    let is_here = url.host == "localhost" || url.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if url.https || is_here {
        Ok(())
    } else {
        Err("https is expected, because whoever is between could answer".to_owned())
    }
}

/// Fetches at most so many bytes within a time.
pub(crate) async fn fetch(text: &str, most: usize, within: Duration) -> Result<Vec<u8>, FetchError> {
    let url = Url::public(text).map_err(|error| FetchError::Url(error.to_string()))?;
    tokio::time::timeout(within, asked(url, most)).await.map_err(|_| FetchError::Late(within))?
}

async fn asked(url: Url<'_>, most: usize) -> Result<Vec<u8>, FetchError> {
    let port = url.port.unwrap_or(if url.https { 443 } else { 80 });
    let stream = TcpStream::connect((url.host, port)).await.map_err(|error| unreachable(&error))?;
    if !url.https {
        return answer(stream, url, most).await;
    }
    let name = ServerName::try_from(url.host.to_owned()).map_err(|error| FetchError::Tls(error.to_string()))?;
    let connector = TlsConnector::from(config()?);
    let stream = connector.connect(name, stream).await.map_err(|error| FetchError::Tls(error.to_string()))?;
    answer(stream, url, most).await
}

fn unreachable(error: &dyn std::error::Error) -> FetchError {
    let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
    FetchError::Unreachable(format!("{error}{cause}"))
}

/// Trusts whom this machine trusts.
fn config() -> Result<Arc<ClientConfig>, FetchError> {
    let unusable = |error: rustls::Error| FetchError::Tls(error.to_string());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().map_err(unusable)?;
    let verifier = Arc::new(Verifier::new(provider).map_err(unusable)?);
    Ok(Arc::new(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()))
}

async fn answer<S>(stream: S, url: Url<'_>, most: usize) -> Result<Vec<u8>, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = Builder::new();
    builder.max_buf_size(MAX_HEAD);
    let (mut sender, connection) =
        builder.handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(&error))?;
    // It ends with the set, whatever became of it.
    let mut driving = JoinSet::new();
    driving.spawn(connection);
    let host = url.port.map_or_else(|| url.host.to_owned(), |port| format!("{}:{port}", url.host));
    let path = if url.rest.starts_with('/') { url.rest.to_owned() } else { format!("/{}", url.rest) };
    let request = Request::get(path).header(header::HOST, host).header(header::ACCEPT, "application/json");
    let request = request.body(Body::empty()).map_err(|error| FetchError::Url(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(|error| unreachable(&error))?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status().as_u16()));
    }
    read(response.into_body(), most).await
}

async fn read(mut body: Incoming, most: usize) -> Result<Vec<u8>, FetchError> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let more: Bytes = frame.map_err(|error| unreachable(&error))?.into_data().unwrap_or_default();
        if bytes.len() + more.len() > most {
            return Err(FetchError::TooLong(most));
        }
        bytes.extend_from_slice(&more);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_asked_over_tls_or_on_this_machine() {
        for good in ["https://shop.example/keys", "http://127.0.0.1:9/keys", "http://localhost/", "http://[::1]:9/"] {
            assert_eq!(address(good), Ok(()), "{good}");
        }
        for bad in ["http://shop.example/keys", "ftp://shop.example", "https://a@shop.example/", "keys.json"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
