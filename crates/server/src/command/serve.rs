//! `wmlicensed serve`.

use super::Data;
use super::error::CommandError;
use super::options::Parsed;
use crate::clock::SystemClock;
use crate::fetch;
use crate::folder::DataFolder;
use crate::limits::{
    DEFAULT_CONNECTIONS, DEFAULT_CONNECTIONS_PER_ADDRESS, DEFAULT_DEVICES_PER_ADDRESS, DEFAULT_FORGET_AFTER,
    DEFAULT_KEPT_PER_ACCOUNT, DEFAULT_KEPT_PER_ADDRESS, DEFAULT_KEPT_PER_DEVICE, Daily, Limits,
};
use crate::logging::{self, Format};
use crate::origin::Origin;
use crate::packaging::Packaging;
use crate::serve::{DEFAULT_EPOCH_PERIOD, Options, Server};
use crate::shop::{KeysPlace, Trust};
use crate::source::Network;
use clap::Args;
use sd_notify::NotifyState;
use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use wmlicense_wire::certificate::Role;
use wmlicense_wire::url::Url;

/// Threads for computations and database reads; computations are bounded by the number of cores anyway.
const BLOCKING_THREADS: usize = 64;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    data: Data,
    /// Address or name of this machine to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT", value_parser = address)]
    listen: SocketAddr,
    /// Address to listen on for health, readiness and metrics, or `off`. Port 0, the default where the other port is 0, takes a
    /// free one.
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = management)]
    management_listen: Option<ManagementListen>,
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
    /// Site beside the service's own whose pages may have keys by Clear Key, as https://video.example, or * for all; several with
    /// commas between them.
    #[arg(long, value_delimiter = ',', value_name = "ORIGIN")]
    clearkey_origin: Vec<Origin>,
    /// Policy of content that a packager names for the first time (SPEKE); without one it may be played and backed up, on four
    /// devices.
    #[arg(long, value_name = "NAME")]
    packager_policy: Option<String>,
    /// Scope that an account must have for such content; without it, and without --packager-open, offers reach it by its key ID.
    #[arg(long, value_name = "NAME")]
    packager_scope: Option<String>,
    /// Anybody may have such content.
    #[arg(long)]
    packager_open: bool,
    /// Address or network of a proxy whose word on where requests come from is believed (`X-Forwarded-For`, `Forwarded`); several
    /// with commas between them.
    #[arg(long, value_delimiter = ',', value_name = "NETWORK")]
    trusted_proxy: Vec<Network>,
    /// Most connections; fewer where the limit of open files says so.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_CONNECTIONS as u32, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Most connections of one address, of IPv6 of one network of 64 bits. A trusted proxy has no such limit.
    #[arg(
        long,
        value_name = "N",
        default_value_t = DEFAULT_CONNECTIONS_PER_ADDRESS as u32,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    connections_per_address: u32,
    /// Most devices that are certified for one address a day; 0 for no limit.
    #[arg(long, value_name = "N", default_value_t = DEFAULT_DEVICES_PER_ADDRESS)]
    devices_per_address: u64,
    /// MiB that are kept a day for requests without an account from one address; 0 for no limit.
    #[arg(long, value_name = "MIB", default_value_t = DEFAULT_KEPT_PER_ADDRESS / MIB, value_parser = mebibytes())]
    kept_per_address: u64,
    /// MiB that are kept a day for one device; 0 for no limit.
    #[arg(long, value_name = "MIB", default_value_t = DEFAULT_KEPT_PER_DEVICE / MIB, value_parser = mebibytes())]
    kept_per_device: u64,
    /// MiB that are kept a day for one account; 0 for no limit.
    #[arg(long, value_name = "MIB", default_value_t = DEFAULT_KEPT_PER_ACCOUNT / MIB, value_parser = mebibytes())]
    kept_per_account: u64,
    /// Days after which a device is forgotten that was certified and never got anything; 0 for never.
    #[arg(long, value_name = "DAYS", default_value_t = DEFAULT_FORGET_AFTER)]
    forget_after: u64,
    /// File or URL of the public keys of the owner's shop, a JSON Web Key Set: JWTs that it signs count as account tokens. A file is
    /// read again every minute, a URL every five minutes and when a token names another key; both on SIGHUP.
    #[arg(long, value_name = "FILE|URL", value_parser = keys_place)]
    shop_keys: Option<KeysPlace>,
    /// What the shop calls itself in its tokens (iss).
    #[arg(long, value_name = "TEXT")]
    shop_issuer: Option<String>,
    /// What the shop calls this service in its tokens (aud).
    #[arg(long, value_name = "TEXT")]
    shop_audience: Option<String>,
    /// Certificate chain for TLS, PEM. It is read again, with its key, when the files change and on SIGHUP.
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Private key for TLS, PEM.
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// What goes into the log on standard error: error, warn, info, debug or trace, also by part of the program.
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = logging::levels)]
    log: String,
    /// Form of the log: lines for people, or a JSON object a line.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    log_format: Format,
    /// Print what holds and where it was said, as a file for --config, and end.
    #[arg(long)]
    print_config: bool,
}

/// Bytes.
const MIB: u64 = 1 << 20;

/// So many that their bytes can be counted.
fn mebibytes() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(..=1 << 40)
}

/// Where what the owner's machines ask is answered.
#[derive(Clone, Copy)]
enum ManagementListen {
    Off,
    At(SocketAddr),
}

/// The port of the management listener where nothing else is said.
const MANAGEMENT_PORT: u16 = 8081;

fn management(text: &str) -> Result<ManagementListen, String> {
    match text {
        "off" => Ok(ManagementListen::Off),
        _ => address(text)
            .map(ManagementListen::At)
            .map_err(|_| "an address or name of this machine with a port, or off, is expected".to_owned()),
    }
}

fn management_address(given: Option<ManagementListen>, public: SocketAddr) -> Option<SocketAddr> {
    match given {
        Some(ManagementListen::Off) => None,
        Some(ManagementListen::At(address)) => Some(address),
        None => Some((Ipv4Addr::LOCALHOST, if public.port() == 0 { 0 } else { MANAGEMENT_PORT }).into()),
    }
}

/// A limit of 0 is none.
fn limit(given: u64) -> Option<u64> {
    (given > 0).then_some(given)
}

fn role(name: &str) -> Result<Role, String> {
    let role = Role::ALL.into_iter().find(|role| role.name() == name);
    role.ok_or_else(|| "one of individualization, issuer, management is expected".to_owned())
}

fn keys_place(text: &str) -> Result<KeysPlace, String> {
    if !text.contains("://") {
        return Ok(KeysPlace::File(PathBuf::from(text)));
    }
    fetch::address(text).map(|()| KeysPlace::Url(text.to_owned()))
}

/// The address of a name, of several that of the older protocol: what `localhost` is to most.
fn address(text: &str) -> Result<SocketAddr, String> {
    let found: Vec<SocketAddr> = text.to_socket_addrs().map_err(|error| error.to_string())?.collect();
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    first.copied().ok_or_else(|| "no address has this name".to_owned())
}

/// Longest URL that answers and pages carry, in bytes.
const MAX_URL: usize = 512;

fn url(text: &str) -> Result<String, String> {
    Url::public(text).map_err(|error| error.to_string())?;
    if text.len() > MAX_URL { Err(format!("at most {MAX_URL} bytes are expected")) } else { Ok(text.to_owned()) }
}

pub(super) fn serve(arguments: Arguments, parsed: &Parsed) -> Result<(), CommandError> {
    if arguments.print_config {
        return super::print(&parsed.told().unwrap_or_default());
    }
    logging::start(&arguments.log, arguments.log_format);
    for (variable, meant) in parsed.misspelt() {
        tracing::warn!(variable, "there is no such variable; is {meant} meant?");
    }
    let folder = arguments.data.folder();
    let options = options(arguments)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().max_blocking_threads(BLOCKING_THREADS).build()?;
    runtime.block_on(run(folder, options))
}

/// What callers get at most.
fn limits(arguments: &Arguments) -> Limits {
    Limits {
        connections: arguments.connections as usize,
        connections_per_address: arguments.connections_per_address as usize,
        trusted_proxies: arguments.trusted_proxy.clone(),
        daily: Daily {
            devices_per_address: limit(arguments.devices_per_address),
            kept_per_address: limit(arguments.kept_per_address * MIB),
            kept_per_device: limit(arguments.kept_per_device * MIB),
            kept_per_account: limit(arguments.kept_per_account * MIB),
        },
        forget_after: limit(arguments.forget_after),
    }
}

fn options(arguments: Arguments) -> Result<Options, CommandError> {
    let limits = limits(&arguments);
    let mut roles = arguments.roles;
    roles.sort();
    roles.dedup();
    let tls = match (arguments.tls_cert, arguments.tls_key) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) => None,
        (Some(_), None) => return Err(CommandError::Lone("tls-cert", "tls-key")),
        (None, Some(_)) => return Err(CommandError::Lone("tls-key", "tls-cert")),
    };
    let shop = match (arguments.shop_keys, arguments.shop_issuer, arguments.shop_audience) {
        (Some(keys), Some(issuer), Some(audience)) => Some(Trust { keys, issuer, audience }),
        (None, None, None) => None,
        (Some(_), None, _) => return Err(CommandError::Lone("shop-keys", "shop-issuer")),
        (Some(_), _, None) => return Err(CommandError::Lone("shop-keys", "shop-audience")),
        (None, Some(_), _) => return Err(CommandError::Lone("shop-issuer", "shop-keys")),
        (None, None, Some(_)) => return Err(CommandError::Lone("shop-audience", "shop-keys")),
    };
    if arguments.packager_open && arguments.packager_scope.is_some() {
        return Err(CommandError::Contradicting("packager-open", "packager-scope"));
    }
    let packaging =
        Packaging { policy: arguments.packager_policy, scope: arguments.packager_scope, open: arguments.packager_open };
    Ok(Options {
        shop,
        listen: arguments.listen,
        management: management_address(arguments.management_listen, arguments.listen),
        public_url: arguments.public_url,
        support_url: arguments.support_url,
        privacy_url: arguments.privacy_url,
        terms_url: arguments.terms_url,
        roles,
        predelivery_rate: arguments.predelivery_rate,
        epoch_period: arguments.epoch_period,
        poll_seconds: arguments.poll_seconds,
        packaging,
        clearkey_origins: arguments.clearkey_origin,
        tls,
        limits,
        database: arguments.data.database,
    })
}

async fn run(folder: DataFolder, options: Options) -> Result<(), CommandError> {
    // From here on no signal of these ends the process.
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hangup = signal(SignalKind::hangup())?;
    let server = Server::bind(folder, options, Arc::new(SystemClock)).await?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), url = server.url(), "serving");
    let management = server.management_url().map(|url| format!("\nmanagement on {url}")).unwrap_or_default();
    super::print(&format!("listening on {}{management}", server.url()))?;
    told_manager(NotifyState::Ready);
    let again = server.again();
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            again.notify_one();
        }
    });
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        told_manager(NotifyState::Stopping);
    };
    Ok(server.run(stop).await?)
}

/// Tells systemd, or whoever else started the service and listens in its place.
fn told_manager(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "whoever started the service could not be told how it is");
    }
}
