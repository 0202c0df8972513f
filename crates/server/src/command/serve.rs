//! `wmlicensed serve`.

use super::{CommandError, Data};
use crate::clock::SystemClock;
use crate::folder::DataFolder;
use crate::serve::{DEFAULT_EPOCH_PERIOD, Options, Server};
use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use wmlicense_wire::certificate::Role;
use wmlicense_wire::url::Url;

/// Threads for computations and database reads; computations are bounded by the number of cores anyway.
const BLOCKING_THREADS: usize = 64;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    data: Data,
    /// Address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// URL by which clients reach the service; the listening address if not given.
    #[arg(long, value_name = "URL", value_parser = url)]
    public_url: Option<String>,
    /// Page for users whom the service refuses; a page of the service if not given.
    #[arg(long, value_name = "URL", value_parser = url)]
    support_url: Option<String>,
    /// Privacy statement.
    #[arg(long, value_name = "URL", value_parser = url)]
    privacy_url: Option<String>,
    /// Terms of use, linked from the page where users accept.
    #[arg(long, value_name = "URL", value_parser = url)]
    terms_url: Option<String>,
    /// Roles of this process.
    #[arg(long, value_delimiter = ',', default_value = "individualization,issuer,management", value_parser = role)]
    roles: Vec<Role>,
    /// Most licenses a second that are pre-delivered; devices beyond that are told when to come again. No limit if not given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    predelivery_rate: Option<u32>,
    /// Seconds after which a device gets another epoch, by which copies of its store show. With 0 it gets one in every answer.
    #[arg(long, value_name = "SECONDS", default_value_t = DEFAULT_EPOCH_PERIOD)]
    epoch_period: u32,
    /// Seconds after which a device asks for the first time whether its user has decided on the page, then ever more slowly.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=60))]
    poll_seconds: u64,
    /// Certificate chain for TLS, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Private key for TLS, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
}

fn role(name: &str) -> Result<Role, String> {
    let role = Role::ALL.into_iter().find(|role| role.name() == name);
    role.ok_or_else(|| "one of individualization, issuer, management is expected".to_owned())
}

/// Longest URL that answers and pages carry, in bytes.
const MAX_URL: usize = 512;

fn url(text: &str) -> Result<String, String> {
    Url::public(text).map_err(|error| error.to_string())?;
    if text.len() > MAX_URL { Err(format!("at most {MAX_URL} bytes are expected")) } else { Ok(text.to_owned()) }
}

pub(super) fn serve(arguments: Arguments) -> Result<(), CommandError> {
    // Only fails when a subscriber is set already, which is then the one to use.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_env("WMLICENSED_LOG").unwrap_or_else(|_| EnvFilter::new("info")))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
    let mut roles = arguments.roles;
    roles.sort();
    roles.dedup();
    let options = Options {
        listen: arguments.listen,
        public_url: arguments.public_url,
        support_url: arguments.support_url,
        privacy_url: arguments.privacy_url,
        terms_url: arguments.terms_url,
        roles,
        predelivery_rate: arguments.predelivery_rate,
        epoch_period: arguments.epoch_period,
        poll_seconds: arguments.poll_seconds,
        tls: arguments.tls_cert.zip(arguments.tls_key),
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(BLOCKING_THREADS).build()?;
    runtime.block_on(async {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let server = Server::bind(DataFolder::new(arguments.data.data), options, Arc::new(SystemClock)).await?;
        super::print(&format!("listening on {}", server.url()))?;
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        Ok(server.run(stop).await?)
    })
}
