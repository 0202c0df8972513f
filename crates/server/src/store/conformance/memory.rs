//! An engine of another kind than SQLite: tables in memory, transactions that run side by side over copies of them and find out at
//! the commit that they met, and in a storm also commits of which nobody is told. It is there to show that a rule needs no more
//! of an engine than its rows.

mod admins;
mod catalogue;
mod deliveries;
mod exchanges;
mod ledger;
mod licenses;
mod lists;
mod offers;
mod others;
mod tally;

use super::super::rows::LicenseKey;
use super::super::transact::{Access, Engine, Work};
use super::super::{Pending, StoreError};
use crate::rules::admins::{AdminRow, RepeatRow};
use crate::rules::catalogue::NewSubscription;
use crate::rules::delivered::{DeliveryId, DeliveryRow, PageRow};
use crate::rules::epochs::Epochs;
use crate::rules::granted::{GrantDevice, GrantId, GrantRow, NewOffer};
use crate::rules::interactions::Interaction;
use crate::rules::ledger::LedgerRow;
use crate::rules::mailbox::RecipientRow;
use crate::rules::revocation::{Order, RevokedKeyRow};
use crate::rules::rows::{
    AccountRow, AgainRow, AnsweredRow, AuditRow, ContentRow, ExchangeKey, KeysRow, LicenseRow, SeatRow, TokenRow,
};
use crate::rules::tally::Outcome;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use wmlicense_wire::id::{DeviceId, Digest, Epoch, Kid, Lid, SignerId, TransactionId, UserId};
use wmlicense_wire::key::VerifyingKey;
use wmlicense_wire::license::State;

/// A fork: device, keys, role, what was presented, when.
type Fork = (DeviceId, SignerId, i64, Option<Epoch>, i64);

#[derive(Clone)]
struct Policy {
    definition: String,
    subscription: Option<String>,
    changed: i64,
    changed_at: i64,
}

/// All rows.
#[derive(Clone, Default)]
struct Tables {
    exchanges: BTreeMap<ExchangeKey, AnsweredRow>,
    checked: BTreeMap<(ExchangeKey, Digest), i64>,
    epochs: BTreeMap<(DeviceId, i64), Epochs>,
    forks: Vec<Fork>,
    late: Vec<(DeviceId, SignerId, i64, i64)>,
    keys: BTreeMap<SignerId, KeysRow>,
    names: BTreeMap<DeviceId, String>,
    mark: i64,
    catalogue_mark: i64,
    /// With the mark, and when it was added first.
    contents: BTreeMap<Kid, (ContentRow, i64, i64)>,
    policies: BTreeMap<String, Policy>,
    subscriptions: BTreeMap<String, (NewSubscription, i64)>,
    offers: BTreeMap<String, (NewOffer, i64)>,
    grants: BTreeMap<GrantId, GrantRow>,
    ledger: BTreeMap<(GrantId, Kid, String, DeviceId), LedgerRow>,
    grant_devices: BTreeMap<(GrantId, DeviceId), GrantDevice>,
    accounts: BTreeMap<UserId, AccountRow>,
    tokens: BTreeMap<Digest, TokenRow>,
    admins: BTreeMap<Digest, AdminRow>,
    requests: BTreeMap<(String, String), RepeatRow>,
    audit: BTreeMap<(i64, [u8; 16]), AuditRow>,
    scopes: BTreeMap<(UserId, String), i64>,
    licenses: BTreeMap<LicenseKey, (Kid, LicenseRow, i64)>,
    seats: BTreeMap<(Lid, DeviceId), SeatRow>,
    states: BTreeMap<Lid, State>,
    deliveries: BTreeMap<DeliveryId, DeliveryRow>,
    pages: BTreeMap<Digest, PageRow>,
    /// Since when they were seen to be named by nothing.
    unused_pages: BTreeMap<Digest, i64>,
    /// Scope, mark, key ID.
    left: BTreeSet<(String, i64, Kid)>,
    freed: Vec<(Lid, i64)>,
    again: Vec<(DeviceId, AgainRow)>,
    orders: BTreeMap<i64, (Order, Option<String>)>,
    holders: BTreeSet<(i64, DeviceId)>,
    blobs: BTreeMap<Option<DeviceId>, (u64, Vec<u8>)>,
    askers: BTreeMap<SignerId, (DeviceId, VerifyingKey)>,
    acknowledgements: BTreeMap<DeviceId, u64>,
    acknowledged: BTreeMap<(Lid, DeviceId), i64>,
    revoked_keys: BTreeMap<(i64, SignerId), RevokedKeyRow>,
    status_lists: BTreeMap<u64, Vec<u8>>,
    recipients: BTreeMap<SignerId, RecipientRow>,
    letters: BTreeMap<(DeviceId, TransactionId), (i64, Vec<u8>)>,
    tally: BTreeMap<(i64, Outcome, String), u64>,
    interactions: BTreeMap<String, (ExchangeKey, Interaction, u64)>,
}

/// What is known of work that was run before: it is held here, so that no other work has its address.
struct Seen {
    work: Arc<dyn Work>,
    runs: u32,
}

/// The engine.
pub(super) struct Memory {
    /// With the number of commits.
    tables: Mutex<(u64, Tables)>,
    /// Work in a storm; none where the weather is fair.
    storm: Option<Mutex<Vec<Seen>>>,
}

/// What a storm does with a commit.
#[derive(PartialEq, Eq)]
enum Weather {
    Fair,
    /// It meets another one.
    Overtaken,
    /// It is done, and nobody is told.
    Lost,
}

impl Memory {
    /// An engine that parts those who met.
    pub(super) fn fair() -> Self {
        Self { tables: Mutex::default(), storm: None }
    }

    /// An engine that also takes back the first commit of everything, and loses the end of the second one.
    pub(super) fn stormy() -> Self {
        Self { tables: Mutex::default(), storm: Some(Mutex::default()) }
    }

    fn tables(&self) -> MutexGuard<'_, (u64, Tables)> {
        self.tables.lock().unwrap()
    }

    fn weather(&self, access: Access, work: &Arc<dyn Work>) -> Weather {
        let Some(storm) = &self.storm else { return Weather::Fair };
        let mut storm = storm.lock().unwrap();
        if !storm.iter().any(|seen| Arc::ptr_eq(&seen.work, work)) {
            storm.push(Seen { work: Arc::clone(work), runs: 0 });
        }
        let seen = storm.iter_mut().find(|seen| Arc::ptr_eq(&seen.work, work)).unwrap();
        seen.runs += 1;
        match (seen.runs, access) {
            (1, _) => Weather::Overtaken,
            (2, Access::Repeatable) => Weather::Lost,
            (_, Access::Reading | Access::Repeatable | Access::Once) => Weather::Fair,
        }
    }
}

impl Engine for Memory {
    fn run(&self, access: Access, work: Arc<dyn Work>) -> Pending<'_, ()> {
        Box::pin(async move {
            let (before, mut tables) = self.tables().clone();
            if !work.run(&mut tables).await? || access == Access::Reading {
                return Ok(());
            }
            let mut now = self.tables();
            if now.0 != before {
                return Err(StoreError::Overtaken);
            }
            let weather = self.weather(access, &work);
            if weather == Weather::Overtaken {
                return Err(StoreError::Overtaken);
            }
            *now = (before + 1, tables);
            if weather == Weather::Lost { Err(StoreError::Unknown) } else { Ok(()) }
        })
    }

    fn ready(&self) -> Pending<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// What is found, after others had their turn: nothing may rest on rows being there at once.
fn found<'a, T: Send + 'a>(found: T) -> Pending<'a, T> {
    Box::pin(async move {
        tokio::task::yield_now().await;
        Ok(found)
    })
}
