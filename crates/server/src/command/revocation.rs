//! Commands that take licenses back and publish which keys count no more.

use super::actor::acting;
use super::error::CommandError;
use super::listing::{self, Format, show_rows};
use super::{Data, List, Opened, print, reason, time};
use crate::clock::{Clock as _, DAY, SystemClock};
use crate::keyring::authority_key;
use crate::rules::revocation::{ListedKey, NewRevokedKey, Order, RevokedRow, rule};
use crate::store::OrderEntry;
use clap::{Args, Subcommand};
use std::io::Write as _;
use std::path::PathBuf;
use wmlicense_wire::id::{DeviceId, Kid, Lid};
use wmlicense_wire::revocation::Entry;
use wmlicense_wire::status_list::{StatusList, application_id};

#[derive(Subcommand)]
pub(super) enum LicenseCommand {
    /// List them, the latest first.
    List(Box<listing::Titled>),
    /// Give licenses to devices that asked for none: they take them when they ask for anything.
    Give(Box<super::give::Give>),
    /// Take licenses back: they are not issued or restored again, and devices that ask remove them.
    Revoke(Box<Revoke>),
}

#[derive(Args)]
#[group(id = "what", required = true, multiple = true, args = ["lid", "kid", "account", "issued_before", "all"])]
pub(super) struct Revoke {
    #[command(flatten)]
    data: Data,
    /// One license, by its ID in hexadecimal.
    #[arg(long, value_name = "HEX", value_parser = Lid::from_hex, conflicts_with_all = ["kid", "account", "issued_before", "all"])]
    lid: Option<Lid>,
    /// Licenses for this key ID.
    #[arg(long, value_name = "HEX", value_parser = Kid::from_hex)]
    kid: Option<Kid>,
    /// Licenses of this account.
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Licenses first issued before then. Without it, no further license of the kind is issued either.
    #[arg(long, value_name = "TIME", value_parser = time)]
    issued_before: Option<i64>,
    /// Every license.
    #[arg(long, conflicts_with_all = ["kid", "account", "issued_before"])]
    all: bool,
    /// Only on this device.
    #[arg(long, value_name = "HEX", value_parser = DeviceId::from_hex)]
    device: Option<DeviceId>,
    /// Why, for your own records.
    #[arg(long, value_parser = reason)]
    reason: Option<String>,
}

#[derive(Args)]
pub(super) struct RevokeDevice {
    #[command(flatten)]
    data: Data,
    /// Device ID in hexadecimal.
    #[arg(value_parser = DeviceId::from_hex)]
    device: DeviceId,
    /// Leave it the licenses that it has; by default the next status list disables them.
    #[arg(long)]
    keep_licenses: bool,
    /// Why, for your own records.
    #[arg(long, value_parser = reason)]
    reason: Option<String>,
}

#[derive(Subcommand)]
pub(super) enum ApplicationCommand {
    /// Answer no request of an application any more, once the next status list is published.
    Revoke {
        #[command(flatten)]
        data: Data,
        /// What the application calls itself (ApplicationID).
        name: String,
        /// From when on.
        #[arg(long, value_name = "TIME", value_parser = time)]
        from: Option<i64>,
        /// Why, for your own records.
        #[arg(long, value_parser = reason)]
        reason: Option<String>,
    },
}

#[derive(Subcommand)]
pub(super) enum RevocationCommand {
    /// List what was taken back, the latest first.
    List {
        #[command(flatten)]
        data: Data,
        #[command(flatten)]
        pages: listing::Pages,
    },
    /// Show one order.
    Show {
        #[command(flatten)]
        list: List,
        /// Its number.
        number: u64,
    },
}

#[derive(Subcommand)]
pub(super) enum StatusCommand {
    /// Sign a status list of everything that was revoked, with the authority's keys, and hand it out.
    Publish {
        #[command(flatten)]
        data: Data,
        /// Keys of the authority, where they are not in the data folder.
        #[arg(long, value_name = "FILE")]
        authority_key: Option<PathBuf>,
        /// Days until the next one is made at the latest.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650))]
        next_update_days: u16,
    },
    /// Show what the next status list will name.
    Show(List),
}

pub(super) fn license(command: LicenseCommand) -> Result<(), CommandError> {
    match command {
        LicenseCommand::List(list) => super::listing::licenses(&list),
        LicenseCommand::Give(give) => super::give::run(*give),
        LicenseCommand::Revoke(revoke) => take_back(*revoke),
    }
}

fn take_back(revoke: Revoke) -> Result<(), CommandError> {
    let opened = Opened::new(&revoke.data)?;
    let user = match revoke.account {
        None => None,
        Some(name) => Some(opened.wait(opened.store.user_of(name.clone()))?.ok_or(CommandError::NoAccount(name))?),
    };
    let entry = revoke.lid.map_or_else(|| rule(user, revoke.kid, revoke.issued_before), Entry::License);
    let order = Order { entry, device: revoke.device };
    let taken = opened.wait(opened.store.take_back(order, revoke.reason, acting()?))?;
    print(&format!("revocation: {}", taken.number))?;
    print(&format!("devices: {}", taken.devices))?;
    if taken.unread > 0 {
        let warning = format!(
            "{} deliveries are damaged, and their devices are told of it only when they ask what is revoked; `wmlicensed check` names them",
            taken.unread
        );
        // Nobody is there to be warned where standard error is closed.
        let _ = writeln!(std::io::stderr(), "wmlicensed: warning: {warning}");
    }
    Ok(())
}

pub(super) fn device(revoke: RevokeDevice) -> Result<(), CommandError> {
    let opened = Opened::new(&revoke.data)?;
    let by = acting()?;
    let from = if revoke.keep_licenses { by.now } else { 0 };
    if opened.wait(opened.store.revoke_device(revoke.device, from, revoke.reason, by))? {
        print(&format!("revoked: {}", revoke.device))
    } else {
        Err(CommandError::NoDevice(revoke.device))
    }
}

pub(super) fn application(command: ApplicationCommand) -> Result<(), CommandError> {
    let ApplicationCommand::Revoke { data, name, from, reason } = command;
    let opened = Opened::new(&data)?;
    let name = super::checked_name(&name)?.to_owned();
    let (key, kind) = (application_id(&name), ListedKey::Application);
    let line = format!("revoked: {name}");
    let key = NewRevokedKey { kind, key, name, from: from.unwrap_or(0), reason };
    opened.wait(opened.store.revoke_key(key, acting()?))?;
    print(&line)
}

pub(super) fn status(command: StatusCommand) -> Result<(), CommandError> {
    match command {
        StatusCommand::Show(list) => status_show(&list),
        StatusCommand::Publish { data, authority_key, next_update_days } => {
            publish(&data, authority_key, i64::from(next_update_days) * DAY)
        }
    }
}

fn publish(data: &Data, key: Option<PathBuf>, validity: i64) -> Result<(), CommandError> {
    let opened = Opened::new(data)?;
    let (authority, key) = authority_key(&data.folder(), key)?;
    let now = SystemClock.now();
    let newest = opened.wait(opened.store.status_list())?.map_or(0, |(number, _)| number);
    let number = now.unsigned_abs().max(newest + 1);
    let rows = opened.wait(opened.store.revoked())?;
    let of = |kind: &str| rows.iter().filter(|row| row.kind == kind).map(RevokedRow::listed).collect();
    let list = StatusList {
        authority: authority.hash,
        next_update: now + validity,
        issued_at: now,
        number,
        services: of("service"),
        devices: of("device"),
        applications: of("application"),
    };
    let bytes = list.sign(&key).map_err(crate::keyring::KeyringError::from)?;
    if bytes.len() > wmlicense_wire::status_list::MAX_LEN {
        return Err(CommandError::TooLong);
    }
    if !opened.wait(opened.store.add_status_list(number, bytes, acting()?))? {
        return Err(CommandError::Published);
    }
    print(&format!("status list: {number}"))?;
    print(&format!("revoked keys: {}", rows.len()))
}

fn status_show(list: &List) -> Result<(), CommandError> {
    let opened = Opened::new(&list.data)?;
    show_rows(Format::of(list.json), opened.wait(opened.store.revoked())?)
}

pub(super) fn revocation(command: RevocationCommand) -> Result<(), CommandError> {
    match command {
        RevocationCommand::List { data, pages } => listing::orders(&Opened::new(&data)?, &pages),
        RevocationCommand::Show { list, number } => {
            let mut rows = Opened::new(&list.data)?.all::<OrderEntry>()?;
            rows.retain(|row| row.number == number);
            if rows.is_empty() {
                return Err(CommandError::NoRevocation(number));
            }
            show_rows(Format::of(list.json), rows)
        }
    }
}
