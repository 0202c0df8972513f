//! `wmlicensed offer` and `grant`: what can be had on which terms, and who has it.

use super::actor::acting;
use super::error::CommandError;
use super::listing::{self, Format, Pages};
use super::{Data, List, Opened, checked_name, print, time};
use crate::clock::{Clock as _, SystemClock};
use crate::rules::granted::{GrantId, NewOffer};
use crate::store::{
    CameBack, Freeing, GrantChange, GrantEntry, GrantFilter, GrantTerms, Granting, OfferEnd, OfferEntry, OfferSet,
};
use clap::{ArgGroup, Args, Subcommand};
use std::collections::BTreeSet;
use wmlicense_wire::id::{DeviceId, Kid};

#[derive(Subcommand)]
pub(super) enum OfferCommand {
    /// Set an offer, or change the one of this name: content, and the terms on which accounts that have a grant of it get licenses.
    Set(Box<SetOffer>),
    /// List all offers with what they cover.
    List(List),
    /// Remove an offer. One of which an account has a grant that is not over is kept.
    Remove {
        #[command(flatten)]
        data: Data,
        /// Name of the offer.
        name: String,
    },
}

#[derive(Args)]
#[command(group = ArgGroup::new("what").required(true).multiple(true).args(["scope", "kid"]))]
pub(super) struct SetOffer {
    #[command(flatten)]
    data: Data,
    /// Name of the offer.
    name: String,
    /// Policy of its licenses; without one they may be played and backed up, on four devices. Where the policy names a
    /// subscription, the offer covers that as well.
    #[arg(long, value_name = "POLICY")]
    policy: Option<String>,
    /// It covers all content of this scope; may be given several times.
    #[arg(long, value_name = "S")]
    scope: Vec<String>,
    /// It covers this key ID, whatever its scope; may be given several times.
    #[arg(long, value_name = "HEX", value_parser = Kid::from_hex)]
    kid: Vec<Kid>,
    /// Everybody has it, without a grant.
    #[arg(long)]
    open: bool,
}

#[derive(Subcommand)]
pub(super) enum GrantCommand {
    /// Give an account an offer and print the ID of the grant. Of several grants that cover a title the best gives its terms.
    Add(Box<AddGrant>),
    /// List grants, the latest first.
    List(Box<ListGrants>),
    /// Change a grant. Its licenses get the changed terms when they are renewed or asked for again.
    Change(Box<ChangeGrant>),
    /// End a grant: what it alone gave is withdrawn from devices.
    End {
        #[command(flatten)]
        data: Data,
        /// ID of the grant, as `grant add` printed it.
        #[arg(value_name = "ID", value_parser = GrantId::from_hex)]
        id: GrantId,
    },
}

#[derive(Args)]
pub(super) struct AddGrant {
    #[command(flatten)]
    data: Data,
    /// Name of the account.
    account: String,
    /// Name of the offer.
    offer: String,
    /// It counts from this time on, as 2027-01-01T00:00:00Z; from now on if not given.
    #[arg(long, value_name = "T", value_parser = time)]
    from: Option<i64>,
    /// It ends at this time, and so do its licenses, whatever later date their policy says.
    #[arg(long, value_name = "T", value_parser = time)]
    until: Option<i64>,
    /// So many uses of each title on all devices together, in place of what the policy counts; of playing, where it counts nothing.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    uses: Option<u32>,
    /// So many devices may have licenses under it at a time; 0 for no limit.
    #[arg(long, value_name = "N")]
    devices: Option<u32>,
    /// What the shop calls it, an order's number say; shown in lists and the audit.
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,
}

#[derive(Args)]
pub(super) struct ListGrants {
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    pages: Pages,
    /// Of this account.
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Of this offer.
    #[arg(long, value_name = "NAME")]
    offer: Option<String>,
    /// That the shop calls so.
    #[arg(long, value_name = "TEXT")]
    reference: Option<String>,
    /// Only those that are not over.
    #[arg(long)]
    current: bool,
}

#[derive(Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true).args(["from", "until", "uses", "devices", "reference"]))]
pub(super) struct ChangeGrant {
    #[command(flatten)]
    data: Data,
    /// ID of the grant, as `grant add` printed it.
    #[arg(value_name = "ID", value_parser = GrantId::from_hex)]
    id: GrantId,
    /// It counts from this time on; none: from its making.
    #[arg(long, value_name = "T|none", value_parser = maybe(time))]
    from: Option<Bound<i64>>,
    /// It ends at this time; none: not by itself.
    #[arg(long, value_name = "T|none", value_parser = maybe(time))]
    until: Option<Bound<i64>>,
    /// So many uses in all, those made before included; none: as the policy says.
    #[arg(long, value_name = "N|none", value_parser = maybe(number))]
    uses: Option<Bound<u32>>,
    /// So many devices may have licenses under it at a time; those that have some keep them. 0 or none: no limit.
    #[arg(long, value_name = "N|none", value_parser = maybe(any_number))]
    devices: Option<Bound<u32>>,
    /// What the shop calls it; none: nothing.
    #[arg(long, value_name = "TEXT|none", value_parser = maybe(text))]
    reference: Option<Bound<String>>,
}

/// A bound, or none.
#[derive(Debug, Clone)]
struct Bound<T>(Option<T>);

fn number(text: &str) -> Result<u32, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "a number from 1, or none is expected".to_owned())
}

fn any_number(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "a number, or none is expected".to_owned())
}

fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

/// Reads a bound, or that there is none.
fn maybe<T>(
    read: fn(&str) -> Result<T, String>,
) -> impl Fn(&str) -> Result<Bound<T>, String> + Clone + Send + Sync + 'static
where
    T: Clone + Send + Sync + 'static,
{
    move |text| if text == "none" { Ok(Bound(None)) } else { read(text).map(|value| Bound(Some(value))) }
}

#[derive(Args)]
pub(super) struct LoseDevice {
    #[command(flatten)]
    data: Data,
    /// Device ID in hexadecimal.
    #[arg(value_name = "HEX", value_parser = DeviceId::from_hex)]
    device: DeviceId,
}

#[derive(Args)]
pub(super) struct FreeDevice {
    #[command(flatten)]
    data: Data,
    /// Name of the account.
    account: String,
    /// Device ID in hexadecimal.
    #[arg(value_name = "HEX", value_parser = DeviceId::from_hex)]
    device: DeviceId,
}

pub(super) fn free(FreeDevice { data, account, device }: FreeDevice) -> Result<(), CommandError> {
    let opened = Opened::new(&data)?;
    match opened.wait(opened.store.free_device(account.clone(), device, false, acting()?))? {
        Freeing::Freed(licenses) => {
            print(&format!("freed: {}, which drops {licenses} licenses at its next contact", device.to_hex()))
        }
        Freeing::NoAccount => Err(CommandError::NoAccount(account)),
        Freeing::NotIts | Freeing::TooOften(_) => Err(CommandError::NotItsDevice { account, device }),
    }
}

pub(super) fn lose(LoseDevice { data, device }: LoseDevice) -> Result<(), CommandError> {
    let opened = Opened::new(&data)?;
    let back = opened.wait(opened.store.lose_device(device, acting()?))?.ok_or(CommandError::NoDevice(device))?;
    let CameBack { entries, uses } = back;
    print(&format!("lost: {}, {uses} uses of {entries} titles came back", device.to_hex()))
}

pub(super) fn offer(command: OfferCommand) -> Result<(), CommandError> {
    match command {
        OfferCommand::Set(set) => set_offer(*set),
        OfferCommand::List(list) => list_offers(&list),
        OfferCommand::Remove { data, name } => {
            let opened = Opened::new(&data)?;
            match opened.wait(opened.store.remove_offer(name.clone(), acting()?))? {
                OfferEnd::Removed => print(&format!("removed: {name}")),
                OfferEnd::NoOffer => Err(CommandError::NoOffer(name)),
                OfferEnd::InUse(grants) => Err(CommandError::OfferInUse(name, grants)),
            }
        }
    }
}

fn set_offer(set: SetOffer) -> Result<(), CommandError> {
    let SetOffer { data, name, policy, scope, kid, open } = set;
    for name in std::iter::once(&name).chain(&policy).chain(&scope) {
        checked_name(name)?;
    }
    let scopes = scope.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let kids = kid.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let offer = NewOffer { name: name.clone(), policy, open, scopes, kids };
    let opened = Opened::new(&data)?;
    match opened.wait(opened.store.set_offer(offer, acting()?))? {
        OfferSet::Done(new) => print(&format!("{}: {name}", if new { "set" } else { "changed" })),
        OfferSet::NoPolicy(policy) => Err(CommandError::NoPolicy(policy)),
    }
}

fn list_offers(list: &List) -> Result<(), CommandError> {
    let opened = Opened::new(&list.data)?;
    let rows: Vec<OfferEntry> = opened.wait(opened.store.listed(SystemClock.now(), None, usize::MAX))?;
    listing::show_rows(Format::of(list.json), rows)
}

pub(super) fn grant(command: GrantCommand) -> Result<(), CommandError> {
    match command {
        GrantCommand::Add(add) => add_grant(*add),
        GrantCommand::List(list) => list_grants(*list),
        GrantCommand::Change(change) => {
            let ChangeGrant { data, id, from, until, uses, devices, reference } = *change;
            let change = GrantChange {
                from: from.map(|bound| bound.0),
                until: until.map(|bound| bound.0),
                uses: uses.map(|bound| bound.0),
                devices: devices.map(|bound| limit(bound.0)),
                reference: reference.map(|bound| bound.0),
            };
            let opened = Opened::new(&data)?;
            granted(opened.wait(opened.store.change_grant(id, change, acting()?))?, id)?;
            print(&format!("changed: {}", id.to_hex()))
        }
        GrantCommand::End { data, id } => {
            let opened = Opened::new(&data)?;
            granted(opened.wait(opened.store.end_grant(id, acting()?))?, id)?;
            print(&format!("ended: {}", id.to_hex()))
        }
    }
}

fn granted(granting: Granting, id: GrantId) -> Result<(), CommandError> {
    match granting {
        Granting::Done => Ok(()),
        Granting::Ended => Err(CommandError::GrantEnded(id)),
        Granting::Never => Err(CommandError::NeverGranted),
        Granting::NoGrant | Granting::NoAccount | Granting::NoOffer => Err(CommandError::NoGrant(id)),
    }
}

/// A limit of devices; none where there is none, which 0 says as well.
fn limit(devices: Option<u32>) -> Option<u32> {
    devices.filter(|devices| *devices > 0)
}

fn add_grant(add: AddGrant) -> Result<(), CommandError> {
    let AddGrant { data, account, offer, from, until, uses, devices, reference } = add;
    let (opened, id) = (Opened::new(&data)?, GrantId::random()?);
    let terms = GrantTerms { from, until, uses, devices: limit(devices), reference };
    let of = (account.clone(), offer.clone());
    match opened.wait(opened.store.add_grant(id, of, terms, acting()?))? {
        Granting::Done => print(&format!("grant: {}", id.to_hex())),
        Granting::NoAccount => Err(CommandError::NoAccount(account)),
        Granting::NoOffer => Err(CommandError::NoOffer(offer)),
        Granting::Never => Err(CommandError::NeverGranted),
        Granting::NoGrant | Granting::Ended => Err(CommandError::NoGrant(id)),
    }
}

fn list_grants(list: ListGrants) -> Result<(), CommandError> {
    let ListGrants { data, pages, account, offer, reference, current } = list;
    let now = SystemClock.now();
    let filter = GrantFilter { account, offer, reference, after: current.then_some(now) };
    listing::list::<GrantEntry>(&Opened::new(&data)?, &pages, filter)
}
