//! What the owner's machines ask: whether the process lives, whether it can serve, what it counted. It has a listener and a
//! thread of its own, so that it answers whatever the public one suffers.

use super::listener::Listening;
use super::observe::observed;
use super::{Answered, api, speke};
use crate::metrics::CONTENT_TYPE;
use crate::packaging::Packaging;
use crate::problem::Fault;
use crate::service::Service;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, Response, header};
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::Builder;
use tokio::sync::watch;

/// Most connections, in all and of one source.
const MAX_CONNECTIONS: (usize, usize) = (128, 64);
/// Threads for what waits for the database.
const BLOCKING_THREADS: usize = 4;
/// A database that takes longer for one write and one read cannot be served from.
const READY_TIMEOUT: Duration = Duration::from_secs(3);

fn router(service: Arc<Service>, packaging: Packaging) -> Router {
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .merge(api::router())
        .merge(speke::router(packaging))
        .fallback(async || -> Answered { Err(Fault::NotFound) })
        .method_not_allowed_fallback(async || -> Answered {
            Err(Fault::BadRequest("The resource does not know this method."))
        })
        .layer(from_fn_with_state(Arc::clone(&service), observed))
        .with_state(service)
}

/// The management listener.
pub(crate) struct Management {
    listener: TcpListener,
    address: SocketAddr,
}

impl Management {
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves on a thread of its own until `stopping` says so.
    pub(crate) fn start(
        self,
        service: Arc<Service>,
        packaging: Packaging,
        stopping: watch::Receiver<bool>,
    ) -> io::Result<JoinHandle<()>> {
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(BLOCKING_THREADS).build()?;
        let (in_all, of_one) = MAX_CONNECTIONS;
        let listening = {
            let _inside = runtime.enter();
            Listening::over(tokio::net::TcpListener::from_std(self.listener)?, in_all, of_one)
        };
        let thread = std::thread::Builder::new().name("management".to_owned());
        thread.spawn(move || runtime.block_on(listening.serve(router(service, packaging), stopping)))
    }
}

async fn ready(State(service): State<Arc<Service>>) -> Answered {
    let serves = async {
        service.store.ready().await?;
        // Reads have connections of their own.
        service.store.status_list().await
    };
    match tokio::time::timeout(READY_TIMEOUT, serves).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => {
            tracing::error!(%error, "the database takes no writes");
            return Err(Fault::NotWritable);
        }
        Err(_) => {
            tracing::error!("the database does not answer in time");
            return Err(Fault::NotWritable);
        }
    }
    let (keyring, now) = (service.keyring(), service.clock.now());
    if keyring.roles().iter().any(|role| role.certificate.check_valid_at(now).is_err()) {
        tracing::error!("a role's certificate is not valid; run `wmlicensed certificate renew`");
        return Err(Fault::NotCertified);
    }
    Ok(Response::new(Body::from("ready\n")))
}

async fn metrics(State(service): State<Arc<Service>>) -> Response<Body> {
    let mut response = Response::new(Body::from(service.told_metrics()));
    let text = HeaderValue::from_static(CONTENT_TYPE);
    response.headers_mut().insert(header::CONTENT_TYPE, text);
    response
}
